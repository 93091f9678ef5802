/* Buffers for MPI_Bsend: large ones, automatic ones, a communicator's and a session's. */
#include "check.h"

static char space[1 << 16], more[1 << 16];

static void send_to_self(MPI_Comm comm, int tag) {
    int value = 41 + tag, got = 0;
    MPI_Bsend(&value, 1, MPI_INT, rank, tag, comm);
    value = 0;
    MPI_Recv(&got, 1, MPI_INT, rank, tag, comm, MPI_STATUS_IGNORE);
    CHECK_IS(got, 41 + tag);
}

static void of_the_process(void) {
    void *address = NULL;
    MPI_Count bytes = 0;
    MPI_Buffer_attach_c(space, sizeof space);
    send_to_self(MPI_COMM_WORLD, 1);
    MPI_Buffer_flush();
    MPI_Request request;
    MPI_Buffer_iflush(&request);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    CHECK(MPI_Buffer_attach_c(more, sizeof more) != MPI_SUCCESS); /* one is there */
    CHECK(MPI_Buffer_attach_c((void *)0xfffff000, 1 << 20) != MPI_SUCCESS);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL);
    MPI_Buffer_detach_c(&address, &bytes);
    CHECK(address == space && bytes == sizeof space);
    int small = -1;
    MPI_Buffer_attach(MPI_BUFFER_AUTOMATIC, 0);
    send_to_self(MPI_COMM_WORLD, 2);
    MPI_Buffer_detach(&address, &small);
    CHECK(address == MPI_BUFFER_AUTOMATIC);
}

static void of_communicators(void) {
    MPI_Comm one, two;
    void *address = NULL;
    int bytes = 0;
    MPI_Comm_dup(MPI_COMM_WORLD, &one);
    MPI_Comm_dup(MPI_COMM_WORLD, &two);
    MPI_Comm_attach_buffer(one, space, sizeof space);
    MPI_Comm_attach_buffer(two, more, sizeof more);
    send_to_self(one, 3);
    send_to_self(two, 4);
    MPI_Comm_flush_buffer(one);
    MPI_Request request;
    MPI_Comm_iflush_buffer(two, &request);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    MPI_Comm_detach_buffer(one, &address, &bytes);
    CHECK(address == space && bytes == sizeof space);
    MPI_Count wide = 0;
    MPI_Comm_detach_buffer_c(two, &address, &wide);
    CHECK(address == more && wide == sizeof more);
    MPI_Comm_free(&one);
    MPI_Comm_free(&two);
}

static void of_a_session(void) {
    MPI_Session session;
    MPI_Group group;
    MPI_Comm comm;
    void *address = NULL;
    int bytes = 0;
    MPI_Session_init(MPI_INFO_NULL, MPI_ERRORS_ARE_FATAL, &session);
    MPI_Group_from_session_pset(session, "mpi://WORLD", &group);
    MPI_Comm_create_from_group(group, "buffers", MPI_INFO_NULL, MPI_ERRORS_ARE_FATAL, &comm);
    MPI_Session_attach_buffer(session, space, sizeof space);
    send_to_self(comm, 5);
    MPI_Session_flush_buffer(session);
    MPI_Session_detach_buffer(session, &address, &bytes);
    CHECK(address == space && bytes == sizeof space);
    MPI_Comm_free(&comm);
    MPI_Group_free(&group);
    MPI_Session_finalize(&session);
}

/* A buffer that goes while a flush is pending: the request stays the program's to complete. */
static void detached_under_flushes(void) {
    for (int i = 0; i < 50; i++) {
        MPI_Comm comm;
        MPI_Session session;
        MPI_Request flushes[4], other[2];
        MPI_Status status;
        void *address = NULL;
        int bytes = 0, value = i, got = -1, index = -1;
        MPI_Comm_dup(MPI_COMM_SELF, &comm);
        MPI_Session_init(MPI_INFO_NULL, MPI_ERRORS_ARE_FATAL, &session);
        MPI_Buffer_attach(space, sizeof space);
        MPI_Comm_attach_buffer(comm, more, sizeof more / 2);
        MPI_Session_attach_buffer(session, more + sizeof more / 2, sizeof more / 2);
        MPI_Bsend(&value, 1, MPI_INT, 0, 7, MPI_COMM_SELF);
        MPI_Buffer_iflush(&flushes[0]);
        MPI_Buffer_iflush(&flushes[1]);
        MPI_Comm_iflush_buffer(comm, &flushes[2]);
        MPI_Session_iflush_buffer(session, &flushes[3]);
        MPI_Recv(&got, 1, MPI_INT, 0, 7, MPI_COMM_SELF, MPI_STATUS_IGNORE);
        CHECK_IS(got, i);
        MPI_Buffer_detach(&address, &bytes);
        CHECK(address == space && bytes == sizeof space);
        MPI_Comm_free(&comm);
        MPI_Session_finalize(&session);
        MPI_Irecv(&got, 1, MPI_INT, 0, 8, MPI_COMM_SELF, &other[0]);
        MPI_Isend(&value, 1, MPI_INT, 0, 8, MPI_COMM_SELF, &other[1]);
        MPI_Wait(&flushes[0], &status);
        MPI_Get_count(&status, MPI_BYTE, &bytes);
        CHECK_IS(bytes, 0);
        MPI_Waitany(2, flushes, &index, MPI_STATUS_IGNORE);
        CHECK_IS(index, 1);
        MPI_Waitall(4, flushes, MPI_STATUSES_IGNORE);
        CHECK(flushes[2] == MPI_REQUEST_NULL && flushes[3] == MPI_REQUEST_NULL);
        MPI_Waitall(2, other, MPI_STATUSES_IGNORE);
    }
}

int main(int argc, char **argv) {
    begin(&argc, &argv);
    of_the_process();
    detached_under_flushes();
    of_communicators();
    of_a_session();
    return end();
}
