/* The launcher's command line: what the guest is, and what it is granted. */
#ifndef ARGOSY_OPTIONS_H
#define ARGOSY_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A folder of the host that the guest sees under another name. */
struct folder {
    const char *host;
    const char *guest;
    bool writable;
};

struct variable {
    const char *name;
    const char *value;
};

/* Strings point into argv or live until the process ends. */
struct options {
    struct folder *folders;
    size_t folder_count;
    struct variable *variables;
    size_t variable_count;
    const char *module;     /* path of the precompiled module; once it is loaded, of that which was */
    const char **modules;   /* every file of its native code, in the order in which they are tried */
    size_t module_count;
    const char **arguments; /* the guest's argv: name first, NULL last */
    size_t argument_count;
    const char *mpi_library; /* file of the MPI library to use; NULL: as the glue itself finds it */
    bool wasmtime_wasi; /* wasmtime's WASI instead of the launcher's own */
    int64_t spawn;      /* how many processes the job may start */
    int64_t memory;     /* bytes that the guest's memory may have; 0: as many as the module says */
    int64_t seconds;    /* how long this process may run; 0: for ever */
    bool connect;       /* it may connect to processes of other jobs */
    bool again;         /* a process like this one has started it: MPI_Comm_spawn */
    const char *trace; /* the folder that each rank writes what it called of MPI to; NULL: not traced */
    bool check; /* only look whether this node has all that the module imports */
};

/* Parse argv; on wrong use prints why to stderr and leaves with status 2. */
void options_parse(struct options *options, int argc, char **argv);

#endif
