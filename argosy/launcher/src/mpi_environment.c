/* Beginning and end of MPI, and what the launcher sees of the glue.
 *
 * Invariants.
 * - mpi_phase is LIVE exactly while the guest has the world (from a successful MPI_Init to the return of MPI_Finalize)
 *   or a session, but for the time inside a user's reduction function.
 * - When the library goes down, what the guest has handles of is forgotten: it may come up again for a session.
 * - The guest has one thread, so MPI is asked for at most MPI_THREAD_SERIALIZED, and no more is reported.
 */
#include "mpi_callbacks.h"
#include "mpi_imports.h"
#include "mpi_private.h"
#include "mpi_processes.h"
#include "mpi_sessions.h"
#include "mpi_traffic.h"
#include "mpi_types.h"
#include "mpi_windows.h"

enum phase mpi_phase = PHASE_OUTSIDE;
bool mpi_world, mpi_ended;

/* What a reduction function may ask for; the standard forbids it all communication. */
static const char *const in_operation[] = {
    "MPI_Abort",           "MPI_Comm_rank",       "MPI_Comm_size",     "MPI_Type_get_attr",        "MPI_Type_get_contents",
    "MPI_Type_get_envelope", "MPI_Type_get_extent", "MPI_Type_get_extent_x", "MPI_Type_get_true_extent", "MPI_Type_get_name",
    "MPI_Type_size",       "MPI_Type_size_x",
};

wasm_trap_t *mpi_gate(const char *function) {
    if (mpi_phase == PHASE_OPERATION || mpi_phase == PHASE_EVENT) {
        for (size_t i = 0; i < sizeof in_operation / sizeof *in_operation; i++) {
            if (strcmp(in_operation[i], function) == 0) {
                return NULL;
            }
        }
        return mpi_phase == PHASE_EVENT
                   ? guest_trap("%s: called inside a tool's event function, where MPI forbids it", function)
                   : guest_trap("%s: called inside a reduction operation, where MPI forbids communication", function);
    }
    int finalized = 0;
    MPI_Finalized(&finalized);
    return guest_trap("%s: called %s", function,
                      finalized         ? "after MPI_Finalize"
                      : sessions_keep() ? "after the last MPI_Session_finalize"
                                        : "before MPI_Init");
}

static void begin(void) {
    int *bound = NULL, found = 0;
    mpi_phase = PHASE_LIVE;
    mpi_world = true;
    quads_begin();
    errhandlers_make();
    if (MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_TAG_UB, &bound, &found) == MPI_SUCCESS && found) {
        mpi_tag_upper_bound = *bound;
    }
    private_begin();
    grant_begin();
}

static void put_threads(uint32_t address, int provided) {
    int honest = provided < MPI_THREAD_SERIALIZED ? provided : MPI_THREAD_SERIALIZED;
    put32(address, constant_out(constants_thread_levels, honest));
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
    put_threads((uint32_t)v[3].i32, provided);
    v[0].i32 = error_out(code);
    return NULL;
}

IMPORT(MPI_Query_thread) {
    ENTER("MPI_Query_thread")
    int provided = MPI_THREAD_SINGLE;
    if (!room((uint32_t)v[0].i32, 1, 4)) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "provided", ABI_MPI_ERR_ARG);
        return NULL;
    }
    int code = MPI_Query_thread(&provided);
    if (code == MPI_SUCCESS) {
        put_threads((uint32_t)v[0].i32, provided);
    }
    v[0].i32 = error_out(code);
    return NULL;
}

IMPORT(MPI_Finalize) {
    ENTER("MPI_Finalize")
    if (!mpi_world) { /* of a program that has sessions alone */
        return guest_trap("%s: called %s", here, mpi_ended ? "after MPI_Finalize" : "before MPI_Init");
    }
    if (guest_depth > 0) { /* it would take away what the frames below still use */
        return guest_trap("%s: called inside a function that MPI calls", here);
    }
    wasm_trap_t *left = sessions_open() ? NULL : win_left(here);
    if (left != NULL) {
        return left;
    }
    grant_end();
    request_finish();
    private_end();
    if (!sessions_keep()) {
        quads_end();
    }
    int code = MPI_Finalize();
    if (code == MPI_SUCCESS) {
        mpi_world = false;
        world_end();
        mpi_phase = sessions_open() ? PHASE_LIVE : PHASE_OUTSIDE;
        if (!sessions_keep()) {
            mpi_ended = true;
            handles_end();
            keys_end();
        }
    }
    v[0].i32 = error_out(code);
    return NULL;
}

/* Ends the job even from outside MPI's life or with a communicator that is none. */
IMPORT(MPI_Abort) {
    if (mpi_phase == PHASE_OUTSIDE) {
        return guest_trap("MPI_Abort(%d)", v[1].i32);
    }
    const struct comm_info *comm = comm_find((uint32_t)v[0].i32);
    fflush(NULL);
    if (comm == NULL || (!mpi_world && (comm == &comm_world_info || comm == &comm_self_info))) {
        mpi_abort(v[1].i32);
    } else {
        MPI_Abort(comm->host, v[1].i32);
    }
    return guest_trap("MPI_Abort(%d)", v[1].i32);
}

/* --- what the launcher sees ------------------------------------------------------------------------------------- */

static void attach(struct guest *attached) {
    (void)attached; /* there is one guest, and the glue reads it directly */
}

int mpi_rank(void) {
    int value = -1;
    if (!mpi_world) {
        return mpi_phase == PHASE_OUTSIDE ? -1 : sessions_rank();
    }
    return MPI_Comm_rank(MPI_COMM_WORLD, &value) == MPI_SUCCESS ? value : -1;
}

static int size(void) {
    int value = -1;
    return mpi_world && MPI_Comm_size(MPI_COMM_WORLD, &value) == MPI_SUCCESS ? value : -1;
}

/* Without the world any communicator serves; where there is none, whoever calls this ends the process, which ends the
 * job as well: it has not finalized. */
void mpi_abort(int status) {
    if (mpi_world) {
        MPI_Abort(MPI_COMM_WORLD, status);
    }
    for (uint32_t i = 0; mpi_phase != PHASE_OUTSIDE && i < comm_handles.used; i++) {
        struct slot *slot = &comm_handles.slots[i];
        MPI_Comm comm = comm_unpack(slot->host);
        if (slot->references != 0 && comm != MPI_COMM_NULL) {
            MPI_Abort(comm, status);
        }
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
    .rank = mpi_rank,
    .size = size,
    .traffic = mpi_traffic,
    .abort = mpi_abort,
    .library = library,
    .finish = sessions_finish,
};
