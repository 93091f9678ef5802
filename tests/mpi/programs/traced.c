/* Known calls, for the tests of traces; run on 4 ranks. The argument says how it ends. */
#include "check.h"

int main(int argc, char **argv) {
    begin(&argc, &argv);
    const char *ending = argc > 1 ? argv[1] : "";
    double values[100] = {0}, others[400];
    int next = (rank + 1) % size, before = (rank + size - 1) % size;
    for (int i = 0; i < 3; i++) {
        MPI_Sendrecv(values, 100, MPI_DOUBLE, next, 0, others, 100, MPI_DOUBLE, before, 0, MPI_COMM_WORLD,
                     MPI_STATUS_IGNORE);
    }
    MPI_Send(values, 100, MPI_DOUBLE, MPI_PROC_NULL, 0, MPI_COMM_WORLD);
    MPI_Bcast(values, 10, MPI_INT, 1, MPI_COMM_WORLD);
    MPI_Allreduce(MPI_IN_PLACE, values, 5, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    MPI_Gather(values, 7, MPI_INT, others, 7, MPI_INT, 2, MPI_COMM_WORLD);
    int counts[4] = {1, 2, 3, 4}, places[4] = {0, 1, 3, 6};
    MPI_Allgatherv(values, rank + 1, MPI_DOUBLE, others, counts, places, MPI_DOUBLE, MPI_COMM_WORLD);
    MPI_Datatype column;
    MPI_Type_vector(4, 1, 10, MPI_FLOAT, &column);
    MPI_Type_commit(&column);
    /* The ranks in this communicator are the world's backwards. */
    MPI_Comm turned;
    MPI_Comm_split(MPI_COMM_WORLD, 0, size - rank, &turned);
    if (rank == 0) {
        MPI_Send(values, 2, column, 0, 1, turned);
    } else if (rank == 3) {
        MPI_Recv(others, 8, MPI_FLOAT, 3, 1, turned, MPI_STATUS_IGNORE);
    }
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Send(values, 1, MPI_DOUBLE, 99, 0, MPI_COMM_WORLD);
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 1 && strcmp(ending, "trap") == 0) {
        __builtin_trap();
    }
    if (rank == 1 && strcmp(ending, "abort") == 0) {
        MPI_Abort(MPI_COMM_WORLD, 7);
    }
    if (*ending != '\0') { /* wait for an end that does not come */
        printf("waiting\n");
        fflush(stdout);
        MPI_Recv(others, 1, MPI_INT, MPI_ANY_SOURCE, 77, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    }
    return end();
}
