/* The predefined attribute functions. They are ordinary guest functions, so the launcher treats them as any other. */
#include <mpi.h>
#include <string.h>

#define ATTRIBUTE_FUNCTIONS(prefix, type)                                                                              \
    int prefix##NULL_COPY_FN(type object, int keyval, void *extra, void *value, void *copy, int *flag) {               \
        (void)object, (void)keyval, (void)extra, (void)value, (void)copy;                                              \
        *flag = 0;                                                                                                     \
        return MPI_SUCCESS;                                                                                            \
    }                                                                                                                  \
    int prefix##DUP_FN(type object, int keyval, void *extra, void *value, void *copy, int *flag) {                     \
        (void)object, (void)keyval, (void)extra;                                                                       \
        memcpy(copy, &value, sizeof value);                                                                            \
        *flag = 1;                                                                                                     \
        return MPI_SUCCESS;                                                                                            \
    }                                                                                                                  \
    int prefix##NULL_DELETE_FN(type object, int keyval, void *value, void *extra) {                                    \
        (void)object, (void)keyval, (void)value, (void)extra;                                                          \
        return MPI_SUCCESS;                                                                                            \
    }

ATTRIBUTE_FUNCTIONS(MPI_, MPI_Comm)
ATTRIBUTE_FUNCTIONS(MPI_COMM_, MPI_Comm)
ATTRIBUTE_FUNCTIONS(MPI_TYPE_, MPI_Datatype)
ATTRIBUTE_FUNCTIONS(MPI_WIN_, MPI_Win)
