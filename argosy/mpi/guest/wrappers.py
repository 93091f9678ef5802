"""Writes the import library's assembly: for each procedure of the node, PMPI_X that calls the import, MPI_X that is it.

MPI_X is weak, so that a guest's own MPI_X (a profiler's) takes its place and calls PMPI_X, as in a native library. Each
procedure has an object of its own: an application imports what it calls and nothing else, however it is linked.
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
    lines = [
        f"\t.functype\targosy_{name} {functype}",
        f"\t.import_module\targosy_{name}, {MODULE}",
        f"\t.import_name\targosy_{name}, {name}",
        f'\t.section\t.text.P{name},"",@',
        f"\t.hidden\tP{name}",
        f"\t.globl\tP{name}",
        f"\t.type\tP{name},@function",
        f"P{name}:",
        f"\t.functype\tP{name} {functype}",
        *(f"\tlocal.get\t{index}" for index in range(len(parameters))),
        f"\tcall\targosy_{name}",
        "\tend_function",
        f"\t.weak\t{name}",
        f"\t.hidden\t{name}",
        f"\t.type\t{name},@function",
        f"{name} = P{name}",
    ]
    return "\n".join(lines) + "\n"
