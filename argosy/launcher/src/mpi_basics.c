/* Of which predefined types of the node a datatype is made. See mpi_basics.h. */
#include "mpi_basics.h"

/* A datatype's arguments, by the functions that know large ones where there are such. */
#if HAVE_MPI_Type_get_envelope_c && HAVE_MPI_Type_get_contents_c
typedef MPI_Count number;
#else
typedef int number;
#endif

static bool envelope(MPI_Datatype type, number counts[4], int *combiner) {
#if HAVE_MPI_Type_get_envelope_c && HAVE_MPI_Type_get_contents_c
    return MPI_Type_get_envelope_c(type, &counts[0], &counts[1], &counts[2], &counts[3], combiner) == MPI_SUCCESS;
#else
    counts[2] = 0;
    return MPI_Type_get_envelope(type, &counts[0], &counts[1], &counts[3], combiner) == MPI_SUCCESS;
#endif
}

static bool contents(MPI_Datatype type, const number counts[4], struct scratch *scratch, MPI_Datatype *types) {
    int *integers = scratch_take(scratch, (uint64_t)counts[0] * sizeof *integers);
    MPI_Aint *addresses = scratch_take(scratch, (uint64_t)counts[1] * sizeof *addresses);
    MPI_Count *large = scratch_take(scratch, (uint64_t)counts[2] * sizeof *large);
    if (integers == NULL || addresses == NULL || large == NULL) {
        return false;
    }
#if HAVE_MPI_Type_get_envelope_c && HAVE_MPI_Type_get_contents_c
    return MPI_Type_get_contents_c(type, counts[0], counts[1], counts[2], counts[3], integers, addresses, large,
                                   types) == MPI_SUCCESS;
#else
    return MPI_Type_get_contents(type, counts[0], counts[1], counts[3], integers, addresses, types) == MPI_SUCCESS;
#endif
}

static bool is_named(MPI_Datatype type) {
    number counts[4];
    int combiner;
    return envelope(type, counts, &combiner) && combiner == MPI_COMBINER_NAMED;
}

/* What `contents` gave, but for the predefined ones, named and pairs. */
static void parts_free(MPI_Datatype *types, number count) {
    for (number i = 0; i < count; i++) {
        number counts[4];
        int combiner;
        if (envelope(types[i], counts, &combiner) && combiner != MPI_COMBINER_NAMED && counts[3] != 0) {
            MPI_Type_free(&types[i]);
        }
    }
}

/* The one predefined type that a datatype is made of; MPI_DATATYPE_NULL where there are several, or too deep down. */
static MPI_Datatype basic_of(MPI_Datatype type, int depth) {
    number counts[4];
    int combiner;
    if (depth == 0 || !envelope(type, counts, &combiner)) {
        return MPI_DATATYPE_NULL;
    }
    bool pair = false;
#if HAVE_MPI_Type_get_value_index
    pair = combiner == MPI_COMBINER_VALUE_INDEX;
#endif
    if (combiner == MPI_COMBINER_NAMED || pair || counts[3] == 0) {
        return type;
    }
    struct scratch scratch = {NULL};
    MPI_Datatype *types = scratch_take(&scratch, (uint64_t)counts[3] * sizeof *types), basic = MPI_DATATYPE_NULL;
    if (types != NULL && contents(type, counts, &scratch, types)) {
        for (number i = 0; i < counts[3]; i++) {
            MPI_Datatype other = i > 0 && types[i] == types[i - 1] ? basic : basic_of(types[i], depth - 1);
            basic = i == 0 || other == basic ? other : MPI_DATATYPE_NULL;
        }
        parts_free(types, counts[3]);
    }
    scratch_free(&scratch);
    return basic;
}

MPI_Datatype type_basic(MPI_Datatype type) {
    enum { DEEP = 100 };
    return basic_of(type, DEEP);
}

enum type_group type_group(MPI_Datatype basic) {
    switch (datatype_predefined_out(basic)) {
    case ABI_MPI_AINT:
    case ABI_MPI_COUNT:
    case ABI_MPI_OFFSET:
    case ABI_MPI_CHAR:
    case ABI_MPI_SIGNED_CHAR:
    case ABI_MPI_UNSIGNED_CHAR:
    case ABI_MPI_SHORT:
    case ABI_MPI_UNSIGNED_SHORT:
    case ABI_MPI_INT:
    case ABI_MPI_UNSIGNED:
    case ABI_MPI_LONG:
    case ABI_MPI_UNSIGNED_LONG:
    case ABI_MPI_LONG_LONG:
    case ABI_MPI_UNSIGNED_LONG_LONG:
    case ABI_MPI_INT8_T:
    case ABI_MPI_UINT8_T:
    case ABI_MPI_INT16_T:
    case ABI_MPI_UINT16_T:
    case ABI_MPI_INT32_T:
    case ABI_MPI_UINT32_T:
    case ABI_MPI_INT64_T:
    case ABI_MPI_UINT64_T:
    case ABI_MPI_INTEGER:
    case ABI_MPI_INTEGER1:
    case ABI_MPI_INTEGER2:
    case ABI_MPI_INTEGER4:
    case ABI_MPI_INTEGER8:
    case ABI_MPI_INTEGER16:
        return GROUP_INTEGER;
    case ABI_MPI_FLOAT:
    case ABI_MPI_DOUBLE:
    case ABI_MPI_LONG_DOUBLE:
    case ABI_MPI_REAL:
    case ABI_MPI_DOUBLE_PRECISION:
    case ABI_MPI_REAL2:
    case ABI_MPI_REAL4:
    case ABI_MPI_REAL8:
    case ABI_MPI_REAL16:
        return GROUP_REAL;
    case ABI_MPI_C_FLOAT_COMPLEX:
    case ABI_MPI_C_DOUBLE_COMPLEX:
    case ABI_MPI_C_LONG_DOUBLE_COMPLEX:
    case ABI_MPI_CXX_FLOAT_COMPLEX:
    case ABI_MPI_CXX_DOUBLE_COMPLEX:
    case ABI_MPI_CXX_LONG_DOUBLE_COMPLEX:
    case ABI_MPI_COMPLEX:
    case ABI_MPI_DOUBLE_COMPLEX:
    case ABI_MPI_COMPLEX4:
    case ABI_MPI_COMPLEX8:
    case ABI_MPI_COMPLEX16:
    case ABI_MPI_COMPLEX32:
        return GROUP_COMPLEX;
    case ABI_MPI_C_BOOL:
    case ABI_MPI_CXX_BOOL:
    case ABI_MPI_LOGICAL:
    case ABI_MPI_LOGICAL1:
    case ABI_MPI_LOGICAL2:
    case ABI_MPI_LOGICAL4:
    case ABI_MPI_LOGICAL8:
    case ABI_MPI_LOGICAL16:
        return GROUP_LOGICAL;
    case ABI_MPI_BYTE:
        return GROUP_BYTE;
    case ABI_MPI_FLOAT_INT:
    case ABI_MPI_DOUBLE_INT:
    case ABI_MPI_LONG_INT:
    case ABI_MPI_2INT:
    case ABI_MPI_SHORT_INT:
    case ABI_MPI_LONG_DOUBLE_INT:
    case ABI_MPI_2REAL:
    case ABI_MPI_2DOUBLE_PRECISION:
    case ABI_MPI_2INTEGER:
        return GROUP_PAIR;
    }
    number unused[4];
    int combiner;
    return !envelope(basic, unused, &combiner)          ? GROUP_NONE
           : combiner == MPI_COMBINER_F90_INTEGER ? GROUP_INTEGER
           : combiner == MPI_COMBINER_F90_REAL    ? GROUP_REAL
           : combiner == MPI_COMBINER_F90_COMPLEX ? GROUP_COMPLEX
                                                  : GROUP_NONE;
}

/* --- what libraries do not expect --------------------------------------------------------------------------------- */

#if HAVE_MPI_Type_get_contents_c
/* Are all its elements of one size? */
static bool alike(MPI_Datatype type) {
    MPI_Datatype basic = type_basic(type);
    return basic != MPI_DATATYPE_NULL && type_group(basic) != GROUP_PAIR;
}

static bool holds(MPI_Datatype type, enum type_trouble trouble, bool part) {
    MPI_Count integers, addresses, larges, types;
    int combiner;
    if (type == MPI_FLOAT_INT) {
        return part && trouble == COUNTED;
    }
    if (MPI_Type_get_envelope_c(type, &integers, &addresses, &larges, &types, &combiner) != MPI_SUCCESS ||
        combiner == MPI_COMBINER_NAMED) {
        return false;
    }
    MPI_Count size;
    bool empty = part && MPI_Type_size_x(type, &size) == MPI_SUCCESS && size == 0;
    if (trouble == NOT_EXTERNAL ? larges > 0 || empty
                                : (trouble == FILLED && empty) || (combiner == MPI_COMBINER_DARRAY && !alike(type))) {
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

bool type_nested(MPI_Datatype type) {
    number counts[4];
    int combiner;
    if (!envelope(type, counts, &combiner) || combiner == MPI_COMBINER_NAMED || counts[3] == 0) {
        return false;
    }
    struct scratch scratch = {NULL};
    MPI_Datatype *types = scratch_take(&scratch, (uint64_t)counts[3] * sizeof *types);
    bool known = types != NULL && contents(type, counts, &scratch, types), nested = !known;
    for (number i = 0; known && i < counts[3]; i++) {
        nested |= !is_named(types[i]);
    }
    parts_free(types, known ? counts[3] : 0);
    scratch_free(&scratch);
    return nested;
}

bool type_bounded(MPI_Datatype type) {
    number counts[4];
    int combiner;
    return envelope(type, counts, &combiner) && combiner == MPI_COMBINER_RESIZED;
}

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
