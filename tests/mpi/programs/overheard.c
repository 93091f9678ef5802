/* Rank 1 answers in its launcher's place: what rank 0's launcher asks the others on its way must not come to it. Both
 * wait for ever then, and rank 2 ends the job. */
#include "check.h"

#include <unistd.h>

enum { LONGEST = 64, TENTHS = 15 };

static void ask(const char *what, MPI_Comm pair) {
    static int memory[16];
    int *base;
    MPI_Win win;
    MPI_File file;
    if (strcmp(what, "window") == 0) {
        MPI_Win_create(memory, sizeof memory, 1, MPI_INFO_NULL, pair, &win);
    } else if (strcmp(what, "dynamic") == 0) {
        MPI_Win_create_dynamic(MPI_INFO_NULL, pair, &win);
    } else if (strcmp(what, "shared") == 0) {
        MPI_Win_allocate_shared(sizeof memory, 1, MPI_INFO_NULL, pair, &base, &win);
    } else {
        MPI_File_open(pair, "file", MPI_MODE_CREATE | MPI_MODE_RDWR, MPI_INFO_NULL, &file);
    }
}

int main(int argc, char **argv) {
    begin(&argc, &argv);
    MPI_Comm pair;
    MPI_Comm_split(MPI_COMM_WORLD, rank < 2, rank, &pair);
    MPI_Comm_set_errhandler(pair, MPI_ERRORS_RETURN);
    int words = argc > 2 ? atoi(argv[2]) : 0, arrived = 0;
    if (rank == 0) {
        ask(argv[1], pair);
        MPI_Send(NULL, 0, MPI_BYTE, 2, 0, MPI_COMM_WORLD);
    } else if (rank == 1) {
        long long lie[LONGEST], heard[LONGEST];
        for (int i = 0; i < LONGEST; i++) {
            lie[i] = 1 << 30;
        }
        if (strcmp(argv[1], "file") == 0) {
            MPI_Allreduce(lie, heard, words, MPI_INT, MPI_MAX, pair);
        } else {
            MPI_Allgather(lie, words, MPI_LONG_LONG, heard, words, MPI_LONG_LONG, pair);
        }
        MPI_Send(NULL, 0, MPI_BYTE, 2, 0, MPI_COMM_WORLD);
    } else {
        for (int i = 0; i < TENTHS && !arrived; i++) {
            MPI_Iprobe(MPI_ANY_SOURCE, 0, MPI_COMM_WORLD, &arrived, MPI_STATUS_IGNORE);
            usleep(100000);
        }
        printf(arrived ? "overheard\n" : "ok\n");
        fflush(stdout);
        usleep(500000); /* mpiexec may not pass on what came just before the end */
        MPI_Abort(MPI_COMM_WORLD, 0);
    }
    for (;;) { /* until then */
        usleep(100000);
    }
}
