/* Extents of message buffers. See mpi_buffers.h. */
#include "mpi_buffers.h"

#define MOST_BYTES ((__int128)1 << 47)

/* Widen [*low, *high) by `count` elements whose first stands at `at` bytes. */
static void widen(__int128 at, __int128 count, const struct type_info *type, __int128 *low, __int128 *high) {
    __int128 reach = (count - 1) * type->extent;
    __int128 first = at + type->true_lower + (reach < 0 ? reach : 0);
    __int128 last = at + type->true_lower + type->true_extent + (reach > 0 ? reach : 0);
    *low = first < *low ? first : *low;
    *high = last > *high ? last : *high;
}

/* Is [low, high) around `address` inside a memory of `size` bytes, and the amount of data countable? */
static int32_t within(uint64_t size, int64_t address, __int128 low, __int128 high, __int128 data) {
    if (data == 0) {
        return 0;
    }
    if (data > MOST_BYTES) {
        return ABI_MPI_ERR_COUNT;
    }
    if (low > high) {
        low = high = 0;
    }
    return address + low >= 0 && address + high <= (__int128)size ? 0 : ABI_MPI_ERR_BUFFER;
}

static int32_t settle(uint32_t address, __int128 low, __int128 high, __int128 data, void **buffer) {
    *buffer = guest.base + address;
    return data > 0 && address == ABI_MPI_IN_PLACE ? ABI_MPI_ERR_BUFFER : within(guest_size(), address, low, high, data);
}

#define NOTHING_YET ((__int128)1 << 126)

int32_t buffer_within(uint64_t size, int64_t address, __int128 count, const struct type_info *type) {
    if (count < 0) {
        return ABI_MPI_ERR_COUNT;
    }
    if (count == 0 || type->size == 0) {
        return 0;
    }
    __int128 low = NOTHING_YET, high = -NOTHING_YET;
    widen(0, count, type, &low, &high);
    return within(size, address, low, high, count * type->size);
}

int32_t buffer_reach(int64_t address, __int128 count, const struct type_info *type, int64_t *low, int64_t *high) {
    __int128 first = NOTHING_YET, last = -NOTHING_YET;
    *low = *high = address;
    if (count < 0) {
        return ABI_MPI_ERR_COUNT;
    }
    if (count == 0 || type->size == 0) {
        return 0;
    }
    if (count * type->size > MOST_BYTES) {
        return ABI_MPI_ERR_COUNT;
    }
    widen(address, count, type, &first, &last);
    if (first < INT64_MIN || last > INT64_MAX) {
        return ABI_MPI_ERR_BUFFER;
    }
    *low = (int64_t)first;
    *high = (int64_t)last;
    return 0;
}

int32_t buffer_slowly(uint32_t address, __int128 count, const struct type_info *type, void **buffer) {
    if (address == ABI_MPI_IN_PLACE && count > 0 && type->size > 0) {
        return ABI_MPI_ERR_BUFFER;
    }
    /* The ordinary derived datatype: forwards, and so little of it that 64 bits hold every product. */
    if (count > 0 && count <= INT32_MAX && type->size <= INT32_MAX && type->extent >= 0 && type->extent <= INT32_MAX &&
        type->true_lower >= 0 && type->true_lower <= INT32_MAX && type->true_extent >= 0 &&
        type->true_extent <= INT32_MAX) {
        int64_t reach = ((int64_t)count - 1) * type->extent + type->true_extent + type->true_lower;
        if ((int64_t)count * type->size <= (int64_t)MOST_BYTES && guest_span(address, (uint64_t)reach) != NULL) {
            *buffer = guest.base + address;
            return 0;
        }
    }
    *buffer = guest.base + address;
    return buffer_within(guest_size(), address, count, type);
}

int32_t buffer_times(uint32_t address, int64_t count, int64_t times, const struct type_info *type, void **buffer) {
    return count < 0 ? ABI_MPI_ERR_COUNT : buffer_slowly(address, (__int128)count * times, type, buffer);
}

#define VECTOR(name, count_type, displ_type)                                                                           \
    int32_t name(uint32_t address, int64_t n, const count_type *counts, const displ_type *displs,                      \
                 const struct type_info *type, void **buffer) {                                                        \
        __int128 low = NOTHING_YET, high = -NOTHING_YET, data = 0, next = 0;                                           \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            if (counts[i] < 0) {                                                                                       \
                return ABI_MPI_ERR_COUNT;                                                                              \
            }                                                                                                          \
            if (counts[i] > 0 && type->size > 0) {                                                                     \
                widen((displs == NULL ? next : displs[i]) * type->extent, counts[i], type, &low, &high);               \
                data += (__int128)counts[i] * type->size;                                                              \
            }                                                                                                          \
            next += counts[i];                                                                                         \
        }                                                                                                              \
        return settle(address, low, high, data, buffer);                                                               \
    }
VECTOR(buffer_vector, int, int)
VECTOR(buffer_vector_c, MPI_Count, MPI_Aint)

#define TYPES(low, high, data, count, displ, type)                                                                     \
    if ((count) < 0) {                                                                                                 \
        return ABI_MPI_ERR_COUNT;                                                                                      \
    }                                                                                                                  \
    if ((count) > 0 && (type)->size > 0) {                                                                             \
        widen(displ, count, type, &(low), &(high));                                                                    \
        data += (__int128)(count) * (type)->size;                                                                      \
    }

int32_t buffer_types(uint32_t address, int64_t n, const int *counts, const int *displs, const MPI_Aint *far_displs,
                     struct type_info *const *types, void **buffer) {
    __int128 low = NOTHING_YET, high = -NOTHING_YET, data = 0;
    for (int64_t i = 0; i < n; i++) {
        TYPES(low, high, data, counts[i], displs != NULL ? displs[i] : far_displs[i], types[i])
    }
    return settle(address, low, high, data, buffer);
}

int32_t buffer_types_c(uint32_t address, int64_t n, const MPI_Count *counts, const MPI_Aint *displs,
                       struct type_info *const *types, void **buffer) {
    __int128 low = NOTHING_YET, high = -NOTHING_YET, data = 0;
    for (int64_t i = 0; i < n; i++) {
        TYPES(low, high, data, counts[i], displs[i], types[i])
    }
    return settle(address, low, high, data, buffer);
}

int32_t buffer_bytes(uint32_t address, int64_t bytes, void **buffer) {
    if (bytes < 0) {
        return ABI_MPI_ERR_COUNT;
    }
    *buffer = bytes == 0 ? guest.base + address : guest_span(address, (uint64_t)bytes);
    return *buffer == NULL ? ABI_MPI_ERR_BUFFER : 0;
}

bool unpack_fits(int64_t size, int64_t position, int64_t count, const struct type_info *type) {
    return count >= 0 && position >= 0 && position <= size && (__int128)count * type->size <= size - position;
}

struct type_info **types_in(struct scratch *scratch, uint32_t address, int64_t n, int64_t longest, bool committed,
                            MPI_Datatype **hosts) {
    int *handles = ints_in(scratch, address, n);
    struct type_info **infos = handles == NULL ? NULL : scratch_take(scratch, (uint64_t)n * sizeof *infos);
    longest = longest > n ? longest : n;
    *hosts = infos == NULL ? NULL : scratch_take(scratch, (uint64_t)longest * sizeof **hosts);
    for (int64_t i = 0; *hosts != NULL && i < n; i++) {
        infos[i] = type_info_in(handles[i]);
        if (infos[i] == NULL || (committed && !infos[i]->committed)) {
            return NULL;
        }
        (*hosts)[i] = infos[i]->host;
    }
    for (int64_t i = n; *hosts != NULL && i < longest; i++) {
        (*hosts)[i] = MPI_BYTE;
    }
    return *hosts == NULL ? NULL : infos;
}

int64_t types_read(struct comm_info *comm, int64_t n) {
    if (!comm->inter && comm_neighbours(comm)) {
        n = comm->in_degree > n ? comm->in_degree : n;
        n = comm->out_degree > n ? comm->out_degree : n;
    }
    return n;
}
