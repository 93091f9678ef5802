/* Ranks and the reach of new datatypes. See mpi_calls.h. */
#include "mpi_calls.h"

static double larger(double one, double other) {
    return one > other ? one : other;
}

bool type_grows(const struct type_info *old, double farthest, double longest, double elements) {
    double extent = fabs((double)old->extent), lower = (double)old->lower, true_lower = (double)old->true_lower;
    double reach = larger(larger(fabs(lower), fabs(lower + (double)old->extent)),
                          larger(fabs(true_lower), fabs(true_lower + (double)old->true_extent)));
    return longest >= 0 && elements >= 0 && farthest + longest * extent + reach <= TYPE_LIMIT &&
           elements * (double)old->size <= TYPE_LIMIT;
}

bool graph_fits(const struct comm_info *comm, int32_t most_degrees, int32_t most_edges) {
    int nodes, edges;
    return MPI_Graphdims_get(comm->host, &nodes, &edges) == MPI_SUCCESS && nodes <= most_degrees && edges <= most_edges;
}

bool neighbors_fit(const struct comm_info *comm, int32_t rank, int32_t most) {
    int count;
    return rank >= 0 && rank < comm->size && MPI_Graph_neighbors_count(comm->host, rank, &count) == MPI_SUCCESS &&
           count <= most;
}

bool group_ranks_in(MPI_Group group, int *ranks, int64_t count, bool members) {
    int size;
    if (MPI_Group_size(group, &size) != MPI_SUCCESS) {
        return false;
    }
    bool *taken = members ? calloc((size_t)size + 1, sizeof *taken) : NULL;
    bool fit = taken != NULL || !members;
    for (int64_t i = 0; fit && i < count; i++) {
        if (!members && ranks[i] == ABI_MPI_PROC_NULL) {
            ranks[i] = MPI_PROC_NULL;
        } else if (ranks[i] < 0 || ranks[i] >= size || (members && taken[ranks[i]])) {
            fit = false;
        } else if (members) {
            taken[ranks[i]] = true;
        }
    }
    free(taken);
    return fit;
}

/* `count` numbers, three for each range. */
bool group_ranges_in(MPI_Group group, const int *ranges, int64_t count) {
    int size;
    if (MPI_Group_size(group, &size) != MPI_SUCCESS) {
        return false;
    }
    for (int64_t i = 0; i + 2 < count; i += 3) {
        int64_t first = ranges[i], last = ranges[i + 1], stride = ranges[i + 2];
        if (first < 0 || first >= size || last < 0 || last >= size || stride == 0 || (last - first) * stride < 0) {
            return false;
        }
    }
    return true;
}

bool group_within(MPI_Group group, const struct comm_info *comm) {
    MPI_Group all = MPI_GROUP_NULL;
    int size = 0;
    bool within = false;
    if (MPI_Comm_group(comm->host, &all) == MPI_SUCCESS) {
        struct scratch scratch = {NULL};
        const int *places = group_places(&scratch, group, all, &size);
        within = places != NULL;
        for (int i = 0; within && i < size; i++) {
            within = places[i] != MPI_UNDEFINED;
        }
        scratch_free(&scratch);
        MPI_Group_free(&all);
    }
    return within;
}

bool comm_ranks_in(const struct comm_info *comm, const int *ranks, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        if (ranks[i] < 0 || ranks[i] >= comm->size) {
            return false;
        }
    }
    return true;
}
