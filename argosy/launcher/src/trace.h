/* Tracing of MPI: how often each function was called, how long it took, how many bytes its buffers held, by rank. */
#ifndef ARGOSY_TRACE_H
#define ARGOSY_TRACE_H

#include "guest.h"

/* Before any import is defined: where the file goes, and whose program it is. Refuses a folder that cannot be written. */
void trace_begin(const char *folder, const char *program, const struct mpi_glue *glue);

/* What stands in an import's place while MPI is traced: `data` is what trace_import gave. Nothing of this is defined,
 * called or tested when it is not. */
wasm_trap_t *trace_call(void *data, wasmtime_caller_t *caller, wasmtime_val_raw_t *values, size_t count);
void *trace_import(const struct import *import, wasmtime_func_unchecked_callback_t call, void *data);

/* The rank ends: write its file, and `how` it ended. Does nothing when MPI is not traced. */
void trace_end(const char *how);

#endif
