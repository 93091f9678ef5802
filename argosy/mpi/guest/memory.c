/* What needs only the guest's own memory: addresses, allocation, handles as integers, statuses. */
#include <mpi.h>
#include <stdlib.h>
#include <string.h>

/* Each PMPI_X is the function; MPI_X is its weak name, which a profiler's own definition replaces. */
#pragma weak MPI_Pcontrol = PMPI_Pcontrol
int PMPI_Pcontrol(const int level, ...) {
    (void)level;
    return MPI_SUCCESS;
}

#pragma weak MPI_Get_address = PMPI_Get_address
int PMPI_Get_address(const void *location, MPI_Aint *address) {
    *address = (MPI_Aint)location;
    return MPI_SUCCESS;
}

#pragma weak MPI_Address = PMPI_Address
int PMPI_Address(void *location, MPI_Aint *address) {
    return PMPI_Get_address(location, address);
}

#pragma weak MPI_Aint_add = PMPI_Aint_add
MPI_Aint PMPI_Aint_add(MPI_Aint base, MPI_Aint disp) {
    return (MPI_Aint)((uintptr_t)base + (uintptr_t)disp);
}

#pragma weak MPI_Aint_diff = PMPI_Aint_diff
MPI_Aint PMPI_Aint_diff(MPI_Aint addr1, MPI_Aint addr2) {
    return (MPI_Aint)((uintptr_t)addr1 - (uintptr_t)addr2);
}

#pragma weak MPI_Alloc_mem = PMPI_Alloc_mem
int PMPI_Alloc_mem(MPI_Aint size, MPI_Info info, void *baseptr) {
    (void)info;
    if (size < 0) {
        return PMPI_Comm_call_errhandler(MPI_COMM_WORLD, MPI_ERR_SIZE), MPI_ERR_SIZE;
    }
    /* Page alignment is what codes expect of memory for messages; 64 serves the widest vector loads. */
    void *memory = aligned_alloc(64, ((size_t)size + 64) & ~(size_t)63);
    if (memory == NULL) {
        return PMPI_Comm_call_errhandler(MPI_COMM_WORLD, MPI_ERR_NO_MEM), MPI_ERR_NO_MEM;
    }
    memcpy(baseptr, &memory, sizeof memory);
    return MPI_SUCCESS;
}

#pragma weak MPI_Free_mem = PMPI_Free_mem
int PMPI_Free_mem(void *base) {
    free(base);
    return MPI_SUCCESS;
}
