"""Writes the import library's assembly: for each procedure of the node, MPI_X and PMPI_X that call the import.

What is compiled with mpi.h calls the imports themselves (see header.py); this library is for what is not: a configure
script's `char MPI_Init();`, other languages. They call the same symbols, so that a guest's own MPI_X (a profiler's)
stands for those callers too; MPI_X is weak, for one that was compiled without the header. Each procedure has an object
of its own: an application imports what it calls and nothing else, however it is linked.
"""

from __future__ import annotations

from argosy.mpi.binding import MODULE, imports

_TYPES = {"i": "i32", "I": "i64", "f": "f32", "F": "f64"}


def sources() -> dict[str, str]:
    """File name to WebAssembly assembly text, in LLVM's syntax, one per procedure."""
    return {f"{name}.s": _wrapper(name, procedure.signature) for name, procedure in imports().items()}


def _wrapper(name: str, signature: str) -> str:
    parameters, result = signature.split(":")
    functype = f"({', '.join(_TYPES[letter] for letter in parameters)}) -> ({', '.join(_TYPES[r] for r in result)})"
    lines = []
    for symbol, binding in ((f"P{name}", "globl"), (name, "weak")):
        lines += [
            f"\t.functype\targosy_{symbol} {functype}",
            f"\t.import_module\targosy_{symbol}, {MODULE}",
            f"\t.import_name\targosy_{symbol}, {name}",
            f'\t.section\t.text.{symbol},"",@',
            f"\t.hidden\t{symbol}",
            f"\t.{binding}\t{symbol}",
            f"\t.type\t{symbol},@function",
            f"{symbol}:",
            f"\t.functype\t{symbol} {functype}",
            *(f"\tlocal.get\t{index}" for index in range(len(parameters))),
            f"\tcall\targosy_{symbol}",
            "\tend_function",
        ]
    return "\n".join(lines) + "\n"
