"""The launcher, built on the node that runs it: against its own MPI, by its own compiler, once.

A built launcher is a folder `launchers/<key>/` of the cache with `argosy-launch` and, for an MPI library,
`argosy-mpi.so`. The key holds all that the build depends on, so a folder that exists is right; it appears whole, by one
rename, however many processes ask at once.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from argosy import process
from argosy.errors import ArgosyError
from argosy.files import distrust, lock
from argosy.folders import cache_root
from argosy.launcher import compiler
from argosy.launcher.compiler import Compiler
from argosy.launcher.mpi_library import MpiLibrary
from argosy.site import engine

EXECUTABLE = "argosy-launch"
GLUE = "argosy-mpi.so"
SOURCES = Path(__file__).with_name("src")
_FLAGS = ("-std=gnu11", "-D_GNU_SOURCE", "-O2", "-g1", "-Wall", "-Wextra", "-Werror", "-fPIC")
_DECLARATION = re.compile(r"\b(P?MPI_\w+)\s*\(")


def launcher(mpi: MpiLibrary | None) -> Path:
    """The path of `argosy-launch` for this MPI library (None: for programs without MPI), built when it is not there.

    Raises ArgosyError when there is no compiler, when compiling fails, or when the cache cannot be written.
    """
    tools = compiler.find()
    texts = _own_sources(mpi)
    key = _key(mpi, tools, texts)
    folder = cache_root() / "launchers" / key
    if not _is_trusted(folder):
        with lock(folder.with_name(f".{key}.lock")):
            if not _is_trusted(folder):
                _build_whole(folder, mpi, tools, texts)
    return folder / EXECUTABLE


def _is_trusted(folder: Path) -> bool:
    """Whether a launcher is there, and nobody but this user or root can have put or changed it."""
    try:
        return not any(distrust(path.lstat()) for path in (folder, *folder.iterdir()))
    except OSError:
        return False


def _own_sources(mpi: MpiLibrary | None) -> dict[str, str]:
    """File names and texts of what the executable (and, for MPI, the hand-written part of the glue) is made of."""
    texts = {path.name: path.read_text() for path in sorted(SOURCES.glob("*.[ch]")) if mpi or not _of_glue(path.name)}
    texts["engine_settings.h"] = engine.c_settings()
    return texts


def _of_glue(name: str) -> bool:
    return name.startswith("mpi_")


def _generated_glue(functions: frozenset[str]) -> dict[str, str]:
    """The C of the glue that is generated, for an MPI library that declares `functions`."""
    from argosy.mpi import glue

    return glue.generate(functions)


def _key(mpi: MpiLibrary | None, tools: Compiler, texts: Mapping[str, str]) -> str:
    digest = hashlib.sha256()
    library = engine.wasmtime_library()
    parts = [repr(_FLAGS), platform.machine(), engine.wasmtime_version(), str(library), tools.identity]
    if mpi is not None:
        parts += [mpi.identity, _generator_identity()]
    for name, text in sorted(texts.items()):
        parts += [name, text]
    for part in parts:
        digest.update(f"{len(part)}:{part}".encode())
    return digest.hexdigest()[:32]


def _generator_identity() -> str:
    """A digest over the code that generates the glue and the database it generates from."""
    from importlib import metadata

    from argosy import mpi

    digest = hashlib.sha256(metadata.version("pympistandard").encode())
    for path in sorted(Path(mpi.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _build_whole(folder: Path, mpi: MpiLibrary | None, tools: Compiler, texts: Mapping[str, str]) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".building.", dir=folder.parent))
        try:
            _compile(work, mpi, tools, texts)
            for path in (work, *work.iterdir()):
                path.chmod(0o755)  # whatever the umask
            if folder.is_symlink() or folder.exists():
                folder.rename(work.with_name(f"{work.name}.refused"))
            work.rename(folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)
            shutil.rmtree(work.with_name(f"{work.name}.refused"), ignore_errors=True)
    except OSError as error:
        raise ArgosyError(
            f"cannot build the launcher in {folder.parent}: {error.strerror or error}",
            advice="free some space or choose another folder by $ARGOSY_CACHE",
        ) from error


def _compile(work: Path, mpi: MpiLibrary | None, tools: Compiler, texts: Mapping[str, str]) -> None:
    sources = work / "src"
    sources.mkdir()
    for name, text in texts.items():
        (sources / name).write_text(text)
    library = engine.wasmtime_library()
    own = [sources / name for name in texts if name.endswith(".c") and not _of_glue(name)]
    # The wheel's library has no SONAME, so its whole path is recorded and nothing is searched for at start.
    wasmtime = (str(library),)
    # The glue finds the launcher's own functions, and wasmtime's, among the executable's.
    _run(tools, work, *_FLAGS, *own, "-o", work / EXECUTABLE, "-rdynamic", *wasmtime, "-ldl")
    if mpi is None:
        return
    generated = _generated_glue(_declared_functions(tools, work, mpi))
    for name, text in generated.items():
        (sources / name).write_text(text)
    by_hand = [name for name in texts if _of_glue(name)]
    glue = [sources / name for name in (*by_hand, *generated) if name.endswith(".c")]
    run_paths = dict.fromkeys(f"-Wl,-rpath,{path.parent}" for path in mpi.libraries)
    link = (*mpi.flags, *run_paths)
    _run(tools, work, *_FLAGS, "-shared", f"-I{sources}", *glue, "-o", work / GLUE, *link)


def _declared_functions(tools: Compiler, work: Path, mpi: MpiLibrary) -> frozenset[str]:
    """The MPI functions that the library's own mpi.h declares."""
    probe = work / "src" / "probe.h"
    probe.write_text("#include <mpi.h>\n")
    include_flags = [word for word in mpi.flags if word.startswith(("-I", "-D"))]
    return frozenset(_DECLARATION.findall(_run(tools, work, "-E", "-xc", *include_flags, probe)))


def _run(tools: Compiler, work: Path, *arguments: str | Path) -> str:
    return process.check(
        [*tools.command, *arguments],
        purpose="building the launcher",
        advice="`argosy doctor` says which compiler and MPI library are used; $CC and $ARGOSY_MPICC choose others",
        folder=work,
        environment={**os.environ, **tools.environment},
    )
