/* Buffers for MPI_Bsend: their flushes, and holders that go. See mpi_bsend.c. */
#ifndef ARGOSY_MPI_BSEND_H
#define ARGOSY_MPI_BSEND_H

#include "mpi_core.h"

#if HAVE_MPI_Buffer_iflush
void bsend_flush_of_process(uint32_t request, const char *here);
void bsend_flush_of_comm(uint32_t request, MPI_Comm comm, const char *here);
void bsend_flush_of_session(uint32_t request, MPI_Session session, const char *here);
#endif
void bsend_comm_ends(MPI_Comm comm, const char *here);
#if HAVE_MPI_Session_init
void bsend_session_ends(MPI_Session session, const char *here);
#endif

#endif
