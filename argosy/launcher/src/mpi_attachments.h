/* What is attached to dynamic windows. See mpi_attachments.c. */
#ifndef ARGOSY_MPI_ATTACHMENTS_H
#define ARGOSY_MPI_ATTACHMENTS_H

#include "mpi_windows.h"

/* Collective over a private communicator of so many ranks, of which the caller is `rank`. NULL with the code in *code when
 * it failed on any rank. */
struct attachments *attachments_make(MPI_Comm comm, int size, int rank, int *code);
void attachments_free(struct attachments *attachments); /* collective */

/* Of this rank: note a region of guest memory, or forget the one that begins there. An error class, or 0. */
int32_t attachments_add(struct attachments *attachments, int rank, uint32_t address, uint64_t bytes);
int32_t attachments_remove(struct attachments *attachments, int rank, uint32_t address, uint64_t *bytes);

/* May that rank's memory from `low` to before `high` be touched? With `all`, each byte of it, else the first and the
 * last. Asks that rank when what is known of it does not allow it. */
bool attachments_allow(struct attachments *attachments, int rank, int64_t low, int64_t high, bool all);

#endif
