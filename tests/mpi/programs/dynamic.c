/* Dynamic windows: addresses of other ranks, which reach what those have attached and nothing else. */
#include "check.h"

static MPI_Aint address_of(void *where, int of) {
    MPI_Aint mine;
    MPI_Aint *all = malloc((size_t)size * sizeof *all);
    MPI_Get_address(where, &mine);
    MPI_Allgather(&mine, 1, MPI_AINT, all, 1, MPI_AINT, MPI_COMM_WORLD);
    mine = all[of];
    free(all);
    return mine;
}

int main(int argc, char **argv) {
    begin(&argc, &argv);
    int to = (rank + 1) % size, from = (rank + size - 1) % size, flag, value = 100 + rank, got = -1;
    MPI_Win win;
    MPI_Win_create_dynamic(MPI_INFO_NULL, MPI_COMM_WORLD, &win);
    void *base = (void *)1;
    MPI_Aint *bytes;
    int *flavor, *unit;
    MPI_Win_get_attr(win, MPI_WIN_CREATE_FLAVOR, &flavor, &flag);
    CHECK(flag && *flavor == MPI_WIN_FLAVOR_DYNAMIC);
    MPI_Win_get_attr(win, MPI_WIN_BASE, &base, &flag);
    CHECK(flag && base == MPI_BOTTOM);
    MPI_Win_get_attr(win, MPI_WIN_SIZE, &bytes, &flag);
    CHECK(flag && *bytes == 0);
    MPI_Win_get_attr(win, MPI_WIN_DISP_UNIT, &unit, &flag);
    CHECK(flag && *unit == 1);

    /* Every rank at an address of its own. */
    int *mine = calloc(64 + 1000 * (size_t)rank, sizeof *mine);
    MPI_Aint there = address_of(mine, to);
    MPI_Win_attach(win, mine, 64 * sizeof *mine);
    MPI_Win_fence(0, win);
    MPI_Put(&value, 1, MPI_INT, to, there, 1, MPI_INT, win);
    MPI_Put(&value, 1, MPI_INT, to, MPI_Aint_add(there, 63 * sizeof(int)), 1, MPI_INT, win);
    MPI_Win_fence(0, win);
    CHECK_IS(mine[0], 100 + from);
    CHECK_IS(mine[63], 100 + from);
    MPI_Win_lock(MPI_LOCK_SHARED, to, 0, win);
    MPI_Get(&got, 1, MPI_INT, to, there, 1, MPI_INT, win);
    MPI_Win_unlock(to, win);
    CHECK_IS(got, 100 + rank);
    MPI_Win_fence(0, win);
    int one = 1, before = 0;
    MPI_Aint at_root = address_of(mine, 0);
    if (rank == 0) {
        mine[7] = 0;
    }
    MPI_Win_fence(0, win);
    MPI_Accumulate(&one, 1, MPI_INT, 0, at_root + 7 * 4, 1, MPI_INT, MPI_SUM, win);
    MPI_Win_fence(0, win);
    if (rank == 0) {
        CHECK_IS(mine[7], size);
    }
    MPI_Win_fence(0, win);
    MPI_Win_lock_all(0, win);
    MPI_Fetch_and_op(&one, &before, MPI_INT, to, there + 16, MPI_SUM, win);
    MPI_Win_flush(to, win);
    CHECK_IS(before, 0);
    MPI_Request request;
    MPI_Rget(&got, 1, MPI_INT, to, there + 16, 1, MPI_INT, win, &request);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    CHECK_IS(got, 1);
    MPI_Win_unlock_all(win);
    MPI_Barrier(MPI_COMM_WORLD);

    /* What is not attached is refused, wherever it is. */
    MPI_Win_set_errhandler(win, MPI_ERRORS_RETURN);
    MPI_Win_fence(0, win);
    GIVES(MPI_Put(&value, 1, MPI_INT, to, there - 4, 1, MPI_INT, win), MPI_ERR_RMA_RANGE);
    GIVES(MPI_Put(&value, 1, MPI_INT, to, there + 64 * 4 - 3, 1, MPI_INT, win), MPI_ERR_RMA_RANGE);
    GIVES(MPI_Put(mine, 65, MPI_INT, to, there, 65, MPI_INT, win), MPI_ERR_RMA_RANGE);
    GIVES(MPI_Get(mine, 1, MPI_INT, to, 0, 1, MPI_INT, win), MPI_ERR_RMA_RANGE);
    GIVES(MPI_Get(mine, 1, MPI_INT, to, -4, 1, MPI_INT, win), MPI_ERR_RMA_RANGE);
    GIVES(MPI_Get(mine, 1, MPI_INT, to, -2, 1, MPI_INT, win), MPI_ERR_RMA_RANGE);
    GIVES(MPI_Get(mine, 1, MPI_INT, to, 0x7ffffffc, 1, MPI_INT, win), MPI_ERR_RMA_RANGE);
    GIVES(MPI_Accumulate(&one, 1, MPI_INT, to, (MPI_Aint)0x80000000, 1, MPI_INT, MPI_SUM, win), MPI_ERR_RMA_RANGE);
    GIVES(MPI_Fetch_and_op(&one, &before, MPI_INT, to, there - 4, MPI_SUM, win), MPI_ERR_RMA_RANGE);
    GIVES(MPI_Compare_and_swap(&one, &one, &before, MPI_INT, to, -4, win), MPI_ERR_RMA_RANGE);
    GIVES(MPI_Put(&value, 1, MPI_INT, MPI_PROC_NULL, -1, 1, MPI_INT, win), MPI_SUCCESS);
    GIVES(MPI_Put(&value, 0, MPI_INT, to, there, 0, MPI_INT, win), MPI_SUCCESS);
    char *past = (char *)(uintptr_t)(__builtin_wasm_memory_size(0) * 65536);
    GIVES(MPI_Win_attach(win, past - 2, 4), MPI_ERR_BUFFER);
    GIVES(MPI_Win_attach(win, mine, -1), MPI_ERR_SIZE);
    GIVES(MPI_Win_attach(win, (void *)0xfffffff0, 0x7fffffff), MPI_ERR_BUFFER);
    GIVES(MPI_Win_attach(win, mine + 63, 8), MPI_ERR_RMA_ATTACH);
    GIVES(MPI_Win_attach(win, mine - 1, 8), MPI_ERR_RMA_ATTACH);
    GIVES(MPI_Win_detach(win, mine + 1), MPI_ERR_ARG);
    MPI_Win_fence(0, win);

    /* Regions side by side are one; an absolute datatype may go from one to another. */
    int *more = calloc(64, sizeof *more);
    MPI_Aint low = address_of(more, to), high = address_of(more + 32, to);
    MPI_Win_attach(win, more, 8 * sizeof *more);
    MPI_Win_attach(win, more + 8, 8 * sizeof *more);
    MPI_Win_attach(win, more + 32, 8 * sizeof *more);
    int line[16];
    for (int i = 0; i < 16; i++) {
        line[i] = 1000 * rank + i;
    }
    MPI_Datatype two;
    MPI_Type_create_hindexed(2, (int[]){2, 2}, (MPI_Aint[]){low, high}, MPI_INT, &two);
    MPI_Type_commit(&two);
    MPI_Win_fence(0, win);
    MPI_Put(line, 16, MPI_INT, to, low, 16, MPI_INT, win);
    MPI_Win_fence(0, win);
    CHECK_IS(more[15], 1000 * from + 15);
    MPI_Win_fence(0, win);
    int one_region = is_open_mpi(); /* wants one for all */
    GIVES(MPI_Put(line, 4, MPI_INT, to, 0, 1, two, win), one_region ? MPI_ERR_RMA_RANGE : MPI_SUCCESS);
    MPI_Win_fence(0, win);
    if (!one_region) {
        CHECK_IS(more[1], 1000 * from + 1);
        CHECK_IS(more[33], 1000 * from + 3);
    }
    GIVES(MPI_Put(line, 16, MPI_INT, to, low + 4, 16, MPI_INT, win), MPI_ERR_RMA_RANGE);
    MPI_Win_fence(0, win);
    GIVES(MPI_Win_detach(win, more + 8), MPI_SUCCESS);
    GIVES(MPI_Win_detach(win, more + 8), MPI_ERR_ARG);
    GIVES(MPI_Win_attach(win, more + 8, 4), MPI_SUCCESS);
    MPI_Type_free(&two);

    /* Many regions, attached while others already look. */
    enum { MANY = 20 };
    int *nodes[MANY];
    for (int i = 0; i < MANY; i++) {
        nodes[i] = malloc(sizeof **nodes);
        *nodes[i] = -1;
        GIVES(MPI_Win_attach(win, nodes[i], sizeof **nodes), MPI_SUCCESS);
        MPI_Aint node = address_of(nodes[i], to);
        MPI_Win_lock(MPI_LOCK_EXCLUSIVE, to, 0, win);
        GIVES(MPI_Put(&i, 1, MPI_INT, to, node, 1, MPI_INT, win), MPI_SUCCESS);
        MPI_Win_unlock(to, win);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Win_fence(0, win);
    for (int i = 0; i < MANY; i++) {
        CHECK_IS(*nodes[i], i);
        MPI_Win_detach(win, nodes[i]);
    }
    MPI_Win_fence(0, win);

    /* Other windows know no attaching, and a dynamic one no sharing. */
    MPI_Aint reached;
    int steps;
    GIVES(MPI_Win_shared_query(win, 0, &reached, &steps, &base), MPI_ERR_RMA_FLAVOR);
    MPI_Win_free(&win);
    MPI_Win_create(mine, 4, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &win);
    MPI_Win_set_errhandler(win, MPI_ERRORS_RETURN);
    GIVES(MPI_Win_attach(win, mine, 4), MPI_ERR_RMA_FLAVOR);
    GIVES(MPI_Win_detach(win, mine), MPI_ERR_RMA_FLAVOR);
    MPI_Win_free(&win);
    return end();
}
