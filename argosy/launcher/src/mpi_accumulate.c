/* What may be accumulated: datatypes made of one predefined type, by an operation that is defined for it.
 *
 * Invariants.
 * - MPI takes no operation of the guest's here, and the standard says which types each predefined one takes. Libraries
 *   look at the target, in the middle of something else, and end the job there.
 */
#include "mpi_basics.h"
#include "mpi_windows.h"

/* Is it predefined for the node's MPI too? The guest's long doubles are made of bytes there. */
static bool is_predefined(const struct type_info *type) {
    return type->quads == NO_QUADS && type_predefined_handle(type) != 0;
}

bool swappable(const struct type_info *type) {
    return is_predefined(type) && (type_group(type->host) & (GROUP_INTEGER | GROUP_LOGICAL | GROUP_BYTE)) != 0;
}

static MPI_Datatype basic_type(const struct type_info *type) {
    return is_predefined(type) ? type->host : type_basic(type->host);
}

bool accumulates(int32_t operation, const struct type_info *target) {
    MPI_Datatype basic = basic_type(target);
    switch (operation) {
    case ABI_MPI_REPLACE:
    case ABI_MPI_NO_OP:
        return true;
    case ABI_MPI_SUM:
    case ABI_MPI_PROD:
        return (type_group(basic) & (GROUP_INTEGER | GROUP_REAL | GROUP_COMPLEX)) != 0;
    case ABI_MPI_MIN:
    case ABI_MPI_MAX:
        return (type_group(basic) & (GROUP_INTEGER | GROUP_REAL)) != 0;
    case ABI_MPI_LAND:
    case ABI_MPI_LOR:
    case ABI_MPI_LXOR:
        return (type_group(basic) & (GROUP_INTEGER | GROUP_LOGICAL)) != 0;
    case ABI_MPI_BAND:
    case ABI_MPI_BOR:
    case ABI_MPI_BXOR:
        return (type_group(basic) & (GROUP_INTEGER | GROUP_BYTE)) != 0;
    case ABI_MPI_MINLOC:
    case ABI_MPI_MAXLOC:
        return type_group(basic) == GROUP_PAIR;
    default:
        return false;
    }
}

bool accumulable(const struct type_info *origin, const struct type_info *target) {
    if (origin == NULL || (origin == target && is_predefined(origin))) {
        return basic_type(target) != MPI_DATATYPE_NULL;
    }
    MPI_Datatype to = basic_type(target);
    return to != MPI_DATATYPE_NULL && to == basic_type(origin);
}
