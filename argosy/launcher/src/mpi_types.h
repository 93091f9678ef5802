/* Datatypes whose meaning the node does not share: how they are made, computed with, and shown to the guest. */
#ifndef ARGOSY_MPI_TYPES_H
#define ARGOSY_MPI_TYPES_H

#include "mpi_handles.h"

/* Make the node's types for the guest's long double, once MPI lives; again is nothing. */
void quads_begin(void);
void quads_end(void); /* before MPI ends: libraries complain of what is left */
/* The operation that computes what the guest's predefined one means for this type; false: there is none. */
bool quad_operation(int32_t operation, const struct type_info *type, MPI_Op *host);

/* In external32 a quad is its 16 bytes from the highest to the lowest. The node puts those of each half in order: the
 * halves change places after packing, and in a copy before unpacking, which is NULL where memory is short. The caller
 * has checked that the packed data are there, and that all of the type's are quads, if any. */
static inline bool quads_travel(const struct type_info *type) {
    return type->quads != QUADS_AMONG_OTHERS;
}
void quads_packed(void *packed, int64_t end, int64_t count, const struct type_info *type);
void *quads_to_unpack(struct scratch *scratch, void *packed, int64_t start, int64_t count, const struct type_info *type);
/* How many numbers the guest sees where the node counts quads, and back. */
int64_t elements_out(const struct type_info *type, int64_t count);
int64_t elements_in(const struct type_info *type, int64_t count);

/* Note what a new datatype is made of. A struct's bounds are the guest's: the alignment of its members is. */
void type_made(uint32_t handle, const struct type_info *old);
void type_duplicated(uint32_t handle, const struct type_info *old);
void type_resized(uint32_t handle, const struct type_info *old);
/* Note what a datatype holds that MPI gave. */
void type_given(uint32_t handle);
/* The node's type that tells how the guest made this one; where it is *borrowed, it has to be given back. */
MPI_Datatype type_shown(const struct type_info *type, bool *borrowed, MPI_Datatype *shown);
void type_given_back(bool borrowed, MPI_Datatype *shown);
/* The i-th of the types that `type` was made of, which the node calls `host`, by the guest's handle. */
uint32_t part_out(const struct type_info *type, int64_t i, MPI_Datatype host);

struct bounds {
    double low, high, bounded_low, bounded_high;
    bool any, any_bounded;
    enum quads quads;
    bool renamed;
    uint32_t *parts;
};
void struct_begin(struct bounds *bounds, struct scratch *scratch, int64_t count);
void struct_member(struct bounds *bounds, int64_t i, const struct type_info *type, int64_t displacement, int64_t length);
void struct_made(const struct bounds *bounds, int64_t count, uint32_t handle);
#define STRUCT_MADE(handle, types, displs, lengths, n)                                                                 \
    ({                                                                                                                 \
        struct bounds bounds;                                                                                          \
        struct_begin(&bounds, &scratch, n);                                                                            \
        for (int64_t i = 0; i < (n); i++) {                                                                            \
            struct_member(&bounds, i, (types)[i], (displs)[i], (lengths)[i]);                                          \
        }                                                                                                              \
        struct_made(&bounds, n, handle);                                                                               \
    })

#endif
