/* What a guest may use of the node: memory and time. */
#ifndef ARGOSY_LIMITS_H
#define ARGOSY_LIMITS_H

#include "launch.h"

/* Set the limits of the options, before the guest is made. Memory that would grow past its limit does not: memory.grow
 * gives -1, and malloc NULL. Time past its limit ends this process with LIMITS_TIME_STATUS, and with it the job. */
void limits_set(const struct options *options, wasmtime_store_t *store);

/* The seconds that are left, at least one; 0 where time has no limit. */
int64_t limits_seconds_left(void);

enum { LIMITS_TIME_STATUS = 124 }; /* as coreutils' timeout */

#endif
