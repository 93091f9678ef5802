/* Sessions, and whether anything of MPI is up. See mpi_sessions.c. */
#ifndef ARGOSY_MPI_SESSIONS_H
#define ARGOSY_MPI_SESSIONS_H

#include "mpi_handles.h"

bool sessions_open(void);    /* the guest has one */
bool sessions_keep(void);    /* the library stays up for sessions, whatever MPI_Finalize ends */
int sessions_rank(void);     /* this process's in mpi://WORLD, where sessions were opened; -1: unknown */
void sessions_finish(void);  /* the guest has left */

/* All processes as a group of the session that the launcher keeps open; false: it keeps none. */
bool sessions_group(MPI_Group *all);

/* What two groups hold together, share, or the first has alone, whatever sessions they are of. See mpi_groups.c. */
enum groups { GROUPS_UNITE, GROUPS_SHARE, GROUPS_DIFFER };
int groups_combine(enum groups how, MPI_Group one, MPI_Group other, MPI_Group *made);

/* The ranks that the members of `from`, so many as `size` is then, have in `to`; NULL: memory is short, or MPI refuses. */
int *group_places(struct scratch *scratch, MPI_Group from, MPI_Group to, int *size);

#if HAVE_MPI_Session_init
/* Has the session a process set of this name? The name becomes the library's own spelling. */
bool session_has(MPI_Session session, char *name);
/* The level of thread support that an info states, made honest. */
void threads_honest(MPI_Info info);
#endif

#endif
