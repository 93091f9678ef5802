/* What a guest may use of the node: memory and time. */
#ifndef ARGOSY_ALLOWANCE_H
#define ARGOSY_ALLOWANCE_H

#include <stdint.h>

struct options;
struct wasmtime_store;

/* Set the limits of the options, before the guest is made. Memory that would grow past its limit does not: memory.grow
 * gives -1, and malloc NULL. Time past its limit ends this process with ALLOWANCE_TIME_STATUS, and with it the job. */
void allowance_set(const struct options *options, struct wasmtime_store *store);

/* The seconds that are left, at least one; 0 where time has no limit. */
int64_t allowance_seconds_left(void);

enum { ALLOWANCE_TIME_STATUS = 124 }; /* as coreutils' timeout */

#endif
