/* Single procedures that the kinds of their parameters do not describe.
 *
 * Invariants.
 * - What only one side of a call has to give (the peer communicator at the leader) is not looked at on the other.
 */
#include "mpi_bsend.h"
#include "mpi_buffers.h"

/* --- info --------------------------------------------------------------------------------------------------------- */

/* MPI_Info_get's value: at most valuelen characters and a NUL. */
IMPORT(MPI_Info_get) {
    ENTER_SINCE_4("MPI_Info_get")
    struct scratch scratch = {NULL};
    MPI_Info info;
    int32_t length = v[2].i32, found_handle = v[0].i32;
    char *key = string_in(&scratch, (uint32_t)v[1].i32);
    char *value = length < 0 ? NULL : scratch_take(&scratch, (uint64_t)length + 1);
    if (!info_in(found_handle, &info) || info == MPI_INFO_NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "info", ABI_MPI_ERR_INFO);
    } else if (key == NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "key", ABI_MPI_ERR_INFO_KEY);
    } else if (value == NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "valuelen", ABI_MPI_ERR_ARG);
    } else if (!room((uint32_t)v[3].i32, 1, 1) || !room((uint32_t)v[4].i32, 1, 4)) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "value", ABI_MPI_ERR_ARG);
    } else {
        int flag = 0;
        value[0] = 0;
        int code = MPI_Info_get(info, key, length, value, &flag);
        size_t size = strnlen(value, (size_t)length) + 1;
        if (code == MPI_SUCCESS && flag && !room((uint32_t)v[3].i32, 1, size)) {
            v[0].i32 = refuse(MPI_COMM_WORLD, here, "value", ABI_MPI_ERR_ARG);
            scratch_free(&scratch);
            return NULL;
        }
        if (code == MPI_SUCCESS) {
            put32((uint32_t)v[4].i32, flag);
            if (flag) {
                put_string((uint32_t)v[3].i32, size, value);
            }
        }
        v[0].i32 = error_out(code);
    }
    scratch_free(&scratch);
    return NULL;
}

#if HAVE_MPI_Info_get_string
/* In and out: *buflen is the room with its NUL, then what the value needs. */
IMPORT(MPI_Info_get_string) {
    ENTER_SINCE_4("MPI_Info_get_string")
    struct scratch scratch = {NULL};
    MPI_Info info;
    uint32_t length_at = (uint32_t)v[2].i32, value_at = (uint32_t)v[3].i32, flag_at = (uint32_t)v[4].i32;
    char *key = string_in(&scratch, (uint32_t)v[1].i32);
    int length = room(length_at, 1, 4) ? get32(length_at) : -1;
    char *value = length < 0 ? NULL : scratch_take(&scratch, (uint64_t)length + 1);
    if (!info_in(v[0].i32, &info) || info == MPI_INFO_NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "info", ABI_MPI_ERR_INFO);
    } else if (key == NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "key", ABI_MPI_ERR_INFO_KEY);
    } else if (value == NULL || !room(value_at, length, 1) || !room(flag_at, 1, 4)) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, value == NULL ? "buflen" : "value", ABI_MPI_ERR_ARG);
    } else {
        int room_given = length, flag = 0;
        value[0] = 0;
        int code = MPI_Info_get_string(info, key, &length, value, &flag);
        if (code == MPI_SUCCESS) {
            put32(flag_at, flag);
            if (flag) {
                put32(length_at, length);
                if (room_given > 0) {
                    put_string(value_at, (uint64_t)room_given, value);
                }
            }
        }
        v[0].i32 = error_out(code);
    }
    scratch_free(&scratch);
    return NULL;
}
#endif

/* --- intercommunicators ------------------------------------------------------------------------------------------- */

/* Is the other side's leader one of this side? Open MPI 4.1 notices, and is left with a communicator half made. */
static bool within(const struct comm_info *local, const struct comm_info *peer, int leader) {
    MPI_Group mine = MPI_GROUP_NULL, theirs = MPI_GROUP_NULL;
    int place = MPI_UNDEFINED;
    if (MPI_Comm_group(local->host, &mine) == MPI_SUCCESS &&
        (peer->inter ? MPI_Comm_remote_group(peer->host, &theirs) : MPI_Comm_group(peer->host, &theirs)) == MPI_SUCCESS) {
        MPI_Group_translate_ranks(theirs, 1, &leader, mine, &place);
        MPI_Group_free(&theirs);
    }
    if (mine != MPI_GROUP_NULL) {
        MPI_Group_free(&mine);
    }
    return place != MPI_UNDEFINED;
}

IMPORT(MPI_Intercomm_create) {
    ENTER("MPI_Intercomm_create")
    struct comm_info *local = comm_info_in(v[0].i32), *peer = NULL;
    int tag = 0, remote_leader = 0;
    if (local == NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "local_comm", ABI_MPI_ERR_COMM);
        return NULL;
    }
    const char *wrong = NULL;
    int32_t class = ABI_MPI_ERR_RANK;
    if (!room((uint32_t)v[5].i32, 1, 4)) {
        wrong = "newintercomm", class = ABI_MPI_ERR_ARG;
    } else if (v[1].i32 < 0 || v[1].i32 >= local->size) {
        wrong = "local_leader";
    } else if (v[1].i32 == local->rank) { /* the peer counts at the leader alone */
        peer = comm_info_in(v[2].i32);
        if (peer == NULL) {
            wrong = "peer_comm", class = ABI_MPI_ERR_COMM;
        } else if (!peer_in(peer, v[3].i32, &remote_leader) || v[3].i32 < 0) {
            wrong = "remote_leader";
        } else if (within(local, peer, remote_leader)) {
            wrong = "remote_leader", class = ABI_MPI_ERR_ARG;
        }
    }
    if (wrong == NULL && !tag_in(v[4].i32, &tag)) {
        wrong = "tag", class = ABI_MPI_ERR_TAG;
    }
    if (wrong != NULL) {
        v[0].i32 = refuse(local->host, here, wrong, class);
        return NULL;
    }
    MPI_Comm made = MPI_COMM_NULL;
    int code = MPI_Intercomm_create(local->host, v[1].i32, peer == NULL ? MPI_COMM_NULL : peer->host, remote_leader, tag,
                                    &made);
    return comm_answer(v, here, (uint32_t)v[5].i32, made, code);
}

/* --- communicators that a request makes --------------------------------------------------------------------------- */

/* MPI may write the new communicator only when the request completes, so it gets an address that stays. */
static wasm_trap_t *idup(wasmtime_val_raw_t *v, const char *here, int comm_at, int request_at, bool with_info) {
    struct comm_info *comm = comm_info_in(v[0].i32);
    MPI_Info info = MPI_INFO_NULL;
    if (comm == NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "comm", ABI_MPI_ERR_COMM);
        return NULL;
    }
    if (with_info && !info_in(v[1].i32, &info)) {
        v[0].i32 = refuse(comm->host, here, "info", ABI_MPI_ERR_INFO);
        return NULL;
    }
    if (!room((uint32_t)v[comm_at].i32, 1, 4) || !room((uint32_t)v[request_at].i32, 1, 4)) {
        v[0].i32 = refuse(comm->host, here, "newcomm", ABI_MPI_ERR_ARG);
        return NULL;
    }
    struct slot *slot = NULL;
    struct comm_info *made = calloc(1, sizeof *made);
    uint32_t handle = made == NULL ? 0 : slot_new(&comm_handles, comm_pack(MPI_COMM_NULL), &slot);
    if (handle == 0) {
        free(made);
        return guest_trap("%s: no room for another MPI_Comm", here);
    }
    *made = (struct comm_info){.host = MPI_COMM_NULL, .pinned = true};
    slot->extra = made;
    MPI_Request request = MPI_REQUEST_NULL;
#if HAVE_MPI_Comm_idup_with_info
    int code = with_info ? MPI_Comm_idup_with_info(comm->host, info, &made->host, &request)
                         : MPI_Comm_idup(comm->host, &made->host, &request);
#else
    int code = MPI_Comm_idup(comm->host, &made->host, &request);
#endif
    struct scratch nothing = {NULL};
    uint32_t pending = code == MPI_SUCCESS ? request_out_with(request, &nothing, REQUEST_COLLECTIVE, 0) : 0;
    if (code != MPI_SUCCESS) {
        comm_drop((int32_t)handle);
    } else if (pending == 0) {
        return guest_trap("%s: no room for another MPI_Request", here);
    } else {
        made->pending = pending;
        request_of_comm(pending, (uint32_t)v[0].i32);
        put32((uint32_t)v[comm_at].i32, (int32_t)handle);
        put32((uint32_t)v[request_at].i32, (int32_t)pending);
    }
    v[0].i32 = error_out(code);
    return NULL;
}

IMPORT(MPI_Comm_idup) {
    ENTER("MPI_Comm_idup")
    return idup(v, here, 1, 2, false);
}

#if HAVE_MPI_Comm_idup_with_info
IMPORT(MPI_Comm_idup_with_info) {
    ENTER("MPI_Comm_idup_with_info")
    return idup(v, here, 2, 3, true);
}
#endif

/* --- before a communicator is freed --------------------------------------------------------------------------------- */

void comm_settle(uint32_t guest_handle, MPI_Comm comm, const char *here) {
#ifdef OPEN_MPI /* 4.1 frees what a pending collective still reads */
    requests_of_comm_end(guest_handle);
#else
    (void)guest_handle;
#endif
    bsend_comm_ends(comm, here);
}
