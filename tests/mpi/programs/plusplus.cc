// mpi.h in C++, with a C++ container as buffer.
#include <mpi.h>

#include <cstdio>
#include <numeric>
#include <vector>

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    int rank, size;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    std::vector<double> values(100, rank + 1.0), sums(100);
    MPI_Allreduce(values.data(), sums.data(), 100, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    if (rank == 0 && std::accumulate(sums.begin(), sums.end(), 0.0) == 50.0 * size * (size + 1)) {
        std::puts("ok");
    }
    MPI_Finalize();
}
