/* The tool information interface: performance variables.
 *
 * They are counters, and a guest may write them where the library lets it, but never text: Open MPI's monitoring takes a
 * file name by one.
 */
#include "mpi_tool_variables.h"

static struct handles pvars, sessions;

int32_t pvar_readonly_out(int32_t index, int readonly) {
    struct about about;
    return readonly != 0 || !about_pvar(index, &about) || about.type == MPI_CHAR;
}

/* A session's slot holds its own handle of MPI's. */
struct session {
    MPI_T_pvar_session host;
};

static bool pvar_session_in(int32_t guest_handle, MPI_T_pvar_session *host) {
    struct slot *slot = slot_find(&sessions, (uint32_t)guest_handle);
    if (slot == NULL) {
        return false;
    }
    *host = ((struct session *)slot->extra)->host;
    return true;
}

/* The variable behind a handle that belongs to the session and whose object lives; NULL: there is none. */
static struct variable *pvar_in(int32_t session, int32_t handle) {
    struct variable *variable = variable_in(&pvars, handle);
    return variable != NULL && variable->session == session && tool_object_lives(&variable->object) ? variable : NULL;
}

/* Does every handle of the session still have its object? */
static bool session_lives(int32_t session) {
    for (uint32_t i = 0; i < pvars.used; i++) {
        const struct variable *one = pvars.slots[i].references != 0 ? pvars.slots[i].extra : NULL;
        if (one != NULL && one->session == session && !tool_object_lives(&one->object)) {
            return false;
        }
    }
    return true;
}

/* Do it to one handle or to all of a session: MPI's own value for all is not known to every library that has it in its
 * header. With all of them, those that MPI refuses it for (`except`) are passed over. */
static void pvars_do(wasmtime_val_raw_t *v, int (*act)(MPI_T_pvar_session, MPI_T_pvar_handle), int except) {
    MPI_T_pvar_session session;
    int32_t given = v[0].i32;
    if (!pvar_session_in(given, &session)) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID_SESSION;
        return;
    }
    if (v[1].i32 != ABI_MPI_T_PVAR_ALL_HANDLES) {
        const struct variable *variable = pvar_in(given, v[1].i32);
        v[0].i32 = variable == NULL ? ABI_MPI_T_ERR_INVALID_HANDLE : error_out(act(session, variable->pvar));
        return;
    }
    v[0].i32 = session_lives(given) ? ABI_MPI_SUCCESS : ABI_MPI_T_ERR_INVALID_HANDLE;
    for (uint32_t i = 0; v[0].i32 == ABI_MPI_SUCCESS && i < pvars.used; i++) {
        const struct variable *one = pvars.slots[i].references != 0 ? pvars.slots[i].extra : NULL;
        int code = one != NULL && one->session == given ? act(session, one->pvar) : MPI_SUCCESS;
        v[0].i32 = code == except ? ABI_MPI_SUCCESS : error_out(code);
    }
}

IMPORT(MPI_T_pvar_start) {
    ENTER_TOOL("MPI_T_pvar_start")
    pvars_do(v, MPI_T_pvar_start, MPI_T_ERR_PVAR_NO_STARTSTOP);
    return NULL;
}

IMPORT(MPI_T_pvar_stop) {
    ENTER_TOOL("MPI_T_pvar_stop")
    pvars_do(v, MPI_T_pvar_stop, MPI_T_ERR_PVAR_NO_STARTSTOP);
    return NULL;
}

IMPORT(MPI_T_pvar_reset) {
    ENTER_TOOL("MPI_T_pvar_reset")
    pvars_do(v, MPI_T_pvar_reset, MPI_T_ERR_PVAR_NO_WRITE);
    return NULL;
}

IMPORT(MPI_T_pvar_session_create) {
    ENTER_TOOL("MPI_T_pvar_session_create")
    uint32_t at = (uint32_t)v[0].i32, handle = 0;
    if (!room(at, 1, 4)) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID;
        return NULL;
    }
    struct slot *slot;
    struct session *session = calloc(1, sizeof *session);
    if (session != NULL) {
        handle = slot_new(&sessions, 0, &slot);
    }
    if (handle == 0) {
        free(session);
        v[0].i32 = ABI_MPI_T_ERR_OUT_OF_SESSIONS;
        return NULL;
    }
    slot->extra = session;
    int code = MPI_T_pvar_session_create(&session->host);
    if (code == MPI_SUCCESS) {
        put32(at, (int32_t)handle);
    } else {
        slot_drop(&sessions, handle);
    }
    v[0].i32 = error_out(code);
    return NULL;
}

/* Free one handle; the library hears of it only while the object lives. */
static int pvar_free(MPI_T_pvar_session session, uint32_t handle) {
    struct variable *variable = variable_in(&pvars, (int32_t)handle);
    int code = tool_object_lives(&variable->object) ? MPI_T_pvar_handle_free(session, &variable->pvar) : MPI_SUCCESS;
    slot_drop(&pvars, handle);
    return code;
}

/* Free a session with its handles. One with a dead object among them stays with the library, which would touch it. */
static int session_free(uint32_t handle) {
    MPI_T_pvar_session host;
    bool lives = session_lives((int32_t)handle);
    pvar_session_in((int32_t)handle, &host);
    for (uint32_t i = 0; i < pvars.used; i++) {
        const struct variable *one = pvars.slots[i].references != 0 ? pvars.slots[i].extra : NULL;
        if (one != NULL && one->session == (int32_t)handle) {
            pvar_free(host, slot_handle(&pvars, &pvars.slots[i]));
        }
    }
    int code = lives ? MPI_T_pvar_session_free(&host) : MPI_SUCCESS;
    slot_drop(&sessions, handle);
    return code;
}

IMPORT(MPI_T_pvar_session_free) {
    ENTER_TOOL("MPI_T_pvar_session_free")
    uint32_t at = (uint32_t)v[0].i32;
    MPI_T_pvar_session host;
    if (!room(at, 1, 4) || !pvar_session_in(get32(at), &host)) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID_SESSION;
        return NULL;
    }
    v[0].i32 = error_out(session_free((uint32_t)get32(at)));
    put32(at, ABI_MPI_T_PVAR_SESSION_NULL);
    return NULL;
}

static int pvar_alloc(struct variable *made, int *count) {
    MPI_T_pvar_session session;
    return pvar_session_in(made->session, &session)
               ? MPI_T_pvar_handle_alloc(session, made->index, tool_object_address(&made->object), &made->pvar, count)
               : MPI_T_ERR_INVALID_SESSION;
}

IMPORT(MPI_T_pvar_handle_alloc) {
    ENTER_TOOL("MPI_T_pvar_handle_alloc")
    struct about about;
    MPI_T_pvar_session session;
    struct variable made = {.index = v[1].i32, .session = v[0].i32};
    v[0].i32 = !pvar_session_in(made.session, &session) ? ABI_MPI_T_ERR_INVALID_SESSION
               : !about_pvar(made.index, &about)        ? ABI_MPI_T_ERR_INVALID_INDEX
                                                        : variable_alloc(&pvars, made, &about, &v[2], pvar_alloc);
    return NULL;
}

IMPORT(MPI_T_pvar_handle_free) {
    ENTER_TOOL("MPI_T_pvar_handle_free")
    MPI_T_pvar_session session;
    uint32_t at = (uint32_t)v[1].i32;
    if (!pvar_session_in(v[0].i32, &session)) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID_SESSION;
        return NULL;
    }
    struct variable *variable = room(at, 1, 4) ? variable_in(&pvars, get32(at)) : NULL;
    if (variable == NULL || variable->session != v[0].i32) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID_HANDLE;
        return NULL;
    }
    v[0].i32 = error_out(pvar_free(session, (uint32_t)get32(at)));
    put32(at, ABI_MPI_T_PVAR_HANDLE_NULL);
    return NULL;
}

/* MPI_T_pvar_read and _readreset differ in the function alone. */
static void pvar_read(wasmtime_val_raw_t *v, int (*read)(MPI_T_pvar_session, MPI_T_pvar_handle, void *)) {
    MPI_T_pvar_session session;
    uint32_t at = (uint32_t)v[2].i32;
    if (!pvar_session_in(v[0].i32, &session)) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID_SESSION;
        return;
    }
    struct variable *variable = pvar_in(v[0].i32, v[1].i32);
    if (variable == NULL) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID_HANDLE;
        return;
    }
    char *value = value_fits(variable, at) ? value_memory(variable) : NULL;
    if (value == NULL) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID;
        return;
    }
    int code = read(session, variable->pvar, value);
    if (code == MPI_SUCCESS) {
        value_out(variable, at, value);
    }
    free(value);
    v[0].i32 = error_out(code);
}

IMPORT(MPI_T_pvar_read) {
    ENTER_TOOL("MPI_T_pvar_read")
    pvar_read(v, MPI_T_pvar_read);
    return NULL;
}

IMPORT(MPI_T_pvar_readreset) {
    ENTER_TOOL("MPI_T_pvar_readreset")
    pvar_read(v, MPI_T_pvar_readreset);
    return NULL;
}

IMPORT(MPI_T_pvar_write) {
    ENTER_TOOL("MPI_T_pvar_write")
    MPI_T_pvar_session session;
    uint32_t at = (uint32_t)v[2].i32;
    if (!pvar_session_in(v[0].i32, &session)) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID_SESSION;
        return NULL;
    }
    struct variable *variable = pvar_in(v[0].i32, v[1].i32);
    struct about about;
    if (variable == NULL) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID_HANDLE;
        return NULL;
    }
    if (variable->text || !about_pvar(variable->index, &about) || about.readonly) {
        v[0].i32 = ABI_MPI_T_ERR_PVAR_NO_WRITE;
        return NULL;
    }
    char *value = value_fits(variable, at) ? value_memory(variable) : NULL;
    if (value == NULL) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID;
        return NULL;
    }
    memcpy(value, guest.base + at, variable->bytes);
    v[0].i32 = error_out(MPI_T_pvar_write(session, variable->pvar, value));
    free(value);
    return NULL;
}

void pvars_close(void) {
    variables_free(&sessions, session_free);
}
