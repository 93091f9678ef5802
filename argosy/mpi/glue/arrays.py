"""Writes what a call does with statuses, strings and arrays of numbers."""

from __future__ import annotations

import argosy.mpi.glue.knowledge as knowledge
import argosy.mpi.glue.scalars as scalars
from argosy.mpi.api import Parameter
from argosy.mpi.glue.call import Call, NotExpressibleError, Order


def status(call: Call, parameter: Parameter) -> None:
    """A status that MPI writes, reads, or both."""
    name, at = parameter.name, call.address(parameter)
    if parameter.array:
        raise NotExpressibleError(f"the statuses {name} of {call.procedure.name}")
    inside = f"room({at}, 1, ABI_STATUS_BYTES)"
    if parameter.direction == "out":
        lines = [f"    MPI_Status {name}_space, *{name} = MPI_STATUS_IGNORE;", f"    if ({at} != 0) {{"]
        lines += ["    " + line for line in call.refuse(f"!{inside}", name, "ABI_MPI_ERR_ARG")]
        lines += [
            f"        memset(&{name}_space, 0, sizeof {name}_space);",
            f"        {name} = &{name}_space;",
            "    }",
        ]
        call.add(Order.RESULT, *lines)
        # A failed receive also leaves its status: MPI_ERR_TRUNCATE says whose message it was.
        call.settle += [f"    if ({at} != 0) {{", f"        status_out({at}, {name}, false);", "    }"]
        call.passed[name] = name
    else:
        lines = [*call.refuse(f"{at} == 0 || !{inside}", name, "ABI_MPI_ERR_ARG"), f"    MPI_Status {name};"]
        call.add(Order.ARRAY, *lines, f"    status_in({at}, &{name});")
        call.passed[name] = f"&{name}"
        if parameter.direction == "inout":
            call.after.append(f"    status_out({at}, &{name}, false);")


def string(call: Call, parameter: Parameter) -> None:
    """A string: copied in; or written into the room that the guest has for it."""
    name, at = parameter.name, call.address(parameter)
    if parameter.direction == "in":
        call.uses_scratch = True
        got, error = f"string_in(&scratch, {at})", "ABI_MPI_ERR_ARG"
        lines = [f"    char *{name} = {got};"]
        call.add(Order.ARRAY, *lines, *call.refuse(f"{name} == NULL", name, error))
        call.passed[name] = name
        return
    limit = parameter.length or knowledge.STRING_SIZES.get((call.procedure.base, name))
    if limit is not None and limit.startswith("MPI_MAX"):
        # The array has room for whatever the node's library or the guest thinks the longest.
        room, space = f"ABI_{limit}", f"(ABI_{limit} > {limit} ? ABI_{limit} : {limit}) + 1"
        lines = call.refuse(f"!room({at}, 1, 1)", name, "ABI_MPI_ERR_ARG")
        call.add(Order.RESULT, *lines, f"    char {name}[{space}];", f"    {name}[0] = 0;")
        call.after += [
            f"    uint64_t {name}_size = strnlen({name}, {room} - 1) + 1;",
            *call.refuse(f"!room({at}, 1, {name}_size)", name, "ABI_MPI_ERR_ARG"),
            f"    put_string({at}, {name}_size, {name});",
        ]
        call.passed[name] = name
        call.string_room = room
    else:
        raise NotExpressibleError(f"the string {name} of {call.procedure.name}")


def string_length(call: Call, parameter: Parameter) -> None:
    """The length of the string that was written before it, without its NUL."""
    if parameter.direction != "out" or parameter.kind == "INFO_VALUE_LENGTH":
        if parameter.direction == "out":
            scalars.result(call, parameter)
            return
        raise NotExpressibleError(f"{parameter.name} ({parameter.kind}) of {call.procedure.name}")
    name, at = parameter.name, call.address(parameter)
    lines = call.refuse(f"!room({at}, 1, 4)", name, "ABI_MPI_ERR_ARG")
    call.add(Order.RESULT, *lines, f"    int {name} = 0;")
    call.passed[name] = f"&{name}"
    longest = f"{call.string_room} - 1"
    call.after.append(f"    put32({at}, {name} < {longest} ? {name} : {longest});")


def array(call: Call, parameter: Parameter) -> None:
    """An array of numbers: copied in, and copied back where MPI writes it."""
    name, kind = parameter.name, parameter.kind
    call.uses_scratch = True
    read = {"int": "ints_in", "MPI_Aint": "aints_in", "MPI_Count": "counts_in"}.get(parameter.c_type)
    if read is None:
        raise NotExpressibleError(f"the array {name} of {parameter.c_type} of {call.procedure.name}")
    length = call.length(parameter)
    order = Order.DEPENDENT if "_of(" in length else Order.ARRAY
    got = f"{read}(&scratch, {call.address(parameter)}, {length})"
    declared = f"{parameter.c_type} *{name}"
    if kind == "WEIGHT":
        got = f"weights_in(&scratch, {call.address(parameter)}, {length})"
    lines = [f"    {declared} = {got};", *call.refuse(f"{name} == NULL", name, "ABI_MPI_ERR_ARG")]
    if kind in ("DISTRIB_ENUM", "DTYPE_DISTRIBUTION"):
        unknown = f"!distributions_in({name}, {length}, {str(kind == 'DISTRIB_ENUM').lower()})"
        lines += call.refuse(unknown, name, "ABI_MPI_ERR_ARG")
    elif kind in ("RANK", "RANK_NNI") and parameter.direction == "in":
        lines += _ranks(call, parameter, length)
    call.add(order, *lines)
    call.passed[name] = f"(int (*)[3]){name}" if parameter.array == "[][3]" else name
    if parameter.direction != "in":
        if parameter.c_type != "int":
            raise NotExpressibleError(f"the results {name} of {call.procedure.name}")
        translate = "ranks_out" if kind in ("RANK", "RANK_NNI") else "ints_out"
        guard = f"if ({name} != MPI_UNWEIGHTED) " if kind == "WEIGHT" else ""
        call.after.append(f"    {guard}{translate}({call.address(parameter)}, {length}, {name});")


def _ranks(call: Call, parameter: Parameter, length: str) -> list[str]:
    """Ranks of a group or of a communicator are looked up in MPI's own tables, so each has to be one."""
    name = parameter.name
    group = next((other.name for other in call.procedure.parameters if other.kind == "GROUP"), None)
    if group is not None:
        members = str(call.procedure.base != "MPI_Group_translate_ranks").lower()
        check = f"!group_ranks_in({group}, {name}, {length}, {members})"
        if parameter.array == "[][3]":
            check = f"!group_ranges_in({group}, {name}, {length})"
    else:
        comm = next(other.name for other in call.procedure.parameters if other.kind == "COMMUNICATOR")
        check = f"!comm_ranks_in({comm}, {name}, {length})"
    return call.refuse(check, name, "ABI_MPI_ERR_RANK")
