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

#if HAVE_MPI_Type_get_contents_c
static bool holds(MPI_Datatype type, enum type_trouble trouble, bool part) {
    MPI_Count integers, addresses, larges, types;
    int combiner;
    if (type == MPI_FLOAT_INT) {
        return part && trouble == CUT_SHORT;
    }
    if (MPI_Type_get_envelope_c(type, &integers, &addresses, &larges, &types, &combiner) != MPI_SUCCESS ||
        combiner == MPI_COMBINER_NAMED) {
        return false;
    }
    MPI_Count size;
    if (trouble == NOT_EXTERNAL &&
        (larges > 0 || (part && MPI_Type_size_x(type, &size) == MPI_SUCCESS && size == 0))) {
        return true;
    }
    struct scratch scratch = {NULL};
    int *numbers = scratch_take(&scratch, (uint64_t)integers * sizeof *numbers);
    MPI_Aint *places = scratch_take(&scratch, (uint64_t)addresses * sizeof *places);
    MPI_Count *counts = scratch_take(&scratch, (uint64_t)larges * sizeof *counts);
    MPI_Datatype *parts = scratch_take(&scratch, (uint64_t)types * sizeof *parts);
    bool found = numbers == NULL || places == NULL || counts == NULL || parts == NULL;
    if (!found && MPI_Type_get_contents_c(type, integers, addresses, larges, types, numbers, places, counts, parts) ==
                      MPI_SUCCESS) {
        for (int i = 1; trouble == NOT_EXTERNAL && combiner == MPI_COMBINER_STRUCT && i <= numbers[0]; i++) {
            found = found || numbers[i] == 0;
        }
        for (MPI_Count i = 0; i < types; i++) {
            found = found || holds(parts[i], trouble, true);
            if (MPI_Type_get_envelope_c(parts[i], &integers, &addresses, &larges, &(MPI_Count){0}, &combiner) ==
                    MPI_SUCCESS &&
                combiner != MPI_COMBINER_NAMED) {
                MPI_Type_free(&parts[i]);
            }
        }
    }
    scratch_free(&scratch);
    return found;
}

bool type_holds(MPI_Datatype type, enum type_trouble trouble) {
    return holds(type, trouble, false);
}
#else
bool type_holds(MPI_Datatype type, enum type_trouble trouble) { /* libraries that are not known for these */
    (void)type, (void)trouble;
    return false;
}
#endif

bool type_of_fortran(MPI_Datatype type) {
    int combiner;
#if HAVE_MPI_Type_get_envelope_c /* the other one is an error for a type of large counts */
    MPI_Count integers, addresses, larges, types;
    int code = MPI_Type_get_envelope_c(type, &integers, &addresses, &larges, &types, &combiner);
#else
    int integers, addresses, types;
    int code = MPI_Type_get_envelope(type, &integers, &addresses, &types, &combiner);
#endif
    return code == MPI_SUCCESS &&
           (combiner == MPI_COMBINER_F90_REAL || combiner == MPI_COMBINER_F90_COMPLEX ||
            combiner == MPI_COMBINER_F90_INTEGER);
}

MPI_Info split_info(int split_type, MPI_Info info) {
    static const char *const keys[] = {"mpi_hw_resource_type", "mpi_pset_name"};
    MPI_Info made = MPI_INFO_NULL;
    if (split_type == MPI_COMM_TYPE_SHARED || info == MPI_INFO_NULL) {
        return info;
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char value[MPI_MAX_INFO_VAL + 1];
        int found = 0;
        if (MPI_Info_get(info, keys[i], MPI_MAX_INFO_VAL, value, &found) == MPI_SUCCESS && found &&
            (made != MPI_INFO_NULL || MPI_Info_create(&made) == MPI_SUCCESS)) {
            MPI_Info_set(made, keys[i], value);
        }
    }
    return made;
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

bool group_ranks_in(MPI_Group group, int *ranks, int64_t count, bool null) {
    int size;
    if (MPI_Group_size(group, &size) != MPI_SUCCESS) {
        return false;
    }
    for (int64_t i = 0; i < count; i++) {
        if (null && ranks[i] == ABI_MPI_PROC_NULL) {
            ranks[i] = MPI_PROC_NULL;
        } else if (ranks[i] < 0 || ranks[i] >= size) {
            return false;
        }
    }
    return true;
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

bool comm_ranks_in(const struct comm_info *comm, const int *ranks, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        if (ranks[i] < 0 || ranks[i] >= comm->size) {
            return false;
        }
    }
    return true;
}
