/* MPI_Win_allocate: a window over memory of the guest's own. An attribute of the window holds the memory, and its delete
 * function, which MPI calls when the window is freed, gives it back. */
#include <mpi.h>
#include <stdlib.h>
#include <string.h>

static int release(MPI_Win win, int keyval, void *memory, void *extra) {
    (void)win, (void)keyval, (void)extra;
    return PMPI_Free_mem(memory);
}

/* Keep the memory with the window, or give it back when there is none. */
static int keep(int code, void *memory, void *baseptr, MPI_Win *win) {
    static int keyval = MPI_KEYVAL_INVALID;
    if (code != MPI_SUCCESS) {
        PMPI_Free_mem(memory);
        return code;
    }
    if (keyval == MPI_KEYVAL_INVALID) {
        code = PMPI_Win_create_keyval(MPI_WIN_NULL_COPY_FN, release, &keyval, NULL);
    }
    if (code == MPI_SUCCESS) {
        code = PMPI_Win_set_attr(*win, keyval, memory);
    }
    memcpy(baseptr, &memory, sizeof memory);
    return code;
}

#pragma weak MPI_Win_allocate = PMPI_Win_allocate
int PMPI_Win_allocate(MPI_Aint size, int disp_unit, MPI_Info info, MPI_Comm comm, void *baseptr, MPI_Win *win) {
    void *memory = NULL;
    int code = PMPI_Alloc_mem(size, info, &memory);
    if (code == MPI_SUCCESS) {
        code = PMPI_Win_create(memory, size, disp_unit, info, comm, win);
        code = keep(code, memory, baseptr, win);
    }
    return code;
}

#pragma weak MPI_Win_allocate_c = PMPI_Win_allocate_c
int PMPI_Win_allocate_c(MPI_Aint size, MPI_Aint disp_unit, MPI_Info info, MPI_Comm comm, void *baseptr, MPI_Win *win) {
    void *memory = NULL;
    int code = PMPI_Alloc_mem(size, info, &memory);
    if (code == MPI_SUCCESS) {
        code = PMPI_Win_create_c(memory, size, disp_unit, info, comm, win);
        code = keep(code, memory, baseptr, win);
    }
    return code;
}
