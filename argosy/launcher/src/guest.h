/* The guest, as host functions see it: its memory, its functions, and how to stop it.
 *
 * Invariants.
 * - One process runs one guest on one thread at a time. `guest` is filled once, before `_start`, and its `base`,
 *   `context`, `memory` and `table` never change after that: 4 GiB are reserved for the memory and it never moves, so a
 *   pointer that MPI holds across calls stays valid while the guest grows its memory. Guest memory never shrinks.
 * - Guest addresses are offsets from `base`, always 32 bits wide. A host function turns one into a pointer only by
 *   `guest_span`, which checks the whole extent; nothing else adds to `base`.
 * - A host function never unwinds past foreign frames. It ends the guest by returning `guest_trap(...)`; where frames
 *   of the MPI library stand between (inside a callback), by `guest_fail(...)`, which does not return.
 *
 * This header is the only thing that the launcher (main.c and its files) and the MPI glue (argosy-mpi.so) share.
 */
#ifndef ARGOSY_GUEST_H
#define ARGOSY_GUEST_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wasmtime.h"

#define ARGOSY_GLUE_VERSION 2
#define ARGOSY_TRAP_STATUS 134 /* what a shell reports for SIGABRT; a trapped rank leaves with it */

struct guest {
    uint8_t *base;
    uint64_t known_size; /* bytes that are known to exist; the memory may have grown since: see guest_size() */
    wasmtime_context_t *context;
    wasmtime_memory_t memory;
    wasmtime_table_t table; /* functions by index; valid only when has_table */
    bool has_table;
};

/* Defined by the launcher; the glue reads it. */
extern struct guest guest;

/* The memory's size in bytes, now. */
uint64_t guest_size(void);

/* Host pointer to `bytes` bytes of guest memory at `address`; NULL when any of them is outside. An empty span is inside
 * when its address is at most the size. No overflow: address < 2^32 and the sum is made in 64 bits after a bound. */
static inline void *guest_span(uint32_t address, uint64_t bytes) {
    if (bytes > guest.known_size || address > guest.known_size - bytes) {
        uint64_t size = guest_size(); /* it may have grown: look again before refusing */
        if (bytes > size || address > size - bytes) {
            return NULL;
        }
    }
    return guest.base + address;
}

/* The NUL-terminated string at `address` and its length without the NUL; NULL when no NUL comes before the memory's end
 * or within `limit` bytes. */
const char *guest_string(uint32_t address, uint64_t limit, uint64_t *length);

/* Copy values in guest layout. Guest memory has wasm's byte order, little endian; the launcher builds on such nodes only.
 * Unaligned addresses are allowed. False when outside. */
bool guest_read(uint32_t address, void *to, uint64_t bytes);
bool guest_write(uint32_t address, const void *from, uint64_t bytes);

/* Is table element `index` a function of this signature? Signatures are written "iiI:i": parameters, colon, results;
 * i = i32, I = i64, f = f32, F = f64. */
bool guest_callable(uint32_t index, const char *signature);

/* The same, and which function it is: that one for good, whatever the guest puts in its place in the table. */
bool guest_function(uint32_t index, const char *signature, wasmtime_func_t *function);

/* Call table element `index`, which must have this signature (checked at every call; a repeated pair is cheap).
 * `values` holds the parameters and then the results, both from index 0; it has room for `count` of them, the larger of
 * both numbers. Safe inside MPI callbacks: when the guest traps, exits, or the element is no such function, this
 * reports it, ends the job and does not return. `what` names the callback in that report ("MPI_Op function"). */
void guest_call(uint32_t index, const char *signature, wasmtime_val_raw_t *values, size_t count, const char *what);

/* The same for what guest_function gave, whose signature has not to be checked again: for callbacks that are frequent. */
void guest_call_function(const wasmtime_func_t *function, wasmtime_val_raw_t *values, size_t count, const char *what);

/* How many of those calls are running, one inside the other: is MPI at work below? */
extern uint32_t guest_depth;

/* What an import returns to end the guest with this message; the backtrace is added by whoever reports it. */
wasm_trap_t *guest_trap(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Report the message as a trap is reported, abort the MPI job where there is one, and leave with ARGOSY_TRAP_STATUS. */
_Noreturn void guest_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The folder of the file that the guest names by `path` (MPI-IO's file names), open (O_PATH; the caller closes it), and
 * the file's name in it, which is no link. It lies inside the granted folders, wherever links lead. -1 with errno; EACCES
 * where no granted folder contains it. */
int guest_folder_of(const char *path, bool for_writing, char name[NAME_MAX + 1]);

/* Processes that the guest may start (options --spawn, --connect), for MPI_Comm_spawn and MPI_Comm_connect. */
int64_t guest_may_start(void);             /* how many, for the whole world of processes that this one belongs to */
bool guest_may_connect(void);              /* to any MPI process, and not only to those of its own job */
const char *guest_name(void);              /* argv[0] as the guest sees it */
bool guest_has_folder(const char *name);   /* may it start one with this as "."? Only what is granted under that name */
bool guest_launcher(char *path, size_t size); /* this launcher's path; false: process managers cannot carry it */
/* The words that follow the launcher's path to start this module once more, NULL at their end; NULL: no memory. The guest
 * there sees `name` and `arguments` (NULL at their end; or NULL), `folder` (NULL, or one that guest_has_folder) as ".",
 * and its world may start `spawn` more. Whatever the guest chose, process managers read nothing but words in these. */
char **guest_again(const char *name, const char *const *arguments, const char *folder, int64_t spawn);
void again_free(char **words);

/* One host function: what the guest imports by `name`. */
struct import {
    const char *name;
    const char *signature; /* "iiiI:i", as above */
    wasmtime_func_unchecked_callback_t call; /* its `data` is NULL */
};

/* What a call of MPI moves: bytes that it sends and that it has room to receive, and the rank in MPI_COMM_WORLD that one
 * message goes to, or -1. */
struct traffic {
    uint64_t sent, received;
    int to;
};

/* What argosy-mpi.so exports as `argosy_mpi_glue`. */
struct mpi_glue {
    uint32_t version;             /* ARGOSY_GLUE_VERSION */
    const struct import *imports; /* of module "argosy_mpi_1", sorted by name (strcmp) */
    size_t count;
    void (*attach)(struct guest *guest); /* called once, after instantiation and before _start */
    int (*rank)(void);                   /* rank in MPI_COMM_WORLD; -1 before MPI_Init and after MPI_Finalize */
    int (*size)(void);                   /* ranks in MPI_COMM_WORLD; -1 as above */
    /* What the call of imports[import] with these arguments, not checked yet, will move; for traces alone. */
    void (*traffic)(size_t import, const wasmtime_val_raw_t *values, struct traffic *traffic);
    void (*abort)(int status);           /* MPI_Abort on all ranks where MPI is initialized; may return where it is not */
    const char *(*library)(void);        /* MPI_Get_library_version's text; usable before MPI_Init */
    void (*finish)(void); /* the guest has left by exit() or by returning: whatever it did not finalize; may be NULL */
};

extern const struct mpi_glue argosy_mpi_glue;

#endif
