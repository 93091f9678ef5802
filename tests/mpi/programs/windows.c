/* One-sided communication, within other ranks' windows and never outside. */
#include "check.h"

/* Of 8 bytes, and of the types that the standard names only. */
static void swapped(void) {
    static _Alignas(8) int64_t words[2];
    int64_t none = 0, mine = 7 + rank, before = -1;
    int to = (rank + 1) % size, from = (rank + size - 1) % size, class;
    MPI_Win win;
    MPI_Datatype nothing;
    MPI_Type_contiguous(0, MPI_INT, &nothing);
    MPI_Type_commit(&nothing);
    MPI_Win_create(words, sizeof words, sizeof words[0], MPI_INFO_NULL, MPI_COMM_WORLD, &win);
    MPI_Win_set_errhandler(win, MPI_ERRORS_RETURN);
    MPI_Win_lock_all(0, win);
    GIVES(MPI_Compare_and_swap(&mine, &none, &before, MPI_INT64_T, to, 0, win), MPI_SUCCESS);
    MPI_Win_flush(to, win);
    CHECK_IS(before, 0);
    before = -1;
    MPI_Error_class(MPI_Compare_and_swap(&mine, &none, &before, MPI_INT64_T, rank, 1, win), &class);
    MPI_Win_flush(rank, win);
    int own = class == MPI_SUCCESS; /* Open MPI 4.1 cannot among ranks of one node */
    CHECK(own ? before == 0 : class == MPI_ERR_UNSUPPORTED_OPERATION && is_open_mpi());
    GIVES(MPI_Compare_and_swap(&mine, &none, &before, MPI_DOUBLE, to, 0, win), MPI_ERR_TYPE);
    GIVES(MPI_Compare_and_swap(&mine, &none, &before, nothing, to, 0, win), MPI_ERR_TYPE);
    GIVES(MPI_Fetch_and_op(&mine, &before, nothing, to, 0, MPI_SUM, win), MPI_ERR_TYPE);
    MPI_Win_unlock_all(win);
    MPI_Barrier(MPI_COMM_WORLD);
    CHECK_IS(words[0], 7 + from);
    CHECK_IS(words[1], own ? mine : 0);
    MPI_Win_free(&win);
    MPI_Type_free(&nothing);
}

int main(int argc, char **argv) {
    begin(&argc, &argv);
    swapped();
    static int exposed[16];
    int to = (rank + 1) % size, from = (rank + size - 1) % size, value = 100 + rank, got = -1, flag;
    MPI_Win win;
    /* Every rank another size: rank r exposes r + 2 integers. */
    MPI_Info hints;
    MPI_Info_create(&hints);
    MPI_Info_set(hints, "accumulate_ops", "no such ones"); /* an implementation may ignore what it does not know */
    MPI_Win_create(exposed, (rank + 2) * (int)sizeof(int), sizeof(int), hints, MPI_COMM_WORLD, &win);
    MPI_Info_free(&hints);
    MPI_Win_fence(MPI_MODE_NOPRECEDE, win);
    MPI_Put(&value, 1, MPI_INT, to, 1, 1, MPI_INT, win);
    MPI_Win_fence(MPI_MODE_NOSUCCEED, win);
    CHECK_IS(exposed[1], 100 + from);
    MPI_Win_lock(MPI_LOCK_SHARED, to, 0, win);
    MPI_Get(&got, 1, MPI_INT, to, 1, 1, MPI_INT, win);
    MPI_Win_unlock(to, win);
    CHECK_IS(got, 100 + rank);
    exposed[0] = 0;
    MPI_Win_fence(0, win);
    int one = 1;
    MPI_Accumulate(&one, 1, MPI_INT, 0, 0, 1, MPI_INT, MPI_SUM, win);
    MPI_Win_fence(0, win);
    if (rank == 0) {
        CHECK_IS(exposed[0], size);
    }
    MPI_Win_lock_all(0, win);
    int before = -1, zero = 0;
    MPI_Fetch_and_op(&one, &before, MPI_INT, to, 0, MPI_SUM, win);
    MPI_Win_flush(to, win);
    MPI_Fetch_and_op((void *)0xfffffff0, &before, MPI_INT, to, 0, MPI_NO_OP, win); /* takes no operand */
    MPI_Win_flush_all(win);
    MPI_Compare_and_swap(&zero, &one, &before, MPI_INT, to, 1, win);
    MPI_Request request;
    MPI_Rget(&got, 1, MPI_INT, to, 1, 1, MPI_INT, win, &request);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    MPI_Win_unlock_all(win);
    MPI_Group world, neighbour;
    MPI_Comm_group(MPI_COMM_WORLD, &world);
    MPI_Group_incl(world, 1, &to, &neighbour);
    MPI_Barrier(MPI_COMM_WORLD);

    MPI_Win_set_errhandler(win, MPI_ERRORS_RETURN);
    MPI_Win_fence(0, win);
    char *past = (char *)(uintptr_t)(__builtin_wasm_memory_size(0) * 65536);
    GIVES(MPI_Put(&value, 1, MPI_INT, to, to + 2, 1, MPI_INT, win), MPI_ERR_RMA_RANGE); /* just past its end */
    GIVES(MPI_Put(&value, 1, MPI_INT, to, -1, 1, MPI_INT, win), MPI_ERR_RMA_RANGE);
    GIVES(MPI_Get(exposed, 1, MPI_INT, to, 0x7fffffff, 1, MPI_INT, win), MPI_ERR_RMA_RANGE);
    GIVES(MPI_Put(exposed, 8, MPI_INT, to, 0, 8, MPI_INT, win), MPI_ERR_RMA_RANGE);
    GIVES(MPI_Put(&value, 1, MPI_INT, to, 0, -1, MPI_INT, win), MPI_ERR_COUNT);
    GIVES(MPI_Put(past - 2, 1, MPI_INT, to, 0, 1, MPI_INT, win), MPI_ERR_BUFFER);
    GIVES(MPI_Put(&value, 1, MPI_INT, size, 0, 1, MPI_INT, win), MPI_ERR_RANK);
    GIVES(MPI_Fetch_and_op(&one, &got, MPI_INT, to, to + 2, MPI_SUM, win), MPI_ERR_RMA_RANGE);
    GIVES(MPI_Put(&value, 1, MPI_INT, MPI_PROC_NULL, 1000, 1, MPI_INT, win), MPI_SUCCESS);
    /* What does not fit where it goes, or is not of one type; libraries do not look, and write beyond or end the job. */
    static int much[4096];
    memset(much, 1, sizeof much);
    GIVES(MPI_Put(much, 4096, MPI_INT, to, 0, 1, MPI_INT, win), MPI_ERR_TRUNCATE);
    GIVES(MPI_Get(much, 1, MPI_INT, to, 0, 2, MPI_INT, win), MPI_ERR_TRUNCATE);
    GIVES(MPI_Accumulate(much, 4096, MPI_INT, to, 0, 1, MPI_INT, MPI_SUM, win), MPI_ERR_TRUNCATE);
    GIVES(MPI_Get_accumulate(much, 1, MPI_INT, much + 8, 1, MPI_INT, to, 0, 2, MPI_INT, MPI_SUM, win), MPI_ERR_TRUNCATE);
    MPI_Datatype mixed, alike;
    MPI_Type_create_struct(2, (int[]){1, 1}, (MPI_Aint[]){0, 4}, (MPI_Datatype[]){MPI_INT, MPI_FLOAT}, &mixed);
    MPI_Type_commit(&mixed);
    MPI_Type_vector(2, 1, 1, MPI_INT, &alike);
    MPI_Type_commit(&alike);
    GIVES(MPI_Accumulate(much, 1, mixed, to, 0, 1, mixed, MPI_SUM, win), MPI_ERR_TYPE);
    /* An operation that is not defined for the type: some library asserts that it is, at the target. */
    GIVES(MPI_Accumulate(much, 1, MPI_INT, to, 0, 1, MPI_INT, MPI_MINLOC, win), MPI_ERR_OP);
    GIVES(MPI_Accumulate(much, 1, alike, to, 0, 1, alike, MPI_MAXLOC, win), MPI_ERR_OP);
    GIVES(MPI_Fetch_and_op(much, &got, MPI_FLOAT, to, 0, MPI_BAND, win), MPI_ERR_OP);
    GIVES(MPI_Get_accumulate(much, 1, MPI_2INT, much + 8, 1, MPI_2INT, to, 0, 1, MPI_2INT, MPI_SUM, win), MPI_ERR_OP);
    GIVES(MPI_Get_accumulate(much, 1, MPI_LONG_DOUBLE_INT, much + 16, 1, MPI_LONG_DOUBLE_INT, 3 % size, 0, 0,
                             MPI_LONG_DOUBLE_INT, MPI_REPLACE, win),
          MPI_ERR_TRUNCATE);
    GIVES(MPI_Get_accumulate(much, 1, MPI_LONG_DOUBLE_INT, much + 64, 1, MPI_LONG_DOUBLE_INT, MPI_PROC_NULL, 0, 1,
                             MPI_LONG_DOUBLE_INT, MPI_REPLACE, win),
          MPI_ERR_TYPE);
    GIVES(MPI_Accumulate(much, 1, alike, to, 0, 2, MPI_FLOAT, MPI_SUM, win), MPI_ERR_TYPE);
    GIVES(MPI_Accumulate(much, 1, alike, to, 0, 2, MPI_INT, MPI_SUM, win), MPI_SUCCESS);
    MPI_Win_fence(0, win);
    CHECK_IS(exposed[6], 0);
    MPI_Type_free(&mixed);
    MPI_Type_free(&alike);
    MPI_Datatype far;
    MPI_Type_create_hindexed(1, (int[]){1}, (MPI_Aint[]){-4}, MPI_INT, &far);
    MPI_Type_commit(&far);
    GIVES(MPI_Put(&value, 1, MPI_INT, to, 0, 1, far, win), MPI_ERR_RMA_RANGE);
    MPI_Type_free(&far);
    MPI_Win_fence(0, win);

    void *base;
    MPI_Aint *bytes;
    int *unit, *flavor;
    MPI_Win_get_attr(win, MPI_WIN_BASE, &base, &flag);
    CHECK(flag && base == exposed);
    MPI_Win_get_attr(win, MPI_WIN_SIZE, &bytes, &flag);
    CHECK(flag && *bytes == (rank + 2) * (int)sizeof(int));
    MPI_Win_get_attr(win, MPI_WIN_DISP_UNIT, &unit, &flag);
    CHECK(flag && *unit == sizeof(int));
    MPI_Win_get_attr(win, MPI_WIN_CREATE_FLAVOR, &flavor, &flag);
    CHECK(flag && *flavor == MPI_WIN_FLAVOR_CREATE);
    MPI_Win copy = win;
    MPI_Group_free(&neighbour);
    MPI_Group_free(&world);
    MPI_Win_free(&win);
    CHECK(win == MPI_WIN_NULL);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    GIVES(MPI_Win_fence(0, copy), MPI_ERR_WIN);

    /* Memory that comes with the window, and goes with it. */
    int *shared = NULL;
    for (int round = 0; round < 3; round++) {
        MPI_Win_allocate(1 << 20, sizeof(int), MPI_INFO_NULL, MPI_COMM_WORLD, &shared, &win);
        shared[7] = -1;
        MPI_Win_fence(0, win);
        value = 1000 * round + rank;
        MPI_Put(&value, 1, MPI_INT, to, 7, 1, MPI_INT, win);
        MPI_Win_fence(0, win);
        CHECK_IS(shared[7], 1000 * round + from);
        MPI_Win_free(&win);
    }
    size_t pages = __builtin_wasm_memory_size(0);
    for (int round = 0; round < 20; round++) {
        MPI_Win_allocate(1 << 20, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &shared, &win);
        MPI_Win_free(&win);
    }
    CHECK(__builtin_wasm_memory_size(0) <= pages + 20);

    /* A communicator that a request makes. */
    MPI_Comm twin;
    int twin_size = 0;
    MPI_Comm_idup(MPI_COMM_WORLD, &twin, &request);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    MPI_Comm_size(twin, &twin_size);
    CHECK_IS(twin_size, size);
    MPI_Barrier(twin);
    MPI_Comm_free(&twin);
    CHECK(twin == MPI_COMM_NULL);

    /* What a datatype was made of, in the guest's numbers. */
    MPI_Datatype part, parts[1];
    int integers[5];
    MPI_Aint addresses[1];
    MPI_Type_create_subarray(1, (int[]){9}, (int[]){3}, (int[]){2}, MPI_ORDER_FORTRAN, MPI_DOUBLE, &part);
    MPI_Type_get_contents(part, 5, 0, 1, integers, addresses, parts);
    CHECK(integers[0] == 1 && integers[1] == 9 && integers[2] == 3 && integers[3] == 2);
    CHECK(integers[4] == MPI_ORDER_FORTRAN && parts[0] == MPI_DOUBLE);
    GIVES(MPI_Type_get_contents(part, 4, 0, 1, integers, addresses, parts), MPI_ERR_ARG);
    MPI_Type_free(&part);
    return end();
}
