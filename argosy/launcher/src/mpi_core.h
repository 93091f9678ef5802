/* What every part of the MPI glue stands on: how an import is written, when it may be called, how it refuses.
 *
 * Invariants.
 * - An import reads its parameters from v[0], v[1]… in the guest's layout and leaves its result in v[0]. It passes
 *   nothing to MPI that it has not checked: no address outside guest memory, no handle that the guest did not get, no
 *   count whose bytes cannot be counted.
 * - MPI never reads an array out of guest memory whose content was checked: such arrays are copied first, because a
 *   callback could change them behind MPI's back. Only message buffers are handed over as they lie.
 * - What is wrong is answered as MPI answers: the error handler of the communicator (window, file) is called with the
 *   class that the standard names, and that class is returned. Only a call at a forbidden time ends the guest.
 * - ABI_X is what the guest calls X (mpi_abi_values.h, generated); X itself is the node's.
 */
#ifndef ARGOSY_MPI_CORE_H
#define ARGOSY_MPI_CORE_H

#include <limits.h>
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Guests may call what the standard deprecates. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#include "guest.h"
#include "mpi_abi_values.h"
#include "mpi_have.h"

/* Is the node's library MPICH, of a version before that? (As its header counts them: 4.0.2 is 40002300.) */
#ifdef MPICH_NUMVERSION
#define MPICH_BEFORE(version) (MPICH_NUMVERSION < (version))
#else
#define MPICH_BEFORE(version) 0
#endif

/* MPI-3 libraries lack it; MPICH 4.0 declares it, and ends the process where an object gets it. */
#if !HAVE_MPI_ERRORS_ABORT || MPICH_BEFORE(50000000)
#undef MPI_ERRORS_ABORT
#define MPI_ERRORS_ABORT MPI_ERRORS_ARE_FATAL
#endif

/* The launcher exports its functions to the glue: one of the same name there would take the place of one of these. All
 * headers that are not the glue's own come before. */
#pragma GCC visibility push(hidden)

#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* The C function behind the import `name`. */
#define IMPORT(name)                                                                                                   \
    wasm_trap_t *import_##name(void *data __attribute__((unused)), wasmtime_caller_t *caller __attribute__((unused)),  \
                               wasmtime_val_raw_t *v, size_t n __attribute__((unused)))

enum phase { PHASE_OUTSIDE, PHASE_LIVE, PHASE_OPERATION, PHASE_EVENT };
/* OUTSIDE while the guest has neither the world nor a session; OPERATION while a user's reduction function runs, in
 * which the standard forbids communication and MPI libraries do not expect to be called; EVENT while a tool's event
 * function runs that has to be content with the tool information interface. */
extern enum phase mpi_phase;
extern bool mpi_world; /* from MPI_Init to MPI_Finalize */
extern bool mpi_ended; /* the library has been up, and gone down */

/* This process's rank in the job; -1 where MPI cannot tell. */
int mpi_rank(void);
/* End the job; may return where MPI is down. */
void mpi_abort(int status);

/* The trap for a call of `function` in the phase that it is; NULL when `anytime` functions may be called now. */
wasm_trap_t *mpi_gate(const char *function);

/* First line of an import that needs MPI to be live. */
#define ENTER(name)                                                                                                    \
    static const char here[] = name;                                                                                   \
    if (UNLIKELY(mpi_phase != PHASE_LIVE)) {                                                                           \
        wasm_trap_t *trap = mpi_gate(here);                                                                            \
        if (trap != NULL) {                                                                                            \
            return trap;                                                                                               \
        }                                                                                                              \
    }
/* First line of an import that MPI allows at any time since its version 4. */
#define ENTER_SINCE_4(name)                                                                                            \
    static const char here[] = name;                                                                                   \
    if (UNLIKELY(mpi_phase == PHASE_OPERATION || (MPI_VERSION < 4 && mpi_phase != PHASE_LIVE))) {                      \
        wasm_trap_t *trap = mpi_gate(here);                                                                            \
        if (trap != NULL) {                                                                                            \
            return trap;                                                                                               \
        }                                                                                                              \
    }
/* First line of an import that the standard allows at any time. */
#define ENTER_ANYTIME(name) static const char here[] __attribute__((unused)) = name;

/* Error codes between guest and node. Codes that the ABI does not number get numbers above MPI_ERR_LASTCODE. */
int32_t error_out_slowly(int host_code);
/* The class of the guest's code, of which the library says `host_class`. */
int32_t error_class_of(int32_t guest_code, int host_class);
static inline int32_t error_out(int host_code) {
    return __builtin_expect(host_code == MPI_SUCCESS, 1) ? ABI_MPI_SUCCESS : error_out_slowly(host_code);
}
int error_in(int32_t guest_code);
/* Is it a class, and not a code of one? MPICH does not ask, and later reads the text of such a class's code from no
 * table of its own. */
bool error_is_class(int32_t guest_code);
int32_t error_last_used(void);

/* Answer a wrong argument: say so where the handler is fatal, call the handler, and give the class to return. */
int32_t refuse(MPI_Comm handler_of, const char *function, const char *argument, int32_t abi_class);
#if HAVE_MPI_Win_call_errhandler
int32_t refuse_win(MPI_Win handler_of, const char *function, const char *argument, int32_t abi_class);
#endif
#if HAVE_MPI_File_call_errhandler
int32_t refuse_file(MPI_File handler_of, const char *function, const char *argument, int32_t abi_class);
#endif

#if HAVE_MPI_Session_call_errhandler
int32_t refuse_session(MPI_Session handler_of, const char *function, const char *argument, int32_t abi_class);
#endif
/* The same by MPI_ERRORS_ARE_FATAL, of no object; and for an error that MPI has found. */
_Noreturn void refuse_fatally(const char *function, const char *argument, int32_t abi_class);
_Noreturn void fail_fatally(const char *function, const char *on_what, int host_code);

/* Memory of one call, freed when it ends or kept by a request until that completes. */
struct scratch {
    struct scratch_block *first;
};
void *scratch_take(struct scratch *scratch, uint64_t bytes); /* NULL when there is none; never for 0 bytes */
void scratch_free(struct scratch *scratch);

/* Arrays from the guest; NULL when they are not inside its memory or memory is short. `count` may be hostile. */
int *ints_in(struct scratch *scratch, uint32_t address, int64_t count);
MPI_Aint *aints_in(struct scratch *scratch, uint32_t address, int64_t count);   /* guest: 4 bytes each */
MPI_Count *counts_in(struct scratch *scratch, uint32_t address, int64_t count); /* guest: 8 bytes each */
char *string_in(struct scratch *scratch, uint32_t address);

/* Room for `count` elements of `bytes` each at `address`; false when outside. Nothing is at the address 0, which is
 * inside: it is C's NULL. */
static inline bool room(uint32_t address, int64_t count, uint64_t bytes) {
    return count >= 0 && count <= UINT32_MAX && (address != 0 || count == 0) &&
           guest_span(address, (uint64_t)count * bytes) != NULL;
}

/* Write what room() has been checked for. Guest memory never shrinks, so it is still there. */
static inline void put32(uint32_t address, int32_t value) {
    memcpy(guest.base + address, &value, sizeof value);
}
static inline void put64(uint32_t address, int64_t value) {
    memcpy(guest.base + address, &value, sizeof value);
}
static inline int32_t get32(uint32_t address) {
    int32_t value;
    memcpy(&value, guest.base + address, sizeof value);
    return value;
}
static inline int64_t get64(uint32_t address) {
    int64_t value;
    memcpy(&value, guest.base + address, sizeof value);
    return value;
}
/* Copy a string out, cut to `size` bytes with its NUL; the caller has checked room for `size`. */
void put_string(uint32_t address, uint64_t size, const char *text);

/* The special integers, both ways. */
static inline int undefined_in(int32_t value) {
    return value == ABI_MPI_UNDEFINED ? MPI_UNDEFINED : value;
}
static inline int32_t undefined_out(int value) {
    return value == MPI_UNDEFINED ? ABI_MPI_UNDEFINED : value;
}
static inline int64_t undefined_out_wide(int64_t value) {
    return value == MPI_UNDEFINED ? ABI_MPI_UNDEFINED : value;
}
int32_t rank_out(int host);      /* MPI_PROC_NULL, MPI_ANY_SOURCE, MPI_ROOT, MPI_UNDEFINED; others as they are */
static inline int32_t tag_out(int host) {
    return host == MPI_ANY_TAG ? ABI_MPI_ANY_TAG : host;
}

/* Constants that are only renumbered: pairs of (guest, node), generated per kind in mpi_constants.c. */
struct constant {
    int32_t guest;
    int host;
};
bool constant_in(const struct constant *table, int32_t guest, int *host);
int32_t constant_out(const struct constant *table, int host); /* the node's number itself when it is not known */
bool mode_in(const struct constant *table, int32_t guest, int *host); /* each bit; false for an unknown one */
int32_t mode_out(const struct constant *table, int host);
extern const struct constant CONSTANT_END; /* guest == INT32_MIN ends a table */

/* Statuses, 32 bytes in the guest: MPI_SOURCE, MPI_TAG, MPI_ERROR, and the rest of the node's own. */
void status_in(uint32_t address, MPI_Status *status);
void status_out(uint32_t address, const MPI_Status *status, bool with_error);

#endif
