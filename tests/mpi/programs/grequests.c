/* Generalized requests: which function MPI calls when, what it may call, and what of it is refused. */
#include "check.h"

struct work {
    MPI_Request request, other;
    int queried, freed, cancelled, was_complete, inside;
    int elements;
};

static int query(void *state, MPI_Status *status) {
    struct work *work = state;
    work->queried++;
    MPI_Status_set_elements(status, MPI_INT, work->elements);
    MPI_Status_set_cancelled(status, work->cancelled > 0);
    status->MPI_SOURCE = 3;
    status->MPI_TAG = 17;
    if (work->other != MPI_REQUEST_NULL) { /* another request may be waited for */
        work->inside = MPI_Wait(&work->other, MPI_STATUS_IGNORE);
    }
    return MPI_SUCCESS;
}

static int release(void *state) {
    ((struct work *)state)->freed++;
    return MPI_SUCCESS;
}

static int cancel(void *state, int complete) {
    struct work *work = state;
    work->cancelled++;
    work->was_complete = complete;
    if (!complete) {
        MPI_Grequest_complete(work->request);
    }
    return MPI_SUCCESS;
}

static void start(struct work *work) {
    *work = (struct work){.other = MPI_REQUEST_NULL, .elements = 5};
    CHECK_IS(MPI_Grequest_start(query, release, cancel, work, &work->request), MPI_SUCCESS);
}

static void waited_for(void) {
    struct work work, more[3];
    MPI_Status status, statuses[3];
    int flag = 1, count = 0, value = rank, got = -1;
    start(&work);
    MPI_Test(&work.request, &flag, &status);
    CHECK(!flag && work.queried == 0);
    MPI_Grequest_complete(work.request);
    MPI_Request_get_status(work.request, &flag, &status);
    CHECK(flag && work.freed == 0 && work.request != MPI_REQUEST_NULL);
    MPI_Irecv(&got, 1, MPI_INT, rank, 4, MPI_COMM_WORLD, &work.other);
    MPI_Send(&value, 1, MPI_INT, rank, 4, MPI_COMM_WORLD);
    MPI_Wait(&work.request, &status);
    CHECK(work.request == MPI_REQUEST_NULL && work.freed == 1 && work.queried >= 1);
    CHECK(work.other == MPI_REQUEST_NULL && work.inside == MPI_SUCCESS && got == rank);
    MPI_Get_count(&status, MPI_INT, &count);
    MPI_Test_cancelled(&status, &flag);
    CHECK(count == 5 && !flag && status.MPI_SOURCE == 3 && status.MPI_TAG == 17);

    MPI_Request requests[4] = {MPI_REQUEST_NULL};
    for (int i = 0; i < 3; i++) {
        start(&more[i]);
        more[i].elements = i;
        requests[i] = more[i].request;
    }
    MPI_Grequest_complete(requests[1]);
    MPI_Waitany(3, requests, &got, &status);
    CHECK_IS(got, 1);
    MPI_Grequest_complete(requests[0]);
    MPI_Grequest_complete(requests[2]);
    MPI_Waitall(3, requests, statuses);
    MPI_Get_elements(&statuses[2], MPI_INT, &count);
    CHECK(count == 2 && more[0].freed == 1 && more[1].freed == 1 && more[2].freed == 1);
}

static void cancelled_and_freed(void) {
    struct work work;
    MPI_Status status;
    int flag = 0;
    start(&work);
    MPI_Cancel(&work.request);
    CHECK(work.cancelled == 1 && !work.was_complete);
    MPI_Wait(&work.request, &status);
    MPI_Test_cancelled(&status, &flag);
    CHECK(flag && work.freed == 1);

    start(&work);
    MPI_Request copy = work.request;
    MPI_Request_free(&work.request);
    CHECK(work.request == MPI_REQUEST_NULL);
    CHECK_IS(MPI_Grequest_complete(copy), MPI_SUCCESS);
    CHECK_IS(work.freed, 1);
    CHECK_IS(MPI_Grequest_complete(copy), MPI_ERR_REQUEST);
}

/* Each of these would have MPI go on with a request that is no more. */
static MPI_Request batch[2];
static int hostile_calls;
static int hostile_query(void *state, MPI_Status *status) {
    int flag, index;
    (void)state;
    MPI_Status_set_elements(status, MPI_INT, 0);
    CHECK_IS(MPI_Wait(&batch[0], MPI_STATUS_IGNORE), MPI_ERR_REQUEST);
    CHECK_IS(MPI_Request_free(&batch[0]), MPI_ERR_REQUEST);
    CHECK_IS(MPI_Test(&batch[1], &flag, MPI_STATUS_IGNORE), MPI_ERR_REQUEST);
    CHECK_IS(MPI_Request_free(&batch[1]), MPI_ERR_REQUEST);
    CHECK_IS(MPI_Waitany(2, batch, &index, MPI_STATUS_IGNORE), MPI_ERR_REQUEST);
    CHECK_IS(MPI_Grequest_complete(batch[0]), MPI_ERR_REQUEST);
    hostile_calls++;
    return MPI_SUCCESS;
}
static int hostile_free(void *state) {
    MPI_Request *own = state;
    CHECK_IS(MPI_Request_free(own), MPI_ERR_REQUEST);
    CHECK_IS(MPI_Wait(own, MPI_STATUS_IGNORE), MPI_ERR_REQUEST);
    hostile_calls++;
    return MPI_SUCCESS;
}
static int no_cancel(void *state, int complete) {
    (void)state, (void)complete;
    return MPI_SUCCESS;
}

static void misused(void) {
    MPI_Request request, plain = MPI_REQUEST_NULL;
    int value = 0;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    CHECK_IS(MPI_Grequest_start(NULL, hostile_free, no_cancel, NULL, &request), MPI_ERR_ARG);
    CHECK_IS(MPI_Grequest_complete(MPI_REQUEST_NULL), MPI_ERR_REQUEST);
    MPI_Irecv(&value, 1, MPI_INT, rank, 9, MPI_COMM_WORLD, &plain);
    CHECK_IS(MPI_Grequest_complete(plain), MPI_ERR_REQUEST);
    for (int i = 0; i < 2; i++) {
        MPI_Grequest_start(hostile_query, hostile_free, no_cancel, &batch[i], &batch[i]);
    }
    CHECK_IS(MPI_Start(&batch[0]), MPI_ERR_REQUEST);
    MPI_Grequest_complete(batch[0]);
    CHECK_IS(MPI_Grequest_complete(batch[0]), MPI_ERR_REQUEST);
    MPI_Grequest_complete(batch[1]);
    CHECK_IS(MPI_Waitall(2, batch, MPI_STATUSES_IGNORE), MPI_SUCCESS);
    CHECK(hostile_calls >= 4 && batch[0] == MPI_REQUEST_NULL && batch[1] == MPI_REQUEST_NULL);
    MPI_Send(&value, 1, MPI_INT, rank, 9, MPI_COMM_WORLD);
    MPI_Wait(&plain, MPI_STATUS_IGNORE);
}

int main(int argc, char **argv) {
    begin(&argc, &argv);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    waited_for();
    cancelled_and_freed();
    misused();
    return end();
}
