/* Windows: what a rank of a window may touch of another one's memory.
 *
 * Invariants.
 * - Every rank's size and displacement unit are exchanged when a window is made, and never change; a one-sided call is
 *   checked against those of its target before MPI sees it, since the target itself takes no part in it. They are told,
 *   and the window is made, on a communicator that the guest has no handle of: no guest answers in a launcher's place.
 *   What is attached to a dynamic window changes: see mpi_attachments.c.
 * - The exposed memory is guest memory, which neither moves nor shrinks while the window lives. To the node's MPI every
 *   window but a dynamic one is made by MPI_Win_create over it; what the guest called is kept here, and the predefined
 *   attributes are answered from here.
 * - MPI_Win_allocate and MPI_Win_allocate_shared take pages of the guest's memory (mpi_pages.h), which win_drop alone
 *   gives back: after MPI_Win_free, when no rank touches them any more.
 * - Ranks that are short of something fail together: each says so in an exchange that all take part in.
 */
#include "mpi_windows.h"

#include "mpi_attachments.h"
#include "mpi_callbacks.h"
#include "mpi_pages.h"
#include "mpi_private.h"
#include "mpi_shared.h"

struct win_info *win_find(int32_t guest_handle) {
    struct slot *slot = slot_find(&win_handles, (uint32_t)guest_handle);
    return slot == NULL ? NULL : slot->extra;
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
    /* The window as a memory of its own, from 0 to its size. */
    int32_t wrong = buffer_within((uint64_t)target->bytes, (int64_t)at, count, type);
    return wrong == ABI_MPI_ERR_BUFFER ? ABI_MPI_ERR_RMA_RANGE : wrong;
}

/* --- making a window ---------------------------------------------------------------------------------------------- */

/* What the guest asked for: handles and addresses as it gave them. */
struct wanted {
    const char *here;
    int32_t flavor, info, comm;
    int64_t bytes, unit;
    uint32_t base;             /* of MPI_Win_create */
    uint32_t base_at, win_at; /* where results go; base_at 0: the memory is the guest's own, or none */
};

static const char *wrong_argument(const struct wanted *wanted, const struct comm_info *comm, MPI_Info *info,
                                  int32_t *class) {
    void *unused;
    *class = ABI_MPI_ERR_ARG;
    if (comm == NULL || comm->inter) {
        *class = ABI_MPI_ERR_COMM;
        return "comm";
    }
    if (!info_in(wanted->info, info)) {
        *class = ABI_MPI_ERR_INFO;
        return "info";
    }
    if (wanted->bytes < 0) {
        *class = ABI_MPI_ERR_SIZE;
        return "size";
    }
    if (wanted->unit <= 0) {
        *class = ABI_MPI_ERR_DISP;
        return "disp_unit";
    }
    if (wanted->flavor == ABI_MPI_WIN_FLAVOR_CREATE &&
        (*class = buffer_bytes(wanted->base, wanted->bytes, &unused)) != 0) {
        return "base";
    }
    *class = ABI_MPI_ERR_ARG;
    if (wanted->base_at != 0 && !room(wanted->base_at, 1, 4)) {
        return "baseptr";
    }
    return room(wanted->win_at, 1, 4) ? NULL : "win";
}

/* Does the info ask for parts of shared memory that need not follow each other? */
static bool apart_wanted(MPI_Info info) {
    char value[8] = "";
    int found = 0;
    return info != MPI_INFO_NULL &&
           MPI_Info_get(info, "alloc_shared_noncontig", sizeof value - 1, value, &found) == MPI_SUCCESS && found &&
           strcmp(value, "true") == 0;
}

/* Lay the ranks' parts of shared memory one after the other, each on a page of its own where that was asked for; the
 * number of bytes that all take. */
static uint64_t lay_out(struct win_info *made) {
    uint64_t next = 0;
    bool apart = false;
    for (int i = 0; i < made->size; i++) {
        apart |= made->exposed[i].base != 0;
    }
    for (int i = 0; i < made->size; i++) {
        made->exposed[i].base = (int64_t)next;
        next += apart ? pages_bytes((uint64_t)made->exposed[i].bytes) : (uint64_t)made->exposed[i].bytes;
    }
    return next;
}

/* The memory of the window and who exposes what: 0, or a class that all ranks get. */
static int32_t furnish(struct win_info *made, const struct wanted *wanted, MPI_Info info) {
    struct exposed mine = {.bytes = wanted->bytes, .unit = wanted->unit, .flavor = wanted->flavor};
    made->base = wanted->base;
    if (wanted->flavor == ABI_MPI_WIN_FLAVOR_ALLOCATE) {
        uint64_t bytes = pages_bytes((uint64_t)wanted->bytes);
        if (pages_take(bytes, &made->pages)) {
            made->pages_size = bytes;
            made->base = made->pages;
        } else {
            mine.bytes = -1;
        }
    } else if (wanted->flavor == ABI_MPI_WIN_FLAVOR_DYNAMIC) {
        mine.base = (int64_t)(intptr_t)guest.base;
    } else if (wanted->flavor == ABI_MPI_WIN_FLAVOR_SHARED) {
        mine.base = apart_wanted(info);
    }
    enum { WORDS = sizeof mine / sizeof(int64_t) };
    int code = MPI_Allgather(&mine, WORDS, MPI_INT64_T, made->exposed, WORDS, MPI_INT64_T, made->comm);
    if (code != MPI_SUCCESS) {
        return error_out(code);
    }
    for (int i = 0; i < made->size; i++) {
        if (made->exposed[i].bytes < 0 || made->exposed[i].flavor != wanted->flavor) {
            return made->exposed[i].bytes < 0 ? ABI_MPI_ERR_NO_MEM : ABI_MPI_ERR_OTHER;
        }
    }
    if (wanted->flavor == ABI_MPI_WIN_FLAVOR_SHARED) {
        uint64_t bytes = pages_bytes(lay_out(made));
        int32_t class = shared_make(made->comm, made->size, made->rank, bytes, &made->pages);
        if (class != 0) {
            return class;
        }
        made->pages_size = bytes;
        made->base = made->pages + (uint32_t)made->exposed[made->rank].base;
    }
    return 0;
}

/* Give back what belongs to a window beside its record. Its communicator lives as long: MPICH numbers windows by the
 * context of theirs, which another would get. Once MPI is down there is nothing to tell it. */
static void unfurnish(struct win_info *win) {
    if (win->attachments != NULL && mpi_phase != PHASE_OUTSIDE) {
        attachments_free(win->attachments);
        win->attachments = NULL;
    }
    if (mpi_phase != PHASE_OUTSIDE) {
        private_free(&win->comm);
    }
    if (win->pages_size != 0) {
        pages_give(win->pages, win->pages_size);
        win->pages_size = 0;
    }
}

static int create(struct win_info *made, const struct wanted *wanted, MPI_Info info) {
    if (wanted->flavor != ABI_MPI_WIN_FLAVOR_DYNAMIC) {
        return MPI_Win_create(guest.base + made->base, (MPI_Aint)wanted->bytes, (int)wanted->unit, info, made->comm,
                              &made->host);
    }
    int code;
    made->attachments = attachments_make(made->comm, made->size, made->rank, &code);
    return code == MPI_SUCCESS ? MPI_Win_create_dynamic(info, made->comm, &made->host) : code;
}

static wasm_trap_t *make(wasmtime_val_raw_t *v, struct wanted wanted) {
    MPI_Info info = MPI_INFO_NULL;
    int32_t class;
    struct comm_info *comm = comm_info_in(wanted.comm);
    const char *wrong = wrong_argument(&wanted, comm, &info, &class);
    struct win_info *made = NULL;
    if (wrong == NULL) {
        made = calloc(1, sizeof *made + (size_t)comm->size * sizeof *made->exposed);
        class = ABI_MPI_ERR_NO_MEM;
    }
    if (made == NULL) {
        v[0].i32 = refuse(comm == NULL ? MPI_COMM_WORLD : comm->host, wanted.here, wrong != NULL ? wrong : "comm", class);
        return NULL;
    }
    made->size = comm->size;
    made->rank = comm->rank;
    made->flavor = wanted.flavor;
    int code = private_make(comm, PRIVATE_WINDOW, &made->comm);
    class = code == MPI_SUCCESS ? furnish(made, &wanted, info) : error_out(code);
    if (class != 0) {
        unfurnish(made);
        free(made);
        v[0].i32 = refuse(comm->host, wanted.here, class == ABI_MPI_ERR_RMA_SHARED ? "comm" : "size", class);
        return NULL;
    }
    code = create(made, &wanted, info);
    struct slot *slot = NULL;
    uint32_t handle = code == MPI_SUCCESS ? slot_new(&win_handles, win_pack(made->host), &slot) : 0;
    if (handle == 0) {
        unfurnish(made);
        free(made);
        v[0].i32 = error_out(code);
        return code == MPI_SUCCESS ? guest_trap("%s: no room for another MPI_Win", wanted.here) : NULL;
    }
    slot->extra = made;
    put32(wanted.win_at, (int32_t)handle);
    if (wanted.base_at != 0) {
        put32(wanted.base_at, (int32_t)made->base);
    }
    v[0].i32 = ABI_MPI_SUCCESS;
    return NULL;
}

/* On wasm32 sizes and units are 32 bits wide in the large-count forms too. */
static wasm_trap_t *make_over(wasmtime_val_raw_t *v, const char *here) {
    return make(v, (struct wanted){.here = here,
                                   .flavor = ABI_MPI_WIN_FLAVOR_CREATE,
                                   .base = (uint32_t)v[0].i32,
                                   .bytes = v[1].i32,
                                   .unit = v[2].i32,
                                   .info = v[3].i32,
                                   .comm = v[4].i32,
                                   .win_at = (uint32_t)v[5].i32});
}

static wasm_trap_t *make_with_memory(wasmtime_val_raw_t *v, const char *here, int32_t flavor) {
    if (v[4].i32 == 0) { /* an address in the guest, but hardly meant */
        struct comm_info *comm = comm_info_in(v[3].i32);
        v[0].i32 = refuse(comm == NULL ? MPI_COMM_WORLD : comm->host, here, "baseptr", ABI_MPI_ERR_ARG);
        return NULL;
    }
    return make(v, (struct wanted){.here = here,
                                   .flavor = flavor,
                                   .bytes = v[0].i32,
                                   .unit = v[1].i32,
                                   .info = v[2].i32,
                                   .comm = v[3].i32,
                                   .base_at = (uint32_t)v[4].i32,
                                   .win_at = (uint32_t)v[5].i32});
}

IMPORT(MPI_Win_create) {
    ENTER("MPI_Win_create")
    return make_over(v, here);
}

IMPORT(MPI_Win_create_c) {
    ENTER("MPI_Win_create_c")
    return make_over(v, here);
}

IMPORT(MPI_Win_allocate) {
    ENTER("MPI_Win_allocate")
    return make_with_memory(v, here, ABI_MPI_WIN_FLAVOR_ALLOCATE);
}

IMPORT(MPI_Win_allocate_c) {
    ENTER("MPI_Win_allocate_c")
    return make_with_memory(v, here, ABI_MPI_WIN_FLAVOR_ALLOCATE);
}

IMPORT(MPI_Win_allocate_shared) {
    ENTER("MPI_Win_allocate_shared")
    return make_with_memory(v, here, ABI_MPI_WIN_FLAVOR_SHARED);
}

IMPORT(MPI_Win_allocate_shared_c) {
    ENTER("MPI_Win_allocate_shared_c")
    return make_with_memory(v, here, ABI_MPI_WIN_FLAVOR_SHARED);
}

IMPORT(MPI_Win_create_dynamic) {
    ENTER("MPI_Win_create_dynamic")
    return make(v, (struct wanted){.here = here,
                                   .flavor = ABI_MPI_WIN_FLAVOR_DYNAMIC,
                                   .unit = 1,
                                   .info = v[0].i32,
                                   .comm = v[1].i32,
                                   .win_at = (uint32_t)v[2].i32});
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
    put32(base_at, shared ? (int32_t)(win->pages + (uint32_t)part->base) : near ? (int32_t)win->base : 0);
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
    unfurnish(win);
    for (int i = 0; i < WIN_CELLS; i++) {
        if (win->cells[i] != 0) {
            cell_give(win->cells[i]);
        }
    }
    slot_drop(&win_handles, (uint32_t)guest_handle); /* frees the record */
}
