/* How long calls of MPI take, in ns a call: the least of many rounds. */
#include <mpi.h>
#include <stdio.h>

enum { ROUNDS = 100, CALLS = 5000, MESSAGES = 2000 }; /* short, so that some rounds run undisturbed */

int main(int argc, char **argv) {
    int rank, size;
    double least_rank = 1e9, least_message = 1e9;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    for (int round = 0; round < ROUNDS; round++) {
        double before = MPI_Wtime();
        for (int i = 0; i < CALLS; i++) {
            MPI_Comm_size(MPI_COMM_WORLD, &size);
        }
        double between = MPI_Wtime();
        for (int i = 0; i < MESSAGES; i++) { /* to itself, so that no other process's time is in it */
            MPI_Sendrecv(NULL, 0, MPI_INT, rank, 0, NULL, 0, MPI_INT, rank, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        }
        double after = MPI_Wtime();
        least_rank = between - before < least_rank ? between - before : least_rank;
        least_message = after - between < least_message ? after - between : least_message;
    }
    if (rank == 0) {
        printf("%.1f %.1f\n", least_rank / CALLS * 1e9, least_message / MESSAGES * 1e9);
    }
    MPI_Finalize();
    return 0;
}
