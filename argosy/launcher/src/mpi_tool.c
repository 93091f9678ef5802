/* The tool information interface: control variables, performance variables, enumerations.
 *
 * What a guest may change. Control variables steer the node's MPI library in this process, and some of their values are
 * paths or commands of the node. So a guest reads all of them and writes none, unless whoever starts the job grants it:
 * the environment variable ARGOSY_CVARS of the launcher's process (not of the guest) lists names, separated by commas;
 * "*" grants all but those that hold text, which have to be named. Where there is no grant, MPI_T_cvar_get_info tells
 * the scope MPI_T_SCOPE_READONLY (or _CONSTANT) and MPI_T_cvar_write answers MPI_T_ERR_CVAR_SET_NEVER. Performance
 * variables are counters and may be written where the library lets them, but never text: Open MPI's monitoring takes a
 * file name by one.
 *
 * Invariants.
 * - The node's interface is opened once, by the guest's first MPI_T_init_thread, and stays open: the last
 *   MPI_T_finalize of some libraries (Open MPI 4.1, after MPI_Finalize) brings them down. The guest's own count decides
 *   what it may call; when it falls to 0 all that it left is freed.
 * - Whatever MPI writes goes to memory of the node that is larger than it should need; the guest gets count elements.
 * - A handle whose MPI object is gone is never given to the library again, not even to free it: what the library keeps
 *   for it is left to the end of the process.
 */
#include "mpi_tool.h"

uint32_t tool_opened;
static int level_provided = MPI_THREAD_SINGLE; /* by the node's library */

struct variable {
    struct tool_object object;
    MPI_T_cvar_handle cvar;
    MPI_T_pvar_handle pvar;
    int32_t index;
    int32_t session; /* of a performance variable */
    bool text;
    int count;
    uint64_t bytes; /* of all its elements; 0: of a datatype that the guest does not have */
};

static struct handles cvars, pvars, sessions, enums;

static struct variable *variable_in(struct handles *handles, int32_t guest_handle) {
    struct slot *slot = slot_find(handles, (uint32_t)guest_handle);
    return slot == NULL ? NULL : slot->extra;
}

/* A new handle for a copy of `variable`; 0 when memory is short. */
static uint32_t variable_out(struct handles *handles, const struct variable *variable) {
    struct slot *slot;
    struct variable *kept = malloc(sizeof *kept);
    uint32_t handle = kept == NULL ? 0 : slot_new(handles, 0, &slot);
    if (handle == 0) {
        free(kept);
        return 0;
    }
    *kept = *variable;
    slot->extra = kept;
    return handle;
}

/* --- strings and datatypes ---------------------------------------------------------------------------------------- */

enum { LONGEST_STRING = 1 << 16 };

bool tool_string_open(struct scratch *scratch, uint32_t text_at, uint32_t length_at, struct tool_string *string) {
    *string = (struct tool_string){.text_at = text_at, .length_at = length_at};
    if (length_at != 0) {
        if (!room(length_at, 1, 4)) {
            return false;
        }
        int32_t length = get32(length_at);
        if (length < 0 || (text_at != 0 && !room(text_at, length, 1))) {
            return false;
        }
        string->length = text_at == 0 ? 0 : length < LONGEST_STRING ? length : LONGEST_STRING;
    }
    string->text = scratch_take(scratch, LONGEST_STRING);
    if (string->text != NULL) {
        string->text[0] = 0;
    }
    return string->text != NULL;
}

void tool_string_out(struct tool_string *string) {
    if (string->length_at == 0) {
        return;
    }
    uint32_t given = (uint32_t)get32(string->length_at);
    if (string->text_at != 0 && given > 0 && room(string->text_at, given, 1)) {
        string->text[LONGEST_STRING - 1] = 0;
        put_string(string->text_at, given < LONGEST_STRING ? given : LONGEST_STRING, string->text);
    }
    put32(string->length_at, string->length);
}

struct tool_type {
    MPI_Datatype host;
    uint64_t bytes;
    uint32_t guest;
};

static const struct tool_type *type_known(MPI_Datatype type) {
    static const struct tool_type known[] = {
        {MPI_INT, 4, ABI_MPI_INT},
        {MPI_UNSIGNED, 4, ABI_MPI_UNSIGNED},
        {MPI_UNSIGNED_LONG, sizeof(long), sizeof(long) == 8 ? ABI_MPI_UNSIGNED_LONG_LONG : ABI_MPI_UNSIGNED_LONG},
        {MPI_UNSIGNED_LONG_LONG, 8, ABI_MPI_UNSIGNED_LONG_LONG},
        {MPI_COUNT, 8, ABI_MPI_COUNT},
        {MPI_CHAR, 1, ABI_MPI_CHAR},
        {MPI_DOUBLE, 8, ABI_MPI_DOUBLE},
        {MPI_LONG, sizeof(long), sizeof(long) == 8 ? ABI_MPI_LONG_LONG : ABI_MPI_LONG},
        {MPI_LONG_LONG, 8, ABI_MPI_LONG_LONG},
        {MPI_FLOAT, 4, ABI_MPI_FLOAT},
        {MPI_SHORT, 2, ABI_MPI_SHORT},
        {MPI_UNSIGNED_SHORT, 2, ABI_MPI_UNSIGNED_SHORT},
        {MPI_SIGNED_CHAR, 1, ABI_MPI_SIGNED_CHAR},
        {MPI_UNSIGNED_CHAR, 1, ABI_MPI_UNSIGNED_CHAR},
        {MPI_BYTE, 1, ABI_MPI_BYTE},
        {MPI_C_BOOL, 1, ABI_MPI_C_BOOL},
        {MPI_INT8_T, 1, ABI_MPI_INT8_T},
        {MPI_UINT8_T, 1, ABI_MPI_UINT8_T},
        {MPI_INT16_T, 2, ABI_MPI_INT16_T},
        {MPI_UINT16_T, 2, ABI_MPI_UINT16_T},
        {MPI_INT32_T, 4, ABI_MPI_INT32_T},
        {MPI_UINT32_T, 4, ABI_MPI_UINT32_T},
        {MPI_INT64_T, 8, ABI_MPI_INT64_T},
        {MPI_UINT64_T, 8, ABI_MPI_UINT64_T},
        {MPI_AINT, sizeof(MPI_Aint), ABI_MPI_INT64_T},
        {MPI_OFFSET, 8, ABI_MPI_OFFSET},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i].host == type) {
            return &known[i];
        }
    }
    return NULL;
}

uint64_t tool_type_bytes(MPI_Datatype type) {
    const struct tool_type *known = type_known(type);
    return known == NULL ? 0 : known->bytes;
}

uint32_t tool_type_out(MPI_Datatype type) {
    const struct tool_type *known = type_known(type);
    return known == NULL ? ABI_MPI_DATATYPE_NULL : known->guest;
}

/* --- what the library says of a variable --------------------------------------------------------------------------- */

struct about {
    char name[512];
    MPI_Datatype type;
    MPI_T_enum enumeration;
    int binding, scope, readonly;
};

static bool about_cvar(int32_t index, struct about *about) {
    int length = sizeof about->name, none = 0, verbosity;
    *about = (struct about){.type = MPI_DATATYPE_NULL, .enumeration = MPI_T_ENUM_NULL};
    return tool_index_in(MPI_T_cvar_get_num, index) &&
           MPI_T_cvar_get_info(index, about->name, &length, &verbosity, &about->type, &about->enumeration, NULL, &none,
                               &about->binding, &about->scope) == MPI_SUCCESS;
}

static bool about_pvar(int32_t index, struct about *about) {
    int length = sizeof about->name, none = 0, verbosity, class, continuous, atomic;
    *about = (struct about){.type = MPI_DATATYPE_NULL, .enumeration = MPI_T_ENUM_NULL};
    return tool_index_in(MPI_T_pvar_get_num, index) &&
           MPI_T_pvar_get_info(index, about->name, &length, &verbosity, &class, &about->type, &about->enumeration, NULL,
                               &none, &about->binding, &about->readonly, &continuous, &atomic) == MPI_SUCCESS;
}

static bool granted(const struct about *about) {
    const char *list = getenv("ARGOSY_CVARS");
    size_t length = strlen(about->name);
    while (list != NULL && *list != 0) {
        size_t one = strcspn(list, ",");
        if ((one == length && strncmp(list, about->name, one) == 0) ||
            (one == 1 && *list == '*' && about->type != MPI_CHAR)) {
            return true;
        }
        list += list[one] == ',' ? one + 1 : one;
    }
    return false;
}

int32_t cvar_scope_out(int32_t index, int scope) {
    struct about about;
    bool fixed = scope == MPI_T_SCOPE_CONSTANT || scope == MPI_T_SCOPE_READONLY;
    return fixed || (about_cvar(index, &about) && granted(&about)) ? constant_out(constants_tool_scopes, scope)
                                                                   : ABI_MPI_T_SCOPE_READONLY;
}

int32_t pvar_readonly_out(int32_t index, int readonly) {
    struct about about;
    return readonly != 0 || !about_pvar(index, &about) || about.type == MPI_CHAR;
}

/* --- MPI objects --------------------------------------------------------------------------------------------------- */

#define OBJECT(name, type)                                                                                             \
    static bool name##_object(int32_t guest_handle, uint64_t *host) {                                                  \
        MPI_##type value;                                                                                              \
        if (!name##_in(guest_handle, &value)) {                                                                        \
            return false;                                                                                              \
        }                                                                                                              \
        *host = name##_pack(value);                                                                                    \
        return true;                                                                                                   \
    }
OBJECT(datatype, Datatype)
OBJECT(errhandler, Errhandler)
OBJECT(file, File)
OBJECT(group, Group)
OBJECT(op, Op)
OBJECT(request, Request)
OBJECT(win, Win)
OBJECT(message, Message)
OBJECT(info, Info)

/* Libraries count a communicator's peers where they should count its ranks. */
static bool comm_object(int32_t guest_handle, uint64_t *host) {
    const struct comm_info *info = comm_info_in(guest_handle);
    *host = info == NULL ? 0 : comm_pack(info->host);
    return info != NULL && info->peers >= info->size;
}

static bool object_host(int binding, int32_t guest_handle, uint64_t *host) {
    static const struct {
        int binding;
        uint32_t null;
        bool (*find)(int32_t, uint64_t *);
    } kinds[] = {
        {MPI_T_BIND_MPI_COMM, ABI_MPI_COMM_NULL, comm_object},
        {MPI_T_BIND_MPI_DATATYPE, ABI_MPI_DATATYPE_NULL, datatype_object},
        {MPI_T_BIND_MPI_ERRHANDLER, ABI_MPI_ERRHANDLER_NULL, errhandler_object},
        {MPI_T_BIND_MPI_FILE, ABI_MPI_FILE_NULL, file_object},
        {MPI_T_BIND_MPI_GROUP, ABI_MPI_GROUP_NULL, group_object},
        {MPI_T_BIND_MPI_OP, ABI_MPI_OP_NULL, op_object},
        {MPI_T_BIND_MPI_REQUEST, ABI_MPI_REQUEST_NULL, request_object},
        {MPI_T_BIND_MPI_WIN, ABI_MPI_WIN_NULL, win_object},
        {MPI_T_BIND_MPI_MESSAGE, ABI_MPI_MESSAGE_NULL, message_object},
        {MPI_T_BIND_MPI_INFO, ABI_MPI_INFO_NULL, info_object},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (kinds[i].binding == binding) {
            return mpi_phase != PHASE_OUTSIDE && (uint32_t)guest_handle != kinds[i].null &&
                   kinds[i].find(guest_handle, host);
        }
    }
    return false;
}

bool tool_object_in(int binding, uint32_t address, struct tool_object *object) {
    *object = (struct tool_object){.binding = binding};
    if (binding == MPI_T_BIND_NO_OBJECT) {
        return true;
    }
    if (address == 0 || !room(address, 1, 4)) {
        return false;
    }
    object->guest = get32(address);
    return object_host(binding, object->guest, &object->host);
}

bool tool_object_lives(const struct tool_object *object) {
    uint64_t host;
    return object->binding == MPI_T_BIND_NO_OBJECT ||
           (object_host(object->binding, object->guest, &host) && host == object->host);
}

/* --- enumerations -------------------------------------------------------------------------------------------------- */

struct enumeration {
    MPI_T_enum host;
    enum enum_of of;
    int32_t index;
};

static bool enum_lives(const struct enumeration *one) {
    struct about about;
    switch (one->of) {
    case ENUM_OF_CVAR: return about_cvar(one->index, &about) && about.enumeration == one->host;
    case ENUM_OF_PVAR: return about_pvar(one->index, &about) && about.enumeration == one->host;
    default: return true; /* an event's stays as long as the interface */
    }
}

uint32_t tool_enum_out(MPI_T_enum host, enum enum_of of, int32_t index) {
    if (host == MPI_T_ENUM_NULL) {
        return ABI_MPI_T_ENUM_NULL;
    }
    for (uint32_t i = 0; i < enums.used; i++) {
        struct enumeration *known = enums.slots[i].extra;
        if (known->host == host) {
            *known = (struct enumeration){host, of, index};
            return slot_handle(&enums, &enums.slots[i]);
        }
    }
    struct slot *slot;
    struct enumeration *made = malloc(sizeof *made);
    uint32_t handle = made == NULL ? 0 : slot_new(&enums, 0, &slot);
    if (handle == 0) {
        free(made);
        return ABI_MPI_T_ENUM_NULL;
    }
    *made = (struct enumeration){host, of, index};
    slot->extra = made;
    return handle;
}

bool tool_enum_in(int32_t guest_handle, MPI_T_enum *host) {
    struct slot *slot = slot_find(&enums, (uint32_t)guest_handle);
    const struct enumeration *one = slot == NULL ? NULL : slot->extra;
    if (one == NULL || !enum_lives(one)) {
        return false;
    }
    *host = one->host;
    return true;
}

bool tool_item_in(MPI_T_enum host, int32_t index) {
    int count = 0, none = 0;
    return index >= 0 && MPI_T_enum_get_info(host, &count, NULL, &none) == MPI_SUCCESS && index < count;
}

/* --- values -------------------------------------------------------------------------------------------------------- */

/* Memory for a value: libraries write text without asking for its room. */
static void *value_memory(const struct variable *variable) {
    return calloc(1, variable->bytes + (variable->text ? 1 << 20 : 64));
}

/* Room in the guest for the whole value. */
static bool value_fits(const struct variable *variable, uint32_t at) {
    return variable->bytes > 0 && variable->bytes <= UINT32_MAX && at != 0 && room(at, (int64_t)variable->bytes, 1);
}

static void value_out(const struct variable *variable, uint32_t at, const char *value) {
    if (variable->text) {
        put_string(at, variable->bytes, value);
    } else {
        memcpy(guest.base + at, value, variable->bytes);
    }
}

static void measure(struct variable *variable, MPI_Datatype type, int count) {
    variable->text = type == MPI_CHAR;
    variable->count = count;
    variable->bytes = count < 0 ? 0 : (uint64_t)count * tool_type_bytes(type);
}

/* --- control variables --------------------------------------------------------------------------------------------- */

IMPORT(MPI_T_cvar_handle_alloc) {
    ENTER_TOOL("MPI_T_cvar_handle_alloc")
    struct about about;
    struct variable made = {.index = v[0].i32};
    uint32_t handle_at = (uint32_t)v[2].i32, count_at = (uint32_t)v[3].i32;
    int count = 0;
    int32_t answer = !about_cvar(v[0].i32, &about)                                       ? ABI_MPI_T_ERR_INVALID_INDEX
                     : !room(handle_at, 1, 4) || !room(count_at, 1, 4)                   ? ABI_MPI_T_ERR_INVALID
                     : !tool_object_in(about.binding, (uint32_t)v[1].i32, &made.object) ? ABI_MPI_T_ERR_INVALID_HANDLE
                                                                                         : 0;
    if (answer == 0) {
        /* The handle's own copy of the object is where MPI finds it; so it is made first. */
        uint32_t handle = variable_out(&cvars, &made);
        struct variable *kept = handle == 0 ? NULL : variable_in(&cvars, (int32_t)handle);
        int code = kept == NULL ? MPI_T_ERR_OUT_OF_HANDLES
                                : MPI_T_cvar_handle_alloc(v[0].i32, tool_object_address(&kept->object), &kept->cvar, &count);
        answer = error_out(code);
        if (code == MPI_SUCCESS) {
            measure(kept, about.type, count);
            put32(handle_at, (int32_t)handle);
            put32(count_at, count);
        } else if (kept != NULL) {
            slot_drop(&cvars, handle);
        }
    }
    v[0].i32 = answer;
    return NULL;
}

static int cvar_free(uint32_t handle) {
    struct variable *variable = variable_in(&cvars, (int32_t)handle);
    int code = tool_object_lives(&variable->object) ? MPI_T_cvar_handle_free(&variable->cvar) : MPI_SUCCESS;
    slot_drop(&cvars, handle);
    return code;
}

IMPORT(MPI_T_cvar_handle_free) {
    ENTER_TOOL("MPI_T_cvar_handle_free")
    uint32_t at = (uint32_t)v[0].i32;
    if (!room(at, 1, 4) || variable_in(&cvars, get32(at)) == NULL) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID_HANDLE;
        return NULL;
    }
    v[0].i32 = error_out(cvar_free((uint32_t)get32(at)));
    put32(at, ABI_MPI_T_CVAR_HANDLE_NULL);
    return NULL;
}

IMPORT(MPI_T_cvar_read) {
    ENTER_TOOL("MPI_T_cvar_read")
    struct variable *variable = variable_in(&cvars, v[0].i32);
    uint32_t at = (uint32_t)v[1].i32;
    if (variable == NULL || !tool_object_lives(&variable->object)) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID_HANDLE;
        return NULL;
    }
    char *value = value_fits(variable, at) ? value_memory(variable) : NULL;
    if (value == NULL) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID;
        return NULL;
    }
    int code = MPI_T_cvar_read(variable->cvar, value);
    if (code == MPI_SUCCESS) {
        value_out(variable, at, value);
    }
    free(value);
    v[0].i32 = error_out(code);
    return NULL;
}

IMPORT(MPI_T_cvar_write) {
    ENTER_TOOL("MPI_T_cvar_write")
    struct variable *variable = variable_in(&cvars, v[0].i32);
    uint32_t at = (uint32_t)v[1].i32;
    struct about about;
    if (variable == NULL || !tool_object_lives(&variable->object)) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID_HANDLE;
        return NULL;
    }
    if (!about_cvar(variable->index, &about) || !granted(&about)) {
        v[0].i32 = ABI_MPI_T_ERR_CVAR_SET_NEVER;
        return NULL;
    }
    uint64_t length = variable->bytes;
    bool right = variable->text ? at != 0 && guest_string(at, variable->bytes, &length) != NULL : value_fits(variable, at);
    char *value = right ? value_memory(variable) : NULL;
    if (value == NULL) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID;
        return NULL;
    }
    memcpy(value, guest.base + at, length);
    v[0].i32 = error_out(MPI_T_cvar_write(variable->cvar, value));
    free(value);
    return NULL;
}

/* --- performance variables ------------------------------------------------------------------------------------------ */

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

IMPORT(MPI_T_pvar_handle_alloc) {
    ENTER_TOOL("MPI_T_pvar_handle_alloc")
    struct about about;
    MPI_T_pvar_session session;
    struct variable made = {.index = v[1].i32, .session = v[0].i32};
    uint32_t handle_at = (uint32_t)v[3].i32, count_at = (uint32_t)v[4].i32;
    int count = 0;
    int32_t answer = !pvar_session_in(v[0].i32, &session)              ? ABI_MPI_T_ERR_INVALID_SESSION
                     : !about_pvar(v[1].i32, &about)                   ? ABI_MPI_T_ERR_INVALID_INDEX
                     : !room(handle_at, 1, 4) || !room(count_at, 1, 4) ? ABI_MPI_T_ERR_INVALID
                     : !tool_object_in(about.binding, (uint32_t)v[2].i32, &made.object) ? ABI_MPI_T_ERR_INVALID_HANDLE
                                                                                         : 0;
    if (answer == 0) {
        uint32_t handle = variable_out(&pvars, &made);
        struct variable *kept = handle == 0 ? NULL : variable_in(&pvars, (int32_t)handle);
        int code = kept == NULL ? MPI_T_ERR_OUT_OF_HANDLES
                                : MPI_T_pvar_handle_alloc(session, v[1].i32, tool_object_address(&kept->object),
                                                          &kept->pvar, &count);
        answer = error_out(code);
        if (code == MPI_SUCCESS) {
            measure(kept, about.type, count);
            put32(handle_at, (int32_t)handle);
            put32(count_at, count);
        } else if (kept != NULL) {
            slot_drop(&pvars, handle);
        }
    }
    v[0].i32 = answer;
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

/* --- beginning and end ---------------------------------------------------------------------------------------------- */

IMPORT(MPI_T_init_thread) {
    int required;
    uint32_t at = (uint32_t)v[1].i32;
    if (!constant_in(constants_thread_levels, v[0].i32, &required) || !room(at, 1, 4) || tool_opened == UINT32_MAX) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID;
        return NULL;
    }
    static bool opened;
    if (!opened) {
        int code = MPI_T_init_thread(MPI_THREAD_SERIALIZED, &level_provided);
        if (code != MPI_SUCCESS) {
            v[0].i32 = error_out(code);
            return NULL;
        }
        opened = true;
    }
    tool_opened++;
    int most = level_provided < MPI_THREAD_SERIALIZED ? level_provided : MPI_THREAD_SERIALIZED;
    put32(at, constant_out(constants_thread_levels, required < most ? required : most));
    v[0].i32 = ABI_MPI_SUCCESS;
    return NULL;
}

static void free_all(struct handles *handles, int (*free_one)(uint32_t)) {
    for (uint32_t i = 0; i < handles->used; i++) {
        if (handles->slots[i].references != 0) {
            free_one(slot_handle(handles, &handles->slots[i]));
        }
    }
}

IMPORT(MPI_T_finalize) {
    ENTER_TOOL("MPI_T_finalize")
    if (tool_opened == 1) {
        if (!tool_events_close()) {
            v[0].i32 = ABI_MPI_T_ERR_NOT_ACCESSIBLE;
            return NULL;
        }
        free_all(&sessions, session_free);
        free_all(&cvars, cvar_free);
    }
    tool_opened--;
    v[0].i32 = ABI_MPI_SUCCESS;
    return NULL;
}
