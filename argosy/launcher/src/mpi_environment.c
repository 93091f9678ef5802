/* Beginning and end of MPI, and what the launcher sees of the glue.
 *
 * Invariants.
 * - mpi_phase is LIVE exactly from a successful MPI_Init to the return of MPI_Finalize, but for the time inside a user's
 *   reduction function.
 * - The guest has one thread, so MPI is asked for at most MPI_THREAD_SERIALIZED, and no more is reported.
 */
#include "mpi_imports.h"
#include "mpi_processes.h"
#include "mpi_types.h"

enum phase mpi_phase = PHASE_OUTSIDE;

/* What a reduction function may ask for; the standard forbids it all communication. */
static const char *const in_operation[] = {
    "MPI_Abort",           "MPI_Comm_rank",       "MPI_Comm_size",     "MPI_Type_get_attr",        "MPI_Type_get_contents",
    "MPI_Type_get_envelope", "MPI_Type_get_extent", "MPI_Type_get_extent_x", "MPI_Type_get_true_extent", "MPI_Type_get_name",
    "MPI_Type_size",       "MPI_Type_size_x",
};

wasm_trap_t *mpi_gate(const char *function) {
    if (mpi_phase == PHASE_OPERATION) {
        for (size_t i = 0; i < sizeof in_operation / sizeof *in_operation; i++) {
            if (strcmp(in_operation[i], function) == 0) {
                return NULL;
            }
        }
        return guest_trap("%s: called inside a reduction operation, where MPI forbids communication", function);
    }
    int finalized = 0;
    MPI_Finalized(&finalized);
    return guest_trap("%s: called %s", function, finalized ? "after MPI_Finalize" : "before MPI_Init");
}

static void begin(void) {
    int *bound = NULL, found = 0;
    mpi_phase = PHASE_LIVE;
    quads_begin();
    if (MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_TAG_UB, &bound, &found) == MPI_SUCCESS && found) {
        mpi_tag_upper_bound = *bound;
    }
    processes_begin();
}

/* The guest's argc and argv stay as they are: MPI finds what it needs in its own process. */
IMPORT(MPI_Init) {
    int code = MPI_Init(NULL, NULL);
    if (code == MPI_SUCCESS) {
        begin();
    }
    v[0].i32 = error_out(code);
    return NULL;
}

IMPORT(MPI_Init_thread) {
    int required, provided = MPI_THREAD_SINGLE;
    if (!constant_in(constants_thread_levels, v[2].i32, &required)) {
        return guest_trap("MPI_Init_thread: the argument `required` is no level of thread support");
    }
    if (!room((uint32_t)v[3].i32, 1, 4)) {
        return guest_trap("MPI_Init_thread: the argument `provided` is outside memory");
    }
    int code = MPI_Init_thread(NULL, NULL, required < MPI_THREAD_SERIALIZED ? required : MPI_THREAD_SERIALIZED, &provided);
    if (code == MPI_SUCCESS) {
        begin();
    }
    provided = provided < MPI_THREAD_SERIALIZED ? provided : MPI_THREAD_SERIALIZED;
    put32((uint32_t)v[3].i32, constant_out(constants_thread_levels, provided));
    v[0].i32 = error_out(code);
    return NULL;
}

IMPORT(MPI_Finalize) {
    ENTER("MPI_Finalize")
    processes_end();
    quads_end();
    int code = MPI_Finalize();
    if (code == MPI_SUCCESS) {
        mpi_phase = PHASE_OUTSIDE;
    }
    v[0].i32 = error_out(code);
    return NULL;
}

/* Ends the job even from outside MPI's life or with a communicator that is none. */
IMPORT(MPI_Abort) {
    MPI_Comm comm;
    if (mpi_phase == PHASE_OUTSIDE) {
        return guest_trap("MPI_Abort(%d)", v[1].i32);
    }
    if (!comm_in(v[0].i32, &comm) || comm == MPI_COMM_NULL) {
        comm = MPI_COMM_WORLD;
    }
    fflush(NULL);
    v[0].i32 = error_out(MPI_Abort(comm, v[1].i32));
    return guest_trap("MPI_Abort returned");
}

/* --- what the launcher sees ------------------------------------------------------------------------------------- */

static void attach(struct guest *attached) {
    (void)attached; /* there is one guest, and the glue reads it directly */
}

static int rank(void) {
    int value = -1;
    if (mpi_phase != PHASE_OUTSIDE && MPI_Comm_rank(MPI_COMM_WORLD, &value) != MPI_SUCCESS) {
        value = -1;
    }
    return value;
}

static void abort_job(int status) {
    if (mpi_phase != PHASE_OUTSIDE) {
        MPI_Abort(MPI_COMM_WORLD, status);
    }
}

static const char *library(void) {
    static char text[MPI_MAX_LIBRARY_VERSION_STRING + 1];
    int length;
    MPI_Get_library_version(text, &length);
    return text;
}

__attribute__((visibility("default"))) const struct mpi_glue argosy_mpi_glue = {
    .version = ARGOSY_GLUE_VERSION,
    .imports = mpi_imports,
    .count = MPI_IMPORT_COUNT,
    .attach = attach,
    .rank = rank,
    .abort = abort_job,
    .library = library,
};
