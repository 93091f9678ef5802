/* The large-count forms of MPI-4. */
#include "check.h"

int main(int argc, char **argv) {
    begin(&argc, &argv);
    int to = (rank + 1) % size, from = (rank + size - 1) % size, value = rank, got = -1;
    MPI_Request request;
    MPI_Status status;
    MPI_Irecv_c(&got, (MPI_Count)1, MPI_INT, from, 0, MPI_COMM_WORLD, &request);
    MPI_Send_c(&value, (MPI_Count)1, MPI_INT, to, 0, MPI_COMM_WORLD);
    MPI_Wait(&request, &status);
    CHECK_IS(got, from);
    MPI_Count count;
    MPI_Get_count_c(&status, MPI_INT, &count);
    CHECK_IS(count, 1);
    MPI_Count counts[8];
    MPI_Aint displs[8];
    int all[8];
    for (int i = 0; i < size; i++) {
        counts[i] = 1, displs[i] = i;
    }
    MPI_Allgatherv_c(&value, 1, MPI_INT, all, counts, displs, MPI_INT, MPI_COMM_WORLD);
    CHECK_IS(all[size - 1], size - 1);
    MPI_Datatype type;
    MPI_Type_vector_c(3, 1, 2, MPI_INT, &type);
    MPI_Count size_of, lower, extent;
    MPI_Type_size_c(type, &size_of);
    MPI_Type_get_extent_c(type, &lower, &extent);
    CHECK(size_of == 12 && lower == 0 && extent == 20);
    MPI_Type_free(&type);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    int class;
    MPI_Error_class(MPI_Send_c(&value, (MPI_Count)1 << 62, MPI_DOUBLE, to, 0, MPI_COMM_WORLD), &class);
    CHECK(class == MPI_ERR_BUFFER || class == MPI_ERR_COUNT);
    MPI_Error_class(MPI_Send_c(&value, (MPI_Count)1 << 32, MPI_INT, to, 0, MPI_COMM_WORLD), &class);
    CHECK_IS(class, MPI_ERR_BUFFER);
    return end();
}
