/* Starting another process like this one: what options.c and main.c need of again.c; the glue's part is in guest.h. */
#ifndef ARGOSY_AGAIN_H
#define ARGOSY_AGAIN_H

#include "guest.h"
#include "options.h"

/* What this process was granted, for those that it starts. */
void again_remember(const struct options *options);

/* Put `count` words of a command that guest_again wrote together again, in place; `left` are left. False: it did not
 * write these. */
bool again_decode(char **words, size_t count, size_t *left);

#endif
