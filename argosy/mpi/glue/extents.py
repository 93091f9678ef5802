"""Writes how a call checks its message buffers over their whole extent, with all that describes them."""

from __future__ import annotations

from argosy.mpi.glue.call import Call, Order
from argosy.mpi.glue.messages import Buffer, Extent, Role, buffers, family

_ORIGIN, _TARGET, _RESULT = (
    "origin_count, origin_datatype",
    "{target_count}, target_datatype",
    "result_count, result_datatype",
)
# How much data must go where it is sent, by family: libraries count on it and do not look.
_AMOUNTS = {
    "put": f"data_fits({_ORIGIN}, {_TARGET})",
    "get": f"data_fits({_TARGET}, {_ORIGIN})",
    "accumulate": f"data_equals({_ORIGIN}, {_TARGET})",
    "get_accumulate": f"data_equals({_RESULT}, {_TARGET}) && (!gives_operand || data_equals({_ORIGIN}, {_TARGET}))",
}

# What says of one buffer what the other says of the other.
_TWINS = {"recvcounts": "sendcounts", "recvtypes": "sendtypes"}


def target(call: Call) -> None:
    """What a one-sided call touches of another rank's window, and how much it brings there or takes."""
    many = "target_count" in call.index
    count = call.value("target_count") if many else "1"
    kind = "target_datatype" if many else "datatype"
    reach = f"target_in(win, target_rank, {call.value('target_disp')}, {count}, {kind}, &target_place)"
    lines = ["    int32_t target_error;", "    MPI_Aint target_place;"]
    lines += call.refuse(f"(target_error = {reach}) != 0", "target_disp", "target_error")
    call.add(Order.BOUND, *lines)
    call.passed["target_disp"] = "target_place"
    if many:
        amounts = call.filled(_AMOUNTS[family(call.procedure)])
        unequal = f"target_rank != MPI_PROC_NULL && !({amounts})"
        call.add(Order.RESULT, *call.refuse(unequal, "target_count", "ABI_MPI_ERR_TRUNCATE"))
    if "op" in call.index:
        origin = "gives_operand ? origin_datatype : NULL" if "result_datatype" in call.index else "origin_datatype"
        something = f"{count} > 0 && {kind}->size > 0"  # nothing may be of any type
        mixed = f"{something} && !accumulable({origin if many else 'NULL'}, {kind})"
        call.add(Order.RESULT, *call.refuse(mixed, kind, "ABI_MPI_ERR_TYPE"))
        undefined = f"{something} && !accumulates({call.value('op')}, {kind})"
        call.add(Order.RESULT, *call.refuse(undefined, "op", "ABI_MPI_ERR_OP"))


def buffer(call: Call, buffer: Buffer) -> None:
    """The buffer's pointer, and with it the parameters that belong to it alone."""
    at = call.address(call.procedure.parameter(buffer.name))
    name, own = buffer.name, buffer.describers if buffer.alone else ()
    # Who takes no part in what has a root still has to give an address: libraries refuse NULL unread.
    unread = "guest.base" if buffer.role in (Role.EITHER, Role.ROOT, Role.LEAF) else "NULL"
    lines = [f"    void *{name} = {unread};", *(line for other in own for line in _declare(call, other))]
    taken = [_take(call, buffer, other) for other in own]
    refused = call.refuse(f"({name}_error = {_reach(call, buffer, at)}) != 0", name, f"{name}_error")
    inner = [*(line for piece in taken for line in piece), f"    int32_t {name}_error;", *refused]
    inner = ["    " + line for line in inner]
    conditions = []
    if buffer.role is Role.OPERAND:
        lines.append(f"    bool gives_operand = {call.value('op')} != ABI_MPI_NO_OP;")
    if buffer.in_place:
        lines += [f"    if ({at} == ABI_MPI_IN_PLACE) {{", f"        {name} = MPI_IN_PLACE;"]
        conditions.append("    } else {")
    if buffer.role is not Role.EVERYONE:
        test = f"if ({buffer.role.value}) {{"
        conditions = [f"    }} else {test}" if buffer.in_place else f"    {test}"]
    if conditions:
        lines += [*conditions, *inner, "    }"]
    else:
        lines += [*(line for piece in taken for line in piece), f"    int32_t {name}_error;", *refused]
    call.add(Order.BUFFER, *lines)
    call.passed[name] = name


def _declare(call: Call, name: str) -> list[str]:
    """What MPI gets of a describing parameter while its buffer is not the caller's business."""
    parameter = call.procedure.parameter(name)
    if parameter.kind == "DATATYPE":
        call.passed[name] = f"{name}_host"
        if parameter.array:
            return [f"    MPI_Datatype *{name}_host = NULL;"]
        return [f"    const struct type_info *{name} = NULL;", f"    MPI_Datatype {name}_host = MPI_BYTE;"]
    call.passed[name] = name
    if parameter.array:
        return [f"    {parameter.c_type} *{name} = NULL;"]
    return [f"    {parameter.c_type} {name} = 0;"]


def _take(call: Call, buffer: Buffer, name: str) -> list[str]:
    parameter = call.procedure.parameter(name)
    if parameter.kind == "DATATYPE" and not parameter.array:
        lines = [f"    {name} = type_info_in({call.value(name)});"]
        unready = f"{name} == NULL || !{name}->committed"
        return [*lines, *call.refuse(unready, name, "ABI_MPI_ERR_TYPE"), f"    {name}_host = {name}->host;"]
    if not parameter.array:
        return [f"    {name} = {call.value(name)};"]
    call.uses_scratch = True
    at, times = call.address(parameter), call.times(buffer)
    if parameter.kind == "DATATYPE":
        most = f"types_read(comm, {times})"
        lines = [f"    struct type_info **{name} = types_in(&scratch, {at}, {times}, {most}, true, &{name}_host);"]
        lines += call.refuse(f"{name} == NULL", name, "ABI_MPI_ERR_TYPE")
        return [*lines, *_one_for_both(call, buffer, name, f"{name}_host")]
    read = {"int": "ints_in", "MPI_Aint": "aints_in", "MPI_Count": "counts_in"}[parameter.c_type]
    return [
        f"    {name} = {read}(&scratch, {at}, {times});",
        *call.refuse(f"{name} == NULL", name, "ABI_MPI_ERR_ARG"),
        *_one_for_both(call, buffer, name, name),
    ]


def _one_for_both(call: Call, buffer: Buffer, name: str, passed: str) -> list[str]:
    """Give MPI one array where the guest gave one for both buffers: MPICH tells by it that they are alike."""
    twin = _TWINS.get(name)
    other = next((one for one in buffers(call.procedure) if twin in (one.count, one.type)), None)
    if twin is None or other is None or other.times != buffer.times:
        return []
    same = f"{call.address(call.procedure.parameter(twin))} == {call.address(call.procedure.parameter(name))}"
    its = passed.replace(name, twin)
    return [f"    {passed} = {its} != NULL && {same} ? {its} : {passed};"]


def _reach(call: Call, buffer: Buffer, at: str) -> str:
    """The C expression that checks the buffer's whole extent."""
    large = "_c" if call.procedure.large else ""
    out = f"&{buffer.name}"
    if buffer.extent is Extent.BYTES:
        return f"buffer_bytes({at}, {call.shared_count(buffer)}, {out})"
    count = buffer.count if buffer.alone else call.shared_count(buffer)
    match buffer.extent:
        case Extent.PLAIN:
            return f"buffer_in({at}, {count}, {buffer.type}, {out})"
        case Extent.TIMES:
            return f"buffer_times({at}, {count}, {call.times(buffer)}, {buffer.type}, {out})"
        case Extent.VECTOR:
            return f"buffer_vector{large}({at}, {buffer.times}, {count}, {buffer.displs}, {buffer.type}, {out})"
        case Extent.PACKED:
            return f"buffer_vector{large}({at}, {buffer.times}, {count}, NULL, {buffer.type}, {out})"
        case Extent.OWN:
            return _own(call, buffer, at, count, large, out)
        case Extent.TYPES:
            return _typed(call, buffer, at, count, large, out)
    raise AssertionError(buffer.extent)


def _own(call: Call, buffer: Buffer, at: str, count: str, large: str, out: str) -> str:
    """The receive buffer of a reduce-scatter: the caller's share, or with MPI_IN_PLACE what all contribute."""
    in_place = f"v[{call.index['sendbuf']}].i32 == ABI_MPI_IN_PLACE"
    if buffer.count == "recvcount":
        return f"buffer_times({at}, {count}, {in_place} ? {buffer.times} : 1, {buffer.type}, {out})"
    return (
        f"{in_place} ? buffer_vector{large}({at}, {buffer.times}, {count}, NULL, {buffer.type}, {out})"
        f" : buffer_in({at}, {count}[comm->rank], {buffer.type}, {out})"
    )


def _typed(call: Call, buffer: Buffer, at: str, count: str, large: str, out: str) -> str:
    start = f"buffer_types{large}({at}, {buffer.times}, {count}"
    if large:
        return f"{start}, {buffer.displs}, {buffer.type}, {out})"
    far = call.procedure.parameter(buffer.displs).c_type == "MPI_Aint"
    displs = f"NULL, {buffer.displs}" if far else f"{buffer.displs}, NULL"
    return f"{start}, {displs}, {buffer.type}, {out})"
