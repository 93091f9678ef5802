/* The tool information interface's events: registrations, and the guest's functions that MPI calls for them.
 *
 * Invariants.
 * - MPI's user data is the address of a struct function inside a struct registration, so no trampoline stands for the
 *   functions. A registration lives until the library has called its free function.
 * - The guest has one thread, and a signal may find it anywhere. So its functions are called on that thread alone, and
 *   never where the library says that signals are handled: such an event is counted as dropped, in `dropped` below, and
 *   told to the registration's dropped handler before its next event, like those that the library drops.
 * - Inside an event function the guest may use the tool information interface and nothing else of MPI, unless the library
 *   says that nothing is required (MPI_T_CB_REQUIRE_NONE). An instance's handle dies with the call that gave it.
 * - Libraries walk a list of registrations while they call functions: one that is freed inside an event function is dead
 *   at once, and the library hears of it at the next call outside.
 */
#include "mpi_tool.h"

#if HAVE_MPI_T_event_handle_alloc

enum { LEVELS = 4 };
static const int32_t levels[LEVELS] = {ABI_MPI_T_CB_REQUIRE_NONE, ABI_MPI_T_CB_REQUIRE_MPI_RESTRICTED,
                                       ABI_MPI_T_CB_REQUIRE_THREAD_SAFE, ABI_MPI_T_CB_REQUIRE_ASYNC_SIGNAL_SAFE};

struct registration;
struct function {
    struct registration *of;
    uint32_t function, user_data; /* the guest's; function 0: none */
};

struct registration {
    struct registration *next_dead;
    struct tool_object object;
    MPI_T_event_registration host;
    uint32_t handle; /* the guest's */
    int32_t event;
    struct function called[LEVELS], dropped, freed;
    int64_t dropped_here;
    bool dead;
};

static struct handles registrations;
static struct registration *dead; /* which the library still has */
static uint32_t running;          /* event functions */
static _Thread_local bool at_home; /* is this the guest's thread? */

static struct registration *registration_in(int32_t guest_handle) {
    struct slot *slot = slot_find(&registrations, (uint32_t)guest_handle);
    return slot == NULL ? NULL : (struct registration *)(uintptr_t)slot->host;
}

static int level_of(int32_t safety) {
    for (int i = 0; i < LEVELS; i++) {
        if (levels[i] == safety) {
            return i;
        }
    }
    return -1;
}

/* --- the functions that MPI calls ---------------------------------------------------------------------------------- */

/* May the guest be called now, and here? */
static bool callable(MPI_T_cb_safety safety) {
    return at_home && safety != MPI_T_CB_REQUIRE_ASYNC_SIGNAL_SAFE;
}

static void call(uint32_t function, const char *signature, wasmtime_val_raw_t *values, size_t count,
                 MPI_T_cb_safety safety, const char *what) {
    enum phase before = mpi_phase;
    if (safety != MPI_T_CB_REQUIRE_NONE && mpi_phase == PHASE_LIVE) {
        mpi_phase = PHASE_EVENT;
    }
    running++;
    guest_call(function, signature, values, count, what);
    running--;
    mpi_phase = before;
}

static void tell_dropped(struct registration *registration, int64_t count, int source, MPI_T_cb_safety safety,
                         uint32_t user_data) {
    wasmtime_val_raw_t values[5] = {{.i64 = count},
                                    {.i32 = (int32_t)registration->handle},
                                    {.i32 = source},
                                    {.i32 = constant_out(constants_tool_safety, (int)safety)},
                                    {.i32 = (int32_t)user_data}};
    call(registration->dropped.function, "Iiiii:", values, 5, safety, "MPI_T dropped handler");
}

static void event_happened(MPI_T_event_instance host, MPI_T_event_registration of, MPI_T_cb_safety safety, void *data) {
    struct function *function = data;
    struct registration *registration = function->of;
    (void)of;
    if (registration->dead || function->function == 0) {
        return;
    }
    if (!callable(safety)) {
        registration->dropped_here++;
        return;
    }
    if (registration->dropped_here > 0 && registration->dropped.function != 0) {
        int64_t count = registration->dropped_here;
        int source = 0;
        registration->dropped_here = 0;
        MPI_T_event_get_source(host, &source);
        tell_dropped(registration, count, source, safety, function->user_data);
    }
    uint32_t handle = tool_instance_out(host, registration->event);
    if (handle == 0) {
        registration->dropped_here++;
        return;
    }
    wasmtime_val_raw_t values[4] = {{.i32 = (int32_t)handle},
                                    {.i32 = (int32_t)registration->handle},
                                    {.i32 = constant_out(constants_tool_safety, (int)safety)},
                                    {.i32 = (int32_t)function->user_data}};
    call(function->function, "iiii:", values, 4, safety, "MPI_T event function");
    tool_instance_drop(handle);
}

static void events_dropped(MPI_Count count, MPI_T_event_registration of, int source, MPI_T_cb_safety safety, void *data) {
    struct registration *registration = NULL;
    for (uint32_t i = 0; i < registrations.used && registration == NULL; i++) {
        const struct slot *slot = &registrations.slots[i];
        struct registration *one = slot->references != 0 ? (struct registration *)(uintptr_t)slot->host : NULL;
        registration = one != NULL && one->host == of ? one : NULL;
    }
    if (registration == NULL || registration->dead || registration->dropped.function == 0) {
        return;
    }
    if (!callable(safety)) {
        registration->dropped_here += count;
        return;
    }
    uint32_t user_data = 0;
    for (int i = 0; i < LEVELS; i++) {
        user_data = data == &registration->called[i] ? registration->called[i].user_data : user_data;
    }
    tell_dropped(registration, count + registration->dropped_here, source, safety, user_data);
    registration->dropped_here = 0;
}

static void registration_freed(MPI_T_event_registration of, MPI_T_cb_safety safety, void *data) {
    struct registration *registration = data;
    (void)of;
    if (registration->freed.function != 0 && callable(safety)) {
        wasmtime_val_raw_t values[3] = {{.i32 = (int32_t)registration->handle},
                                        {.i32 = constant_out(constants_tool_safety, (int)safety)},
                                        {.i32 = (int32_t)registration->freed.user_data}};
        call(registration->freed.function, "iii:", values, 3, safety, "MPI_T event free function");
    }
    free(registration);
}

/* --- registrations -------------------------------------------------------------------------------------------------- */

/* Tell the library of those that were freed inside event functions. */
static void bury(void) {
    while (running == 0 && dead != NULL) {
        struct registration *one = dead;
        dead = one->next_dead;
        if (tool_object_lives(&one->object)) { /* else, or where MPI fails, the library keeps it, and so do we */
            MPI_T_event_handle_free(one->host, one, registration_freed);
        }
    }
}

IMPORT(MPI_T_event_handle_alloc) {
    ENTER_TOOL("MPI_T_event_handle_alloc")
    bury();
    at_home = true;
    uint32_t at = (uint32_t)v[3].i32;
    struct tool_object object;
    MPI_Info info;
    int none = 0, verbosity, bind = 0;
    int32_t answer = !tool_index_in(MPI_T_event_get_num, v[0].i32) ? ABI_MPI_T_ERR_INVALID_INDEX
                     : !room(at, 1, 4) || !info_in(v[2].i32, &info)
                         ? ABI_MPI_T_ERR_INVALID
                         : error_out(MPI_T_event_get_info(v[0].i32, NULL, &none, &verbosity, NULL, NULL, &none, NULL,
                                                          NULL, NULL, &none, &bind));
    if (answer == 0 && !tool_object_in(bind, (uint32_t)v[1].i32, &object)) {
        answer = ABI_MPI_T_ERR_INVALID_HANDLE;
    }
    if (answer == 0) {
        struct registration *made = calloc(1, sizeof *made);
        uint32_t handle = made == NULL ? 0 : slot_new(&registrations, (uint64_t)(uintptr_t)made, NULL);
        if (handle == 0) {
            free(made);
            v[0].i32 = ABI_MPI_T_ERR_OUT_OF_HANDLES;
            return NULL;
        }
        made->object = object;
        made->handle = handle;
        made->event = v[0].i32;
        int code = MPI_T_event_handle_alloc(v[0].i32, tool_object_address(&made->object), info, &made->host);
        answer = error_out(code);
        if (code == MPI_SUCCESS) {
            put32(at, (int32_t)handle);
        } else {
            slot_drop(&registrations, handle);
            free(made);
        }
    }
    v[0].i32 = answer;
    return NULL;
}

static void registration_free(struct registration *registration) {
    registration->dead = true;
    slot_drop(&registrations, registration->handle);
    registration->next_dead = dead;
    dead = registration;
    bury();
}

IMPORT(MPI_T_event_handle_free) {
    ENTER_TOOL("MPI_T_event_handle_free")
    struct registration *registration = registration_in(v[0].i32);
    uint32_t function = (uint32_t)v[2].i32;
    if (registration == NULL) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID_HANDLE;
    } else if (function != 0 && !guest_callable(function, "iii:")) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID;
    } else {
        registration->freed = (struct function){registration, function, (uint32_t)v[1].i32};
        registration_free(registration);
        v[0].i32 = ABI_MPI_SUCCESS;
    }
    return NULL;
}

bool tool_events_close(void) {
    if (running > 0) {
        return false;
    }
    for (uint32_t i = 0; i < registrations.used; i++) {
        if (registrations.slots[i].references != 0) {
            registration_free((struct registration *)(uintptr_t)registrations.slots[i].host);
        }
    }
    return true;
}

IMPORT(MPI_T_event_register_callback) {
    ENTER_TOOL("MPI_T_event_register_callback")
    struct registration *registration = registration_in(v[0].i32);
    int level = level_of(v[1].i32), safety = 0;
    uint32_t function = (uint32_t)v[4].i32;
    MPI_Info info;
    if (registration == NULL || !tool_object_lives(&registration->object)) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID_HANDLE;
    } else if (level < 0 || !constant_in(constants_tool_safety, v[1].i32, &safety) || !info_in(v[2].i32, &info) ||
               (function != 0 && !guest_callable(function, "iiii:"))) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID;
    } else {
        struct function *called = &registration->called[level];
        *called = (struct function){registration, function, (uint32_t)v[3].i32};
        v[0].i32 = error_out(MPI_T_event_register_callback(registration->host, (MPI_T_cb_safety)safety, info, called,
                                                           function == 0 ? NULL : event_happened));
    }
    return NULL;
}

IMPORT(MPI_T_event_set_dropped_handler) {
    ENTER_TOOL("MPI_T_event_set_dropped_handler")
    struct registration *registration = registration_in(v[0].i32);
    uint32_t function = (uint32_t)v[1].i32;
    if (registration == NULL || !tool_object_lives(&registration->object)) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID_HANDLE;
    } else if (function != 0 && !guest_callable(function, "Iiiii:")) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID;
    } else {
        registration->dropped = (struct function){registration, function, 0};
        v[0].i32 =
            error_out(MPI_T_event_set_dropped_handler(registration->host, function == 0 ? NULL : events_dropped));
    }
    return NULL;
}

/* --- information about registrations ------------------------------------------------------------------------------- */

/* Checks of the four; `level_at` is -1 where there is none. */
static struct registration *informed(wasmtime_val_raw_t *v, int level_at, int *safety) {
    struct registration *registration = registration_in(v[0].i32);
    if (registration == NULL || !tool_object_lives(&registration->object)) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID_HANDLE;
        return NULL;
    }
    if (level_at >= 0 && !constant_in(constants_tool_safety, v[level_at].i32, safety)) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID;
        return NULL;
    }
    return registration;
}

static wasm_trap_t *information_out(wasmtime_val_raw_t *v, uint32_t at, MPI_Info info, int code) {
    if (code == MPI_SUCCESS) {
        put32(at, (int32_t)info_out(info));
    }
    v[0].i32 = error_out(code);
    return NULL;
}

IMPORT(MPI_T_event_handle_get_info) {
    ENTER_TOOL("MPI_T_event_handle_get_info")
    uint32_t at = (uint32_t)v[1].i32;
    MPI_Info info = MPI_INFO_NULL;
    struct registration *registration = informed(v, -1, NULL);
    if (registration == NULL) {
        return NULL;
    }
    if (!room(at, 1, 4)) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID;
        return NULL;
    }
    int code = MPI_T_event_handle_get_info(registration->host, &info);
    return information_out(v, at, info, code);
}

IMPORT(MPI_T_event_callback_get_info) {
    ENTER_TOOL("MPI_T_event_callback_get_info")
    uint32_t at = (uint32_t)v[2].i32;
    int safety = 0;
    MPI_Info info = MPI_INFO_NULL;
    struct registration *registration = informed(v, 1, &safety);
    if (registration == NULL) {
        return NULL;
    }
    if (!room(at, 1, 4)) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID;
        return NULL;
    }
    int code = MPI_T_event_callback_get_info(registration->host, (MPI_T_cb_safety)safety, &info);
    return information_out(v, at, info, code);
}

IMPORT(MPI_T_event_handle_set_info) {
    ENTER_TOOL("MPI_T_event_handle_set_info")
    MPI_Info info;
    struct registration *registration = informed(v, -1, NULL);
    if (registration != NULL) {
        v[0].i32 = info_in(v[1].i32, &info) && info != MPI_INFO_NULL
                       ? error_out(MPI_T_event_handle_set_info(registration->host, info))
                       : ABI_MPI_T_ERR_INVALID;
    }
    return NULL;
}

IMPORT(MPI_T_event_callback_set_info) {
    ENTER_TOOL("MPI_T_event_callback_set_info")
    int safety = 0;
    MPI_Info info;
    struct registration *registration = informed(v, 1, &safety);
    if (registration != NULL) {
        v[0].i32 = info_in(v[2].i32, &info) && info != MPI_INFO_NULL
                       ? error_out(MPI_T_event_callback_set_info(registration->host, (MPI_T_cb_safety)safety, info))
                       : ABI_MPI_T_ERR_INVALID;
    }
    return NULL;
}

#else

bool tool_events_close(void) {
    return true;
}

#endif
