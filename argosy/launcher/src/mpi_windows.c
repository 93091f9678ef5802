/* Windows: what a rank of a window may touch of another one's memory.
 *
 * Invariants.
 * - Every rank's size and displacement unit are exchanged when a window is made, and never change; a one-sided call is
 *   checked against those of its target before MPI sees it, since the target itself takes no part in it. They are told,
 *   and the window is made, on a communicator that the guest has no handle of: no guest answers in a launcher's place.
 *   What is attached to a dynamic window changes: see mpi_attachments.c.
 * - The exposed memory is guest memory, which neither moves nor shrinks while the window lives. To the node's MPI every
 *   window but a dynamic one is made by MPI_Win_create over it, in bytes (mpi_window_making.c); what the guest called is
 *   kept here, and the predefined attributes are answered from here.
 * - MPI_Win_allocate and MPI_Win_allocate_shared take pages of the guest's memory (mpi_pages.h), which win_drop alone
 *   gives back: after MPI_Win_free, when no rank touches them any more.
 * - Ranks that are short of something fail together: each says so in an exchange that all take part in.
 */
#include "mpi_windows.h"

#include "mpi_attachments.h"
#include "mpi_callbacks.h"

struct win_info *win_find(int32_t guest_handle) {
    struct slot *slot = slot_find(&win_handles, (uint32_t)guest_handle);
    return slot == NULL ? NULL : slot->extra;
}

/* MPICH 4.0's UCX does not expect that memory is still registered. */
wasm_trap_t *win_left(const char *here) {
    for (uint32_t i = 0; MPICH_BEFORE(40100000) && i < win_handles.used; i++) {
        const struct win_info *win = win_handles.slots[i].references != 0 ? win_handles.slots[i].extra : NULL;
        if (win != NULL && win->attachments == NULL && win->exposed[win->rank].bytes > 0) {
            return guest_trap("%s: called before MPI_Win_free of each window, which this MPI library needs", here);
        }
    }
    return NULL;
}

bool win_rank_in(const struct win_info *win, int32_t rank, int *host) {
    *host = rank == ABI_MPI_PROC_NULL ? MPI_PROC_NULL : rank;
    return rank == ABI_MPI_PROC_NULL || (rank >= 0 && rank < win->size);
}

/* --- what a call touches at its target ---------------------------------------------------------------------------- */

/* In a dynamic window a displacement is an address in the target's guest. */
static int32_t attached_in(struct win_info *win, int rank, uint32_t address, int64_t count,
                           const struct type_info *type, MPI_Aint *place) {
    *place = (MPI_Aint)win->exposed[rank].base + (MPI_Aint)address;
    int64_t low, high;
    int32_t wrong = buffer_reach(address, count, type, &low, &high);
    if (wrong != 0 || low == high) {
        return wrong == ABI_MPI_ERR_BUFFER ? ABI_MPI_ERR_RMA_RANGE : wrong;
    }
    bool all = (__int128)count * type->size == high - low;
    return attachments_allow(win->attachments, rank, low, high, all) ? 0 : ABI_MPI_ERR_RMA_RANGE;
}

int32_t target_in(struct win_info *win, int rank, int64_t disp, int64_t count, const struct type_info *type,
                  MPI_Aint *place) {
    *place = (MPI_Aint)disp;
    if (rank == MPI_PROC_NULL) {
        return 0;
    }
    if (count < 0) {
        return ABI_MPI_ERR_COUNT;
    }
    if (win->attachments != NULL) {
        return attached_in(win, rank, (uint32_t)disp, count, type, place);
    }
    const struct exposed *target = &win->exposed[rank];
    __int128 at = (__int128)disp * target->unit;
    if (at < 0 || at > target->bytes) {
        return ABI_MPI_ERR_RMA_RANGE;
    }
    *place = (MPI_Aint)at + win_lead(win, rank); /* MPI counts in bytes */
    /* The window as a memory of its own, from 0 to its size. */
    int32_t wrong = buffer_within((uint64_t)target->bytes, (int64_t)at, count, type);
    return wrong == ABI_MPI_ERR_BUFFER ? ABI_MPI_ERR_RMA_RANGE : wrong;
}

/* --- dynamic windows ---------------------------------------------------------------------------------------------- */

/* The dynamic window of a call; NULL with the answer in v[0]. */
static struct win_info *dynamic_in(wasmtime_val_raw_t *v, const char *here) {
    struct win_info *win = win_find(v[0].i32);
    if (win == NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "win", ABI_MPI_ERR_WIN);
    } else if (win->attachments == NULL) {
        v[0].i32 = refuse_win(win->host, here, "win", ABI_MPI_ERR_RMA_FLAVOR);
        win = NULL;
    }
    return win;
}

IMPORT(MPI_Win_attach) {
    ENTER("MPI_Win_attach")
    uint32_t address = (uint32_t)v[1].i32;
    int64_t bytes = v[2].i32;
    void *base;
    struct win_info *win = dynamic_in(v, here);
    if (win == NULL) {
        return NULL;
    }
    int32_t class = bytes < 0 ? ABI_MPI_ERR_SIZE : buffer_bytes(address, bytes, &base);
    if (class != 0) {
        v[0].i32 = refuse_win(win->host, here, bytes < 0 ? "size" : "base", class);
        return NULL;
    }
    /* The table is the last to know: what it allows, MPI has. Of an empty region there is nothing to tell MPI. */
    int code = bytes == 0 ? MPI_SUCCESS : MPI_Win_attach(win->host, base, (MPI_Aint)bytes);
    if (code != MPI_SUCCESS) {
        v[0].i32 = error_out(code);
        return NULL;
    }
    class = attachments_add(win->attachments, win->rank, address, (uint64_t)bytes);
    if (class != 0) {
        if (bytes != 0) {
            MPI_Win_detach(win->host, base);
        }
        v[0].i32 = refuse_win(win->host, here, "base", class);
        return NULL;
    }
    v[0].i32 = ABI_MPI_SUCCESS;
    return NULL;
}

IMPORT(MPI_Win_detach) {
    ENTER("MPI_Win_detach")
    uint32_t address = (uint32_t)v[1].i32;
    uint64_t bytes;
    struct win_info *win = dynamic_in(v, here);
    if (win == NULL) {
        return NULL;
    }
    int32_t class = attachments_remove(win->attachments, win->rank, address, &bytes);
    if (class != 0) {
        v[0].i32 = refuse_win(win->host, here, "base", class);
        return NULL;
    }
    v[0].i32 = bytes == 0 ? ABI_MPI_SUCCESS : error_out(MPI_Win_detach(win->host, guest.base + address));
    return NULL;
}

/* --- shared memory ------------------------------------------------------------------------------------------------ */

/* Whose memory the caller can load from and store to: everyone's in a shared window, elsewhere its own alone. */
static bool in_reach(const struct win_info *win, int rank) {
    return win->flavor == ABI_MPI_WIN_FLAVOR_SHARED || rank == win->rank;
}

static wasm_trap_t *query(wasmtime_val_raw_t *v, const char *here) {
    struct win_info *win = win_find(v[0].i32);
    uint32_t size_at = (uint32_t)v[2].i32, unit_at = (uint32_t)v[3].i32, base_at = (uint32_t)v[4].i32;
    int rank;
    if (win == NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "win", ABI_MPI_ERR_WIN);
        return NULL;
    }
    const char *wrong = !room(size_at, 1, 4)   ? "size"
                        : !room(unit_at, 1, 4) ? "disp_unit"
                        : !room(base_at, 1, 4) ? "baseptr"
                                               : NULL;
    if (win->flavor == ABI_MPI_WIN_FLAVOR_DYNAMIC) {
        v[0].i32 = refuse_win(win->host, here, "win", ABI_MPI_ERR_RMA_FLAVOR);
        return NULL;
    }
    if (!win_rank_in(win, v[1].i32, &rank)) {
        v[0].i32 = refuse_win(win->host, here, "rank", ABI_MPI_ERR_RANK);
        return NULL;
    }
    if (wrong != NULL) {
        v[0].i32 = refuse_win(win->host, here, wrong, ABI_MPI_ERR_ARG);
        return NULL;
    }
    if (rank == MPI_PROC_NULL) { /* the first that has something, or any of those that have nothing */
        for (rank = 0; rank < win->size - 1 && (win->exposed[rank].bytes == 0 || !in_reach(win, rank)); rank++) {
        }
    }
    const struct exposed *part = &win->exposed[rank];
    bool shared = win->flavor == ABI_MPI_WIN_FLAVOR_SHARED, near = in_reach(win, rank);
    put32(size_at, near ? (int32_t)part->bytes : 0);
    put32(unit_at, (int32_t)part->unit);
    put32(base_at, shared ? (int32_t)win_shared_part(win, rank) : near ? (int32_t)win->base : 0);
    v[0].i32 = ABI_MPI_SUCCESS;
    return NULL;
}

IMPORT(MPI_Win_shared_query) {
    ENTER("MPI_Win_shared_query")
    return query(v, here);
}

IMPORT(MPI_Win_shared_query_c) {
    ENTER("MPI_Win_shared_query_c")
    return query(v, here);
}

/* --- attributes, and the end -------------------------------------------------------------------------------------- */

/* Cells of windows that are gone, for others: they are guest memory that cannot be given back. */
static uint32_t *spare_cells;
static size_t spare_count, spare_capacity;

static uint32_t cell_take(const char *here) {
    return spare_count > 0 ? spare_cells[--spare_count] : lent_cell(here);
}

static void cell_give(uint32_t cell) {
    if (spare_count == spare_capacity) {
        size_t capacity = spare_capacity == 0 ? 64 : spare_capacity * 2;
        uint32_t *cells = realloc(spare_cells, capacity * sizeof *cells);
        if (cells == NULL) {
            return;
        }
        spare_cells = cells;
        spare_capacity = capacity;
    }
    spare_cells[spare_count++] = cell;
}

static int32_t model_of(const struct win_info *win) {
    void *value = NULL;
    int found = 0;
    bool known = MPI_Win_get_attr(win->host, MPI_WIN_MODEL, &value, &found) == MPI_SUCCESS && found;
    return known ? constant_out(constants_window_models, *(const int *)value) : ABI_MPI_WIN_SEPARATE;
}

uint32_t win_attribute(struct win_info *win, int32_t key, const char *here) {
    if (key == ABI_MPI_WIN_BASE) {
        return win->base;
    }
    const struct exposed *own = &win->exposed[win->rank];
    uint32_t *cell = &win->cells[(uint32_t)(key - ABI_MPI_WIN_BASE) % WIN_CELLS];
    *cell = *cell != 0 ? *cell : cell_take(here);
    put32(*cell, key == ABI_MPI_WIN_SIZE            ? (int32_t)own->bytes
                 : key == ABI_MPI_WIN_DISP_UNIT     ? (int32_t)own->unit
                 : key == ABI_MPI_WIN_CREATE_FLAVOR ? win->flavor
                                                    : model_of(win));
    return *cell;
}

void win_drop(int32_t guest_handle) {
    struct win_info *win = win_find(guest_handle);
    if (win == NULL) {
        return;
    }
    win_unfurnish(win);
    for (int i = 0; i < WIN_CELLS; i++) {
        if (win->cells[i] != 0) {
            cell_give(win->cells[i]);
        }
    }
    slot_drop(&win_handles, (uint32_t)guest_handle); /* frees the record */
}
