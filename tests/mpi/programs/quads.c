/* The guest's long double is an IEEE quad of 16 bytes on every node: it travels whole and is reduced to the last bit. */
#include "check.h"

#include <complex.h>
#include <stddef.h>

typedef struct {
    long double value;
    int place;
} pair;

#define THIRD (1.0L / 3.0L)

static void travels(void) {
    long double given[6], got[6] = {0};
    for (int i = 0; i < 6; i++) {
        given[i] = (rank + 1) * THIRD / (i + 1);
    }
    int other = (rank + 1) % size, back = (rank + size - 1) % size, count;
    MPI_Datatype every, dup;
    MPI_Type_vector(3, 1, 2, MPI_LONG_DOUBLE, &every);
    MPI_Type_dup(every, &dup);
    MPI_Type_commit(&dup);
    MPI_Status status;
    MPI_Sendrecv(given, 1, dup, other, 0, got, 1, dup, back, 0, MPI_COMM_WORLD, &status);
    MPI_Get_elements(&status, dup, &count);
    CHECK_IS(count, 3);
    for (int i = 0; i < 6; i++) {
        CHECK(got[i] == (i % 2 == 0 ? (back + 1) * THIRD / (i + 1) : 0));
    }
    MPI_Type_free(&every);
    MPI_Type_free(&dup);
    long double _Complex number = THIRD + rank * 2.0iL, arrived = 0;
    MPI_Sendrecv(&number, 1, MPI_C_LONG_DOUBLE_COMPLEX, other, 0, &arrived, 1, MPI_C_LONG_DOUBLE_COMPLEX, back, 0,
                 MPI_COMM_WORLD, &status);
    CHECK(creall(arrived) == THIRD && cimagl(arrived) == 2 * back);
    MPI_Get_elements(&status, MPI_C_LONG_DOUBLE_COMPLEX, &count);
    CHECK_IS(count, 1);
    MPI_Get_count(&status, MPI_C_LONG_DOUBLE_COMPLEX, &count);
    CHECK_IS(count, 1);
}

static void reduces(void) {
    /* What only 113 bits of mantissa hold. */
    long double small = 0x1p-110L, given[2] = {1 + (rank + 1) * small, rank - 1.5L}, got[3] = {0, 0, 7};
    MPI_Allreduce(given, got, 2, MPI_LONG_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    CHECK(got[0] == size + size * (size + 1) / 2 * small && got[1] == size * (size - 1) / 2 - 1.5L * size && got[2] == 7);
    MPI_Allreduce(given, got, 2, MPI_LONG_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    CHECK(got[0] == 1 + size * small && got[1] == size - 2.5L);
    MPI_Allreduce(given, got, 2, MPI_LONG_DOUBLE, MPI_MIN, MPI_COMM_WORLD);
    CHECK(got[0] == 1 + small && got[1] == -1.5L);
    got[0] = THIRD;
    MPI_Allreduce(MPI_IN_PLACE, got, 1, MPI_LONG_DOUBLE, MPI_PROD, MPI_COMM_WORLD);
    long double power = 1;
    for (int i = 0; i < size; i++) {
        power *= THIRD;
    }
    CHECK(got[0] - power < 0x1p-115L && power - got[0] < 0x1p-115L);
    MPI_Scan(given, got, 1, MPI_LONG_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    CHECK(got[0] == rank + 1 + (rank + 1) * (rank + 2) / 2 * small);
    MPI_Request request;
    MPI_Iallreduce(given, got, 1, MPI_LONG_DOUBLE, MPI_SUM, MPI_COMM_WORLD, &request);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    CHECK(got[0] == size + size * (size + 1) / 2 * small);

    long double _Complex factor = rank % 2 == 0 ? 2 + 1.0iL : 1 - small * 1.0iL, all = 0;
    MPI_Allreduce(&factor, &all, 1, MPI_C_LONG_DOUBLE_COMPLEX, MPI_SUM, MPI_COMM_WORLD);
    CHECK(creall(all) == (size + 1) / 2 * 2 + size / 2 && cimagl(all) == (size + 1) / 2 - size / 2 * small);
    factor = 1.0iL;
    MPI_Allreduce(&factor, &all, 1, MPI_CXX_LONG_DOUBLE_COMPLEX, MPI_PROD, MPI_COMM_WORLD);
    CHECK(creall(all) == (size % 4 == 0) - (size % 4 == 2) && cimagl(all) == (size % 4 == 1) - (size % 4 == 3));

    pair mine[2] = {{1 + rank * small, rank}, {THIRD, 10 - rank}}, best[3];
    best[2].place = 77;
    MPI_Allreduce(mine, best, 2, MPI_LONG_DOUBLE_INT, MPI_MAXLOC, MPI_COMM_WORLD);
    CHECK(best[0].value == 1 + (size - 1) * small && best[0].place == size - 1);
    CHECK(best[1].value == THIRD && best[1].place == 11 - size && best[2].place == 77);
    MPI_Allreduce(mine, best, 2, MPI_LONG_DOUBLE_INT, MPI_MINLOC, MPI_COMM_WORLD);
    CHECK(best[0].value == 1 && best[0].place == 0);

    /* Operands that lie at odd addresses. */
    char odd[2][24];
    memcpy(odd[0] + 1, given, sizeof *given);
    MPI_Reduce_local(odd[0] + 1, memcpy(odd[1] + 3, given, sizeof *given), 1, MPI_LONG_DOUBLE, MPI_SUM);
    memcpy(got, odd[1] + 3, sizeof *got);
    CHECK(got[0] == 2 * given[0]);

    int class = 0;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Error_class(MPI_Allreduce(given, got, 1, MPI_LONG_DOUBLE, MPI_BAND, MPI_COMM_WORLD), &class);
    CHECK_IS(class, MPI_ERR_OP);
}

/* One-sided calls move quads, and do not compute with them. */
static void accumulates(void) {
    long double exposed[2] = {0, 0}, value = rank + THIRD;
    MPI_Win win;
    int class = 0;
    MPI_Win_create(exposed, sizeof exposed, sizeof *exposed, MPI_INFO_NULL, MPI_COMM_WORLD, &win);
    MPI_Win_set_errhandler(win, MPI_ERRORS_RETURN);
    MPI_Win_fence(0, win);
    MPI_Put(&value, 1, MPI_LONG_DOUBLE, (rank + 1) % size, 0, 1, MPI_LONG_DOUBLE, win);
    MPI_Accumulate(&value, 1, MPI_LONG_DOUBLE, (rank + 1) % size, 1, 1, MPI_LONG_DOUBLE, MPI_REPLACE, win);
    MPI_Error_class(MPI_Accumulate(&value, 1, MPI_LONG_DOUBLE, rank, 0, 1, MPI_LONG_DOUBLE, MPI_SUM, win), &class);
    CHECK_IS(class, MPI_ERR_OP);
    MPI_Datatype two;
    MPI_Type_contiguous(2, MPI_LONG_DOUBLE, &two);
    MPI_Type_commit(&two);
    MPI_Error_class(MPI_Accumulate(exposed, 1, two, rank, 0, 1, two, MPI_SUM, win), &class);
    CHECK_IS(class, MPI_ERR_OP);
    MPI_Type_free(&two);
    MPI_Win_fence(0, win);
    CHECK(exposed[0] == (rank + size - 1) % size + THIRD && exposed[1] == exposed[0]);
    MPI_Win_free(&win);
}

static void is_shown(void) {
    int bytes = 0, integers, addresses, types, combiner, length = 0;
    MPI_Aint lower, extent;
    char name[MPI_MAX_OBJECT_NAME];
    const MPI_Datatype named[] = {MPI_LONG_DOUBLE, MPI_C_LONG_DOUBLE_COMPLEX, MPI_LONG_DOUBLE_INT, MPI_LONG, MPI_AINT};
    const char *names[] = {"MPI_LONG_DOUBLE", "MPI_C_LONG_DOUBLE_COMPLEX", "MPI_LONG_DOUBLE_INT", "MPI_LONG", "MPI_AINT"};
    const int sizes[] = {16, 32, 20, 4, 4}, extents[] = {16, 32, sizeof(pair), 4, 4};
    for (int i = 0; i < 5; i++) {
        MPI_Type_size(named[i], &bytes);
        MPI_Type_get_extent(named[i], &lower, &extent);
        CHECK(bytes == sizes[i] && lower == 0 && extent == extents[i]);
        MPI_Type_get_envelope(named[i], &integers, &addresses, &types, &combiner);
        CHECK(combiner == MPI_COMBINER_NAMED && types == 0);
        MPI_Type_get_name(named[i], name, &length);
        CHECK(strcmp(name, names[i]) == 0 && length == (int)strlen(names[i]));
    }
    /* A struct is as long as the compiler makes it, and tells of its members by the guest's names. */
    struct record {
        char letter;
        long double value;
        int after;
        long number;
    } records[2] = {{'a', THIRD, 1, 2}, {'b', 2, 3, 4}}, arrived[2];
    memset(arrived, 0, sizeof arrived);
    MPI_Aint places[4] = {offsetof(struct record, letter), offsetof(struct record, value), offsetof(struct record, after),
                          offsetof(struct record, number)};
    MPI_Datatype members[4] = {MPI_CHAR, MPI_LONG_DOUBLE, MPI_INT, MPI_LONG}, whole, got[4];
    int lengths[4] = {1, 1, 1, 1}, got_lengths[8];
    MPI_Aint got_places[4];
    MPI_Type_create_struct(4, lengths, places, members, &whole);
    MPI_Type_commit(&whole);
    MPI_Type_get_extent(whole, &lower, &extent);
    CHECK_IS(extent, sizeof(struct record));
    MPI_Type_get_envelope(whole, &integers, &addresses, &types, &combiner);
    CHECK(combiner == MPI_COMBINER_STRUCT && integers == 5 && addresses == 4 && types == 4);
    MPI_Type_get_contents(whole, 5, 4, 4, got_lengths, got_places, got);
    for (int i = 0; i < 4; i++) {
        CHECK_IS((size_t)got[i], (size_t)members[i]);
    }
    CHECK(got_places[1] == 16 && got_lengths[0] == 4);
    int other = (rank + 1) % size, back = (rank + size - 1) % size;
    MPI_Sendrecv(records, 2, whole, other, 0, arrived, 2, whole, back, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    CHECK(arrived[0].value == THIRD && arrived[1].letter == 'b' && arrived[1].number == 4);
    /* Its parts outlive it, and it outlives its parts' handles. */
    MPI_Datatype outer;
    MPI_Type_contiguous(2, whole, &outer);
    MPI_Type_free(&whole);
    MPI_Type_get_contents(outer, 1, 0, 1, got_lengths, NULL, got);
    MPI_Type_free(&outer);
    MPI_Type_get_envelope(got[0], &integers, &addresses, &types, &combiner);
    CHECK(combiner == MPI_COMBINER_RESIZED || combiner == MPI_COMBINER_STRUCT);
    MPI_Type_commit(&got[0]);
    memset(arrived, 0, sizeof arrived);
    MPI_Sendrecv(records, 2, got[0], other, 0, arrived, 2, got[0], back, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    CHECK(arrived[0].value == THIRD && arrived[1].letter == 'b' && arrived[1].number == 4);
    MPI_Type_free(&got[0]);
    int class = 0;
    MPI_Datatype own = MPI_LONG_DOUBLE;
    MPI_Error_class(MPI_Type_free(&own), &class);
    CHECK_IS(class, MPI_ERR_TYPE);
    MPI_Type_contiguous(3, MPI_LONG, &outer);
    MPI_Type_get_contents(outer, 1, 0, 1, got_lengths, NULL, got);
    CHECK(got[0] == MPI_LONG);
    MPI_Type_free(&outer);
}

static void is_packed(void) {
    unsigned char buffer[64] = {0};
    long double values[2] = {1.5L, THIRD}, got[2] = {0, 0};
    MPI_Aint position = 4, bytes = 0;
    MPI_Pack_external_size("external32", 2, MPI_LONG_DOUBLE, &bytes);
    CHECK_IS(bytes, 32);
    MPI_Pack_external("external32", values, 2, MPI_LONG_DOUBLE, buffer, sizeof buffer, &position);
    CHECK_IS(position, 36);
    const unsigned char *native = (const unsigned char *)values;
    for (int i = 0; i < 32; i++) {
        CHECK_IS(buffer[4 + i], native[i / 16 * 16 + 15 - i % 16]);
    }
    position = 4;
    MPI_Unpack_external("external32", buffer, sizeof buffer, &position, got, 2, MPI_LONG_DOUBLE);
    CHECK(position == 36 && got[0] == 1.5L && got[1] == THIRD);
    int class = 0;
    pair one = {1, 2};
    position = 0;
    MPI_Error_class(MPI_Pack_external("external32", &one, 1, MPI_LONG_DOUBLE_INT, buffer, sizeof buffer, &position), &class);
    CHECK_IS(class, MPI_ERR_TYPE);
}

int main(int argc, char **argv) {
    begin(&argc, &argv);
    travels();
    reduces();
    accumulates();
    is_shown();
    is_packed();
    return end();
}
