/* Windows: what a rank of a window may touch of another one's memory.
 *
 * Invariants.
 * - Every rank's size and displacement unit are exchanged when a window is made, and never change; a one-sided call is
 *   checked against those of its target before MPI sees it, since the target itself takes no part in it.
 * - The exposed memory is guest memory, which neither moves nor shrinks while the window lives.
 */
#include "mpi_windows.h"

struct win_info *win_find(int32_t guest_handle) {
    struct slot *slot = slot_find(&win_handles, (uint32_t)guest_handle);
    return slot == NULL ? NULL : slot->extra;
}

bool win_rank_in(const struct win_info *win, int32_t rank, int *host) {
    *host = rank == ABI_MPI_PROC_NULL ? MPI_PROC_NULL : rank;
    return rank == ABI_MPI_PROC_NULL || (rank >= 0 && rank < win->size);
}

int32_t target_in(const struct win_info *win, int rank, int64_t disp, int64_t count, const struct type_info *type) {
    if (rank == MPI_PROC_NULL) {
        return 0;
    }
    const struct exposed *target = &win->exposed[rank];
    __int128 at = (__int128)disp * target->unit;
    if (count < 0) {
        return ABI_MPI_ERR_COUNT;
    }
    if (at < 0 || at > target->bytes) {
        return ABI_MPI_ERR_RMA_RANGE;
    }
    /* The window as a memory of its own, from 0 to its size. */
    int32_t wrong = buffer_within((uint64_t)target->bytes, (int64_t)at, count, type);
    return wrong == ABI_MPI_ERR_BUFFER ? ABI_MPI_ERR_RMA_RANGE : wrong;
}

/* What both forms share: checks, exchanges, and gives a record for the window; NULL with the answer in v[0]. */
static struct win_info *prepare(wasmtime_val_raw_t *v, const char *here, int64_t bytes, int64_t unit, MPI_Info *info,
                                struct comm_info **comm, void **base) {
    const char *wrong = NULL;
    int32_t class = ABI_MPI_ERR_ARG;
    *comm = comm_info_in(v[4].i32);
    if (*comm == NULL || (*comm)->inter) {
        wrong = "comm", class = ABI_MPI_ERR_COMM;
    } else if (!info_in(v[3].i32, info)) {
        wrong = "info", class = ABI_MPI_ERR_INFO;
    } else if (bytes < 0) {
        wrong = "size", class = ABI_MPI_ERR_SIZE;
    } else if (unit <= 0) {
        wrong = "disp_unit", class = ABI_MPI_ERR_DISP;
    } else if ((class = buffer_bytes((uint32_t)v[0].i32, bytes, base)) != 0) {
        wrong = "base";
    } else if (!room((uint32_t)v[5].i32, 1, 4)) {
        wrong = "win", class = ABI_MPI_ERR_ARG;
    }
    struct win_info *made = NULL;
    if (wrong == NULL) {
        made = calloc(1, sizeof *made + (size_t)(*comm)->size * sizeof *made->exposed);
        if (made == NULL) {
            wrong = "comm", class = ABI_MPI_ERR_NO_MEM;
        }
    }
    if (wrong != NULL) {
        v[0].i32 = refuse(*comm == NULL ? MPI_COMM_WORLD : (*comm)->host, here, wrong, class);
        return NULL;
    }
    made->size = (*comm)->size;
    int64_t mine[2] = {bytes, unit};
    _Static_assert(sizeof(struct exposed) == sizeof mine, "what is exchanged is what is kept");
    int code = MPI_Allgather(mine, 2, MPI_INT64_T, made->exposed, 2, MPI_INT64_T, (*comm)->host);
    if (code != MPI_SUCCESS) {
        free(made);
        v[0].i32 = error_out(code);
        return NULL;
    }
    return made;
}

static wasm_trap_t *settle(wasmtime_val_raw_t *v, const char *here, struct win_info *made, int code) {
    struct slot *slot = NULL;
    uint32_t handle = code == MPI_SUCCESS ? slot_new(&win_handles, win_pack(made->host), &slot) : 0;
    if (handle != 0) {
        slot->extra = made;
        put32((uint32_t)v[5].i32, (int32_t)handle);
    } else {
        free(made);
    }
    v[0].i32 = error_out(code);
    return code == MPI_SUCCESS && handle == 0 ? guest_trap("%s: no room for another MPI_Win", here) : NULL;
}

IMPORT(MPI_Win_create) {
    ENTER("MPI_Win_create")
    MPI_Info info;
    struct comm_info *comm;
    void *base;
    int64_t bytes = v[1].i32;
    int unit = v[2].i32;
    struct win_info *made = prepare(v, here, bytes, unit, &info, &comm, &base);
    if (made == NULL) {
        return NULL;
    }
    return settle(v, here, made, MPI_Win_create(base, (MPI_Aint)bytes, unit, info, comm->host, &made->host));
}

#if HAVE_MPI_Win_create_c
IMPORT(MPI_Win_create_c) {
    ENTER("MPI_Win_create_c")
    MPI_Info info;
    struct comm_info *comm;
    void *base;
    int64_t bytes = v[1].i32, unit = v[2].i32;
    struct win_info *made = prepare(v, here, bytes, unit, &info, &comm, &base);
    if (made == NULL) {
        return NULL;
    }
    return settle(v, here, made,
                  MPI_Win_create_c(base, (MPI_Aint)bytes, (MPI_Aint)unit, info, comm->host, &made->host));
}
#endif
