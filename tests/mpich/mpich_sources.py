"""MPICH's test suite on this machine: fetched as any recipe's source, `test/mpi` of it unpacked once."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from argosy.build import sources
from argosy.files import lock
from argosy.folders import cache_root
from argosy.model import recipe
from argosy.model.recipe import Recipe
from argosy.model.recipe_source import Archive
from argosy.tar import tarfile

_INSIDE = "test/mpi"

# What the suite's configure would find. Both sides, native and wasm, are given the same, so that they compile the same
# tests; sizes are the compiler's own. Threads are left out, for wasm has none.
_CONFIGURED = """\
#ifndef MPITESTCONF_H_INCLUDED
#define MPITESTCONF_H_INCLUDED
#define STDC_HEADERS 1
#define HAVE_INTTYPES_H 1
#define HAVE_STDARG_H 1
#define HAVE_STDINT_H 1
#define HAVE_STDLIB_H 1
#define HAVE_STRINGS_H 1
#define HAVE_STRING_H 1
#define HAVE_SYS_STAT_H 1
#define HAVE_SYS_TIME_H 1
#define HAVE_SYS_TYPES_H 1
#define HAVE_UNISTD_H 1
#define HAVE_STRDUP 1
#define HAVE_USLEEP 1
#define HAVE__BOOL 1
#define HAVE_LONG_DOUBLE 1
#define HAVE_LONG_LONG 1
#define HAVE_FLOAT__COMPLEX 1
#define HAVE_DOUBLE__COMPLEX 1
#define HAVE_LONG_DOUBLE__COMPLEX 1
#define HAVE_IOSTREAM 1
#define HAVE_NAMESPACES 1
#define HAVE_NAMESPACE_STD 1
#define HAVE_MPI_IO 1
#define HAVE_MPI_SPAWN 1
#define HAVE_MPI_WIN_CREATE 1
#define SIZEOF_SHORT __SIZEOF_SHORT__
#define SIZEOF_INT __SIZEOF_INT__
#define SIZEOF_LONG __SIZEOF_LONG__
#define SIZEOF_LONG_LONG __SIZEOF_LONG_LONG__
#define SIZEOF_VOID_P __SIZEOF_POINTER__
#define SIZEOF_MPI_OFFSET 8
#define POINTERINT_t __INTPTR_TYPE__
#define THREAD_PACKAGE_NAME THREAD_PACKAGE_NONE
/* Of reductions, those that the standard defines: the others are MPICH's own additions. */
#define USE_STRICT_MPI 1
#endif
"""

_DTPOOLS_CONFIGURED = """\
#define HAVE_LIMITS_H 1
#define HAVE_MEMSET 1
#define HAVE_STDINT_H 1
#define HAVE_STDLIB_H 1
#define HAVE_STRDUP 1
#define HAVE_STRINGS_H 1
#define HAVE_STRING_H 1
"""


def described() -> Recipe:
    """The suite as a recipe."""
    path = Path(__file__).with_name("recipe.toml")
    return recipe.parse(path.read_text(), where=str(path), folder=path.parent)


def tree() -> Path:
    """The folder that holds the suite's `attr`, `coll`, `util` and so on, with its configured headers.

    Raises ArgosyError when the source can be had nowhere.
    """
    [archive] = described().sources
    assert isinstance(archive, Archive)
    folder = cache_root() / "mpich-tests" / f"source-{archive.digest.hex[:16]}"
    with lock(folder.with_name(f".{folder.name}.lock")):
        if not folder.exists():
            _unpack(sources.fetch(archive), folder)
        for name, text in (("include/mpitestconf.h", _CONFIGURED), ("dtpools/dtpoolsconf.h", _DTPOOLS_CONFIGURED)):
            path = folder / name
            if not path.exists() or path.read_text() != text:
                path.write_text(text)
    return folder


def _unpack(file: Path, folder: Path) -> None:
    work = Path(tempfile.mkdtemp(prefix=".unpacking.", dir=folder.parent))
    try:
        with tarfile.open(file) as archive:
            archive.extractall(work, _of_the_suite(archive), filter="data")
        work.chmod(0o755)
        work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _of_the_suite(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The archive's files below `mpich-<version>/test/mpi`, named from there."""
    for member in archive:
        name = PurePosixPath(*PurePosixPath(member.name).parts[1:])
        if member.isfile() and name.is_relative_to(_INSIDE):
            yield member.replace(name=str(name.relative_to(_INSIDE)), deep=False)
