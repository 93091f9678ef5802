/* Buffers for MPI_Bsend whose holder goes. See mpi_bsend.c. */
#ifndef ARGOSY_MPI_BSEND_H
#define ARGOSY_MPI_BSEND_H

#include "mpi_core.h"

void bsend_comm_ends(MPI_Comm comm, const char *here);
#if HAVE_MPI_Session_init
void bsend_session_ends(MPI_Session session, const char *here);
#endif

#endif
