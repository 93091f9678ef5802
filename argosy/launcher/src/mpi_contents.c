/* What a datatype was made of.
 *
 * Invariants.
 * - What is told is what the guest gave: see mpi_types.c for the types that the node has other names for.
 * - Numbers that MPI gives are as many as it said there would be, and the guest's arrays have room for them.
 */
#include "mpi_types.h"

enum { INTEGERS, ADDRESSES, COUNTS, TYPES, KINDS };

struct contents {
    int combiner;
    int64_t have[KINDS];
    int *integers;
    MPI_Aint *addresses;
    MPI_Count *counts;
    MPI_Datatype *types;
};

static int envelope(MPI_Datatype type, struct contents *of, bool large) {
#if HAVE_MPI_Type_get_contents_c
    if (large) {
        MPI_Count have[KINDS];
        int code = MPI_Type_get_envelope_c(type, &have[INTEGERS], &have[ADDRESSES], &have[COUNTS], &have[TYPES],
                                           &of->combiner);
        for (int i = 0; i < KINDS; i++) {
            of->have[i] = have[i];
        }
        return code;
    }
#endif
    (void)large;
    int integers, addresses, types;
    int code = MPI_Type_get_envelope(type, &integers, &addresses, &types, &of->combiner);
    of->have[INTEGERS] = integers, of->have[ADDRESSES] = addresses, of->have[COUNTS] = 0, of->have[TYPES] = types;
    return code;
}

static int read_contents(MPI_Datatype type, struct contents *of, bool large) {
#if HAVE_MPI_Type_get_contents_c
    if (large) {
        return MPI_Type_get_contents_c(type, of->have[INTEGERS], of->have[ADDRESSES], of->have[COUNTS], of->have[TYPES],
                                       of->integers, of->addresses, of->counts, of->types);
    }
#endif
    (void)large;
    return MPI_Type_get_contents(type, (int)of->have[INTEGERS], (int)of->have[ADDRESSES], (int)of->have[TYPES],
                                 of->integers, of->addresses, of->types);
}

/* The constants among a constructor's integers, in the guest's numbers. Sizes are among the counts of a large one. */
static void constants_of(struct contents *of) {
    int *integers = of->integers;
    int64_t count = of->have[INTEGERS], sizes = of->have[COUNTS] > 0 ? 0 : 1;
    if (of->combiner == MPI_COMBINER_SUBARRAY && count > 0 && count == 3 * sizes * integers[0] + 2) {
        integers[count - 1] = constant_out(constants_orders, integers[count - 1]);
    } else if (of->combiner == MPI_COMBINER_DARRAY && count > 2 && count == (3 + sizes) * integers[2] + 4) {
        int64_t dimensions = integers[2];
        for (int64_t i = 0; i < dimensions; i++) {
            int *kind = &integers[3 + sizes * dimensions + i], *argument = kind + dimensions;
            *kind = constant_out(constants_distributions, *kind);
            *argument = *argument == MPI_DISTRIBUTE_DFLT_DARG ? ABI_MPI_DISTRIBUTE_DFLT_DARG : *argument;
        }
        integers[count - 1] = constant_out(constants_orders, integers[count - 1]);
    }
}

static void write_contents(const struct type_info *type, const struct contents *of, const uint32_t at[KINDS]) {
    for (int64_t i = 0; i < of->have[INTEGERS]; i++) {
        put32(at[INTEGERS] + (uint32_t)i * 4, of->integers[i]);
    }
    for (int64_t i = 0; i < of->have[ADDRESSES]; i++) {
        put32(at[ADDRESSES] + (uint32_t)i * 4, (int32_t)of->addresses[i]);
    }
    for (int64_t i = 0; i < of->have[COUNTS]; i++) {
        put64(at[COUNTS] + (uint32_t)i * 8, of->counts[i]);
    }
    for (int64_t i = 0; i < of->have[TYPES]; i++) {
        put32(at[TYPES] + (uint32_t)i * 4, (int32_t)part_out(type, i, of->types[i]));
    }
}

/* `most` is the room in the guest's arrays at `at`, by kind. */
static void contents(wasmtime_val_raw_t *v, const char *here, const int64_t most[KINDS], const uint32_t at[KINDS],
                     bool large) {
    static const uint64_t bytes[KINDS] = {4, 4, 8, 4};
    struct scratch scratch = {NULL};
    struct contents of = {0};
    const struct type_info *type = type_info_in(v[0].i32);
    const char *wrong = NULL;
    int32_t class = ABI_MPI_ERR_ARG;
    bool borrowed = false;
    MPI_Datatype shown = MPI_DATATYPE_NULL;
    if (type == NULL || envelope(type_shown(type, &borrowed, &shown), &of, large) != MPI_SUCCESS ||
        of.combiner == MPI_COMBINER_NAMED) {
        wrong = "datatype", class = ABI_MPI_ERR_TYPE;
    }
    for (int i = 0; wrong == NULL && i < KINDS; i++) {
        wrong = most[i] < of.have[i] ? "max_integers" : !room(at[i], of.have[i], bytes[i]) ? "array_of_integers" : NULL;
    }
    if (wrong == NULL) {
        of.integers = scratch_take(&scratch, (uint64_t)of.have[INTEGERS] * sizeof *of.integers);
        of.addresses = scratch_take(&scratch, (uint64_t)of.have[ADDRESSES] * sizeof *of.addresses);
        of.counts = scratch_take(&scratch, (uint64_t)of.have[COUNTS] * sizeof *of.counts);
        of.types = scratch_take(&scratch, (uint64_t)of.have[TYPES] * sizeof *of.types);
        if (of.integers == NULL || of.addresses == NULL || of.counts == NULL || of.types == NULL) {
            wrong = "datatype", class = ABI_MPI_ERR_NO_MEM;
        }
    }
    if (wrong != NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, wrong, class);
    } else {
        int code = read_contents(shown, &of, large);
        if (code == MPI_SUCCESS) {
            constants_of(&of);
            write_contents(type, &of, at);
        }
        v[0].i32 = error_out(code);
    }
    type_given_back(borrowed, &shown);
    scratch_free(&scratch);
}

IMPORT(MPI_Type_get_contents) {
    ENTER("MPI_Type_get_contents")
    const int64_t most[KINDS] = {v[1].i32, v[2].i32, 0, v[3].i32};
    const uint32_t at[KINDS] = {(uint32_t)v[4].i32, (uint32_t)v[5].i32, 0, (uint32_t)v[6].i32};
    contents(v, here, most, at, false);
    return NULL;
}

#if HAVE_MPI_Type_get_contents_c
IMPORT(MPI_Type_get_contents_c) {
    ENTER("MPI_Type_get_contents_c")
    const int64_t most[KINDS] = {v[1].i64, v[2].i64, v[3].i64, v[4].i64};
    const uint32_t at[KINDS] = {(uint32_t)v[5].i32, (uint32_t)v[6].i32, (uint32_t)v[7].i32, (uint32_t)v[8].i32};
    contents(v, here, most, at, true);
    return NULL;
}
#endif
