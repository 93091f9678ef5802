/* What single MPI calls cost: one loop for each, timed in short batches. The same text natively and as wasm.
 *
 *     mpi_calls MILLISECONDS BATCHES [CASE...]
 *
 * One rank measures the calls that need no other, two ranks those between them. Each line of rank 0 is: the name of the
 * case, how many MPI calls one turn of its loop makes, and for every batch the nanoseconds of one turn. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 64, MOST = 4 << 20, TAG = 7 };

static int rank, ranks;
static char *out_bytes, *in_bytes;
static double operands[1024], results[1024];
static MPI_Comm self_again; /* a communicator with a handle that is not predefined */
static MPI_Datatype column; /* eight doubles, each second one of sixteen */
static MPI_Op user_sum;
static MPI_Request pending = MPI_REQUEST_NULL; /* a receive that nobody answers */
static MPI_Win window;
static int has_window;
static volatile int sink;

static void add(void *in, void *inout, int *count, MPI_Datatype *type) {
    (void)type;
    for (int i = 0; i < *count; i++) {
        ((double *)inout)[i] += ((double *)in)[i];
    }
}

static void setup(void) {
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    /* Written, as a message is: pages never written to are all one page of zeros, which reads as fast as the first
     * cache does, natively, where that page is small. */
    out_bytes = memset(malloc(MOST), 1, MOST);
    in_bytes = memset(malloc(MOST), 2, MOST);
    MPI_Comm_dup(MPI_COMM_SELF, &self_again);
    MPI_Type_vector(8, 1, 2, MPI_DOUBLE, &column);
    MPI_Type_commit(&column);
    MPI_Op_create(add, 1, &user_sum);
    MPI_Irecv(in_bytes, 1, MPI_INT, 0, TAG + 1, MPI_COMM_SELF, &pending);
    /* Open MPI 4.1 makes no window for a single rank. */
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    has_window = MPI_Win_create(in_bytes, 4096, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &window) == MPI_SUCCESS;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL);
}

static void cleanup(void) {
    if (has_window) {
        MPI_Win_free(&window);
    }
    MPI_Cancel(&pending);
    MPI_Wait(&pending, MPI_STATUS_IGNORE);
    MPI_Op_free(&user_sum);
    MPI_Type_free(&column);
    MPI_Comm_free(&self_again);
    free(in_bytes);
    free(out_bytes);
}

/* --- one rank ---------------------------------------------------------------------------------------------------- */

static void comm_rank(long n) {
    for (int value; n-- > 0; sink = value) {
        MPI_Comm_rank(MPI_COMM_WORLD, &value);
    }
}

static void comm_size(long n) {
    for (int value; n-- > 0; sink = value) {
        MPI_Comm_size(self_again, &value);
    }
}

static void type_size(long n) {
    for (int value; n-- > 0; sink = value) {
        MPI_Type_size(MPI_DOUBLE, &value);
    }
}

static void type_size_derived(long n) {
    for (int value; n-- > 0; sink = value) {
        MPI_Type_size(column, &value);
    }
}

static void wtime(long n) {
    while (n-- > 0) {
        sink = (int)MPI_Wtime();
    }
}

static void iprobe(long n) {
    for (int flag; n-- > 0; sink = flag) {
        MPI_Iprobe(0, TAG, MPI_COMM_SELF, &flag, MPI_STATUS_IGNORE);
    }
}

static void test(long n) {
    for (int flag; n-- > 0; sink = flag) {
        MPI_Test(&pending, &flag, MPI_STATUS_IGNORE);
    }
}

static void get_count(long n) {
    MPI_Status status;
    MPI_Sendrecv(out_bytes, 8, MPI_CHAR, 0, TAG, in_bytes, 8, MPI_CHAR, 0, TAG, MPI_COMM_SELF, &status);
    for (int count; n-- > 0; sink = count) {
        MPI_Get_count(&status, MPI_CHAR, &count);
    }
}

static void send_to_self(int bytes, MPI_Datatype type, long n) {
    MPI_Request request;
    while (n-- > 0) {
        MPI_Irecv(in_bytes, bytes, type, 0, TAG, MPI_COMM_SELF, &request);
        MPI_Send(out_bytes, bytes, type, 0, TAG, MPI_COMM_SELF);
        MPI_Wait(&request, MPI_STATUS_IGNORE);
    }
}

static void irecv_send_wait(long n) {
    send_to_self(0, MPI_CHAR, n);
}

static void irecv_send_wait_derived(long n) {
    send_to_self(1, column, n);
}

static void isend_recv_wait(long n) {
    MPI_Request request;
    MPI_Status status;
    while (n-- > 0) {
        MPI_Isend(out_bytes, 8, MPI_CHAR, 0, TAG, MPI_COMM_SELF, &request);
        MPI_Recv(in_bytes, 8, MPI_CHAR, 0, TAG, MPI_COMM_SELF, &status);
        MPI_Wait(&request, &status);
    }
}

static void sendrecv(long n) {
    while (n-- > 0) {
        MPI_Sendrecv(out_bytes, 8, MPI_CHAR, 0, TAG, in_bytes, 8, MPI_CHAR, 0, TAG, MPI_COMM_SELF, MPI_STATUS_IGNORE);
    }
}

static void persistent(long n) {
    MPI_Request requests[2];
    MPI_Recv_init(in_bytes, 8, MPI_CHAR, 0, TAG, MPI_COMM_SELF, &requests[0]);
    MPI_Send_init(out_bytes, 8, MPI_CHAR, 0, TAG, MPI_COMM_SELF, &requests[1]);
    while (n-- > 0) {
        MPI_Startall(2, requests);
        MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
    }
    MPI_Request_free(&requests[0]);
    MPI_Request_free(&requests[1]);
}

static void window_to_self(long n) {
    MPI_Request requests[2 * WINDOW];
    while (n-- > 0) {
        for (int i = 0; i < WINDOW; i++) {
            MPI_Irecv(in_bytes + 8 * i, 8, MPI_CHAR, 0, TAG, MPI_COMM_SELF, &requests[i]);
        }
        for (int i = 0; i < WINDOW; i++) {
            MPI_Isend(out_bytes + 8 * i, 8, MPI_CHAR, 0, TAG, MPI_COMM_SELF, &requests[WINDOW + i]);
        }
        MPI_Waitall(2 * WINDOW, requests, MPI_STATUSES_IGNORE);
    }
}

static void allreduce_self(long n) {
    while (n-- > 0) {
        MPI_Allreduce(operands, results, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_SELF);
    }
}

static void reduce_local(int count, MPI_Op operation, long n) {
    while (n-- > 0) {
        MPI_Reduce_local(operands, results, count, MPI_DOUBLE, operation);
    }
}

static void reduce_local_sum(long n) {
    reduce_local(1, MPI_SUM, n);
}

static void reduce_local_user(long n) {
    reduce_local(1, user_sum, n);
}

static void reduce_local_user_1024(long n) {
    reduce_local(1024, user_sum, n);
}

static void put_fence(long n) {
    MPI_Win_fence(0, window);
    while (n-- > 0) {
        MPI_Put(out_bytes, 8, MPI_CHAR, ranks - 1 - rank, 0, 8, MPI_CHAR, window);
        MPI_Win_fence(0, window);
    }
}

/* --- two ranks --------------------------------------------------------------------------------------------------- */

static void ping_pong(int bytes, MPI_Datatype type, long n) {
    while (n-- > 0) {
        if (rank == 0) {
            MPI_Send(out_bytes, bytes, type, 1, TAG, MPI_COMM_WORLD);
            MPI_Recv(in_bytes, bytes, type, 1, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        } else {
            MPI_Recv(in_bytes, bytes, type, 0, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            MPI_Send(out_bytes, bytes, type, 0, TAG, MPI_COMM_WORLD);
        }
    }
}

static void ping_pong_0(long n) {
    ping_pong(0, MPI_CHAR, n);
}

static void ping_pong_8k(long n) {
    ping_pong(8 << 10, MPI_CHAR, n);
}

static void ping_pong_4m(long n) {
    ping_pong(4 << 20, MPI_CHAR, n);
}

static void ping_pong_derived(long n) {
    ping_pong(1, column, n);
}

static void windows_of_64(long n) {
    MPI_Request requests[2 * WINDOW];
    int other = 1 - rank;
    while (n-- > 0) {
        for (int i = 0; i < WINDOW; i++) {
            MPI_Irecv(in_bytes + 8 * i, 8, MPI_CHAR, other, TAG, MPI_COMM_WORLD, &requests[i]);
        }
        for (int i = 0; i < WINDOW; i++) {
            MPI_Isend(out_bytes + 8 * i, 8, MPI_CHAR, other, TAG, MPI_COMM_WORLD, &requests[WINDOW + i]);
        }
        MPI_Waitall(2 * WINDOW, requests, MPI_STATUSES_IGNORE);
    }
}

static void barrier(long n) {
    while (n-- > 0) {
        MPI_Barrier(MPI_COMM_WORLD);
    }
}

static void bcast(long n) {
    while (n-- > 0) {
        MPI_Bcast(operands, 1, MPI_DOUBLE, 0, MPI_COMM_WORLD);
        MPI_Bcast(results, 1, MPI_DOUBLE, 1, MPI_COMM_WORLD);
    }
}

static void allreduce(int count, MPI_Op operation, long n) {
    while (n-- > 0) {
        MPI_Allreduce(operands, results, count, MPI_DOUBLE, operation, MPI_COMM_WORLD);
    }
}

static void allreduce_8(long n) {
    allreduce(1, MPI_SUM, n);
}

static void allreduce_user(long n) {
    allreduce(1, user_sum, n);
}

static void allreduce_user_1024(long n) {
    allreduce(1024, user_sum, n);
}

/* --- timing ------------------------------------------------------------------------------------------------------ */

static const struct measured {
    const char *name;
    int ranks, calls;
    void (*loop)(long);
} cases[] = {
    {"comm_rank", 1, 1, comm_rank},
    {"comm_size_dup", 1, 1, comm_size},
    {"type_size", 1, 1, type_size},
    {"type_size_derived", 1, 1, type_size_derived},
    {"wtime", 1, 1, wtime},
    {"iprobe", 1, 1, iprobe},
    {"test", 1, 1, test},
    {"get_count", 1, 1, get_count},
    {"irecv_send_wait", 1, 3, irecv_send_wait},
    {"irecv_send_wait_derived", 1, 3, irecv_send_wait_derived},
    {"isend_recv_wait", 1, 3, isend_recv_wait},
    {"sendrecv", 1, 1, sendrecv},
    {"persistent", 1, 2, persistent},
    {"window_to_self", 1, 2 * WINDOW + 1, window_to_self},
    {"allreduce_self", 1, 1, allreduce_self},
    {"reduce_local_sum", 1, 1, reduce_local_sum},
    {"reduce_local_user", 1, 1, reduce_local_user},
    {"reduce_local_user_1024", 1, 1, reduce_local_user_1024},
    {"put_fence", 1, 2, put_fence},
    {"ping_pong_0", 2, 4, ping_pong_0},
    {"ping_pong_8k", 2, 4, ping_pong_8k},
    {"ping_pong_4m", 2, 4, ping_pong_4m},
    {"ping_pong_derived", 2, 4, ping_pong_derived},
    {"windows_of_64", 2, 2 * WINDOW + 1, windows_of_64},
    {"barrier", 2, 1, barrier},
    {"bcast", 2, 2, bcast},
    {"allreduce_8", 2, 1, allreduce_8},
    {"allreduce_user", 2, 1, allreduce_user},
    {"allreduce_user_1024", 2, 1, allreduce_user_1024},
    {"put_fence_pair", 2, 2, put_fence},
};

/* Nanoseconds of one turn of the loop, in a batch of n. */
static double batch(const struct measured *measured, long n) {
    MPI_Barrier(MPI_COMM_WORLD);
    double start = MPI_Wtime();
    measured->loop(n);
    return (MPI_Wtime() - start) * 1e9 / (double)n;
}

/* How many turns make a batch of that length, as rank 0 finds; warms up as well. */
static long turns(const struct measured *measured, double nanoseconds) {
    long n = 1;
    for (;;) {
        double taken = batch(measured, n) * (double)n;
        long next = taken > nanoseconds / 4 ? (long)(nanoseconds / taken * (double)n) + 1 : n * 4;
        int done = taken > nanoseconds / 4;
        MPI_Bcast(&next, 1, MPI_LONG, 0, MPI_COMM_WORLD);
        MPI_Bcast(&done, 1, MPI_INT, 0, MPI_COMM_WORLD);
        n = next;
        if (done) {
            return n;
        }
    }
}

static int is_wanted(const char *name, int count, char **names) {
    int wanted = count == 0;
    for (int i = 0; i < count; i++) {
        wanted |= strcmp(names[i], name) == 0;
    }
    return wanted;
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    if (argc < 3) {
        fprintf(stderr, "usage: mpi_calls MILLISECONDS BATCHES [CASE...]\n");
        MPI_Abort(MPI_COMM_WORLD, 2);
    }
    double nanoseconds = atof(argv[1]) * 1e6;
    int batches = atoi(argv[2]);
    setup();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int possible = cases[i].ranks == ranks && (has_window || cases[i].loop != put_fence);
        if (!possible || !is_wanted(cases[i].name, argc - 3, argv + 3)) {
            continue;
        }
        long n = turns(&cases[i], nanoseconds);
        if (rank == 0) {
            printf("%s %d", cases[i].name, cases[i].calls);
        }
        for (int done = 0; done < batches; done++) {
            double taken = batch(&cases[i], n);
            if (rank == 0) {
                printf(" %.2f", taken);
            }
        }
        if (rank == 0) {
            printf("\n");
        }
    }
    cleanup();
    MPI_Finalize();
    return 0;
}
