"""Writes what a call does with numbers: given by value, or written by MPI through a pointer."""

from __future__ import annotations

import argosy.mpi.glue.knowledge as knowledge
from argosy.mpi.api import Parameter, Procedure
from argosy.mpi.glue.call import Call, NotExpressibleError, Order


def scalar(call: Call, parameter: Parameter) -> None:
    """A number by value: checked, renumbered where the kind says so."""
    name, kind, value = parameter.name, parameter.kind, call.value(parameter.name)
    call.passed[name] = name
    if kind in ("RANK", "RANK_NNI"):
        _rank(call, parameter)
    elif kind == "TAG":
        receives = name == "recvtag" or (name == "tag" and _receives(call.procedure))
        read = "any_tag_in" if receives else "tag_in"
        call.add(Order.RANK, f"    int {name};", *call.refuse(f"!{read}({value}, &{name})", name, "ABI_MPI_ERR_TAG"))
    elif kind in knowledge.RENUMBERED:
        table = f"constants_{knowledge.RENUMBERED[kind]}"
        known = f"constant_in({table}, {value}, &{name})"
        if kind == "SPLIT_TYPE":
            known = f"({value} == ABI_MPI_UNDEFINED ? ({name} = MPI_UNDEFINED, true) : {known})"
        call.add(Order.SCALAR, f"    int {name};", *call.refuse(f"!{known}", name, call.class_of(parameter)))
    elif kind in knowledge.BITS:
        known = f"mode_in(constants_{knowledge.BITS[kind]}, {value}, &{name})"
        call.add(Order.SCALAR, f"    int {name};", *call.refuse(f"!{known}", name, call.class_of(parameter)))
    elif kind in ("ERROR_CODE", "ERROR_CLASS"):
        call.passed[name] = f"error_in({value})"
    elif kind == "OFFSET":
        lowest = {"MPI_File_set_view": "-1", "MPI_File_seek": "-FILE_LIMIT", "MPI_File_seek_shared": "-FILE_LIMIT"}
        wrong = f"{value} < {lowest.get(call.procedure.base, '0')} || {value} > FILE_LIMIT"
        call.add(Order.SCALAR, *call.refuse(wrong, name, "ABI_MPI_ERR_ARG"))
        call.passed[name] = value
        if call.procedure.base == "MPI_File_set_view":
            call.passed[name] = f"({value} == -1 ? MPI_DISPLACEMENT_CURRENT : {value})"
    elif kind == "COLOR":
        call.passed[name] = f"undefined_in({value})"
    elif kind in ("KEYVAL", "FILE_DESCRIPTOR"):
        raise NotExpressibleError(f"{name} ({kind}) of {call.procedure.name}")
    else:
        if name not in call.described and _counts(kind):
            call.add(Order.SCALAR, *call.refuse(f"{value} < {int(kind.endswith('_PI'))}", name, _count_class(kind)))
        call.passed[name] = value


def _rank(call: Call, parameter: Parameter) -> None:
    name, value = parameter.name, call.value(parameter.name)
    comm = next((other.name for other in call.procedure.parameters if other.kind == "COMMUNICATOR"), None)
    if "win" in call.index:
        lines = [f"    int {name};"]
        lines += call.refuse(f"!win_rank_in(win, {value}, &{name})", name, "ABI_MPI_ERR_RANK")
        call.passed[name] = name
    elif comm is None and "size" in call.index:  # of a process grid, for MPI_Type_create_darray
        lines = call.refuse(f"{value} < 0 || {value} >= {call.value('size')}", name, "ABI_MPI_ERR_ARG")
        call.passed[name] = value
    elif comm is None:
        raise NotExpressibleError(f"{name} (a rank without a communicator) of {call.procedure.name}")
    elif name == "root":
        lines = ["    struct roles roles;"]
        lines += call.refuse(f"!root_in({comm}, {value}, &roles)", name, "ABI_MPI_ERR_ROOT")
        call.passed[name] = "roles.host_root"
    elif name == "rank":
        lines = call.refuse(f"{value} < 0 || {value} >= {comm}->size", name, "ABI_MPI_ERR_RANK")
        call.passed[name] = value
    elif "partitions" in call.index:  # no wildcards, and MPI_PROC_NULL brings MPICH 5.0 down
        lines = call.refuse(f"{value} < 0 || {value} >= {comm}->peers", name, "ABI_MPI_ERR_RANK")
        call.passed[name] = value
    elif name in ("dest", "source"):
        read = "source_in" if name == "source" else "peer_in"
        lines = [f"    int {name};", *call.refuse(f"!{read}({comm}, {value}, &{name})", name, "ABI_MPI_ERR_RANK")]
        call.passed[name] = name
    else:
        raise NotExpressibleError(f"{name} ({parameter.kind}) of {call.procedure.name}")
    call.add(Order.RANK, *lines)


def result(call: Call, parameter: Parameter) -> None:
    """A scalar that MPI writes (and perhaps reads first) through a pointer."""
    name, at = parameter.name, call.address(parameter)
    wide = parameter.c_type in ("MPI_Count", "MPI_Offset")
    lines = call.refuse(f"!room({at}, 1, {8 if wide else 4})", name, "ABI_MPI_ERR_ARG")
    get, put = ("get64", "put64") if wide else ("get32", "put32")
    initial = f"{get}({at})" if parameter.direction == "inout" else "0"
    if parameter.direction == "in":
        raise NotExpressibleError(f"{name} ({parameter.kind}, in) of {call.procedure.name}")
    call.add(Order.RESULT, *lines, f"    {parameter.c_type} {name} = {initial};")
    call.passed[name] = f"&{name}"
    if name == "position":  # libraries take it on trust
        packed, count = ("outsize", "incount") if "outsize" in call.index else ("insize", "outcount")
        fits = f"!unpack_fits({call.value(packed)}, {name}, {call.value(count)}, datatype)"
        call.add(Order.RESULT, *call.refuse(fits, name, "ABI_MPI_ERR_ARG"))
    if parameter.c_type == "MPI_Aint":
        call.after += call.refuse(f"{name} != (int32_t){name}", name, "ABI_MPI_ERR_VALUE_TOO_LARGE")
    given = knowledge.RESULTS.get((call.procedure.base, name))
    if given is not None:
        bits = 64 if wide else 32
        call.after.append(f"    {put}({at}, (int{bits}_t)undefined_out_wide({given}));")
        return
    call.after.append(f"    {put}({at}, {_out(parameter)});")


def _receives(procedure: Procedure) -> bool:
    name = procedure.base.lower()
    return "recv" in name or "probe" in name


def _counts(kind: str) -> bool:
    """Whether a negative value is refused as such; a displacement in a window is checked with what lies there."""
    return (kind.endswith(("_NNI", "_PI")) and "DISPLACEMENT" not in kind) or kind in (
        "ARRAY_LENGTH",
        "NUM_DIMS",
        "COMM_SIZE",
    )


def _count_class(kind: str) -> str:
    return "ABI_MPI_ERR_DIMS" if kind == "NUM_DIMS" else "ABI_MPI_ERR_ARG" if "LENGTH" in kind else "ABI_MPI_ERR_COUNT"


def _out(parameter: Parameter) -> str:
    """The C expression that gives a result in the guest's terms."""
    name, kind = parameter.name, parameter.kind
    if parameter.c_type != "int":
        return f"(int32_t){name}" if parameter.c_type == "MPI_Aint" else name
    if kind in ("RANK", "RANK_NNI"):
        return f"rank_out({name})"
    if kind in knowledge.RENUMBERED:
        return f"constant_out(constants_{knowledge.RENUMBERED[kind]}, {name})"
    if kind in knowledge.BITS:
        return f"mode_out(constants_{knowledge.BITS[kind]}, {name})"
    if kind in ("ERROR_CLASS", "ERROR_CODE"):
        return f"error_out({name})"
    if kind == "TAG":
        return f"tag_out({name})"
    return f"undefined_out({name})"
