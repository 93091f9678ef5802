/* A test program says "ok" on rank 0 when every check on every rank held; each one that fails says where. */
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures, rank, size;

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            printf("rank %d: %s:%d: %s\n", rank, __FILE__, __LINE__, #condition);                                      \
            failures++;                                                                                                \
        }                                                                                                              \
    } while (0)
#define CHECK_IS(value, expected)                                                                                      \
    do {                                                                                                               \
        long long got_ = (long long)(value), wanted_ = (long long)(expected);                                          \
        if (got_ != wanted_) {                                                                                         \
            printf("rank %d: %s:%d: %s is %lld, not %lld\n", rank, __FILE__, __LINE__, #value, got_, wanted_);         \
            failures++;                                                                                                \
        }                                                                                                              \
    } while (0)

/* The class of what a call gives. */
static inline int class_of(int code) {
    int found = -1;
    MPI_Error_class(code, &found);
    return found;
}
#define GIVES(call, expected) CHECK_IS(class_of(call), expected)

static inline void begin(int *argc, char ***argv) {
    MPI_Init(argc, argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
}

static inline int end(void) {
    int all = 0;
    MPI_Reduce(&failures, &all, 1, MPI_INT, MPI_SUM, 0, MPI_COMM_WORLD);
    if (rank == 0 && all == 0) {
        printf("ok\n");
    }
    MPI_Finalize();
    return failures != 0;
}

static inline int is_open_mpi(void) {
    char version[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    MPI_Get_library_version(version, &length);
    return strncmp(version, "Open MPI", 8) == 0;
}
