/* Imports. All of a module's imports are looked at before any is defined, so that a refusal names every missing one;
 * only what the module imports is defined, so that a glue of a thousand functions costs nothing at start. */
#include <dlfcn.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launch.h"
#include "report.h"
#include "trace.h"
#include "wasi.h"

static bool name_is(const wasm_name_t *name, const char *text) {
    return name->size == strlen(text) && memcmp(name->data, text, name->size) == 0;
}

/* argosy-mpi.so beside this executable, loaded; NULL when the launcher was built without MPI. The glue needs an MPI
 * library by its SONAME, and one that is loaded already is the one that it gets. */
static const struct mpi_glue *glue_load(const char *mpi_library) {
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path);
    char *slash = length > 0 && (size_t)length < sizeof path ? memrchr(path, '/', (size_t)length) : NULL;
    static const char name[] = "/argosy-mpi.so";
    if (slash == NULL || (size_t)(slash - path) + sizeof name > sizeof path) {
        refuse(STATUS_CANNOT_RUN, "cannot find out where argosy-launch itself lies");
    }
    memcpy(slash, name, sizeof name);
    if (access(path, F_OK) != 0) {
        return NULL;
    }
    /* A guest's faults are the launcher's to tell: UCX 1.13 would take them for its own and abort. Where it came before
     * us, our handlers are before its own. */
    if (dlopen("libucs.so.0", RTLD_NOW | RTLD_NOLOAD) == NULL) {
        setenv("UCX_HANDLE_ERRORS", "none", 0);
    }
    /* Open MPI has the receiver of a long message read it from the sender's memory, or the sender write it to the
     * receiver's, as much as is sent: where less was asked for, beyond the buffer. In fragments it ends where it must. */
    setenv("OMPI_MCA_pml_ob1_max_rdma_per_request", "0", 1);
    /* Global, because an MPI library's plug-ins look for their own library among the global symbols. */
    if (mpi_library != NULL && dlopen(mpi_library, RTLD_NOW | RTLD_GLOBAL) == NULL) {
        refuse(STATUS_CANNOT_RUN, "cannot load the MPI library: %s", dlerror());
    }
    void *library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    if (library == NULL) {
        refuse(STATUS_CANNOT_RUN, "cannot load the MPI glue: %s", dlerror());
    }
    const struct mpi_glue *glue = dlsym(library, "argosy_mpi_glue");
    if (glue == NULL || glue->version != ARGOSY_GLUE_VERSION) {
        refuse(STATUS_CANNOT_RUN, "%s is not this launcher's MPI glue", path);
    }
    return glue;
}

static int compare_import(const void *name, const void *import) {
    const wasm_name_t *wanted = name;
    const char *have = ((const struct import *)import)->name;
    int order = strncmp(wanted->data, have, wanted->size);
    return order != 0 ? order : have[wanted->size] == '\0' ? 0 : -1;
}

static const struct import *find_import(const struct mpi_glue *glue, const wasm_name_t *name) {
    return bsearch(name, glue->imports, glue->count, sizeof *glue->imports, compare_import);
}

static int compare_wasi(const void *name, const void *call) {
    const wasm_name_t *wanted = name;
    const char *have = ((const struct wasi_call *)call)->name;
    int order = strncmp(wanted->data, have, wanted->size);
    return order != 0 ? order : have[wanted->size] == '\0' ? 0 : -1;
}

static const struct wasi_call *find_wasi(const wasm_name_t *name) {
    return bsearch(name, wasi_calls, wasi_call_count, sizeof *wasi_calls, compare_wasi);
}

static bool has_type(const wasm_importtype_t *import, const char *signature) {
    const wasm_externtype_t *type = wasm_importtype_type(import);
    return wasm_externtype_kind(type) == WASM_EXTERN_FUNC &&
           signature_matches(signature, wasm_externtype_as_functype_const(type));
}

/* Where imports come from; `glue` is NULL for a launcher without MPI. */
struct sources {
    wasmtime_linker_t *linker;
    wasmtime_context_t *context;
    const struct mpi_glue *glue;
    bool own_wasi;
};

/* Why the node cannot give this import; NULL when it can. */
static const char *lacks(const struct sources *sources, const wasm_importtype_t *import) {
    const wasm_name_t *module = wasm_importtype_module(import);
    const wasm_name_t *name = wasm_importtype_name(import);
    const struct mpi_glue *glue = sources->glue;
    if (sources->own_wasi && name_is(module, WASI_MODULE)) {
        const struct wasi_call *have = find_wasi(name);
        return have == NULL ? "unknown on this node"
               : has_type(import, have->signature) ? NULL
                                                   : "has other parameters on this node";
    }
    if (name_is(module, MPI_MODULE)) {
        if (glue == NULL) {
            return "needs MPI, and this launcher was built without";
        }
        const struct import *have = find_import(glue, name);
        if (have == NULL) {
            return "this node's MPI has no such function";
        }
        return has_type(import, have->signature) ? NULL : "has other parameters on this node";
    }
    wasmtime_extern_t item;
    if (!wasmtime_linker_get(sources->linker, sources->context, module->data, module->size, name->data, name->size,
                             &item)) {
        return "unknown on this node";
    }
    wasmtime_extern_delete(&item);
    return NULL;
}

static void require_all(const struct sources *sources, const char *path, const wasm_importtype_vec_t *imports) {
    char *list = NULL;
    size_t size = 0, missing = 0;
    FILE *stream = open_memstream(&list, &size);
    if (stream == NULL) {
        refuse(STATUS_CANNOT_RUN, "out of memory");
    }
    for (size_t i = 0; i < imports->size; i++) {
        const wasm_name_t *module = wasm_importtype_module(imports->data[i]);
        const wasm_name_t *name = wasm_importtype_name(imports->data[i]);
        const char *reason = lacks(sources, imports->data[i]);
        if (reason != NULL) {
            fprintf(stream, "\n  %.*s.%.*s: %s", (int)module->size, module->data, (int)name->size, name->data, reason);
            missing++;
        }
    }
    fclose(stream);
    if (missing > 0) {
        refuse(STATUS_CANNOT_RUN, "%s imports what this node lacks:%s", path, list);
    }
    free(list);
}

/* wasmtime learns of traps by signals, and some MPI libraries (UCX under MPICH) put handlers of their own in their
 * place while they start. So the handlers are put back after every function that starts MPI. */
static wasm_trap_t *call_keeping_signals(void *import, wasmtime_caller_t *caller, wasmtime_val_raw_t *values,
                                         size_t count) {
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
    enum { COUNT = sizeof signals / sizeof *signals };
    struct sigaction actions[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        sigaction(signals[i], NULL, &actions[i]);
    }
    wasm_trap_t *trap = ((const struct import *)import)->call(NULL, caller, values, count);
    for (size_t i = 0; i < COUNT; i++) {
        sigaction(signals[i], &actions[i], NULL);
    }
    return trap;
}

static bool starts_mpi(const wasm_name_t *name) {
    return name_is(name, "MPI_Init") || name_is(name, "MPI_Init_thread") || name_is(name, "MPI_Session_init") ||
           name_is(name, "MPI_T_init_thread");
}

static void define_mpi(wasmtime_linker_t *linker, const struct mpi_glue *glue, const wasm_importtype_t *import,
                       bool traced) {
    const wasm_name_t *name = wasm_importtype_name(import);
    const wasm_functype_t *type = wasm_externtype_as_functype_const(wasm_importtype_type(import));
    const struct import *have = find_import(glue, name);
    bool keep = starts_mpi(name);
    wasmtime_func_unchecked_callback_t call = keep ? call_keeping_signals : have->call;
    void *data = keep ? (void *)(uintptr_t)have : NULL;
    if (traced) {
        data = trace_import(have, call, data);
        call = trace_call;
    }
    wasmtime_error_t *error = wasmtime_linker_define_func_unchecked(
        linker, MPI_MODULE, sizeof MPI_MODULE - 1, name->data, name->size, type, call, data, NULL);
    if (error != NULL) {
        refuse_error(have->name, error);
    }
}

static void define_wasi(wasmtime_linker_t *linker, const wasm_importtype_t *import) {
    const struct wasi_call *have = find_wasi(wasm_importtype_name(import));
    const wasm_functype_t *type = wasm_externtype_as_functype_const(wasm_importtype_type(import));
    wasmtime_error_t *error = wasi_define_call(linker, have, type);
    if (error != NULL) {
        refuse_error(have->name, error);
    }
}

static bool uses_mpi(const wasm_importtype_vec_t *imports) {
    for (size_t i = 0; i < imports->size; i++) {
        if (name_is(wasm_importtype_module(imports->data[i]), MPI_MODULE)) {
            return true;
        }
    }
    return false;
}

/* Defining the same import twice is an error, and a module may import a name twice. */
static bool is_repeated(const wasm_importtype_vec_t *imports, size_t place) {
    const wasm_name_t *module = wasm_importtype_module(imports->data[place]);
    const wasm_name_t *name = wasm_importtype_name(imports->data[place]);
    for (size_t i = 0; i < place; i++) {
        const wasm_name_t *other = wasm_importtype_name(imports->data[i]);
        const wasm_name_t *other_module = wasm_importtype_module(imports->data[i]);
        if (other->size == name->size && memcmp(other->data, name->data, name->size) == 0 &&
            other_module->size == module->size && memcmp(other_module->data, module->data, module->size) == 0) {
            return true;
        }
    }
    return false;
}

const struct mpi_glue *link_imports(wasmtime_linker_t *linker, wasmtime_context_t *context,
                                    const struct options *options, const wasmtime_module_t *module) {
    wasm_importtype_vec_t imports;
    wasmtime_module_imports(module, &imports);
    const struct mpi_glue *glue = uses_mpi(&imports) ? glue_load(options->mpi_library) : NULL;
    struct sources sources = {linker, context, glue, !options->wasmtime_wasi};
    if (!sources.own_wasi) {
        wasmtime_error_t *error = wasmtime_linker_define_wasi(linker);
        if (error != NULL) {
            refuse_error("WASI", error);
        }
    }
    require_all(&sources, options->module, &imports);
    /* Ranks of a job that this job starts have the same numbers as its own. */
    bool traced = options->trace != NULL && !options->check && !options->again && sources.glue != NULL;
    if (traced) {
        trace_begin(options->trace, options->arguments[0], sources.glue);
    }
    for (size_t i = 0; i < imports.size; i++) {
        const wasm_name_t *space = wasm_importtype_module(imports.data[i]);
        if (is_repeated(&imports, i)) {
            continue;
        }
        if (name_is(space, MPI_MODULE)) {
            define_mpi(linker, sources.glue, imports.data[i], traced);
        } else if (sources.own_wasi && name_is(space, WASI_MODULE)) {
            define_wasi(linker, imports.data[i]);
        }
    }
    wasm_importtype_vec_delete(&imports);
    return sources.glue;
}
