/* A profiler's own MPI_Send takes the place of the library's and calls PMPI_Send, as in a native library. */
#include "check.h"

static int sends;

int MPI_Send(const void *buf, int count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm) {
    sends++;
    return PMPI_Send(buf, count, datatype, dest, tag, comm);
}

/* As other languages call them: by name, without the header. */
int plain_send(const void *, int, MPI_Datatype, int, int, MPI_Comm) __asm__("MPI_Send");
int plain_profiled_send(const void *, int, MPI_Datatype, int, int, MPI_Comm) __asm__("PMPI_Send");
int plain_size(MPI_Comm, int *) __asm__("MPI_Comm_size");

int main(int argc, char **argv) {
    begin(&argc, &argv);
    MPI_Pcontrol(1, "any", 2);
    int value = 1;
    MPI_Send(&value, 1, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD);
    CHECK_IS(sends, 1);
    plain_send(&value, 1, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD);
    CHECK_IS(sends, 2);
    plain_profiled_send(&value, 1, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD);
    PMPI_Send(&value, 1, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD);
    CHECK_IS(sends, 2);
    int (*pointer)(MPI_Comm, int *) = MPI_Comm_size, by_pointer = -1, by_name = -1;
    pointer(MPI_COMM_WORLD, &by_pointer);
    plain_size(MPI_COMM_WORLD, &by_name);
    CHECK(by_pointer == size && by_name == size);
    return end();
}
