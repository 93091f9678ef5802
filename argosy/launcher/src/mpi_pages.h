/* Pages of guest memory that windows own. See mpi_pages.c. */
#ifndef ARGOSY_MPI_PAGES_H
#define ARGOSY_MPI_PAGES_H

#include "mpi_core.h"

/* How many bytes the pages have that hold `bytes` bytes; at least one page. */
uint64_t pages_bytes(uint64_t bytes);
/* The address of so many whole pages of zeros (`bytes` as pages_bytes gives it); false when the guest has no room. */
bool pages_take(uint64_t bytes, uint32_t *address);
/* Give them back: their content is gone, and private again where it was shared. */
void pages_give(uint32_t address, uint64_t bytes);
/* Put `bytes` bytes of an open file over them, so that a write is seen by all who did so. */
bool pages_share(uint32_t address, uint64_t bytes, int file);

#endif
