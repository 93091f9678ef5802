/* What control variables and performance variables share. See mpi_tool_variables.h. */
#include "mpi_tool_variables.h"

struct variable *variable_in(struct handles *handles, int32_t guest_handle) {
    struct slot *slot = slot_find(handles, (uint32_t)guest_handle);
    return slot == NULL ? NULL : slot->extra;
}

/* A new handle for a copy of `variable`; 0 when memory is short. */
static uint32_t variable_out(struct handles *handles, const struct variable *variable) {
    struct slot *slot;
    struct variable *kept = malloc(sizeof *kept);
    uint32_t handle = kept == NULL ? 0 : slot_new(handles, 0, &slot);
    if (handle == 0) {
        free(kept);
        return 0;
    }
    *kept = *variable;
    slot->extra = kept;
    return handle;
}

int32_t variable_alloc(struct handles *handles, struct variable made, const struct about *about,
                       const wasmtime_val_raw_t *v, int (*alloc)(struct variable *, int *)) {
    uint32_t handle_at = (uint32_t)v[1].i32, count_at = (uint32_t)v[2].i32;
    int count = 0;
    if (!room(handle_at, 1, 4) || !room(count_at, 1, 4)) {
        return ABI_MPI_T_ERR_INVALID;
    }
    if (!tool_object_in(about->binding, (uint32_t)v[0].i32, &made.object)) {
        return ABI_MPI_T_ERR_INVALID_HANDLE;
    }
    /* The handle's own copy of the object is where MPI finds it; so it is made first. */
    uint32_t handle = variable_out(handles, &made);
    if (handle == 0) {
        return ABI_MPI_T_ERR_OUT_OF_HANDLES;
    }
    struct variable *kept = variable_in(handles, (int32_t)handle);
    int code = alloc(kept, &count);
    if (code != MPI_SUCCESS) {
        slot_drop(handles, handle);
        return error_out(code);
    }
    kept->text = about->type == MPI_CHAR;
    kept->bytes = count < 0 ? 0 : (uint64_t)count * tool_type_bytes(about->type);
    put32(handle_at, (int32_t)handle);
    put32(count_at, count);
    return ABI_MPI_SUCCESS;
}

void variables_free(struct handles *handles, int (*free_one)(uint32_t)) {
    for (uint32_t i = 0; i < handles->used; i++) {
        if (handles->slots[i].references != 0) {
            free_one(slot_handle(handles, &handles->slots[i]));
        }
    }
}

/* --- what the library says of a variable --------------------------------------------------------------------------- */

bool about_cvar(int32_t index, struct about *about) {
    int length = sizeof about->name, none = 0, verbosity;
    *about = (struct about){.type = MPI_DATATYPE_NULL, .enumeration = MPI_T_ENUM_NULL};
    return tool_index_in(MPI_T_cvar_get_num, index) &&
           MPI_T_cvar_get_info(index, about->name, &length, &verbosity, &about->type, &about->enumeration, NULL, &none,
                               &about->binding, &about->scope) == MPI_SUCCESS;
}

bool about_pvar(int32_t index, struct about *about) {
    int length = sizeof about->name, none = 0, verbosity, class, continuous, atomic;
    *about = (struct about){.type = MPI_DATATYPE_NULL, .enumeration = MPI_T_ENUM_NULL};
    return tool_index_in(MPI_T_pvar_get_num, index) &&
           MPI_T_pvar_get_info(index, about->name, &length, &verbosity, &class, &about->type, &about->enumeration, NULL,
                               &none, &about->binding, &about->readonly, &continuous, &atomic) == MPI_SUCCESS;
}

/* --- enumerations -------------------------------------------------------------------------------------------------- */

static struct handles enums;

struct enumeration {
    MPI_T_enum host;
    enum enum_of of;
    int32_t index;
};

static bool enum_lives(const struct enumeration *one) {
    struct about about;
    switch (one->of) {
    case ENUM_OF_CVAR: return about_cvar(one->index, &about) && about.enumeration == one->host;
    case ENUM_OF_PVAR: return about_pvar(one->index, &about) && about.enumeration == one->host;
    default: return true; /* an event's stays as long as the interface */
    }
}

uint32_t tool_enum_out(MPI_T_enum host, enum enum_of of, int32_t index) {
    if (host == MPI_T_ENUM_NULL) {
        return ABI_MPI_T_ENUM_NULL;
    }
    for (uint32_t i = 0; i < enums.used; i++) {
        struct enumeration *known = enums.slots[i].extra;
        if (known->host == host) {
            *known = (struct enumeration){host, of, index};
            return slot_handle(&enums, &enums.slots[i]);
        }
    }
    struct slot *slot;
    struct enumeration *made = malloc(sizeof *made);
    uint32_t handle = made == NULL ? 0 : slot_new(&enums, 0, &slot);
    if (handle == 0) {
        free(made);
        return ABI_MPI_T_ENUM_NULL;
    }
    *made = (struct enumeration){host, of, index};
    slot->extra = made;
    return handle;
}

bool tool_enum_in(int32_t guest_handle, MPI_T_enum *host) {
    struct slot *slot = slot_find(&enums, (uint32_t)guest_handle);
    const struct enumeration *one = slot == NULL ? NULL : slot->extra;
    if (one == NULL || !enum_lives(one)) {
        return false;
    }
    *host = one->host;
    return true;
}

bool tool_item_in(MPI_T_enum host, int32_t index) {
    int count = 0, none = 0;
    return index >= 0 && MPI_T_enum_get_info(host, &count, NULL, &none) == MPI_SUCCESS && index < count;
}

/* --- values -------------------------------------------------------------------------------------------------------- */

void *value_memory(const struct variable *variable) {
    return calloc(1, variable->bytes + (variable->text ? 1 << 20 : 64));
}

bool value_fits(const struct variable *variable, uint32_t at) {
    return variable->bytes > 0 && variable->bytes <= UINT32_MAX && at != 0 && room(at, (int64_t)variable->bytes, 1);
}

void value_out(const struct variable *variable, uint32_t at, const char *value) {
    if (variable->text) {
        put_string(at, variable->bytes, value);
    } else {
        memcpy(guest.base + at, value, variable->bytes);
    }
}
