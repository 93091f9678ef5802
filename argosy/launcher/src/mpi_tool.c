/* The tool information interface: its beginning and end, strings, datatypes and MPI objects.
 *
 * Invariants.
 * - The node's interface is opened once, by the guest's first MPI_T_init_thread, and stays open: the last
 *   MPI_T_finalize of some libraries (Open MPI 4.1, after MPI_Finalize) brings them down. The guest's own count decides
 *   what it may call; when it falls to 0 all that it left is freed.
 */
#include "mpi_tool_variables.h"

uint32_t tool_opened;
static int level_provided = MPI_THREAD_SINGLE; /* by the node's library */

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

IMPORT(MPI_T_finalize) {
    ENTER_TOOL("MPI_T_finalize")
    if (tool_opened == 1) {
        if (!tool_events_close()) {
            v[0].i32 = ABI_MPI_T_ERR_NOT_ACCESSIBLE;
            return NULL;
        }
        pvars_close();
        cvars_close();
    }
    tool_opened--;
    v[0].i32 = ABI_MPI_SUCCESS;
    return NULL;
}
