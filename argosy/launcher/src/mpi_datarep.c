/* Data representations of the guest's own: what MPI asks while it reads and writes files in them.
 *
 * Invariants.
 * - A representation stays registered until the process ends, and so does its struct datarep, whose address is MPI's
 *   extra state.
 * - The conversion functions see guest memory alone: what MPI keeps elsewhere is copied in before and out after. How
 *   much lies in a buffer is known for the basic datatypes only: of any other, and of a file's extent that the guest
 *   calls negative or absurd, MPI hears MPI_ERR_CONVERSION.
 * - Whether a representation is taken and conversion functions are ever called is the library's matter: ROMIO and Open
 *   MPI refuse them. The guest gets that library's own answer.
 */
#include "mpi_callbacks.h"

#if HAVE_MPI_Register_datarep

enum { LARGEST_ITEM = 1 << 16 };

struct datarep {
    uint32_t read, write, extent, extra;
    const char *signature; /* of read and write */
};

/* How many bytes an item of the datatype takes in a file; -1: the guest does not say. */
static int64_t item_bytes(const struct datarep *datarep, uint32_t handle) {
    uint64_t mark = lent_mark();
    uint32_t cell = lent_take(8, "MPI_Datarep extent function");
    put32(cell, -1);
    wasmtime_val_raw_t values[3] = {{.i32 = (int32_t)handle}, {.i32 = (int32_t)cell}, {.i32 = (int32_t)datarep->extra}};
    guest_call(datarep->extent, "iii:i", values, 3, "MPI_Datarep extent function");
    int64_t bytes = values[0].i32 == ABI_MPI_SUCCESS ? get32(cell) : -1;
    lent_release(mark);
    return bytes < 0 || bytes > LARGEST_ITEM ? -1 : bytes;
}

static int file_extent(MPI_Datatype type, MPI_Aint *extent, void *state) {
    uint32_t handle = datatype_predefined_out(type);
    int64_t bytes = handle == 0 ? -1 : item_bytes(state, handle);
    if (bytes < 0) {
        return MPI_ERR_CONVERSION;
    }
    *extent = (MPI_Aint)bytes;
    return MPI_SUCCESS;
}

static bool in_guest(const void *buffer, uint64_t bytes) {
    const uint8_t *first = buffer;
    return first >= guest.base && first <= guest.base + guest_size() &&
           bytes <= (uint64_t)(guest.base + guest_size() - first);
}

static int convert(const struct datarep *datarep, bool reads, void *user, MPI_Datatype type, int64_t count, void *file,
                   MPI_Offset position) {
    uint32_t handle = datatype_predefined_out(type);
    const struct type_info *info = handle == 0 ? NULL : type_info_in((int32_t)handle);
    int64_t item = info == NULL ? -1 : item_bytes(datarep, handle);
    if (item < 0 || count < 0 || position < 0 || count > INT32_MAX || position > INT32_MAX) {
        return MPI_ERR_CONVERSION;
    }
    static const char what[] = "MPI_Datarep conversion function";
    uint64_t user_bytes = (uint64_t)(position + count) * (uint64_t)info->extent;
    uint64_t file_bytes = (uint64_t)count * (uint64_t)item;
    uint64_t mark = lent_mark();
    bool user_lent = !in_guest(user, user_bytes), file_lent = !in_guest(file, file_bytes);
    uint32_t user_at = user_lent ? lent_take(user_bytes, what) : (uint32_t)((uint8_t *)user - guest.base);
    uint32_t file_at = file_lent ? lent_take(file_bytes, what) : (uint32_t)((uint8_t *)file - guest.base);
    if (user_lent) {
        memcpy(guest.base + user_at, user, user_bytes);
    }
    if (file_lent) {
        memcpy(guest.base + file_at, file, file_bytes);
    }
    wasmtime_val_raw_t values[6] = {{.i32 = (int32_t)user_at}, {.i32 = (int32_t)handle},  {.i32 = 0},
                                    {.i32 = (int32_t)file_at}, {.i64 = (int64_t)position}, {.i32 = (int32_t)datarep->extra}};
    if (datarep->signature[2] == 'I') {
        values[2].i64 = count;
    } else {
        values[2].i32 = (int32_t)count;
    }
    guest_call(reads ? datarep->read : datarep->write, datarep->signature, values, 6, what);
    if (reads && user_lent) {
        memcpy(user, guest.base + user_at, user_bytes);
    }
    if (!reads && file_lent) {
        memcpy(file, guest.base + file_at, file_bytes);
    }
    lent_release(mark);
    return error_in(values[0].i32);
}

#define CONVERSIONS(suffix, count_type)                                                                                \
    static int read##suffix(void *user, MPI_Datatype type, count_type count, void *file, MPI_Offset position,          \
                            void *state) {                                                                             \
        return convert(state, true, user, type, count, file, position);                                                \
    }                                                                                                                  \
    static int write##suffix(void *user, MPI_Datatype type, count_type count, void *file, MPI_Offset position,         \
                             void *state) {                                                                            \
        return convert(state, false, user, type, count, file, position);                                               \
    }
CONVERSIONS(_items, int)

/* NULL, or the name of the argument that is wrong. A conversion function may be MPI_CONVERSION_FN_NULL, which is 0. */
static const char *wrong_in(const wasmtime_val_raw_t *v, const char *name, const char *signature) {
    uint32_t read = (uint32_t)v[1].i32, write = (uint32_t)v[2].i32;
    return name == NULL || strlen(name) >= MPI_MAX_DATAREP_STRING   ? "datarep"
           : read != 0 && !guest_callable(read, signature)          ? "read_conversion_fn"
           : write != 0 && !guest_callable(write, signature)        ? "write_conversion_fn"
           : !guest_callable((uint32_t)v[3].i32, "iii:i")           ? "dtype_file_extent_fn"
                                                                    : NULL;
}

/* What the guest registers, and under which name; NULL with the answer in v[0]. */
static struct datarep *datarep_in(wasmtime_val_raw_t *v, const char *here, const char *signature,
                                  struct scratch *scratch, char **name) {
    *name = string_in(scratch, (uint32_t)v[0].i32);
    const char *wrong = wrong_in(v, *name, signature);
    struct datarep *datarep = wrong != NULL ? NULL : malloc(sizeof *datarep);
    if (datarep == NULL) {
        v[0].i32 = refuse_file(MPI_FILE_NULL, here, wrong != NULL ? wrong : "datarep",
                               wrong != NULL ? ABI_MPI_ERR_ARG : ABI_MPI_ERR_NO_MEM);
        scratch_free(scratch);
        return NULL;
    }
    *datarep = (struct datarep){.read = (uint32_t)v[1].i32,
                                .write = (uint32_t)v[2].i32,
                                .extent = (uint32_t)v[3].i32,
                                .extra = (uint32_t)v[4].i32,
                                .signature = signature};
    return datarep;
}

static wasm_trap_t *registered(wasmtime_val_raw_t *v, struct datarep *datarep, struct scratch *scratch, int code) {
    if (code != MPI_SUCCESS) {
        free(datarep);
    }
    scratch_free(scratch);
    v[0].i32 = error_out(code);
    return NULL;
}

IMPORT(MPI_Register_datarep) {
    ENTER("MPI_Register_datarep")
    struct scratch scratch = {NULL};
    char *name;
    struct datarep *datarep = datarep_in(v, here, "iiiiIi:i", &scratch, &name);
    if (datarep == NULL) {
        return NULL;
    }
    int code = MPI_Register_datarep(name, datarep->read == 0 ? MPI_CONVERSION_FN_NULL : read_items,
                                    datarep->write == 0 ? MPI_CONVERSION_FN_NULL : write_items, file_extent, datarep);
    return registered(v, datarep, &scratch, code);
}

#if HAVE_MPI_Register_datarep_c
CONVERSIONS(_items_c, MPI_Count)

IMPORT(MPI_Register_datarep_c) {
    ENTER("MPI_Register_datarep_c")
    struct scratch scratch = {NULL};
    char *name;
    struct datarep *datarep = datarep_in(v, here, "iiIiIi:i", &scratch, &name);
    if (datarep == NULL) {
        return NULL;
    }
    int code =
        MPI_Register_datarep_c(name, datarep->read == 0 ? MPI_CONVERSION_FN_NULL_C : read_items_c,
                               datarep->write == 0 ? MPI_CONVERSION_FN_NULL_C : write_items_c, file_extent, datarep);
    return registered(v, datarep, &scratch, code);
}
#endif
#endif
