/* What the launcher's own files share and the MPI glue does not see. */
#ifndef ARGOSY_LAUNCH_H
#define ARGOSY_LAUNCH_H

#include "guest.h"
#include "options.h"

#define MPI_MODULE "argosy_mpi_1"

/* The first of the options' modules that is there and that this node can run, after checking that nobody else can have
 * written it; the bytes checked are the bytes loaded. `module` of the options is then its path, and `engine` what it
 * was loaded in. */
wasmtime_module_t *module_load(struct options *options, wasm_engine_t **engine);

/* An engine for code that checks its bounds, or for code that leaves that to guard pages. `memory` are the bytes that a
 * memory may have, 0 without limit. */
wasm_engine_t *engine_make(bool checked, int64_t memory);

/* Whether this process may have as many addresses as guard pages take. */
bool engine_has_addresses(void);

/* Memories of the engine that `config` will make are reserved as large as there are addresses for, and at most `memory`
 * bytes. */
void room_set(wasm_config_t *config, int64_t memory);

/* The bytes to which the guest's memory can grow. */
size_t room_reach(void);

/* Define in `linker` what the module imports: WASI (the launcher's own or wasmtime's, as the options say) and MPI. When
 * the node lacks some import, lists all such and leaves. Gives the glue, or NULL for a module without MPI. */
const struct mpi_glue *link_imports(wasmtime_linker_t *linker, wasmtime_context_t *context,
                                    const struct options *options, const wasmtime_module_t *module);

/* Remember what is granted, for guest_folder_of. */
void paths_grant(const struct options *options);

/* Give wasmtime's WASI what the options grant, and nothing else. */
void wasmtime_wasi_grant(wasmtime_context_t *context, const struct options *options);

/* Fill `guest` from the instance's exports; false when it exports no memory of its own. */
bool guest_attach(wasmtime_context_t *context, const wasmtime_instance_t *instance);

/* Does a function type equal a signature text ("iiI:i")? */
bool signature_matches(const char *signature, const wasm_functype_t *type);

#endif
