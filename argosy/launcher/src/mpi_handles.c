/* Tables of handles, and what is kept of communicators and datatypes. See mpi_handles.h. */
#include "mpi_handles.h"

enum { GENERATIONS = 2048 };

uint32_t slot_handle(const struct handles *handles, const struct slot *slot) {
    return slot->generation << HANDLE_INDEX_BITS | (uint32_t)(slot - handles->slots);
}

uint32_t slot_new(struct handles *handles, uint64_t host, struct slot **given) {
    uint32_t index;
    if (handles->first_free != 0) {
        index = handles->first_free - 1;
        handles->first_free = handles->slots[index].next_free;
    } else {
        if (handles->used == handles->capacity) {
            uint32_t capacity = handles->capacity == 0 ? 64 : handles->capacity * 2;
            if (capacity > HANDLE_FIRST_DYNAMIC) {
                return 0;
            }
            struct slot *slots = realloc(handles->slots, capacity * sizeof *slots);
            if (slots == NULL) {
                return 0;
            }
            handles->slots = slots;
            handles->capacity = capacity;
        }
        index = handles->used++;
        handles->slots[index].generation = 1;
        handles->slots[index].mark = 0;
    }
    struct slot *slot = &handles->slots[index];
    slot->host = host;
    slot->extra = NULL;
    slot->references = 1;
    if (given != NULL) {
        *given = slot;
    }
    return slot_handle(handles, slot);
}

void slot_drop(struct handles *handles, uint32_t guest_handle) {
    struct slot *slot = slot_find(handles, guest_handle);
    if (slot != NULL) {
        slot_release(handles, slot);
    }
}

void slot_release(struct handles *handles, struct slot *slot) {
    if (--slot->references != 0) {
        return;
    }
    if (slot->extra != NULL) {
        free(slot->extra);
        slot->extra = NULL;
    }
    slot->generation = slot->generation + 1 == GENERATIONS ? 1 : slot->generation + 1;
    slot->next_free = handles->first_free;
    handles->first_free = (uint32_t)(slot - handles->slots) + 1;
}

struct slot *slot_of_host(struct handles *handles, uint64_t host) {
    for (uint32_t i = 0; i < handles->used; i++) {
        if (handles->slots[i].references != 0 && handles->slots[i].host == host) {
            return &handles->slots[i];
        }
    }
    return NULL;
}

/* --- communicators ---------------------------------------------------------------------------------------------- */

struct comm_info comm_world_info = {.host = MPI_COMM_WORLD};
struct comm_info comm_self_info = {.host = MPI_COMM_SELF};
int mpi_tag_upper_bound = 32767;

struct comm_info *comm_find(uint32_t guest_handle) {
    if (guest_handle < HANDLE_FIRST_DYNAMIC) {
        return guest_handle == ABI_MPI_COMM_WORLD  ? &comm_world_info
               : guest_handle == ABI_MPI_COMM_SELF ? &comm_self_info
                                                   : NULL;
    }
    struct slot *slot = slot_find(&comm_handles, guest_handle);
    if (slot == NULL) {
        return NULL;
    }
    if (slot->extra == NULL) {
        struct comm_info *info = calloc(1, sizeof *info);
        if (info == NULL) {
            return NULL;
        }
        info->host = comm_unpack(slot->host);
        slot->extra = info;
    }
    struct comm_info *info = slot->extra;
    if (UNLIKELY(info->pending != 0)) { /* libraries do not see that what they make is not made yet */
        if (slot_find(&request_handles, info->pending) != NULL) {
            return NULL;
        }
        info->pending = 0;
    }
    slot->host = comm_pack(info->host); /* an MPI_Comm_idup may just have written it */
    return info->host == MPI_COMM_NULL ? NULL : info;
}

void comm_drop(int32_t guest_handle) {
    struct slot *slot = slot_find(&comm_handles, (uint32_t)guest_handle);
    struct comm_info *info = slot == NULL ? NULL : slot->extra;
    if (info != NULL && info->pinned) {
        slot->extra = NULL;
    }
    slot_drop(&comm_handles, (uint32_t)guest_handle);
}

struct comm_info *comm_info_slowly(struct comm_info *info) {
    int inter;
    if (!mpi_world && (info == &comm_world_info || info == &comm_self_info)) {
        return NULL;
    }
    if (MPI_Comm_test_inter(info->host, &inter) != MPI_SUCCESS ||
        MPI_Comm_rank(info->host, &info->rank) != MPI_SUCCESS ||
        MPI_Comm_size(info->host, &info->size) != MPI_SUCCESS) {
        return NULL;
    }
    info->inter = inter != 0;
    info->peers = info->size;
    if (info->inter && MPI_Comm_remote_size(info->host, &info->peers) != MPI_SUCCESS) {
        return NULL;
    }
    info->measured = true;
    return info;
}

wasm_trap_t *comm_answer(wasmtime_val_raw_t *v, const char *here, uint32_t at, MPI_Comm made, int code) {
    if (code == MPI_SUCCESS) {
        uint32_t handle = comm_out(made);
        if (handle == 0) {
            return guest_trap("%s: no room for another MPI_Comm", here);
        }
        put32(at, (int32_t)handle);
    }
    v[0].i32 = error_out(code);
    return NULL;
}

bool comm_neighbours(struct comm_info *info) {
    if (info->neighbours_measured) {
        return info->in_degree >= 0;
    }
    int kind = MPI_UNDEFINED, dimensions, weighted;
    info->in_degree = info->out_degree = -1;
    if (info->inter || MPI_Topo_test(info->host, &kind) != MPI_SUCCESS) {
        kind = MPI_UNDEFINED;
    }
    if (kind == MPI_CART && MPI_Cartdim_get(info->host, &dimensions) == MPI_SUCCESS) {
        info->in_degree = info->out_degree = 2 * dimensions;
    } else if (kind == MPI_GRAPH &&
               MPI_Graph_neighbors_count(info->host, info->rank, &info->in_degree) == MPI_SUCCESS) {
        info->out_degree = info->in_degree;
    } else if (kind == MPI_DIST_GRAPH) {
        MPI_Dist_graph_neighbors_count(info->host, &info->in_degree, &info->out_degree, &weighted);
    }
    info->topology = info->in_degree < 0 ? MPI_UNDEFINED : kind;
    info->neighbours_measured = true;
    return info->in_degree >= 0;
}

bool root_in(const struct comm_info *info, int32_t root, struct roles *roles) {
    if (!info->inter) {
        *roles = (struct roles){.host_root = root, .root = root == info->rank, .leaf = true};
        return root >= 0 && root < info->size;
    }
    if (root == ABI_MPI_ROOT) {
        *roles = (struct roles){.host_root = MPI_ROOT, .root = true};
        return true;
    }
    if (root == ABI_MPI_PROC_NULL) {
        *roles = (struct roles){.host_root = MPI_PROC_NULL};
        return true;
    }
    *roles = (struct roles){.host_root = root, .leaf = true};
    return root >= 0 && root < info->peers;
}

/* --- datatypes -------------------------------------------------------------------------------------------------- */

struct type_info *type_find(uint32_t guest_handle) {
    if (guest_handle < HANDLE_FIRST_DYNAMIC) {
        if (guest_handle < 0x200 || guest_handle >= 0x400) {
            return NULL;
        }
        struct type_info *info = &type_predefined[guest_handle - 0x200];
        return info->present && info->host != MPI_DATATYPE_NULL ? info : NULL;
    }
    struct slot *slot = slot_find(&datatype_handles, guest_handle);
    if (slot == NULL) {
        return NULL;
    }
    if (slot->extra == NULL) {
        struct type_info *info = calloc(1, sizeof *info);
        if (info == NULL) {
            return NULL;
        }
        info->host = datatype_unpack(slot->host);
        slot->extra = info;
    }
    return slot->extra;
}

uint32_t type_predefined_handle(const struct type_info *info) {
    uintptr_t first = (uintptr_t)type_predefined, place = (uintptr_t)info;
    return place < first || place - first >= sizeof type_predefined ? 0
                                                                     : (uint32_t)((place - first) / sizeof *info) + 0x200;
}

struct type_info *type_info_slowly(struct type_info *info) {
    static uint64_t serials;
    MPI_Count lower, extent, true_lower, true_extent, size;
    if (MPI_Type_get_extent_x(info->host, &lower, &extent) != MPI_SUCCESS ||
        MPI_Type_get_true_extent_x(info->host, &true_lower, &true_extent) != MPI_SUCCESS ||
        MPI_Type_size_x(info->host, &size) != MPI_SUCCESS) {
        return NULL;
    }
    info->lower = lower;
    info->extent = extent;
    info->true_lower = true_lower;
    info->true_extent = true_extent;
    info->size = size;
    info->serial = ++serials;
    info->measured = true;
    return info;
}

uint64_t datatype_drops;

void datatype_drop(int32_t guest_handle) {
    datatype_drops++;
    slot_drop(&datatype_handles, (uint32_t)guest_handle);
}

void type_committed(uint32_t guest_handle) {
    struct type_info *info = type_find(guest_handle);
    if (info != NULL) {
        info->committed = true;
    }
}

/* --- the end of MPI ------------------------------------------------------------------------------------------------ */

void world_end(void) {
    comm_world_info = (struct comm_info){.host = MPI_COMM_WORLD};
    comm_self_info = (struct comm_info){.host = MPI_COMM_SELF};
}

static void drop_all(struct handles *handles, void (*drop)(int32_t)) {
    for (uint32_t i = 0; i < handles->used; i++) {
        if (handles->slots[i].references != 0) {
            handles->slots[i].references = 1;
            drop((int32_t)slot_handle(handles, &handles->slots[i]));
        }
    }
}

void handles_end(void) {
    drop_all(&comm_handles, comm_drop);
    drop_all(&group_handles, group_drop);
    drop_all(&datatype_handles, datatype_drop);
    drop_all(&op_handles, op_drop);
    drop_all(&request_handles, request_forget);
    drop_all(&message_handles, message_drop);
    drop_all(&win_handles, win_drop);
    drop_all(&file_handles, file_drop);
    drop_all(&errhandler_handles, errhandler_drop);
}
