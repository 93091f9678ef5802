/* Handles of the guest and what they stand for.
 *
 * Invariants.
 * - A guest handle is a predefined value of the ABI (at most 0x3ff) or (generation << 20 | index) with a generation of
 *   1..2047, so dynamic handles are above 2^20 and positive. A slot's generation grows whenever it is freed: a stale
 *   handle finds no slot, until after 2047 reuses.
 * - A slot is live from X_out to X_drop. The node's handle in it is one that MPI gave and that has not been freed.
 * - What is cached of a communicator (its rank, size, neighbours) and of a datatype (its extents) cannot change during
 *   its life, and dies with its slot.
 */
#ifndef ARGOSY_MPI_HANDLES_H
#define ARGOSY_MPI_HANDLES_H

#include "mpi_core.h"

#define HANDLE_INDEX_BITS 20
#define HANDLE_FIRST_DYNAMIC (1u << HANDLE_INDEX_BITS)

struct slot {
    uint64_t host; /* the node's handle, an int or a pointer, in the low bytes */
    void *extra;   /* what the class keeps beside it; freed with the slot */
    uint32_t generation;
    uint32_t references; /* how many times the guest was given this handle; 0 in a free slot */
    uint32_t next_free;
    uint32_t mark; /* the array of requests that it was last seen in */
    int32_t sort, parts; /* of a request: enum request_sort, and how many partitions it has (or
                            * which generalized request it is) */
    bool active;         /* of a request that restarts: it has been started and not completed */
    int32_t file;        /* of a request that reads or writes: the file's handle; else 0 */
    uint32_t comm;       /* of a collective's: the communicator's handle; else 0 */
    uint8_t *given;      /* of a request that gives partitions: which it has given since its start */
};

struct handles {
    struct slot *slots;
    uint32_t capacity;
    uint32_t first_free; /* index + 1; 0: none */
    uint32_t used;       /* slots that were ever used */
};

static inline struct slot *slot_find(struct handles *handles, uint32_t guest_handle) {
    uint32_t index = guest_handle & (HANDLE_FIRST_DYNAMIC - 1);
    if (UNLIKELY(index >= handles->used)) {
        return NULL;
    }
    struct slot *slot = &handles->slots[index];
    return slot->references != 0 && guest_handle >> HANDLE_INDEX_BITS == slot->generation ? slot : NULL;
}
/* A new slot's guest handle, and the slot; 0 when memory or numbers are short. */
uint32_t slot_new(struct handles *handles, uint64_t host, struct slot **slot);
void slot_drop(struct handles *handles, uint32_t guest_handle);
void slot_release(struct handles *handles, struct slot *slot); /* the same for a live slot */
uint32_t slot_handle(const struct handles *handles, const struct slot *slot);
/* The live slot that holds the node's handle; NULL: none. Linear: for callbacks and rare lookups. */
struct slot *slot_of_host(struct handles *handles, uint64_t host);

/* Every class `name` of C type `type` gets: name_pack (into a slot), name_in (false: no such handle), name_out (a new
 * guest handle for what MPI gave, or the predefined one; 0: no memory), name_known (like name_out, but an already
 * known handle is given again), name_drop. */
#define DECLARE_HANDLES(name, type)                                                                                    \
    extern struct handles name##_handles;                                                                              \
    static inline uint64_t name##_pack(type host) {                                                                    \
        uint64_t packed = 0;                                                                                           \
        memcpy(&packed, &host, sizeof host);                                                                           \
        return packed;                                                                                                 \
    }                                                                                                                  \
    static inline type name##_unpack(uint64_t packed) {                                                                \
        type host;                                                                                                     \
        memcpy(&host, &packed, sizeof host);                                                                           \
        return host;                                                                                                   \
    }                                                                                                                  \
    bool name##_predefined_in(uint32_t guest, type *host);                                                             \
    uint32_t name##_predefined_out(type host);                                                                         \
    static inline bool name##_in(int32_t guest, type *host) {                                                          \
        if ((uint32_t)guest < HANDLE_FIRST_DYNAMIC) {                                                                  \
            return name##_predefined_in((uint32_t)guest, host);                                                        \
        }                                                                                                              \
        struct slot *slot = slot_find(&name##_handles, (uint32_t)guest);                                               \
        if (UNLIKELY(slot == NULL)) {                                                                                  \
            return false;                                                                                              \
        }                                                                                                              \
        *host = name##_unpack(slot->host);                                                                             \
        return true;                                                                                                   \
    }                                                                                                                  \
    uint32_t name##_out(type host);                                                                                    \
    uint32_t name##_known(type host);                                                                                  \
    void name##_drop(int32_t guest);

#include "mpi_handle_classes.h"

/* Does a function of the guest run for an attribute of this communicator, datatype, window? Then it must stay. */
bool attributes_in_use(uint64_t host);

/* Communicators. */
struct comm_info {
    MPI_Comm host;
    bool measured, inter, neighbours_measured;
    bool pinned; /* MPI writes `host` when a request completes, so this must outlive the handle */
    uint32_t pending; /* that request, by its guest handle, until it has completed */
    int rank, size;              /* in the local group */
    int peers;                   /* whom one talks to: the remote group's size, or the local one's */
    int topology;                /* MPI_CART, MPI_GRAPH, MPI_DIST_GRAPH, or MPI_UNDEFINED */
    int in_degree, out_degree;   /* -1: no topology */
};
/* The communicator of a guest handle, measured; NULL for MPI_COMM_NULL and for what is no handle. */
struct comm_info *comm_info_slowly(struct comm_info *info);
struct comm_info *comm_find(uint32_t guest);
extern struct comm_info comm_world_info, comm_self_info;
static inline struct comm_info *comm_info_in(int32_t guest_handle) {
    struct comm_info *info = guest_handle == ABI_MPI_COMM_WORLD ? &comm_world_info : comm_find((uint32_t)guest_handle);
    return info == NULL || __builtin_expect(info->measured, 1) ? info : comm_info_slowly(info);
}
/* Before the communicator is freed: complete what the library still needs it for. */
void comm_settle(uint32_t guest, MPI_Comm comm, const char *here);
bool comm_neighbours(struct comm_info *info); /* false: it has no topology */
/* Answer a call that makes a communicator: its handle to `at`, for which room has been seen, where `code` is success. */
wasm_trap_t *comm_answer(wasmtime_val_raw_t *v, const char *here, uint32_t at, MPI_Comm made, int code);
extern int mpi_tag_upper_bound;

/* Ranks and tags of a call on `info`; false for what the standard does not allow there. */
static inline bool peer_in(const struct comm_info *info, int32_t rank, int *host) {
    if (__builtin_expect(rank >= 0 && rank < info->peers, 1)) {
        *host = rank;
        return true;
    }
    *host = MPI_PROC_NULL;
    return rank == ABI_MPI_PROC_NULL;
}
static inline bool source_in(const struct comm_info *info, int32_t rank, int *host) {
    if (rank == ABI_MPI_ANY_SOURCE) {
        *host = MPI_ANY_SOURCE;
        return true;
    }
    return peer_in(info, rank, host);
}
static inline bool tag_in(int32_t tag, int *host) {
    *host = tag;
    return tag >= 0 && tag <= mpi_tag_upper_bound;
}
static inline bool any_tag_in(int32_t tag, int *host) {
    if (tag == ABI_MPI_ANY_TAG) {
        *host = MPI_ANY_TAG;
        return true;
    }
    return tag_in(tag, host);
}
/* Who gives and who takes in a rooted collective: `root` holds at the root, `leaf` at whoever faces it (on an
 * intracommunicator the root is one of these too). */
struct roles {
    int host_root;
    bool root, leaf;
};
bool root_in(const struct comm_info *info, int32_t root, struct roles *roles);

/* Datatypes. */
enum quads { NO_QUADS, QUADS_ALONE, QUADS_AMONG_OTHERS };
struct type_info {
    MPI_Datatype host;
    bool present; /* in the table of predefined ones: the guest has such a type, and the node's MPI */
    bool natural; /* predefined, and what the node's type is given back as */
    bool committed;
    bool measured;
    bool bounded;            /* its bounds were set, here or in what it is made of: no struct adds padding to them */
    bool padded;             /* `host` is what the guest made with other bounds */
    enum quads quads;        /* does it hold numbers of 16 bytes, which the node cannot compute with? See mpi_quads.c */
    const char *name;        /* of a predefined one, where the node's is called otherwise */
    char *given_name;        /* instead of that, by the guest */
    const uint32_t *parts;   /* what it was made of: the guest's predefined types, 0 for others; NULL: as the node says */
    int64_t lower, extent, true_lower, true_extent, size; /* bytes */
    uint64_t serial;         /* no other datatype has or had it, whereas handles come again; 0: not measured yet */
};
/* Is it in the table of predefined types? Then its handle; otherwise 0. */
uint32_t type_predefined_handle(const struct type_info *info);
struct type_info *type_info_slowly(struct type_info *info);
struct type_info *type_find(uint32_t guest); /* NULL: none, or one that the node lacks */
extern struct type_info type_predefined[0x200]; /* by guest handle - 0x200, generated */
static inline struct type_info *type_info_in(int32_t guest_handle) {
    uint32_t place = (uint32_t)guest_handle - 0x200;
    if (__builtin_expect(place < 0x200 && type_predefined[place].measured, 1)) {
        return &type_predefined[place];
    }
    struct type_info *info = type_find((uint32_t)guest_handle);
    return info == NULL || __builtin_expect(info->measured, 1) ? info : type_info_slowly(info);
}
void type_committed(uint32_t guest);
extern uint64_t datatype_drops; /* how many handles of datatypes were dropped */

/* The world has gone: its two communicators mean nothing. */
void world_end(void);
/* MPI has gone down, and all that the guest has handles of with it, but for its infos. */
void handles_end(void);

enum { MOST_PARTITIONS = 1 << 24 }; /* of a request; we keep a byte for each */
/* Requests own the memory that their call needs until they complete. */
enum request_sort {
    REQUEST_ONCE,
    REQUEST_GENERAL,    /* once, by the guest's word */
    REQUEST_COLLECTIVE, /* once, and neither freed nor cancelled: MPI 5.0, section 6.12 */
    REQUEST_RESTARTS,   /* this and all below */
    REQUEST_RESTARTS_ALL, /* a collective */
    REQUEST_GIVES_PARTS,
    REQUEST_TAKES_PARTS,
};
uint32_t request_out_with(MPI_Request host, struct scratch *owned, enum request_sort sort, int32_t parts);
/* May it be started again? Has it these partitions, to give or to take? Libraries look into requests unasked. */
bool request_restarts(int32_t guest);
bool request_parts(int32_t guest, bool gives, int32_t low, int32_t high);
bool request_listed_parts(int32_t guest, const int *list, int64_t length);
bool request_cancels(int32_t guest);
void request_forget(int32_t guest); /* drop the handle, not the memory: the request may be active */
void request_started(int32_t guest);
void request_finish(void); /* give collectives that are pending a last chance: Open MPI's MPI_Finalize crashes otherwise */
void request_rested(int32_t guest); /* a call has completed it */
bool request_settles(struct slot *slot); /* is one that restarts idle, or can it be made so at once? */
/* A request reads or writes this file. Libraries look into the file until it has completed: no file is closed before. */
void request_of_file(int32_t guest, int32_t file);
bool requests_of_file(int32_t file);      /* are there some that the guest has to complete? */
bool requests_kept(int32_t file);         /* or that it has freed? */
void requests_complete(int32_t file);     /* those that it has freed */
/* A request is of a collective on this communicator; and wait for those that are pending on it. */
void request_of_comm(uint32_t guest, uint32_t comm);
void requests_of_comm_end(uint32_t comm);

/* How many functions of generalized requests are running, and whether a call below one of them still uses this request:
 * then another call must not name it. */
extern uint32_t requests_held;
bool request_held_slowly(int32_t guest);
static inline bool request_held(int32_t guest) {
    return UNLIKELY(requests_held != 0) && request_held_slowly(guest);
}
bool grequest_busy(const struct slot *slot, uint32_t guest);
void grequest_forget(const struct slot *slot, uint32_t guest); /* MPI_Request_free takes the handle away */

#endif
