"""Writes what a call does with handles: read and look up, hand to MPI, give back, drop."""

from __future__ import annotations

import argosy.mpi.glue.knowledge as knowledge
from argosy.mpi import abi
from argosy.mpi.api import Parameter
from argosy.mpi.glue.call import Call, NotExpressibleError, Order
from argosy.mpi.glue.messages import is_neighbourhood


def handle(call: Call, parameter: Parameter) -> None:
    """A handle, given, taken or changed; or an array of datatypes."""
    handle = abi.HANDLE_OF_KIND[parameter.kind]
    if parameter.array:
        if parameter.kind != "DATATYPE" or parameter.direction != "in":
            raise NotExpressibleError(f"the array {parameter.name} of {call.procedure.name}")
        _types(call, parameter)
    elif parameter.direction == "out":
        _handle_out(call, parameter, handle)
    elif parameter.stars:
        _handle_inout(call, parameter, handle)
    elif parameter.kind in knowledge.FINDERS:
        _object(call, parameter)
    elif parameter.kind == "DATATYPE":
        _datatype(call, parameter)
    else:
        name, error = parameter.name, call.class_of(parameter)
        refused = f"!{handle.name}_in({call.value(name)}, &{name})"
        if parameter.kind not in knowledge.MAY_BE_NULL:
            refused += f" || {name} == {handle.null}"
        refused += _held(parameter, call.value(name))
        call.add(Order.HANDLE, f"    {handle.c_type} {name};", *call.refuse(refused, name, error))
        call.passed[name] = name


def _held(parameter: Parameter, handle: str) -> str:
    """A request that a call below is working on, from a function of which this one is made, cannot be named."""
    return f" || request_held({handle})" if parameter.kind == "REQUEST" else ""


def _object(call: Call, parameter: Parameter) -> None:
    """What has an error handler of its own: a communicator, window, file, session; later refusals go to it."""
    name = parameter.name
    c_type, find, refuse, error = knowledge.FINDERS[parameter.kind]
    host = name if c_type.startswith("MPI_") else f"{name}->host"
    if c_type.startswith("MPI_"):
        null = "" if call.procedure.base in knowledge.OF_NULL_TOO else f" || {name} == {c_type.upper()}_NULL"
        lines = [f"    {c_type} {name};", *call.refuse(f"!{find}({call.value(name)}, &{name}){null}", name, error)]
    else:
        lines = [f"    {c_type} *{name} = {find}({call.value(name)});"]
        lines += call.refuse(f"{name} == NULL", name, error)
    if call.handler == "MPI_COMM_WORLD":
        call.handler, call.refuse_function = host, refuse
    for pattern, lacks in ((knowledge.INTER, f"!{name}->inter"), (knowledge.INTRA, f"{name}->inter")):
        if parameter.kind == "COMMUNICATOR" and pattern.fullmatch(call.procedure.base):
            lines += call.refuse(lacks, name, "ABI_MPI_ERR_COMM")
    if is_neighbourhood(call.procedure):
        lines += call.refuse(f"!comm_neighbours({name})", name, "ABI_MPI_ERR_TOPOLOGY")
    elif call.procedure.base in knowledge.TOPOLOGIES:
        topology, fits = knowledge.TOPOLOGIES[call.procedure.base]
        lacks = f"!comm_neighbours({name}) || {name}->topology != {topology}"
        lines += call.refuse(lacks, name, "ABI_MPI_ERR_TOPOLOGY")
        if fits:
            call.add(Order.RANK, *call.refuse(f"!({call.filled(fits)})", name, "ABI_MPI_ERR_DIMS"))
    call.add(Order.COMMUNICATOR, *lines)
    call.passed[name] = host


def _datatype(call: Call, parameter: Parameter) -> None:
    name = parameter.name
    lines = [f"    const struct type_info *{name} = type_info_in({call.value(name)});"]
    unready = f" || !{name}->committed" if call.buffers or "filetype" in call.index else ""
    lines += call.refuse(f"{name} == NULL{unready}", name, "ABI_MPI_ERR_TYPE")
    operation = next((other for other in call.procedure.parameters if other.kind == "OPERATION"), None)
    if operation is not None:
        op = operation.name
        allowed = f"reducible_with({call.value(op)}, {name}, &{op})"
        if "win" in call.index:  # where MPI takes no operation but its own
            allowed = f"reducible({call.value(op)}, {name})"
        lines += call.refuse(f"!{allowed}", op, "ABI_MPI_ERR_OP")
    call.add(Order.TYPE, *lines)
    call.passed[name] = f"{name}->host"


def _types(call: Call, parameter: Parameter) -> None:
    name = parameter.name
    call.uses_scratch = True
    lines = [
        f"    MPI_Datatype *{name};",
        f"    struct type_info **{name}_infos = types_in(&scratch, {call.address(parameter)},"
        f" {call.length(parameter)}, 0, false, &{name});",
        *call.refuse(f"{name}_infos == NULL", name, "ABI_MPI_ERR_TYPE"),
    ]
    call.add(Order.ARRAY, *lines)
    call.passed[name] = name


def _handle_out(call: Call, parameter: Parameter, handle: abi.HandleClass) -> None:
    name = parameter.name
    call.add(Order.HANDLE, *call.refuse(f"!room({call.address(parameter)}, 1, 4)", name, "ABI_MPI_ERR_ARG"))
    call.add(Order.RESULT, f"    {handle.c_type} {name} = {handle.null};")
    call.passed[name] = f"&{name}"
    # What a failed call has not made can be tested for, as after the libraries' own.
    call.settle += [
        "    if (UNLIKELY(code != MPI_SUCCESS)) {",
        f"        put32({call.address(parameter)}, ABI_{handle.null});",
        "    }",
    ]
    if parameter.kind == "REQUEST":
        call.uses_scratch = True
        partitions = call.value("partitions") if "partitions" in call.index else "0"
        sort = next((sort for made, sort in knowledge.REQUESTS if made.fullmatch(call.procedure.base)), "ONCE")
        made = f"request_out_with({name}, &scratch, REQUEST_{sort}, {partitions})"
    else:
        again = parameter.kind == "ERRHANDLER" or "f90" in call.procedure.name
        made = f"{handle.name}_{'known' if again else 'out'}({name})"
    call.after += [
        f"    uint32_t {name}_handle = {made};",
        f"    if (UNLIKELY({name}_handle == 0)) {{",
        *(["        scratch_free(&scratch);"] if call.uses_scratch else []),
        f'        return guest_trap("%s: no room for another {handle.c_type}", here);',
        "    }",
        f"    put32({call.address(parameter)}, (int32_t){name}_handle);",
    ]
    if parameter.kind == "REQUEST" and sort in ("COLLECTIVE", "RESTARTS_ALL"):
        call.after.append(f"    request_of_comm({name}_handle, (uint32_t){call.value('comm')});")


def _handle_inout(call: Call, parameter: Parameter, handle: abi.HandleClass) -> None:
    name = parameter.name
    at = call.address(parameter)
    lines = call.refuse(f"!room({at}, 1, 4)", name, "ABI_MPI_ERR_ARG")
    refused = f"!{handle.name}_in({name}_handle, &{name})"
    if parameter.kind not in knowledge.MAY_BE_NULL:
        refused += f" || {name} == {handle.null}"
    refused += _held(parameter, f"{name}_handle")
    lines += [f"    int32_t {name}_handle = get32({at});", f"    {handle.c_type} {name};"]
    if parameter.kind == "COMMUNICATOR":  # whose handle may have been written after the call that made it
        lines.append(f"    struct comm_info *{name}_info = comm_info_in({name}_handle);")
        refused = f"{name}_info == NULL || ({name} = {name}_info->host) == MPI_COMM_NULL"
    lines += call.refuse(refused, name, call.class_of(parameter))
    call.add(Order.HANDLE, *lines)
    call.passed[name] = f"&{name}"
    if parameter.direction == "in":
        return
    # A receive that fails has completed nevertheless.
    call.settle += [
        f"    if ({name} == {handle.null}) {{",
        f"        {handle.name}_drop({name}_handle);",
        f"        put32({at}, ABI_{handle.null});",
        "    }",
    ]
