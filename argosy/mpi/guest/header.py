"""Writes the guest's mpi.h: the standard ABI's types and constants, and every procedure that a guest can call."""

from __future__ import annotations

from argosy.mpi import abi
from argosy.mpi.api import procedures
from argosy.mpi.binding import MODULE, Place, place

# Names that MPI-3.0 removed and old codes still call; their definitions are in removed.c.
REMOVED = (
    "int MPI_Address(void *location, MPI_Aint *address)",
    "int MPI_Errhandler_create(MPI_Handler_function *function, MPI_Errhandler *errhandler)",
    "int MPI_Errhandler_get(MPI_Comm comm, MPI_Errhandler *errhandler)",
    "int MPI_Errhandler_set(MPI_Comm comm, MPI_Errhandler errhandler)",
    "int MPI_Type_extent(MPI_Datatype datatype, MPI_Aint *extent)",
    "int MPI_Type_hindexed(int count, int array_of_blocklengths[], MPI_Aint array_of_displacements[],"
    " MPI_Datatype oldtype, MPI_Datatype *newtype)",
    "int MPI_Type_hvector(int count, int blocklength, MPI_Aint stride, MPI_Datatype oldtype, MPI_Datatype *newtype)",
    "int MPI_Type_lb(MPI_Datatype datatype, MPI_Aint *displacement)",
    "int MPI_Type_struct(int count, int array_of_blocklengths[], MPI_Aint array_of_displacements[],"
    " MPI_Datatype array_of_types[], MPI_Datatype *newtype)",
    "int MPI_Type_ub(MPI_Datatype datatype, MPI_Aint *displacement)",
)

_TYPES = """\
typedef intptr_t MPI_Aint;
typedef int64_t MPI_Offset;
typedef int64_t MPI_Count;
typedef int MPI_Fint;

typedef struct {
    int MPI_SOURCE;
    int MPI_TAG;
    int MPI_ERROR;
    int MPI_internal[5];
} MPI_Status;
typedef MPI_Status MPI_F08_status;
"""

_CALLBACKS = """\
typedef void MPI_User_function(void *invec, void *inoutvec, int *len, MPI_Datatype *datatype);
typedef void MPI_User_function_c(void *invec, void *inoutvec, MPI_Count *len, MPI_Datatype *datatype);
typedef int MPI_Copy_function(MPI_Comm oldcomm, int keyval, void *extra_state, void *attribute_val_in,
                              void *attribute_val_out, int *flag);
typedef int MPI_Delete_function(MPI_Comm comm, int keyval, void *attribute_val, void *extra_state);
typedef MPI_Copy_function MPI_Comm_copy_attr_function;
typedef MPI_Delete_function MPI_Comm_delete_attr_function;
typedef int MPI_Type_copy_attr_function(MPI_Datatype oldtype, int type_keyval, void *extra_state,
                                        void *attribute_val_in, void *attribute_val_out, int *flag);
typedef int MPI_Type_delete_attr_function(MPI_Datatype datatype, int type_keyval, void *attribute_val,
                                          void *extra_state);
typedef int MPI_Win_copy_attr_function(MPI_Win oldwin, int win_keyval, void *extra_state, void *attribute_val_in,
                                       void *attribute_val_out, int *flag);
typedef int MPI_Win_delete_attr_function(MPI_Win win, int win_keyval, void *attribute_val, void *extra_state);
typedef void MPI_Comm_errhandler_function(MPI_Comm *comm, int *error_code, ...);
typedef void MPI_Win_errhandler_function(MPI_Win *win, int *error_code, ...);
typedef void MPI_File_errhandler_function(MPI_File *file, int *error_code, ...);
typedef void MPI_Session_errhandler_function(MPI_Session *session, int *error_code, ...);
typedef MPI_Comm_errhandler_function MPI_Comm_errhandler_fn;
typedef MPI_Win_errhandler_function MPI_Win_errhandler_fn;
typedef MPI_File_errhandler_function MPI_File_errhandler_fn;
typedef MPI_Session_errhandler_function MPI_Session_errhandler_fn;
typedef MPI_Comm_errhandler_function MPI_Handler_function;
typedef int MPI_Grequest_query_function(void *extra_state, MPI_Status *status);
typedef int MPI_Grequest_free_function(void *extra_state);
typedef int MPI_Grequest_cancel_function(void *extra_state, int complete);
typedef int MPI_Datarep_extent_function(MPI_Datatype datatype, MPI_Aint *extent, void *extra_state);
typedef int MPI_Datarep_conversion_function(void *userbuf, MPI_Datatype datatype, int count, void *filebuf,
                                            MPI_Offset position, void *extra_state);
typedef int MPI_Datarep_conversion_function_c(void *userbuf, MPI_Datatype datatype, MPI_Count count, void *filebuf,
                                              MPI_Offset position, void *extra_state);
typedef void MPI_T_event_cb_function(MPI_T_event_instance event_instance, MPI_T_event_registration event_registration,
                                     MPI_T_cb_safety cb_safety, void *user_data);
typedef void MPI_T_event_free_cb_function(MPI_T_event_registration event_registration, MPI_T_cb_safety cb_safety,
                                          void *user_data);
typedef void MPI_T_event_dropped_cb_function(MPI_Count count, MPI_T_event_registration event_registration,
                                             int source_index, MPI_T_cb_safety cb_safety, void *user_data);
#define MPI_CONVERSION_FN_NULL ((MPI_Datarep_conversion_function *)0)
#define MPI_CONVERSION_FN_NULL_C ((MPI_Datarep_conversion_function_c *)0)

/* Functions, and not the ABI's numbers 0 and 1: 1 is a guest's own first function. */
MPI_Copy_function MPI_NULL_COPY_FN, MPI_DUP_FN;
MPI_Delete_function MPI_NULL_DELETE_FN;
MPI_Comm_copy_attr_function MPI_COMM_NULL_COPY_FN, MPI_COMM_DUP_FN;
MPI_Comm_delete_attr_function MPI_COMM_NULL_DELETE_FN;
MPI_Type_copy_attr_function MPI_TYPE_NULL_COPY_FN, MPI_TYPE_DUP_FN;
MPI_Type_delete_attr_function MPI_TYPE_NULL_DELETE_FN;
MPI_Win_copy_attr_function MPI_WIN_NULL_COPY_FN, MPI_WIN_DUP_FN;
MPI_Win_delete_attr_function MPI_WIN_NULL_DELETE_FN;
"""


# A call compiles to a call of the import itself, without the library's wrapper between: it saves some nanoseconds a
# call. Each name has a symbol of its own, so that a profiler's MPI_X, which is compiled with this header like its
# callers, takes the place of MPI_X's symbol and leaves PMPI_X's.
_IMPORT = f"""\
#define ARGOSY_IMPORT(symbol, name) \\
    __asm__("argosy_" #symbol) __attribute__((__import_module__("{MODULE}"), __import_name__(#name)))
"""


def text() -> str:
    """The whole header."""
    return "\n".join(
        [
            "/* The Message Passing Interface for WebAssembly guests: MPI 5.0's procedures, its ABI's constants.",
            " * Generated by Argosy from the MPI Forum's API. */",
            "#ifndef MPI_H_ARGOSY",
            "#define MPI_H_ARGOSY",
            "",
            "#include <stdint.h>",
            "",
            "#ifdef __cplusplus",
            'extern "C" {',
            "#endif",
            "",
            f"#define MPI_VERSION {abi.STANDARD[0]}",
            f"#define MPI_SUBVERSION {abi.STANDARD[1]}",
            f"#define MPI_ABI_VERSION {abi.VERSION[0]}",
            f"#define MPI_ABI_SUBVERSION {abi.VERSION[1]}",
            "#define ARGOSY_MPI 1",
            "",
            _TYPES,
            *_handles(),
            *_integers(),
            *_pointers(),
            _CALLBACKS,
            _IMPORT,
            *_procedures(),
            "",
            "#ifdef __cplusplus",
            "}",
            "#endif",
            "#endif",
            "",
        ]
    )


def _handles() -> list[str]:
    lines = []
    for handle in abi.HANDLES:
        lines.append(f"typedef struct MPI_ABI_{handle.c_type.removeprefix('MPI_')} *{handle.c_type};")
        lines += [f"#define {name} (({handle.c_type}){value:#010x})" for name, value in handle.values.items()]
        lines.append("")
    lines += [f"#define {name} {meaning}" for name, meaning in abi.DATATYPE_SYNONYMS.items()]
    lines.append("/* Removed in MPI-3.0: markers for MPI_Type_struct alone. */")
    lines += [f"#define {name} ((MPI_Datatype){value:#010x})" for name, value in abi.MARKERS.items()]
    for tool in abi.TOOL_HANDLES:
        lines.append(f"typedef struct MPI_ABI_{tool.c_type.removeprefix('MPI_')} *{tool.c_type};")
        lines += [f"#define {name} (({tool.c_type}){value})" for name, value in tool.values.items()]
    for c_type, values in abi.ENUMERATIONS.items():
        listed = ", ".join(f"{name} = {value:#x}" for name, value in values.items())
        lines.append(f"typedef enum {c_type} {{ {listed} }} {c_type};")
    return [*lines, ""]


def _integers() -> list[str]:
    lines = []
    for purpose, values in abi.INTEGERS.items():
        lines.append(f"/* {purpose} */")
        lines += [f"#define {name} {f'({value})' if value < 0 else value}" for name, value in values.items()]
        lines.append("")
    return [*lines, "#define MPI_DISPLACEMENT_CURRENT ((MPI_Offset)-1)", ""]


def _pointers() -> list[str]:
    return [f"#define {name} (({c_type}){value})" for name, (c_type, value) in abi.POINTERS.items()] + [""]


def _procedures() -> list[str]:
    lines = []
    for name, procedure in procedures().items():
        if place(name) is not Place.ABSENT:
            lines += _both_names(procedure.declaration, name if place(name) is Place.NODE else "")
    for declaration in REMOVED:
        lines += _both_names(declaration, "")
    return lines


def _both_names(declaration: str, imported: str) -> list[str]:
    """The procedure under MPI_ and PMPI_; `imported` is what the node calls it, empty for the guest's own."""
    profiled = declaration.replace(" MPI_", " PMPI_", 1)
    if not imported:
        return [f"{declaration};", f"{profiled};"]
    names = ((declaration, imported), (profiled, f"P{imported}"))
    return [f"{named} ARGOSY_IMPORT({symbol}, {imported});" for named, symbol in names]
