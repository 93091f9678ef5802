/* Loading native code. Whoever can write the file can run anything as this user, so it must be the user's own or the
 * administrator's, and the folder it lies in too. The checks are made on the open file and the same open file is
 * mapped: exchanging the name between check and use changes nothing. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launch.h"
#include "report.h"

static void require_trusted(const char *path, const char *kind, const struct stat *status) {
    if (status->st_uid != geteuid() && status->st_uid != 0) {
        refuse(STATUS_CANNOT_RUN, "%s: the %s belongs to user %ju, who could put any native code there", path, kind,
               (uintmax_t)status->st_uid);
    }
    if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0 && (status->st_mode & S_ISVTX) == 0) {
        refuse(STATUS_CANNOT_RUN, "%s: the %s can be written by others (mode %o)", path, kind,
               (unsigned)(status->st_mode & 07777));
    }
}

static void check_folder(const char *path) {
    char *copy = strdup(path);
    struct stat status;
    char *slash = copy == NULL ? NULL : strrchr(copy, '/');
    if (slash != NULL) {
        slash[slash == copy ? 1 : 0] = '\0';
    }
    if (copy == NULL || stat(slash != NULL ? copy : ".", &status) != 0) {
        refuse(STATUS_CANNOT_RUN, "%s: cannot look at its folder: %s", path, strerror(errno));
    }
    require_trusted(path, "folder", &status);
    free(copy);
}

/* A shared lock, held until the process ends, keeps the file from being removed to make room (argosy/site/cache_limit.py):
 * over NFS, other nodes would lose the pages that they map. A file system without locks goes without. */
static void keep(int file, const char *path) {
    struct stat status;
    while (flock(file, LOCK_SH) != 0 && errno == EINTR) {
    }
    if (fstat(file, &status) == 0 && status.st_nlink == 0) {
        refuse(STATUS_CANNOT_RUN, "%s was removed from the cache just now; start it again", path);
    }
}

/* The file, open and to be trusted; -1 with errno when there is none. */
static int open_trusted(const char *path) {
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return -1;
    }
    check_folder(path);
    if (fstat(file, &status) != 0) {
        refuse(STATUS_CANNOT_RUN, "cannot look at %s: %s", path, strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        refuse(STATUS_CANNOT_RUN, "%s is not a file", path);
    }
    require_trusted(path, "file", &status);
    keep(file, path);
    return file;
}

/* Write why a file does not load, unless that has been `told` of it already; takes the error over. */
static void tell(FILE *reasons, wasmtime_error_t *error, wasm_name_t *told) {
    wasm_name_t message;
    wasmtime_error_message(error, &message);
    if (message.size != told->size || memcmp(message.data, told->data, told->size) != 0) {
        const char *before = told->size > 0 ? "; nor as code that checks its bounds: " : "";
        fprintf(reasons, "%s%.*s", before, (int)message.size, message.data);
    }
    wasm_byte_vec_delete(told);
    *told = message;
    wasmtime_error_delete(error);
}

/* The code in the open file, whichever bounds it was compiled for; what does not fit is told. */
static wasmtime_module_t *load(int file, const struct options *options, wasm_engine_t **engine, FILE *reasons) {
    static wasm_engine_t *engines[2]; /* by whether code checks its bounds; made when first wanted */
    char name[64];
    wasmtime_module_t *module = NULL;
    wasm_name_t told = {0};
    snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    bool guarded = engine_has_addresses();
    for (int checked = guarded ? 0 : 1; checked <= 1; checked++) {
        if (engines[checked] == NULL) {
            engines[checked] = engine_make(checked, options->memory);
        }
        wasmtime_error_t *error = wasmtime_module_deserialize_file(engines[checked], name, &module);
        if (error == NULL) {
            *engine = engines[checked];
            break;
        }
        tell(reasons, error, &told);
    }
    wasm_byte_vec_delete(&told);
    if (module == NULL && !guarded) {
        fprintf(reasons, "; under this limit of addresses (ulimit -v) only code that checks its bounds can run: "
                         "argosy precompile --bounds check");
    }
    return module;
}

/* Nodes of one job may have other CPUs, other limits, or caches of their own, so code for each kind may be named:
 * wasmtime compares what the code was compiled for with what is here, and refuses by name. Only then the next is
 * tried. */
wasmtime_module_t *module_load(struct options *options, wasm_engine_t **engine) {
    char *why = NULL;
    size_t size = 0;
    FILE *reasons = open_memstream(&why, &size);
    if (reasons == NULL) {
        refuse(STATUS_CANNOT_RUN, "out of memory");
    }
    for (size_t i = 0; i < options->module_count; i++) {
        const char *path = options->modules[i];
        const char *apart = i == 0 ? "" : "\n  ";
        int file = open_trusted(path);
        if (file < 0) {
            fprintf(reasons, "%scannot open %s: %s", apart, path, strerror(errno));
            continue;
        }
        fprintf(reasons, "%s%s: ", apart, path);
        wasmtime_module_t *module = load(file, options, engine, reasons);
        if (module != NULL) {
            options->module = path;
            fclose(reasons);
            free(why);
            return module;
        }
        close(file);
    }
    fclose(reasons);
    refuse(STATUS_CANNOT_RUN, "%s", why);
}
