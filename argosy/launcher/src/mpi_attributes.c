/* Attributes: keys of the guest, its copy and delete functions, and the predefined attributes.
 *
 * Invariants.
 * - A key of the guest is a place in `keys`, which is never reused: MPI may call its functions long after the guest has
 *   freed the key. The node's key was made with the address of that place as its extra state.
 * - A freed key can still be named while an attribute has it (MPI 5.0, section 7.7.2), by a copy of its number. The
 *   node's key is freed once only: some libraries count every call.
 * - An attribute's value is the guest's 32-bit word, kept by MPI in a pointer's low half; it is never dereferenced.
 * - While a function of the guest runs for an attribute of an object, that object is neither freed nor given other
 *   attributes: libraries walk its list of them meanwhile, and end in assertions of their own or use what is gone.
 * - What MPI gives by address (MPI_TAG_UB and the like) is copied into a cell of guest memory that stays.
 */
#include "mpi_callbacks.h"
#include "mpi_windows.h"

enum { FIRST_KEY = 0x10000, MOST_KEYS = 1 << 18 };
enum of { KEY_OF_COMM, KEY_OF_TYPE, KEY_OF_WIN };

struct key {
    enum of of;
    int host;
    int32_t number; /* the guest's */
    uint32_t copy, delete, extra;
    uint32_t attributes; /* that have this key now */
    bool freed;
};
static struct key *keys[MOST_KEYS];
static int32_t key_count;

static struct key *key_find(int32_t number, enum of of) {
    int64_t place = (int64_t)number - FIRST_KEY;
    struct key *key = place >= 0 && place < key_count ? keys[place] : NULL;
    return key != NULL && key->of == of && (!key->freed || key->attributes > 0) ? key : NULL;
}

/* --- the functions that MPI calls -------------------------------------------------------------------------------- */

/* The objects whose attributes' functions run now, innermost first. */
struct running {
    const struct running *outer;
    uint64_t host;
};
static const struct running *running;

bool attributes_in_use(uint64_t host) {
    for (const struct running *one = running; one != NULL; one = one->outer) {
        if (one->host == host) {
            return true;
        }
    }
    return false;
}

static void run(uint64_t host, uint32_t function, const char *signature, wasmtime_val_raw_t *values, size_t count,
                const char *what) {
    const struct running here = {running, host};
    running = &here;
    guest_call(function, signature, values, count, what);
    running = here.outer;
}

static int copy_attribute(uint64_t host, uint32_t object, struct key *key, void *value, void *copy, int *flag) {
    uint64_t mark = lent_mark();
    uint32_t cells = lent_take(16, "attribute copy function");
    put32(cells, 0);
    put32(cells + 8, 0);
    wasmtime_val_raw_t values[6] = {
        {.i32 = (int32_t)object},           {.i32 = key->number}, {.i32 = (int32_t)key->extra},
        {.i32 = (int32_t)(uintptr_t)value}, {.i32 = (int32_t)cells},  {.i32 = (int32_t)(cells + 8)}};
    run(host, key->copy, "iiiiii:i", values, 6, "attribute copy function");
    void *copied = (void *)(uintptr_t)(uint32_t)get32(cells);
    *flag = get32(cells + 8) != 0;
    lent_release(mark);
    int code = error_in(values[0].i32);
    if (*flag) {
        memcpy(copy, &copied, sizeof copied);
        key->attributes += code == MPI_SUCCESS;
    }
    return code;
}

static int delete_attribute(uint64_t host, uint32_t object, struct key *key, void *value) {
    wasmtime_val_raw_t values[4] = {{.i32 = (int32_t)object},
                                    {.i32 = key->number},
                                    {.i32 = (int32_t)(uintptr_t)value},
                                    {.i32 = (int32_t)key->extra}};
    run(host, key->delete, "iiii:i", values, 4, "attribute delete function");
    int code = error_in(values[0].i32);
    key->attributes -= code == MPI_SUCCESS && key->attributes > 0;
    return code;
}

/* The answer to a call that set an attribute: one that was there before has been deleted by it. */
static int32_t attribute_set(struct key *key, int code) {
    key->attributes += code == MPI_SUCCESS;
    return error_out(code);
}

#define HANDLE_OF(name)                                                                                                \
    uint32_t object = name##_predefined_out(host);                                                                     \
    if (object == 0) {                                                                                                 \
        struct slot *slot = slot_of_host(&name##_handles, name##_pack(host));                                          \
        object = slot == NULL ? 0 : slot_handle(&name##_handles, slot);                                                \
    }

static int comm_copy(MPI_Comm host, int number, void *extra, void *value, void *copy, int *flag) {
    (void)number;
    HANDLE_OF(comm)
    return copy_attribute(comm_pack(host), object, extra, value, copy, flag);
}
static int comm_delete(MPI_Comm host, int number, void *value, void *extra) {
    (void)number;
    HANDLE_OF(comm)
    return delete_attribute(comm_pack(host), object, extra, value);
}
static int type_copy(MPI_Datatype host, int number, void *extra, void *value, void *copy, int *flag) {
    (void)number;
    HANDLE_OF(datatype)
    return copy_attribute(datatype_pack(host), object, extra, value, copy, flag);
}
static int type_delete(MPI_Datatype host, int number, void *value, void *extra) {
    (void)number;
    HANDLE_OF(datatype)
    return delete_attribute(datatype_pack(host), object, extra, value);
}
static int win_copy(MPI_Win host, int number, void *extra, void *value, void *copy, int *flag) {
    (void)number;
    HANDLE_OF(win)
    return copy_attribute(win_pack(host), object, extra, value, copy, flag);
}
static int win_delete(MPI_Win host, int number, void *value, void *extra) {
    (void)number;
    HANDLE_OF(win)
    return delete_attribute(win_pack(host), object, extra, value);
}

/* --- keys -------------------------------------------------------------------------------------------------------- */

static wasm_trap_t *create_key(wasmtime_val_raw_t *v, const char *here, enum of of) {
    uint32_t copy = (uint32_t)v[0].i32, delete = (uint32_t)v[1].i32, at = (uint32_t)v[2].i32;
    const char *wrong = !guest_callable(copy, "iiiiii:i")  ? "copy_attr_fn"
                        : !guest_callable(delete, "iiii:i") ? "delete_attr_fn"
                        : !room(at, 1, 4)                   ? "keyval"
                                                            : NULL;
    struct key *key = wrong != NULL || key_count == MOST_KEYS ? NULL : malloc(sizeof *key);
    if (key == NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, wrong != NULL ? wrong : "keyval",
                          wrong != NULL ? ABI_MPI_ERR_ARG : ABI_MPI_ERR_NO_MEM);
        return NULL;
    }
    *key = (struct key){.of = of, .copy = copy, .delete = delete, .extra = (uint32_t)v[3].i32};
    int code = of == KEY_OF_COMM   ? MPI_Comm_create_keyval(comm_copy, comm_delete, &key->host, key)
               : of == KEY_OF_TYPE ? MPI_Type_create_keyval(type_copy, type_delete, &key->host, key)
                               : MPI_Win_create_keyval(win_copy, win_delete, &key->host, key);
    if (code == MPI_SUCCESS) {
        key->number = FIRST_KEY + key_count;
        keys[key_count++] = key;
        put32(at, key->number);
    } else {
        free(key);
    }
    v[0].i32 = error_out(code);
    return NULL;
}

static wasm_trap_t *free_key(wasmtime_val_raw_t *v, const char *here, enum of of) {
    uint32_t at = (uint32_t)v[0].i32;
    struct key *key = room(at, 1, 4) ? key_find(get32(at), of) : NULL;
    if (key == NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "keyval", ABI_MPI_ERR_KEYVAL);
        return NULL;
    }
    int host = key->host;
    int code = key->freed      ? MPI_SUCCESS
               : of == KEY_OF_COMM ? MPI_Comm_free_keyval(&host)
               : of == KEY_OF_TYPE ? MPI_Type_free_keyval(&host)
                               : MPI_Win_free_keyval(&host);
    if (code == MPI_SUCCESS) {
        key->freed = true;
        put32(at, ABI_MPI_KEYVAL_INVALID);
    }
    v[0].i32 = error_out(code);
    return NULL;
}

void keys_end(void) {
    for (int32_t i = 0; i < key_count; i++) {
        keys[i]->freed = true;
        keys[i]->attributes = 0;
    }
}

/* --- attributes --------------------------------------------------------------------------------------------------- */

/* The value of a predefined attribute of a communicator, which MPI gives by address. */
static int32_t predefined_value(int32_t number, const int *value) {
    switch (number) {
    case ABI_MPI_IO:
    case ABI_MPI_HOST: return rank_out(*value);
    case ABI_MPI_LASTUSEDCODE: return error_last_used();
    default: return *value;
    }
}

IMPORT(MPI_Comm_get_attr) {
    ENTER("MPI_Comm_get_attr")
    struct comm_info *comm = comm_info_in(v[0].i32);
    int32_t number = v[1].i32;
    uint32_t value_at = (uint32_t)v[2].i32, flag_at = (uint32_t)v[3].i32;
    struct key *key = key_find(number, KEY_OF_COMM);
    int host_key = key == NULL ? MPI_KEYVAL_INVALID : key->host;
    bool predefined = key == NULL && constant_in(constants_comm_keyvals, number, &host_key);
    if (comm == NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "comm", ABI_MPI_ERR_COMM);
    } else if (key == NULL && !predefined) {
        v[0].i32 = refuse(comm->host, here, "comm_keyval", ABI_MPI_ERR_KEYVAL);
    } else if (!room(value_at, 1, 4) || !room(flag_at, 1, 4)) {
        v[0].i32 = refuse(comm->host, here, "attribute_val", ABI_MPI_ERR_ARG);
    } else {
        void *value = NULL;
        int found = 0;
        int code = MPI_Comm_get_attr(comm->host, host_key, &value, &found);
        if (code == MPI_SUCCESS && found && predefined) {
            static uint32_t cells[8]; /* one for each predefined key, for good */
            uint32_t *cell = &cells[(number - ABI_MPI_TAG_UB) & 7];
            *cell = *cell != 0 ? *cell : lent_cell(here);
            put32(*cell, predefined_value(number, value));
            put32(value_at, (int32_t)*cell);
        } else if (code == MPI_SUCCESS && found) {
            put32(value_at, (int32_t)(uintptr_t)value);
        }
        if (code == MPI_SUCCESS) {
            put32(flag_at, found != 0);
        }
        v[0].i32 = error_out(code);
    }
    return NULL;
}

IMPORT(MPI_Comm_set_attr) {
    ENTER("MPI_Comm_set_attr")
    struct comm_info *comm = comm_info_in(v[0].i32);
    struct key *key = key_find(v[1].i32, KEY_OF_COMM);
    if (comm == NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "comm", ABI_MPI_ERR_COMM);
    } else if (key == NULL || attributes_in_use(comm_pack(comm->host))) {
        v[0].i32 = refuse(comm->host, here, "comm_keyval", ABI_MPI_ERR_KEYVAL);
    } else {
        v[0].i32 = attribute_set(key, MPI_Comm_set_attr(comm->host, key->host, (void *)(uintptr_t)(uint32_t)v[2].i32));
    }
    return NULL;
}

IMPORT(MPI_Comm_delete_attr) {
    ENTER("MPI_Comm_delete_attr")
    struct comm_info *comm = comm_info_in(v[0].i32);
    struct key *key = key_find(v[1].i32, KEY_OF_COMM);
    if (comm == NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "comm", ABI_MPI_ERR_COMM);
    } else if (key == NULL || attributes_in_use(comm_pack(comm->host))) {
        v[0].i32 = refuse(comm->host, here, "comm_keyval", ABI_MPI_ERR_KEYVAL);
    } else {
        v[0].i32 = error_out(MPI_Comm_delete_attr(comm->host, key->host));
    }
    return NULL;
}

IMPORT(MPI_Comm_create_keyval) {
    ENTER("MPI_Comm_create_keyval")
    return create_key(v, here, KEY_OF_COMM);
}

IMPORT(MPI_Comm_free_keyval) {
    ENTER("MPI_Comm_free_keyval")
    return free_key(v, here, KEY_OF_COMM);
}

IMPORT(MPI_Type_create_keyval) {
    ENTER("MPI_Type_create_keyval")
    return create_key(v, here, KEY_OF_TYPE);
}

IMPORT(MPI_Type_free_keyval) {
    ENTER("MPI_Type_free_keyval")
    return free_key(v, here, KEY_OF_TYPE);
}

/* The datatype and key of a call on a datatype's attributes; false with the answer in v[0]. */
static bool of_type(wasmtime_val_raw_t *v, const char *here, struct type_info **type, struct key **key) {
    *type = type_info_in(v[0].i32);
    *key = key_find(v[1].i32, KEY_OF_TYPE);
    if (*type == NULL || *key == NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, *type == NULL ? "datatype" : "type_keyval",
                          *type == NULL ? ABI_MPI_ERR_TYPE : ABI_MPI_ERR_KEYVAL);
        return false;
    }
    return true;
}

/* Whether its attributes may change now; false with the answer in v[0]. */
static bool type_changes(wasmtime_val_raw_t *v, const char *here, const struct type_info *type) {
    if (!attributes_in_use(datatype_pack(type->host))) {
        return true;
    }
    v[0].i32 = refuse(MPI_COMM_WORLD, here, "type_keyval", ABI_MPI_ERR_KEYVAL);
    return false;
}

IMPORT(MPI_Type_get_attr) {
    ENTER("MPI_Type_get_attr")
    struct type_info *type;
    struct key *key;
    uint32_t value_at = (uint32_t)v[2].i32, flag_at = (uint32_t)v[3].i32;
    if (!of_type(v, here, &type, &key)) {
        return NULL;
    }
    if (!room(value_at, 1, 4) || !room(flag_at, 1, 4)) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "attribute_val", ABI_MPI_ERR_ARG);
        return NULL;
    }
    void *value = NULL;
    int found = 0;
    int code = MPI_Type_get_attr(type->host, key->host, &value, &found);
    if (code == MPI_SUCCESS) {
        put32(flag_at, found != 0);
        if (found) {
            put32(value_at, (int32_t)(uintptr_t)value);
        }
    }
    v[0].i32 = error_out(code);
    return NULL;
}

IMPORT(MPI_Type_set_attr) {
    ENTER("MPI_Type_set_attr")
    struct type_info *type;
    struct key *key;
    if (of_type(v, here, &type, &key) && type_changes(v, here, type)) {
        v[0].i32 = attribute_set(key, MPI_Type_set_attr(type->host, key->host, (void *)(uintptr_t)(uint32_t)v[2].i32));
    }
    return NULL;
}

IMPORT(MPI_Type_delete_attr) {
    ENTER("MPI_Type_delete_attr")
    struct type_info *type;
    struct key *key;
    if (of_type(v, here, &type, &key) && type_changes(v, here, type)) {
        v[0].i32 = error_out(MPI_Type_delete_attr(type->host, key->host));
    }
    return NULL;
}

/* --- windows ------------------------------------------------------------------------------------------------------ */

IMPORT(MPI_Win_create_keyval) {
    ENTER("MPI_Win_create_keyval")
    return create_key(v, here, KEY_OF_WIN);
}

IMPORT(MPI_Win_free_keyval) {
    ENTER("MPI_Win_free_keyval")
    return free_key(v, here, KEY_OF_WIN);
}

/* The window and key of a call on a window's attributes; false with the answer in v[0]. */
static bool of_win(wasmtime_val_raw_t *v, const char *here, struct win_info **win, struct key **key) {
    *win = win_find(v[0].i32);
    *key = key_find(v[1].i32, KEY_OF_WIN);
    if (*win == NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "win", ABI_MPI_ERR_WIN);
    } else if (*key == NULL) {
        v[0].i32 = refuse_win((*win)->host, here, "win_keyval", ABI_MPI_ERR_KEYVAL);
    }
    return *win != NULL && *key != NULL;
}

IMPORT(MPI_Win_get_attr) {
    ENTER("MPI_Win_get_attr")
    struct win_info *win = win_find(v[0].i32);
    int32_t number = v[1].i32;
    uint32_t value_at = (uint32_t)v[2].i32, flag_at = (uint32_t)v[3].i32;
    struct key *key = key_find(number, KEY_OF_WIN);
    bool predefined = number >= ABI_MPI_WIN_BASE && number <= ABI_MPI_WIN_MODEL;
    if (win == NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "win", ABI_MPI_ERR_WIN);
    } else if (key == NULL && !predefined) {
        v[0].i32 = refuse_win(win->host, here, "win_keyval", ABI_MPI_ERR_KEYVAL);
    } else if (!room(value_at, 1, 4) || !room(flag_at, 1, 4)) {
        v[0].i32 = refuse_win(win->host, here, "attribute_val", ABI_MPI_ERR_ARG);
    } else if (predefined) {
        put32(value_at, (int32_t)win_attribute(win, number, here));
        put32(flag_at, 1);
        v[0].i32 = ABI_MPI_SUCCESS;
    } else {
        void *value = NULL;
        int found = 0;
        int code = MPI_Win_get_attr(win->host, key->host, &value, &found);
        if (code == MPI_SUCCESS && found) {
            put32(value_at, (int32_t)(uintptr_t)value);
        }
        if (code == MPI_SUCCESS) {
            put32(flag_at, found != 0);
        }
        v[0].i32 = error_out(code);
    }
    return NULL;
}

/* Whether its attributes may change now; false with the answer in v[0]. */
static bool win_changes(wasmtime_val_raw_t *v, const char *here, const struct win_info *win) {
    if (!attributes_in_use(win_pack(win->host))) {
        return true;
    }
    v[0].i32 = refuse_win(win->host, here, "win_keyval", ABI_MPI_ERR_KEYVAL);
    return false;
}

IMPORT(MPI_Win_set_attr) {
    ENTER("MPI_Win_set_attr")
    struct win_info *win;
    struct key *key;
    if (of_win(v, here, &win, &key) && win_changes(v, here, win)) {
        v[0].i32 = attribute_set(key, MPI_Win_set_attr(win->host, key->host, (void *)(uintptr_t)(uint32_t)v[2].i32));
    }
    return NULL;
}

IMPORT(MPI_Win_delete_attr) {
    ENTER("MPI_Win_delete_attr")
    struct win_info *win;
    struct key *key;
    if (of_win(v, here, &win, &key) && win_changes(v, here, win)) {
        v[0].i32 = error_out(MPI_Win_delete_attr(win->host, key->host));
    }
    return NULL;
}
