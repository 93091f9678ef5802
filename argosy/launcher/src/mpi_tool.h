/* The tool information interface (MPI_T): its objects, strings and datatypes between guest and node.
 *
 * Invariants.
 * - Its calls are allowed from the guest's MPI_T_init_thread to as many MPI_T_finalize, whatever MPI's own phase is.
 * - A handle of a variable that is bound to an MPI object is passed to the library only while the guest still has that
 *   object: libraries keep its address and look into it.
 * - A tool's call gives a code and calls no error handler.
 */
#ifndef ARGOSY_MPI_TOOL_H
#define ARGOSY_MPI_TOOL_H

#include "mpi_handles.h"

extern uint32_t tool_opened; /* how many MPI_T_finalize are due */

#define ENTER_TOOL(name)                                                                                               \
    static const char here[] __attribute__((unused)) = name;                                                           \
    if (UNLIKELY(tool_opened == 0)) {                                                                                  \
        v[0].i32 = ABI_MPI_T_ERR_NOT_INITIALIZED;                                                                      \
        return NULL;                                                                                                   \
    }

/* Is it one of those that the procedure counts? */
static inline bool tool_index_in(int (*get_num)(int *), int32_t index) {
    int count = 0;
    return index >= 0 && get_num(&count) == MPI_SUCCESS && index < count;
}

/* A string that MPI writes: `text` and `length` for MPI; where the guest wants them. False: outside memory. */
struct tool_string {
    char *text;
    int length;
    uint32_t text_at, length_at;
};
bool tool_string_open(struct scratch *scratch, uint32_t text_at, uint32_t length_at, struct tool_string *string);
void tool_string_out(struct tool_string *string);

/* Datatypes of variables, which exist before MPI_Init: their size in bytes (0: unknown), and the guest's datatype of that
 * size, since what is `long` on the node is `long long` in the guest. */
uint64_t tool_type_bytes(MPI_Datatype type);
uint32_t tool_type_out(MPI_Datatype type);

/* Enumerations, by what they belong to. One that its variable does not have any more is refused. */
enum enum_of { ENUM_OF_CVAR, ENUM_OF_PVAR, ENUM_OF_EVENT };
uint32_t tool_enum_out(MPI_T_enum host, enum enum_of of, int32_t index);
bool tool_enum_in(int32_t guest_handle, MPI_T_enum *host);
bool tool_item_in(MPI_T_enum host, int32_t index);

/* The MPI object that a variable or an event is bound to. */
struct tool_object {
    int binding; /* MPI_T_BIND_X */
    int32_t guest;
    uint64_t host; /* its address goes to MPI, which may keep it */
};
/* Read the guest's handle at `address`, of the kind that `binding` says; false when it is none. */
bool tool_object_in(int binding, uint32_t address, struct tool_object *object);
bool tool_object_lives(const struct tool_object *object);
static inline void *tool_object_address(struct tool_object *object) {
    return object->binding == MPI_T_BIND_NO_OBJECT ? NULL : &object->host;
}

/* What the guest may change: the scope and the read-only mark that it is told. */
int32_t cvar_scope_out(int32_t index, int scope);
int32_t pvar_readonly_out(int32_t index, int readonly);

#if HAVE_MPI_T_event_handle_alloc
/* A handle for an event that happens now, of this number; 0 when memory is short. */
uint32_t tool_instance_out(MPI_T_event_instance host, int32_t event);
void tool_instance_drop(uint32_t handle);
#endif

/* End what the guest left open when it finalizes the interface; false while one of its event functions runs. */
bool tool_events_close(void);

#endif
