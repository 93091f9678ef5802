/* Ends a job that has sessions and no world, in the way that the first argument names. */
#include "check.h"

int main(int argc, char **argv) {
    const char *way = argc > 1 ? argv[1] : "";
    int value = 0;
    MPI_Session session;
    MPI_Group world;
    MPI_Comm comm;
    if (strcmp(way, "handler") == 0) {
        MPI_Session_init((MPI_Info)0x12345, MPI_ERRORS_ARE_FATAL, &session);
        puts("went on");
    }
    MPI_Session_init(MPI_INFO_NULL, MPI_ERRORS_RETURN, &session);
    MPI_Group_from_session_pset(session, "mpi://WORLD", &world);
    MPI_Comm_create_from_group(world, "all", MPI_INFO_NULL, MPI_ERRORS_RETURN, &comm);
    MPI_Group_free(&world);
    MPI_Comm_rank(comm, &rank);
    if (strcmp(way, "world") == 0) {
        MPI_Comm_size(MPI_COMM_WORLD, &value);
    } else if (strcmp(way, "trap") == 0 && rank == 1) {
        __builtin_trap();
    } else if (strcmp(way, "abort") == 0 && rank == 1) {
        MPI_Abort(MPI_COMM_WORLD, 7);
    } else if (strcmp(way, "finalize") == 0) {
        MPI_Finalize();
    } else if (strcmp(way, "window") == 0) {
        MPI_Win win;
        MPI_Win_create(&value, sizeof value, 1, MPI_INFO_NULL, comm, &win);
        MPI_Session_finalize(&session);
    }
    MPI_Barrier(comm);
    MPI_Comm_free(&comm);
    MPI_Session_finalize(&session);
    if (strcmp(way, "after") == 0) {
        MPI_Comm_size(comm, &value);
    }
    puts("went on");
    return 0;
}
