/* Datatypes have the guest's sizes, on whatever node; pairs and derived ones as well. */
#include "check.h"

#include <stddef.h>

/* Elements after the last one must stay as they are: a type that is larger on the node would write there. */
#define REDUCES(c_type, type)                                                                                          \
    do {                                                                                                               \
        c_type given[4] = {(c_type)(rank + 1), 2, 3, 77}, got[4] = {0, 0, 0, 99};                                      \
        MPI_Allreduce(given, got, 3, type, MPI_SUM, MPI_COMM_WORLD);                                                   \
        CHECK(got[0] == (c_type)(size * (size + 1) / 2) && got[1] == (c_type)(2 * size) && got[3] == 99);              \
        int bytes = -1;                                                                                                \
        MPI_Type_size(type, &bytes);                                                                                   \
        CHECK_IS(bytes, sizeof(c_type));                                                                               \
        MPI_Aint lower = -1, extent = -1;                                                                              \
        MPI_Type_get_extent(type, &lower, &extent);                                                                    \
        CHECK(lower == 0 && extent == sizeof(c_type));                                                                 \
    } while (0)

/* The greatest value and whose it is. */
#define LOCATES(c_type, type)                                                                                          \
    do {                                                                                                               \
        struct {                                                                                                       \
            c_type value;                                                                                              \
            int where;                                                                                                 \
        } given[3] = {{(c_type)rank, rank}, {(c_type)-rank, 100 + rank}, {0, 0}}, got[3] = {{9, 9}, {9, 9}, {55, 66}}; \
        MPI_Allreduce(given, got, 2, type, MPI_MAXLOC, MPI_COMM_WORLD);                                                \
        CHECK(got[0].value == (c_type)(size - 1) && got[0].where == size - 1);                                         \
        CHECK(got[1].value == 0 && got[1].where == 100);                                                               \
        CHECK(got[2].value == 55 && got[2].where == 66);                                                               \
        MPI_Allreduce(given, got, 2, type, MPI_MINLOC, MPI_COMM_WORLD);                                                \
        CHECK(got[0].value == 0 && got[0].where == 0);                                                                 \
        CHECK(got[1].value == (c_type) - (size - 1) && got[1].where == 100 + size - 1);                                \
    } while (0)

static void derived(void) {
    double matrix[6][4], column[6];
    for (int i = 0; i < 24; i++) {
        matrix[i / 4][i % 4] = i;
    }
    int other = (rank + 1) % size, back = (rank + size - 1) % size;
    MPI_Datatype columns, part, wide;
    MPI_Type_vector(6, 1, 4, MPI_DOUBLE, &columns);
    MPI_Type_commit(&columns);
    MPI_Sendrecv(&matrix[0][2], 1, columns, other, 0, column, 6, MPI_DOUBLE, back, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    for (int i = 0; i < 6; i++) {
        CHECK(column[i] == 4 * i + 2);
    }
    MPI_Type_create_subarray(2, (int[]){6, 4}, (int[]){2, 2}, (int[]){1, 1}, MPI_ORDER_C, MPI_DOUBLE, &part);
    MPI_Type_commit(&part);
    MPI_Sendrecv(matrix, 1, part, other, 0, column, 4, MPI_DOUBLE, back, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    CHECK(column[0] == 5 && column[1] == 6 && column[2] == 9 && column[3] == 10);
    MPI_Type_create_resized(MPI_INT, -4, 12, &wide);
    MPI_Aint lower, extent;
    MPI_Type_get_extent(wide, &lower, &extent);
    CHECK(lower == -4 && extent == 12);
    MPI_Type_get_true_extent(wide, &lower, &extent);
    CHECK(lower == 0 && extent == 4);
    int combiner, integers, addresses, types;
    MPI_Type_get_envelope(columns, &integers, &addresses, &types, &combiner);
    CHECK(integers == 3 && addresses == 0 && types == 1 && combiner == MPI_COMBINER_VECTOR);
    MPI_Type_free(&columns);
    MPI_Type_free(&part);
    MPI_Type_free(&wide);
    struct record {
        char letter;
        double value;
        int numbers[3];
    } records[2] = {{'a', 1.5, {1, 2, 3}}, {'b', 2.5, {4, 5, 6}}}, taken[2];
    MPI_Datatype bare, whole;
    MPI_Aint places[3] = {offsetof(struct record, letter), offsetof(struct record, value), offsetof(struct record, numbers)};
    MPI_Type_create_struct(3, (int[]){1, 1, 3}, places, (MPI_Datatype[]){MPI_CHAR, MPI_DOUBLE, MPI_INT}, &bare);
    MPI_Type_create_resized(bare, 0, sizeof(struct record), &whole);
    MPI_Type_commit(&whole);
    MPI_Status status;
    MPI_Sendrecv(records, 2, whole, other, 1, taken, 2, whole, back, 1, MPI_COMM_WORLD, &status);
    CHECK(taken[1].letter == 'b' && taken[1].value == 2.5 && taken[1].numbers[2] == 6);
    int count;
    MPI_Get_elements(&status, whole, &count);
    CHECK_IS(count, 10);
    MPI_Type_free(&bare);
    MPI_Type_free(&whole);
}

static void packed(void) {
    char buffer[256];
    int position = 0, number = 42, room = -1;
    double value = 2.5;
    MPI_Pack_size(1, MPI_DOUBLE, MPI_COMM_WORLD, &room);
    CHECK(room >= 8 && room <= 64);
    MPI_Pack(&number, 1, MPI_INT, buffer, sizeof buffer, &position, MPI_COMM_WORLD);
    MPI_Pack(&value, 1, MPI_DOUBLE, buffer, sizeof buffer, &position, MPI_COMM_WORLD);
    int length = position;
    number = 0, value = 0, position = 0;
    MPI_Unpack(buffer, length, &position, &number, 1, MPI_INT, MPI_COMM_WORLD);
    MPI_Unpack(buffer, length, &position, &value, 1, MPI_DOUBLE, MPI_COMM_WORLD);
    CHECK(number == 42 && value == 2.5 && position == length);
    MPI_Aint far = 0;
    MPI_Datatype nothing;
    MPI_Type_create_hindexed(0, NULL, NULL, MPI_INT, &nothing);
    CHECK_IS(MPI_Pack_external_size("external32", 5, nothing, &far), MPI_SUCCESS);
    CHECK_IS(far, 0);
    MPI_Type_commit(&nothing);
    position = 4;
    MPI_Unpack(buffer, length, &position, &number, 3, nothing, MPI_COMM_WORLD);
    CHECK_IS(position, 4);
    MPI_Type_free(&nothing);
    MPI_Type_create_struct(2, (int[]){1, 1}, (MPI_Aint[]){0, 4}, (MPI_Datatype[]){MPI_DOUBLE, MPI_INT}, &nothing);
    MPI_Type_commit(&nothing);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Datatype uncommitted;
    MPI_Type_indexed(2, (int[]){1, 1}, (int[]){0, 8}, MPI_DOUBLE, &uncommitted);
    CHECK_IS(MPI_Pack_external_size("external32", 16, uncommitted, &far), MPI_SUCCESS);
    CHECK_IS(far, 256);
    CHECK(MPI_Pack_size(16, uncommitted, MPI_COMM_WORLD, &room) == MPI_ERR_TYPE);
    MPI_Type_free(&uncommitted);
    far = -1; /* MPICH knows no external form of two sorts of numbers, and would end the process */
    CHECK(MPI_Pack_external_size("external32", 1, nothing, &far) == MPI_ERR_TYPE || far == 12);
    far = 0;
    MPI_Pack_external("external32", buffer + 128, 1, nothing, buffer, 128, &far);
    far = 0;
    MPI_Unpack_external("external32", buffer, 128, &far, buffer + 128, 1, nothing);
    MPI_Pack_external_size("external32", 1, MPI_DOUBLE_INT, &far);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL);
    MPI_Type_free(&nothing);
    far = 0;
    MPI_Pack_external("external32", &number, 1, MPI_INT, buffer, sizeof buffer, &far);
    CHECK_IS(far, 4);
    CHECK(buffer[0] == 0 && buffer[3] == 42);
}

/* Elements of several sizes are counted where a library can; where it would end the process, that is refused. */
static void counted(void) {
    MPI_Datatype mixed, dealt, with_empty, beside_empty, empty, none;
    MPI_Status status;
    int count = -1;
    memset(&status, 0, sizeof status);
    MPI_Type_create_struct(2, (int[]){1, 1}, (MPI_Aint[]){0, 8}, (MPI_Datatype[]){MPI_INT, MPI_DOUBLE}, &mixed);
    MPI_Type_create_darray(1, 0, 1, (int[]){4}, (int[]){MPI_DISTRIBUTE_BLOCK}, (int[]){MPI_DISTRIBUTE_DFLT_DARG},
                           (int[]){1}, MPI_ORDER_C, mixed, &dealt);
    MPI_Type_contiguous(0, MPI_INT, &empty);
    MPI_Type_create_struct(3, (int[]){1, 1, 1}, (MPI_Aint[]){0, 4, 8}, (MPI_Datatype[]){empty, MPI_INT, MPI_DOUBLE},
                           &with_empty);
    MPI_Type_create_struct(2, (int[]){1, 2}, (MPI_Aint[]){0, 4}, (MPI_Datatype[]){empty, MPI_INT}, &beside_empty);
    MPI_Type_commit(&beside_empty);
    MPI_Type_commit(&dealt);
    MPI_Type_commit(&with_empty);
    MPI_Type_commit(&mixed);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Status_set_elements(&status, MPI_BYTE, 16);
    CHECK_IS(MPI_Get_elements(&status, mixed, &count), MPI_SUCCESS);
    CHECK_IS(count, 3);
    MPI_Status_set_elements(&status, dealt, 7);
    CHECK(class_of(MPI_Type_create_darray(1, 0, 1, (int[]){4}, (int[]){MPI_DISTRIBUTE_CYCLIC}, (int[]){0}, (int[]){1},
                                          MPI_ORDER_C, MPI_INT, &none)) == MPI_ERR_ARG);
    MPI_Status_set_elements(&status, with_empty, 7);
    MPI_Status_set_elements(&status, beside_empty, 7);
    MPI_Type_commit(&empty);
    CHECK_IS(MPI_Status_set_elements(&status, empty, 7), MPI_SUCCESS);
    CHECK_IS(MPI_Get_count(&status, MPI_BYTE, &count), MPI_SUCCESS);
    CHECK_IS(count, 0);
    MPI_Status_set_elements(&status, MPI_BYTE, 28);
    MPI_Get_elements(&status, dealt, &count);
    MPI_Get_elements(&status, with_empty, &count);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL);
    MPI_Type_free(&dealt);
    MPI_Type_create_darray(1, 0, 1, (int[]){4}, (int[]){MPI_DISTRIBUTE_BLOCK}, (int[]){MPI_DISTRIBUTE_DFLT_DARG},
                           (int[]){1}, MPI_ORDER_C, MPI_INT, &dealt);
    MPI_Type_commit(&dealt);
    CHECK_IS(MPI_Status_set_elements(&status, MPI_INT, 6), MPI_SUCCESS);
    MPI_Get_elements(&status, dealt, &count);
    CHECK_IS(count, 6);
    MPI_Type_free(&dealt);
    MPI_Type_free(&empty);
    MPI_Type_free(&mixed);
    MPI_Type_free(&with_empty);
    MPI_Type_free(&beside_empty);
}

/* What a datatype was made of is told in the names that were given, though the node knows MPI_LONG by another. */
static void contents(void) {
    MPI_Datatype made, again, got[2], both[2] = {MPI_LONG, MPI_INT};
    int lengths[2] = {1, 2}, integers[8];
    MPI_Aint displs[2] = {0, 8}, addresses[8];
    char name[MPI_MAX_OBJECT_NAME];
    int length;
    MPI_Type_contiguous(3, MPI_LONG, &made);
    MPI_Type_get_contents(made, 1, 0, 1, integers, addresses, got);
    CHECK(got[0] == MPI_LONG && integers[0] == 3);
    MPI_Datatype inner; /* never committed, and yet it may be used when it comes back */
    MPI_Type_contiguous(2, MPI_INT, &inner);
    MPI_Type_create_resized(inner, 0, 0, &again);
    MPI_Type_get_contents(again, 0, 2, 1, integers, addresses, got);
    MPI_Aint bytes = -1;
    CHECK_IS(MPI_Pack_external_size("external32", 3, got[0], &bytes), MPI_SUCCESS);
    CHECK_IS(bytes, 24);
    MPI_Type_free(&inner);
    MPI_Type_free(&again);
    MPI_Type_free(&got[0]);
    MPI_Type_dup(MPI_AINT, &again);
    MPI_Type_get_contents(again, 0, 0, 1, integers, addresses, got);
    CHECK(got[0] == MPI_AINT);
    MPI_Type_free(&again);
    MPI_Type_free(&made);
    MPI_Type_create_struct(2, lengths, displs, both, &made);
    both[0] = MPI_CHAR; /* the guest's array is its own again */
    MPI_Type_get_contents(made, 3, 2, 2, integers, addresses, got);
    CHECK(got[0] == MPI_LONG && got[1] == MPI_INT && addresses[1] == 8 && integers[2] == 2);
    MPI_Type_free(&made);
    MPI_Type_get_name(MPI_LONG, name, &length);
    CHECK(strcmp(name, "MPI_LONG") == 0 && length == 8);
    MPI_Type_get_name(MPI_INT, name, &length);
    CHECK(strcmp(name, "MPI_INT") == 0 && length == 7);
}

/* The bounds of a struct that old codes give by markers among its parts (MPI-1.1, section 3.12.3). */
static void markers(void) {
    MPI_Datatype one, two, types[4] = {MPI_LB, MPI_DOUBLE, MPI_INT, MPI_UB};
    MPI_Aint displs[4] = {-4, 0, 8, 24}, lower, extent;
    int lengths[4] = {1, 1, 1, 1}, bytes;
    MPI_Type_struct(4, lengths, displs, types, &one);
    MPI_Type_get_extent(one, &lower, &extent);
    MPI_Type_size(one, &bytes);
    CHECK(lower == -4 && extent == 28 && bytes == 12);
    MPI_Type_struct(2, &lengths[2], &displs[2], &types[2], &two);
    MPI_Type_get_extent(two, &lower, &extent);
    CHECK(lower == 8 && extent == 16);
    MPI_Type_free(&two);
    /* A part's own marker counts with the one that is given: the greatest upper, the least lower. */
    MPI_Datatype parts[3] = {one, MPI_UB, MPI_LB};
    MPI_Aint at[3] = {100, 10, 50};
    MPI_Type_struct(3, lengths, at, parts, &two);
    MPI_Type_get_extent(two, &lower, &extent);
    CHECK(lower == 50 && lower + extent == 124);
    MPI_Type_free(&two);
    MPI_Type_struct(2, &lengths[2], (MPI_Aint[]){2, 7}, (MPI_Datatype[]){MPI_LB, MPI_UB}, &two);
    MPI_Type_get_extent(two, &lower, &extent);
    CHECK(lower == 2 && extent == 5);
    MPI_Type_free(&two);
    double given[2] = {rank, rank + 0.5};
    MPI_Type_struct(2, lengths, (MPI_Aint[]){0, 16}, (MPI_Datatype[]){MPI_DOUBLE, MPI_UB}, &two);
    MPI_Type_commit(&two);
    struct {
        double value, hole;
    } got[2] = {{0, -1}, {0, -1}};
    MPI_Sendrecv(given, 2, MPI_DOUBLE, rank, 0, got, 2, two, rank, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    CHECK(got[0].value == rank && got[1].value == rank + 0.5 && got[0].hole == -1 && got[1].hole == -1);
    MPI_Type_free(&two);
    MPI_Type_free(&one);
}

int main(int argc, char **argv) {
    begin(&argc, &argv);
    REDUCES(long, MPI_LONG);
    REDUCES(unsigned long, MPI_UNSIGNED_LONG);
    REDUCES(MPI_Aint, MPI_AINT);
    REDUCES(MPI_Offset, MPI_OFFSET);
    REDUCES(MPI_Count, MPI_COUNT);
    REDUCES(long long, MPI_LONG_LONG);
    REDUCES(short, MPI_SHORT);
    REDUCES(unsigned char, MPI_UNSIGNED_CHAR);
    REDUCES(uint64_t, MPI_UINT64_T);
    REDUCES(float, MPI_FLOAT);
    REDUCES(double, MPI_DOUBLE);
    REDUCES(int, MPI_INTEGER);
    REDUCES(double, MPI_DOUBLE_PRECISION);
    LOCATES(double, MPI_DOUBLE_INT);
    LOCATES(float, MPI_FLOAT_INT);
    LOCATES(long, MPI_LONG_INT);
    LOCATES(int, MPI_2INT);
    LOCATES(short, MPI_SHORT_INT);
    derived();
    packed();
    counted();
    contents();
    markers();
    long double quad = 1.0L / 3.0L, other = 0;
    MPI_Sendrecv(&quad, 1, MPI_LONG_DOUBLE, (rank + 1) % size, 0, &other, 1, MPI_LONG_DOUBLE, (rank + size - 1) % size, 0,
                 MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    CHECK(memcmp(&quad, &other, sizeof quad) == 0);
    return end();
}
