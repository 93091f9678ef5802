/* What each rank has attached to a dynamic window, as the others know it.
 *
 * The ranks that touch a dynamic window give addresses in the target's memory, and MPI libraries do not look whether
 * anything is attached there: a wrong one would reach the target's launcher, or no memory at all. So each rank publishes
 * a table of its regions in a window of the launcher's own, and the origin looks there before MPI sees an address.
 *
 * Invariants.
 * - A table is written under an exclusive lock and read under a shared one, so no reader sees half a change.
 * - It is sorted by address, its regions do not overlap, and each lay inside guest memory when it was attached. Guest
 *   memory never shrinks, so what a table ever allowed can be touched without harm for ever: the origin keeps its copy,
 *   and reads the table again only when that does not allow an access. A region that has been detached since may be
 *   found in an old copy, which is as harmless; to touch it is the program's mistake.
 * - Between two regions of a rank all is guest memory. An access of several pieces (a datatype of absolute addresses) is
 *   therefore safe when its first and its last byte are attached.
 */
#include "mpi_attachments.h"

enum { MOST_REGIONS = 4095 };

struct region {
    uint64_t address, bytes;
};
/* 64 KiB: MPICH 4.0 takes a rank's memory for another place than it is where sizes are not multiples of 16. */
struct table {
    uint64_t count, unused;
    struct region regions[MOST_REGIONS];
};
_Static_assert(sizeof(struct table) == 1 << 16, "the table is whole pages");
/* A copy of another rank's table. */
struct copy {
    uint64_t count;
    struct region *regions;
};
struct attachments {
    MPI_Win win;
    struct table *mine; /* what the window exposes */
    int size;
    struct copy copies[];
};

struct attachments *attachments_make(MPI_Comm comm, int size, int rank, int *code) {
    struct attachments *made = calloc(1, sizeof *made + (size_t)size * sizeof *made->copies);
    int fine = made != NULL, all = 0;
    *code = MPI_Allreduce(&fine, &all, 1, MPI_INT, MPI_MIN, comm);
    if (*code == MPI_SUCCESS && !all) {
        *code = MPI_ERR_NO_MEM;
    }
    if (*code == MPI_SUCCESS) {
        *code = MPI_Win_allocate(sizeof(struct table), 1, MPI_INFO_NULL, comm, &made->mine, &made->win);
    }
    if (*code != MPI_SUCCESS) {
        free(made);
        return NULL;
    }
    made->size = size;
    MPI_Win_set_errhandler(made->win, MPI_ERRORS_RETURN);
    /* Empty before anyone reads it: the window that it belongs to is made next, by all ranks together. */
    *code = MPI_Win_lock(MPI_LOCK_EXCLUSIVE, rank, 0, made->win);
    if (*code == MPI_SUCCESS) {
        made->mine->count = 0;
        *code = MPI_Win_unlock(rank, made->win);
    }
    if (*code == MPI_SUCCESS) {
        *code = MPI_Barrier(comm);
    }
    if (*code != MPI_SUCCESS) {
        attachments_free(made);
        return NULL;
    }
    return made;
}

void attachments_free(struct attachments *attachments) {
    MPI_Win_free(&attachments->win);
    for (int i = 0; i < attachments->size; i++) {
        free(attachments->copies[i].regions);
    }
    free(attachments);
}

/* How many regions begin at or before the address. */
static uint64_t regions_until(const struct region *regions, uint64_t count, uint64_t address) {
    uint64_t low = 0, high = count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (regions[middle].address <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

int32_t attachments_add(struct attachments *attachments, int rank, uint32_t address, uint64_t bytes) {
    struct table *table = attachments->mine;
    uint64_t at = regions_until(table->regions, table->count, address);
    const struct region *before = at > 0 ? &table->regions[at - 1] : NULL;
    const struct region *after = at < table->count ? &table->regions[at] : NULL;
    if (table->count == MOST_REGIONS || (before != NULL && before->address + before->bytes > address) ||
        (after != NULL && address + bytes > after->address)) {
        return ABI_MPI_ERR_RMA_ATTACH;
    }
    int code = MPI_Win_lock(MPI_LOCK_EXCLUSIVE, rank, 0, attachments->win);
    if (code == MPI_SUCCESS) {
        memmove(table->regions + at + 1, table->regions + at, (table->count - at) * sizeof *table->regions);
        table->regions[at] = (struct region){address, bytes};
        table->count++;
        code = MPI_Win_unlock(rank, attachments->win);
    }
    return error_out(code);
}

int32_t attachments_remove(struct attachments *attachments, int rank, uint32_t address, uint64_t *bytes) {
    struct table *table = attachments->mine;
    uint64_t at = regions_until(table->regions, table->count, address);
    if (at == 0 || table->regions[at - 1].address != address) {
        return ABI_MPI_ERR_ARG;
    }
    *bytes = table->regions[at - 1].bytes;
    int code = MPI_Win_lock(MPI_LOCK_EXCLUSIVE, rank, 0, attachments->win);
    if (code == MPI_SUCCESS) {
        memmove(table->regions + at - 1, table->regions + at, (table->count - at) * sizeof *table->regions);
        table->count--;
        code = MPI_Win_unlock(rank, attachments->win);
    }
    return error_out(code);
}

static bool known(const struct copy *copy, int64_t low, int64_t high, bool all) {
    uint64_t at = regions_until(copy->regions, copy->count, (uint64_t)low);
    if (at == 0 || copy->regions[at - 1].address + copy->regions[at - 1].bytes <= (uint64_t)low) {
        return false;
    }
    if (!all) {
        uint64_t last = regions_until(copy->regions, copy->count, (uint64_t)high - 1);
        return copy->regions[last - 1].address + copy->regions[last - 1].bytes >= (uint64_t)high;
    }
    uint64_t end = copy->regions[at - 1].address + copy->regions[at - 1].bytes;
    for (; end < (uint64_t)high && at < copy->count && copy->regions[at].address == end; at++) {
        end += copy->regions[at].bytes;
    }
    return end >= (uint64_t)high;
}

/* Read that rank's table anew; false when that cannot be done. */
static bool look(struct attachments *attachments, int rank) {
    MPI_Win win = attachments->win;
    struct copy *copy = &attachments->copies[rank];
    uint64_t count = 0;
    if (MPI_Win_lock(MPI_LOCK_SHARED, rank, 0, win) != MPI_SUCCESS) {
        return false;
    }
    int code = MPI_Get(&count, 1, MPI_UINT64_T, rank, offsetof(struct table, count), 1, MPI_UINT64_T, win);
    if (code == MPI_SUCCESS) {
        code = MPI_Win_flush(rank, win);
    }
    int words = code == MPI_SUCCESS && count <= MOST_REGIONS ? (int)(count * 2) : 0;
    struct region *regions = words == 0 ? NULL : malloc((size_t)words * sizeof(uint64_t));
    if (regions != NULL) {
        code = MPI_Get(regions, words, MPI_UINT64_T, rank, offsetof(struct table, regions), words, MPI_UINT64_T, win);
    }
    int unlocked = MPI_Win_unlock(rank, win);
    if (code != MPI_SUCCESS || unlocked != MPI_SUCCESS || (words != 0 && regions == NULL)) {
        free(regions);
        return false;
    }
    free(copy->regions);
    copy->regions = regions;
    copy->count = (uint64_t)words / 2;
    return true;
}

bool attachments_allow(struct attachments *attachments, int rank, int64_t low, int64_t high, bool all) {
    if (low < 0 || high <= low || high > (int64_t)1 << 32) {
        return false;
    }
    return known(&attachments->copies[rank], low, high, all) ||
           (look(attachments, rank) && known(&attachments->copies[rank], low, high, all));
}
