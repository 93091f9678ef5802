/* A partition is given once in each round, and a request of partitions is freed only when it rests. */
#include "check.h"

int main(int argc, char **argv) {
    int given[4] = {1, 2, 3, 4}, taken[4] = {0}, flag = 1;
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
        do {
            CHECK(MPI_Parrived(requests[1], 0, &flag) == MPI_SUCCESS);
        } while (!flag);
        CHECK(MPI_Waitall(2, requests, MPI_STATUSES_IGNORE) == MPI_SUCCESS);
        CHECK(MPI_Pready(0, requests[0]) == MPI_ERR_REQUEST);
        CHECK(memcmp(given, taken, sizeof given) == 0);
    }
    /* Who takes starts once more than who gives, who has gone: the library writes to what it was. */
    CHECK(MPI_Request_free(&requests[0]) == MPI_SUCCESS && requests[0] == MPI_REQUEST_NULL);
    CHECK(MPI_Recv_init(given, 4, MPI_INT, 0, 6, MPI_COMM_SELF, &requests[0]) == MPI_SUCCESS);
    CHECK(MPI_Startall(2, requests) == MPI_SUCCESS);
    for (int round = 0; round < 100; round++) {
        CHECK(MPI_Test(&requests[1], &flag, MPI_STATUS_IGNORE) == MPI_SUCCESS && !flag);
    }
    MPI_Send(taken, 4, MPI_INT, 0, 6, MPI_COMM_SELF);
    CHECK(MPI_Wait(&requests[0], MPI_STATUS_IGNORE) == MPI_SUCCESS);
    CHECK(MPI_Request_free(&requests[0]) == MPI_SUCCESS);
    CHECK(MPI_Request_free(&requests[1]) == MPI_ERR_REQUEST);
    return end();
}
