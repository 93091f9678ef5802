/* One piece of memory in the guests of all ranks of a node.
 *
 * Rank 0 makes it as a file without a name (memfd), and the others open it through rank 0's entry in /proc. So there is
 * nothing to remove, whenever and however a rank ends, and the size of /dev/shm is no limit.
 *
 * Invariants.
 * - Each rank maps the whole file over pages of its guest that only windows use (mpi_pages.h), or none does.
 * - What was opened is the right file: behind the memory it holds a random number that rank 0 tells the others. A rank in
 *   another process namespace, where the same number names another process, is refused.
 * - The file cannot be shortened under a mapping: it is sealed.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "mpi_pages.h"
#include "mpi_shared.h"

/* How others find the file. */
struct name {
    int64_t process, file; /* file < 0: there is none */
    uint64_t proof[2];
};
enum { NAME_WORDS = sizeof(struct name) / sizeof(int64_t) };

/* Are all ranks of the communicator on one node? */
static bool on_one_node(MPI_Comm comm, int all, int rank) {
    MPI_Comm node;
    int size = -1;
    if (MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &node) != MPI_SUCCESS) {
        return false;
    }
    MPI_Comm_size(node, &size);
    MPI_Comm_free(&node);
    return size == all;
}

static int create(uint64_t bytes, struct name *name) {
    int file = memfd_create("argosy-window", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    bool made = file >= 0 && getrandom(name->proof, sizeof name->proof, 0) == (ssize_t)sizeof name->proof &&
                ftruncate(file, (off_t)(bytes + sizeof name->proof)) == 0 &&
                pwrite(file, name->proof, sizeof name->proof, (off_t)bytes) == (ssize_t)sizeof name->proof &&
                fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0;
    if (file >= 0 && !made) {
        close(file);
        file = -1;
    }
    name->process = getpid();
    name->file = file;
    return file;
}

static int open_by(const struct name *name, uint64_t bytes) {
    char path[64];
    uint64_t proof[2];
    snprintf(path, sizeof path, "/proc/%lld/fd/%lld", (long long)name->process, (long long)name->file);
    int file = name->file < 0 ? -1 : open(path, O_RDWR | O_CLOEXEC);
    if (file >= 0 && (pread(file, proof, sizeof proof, (off_t)bytes) != (ssize_t)sizeof proof ||
                      memcmp(proof, name->proof, sizeof proof) != 0)) {
        close(file);
        file = -1;
    }
    return file;
}

int32_t shared_make(MPI_Comm comm, int size, int rank, uint64_t bytes, uint32_t *address) {
    if (!on_one_node(comm, size, rank)) {
        return ABI_MPI_ERR_RMA_SHARED;
    }
    struct name name = {.file = -1};
    int file = rank == 0 ? create(bytes, &name) : -1;
    if (MPI_Bcast(&name, NAME_WORDS, MPI_INT64_T, 0, comm) != MPI_SUCCESS) {
        name.file = -1;
    }
    if (rank != 0) {
        file = open_by(&name, bytes);
    }
    /* The worst answer of all ranks is everyone's; rank 0's file stays open until all have answered. */
    bool room = pages_take(bytes, address);
    int mine = !room ? 2 : file < 0 || !pages_share(*address, bytes, file) ? 1 : 0, worst = 2;
    int code = MPI_Allreduce(&mine, &worst, 1, MPI_INT, MPI_MAX, comm);
    if (file >= 0) {
        close(file);
    }
    if (code == MPI_SUCCESS && worst == 0) {
        return 0;
    }
    if (room) {
        pages_give(*address, bytes);
    }
    return worst == 1 ? ABI_MPI_ERR_RMA_SHARED : ABI_MPI_ERR_NO_MEM;
}
