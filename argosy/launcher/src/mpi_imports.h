/* The table of imports that the launcher links (generated in mpi_imports.c). */
#ifndef ARGOSY_MPI_IMPORTS_H
#define ARGOSY_MPI_IMPORTS_H

#include "mpi_core.h"

#include "mpi_import_count.h" /* generated: MPI_IMPORT_COUNT */

extern const struct import mpi_imports[MPI_IMPORT_COUNT];

#endif
