/* Where the launchers of several ranks speak with each other.
 *
 * What one rank is told of another one's window decides about what it may touch there. Were it told on a communicator of
 * the guest's, a guest could answer in its launcher's place, with an MPI_Allgather of its own that states a larger window,
 * and could read what the other launcher said. So launchers speak on communicators that no guest has a handle of.
 *
 * - They come from a copy of MPI_COMM_WORLD that is made inside MPI_Init, before any guest can send anything: nothing
 *   that a guest does on its own communicators takes part in making them.
 * - Ranks of several worlds, and ranks that have no world but sessions, have no such copy in common. There the guest's own
 *   communicator serves to make one, as it does to the MPI library itself; no more than its context is agreed upon there,
 *   and who is in it is known to each rank beforehand.
 * - Which of the two holds is the same on all ranks: that two are of one world is so for both or for none.
 */
#include "mpi_private.h"

#include "mpi_sessions.h"

static MPI_Comm copy = MPI_COMM_NULL;

void private_begin(void) {
    if (MPI_Comm_dup(MPI_COMM_WORLD, &copy) != MPI_SUCCESS) {
        copy = MPI_COMM_NULL;
        return;
    }
    MPI_Comm_set_errhandler(copy, MPI_ERRORS_RETURN);
}

void private_end(void) {
    if (copy != MPI_COMM_NULL) {
        MPI_Comm_free(&copy);
    }
}

bool private_any(bool here) {
    int mine = here, all = 1;
    return copy == MPI_COMM_NULL || MPI_Allreduce(&mine, &all, 1, MPI_INT, MPI_MAX, copy) != MPI_SUCCESS || all != 0;
}

/* Is every process of the group in this one's world? */
static bool in_world(MPI_Group group) {
    MPI_Group world, others;
    int count = 1;
    if (copy == MPI_COMM_NULL || MPI_Comm_group(copy, &world) != MPI_SUCCESS) {
        return false;
    }
    if (groups_combine(GROUPS_DIFFER, group, world, &others) == MPI_SUCCESS) { /* the group may be a session's */
        MPI_Group_size(others, &count);
        if (others != MPI_GROUP_EMPTY) {
            MPI_Group_free(&others);
        }
    }
    MPI_Group_free(&world);
    return count == 0;
}

int private_make(const struct comm_info *comm, enum private_kind kind, MPI_Comm *made) {
    MPI_Group group;
    *made = MPI_COMM_NULL;
    int code = MPI_Comm_group(comm->host, &group);
    if (code != MPI_SUCCESS) {
        return code;
    }
    /* Not MPI_Comm_dup, which calls the guest's functions that copy attributes. Nor does MPI call them when it duplicates
     * what is made here, as it does for windows and files. */
    code = in_world(group) ? MPI_Comm_create_group(copy, group, kind, made) : MPI_Comm_create(comm->host, group, made);
    MPI_Group_free(&group);
    if (code == MPI_SUCCESS) {
        MPI_Comm_set_errhandler(*made, MPI_ERRORS_RETURN);
    }
    return code;
}

void private_free(MPI_Comm *made) {
    if (*made != MPI_COMM_NULL) {
        MPI_Comm_free(made);
    }
}
