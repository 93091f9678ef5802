"""Writes a C program that calls every import with one wrong argument at a time, all others being right.

The program ends with the number of calls that it survived; it dies when the launcher does. What each call gives back is
not looked at here: a wrong address, count, handle, displacement or function must neither reach memory outside the
guest nor end the launcher.
"""

from __future__ import annotations

from collections.abc import Iterable

from argosy.mpi.api import Parameter, Procedure

# These end the job, or wait for ranks that are not there.
LEFT_OUT = frozenset({"MPI_Init", "MPI_Init_thread", "MPI_Finalize", "MPI_Abort", "MPI_Intercomm_create"})

_HANDLES = (
    *("0", "1", "0x20", "0x100", "0x108", "0x110", "0x118", "0x128", "0x130", "0x140", "0x180", "0x200", "0x209"),
    *("0x230", "0x3ff", "0x400", "0xfffff", "0x100000", "0x100001", "0x200000", "0x1fffff", "0x7fffffff", "0x80000000"),
    *("0xffffffff", "freed_comm", "freed_type", "freed_group", "freed_request"),
    *("general", "freed_general", "freed_cvar", "freed_session"),
)
_ADDRESSES = (
    *("0", "1", "2", "3", "10", "11", "0xffffffff", "0xfffffffc", "0xfffffff0", "0x80000000", "end", "end - 1"),
    *("end - 3", "end - 4", "end - 31"),
)
_ARRAYS = ("0", "0xffffffff", "0xfffffffc", "0x80000000", "end", "end - 1", "end - 3", "end - 4")
_INTEGERS = ("-1", "-2", "-3", "-4", "-32766", "0", "2", "1000", "0x10000", "0x40000000", "0x7fffffff", "0x80000000")
_RANKS = (
    "1",
    "2",
    "-2",
    "-4",
    "-32766",
    "1000",
    "0x7fffffff",
    "0x80000000",
)  # without the one that would be waited for
_LARGE = (*_INTEGERS, "0x7fffffffffffffffLL", "(-0x7fffffffffffffffLL - 1)", "1LL << 32", "1LL << 62", "-1LL << 40")
_DISPLACEMENTS = (*_INTEGERS, "4093", "4096", "end", "end - 1", "end - 3", "0xfffffffc", "(size_t)exposed + 4093")
_FUNCTIONS = ("0", "1", "99999", "0xffffffff", "of_no_signature")

# What else differs between flavors of windows.
_OF_FLAVORS = frozenset({"MPI_Win_attach", "MPI_Win_detach", "MPI_Win_shared_query", "MPI_Win_get_attr"})

_HANDLE_KINDS = {
    "COMMUNICATOR": "MPI_COMM_WORLD",
    "GROUP": "group",
    "DATATYPE": "MPI_INT",
    "OPERATION": "MPI_SUM",
    "REQUEST": "MPI_REQUEST_NULL",
    "MESSAGE": "MPI_MESSAGE_NO_PROC",
    "INFO": "info",
    "ERRHANDLER": "MPI_ERRORS_RETURN",
    "WINDOW": "win",
    "FILE": "file",
    "SESSION": "session",
    "TOOLS_ENUM": "MPI_T_ENUM_NULL",
    "CVAR": "cvar",
    "PVAR": "MPI_T_PVAR_ALL_HANDLES",
    "PVAR_SESSION": "pvar_session",
    "EVENT_REGISTRATION": "(MPI_T_event_registration)0",
    "EVENT_INSTANCE": "(MPI_T_event_instance)0",
}
_CALLBACK_KINDS = (
    *("FUNCTION", "POLYFUNCTION"),
    *("EVENT_CB_FUNCTION", "EVENT_FREE_CB_FUNCTION", "EVENT_DROP_CB_FUNCTION"),
)
_CALLBACKS = {
    "query_fn": "query",
    "free_fn": "release",
    "cancel_fn": "canceller",
    "read_conversion_fn": "convert",
    "write_conversion_fn": "convert",
    "dtype_file_extent_fn": "extent",
    "event_cb_function": "happened",
    "free_cb_function": "freed",
    "dropped_cb_function": "dropped",
}
_NUMBERS = {
    "TAG": "0",
    "THREAD_LEVEL": "MPI_THREAD_SINGLE",
    "ORDER": "MPI_ORDER_C",
    "TYPECLASS": "MPI_TYPECLASS_INTEGER",
    "TYPECLASS_SIZE": "4",
    "SPLIT_TYPE": "MPI_COMM_TYPE_SHARED",
    "LOCK_TYPE": "MPI_LOCK_SHARED",
    "UPDATE_MODE": "MPI_SEEK_SET",
    "ACCESS_MODE": "MPI_MODE_RDONLY",
    "KEYVAL": "MPI_TAG_UB",
    "ASSERT": "0",
    "ERROR_CODE": "MPI_ERR_OTHER",
    "ERROR_CLASS": "MPI_ERR_OTHER",
    "CALLBACK_SAFETY": "MPI_T_CB_REQUIRE_NONE",
    **dict.fromkeys(("CVAR_INDEX", "PVAR_INDEX", "CAT_INDEX", "EVENT_INDEX", "SOURCE_INDEX", "INDEX"), "0"),
}

_PROLOGUE = """\
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static _Alignas(64) unsigned char space[8 << 20], exposed[4096];
static int zeros[1024], ones[1024];
static MPI_Datatype types[1024];
static MPI_Request requests[1024];
static long long cases;
static MPI_Win win, dynamic_win, shared_win;
static MPI_File file = MPI_FILE_NULL;
static MPI_Group group;
static MPI_Info info;
static MPI_Session session;
static MPI_T_cvar_handle cvar;
static MPI_T_pvar_session pvar_session;
static unsigned end, freed_comm, freed_type, freed_group, freed_request;
static unsigned general, freed_general, freed_cvar, freed_session;
static unsigned of_no_signature;

static void strange(double a, float b) { (void)a, (void)b; }
static void operation(void *a, void *b, int *n, MPI_Datatype *t) { (void)a, (void)b, (void)n, (void)t; }
static int copier(MPI_Comm c, int k, void *e, void *in, void *out, int *flag) {
    (void)c, (void)k, (void)e, (void)in, (void)out;
    *flag = 0;
    return 0;
}
static int deleter(MPI_Comm c, int k, void *v, void *e) {
    (void)c, (void)k, (void)v, (void)e;
    return 0;
}
static void handler(MPI_Comm *c, int *e, ...) { (void)c, (void)e; }
static int query(void *s, MPI_Status *status) {
    (void)s;
    return MPI_Status_set_elements(status, MPI_INT, 0);
}
static int release(void *s) {
    (void)s;
    return 0;
}
static int canceller(void *s, int complete) {
    (void)s, (void)complete;
    return 0;
}
static int convert(void *u, MPI_Datatype t, int n, void *f, MPI_Offset p, void *s) {
    (void)u, (void)t, (void)n, (void)f, (void)p, (void)s;
    return 0;
}
static int convert_c(void *u, MPI_Datatype t, MPI_Count n, void *f, MPI_Offset p, void *s) {
    (void)u, (void)t, (void)n, (void)f, (void)p, (void)s;
    return 0;
}
static int extent(MPI_Datatype t, MPI_Aint *e, void *s) {
    (void)t, (void)s;
    *e = 4;
    return 0;
}
static void happened(MPI_T_event_instance i, MPI_T_event_registration r, MPI_T_cb_safety c, void *u) {
    (void)i, (void)r, (void)c, (void)u;
}
static void freed(MPI_T_event_registration r, MPI_T_cb_safety c, void *u) { (void)r, (void)c, (void)u; }
static void dropped(MPI_Count n, MPI_T_event_registration r, int i, MPI_T_cb_safety c, void *u) {
    (void)n, (void)r, (void)i, (void)c, (void)u;
}

/* What is read lies in the file, or Open MPI 4.1 waits for ever to have read it all. */
static void fill(void) {
    MPI_File_set_view(file, 0, MPI_BYTE, MPI_BYTE, "native", MPI_INFO_NULL);
    MPI_File_set_size(file, 1 << 16);
    MPI_File_seek(file, 0, MPI_SEEK_SET);
    MPI_File_seek_shared(file, 0, MPI_SEEK_SET);
}

/* A window that a call made by chance must not keep its memory: what is at that address may be one, or none. */
static void give_back(void *made) {
    MPI_Win_free((MPI_Win *)made);
    *(MPI_Win *)made = MPI_WIN_NULL;
}

/* Wrong arguments may have written anywhere inside the guest: what the calls share is made anew for each. */
static void ready(const char *what) {
    fprintf(stderr, "%s\\n", what);
    for (int i = 0; i < 1024; i++) {
        zeros[i] = 0, ones[i] = 1, types[i] = MPI_INT, requests[i] = MPI_REQUEST_NULL;
    }
    end = __builtin_wasm_memory_size(0) * 65536;
    /* A count that is read at a wrong address inside memory is the right one: others wait for messages that never come,
     * or let messages overlap by chance, which ends the job in some libraries. */
    volatile int *low = (volatile int *)(size_t)(cases < 0), *high = (volatile int *)(size_t)(end - 4);
    /* Nor may a port's name stay there: whoever connects to an open port waits for one who accepts. */
    for (int i = 0; i < 64; i++) {
        low[i] = 0;
    }
    *low = *high = 1;
    cases++;
}
"""

_MAIN = """\
int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
    ready("");
    MPI_Comm comm;
    MPI_Datatype type;
    MPI_Group other;
    MPI_Request request;
    void *shared;
    MPI_Comm_dup(MPI_COMM_WORLD, &comm);
    freed_comm = (unsigned)(size_t)comm;
    MPI_Comm_free(&comm);
    MPI_Type_contiguous(2, MPI_INT, &type);
    freed_type = (unsigned)(size_t)type;
    MPI_Type_free(&type);
    MPI_Comm_group(MPI_COMM_WORLD, &group);
    MPI_Comm_group(MPI_COMM_WORLD, &other);
    freed_group = (unsigned)(size_t)other;
    MPI_Group_free(&other);
    MPI_Ibarrier(MPI_COMM_WORLD, &request);
    freed_request = (unsigned)(size_t)request;
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    MPI_Info_create(&info);
    MPI_Win_create(exposed, 4096, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &win);
    MPI_Win_create_dynamic(MPI_INFO_NULL, MPI_COMM_WORLD, &dynamic_win);
    MPI_Win_allocate_shared(4096, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &shared, &shared_win);
    MPI_Win_set_errhandler(win, MPI_ERRORS_RETURN);
    MPI_Win_set_errhandler(dynamic_win, MPI_ERRORS_RETURN);
    MPI_Win_set_errhandler(shared_win, MPI_ERRORS_RETURN);
    MPI_Win_attach(dynamic_win, exposed, 4096);
    MPI_File_open(MPI_COMM_WORLD, "adversary.data", MPI_MODE_CREATE | MPI_MODE_RDWR, MPI_INFO_NULL, &file);
    MPI_Grequest_start(query, release, canceller, NULL, &request);
    freed_general = (unsigned)(size_t)request;
    MPI_Grequest_complete(request);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    MPI_Grequest_start(query, release, canceller, NULL, &request);
    general = (unsigned)(size_t)request;
    int level, count;
    MPI_T_pvar_session other_session;
    MPI_T_init_thread(MPI_THREAD_SINGLE, &level);
    MPI_T_cvar_handle_alloc(0, NULL, &cvar, &count);
    freed_cvar = (unsigned)(size_t)cvar;
    MPI_T_cvar_handle_free(&cvar);
    MPI_T_cvar_handle_alloc(0, NULL, &cvar, &count);
    MPI_T_pvar_session_create(&other_session);
    freed_session = (unsigned)(size_t)other_session;
    MPI_T_pvar_session_free(&other_session);
    MPI_T_pvar_session_create(&pvar_session);
    of_no_signature = (unsigned)(size_t)(void *)strange;
"""


def source(procedures: Iterable[Procedure]) -> str:
    """The program, for these procedures."""
    functions, calls = [], []
    procedures = list(procedures)
    if any(procedure.name == "MPI_Session_init" for procedure in procedures):
        calls.append("    MPI_Session_init(MPI_INFO_NULL, MPI_ERRORS_RETURN, &session);")
    for procedure in procedures:
        if procedure.base in LEFT_OUT:
            continue
        lines = [f"static void try_{procedure.name}(void) {{"]
        for window in _windows(procedure):
            lines += _tries(procedure, window)
        functions.append("\n".join([*lines, "}"]))
        calls.append(f"    try_{procedure.name}();")
    ending = ['    printf("survived %lld\\n", cases);', "    fflush(stdout);"]
    # Without MPI_Finalize, after which mpiexec may not pass on what came just before the end.
    ending += ["    usleep(500000);", "    _Exit(0);", "}"]
    return "\n".join([_PROLOGUE, *functions, _MAIN, *calls, *ending, ""])


def _windows(procedure: Procedure) -> tuple[str, ...]:
    """The windows to call it for: what is right and wrong of a displacement differs between their flavors."""
    every = ("win", "dynamic_win", "shared_win")
    return every if _is_one_sided(procedure) or procedure.base in _OF_FLAVORS else every[:1]


def _is_one_sided(procedure: Procedure) -> bool:
    return any(parameter.name == "target_disp" for parameter in procedure.parameters)


def _tries(procedure: Procedure, window: str) -> list[str]:
    right = [_right(procedure, parameter) for parameter in procedure.parameters]
    made = []
    for place, parameter in enumerate(procedure.parameters):
        if parameter.kind == "WINDOW" and parameter.direction == "in":
            right[place] = window
        elif parameter.kind == "WINDOW" and parameter.direction == "out":
            made.append(f"    give_back({right[place]});")
        elif parameter.name == "target_rank" and _is_one_sided(procedure):
            right[place] = "0"
        elif parameter.name == "target_disp" and window == "dynamic_win":
            right[place] = "(MPI_Aint)(size_t)exposed"
    lines, begun = [], ""
    if procedure.name.startswith("MPI_File_"):
        lines.append("    fill();")
    if procedure.name.endswith("_end"):  # what has not begun is refused unseen
        begin = procedure.name.removesuffix("_end") + "_begin"
        begun = f"{begin}(file, {'0, ' if '_at_' in begin else ''}space, 1, MPI_INT), "
    for place, parameter in enumerate(procedure.parameters):
        for wrong in _wrong(parameter):
            given = [*right[:place], f"({_cast(parameter)})({wrong})", *right[place + 1 :]]
            said = f"{procedure.name}{'' if window == 'win' else f' {window}'} {parameter.name}={wrong}"
            lines += [f'    ready("{said}"), {begun}(void){procedure.name}({", ".join(given)});', *made]
    if _is_one_sided(procedure):  # in an epoch, or MPI would look no further
        lines = [f"    MPI_Win_lock_all(0, {window});", *lines, f"    MPI_Win_unlock_all({window});"]
    return lines


def _cast(parameter: Parameter) -> str:
    if not parameter.is_pointer:
        return parameter.c_type
    if parameter.kind in _CALLBACK_KINDS:
        return f"{parameter.c_type} *"
    if parameter.array == "[][3]":
        return "int (*)[3]"
    stars = parameter.stars + (parameter.array == "[]")
    return f"{parameter.c_type} {'*' * stars}"


def _right(procedure: Procedure, parameter: Parameter) -> str:
    kind, name = parameter.kind, parameter.name
    cast = f"({_cast(parameter)})"
    if kind in _HANDLE_KINDS:
        if parameter.array:
            return cast + ("types" if kind == "DATATYPE" else "requests")
        return f"{cast}space" if parameter.stars else _HANDLE_KINDS[kind]
    if kind in _CALLBACK_KINDS:
        if name in _CALLBACKS:
            return f"{cast}{_CALLBACKS[name]}{'_c' if procedure.large and kind == 'POLYFUNCTION' else ''}"
        if "errhandler" in name:
            return f"{cast}handler"
        return cast + ("copier" if "copy" in name else "deleter" if "delete" in name else "operation")
    if kind == "STRING" and parameter.direction == "in":
        return '"adversary.data"' if name == "filename" else '"native"' if name == "datarep" else '"text"'
    if parameter.array and parameter.direction == "in":
        return cast + ("ones" if "count" in name or name in ("index", "degrees", "dims") else "zeros")
    if parameter.is_pointer:  # none overlaps another: libraries end the job where messages do
        half = 0 if parameter.direction == "in" else 4 << 20
        return f"{cast}(space + {half + (1 << 18) * procedure.parameters.index(parameter)})"
    if kind in ("RANK", "RANK_NNI"):
        return "MPI_PROC_NULL" if name in ("dest", "source", "target_rank") else "0"
    return _NUMBERS.get(kind, "1")


def _wrong(parameter: Parameter) -> tuple[str, ...]:
    if parameter.kind in _CALLBACK_KINDS:
        return _FUNCTIONS
    if parameter.is_pointer:
        # What is read there must not by chance be a request that never completes, or counts that never meet.
        chance = parameter.kind == "REQUEST" or (parameter.array and parameter.direction == "in")
        return _ARRAYS if chance else _ADDRESSES
    if parameter.kind in _HANDLE_KINDS:
        # A window or file that an earlier call made has a handler that ends the job, as it should.
        return tuple(value for value in _HANDLES if parameter.kind not in ("WINDOW", "FILE") or len(value) < 8)
    if parameter.name in ("dest", "source"):
        return _RANKS
    if parameter.name == "target_disp":
        return _DISPLACEMENTS
    return _LARGE if parameter.wasm == "I" else _INTEGERS
