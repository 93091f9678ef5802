/* MPI calls functions of the guest: operations, attribute functions, error handlers. */
#include "check.h"

static int op_calls;

/* Keeps the last operand's first element: associative, not commutative. */
static void last(void *in, void *inout, int *len, MPI_Datatype *type) {
    (void)in, (void)inout, (void)len, (void)type;
    op_calls++;
}

struct complex_number {
    double re, im;
};

static void product(void *in, void *inout, int *len, MPI_Datatype *type) {
    struct complex_number *a = in, *b = inout;
    MPI_Aint lower, extent;
    MPI_Type_get_extent(*type, &lower, &extent);
    CHECK_IS(extent, sizeof *a);
    for (int i = 0; i < *len; i++) {
        struct complex_number c = {a[i].re * b[i].re - a[i].im * b[i].im, a[i].re * b[i].im + a[i].im * b[i].re};
        b[i] = c;
    }
    op_calls++;
}

static int wanted_extent;

static void extents(void *in, void *inout, int *len, MPI_Datatype *type) {
    (void)in, (void)inout, (void)len;
    MPI_Aint lower, extent;
    MPI_Type_get_extent(*type, &lower, &extent);
    CHECK_IS(extent, wanted_extent);
}

static void add_longs(void *in, void *inout, int *len, MPI_Datatype *type) {
    (void)type;
    for (int i = 0; i < *len; i++) {
        ((long *)inout)[i] += ((long *)in)[i];
    }
}

static void operations(void) {
    MPI_Op op;
    MPI_Datatype pair;
    MPI_Type_contiguous(2, MPI_DOUBLE, &pair);
    MPI_Type_commit(&pair);
    MPI_Op_create(product, 1, &op);
    enum { N = 5000 };
    static struct complex_number given[N], got[N];
    for (int i = 0; i < N; i++) {
        given[i].re = 0, given[i].im = 1;
    }
    MPI_Allreduce(given, got, N, pair, op, MPI_COMM_WORLD);
    double re = 1, im = 0;
    for (int i = 0; i < size; i++) {
        double t = -im;
        im = re, re = t;
    }
    CHECK(got[0].re == re && got[0].im == im && got[N - 1].re == re && got[N - 1].im == im);
    MPI_Reduce_local(given, got, N, pair, op);
    CHECK(got[N - 1].re == -im && got[N - 1].im == re);
    CHECK(op_calls > 0);
    MPI_Request request;
    MPI_Iallreduce(given, got, N, pair, op, MPI_COMM_WORLD, &request);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    CHECK(got[N - 1].re == re && got[N - 1].im == im);
    MPI_Type_free(&pair);
    for (int i = 3; i < 6; i++) { /* a new datatype may have the freed one's handle in the library */
        MPI_Datatype more;
        wanted_extent = i * (int)sizeof(double);
        MPI_Type_contiguous(i, MPI_DOUBLE, &more);
        MPI_Type_commit(&more);
        MPI_Op other;
        MPI_Op_create(extents, 1, &other);
        MPI_Allreduce(given, got, 4, more, other, MPI_COMM_WORLD);
        MPI_Op_free(&other);
        MPI_Type_free(&more);
    }
    MPI_Op_free(&op);
    CHECK(op == MPI_OP_NULL);

    long values[3] = {rank, 1, -1}, sums[3] = {0};
    int commutes;
    MPI_Op_create(add_longs, 1, &op);
    MPI_Op_commutative(op, &commutes);
    CHECK(commutes);
    MPI_Scan(values, sums, 3, MPI_LONG, op, MPI_COMM_WORLD);
    CHECK(sums[0] == rank * (rank + 1) / 2 && sums[1] == rank + 1 && sums[2] == -rank - 1);
    MPI_Op_free(&op);

    int mine = rank, kept = -1;
    MPI_Op_create(last, 0, &op);
    MPI_Reduce(&mine, &kept, 1, MPI_INT, op, 0, MPI_COMM_WORLD);
    if (rank == 0) {
        CHECK_IS(kept, size - 1);
    }
    MPI_Op_free(&op);
}

static long expected_extent;

/* Adds ints, of datatypes that hold nothing else. */
static void add_ints(void *in, void *inout, int *len, MPI_Datatype *type) {
    MPI_Aint lower, extent;
    MPI_Type_get_extent(*type, &lower, &extent);
    CHECK_IS(extent, expected_extent);
    for (int i = 0; i < *len * (int)(extent / (MPI_Aint)sizeof(int)); i++) {
        ((int *)inout)[i] += ((int *)in)[i];
    }
}

/* A library gives the handle of a datatype that was freed to the next one, and may call for one that was freed. */
static void operations_of_short_lived_datatypes(void) {
    enum { N = 20000 };
    static int given[N], got[N];
    static const int lengths[] = {N, 1, 700, 2, N};
    MPI_Op op;
    MPI_Datatype type;
    MPI_Request request;
    for (int i = 0; i < N; i++) {
        given[i] = i + rank;
    }
    MPI_Op_create(add_ints, 1, &op);
    for (size_t turn = 0; turn < sizeof lengths / sizeof *lengths; turn++) {
        int length = lengths[turn];
        for (int pending = 0; pending < 2; pending++) {
            for (int i = 0; i < N; i++) {
                got[i] = -1;
            }
            expected_extent = length * (long)sizeof(int);
            MPI_Type_contiguous(length, MPI_INT, &type);
            MPI_Type_commit(&type);
            if (pending) {
                MPI_Iallreduce(given, got, 1, type, op, MPI_COMM_WORLD, &request);
                MPI_Type_free(&type);
                MPI_Wait(&request, MPI_STATUS_IGNORE);
            } else {
                MPI_Allreduce(given, got, 1, type, op, MPI_COMM_WORLD);
                MPI_Type_free(&type);
            }
            CHECK_IS(got[length - 1], size * (length - 1) + size * (size - 1) / 2);
            CHECK(length == N || got[length] == -1);
        }
    }
    MPI_Op_free(&op);
}

static int copies, deletions;

static int copy(MPI_Comm comm, int key, void *extra, void *in, void *out, int *flag) {
    (void)comm, (void)key;
    CHECK(extra == &copies);
    *(void **)out = (char *)in + 1;
    *flag = 1;
    copies++;
    return MPI_SUCCESS;
}

static int delete(MPI_Comm comm, int key, void *value, void *extra) {
    (void)comm, (void)key, (void)value;
    CHECK(extra == &copies);
    deletions++;
    return MPI_SUCCESS;
}

static void attributes(void) {
    int key, dup_key, null_key, flag;
    static char values[8];
    void *value;
    MPI_Comm one, two;
    MPI_Comm_create_keyval(copy, delete, &key, &copies);
    MPI_Comm_create_keyval(MPI_COMM_DUP_FN, MPI_COMM_NULL_DELETE_FN, &dup_key, NULL);
    MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, MPI_COMM_NULL_DELETE_FN, &null_key, NULL);
    MPI_Comm_dup(MPI_COMM_WORLD, &one);
    MPI_Comm_set_attr(one, key, &values[0]);
    MPI_Comm_set_attr(one, dup_key, &values[4]);
    MPI_Comm_set_attr(one, null_key, &values[5]);
    MPI_Comm_dup(one, &two);
    CHECK_IS(copies, 1);
    MPI_Comm_get_attr(two, key, &value, &flag);
    CHECK(flag && value == &values[1]);
    MPI_Comm_get_attr(two, dup_key, &value, &flag);
    CHECK(flag && value == &values[4]);
    MPI_Comm_get_attr(two, null_key, &value, &flag);
    CHECK(!flag);
    MPI_Comm_delete_attr(one, key);
    CHECK_IS(deletions, 1);
    MPI_Comm_free_keyval(&key);
    CHECK(key == MPI_KEYVAL_INVALID);
    MPI_Comm_free(&two);
    CHECK_IS(deletions, 2); /* of a key that was freed before */
    MPI_Comm_free(&one);
    int *bound;
    MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_TAG_UB, &bound, &flag);
    CHECK(flag && *bound >= 32767);
    MPI_Attr_get(MPI_COMM_WORLD, MPI_TAG_UB, &bound, &flag);
    CHECK(flag && *bound >= 32767);
}

static MPI_Comm failed_comm;
static int failed_code, variadic_calls, plain_calls;

static void variadic_handler(MPI_Comm *comm, int *code, ...) {
    failed_comm = *comm, failed_code = *code;
    variadic_calls++;
}

static void plain_handler(MPI_Comm *comm, int *code) {
    failed_comm = *comm, failed_code = *code;
    plain_calls++;
}

static void error_handlers(void) {
    MPI_Errhandler handler, got;
    MPI_Comm comm;
    int value = 0, class = 0;
    MPI_Comm_dup(MPI_COMM_WORLD, &comm);
    MPI_Comm_get_errhandler(comm, &got);
    CHECK(got == MPI_ERRORS_ARE_FATAL);
    MPI_Comm_create_errhandler(variadic_handler, &handler);
    MPI_Comm_set_errhandler(comm, handler);
    MPI_Comm_get_errhandler(comm, &got);
    CHECK(got == handler);
    MPI_Errhandler_free(&got);
    int code = MPI_Send(&value, 1, MPI_INT, size + 3, 0, comm);
    MPI_Error_class(code, &class);
    CHECK_IS(class, MPI_ERR_RANK);
    CHECK(variadic_calls == 1 && failed_comm == comm);
    MPI_Error_class(failed_code, &class);
    CHECK_IS(class, MPI_ERR_RANK);
    MPI_Errhandler_free(&handler);
    CHECK(handler == MPI_ERRHANDLER_NULL);
    MPI_Errhandler_create((MPI_Handler_function *)(void *)plain_handler, &handler);
    MPI_Errhandler_set(comm, handler);
    MPI_Comm_call_errhandler(comm, MPI_ERR_TRUNCATE);
    MPI_Error_class(failed_code, &class);
    CHECK(plain_calls == 1 && class == MPI_ERR_TRUNCATE);
    MPI_Errhandler_free(&handler);
    CHECK_IS(MPI_Comm_set_errhandler(comm, MPI_ERRORS_ABORT), MPI_SUCCESS);
    MPI_Comm_free(&comm);

    int user_class, user_code, length;
    char text[MPI_MAX_ERROR_STRING];
    MPI_Add_error_class(&user_class);
    MPI_Add_error_code(user_class, &user_code);
    MPI_Add_error_string(user_code, "the cat has it");
    CHECK(user_class > MPI_ERR_LASTCODE && user_code > MPI_ERR_LASTCODE);
    MPI_Error_class(user_code, &class);
    CHECK_IS(class, user_class);
    MPI_Error_string(user_code, text, &length);
    CHECK(strcmp(text, "the cat has it") == 0 && length == (int)strlen(text));
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    int other = -1;
    GIVES(MPI_Add_error_code(user_code, &other), MPI_ERR_ARG); /* a code, which is no class */
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL);
}

int main(int argc, char **argv) {
    begin(&argc, &argv);
    operations();
    operations_of_short_lived_datatypes();
    attributes();
    error_handlers();
    return end();
}
