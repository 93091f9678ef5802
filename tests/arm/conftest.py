"""Lets the tests here use the programs of tests/mpi."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "mpi"))
