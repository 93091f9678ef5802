/* Windows of one-sided communication. See mpi_windows.c. */
#ifndef ARGOSY_MPI_WINDOWS_H
#define ARGOSY_MPI_WINDOWS_H

#include "mpi_buffers.h"

/* What one rank exposes, and by which sort of call: the ABI's MPI_WIN_FLAVOR_X. `base` is, of the guest's own memory,
 * where in the guest; of shared memory, where its part begins in the whole; of a dynamic window, where the rank's guest
 * memory begins in its own process. */
struct exposed {
    int64_t bytes, unit, base, flavor;
};

struct attachments;

enum { WIN_CELLS = 5 }; /* one for each predefined attribute */

struct win_info {
    MPI_Win host;
    MPI_Comm comm; /* the launchers' own, that it is made on */
    int size, rank;
    int32_t flavor;                  /* the ABI's MPI_WIN_FLAVOR_X */
    uint32_t base;                   /* where the rank's own part is; 0 in a dynamic window */
    uint32_t pages;                  /* memory that came with the window and goes with it, */
    uint64_t pages_size;             /* so many bytes of it; 0: none */
    bool apart;                      /* parts of shared memory need not follow each other */
    bool cannot_swap_own;               /* the library cannot compare and swap 8 bytes of the rank's own */
    struct attachments *attachments; /* of a dynamic window */
    uint32_t cells[WIN_CELLS];       /* where the guest reads attributes; 0: not yet */
    struct exposed exposed[];
};

/* How far before the rank's part MPI's window begins, where it is not dynamic. MPICH 4.0 takes a window to begin where
 * UCX says that it registered memory, which is at a multiple of 16, and would put before one that begins elsewhere. */
static inline MPI_Aint win_lead(const struct win_info *win, int rank) {
    return (MPI_Aint)(win->exposed[rank].base % 16);
}
/* Where the rank's part of shared memory begins: one that is empty and need not follow another is at no address, as in
 * every MPI library. */
static inline uint32_t win_shared_part(const struct win_info *win, int rank) {
    const struct exposed *part = &win->exposed[rank];
    return win->apart && part->bytes == 0 ? 0 : win->pages + (uint32_t)part->base;
}
void win_unfurnish(struct win_info *win); /* give back what belongs to it, but for the record */

struct win_info *win_find(int32_t guest_handle); /* NULL: none */
/* A trap where a window lives for which the end of MPI would end the process; else NULL. */
wasm_trap_t *win_left(const char *here);
bool win_rank_in(const struct win_info *win, int32_t rank, int *host);
/* 0, or the class of what is wrong with `count` elements at displacement `disp` of that rank's window; `place` is the
 * displacement that MPI is to be given. */
int32_t target_in(struct win_info *win, int rank, int64_t disp, int64_t count, const struct type_info *type,
                  MPI_Aint *place);
/* Is that much data as much as, or at most as much as, so much of another type? */
static inline bool data_equals(int64_t count, const struct type_info *type, int64_t other_count,
                               const struct type_info *other) {
    return (__int128)count * type->size == (__int128)other_count * other->size;
}
static inline bool data_fits(int64_t count, const struct type_info *type, int64_t other_count,
                             const struct type_info *other) {
    return (__int128)count * type->size <= (__int128)other_count * other->size;
}
/* Accumulating takes datatypes that are made of one predefined type, the same at the origin (NULL: it gives nothing) and
 * the target. Some libraries end the job where they are not. */
bool accumulable(const struct type_info *origin, const struct type_info *target);
/* Is the operation defined for what that type is made of? MPICH 5.0 finds out at the target, and ends the job there. */
bool accumulates(int32_t operation, const struct type_info *target);
/* Is this a type of MPI_Compare_and_swap, and does the library swap it there? */
bool swappable(const struct type_info *type);
static inline bool win_swaps(const struct win_info *win, int target_rank, const struct type_info *type) {
    return !win->cannot_swap_own || target_rank != win->rank || type->size != 8;
}
/* What the guest finds in attribute_val for a predefined key: the window's base, or the address of the value. */
uint32_t win_attribute(struct win_info *win, int32_t key, const char *here);

#endif
