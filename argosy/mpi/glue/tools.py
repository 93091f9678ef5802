"""Writes the C function behind an import of the tool information interface (MPI_T), by the kinds of its parameters.

MPI_T differs from the rest of MPI: it lives before MPI_Init and after MPI_Finalize, calls no error handler but gives a
code of its own, and what it would write to a null pointer it leaves out. Handles of variables, which belong to a
session or to an MPI object, and functions of the guest are beyond the kinds: mpi_tool_*.c.
"""

from __future__ import annotations

from collections.abc import Mapping

from argosy.mpi.api import Parameter, Procedure
from argosy.mpi.glue.call import Call, NotExpressibleError, Order

PREFIX = "MPI_T_"

# An index counts up to what a procedure says; libraries look into their tables unasked.
_COUNTED_BY: Mapping[str, str] = {
    "CVAR_INDEX": "MPI_T_cvar_get_num",
    "PVAR_INDEX": "MPI_T_pvar_get_num",
    "CAT_INDEX": "MPI_T_category_get_num",
    "EVENT_INDEX": "MPI_T_event_get_num",
    "SOURCE_INDEX": "MPI_T_source_get_num",
}
_RENUMBERED: Mapping[str, str] = {
    "PVAR_CLASS": "tool_classes",
    "BIND_TYPE": "tool_bindings",
    "TOOL_VAR_VERBOSITY": "tool_verbosity",
    "SOURCE_ORDERING": "tool_orders",
}
# Whose values an enumeration names: a library may give it up together with the variable.
_ENUM_OF: Mapping[str, str] = {"MPI_T_cvar_get_info": "ENUM_OF_CVAR", "MPI_T_pvar_get_info": "ENUM_OF_PVAR"}
_PLAIN = frozenset({*_COUNTED_BY, "TOOLENUM_SIZE", "TOOL_VAR_VALUE", "UPDATE_NUMBER", "LOGICAL_OPTIONAL"})


def function(procedure: Procedure) -> str:
    """The C text of `IMPORT(name) {…}`. Raises NotExpressibleError where the kinds do not say what to do."""
    call = Call(procedure=procedure)
    for parameter in procedure.parameters:
        _parameter(call, parameter)
    lines = [f"IMPORT({procedure.name}) {{", f'    ENTER_TOOL("{procedure.name}")']
    if call.uses_scratch:
        lines.append("    struct scratch scratch = {NULL};")
    lines += [line for _, piece in sorted(call.before, key=lambda item: item[0]) for line in piece]
    arguments = ", ".join(call.passed[parameter.name] for parameter in procedure.parameters)
    lines.append(f"    int code = {procedure.name}({arguments});")
    if call.after:
        lines += ["    if (code == MPI_SUCCESS) {", *("    " + line for line in call.after), "    }"]
    lines.append("    v[0].i32 = error_out(code);")
    if any("goto done" in line for line in lines):
        lines.append("done:")
    lines += ["    scratch_free(&scratch);"] if call.uses_scratch else []
    return "\n".join([*lines, "    return NULL;", "}", ""])


def _refuse(condition: str, error: str) -> list[str]:
    code = error if error.endswith("_error") else f"ABI_MPI_T_ERR_{error}"
    return [f"    if (UNLIKELY({condition})) {{", f"        v[0].i32 = {code};", "        goto done;", "    }"]


def _parameter(call: Call, parameter: Parameter) -> None:
    given = parameter.direction == "in" and parameter.stars == 0 and not parameter.array
    if parameter.kind == "STRING":
        _string(call, parameter)
    elif parameter.kind == "STRING_LENGTH":
        call.passed[parameter.name] = f"&{parameter.name}.length"  # written with its string
    elif parameter.array:
        _indices(call, parameter)
    elif given:
        _given(call, parameter)
    elif parameter.direction == "out" and parameter.stars == 1:
        _result(call, parameter)
    else:
        raise _not_expressible(call, parameter)


def _not_expressible(call: Call, parameter: Parameter) -> NotExpressibleError:
    return NotExpressibleError(f"{parameter.name} ({parameter.kind}) of {call.procedure.name}")


def _given(call: Call, parameter: Parameter) -> None:
    name, kind, value = parameter.name, parameter.kind, call.value(parameter.name)
    call.passed[name] = value
    if kind in _COUNTED_BY:
        call.add(Order.SCALAR, *_refuse(f"!tool_index_in({_COUNTED_BY[kind]}, {value})", "INVALID_INDEX"))
    elif kind == "TOOLENUM_INDEX":
        call.add(Order.DEPENDENT, *_refuse(f"!tool_item_in(enumtype, {value})", "INVALID_INDEX"))
    elif kind in _RENUMBERED:
        known = f"constant_in(constants_{_RENUMBERED[kind]}, {value}, &{name})"
        call.add(Order.SCALAR, f"    int {name};", *_refuse(f"!{known}", "INVALID"))
        call.passed[name] = name
    elif kind == "ARRAY_LENGTH":
        call.add(Order.SCALAR, *_refuse(f"{value} < 0", "INVALID"))
    elif kind == "TOOLS_ENUM":
        call.add(
            Order.HANDLE, f"    MPI_T_enum {name};", *_refuse(f"!tool_enum_in({value}, &{name})", "INVALID_HANDLE")
        )
        call.passed[name] = name
    else:
        raise _not_expressible(call, parameter)


def _result(call: Call, parameter: Parameter) -> None:
    """What MPI writes through a pointer; where it is information, the guest may not want it."""
    name, kind, at = parameter.name, parameter.kind, call.address(parameter)
    index = next((call.value(other.name) for other in call.procedure.parameters if other.kind in _COUNTED_BY), "0")
    put, initial = "put32", "0"
    if kind in _RENUMBERED:
        value = f"constant_out(constants_{_RENUMBERED[kind]}, {name})"
    elif kind == "VARIABLE_SCOPE":
        value = f"cvar_scope_out({index}, {name})"
    elif kind == "DATATYPE":
        value, initial = f"(int32_t)tool_type_out({name})", "MPI_DATATYPE_NULL"
    elif kind == "TOOLS_ENUM":
        value, initial = f"(int32_t)tool_enum_out({name}, {_ENUM_OF[call.procedure.name]}, {index})", "MPI_T_ENUM_NULL"
    elif kind == "INFO":
        value, initial = f"(int32_t)info_out({name})", "MPI_INFO_NULL"
    elif kind == "TOOLS_TICK_COUNT":
        value, put = name, "put64"
    elif kind in _PLAIN:
        value = name
        if name == "readonly":
            value = f"pvar_readonly_out({index}, {name})"
    else:
        raise _not_expressible(call, parameter)
    wanted = f"!room({at}, 1, {8 if put == 'put64' else 4})"
    optional = call.procedure.name.endswith("_get_info")
    refused = _refuse(f"{at} != 0 && {wanted}" if optional else wanted, "INVALID")
    call.add(Order.RESULT, *refused, f"    {parameter.c_type} {name} = {initial};")
    call.passed[name] = f"&{name}"
    if optional:
        call.after += [f"    if ({at} != 0) {{", f"        {put}({at}, {value});", "    }"]
    else:
        call.after.append(f"    {put}({at}, {value});")


def _string(call: Call, parameter: Parameter) -> None:
    name, at = parameter.name, call.address(parameter)
    call.uses_scratch = True
    if parameter.direction == "in":
        got = [f"    char *{name} = string_in(&scratch, {at});", *_refuse(f"{name} == NULL", "INVALID")]
        call.add(Order.ARRAY, *got)
        call.passed[name] = name
        return
    length = next(other for other in call.procedure.parameters if other.name == f"{name}_len")
    lines = [f"    struct tool_string {name}_len;"]
    lines += _refuse(f"!tool_string_open(&scratch, {at}, {call.address(length)}, &{name}_len)", "INVALID")
    call.add(Order.RESULT, *lines)
    call.passed[name] = f"{name}_len.text"
    call.after.append(f"    tool_string_out(&{name}_len);")


def _indices(call: Call, parameter: Parameter) -> None:
    """An array of indices that MPI fills as far as it has some; the rest stays as the guest had it."""
    name, at = parameter.name, call.address(parameter)
    if parameter.c_type != "int" or parameter.direction != "out" or "len" not in call.index:
        raise _not_expressible(call, parameter)
    call.uses_scratch = True
    got = f"    int *{name} = ints_in(&scratch, {at}, {call.value('len')});"
    call.add(Order.ARRAY, got, *_refuse(f"{name} == NULL", "INVALID"))
    call.passed[name] = name
    call.after.append(f"    ints_out({at}, {call.value('len')}, {name});")
