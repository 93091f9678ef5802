"""The suite's programs, compiled twice: to wasm by Argosy's own mpicc, and natively by that of an MPI library.

Results are kept in the cache in folders named by all that they depend on: objects by compiler, flags and `mpi.h`,
programs by the guest's MPI library too. What could not be compiled is kept as well, as the compiler's words.
"""

from __future__ import annotations

import functools
import hashlib
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import mpich_sources
from mpich_lists import Program

from argosy import process
from argosy.build import flags, produce, toolchain, wrappers
from argosy.build.workplace import Workplace
from argosy.files import lock, sha256_of
from argosy.folders import cache_root
from argosy.launcher.mpi_library import MpiLibrary
from argosy.mpi import guest

_UTILITIES = (
    *("util/mtest.c", "util/mtest_common.c", "util/mtest_single.c", "util/dtypes.c"),
    *(f"dtpools/src/dtpools{part}.c" for part in ("", "_attr", "_custom", "_desc", "_init_verify", "_misc")),
)
_CPP_UTILITIES = ("util/mtest_cxx.cxx", "util/mtest_common.c", "util/mtest_single.c")
# Warnings are the suite's own. A function that mpi.h does not declare is named by the linker, like any other that is
# missing, and counts only where a test calls it: the suite's utilities call more than most tests need. And the suite
# is written for handles that are all int, so it gives an MPI_Comm where an MPI_Win is wanted.
_FLAGS = (
    *("-O1", "-w", "-Wno-implicit-function-declaration", "-Wno-int-conversion"),
    *("-Wno-incompatible-pointer-types", "-Wno-incompatible-function-pointer-types"),
    # Open MPI hides what MPI-3.0 removed, and has it.
    *("-DOMPI_OMIT_MPI1_COMPAT_DECLS=0", "-DOMPI_REMOVED_USE_STATIC_ASSERT=0"),
)
_MISSING = (
    r"undefined symbol: (\w+)",
    r"undefined reference to `(\w+)'",
    r"use of undeclared identifier '(\w+)'",
    r"unknown type name '(\w+)'",
    r"'(\w+)' undeclared",
    r"unknown type name ‘(\w+)’",
    r"‘(\w+)’ undeclared",
    r"fatal error: '?([\w./]+)'? file not found",
    r"fatal error: ([\w./]+): No such file",
)


@dataclass(frozen=True, kw_only=True)
class Built:
    """A program's file; or None, `said` by the compiler or linker why, and the names that it missed."""

    file: Path | None
    said: str = ""

    @property
    def missing(self) -> list[str]:
        """What the program names and this side lacks, each once."""
        return list(dict.fromkeys(name for form in _MISSING for name in re.findall(form, self.said)))

    @property
    def reason(self) -> str:
        """In one line, why there is no program."""
        if self.missing:
            of_mpi = [name for name in self.missing if name.startswith(("MPI", "PMPI"))]
            return f"lacks {', '.join(of_mpi or self.missing)}"
        errors = [line.partition("error:")[2].strip() for line in self.said.splitlines() if "error:" in line]
        return (errors or self.said.splitlines() or ["the compiler failed"])[0]


class Side(Protocol):
    """One of the two compilers; `ready` is called once before `build`, which may be called by several threads."""

    def ready(self) -> None: ...

    def build(self, program: Program) -> Built: ...


class _Compiler:
    """What both sides share: one command compiles, one links, and files that exist are not made again."""

    def __init__(self, name: str, *, objects_key: str, programs_key: str, suffix: str) -> None:
        root = cache_root() / "mpich-tests"
        self.tree = mpich_sources.tree()
        own = f"{self.tree.name} {_FLAGS} {sha256_of(self.tree / 'include/mpitestconf.h')}"
        self._objects = root / f"{name}-objects-{_short(own, objects_key)}"
        self._programs = root / f"{name}-{_short(own, objects_key, programs_key)}"
        self._suffix = suffix

    def command(self, *, cpp: bool) -> Sequence[str | Path]:
        raise NotImplementedError

    def ready(self) -> None:
        """Compile what all programs share."""
        for source in _UTILITIES:
            made = self._object(source, ())
            assert made.file, f"{source} of the suite cannot be compiled:\n{made.said}"

    def build(self, program: Program) -> Built:
        """The program, compiled and linked now where it has not been before."""
        target = self._programs / f"{program.path}{self._suffix}"
        failure = target.with_name(f"{target.name}.failed")
        with lock(target.with_name(f".{program.name}.lock")):
            if target.exists():
                return Built(file=target)
            if failure.exists():
                return Built(file=None, said=failure.read_text())
            cpp = any(source.endswith(".cxx") for source in program.sources)
            parts = [self._object(source, program.macros) for source in program.sources]
            parts += [self._object(source, ()) for source in (_CPP_UTILITIES if cpp else _UTILITIES)]
            said = "".join(part.said for part in parts)
            if not said:
                work = target.with_name(f".{target.name}.new")
                done = process.run([*self.command(cpp=cpp), *(str(part.file) for part in parts), "-lm", "-o", work])
                if done.status == 0:
                    work.rename(target)
                    return Built(file=target)
                said = done.output
            failure.write_text(said)
            return Built(file=None, said=said)

    def _object(self, source: str, macros: Sequence[str]) -> Built:
        variant = f"-{_short(*macros)[:8]}" if macros else ""
        target = self._objects / f"{source}{variant}.o"
        with lock(target.with_name(f".{target.name}.lock")):
            if target.exists():
                return Built(file=target)
            work = target.with_name(f".{target.name}.new")
            includes = [f"-I{self.tree / folder}" for folder in ("include", "dtpools/include")]
            command = [*self.command(cpp=source.endswith(".cxx")), *_FLAGS, *includes, *macros]
            done = process.run([*command, "-c", self.tree / source, "-o", work])
            if done.status != 0:
                return Built(file=None, said=done.output or f"the compiler ended with {done.status}")
            work.rename(target)
            return Built(file=target)


class Wasm(_Compiler):
    """The wrappers that a recipe's build is given."""

    def __init__(self) -> None:
        tools = toolchain.find()
        mpi = produce.mpi_library(tools)
        header = sha256_of(mpi / "include/mpi.h")
        commands = "".join(sha256_of(Path(str(module.__file__))) for module in (wrappers, flags))
        super().__init__(
            "wasm", objects_key=f"{tools.digest} {header} {commands}", programs_key=guest.digest(), suffix=".wasm"
        )
        self._place = Workplace(
            recipe=mpich_sources.described(),
            toolchain=tools,
            source=self.tree,
            work=self._programs / "work",
            prefix=self._programs,
            mpi=mpi,
        )
        self._wrappers = wrappers.folder(self._place)
        written = self._place.work / "written"
        with lock(self._programs / ".lock"):  # another process may be running them
            if not written.exists():
                wrappers.write(self._place)
                written.touch()

    def command(self, *, cpp: bool) -> Sequence[str | Path]:
        return [self._wrappers / ("mpicxx" if cpp else "mpicc")]


class Native(_Compiler):
    """An MPI library's own compiler wrapper."""

    def __init__(self, mpi: MpiLibrary) -> None:
        super().__init__("native", objects_key=mpi.identity, programs_key="", suffix="")
        self._mpi = mpi

    def command(self, *, cpp: bool) -> Sequence[str | Path]:
        if not cpp:
            return [self._mpi.mpicc]
        wrapper = self._mpi.mpicc.with_name(self._mpi.mpicc.name.replace("mpicc", "mpicxx"))
        return [shutil.which(wrapper) or self._mpi.mpicc]


@functools.cache
def yielding(mpi: MpiLibrary) -> Path:
    """The shared object of yielding.c, to be loaded before this library."""
    source = Path(__file__).with_name("yielding.c")
    target = cache_root() / "mpich-tests" / f"yielding-{_short(sha256_of(source), mpi.identity)}.so"
    with lock(target.with_suffix(".lock")):
        if not target.exists():
            work = target.with_suffix(".new")
            # Of the MPI library's compiler wrapper nothing is wanted but its compiler.
            process.check(
                [mpi.mpicc, "-O2", "-Wl,--as-needed", "-shared", "-fPIC", source, "-o", work],
                purpose="compile yielding.c",
            )
            work.rename(target)
    return target


def _short(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
