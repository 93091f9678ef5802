"""What every compiler and linker call is given: target, numerics, WASI's emulations, reproducibility.

A command is `driver + BEFORE + what the recipe or upstream build says + AFTER`: what a build may change (`-O2`) comes
before its own flags, what it must not change (the numerics, the mapped paths) after them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from argosy.build import fortran as fortran_program
from argosy.build.toolchain import TARGET
from argosy.build.workplace import Workplace
from argosy.errors import UsageError, did_you_mean

# 1 January 2000, in UTC: what __DATE__ and __TIME__ say, so that they are the same in every build.
SOURCE_DATE_EPOCH = "946684800"

# `fast`: relaxed SIMD and contraction may round differently from CPU to CPU. `exact`: wasm defines every bit.
NUMERICS = {
    "fast": ("-msimd128", "-mrelaxed-simd", "-ffp-contract=fast"),
    "exact": ("-msimd128", "-mno-relaxed-simd", "-fno-fast-math", "-ffp-contract=off"),
}

# What a build is given to make one of the variants for CPUs with less vectors: locked, and so rebuilt, as any flag.
VARIANTS = {"baseline": ("-mno-simd128",), "simd": ("-mno-relaxed-simd",), "relaxed-simd": ()}

FORTRAN_LIBRARY = "libf2c"  # the recipe of f2c's library

_EMULATED = ("process-clocks", "signal", "mman", "getpid")  # what wasi-libc offers in libraries of its own
_OPTIONAL_LIBRARIES = ("setjmp", "unwind", "c-printscan-long-double")  # that older or smaller sysroots lack
# setjmp, and C++'s exceptions, as engines agreed on them (exnref). A sysroot without libsetjmp has neither.
_SETJMP = ("-mllvm", "-wasm-enable-sjlj", "-mllvm", "-wasm-use-legacy-eh=false")


def numerics_flags(numerics: str, asked: Sequence[str] = ()) -> tuple[str, ...]:
    """The flags of the numerics, without the vectors that the flags `asked` for decline (see `VARIANTS`).

    Less vectors never change what the numerics promise. Raises UsageError for numerics that do not exist.
    """
    if numerics not in NUMERICS:
        raise UsageError(f"no numerics {numerics!r}", advice=did_you_mean(numerics, NUMERICS))
    flags = NUMERICS[numerics]
    if "-mno-simd128" in asked:
        return ("-mno-relaxed-simd", "-mno-simd128", *(flag for flag in flags if "simd" not in flag))
    if "-mno-relaxed-simd" in asked:
        return tuple("-mno-relaxed-simd" if flag == "-mrelaxed-simd" else flag for flag in flags)
    return flags


def compile_before(place: Workplace, language: str) -> tuple[str, ...]:
    """Compile flags that the recipe and its upstream build may override, for `language` `c`, `c++` or `fortran`."""
    return (
        f"--target={TARGET}",
        f"--sysroot={place.toolchain.sysroot}",
        "-O3",
        # LLVM takes wasm for a machine that gains nothing by two vectors at a time. The CPUs behind it do: DGEMM of
        # GSL's CBLAS ran 1.7 times as fast (x86-64). Sums keep their order, so results stay the same to the bit.
        *("-mllvm", "-force-vector-interleave=2"),
        "-Wno-unused-command-line-argument",
        *(f"-D_WASI_EMULATED_{name.upper().replace('-', '_')}" for name in _EMULATED),
        *(_SETJMP if _has_library(place, "setjmp") else ()),
        *(_cpp_exceptions(place) if language == "c++" else ()),
    )


def compile_after(place: Workplace, *, mpi: bool) -> tuple[str, ...]:
    """Compile flags that nothing overrides: where headers are, numerics, and paths as they are in every build."""
    return (
        *place.recipe.build.settings.flags,
        *place.flags,
        *(f"-I{place.mpi}/include" for _ in (1,) if mpi and place.mpi),
        *(f"-I{prefix}/include" for prefix in place.dependencies.values()),
        *numerics_flags(place.numerics, (*place.recipe.build.settings.flags, *place.flags)),
        *_mapped_paths(place),
    )


def link_before(place: Workplace, language: str) -> tuple[str, ...]:
    """Link flags that come before all objects, for a program in `language` `c` or `c++`."""
    return (
        f"--target={TARGET}",
        f"--sysroot={place.toolchain.sysroot}",
        # Or clang runs whatever wasm-opt is on PATH. Clang 19 takes this for "do not link".
        *(("--no-wasm-opt",) if int(place.toolchain.clang_version.partition(".")[0]) >= 20 else ()),
        # A signature that differs between caller and function would be a trap at run time: refuse it here.
        "-Wl,--fatal-warnings",
        "-Wl,--error-limit=0",  # every undefined symbol, not the first twenty
        # Names stay, for backtraces; debugging sections go, for they are many times the code.
        "-Wl,--strip-debug",
        # Below all data, so that a stack that overflows traps instead of overwriting.
        "-Wl,--stack-first",
        f"-Wl,-z,stack-size={place.recipe.build.settings.stack_bytes}",
        *(_cpp_runtime(place) if language == "c++" else ()),
        # wasi-libc refers to main weakly, which takes no member from an archive: without this, a main that lies in a
        # library (FFTW's libbench2) is left out, and a program that does nothing is linked.
        "-Wl,-u,__main_argc_argv",
    )


def link_after(place: Workplace, *, mpi: bool, fortran: bool = False) -> tuple[str, ...]:
    """Libraries, after all objects: the recipe's, its dependencies', Fortran's, MPI's, WASI's."""
    return (
        *(f"-L{prefix}/lib" for prefix in place.dependencies.values()),
        *place.recipe.build.settings.link,
        *(("-lf2c",) if fortran else ()),
        *(mpi_link(place) if mpi else ()),
        *(f"-l{name}" for name in _sysroot_libraries(place)),
        "-lm",
    )


def has_fortran(place: Workplace) -> bool:
    """Whether the recipe requires what programs in Fortran 77 are linked with."""
    return FORTRAN_LIBRARY in place.dependencies


def fortran_driver(place: Workplace) -> tuple[str, ...]:
    """The command that compiles Fortran 77, given clang's arguments."""
    program = str(fortran_program.__file__)
    return (sys.executable, "-I", program, str(place.toolchain.tool("clang")))


def mpi_link(place: Workplace) -> tuple[str, ...]:
    """The import library, the note of the ABI, and the table through which MPI calls the program back."""
    if place.mpi is None:
        return ()
    return (f"{place.mpi}/lib/argosy_abi.o", f"-L{place.mpi}/lib", "-lmpi", "-Wl,--export-table")


def _sysroot_libraries(place: Workplace) -> tuple[str, ...]:
    wished = (*_OPTIONAL_LIBRARIES, *(f"wasi-emulated-{name}" for name in _EMULATED))
    return tuple(name for name in wished if _has_library(place, name))


def _cpp_runtime(place: Workplace) -> tuple[str, ...]:
    runtime = place.toolchain.cpp_runtime
    return () if runtime is None else (f"-L{runtime}", "-lunwind")


def _cpp_exceptions(place: Workplace) -> tuple[str, ...]:
    whole = place.toolchain.cpp_runtime is not None or _has_library(place, "unwind")
    return ("-fwasm-exceptions",) if whole else ("-fno-exceptions",)


def _has_library(place: Workplace, name: str) -> bool:
    return (place.toolchain.sysroot / "lib" / TARGET / f"lib{name}.a").exists()


def _mapped_paths(place: Workplace) -> tuple[str, ...]:
    """`__FILE__` and debugging paths name the recipe, never this machine's folders. The last that fits counts."""
    names = {
        place.toolchain.prefix: "/toolchain",
        **({place.mpi: "/mpi"} if place.mpi else {}),
        **{prefix: f"/{name}" for name, prefix in place.dependencies.items()},
        place.prefix: f"/{place.recipe.name}/installed",
        place.work: f"/{place.recipe.name}/work",
        place.source: f"/{place.recipe.name}",
    }
    return tuple(f"-ffile-prefix-map={folder}={name}" for folder, name in names.items())
