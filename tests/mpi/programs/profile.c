/* A profiler's own MPI_Send takes the place of the library's and calls PMPI_Send, as in a native library. */
#include "check.h"

static int sends;

int MPI_Send(const void *buf, int count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm) {
    sends++;
    return PMPI_Send(buf, count, datatype, dest, tag, comm);
}

int main(int argc, char **argv) {
    begin(&argc, &argv);
    MPI_Pcontrol(1, "any", 2);
    int value = 1;
    MPI_Send(&value, 1, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD);
    CHECK_IS(sends, 1);
    return end();
}
