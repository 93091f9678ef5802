"""Writes the C function behind one import, by the kinds of its parameters.

A function reads the guest's values, checks and translates each, calls MPI, and translates what came back. The order is
fixed: objects first (so that errors reach the right handler), then ranks and tags, datatypes, arrays, buffers, results.
"""

from __future__ import annotations

import argosy.mpi.glue.arrays as arrays
import argosy.mpi.glue.extents as extents
import argosy.mpi.glue.knowledge as knowledge
import argosy.mpi.glue.objects as objects
import argosy.mpi.glue.scalars as scalars
import argosy.mpi.glue.tools as tools
from argosy.mpi import abi
from argosy.mpi.api import Parameter, Procedure
from argosy.mpi.glue.call import Call, NotExpressibleError, Order

_SCALARS = ("int", "MPI_Aint", "MPI_Count", "MPI_Offset")


def function(procedure: Procedure) -> str:
    """The C text of `IMPORT(name) {…}`. Raises NotExpressibleError where the kinds do not say what to do."""
    if procedure.name.startswith(tools.PREFIX):
        return tools.function(procedure)
    call = Call(procedure=procedure)
    own_handler = [parameter for parameter in procedure.parameters if parameter.kind in knowledge.FINDERS]
    others = [parameter for parameter in procedure.parameters if parameter.kind not in knowledge.FINDERS]
    for parameter in (*own_handler, *others):
        _parameter(call, parameter)
    for buffer in call.buffers.values():
        extents.buffer(call, buffer)
    if "target_disp" in call.index:
        extents.target(call)
    _conditions(call)
    return _text(call)


def _parameter(call: Call, parameter: Parameter) -> None:
    described = call.described.get(parameter.name)
    if parameter.name in call.buffers or (described is not None and described.alone):
        return  # written with the buffer
    if parameter.kind in abi.HANDLE_OF_KIND:
        objects.handle(call, parameter)
    elif parameter.kind == "STATUS":
        arrays.status(call, parameter)
    elif parameter.kind == "STRING":
        arrays.string(call, parameter)
    elif parameter.kind in ("STRING_LENGTH", "INFO_VALUE_LENGTH") and parameter.direction != "in":
        arrays.string_length(call, parameter)
    elif parameter.array:
        arrays.array(call, parameter)
    elif parameter.stars == 1 and parameter.c_type in _SCALARS:
        scalars.result(call, parameter)
    elif parameter.stars == 0 and parameter.c_type in _SCALARS:
        scalars.scalar(call, parameter)
    else:
        what = f"{parameter.name} ({parameter.kind}, {parameter.direction})"
        raise NotExpressibleError(f"{what} of {call.procedure.name}")


def _conditions(call: Call) -> None:
    """What has to hold of several parameters together, and what a success means beyond its results."""
    base = call.procedure.base
    if base in knowledge.BOUNDS:
        bound = call.filled(knowledge.BOUNDS[base])
        call.add(Order.BOUND, *call.refuse(f"!{bound}", "count", "ABI_MPI_ERR_ARG"))
    if base in knowledge.CONDITIONS:
        argument, condition, error = knowledge.CONDITIONS[base]
        call.add(Order.BOUND, *call.refuse(f"!({call.filled(condition)})", argument, f"ABI_MPI_ERR_{error}"))
    if base in knowledge.BEFORE:
        call.add(Order.LAST, call.filled(knowledge.BEFORE[base]))
    if base in knowledge.LAST_CONDITIONS:
        argument, condition, error = knowledge.LAST_CONDITIONS[base]
        call.uses_scratch = call.uses_scratch or "&scratch" in condition
        call.add(Order.LAST, *call.refuse(f"!({call.filled(condition)})", argument, f"ABI_MPI_ERR_{error}"))
    for parameter in call.procedure.parameters:
        if (base, parameter.name) in knowledge.PASSED:
            call.passed[parameter.name] = call.filled(knowledge.PASSED[base, parameter.name])
    if base in knowledge.SETTLE:
        call.settle.insert(0, knowledge.SETTLE[base])  # it may change what the results are
    if base in knowledge.AFTER:
        call.after.append(call.filled(knowledge.AFTER[base]))


def _text(call: Call) -> str:
    procedure = call.procedure
    enter = "ENTER_ANYTIME" if procedure.base in knowledge.ANYTIME else "ENTER"
    enter = "ENTER_SINCE_4" if procedure.base in knowledge.SINCE_4 else enter
    lines = [f"IMPORT({procedure.name}) {{", f'    {enter}("{procedure.name}")']
    if call.uses_scratch:
        lines.append("    struct scratch scratch = {NULL};")
    lines += [line for _, piece in sorted(call.before, key=lambda item: item[0]) for line in piece]
    arguments = ", ".join(call.passed[parameter.name] for parameter in procedure.parameters)
    called = f"{procedure.name}({arguments})"
    if procedure.return_type == "double":
        lines.append(f"    v[0].f64 = {called};")
    elif procedure.return_kind != "ERROR_CODE":
        raise NotExpressibleError(f"{procedure.name} returns {procedure.return_kind}")
    elif call.after:
        lines += [f"    int code = {called};", *call.settle, "    if (UNLIKELY(code != MPI_SUCCESS)) {"]
        lines += ["        v[0].i32 = error_out(code);", "        goto done;", "    }"]
        lines += [*call.after, "    v[0].i32 = ABI_MPI_SUCCESS;"]
    else:
        lines += [f"    int code = {called};", *call.settle, "    v[0].i32 = error_out(code);"]
    if any("goto done" in line for line in lines):
        lines.append("done:")
        lines += ["    scratch_free(&scratch);"] if call.uses_scratch else []
    return "\n".join([*lines, "    return NULL;", "}", ""])
