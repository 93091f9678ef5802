"""One C program for MPI, compiled for both sides of a benchmark."""

from __future__ import annotations

from pathlib import Path

from argosy import process
from argosy.build import flags, produce, toolchain
from argosy.launcher.mpi_library import MpiLibrary


def compile_native(mpi: MpiLibrary, source: Path, folder: Path) -> Path:
    """The program as the MPI library's own mpicc makes it."""
    program = folder / source.stem
    process.check([mpi.mpicc, "-O3", source, "-o", program], purpose=f"compiling {source.name} natively")
    return program


def compile_wasm(source: Path, folder: Path) -> Path:
    """The program as a recipe of kind `sources` would make it."""
    tools = toolchain.find()
    mpi = produce.mpi_library(tools)
    wasm = folder / f"{source.stem}.wasm"
    command = [
        *(tools.tool("clang"), "--target=wasm32-wasip1", f"--sysroot={tools.sysroot}", "--no-wasm-opt", "-O3"),
        *(*flags.NUMERICS["fast"], f"-I{mpi}/include", source, "-o", wasm, f"{mpi}/lib/argosy_abi.o"),
        *(f"-L{mpi}/lib", "-lmpi", "-Wl,--export-table", "-Wl,--stack-first", "-Wl,-z,stack-size=1048576"),
    ]
    process.check(command, purpose=f"compiling {source.name} to wasm")
    return wasm
