/* What the ranks of a communicator settle before they start processes or meet others.
 *
 * Invariants.
 * - Whether the arguments are right is settled among all ranks of the communicator before MPI is called: MPI's own
 *   functions would wait for a root that has been refused. What other ranks say decides on nothing but refusals.
 */
#include <stdarg.h>

#include "mpi_private.h"
#include "mpi_processes.h"

void tell(const char *function, const char *format, ...) {
    static int told;
    char text[512];
    int rank = -1;
    va_list arguments;
    if (told++ >= 3) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    fprintf(stderr, "argosy: rank %d: %s: %s\n", rank, function, text);
    fflush(stderr);
}

bool settled(struct comm_info *comm, int root, struct refusal *mine, int32_t *total, uint32_t codes_at) {
    int32_t said = *total, worst = 0;
    MPI_Comm apart;
    if (private_make(comm, PRIVATE_PROCESSES, &apart) != MPI_SUCCESS ||
        MPI_Bcast(&said, 1, MPI_INT32_T, root, apart) != MPI_SUCCESS) {
        private_free(&apart);
        *mine = (struct refusal){"comm", ABI_MPI_ERR_OTHER};
        return false;
    }
    *total = said;
    if (mine->argument == NULL && codes_at != 0 && (said < 0 || said > MOST_ERRORS || !room(codes_at, said, 4))) {
        *mine = (struct refusal){"array_of_errcodes", ABI_MPI_ERR_ARG};
    }
    int code = MPI_Allreduce(&mine->class, &worst, 1, MPI_INT32_T, MPI_MAX, apart);
    private_free(&apart);
    if (code != MPI_SUCCESS) {
        *mine = (struct refusal){"comm", ABI_MPI_ERR_OTHER};
        return false;
    }
    if (worst != 0 && mine->argument == NULL) {
        *mine = (struct refusal){"(of another rank)", worst > 0 && worst <= ABI_MPI_ERR_LASTCODE ? worst : ABI_MPI_ERR_OTHER};
    }
    return mine->argument == NULL;
}
