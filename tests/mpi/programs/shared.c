/* Memory that ranks truly share: what one stores, the others load, with no message between. */
#include "check.h"

enum { ROUNDS = 3 };

/* Every rank another size; rank 1 has nothing. */
static MPI_Aint part_of(int r) {
    return r == 1 ? 0 : (r + 1) * 1000 * (int)sizeof(int);
}

static int attribute(MPI_Win win, int key) {
    int *value = NULL, flag = 0;
    MPI_Win_get_attr(win, key, &value, &flag);
    CHECK(flag);
    return flag ? *value : -1;
}

static void look_at_each_other(MPI_Info info, int apart) {
    MPI_Win win;
    volatile int *mine = NULL;
    MPI_Win_allocate_shared(part_of(rank), rank + 1, info, MPI_COMM_WORLD, &mine, &win);
    CHECK_IS(attribute(win, MPI_WIN_CREATE_FLAVOR), MPI_WIN_FLAVOR_SHARED);
    CHECK_IS(attribute(win, MPI_WIN_SIZE), part_of(rank));
    CHECK_IS(attribute(win, MPI_WIN_DISP_UNIT), rank + 1);
    void *base;
    int flag;
    MPI_Win_get_attr(win, MPI_WIN_BASE, &base, &flag);
    CHECK(flag && base == mine);
    for (int i = 0; i < part_of(rank) / 4; i++) {
        CHECK(mine[i] == 0);
        mine[i] = rank * 100000 + i;
    }
    MPI_Win_fence(0, win);
    char *next = NULL;
    for (int r = 0; r < size; r++) {
        MPI_Aint bytes = -1;
        int unit = -1;
        volatile int *theirs = NULL;
        MPI_Win_shared_query(win, r, &bytes, &unit, &theirs);
        CHECK_IS(bytes, part_of(r));
        CHECK_IS(unit, r + 1);
        CHECK(r != rank || theirs == mine);
        CHECK(apart || r == 0 || (char *)theirs == next);
        CHECK(!apart || (uintptr_t)theirs % 4096 == 0);
        CHECK(!apart || (bytes == 0) == (theirs == NULL));
        next = (char *)theirs + bytes;
        int wrong = 0;
        for (int i = 0; i < bytes / 4; i++) {
            wrong += theirs[i] != r * 100000 + i;
        }
        CHECK_IS(wrong, 0);
    }
    MPI_Win_fence(0, win);
    /* Stores by others, and one-sided calls, in the same memory. */
    int to = (rank + 1) % size == 1 ? 2 % size : (rank + 1) % size;
    if (rank != 1) {
        MPI_Aint bytes;
        int unit;
        volatile int *theirs;
        MPI_Win_shared_query(win, to, &bytes, &unit, &theirs);
        theirs[5] = -rank - 7;
    }
    MPI_Win_fence(0, win);
    if (rank != 1) {
        int from = rank == 2 % size ? 0 : (rank + size - 1) % size;
        CHECK(mine[5] == -from - 7);
    }
    MPI_Win_lock_all(0, win);
    int one = 1, before;
    for (int i = 0; i < 50; i++) {
        MPI_Fetch_and_op(&one, &before, MPI_INT, 0, 40, MPI_SUM, win);
        MPI_Win_flush(0, win);
    }
    MPI_Win_unlock_all(win);
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Aint bytes;
    int unit;
    volatile int *first;
    MPI_Win_shared_query(win, MPI_PROC_NULL, &bytes, &unit, &first);
    CHECK_IS(bytes, part_of(0));
    CHECK_IS(unit, 1);
    CHECK_IS(first[10], 10 + 50 * size);
    MPI_Win_set_errhandler(win, MPI_ERRORS_RETURN);
    GIVES(MPI_Win_shared_query(win, size, &bytes, &unit, &first), MPI_ERR_RANK);
    GIVES(MPI_Win_shared_query(win, -1, &bytes, &unit, &first), MPI_ERR_RANK);
    GIVES(MPI_Put(&one, 1, MPI_INT, 0, 4000, 1, MPI_INT, win), MPI_ERR_RMA_RANGE);
    GIVES(MPI_Put(&one, 1, MPI_INT, 1 % size, 0, 1, MPI_INT, win), size > 1 ? MPI_ERR_RMA_RANGE : MPI_SUCCESS);
    MPI_Win_free(&win);
    /* The pages are the guest's own again, and of zeros for whoever gets them. */
    if (rank != 1) {
        CHECK(mine[0] == 0 && mine[5] == 0);
        mine[0] = 4711;
        MPI_Barrier(MPI_COMM_WORLD);
        CHECK(mine[0] == 4711);
        mine[0] = 0;
    } else {
        MPI_Barrier(MPI_COMM_WORLD);
    }
}

/* Parts that begin anywhere: what is put into one stays off the one before. */
static void put_anywhere(MPI_Info info) {
    MPI_Win win;
    int *mine, wrong = 0;
    MPI_Win_allocate_shared(sizeof(int), sizeof(int), info, MPI_COMM_WORLD, &mine, &win);
    *mine = 1000 + rank;
    for (int r = 0; r < size; r++) {
        MPI_Win_fence(0, win);
        int value = 2000 + r;
        if (rank == 0) {
            MPI_Put(&value, 1, MPI_INT, r, 0, 1, MPI_INT, win);
        }
        MPI_Win_fence(0, win);
        wrong += *mine != (rank > r ? 1000 : 2000) + rank;
    }
    CHECK_IS(wrong, 0);
    MPI_Win_free(&win);

    char own[64], bytes[5] = {1, 2, 3, 4, 5}, found[5] = {0};
    char *at = (char *)(((uintptr_t)own + 15) / 16 * 16) + 3 + 6 * (rank % 2);
    memset(own, 9, sizeof own);
    MPI_Win_create(at, sizeof bytes, 1, info, MPI_COMM_WORLD, &win);
    int to = (rank + 1) % size;
    MPI_Win_fence(0, win);
    MPI_Put(bytes + 1, 4, MPI_CHAR, to, 1, 4, MPI_CHAR, win);
    MPI_Win_fence(0, win);
    MPI_Get(found, 5, MPI_CHAR, to, 0, 5, MPI_CHAR, win);
    MPI_Win_fence(0, win);
    CHECK(found[0] == 9 && memcmp(found + 1, bytes + 1, 4) == 0);
    CHECK(at[-1] == 9 && at[0] == 9 && memcmp(at + 1, bytes + 1, 4) == 0 && at[5] == 9);
    MPI_Win_free(&win);
}

int main(int argc, char **argv) {
    begin(&argc, &argv);
    MPI_Info info;
    MPI_Info_create(&info);
    MPI_Info_set(info, "alloc_shared_noncontig", "true");
    size_t pages = 0;
    for (int round = 0; round < ROUNDS; round++) {
        look_at_each_other(MPI_INFO_NULL, 0);
        look_at_each_other(info, 1);
        pages = pages == 0 ? __builtin_wasm_memory_size(0) : pages;
    }
    MPI_Info_delete(info, "alloc_shared_noncontig");
    MPI_Info_set(info, "same_size", "true");
    put_anywhere(MPI_INFO_NULL);
    put_anywhere(info);
    MPI_Info_free(&info);
    CHECK(__builtin_wasm_memory_size(0) <= pages + 2); /* freed windows' pages are used again */

    /* Growing the memory disturbs nothing, and pages between two windows' stay their own. */
    MPI_Win first, second;
    volatile unsigned char *one, *two;
    MPI_Win_allocate_shared(70000, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &one, &first);
    unsigned char *heap = malloc(3 << 20);
    memset(heap, 0x5a, 3 << 20);
    MPI_Win_allocate_shared(10, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &two, &second);
    one[69999] = (unsigned char)(rank + 1);
    two[9] = (unsigned char)(rank + 101);
    unsigned char *more = malloc(5 << 20);
    memset(more, 0x77, 5 << 20);
    MPI_Win_fence(0, first);
    for (int r = 0; r < size; r++) {
        MPI_Aint bytes;
        int unit;
        volatile unsigned char *theirs;
        MPI_Win_shared_query(first, r, &bytes, &unit, &theirs);
        CHECK_IS(theirs[69999], r + 1);
    }
    CHECK_IS(two[9], rank + 101);
    MPI_Win_fence(0, first);
    MPI_Win_free(&second);
    MPI_Win_free(&first);
    int wrong = 0;
    for (int i = 0; i < 3 << 20; i++) {
        wrong += heap[i] != 0x5a;
    }
    for (int i = 0; i < 5 << 20; i++) {
        wrong += more[i] != 0x77;
    }
    CHECK_IS(wrong, 0);

    /* Nobody has anything: an address all the same. */
    MPI_Aint bytes = -1;
    int unit;
    char *nothing = NULL;
    MPI_Win_allocate_shared(0, 4, MPI_INFO_NULL, MPI_COMM_WORLD, &nothing, &first);
    MPI_Win_shared_query(first, MPI_PROC_NULL, &bytes, &unit, &nothing);
    CHECK_IS(bytes, 0);
    MPI_Win_free(&first);

    /* More than one guest can address: all fail together, and the next one is none the worse for it. */
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    GIVES(MPI_Win_allocate_shared(rank == 0 ? 0x7fff0000 : 0x40000000, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &nothing, &first),
          size > 1 ? MPI_ERR_NO_MEM : MPI_SUCCESS);
    GIVES(MPI_Win_allocate_shared(-1, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &nothing, &first), MPI_ERR_SIZE);
    GIVES(MPI_Win_allocate_shared(8, 0, MPI_INFO_NULL, MPI_COMM_WORLD, &nothing, &first), MPI_ERR_DISP);
    GIVES(MPI_Win_allocate_shared(8, 1, MPI_INFO_NULL, MPI_COMM_WORLD, (void *)0xfffffffe, &first), MPI_ERR_ARG);
    /* One rank alone has no room: it took all there is. */
    size_t taken = 0;
    if (rank == size - 1) {
        while (__builtin_wasm_memory_grow(0, 4096) != (size_t)-1) {
            taken += 4096;
        }
        while (__builtin_wasm_memory_grow(0, 16) != (size_t)-1) {
            taken += 16;
        }
        CHECK(taken > 40000);
    }
    GIVES(MPI_Win_allocate_shared(3 << 20, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &nothing, &first), MPI_ERR_NO_MEM);
    GIVES(MPI_Win_allocate(3 << 20, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &nothing, &first), MPI_ERR_NO_MEM);
    int *small = NULL;
    GIVES(MPI_Win_allocate_shared(4, 4, MPI_INFO_NULL, MPI_COMM_WORLD, &small, &first), MPI_SUCCESS);
    *small = rank;
    MPI_Win_fence(0, first);
    MPI_Win_shared_query(first, size - 1, &bytes, &unit, &small);
    CHECK_IS(*small, size - 1);
    MPI_Win_set_errhandler(first, MPI_ERRORS_RETURN);
    MPI_Win_fence(0, first);
    MPI_Win_free(&first);

    /* Of other windows' memory one reaches one's own (MPI 4.1). */
    static int own[4];
    MPI_Win_create(own, sizeof own, 4, MPI_INFO_NULL, MPI_COMM_WORLD, &first);
    GIVES(MPI_Win_shared_query(first, rank, &bytes, &unit, &small), MPI_SUCCESS);
    CHECK(bytes == sizeof own && unit == 4 && small == own);
    GIVES(MPI_Win_shared_query(first, (rank + 1) % size, &bytes, &unit, &small), MPI_SUCCESS);
    CHECK(size == 1 || (bytes == 0 && small == NULL));
    MPI_Win_free(&first);
    return end();
}
