/* Nothing is unloaded while a guest runs.
 *
 * Libraries keep the addresses of what their plugins own and look there later: Open MPI's MPI_T_cvar_read reads the
 * variables of components that it has closed, and ends in a segmentation fault when their code is gone. This dlclose is
 * the executable's, so it stands before the C library's for every library of the process. What it keeps is a process's
 * lifetime of memory that nobody touches.
 */
#include <dlfcn.h>

int dlclose(void *library) {
    (void)library;
    return 0;
}
