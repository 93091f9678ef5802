/* Arrays of requests.
 *
 * Invariants.
 * - MPI sets a completed non-persistent request to MPI_REQUEST_NULL: only then is its slot dropped and the guest's
 *   handle set to MPI_REQUEST_NULL.
 * - A request may stand only once in an array: a library that is given one twice frees it twice. Nor may a call that a
 *   function of a generalized request makes name what the call below it is working on: `batches` lists those.
 */
#include "mpi_handles.h"

enum { FEW = 256 }; /* what a batch has room for on the stack: windows of 64 each way, and more */

/* An array of requests while MPI works on it. */
struct batch {
    struct batch *outer; /* the call below it, from a function of which this one is made */
    uint32_t serial;
    uint32_t address;
    int64_t count;
    MPI_Request *hosts;
    MPI_Status *statuses; /* MPI_STATUSES_IGNORE where the guest says so */
    uint32_t statuses_address;
    struct scratch scratch;
    MPI_Request few_hosts[FEW];
    MPI_Status few_statuses[FEW];
};

static uint32_t batch_serial;
static struct batch *batches; /* the innermost of those at work */

bool request_held_slowly(int32_t guest_handle) {
    struct slot *slot = slot_find(&request_handles, (uint32_t)guest_handle);
    if (slot == NULL) {
        return false;
    }
    for (const struct batch *batch = batches; batch != NULL; batch = batch->outer) {
        if (slot->mark == batch->serial) {
            return true;
        }
    }
    return grequest_busy(slot, (uint32_t)guest_handle);
}

/* Give back what the batch took; it may be refused halfway. */
static void batch_close(struct batch *batch) {
    batches = batch->outer;
    scratch_free(&batch->scratch);
}

/* NULL, or the name of the argument that is wrong. `want_statuses` says that statuses_address counts. */
static const char *batch_open(struct batch *batch, int32_t count, uint32_t address, bool want_statuses,
                              uint32_t statuses_address) {
    batch->outer = batches;
    batch->serial = 0; /* no request's, until it has some */
    batches = batch;
    batch->address = address;
    batch->count = count;
    batch->statuses = MPI_STATUSES_IGNORE;
    batch->statuses_address = 0;
    batch->scratch.first = NULL;
    if (count < 0) {
        return "count";
    }
    if (!room(address, count, 4)) {
        return "array_of_requests";
    }
    batch->hosts = count <= FEW ? batch->few_hosts : scratch_take(&batch->scratch, (uint64_t)count * sizeof(MPI_Request));
    if (batch->hosts == NULL) {
        return "array_of_requests";
    }
    if (++batch_serial == 0) {
        batch_serial = 1;
    }
    batch->serial = batch_serial;
    for (int64_t i = 0; i < count; i++) {
        int32_t handle = get32(address + (uint32_t)i * 4);
        if (handle == ABI_MPI_REQUEST_NULL) {
            batch->hosts[i] = MPI_REQUEST_NULL;
            continue;
        }
        struct slot *slot = slot_find(&request_handles, (uint32_t)handle);
        if (slot == NULL || slot->mark == batch_serial || request_held(handle)) {
            return "array_of_requests";
        }
        slot->mark = batch_serial;
        batch->hosts[i] = request_unpack(slot->host);
    }
    if (want_statuses && statuses_address != 0) {
        if (!room(statuses_address, count, ABI_STATUS_BYTES)) {
            return "array_of_statuses";
        }
        batch->statuses_address = statuses_address;
        batch->statuses =
            count <= FEW ? batch->few_statuses : scratch_take(&batch->scratch, (uint64_t)count * sizeof(MPI_Status));
        if (batch->statuses == NULL) {
            return "array_of_statuses";
        }
        memset(batch->statuses, 0, (size_t)count * sizeof(MPI_Status));
    }
    return NULL;
}

/* What restarts and has completed is idle; after an error, what MPI says has. */
static void batch_rest(struct batch *batch, int64_t i, bool certain) {
    struct slot *slot = slot_find(&request_handles, (uint32_t)get32(batch->address + (uint32_t)i * 4));
    if (slot != NULL && slot->active) {
        if (certain) {
            slot->active = false;
        } else {
            request_settles(slot);
        }
    }
}

static void batch_rest_all(struct batch *batch, bool certain) {
    for (int64_t i = 0; i < batch->count; i++) {
        batch_rest(batch, i, certain);
    }
}

/* Null in the guest's array what MPI has completed. */
static void batch_settle(struct batch *batch) {
    for (int64_t i = 0; i < batch->count; i++) {
        uint32_t at = batch->address + (uint32_t)i * 4;
        int32_t handle = get32(at);
        if (batch->hosts[i] == MPI_REQUEST_NULL && handle != ABI_MPI_REQUEST_NULL) {
            request_drop(handle);
            put32(at, ABI_MPI_REQUEST_NULL);
        }
    }
}

static void batch_statuses(struct batch *batch, int64_t count, int code) {
    if (batch->statuses_address == 0) {
        return;
    }
    int class = MPI_SUCCESS;
    if (code != MPI_SUCCESS) {
        MPI_Error_class(code, &class);
    }
    for (int64_t i = 0; i < count; i++) {
        status_out(batch->statuses_address + (uint32_t)i * ABI_STATUS_BYTES, &batch->statuses[i],
                   class == MPI_ERR_IN_STATUS);
    }
}

static int32_t batch_refuse(struct batch *batch, const char *here, const char *wrong) {
    batch_close(batch);
    return refuse(MPI_COMM_WORLD, here, wrong,
                  strcmp(wrong, "array_of_requests") == 0 ? ABI_MPI_ERR_REQUEST : ABI_MPI_ERR_ARG);
}

#define OPEN(count, requests, want_statuses, statuses)                                                                 \
    struct batch batch;                                                                                                \
    const char *wrong = batch_open(&batch, count, (uint32_t)(requests), want_statuses, (uint32_t)(statuses));          \
    if (UNLIKELY(wrong != NULL)) {                                                                                     \
        v[0].i32 = batch_refuse(&batch, here, wrong);                                                                  \
        return NULL;                                                                                                   \
    }
#define NEED_ROOM(parameter, name)                                                                                     \
    if (UNLIKELY(!room((uint32_t)v[parameter].i32, 1, 4))) {                                                           \
        v[0].i32 = batch_refuse(&batch, here, name);                                                                   \
        return NULL;                                                                                                   \
    }

static wasm_trap_t *finish(struct batch *batch, wasmtime_val_raw_t *v, int code) {
    batch_close(batch);
    v[0].i32 = error_out(code);
    return NULL;
}

IMPORT(MPI_Startall) {
    ENTER("MPI_Startall")
    OPEN(v[0].i32, v[1].i32, false, 0)
    for (int64_t i = 0; i < batch.count; i++) {
        if (!request_restarts(get32(batch.address + (uint32_t)i * 4))) {
            v[0].i32 = batch_refuse(&batch, here, "array_of_requests");
            return NULL;
        }
    }
    int code = MPI_Startall((int)batch.count, batch.hosts);
    for (int64_t i = 0; code == MPI_SUCCESS && i < batch.count; i++) {
        request_started(get32(batch.address + (uint32_t)i * 4));
    }
    return finish(&batch, v, code);
}

IMPORT(MPI_Waitall) {
    ENTER("MPI_Waitall")
    OPEN(v[0].i32, v[1].i32, true, v[2].i32)
    int code = MPI_Waitall((int)batch.count, batch.hosts, batch.statuses);
    batch_settle(&batch);
    batch_rest_all(&batch, code == MPI_SUCCESS);
    batch_statuses(&batch, batch.count, code);
    return finish(&batch, v, code);
}

IMPORT(MPI_Testall) {
    ENTER("MPI_Testall")
    OPEN(v[0].i32, v[1].i32, true, v[3].i32)
    NEED_ROOM(2, "flag")
    int flag = 0;
    int code = MPI_Testall((int)batch.count, batch.hosts, &flag, batch.statuses);
    batch_settle(&batch);
    if (flag || code != MPI_SUCCESS) {
        batch_rest_all(&batch, code == MPI_SUCCESS);
    }
    if (flag) {
        batch_statuses(&batch, batch.count, code);
    }
    put32((uint32_t)v[2].i32, flag);
    return finish(&batch, v, code);
}

/* One status, where the guest wants it; the completed request's index. */
static const char *one_status(uint32_t address) {
    return address != 0 && !room(address, 1, ABI_STATUS_BYTES) ? "status" : NULL;
}

IMPORT(MPI_Waitany) {
    ENTER("MPI_Waitany")
    OPEN(v[0].i32, v[1].i32, false, 0)
    NEED_ROOM(2, "index")
    if ((wrong = one_status((uint32_t)v[3].i32)) != NULL) {
        v[0].i32 = batch_refuse(&batch, here, wrong);
        return NULL;
    }
    int index = MPI_UNDEFINED;
    MPI_Status status;
    memset(&status, 0, sizeof status);
    int code = MPI_Waitany((int)batch.count, batch.hosts, &index, &status);
    batch_settle(&batch);
    if (index >= 0 && index < batch.count) {
        batch_rest(&batch, index, code == MPI_SUCCESS);
    }
    put32((uint32_t)v[2].i32, undefined_out(index));
    if (v[3].i32 != 0) {
        status_out((uint32_t)v[3].i32, &status, false);
    }
    return finish(&batch, v, code);
}

IMPORT(MPI_Testany) {
    ENTER("MPI_Testany")
    OPEN(v[0].i32, v[1].i32, false, 0)
    NEED_ROOM(2, "index")
    NEED_ROOM(3, "flag")
    if ((wrong = one_status((uint32_t)v[4].i32)) != NULL) {
        v[0].i32 = batch_refuse(&batch, here, wrong);
        return NULL;
    }
    int index = MPI_UNDEFINED, flag = 0;
    MPI_Status status;
    memset(&status, 0, sizeof status);
    int code = MPI_Testany((int)batch.count, batch.hosts, &index, &flag, &status);
    batch_settle(&batch);
    if (index >= 0 && index < batch.count) {
        batch_rest(&batch, index, code == MPI_SUCCESS);
    }
    put32((uint32_t)v[2].i32, undefined_out(index));
    put32((uint32_t)v[3].i32, flag);
    if (flag && v[4].i32 != 0) {
        status_out((uint32_t)v[4].i32, &status, false);
    }
    return finish(&batch, v, code);
}

/* MPI_Waitsome and MPI_Testsome differ in the function alone. */
static wasm_trap_t *some(wasmtime_val_raw_t *v, const char *here, bool completes,
                         int (*function)(int, MPI_Request *, int *, int *, MPI_Status *)) {
    OPEN(v[0].i32, v[1].i32, true, v[4].i32)
    NEED_ROOM(2, "outcount")
    if (!room((uint32_t)v[3].i32, batch.count, 4)) {
        v[0].i32 = batch_refuse(&batch, here, "array_of_indices");
        return NULL;
    }
    int *indices = scratch_take(&batch.scratch, (uint64_t)batch.count * sizeof *indices);
    if (indices == NULL) {
        v[0].i32 = batch_refuse(&batch, here, "array_of_indices");
        return NULL;
    }
    int done = 0;
    int code = function((int)batch.count, batch.hosts, &done, indices, batch.statuses);
    batch_settle(&batch);
    for (int i = 0; completes && i < done && i < batch.count; i++) {
        batch_rest(&batch, indices[i], code == MPI_SUCCESS);
    }
    if (done != MPI_UNDEFINED) {
        for (int i = 0; i < done && i < batch.count; i++) {
            put32((uint32_t)v[3].i32 + (uint32_t)i * 4, indices[i]);
        }
        batch_statuses(&batch, done < batch.count ? done : batch.count, code);
    }
    put32((uint32_t)v[2].i32, undefined_out(done));
    return finish(&batch, v, code);
}

IMPORT(MPI_Waitsome) {
    ENTER("MPI_Waitsome")
    return some(v, here, true, MPI_Waitsome);
}

IMPORT(MPI_Testsome) {
    ENTER("MPI_Testsome")
    return some(v, here, true, MPI_Testsome);
}

/* --- statuses of requests that stay (MPI-4.1) ------------------------------------------------------------------- */

#if HAVE_MPI_Request_get_status_all
IMPORT(MPI_Request_get_status_all) {
    ENTER("MPI_Request_get_status_all")
    OPEN(v[0].i32, v[1].i32, true, v[3].i32)
    NEED_ROOM(2, "flag")
    int flag = 0;
    int code = MPI_Request_get_status_all((int)batch.count, batch.hosts, &flag, batch.statuses);
    if (flag) {
        batch_statuses(&batch, batch.count, code);
    }
    put32((uint32_t)v[2].i32, flag);
    return finish(&batch, v, code);
}

IMPORT(MPI_Request_get_status_any) {
    ENTER("MPI_Request_get_status_any")
    OPEN(v[0].i32, v[1].i32, false, 0)
    NEED_ROOM(2, "index")
    NEED_ROOM(3, "flag")
    if ((wrong = one_status((uint32_t)v[4].i32)) != NULL) {
        v[0].i32 = batch_refuse(&batch, here, wrong);
        return NULL;
    }
    int index = MPI_UNDEFINED, flag = 0;
    MPI_Status status;
    memset(&status, 0, sizeof status);
    int code = MPI_Request_get_status_any((int)batch.count, batch.hosts, &index, &flag, &status);
    put32((uint32_t)v[2].i32, undefined_out(index));
    put32((uint32_t)v[3].i32, flag);
    if (flag && v[4].i32 != 0) {
        status_out((uint32_t)v[4].i32, &status, false);
    }
    return finish(&batch, v, code);
}

static int get_status_some(int count, MPI_Request *requests, int *done, int *indices, MPI_Status *statuses) {
    return MPI_Request_get_status_some(count, requests, done, indices, statuses);
}

IMPORT(MPI_Request_get_status_some) {
    ENTER("MPI_Request_get_status_some")
    return some(v, here, false, get_status_some);
}
#endif
