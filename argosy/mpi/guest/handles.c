/* Handles as integers (a handle is a 32-bit value here, so each is its own integer) and the fields of a status. */
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

#pragma weak MPI_Status_c2f = PMPI_Status_c2f
int PMPI_Status_c2f(const MPI_Status *c_status, MPI_Fint *f_status) {
    memcpy(f_status, c_status, sizeof *c_status);
    return MPI_SUCCESS;
}

#pragma weak MPI_Status_f2c = PMPI_Status_f2c
int PMPI_Status_f2c(const MPI_Fint *f_status, MPI_Status *c_status) {
    memcpy(c_status, f_status, sizeof *c_status);
    return MPI_SUCCESS;
}

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
