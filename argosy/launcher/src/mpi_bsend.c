/* Buffers for MPI_Bsend: the process's, a communicator's, a session's.
 *
 * Invariants.
 * - The buffer that the guest attaches is never MPI's: a library keeps pointers of its own in there, which a guest could
 *   change. MPI gets as much memory of the node; the guest gets its address back when it detaches.
 * - MPI's answer to a detachment says which memory it was. What is never detached stays: messages may still leave it.
 * - No request of a flush is pending on the node when its buffer goes: MPICH 5.0 would look into memory that it freed.
 */
#include "mpi_bsend.h"

#include "mpi_buffers.h"
#include "mpi_sessions.h"

/* Memory that MPI has, and the guest's address that it stands for. */
struct attached {
    struct attached *next;
    uint32_t address;
    max_align_t memory[];
};
static struct attached *all;
static bool process_has;

static uint32_t forget(const void *memory) {
    for (struct attached **at = &all; *at != NULL; at = &(*at)->next) {
        if ((*at)->memory == memory) {
            struct attached *found = *at;
            uint32_t address = found->address;
            *at = found->next;
            free(found);
            return address;
        }
    }
    return 0;
}

/* Who has a buffer. */
enum holder { PROCESS, COMMUNICATOR, SESSION };
struct holding {
    enum holder holder;
    MPI_Comm comm;
#if HAVE_MPI_Session_attach_buffer
    MPI_Session session;
#endif
};

static int32_t refused(const struct holding *by, const char *here, const char *argument, int32_t class) {
#if HAVE_MPI_Session_attach_buffer
    if (by->holder == SESSION) {
        return refuse_session(by->session, here, argument, class);
    }
#endif
    return refuse(by->comm, here, argument, class);
}

static int host_attach(const struct holding *by, void *memory, int64_t size) {
#if HAVE_MPI_Comm_attach_buffer_c
    if (by->holder == COMMUNICATOR) {
        return MPI_Comm_attach_buffer_c(by->comm, memory, size);
    }
#endif
#if HAVE_MPI_Session_attach_buffer_c
    if (by->holder == SESSION) {
        return MPI_Session_attach_buffer_c(by->session, memory, size);
    }
#endif
    (void)by;
#if HAVE_MPI_Buffer_attach_c
    return MPI_Buffer_attach_c(memory, size);
#else
    return MPI_Buffer_attach(memory, (int)size);
#endif
}

static int host_detach(const struct holding *by, void **memory, int64_t *size) {
    int code;
#if HAVE_MPI_Buffer_detach_c
    MPI_Count detached = 0;
#if HAVE_MPI_Comm_detach_buffer_c
    if (by->holder == COMMUNICATOR) {
        code = MPI_Comm_detach_buffer_c(by->comm, memory, &detached);
    } else
#endif
#if HAVE_MPI_Session_detach_buffer_c
    if (by->holder == SESSION) {
        code = MPI_Session_detach_buffer_c(by->session, memory, &detached);
    } else
#endif
    {
        code = MPI_Buffer_detach_c(memory, &detached);
    }
#else
    int detached = 0;
    code = MPI_Buffer_detach(memory, &detached);
#endif
    (void)by;
    *size = detached;
    return code;
}

static void attach(wasmtime_val_raw_t *v, const char *here, const struct holding *by, uint32_t address, int64_t size) {
    void *inside;
    int code;
#if HAVE_MPI_BUFFER_AUTOMATIC
    if (address == ABI_MPI_BUFFER_AUTOMATIC) {
        code = host_attach(by, MPI_BUFFER_AUTOMATIC, 0);
        process_has |= by->holder == PROCESS && code == MPI_SUCCESS;
        v[0].i32 = error_out(code);
        return;
    }
#endif
    int32_t wrong = buffer_bytes(address, size, &inside);
    if (wrong != 0 || (by->holder == PROCESS && process_has)) {
        v[0].i32 = refused(by, here, "buffer", wrong != 0 ? wrong : ABI_MPI_ERR_BUFFER);
        return;
    }
    /* The guest reckons with the ABI's MPI_BSEND_OVERHEAD, which is at least the node's. */
    struct attached *made = malloc(sizeof *made + (size_t)size + 1);
    if (made == NULL) {
        v[0].i32 = refused(by, here, "size", ABI_MPI_ERR_NO_MEM);
        return;
    }
    made->address = address;
    code = host_attach(by, made->memory, size);
    if (code == MPI_SUCCESS) {
        made->next = all;
        all = made;
        process_has |= by->holder == PROCESS;
    } else {
        free(made);
    }
    v[0].i32 = error_out(code);
}

/* --- flushes ------------------------------------------------------------------------------------------------------- */

#if HAVE_MPI_Buffer_iflush
/* The guest's requests of flushes, until they are found to be gone. */
struct flush {
    struct flush *next;
    struct holding of;
    uint32_t request;
};
static struct flush *flushes;

static bool same_buffer(const struct holding *one, const struct holding *other) {
    if (one->holder != other->holder) {
        return false;
    }
    return one->holder == COMMUNICATOR ? one->comm == other->comm
           : one->holder == SESSION    ? one->session == other->session
                                       : true;
}

static int answer_nothing(void *state, MPI_Status *status) {
    (void)state;
    if (status != NULL && status != MPI_STATUS_IGNORE) {
        MPI_Status_set_elements(status, MPI_BYTE, 0);
        MPI_Status_set_cancelled(status, 0);
        status->MPI_SOURCE = MPI_ANY_SOURCE;
        status->MPI_TAG = MPI_ANY_TAG;
    }
    return MPI_SUCCESS;
}
static int free_nothing(void *state) {
    (void)state;
    return MPI_SUCCESS;
}
static int cancel_nothing(void *state, int complete) {
    (void)state;
    (void)complete;
    return MPI_SUCCESS;
}

/* Complete the request of a flush; the guest's is then of something else that is complete. */
static void complete(struct slot *slot, int32_t request, const char *here) {
    if (request_held(request)) {
        refuse_fatally(here, "request", ABI_MPI_ERR_REQUEST);
    }
    MPI_Request host = request_unpack(slot->host), done;
    if (MPI_Wait(&host, MPI_STATUS_IGNORE) != MPI_SUCCESS ||
        MPI_Grequest_start(answer_nothing, free_nothing, cancel_nothing, NULL, &done) != MPI_SUCCESS ||
        MPI_Grequest_complete(done) != MPI_SUCCESS) {
        refuse_fatally(here, "request", ABI_MPI_ERR_OTHER);
    }
    slot->host = request_pack(done);
}

/* Forget the flushes whose requests are gone, and those of the buffer `by` (NULL: of none), which is about to go: these
 * are completed. Detaching would wait for what they wait for. */
static void flushes_end(const struct holding *by, const char *here) {
    for (struct flush **at = &flushes; *at != NULL;) {
        struct flush *flush = *at;
        struct slot *slot = slot_find(&request_handles, flush->request);
        if (slot != NULL && (by == NULL || !same_buffer(&flush->of, by))) {
            at = &flush->next;
            continue;
        }
        if (slot != NULL) {
            complete(slot, (int32_t)flush->request, here);
        }
        *at = flush->next;
        free(flush);
    }
}

static void flush_began(const struct holding *by, uint32_t request, const char *here) {
    flushes_end(NULL, here);
    struct flush *flush = malloc(sizeof *flush);
    if (flush == NULL) {
        refuse_fatally(here, "request", ABI_MPI_ERR_NO_MEM);
    }
    *flush = (struct flush){.next = flushes, .of = *by, .request = request};
    flushes = flush;
}

void bsend_flush_of_process(uint32_t request, const char *here) {
    flush_began(&(struct holding){.holder = PROCESS}, request, here);
}

void bsend_flush_of_comm(uint32_t request, MPI_Comm comm, const char *here) {
    flush_began(&(struct holding){.holder = COMMUNICATOR, .comm = comm}, request, here);
}

void bsend_flush_of_session(uint32_t request, MPI_Session session, const char *here) {
    flush_began(&(struct holding){.holder = SESSION, .session = session}, request, here);
}
#else
static void flushes_end(const struct holding *by, const char *here) {
    (void)by;
    (void)here;
}
#endif

void bsend_comm_ends(MPI_Comm comm, const char *here) {
    flushes_end(&(struct holding){.holder = COMMUNICATOR, .comm = comm}, here);
}

#if HAVE_MPI_Session_init
void bsend_session_ends(MPI_Session session, const char *here) {
#if HAVE_MPI_Session_attach_buffer
    flushes_end(&(struct holding){.holder = SESSION, .comm = MPI_COMM_NULL, .session = session}, here);
#else
    (void)session;
    (void)here;
#endif
}
#endif

/* --- to detach ----------------------------------------------------------------------------------------------------- */

static void detach(wasmtime_val_raw_t *v, const char *here, const struct holding *by, uint32_t address_at,
                   uint32_t size_at, bool large) {
    if (!room(address_at, 1, 4) || !room(size_at, 1, large ? 8 : 4)) {
        v[0].i32 = refused(by, here, "buffer_addr", ABI_MPI_ERR_ARG);
        return;
    }
    flushes_end(by, here);
    void *memory = NULL;
    int64_t size = 0;
    int code = host_detach(by, &memory, &size);
    if (code == MPI_SUCCESS) {
        uint32_t address = forget(memory);
#if HAVE_MPI_BUFFER_AUTOMATIC
        address = memory == MPI_BUFFER_AUTOMATIC ? ABI_MPI_BUFFER_AUTOMATIC : address;
#endif
        put32(address_at, (int32_t)address);
        if (large) {
            put64(size_at, size);
        } else {
            put32(size_at, (int32_t)size);
        }
        process_has = process_has && by->holder != PROCESS;
    }
    v[0].i32 = error_out(code);
}

/* --- of the process ------------------------------------------------------------------------------------------------ */

static const struct holding of_process = {.holder = PROCESS, .comm = MPI_COMM_WORLD};

IMPORT(MPI_Buffer_attach) {
    ENTER("MPI_Buffer_attach")
    attach(v, here, &of_process, (uint32_t)v[0].i32, v[1].i32);
    return NULL;
}

IMPORT(MPI_Buffer_detach) {
    ENTER("MPI_Buffer_detach")
    detach(v, here, &of_process, (uint32_t)v[0].i32, (uint32_t)v[1].i32, false);
    return NULL;
}

#if HAVE_MPI_Buffer_attach_c
IMPORT(MPI_Buffer_attach_c) {
    ENTER("MPI_Buffer_attach_c")
    attach(v, here, &of_process, (uint32_t)v[0].i32, v[1].i64);
    return NULL;
}

IMPORT(MPI_Buffer_detach_c) {
    ENTER("MPI_Buffer_detach_c")
    detach(v, here, &of_process, (uint32_t)v[0].i32, (uint32_t)v[1].i32, true);
    return NULL;
}
#endif

/* --- of a communicator --------------------------------------------------------------------------------------------- */

#if HAVE_MPI_Comm_attach_buffer
static bool of_comm(wasmtime_val_raw_t *v, const char *here, struct holding *by) {
    const struct comm_info *comm = comm_info_in(v[0].i32);
    if (comm == NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "comm", ABI_MPI_ERR_COMM);
        return false;
    }
    *by = (struct holding){.holder = COMMUNICATOR, .comm = comm->host};
    return true;
}

IMPORT(MPI_Comm_attach_buffer) {
    ENTER("MPI_Comm_attach_buffer")
    struct holding by;
    if (of_comm(v, here, &by)) {
        attach(v, here, &by, (uint32_t)v[1].i32, v[2].i32);
    }
    return NULL;
}

IMPORT(MPI_Comm_attach_buffer_c) {
    ENTER("MPI_Comm_attach_buffer_c")
    struct holding by;
    if (of_comm(v, here, &by)) {
        attach(v, here, &by, (uint32_t)v[1].i32, v[2].i64);
    }
    return NULL;
}

IMPORT(MPI_Comm_detach_buffer) {
    ENTER("MPI_Comm_detach_buffer")
    struct holding by;
    if (of_comm(v, here, &by)) {
        detach(v, here, &by, (uint32_t)v[1].i32, (uint32_t)v[2].i32, false);
    }
    return NULL;
}

IMPORT(MPI_Comm_detach_buffer_c) {
    ENTER("MPI_Comm_detach_buffer_c")
    struct holding by;
    if (of_comm(v, here, &by)) {
        detach(v, here, &by, (uint32_t)v[1].i32, (uint32_t)v[2].i32, true);
    }
    return NULL;
}
#endif

/* --- of a session -------------------------------------------------------------------------------------------------- */

#if HAVE_MPI_Session_attach_buffer
static bool of_session(wasmtime_val_raw_t *v, const char *here, struct holding *by) {
    *by = (struct holding){.holder = SESSION, .comm = MPI_COMM_NULL};
    if (!session_in(v[0].i32, &by->session) || by->session == MPI_SESSION_NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "session", ABI_MPI_ERR_SESSION);
        return false;
    }
    return true;
}

IMPORT(MPI_Session_attach_buffer) {
    ENTER("MPI_Session_attach_buffer")
    struct holding by;
    if (of_session(v, here, &by)) {
        attach(v, here, &by, (uint32_t)v[1].i32, v[2].i32);
    }
    return NULL;
}

IMPORT(MPI_Session_attach_buffer_c) {
    ENTER("MPI_Session_attach_buffer_c")
    struct holding by;
    if (of_session(v, here, &by)) {
        attach(v, here, &by, (uint32_t)v[1].i32, v[2].i64);
    }
    return NULL;
}

IMPORT(MPI_Session_detach_buffer) {
    ENTER("MPI_Session_detach_buffer")
    struct holding by;
    if (of_session(v, here, &by)) {
        detach(v, here, &by, (uint32_t)v[1].i32, (uint32_t)v[2].i32, false);
    }
    return NULL;
}

IMPORT(MPI_Session_detach_buffer_c) {
    ENTER("MPI_Session_detach_buffer_c")
    struct holding by;
    if (of_session(v, here, &by)) {
        detach(v, here, &by, (uint32_t)v[1].i32, (uint32_t)v[2].i32, true);
    }
    return NULL;
}
#endif
