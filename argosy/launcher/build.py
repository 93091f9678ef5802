"""The launcher, built on the node that runs it: against its own MPI, by its own compiler, once.

A built launcher is a folder `launchers/<key>-<compiler>/` of the cache with `argosy-launch`, `argosy-job` (which stands
for a job's mpiexec) and, for an MPI library, `argosy-mpi.so`. The two parts of its name hold all that the build depends
on, so a folder that exists is right; it appears whole, by one rename, however many processes ask at once.

A site's launcher, which an administrator built beside the site's native code, serves its users whichever compiler made
it, and so do compute nodes without one: what it was compiled by changes nothing of what it does.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from argosy import process
from argosy.errors import ArgosyError
from argosy.files import distrust, lock
from argosy.folders import cache_root, site_cache_root
from argosy.launcher import compiler
from argosy.launcher.compiler import Compiler
from argosy.launcher.mpi_library import MpiLibrary
from argosy.progress import progress
from argosy.site import engine

EXECUTABLE = "argosy-launch"
GLUE = "argosy-mpi.so"
JOB = "argosy-job"
SOURCES = Path(__file__).with_name("src")
# Given to the linker too: zig builds the runtime that it links at this level, and without one far more slowly.
_LEVEL = "-O2"
_FLAGS = ("-std=gnu11", "-D_GNU_SOURCE", _LEVEL, "-g1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-fno-plt")
_JOB_SOURCE = "job.c"
_IDENTIFIER = re.compile(r"\bMPI_\w+")
_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"')


def launcher(mpi: MpiLibrary | None) -> Path:
    """The path of `argosy-launch` for this MPI library (None: for programs without MPI), built when it is not there.

    The user's own comes first, then the site's. Raises ArgosyError when there is none and no compiler, when compiling
    fails, or when the cache cannot be written.
    """
    folder, is_built = place(mpi)
    if not is_built:
        with lock(folder.with_name(f".{folder.name}.lock")):
            if not _is_trusted(folder):
                _build_whole(folder, mpi, compiler.find(), _own_sources(mpi))
    return folder / EXECUTABLE


def place(mpi: MpiLibrary | None) -> tuple[Path, bool]:
    """Where `launcher` has it, and whether it is there already. Raises ArgosyError when it is not, and there is no
    compiler."""
    key = _key(mpi, _own_sources(mpi))
    own, site = cache_root() / "launchers", site_cache_root()
    try:
        tools = compiler.find()
    except ArgosyError:
        built = _built_by_any(own, key) or (site and _built_by_any(site / "launchers", key))
        if not built:
            raise
        return built, True
    folder = own / f"{key}-{hashlib.sha256(tools.identity.encode()).hexdigest()[:8]}"
    if not _is_trusted(folder) and site and (built := _built_by_any(site / "launchers", key)):
        return built, True
    return folder, _is_trusted(folder)


def _built_by_any(launchers: Path, key: str) -> Path | None:
    """A launcher of this key in the folder, by whichever compiler."""
    return next((folder for folder in sorted(launchers.glob(f"{key}-*")) if _is_trusted(folder)), None)


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


def _generated_glue(declared: frozenset[str]) -> dict[str, str]:
    """File names and texts of the glue that is generated, for an mpi.h that declares these functions and constants."""
    from argosy.mpi import glue

    return glue.generate(declared)


def _key(mpi: MpiLibrary | None, texts: Mapping[str, str]) -> str:
    digest = hashlib.sha256()
    library = engine.wasmtime_library()
    parts = [repr(_FLAGS), platform.machine(), engine.wasmtime_version(), str(library)]
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
            with progress("build the launcher", None, unit="step"):
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
    own = [name for name in texts if not _of_glue(name) and name != _JOB_SOURCE]
    # The glue finds the launcher's own functions, and wasmtime's, among the executable's. The wheel's library has no
    # SONAME, so its whole path is recorded and nothing is searched for at start.
    executable = _objects(tools, work, own, ())
    libraries = (engine.wasmtime_library(), "-ldl", "-pthread")
    _run(tools, work, _LEVEL, *executable, "-o", work / EXECUTABLE, "-rdynamic", *libraries)
    _run(tools, work, _LEVEL, *_objects(tools, work, [_JOB_SOURCE], ()), "-o", work / JOB)
    if mpi is not None:
        generated = _generated_glue(_declared(tools, work, mpi))
        for name, text in generated.items():
            (sources / name).write_text(text)
        by_hand = [name for name in texts if _of_glue(name)]
        glue = _objects(tools, work, [*by_hand, *generated], _compile_flags(mpi))
        run_paths = dict.fromkeys(f"-Wl,-rpath,{path.parent}" for path in mpi.libraries)
        _run(tools, work, _LEVEL, "-shared", *glue, "-o", work / GLUE, *mpi.flags, *run_paths)
    shutil.rmtree(work / "objects")


def _objects(tools: Compiler, work: Path, names: Iterable[str], flags: tuple[str, ...]) -> list[Path]:
    """Compile the C files among `names`, as many at once as there are cores."""
    (work / "objects").mkdir(exist_ok=True)
    units = [(work / "src" / name, work / "objects" / f"{name}.o") for name in names if name.endswith(".c")]
    with ThreadPoolExecutor(max_workers=len(os.sched_getaffinity(0))) as pool:
        runs = [pool.submit(_run, tools, work, *_FLAGS, *flags, "-c", source, "-o", out) for source, out in units]
        for done in runs:
            done.result()
    return [out for _, out in units]


def _compile_flags(mpi: MpiLibrary) -> tuple[str, ...]:
    """Those of the library's flags that compiling needs: a linker's would only bring warnings."""
    kept: list[str] = []
    words = iter(mpi.flags)
    for word in words:
        if word in ("-I", "-D", "-isystem"):
            kept += [word, next(words, "")]
        elif word.startswith(("-I", "-D", "-isystem", "-pthread")):
            kept.append(word)
    return tuple(kept)


def _declared(tools: Compiler, work: Path, mpi: MpiLibrary) -> frozenset[str]:
    """Every MPI identifier, function or constant, that the library's own mpi.h declares or defines."""
    probe = work / "src" / "probe.h"
    probe.write_text("#include <mpi.h>\n")
    text = _run(tools, work, "-E", "-dD", "-xc", *_compile_flags(mpi), probe)
    return frozenset(_IDENTIFIER.findall(_STRING.sub("", text)))


def _run(tools: Compiler, work: Path, *arguments: str | Path) -> str:
    return process.check(
        [*tools.command, *arguments],
        purpose="building the launcher",
        advice="`argosy doctor` says which compiler and MPI library are used; $CC and $ARGOSY_MPICC choose others",
        folder=work,
        environment={**os.environ, **tools.environment},
    )
