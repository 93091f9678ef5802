/* An Allreduce of every predefined datatype that an operation is defined on (MPI 5.0, section 6.9.2): each result is that
 * of the same arithmetic in the program, to the last bit. With an argument, rank 0 also prints all results in
 * hexadecimal, for comparing machines. */
#include "check.h"

#include <complex.h>
#include <stdbool.h>
#include <stddef.h>

enum { ELEMENTS = 5 };

static bool shown;

/* What rank `from` puts into element `i`: a value that most binary fractions round. */
static long double value(int from, int i) {
    return (from + 1) * 0.7L / (i + 3);
}

static void show(const char *name, const void *bytes, size_t count) {
    if (!shown || rank != 0) {
        return;
    }
    printf("%s ", name);
    for (size_t i = 0; i < count; i++) {
        printf("%02x", ((const unsigned char *)bytes)[i]);
    }
    printf("\n");
}

/* `give` makes element i of rank r; `combine` makes `all` of `all` and `one`. A sum over more than two ranks may be made
 * in another order, so what rounds is compared for two ranks alone. */
#define REDUCES(name, type, c_type, op, give, combine, exact)                                                          \
    do {                                                                                                               \
        c_type own[ELEMENTS], got[ELEMENTS], wanted[ELEMENTS];                                                         \
        memset(own, 0, sizeof own);                                                                                    \
        memset(got, 0, sizeof got);                                                                                    \
        memset(wanted, 0, sizeof wanted);                                                                              \
        for (int i = 0; i < ELEMENTS; i++) {                                                                           \
            int r = rank;                                                                                              \
            own[i] = give;                                                                                             \
            r = 0;                                                                                                     \
            c_type all = give;                                                                                         \
            for (r = 1; r < size; r++) {                                                                               \
                c_type one = give;                                                                                     \
                combine;                                                                                               \
            }                                                                                                          \
            wanted[i] = all;                                                                                           \
        }                                                                                                              \
        CHECK_IS(MPI_Allreduce(own, got, ELEMENTS, type, op, MPI_COMM_WORLD), MPI_SUCCESS);                            \
        if ((exact) || size == 2) {                                                                                    \
            CHECK(memcmp(got, wanted, sizeof got) == 0);                                                               \
        }                                                                                                              \
        show(name, got, sizeof got);                                                                                   \
    } while (0)

#define INTEGER(type, c_type)                                                                                          \
    REDUCES(#type, type, c_type, MPI_SUM, (c_type)(3 * r + 5 * i + 1), all = (c_type)(all + one), true)
#define FLOATING(type, c_type) REDUCES(#type, type, c_type, MPI_SUM, (c_type)value(r, i), all += one, false)
#define COMPLEX(type, c_type)                                                                                          \
    REDUCES(#type, type, c_type, MPI_SUM, (c_type)(value(r, i) + 1.0iL * value(r + 2, i)), all += one, false)

/* Pairs have padding, which no reduction defines: their members are compared one by one. */
#define PAIR(type, c_type)                                                                                             \
    do {                                                                                                               \
        struct {                                                                                                       \
            c_type value;                                                                                              \
            int place;                                                                                                 \
        } own[ELEMENTS], got[ELEMENTS];                                                                                \
        c_type values[ELEMENTS];                                                                                       \
        for (int i = 0; i < ELEMENTS; i++) {                                                                           \
            own[i].value = (c_type)((rank + i) % size * 11);                                                           \
            own[i].place = rank;                                                                                       \
        }                                                                                                              \
        CHECK_IS(MPI_Allreduce(own, got, ELEMENTS, type, MPI_MAXLOC, MPI_COMM_WORLD), MPI_SUCCESS);                    \
        for (int i = 0; i < ELEMENTS; i++) {                                                                           \
            CHECK(got[i].value == (c_type)((size - 1) * 11));                                                          \
            CHECK_IS(got[i].place, (2 * size - 1 - i % size) % size);                                                  \
            values[i] = got[i].value;                                                                                  \
        }                                                                                                              \
        show(#type, values, sizeof values);                                                                            \
    } while (0)

int main(int argc, char **argv) {
    begin(&argc, &argv);
    shown = argc > 1;
    INTEGER(MPI_SIGNED_CHAR, signed char);
    INTEGER(MPI_UNSIGNED_CHAR, unsigned char);
    INTEGER(MPI_SHORT, short);
    INTEGER(MPI_UNSIGNED_SHORT, unsigned short);
    INTEGER(MPI_INT, int);
    INTEGER(MPI_UNSIGNED, unsigned);
    INTEGER(MPI_LONG, long);
    INTEGER(MPI_UNSIGNED_LONG, unsigned long);
    INTEGER(MPI_LONG_LONG, long long);
    INTEGER(MPI_LONG_LONG_INT, long long);
    INTEGER(MPI_UNSIGNED_LONG_LONG, unsigned long long);
    INTEGER(MPI_INT8_T, int8_t);
    INTEGER(MPI_INT16_T, int16_t);
    INTEGER(MPI_INT32_T, int32_t);
    INTEGER(MPI_INT64_T, int64_t);
    INTEGER(MPI_UINT8_T, uint8_t);
    INTEGER(MPI_UINT16_T, uint16_t);
    INTEGER(MPI_UINT32_T, uint32_t);
    INTEGER(MPI_UINT64_T, uint64_t);
    INTEGER(MPI_AINT, MPI_Aint);
    INTEGER(MPI_OFFSET, MPI_Offset);
    INTEGER(MPI_COUNT, MPI_Count);
    INTEGER(MPI_INTEGER, MPI_Fint);
    FLOATING(MPI_FLOAT, float);
    FLOATING(MPI_DOUBLE, double);
    FLOATING(MPI_LONG_DOUBLE, long double);
    FLOATING(MPI_REAL, float);
    FLOATING(MPI_DOUBLE_PRECISION, double);
    COMPLEX(MPI_C_COMPLEX, float _Complex);
    COMPLEX(MPI_C_FLOAT_COMPLEX, float _Complex);
    COMPLEX(MPI_C_DOUBLE_COMPLEX, double _Complex);
    COMPLEX(MPI_C_LONG_DOUBLE_COMPLEX, long double _Complex);
    COMPLEX(MPI_COMPLEX, float _Complex);
    COMPLEX(MPI_DOUBLE_COMPLEX, double _Complex);
    REDUCES("MPI_C_BOOL", MPI_C_BOOL, bool, MPI_LXOR, (r + i) % 2 == 0, all = all != one, true);
    REDUCES("MPI_LOGICAL", MPI_LOGICAL, MPI_Fint, MPI_LAND, (r + i) % 5 != 0, all = all && one, true);
    REDUCES("MPI_BYTE", MPI_BYTE, unsigned char, MPI_BXOR, (unsigned char)(r * 41 + i), all ^= one, true);
    PAIR(MPI_FLOAT_INT, float);
    PAIR(MPI_DOUBLE_INT, double);
    PAIR(MPI_LONG_INT, long);
    PAIR(MPI_2INT, int);
    PAIR(MPI_SHORT_INT, short);
    PAIR(MPI_LONG_DOUBLE_INT, long double);
    return end();
}
