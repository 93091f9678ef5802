/* Calls from MPI into the guest: memory for their operands, and C functions that stand for guest functions. */
#ifndef ARGOSY_MPI_CALLBACKS_H
#define ARGOSY_MPI_CALLBACKS_H

#include "mpi_handles.h"

/* Room in guest memory for one callback, given back by releasing the mark taken before. Ends the job when the guest's
 * memory cannot grow: there is no way to tell MPI from inside. */
uint64_t lent_mark(void);
uint32_t lent_take(uint64_t bytes, const char *what);
void lent_release(uint64_t mark);

/* A guest address that stays for good, 8 bytes: where values live that MPI gives by address. */
uint32_t lent_cell(const char *what);

#endif
