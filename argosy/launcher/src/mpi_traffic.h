/* What a call moves, from its arguments: for traces alone. The table is generated (argosy/mpi/glue/traffic.py). */
#ifndef ARGOSY_MPI_TRAFFIC_H
#define ARGOSY_MPI_TRAFFIC_H

#include "mpi_handles.h"
#include "mpi_imports.h"

enum extent { PLAIN, VECTOR, TYPES, OWN };
enum times { ONE, PEERS, SIZE, IN_DEGREE, OUT_DEGREE };
enum role { EVERYONE, ROOT, LEAF, EITHER, OPERAND };

/* One message buffer: the places of its parameters among the arguments, -1: none. */
struct message {
    bool sends, receives, wide, alone; /* wide: counts of 64 bits; alone: not described where MPI_IN_PLACE stands */
    int8_t buffer, count, type;
    enum extent extent;
    enum times times;
    enum role role;
};

struct rule {
    int8_t count, comm, root, dest, source, target, op;
    struct message messages[3];
};

extern const struct rule mpi_rules[MPI_IMPORT_COUNT];

void mpi_traffic(size_t import, const wasmtime_val_raw_t *v, struct traffic *traffic);

#endif
