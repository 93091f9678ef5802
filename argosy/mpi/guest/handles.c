/* Handles as integers (a handle is a 32-bit value here, so each is its own integer), the forms of a status and its
 * fields. */
#include <mpi.h>
#include <string.h>

#define CONVERTERS(name, type)                                                                                         \
    _Pragma(STRING(weak MPI_##name##_c2f = PMPI_##name##_c2f)) MPI_Fint PMPI_##name##_c2f(type handle) {               \
        return (MPI_Fint)(intptr_t)handle;                                                                             \
    }                                                                                                                  \
    _Pragma(STRING(weak MPI_##name##_f2c = PMPI_##name##_f2c)) type PMPI_##name##_f2c(MPI_Fint handle) {               \
        return (type)(intptr_t)handle;                                                                                 \
    }                                                                                                                  \
    _Pragma(STRING(weak MPI_##name##_toint = PMPI_##name##_toint)) int PMPI_##name##_toint(type handle) {              \
        return (int)(intptr_t)handle;                                                                                  \
    }                                                                                                                  \
    _Pragma(STRING(weak MPI_##name##_fromint = PMPI_##name##_fromint)) type PMPI_##name##_fromint(int handle) {        \
        return (type)(intptr_t)handle;                                                                                 \
    }
#define STRING(...) #__VA_ARGS__

CONVERTERS(Comm, MPI_Comm)
CONVERTERS(Errhandler, MPI_Errhandler)
CONVERTERS(File, MPI_File)
CONVERTERS(Group, MPI_Group)
CONVERTERS(Info, MPI_Info)
CONVERTERS(Message, MPI_Message)
CONVERTERS(Op, MPI_Op)
CONVERTERS(Request, MPI_Request)
CONVERTERS(Session, MPI_Session)
CONVERTERS(Type, MPI_Datatype)
CONVERTERS(Win, MPI_Win)

/* All three forms of a status are the same eight integers. */
#define STATUSES(name, from, to)                                                                                       \
    _Pragma(STRING(weak MPI_Status_##name = PMPI_Status_##name)) int PMPI_Status_##name(const from *given, to *made) { \
        memcpy(made, given, sizeof(MPI_Status));                                                                       \
        return MPI_SUCCESS;                                                                                            \
    }

STATUSES(c2f, MPI_Status, MPI_Fint)
STATUSES(f2c, MPI_Fint, MPI_Status)
STATUSES(c2f08, MPI_Status, MPI_F08_status)
STATUSES(f082c, MPI_F08_status, MPI_Status)
STATUSES(f082f, MPI_F08_status, MPI_Fint)
STATUSES(f2f08, MPI_Fint, MPI_F08_status)

#define FIELD(name, member)                                                                                            \
    _Pragma(STRING(weak MPI_Status_get_##name = PMPI_Status_get_##name)) int PMPI_Status_get_##name(                   \
        const MPI_Status *status, int *value) {                                                                        \
        *value = status->member;                                                                                       \
        return MPI_SUCCESS;                                                                                            \
    }                                                                                                                  \
    _Pragma(STRING(weak MPI_Status_set_##name = PMPI_Status_set_##name)) int PMPI_Status_set_##name(                   \
        MPI_Status *status, int value) {                                                                               \
        status->member = value;                                                                                        \
        return MPI_SUCCESS;                                                                                            \
    }

FIELD(source, MPI_SOURCE)
FIELD(tag, MPI_TAG)
FIELD(error, MPI_ERROR)
