/* Message buffers: where their bytes are, before MPI sees a pointer.
 *
 * Invariants.
 * - Each function gives 0 and a pointer, or the ABI's error class. A pointer is given only when every byte that the
 *   datatypes can touch, from the least to the greatest displacement, is inside guest memory now; it stays so, since
 *   the memory neither moves nor shrinks.
 * - All arithmetic is in 128 bits or checked; the number of bytes of data is below 2^47, so MPI's cannot wrap.
 * - An empty buffer may lie anywhere: nothing of it is touched.
 * - MPI_IN_PLACE is no buffer; where it may stand for one, the call looks for it first.
 */
#ifndef ARGOSY_MPI_BUFFERS_H
#define ARGOSY_MPI_BUFFERS_H

#include "mpi_handles.h"

/* `count` elements at `address` of a memory of `size` bytes: 0 or a class. */
int32_t buffer_within(uint64_t size, int64_t address, __int128 count, const struct type_info *type);
/* Which bytes `count` elements at `address` can touch: from *low to before *high; equal when there are none. 0 or a
 * class; addresses may be outside any memory. */
int32_t buffer_reach(int64_t address, __int128 count, const struct type_info *type, int64_t *low, int64_t *high);
int32_t buffer_slowly(uint32_t address, __int128 count, const struct type_info *type, void **buffer);

/* `count` elements of `type` at `address`. */
static inline int32_t buffer_in(uint32_t address, int64_t count, const struct type_info *type, void **buffer) {
    /* The common case: an ordinary type without holes, and little of it. */
    if (__builtin_expect(type->true_lower == 0 && type->true_extent == type->extent && type->size == type->extent &&
                             address != ABI_MPI_IN_PLACE,
                         1)) {
        uint64_t bytes;
        if (__builtin_expect(count >= 0 && !__builtin_mul_overflow((uint64_t)count, (uint64_t)type->size, &bytes), 1)) {
            *buffer = guest_span(address, bytes);
            if (__builtin_expect(*buffer != NULL, 1)) {
                return 0;
            }
        }
    }
    return buffer_slowly(address, count, type, buffer);
}
/* `count` elements for each of `times` ranks. */
int32_t buffer_times(uint32_t address, int64_t count, int64_t times, const struct type_info *type, void **buffer);
/* counts[i] elements at displs[i] extents, for n ranks; without displs one after the other. */
int32_t buffer_vector(uint32_t address, int64_t n, const int *counts, const int *displs, const struct type_info *type,
                      void **buffer);
int32_t buffer_vector_c(uint32_t address, int64_t n, const MPI_Count *counts, const MPI_Aint *displs,
                        const struct type_info *type, void **buffer);
/* counts[i] elements of types[i] at displs[i] bytes. One of the displs is given, as the procedure has it. */
int32_t buffer_types(uint32_t address, int64_t n, const int *counts, const int *displs, const MPI_Aint *far_displs,
                     struct type_info *const *types, void **buffer);
int32_t buffer_types_c(uint32_t address, int64_t n, const MPI_Count *counts, const MPI_Aint *displs,
                       struct type_info *const *types, void **buffer);
/* `bytes` bytes. */
int32_t buffer_bytes(uint32_t address, int64_t bytes, void **buffer);
/* `count` elements of packed data from `position` on have to fit into `size` bytes. */
bool unpack_fits(int64_t size, int64_t position, int64_t count, const struct type_info *type);

/* n datatypes by handle: their infos, and the node's handles for MPI; NULL: a wrong one among them, or where it
 * matters one that is not committed. The node's array has `longest` elements where that is more, the rest MPI_BYTE. */
struct type_info **types_in(struct scratch *scratch, uint32_t address, int64_t n, int64_t longest, bool committed,
                            MPI_Datatype **hosts);
/* How many datatypes a library reads in an all-to-all on this communicator: Open MPI 4.1 takes as many as there are
 * neighbours whenever there is a topology. */
int64_t types_read(struct comm_info *comm, int64_t n);

#endif
