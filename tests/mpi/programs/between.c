/* Collectives between two groups of two ranks: who gives, who takes, and arguments of whoever does neither. */
#include "check.h"

/* Where a buffer is not significant, the program may give anything. */
#define NOTHING ((void *)0xfffffff0u)

static MPI_Comm both;
static int low, here; /* is it the first group? the rank in the own one */

/* Of the group that has the root: the root itself, and the other one. */
static int root_of(int gives_root) {
    return !gives_root ? 1 : here == 1 ? MPI_ROOT : MPI_PROC_NULL;
}

static void finish(MPI_Request *request) {
    CHECK_IS(MPI_Wait(request, MPI_STATUS_IGNORE), MPI_SUCCESS);
}

static void rooted(int first) {
    int in_group = low == first, root = root_of(in_group), is_root = root == MPI_ROOT, is_leaf = !in_group;
    int got[4] = {-1, -1, -1, -1}, given[4] = {10 + rank, 20 + rank, 30 + rank, 40 + rank};
    int counts[2] = {1, 1}, places[2] = {1, 0}, base = first ? 2 : 0; /* the leaves are the world's base and base + 1 */
    MPI_Request request;
    void *send = is_leaf ? (void *)given : NOTHING, *receive = is_root ? (void *)got : NOTHING;

    CHECK_IS(MPI_Reduce(send, receive, 1, MPI_INT, MPI_SUM, root, both), MPI_SUCCESS);
    CHECK(!is_root || got[0] == 20 + base + base + 1);
    CHECK_IS(MPI_Ireduce(send, receive, 2, MPI_INT, MPI_MAX, root, both, &request), MPI_SUCCESS);
    finish(&request);
    CHECK(!is_root || (got[0] == 11 + base && got[1] == 21 + base));

    CHECK_IS(MPI_Gather(send, 1, MPI_INT, receive, 1, MPI_INT, root, both), MPI_SUCCESS);
    CHECK(!is_root || (got[0] == 10 + base && got[1] == 11 + base));
    CHECK_IS(MPI_Igather(send, 2, MPI_INT, receive, 2, MPI_INT, root, both, &request), MPI_SUCCESS);
    finish(&request);
    CHECK(!is_root || (got[1] == 20 + base && got[3] == 21 + base));
    int *listed = is_root ? counts : NOTHING, *placed = is_root ? places : NOTHING;
    CHECK_IS(MPI_Gatherv(send, 1, MPI_INT, receive, listed, placed, MPI_INT, root, both), MPI_SUCCESS);
    CHECK(!is_root || (got[1] == 10 + base && got[0] == 11 + base));
    CHECK_IS(MPI_Igatherv(send, 1, MPI_INT, receive, listed, placed, MPI_INT, root, both, &request), MPI_SUCCESS);
    finish(&request);

    send = is_root ? (void *)given : NOTHING, receive = is_leaf ? (void *)got : NOTHING;
    int root_rank = first ? 1 : 3;
    CHECK_IS(MPI_Scatter(send, 1, MPI_INT, receive, 1, MPI_INT, root, both), MPI_SUCCESS);
    CHECK(!is_leaf || got[0] == 10 + 10 * here + root_rank);
    CHECK_IS(MPI_Iscatter(send, 2, MPI_INT, receive, 2, MPI_INT, root, both, &request), MPI_SUCCESS);
    finish(&request);
    CHECK(!is_leaf || got[1] == 20 + 20 * here + root_rank);
    CHECK_IS(MPI_Scatterv(send, listed, placed, MPI_INT, receive, 1, MPI_INT, root, both), MPI_SUCCESS);
    CHECK(!is_leaf || got[0] == 10 + 10 * (1 - here) + root_rank);
    CHECK_IS(MPI_Iscatterv(send, listed, placed, MPI_INT, receive, 1, MPI_INT, root, both, &request), MPI_SUCCESS);
    finish(&request);

    int word = is_root ? 7 : 0;
    void *buffer = is_root || is_leaf ? (void *)&word : NOTHING;
    CHECK_IS(MPI_Bcast(buffer, 1, MPI_INT, root, both), MPI_SUCCESS);
    CHECK(root == MPI_PROC_NULL || word == 7);
    CHECK_IS(MPI_Ibcast(buffer, 1, MPI_INT, root, both, &request), MPI_SUCCESS);
    finish(&request);

    /* Who is significant is still looked at. */
    if (is_leaf) {
        int class;
        MPI_Error_class(MPI_Reduce(NOTHING, got, 100, MPI_INT, MPI_SUM, root, both), &class);
        CHECK_IS(class, MPI_ERR_BUFFER);
    }
    MPI_Barrier(both);
}

static void of_all(void) {
    int other = low ? 2 : 0, got[4] = {-1, -1, -1, -1}, given[4] = {10 + rank, 20 + rank, 30 + rank, 40 + rank};
    int ones[2] = {1, 1}, places[2] = {1, 0}, bytes[2] = {4, 0};
    MPI_Datatype types[2] = {MPI_INT, MPI_INT};
    CHECK_IS(MPI_Allreduce(given, got, 1, MPI_INT, MPI_SUM, both), MPI_SUCCESS);
    CHECK_IS(got[0], 20 + other + other + 1);
    CHECK_IS(MPI_Allgather(given, 1, MPI_INT, got, 1, MPI_INT, both), MPI_SUCCESS);
    CHECK(got[0] == 10 + other && got[1] == 11 + other);
    CHECK_IS(MPI_Allgatherv(given, 1, MPI_INT, got, ones, places, MPI_INT, both), MPI_SUCCESS);
    CHECK(got[1] == 10 + other && got[0] == 11 + other);
    CHECK_IS(MPI_Alltoall(given, 1, MPI_INT, got, 1, MPI_INT, both), MPI_SUCCESS);
    CHECK(got[0] == 10 + 10 * here + other && got[1] == 11 + 10 * here + other);
    CHECK_IS(MPI_Alltoallv(given, ones, places, MPI_INT, got, ones, places, MPI_INT, both), MPI_SUCCESS);
    CHECK(got[1] == 20 - 10 * here + other);
    CHECK_IS(MPI_Alltoallw(given, ones, bytes, types, got, ones, bytes, types, both), MPI_SUCCESS);
    CHECK(got[1] == 20 - 10 * here + other);
    CHECK_IS(MPI_Reduce_scatter_block(given, got, 1, MPI_INT, MPI_SUM, both), MPI_SUCCESS);
    CHECK_IS(got[0], 20 + 20 * here + other + other + 1);
    CHECK_IS(MPI_Reduce_scatter(given, got, ones, MPI_INT, MPI_SUM, both), MPI_SUCCESS);
    CHECK_IS(got[0], 20 + 20 * here + other + other + 1);
}

int main(int argc, char **argv) {
    MPI_Comm own;
    begin(&argc, &argv);
    low = rank < 2;
    MPI_Comm_split(MPI_COMM_WORLD, low, rank, &own);
    MPI_Comm_rank(own, &here);
    MPI_Intercomm_create(own, 0, MPI_COMM_WORLD, low ? 2 : 0, 0, &both);
    MPI_Comm_set_errhandler(both, MPI_ERRORS_RETURN);
    rooted(1);
    rooted(0);
    of_all();
    MPI_Comm_free(&both);
    MPI_Comm_free(&own);
    return end();
}
