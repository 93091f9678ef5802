"""What the MPI tests may ask for."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

_LARGEST_FILE = 256 << 20


@pytest.fixture
def small_files() -> Iterator[None]:
    """What is started writes no large files: a hostile program asks for as many bytes as the disk has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_LARGEST_FILE, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
