/* A partition is given once in each round, and a request of partitions is freed only when it rests. */
#include "check.h"

int main(int argc, char **argv) {
    int given[4] = {1, 2, 3, 4}, taken[4] = {0}, flag;
    MPI_Request requests[2];
    begin(&argc, &argv);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
    MPI_Psend_init(given, 2, 2, MPI_INT, 0, 5, MPI_COMM_SELF, MPI_INFO_NULL, &requests[0]);
    MPI_Precv_init(taken, 2, 2, MPI_INT, 0, 5, MPI_COMM_SELF, MPI_INFO_NULL, &requests[1]);
    CHECK(MPI_Pready(0, requests[0]) == MPI_ERR_REQUEST);
    for (int round = 0; round < 2; round++) {
        memset(taken, 0, sizeof taken);
        CHECK(MPI_Startall(2, requests) == MPI_SUCCESS);
        CHECK(MPI_Pready(1, requests[0]) == MPI_SUCCESS);
        CHECK(MPI_Pready(1, requests[0]) == MPI_ERR_REQUEST);
        CHECK(MPI_Pready_range(0, 1, requests[0]) == MPI_ERR_REQUEST);
        CHECK(MPI_Pready_list(2, (int[]){0, 0}, requests[0]) == MPI_ERR_REQUEST);
        CHECK(MPI_Request_free(&requests[1]) == MPI_ERR_REQUEST);
        CHECK(MPI_Pready_list(1, (int[]){0}, requests[0]) == MPI_SUCCESS);
        CHECK(MPI_Waitall(2, requests, MPI_STATUSES_IGNORE) == MPI_SUCCESS);
        CHECK(MPI_Pready(0, requests[0]) == MPI_ERR_REQUEST);
        CHECK(MPI_Parrived(requests[1], 0, &flag) == MPI_SUCCESS && flag);
        CHECK(memcmp(given, taken, sizeof given) == 0);
    }
    CHECK(MPI_Request_free(&requests[0]) == MPI_SUCCESS);
    CHECK(MPI_Request_free(&requests[1]) == MPI_SUCCESS);
    return end();
}
