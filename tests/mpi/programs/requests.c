/* Requests complete, become MPI_REQUEST_NULL, or stay when they are persistent. */
#include "check.h"

/* Requests that are freed before they have completed complete all the same, also of messages to oneself. */
static void freed_while_pending(void) {
    static int out[3000];
    volatile int in[2] = {0, 0};
    static int much[3000];
    MPI_Request request;
    out[0] = 17 + rank;
    for (int round = 0; round < 20; round++) {
        in[0] = in[1] = 0;
        MPI_Irecv((int *)&in[0], 1, MPI_INT, rank, 90, MPI_COMM_WORLD, &request);
        MPI_Request_free(&request);
        MPI_Recv_init((int *)&in[1], 1, MPI_INT, rank, 91, MPI_COMM_WORLD, &request);
        MPI_Start(&request);
        MPI_Request_free(&request);
        CHECK(request == MPI_REQUEST_NULL);
        MPI_Isend(out, 3000, MPI_INT, rank, 92, MPI_COMM_WORLD, &request);
        MPI_Request_free(&request);
        MPI_Send(out, 1, MPI_INT, rank, 91, MPI_COMM_WORLD);
        MPI_Isend(out, 1, MPI_INT, rank, 90, MPI_COMM_WORLD, &request);
        MPI_Request_free(&request);
        MPI_Recv(much, 3000, MPI_INT, rank, 92, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        CHECK_IS(much[0], 17 + rank);
        for (int flag; in[0] == 0 || in[1] == 0;) {
            MPI_Iprobe(MPI_ANY_SOURCE, 99, MPI_COMM_WORLD, &flag, MPI_STATUS_IGNORE);
        }
        CHECK(in[0] == 17 + rank && in[1] == 17 + rank);
    }
    MPI_Irecv(much, 1, MPI_INT, rank, 95, MPI_COMM_WORLD, &request);
    MPI_Cancel(&request);
    MPI_Request_free(&request);

    /* Messages that are for others pass by one that is pending. */
    MPI_Request others[4];
    int none = 0, four[4] = {1, 2, 3, 4}, got[4][4] = {{0}};
    MPI_Recv_init(&none, 1, MPI_INT, 0, 9, MPI_COMM_SELF, &request);
    MPI_Start(&request);
    MPI_Request_free(&request);
    for (int i = 0; i < 4; i++) {
        MPI_Isend(four, 4, MPI_INT, 0, 4, MPI_COMM_SELF, &others[i]);
    }
    for (int i = 0; i < 4; i++) {
        MPI_Recv(got[i], 4, MPI_INT, 0, 4, MPI_COMM_SELF, MPI_STATUS_IGNORE);
        CHECK(memcmp(got[i], four, sizeof four) == 0);
    }
    MPI_Waitall(4, others, MPI_STATUSES_IGNORE);
    MPI_Send(&four[2], 1, MPI_INT, 0, 9, MPI_COMM_SELF);
    CHECK_IS(none, 3);
}

/* A message that is too long for its receive ends at the buffer's end. */
static void truncated(int to) {
    enum { LONG = 1 << 20, ROOM = 16 };
    int *message = malloc(LONG * sizeof *message), *buffer = calloc(LONG, sizeof *buffer), beyond = 0;
    for (int i = 0; i < LONG; i++) {
        message[i] = 1 + i;
    }
    MPI_Request requests[2];
    MPI_Status statuses[2];
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Irecv(buffer, ROOM, MPI_INT, MPI_ANY_SOURCE, 7, MPI_COMM_WORLD, &requests[0]);
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Isend(message, LONG, MPI_INT, to, 7, MPI_COMM_WORLD, &requests[1]);
    GIVES(MPI_Wait(&requests[0], &statuses[0]), MPI_ERR_TRUNCATE);
    MPI_Wait(&requests[1], &statuses[1]);
    for (int i = ROOM; i < LONG; i++) {
        beyond += buffer[i] != 0;
    }
    CHECK_IS(beyond, 0);
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL);
    free(message);
    free(buffer);
}

int main(int argc, char **argv) {
    begin(&argc, &argv);
    freed_while_pending();
    truncated(rank);
    truncated((rank + 1) % size);
    int to = (rank + 1) % size, from = (rank + size - 1) % size;
    enum { N = 100 };
    static int out[N], in[N];
    static MPI_Request requests[2 * N];
    static MPI_Status statuses[2 * N];
    for (int i = 0; i < N; i++) {
        out[i] = 1000 * rank + i;
        MPI_Irecv(&in[i], 1, MPI_INT, from, i, MPI_COMM_WORLD, &requests[i]);
    }
    for (int i = 0; i < N; i++) {
        MPI_Isend(&out[i], 1, MPI_INT, to, i, MPI_COMM_WORLD, &requests[N + i]);
    }
    MPI_Waitall(2 * N, requests, statuses);
    for (int i = 0; i < N; i++) {
        CHECK_IS(in[i], 1000 * from + i);
        CHECK(requests[i] == MPI_REQUEST_NULL && requests[N + i] == MPI_REQUEST_NULL);
        CHECK(statuses[i].MPI_SOURCE == from && statuses[i].MPI_TAG == i);
    }

    /* One by one, each index once. */
    int seen = 0, index, flag;
    MPI_Status status;
    for (int i = 0; i < 4; i++) {
        MPI_Irecv(&in[i], 1, MPI_INT, from, i, MPI_COMM_WORLD, &requests[i]);
    }
    for (int i = 0; i < 4; i++) {
        MPI_Send(&out[i], 1, MPI_INT, to, i, MPI_COMM_WORLD);
    }
    for (int i = 0; i < 4; i++) {
        MPI_Waitany(4, requests, &index, &status);
        CHECK(index >= 0 && index < 4 && status.MPI_TAG == index && requests[index] == MPI_REQUEST_NULL);
        seen |= 1 << index;
    }
    CHECK_IS(seen, 15);
    MPI_Waitany(4, requests, &index, &status);
    CHECK_IS(index, MPI_UNDEFINED);
    MPI_Testany(4, requests, &index, &flag, &status);
    CHECK(flag && index == MPI_UNDEFINED);

    int done = 0, indices[4], some;
    for (int i = 0; i < 4; i++) {
        MPI_Irecv(&in[i], 1, MPI_INT, from, i, MPI_COMM_WORLD, &requests[i]);
    }
    for (int i = 3; i >= 0; i--) {
        MPI_Send(&out[i], 1, MPI_INT, to, i, MPI_COMM_WORLD);
    }
    while (done < 4) {
        MPI_Waitsome(4, requests, &some, indices, statuses);
        for (int i = 0; i < some; i++) {
            CHECK(requests[indices[i]] == MPI_REQUEST_NULL && statuses[i].MPI_TAG == indices[i]);
        }
        done += some;
    }
    CHECK_IS(done, 4);
    MPI_Testall(4, requests, &flag, MPI_STATUSES_IGNORE);
    CHECK(flag);

    /* Persistent ones are kept, and restarted. */
    MPI_Recv_init(in, 1, MPI_INT, from, 50, MPI_COMM_WORLD, &requests[0]);
    MPI_Send_init(out, 1, MPI_INT, to, 50, MPI_COMM_WORLD, &requests[1]);
    for (int round = 0; round < 3; round++) {
        out[0] = 10 * rank + round;
        MPI_Startall(2, requests);
        MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
        CHECK_IS(in[0], 10 * from + round);
        CHECK(requests[0] != MPI_REQUEST_NULL && requests[1] != MPI_REQUEST_NULL);
    }
    MPI_Request_free(&requests[0]);
    MPI_Request_free(&requests[1]);
    CHECK(requests[0] == MPI_REQUEST_NULL);

    /* Counts and displacements belong to MPI from the call on: what the guest writes there later must not count. */
    int counts[8], displs[8], big[8], got[8];
    for (int i = 0; i < size; i++) {
        counts[i] = 1, displs[i] = i, big[i] = 100 * rank + i;
    }
    MPI_Ialltoallv(big, counts, displs, MPI_INT, got, counts, displs, MPI_INT, MPI_COMM_WORLD, &requests[0]);
    memset(counts, 0x7f, sizeof counts);
    memset(displs, 0x7f, sizeof displs);
    MPI_Wait(&requests[0], MPI_STATUS_IGNORE);
    for (int i = 0; i < size; i++) {
        CHECK_IS(got[i], 100 * i + rank);
    }

    /* Memory grows while a receive is pending: its buffer stays where it is. */
    MPI_Irecv(in, N, MPI_INT, from, 60, MPI_COMM_WORLD, &requests[0]);
    char *more = malloc(64 << 20);
    CHECK(more != NULL);
    more[0] = more[(64 << 20) - 1] = 1;
    MPI_Send(out, N, MPI_INT, to, 60, MPI_COMM_WORLD);
    MPI_Wait(&requests[0], &status);
    CHECK_IS(in[N - 1], 1000 * from + N - 1);

    MPI_Irecv(in, 1, MPI_INT, from, 999, MPI_COMM_WORLD, &requests[0]);
    MPI_Cancel(&requests[0]);
    MPI_Wait(&requests[0], &status);
    MPI_Test_cancelled(&status, &flag);
    CHECK(flag);

    /* Buffered sends use memory of the node; the guest gets its own address back. */
    static char space[4096];
    void *back = NULL;
    int bytes = 0;
    MPI_Buffer_attach(space, sizeof space);
    MPI_Bsend(out, 4, MPI_INT, to, 70, MPI_COMM_WORLD);
    MPI_Recv(in, 4, MPI_INT, from, 70, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    MPI_Buffer_detach(&back, &bytes);
    CHECK(back == space && bytes == sizeof space);
    for (size_t i = 0; i < sizeof space; i++) {
        CHECK(space[i] == 0);
    }

    MPI_Message message;
    MPI_Isend(out, 2, MPI_INT, to, 80, MPI_COMM_WORLD, &requests[0]);
    MPI_Mprobe(from, 80, MPI_COMM_WORLD, &message, &status);
    int count;
    MPI_Get_count(&status, MPI_INT, &count);
    CHECK_IS(count, 2);
    MPI_Mrecv(in, 2, MPI_INT, &message, MPI_STATUS_IGNORE);
    CHECK(message == MPI_MESSAGE_NULL);
    MPI_Wait(&requests[0], MPI_STATUS_IGNORE);
    return end();
}
