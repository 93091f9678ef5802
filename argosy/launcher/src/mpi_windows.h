/* Windows of one-sided communication. See mpi_windows.c. */
#ifndef ARGOSY_MPI_WINDOWS_H
#define ARGOSY_MPI_WINDOWS_H

#include "mpi_buffers.h"

/* What one rank exposes. */
struct exposed {
    int64_t bytes, unit;
};

struct win_info {
    MPI_Win host;
    int size; /* ranks */
    struct exposed exposed[];
};

struct win_info *win_find(int32_t guest_handle); /* NULL: none */
bool win_rank_in(const struct win_info *win, int32_t rank, int *host);
/* 0, or the class of what is wrong with `count` elements at displacement `disp` of that rank's window. */
int32_t target_in(const struct win_info *win, int rank, int64_t disp, int64_t count, const struct type_info *type);

#endif
