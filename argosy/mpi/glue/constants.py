"""Writes the tables of the glue: the ABI's numbers beside the node's own, for what the node's mpi.h declares."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from argosy.mpi import abi
from argosy.mpi.api import procedures

# wasm32 is ILP32: what `long` and MPI_Aint mean on the guest is 4 bytes on every node. The Fortran types are those of
# f2c'd code, so C types of the same size, whether or not the node's library was built with Fortran.
_ON_NODE: Mapping[str, str] = {
    "MPI_AINT": "MPI_INT",
    "MPI_LONG": "MPI_INT",
    "MPI_UNSIGNED_LONG": "MPI_UNSIGNED",
    "MPI_LONG_INT": "MPI_2INT",
    "MPI_CXX_FLOAT_COMPLEX": "MPI_C_FLOAT_COMPLEX",
    "MPI_CXX_DOUBLE_COMPLEX": "MPI_C_DOUBLE_COMPLEX",
    "MPI_CXX_BOOL": "MPI_C_BOOL",
    "MPI_LOGICAL": "MPI_INT",
    "MPI_INTEGER": "MPI_INT",
    "MPI_REAL": "MPI_FLOAT",
    "MPI_COMPLEX": "MPI_C_FLOAT_COMPLEX",
    "MPI_DOUBLE_PRECISION": "MPI_DOUBLE",
    "MPI_DOUBLE_COMPLEX": "MPI_C_DOUBLE_COMPLEX",
    "MPI_CHARACTER": "MPI_CHAR",
    "MPI_2INTEGER": "MPI_2INT",
    "MPI_LOGICAL1": "MPI_INT8_T",
    "MPI_LOGICAL2": "MPI_INT16_T",
    "MPI_LOGICAL4": "MPI_INT32_T",
    "MPI_LOGICAL8": "MPI_INT64_T",
    "MPI_INTEGER1": "MPI_INT8_T",
    "MPI_INTEGER2": "MPI_INT16_T",
    "MPI_INTEGER4": "MPI_INT32_T",
    "MPI_INTEGER8": "MPI_INT64_T",
    "MPI_REAL4": "MPI_FLOAT",
    "MPI_REAL8": "MPI_DOUBLE",
    "MPI_COMPLEX8": "MPI_C_FLOAT_COMPLEX",
    "MPI_COMPLEX16": "MPI_C_DOUBLE_COMPLEX",
}

# Of no type in C on wasm32: no half or quadruple precision, no 16-byte integer, no Fortran pairs of reals.
_NOT_ON_GUEST = frozenset(
    {
        "MPI_2REAL",
        "MPI_2DOUBLE_PRECISION",
        "MPI_REAL2",
        "MPI_REAL16",
        "MPI_COMPLEX4",
        "MPI_COMPLEX32",
        "MPI_LOGICAL16",
        "MPI_INTEGER16",
    }
)

# The guest's long double is IEEE quad, and the node's often is not: these are made when MPI begins (mpi_quads.c).
_MADE = ("MPI_LONG_DOUBLE", "MPI_C_LONG_DOUBLE_COMPLEX", "MPI_CXX_LONG_DOUBLE_COMPLEX", "MPI_LONG_DOUBLE_INT")

_TABLES: Mapping[str, Mapping[str, int]] = {
    "thread_levels": abi.THREAD_LEVELS,
    "orders": abi.ORDERS,
    "distributions": abi.DISTRIBUTIONS,
    "combiners": abi.COMBINERS,
    "typeclasses": abi.TYPECLASSES,
    "comparisons": abi.COMPARISONS,
    "topologies": abi.TOPOLOGIES,
    "split_types": abi.SPLIT_TYPES,
    "lock_types": abi.LOCK_TYPES,
    "window_flavors": abi.WINDOW_FLAVORS,
    "window_models": abi.WINDOW_MODELS,
    "window_modes": abi.WINDOW_MODES,
    "file_modes": abi.FILE_MODES,
    "seeks": abi.SEEKS,
    "comm_keyvals": abi.COMM_KEYVALS,
    "window_keyvals": abi.WINDOW_KEYVALS,
    "tool_errors": abi.TOOL_ERRORS,
    "tool_verbosity": abi.TOOL_VERBOSITY,
    "tool_bindings": abi.TOOL_BINDINGS,
    "tool_scopes": abi.TOOL_SCOPES,
    "tool_classes": abi.TOOL_CLASSES,
    "tool_safety": abi.TOOL_SAFETY,
    "tool_orders": abi.TOOL_ORDERS,
}


def values_header() -> str:
    """mpi_abi_values.h: `ABI_X` for every X of the ABI."""
    lines = ["/* Generated: what the guest calls X is ABI_X. */", "#ifndef ARGOSY_MPI_ABI_VALUES_H"]
    lines.append("#define ARGOSY_MPI_ABI_VALUES_H")
    lines += [f"#define ABI_{name} {value:#x}" for handle in abi.HANDLES for name, value in handle.values.items()]
    lines += [f"#define ABI_{name} ({value})" for values in abi.INTEGERS.values() for name, value in values.items()]
    lines += [f"#define ABI_{name} {value}" for name, (_, value) in abi.POINTERS.items()]
    lines += [f"#define ABI_{name} {value}" for tool in abi.TOOL_HANDLES for name, value in tool.values.items()]
    lines += [f"#define ABI_{name} {value}" for values in abi.ENUMERATIONS.values() for name, value in values.items()]
    lines += [f"#define ABI_STATUS_BYTES {abi.STATUS_BYTES}", f"#define ABI_ERROR_CLASSES {len(abi.ERROR_CLASSES)}"]
    return "\n".join([*lines, "#endif", ""])


def have_header(declared: Collection[str]) -> str:
    """mpi_have.h: `HAVE_X`, 1 or 0, for every procedure X of the standard."""
    lines = [
        f"#define HAVE_{name} {int(name in declared)}"
        for name in (*procedures(), "MPI_ERRORS_ABORT", "MPI_BUFFER_AUTOMATIC")
    ]
    return "\n".join(["/* Generated: which procedures the node's mpi.h declares. */", *lines, ""])


def handle_classes(declared: Collection[str]) -> tuple[abi.HandleClass, ...]:
    """The classes of handles that the node's MPI has."""
    return tuple(handle for handle in abi.HANDLES if handle.c_type in declared)


def classes_header(declared: Collection[str]) -> str:
    """mpi_handle_classes.h: the declarations of each class."""
    lines = [f"DECLARE_HANDLES({handle.name}, {handle.c_type})" for handle in handle_classes(declared)]
    lines += [f"extern const struct constant constants_{name}[];" for name in _TABLES]
    return "\n".join(["/* Generated: the classes of handles, and the tables of constants. */", *lines, ""])


def tables(declared: Collection[str]) -> str:
    """mpi_constants.c: predefined handles, error classes and every renumbered constant."""
    lines = ["/* Generated: the ABI's numbers beside the node's. */", '#include "mpi_errors.h"']
    lines += ['#include "mpi_handles.h"', ""]
    for handle in handle_classes(declared):
        lines += _predefined(handle, declared)
    lines += _datatypes(declared)
    lines.append("const int error_class_host[ERROR_CLASSES] = {")
    lines += [
        f"    [{value}] = {name if name in declared else 'MPI_ERR_OTHER'}," for name, value in abi.ERROR_CLASSES.items()
    ]
    lines += ["};", ""]
    for name, values in _TABLES.items():
        lines.append(f"const struct constant constants_{name}[] = {{")
        lines += [f"    {{{value}, {constant}}}," for constant, value in values.items() if constant in declared]
        lines += ["    {INT32_MIN, 0},", "};", ""]
    return "\n".join(lines)


def _predefined(handle: abi.HandleClass, declared: Collection[str]) -> list[str]:
    name, c_type = handle.name, handle.c_type
    lines = [f"struct handles {name}_handles;"]
    if name == "datatype":
        lines += [
            "bool datatype_predefined_in(uint32_t guest_handle, MPI_Datatype *host) {",
            "    struct type_info *info = type_find(guest_handle);",
            "    *host = info == NULL ? MPI_DATATYPE_NULL : info->host;",
            f"    return info != NULL || guest_handle == ABI_{handle.null};",
            "}",
            "uint32_t datatype_predefined_out(MPI_Datatype host) {",
            "    for (uint32_t i = 0; i < 0x200; i++) {",
            "        if (type_predefined[i].natural && type_predefined[i].host == host) {",
            "            return i + 0x200;",
            "        }",
            "    }",
            "    if (host == MPI_LONG_DOUBLE) { /* as a library may give it unasked, for a size */",
            "        return ABI_MPI_LONG_DOUBLE;",
            "    }",
            f"    return host == {handle.null} ? ABI_{handle.null} : 0;",
            "}",
        ]
    else:
        # mpi_core.h gives libraries MPI_ERRORS_ABORT where they lack it.
        known = [constant for constant in handle.values if constant in declared or constant == "MPI_ERRORS_ABORT"]
        lines += [
            f"bool {name}_predefined_in(uint32_t guest_handle, {c_type} *host) {{",
            "    switch (guest_handle) {",
            *(f"    case ABI_{constant}: *host = {constant}; return true;" for constant in known),
            "    default: return false;",
            "    }",
            "}",
            f"uint32_t {name}_predefined_out({c_type} host) {{",
            "    return " + "".join(f"host == {constant} ? ABI_{constant}\n           : " for constant in known) + "0;",
            "}",
        ]
    lines += [
        f"uint32_t {name}_out({c_type} host) {{",
        f"    uint32_t known = {name}_predefined_out(host);",
        f"    return known != 0 ? known : slot_new(&{name}_handles, {name}_pack(host), NULL);",
        "}",
        f"uint32_t {name}_known({c_type} host) {{",
        f"    struct slot *slot = slot_of_host(&{name}_handles, {name}_pack(host));",
        "    if (slot == NULL) {",
        f"        return {name}_out(host);",
        "    }",
        "    slot->references++;",
        f"    return slot_handle(&{name}_handles, slot);",
        "}",
    ]
    if name not in ("comm", "datatype", "request", "win"):  # whose drop does more: mpi_handles.c, mpi_requests.c…
        lines += [
            f"void {name}_drop(int32_t guest_handle) {{",
            f"    slot_drop(&{name}_handles, (uint32_t)guest_handle);",
            "}",
        ]
    return [*lines, ""]


def _datatypes(declared: Collection[str]) -> list[str]:
    lines = ["struct type_info type_predefined[0x200] = {"]
    for name, value in abi.DATATYPES.items():
        host = "MPI_DATATYPE_NULL" if name in _MADE else _ON_NODE.get(name, name)
        if host in declared and name != "MPI_DATATYPE_NULL" and name not in _NOT_ON_GUEST:
            fields = [f".host = {host}", ".present = true", ".committed = true"]
            if name == host or (name in _MADE and "CXX" not in name):
                fields.append(".natural = true")
            if name != host:
                fields.append(f'.name = "{name}"')
            lines.append(f"    [{value - 0x200:#05x}] = {{{', '.join(fields)}}},")
    return [*lines, "};", ""]
