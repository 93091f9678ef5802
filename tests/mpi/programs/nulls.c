/* NULL where MPI writes, what a failed call leaves, and whom an error goes to that has no object yet. */
#include "check.h"

/* Null at run time: a compiler that sees it warns. */
static void *volatile nothing = NULL;

static void results(void) {
    MPI_Group group, none;
    MPI_Datatype type;
    MPI_Win win;
    int value = 0, flag;
    GIVES(MPI_Comm_rank(MPI_COMM_WORLD, nothing), MPI_ERR_ARG);
    GIVES(MPI_Comm_dup(MPI_COMM_WORLD, nothing), MPI_ERR_ARG);
    GIVES(MPI_Comm_split(MPI_COMM_WORLD, 0, rank, nothing), MPI_ERR_ARG);
    GIVES(MPI_Intercomm_create(MPI_COMM_SELF, 0, MPI_COMM_WORLD, 99, 1, nothing), MPI_ERR_ARG);
    GIVES(MPI_Type_contiguous(2, MPI_INT, nothing), MPI_ERR_ARG);
    GIVES(MPI_Type_get_extent(MPI_INT, nothing, nothing), MPI_ERR_ARG);
    GIVES(MPI_Type_get_true_extent_x(MPI_INT, nothing, nothing), MPI_ERR_ARG);
    GIVES(MPI_Comm_group(MPI_COMM_WORLD, &group), MPI_SUCCESS);
    GIVES(MPI_Group_rank(group, nothing), MPI_ERR_ARG);
    GIVES(MPI_Group_range_excl(group, 1, (int[1][3]){{1, 0, 1}}, nothing), MPI_ERR_ARG);
    GIVES(MPI_Group_translate_ranks(group, 1, (int[]){0}, group, nothing), MPI_ERR_ARG);
    GIVES(MPI_Group_incl(group, 0, nothing, &none), MPI_SUCCESS); /* an array of no elements may be anywhere */
    CHECK(none == MPI_GROUP_EMPTY);
    GIVES(MPI_Isend(&value, 0, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD, nothing), MPI_ERR_ARG);
    GIVES(MPI_Iprobe(MPI_PROC_NULL, 0, MPI_COMM_WORLD, nothing, MPI_STATUS_IGNORE), MPI_ERR_ARG);
    GIVES(MPI_Iprobe(MPI_PROC_NULL, 0, MPI_COMM_WORLD, &flag, MPI_STATUS_IGNORE), MPI_SUCCESS);
    MPI_Group_free(&group);

    /* Nothing is accumulated, whatever its type. */
    MPI_Type_contiguous(0, MPI_INT, &type);
    MPI_Type_commit(&type);
    MPI_Win_create(&value, sizeof value, sizeof value, MPI_INFO_NULL, MPI_COMM_WORLD, &win);
    MPI_Win_set_errhandler(win, MPI_ERRORS_RETURN);
    MPI_Win_fence(0, win);
    if (!is_open_mpi()) { /* its version 4 takes no type of nothing */
        GIVES(MPI_Accumulate(&value, 1, type, 0, 0, 0, MPI_DOUBLE, MPI_SUM, win), MPI_SUCCESS);
        GIVES(MPI_Accumulate(&value, 0, MPI_DOUBLE, 0, 0, 2, type, MPI_SUM, win), MPI_SUCCESS);
    }
    GIVES(MPI_Accumulate(&value, 1, MPI_INT, 0, 0, 1, MPI_FLOAT, MPI_SUM, win), MPI_ERR_TYPE);
    MPI_Win_fence(0, win);
    CHECK(value == 0);
    MPI_Win_free(&win);
    MPI_Type_free(&type);
}

static void what_is_left(void) {
    MPI_Comm comm;
    memset(&comm, 0x55, sizeof comm);
    CHECK(MPI_Cart_create(MPI_COMM_WORLD, 2, (int[]){size, size + 1}, (int[]){0, 0}, 0, &comm) != MPI_SUCCESS);
    CHECK(comm == MPI_COMM_NULL);

    /* Whose message it was that had no room. */
    int given[4] = {0}, got[2];
    MPI_Request request;
    MPI_Status status;
    memset(&status, 0x55, sizeof status);
    MPI_Isend(given, 4, MPI_INT, 0, 7, MPI_COMM_SELF, &request);
    GIVES(MPI_Recv(got, 2, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_SELF, &status), MPI_ERR_TRUNCATE);
    CHECK(status.MPI_SOURCE == 0 && status.MPI_TAG == 7);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
}

static int heard;
static MPI_File heard_of;

static void forgive(MPI_File *file, int *code, ...) {
    heard++;
    heard_of = *file;
    *code = MPI_SUCCESS;
}

static void replace(MPI_Comm *comm, int *code, ...) {
    (void)comm;
    heard++;
    *code = MPI_ERR_LASTCODE - 1;
}

static void handlers(void) {
    MPI_Errhandler handler, before;
    MPI_File file;
    int class;
    GIVES(MPI_File_get_errhandler(MPI_FILE_NULL, &before), MPI_SUCCESS);
    CHECK(before == MPI_ERRORS_RETURN);
    GIVES(MPI_File_open(MPI_COMM_SELF, "not granted", MPI_MODE_RDONLY, MPI_INFO_NULL, &file), MPI_ERR_ACCESS);
    CHECK(file == MPI_FILE_NULL);
    MPI_File_create_errhandler(forgive, &handler);
    GIVES(MPI_File_set_errhandler(MPI_FILE_NULL, handler), MPI_SUCCESS);
    if (!is_open_mpi()) { /* its version 4 calls no error handler of MPI_FILE_NULL */
        heard_of = (MPI_File)1;
        GIVES(MPI_File_open(MPI_COMM_SELF, "not granted", MPI_MODE_RDONLY, MPI_INFO_NULL, &file), MPI_SUCCESS);
        CHECK(heard == 1 && heard_of == MPI_FILE_NULL && file == MPI_FILE_NULL);
    }
    MPI_File_set_errhandler(MPI_FILE_NULL, MPI_ERRORS_RETURN);
    MPI_Errhandler_free(&handler);

    /* The code that a function returns is what its error handler leaves. */
    heard = 0;
    MPI_Comm_create_errhandler(replace, &handler);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, handler);
    CHECK(MPI_Comm_rank(MPI_COMM_SELF, nothing) == MPI_ERR_LASTCODE - 1);
    CHECK(heard == 1);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
    MPI_Error_class(MPI_Comm_rank(MPI_COMM_SELF, nothing), &class);
    CHECK(class == MPI_ERR_ARG);
    MPI_Errhandler_free(&handler);
}

int main(int argc, char **argv) {
    begin(&argc, &argv);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
    results();
    what_is_left();
    handlers();
    return end();
}
