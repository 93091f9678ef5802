/* Random datatypes: what a file gives and takes lies in memory where MPI_Unpack puts it and MPI_Pack finds it. */
#include "check.h"

enum { SEEDS = 400, MEMORY = 1 << 16, MOST_BYTES = 2048, MOST_TYPES = 64, FAR = MEMORY / 2 - 64 };

static uint32_t state;
static int below(int limit) {
    state = state * 1103515245u + 12345u;
    return (int)((state >> 12) % (uint32_t)limit);
}

static MPI_Datatype made[MOST_TYPES];
static int made_count;

static MPI_Datatype datatype(int depth) {
    static const MPI_Datatype basic[] = {MPI_INT, MPI_DOUBLE, MPI_CHAR, MPI_SHORT};
    if (depth == 0 || below(5) == 0) {
        return basic[below(4)];
    }
    MPI_Datatype old = datatype(depth - 1), type;
    int count = 1 + below(3), lengths[3], places[3];
    MPI_Aint bytes[3];
    for (int i = 0; i < 3; i++) { /* one of three begins before the one ahead of it may end */
        int back = below(3) == 0;
        lengths[i] = i == 0 ? 1 + below(2) : below(3);
        places[i] = 6 * i + below(3) - 3 * back;
        bytes[i] = 96 * i + below(64) - 32 * back;
    }
    switch (below(8)) {
    case 0:
        MPI_Type_contiguous(count, old, &type);
        break;
    case 1:
        MPI_Type_vector(count, 1 + below(3), 3 + below(3), old, &type);
        break;
    case 2:
        MPI_Type_create_hvector(count, 1 + below(3), below(100) - 20, old, &type);
        break;
    case 3:
        MPI_Type_indexed(count, lengths, places, old, &type);
        break;
    case 4:
        MPI_Type_create_hindexed(count, lengths, bytes, old, &type);
        break;
    case 5:
        MPI_Type_create_struct(count, lengths, bytes, (MPI_Datatype[]){old, datatype(depth - 1), old}, &type);
        break;
    case 6:
        MPI_Type_create_resized(old, below(160) - 80, below(120) - 20, &type);
        break;
    default:
        MPI_Type_create_subarray(1, (int[]){4}, (int[]){1 + below(2)}, (int[]){below(3)}, MPI_ORDER_C, old, &type);
    }
    made[made_count++] = type;
    return type;
}

/* Does all of `count` of them lie within the memory, from its middle? */
static int fits(MPI_Datatype type, int count) {
    MPI_Aint lower, extent, low, reach;
    MPI_Type_get_extent(type, &lower, &extent);
    MPI_Type_get_true_extent(type, &low, &reach);
    double last = (double)(count - 1) * extent;
    return low > -FAR && low + last > -FAR && low + reach < FAR && low + reach + last < FAR;
}

static unsigned char memory[MEMORY], wanted[MEMORY], packed[MOST_BYTES], got[MOST_BYTES];

/* Reading and writing `count` of the type in that way; false where the library does not do that. */
static int reads(MPI_File file, int way, int count, MPI_Datatype type) {
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Status status;
    int code = way == 0   ? MPI_File_read_at(file, 0, memory + MEMORY / 2, count, type, &status)
               : way == 1 ? MPI_File_read_at_all(file, 0, memory + MEMORY / 2, count, type, &status)
                          : MPI_File_iread_at(file, 0, memory + MEMORY / 2, count, type, &request);
    MPI_Wait(&request, &status);
    CHECK(code == MPI_SUCCESS || (way == 2 && class_of(code) == MPI_ERR_UNSUPPORTED_OPERATION));
    return code == MPI_SUCCESS;
}
static int writes(MPI_File file, int way, int count, MPI_Datatype type) {
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Status status;
    int code = way == 0   ? MPI_File_write_at(file, MOST_BYTES, memory + MEMORY / 2, count, type, &status)
               : way == 1 ? MPI_File_write_at_all(file, MOST_BYTES, memory + MEMORY / 2, count, type, &status)
                          : MPI_File_iwrite_at(file, MOST_BYTES, memory + MEMORY / 2, count, type, &request);
    MPI_Wait(&request, &status);
    CHECK(code == MPI_SUCCESS || (way == 2 && class_of(code) == MPI_ERR_UNSUPPORTED_OPERATION));
    return code == MPI_SUCCESS;
}

static int compare(MPI_File file, uint32_t seed) {
    MPI_Status status;
    state = seed;
    MPI_Datatype type = datatype(1 + below(3));
    int count = 1 + below(3), size, differing = 0;
    MPI_Type_commit(&type);
    MPI_Type_size(type, &size);
    for (int way = 0; size > 0 && size * count <= MOST_BYTES && fits(type, count) && way < 3; way++) {
        int bytes = size * count, position = 0;
        memset(memory, 0, MEMORY);
        memset(wanted, 0, MEMORY);
        MPI_File_read_at(file, 0, packed, bytes, MPI_BYTE, &status);
        MPI_Unpack(packed, bytes, &position, wanted + MEMORY / 2, count, type, MPI_COMM_SELF);
        differing += reads(file, way, count, type) && memcmp(memory, wanted, MEMORY) != 0;
        for (int i = 0; i < MEMORY; i++) {
            memory[i] = (unsigned char)(7 * i + i / 256);
        }
        position = 0;
        MPI_Pack(memory + MEMORY / 2, count, type, packed, MOST_BYTES, &position, MPI_COMM_SELF);
        if (writes(file, way, count, type)) {
            MPI_File_read_at(file, MOST_BYTES, got, bytes, MPI_BYTE, &status);
            differing += memcmp(got, packed, (size_t)bytes) != 0;
        }
    }
    while (made_count > 0) {
        MPI_Type_free(&made[--made_count]);
    }
    return differing;
}

int main(int argc, char **argv) {
    begin(&argc, &argv);
    char name[16];
    MPI_File file;
    MPI_Status status;
    snprintf(name, sizeof name, "placing%d", rank);
    CHECK_IS(MPI_File_open(MPI_COMM_SELF, name, MPI_MODE_CREATE | MPI_MODE_RDWR | MPI_MODE_DELETE_ON_CLOSE, MPI_INFO_NULL,
                           &file),
             MPI_SUCCESS);
    for (int i = 0; i < MOST_BYTES; i++) {
        packed[i] = (unsigned char)(1 + i % 251);
    }
    MPI_File_write_at(file, 0, packed, MOST_BYTES, MPI_BYTE, &status);
    for (int i = 0; i < SEEDS; i++) {
        uint32_t seed = (uint32_t)(SEEDS * rank + i + 1);
        int differing = compare(file, seed);
        if (differing != 0) {
            printf("rank %d: seed %u: %d accesses differ\n", rank, seed, differing);
            failures++;
        }
    }
    MPI_File_close(&file);
    return end();
}
