/* Error handlers: C functions that MPI calls, each standing for one function of the guest.
 *
 * Invariants.
 * - What the guest gave is kept beside the handle that it got: a call that takes an error handler for an object that
 *   it makes has the guest's function to call before there is the object.
 * - Handlers of sessions may be made while MPI is down, which no library here can do: such a handle has no handler of
 *   the node's until the first session is there.
 */
#include "mpi_callbacks.h"
#include "mpi_errors.h"
#include "mpi_sessions.h"

/* What a slot of errhandler_handles keeps. */
struct errhandler_info {
    enum errhandler_sort sort;
    uint32_t function;
    int place;
};

static const struct errhandler_info *info_of(int32_t guest_handle) {
    struct slot *slot = slot_find(&errhandler_handles, (uint32_t)guest_handle);
    return slot == NULL ? NULL : slot->extra;
}

bool errhandler_fits(int32_t guest_handle, enum errhandler_sort sort) {
    MPI_Errhandler host;
    const struct errhandler_info *info = info_of(guest_handle);
    return guest_handle != ABI_MPI_ERRHANDLER_NULL && errhandler_in(guest_handle, &host) &&
           (info == NULL || info->sort == sort);
}

/* --- calls -------------------------------------------------------------------------------------------------------- */

/* The guest's function gets the addresses of handle and code, which the function that raised the error returns, and
 * which is given here as the handler leaves it. In C it is variadic, which on wasm is a third parameter, the address of
 * the further arguments; many codes declare theirs without. */
static int32_t handle_error(uint32_t function, uint32_t handle, int32_t guest_code) {
    uint64_t mark = lent_mark();
    uint32_t cells = lent_take(16, "error handler");
    put32(cells, (int32_t)handle);
    put32(cells + 4, guest_code);
    put32(cells + 8, 0);
    wasmtime_val_raw_t values[3] = {{.i32 = (int32_t)cells}, {.i32 = (int32_t)(cells + 4)}, {.i32 = (int32_t)(cells + 8)}};
    bool variadic = guest_callable(function, "iii:");
    guest_call(function, variadic ? "iii:" : "ii:", values, variadic ? 3 : 2, "error handler");
    int32_t left = get32(cells + 4);
    lent_release(mark);
    return left;
}

int32_t refuse_by(int32_t handler, uint32_t object, const char *function, const char *argument, int32_t abi_class) {
    const struct errhandler_info *info = info_of(handler);
    if (info != NULL) {
        return handle_error(info->function, object, abi_class);
    }
    if (handler == ABI_MPI_ERRORS_ARE_FATAL || handler == ABI_MPI_ERRORS_ABORT) {
        refuse_fatally(function, argument, abi_class);
    }
    return abi_class;
}

static bool handles_errors(uint32_t function) {
    return guest_callable(function, "iii:") || guest_callable(function, "ii:");
}

/* --- making ------------------------------------------------------------------------------------------------------- */

/* Checks of a function that creates an error handler; gives the place, or -1 with the answer in v[0]. */
static int error_place(wasmtime_val_raw_t *v, const char *here, struct place *pool) {
    if (!handles_errors((uint32_t)v[0].i32)) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "errhandler_fn", ABI_MPI_ERR_ARG);
        return -1;
    }
    if (!room((uint32_t)v[1].i32, 1, 4)) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "errhandler", ABI_MPI_ERR_ARG);
        return -1;
    }
    int place = place_of(pool, (uint32_t)v[0].i32);
    if (place < 0) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "errhandler_fn", ABI_MPI_ERR_NO_MEM);
    }
    return place;
}

static wasm_trap_t *error_made(wasmtime_val_raw_t *v, const char *here, MPI_Errhandler made, int code,
                               struct errhandler_info given) {
    if (code == MPI_SUCCESS) {
        struct slot *slot = NULL;
        uint32_t handle = slot_new(&errhandler_handles, errhandler_pack(made), &slot);
        struct errhandler_info *info = handle == 0 ? NULL : malloc(sizeof *info);
        if (info == NULL) {
            return guest_trap("%s: no room for another MPI_Errhandler", here);
        }
        *info = given;
        slot->extra = info;
        put32((uint32_t)v[1].i32, (int32_t)handle);
    }
    v[0].i32 = error_out(code);
    return NULL;
}

/* What the classes' sides share: `name` of C type `type`, of this sort. */
#define ERROR_FUNCTIONS(name, type, function_type)                                                                     \
    static struct place name##_errhandlers[PLACES];                                                                    \
    static void name##_error(struct place *place, type *object, int *code) {                                           \
        uint32_t handle = name##_predefined_out(*object);                                                              \
        struct slot *slot = handle == 0 ? slot_of_host(&name##_handles, name##_pack(*object)) : NULL;                  \
        int32_t given = error_out(*code);                                                                              \
        handle = slot != NULL ? slot_handle(&name##_handles, slot) : handle;                                           \
        int32_t left = handle_error(place->function, handle, given);                                                   \
        if (left != given) {                                                                                           \
            error_changed(*code, left);                                                                                \
        }                                                                                                              \
    }                                                                                                                  \
    ALL(name##_ERROR)                                                                                                  \
    static function_type *const name##_error_functions[PLACES] = {ALL(name##_ERROR_NAMED)};
#define ERROR_HANDLERS(name, type, function_type, sort, create)                                                        \
    ERROR_FUNCTIONS(name, type, function_type)                                                                         \
    IMPORT(create) {                                                                                                   \
        ENTER(#create)                                                                                                 \
        int place = error_place(v, here, name##_errhandlers);                                                          \
        if (place < 0) {                                                                                               \
            return NULL;                                                                                               \
        }                                                                                                              \
        MPI_Errhandler made = MPI_ERRHANDLER_NULL;                                                                     \
        int code = create(name##_error_functions[place], &made);                                                       \
        return error_made(v, here, made, code, (struct errhandler_info){sort, (uint32_t)v[0].i32, place});             \
    }

#define comm_ERROR(i)                                                                                                  \
    static void comm_error_##i(MPI_Comm *comm, int *code, ...) {                                                       \
        comm_error(&comm_errhandlers[i], comm, code);                                                                  \
    }
#define comm_ERROR_NAMED(i) comm_error_##i,
ERROR_HANDLERS(comm, MPI_Comm, MPI_Comm_errhandler_function, OF_COMM, MPI_Comm_create_errhandler)

#define win_ERROR(i)                                                                                                   \
    static void win_error_##i(MPI_Win *win, int *code, ...) {                                                          \
        win_error(&win_errhandlers[i], win, code);                                                                     \
    }
#define win_ERROR_NAMED(i) win_error_##i,
ERROR_HANDLERS(win, MPI_Win, MPI_Win_errhandler_function, OF_WIN, MPI_Win_create_errhandler)

#define file_ERROR(i)                                                                                                  \
    static void file_error_##i(MPI_File *file, int *code, ...) {                                                       \
        file_error(&file_errhandlers[i], file, code);                                                                  \
    }
#define file_ERROR_NAMED(i) file_error_##i,
ERROR_HANDLERS(file, MPI_File, MPI_File_errhandler_function, OF_FILE, MPI_File_create_errhandler)

#if HAVE_MPI_Session_create_errhandler
#define session_ERROR(i)                                                                                               \
    static void session_error_##i(MPI_Session *session, int *code, ...) {                                              \
        session_error(&session_errhandlers[i], session, code);                                                         \
    }
#define session_ERROR_NAMED(i) session_error_##i,
ERROR_FUNCTIONS(session, MPI_Session, MPI_Session_errhandler_function)

IMPORT(MPI_Session_create_errhandler) {
    ENTER_ANYTIME("MPI_Session_create_errhandler")
    int place = error_place(v, here, session_errhandlers);
    if (place < 0) {
        return NULL;
    }
    MPI_Errhandler made = MPI_ERRHANDLER_NULL;
    int code = mpi_phase == PHASE_OUTSIDE ? MPI_SUCCESS
                                          : MPI_Session_create_errhandler(session_error_functions[place], &made);
    return error_made(v, here, made, code, (struct errhandler_info){OF_SESSION, (uint32_t)v[0].i32, place});
}

void errhandlers_make(void) {
    for (uint32_t i = 0; i < errhandler_handles.used; i++) {
        struct slot *slot = &errhandler_handles.slots[i];
        const struct errhandler_info *info = slot->extra;
        MPI_Errhandler made;
        if (slot->references != 0 && info != NULL && info->sort == OF_SESSION &&
            errhandler_unpack(slot->host) == MPI_ERRHANDLER_NULL &&
            MPI_Session_create_errhandler(session_error_functions[info->place], &made) == MPI_SUCCESS) {
            slot->host = errhandler_pack(made);
        }
    }
}
#else
void errhandlers_make(void) {}
#endif

/* What was made while MPI was up and is freed while it is down has gone with it. */
IMPORT(MPI_Errhandler_free) {
    ENTER_ANYTIME("MPI_Errhandler_free")
    uint32_t at = (uint32_t)v[0].i32;
    int32_t handle = room(at, 1, 4) ? get32(at) : ABI_MPI_ERRHANDLER_NULL;
    MPI_Errhandler host;
    if (handle == ABI_MPI_ERRHANDLER_NULL || !errhandler_in(handle, &host)) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "errhandler", ABI_MPI_ERR_ERRHANDLER);
        return NULL;
    }
    int code = MPI_SUCCESS;
    if (mpi_phase == PHASE_OUTSIDE && !sessions_keep()) {
        host = MPI_ERRHANDLER_NULL;
    } else if (host != MPI_ERRHANDLER_NULL) {
        code = MPI_Errhandler_free(&host);
    }
    if (code == MPI_SUCCESS && host == MPI_ERRHANDLER_NULL) {
        errhandler_drop(handle);
        put32(at, ABI_MPI_ERRHANDLER_NULL);
    }
    v[0].i32 = error_out(code);
    return NULL;
}
