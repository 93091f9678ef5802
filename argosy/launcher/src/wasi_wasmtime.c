/* wasmtime's own WASI, granted only the folders and variables that the options name: for comparison with ours. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "launch.h"
#include "report.h"

static void grant_folder(wasi_config_t *wasi, const struct folder *folder) {
    struct stat status;
    if (stat(folder->host, &status) != 0) {
        refuse(STATUS_CANNOT_RUN, "cannot grant folder %s: %s", folder->host, strerror(errno));
    }
    if (!S_ISDIR(status.st_mode)) {
        refuse(STATUS_CANNOT_RUN, "cannot grant folder %s: it is not a folder", folder->host);
    }
    if (!wasi_config_preopen_dir(wasi, folder->host, folder->guest, folder->writable)) {
        refuse(STATUS_CANNOT_RUN, "cannot grant folder %s as %s", folder->host, folder->guest);
    }
}

static void grant_variables(wasi_config_t *wasi, const struct options *options) {
    size_t count = options->variable_count;
    const char **names = calloc(2 * count + 1, sizeof *names);
    if (names == NULL) {
        refuse(STATUS_CANNOT_RUN, "out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        names[i] = options->variables[i].name;
        names[count + i] = options->variables[i].value;
    }
    if (!wasi_config_set_env(wasi, count, names, names + count)) {
        refuse(STATUS_CANNOT_RUN, "a variable granted by --env is not UTF-8");
    }
    free(names);
}

void wasmtime_wasi_grant(wasmtime_context_t *context, const struct options *options) {
    wasi_config_t *wasi = wasi_config_new();
    wasi_config_inherit_stdin(wasi);
    wasi_config_inherit_stdout(wasi);
    wasi_config_inherit_stderr(wasi);
    if (!wasi_config_set_argv(wasi, options->argument_count, options->arguments)) {
        refuse(STATUS_CANNOT_RUN, "an argument is not UTF-8");
    }
    grant_variables(wasi, options);
    for (size_t i = 0; i < options->folder_count; i++) {
        grant_folder(wasi, &options->folders[i]);
    }
    wasmtime_error_t *error = wasmtime_context_set_wasi(context, wasi);
    if (error != NULL) {
        refuse_error("WASI", error);
    }
}
