/* Ends the job in the way that the first argument names. */
#include "check.h"

static void communicate(void *in, void *inout, int *len, MPI_Datatype *type) {
    (void)in, (void)inout, (void)len, (void)type;
    MPI_Barrier(MPI_COMM_SELF);
}

int main(int argc, char **argv) {
    const char *way = argc > 1 ? argv[1] : "";
    int value = 0, length;
    if (strcmp(way, "before") == 0) {
        MPI_Comm_rank(MPI_COMM_WORLD, &value);
    }
    begin(&argc, &argv);
    if (strcmp(way, "buffer") == 0 && rank == 1) {
        MPI_Send((void *)0xfffffff0, 1000, MPI_DOUBLE, 0, 0, MPI_COMM_WORLD);
    } else if (strcmp(way, "operation") == 0) {
        MPI_Op op;
        MPI_Op_create(communicate, 1, &op);
        MPI_Allreduce(&rank, &value, 1, MPI_INT, op, MPI_COMM_WORLD);
    } else if (strcmp(way, "abort") == 0 && rank == 1) {
        MPI_Abort(MPI_COMM_WORLD, 7);
    } else if (strcmp(way, "after") == 0) {
        char name[MPI_MAX_PROCESSOR_NAME];
        MPI_Get_processor_name(name, &length);
        MPI_Finalize();
        MPI_Comm_size(MPI_COMM_WORLD, &value);
    } else if (strcmp(way, "open") == 0) {
        MPI_File file;
        MPI_File_set_errhandler(MPI_FILE_NULL, MPI_ERRORS_ARE_FATAL);
        MPI_File_open(MPI_COMM_WORLD, "made", MPI_MODE_CREATE | MPI_MODE_RDWR, MPI_INFO_NULL, &file);
        MPI_Errhandler handler;
        MPI_File_get_errhandler(file, &handler);
        CHECK(handler == MPI_ERRORS_ARE_FATAL);
        MPI_File_close(&file);
        MPI_File_open(MPI_COMM_WORLD, "absent", MPI_MODE_RDONLY, MPI_INFO_NULL, &file);
    } else if (strcmp(way, "window") == 0) {
        MPI_Win win;
        MPI_Win_create(&value, sizeof value, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &win);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    puts("went on");
    MPI_Finalize();
    return 0;
}
