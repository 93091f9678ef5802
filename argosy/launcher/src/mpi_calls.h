/* What the generated calls share: arrays whose elements have a meaning of their own.
 *
 * Invariants.
 * - A function that reads an array got it from ints_in and the like: it is a copy in the node's memory.
 * - A function that writes an array back was preceded by a check of the same address and length.
 */
#ifndef ARGOSY_MPI_CALLS_H
#define ARGOSY_MPI_CALLS_H

#include "mpi_basics.h"
#include "mpi_bsend.h"
#include "mpi_external.h"
#include "mpi_hints.h"
#include "mpi_sessions.h"
#include "mpi_types.h"
#include "mpi_windows.h"

/* How far a new datatype reaches and how much it holds. Sums and products of the guest's numbers are made in double:
 * they cannot wrap, and below the limit they are exact. Numbers that must not be negative give -1 where one is. */
#define TYPE_LIMIT 0x1p46
bool type_grows(const struct type_info *old, double farthest, double longest, double elements);
static inline double apart(const struct type_info *type, double count, double stride) {
    return fabs(count * stride * (double)type->extent);
}
#define OVER(array, n, start, step)                                                                                    \
    ({                                                                                                                 \
        double all = (start);                                                                                          \
        for (int64_t i = 0; i < (n); i++) {                                                                            \
            double one = (double)(array)[i];                                                                           \
            step;                                                                                                      \
        }                                                                                                              \
        all;                                                                                                           \
    })
#define FARTHEST(array, n) OVER(array, n, 0, all = fabs(one) > all ? fabs(one) : all)
#define LEAST(array, n) OVER(array, n, INT_MAX, all = one < all ? one : all)
#define LONGEST(array, n) OVER(array, n, 0, all = one < 0 || all < 0 ? -1 : one > all ? one : all)
#define TOTAL(array, n) OVER(array, n, 0, all = one < 0 || all < 0 ? -1 : all + one)
#define PRODUCT(array, n) OVER(array, n, 1, all = one < 0 || all < 0 ? -1 : all * one)
#define STRUCT_GROWS(types, displs, lengths, n)                                                                        \
    ({                                                                                                                 \
        bool grows = true;                                                                                             \
        double bytes = 0;                                                                                              \
        for (int64_t i = 0; i < (n); i++) {                                                                            \
            double length = (double)(lengths)[i];                                                                      \
            grows &= type_grows((types)[i], fabs((double)(displs)[i]), length, length);                                \
            bytes += length * (double)(types)[i]->size;                                                                \
        }                                                                                                              \
        grows && bytes <= TYPE_LIMIT;                                                                                  \
    })

/* MPICH before 5.0 lets reals through to MPI_LAND and MPI_LOR, which have no such type in MPI, and ends the job there. */
static inline bool ends_job(int32_t operation, const struct type_info *type) {
    return MPICH_BEFORE(50000000) && (operation == ABI_MPI_LAND || operation == ABI_MPI_LOR) &&
           type_group(type->host) == GROUP_REAL;
}

/* May MPI apply this operation to this datatype? Users' operations take any, predefined ones what the node computes as
 * the guest would. MPI_REPLACE and MPI_NO_OP only move data. */
static inline bool reducible(int32_t operation, const struct type_info *type) {
    if (__builtin_expect(type->quads == NO_QUADS, 1)) {
        return !ends_job(operation, type);
    }
    return (uint32_t)operation >= HANDLE_FIRST_DYNAMIC || operation == ABI_MPI_REPLACE || operation == ABI_MPI_NO_OP;
}
/* The same in a collective, which users' operations serve: there quads have operations of ours, put in place of *host. */
static inline bool reducible_with(int32_t operation, const struct type_info *type, MPI_Op *host) {
    return reducible(operation, type) || quad_operation(operation, type, host);
}

/* Are there such numbers on wasm32, of at most 8 bytes, by decimal digits and decades? (MPI_UNDEFINED is less than 0.) Nodes
 * may have quads, which MPICH 5.0 computes with where they are aligned only. */
static inline bool reals_reach(int32_t digits, int32_t decades) {
    return digits <= 15 && decades <= 307;
}
static inline bool integers_reach(int32_t decades) {
    return decades <= 18;
}

/* How many edges a graph has: the last of its cumulated degrees; how many neighbours a list of degrees means. What is
 * not a number of neighbours gives -1, which no array has for a length. */
static inline int64_t last_of(const int *cumulated, int32_t count) {
    return count > 0 ? cumulated[count - 1] : 0;
}
static inline int64_t sum_of(const int *degrees, int32_t count) {
    int64_t sum = 0;
    for (int32_t i = 0; i < count; i++) {
        if (degrees[i] < 0) {
            return -1;
        }
        sum += degrees[i];
    }
    return sum;
}

static inline int lesser(int one, int other) {
    return one < other ? one : other;
}

/* MPI_UNWEIGHTED, MPI_WEIGHTS_EMPTY, or that many weights. */
static inline int *weights_in(struct scratch *scratch, uint32_t address, int64_t count) {
    return address == ABI_MPI_UNWEIGHTED      ? MPI_UNWEIGHTED
           : address == ABI_MPI_WEIGHTS_EMPTY ? (count == 0 ? MPI_WEIGHTS_EMPTY : NULL) /* of no edges only */
                                              : ints_in(scratch, address, count);
}

/* Distributions of a distributed array (`kinds`), or their arguments; false for an unknown kind. */
static inline bool distributions_in(int *values, int64_t count, bool kinds) {
    for (int64_t i = 0; i < count; i++) {
        if (kinds) {
            if (!constant_in(constants_distributions, values[i], &values[i])) {
                return false;
            }
        } else if (values[i] == ABI_MPI_DISTRIBUTE_DFLT_DARG) {
            values[i] = MPI_DISTRIBUTE_DFLT_DARG;
        }
    }
    return true;
}

/* Elements are dealt out by at least one: Open MPI 4.1 divides by that number. */
static inline bool deals_out(const int *distributions, const int *arguments, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        if (distributions[i] == MPI_DISTRIBUTE_CYCLIC && arguments[i] == 0) {
            return false;
        }
    }
    return true;
}

/* Libraries end the job when an offset with what lies there exceeds the system's: 4 PiB are enough. */
#define FILE_LIMIT ((int64_t)1 << 52)

/* A file's view is made of whole elements, and an element is something: libraries divide by its size. */
static inline bool view_fits(const struct type_info *element, const struct type_info *file) {
    return element->size > 0 && file->size % element->size == 0;
}

/* Nothing of either lies before its beginning (MPI 5.0, section 14.1.1): ROMIO looks for it without end. */
static inline bool view_begins(const struct type_info *element, const struct type_info *file) {
    return element->true_lower >= 0 && file->true_lower >= 0;
}

/* The bits of an access mode that the launcher sees to, and MPI does not know of. */
int32_t file_deletes(int32_t guest_handle);
/* Has the node's disk room for a file of that many bytes, and may this process write them? */
bool file_fits(int32_t guest_handle, MPI_File file, int64_t bytes);
/* A file has one split collective at a time, and what ends it is of the kind that began it: libraries wait for ever, or
 * for a request that is none, where that does not hold. */
enum split {
    SPLIT_NONE,
    SPLIT_READ_ALL,
    SPLIT_READ_AT_ALL,
    SPLIT_READ_ORDERED,
    SPLIT_WRITE_ALL,
    SPLIT_WRITE_AT_ALL,
    SPLIT_WRITE_ORDERED
};
bool split_is(int32_t guest_handle, enum split split);
/* A view in this data representation was set. Is it the one that the launcher converts? */
void file_viewed(int32_t guest_handle, const char *datarep);
/* What MPI gets for the datatype of an access that does not block, or ends in another call. */
MPI_Datatype file_type(int32_t guest_handle, const struct type_info *type);
void file_view_failed(MPI_File file, int code); /* after MPI_File_set_view: it sees bytes then */
bool file_external(int32_t guest_handle);
void split_set(int32_t guest_handle, enum split split);

/* Is there room for a graph's cumulated degrees and edges, or for the neighbours of a rank? */
bool graph_fits(const struct comm_info *comm, int32_t most_degrees, int32_t most_edges);
bool neighbors_fit(const struct comm_info *comm, int32_t rank, int32_t most);

enum { MOST_DIMENSIONS = 20 }; /* MPICH's, which it forgets where few of more are to be chosen */

static inline MPI_Datatype pair_in(MPI_Datatype type) {
    return type == MPI_FLOAT_INT ? MPI_2INT : type;
}
/* Ranks of a group, of `members` of another each once (MPICH 5.0 does not look, and divides by what is between them), else
 * with MPI_PROC_NULL; ranges of them as triplets (first, last, stride); ranks of a communicator. False when there is one
 * that is not. */
bool group_ranks_in(MPI_Group group, int *ranks, int64_t count, bool members);
bool group_ranges_in(MPI_Group group, const int *ranges, int64_t count);
/* Is every process of the group one of the communicator's local group? MPICH 5.0 asserts that it is. */
bool group_within(MPI_Group group, const struct comm_info *comm);
bool comm_ranks_in(const struct comm_info *comm, const int *ranks, int64_t count);

static inline void ranks_out(uint32_t address, int64_t count, const int *ranks) {
    for (int64_t i = 0; i < count; i++) {
        put32(address + (uint32_t)i * 4, rank_out(ranks[i]));
    }
}

static inline void ints_out(uint32_t address, int64_t count, const int *values) {
    for (int64_t i = 0; i < count; i++) {
        put32(address + (uint32_t)i * 4, values[i]);
    }
}

#endif
