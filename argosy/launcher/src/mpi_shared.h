/* Memory that the ranks of a node share. See mpi_shared.c. */
#ifndef ARGOSY_MPI_SHARED_H
#define ARGOSY_MPI_SHARED_H

#include "mpi_handles.h"

/* Collective over an intracommunicator, with the same number of bytes (as pages_bytes gives it) on each rank: one piece
 * of memory appears in each guest, zeroed, at *address. The same answer on all ranks: 0 or an error class, after which
 * nothing is left of it. */
int32_t shared_make(const struct comm_info *comm, uint64_t bytes, uint32_t *address);

#endif
