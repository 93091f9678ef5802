/* The node's number of each of the ABI's error classes, by the ABI's number (generated in mpi_constants.c). */
#ifndef ARGOSY_MPI_ERRORS_H
#define ARGOSY_MPI_ERRORS_H

#include "mpi_core.h"

enum { ERROR_CLASSES = ABI_ERROR_CLASSES };
extern const int error_class_host[ERROR_CLASSES];

/* The guest's error handler has changed the node's code to this one, which the function that raised it returns. */
void error_changed(int host_code, int32_t guest_code);

#endif
