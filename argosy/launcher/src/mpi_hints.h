/* What an MPI_Info of the guest's says, and what of that the node's MPI is not to read.
 *
 * What is made of the guest's info here is that info itself, a copy, or MPI_INFO_NULL: info_free_made frees the copy.
 */
#ifndef ARGOSY_MPI_HINTS_H
#define ARGOSY_MPI_HINTS_H

#include "mpi_core.h"

/* The key's value. False: it has none. */
bool hint_in(MPI_Info info, const char *key, char value[static MPI_MAX_INFO_VAL + 1]);
/* For a file: without what makes no sense, which the standard has ignored and ROMIO believes. */
MPI_Info file_hints(MPI_Info info);
/* For a window, whose part begins earlier on some ranks than the guest's does. */
MPI_Info window_hints(MPI_Info info, bool earlier);
/* What says how to split. */
MPI_Info split_info(int split_type, MPI_Info info);
void info_free_made(MPI_Info made, MPI_Info given);

#endif
