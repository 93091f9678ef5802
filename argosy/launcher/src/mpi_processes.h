/* What the files about processes that a job starts or meets share. */
#ifndef ARGOSY_MPI_PROCESSES_H
#define ARGOSY_MPI_PROCESSES_H

#include "mpi_handles.h"

/* What a call is refused for; `argument` NULL: nothing. */
struct refusal {
    const char *argument;
    int32_t class;
};

enum { MOST_ERRORS = 1 << 20 }; /* error codes of one spawn */

/* All ranks of `comm` learn whether all are content, and what the root says of `total`. False: some rank is not, and
 * the class, if only that of another one, is in `mine`. */
bool settled(struct comm_info *comm, int root, struct refusal *mine, int32_t *total, uint32_t codes_at);

/* Tell the user what no class can say, at most three times in each process: a guest may try in a loop. */
void tell(const char *function, const char *format, ...) __attribute__((format(printf, 2, 3)));

void grant_begin(void); /* collective over MPI_COMM_WORLD, just after MPI_Init; nothing without --spawn */
void grant_end(void);   /* collective too, just before MPI_Finalize */
/* Take so many out of what the world may start, and half of the rest for their world. False: there are only `have`. */
bool grant_take(int64_t processes, int64_t *have, int64_t *theirs);

#endif
