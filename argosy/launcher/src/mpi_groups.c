/* Two groups together.
 *
 * Invariants.
 * - MPICH 5.0 ends the job where a set operation meets groups of two sessions, of a session and the world, or of a
 *   session and MPI_GROUP_EMPTY. It compares groups and translates ranks between any. So where the guest has sessions,
 *   no library's set operation is called: ranks are translated, and the result is taken from one group.
 * - A union takes from both: it is taken from the group of all processes that the launcher has, which knows no process
 *   that came later. A union with such ones is refused where there are sessions.
 */
#include "mpi_sessions.h"

int *group_places(struct scratch *scratch, MPI_Group from, MPI_Group to, int *size) {
    if (MPI_Group_size(from, size) != MPI_SUCCESS) {
        return NULL;
    }
    int *ranks = scratch_take(scratch, (uint64_t)*size * sizeof *ranks);
    int *places = scratch_take(scratch, (uint64_t)*size * sizeof *places);
    if (ranks == NULL || places == NULL) {
        return NULL;
    }
    for (int i = 0; i < *size; i++) {
        ranks[i] = i;
    }
    return *size == 0 || MPI_Group_translate_ranks(from, *size, ranks, to, places) == MPI_SUCCESS ? places : NULL;
}

static int unite(struct scratch *scratch, MPI_Group all, MPI_Group one, MPI_Group other, MPI_Group *made) {
    int first, second, count = 0;
    int *ones = group_places(scratch, one, all, &first), *others = group_places(scratch, other, all, &second);
    int *known = ones == NULL || others == NULL ? NULL : group_places(scratch, other, one, &second);
    int *taken = known == NULL ? NULL : scratch_take(scratch, ((uint64_t)first + (uint64_t)second) * sizeof *taken);
    if (taken == NULL) {
        return MPI_ERR_NO_MEM;
    }
    for (int i = 0; i < first; i++) {
        taken[count++] = ones[i];
    }
    for (int i = 0; i < second; i++) {
        if (known[i] == MPI_UNDEFINED) {
            taken[count++] = others[i];
        }
    }
    for (int i = 0; i < count; i++) {
        if (taken[i] == MPI_UNDEFINED) {
            return MPI_ERR_GROUP;
        }
    }
    return MPI_Group_incl(all, count, taken, made);
}

/* What `one` has of `other`, or has alone. */
static int pick(struct scratch *scratch, bool shared, MPI_Group one, MPI_Group other, MPI_Group *made) {
    int size, count = 0;
    int *places = group_places(scratch, one, other, &size);
    if (places == NULL) {
        return MPI_ERR_NO_MEM;
    }
    for (int i = 0; i < size; i++) {
        if ((places[i] != MPI_UNDEFINED) == shared) {
            places[count++] = i;
        }
    }
    return MPI_Group_incl(one, count, places, made);
}

int groups_combine(enum groups how, MPI_Group one, MPI_Group other, MPI_Group *made) {
    MPI_Group all;
    if (!sessions_group(&all)) {
        return how == GROUPS_UNITE   ? MPI_Group_union(one, other, made)
               : how == GROUPS_SHARE ? MPI_Group_intersection(one, other, made)
                                     : MPI_Group_difference(one, other, made);
    }
    struct scratch scratch = {NULL};
    int code = how == GROUPS_UNITE ? unite(&scratch, all, one, other, made)
                                   : pick(&scratch, how == GROUPS_SHARE, one, other, made);
    scratch_free(&scratch);
    return code;
}

static wasm_trap_t *combine(wasmtime_val_raw_t *v, const char *here, enum groups how) {
    MPI_Group one, other, made = MPI_GROUP_NULL;
    uint32_t at = (uint32_t)v[2].i32;
    if (!group_in(v[0].i32, &one) || one == MPI_GROUP_NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "group1", ABI_MPI_ERR_GROUP);
        return NULL;
    }
    if (!group_in(v[1].i32, &other) || other == MPI_GROUP_NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "group2", ABI_MPI_ERR_GROUP);
        return NULL;
    }
    if (!room(at, 1, 4)) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "newgroup", ABI_MPI_ERR_ARG);
        return NULL;
    }
    int code = groups_combine(how, one, other, &made);
    if (code == MPI_ERR_GROUP) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "group2", ABI_MPI_ERR_GROUP);
        return NULL;
    }
    uint32_t handle = code == MPI_SUCCESS ? group_out(made) : 0;
    if (code == MPI_SUCCESS && handle == 0) {
        return guest_trap("%s: no room for another MPI_Group", here);
    }
    if (code == MPI_SUCCESS) {
        put32(at, (int32_t)handle);
    }
    v[0].i32 = error_out(code);
    return NULL;
}

IMPORT(MPI_Group_union) {
    ENTER("MPI_Group_union")
    return combine(v, here, GROUPS_UNITE);
}

IMPORT(MPI_Group_intersection) {
    ENTER("MPI_Group_intersection")
    return combine(v, here, GROUPS_SHARE);
}

IMPORT(MPI_Group_difference) {
    ENTER("MPI_Group_difference")
    return combine(v, here, GROUPS_DIFFER);
}
