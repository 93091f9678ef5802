/* An MPI library's part that none here has: one event, which happens at each MPI_Barrier, and files in data
 * representations of the application's own. Loaded ahead of the library, whose functions of these names it replaces. */
#include <mpi.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct payload {
    int number;
    double half;
    unsigned long wide;
};

struct registration {
    MPI_T_event_cb_function *function[64];
    void *data[64];
    MPI_T_event_dropped_cb_function *dropped;
    struct payload payload;
    int freed;
};
static struct registration *all[16];
static int count, barriers;

int MPI_T_event_get_num(int *number) {
    *number = 1;
    return MPI_SUCCESS;
}

int MPI_T_event_get_index(const char *name, int *index) {
    *index = 0;
    return strcmp(name, "barrier") == 0 ? MPI_SUCCESS : MPI_T_ERR_INVALID_NAME;
}

static void text_out(char *to, int *length, const char *text) {
    int whole = (int)strlen(text) + 1;
    if (to != NULL && *length > 0) {
        whole = whole < *length ? whole : *length;
        memcpy(to, text, (size_t)whole);
        to[whole - 1] = 0;
    }
    *length = whole;
}

int MPI_T_event_get_info(int index, char *name, int *name_len, int *verbosity, MPI_Datatype types[], MPI_Aint displs[],
                         int *elements, MPI_T_enum *enumeration, MPI_Info *info, char *desc, int *desc_len, int *bind) {
    static const size_t offsets[] = {offsetof(struct payload, number), offsetof(struct payload, half),
                                     offsetof(struct payload, wide)};
    const MPI_Datatype kinds[] = {MPI_INT, MPI_DOUBLE, MPI_UNSIGNED_LONG};
    (void)index;
    text_out(name, name_len, "barrier");
    text_out(desc, desc_len, "a barrier has been passed");
    for (int i = 0; i < 3 && i < *elements; i++) {
        if (types != NULL) {
            types[i] = kinds[i];
        }
        if (displs != NULL) {
            displs[i] = (MPI_Aint)offsets[i];
        }
    }
    *elements = 3;
    *verbosity = MPI_T_VERBOSITY_USER_BASIC;
    *bind = MPI_T_BIND_MPI_COMM;
    if (enumeration != NULL) {
        *enumeration = MPI_T_ENUM_NULL;
    }
    if (info != NULL) {
        *info = MPI_INFO_NULL;
    }
    return MPI_SUCCESS;
}

int MPI_T_event_handle_alloc(int index, void *object, MPI_Info info, MPI_T_event_registration *made) {
    int same = MPI_UNEQUAL;
    (void)index, (void)info;
    MPI_Comm_compare(*(MPI_Comm *)object, MPI_COMM_WORLD, &same);
    if (same == MPI_UNEQUAL) {
        return MPI_T_ERR_INVALID_HANDLE;
    }
    *made = (MPI_T_event_registration)(all[count++] = calloc(1, sizeof(struct registration)));
    return MPI_SUCCESS;
}

int MPI_T_event_handle_free(MPI_T_event_registration which, void *data, MPI_T_event_free_cb_function *function) {
    ((struct registration *)which)->freed = 1;
    memset(((struct registration *)which)->function, 0, sizeof all[0]->function);
    function(which, MPI_T_CB_REQUIRE_NONE, data);
    return MPI_SUCCESS;
}

int MPI_T_event_register_callback(MPI_T_event_registration which, MPI_T_cb_safety safety, MPI_Info info, void *data,
                                  MPI_T_event_cb_function *function) {
    (void)info;
    ((struct registration *)which)->function[safety] = function;
    ((struct registration *)which)->data[safety] = data;
    return MPI_SUCCESS;
}

int MPI_T_event_set_dropped_handler(MPI_T_event_registration which, MPI_T_event_dropped_cb_function *function) {
    ((struct registration *)which)->dropped = function;
    return MPI_SUCCESS;
}

int MPI_T_event_copy(MPI_T_event_instance instance, void *buffer) {
    memcpy(buffer, &((struct registration *)instance)->payload, sizeof(struct payload));
    return MPI_SUCCESS;
}

int MPI_T_event_read(MPI_T_event_instance instance, int element, void *buffer) {
    const struct payload *payload = &((struct registration *)instance)->payload;
    switch (element) {
    case 0: memcpy(buffer, &payload->number, sizeof payload->number); break;
    case 1: memcpy(buffer, &payload->half, sizeof payload->half); break;
    default: memcpy(buffer, &payload->wide, sizeof payload->wide); break;
    }
    return MPI_SUCCESS;
}

int MPI_T_event_get_timestamp(MPI_T_event_instance instance, MPI_Count *stamp) {
    *stamp = ((MPI_Count)1 << 40) + ((struct registration *)instance)->payload.number;
    return MPI_SUCCESS;
}

int MPI_T_event_get_source(MPI_T_event_instance instance, int *source) {
    (void)instance;
    *source = 7;
    return MPI_SUCCESS;
}

static void happen(MPI_T_cb_safety safety) {
    for (int i = 0; i < count; i++) {
        struct registration *one = all[i];
        if (one->function[safety] != NULL) {
            one->payload = (struct payload){barriers, barriers / 2.0, 1ul << 40};
            one->function[safety]((MPI_T_event_instance)one, (MPI_T_event_registration)one, safety, one->data[safety]);
        }
        if (one->freed) { /* the list is walked while functions are called */
            abort();
        }
    }
}

static void *elsewhere(void *nothing) {
    happen(MPI_T_CB_REQUIRE_THREAD_SAFE);
    return nothing;
}

/* The third happens on another thread; the fourth where signals are handled. */
int MPI_Barrier(MPI_Comm comm) {
    int code = PMPI_Barrier(comm);
    pthread_t thread;
    for (int i = 0; i < count; i++) {
        if (all[i]->freed) {
            free(all[i]);
            all[i--] = all[--count];
        }
    }
    switch (++barriers) {
    case 2: happen(MPI_T_CB_REQUIRE_NONE); break;
    case 3:
        if (pthread_create(&thread, NULL, elsewhere, NULL) == 0) {
            pthread_join(thread, NULL);
        }
        break;
    case 4: happen(MPI_T_CB_REQUIRE_ASYNC_SIGNAL_SAFE); break;
    default: happen(MPI_T_CB_REQUIRE_MPI_RESTRICTED); break;
    }
    return code;
}

int MPI_Register_datarep(const char *name, MPI_Datarep_conversion_function *read, MPI_Datarep_conversion_function *write,
                         MPI_Datarep_extent_function *extent, void *state) {
    int user[4] = {-1, 1, 2, -1};
    unsigned char file[2][3] = {{0, 0, 0}, {0, 0, 0}};
    MPI_Aint bytes = 0;
    if (strcmp(name, "three") != 0) {
        return PMPI_Register_datarep(name, read, write, extent, state);
    }
    if (extent(MPI_INT, &bytes, state) != MPI_SUCCESS || bytes != 3 ||
        write(user, MPI_INT, 2, file, 1, state) != MPI_SUCCESS || file[0][0] != 1 || file[1][0] != 2) {
        return MPI_ERR_CONVERSION;
    }
    file[0][1] = 1;
    if (read(user, MPI_INT, 2, file, 1, state) != MPI_SUCCESS || user[0] != -1 || user[1] != 257 || user[2] != 2 ||
        user[3] != -1) {
        return MPI_ERR_CONVERSION;
    }
    return MPI_SUCCESS;
}
