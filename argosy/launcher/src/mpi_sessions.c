/* Sessions: MPI without, beside or after the world that MPI_Init makes.
 *
 * Invariants.
 * - The first session of the guest brings one of our own, the keeper, which is open until the guest leaves: a library
 *   that was down cannot always begin again (MPICH 4.0 ends the process then), and with the keeper it never goes down
 *   between two sessions of the guest, nor at MPI_Finalize. The guest sees none of that: when it has neither a session
 *   nor the world, its calls are refused.
 * - The keeper is closed only where the guest closed all it had opened, as MPI_Finalize is the guest's to call.
 * - Libraries call no error handler, or end the job, for some wrong arguments of a program without MPI_COMM_WORLD. So
 *   names and numbers of process sets and groups are checked before, and refused to the handler that the guest named.
 */
#include "mpi_sessions.h"

#include "mpi_bsend.h"
#include "mpi_callbacks.h"
#include "mpi_types.h"
#include "mpi_windows.h"

#if HAVE_MPI_Session_init

static MPI_Session keeper;
static MPI_Group world_group = MPI_GROUP_NULL;
static bool kept;
static int open_sessions, world_rank = -1;

bool sessions_open(void) {
    return open_sessions > 0;
}

bool sessions_keep(void) {
    return kept;
}

bool sessions_group(MPI_Group *all) {
    *all = world_group;
    return kept && world_group != MPI_GROUP_NULL;
}

int sessions_rank(void) {
    return world_rank;
}

void sessions_finish(void) {
    if (kept && open_sessions == 0 && !mpi_world) {
        quads_end();
        MPI_Session_finalize(&keeper);
        kept = false;
    }
}

/* MPICH before 5.0 makes communicators from groups of all processes or of one; others only when it has a world, which
 * the first from all processes makes too. It ends the process where it has none. */
#define NEEDS_WORLD MPICH_BEFORE(50000000)
#define BEGINS_ONCE MPICH_BEFORE(50000000)
static bool world_made;

static int keep(void) {
    int code = MPI_Session_init(MPI_INFO_NULL, MPI_ERRORS_RETURN, &keeper);
    if (code != MPI_SUCCESS) {
        return code;
    }
    kept = true;
    if (MPI_Group_from_session_pset(keeper, "mpi://WORLD", &world_group) == MPI_SUCCESS) {
        MPI_Group_rank(world_group, &world_rank);
    }
    return MPI_SUCCESS;
}

void threads_honest(MPI_Info info) {
    char level[64];
    int found = 0;
    if (MPI_Info_get(info, "thread_level", sizeof level - 1, level, &found) == MPI_SUCCESS && found &&
        strcmp(level, "MPI_THREAD_MULTIPLE") == 0) {
        MPI_Info_set(info, "thread_level", "MPI_THREAD_SERIALIZED");
    }
}

/* The guest's session; its error handler is set when it is there, so that what goes wrong before is ours to answer. */
static int open_session(MPI_Info wanted, MPI_Session *made) {
    MPI_Info info;
    int code = mpi_ended && BEGINS_ONCE ? MPI_ERR_OTHER : kept ? MPI_SUCCESS : keep();
    if (code != MPI_SUCCESS) {
        return code;
    }
    code = wanted == MPI_INFO_NULL ? MPI_Info_create(&info) : MPI_Info_dup(wanted, &info);
    if (code == MPI_SUCCESS) {
        threads_honest(info);
        code = MPI_Session_init(info, MPI_ERRORS_RETURN, made);
        MPI_Info_free(&info);
    }
    return code;
}

IMPORT(MPI_Session_init) {
    static const char here[] = "MPI_Session_init";
    if (mpi_phase == PHASE_OPERATION) {
        return mpi_gate(here);
    }
    int32_t handler = v[1].i32;
    uint32_t at = (uint32_t)v[2].i32;
    MPI_Info info;
    if (!errhandler_fits(handler, OF_SESSION)) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "errhandler", ABI_MPI_ERR_ERRHANDLER);
    } else if (!info_in(v[0].i32, &info)) {
        v[0].i32 = refuse_by(handler, ABI_MPI_SESSION_NULL, here, "info", ABI_MPI_ERR_INFO);
    } else if (!room(at, 1, 4)) {
        v[0].i32 = refuse_by(handler, ABI_MPI_SESSION_NULL, here, "session", ABI_MPI_ERR_ARG);
    } else {
        MPI_Session made = MPI_SESSION_NULL;
        int code = open_session(info, &made);
        if (code != MPI_SUCCESS) {
            v[0].i32 = refuse_by(handler, ABI_MPI_SESSION_NULL, here, "session", error_out(code));
            return NULL;
        }
        mpi_phase = PHASE_LIVE;
        open_sessions++;
        quads_begin();
        errhandlers_make();
        MPI_Errhandler host;
        errhandler_in(handler, &host);
        MPI_Session_set_errhandler(made, host);
        uint32_t handle = session_out(made);
        if (handle == 0) {
            return guest_trap("%s: no room for another MPI_Session", here);
        }
        put32(at, (int32_t)handle);
        v[0].i32 = ABI_MPI_SUCCESS;
    }
    return NULL;
}

IMPORT(MPI_Session_finalize) {
    ENTER("MPI_Session_finalize")
    uint32_t at = (uint32_t)v[0].i32;
    MPI_Session session;
    int32_t handle = room(at, 1, 4) ? get32(at) : ABI_MPI_SESSION_NULL;
    if (!session_in(handle, &session) || session == MPI_SESSION_NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "session", ABI_MPI_ERR_SESSION);
        return NULL;
    }
    wasm_trap_t *left = open_sessions > 1 || mpi_world ? NULL : win_left(here);
    if (left != NULL) {
        return left;
    }
    bsend_session_ends(session, here);
    int code = MPI_Session_finalize(&session);
    if (code == MPI_SUCCESS) {
        session_drop(handle);
        put32(at, ABI_MPI_SESSION_NULL);
        open_sessions--;
        mpi_phase = open_sessions > 0 || mpi_world ? PHASE_LIVE : PHASE_OUTSIDE;
    }
    v[0].i32 = error_out(code);
    return NULL;
}

/* --- process sets -------------------------------------------------------------------------------------------------- */

/* The n-th process set's name; false when there is none. */
static bool nth_set(MPI_Session session, int n, char name[static MPI_MAX_PSET_NAME_LEN + 1]) {
    int count = 0, length = MPI_MAX_PSET_NAME_LEN;
    name[MPI_MAX_PSET_NAME_LEN] = 0;
    return n >= 0 && MPI_Session_get_num_psets(session, MPI_INFO_NULL, &count) == MPI_SUCCESS && n < count &&
           MPI_Session_get_nth_pset(session, MPI_INFO_NULL, n, &length, name) == MPI_SUCCESS;
}

bool session_has(MPI_Session session, char *name) {
    char known[MPI_MAX_PSET_NAME_LEN + 1];
    for (int n = 0; nth_set(session, n, known); n++) {
        if (strcasecmp(name, known) == 0) {
            memcpy(name, known, strlen(name));
            return true;
        }
    }
    return false;
}

/* In and out: *pset_len is the room with its NUL, 0 to ask only; then what the name needs. */
IMPORT(MPI_Session_get_nth_pset) {
    ENTER("MPI_Session_get_nth_pset")
    MPI_Session session;
    MPI_Info info;
    char name[MPI_MAX_PSET_NAME_LEN + 1];
    uint32_t length_at = (uint32_t)v[3].i32, name_at = (uint32_t)v[4].i32;
    if (!session_in(v[0].i32, &session) || session == MPI_SESSION_NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "session", ABI_MPI_ERR_SESSION);
    } else if (!info_in(v[1].i32, &info)) {
        v[0].i32 = refuse_session(session, here, "info", ABI_MPI_ERR_INFO);
    } else if (!nth_set(session, v[2].i32, name)) {
        v[0].i32 = refuse_session(session, here, "n", ABI_MPI_ERR_ARG);
    } else if (!room(length_at, 1, 4) || get32(length_at) < 0) {
        v[0].i32 = refuse_session(session, here, "pset_len", ABI_MPI_ERR_ARG);
    } else {
        uint64_t needed = strlen(name) + 1, given = (uint64_t)get32(length_at);
        if (given > 0 && !room(name_at, 1, given < needed ? given : needed)) {
            v[0].i32 = refuse_session(session, here, "pset_name", ABI_MPI_ERR_ARG);
            return NULL;
        }
        if (given > 0) {
            put_string(name_at, given < needed ? given : needed, name);
        }
        put32(length_at, (int32_t)needed);
        v[0].i32 = ABI_MPI_SUCCESS;
    }
    return NULL;
}

/* --- communicators from groups ------------------------------------------------------------------------------------- */

static bool same_as_world(MPI_Group group) {
    int order = MPI_UNEQUAL;
    return world_group != MPI_GROUP_NULL && MPI_Group_compare(group, world_group, &order) == MPI_SUCCESS &&
           order == MPI_IDENT;
}

/* Does this process belong to the group, and can the library make a communicator from it? */
static bool group_serves(MPI_Group group) {
    int rank = MPI_UNDEFINED, size = 0;
    if (MPI_Group_rank(group, &rank) != MPI_SUCCESS || rank == MPI_UNDEFINED) {
        return false;
    }
    if (!NEEDS_WORLD || mpi_world || world_made) {
        return true;
    }
    return MPI_Group_size(group, &size) == MPI_SUCCESS && (size == 1 || same_as_world(group));
}

static wasm_trap_t *comm_made(wasmtime_val_raw_t *v, const char *here, uint32_t at, MPI_Comm made, int code) {
    if (code == MPI_SUCCESS) {
        int *bound = NULL, found = 0;
        if (made != MPI_COMM_NULL && !mpi_world &&
            MPI_Comm_get_attr(made, MPI_TAG_UB, &bound, &found) == MPI_SUCCESS && found) {
            mpi_tag_upper_bound = *bound;
        }
    }
    return comm_answer(v, here, at, made, code);
}

/* What both constructors take at the same distance from the end: stringtag, info, errhandler, newcomm. */
struct from_group {
    const char *tag;
    MPI_Info info;
    MPI_Errhandler handler;
};

/* What is wrong with them, and its class; NULL: nothing. */
static const char *wrong_in(const wasmtime_val_raw_t *v, struct scratch *scratch, struct from_group *given,
                            int32_t *class) {
    given->tag = string_in(scratch, (uint32_t)v[0].i32);
    *class = ABI_MPI_ERR_ARG;
    if (given->tag == NULL || strlen(given->tag) >= MPI_MAX_STRINGTAG_LEN) {
        return "stringtag";
    }
    if (!room((uint32_t)v[3].i32, 1, 4)) {
        return "newcomm";
    }
    *class = ABI_MPI_ERR_INFO;
    return info_in(v[1].i32, &given->info) && errhandler_in(v[2].i32, &given->handler) ? NULL : "info";
}

IMPORT(MPI_Comm_create_from_group) {
    ENTER("MPI_Comm_create_from_group")
    struct scratch scratch = {NULL};
    struct from_group given;
    int32_t handler = v[3].i32, class;
    uint32_t at = (uint32_t)v[4].i32;
    MPI_Group group;
    if (!errhandler_fits(handler, OF_COMM)) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "errhandler", ABI_MPI_ERR_ERRHANDLER);
        return NULL;
    }
    const char *wrong = wrong_in(&v[1], &scratch, &given, &class);
    if (wrong == NULL && v[0].i32 == ABI_MPI_GROUP_EMPTY) { /* local, and not every library knows */
        put32(at, ABI_MPI_COMM_NULL);
        v[0].i32 = ABI_MPI_SUCCESS;
        scratch_free(&scratch);
        return NULL;
    }
    if (wrong == NULL && (!group_in(v[0].i32, &group) || group == MPI_GROUP_NULL || !group_serves(group))) {
        wrong = "group", class = ABI_MPI_ERR_GROUP;
    }
    if (wrong != NULL) {
        v[0].i32 = refuse_by(handler, ABI_MPI_COMM_NULL, here, wrong, class);
        scratch_free(&scratch);
        return NULL;
    }
    MPI_Comm made = MPI_COMM_NULL;
    int code = MPI_Comm_create_from_group(group, given.tag, given.info, given.handler, &made);
    world_made = world_made || (code == MPI_SUCCESS && same_as_world(group));
    scratch_free(&scratch);
    return comm_made(v, here, at, made, code);
}

/* Two groups that share no process, and a leader in each. */
static const char *wrong_groups(const wasmtime_val_raw_t *v, MPI_Group *local, MPI_Group *remote, int32_t *class) {
    int sizes[2] = {0, 0}, shared = 0;
    MPI_Group both = MPI_GROUP_NULL;
    *class = ABI_MPI_ERR_GROUP;
    if (!group_in(v[0].i32, local) || *local == MPI_GROUP_NULL || !group_serves(*local) ||
        (NEEDS_WORLD && !mpi_world && !world_made) || MPI_Group_size(*local, &sizes[0]) != MPI_SUCCESS) {
        return "local_group";
    }
    /* The standard lets all but the leader give anything here, and libraries read it everywhere. */
    if (!group_in(v[2].i32, remote) || *remote == MPI_GROUP_NULL || MPI_Group_size(*remote, &sizes[1]) != MPI_SUCCESS ||
        groups_combine(GROUPS_SHARE, *local, *remote, &both) != MPI_SUCCESS) {
        return "remote_group";
    }
    MPI_Group_size(both, &shared);
    if (both != MPI_GROUP_EMPTY) {
        MPI_Group_free(&both);
    }
    if (shared > 0) {
        return "remote_group";
    }
    *class = ABI_MPI_ERR_RANK;
    return v[1].i32 < 0 || v[1].i32 >= sizes[0]   ? "local_leader"
           : v[3].i32 < 0 || v[3].i32 >= sizes[1] ? "remote_leader"
                                                  : NULL;
}

IMPORT(MPI_Intercomm_create_from_groups) {
    ENTER("MPI_Intercomm_create_from_groups")
    struct scratch scratch = {NULL};
    struct from_group given;
    int32_t handler = v[6].i32, class;
    uint32_t at = (uint32_t)v[7].i32;
    MPI_Group local, remote;
    if (!errhandler_fits(handler, OF_COMM)) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "errhandler", ABI_MPI_ERR_ERRHANDLER);
        return NULL;
    }
    const char *wrong = wrong_in(&v[4], &scratch, &given, &class);
    if (wrong == NULL) {
        wrong = wrong_groups(v, &local, &remote, &class);
    }
    if (wrong != NULL) {
        v[0].i32 = refuse_by(handler, ABI_MPI_COMM_NULL, here, wrong, class);
        scratch_free(&scratch);
        return NULL;
    }
    MPI_Comm made = MPI_COMM_NULL;
    int code = MPI_Intercomm_create_from_groups(local, v[1].i32, remote, v[3].i32, given.tag, given.info, given.handler,
                                                &made);
    scratch_free(&scratch);
    return comm_made(v, here, at, made, code);
}

#else

bool sessions_open(void) {
    return false;
}

bool sessions_keep(void) {
    return false;
}

bool sessions_group(MPI_Group *all) {
    *all = MPI_GROUP_NULL;
    return false;
}

int sessions_rank(void) {
    return -1;
}

void sessions_finish(void) {}

#endif
