/* The tool information interface: control variables.
 *
 * What a guest may change. Control variables steer the node's MPI library in this process, and some of their values are
 * paths or commands of the node. So a guest reads all of them and writes none, unless whoever starts the job grants it:
 * the environment variable ARGOSY_CVARS of the launcher's process (not of the guest) lists names, separated by commas;
 * "*" grants all but those that hold text, which have to be named. Where there is no grant, MPI_T_cvar_get_info tells
 * the scope MPI_T_SCOPE_READONLY (or _CONSTANT) and MPI_T_cvar_write answers MPI_T_ERR_CVAR_SET_NEVER.
 */
#include "mpi_tool_variables.h"

static struct handles cvars;

static bool granted(const struct about *about) {
    const char *list = getenv("ARGOSY_CVARS");
    size_t length = strlen(about->name);
    while (list != NULL && *list != 0) {
        size_t one = strcspn(list, ",");
        if ((one == length && strncmp(list, about->name, one) == 0) ||
            (one == 1 && *list == '*' && about->type != MPI_CHAR)) {
            return true;
        }
        list += list[one] == ',' ? one + 1 : one;
    }
    return false;
}

int32_t cvar_scope_out(int32_t index, int scope) {
    struct about about;
    bool fixed = scope == MPI_T_SCOPE_CONSTANT || scope == MPI_T_SCOPE_READONLY;
    return fixed || (about_cvar(index, &about) && granted(&about)) ? constant_out(constants_tool_scopes, scope)
                                                                   : ABI_MPI_T_SCOPE_READONLY;
}

static int cvar_alloc(struct variable *made, int *count) {
    return MPI_T_cvar_handle_alloc(made->index, tool_object_address(&made->object), &made->cvar, count);
}

IMPORT(MPI_T_cvar_handle_alloc) {
    ENTER_TOOL("MPI_T_cvar_handle_alloc")
    struct about about;
    struct variable made = {.index = v[0].i32};
    v[0].i32 = about_cvar(made.index, &about) ? variable_alloc(&cvars, made, &about, &v[1], cvar_alloc)
                                              : ABI_MPI_T_ERR_INVALID_INDEX;
    return NULL;
}

static int cvar_free(uint32_t handle) {
    struct variable *variable = variable_in(&cvars, (int32_t)handle);
    int code = tool_object_lives(&variable->object) ? MPI_T_cvar_handle_free(&variable->cvar) : MPI_SUCCESS;
    slot_drop(&cvars, handle);
    return code;
}

IMPORT(MPI_T_cvar_handle_free) {
    ENTER_TOOL("MPI_T_cvar_handle_free")
    uint32_t at = (uint32_t)v[0].i32;
    if (!room(at, 1, 4) || variable_in(&cvars, get32(at)) == NULL) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID_HANDLE;
        return NULL;
    }
    v[0].i32 = error_out(cvar_free((uint32_t)get32(at)));
    put32(at, ABI_MPI_T_CVAR_HANDLE_NULL);
    return NULL;
}

IMPORT(MPI_T_cvar_read) {
    ENTER_TOOL("MPI_T_cvar_read")
    struct variable *variable = variable_in(&cvars, v[0].i32);
    uint32_t at = (uint32_t)v[1].i32;
    if (variable == NULL || !tool_object_lives(&variable->object)) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID_HANDLE;
        return NULL;
    }
    char *value = value_fits(variable, at) ? value_memory(variable) : NULL;
    if (value == NULL) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID;
        return NULL;
    }
    int code = MPI_T_cvar_read(variable->cvar, value);
    if (code == MPI_SUCCESS) {
        value_out(variable, at, value);
    }
    free(value);
    v[0].i32 = error_out(code);
    return NULL;
}

IMPORT(MPI_T_cvar_write) {
    ENTER_TOOL("MPI_T_cvar_write")
    struct variable *variable = variable_in(&cvars, v[0].i32);
    uint32_t at = (uint32_t)v[1].i32;
    struct about about;
    if (variable == NULL || !tool_object_lives(&variable->object)) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID_HANDLE;
        return NULL;
    }
    if (!about_cvar(variable->index, &about) || !granted(&about)) {
        v[0].i32 = ABI_MPI_T_ERR_CVAR_SET_NEVER;
        return NULL;
    }
    uint64_t length = variable->bytes;
    bool right = variable->text ? at != 0 && guest_string(at, variable->bytes, &length) != NULL : value_fits(variable, at);
    char *value = right ? value_memory(variable) : NULL;
    if (value == NULL) {
        v[0].i32 = ABI_MPI_T_ERR_INVALID;
        return NULL;
    }
    memcpy(value, guest.base + at, length);
    v[0].i32 = error_out(MPI_T_cvar_write(variable->cvar, value));
    free(value);
    return NULL;
}

void cvars_close(void) {
    variables_free(&cvars, cvar_free);
}
