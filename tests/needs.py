"""Real parts that a test cannot do without."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest


def need(part: str, how: str) -> None:
    """The part is absent: skip, saying how to get it; in CI, where every part belongs, fail."""
    message = f"needs {part}: {how}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def program(name: str, how: str) -> Path:
    """The program on PATH, or `need` when there is none."""
    found = shutil.which(name)
    if found is None:
        need(name, how)
    return Path(str(found))
