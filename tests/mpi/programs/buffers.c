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

int main(int argc, char **argv) {
    begin(&argc, &argv);
    of_the_process();
    of_communicators();
    of_a_session();
    return end();
}
