/* Users' operations: C functions that MPI can call, each standing for one function of the guest.
 *
 * Invariants.
 * - MPI gives these functions no pointer of ours to tell them apart, so there is a pool of them. A guest function keeps
 *   its place in the pool for good: the same function shares it, and nothing has to be known of when MPI lets go.
 * - A guest function sees only guest memory: operands that MPI keeps elsewhere are copied in, and the result copied out.
 * - Memory for that is lent from pages that the launcher adds at the end of the guest's memory and never gives back; the
 *   guest's allocator leaves pages alone that it did not ask for. It is used like a stack.
 */
#include "mpi_callbacks.h"

/* --- lent memory ------------------------------------------------------------------------------------------------ */

static uint64_t lent_first, lent_used, lent_size; /* of the current region, in bytes */

uint64_t lent_mark(void) {
    return lent_first << 32 | lent_used;
}

static uint64_t grow(uint64_t bytes, const char *what) {
    uint64_t pages = (bytes + 65535) / 65536, before = 0;
    wasmtime_error_t *error = wasmtime_memory_grow(guest.context, &guest.memory, pages, &before);
    if (error != NULL) {
        wasmtime_error_delete(error);
        guest_fail("%s: the application's memory cannot grow by the %llu bytes that its operands need", what,
                   (unsigned long long)bytes);
    }
    return before * 65536;
}

uint32_t lent_take(uint64_t bytes, const char *what) {
    bytes = (bytes + 15) & ~(uint64_t)15;
    if (bytes > lent_size - lent_used) {
        uint64_t wanted = bytes > lent_size ? bytes * 2 : lent_size * 2;
        wanted = wanted < 65536 ? 65536 : wanted;
        uint64_t start = grow(wanted, what);
        if (lent_first + lent_size == start && lent_size != 0) {
            lent_size += (wanted + 65535) & ~(uint64_t)65535; /* the old region just became longer */
        } else {
            lent_first = start;
            lent_used = 0;
            lent_size = (wanted + 65535) & ~(uint64_t)65535;
        }
    }
    uint32_t address = (uint32_t)(lent_first + lent_used);
    lent_used += bytes;
    return address;
}

void lent_release(uint64_t mark) {
    /* After a move to another region the old one is given up; what is live in the new one is below. */
    lent_used = mark >> 32 == lent_first ? (uint32_t)mark : 0;
}

uint32_t lent_cell(const char *what) {
    static uint32_t next, left;
    if (left == 0) {
        next = (uint32_t)grow(65536, what);
        left = 65536 / 8;
    }
    left--;
    next += 8;
    return next - 8;
}

/* --- the pool ---------------------------------------------------------------------------------------------------- */

int place_of(struct place *pool, uint32_t function) {
    for (int i = 0; i < PLACES; i++) {
        if (!pool[i].used) {
            pool[i].used = true;
            pool[i].function = function;
            pool[i].last_host = MPI_DATATYPE_NULL;
        }
        if (pool[i].function == function) {
            return i;
        }
    }
    return -1;
}

/* --- operations -------------------------------------------------------------------------------------------------- */

static struct place operations[PLACES];

/* The guest's handle and the extents of the datatype that MPI calls an operation for. True when the guest has none, for
 * it may free a datatype whose operation is pending: then this handle is for one call. */
static bool recognize(struct place *place, MPI_Datatype host) {
    uint32_t handle = datatype_predefined_out(host);
    struct slot *slot = handle == 0 ? slot_of_host(&datatype_handles, datatype_pack(host)) : NULL;
    if (slot != NULL) {
        handle = slot_handle(&datatype_handles, slot);
    }
    bool borrowed = handle == 0;
    if (borrowed) {
        handle = datatype_out(host);
    }
    struct type_info *info = type_info_in((int32_t)handle);
    if (info == NULL) {
        guest_fail("MPI_Op function: MPI calls it for a datatype that the application does not have");
    }
    place->last_host = host;
    place->last_drops = datatype_drops;
    place->last_guest = handle;
    place->last_info = *info;
    return borrowed;
}

/* Where the guest finds `count` elements at `host`: there if it is guest memory, else in a copy. */
static uint32_t operand(const uint8_t *host, int64_t low, uint64_t bytes, bool *copied) {
    const uint8_t *first = host + low;
    uint64_t offset = (uint64_t)first - (uint64_t)guest.base;
    *copied = offset > UINT32_MAX || guest_span((uint32_t)offset, bytes) == NULL;
    if (!*copied) {
        return (uint32_t)(host - guest.base);
    }
    uint32_t at = lent_take(bytes, "MPI_Op function");
    memcpy(guest.base + at, first, bytes);
    return at - (uint32_t)low;
}

static void operate(struct place *place, void *in, void *inout, int64_t count, MPI_Datatype host_type, bool large) {
    bool borrowed = false;
    if (place->last_host != host_type || place->last_drops != datatype_drops) {
        borrowed = recognize(place, host_type);
    }
    const struct type_info *type = &place->last_info;
    int64_t span = (count - 1) * type->extent;
    int64_t low = type->true_lower + (span < 0 ? span : 0);
    uint64_t bytes = count == 0 ? 0 : (uint64_t)(type->true_extent + (span < 0 ? -span : span));
    uint64_t mark = lent_mark();
    bool in_copied, inout_copied;
    uint32_t in_at = operand(in, low, bytes, &in_copied), inout_at = operand(inout, low, bytes, &inout_copied);
    uint32_t cells = lent_take(16, "MPI_Op function");
    if (large) {
        put64(cells, count);
    } else {
        put32(cells, (int32_t)count);
    }
    put32(cells + 8, (int32_t)place->last_guest);
    wasmtime_val_raw_t values[4] = {
        {.i32 = (int32_t)in_at}, {.i32 = (int32_t)inout_at}, {.i32 = (int32_t)cells}, {.i32 = (int32_t)(cells + 8)}};
    enum phase before = mpi_phase;
    mpi_phase = PHASE_OPERATION;
    guest_call_function(&place->operation, values, 4, "MPI_Op function");
    mpi_phase = before;
    if (inout_copied) {
        memcpy((uint8_t *)inout + low, guest.base + (uint32_t)(inout_at + (uint32_t)low), bytes);
    }
    lent_release(mark);
    if (borrowed) {
        datatype_drop((int32_t)place->last_guest);
    }
}

#define OPERATION(i)                                                                                                   \
    static void operation_##i(void *in, void *inout, int *count, MPI_Datatype *type) {                                 \
        operate(&operations[i], in, inout, *count, *type, false);                                                      \
    }
#define NAMED(i) operation_##i,
ALL(OPERATION)
static MPI_User_function *const operation_functions[PLACES] = {ALL(NAMED)};

static wasm_trap_t *operation_made(wasmtime_val_raw_t *v, const char *here, MPI_Op made) {
    uint32_t handle = op_out(made);
    if (handle == 0) {
        return guest_trap("%s: no room for another MPI_Op", here);
    }
    put32((uint32_t)v[2].i32, (int32_t)handle);
    v[0].i32 = ABI_MPI_SUCCESS;
    return NULL;
}

/* Checks what both forms share; gives the place, or -1 with the answer in v[0]. */
static int operation_place(wasmtime_val_raw_t *v, const char *here, struct place *pool) {
    wasmtime_func_t function;
    if (!guest_function((uint32_t)v[0].i32, "iiii:", &function)) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "user_fn", ABI_MPI_ERR_ARG);
        return -1;
    }
    if (!room((uint32_t)v[2].i32, 1, 4)) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "op", ABI_MPI_ERR_ARG);
        return -1;
    }
    int place = place_of(pool, (uint32_t)v[0].i32);
    if (place < 0) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "user_fn", ABI_MPI_ERR_NO_MEM);
        return -1;
    }
    pool[place].operation = function;
    return place;
}

IMPORT(MPI_Op_create) {
    ENTER("MPI_Op_create")
    int place = operation_place(v, here, operations);
    if (place < 0) {
        return NULL;
    }
    MPI_Op made;
    int code = MPI_Op_create(operation_functions[place], v[1].i32 != 0, &made);
    if (code != MPI_SUCCESS) {
        v[0].i32 = error_out(code);
        return NULL;
    }
    return operation_made(v, here, made);
}

#if HAVE_MPI_Op_create_c
static struct place large_operations[PLACES];

#define LARGE_OPERATION(i)                                                                                             \
    static void large_operation_##i(void *in, void *inout, MPI_Count *count, MPI_Datatype *type) {                     \
        operate(&large_operations[i], in, inout, *count, *type, true);                                                 \
    }
#define LARGE_NAMED(i) large_operation_##i,
ALL(LARGE_OPERATION)
static MPI_User_function_c *const large_operation_functions[PLACES] = {ALL(LARGE_NAMED)};

IMPORT(MPI_Op_create_c) {
    ENTER("MPI_Op_create_c")
    int place = operation_place(v, here, large_operations);
    if (place < 0) {
        return NULL;
    }
    MPI_Op made;
    int code = MPI_Op_create_c(large_operation_functions[place], v[1].i32 != 0, &made);
    if (code != MPI_SUCCESS) {
        v[0].i32 = error_out(code);
        return NULL;
    }
    return operation_made(v, here, made);
}
#endif
