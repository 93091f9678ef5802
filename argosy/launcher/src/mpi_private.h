/* Communicators of the launcher's own. See mpi_private.c. */
#ifndef ARGOSY_MPI_PRIVATE_H
#define ARGOSY_MPI_PRIVATE_H

#include "mpi_handles.h"

void private_begin(void); /* collective over MPI_COMM_WORLD, just after MPI_Init */
void private_end(void);   /* collective too, just before MPI_Finalize */

/* Is it so on any rank of the world? Collective over it; true where that cannot be asked. */
bool private_any(bool here);

/* What ranks speak about on it. Those who are in calls of different kinds never meet. */
enum private_kind { PRIVATE_WINDOW = 1, PRIVATE_FILE, PRIVATE_PROCESSES };
/* Collective over an intracommunicator of the guest's: the same ranks in the same order, of which it has no handle. The
 * caller frees it by private_free. */
int private_make(const struct comm_info *comm, enum private_kind kind, MPI_Comm *made);
void private_free(MPI_Comm *made);

#endif
