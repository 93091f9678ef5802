"""What is in a wasm file: imports, MPI functions, ABI, recipe, sizes, memory and how much of its code is SIMD."""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from argosy.errors import ArgosyError, UsageError
from argosy.model import wasm, wasm_code
from argosy.model.digest import Digest
from argosy.model.note import RecipeNote, mpi_abi, recipe_note
from argosy.progress import progress

MPI_MODULE = "argosy_mpi_"  # what the names of the modules that give MPI begin with; the ABI's version follows

_GZIP = 31  # zlib's window size for a gzip header and checksum
_GREATEST = 1 << 32  # bytes of a file that is read


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Bytes of the file, of the file as gzip packs it, and of its code, data, custom and other sections."""

    file: int
    gzip: int
    code: int
    data: int
    custom: int
    other: int


@dataclass(frozen=True, kw_only=True)
class Vectorized:
    """A function that has SIMD instructions: how many of how many, and how many of them relaxed."""

    name: str
    simd: int
    relaxed_simd: int
    instructions: int


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What a wasm file states and contains.

    `imports` maps each module to the names imported from it; `mpi_functions` are those of MPI. `functions`,
    `instructions`, `simd` and `relaxed_simd` count the module's own code, and `vectorized` lists the functions
    with SIMD instructions, most first. `features` are the WebAssembly features that the code uses beyond version 1.0.
    """

    path: str
    digest: Digest
    sizes: Sizes
    imports: Mapping[str, tuple[str, ...]]
    exports: tuple[str, ...]
    mpi_functions: tuple[str, ...]
    mpi_abi: str | None
    recipe: RecipeNote | None
    memories: tuple[wasm.Limits, ...]
    functions: int
    instructions: int
    simd: int
    relaxed_simd: int
    vectorized: tuple[Vectorized, ...]
    features: tuple[str, ...]


def inspect(path: Path) -> Inspection:
    """Inspect the wasm file at `path`. Raises ArgosyError when it cannot be read or is no wasm module (WasmError)."""
    data = read_file(path)
    module = wasm.read(data, source=str(path))
    code = []
    with progress(f"inspect {path.name}", len(module.bodies), unit="function") as advance:
        for function in wasm_code.functions(module):
            code.append(function)
            advance()
    vectorized = sorted((function for function in code if function.simd), key=lambda f: (-f.simd, f.index))
    imports: dict[str, list[str]] = {}
    for thing in module.imports:
        imports.setdefault(thing.module, []).append(thing.name)
    return Inspection(
        path=str(path),
        digest=Digest.of(data),
        sizes=_sizes(module),
        imports={name: tuple(sorted(imports[name])) for name in sorted(imports)},
        exports=tuple(export.name for export in module.exports),
        mpi_functions=tuple(sorted({n for name in imports if name.startswith(MPI_MODULE) for n in imports[name]})),
        mpi_abi=mpi_abi(module),
        recipe=recipe_note(module),
        memories=module.memories,
        functions=len(code),
        instructions=sum(function.instructions for function in code),
        simd=sum(function.simd for function in code),
        relaxed_simd=sum(function.relaxed_simd for function in code),
        vectorized=tuple(
            Vectorized(name=f.name, simd=f.simd, relaxed_simd=f.relaxed_simd, instructions=f.instructions)
            for f in vectorized
        ),
        features=tuple(sorted(frozenset().union(*(function.features for function in code)))),
    )


def read_file(path: Path) -> bytes:
    """A regular file's bytes; raises ArgosyError when it cannot be read, is a device or pipe, or larger than 4 GiB."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UsageError(f"{path} is not a regular file", advice="name a .wasm or .cwasm file")
            if status.st_size > _GREATEST:
                raise UsageError(f"{path} is larger than 4 GiB", advice="name a .wasm or .cwasm file")
            return file.read()
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}", advice="build it first: argosy build") from None
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder", advice="name a .wasm or .cwasm file") from None
    except OSError as error:
        raise ArgosyError(f"cannot read {path}: {error.strerror or error}", advice="check its permissions") from error


def _sizes(module: wasm.Module) -> Sizes:
    by_kind = {"code": 0, "data": 0, "custom": 0}
    for section in module.sections:
        if section.name in by_kind:
            by_kind[section.name] += section.size
    packer = zlib.compressobj(6, wbits=_GZIP)
    packed = len(packer.compress(module.data)) + len(packer.flush())
    whole = len(module.data)
    return Sizes(file=whole, gzip=packed, other=whole - sum(by_kind.values()), **by_kind)
