/* The tool information interface's events: what one consists of, and the one that the guest is looking at.
 *
 * Invariants.
 * - An instance's handle dies with the call of the guest's function that gave it (mpi_tool_events.c).
 * - Whatever MPI writes of an event goes to memory of the node that is larger than it should need.
 */
#include "mpi_tool.h"

#if HAVE_MPI_T_event_handle_alloc

enum { MOST_ELEMENTS = 4096 };

/* --- what an event consists of -------------------------------------------------------------------------------------- */

struct layout {
    int count;
    MPI_Datatype *types;
    MPI_Aint *displacements;
    uint64_t bytes; /* to the end of the last element */
};

static bool layout_of(struct scratch *scratch, int32_t event, struct layout *layout) {
    int none = 0, verbosity, bind;
    *layout = (struct layout){0};
    if (!tool_index_in(MPI_T_event_get_num, event) ||
        MPI_T_event_get_info(event, NULL, &none, &verbosity, NULL, NULL, &layout->count, NULL, NULL, NULL, &none,
                             &bind) != MPI_SUCCESS ||
        layout->count < 0 || layout->count > MOST_ELEMENTS) {
        return false;
    }
    layout->types = scratch_take(scratch, (uint64_t)layout->count * sizeof *layout->types);
    layout->displacements = scratch_take(scratch, (uint64_t)layout->count * sizeof *layout->displacements);
    int count = layout->count;
    if (layout->types == NULL || layout->displacements == NULL ||
        MPI_T_event_get_info(event, NULL, &none, &verbosity, layout->types, layout->displacements, &count, NULL, NULL,
                             NULL, &none, &bind) != MPI_SUCCESS ||
        count != layout->count) {
        return false;
    }
    for (int i = 0; i < count; i++) {
        if (layout->displacements[i] < 0 || layout->displacements[i] > 1 << 20) {
            return false;
        }
        uint64_t end = (uint64_t)layout->displacements[i] + tool_type_bytes(layout->types[i]);
        layout->bytes = end > layout->bytes ? end : layout->bytes;
    }
    return true;
}

IMPORT(MPI_T_event_get_info) {
    ENTER_TOOL("MPI_T_event_get_info")
    struct scratch scratch = {NULL};
    struct tool_string name, description;
    struct layout layout;
    uint32_t types_at = (uint32_t)v[4].i32, displacements_at = (uint32_t)v[5].i32, count_at = (uint32_t)v[6].i32;
    uint32_t single[] = {(uint32_t)v[3].i32, count_at, (uint32_t)v[7].i32, (uint32_t)v[8].i32, (uint32_t)v[11].i32};
    int32_t answer = layout_of(&scratch, v[0].i32, &layout) ? 0 : ABI_MPI_T_ERR_INVALID_INDEX;
    for (size_t i = 0; answer == 0 && i < sizeof single / sizeof *single; i++) {
        answer = single[i] != 0 && !room(single[i], 1, 4) ? ABI_MPI_T_ERR_INVALID : 0;
    }
    int32_t most = answer == 0 && count_at != 0 ? get32(count_at) : 0;
    most = most > layout.count ? layout.count : most;
    if (answer == 0 &&
        (most < 0 || (types_at != 0 && !room(types_at, most, 4)) ||
         (displacements_at != 0 && !room(displacements_at, most, 4)) ||
         !tool_string_open(&scratch, (uint32_t)v[1].i32, (uint32_t)v[2].i32, &name) ||
         !tool_string_open(&scratch, (uint32_t)v[9].i32, (uint32_t)v[10].i32, &description))) {
        answer = ABI_MPI_T_ERR_INVALID;
    }
    if (answer == 0) {
        int verbosity = 0, bind = 0, none = 0;
        MPI_T_enum enumeration = MPI_T_ENUM_NULL;
        MPI_Info info = MPI_INFO_NULL;
        int code = MPI_T_event_get_info(v[0].i32, name.text, &name.length, &verbosity, NULL, NULL, &none, &enumeration,
                                        &info, description.text, &description.length, &bind);
        answer = error_out(code);
        if (code == MPI_SUCCESS) {
            int32_t values[] = {constant_out(constants_tool_verbosity, verbosity), layout.count,
                                (int32_t)tool_enum_out(enumeration, ENUM_OF_EVENT, v[0].i32),
                                single[3] == 0 ? 0 : (int32_t)info_out(info), constant_out(constants_tool_bindings, bind)};
            for (size_t i = 0; i < sizeof single / sizeof *single; i++) {
                if (single[i] != 0) {
                    put32(single[i], values[i]);
                }
            }
            for (int i = 0; i < most; i++) {
                if (types_at != 0) {
                    put32(types_at + (uint32_t)i * 4, (int32_t)tool_type_out(layout.types[i]));
                }
                if (displacements_at != 0) {
                    put32(displacements_at + (uint32_t)i * 4, (int32_t)layout.displacements[i]);
                }
            }
            tool_string_out(&name);
            tool_string_out(&description);
        }
    }
    scratch_free(&scratch);
    v[0].i32 = answer;
    return NULL;
}

/* --- instances ------------------------------------------------------------------------------------------------------- */

/* An event that the guest is looking at. */
struct instance {
    MPI_T_event_instance host;
    int32_t event;
};
static struct handles instances;

uint32_t tool_instance_out(MPI_T_event_instance host, int32_t event) {
    struct slot *slot;
    struct instance *instance = malloc(sizeof *instance);
    uint32_t handle = instance == NULL ? 0 : slot_new(&instances, 0, &slot);
    if (handle == 0) {
        free(instance);
        return 0;
    }
    *instance = (struct instance){host, event};
    slot->extra = instance;
    return handle;
}

void tool_instance_drop(uint32_t handle) {
    slot_drop(&instances, handle);
}

static const struct instance *instance_in(int32_t guest_handle) {
    struct slot *slot = slot_find(&instances, (uint32_t)guest_handle);
    return slot == NULL ? NULL : slot->extra;
}

/* What a library writes may be longer than what it tells. */
static char *event_memory(struct scratch *scratch, uint64_t bytes) {
    char *memory = scratch_take(scratch, bytes + 4096);
    if (memory != NULL) {
        memset(memory, 0, bytes + 4096);
    }
    return memory;
}

IMPORT(MPI_T_event_read) {
    ENTER_TOOL("MPI_T_event_read")
    struct scratch scratch = {NULL};
    const struct instance *instance = instance_in(v[0].i32);
    struct layout layout;
    int32_t element = v[1].i32;
    uint32_t at = (uint32_t)v[2].i32;
    if (instance == NULL || !layout_of(&scratch, instance->event, &layout)) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID_HANDLE;
    } else if (element < 0 || element >= layout.count) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID_INDEX;
    } else {
        uint64_t bytes = tool_type_bytes(layout.types[element]);
        char *value = bytes == 0 || at == 0 || !room(at, 1, bytes) ? NULL : event_memory(&scratch, bytes);
        int code = value == NULL ? MPI_T_ERR_INVALID : MPI_T_event_read(instance->host, element, value);
        if (code == MPI_SUCCESS) {
            memcpy(guest.base + at, value, bytes);
        }
        v[0].i32 = error_out(code);
    }
    scratch_free(&scratch);
    return NULL;
}

IMPORT(MPI_T_event_copy) {
    ENTER_TOOL("MPI_T_event_copy")
    struct scratch scratch = {NULL};
    const struct instance *instance = instance_in(v[0].i32);
    struct layout layout;
    uint32_t at = (uint32_t)v[1].i32;
    if (instance == NULL || !layout_of(&scratch, instance->event, &layout)) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID_HANDLE;
    } else {
        char *value = at == 0 || !room(at, 1, layout.bytes) ? NULL : event_memory(&scratch, layout.bytes);
        int code = value == NULL ? MPI_T_ERR_INVALID : MPI_T_event_copy(instance->host, value);
        if (code == MPI_SUCCESS) {
            memcpy(guest.base + at, value, layout.bytes);
        }
        v[0].i32 = error_out(code);
    }
    scratch_free(&scratch);
    return NULL;
}

IMPORT(MPI_T_event_get_timestamp) {
    ENTER_TOOL("MPI_T_event_get_timestamp")
    const struct instance *instance = instance_in(v[0].i32);
    uint32_t at = (uint32_t)v[1].i32;
    if (instance == NULL || !room(at, 1, 8)) {
        v[0].i32 = instance == NULL ? ABI_MPI_T_ERR_INVALID_HANDLE : ABI_MPI_T_ERR_INVALID;
        return NULL;
    }
    MPI_Count stamp = 0;
    int code = MPI_T_event_get_timestamp(instance->host, &stamp);
    if (code == MPI_SUCCESS) {
        put64(at, (int64_t)stamp);
    }
    v[0].i32 = error_out(code);
    return NULL;
}

IMPORT(MPI_T_event_get_source) {
    ENTER_TOOL("MPI_T_event_get_source")
    const struct instance *instance = instance_in(v[0].i32);
    uint32_t at = (uint32_t)v[1].i32;
    if (instance == NULL || !room(at, 1, 4)) {
        v[0].i32 = instance == NULL ? ABI_MPI_T_ERR_INVALID_HANDLE : ABI_MPI_T_ERR_INVALID;
        return NULL;
    }
    int source = 0;
    int code = MPI_T_event_get_source(instance->host, &source);
    if (code == MPI_SUCCESS) {
        put32(at, source);
    }
    v[0].i32 = error_out(code);
    return NULL;
}

#endif
