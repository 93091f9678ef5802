"""Writes the table of what each import moves, for traces: which counts and datatypes speak of which message.

From the same knowledge as the checks of buffers (messages.py). What stays on the rank (packing, local reductions) and
what begins later (persistent and partitioned operations, whose MPI_Start names no buffer) moves nothing here.
"""

from __future__ import annotations

from argosy.mpi.api import Procedure
from argosy.mpi.glue.messages import Buffer, Extent, Role, buffers, family

_LOCAL = frozenset({"pack", "unpack", "reduce_local", "partitioned", "end"})
_TIMES = {
    "1": "ONE",
    "comm->peers": "PEERS",
    "comm->size": "SIZE",
    "comm->in_degree": "IN_DEGREE",
    "comm->out_degree": "OUT_DEGREE",
}
_EXTENTS = {
    Extent.PLAIN: "PLAIN",
    Extent.TIMES: "PLAIN",
    Extent.VECTOR: "VECTOR",
    Extent.TYPES: "TYPES",
    Extent.PACKED: "VECTOR",
    Extent.OWN: "OWN",
}
_ROLES = {
    Role.EVERYONE: "EVERYONE",
    Role.ROOT: "ROOT",
    Role.LEAF: "LEAF",
    Role.EITHER: "EITHER",
    Role.OPERAND: "OPERAND",
}


def table(bound: list[Procedure]) -> str:
    """C text of `mpi_rules`, one element for each import in the order of `mpi_imports`."""
    lines = ['/* Generated: what each import moves. */\n#include "mpi_traffic.h"\n']
    lines.append("const struct rule mpi_rules[MPI_IMPORT_COUNT] = {")
    lines += [_rule(procedure) for procedure in sorted(bound, key=lambda procedure: procedure.name)]
    return "\n".join([*lines, "};", ""])


def _rule(procedure: Procedure) -> str:
    index = {parameter.name: place for place, parameter in enumerate(procedure.parameters)}
    moved = [] if _moves_nothing(procedure) else list(buffers(procedure))
    if not moved:
        return f"    {{0}}, /* {procedure.name} */"
    messages = ", ".join(_message(procedure, index, buffer) for buffer in moved)
    others = [f".{name} = {index.get(parameter, -1)}" for name, parameter in _OTHERS.items()]
    return f"    {{.count = {len(moved)}, .messages = {{{messages}}}, {', '.join(others)}}}, /* {procedure.name} */"


_OTHERS = {"comm": "comm", "root": "root", "dest": "dest", "source": "source", "target": "target_rank", "op": "op"}


def _moves_nothing(procedure: Procedure) -> bool:
    return procedure.base.endswith("_init") or family(procedure) in _LOCAL


def _message(procedure: Procedure, index: dict[str, int], buffer: Buffer) -> str:
    direction = procedure.parameter(buffer.name).direction
    one_count = buffer.count.isdigit()
    count = None if one_count else procedure.parameter(buffer.count)
    array = count is not None and count.array != ""
    extent = _EXTENTS[buffer.extent]
    if extent == "OWN" and not array:
        extent = "PLAIN"
    fields = {
        "sends": int(direction != "out"),
        "receives": int(direction != "in"),
        "buffer": index[buffer.name],
        "count": -1 if count is None else index[count.name],
        "wide": int(count is not None and count.c_type == "MPI_Count"),
        "type": index[buffer.type],
        "extent": extent,
        # The caller's own share of what is given for all ranks is for one.
        "times": "ONE" if buffer.extent is Extent.OWN else _TIMES[buffer.times],
        "role": _ROLES[buffer.role],
        "alone": int(buffer.alone),
    }
    return "{" + ", ".join(f".{name} = {value}" for name, value in fields.items()) + "}"
