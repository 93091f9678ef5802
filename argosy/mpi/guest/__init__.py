"""What the compiler sees of MPI: mpi.h and mpif.h, the import library libmpi.a, the object that states the ABI.

The C files beside this one are the guest's own part of the library; header and wrappers are generated.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from argosy import process
from argosy.errors import ArgosyError
from argosy.files import lock
from argosy.mpi import abi
from argosy.mpi.guest import fortran, header, wrappers

_HERE = Path(__file__).parent


def sources() -> dict[str, str]:
    """Every file of the guest's side by its name: `mpi.h`, assembly and C. The same on every machine."""
    own = {path.name: path.read_text() for path in sorted(_HERE.glob("*.c"))}
    generated = {**fortran.sources(), **wrappers.sources()}
    return {"mpi.h": header.text(), "argosy_abi.s": _abi_object(), **own, **generated}


def digest() -> str:
    """SHA-256 over the names and texts of `sources()`, in lower-case hex."""
    whole = hashlib.sha256()
    for name, text in sorted(sources().items()):
        for part in (name, text):
            data = part.encode()
            whole.update(len(data).to_bytes(8, "little"))
            whole.update(data)
    return whole.hexdigest()


def build(
    folder: Path, *, clang: Sequence[str | Path], archiver: Sequence[str | Path], flags: Sequence[str] = ()
) -> Path:
    """Make `include/mpi.h`, `lib/libmpi.a` and `lib/argosy_abi.o` in `folder`, unless it has them, and give `folder`.

    `clang` and `archiver` are commands (the toolchain's clang and llvm-ar); `flags` say target and sysroot. The folder
    appears whole or not at all, once however many processes ask: name it after `digest()`, the toolchain and `flags`,
    for what is there is not made again. Raises ArgosyError when a command fails.
    """
    if folder.is_dir():
        return folder
    with lock(folder.with_name(folder.name + ".lock")):
        if folder.is_dir():
            return folder
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            _build(temporary, clang, archiver, flags)
            temporary.chmod(0o755)
            temporary.replace(folder)
        except OSError as error:
            raise ArgosyError(
                f"cannot write the MPI import library to {folder}: {error.strerror or error}",
                advice="free some space or choose another cache folder with $ARGOSY_CACHE",
            ) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _build(folder: Path, clang: Sequence[str | Path], archiver: Sequence[str | Path], flags: Sequence[str]) -> None:
    include, library, work = folder / "include", folder / "lib", folder / "work"
    for made in (include, library, work):
        made.mkdir()
    for name, text in sources().items():
        (include if name.endswith(".h") else work).joinpath(name).write_text(text)
    files = sorted(path.name for path in work.iterdir() if path.suffix in (".c", ".s"))
    # One clang takes many files; one command a processor.
    shares = [files[start :: _processors()] for start in range(_processors())]

    def compile_share(share: list[str]) -> None:
        process.check(
            [*clang, *flags, "-O2", "-I", "../include", "-c", *share],
            purpose="compiling the MPI import library",
            advice="`scons toolchain` says which compiler is used",
            folder=work,
        )

    with ThreadPoolExecutor(len(shares)) as pool:
        list(pool.map(compile_share, [share for share in shares if share]))
    (work / "argosy_abi.o").replace(library / "argosy_abi.o")
    objects = sorted(path.name for path in work.glob("*.o"))
    process.check([*archiver, "rcsD", "../lib/libmpi.a", *objects], purpose="making libmpi.a", folder=work)
    shutil.rmtree(work)


def _processors() -> int:
    return max(1, min(8, len(os.sched_getaffinity(0))))


def _abi_object() -> str:
    stated = f'{{\\"mpi_abi\\":\\"{abi.VERSION[0]}\\"}}'
    return f'\t.section\t.custom_section.argosy.abi,"",@\n\t.ascii\t"{stated}"\n'
