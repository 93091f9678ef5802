/* argosy-launch: one process, one precompiled module, started and ended.
 *
 * Order: options, module (trusted file only) and the engine that it loads in, imports (all there or nothing starts),
 * grants, instance, guest, MPI glue, _start. Objects live until the process ends; the kernel takes them back faster
 * than we could. */
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "again.h"
#include "allowance.h"
#include "launch.h"
#include "report.h"
#include "wasi.h"

static wasmtime_func_t find_start(wasmtime_context_t *context, const wasmtime_instance_t *instance, const char *path) {
    static const char name[] = "_start";
    wasmtime_extern_t item;
    if (!wasmtime_instance_export_get(context, instance, name, sizeof name - 1, &item) ||
        item.kind != WASMTIME_EXTERN_FUNC) {
        refuse(STATUS_CANNOT_RUN, "%s exports no function _start: it is not a program", path);
    }
    wasm_functype_t *type = wasmtime_func_type(context, &item.of.func);
    if (!signature_matches(":", type)) {
        refuse(STATUS_CANNOT_RUN, "%s: _start takes parameters or gives results: it is not a program", path);
    }
    wasm_functype_delete(type);
    return item.of.func;
}

/* Libraries write to 0, 1 and 2: no file that is opened later may get one of these numbers. */
static void occupy_streams(void) {
    for (int host = STDIN_FILENO; host <= STDERR_FILENO; host++) {
        if (fcntl(host, F_GETFD) < 0) {
            open("/dev/null", O_RDWR);
        }
    }
}

int main(int argc, char **argv) {
    struct options options;
    wasmtime_instance_t instance;
    wasm_trap_t *trap = NULL;
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is the writer's error, and not the end */
    occupy_streams();
    options_parse(&options, argc, argv);
    wasm_engine_t *engine = NULL;
    wasmtime_module_t *module = module_load(&options, &engine);
    wasmtime_store_t *store = wasmtime_store_new(engine, NULL, NULL);
    wasmtime_context_t *context = wasmtime_store_context(store);
    wasmtime_linker_t *linker = wasmtime_linker_new(engine);
    const struct mpi_glue *glue = link_imports(linker, context, &options, module);
    if (options.check) {
        return 0;
    }
    if (options.wasmtime_wasi) {
        wasmtime_wasi_grant(context, &options);
    } else {
        wasi_set_guest(&options);
        wasi_open_granted(&options);
    }
    paths_grant(&options);
    again_remember(&options);
    allowance_set(&options, store);
    report_set_glue(glue, options.again);
    wasmtime_error_t *error = wasmtime_linker_instantiate(linker, context, module, &instance, &trap);
    if (error != NULL) {
        refuse_error(options.memory > 0 ? "cannot make room for the guest within the memory that it is granted"
                                        : "cannot make room for the guest",
                     error);
    }
    report_outcome(NULL, trap, "the module's start function");
    wasmtime_func_t start = find_start(context, &instance, options.module);
    if (!guest_attach(context, &instance) && glue != NULL) {
        refuse(STATUS_CANNOT_RUN, "%s calls MPI and exports no memory", options.module);
    }
    if (glue != NULL) {
        glue->attach(&guest);
    }
    wasmtime_val_raw_t nothing[1];
    error = wasmtime_func_call_unchecked(context, &start, nothing, 0, &trap);
    report_outcome(error, trap, NULL);
    leave(0);
}
