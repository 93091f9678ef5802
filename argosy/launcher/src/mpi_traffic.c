/* See mpi_traffic.h. The arguments are the guest's and not yet checked: what is wrong moves nothing, and the call itself
 * says what is wrong. */
#include "mpi_traffic.h"

static bool read_count(uint32_t address, int64_t place, bool wide, int64_t *count) {
    int32_t narrow = 0;
    bool there = wide ? guest_read(address + (uint32_t)place * 8, count, 8)
                      : guest_read(address + (uint32_t)place * 4, &narrow, 4);
    *count = wide ? *count : narrow;
    return there;
}

static bool add(uint64_t *bytes, int64_t count, int64_t times, const struct type_info *type) {
    uint64_t product;
    return type != NULL && count >= 0 && times >= 0 && type->size >= 0 &&
           !__builtin_mul_overflow((uint64_t)count, (uint64_t)type->size, &product) &&
           !__builtin_mul_overflow(product, (uint64_t)times, &product) && !__builtin_add_overflow(*bytes, product, bytes);
}

static int64_t how_often(enum times times, struct comm_info *comm) {
    switch (times) {
    case ONE:
        return 1;
    case PEERS:
        return comm == NULL ? 0 : comm->peers;
    case SIZE:
        return comm == NULL ? 0 : comm->size;
    case IN_DEGREE:
        return comm == NULL || !comm_neighbours(comm) ? 0 : comm->in_degree;
    case OUT_DEGREE:
        return comm == NULL || !comm_neighbours(comm) ? 0 : comm->out_degree;
    }
    return 0;
}

/* The bytes of one buffer; 0 for arguments that the call will refuse. */
static uint64_t bytes_of(const struct message *message, const wasmtime_val_raw_t *v, struct comm_info *comm) {
    uint64_t bytes = 0;
    uint32_t counts = message->count >= 0 ? (uint32_t)v[message->count].i32 : 0;
    int64_t times = how_often(message->times, comm), count = 1;
    if (message->alone && (uint32_t)v[message->buffer].i32 == ABI_MPI_IN_PLACE) {
        return 0;
    }
    if (message->extent == PLAIN) {
        count = message->count < 0 ? 1 : message->wide ? v[message->count].i64 : v[message->count].i32;
        return add(&bytes, count, times, type_info_in(v[message->type].i32)) ? bytes : 0;
    }
    if (message->extent == OWN) {
        const struct type_info *type = type_info_in(v[message->type].i32);
        return comm != NULL && read_count(counts, comm->rank, message->wide, &count) && add(&bytes, count, 1, type)
                   ? bytes
                   : 0;
    }
    for (int64_t i = 0; i < times; i++) {
        int32_t handle = v[message->type].i32;
        if (message->extent == TYPES && !guest_read((uint32_t)handle + (uint32_t)i * 4, &handle, 4)) {
            return 0;
        }
        if (!read_count(counts, i, message->wide, &count) || !add(&bytes, count, 1, type_info_in(handle))) {
            return 0;
        }
    }
    return bytes;
}

/* The rank in MPI_COMM_WORLD of a rank of the communicator's (remote) group; -1: it is not in there. */
static int in_world(const struct comm_info *comm, int rank) {
    MPI_Group world, group;
    int found = MPI_UNDEFINED;
    if (!mpi_world) {
        return -1;
    }
    if (comm == &comm_world_info || rank < 0 || rank >= comm->peers) {
        return rank >= 0 && rank < comm->peers ? rank : -1;
    }
    if (MPI_Comm_group(MPI_COMM_WORLD, &world) != MPI_SUCCESS) {
        return -1;
    }
    int code = comm->inter ? MPI_Comm_remote_group(comm->host, &group) : MPI_Comm_group(comm->host, &group);
    if (code == MPI_SUCCESS) {
        MPI_Group_translate_ranks(group, 1, &rank, world, &found);
        MPI_Group_free(&group);
    }
    MPI_Group_free(&world);
    return found == MPI_UNDEFINED ? -1 : found;
}

static bool is_null(int8_t place, const wasmtime_val_raw_t *v) {
    return place >= 0 && v[place].i32 == ABI_MPI_PROC_NULL;
}

void mpi_traffic(size_t import, const wasmtime_val_raw_t *v, struct traffic *traffic) {
    const struct rule *rule = &mpi_rules[import];
    if (rule->count == 0 || mpi_phase != PHASE_LIVE) {
        return;
    }
    struct comm_info *comm = rule->comm >= 0 ? comm_info_in(v[rule->comm].i32) : NULL;
    struct roles roles = {.root = true, .leaf = true};
    if (rule->root >= 0 && (comm == NULL || !root_in(comm, v[rule->root].i32, &roles))) {
        return;
    }
    if (is_null(rule->target, v)) {
        return;
    }
    bool gives_operand = rule->op < 0 || v[rule->op].i32 != ABI_MPI_NO_OP;
    for (int i = 0; i < rule->count; i++) {
        const struct message *message = &rule->messages[i];
        bool takes_part = message->role == EVERYONE   ? true
                          : message->role == ROOT     ? roles.root
                          : message->role == LEAF     ? roles.leaf
                          : message->role == EITHER   ? roles.root || roles.leaf
                                                      : gives_operand;
        uint64_t bytes = takes_part ? bytes_of(message, v, comm) : 0;
        bool both = message->role == EITHER; /* a broadcast's buffer: the root's is sent, the others' received */
        if (message->sends && !is_null(rule->dest, v) && (!both || roles.root)) {
            traffic->sent += bytes;
        }
        if (message->receives && !is_null(rule->source, v) && (!both || !roles.root)) {
            traffic->received += bytes;
        }
    }
    if (rule->dest >= 0 && comm != NULL) {
        traffic->to = in_world(comm, v[rule->dest].i32);
    }
}
