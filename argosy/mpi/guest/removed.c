/* The names that MPI-2.0 deprecated or MPI-3.0 removed and old codes still call, by way of their successors. */
#include <mpi.h>
#include <stdlib.h>

#pragma weak MPI_Errhandler_create = PMPI_Errhandler_create
int PMPI_Errhandler_create(MPI_Handler_function *function, MPI_Errhandler *errhandler) {
    return PMPI_Comm_create_errhandler(function, errhandler);
}

#pragma weak MPI_Errhandler_get = PMPI_Errhandler_get
int PMPI_Errhandler_get(MPI_Comm comm, MPI_Errhandler *errhandler) {
    return PMPI_Comm_get_errhandler(comm, errhandler);
}

#pragma weak MPI_Errhandler_set = PMPI_Errhandler_set
int PMPI_Errhandler_set(MPI_Comm comm, MPI_Errhandler errhandler) {
    return PMPI_Comm_set_errhandler(comm, errhandler);
}

#pragma weak MPI_Type_extent = PMPI_Type_extent
int PMPI_Type_extent(MPI_Datatype datatype, MPI_Aint *extent) {
    MPI_Aint lower;
    return PMPI_Type_get_extent(datatype, &lower, extent);
}

#pragma weak MPI_Type_lb = PMPI_Type_lb
int PMPI_Type_lb(MPI_Datatype datatype, MPI_Aint *displacement) {
    MPI_Aint extent;
    return PMPI_Type_get_extent(datatype, displacement, &extent);
}

#pragma weak MPI_Type_ub = PMPI_Type_ub
int PMPI_Type_ub(MPI_Datatype datatype, MPI_Aint *displacement) {
    MPI_Aint extent;
    int code = PMPI_Type_get_extent(datatype, displacement, &extent);
    if (code == MPI_SUCCESS) {
        *displacement += extent;
    }
    return code;
}

#pragma weak MPI_Type_hindexed = PMPI_Type_hindexed
int PMPI_Type_hindexed(int count, int array_of_blocklengths[], MPI_Aint array_of_displacements[], MPI_Datatype oldtype,
                       MPI_Datatype *newtype) {
    return PMPI_Type_create_hindexed(count, array_of_blocklengths, array_of_displacements, oldtype, newtype);
}

#pragma weak MPI_Type_hvector = PMPI_Type_hvector
int PMPI_Type_hvector(int count, int blocklength, MPI_Aint stride, MPI_Datatype oldtype, MPI_Datatype *newtype) {
    return PMPI_Type_create_hvector(count, blocklength, stride, oldtype, newtype);
}

/* Where a new datatype begins and ends, as far as markers say: MPI_LB and MPI_UB among its parts, or those that a part
 * has of its own (MPI-1.1, section 3.12.3: the least of the first, the greatest of the second). */
struct marks {
    int lower_set, upper_set;
    MPI_Aint lower, upper;
};

static void mark_lower(struct marks *marks, MPI_Aint lower) {
    marks->lower = marks->lower_set && marks->lower < lower ? marks->lower : lower;
    marks->lower_set = 1;
}

static void mark_upper(struct marks *marks, MPI_Aint upper) {
    marks->upper = marks->upper_set && marks->upper > upper ? marks->upper : upper;
    marks->upper_set = 1;
}

/* The markers of `length` elements at `at`: a part has one where its bounds are not those of its data. */
static int part_marks(struct marks *marks, MPI_Aint at, int length, MPI_Datatype type) {
    MPI_Aint lower, extent, true_lower, true_extent;
    int code = PMPI_Type_get_extent(type, &lower, &extent);
    code = code == MPI_SUCCESS ? PMPI_Type_get_true_extent(type, &true_lower, &true_extent) : code;
    if (code != MPI_SUCCESS || length <= 0) {
        return code;
    }
    MPI_Aint past = (length - 1) * extent; /* of the last element */
    if (lower != true_lower) {
        mark_lower(marks, at + lower + (past < 0 ? past : 0));
    }
    if (lower + extent != true_lower + true_extent) {
        mark_upper(marks, at + lower + extent + (past > 0 ? past : 0));
    }
    return code;
}

/* A struct of the parts without markers, and then the bounds that the markers say. */
static int struct_with_marks(int count, const int lengths[], const MPI_Aint displacements[], const MPI_Datatype types[],
                             MPI_Datatype *newtype) {
    struct marks asked = {0}, marks = {0};
    int kept = 0, code = MPI_SUCCESS;
    int *kept_lengths = malloc((size_t)count * sizeof *kept_lengths);
    MPI_Aint *kept_displacements = malloc((size_t)count * sizeof *kept_displacements);
    MPI_Datatype *kept_types = malloc((size_t)count * sizeof *kept_types);
    if (kept_lengths == NULL || kept_displacements == NULL || kept_types == NULL) {
        code = MPI_ERR_NO_MEM;
    }
    for (int i = 0; code == MPI_SUCCESS && i < count; i++) {
        if (types[i] == MPI_LB && lengths[i] > 0) {
            mark_lower(&asked, displacements[i]);
        } else if (types[i] == MPI_UB && lengths[i] > 0) {
            mark_upper(&asked, displacements[i]);
        } else if (types[i] != MPI_LB && types[i] != MPI_UB) {
            code = part_marks(&marks, displacements[i], lengths[i], types[i]);
            kept_lengths[kept] = lengths[i];
            kept_displacements[kept] = displacements[i];
            kept_types[kept++] = types[i];
        }
    }
    MPI_Datatype plain = MPI_DATATYPE_NULL;
    MPI_Aint lower = 0, extent = 0;
    if (code == MPI_SUCCESS) {
        code = PMPI_Type_create_struct(kept, kept_lengths, kept_displacements, kept_types, &plain);
    }
    free(kept_lengths);
    free(kept_displacements);
    free(kept_types);
    if (code == MPI_SUCCESS) {
        code = PMPI_Type_get_extent(plain, &lower, &extent);
    }
    if (code == MPI_SUCCESS) {
        MPI_Aint upper = lower + extent;
        if (asked.lower_set) {
            lower = marks.lower_set && marks.lower < asked.lower ? marks.lower : asked.lower;
        }
        if (asked.upper_set) {
            upper = marks.upper_set && marks.upper > asked.upper ? marks.upper : asked.upper;
        }
        code = PMPI_Type_create_resized(plain, lower, upper - lower, newtype);
        PMPI_Type_free(&plain);
    }
    return code;
}

#pragma weak MPI_Type_struct = PMPI_Type_struct
int PMPI_Type_struct(int count, int array_of_blocklengths[], MPI_Aint array_of_displacements[],
                     MPI_Datatype array_of_types[], MPI_Datatype *newtype) {
    for (int i = 0; i < count; i++) {
        if (array_of_types[i] == MPI_LB || array_of_types[i] == MPI_UB) {
            return struct_with_marks(count, array_of_blocklengths, array_of_displacements, array_of_types, newtype);
        }
    }
    return PMPI_Type_create_struct(count, array_of_blocklengths, array_of_displacements, array_of_types, newtype);
}

#pragma weak MPI_Keyval_create = PMPI_Keyval_create
int PMPI_Keyval_create(MPI_Copy_function *copy_fn, MPI_Delete_function *delete_fn, int *keyval, void *extra_state) {
    return PMPI_Comm_create_keyval(copy_fn, delete_fn, keyval, extra_state);
}

#pragma weak MPI_Keyval_free = PMPI_Keyval_free
int PMPI_Keyval_free(int *keyval) {
    return PMPI_Comm_free_keyval(keyval);
}

#pragma weak MPI_Attr_put = PMPI_Attr_put
int PMPI_Attr_put(MPI_Comm comm, int keyval, void *attribute_val) {
    return PMPI_Comm_set_attr(comm, keyval, attribute_val);
}

#pragma weak MPI_Attr_get = PMPI_Attr_get
int PMPI_Attr_get(MPI_Comm comm, int keyval, void *attribute_val, int *flag) {
    return PMPI_Comm_get_attr(comm, keyval, attribute_val, flag);
}

#pragma weak MPI_Attr_delete = PMPI_Attr_delete
int PMPI_Attr_delete(MPI_Comm comm, int keyval) {
    return PMPI_Comm_delete_attr(comm, keyval);
}
