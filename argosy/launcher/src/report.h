/* How the launcher says what went wrong, and leaves. Nothing here returns to a guest. */
#ifndef ARGOSY_REPORT_H
#define ARGOSY_REPORT_H

#include "guest.h"

enum {
    STATUS_CANNOT_RUN = 126, /* the module cannot be started on this node */
};

/* The glue whose job is to be aborted when this rank fails; NULL for a program without MPI. A rank of processes that
 * others started has a world of its own, so messages call it a spawned one. */
void report_set_glue(const struct mpi_glue *glue, bool spawned);

/* The rank in the job: from MPI while it is up, else from what the process manager told this process; -1: no job. */
int rank_in_job(void);

/* "argosy-launch: rank R: message" on stderr in one write, then leave with `status`; nothing has run yet. */
_Noreturn void refuse(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Like `refuse`, with wasmtime's own text after `what`; takes the error over. */
_Noreturn void refuse_error(const char *what, wasmtime_error_t *error);

/* What running the guest gave: returns when both are NULL, else leaves: with the guest's status when it called exit(),
 * with ARGOSY_TRAP_STATUS and the guest's backtrace when it trapped. `what` (or NULL) says from where it was called. */
void report_outcome(wasmtime_error_t *error, wasm_trap_t *trap, const char *what);

/* The guest has ended by itself. */
_Noreturn void leave(int status);

#endif
