/* Variables of the tool information interface: what those that control and those that count have in common.
 *
 * Invariants.
 * - Whatever MPI writes goes to memory of the node that is larger than it should need; the guest gets count elements.
 * - A handle whose MPI object is gone is never given to the library again, not even to free it: what the library keeps
 *   for it is left to the end of the process.
 */
#ifndef ARGOSY_MPI_TOOL_VARIABLES_H
#define ARGOSY_MPI_TOOL_VARIABLES_H

#include "mpi_tool.h"

/* What a handle of the guest's stands for. */
struct variable {
    struct tool_object object;
    MPI_T_cvar_handle cvar;
    MPI_T_pvar_handle pvar;
    int32_t index;
    int32_t session; /* of a performance variable */
    bool text;
    uint64_t bytes; /* of all its elements; 0: of a datatype that the guest does not have */
};
struct variable *variable_in(struct handles *handles, int32_t guest_handle);

/* What the library says of the variable of this number; false: there is none. */
struct about {
    char name[512];
    MPI_Datatype type;
    MPI_T_enum enumeration;
    int binding, scope, readonly;
};
bool about_cvar(int32_t index, struct about *about);
bool about_pvar(int32_t index, struct about *about);

/* Answer the allocation of a handle for `made`. The guest's arguments from `v` on are where the MPI object's handle is,
 * where the new handle goes, and where the number of elements does; `alloc` calls MPI, which gives that number. */
int32_t variable_alloc(struct handles *handles, struct variable made, const struct about *about,
                       const wasmtime_val_raw_t *v, int (*alloc)(struct variable *, int *));

/* Memory for a value: libraries write text without asking for its room. */
void *value_memory(const struct variable *variable);
/* Room in the guest for the whole value. */
bool value_fits(const struct variable *variable, uint32_t at);
void value_out(const struct variable *variable, uint32_t at, const char *value);

/* End what the guest left open when it finalizes the interface. */
void variables_free(struct handles *handles, int (*free_one)(uint32_t));
void cvars_close(void);
void pvars_close(void);

#endif
