/* A store outside memory, while MPI is up. */
#include "check.h"

int main(int argc, char **argv) {
    begin(&argc, &argv);
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 0) {
        volatile int *outside = (int *)(uintptr_t)0xfffffff0u;
        *outside = 1;
    }
    MPI_Barrier(MPI_COMM_WORLD);
    return end();
}
