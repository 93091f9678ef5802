"""The digest of Argosy's own code, as far as it decides what a build gives."""

from __future__ import annotations

from pathlib import Path

import argosy
from argosy.files import sha256_of
from argosy.model.digest import Digest

_PACKAGE = Path(argosy.__file__).parent
_BUILDS = ("build/*.py", "model/lock.py", "model/note.py", "model/recipe*.py", "model/strict.py", "process.py")
_READS_ONLY = ("build/code.py", "build/inspect.py")
_MPI = ("mpi/*.py", "mpi/guest/*.py", "mpi/guest/*.c", "mpi/guest/*.h")  # not mpi/glue, which is the node's


def builder_digest() -> Digest:
    """Of the code that fetches, compiles and links."""
    return _digest(_BUILDS, _READS_ONLY)


def mpi_digest() -> Digest:
    """Of the code that the guest's MPI library is made from; its output is determined by this and the toolchain."""
    return _digest(_MPI, ())


def _digest(patterns: tuple[str, ...], without: tuple[str, ...]) -> Digest:
    left_out = {_PACKAGE / name for name in without}
    files = sorted({path for pattern in patterns for path in _PACKAGE.glob(pattern)} - left_out)
    lines = [f"{sha256_of(path)}  {path.relative_to(_PACKAGE).as_posix()}\n" for path in files]
    return Digest.of("".join(lines).encode())
