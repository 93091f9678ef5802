/* Of which predefined types a datatype is made, and what of that libraries do not expect.
 *
 * These ask the node's MPI, about the node's types: a guest's MPI_LONG is what has its size there.
 */
#ifndef ARGOSY_MPI_BASICS_H
#define ARGOSY_MPI_BASICS_H

#include "mpi_handles.h"

/* The one predefined type that a datatype is made of; MPI_DATATYPE_NULL where there are several, or too deep down. */
MPI_Datatype type_basic(MPI_Datatype type);

/* The groups of predefined types that operations are defined for (MPI 5.0, section 6.9.2). MPI_CHAR is a number here, as
 * it is to every library; what is of several languages is one too. */
enum type_group {
    GROUP_NONE = 0,
    GROUP_INTEGER = 1,
    GROUP_REAL = 2,
    GROUP_COMPLEX = 4,
    GROUP_LOGICAL = 8,
    GROUP_BYTE = 16,
    GROUP_PAIR = 32
};
enum type_group type_group(MPI_Datatype basic);

/* What MPICH ends the job for.
 * - COUNTED: counting elements (MPI_Get_elements) of a type with MPI_FLOAT_INT among its parts, by whose elements' size it
 *   divides (by itself it is counted as two integers, pair_in), or with a distributed array of elements of several sizes.
 * - FILLED: elements counted into a status (MPI_Status_set_elements), in such an array, or where a part is empty, by whose
 *   elements' size it divides.
 * - NOT_EXTERNAL: external32 of large counts, and of parts and blocks that hold nothing. */
enum type_trouble { COUNTED, FILLED, NOT_EXTERNAL };
bool type_holds(MPI_Datatype type, enum type_trouble trouble);
/* Is it made of others that are not predefined? Were its bounds set, by MPI_Type_create_resized? */
bool type_nested(MPI_Datatype type);
bool type_bounded(MPI_Datatype type);
/* Was it given by a MPI_Type_create_f90_*? Such a one stays, and MPICH frees it again at its end. */
bool type_of_fortran(MPI_Datatype type);

#endif
