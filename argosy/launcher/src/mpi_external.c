/* Data in external32.
 *
 * Invariants.
 * - MPICH converts what is made of one predefined type. Of any other datatype it computes with the size of none, and ends
 *   the process; it asserts that there is an external form for a pair or a character of several bytes. We ask before.
 * - ROMIO converts a file's data in memory that is as large as the data's true extents, whatever their extents are, frees it
 *   while a request that does not block still uses it, and gives the reader all of it, though less was read. So MPI
 *   reads and writes bytes in files of external32, which are the same in any representation: they are converted here, in
 *   memory of ours, and no further than MPI says that it has read. Accesses that do not block, or begin and end in two
 *   calls, are refused there.
 * - ROMIO takes data before the buffer's address to begin at it, and in MPICH 4.0 finds little of what is made of several
 *   layers: it would copy from and to memory that is not even the guest's. It gets bytes that are packed.
 */
#include "mpi_external.h"

#include "mpi_basics.h"

MPI_Datatype external_type(const struct type_info *type) {
    MPI_Datatype host = type->size == 0 ? MPI_BYTE : type->host;
    if (!type->committed) { /* its size may be asked for: Open MPI 4.1 reads beyond one that is not */
        MPI_Type_commit(&host);
    }
    return host;
}

/* Libraries divide by the size of an element: of what holds nothing, none is accessed. */
static struct access plain(void *buffer, int64_t count, const struct type_info *type) {
    bool nothing = type->size == 0;
    return (struct access){.buffer = buffer, .count = nothing ? 0 : count, .type = nothing ? MPI_BYTE : type->host};
}

#if HAVE_MPI_Type_get_contents_c
static bool external_size(MPI_Datatype basic, bool shorter) {
    MPI_Aint bytes = 0;
    int size = 0;
    return MPI_Type_size(basic, &size) == MPI_SUCCESS &&
           MPI_Pack_external_size("external32", 1, basic, &bytes) == MPI_SUCCESS &&
           (bytes == size || (shorter && size == 8 && bytes == 4));
}

static MPI_Datatype external_basic(const struct type_info *type) {
    return type_holds(type->host, NOT_EXTERNAL) ? MPI_DATATYPE_NULL : type_basic(type->host);
}

bool external_form(const struct type_info *type) {
    MPI_Datatype basic = type->size == 0 ? MPI_BYTE : external_basic(type);
    return basic != MPI_DATATYPE_NULL && external_size(basic, true);
}

static bool misplaced(const struct type_info *type) {
    if (MPICH_BEFORE(40100000) && (type_nested(type->host) || (type->lower != 0 && type_bounded(type->host)))) {
        return true;
    }
    return type->size > 0 && (type->lower < 0 || type->true_lower < 0 || type->extent <= 0);
}

bool access_pends(bool external, const struct type_info *type) {
    return !external && !misplaced(type);
}

static bool pack(const struct access *access, void *packed) {
    MPI_Count position = 0, size = access->count;
    if (!access->external) {
        return MPI_Pack_c(access->user, access->user_count, access->user_type->host, packed, size, &position,
                          MPI_COMM_SELF) == MPI_SUCCESS;
    }
    if (MPI_Pack_external_c("external32", access->user, access->user_count, access->user_type->host, packed, size,
                            &position) != MPI_SUCCESS) {
        return false;
    }
    quads_packed(packed, position, access->user_count, access->user_type);
    return true;
}

static bool unpack(const struct access *access, void *packed) {
    struct scratch scratch = {NULL};
    MPI_Count position = 0, size = access->count;
    if (!access->external) {
        return MPI_Unpack_c(packed, size, &position, access->user, access->user_count, access->user_type->host,
                            MPI_COMM_SELF) == MPI_SUCCESS;
    }
    packed = quads_to_unpack(&scratch, packed, 0, access->user_count, access->user_type);
    bool done = packed != NULL &&
                MPI_Unpack_external_c("external32", packed, size, &position, access->user, access->user_count,
                                      access->user_type->host) == MPI_SUCCESS;
    scratch_free(&scratch);
    return done;
}

struct access access_begin(bool external, void *buffer, int64_t count, const struct type_info *type, bool writes) {
    struct access access = plain(buffer, count, type);
    if (access.count == 0 || access_pends(external, type)) {
        return access;
    }
    MPI_Datatype basic = external ? external_basic(type) : MPI_BYTE;
    __int128 bytes = (__int128)count * type->size;
    access.external = external;
    access.refused = basic == MPI_DATATYPE_NULL || (external && !(external_size(basic, false) && quads_travel(type))) ||
                     bytes > INT_MAX;
    access.packed = access.refused ? NULL : malloc((size_t)bytes);
    if (access.packed == NULL) {
        access.refused = true;
        return access;
    }
    access.user = buffer, access.user_count = count, access.user_type = type;
    access.buffer = access.packed, access.count = (int64_t)bytes, access.type = MPI_BYTE;
    if (writes && !pack(&access, access.packed)) {
        free(access.packed);
        access.packed = NULL;
        access.refused = true;
    }
    return access;
}

/* What was read, and of an element that was read in part or not at all what is there. */
static bool deliver(struct access *access) {
    MPI_Count got = 0;
    if (MPI_Get_count_c(&access->status, MPI_BYTE, &got) != MPI_SUCCESS || got < 0 || got > access->count) {
        return false;
    }
    if (got < access->count) {
        uint8_t *there = malloc((size_t)access->count);
        if (there == NULL || !pack(access, there)) {
            free(there);
            return false;
        }
        memcpy(there, access->packed, (size_t)got);
        free(access->packed);
        access->packed = there;
    }
    return unpack(access, access->packed);
}

int access_end(struct access *access, int code, bool writes, MPI_Status *status) {
    if (access->packed == NULL) {
        return code;
    }
    if (code == MPI_SUCCESS && !writes && !deliver(access)) {
        code = MPI_ERR_CONVERSION;
    }
    if (status != MPI_STATUS_IGNORE) {
        *status = access->status;
    }
    free(access->packed);
    return code;
}

#else /* a library that converts all there is */

bool external_form(const struct type_info *type) {
    (void)type;
    return true;
}

bool access_pends(bool external, const struct type_info *type) {
    (void)type;
    return !external;
}

struct access access_begin(bool external, void *buffer, int64_t count, const struct type_info *type, bool writes) {
    (void)external, (void)writes;
    return plain(buffer, count, type);
}

int access_end(struct access *access, int code, bool writes, MPI_Status *status) {
    (void)access, (void)writes, (void)status;
    return code;
}
#endif
