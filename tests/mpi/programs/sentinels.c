/* Special addresses and numbers mean on the node what they mean in the guest. */
#include "check.h"

static void in_place(void) {
    int values[8], own = rank + 1, sum = size * (size + 1) / 2;
    values[0] = own;
    MPI_Allreduce(MPI_IN_PLACE, values, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    CHECK_IS(values[0], sum);
    values[0] = own;
    MPI_Reduce(rank == 1 ? MPI_IN_PLACE : values, rank == 1 ? values : NULL, 1, MPI_INT, MPI_SUM, 1, MPI_COMM_WORLD);
    if (rank == 1) {
        CHECK_IS(values[0], sum);
    }
    memset(values, 0, sizeof values);
    values[rank] = own;
    /* Count and datatype beside MPI_IN_PLACE are ignored, so they may be anything. */
    MPI_Allgather(MPI_IN_PLACE, -7, (MPI_Datatype)12345678, values, 1, MPI_INT, MPI_COMM_WORLD);
    for (int i = 0; i < size; i++) {
        CHECK_IS(values[i], i + 1);
    }
    memset(values, 0, sizeof values);
    values[0] = own;
    if (rank == 0) {
        MPI_Gather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, values, 1, MPI_INT, 0, MPI_COMM_WORLD);
        CHECK_IS(values[size - 1], size);
        MPI_Scatter(values, 1, MPI_INT, MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, 0, MPI_COMM_WORLD);
    } else {
        /* What only the root gives may be anything elsewhere. */
        MPI_Gather(values, 1, MPI_INT, (void *)0xfffffff0, -1, (MPI_Datatype)99, 0, MPI_COMM_WORLD);
        values[0] = 0;
        MPI_Scatter((void *)0xfffffff0, -1, (MPI_Datatype)99, values, 1, MPI_INT, 0, MPI_COMM_WORLD);
        CHECK_IS(values[0], own);
    }
    for (int i = 0; i < size; i++) {
        values[i] = 10 * rank + i;
    }
    MPI_Alltoall(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, values, 1, MPI_INT, MPI_COMM_WORLD);
    for (int i = 0; i < size; i++) {
        CHECK_IS(values[i], 10 * i + rank);
    }
    int counts[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    for (int i = 0; i < size; i++) {
        values[i] = i;
    }
    MPI_Reduce_scatter(MPI_IN_PLACE, values, counts, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    CHECK_IS(values[0], rank * size);
}

static void status_ignore(void) {
    /* Address 0 is memory in wasm: a status written there would show. */
    volatile uint64_t *zero = (volatile uint64_t *)(uintptr_t)(getenv("NOT SET") != NULL);
    uint64_t before[8];
    for (int i = 0; i < 8; i++) {
        before[i] = zero[i];
    }
    int value = rank, other = -1, to = (rank + 1) % size, from = (rank + size - 1) % size;
    MPI_Sendrecv(&value, 1, MPI_INT, to, 5, &other, 1, MPI_INT, from, 5, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    CHECK_IS(other, from);
    MPI_Request requests[2];
    MPI_Irecv(&other, 1, MPI_INT, from, 6, MPI_COMM_WORLD, &requests[0]);
    MPI_Isend(&value, 1, MPI_INT, to, 6, MPI_COMM_WORLD, &requests[1]);
    MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
    MPI_Irecv(&other, 1, MPI_INT, from, 7, MPI_COMM_WORLD, &requests[0]);
    MPI_Send(&value, 1, MPI_INT, to, 7, MPI_COMM_WORLD);
    MPI_Wait(&requests[0], MPI_STATUS_IGNORE);
    for (int i = 0; i < 8; i++) {
        CHECK(zero[i] == before[i]);
    }
}

static void wildcards(void) {
    int value = rank, other = -1, to = (rank + 1) % size, from = (rank + size - 1) % size;
    MPI_Status status;
    memset(&status, 0x5a, sizeof status);
    MPI_Request request;
    MPI_Isend(&value, 1, MPI_INT, to, 9, MPI_COMM_WORLD, &request);
    MPI_Recv(&other, 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    CHECK_IS(status.MPI_SOURCE, from);
    CHECK_IS(status.MPI_TAG, 9);
    CHECK_IS(status.MPI_ERROR, 0x5a5a5a5a); /* a call for one request leaves it */
    int count = -1;
    MPI_Get_count(&status, MPI_INT, &count);
    CHECK_IS(count, 1);
    MPI_Get_count(&status, MPI_DOUBLE, &count);
    CHECK_IS(count, MPI_UNDEFINED);
    MPI_Recv(&other, 1, MPI_INT, MPI_PROC_NULL, 3, MPI_COMM_WORLD, &status);
    CHECK_IS(status.MPI_SOURCE, MPI_PROC_NULL);
    CHECK_IS(status.MPI_TAG, MPI_ANY_TAG);
    MPI_Get_count(&status, MPI_INT, &count);
    CHECK_IS(count, 0);
    MPI_Comm part;
    MPI_Comm_split(MPI_COMM_WORLD, rank == 0 ? 1 : MPI_UNDEFINED, 0, &part);
    CHECK((part == MPI_COMM_NULL) == (rank != 0));
    if (part != MPI_COMM_NULL) {
        MPI_Comm_free(&part);
        CHECK(part == MPI_COMM_NULL);
    }
    MPI_Group world, first;
    MPI_Comm_group(MPI_COMM_WORLD, &world);
    MPI_Group_incl(world, 1, (int[]){0}, &first);
    int in_first;
    MPI_Group_rank(first, &in_first);
    CHECK_IS(in_first, rank == 0 ? 0 : MPI_UNDEFINED);
    int asked[2] = {1, MPI_PROC_NULL}, told[2];
    MPI_Group_translate_ranks(world, 2, asked, first, told);
    CHECK_IS(told[0], MPI_UNDEFINED);
    CHECK_IS(told[1], MPI_PROC_NULL);
    MPI_Group_free(&first);
    MPI_Group_free(&world);
    CHECK(world == MPI_GROUP_NULL);
    int result;
    MPI_Comm twin;
    MPI_Comm_dup(MPI_COMM_WORLD, &twin);
    MPI_Comm_compare(MPI_COMM_WORLD, twin, &result);
    CHECK_IS(result, MPI_CONGRUENT);
    MPI_Comm_compare(MPI_COMM_WORLD, MPI_COMM_WORLD, &result);
    CHECK_IS(result, MPI_IDENT);
    MPI_Comm_free(&twin);
}

static void bottom(void) {
    /* Absolute addresses: MPI_BOTTOM is address 0 of the guest. */
    static double first = 1.5;
    int second = 7;
    if (rank != 0) {
        first = second = 0;
    }
    MPI_Aint where[2];
    MPI_Get_address(&first, &where[0]);
    MPI_Get_address(&second, &where[1]);
    MPI_Datatype both;
    MPI_Type_create_struct(2, (int[]){1, 1}, where, (MPI_Datatype[]){MPI_DOUBLE, MPI_INT}, &both);
    MPI_Type_commit(&both);
    MPI_Bcast(MPI_BOTTOM, 1, both, 0, MPI_COMM_WORLD);
    CHECK(first == 1.5 && second == 7);
    MPI_Type_free(&both);
    CHECK(both == MPI_DATATYPE_NULL);
}

int main(int argc, char **argv) {
    begin(&argc, &argv);
    in_place();
    status_ignore();
    wildcards();
    bottom();
    return end();
}
