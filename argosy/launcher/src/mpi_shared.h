/* Memory that the ranks of a node share. See mpi_shared.c. */
#ifndef ARGOSY_MPI_SHARED_H
#define ARGOSY_MPI_SHARED_H

#include "mpi_handles.h"

/* Collective over a private communicator of so many ranks, of which the caller is `rank`, with the same number of bytes
 * (as pages_bytes gives it) on each rank: one piece of memory appears in each guest, zeroed, at *address. The same answer
 * on all ranks: 0 or an error class, after which nothing is left of it. */
int32_t shared_make(MPI_Comm comm, int size, int rank, uint64_t bytes, uint32_t *address);

#endif
