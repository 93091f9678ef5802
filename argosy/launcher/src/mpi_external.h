/* Data that leaves in external32, and files that hold it. See mpi_external.c. */
#ifndef ARGOSY_MPI_EXTERNAL_H
#define ARGOSY_MPI_EXTERNAL_H

#include "mpi_types.h"

/* Has the library an external form for this datatype? */
bool external_form(const struct type_info *type);
/* What the library gets for it. */
MPI_Datatype external_type(const struct type_info *type);

/* May data of that type be read or written while the guest goes on? */
bool access_pends(bool external, const struct type_info *type);

/* An access to a file, as MPI is told of it. Of a file in external32 MPI gets bytes that are converted already; and bytes
 * of what it would look for in the wrong place. */
struct access {
    void *buffer;
    int64_t count;
    MPI_Datatype type;
    bool refused;
    void *packed; /* the bytes; NULL: MPI does it all, and nothing below counts */
    bool external;
    void *user;
    int64_t user_count;
    const struct type_info *user_type;
    MPI_Status status;
};
struct access access_begin(bool external, void *buffer, int64_t count, const struct type_info *type, bool writes);
static inline MPI_Status *access_status(struct access *access, MPI_Status *wanted) {
    return access->packed == NULL ? wanted : &access->status;
}
/* What was read goes where the guest wants it; `status` is its own, or MPI_STATUS_IGNORE. The code to return. */
int access_end(struct access *access, int code, bool writes, MPI_Status *status);

#endif
