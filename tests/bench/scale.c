/* A job's ranks start, meet, and end; with an argument they wait so many milliseconds in between, to be looked at. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv) {
    int rank;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Barrier(MPI_COMM_WORLD);
    if (argc > 1) {
        long milliseconds = strtol(argv[1], NULL, 10);
        struct timespec time = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};
        nanosleep(&time, NULL);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 0) {
        puts("done");
    }
    MPI_Finalize();
    return 0;
}
