/* The guest's long double: an IEEE quad of 16 bytes, on every node.
 *
 * Invariants.
 * - The node's own long double is another format on most nodes, and libraries copy that one by its ten bytes of value.
 *   So the guest's types of it are made of the node's type of two doubles, which travels bit by bit and counts as one
 *   number; nothing ever computes with it as such.
 * - Reductions use operations of ours, which give the same bits on every node. Where MPI takes no user's operation (the
 *   accumulating one-sided calls) predefined ones are refused.
 * - Operands may lie anywhere: they are read and written byte by byte.
 */
#include <float.h>

#include "mpi_types.h"

enum { QUAD = 16, PAIR_BYTES = 20, PAIR = 32 };

static struct type_info *predefined(uint32_t handle) {
    return &type_predefined[handle - 0x200];
}

void quads_begin(void) {
    struct type_info *real = predefined(ABI_MPI_LONG_DOUBLE), *two = predefined(ABI_MPI_C_LONG_DOUBLE_COMPLEX);
    struct type_info *two_cxx = predefined(ABI_MPI_CXX_LONG_DOUBLE_COMPLEX);
    struct type_info *pair = predefined(ABI_MPI_LONG_DOUBLE_INT);
    MPI_Datatype bare;
    if (real->host != MPI_DATATYPE_NULL || MPI_Type_dup(MPI_C_DOUBLE_COMPLEX, &real->host) != MPI_SUCCESS) {
        return;
    }
    real->quads = two->quads = two_cxx->quads = QUADS_ALONE;
    pair->quads = QUADS_AMONG_OTHERS;
    MPI_Type_contiguous(2, real->host, &two->host);
    MPI_Type_commit(&two->host);
    two_cxx->host = two->host;
    MPI_Type_create_struct(2, (int[]){1, 1}, (MPI_Aint[]){0, QUAD}, (MPI_Datatype[]){real->host, MPI_INT}, &bare);
    MPI_Type_create_resized(bare, 0, PAIR, &pair->host);
    MPI_Type_commit(&pair->host);
    MPI_Type_free(&bare);
}

/* --- operations --------------------------------------------------------------------------------------------------- */

#if LDBL_MANT_DIG == 113
typedef long double quad;
#define QUADS_COMPUTE 1
#elif defined __SIZEOF_FLOAT128__
typedef __float128 quad;
#define QUADS_COMPUTE 1
#endif

#ifdef QUADS_COMPUTE
static quad get(const uint8_t *from) {
    quad value;
    memcpy(&value, from, sizeof value);
    return value;
}

static void put(uint8_t *to, quad value) {
    memcpy(to, &value, sizeof value);
}

/* MPI's order: a is of the lower rank, and the result takes b's place. */
#define ON_REALS(name, result)                                                                                         \
    static void real_##name(void *in, void *inout, int *count, MPI_Datatype *type) {                                   \
        (void)type;                                                                                                    \
        uint8_t *from = in, *to = inout;                                                                               \
        for (int64_t i = 0; i < *count; i++, from += QUAD, to += QUAD) {                                               \
            quad a = get(from), b = get(to);                                                                           \
            put(to, result);                                                                                           \
        }                                                                                                              \
    }
ON_REALS(sum, a + b)
ON_REALS(product, a *b)
ON_REALS(greatest, a > b ? a : b)
ON_REALS(least, a < b ? a : b)
ON_REALS(and, (quad)(a != 0 && b != 0))
ON_REALS(or, (quad)(a != 0 || b != 0))
ON_REALS(either, (quad)((a != 0) != (b != 0)))

#define ON_COMPLEX(name, real, imaginary)                                                                              \
    static void complex_##name(void *in, void *inout, int *count, MPI_Datatype *type) {                                \
        (void)type;                                                                                                    \
        uint8_t *from = in, *to = inout;                                                                               \
        for (int64_t i = 0; i < *count; i++, from += 2 * QUAD, to += 2 * QUAD) {                                       \
            quad a = get(from), ai = get(from + QUAD), b = get(to), bi = get(to + QUAD);                               \
            put(to, real);                                                                                             \
            put(to + QUAD, imaginary);                                                                                 \
        }                                                                                                              \
    }
ON_COMPLEX(sum, a + b, ai + bi)
ON_COMPLEX(product, a *b - ai * bi, a *bi + ai * b)

/* The value that is `better`, and where it is; of equal ones the lowest place. */
#define ON_PAIRS(name, better)                                                                                         \
    static void pair_##name(void *in, void *inout, int *count, MPI_Datatype *type) {                                   \
        (void)type;                                                                                                    \
        uint8_t *from = in, *to = inout;                                                                               \
        for (int64_t i = 0; i < *count; i++, from += PAIR, to += PAIR) {                                               \
            quad a = get(from), b = get(to);                                                                           \
            int32_t a_place, b_place;                                                                                  \
            memcpy(&a_place, from + QUAD, sizeof a_place);                                                             \
            memcpy(&b_place, to + QUAD, sizeof b_place);                                                               \
            if (better || (a == b && a_place < b_place)) {                                                             \
                memcpy(to, from, PAIR_BYTES);                                                                          \
            }                                                                                                          \
        }                                                                                                              \
    }
ON_PAIRS(greatest, a > b)
ON_PAIRS(least, a < b)

static struct quad_operation {
    uint32_t type;
    int32_t operation;
    MPI_User_function *function;
    bool made;
    MPI_Op host;
} operations[] = {
    {.type = ABI_MPI_LONG_DOUBLE, .operation = ABI_MPI_SUM, .function = real_sum},
    {.type = ABI_MPI_LONG_DOUBLE, .operation = ABI_MPI_PROD, .function = real_product},
    {.type = ABI_MPI_LONG_DOUBLE, .operation = ABI_MPI_MAX, .function = real_greatest},
    {.type = ABI_MPI_LONG_DOUBLE, .operation = ABI_MPI_MIN, .function = real_least},
    {.type = ABI_MPI_LONG_DOUBLE, .operation = ABI_MPI_LAND, .function = real_and},
    {.type = ABI_MPI_LONG_DOUBLE, .operation = ABI_MPI_LOR, .function = real_or},
    {.type = ABI_MPI_LONG_DOUBLE, .operation = ABI_MPI_LXOR, .function = real_either},
    {.type = ABI_MPI_C_LONG_DOUBLE_COMPLEX, .operation = ABI_MPI_SUM, .function = complex_sum},
    {.type = ABI_MPI_C_LONG_DOUBLE_COMPLEX, .operation = ABI_MPI_PROD, .function = complex_product},
    {.type = ABI_MPI_LONG_DOUBLE_INT, .operation = ABI_MPI_MAXLOC, .function = pair_greatest},
    {.type = ABI_MPI_LONG_DOUBLE_INT, .operation = ABI_MPI_MINLOC, .function = pair_least},
};

static void operations_end(void) {
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        if (operations[i].made) {
            MPI_Op_free(&operations[i].host);
            operations[i].made = false;
        }
    }
}

bool quad_operation(int32_t operation, const struct type_info *type, MPI_Op *host) {
    uint32_t handle = type_predefined_handle(type);
    handle = handle == ABI_MPI_CXX_LONG_DOUBLE_COMPLEX ? ABI_MPI_C_LONG_DOUBLE_COMPLEX : handle;
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        struct quad_operation *one = &operations[i];
        if (one->type == handle && one->operation == operation) {
            one->made = one->made || MPI_Op_create(one->function, 1, &one->host) == MPI_SUCCESS;
            *host = one->host;
            return one->made;
        }
    }
    return false;
}
#else /* a compiler that knows no quads: each reduction of them is refused */
static void operations_end(void) {}

bool quad_operation(int32_t operation, const struct type_info *type, MPI_Op *host) {
    (void)operation, (void)type, (void)host;
    return false;
}
#endif

void quads_end(void) {
    static const uint32_t own[] = {ABI_MPI_LONG_DOUBLE, ABI_MPI_C_LONG_DOUBLE_COMPLEX, ABI_MPI_LONG_DOUBLE_INT};
    operations_end();
    for (int i = 0; i < 3; i++) {
        struct type_info *info = predefined(own[i]);
        info->measured = false;
        if (info->host != MPI_DATATYPE_NULL) {
            MPI_Type_free(&info->host);
        }
    }
    predefined(ABI_MPI_CXX_LONG_DOUBLE_COMPLEX)->host = MPI_DATATYPE_NULL;
}

/* --- elements and external32 --------------------------------------------------------------------------------------- */

static int64_t quads_in(const struct type_info *type) {
    uint32_t handle = type_predefined_handle(type);
    return handle == ABI_MPI_C_LONG_DOUBLE_COMPLEX || handle == ABI_MPI_CXX_LONG_DOUBLE_COMPLEX ? 2 : 1;
}

int64_t elements_out(const struct type_info *type, int64_t count) {
    return count < 0 ? count : count / quads_in(type);
}

int64_t elements_in(const struct type_info *type, int64_t count) {
    int64_t all;
    return __builtin_mul_overflow(count, quads_in(type), &all) ? -1 : all;
}

static void turn(uint8_t *quads, int64_t bytes) {
    for (int64_t at = 0; at + QUAD <= bytes; at += QUAD) {
        uint64_t halves[2];
        memcpy(halves, quads + at, sizeof halves);
        memcpy(quads + at, &halves[1], sizeof *halves);
        memcpy(quads + at + sizeof *halves, &halves[0], sizeof *halves);
    }
}

void quads_packed(void *packed, int64_t end, int64_t count, const struct type_info *type) {
    if (type->quads == QUADS_ALONE) {
        int64_t bytes = count * type->size;
        turn((uint8_t *)packed + (end - bytes), bytes);
    }
}

void *quads_to_unpack(struct scratch *scratch, void *packed, int64_t start, int64_t count, const struct type_info *type) {
    if (type->quads == NO_QUADS) {
        return packed;
    }
    int64_t end = start + count * type->size;
    uint8_t *copy = scratch_take(scratch, (uint64_t)end);
    if (copy != NULL) {
        memcpy(copy, packed, (size_t)end);
        turn(copy + start, end - start);
    }
    return copy;
}
