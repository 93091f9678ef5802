"""Which MPI library this node has: how to compile against it, how to start its ranks, and when it is another one.

Nothing is compiled or run to find out but the library's own compiler wrapper, which is asked for its flags.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from argosy import process
from argosy.errors import ArgosyError

_ADVICE = (
    "install one (`pip install mpich`, or Debian's mpich with libmpich-dev), load the site's module, "
    "or point $ARGOSY_MPICC at its mpicc"
)
_MACRO = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]+\"?([\w.+-]+)\"?", re.MULTILINE)
# The first two are MPICHs as well, so they are looked for first.
_VERSION_MACROS = {"Intel MPI": "I_MPI_VERSION", "Cray MPICH": "CRAY_MPICH_VERSION", "MPICH": "MPICH_VERSION"}
ABI = "MPI ABI"
_NAME = re.compile(r"\bMPI_\w+")
_SYSTEM_HEADERS = Path("/usr/include")
_MPI_NAME = re.compile(r"lib(mpi|mpich|mpi_abi|pmpi)\.so")


@dataclass(frozen=True, kw_only=True)
class MpiLibrary:
    """An MPI library with its headers.

    `kind` is MPICH, Open MPI, Intel MPI, Cray MPICH or MPI ABI; `flags` are what a C compiler needs to compile and link
    against it; `identity` changes when the library, its header or its flags change, for the MPI ABI only when the ABI
    does: a launcher built against it serves every library that has it. `chosen` says why this one.
    """

    kind: str
    version: str
    mpicc: Path
    mpiexec: Path | None
    header: Path
    flags: tuple[str, ...]
    libraries: tuple[Path, ...]
    identity: str
    chosen: str

    @property
    def is_abi(self) -> bool:
        """Whether programs are compiled against the standard MPI ABI instead of this library's own."""
        return self.kind == ABI

    def shared_object(self) -> Path | None:
        """The library's own file, for a launcher that was built against another one's; None where the linker knows."""
        return next((path for path in self.libraries if _is_elf(path)), None)

    def start_command(self) -> Path:
        """The `mpiexec` that starts this library's ranks; raises ArgosyError when there is none beside its mpicc."""
        if self.mpiexec is None:
            raise ArgosyError(
                f"no mpiexec beside {self.mpicc}",
                advice="install this library's process manager, name one by $ARGOSY_MPIEXEC, or start ranks by srun",
            )
        return self.mpiexec


def find() -> MpiLibrary:
    """The MPI of this node: `$ARGOSY_MPICC`, else `mpicc` on PATH, else the mpich wheel beside this Python.

    Raises ArgosyError when there is none, or when the one found does not work.
    """
    given = os.environ.get("ARGOSY_MPICC")
    if given:
        found = shutil.which(given)
        if found is None:
            raise ArgosyError(f"$ARGOSY_MPICC names {given}, which is no program here", advice=_ADVICE)
        return describe(Path(found), chosen="$ARGOSY_MPICC")
    on_path = shutil.which("mpicc")
    if on_path is not None:
        return describe(Path(on_path), chosen="mpicc on PATH")
    wheel = Path(sys.prefix, "bin", "mpicc")
    if wheel.exists():
        return describe(wheel, chosen="the mpich wheel of this Python, since there is no mpicc on PATH")
    raise ArgosyError("this node has no MPI library with its headers: no mpicc is found", advice=_ADVICE)


def describe(mpicc: Path, *, chosen: str) -> MpiLibrary:
    """What the wrapper `mpicc` stands for; raises ArgosyError when it does not say or its header is not there."""
    mpicc = mpicc.absolute()
    flags = _flags(mpicc)
    header = _header(mpicc, flags)
    kind, version = _kind(header, flags)
    libraries = _libraries(flags)
    return MpiLibrary(
        kind=kind,
        version=version,
        mpicc=mpicc,
        mpiexec=_mpiexec(mpicc),
        header=header,
        flags=flags,
        libraries=libraries,
        identity=_abi_identity(header) if kind == ABI else _identity(header, flags, libraries),
        chosen=chosen,
    )


def _flags(mpicc: Path) -> tuple[str, ...]:
    """`mpicc -show` prints the compiler's whole command (MPICH, Intel MPI, Open MPI); the compiler comes first."""
    output = process.check([mpicc, "-show"], purpose=f"asking {mpicc} for its flags", advice=_ADVICE)
    words = shlex.split(output.strip().splitlines()[-1]) if output.strip() else []
    if not any(word.startswith("-l") for word in words):
        raise ArgosyError(f"{mpicc} -show does not say how to link: {output.strip()!r}", advice=_ADVICE)
    return tuple(words[1:])


def _folders(flags: tuple[str, ...], letter: str) -> list[Path]:
    """The folders of `-I` or `-L`, also where a space stands between."""
    folders = []
    for place, word in enumerate(flags):
        if word == letter and place + 1 < len(flags):
            folders.append(Path(flags[place + 1]))
        elif word.startswith(letter) and len(word) > len(letter):
            folders.append(Path(word[len(letter) :]))
    return folders


def _header(mpicc: Path, flags: tuple[str, ...]) -> Path:
    for folder in (*_folders(flags, "-I"), _SYSTEM_HEADERS):
        if (folder / "mpi.h").is_file():
            return folder / "mpi.h"
    raise ArgosyError(f"no mpi.h where {mpicc} looks for it", advice="install this library's development package")


def _kind(header: Path, flags: tuple[str, ...]) -> tuple[str, str]:
    macros = dict(_MACRO.findall(header.read_text(errors="replace")))
    if "-DMPI_ABI" in flags or "MPI_ABI_VERSION" in macros:
        abi = header.with_name("mpi_abi.h")
        macros = dict(_MACRO.findall(abi.read_text(errors="replace"))) if abi.is_file() else macros
        return ABI, f"{macros.get('MPI_ABI_VERSION', '?')}.{macros.get('MPI_ABI_SUBVERSION', '?')}"
    if "OMPI_MAJOR_VERSION" in macros:
        parts = ("OMPI_MAJOR_VERSION", "OMPI_MINOR_VERSION", "OMPI_RELEASE_VERSION")
        return "Open MPI", ".".join(macros.get(part, "?") for part in parts)
    for kind, macro in _VERSION_MACROS.items():
        if macro in macros:
            return kind, macros[macro]
    return "MPI", f"{macros.get('MPI_VERSION', '?')}.{macros.get('MPI_SUBVERSION', '?')}"


def _libraries(flags: tuple[str, ...]) -> tuple[Path, ...]:
    """The files of the MPI library itself, links resolved; none when the linker finds it in its own folders."""
    found: set[Path] = set()
    for folder in _folders(flags, "-L"):
        for word in flags:
            if word.startswith("-l") and _MPI_NAME.match(f"lib{word[2:]}.so"):
                found.update(path.resolve() for path in folder.glob(f"lib{word[2:]}.so*") if path.is_file())
    return tuple(sorted(found))


def _is_elf(path: Path) -> bool:
    """Some libraries' `.so` for linking is a script."""
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _mpiexec(mpicc: Path) -> Path | None:
    """The `mpiexec` that belongs to this `mpicc`: same folder, same suffix (mpicc.openmpi, mpiexec.openmpi)."""
    given = os.environ.get("ARGOSY_MPIEXEC")
    if given:
        found = shutil.which(given)
        if found is None:
            raise ArgosyError(f"$ARGOSY_MPIEXEC names {given}, which is no program here", advice=_ADVICE)
        return Path(found)
    one_step = mpicc
    names = [mpicc]
    for _ in range(8):  # Debian's alternatives: mpicc -> /etc/alternatives/mpi -> mpicc.openmpi
        if not one_step.is_symlink():
            break
        one_step = one_step.parent / one_step.readlink()
        names.insert(0, one_step)
    for path in names:
        name = path.name.replace("mpicc", "mpiexec")
        for beside in (path.with_name(name), path.with_name(name.removesuffix("_abi"))):
            if beside != path and os.access(beside, os.X_OK):
                return beside
    return None


def _abi_identity(header: Path) -> str:
    """A digest over the ABI's version and the names that its header declares: what a library may have of it or not."""
    abi = header.with_name("mpi_abi.h")
    text = (abi if abi.is_file() else header).read_text(errors="replace")
    macros = dict(_MACRO.findall(text))
    parts = [ABI, *(macros.get(f"MPI_ABI_{part}", "?") for part in ("VERSION", "SUBVERSION")), *_NAME.findall(text)]
    return hashlib.sha256(" ".join([*parts[:3], *sorted(set(parts[3:]))]).encode()).hexdigest()


def _identity(header: Path, flags: tuple[str, ...], libraries: tuple[Path, ...]) -> str:
    """A digest over header, flags and the library files' sizes and times: cheap to make, and an upgrade changes it."""
    digest = hashlib.sha256(repr(flags).encode())
    digest.update(header.read_bytes())
    for path in libraries:
        status = path.stat()
        digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
