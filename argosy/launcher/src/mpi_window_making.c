/* Windows: how they are made, in all forms but the parts of a dynamic one. See mpi_windows.c. */
#include "mpi_attachments.h"
#include "mpi_hints.h"
#include "mpi_pages.h"
#include "mpi_private.h"
#include "mpi_shared.h"
#include "mpi_windows.h"

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
    char value[MPI_MAX_INFO_VAL + 1];
    return hint_in(info, "alloc_shared_noncontig", value) && strcmp(value, "true") == 0;
}

/* Lay the ranks' parts of shared memory one after the other, each on a page of its own where that was asked for; the
 * number of bytes that all take. */
static uint64_t lay_out(struct win_info *made) {
    uint64_t next = 0;
    for (int i = 0; i < made->size; i++) {
        made->apart |= made->exposed[i].base != 0;
    }
    for (int i = 0; i < made->size; i++) {
        made->exposed[i].base = (int64_t)next;
        next += made->apart ? pages_bytes((uint64_t)made->exposed[i].bytes) : (uint64_t)made->exposed[i].bytes;
    }
    return next;
}

/* The memory of the window and who exposes what: 0, or a class that all ranks get. */
static int32_t furnish(struct win_info *made, const struct wanted *wanted, MPI_Info info) {
    struct exposed mine = {.bytes = wanted->bytes, .unit = wanted->unit, .flavor = wanted->flavor};
    made->base = wanted->base;
    if (wanted->flavor == ABI_MPI_WIN_FLAVOR_CREATE) {
        mine.base = wanted->bytes == 0 ? 0 : wanted->base; /* an empty window may lie anywhere */
    } else if (wanted->flavor == ABI_MPI_WIN_FLAVOR_ALLOCATE) {
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
        made->base = win_shared_part(made, made->rank);
    }
    return 0;
}

/* Give back what belongs to a window beside its record. Its communicator lives as long: MPICH numbers windows by the
 * context of theirs, which another would get. Once MPI is down there is nothing to tell it. */
void win_unfurnish(struct win_info *win) {
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

/* The one-sided component osc/rdma of Open MPI 4.1 follows a null pointer there when there are other ranks. It names its
 * windows. */
static bool cannot_swap_own(const struct win_info *made) {
#if defined OPEN_MPI && OMPI_MAJOR_VERSION < 5
    char name[MPI_MAX_OBJECT_NAME] = "";
    int length = 0;
    return made->size > 1 && MPI_Win_get_name(made->host, name, &length) == MPI_SUCCESS &&
           strncmp(name, "rdma", strlen("rdma")) == 0;
#else
    (void)made;
    return false;
#endif
}

static int create(struct win_info *made, const struct wanted *wanted, MPI_Info info) {
    bool earlier = false;
    for (int i = 0; i < made->size; i++) {
        earlier |= win_lead(made, i) != 0;
    }
    MPI_Info hints = window_hints(info, earlier);
    int code;
    if (wanted->flavor == ABI_MPI_WIN_FLAVOR_DYNAMIC) {
        made->attachments = attachments_make(made->comm, made->size, made->rank, &code);
        code = code == MPI_SUCCESS ? MPI_Win_create_dynamic(hints, made->comm, &made->host) : code;
    } else {
        MPI_Aint before = win_lead(made, made->rank);
        code = MPI_Win_create(guest.base + made->base - before, (MPI_Aint)wanted->bytes + before, 1, hints, made->comm,
                              &made->host);
    }
    info_free_made(hints, info);
    return code;
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
        win_unfurnish(made);
        free(made);
        v[0].i32 = refuse(comm->host, wanted.here, class == ABI_MPI_ERR_RMA_SHARED ? "comm" : "size", class);
        return NULL;
    }
    code = create(made, &wanted, info);
    struct slot *slot = NULL;
    uint32_t handle = code == MPI_SUCCESS ? slot_new(&win_handles, win_pack(made->host), &slot) : 0;
    if (handle == 0) {
        win_unfurnish(made);
        free(made);
        v[0].i32 = error_out(code);
        return code == MPI_SUCCESS ? guest_trap("%s: no room for another MPI_Win", wanted.here) : NULL;
    }
    slot->extra = made;
    made->cannot_swap_own = cannot_swap_own(made);
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
