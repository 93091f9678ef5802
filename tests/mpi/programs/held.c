/* Ranks that share memory and wait in it until they are ended from outside. */
#include "check.h"

int main(int argc, char **argv) {
    begin(&argc, &argv);
    volatile int *mine, *first;
    MPI_Win win;
    MPI_Aint bytes;
    int unit;
    MPI_Win_allocate_shared(100000, 4, MPI_INFO_NULL, MPI_COMM_WORLD, &mine, &win);
    MPI_Win_shared_query(win, 0, &bytes, &unit, &first);
    MPI_Win_lock_all(0, win);
    first[rank] = 1000 + rank;
    MPI_Win_sync(win);
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Win_sync(win);
    int all = 1;
    for (int r = 0; r < size; r++) {
        all &= first[r] == 1000 + r;
    }
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 0) {
        printf("%s\n", all ? "shared" : "apart");
        fflush(stdout);
    }
    while (first[0] == 1000) {
        MPI_Win_sync(win);
    }
    return 1;
}
