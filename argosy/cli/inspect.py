"""`argosy inspect`: what a wasm file, or the native code made from one, contains."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from argosy.cli.commands import Commands, add_command, add_json
from argosy.cli.output import columns, print_json, print_pairs, printable, size

if TYPE_CHECKING:
    from argosy.build.inspect import Inspection

_ELF = b"\x7fELF"
_PAGE_KIB = 64
_EPILOG = """\
examples:
  argosy inspect build/hpcc/hpcc.wasm            imports, MPI functions, SIMD, sizes
  argosy inspect --top 30 build/hpcc/hpcc.wasm   the 30 functions with the most SIMD instructions
  argosy inspect --json hpcc.wasm | jq .simd     for scripts
  argosy inspect hpcc.cwasm                      native code: CPU, its features, engine"""


def add_inspect(commands: Commands) -> None:
    """Add `inspect` to the command line."""
    parser = add_command(commands, "inspect", "show what a .wasm or .cwasm file contains", epilog=_EPILOG, act=_inspect)
    parser.add_argument("file", type=Path, metavar="FILE", help="a .wasm or .cwasm file")
    parser.add_argument(
        "--top", type=int, default=10, metavar="N", help="how many functions with SIMD to list (default 10)"
    )
    add_json(parser)


def _inspect(options: argparse.Namespace) -> int:
    from argosy.build.inspect import inspect

    inspection = inspect(options.file)
    if options.json:
        print_json(inspection)
    else:
        _show(inspection, top=max(0, options.top))
    return 0


def _show(found: Inspection, *, top: int) -> None:
    sizes = found.sizes
    recipe = found.recipe
    print_pairs(
        [
            ("file", printable(found.path)),
            ("digest", str(found.digest)),
            (
                "recipe",
                printable(f"{recipe.name} {recipe.version}, numerics {recipe.numerics}") if recipe else "not stated",
            ),
            ("size", f"{size(sizes.file)}, {size(sizes.gzip)} as gzip packs it"),
            (
                "sections",
                f"code {size(sizes.code)}, data {size(sizes.data)}, custom {size(sizes.custom)}, "
                f"other {size(sizes.other)}",
            ),
            ("memory", "\n".join(_memory(m.minimum, m.maximum, m.shared) for m in found.memories) or "none"),
            ("MPI ABI", found.mpi_abi or ("not stated" if found.mpi_functions else "none: it does not use MPI")),
            ("features", ", ".join(found.features) or "only those of WebAssembly 1.0"),
        ]
    )
    print(f"\nMPI functions used: {len(found.mpi_functions)}")
    _indented(found.mpi_functions)
    print("\nimports")
    print_pairs(
        [
            (
                printable(module),
                f"{len(names)}" if found.mpi_functions and names == found.mpi_functions else _names(names),
            )
            for module, names in found.imports.items()
        ],
        indent="  ",
    )
    share = found.simd / found.instructions if found.instructions else 0
    print(
        f"\ncode: {found.functions} functions, {found.instructions} instructions, "
        f"{found.simd} of them SIMD ({share:.1%}), {found.relaxed_simd} relaxed SIMD"
    )
    _show_vectorized(found, top)


def _show_vectorized(found: Inspection, top: int) -> None:
    shown = found.vectorized[:top]
    if not shown:
        return
    print("      SIMD  relaxed      all  function")
    for function in shown:
        counts = f"  {function.simd:8}  {function.relaxed_simd:7}  {function.instructions:7}"
        print(f"{counts}  {printable(function.name)[:100]}")
    if len(found.vectorized) > top:
        print(f"  and {len(found.vectorized) - top} functions more with SIMD (--top {len(found.vectorized)} shows all)")


def _memory(minimum: int, maximum: int | None, shared: bool) -> str:
    most = "4 GiB" if maximum is None else size(maximum * _PAGE_KIB * 1024)
    return f"{size(minimum * _PAGE_KIB * 1024)} at start, {most} at most{', shared' if shared else ''}"


def _names(names: tuple[str, ...]) -> str:
    return columns(printable(name) for name in names)


def _indented(names: tuple[str, ...]) -> None:
    for line in _names(names).splitlines():
        print(f"  {line}")
