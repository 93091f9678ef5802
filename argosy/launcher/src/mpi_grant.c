/* How many processes a job may start (`--spawn N`, 0 by default).
 *
 * The root of a spawn decides, by what MPI keeps for the whole world in memory of the node's (a window on a communicator
 * that the guest has no handle of): what ranks tell each other on the guest's own communicators could be forged. Half of
 * what a spawn leaves goes with the world that it starts, which keeps that in the same way; so a job never starts more
 * than N. What was asked for is spent even when MPI fails to start it.
 */
#include "mpi_processes.h"

/* How many processes this world may still start: 8 bytes at its rank 0. */
static MPI_Win purse = MPI_WIN_NULL;
static MPI_Comm purse_comm = MPI_COMM_NULL;

void grant_begin(void) {
    int rank = 0;
    void *memory = NULL;
    if (guest_may_start() == 0 || MPI_Comm_dup(MPI_COMM_WORLD, &purse_comm) != MPI_SUCCESS) {
        return;
    }
    MPI_Comm_set_errhandler(purse_comm, MPI_ERRORS_RETURN);
    MPI_Comm_rank(purse_comm, &rank);
    if (MPI_Win_allocate(rank == 0 ? 8 : 0, 8, MPI_INFO_NULL, purse_comm, &memory, &purse) != MPI_SUCCESS) {
        purse = MPI_WIN_NULL;
        return;
    }
    MPI_Win_set_errhandler(purse, MPI_ERRORS_RETURN);
    if (rank == 0) {
        int64_t all = guest_may_start();
        MPI_Win_lock(MPI_LOCK_EXCLUSIVE, 0, 0, purse);
        MPI_Put(&all, 1, MPI_INT64_T, 0, 0, 1, MPI_INT64_T, purse);
        MPI_Win_unlock(0, purse);
    }
    MPI_Barrier(purse_comm);
}

void grant_end(void) {
    if (purse != MPI_WIN_NULL) {
        MPI_Win_free(&purse);
    }
    if (purse_comm != MPI_COMM_NULL) {
        MPI_Comm_free(&purse_comm);
    }
}

bool grant_take(int64_t processes, int64_t *have, int64_t *theirs) {
    bool taken = false;
    *have = 0;
    if (purse == MPI_WIN_NULL || MPI_Win_lock(MPI_LOCK_EXCLUSIVE, 0, 0, purse) != MPI_SUCCESS) {
        return false;
    }
    if (MPI_Get(have, 1, MPI_INT64_T, 0, 0, 1, MPI_INT64_T, purse) == MPI_SUCCESS &&
        MPI_Win_flush(0, purse) == MPI_SUCCESS && processes <= *have) {
        int64_t left = *have - processes;
        *theirs = left / 2;
        left -= *theirs;
        taken = MPI_Put(&left, 1, MPI_INT64_T, 0, 0, 1, MPI_INT64_T, purse) == MPI_SUCCESS &&
                MPI_Win_flush(0, purse) == MPI_SUCCESS;
    }
    return MPI_Win_unlock(0, purse) == MPI_SUCCESS && taken;
}
