/* Requests: one, and what is known of it.
 *
 * Invariants.
 * - A request's slot owns the arrays that its call needs (counts, displacements, datatypes) until MPI is done with them:
 *   until the request has completed, or for good when the guest frees it while it may be active.
 * - A request that restarts is `active` from its start until a call has completed it. Libraries do not look whether it is
 *   when it is started again, freed, or given a partition once more, and end in their own assertions: we do.
 * - A request that reads or writes a file stays until that is closed, also when the guest frees it.
 * - A request that gives partitions is freed on the node at the end only: who takes them has its address in the sender's
 *   memory from the first handshake on, and MPICH writes there at whatever start of the receiver's.
 */
#include "mpi_buffers.h"
#include "mpi_private.h"

uint32_t request_out_with(MPI_Request host, struct scratch *owned, enum request_sort sort, int32_t parts) {
    if (host == MPI_REQUEST_NULL) {
        return ABI_MPI_REQUEST_NULL;
    }
    struct slot *slot;
    uint32_t made = slot_new(&request_handles, request_pack(host), &slot);
    if (made != 0) {
        slot->sort = sort;
        slot->parts = parts;
        slot->active = false;
        slot->file = 0;
        slot->comm = 0;
        slot->given = sort == REQUEST_GIVES_PARTS ? scratch_take(owned, (uint64_t)parts) : NULL;
        slot->extra = owned->first;
        owned->first = NULL;
    }
    return made;
}

bool request_restarts(int32_t guest_handle) {
    struct slot *slot = slot_find(&request_handles, (uint32_t)guest_handle);
    return slot != NULL && slot->sort >= REQUEST_RESTARTS && !slot->active;
}

void request_started(int32_t guest_handle) {
    struct slot *slot = slot_find(&request_handles, (uint32_t)guest_handle);
    if (slot != NULL) {
        slot->active = true;
        if (slot->sort == REQUEST_RESTARTS) {
            slot->parts = 0;
        }
        if (slot->given != NULL) {
            memset(slot->given, 0, (size_t)slot->parts);
        }
    }
}

void request_rested(int32_t guest_handle) {
    struct slot *slot = slot_find(&request_handles, (uint32_t)guest_handle);
    if (slot != NULL) {
        slot->active = false;
    }
}

bool request_settles(struct slot *slot) {
    MPI_Request host = request_unpack(slot->host);
    int flag = !slot->active;
    if (slot->active && MPI_Request_get_status(host, &flag, MPI_STATUS_IGNORE) == MPI_SUCCESS && flag) {
        MPI_Wait(&host, MPI_STATUS_IGNORE);
        slot->active = false;
    }
    return flag;
}

/* MPICH 4.0 falls over a request to the process itself that was freed before it completed. */
#define FREES_ONLY_COMPLETE MPICH_BEFORE(40100000)

/* Requests that the guest has freed and the node must not: senders of partitions (`file` 0), until no receiver is left
 * on any rank; accesses to files, until those are closed; and others that are pending (`file` PENDING), until they have
 * completed. */
enum { PENDING = -1 };
struct kept {
    MPI_Request host;
    int32_t file;
};
static struct kept *kept;
static size_t kept_count, kept_room;

static void free_complete(void);

static void keep(MPI_Request host, int32_t file) {
    if (kept_count == kept_room) {
        free_complete();
    }
    if (kept_count == kept_room) {
        size_t more = kept_room == 0 ? 16 : 2 * kept_room;
        struct kept *grown = realloc(kept, more * sizeof *grown);
        if (grown == NULL) {
            return; /* then it is lost, and no harm done */
        }
        kept = grown;
        kept_room = more;
    }
    kept[kept_count++] = (struct kept){.host = host, .file = file};
}

/* Take the request out: MPI may call the guest while it completes, and the guest free others. */
static MPI_Request take_out(size_t place) {
    MPI_Request host = kept[place].host;
    kept[place] = kept[--kept_count];
    return host;
}

/* Free it on the node if it has completed. */
static bool freed_if_complete(MPI_Request host) {
    int complete = 0;
    if (MPI_Test(&host, &complete, MPI_STATUS_IGNORE) == MPI_SUCCESS && !complete) {
        return false;
    }
    if (host != MPI_REQUEST_NULL) { /* it restarts */
        MPI_Request_free(&host);
    }
    return true;
}

/* The last come first, since what is kept again comes behind. */
static void free_complete(void) {
    static bool busy;
    for (size_t i = kept_count; !busy && i-- > 0;) {
        if (i < kept_count && kept[i].file == PENDING) {
            MPI_Request host = take_out(i);
            busy = true;
            bool freed = freed_if_complete(host);
            busy = false;
            if (!freed) {
                keep(host, PENDING);
            }
        }
    }
}

void request_of_file(int32_t guest_handle, int32_t file) {
    struct slot *slot = slot_find(&request_handles, (uint32_t)guest_handle);
    if (slot != NULL) {
        slot->file = file;
    }
}

bool requests_of_file(int32_t file) {
    for (uint32_t i = 0; i < request_handles.used; i++) {
        if (request_handles.slots[i].references != 0 && request_handles.slots[i].file == file) {
            return true;
        }
    }
    return false;
}

bool requests_kept(int32_t file) {
    for (size_t i = 0; i < kept_count; i++) {
        if (kept[i].file == file) {
            return true;
        }
    }
    return false;
}

void requests_complete(int32_t file) {
    for (size_t i = kept_count; i-- > 0;) {
        if (i < kept_count && kept[i].file == file) {
            MPI_Request host = take_out(i);
            MPI_Wait(&host, MPI_STATUS_IGNORE);
        }
    }
}

void request_of_comm(uint32_t guest_handle, uint32_t comm) {
    struct slot *slot = slot_find(&request_handles, guest_handle);
    if (slot != NULL) {
        slot->comm = comm;
    }
}

/* Freeing a communicator is collective, as what is pending on it was before: it may wait for that. */
void requests_of_comm_end(uint32_t comm) {
    for (uint32_t i = 0; i < request_handles.used; i++) {
        for (int done = 0; !done;) { /* looked at anew each time: an operation of the guest's may have run */
            const struct slot *slot = &request_handles.slots[i];
            if (slot->references == 0 || slot->comm != comm ||
                MPI_Request_get_status(request_unpack(slot->host), &done, MPI_STATUS_IGNORE) != MPI_SUCCESS) {
                break;
            }
        }
    }
}

static void free_senders(void) {
    bool receiver = false;
    for (uint32_t i = 0; i < request_handles.used; i++) {
        const struct slot *slot = &request_handles.slots[i];
        receiver |= slot->references != 0 && slot->sort == REQUEST_TAKES_PARTS;
    }
    if (!private_any(receiver)) {
        for (size_t i = 0; i < kept_count; i++) {
            if (kept[i].file == 0) {
                MPI_Request_free(&kept[i].host);
            }
        }
    }
    free(kept);
    kept = NULL;
    kept_count = kept_room = 0;
}

void request_finish(void) {
    enum { ROUNDS = 1000 };
    free_complete();
    free_senders();
    for (uint32_t i = 0; i < request_handles.used; i++) {
        struct slot *slot = &request_handles.slots[i];
        MPI_Request host = request_unpack(slot->host);
        int flag = slot->references == 0 || slot->sort != REQUEST_COLLECTIVE;
        for (int round = 0; !flag && round < ROUNDS; round++) {
            if (MPI_Test(&host, &flag, MPI_STATUS_IGNORE) != MPI_SUCCESS || host == MPI_REQUEST_NULL) {
                slot->references = 0;
                break;
            }
        }
    }
}

bool request_cancels(int32_t guest_handle) {
    struct slot *slot = slot_find(&request_handles, (uint32_t)guest_handle);
    if (slot == NULL || (slot->sort > REQUEST_GENERAL && slot->sort != REQUEST_RESTARTS)) {
        return false;
    }
    bool first = slot->sort == REQUEST_GENERAL || slot->parts == 0;
    if (slot->sort != REQUEST_GENERAL) {
        slot->parts = 1; /* cancelled: Open MPI 4.1 crashes when it is again */
    }
    return first;
}

bool request_parts(int32_t guest_handle, bool gives, int32_t low, int32_t high) {
    struct slot *slot = slot_find(&request_handles, (uint32_t)guest_handle);
    if (slot == NULL || slot->sort != (gives ? REQUEST_GIVES_PARTS : REQUEST_TAKES_PARTS) || low < 0 || low > high ||
        high >= slot->parts) {
        return false;
    }
    for (int32_t i = low; gives && i <= high; i++) {
        if (!slot->active || slot->given == NULL || slot->given[i]) {
            return false;
        }
    }
    if (gives) {
        memset(slot->given + low, 1, (size_t)(high - low) + 1);
    }
    return true;
}

bool request_listed_parts(int32_t guest_handle, const int *list, int64_t length) {
    for (int64_t i = 0; i < length; i++) {
        if (!request_parts(guest_handle, true, list[i], list[i])) {
            struct slot *slot = slot_find(&request_handles, (uint32_t)guest_handle);
            while (i-- > 0) { /* none is given */
                slot->given[list[i]] = 0;
            }
            return false;
        }
    }
    return true;
}

void request_drop(int32_t guest_handle) {
    struct slot *slot = slot_find(&request_handles, (uint32_t)guest_handle);
    if (slot != NULL) {
        if (UNLIKELY(slot->extra != NULL)) {
            struct scratch owned = {slot->extra};
            slot->extra = NULL;
            scratch_free(&owned);
        }
        slot_release(&request_handles, slot);
    }
}

void request_forget(int32_t guest_handle) {
    struct slot *slot = slot_find(&request_handles, (uint32_t)guest_handle);
    if (slot != NULL) {
        grequest_forget(slot, (uint32_t)guest_handle);
        slot->extra = NULL;
        slot_release(&request_handles, slot);
    }
}

IMPORT(MPI_Request_free) {
    ENTER("MPI_Request_free")
    uint32_t at = (uint32_t)v[0].i32;
    if (UNLIKELY(!room(at, 1, 4))) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "request", ABI_MPI_ERR_ARG);
        return NULL;
    }
    int32_t handle = get32(at);
    struct slot *slot = slot_find(&request_handles, (uint32_t)handle);
    bool may_be_active = slot != NULL && (slot->sort <= REQUEST_GENERAL || slot->sort == REQUEST_RESTARTS);
    if (UNLIKELY(slot == NULL || request_held(handle) || slot->sort == REQUEST_COLLECTIVE ||
                 !(may_be_active || request_settles(slot)))) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "request", ABI_MPI_ERR_REQUEST);
        return NULL;
    }
    MPI_Request host = request_unpack(slot->host);
    int code = MPI_SUCCESS;
    if (slot->sort == REQUEST_GIVES_PARTS || slot->file != 0) {
        keep(host, slot->file);
    } else if (FREES_ONLY_COMPLETE && (slot->sort == REQUEST_ONCE || slot->sort == REQUEST_RESTARTS)) {
        if (!freed_if_complete(host)) {
            keep(host, PENDING);
        }
    } else {
        code = MPI_Request_free(&host);
    }
    if (code == MPI_SUCCESS || host == MPI_REQUEST_NULL) {
        (may_be_active ? request_forget : request_drop)(handle);
        put32(at, ABI_MPI_REQUEST_NULL);
    }
    v[0].i32 = error_out(code);
    return NULL;
}
