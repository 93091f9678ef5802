/* Collectives with counts and displacements, blocking and not, on intra- and intercommunicators, and neighbours. */
#include "check.h"

static void vectors(void) {
    int counts[8], displs[8], own[8], all[64], back[8], total = 0;
    for (int i = 0; i < size; i++) {
        counts[i] = i + 1, displs[i] = total, total += i + 2; /* a hole after each */
    }
    for (int i = 0; i <= rank; i++) {
        own[i] = 10 * rank + i;
    }
    memset(all, 0xff, sizeof all);
    MPI_Gatherv(own, rank + 1, MPI_INT, all, counts, displs, MPI_INT, 1, MPI_COMM_WORLD);
    if (rank == 1) {
        for (int i = 0; i < size; i++) {
            CHECK_IS(all[displs[i] + i], 11 * i);
            CHECK_IS(all[displs[i] + i + 1], -1);
        }
    }
    MPI_Scatterv(all, counts, displs, MPI_INT, back, rank + 1, MPI_INT, 1, MPI_COMM_WORLD);
    CHECK_IS(back[rank], 11 * rank);
    memset(all, 0xff, sizeof all);
    MPI_Allgatherv(own, rank + 1, MPI_INT, all, counts, displs, MPI_INT, MPI_COMM_WORLD);
    CHECK_IS(all[displs[size - 1] + size - 1], 11 * (size - 1));
    MPI_Request requests[3];
    memset(all, 0xff, sizeof all);
    MPI_Iallgatherv(own, rank + 1, MPI_INT, all, counts, displs, MPI_INT, MPI_COMM_WORLD, &requests[0]);
    MPI_Ibarrier(MPI_COMM_WORLD, &requests[1]);
    MPI_Ibcast(back, 1, MPI_INT, 0, MPI_COMM_WORLD, &requests[2]);
    MPI_Waitall(3, requests, MPI_STATUSES_IGNORE);
    CHECK_IS(all[displs[size - 1] + size - 1], 11 * (size - 1));
    CHECK_IS(back[0], 0);

    int send[8], receive[8], ones[8], bytes[8];
    MPI_Datatype types[8];
    for (int i = 0; i < size; i++) {
        send[i] = 100 * rank + i, ones[i] = 1, bytes[i] = 4 * i, types[i] = MPI_INT;
    }
    MPI_Alltoallw(send, ones, bytes, types, receive, ones, bytes, types, MPI_COMM_WORLD);
    for (int i = 0; i < size; i++) {
        CHECK_IS(receive[i], 100 * i + rank);
    }
    memset(receive, 0, sizeof receive);
    MPI_Ialltoallw(send, ones, bytes, types, receive, ones, bytes, types, MPI_COMM_WORLD, &requests[0]);
    memset(types, 0, sizeof types);
    MPI_Wait(&requests[0], MPI_STATUS_IGNORE);
    CHECK_IS(receive[size - 1], 100 * (size - 1) + rank);
}

/* A communicator may be freed while a collective is pending on it. */
static void freed_while_pending(void) {
    enum { MANY = 1 << 16 };
    static int mine[MANY], sums[MANY];
    MPI_Comm comm;
    MPI_Request request;
    for (int i = 0; i < MANY; i++) {
        mine[i] = rank + i;
    }
    MPI_Comm_dup(MPI_COMM_WORLD, &comm);
    MPI_Iallreduce(mine, sums, MANY, MPI_INT, MPI_SUM, comm, &request);
    MPI_Comm_free(&comm);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    CHECK_IS(sums[MANY - 1], size * (size - 1) / 2 + size * (MANY - 1));
}

static void reductions(void) {
    int values[8], got = -1, counts[8];
    for (int i = 0; i < size; i++) {
        values[i] = rank + i, counts[i] = 1;
    }
    int sum = size * (size - 1) / 2;
    MPI_Reduce_scatter(values, &got, counts, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    CHECK_IS(got, sum + rank * size);
    MPI_Reduce_scatter_block(values, &got, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    CHECK_IS(got, sum + rank * size);
    MPI_Exscan(&rank, &got, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    if (rank > 0) {
        CHECK_IS(got, rank * (rank - 1) / 2);
    }
    int truth = rank == 0, all, any;
    MPI_Allreduce(&truth, &all, 1, MPI_INT, MPI_LAND, MPI_COMM_WORLD);
    MPI_Allreduce(&truth, &any, 1, MPI_INT, MPI_LOR, MPI_COMM_WORLD);
    CHECK(all == (size == 1) && any == 1);
}

static void neighbours(void) {
    MPI_Comm ring;
    int coords[1], shift_from, shift_to, dims[2] = {0, 0};
    MPI_Cart_create(MPI_COMM_WORLD, 1, (int[]){size}, (int[]){1}, 0, &ring);
    MPI_Cart_coords(ring, rank, 1, coords);
    CHECK_IS(coords[0], rank);
    MPI_Cart_shift(ring, 0, 1, &shift_from, &shift_to);
    CHECK_IS(shift_to, (rank + 1) % size);
    int at = -1, kind, given[2] = {rank, 10 * rank}, got[2] = {-1, -1};
    MPI_Cart_rank(ring, (int[]){rank + size}, &at);
    CHECK_IS(at, rank);
    MPI_Topo_test(ring, &kind);
    CHECK_IS(kind, MPI_CART);
    MPI_Neighbor_allgather(given, 1, MPI_INT, got, 1, MPI_INT, ring);
    CHECK(got[0] == shift_from && got[1] == shift_to);
    MPI_Neighbor_alltoallv(given, (int[]){1, 1}, (int[]){0, 1}, MPI_INT, got, (int[]){1, 1}, (int[]){0, 1}, MPI_INT, ring);
    if (size > 2) {
        CHECK(got[0] == 10 * shift_from && got[1] == shift_to);
    }
    MPI_Aint far[2] = {0, 4};
    MPI_Datatype types[2] = {MPI_INT, MPI_INT};
    MPI_Neighbor_alltoallw(given, (int[]){1, 1}, far, types, got, (int[]){1, 1}, far, types, ring);
    if (size > 2) {
        CHECK(got[0] == 10 * shift_from && got[1] == shift_to);
    }
    MPI_Comm_free(&ring);
    MPI_Cart_create(MPI_COMM_WORLD, 1, (int[]){size}, (int[]){0}, 0, &ring);
    MPI_Cart_shift(ring, 0, 1, &shift_from, &shift_to);
    CHECK_IS(shift_from, rank == 0 ? MPI_PROC_NULL : rank - 1);
    MPI_Comm_free(&ring);
    MPI_Dims_create(12, 2, dims);
    CHECK_IS(dims[0] * dims[1], 12);

    MPI_Comm graph;
    int in, out, weighted, sources[2], destinations[2], to = (rank + 1) % size, from = (rank + size - 1) % size;
    MPI_Dist_graph_create_adjacent(MPI_COMM_WORLD, 1, &from, MPI_UNWEIGHTED, 1, &to, MPI_UNWEIGHTED, MPI_INFO_NULL, 0,
                                   &graph);
    MPI_Dist_graph_neighbors_count(graph, &in, &out, &weighted);
    CHECK(in == 1 && out == 1 && !weighted);
    MPI_Dist_graph_neighbors(graph, 1, sources, MPI_UNWEIGHTED, 1, destinations, MPI_UNWEIGHTED);
    CHECK(sources[0] == from && destinations[0] == to);
    MPI_Comm_free(&graph);
    MPI_Dist_graph_create(MPI_COMM_WORLD, 1, &rank, (int[]){1}, &to, (int[]){5}, MPI_INFO_NULL, 0, &graph);
    int weights[2] = {0, 0};
    MPI_Dist_graph_neighbors(graph, 1, sources, weights, 1, destinations, weights + 1);
    CHECK(sources[0] == from && destinations[0] == to && weights[0] == 5 && weights[1] == 5);
    MPI_Comm_free(&graph);

    /* Fewer neighbours than there is room for. */
    MPI_Dist_graph_create_adjacent(MPI_COMM_WORLD, 0, NULL, MPI_WEIGHTS_EMPTY, 1, &to, (int[]){7}, MPI_INFO_NULL, 0,
                                   &graph);
    sources[0] = destinations[1] = -1;
    weights[0] = weights[1] = 0;
    CHECK_IS(MPI_Dist_graph_neighbors(graph, 1, sources, (int[]){0}, 2, destinations, weights), MPI_SUCCESS);
    CHECK(sources[0] == -1 && destinations[0] == to && destinations[1] == -1);
    CHECK(weights[0] == 7 && weights[1] == 0);
    MPI_Comm_free(&graph);
}

static void inter(void) {
    /* Even and odd ranks face each other. */
    MPI_Comm half, between;
    int side = rank % 2, remote, flag, sum = -1, values[8];
    MPI_Comm_split(MPI_COMM_WORLD, side, rank, &half);
    MPI_Intercomm_create(half, 0, MPI_COMM_WORLD, 1 - side, 12, &between);
    MPI_Comm_test_inter(between, &flag);
    MPI_Comm_remote_size(between, &remote);
    CHECK(flag && remote == size / 2);
    MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, between);
    int expected = 0;
    for (int i = 1 - side; i < size; i += 2) {
        expected += i;
    }
    CHECK_IS(sum, expected);
    int root = side == 1 ? 0 : rank == 0 ? MPI_ROOT : MPI_PROC_NULL;
    /* In the root's group, who is not the root may give anything. */
    MPI_Gather(side == 1 ? &rank : (void *)0xfffffff0, side == 1 ? 1 : -1, side == 1 ? MPI_INT : MPI_DATATYPE_NULL,
               rank == 0 ? values : (void *)0xfffffff0, rank == 0 ? 1 : -1, rank == 0 ? MPI_INT : MPI_DATATYPE_NULL, root,
               between);
    if (rank == 0) {
        for (int i = 0; i < remote; i++) {
            CHECK_IS(values[i], 2 * i + 1);
        }
    }
    MPI_Comm merged;
    MPI_Intercomm_merge(between, side, &merged);
    int merged_size;
    MPI_Comm_size(merged, &merged_size);
    CHECK_IS(merged_size, size);
    MPI_Comm_free(&merged);
    MPI_Comm_free(&between);
    MPI_Comm_free(&half);
    MPI_Comm node;
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
    MPI_Comm_size(node, &merged_size);
    CHECK_IS(merged_size, size);
    MPI_Comm_set_name(node, "the node");
    char name[MPI_MAX_OBJECT_NAME];
    int length;
    MPI_Comm_get_name(node, name, &length);
    CHECK(strcmp(name, "the node") == 0 && length == 8);
    MPI_Comm_free(&node);
}

static void info(void) {
    MPI_Info one;
    char value[16];
    int flag, count, length = -1;
    MPI_Info_create(&one);
    MPI_Info_set(one, "colour", "ultramarine");
    MPI_Info_get(one, "colour", 15, value, &flag);
    CHECK(flag && strcmp(value, "ultramarine") == 0);
    MPI_Info_get(one, "size", 15, value, &flag);
    CHECK(!flag);
    MPI_Info_get_nkeys(one, &count);
    MPI_Info_get_valuelen(one, "colour", &length, &flag);
    CHECK(count == 1 && length == 11 && flag);
    char key[MPI_MAX_INFO_KEY];
    MPI_Info_get_nthkey(one, 0, key);
    CHECK(strcmp(key, "colour") == 0);
    MPI_Info_free(&one);
    CHECK(one == MPI_INFO_NULL);
}

int main(int argc, char **argv) {
    begin(&argc, &argv);
    freed_while_pending();
    vectors();
    reductions();
    neighbours();
    inter();
    info();
    return end();
}
