/* Generalized requests: MPI calls the guest's query, free and cancel functions while it completes a request.
 *
 * Invariants.
 * - MPI's extra state is the address of a struct grequest, so no trampoline stands for the functions. It lives until the
 *   guest has completed the request and MPI has called its free function: only then can nobody name it again.
 * - MPI_Request_free takes the guest's handle away, and yet the guest completes the request by a copy of it. So a
 *   forgotten request is found here, by the number that its handle had, and for MPI_Grequest_complete alone.
 * - While a function of the guest runs, the frames of MPI below it still use the requests of the call that they belong
 *   to. Those are held: a call from inside the function that names one is refused, whatever it wants. Other requests
 *   may be waited for, made, cancelled and freed there; a cancel function may complete the request that it is for.
 * - A trap inside a function ends the job from where it is (guest_call): nothing unwinds through MPI's frames.
 */
#include "mpi_callbacks.h"

struct grequest {
    uint32_t query, free, cancel, extra; /* the guest's */
    uint32_t handle;                     /* what the guest calls it, or called it */
    MPI_Request host;
    uint32_t busy; /* how many calls that use it are running */
    bool completed, freed, forgotten;
};

static struct grequest **grequests;
static uint32_t grequest_count;
uint32_t requests_held;

/* The place for another one; -1 when memory is short. */
static int32_t place_new(void) {
    for (uint32_t i = 0; i < grequest_count; i++) {
        if (grequests[i] == NULL) {
            return (int32_t)i;
        }
    }
    uint32_t more = grequest_count == 0 ? 16 : grequest_count * 2;
    struct grequest **grown = more > 1 << 22 ? NULL : realloc(grequests, (size_t)more * sizeof *grown);
    if (grown == NULL) {
        return -1;
    }
    memset(grown + grequest_count, 0, (size_t)(more - grequest_count) * sizeof *grown);
    grequests = grown;
    int32_t place = (int32_t)grequest_count;
    grequest_count = more;
    return place;
}

/* Give it back once nobody can name it. */
static void settle(struct grequest *request) {
    if (request->completed && request->freed && request->busy == 0) {
        for (uint32_t i = 0; i < grequest_count; i++) {
            if (grequests[i] == request) {
                grequests[i] = NULL;
            }
        }
        free(request);
    }
}

/* The one behind a live slot; NULL: it is another sort of request. */
static struct grequest *of_slot(const struct slot *slot, uint32_t handle) {
    struct grequest *request = slot->sort == REQUEST_GENERAL ? grequests[slot->parts] : NULL;
    return request != NULL && request->handle == handle ? request : NULL;
}

bool grequest_busy(const struct slot *slot, uint32_t handle) {
    const struct grequest *request = of_slot(slot, handle);
    return request != NULL && request->busy > 0;
}

void grequest_forget(const struct slot *slot, uint32_t handle) {
    struct grequest *request = of_slot(slot, handle);
    if (request != NULL) {
        request->forgotten = true;
    }
}

/* --- the functions that MPI calls -------------------------------------------------------------------------------- */

static int32_t call_guest(struct grequest *request, uint32_t function, const char *signature, int32_t second,
                          const char *what) {
    wasmtime_val_raw_t values[2] = {{.i32 = (int32_t)request->extra}, {.i32 = second}};
    request->busy++;
    requests_held++;
    guest_call(function, signature, values, 2, what);
    requests_held--;
    request->busy--;
    return values[0].i32;
}

static int query(void *state, MPI_Status *status) {
    struct grequest *request = state;
    uint64_t mark = lent_mark();
    uint32_t cells = lent_take(ABI_STATUS_BYTES, "MPI_Grequest query function");
    MPI_Status given;
    memset(&given, 0, sizeof given);
    if (status != NULL && status != MPI_STATUS_IGNORE) {
        given = *status;
    }
    status_out(cells, &given, true);
    int code = error_in(call_guest(request, request->query, "ii:i", (int32_t)cells, "MPI_Grequest query function"));
    int before = given.MPI_ERROR; /* the function's result says it; the field is not the function's */
    status_in(cells, &given);
    given.MPI_ERROR = before;
    if (status != NULL && status != MPI_STATUS_IGNORE) {
        *status = given;
    }
    lent_release(mark);
    return code;
}

static int free_state(void *state) {
    struct grequest *request = state;
    int code = error_in(call_guest(request, request->free, "i:i", 0, "MPI_Grequest free function"));
    request->freed = true;
    settle(request);
    return code;
}

static int cancel(void *state, int complete) {
    struct grequest *request = state;
    return error_in(call_guest(request, request->cancel, "ii:i", complete != 0, "MPI_Grequest cancel function"));
}

/* --- imports ------------------------------------------------------------------------------------------------------ */

IMPORT(MPI_Grequest_start) {
    ENTER("MPI_Grequest_start")
    uint32_t at = (uint32_t)v[4].i32;
    struct grequest made = {.query = (uint32_t)v[0].i32,
                            .free = (uint32_t)v[1].i32,
                            .cancel = (uint32_t)v[2].i32,
                            .extra = (uint32_t)v[3].i32};
    const char *wrong = !guest_callable(made.query, "ii:i")    ? "query_fn"
                        : !guest_callable(made.free, "i:i")    ? "free_fn"
                        : !guest_callable(made.cancel, "ii:i") ? "cancel_fn"
                        : !room(at, 1, 4)                      ? "request"
                                                               : NULL;
    if (wrong != NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, wrong, ABI_MPI_ERR_ARG);
        return NULL;
    }
    int32_t place = place_new();
    struct grequest *request = place < 0 ? NULL : malloc(sizeof *request);
    if (request == NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "request", ABI_MPI_ERR_NO_MEM);
        return NULL;
    }
    *request = made;
    int code = MPI_Grequest_start(query, free_state, cancel, request, &request->host);
    if (code != MPI_SUCCESS) {
        free(request);
        v[0].i32 = error_out(code);
        return NULL;
    }
    struct scratch nothing = {NULL};
    request->handle = request_out_with(request->host, &nothing, REQUEST_GENERAL, place);
    if (request->handle == 0) {
        return guest_trap("%s: no room for another MPI_Request", here);
    }
    grequests[place] = request;
    put32(at, (int32_t)request->handle);
    v[0].i32 = ABI_MPI_SUCCESS;
    return NULL;
}

IMPORT(MPI_Grequest_complete) {
    ENTER("MPI_Grequest_complete")
    uint32_t handle = (uint32_t)v[0].i32;
    struct slot *slot = slot_find(&request_handles, handle);
    struct grequest *request = slot == NULL ? NULL : of_slot(slot, handle);
    for (uint32_t i = 0; slot == NULL && i < grequest_count; i++) {
        if (grequests[i] != NULL && grequests[i]->forgotten && grequests[i]->handle == handle) {
            request = grequests[i];
        }
    }
    if (request == NULL || request->completed) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "request", ABI_MPI_ERR_REQUEST);
        return NULL;
    }
    request->completed = true;
    request->busy++;
    int code = MPI_Grequest_complete(request->host);
    request->busy--;
    settle(request);
    v[0].i32 = error_out(code);
    return NULL;
}
