/* The smallest MPI program that can tell whether MPI works: ranks speak in order, and their sum is checked. */

#include <mpi.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    int rank, size;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);

    if (rank == 0) {
        printf("Hello from rank 0 of %d\n", size);
        for (int other = 1; other < size; other++) {
            int said;
            MPI_Recv(&said, 1, MPI_INT, other, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            printf("Hello from rank %d of %d\n", said, size);
        }
    } else {
        MPI_Send(&rank, 1, MPI_INT, 0, 0, MPI_COMM_WORLD);
    }

    int sum = 0;
    MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    int right = sum == size * (size - 1) / 2;
    if (rank == 0)
        printf("The sum of all ranks is %d, %s.\n", sum, right ? "as it must be" : "which is wrong");
    MPI_Finalize();
    return right ? 0 : 1;
}
