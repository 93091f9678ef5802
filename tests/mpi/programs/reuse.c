/* What is used again, too early or too late is refused, and what fails is over: a fuzzer found libraries to end otherwise. */
#include "check.h"

static MPI_Comm comm;
static MPI_Datatype type;
static int refused, key;

static int frees_comm(MPI_Comm which, int keyval, void *value, void *extra) {
    (void)which, (void)keyval, (void)value, (void)extra;
    MPI_Comm copy = comm;
    refused += MPI_Comm_free(&copy) == MPI_ERR_COMM;
    refused += MPI_Comm_set_attr(comm, key, NULL) == MPI_ERR_KEYVAL;
    refused += MPI_Comm_delete_attr(comm, key) == MPI_ERR_KEYVAL;
    return MPI_SUCCESS;
}

static int copies_freed(MPI_Comm which, int keyval, void *extra, void *value, void *copy, int *flag) {
    (void)which, (void)keyval, (void)extra, (void)value, (void)copy;
    MPI_Comm again = comm;
    refused += MPI_Comm_free(&again) == MPI_ERR_COMM;
    *flag = 0;
    return MPI_SUCCESS;
}

static int copies_never(MPI_Comm which, int keyval, void *extra, void *value, void *copy, int *flag) {
    (void)which, (void)keyval, (void)extra, (void)value, (void)copy, (void)flag;
    refused++;
    return MPI_ERR_OTHER;
}

static int frees_type(MPI_Datatype which, int keyval, void *extra, void *value, void *copy, int *flag) {
    (void)which, (void)keyval, (void)extra, (void)value, (void)copy;
    MPI_Datatype again = type;
    refused += MPI_Type_free(&again) == MPI_ERR_TYPE;
    *flag = 0;
    return MPI_SUCCESS;
}

static void attributes(void) {
    MPI_Comm other;
    MPI_Comm_create_keyval(copies_freed, frees_comm, &key, NULL);
    MPI_Comm_dup(MPI_COMM_SELF, &comm);
    CHECK(MPI_Comm_set_attr(comm, key, NULL) == MPI_SUCCESS);
    refused = 0;
    CHECK(MPI_Comm_dup(comm, &other) == MPI_SUCCESS);
    CHECK(refused == 1);
    CHECK(MPI_Comm_set_attr(comm, key, NULL) == MPI_SUCCESS);
    CHECK(refused == 4);
    CHECK(MPI_Comm_free(&comm) == MPI_SUCCESS && comm == MPI_COMM_NULL);
    MPI_Comm_free(&other);
    MPI_Comm_free_keyval(&key);

    /* Libraries duplicate a window's communicator: its attributes stay with the one that has them. */
    MPI_Win window;
    MPI_Comm_create_keyval(copies_never, MPI_COMM_NULL_DELETE_FN, &key, NULL);
    MPI_Comm_dup(MPI_COMM_WORLD, &comm);
    MPI_Comm_set_attr(comm, key, NULL);
    refused = 0;
    CHECK(MPI_Win_create_dynamic(MPI_INFO_NULL, comm, &window) == MPI_SUCCESS);
    MPI_Win_free(&window);
    CHECK(refused == 0 && MPI_Comm_dup(comm, &other) != MPI_SUCCESS && refused == 1);
    MPI_Comm_free(&comm);
    MPI_Comm_free_keyval(&key);

    MPI_Datatype duplicate;
    int type_key;
    MPI_Type_create_keyval(frees_type, MPI_TYPE_NULL_DELETE_FN, &type_key, NULL);
    MPI_Type_contiguous(2, MPI_INT, &type);
    MPI_Type_commit(&type);
    MPI_Type_set_attr(type, type_key, NULL);
    refused = 0;
    CHECK(MPI_Type_dup(type, &duplicate) == MPI_SUCCESS);
    CHECK(refused == 1);
    MPI_Type_free(&type);
    MPI_Type_free(&duplicate);
    MPI_Type_free_keyval(&type_key);
}

static void requests(void) {
    MPI_Request request, kept;
    MPI_Ibarrier(MPI_COMM_SELF, &request);
    CHECK(MPI_Request_free(&request) == MPI_ERR_REQUEST);
    CHECK(MPI_Cancel(&request) == MPI_ERR_REQUEST);
    CHECK(MPI_Wait(&request, MPI_STATUS_IGNORE) == MPI_SUCCESS && request == MPI_REQUEST_NULL);

    /* What is cancelled is cancelled once. */
    MPI_Irecv(&key, 1, MPI_INT, 0, 3, MPI_COMM_SELF, &request);
    CHECK(MPI_Cancel(&request) == MPI_SUCCESS && MPI_Cancel(&request) == MPI_ERR_REQUEST);
    CHECK(MPI_Wait(&request, MPI_STATUS_IGNORE) == MPI_SUCCESS);

    /* A receive that is too short is over, and so is its handle. It comes second: Open MPI 4.1 forgets the error of one
     * that waits for a message of its own process. */
    int few = 0, many[4] = {1, 2, 3, 4};
    MPI_Request sent;
    MPI_Isend(many, 4, MPI_INT, 0, 1, MPI_COMM_SELF, &sent);
    MPI_Irecv(&few, 1, MPI_INT, 0, 1, MPI_COMM_SELF, &request);
    kept = request;
    int code = MPI_Wait(&request, MPI_STATUS_IGNORE), class;
    MPI_Error_class(code, &class);
    CHECK(class == MPI_ERR_TRUNCATE);
    MPI_Wait(&sent, MPI_STATUS_IGNORE);
    if (request == MPI_REQUEST_NULL) {
        CHECK(MPI_Wait(&kept, MPI_STATUS_IGNORE) == MPI_ERR_REQUEST);
    }

    /* What restarts is started once at a time. */
    MPI_Recv_init(&few, 1, MPI_INT, 0, 2, MPI_COMM_SELF, &request);
    CHECK(MPI_Start(&request) == MPI_SUCCESS);
    CHECK(MPI_Start(&request) == MPI_ERR_REQUEST);
    CHECK(MPI_Startall(1, &request) == MPI_ERR_REQUEST);
    MPI_Send(many, 1, MPI_INT, 0, 2, MPI_COMM_SELF);
    CHECK(MPI_Wait(&request, MPI_STATUS_IGNORE) == MPI_SUCCESS);
    CHECK(MPI_Startall(1, &request) == MPI_SUCCESS);
    MPI_Send(many, 1, MPI_INT, 0, 2, MPI_COMM_SELF);
    CHECK(MPI_Waitall(1, &request, MPI_STATUSES_IGNORE) == MPI_SUCCESS);
    CHECK(MPI_Start(&request) == MPI_SUCCESS);
    MPI_Cancel(&request);
    int index;
    CHECK(MPI_Waitany(1, &request, &index, MPI_STATUS_IGNORE) == MPI_SUCCESS && index == 0);
    CHECK(MPI_Start(&request) == MPI_SUCCESS);
    MPI_Cancel(&request);
    int done;
    do {
        CHECK(MPI_Testsome(1, &request, &done, &index, MPI_STATUSES_IGNORE) == MPI_SUCCESS);
    } while (done == 0);
    CHECK(MPI_Request_free(&request) == MPI_SUCCESS);
}

/* A communicator may be freed while it is duplicated; its copy serves. */
static void duplicates(void) {
    MPI_Comm one, copy;
    MPI_Request request;
    int all = 0, mine = 1;
    MPI_Comm_dup(MPI_COMM_WORLD, &one);
    MPI_Comm_idup(one, &copy, &request);
    CHECK(MPI_Comm_free(&one) == MPI_SUCCESS && one == MPI_COMM_NULL);
    CHECK(MPI_Wait(&request, MPI_STATUS_IGNORE) == MPI_SUCCESS);
    MPI_Allreduce(&mine, &all, 1, MPI_INT, MPI_SUM, copy);
    CHECK_IS(all, size);
    MPI_Comm_free(&copy);
}

/* A communicator is made of processes of the one that it comes from. */
static void members(void) {
    MPI_Group world;
    MPI_Comm made = MPI_COMM_NULL, part;
    MPI_Comm_group(MPI_COMM_WORLD, &world);
    MPI_Comm_dup(MPI_COMM_SELF, &part);
    if (size > 1) {
        CHECK(MPI_Comm_create_group(part, world, 2, &made) == MPI_ERR_GROUP);
        CHECK(MPI_Comm_create(part, world, &made) == MPI_ERR_GROUP);
    }
    CHECK(MPI_Comm_create(part, MPI_GROUP_EMPTY, &made) == MPI_SUCCESS && made == MPI_COMM_NULL);
    CHECK(MPI_Comm_create_group(MPI_COMM_WORLD, world, 2, &made) == MPI_SUCCESS);
    MPI_Comm_free(&made);
    MPI_Comm_free(&part);
    MPI_Group_free(&world);
}

/* No intercommunicator has a process on both sides. */
static void sides(void) {
    MPI_Comm between = MPI_COMM_NULL, one;
    int all = 0, mine = 1;
    CHECK(MPI_Intercomm_create(MPI_COMM_SELF, 0, MPI_COMM_WORLD, rank, 11, &between) == MPI_ERR_ARG);
    CHECK(between == MPI_COMM_NULL);
    MPI_Comm_dup(MPI_COMM_WORLD, &one);
    MPI_Allreduce(&mine, &all, 1, MPI_INT, MPI_SUM, one);
    CHECK_IS(all, size);
    MPI_Comm_free(&one);
}

/* What the library has made for good is given again, and not freed. */
static void lasting(void) {
    MPI_Datatype real, again;
    MPI_Type_create_f90_real(15, 300, &real);
    again = real;
    CHECK(MPI_Type_free(&again) == MPI_ERR_TYPE);
    MPI_Type_create_f90_real(15, 300, &again);
    CHECK(again == real);
    /* There are no longer ones here, whatever the node has. */
    CHECK(MPI_Type_create_f90_real(16, MPI_UNDEFINED, &again) == MPI_ERR_ARG);
    CHECK(MPI_Type_create_f90_complex(MPI_UNDEFINED, 308, &again) == MPI_ERR_ARG);
    CHECK(MPI_Type_create_f90_integer(19, &again) == MPI_ERR_ARG);
}

/* Hints for a communicator that a split does not make. */
static void hints(void) {
    MPI_Info info;
    MPI_Comm none;
    MPI_Info_create(&info);
    MPI_Info_set(info, "mpi_assert_no_any_tag", "true");
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_UNDEFINED, 0, info, &none);
    CHECK(none == MPI_COMM_NULL);
    MPI_Info_free(&info);
}

int main(int argc, char **argv) {
    begin(&argc, &argv);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
    attributes();
    requests();
    duplicates();
    sides();
    members();
    lasting();
    hints();
    return end();
}
