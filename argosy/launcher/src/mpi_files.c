/* Files: opened, closed and deleted inside the granted folders.
 *
 * Invariants.
 * - MPI opens by name, and other ranks or the guest itself may rename meanwhile. So each open file has an open folder of
 *   its own, found beneath a granted one, and MPI is given /proc/self/fd/<folder>/<name>. All ranks have theirs under the
 *   same number: libraries send the name of a shared file pointer's file, which lies beside it, from one to the others.
 * - The name is no link when MPI is called; after that, what was opened is compared with what lies there. A job whose file
 *   was exchanged in between is ended.
 * - MPI never deletes: the launcher does, in that folder.
 * - Ranks agree, and MPI opens, on a communicator that the guest has no handle of.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <strings.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "mpi_calls.h"
#include "mpi_private.h"

enum { FIRST_FOLDER = 64, MOST_TRIES = 64, MOST_DESCRIPTORS = 4096 };

/* A datatype that an access uses which does not block. */
struct held_type {
    struct held_type *next;
    uint64_t serial; /* the guest's */
    MPI_Datatype host;
};

struct file_info {
    int folder;
    struct held_type *held;
    bool deletes;
    bool external;    /* what is read and written is in external32, which is ours to convert */
    enum split split; /* what has begun and not ended */
    MPI_Comm comm; /* of those who have it open, where it is to be deleted; else MPI_COMM_NULL. The guest has no handle. */
    char name[NAME_MAX + 1];
};

static struct file_info *file_find(int32_t guest_handle) {
    struct slot *slot = slot_find(&file_handles, (uint32_t)guest_handle);
    return slot == NULL ? NULL : slot->extra;
}

static int32_t class_of_errno(int error) {
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return ABI_MPI_ERR_NO_SUCH_FILE;
    case EEXIST:
        return ABI_MPI_ERR_FILE_EXISTS;
    case ENAMETOOLONG:
    case EINVAL:
    case EISDIR:
    case ELOOP:
        return ABI_MPI_ERR_BAD_FILE;
    case EROFS:
        return ABI_MPI_ERR_READ_ONLY;
    case EBUSY:
        return ABI_MPI_ERR_FILE_IN_USE;
    default:
        return error == EACCES || error == EPERM ? ABI_MPI_ERR_ACCESS : ABI_MPI_ERR_IO;
    }
}

/* --- where it is --------------------------------------------------------------------------------------------------- */

/* Open MPI 4.1 puts ".locktest." and a rank behind the path, in 256 bytes. */
#ifdef OPEN_MPI
enum { LONGEST_NAME = 256 - sizeof "/proc/self/fd/1234567/.locktest.1234567890" };
#else
enum { LONGEST_NAME = NAME_MAX };
#endif

/* The folder of the file that the guest names, and its name; -1 with a class. ROMIO takes what is before a colon for a
 * kind of file system, and opens what is behind it, wherever that is. */
static int find(uint32_t address, bool writes, char name[NAME_MAX + 1], int32_t *class) {
    struct scratch scratch = {NULL};
    char *path = string_in(&scratch, address);
    int folder = -1;
    if (path == NULL) {
        *class = ABI_MPI_ERR_ARG;
    } else {
        folder = guest_folder_of(path, writes, name);
        *class = folder < 0 ? class_of_errno(errno) : 0;
    }
    scratch_free(&scratch);
    struct stat status;
    if (folder >= 0 && (strchr(name, ':') != NULL || strlen(name) > LONGEST_NAME ||
                        (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(status.st_mode)))) {
        close(folder); /* a folder, or a device or pipe that some other program waits at */
        folder = -1;
        *class = ABI_MPI_ERR_BAD_FILE;
    }
    return folder;
}

/* Give the folder the same number on all ranks; -1 when one of them has none, or cannot. Collective. */
static int agreed(int folder, MPI_Comm comm) {
    int lowest = FIRST_FOLDER;
    for (int i = 0; i < MOST_TRIES; i++) {
        int mine = folder < 0 ? -1 : fcntl(folder, F_DUPFD_CLOEXEC, lowest);
        int seen[2] = {mine, mine < 0 ? INT_MAX : -mine}, all[2]; /* the largest, and the smallest or that there is none */
        bool asked = MPI_Allreduce(seen, all, 2, MPI_INT, MPI_MAX, comm) == MPI_SUCCESS;
        if (asked && all[0] == -all[1]) {
            return mine;
        }
        if (mine >= 0) {
            close(mine);
        }
        if (!asked || all[1] == INT_MAX) {
            return -1;
        }
        lowest = all[0];
    }
    return -1;
}

/* --- what was opened ----------------------------------------------------------------------------------------------- */

static void note_descriptors(bool open[MOST_DESCRIPTORS]) {
    memset(open, 0, MOST_DESCRIPTORS * sizeof *open);
    DIR *list = opendir("/proc/self/fd");
    for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
        int number = atoi(entry->d_name);
        if (number >= 0 && number < MOST_DESCRIPTORS && number != dirfd(list)) {
            open[number] = true;
        }
    }
    if (list != NULL) {
        closedir(list);
    }
}

/* Did MPI open some file, and none of them the one that lies there? */
static bool exchanged(const struct file_info *file, const bool before[MOST_DESCRIPTORS]) {
    static bool after[MOST_DESCRIPTORS];
    struct stat there, one;
    bool some = false;
    if (fstatat(file->folder, file->name, &there, AT_SYMLINK_NOFOLLOW) != 0) {
        return true;
    }
    note_descriptors(after);
    for (int i = 0; i < MOST_DESCRIPTORS; i++) {
        if (after[i] && !before[i] && fstat(i, &one) == 0 && S_ISREG(one.st_mode)) {
            if (one.st_dev == there.st_dev && one.st_ino == there.st_ino) {
                return false;
            }
            some = true;
        }
    }
    return some || !S_ISREG(there.st_mode);
}

/* MPICH gives a file that it opens MPI_FILE_NULL's error handler without a reference to it, and gives one back when the
 * file is closed: this is the one that it gives back. */
static void refer_to_handler(void) {
#ifndef OPEN_MPI
    MPI_Errhandler never_freed;
    MPI_File_get_errhandler(MPI_FILE_NULL, &never_freed);
#endif
}

/* Where the handler is one that ends the job, MPICH looks into the file that it did not open, and Open MPI 4.1 may not
 * get its words out. They return to us instead, and we end it. */
static int open_or_end(struct file_info *file, const char *path, int mode, MPI_Info info, MPI_File *made, const char *here) {
    MPI_Errhandler handler = MPI_ERRORS_RETURN;
    MPI_File_get_errhandler(MPI_FILE_NULL, &handler);
    bool ends = handler == MPI_ERRORS_ARE_FATAL || handler == MPI_ERRORS_ABORT;
    if (ends) {
        MPI_File_set_errhandler(MPI_FILE_NULL, MPI_ERRORS_RETURN);
    } else if (handler != MPI_ERRORS_RETURN) {
        MPI_Errhandler_free(&handler);
    }
    int code = MPI_File_open(file->comm, path, mode, info, made);
    if (*made == NULL) {
        *made = MPI_FILE_NULL;
    }
    if (code == MPI_SUCCESS && *made != MPI_FILE_NULL) {
        refer_to_handler();
    }
    if (ends) {
        if (code != MPI_SUCCESS) {
            fail_fatally(here, file->name, code);
        }
        MPI_File_set_errhandler(MPI_FILE_NULL, handler);
        MPI_File_set_errhandler(*made, handler);
    }
    return code;
}

/* --- the imports --------------------------------------------------------------------------------------------------- */

IMPORT(MPI_File_open) {
    ENTER("MPI_File_open")
    struct comm_info *comm = comm_info_in(v[0].i32);
    MPI_Info info;
    int mode, writes = (v[2].i32 & ABI_MPI_MODE_RDONLY) == 0;
    const char *wrong = NULL;
    int32_t class = 0;
    if (comm == NULL || comm->inter) {
        wrong = "comm", class = ABI_MPI_ERR_COMM;
    } else if (!mode_in(constants_file_modes, v[2].i32, &mode)) {
        wrong = "amode", class = ABI_MPI_ERR_AMODE;
    } else if (!info_in(v[3].i32, &info)) {
        wrong = "info", class = ABI_MPI_ERR_INFO;
    } else if (!room((uint32_t)v[4].i32, 1, 4)) {
        wrong = "fh", class = ABI_MPI_ERR_ARG;
    }
    if (room((uint32_t)v[4].i32, 1, 4)) { /* what is not opened can be told by its handle */
        put32((uint32_t)v[4].i32, ABI_MPI_FILE_NULL);
    }
    struct file_info *file = wrong != NULL ? NULL : calloc(1, sizeof *file);
    if (file == NULL) {
        v[0].i32 = refuse_file(MPI_FILE_NULL, here, wrong == NULL ? "fh" : wrong, wrong == NULL ? ABI_MPI_ERR_NO_MEM : class);
        return NULL;
    }
    int found = find((uint32_t)v[1].i32, writes, file->name, &class);
    int code = private_make(comm, PRIVATE_FILE, &file->comm);
    file->folder = code == MPI_SUCCESS ? agreed(found, file->comm) : -1;
    if (found >= 0) {
        close(found);
    }
    if (file->folder < 0) {
        private_free(&file->comm);
        free(file);
        class = code == MPI_SUCCESS ? class : error_out(code);
        v[0].i32 = refuse_file(MPI_FILE_NULL, here, "filename", class != 0 ? class : ABI_MPI_ERR_NO_SUCH_FILE);
        return NULL;
    }
    char path[NAME_MAX + 64];
    snprintf(path, sizeof path, "/proc/self/fd/%d/%s", file->folder, file->name);
    file->deletes = (mode & MPI_MODE_DELETE_ON_CLOSE) != 0;
    bool before[MOST_DESCRIPTORS];
    note_descriptors(before);
    MPI_File made = MPI_FILE_NULL;
    MPI_Info hints = file_hints(info);
    code = open_or_end(file, path, mode & ~MPI_MODE_DELETE_ON_CLOSE, hints, &made, here);
    info_free_made(hints, info);
    /* A handler of the guest's may have left success; MPICH's ABI library then gives no handle at all. */
    if (code != MPI_SUCCESS || made == MPI_FILE_NULL) {
        close(file->folder);
        private_free(&file->comm);
        free(file);
        v[0].i32 = error_out(code);
        return NULL;
    }
    if (exchanged(file, before)) {
        return guest_trap("%s: %s was exchanged for another file while it was opened", here, file->name);
    }
    if (!file->deletes) {
        private_free(&file->comm);
    }
    uint32_t handle = file_out(made);
    struct slot *slot = slot_find(&file_handles, handle);
    if (slot == NULL) {
        return guest_trap("%s: no room for another MPI_File", here);
    }
    slot->extra = file;
    put32((uint32_t)v[4].i32, (int32_t)handle);
    v[0].i32 = ABI_MPI_SUCCESS;
    return NULL;
}

static void free_held(struct file_info *file) {
    while (file->held != NULL) {
        struct held_type *next = file->held->next;
        MPI_Type_free(&file->held->host);
        free(file->held);
        file->held = next;
    }
}

IMPORT(MPI_File_close) {
    ENTER("MPI_File_close")
    uint32_t at = (uint32_t)v[0].i32;
    int32_t handle = room(at, 1, 4) ? get32(at) : ABI_MPI_FILE_NULL;
    struct file_info *file = file_find(handle);
    MPI_File host;
    if (file == NULL || !file_in(handle, &host)) {
        v[0].i32 = refuse_file(MPI_FILE_NULL, here, "fh", ABI_MPI_ERR_FILE);
        return NULL;
    }
    if (file->split != SPLIT_NONE || requests_of_file(handle)) {
        v[0].i32 = refuse_file(host, here, "fh", ABI_MPI_ERR_OTHER);
        return NULL;
    }
    requests_complete(handle);
    int code = MPI_File_close(&host), rank = 0;
    if (code == MPI_SUCCESS) {
        if (file->comm != MPI_COMM_NULL) {
            MPI_Comm_rank(file->comm, &rank);
            if (rank == 0) {
                unlinkat(file->folder, file->name, 0);
            }
            MPI_Barrier(file->comm); /* it is gone when the call returns, whoever asks */
            private_free(&file->comm);
        }
        free_held(file);
        close(file->folder);
        file_drop(handle);
        put32(at, ABI_MPI_FILE_NULL);
    }
    v[0].i32 = error_out(code);
    return NULL;
}

IMPORT(MPI_File_delete) {
    ENTER("MPI_File_delete")
    MPI_Info info;
    int32_t class = 0;
    char name[NAME_MAX + 1];
    if (!info_in(v[1].i32, &info)) {
        v[0].i32 = refuse_file(MPI_FILE_NULL, here, "info", ABI_MPI_ERR_INFO);
        return NULL;
    }
    int folder = find((uint32_t)v[0].i32, true, name, &class);
    if (folder >= 0) {
        class = unlinkat(folder, name, 0) == 0 ? 0 : class_of_errno(errno);
        close(folder);
    }
    v[0].i32 = class == 0 ? ABI_MPI_SUCCESS : refuse_file(MPI_FILE_NULL, here, "filename", class);
    return NULL;
}

/* --- what generated calls ask -------------------------------------------------------------------------------------- */

int32_t file_deletes(int32_t guest_handle) {
    const struct file_info *file = file_find(guest_handle);
    return file != NULL && file->deletes ? ABI_MPI_MODE_DELETE_ON_CLOSE : 0;
}

void file_viewed(int32_t guest_handle, const char *datarep) {
    struct file_info *file = file_find(guest_handle);
    if (file != NULL) {
        file->external = HAVE_MPI_Type_get_contents_c && strcasecmp(datarep, "external32") == 0;
    }
}

/* Open MPI 4.1, and ROMIO where the access is collective, look into the datatype of a pending access although the guest may
 * have freed it: they are given a copy, which lives until nothing is pending. */
MPI_Datatype file_type(int32_t guest_handle, const struct type_info *type) {
    if (type->size == 0) {
        return MPI_BYTE;
    }
    struct file_info *file = file_find(guest_handle);
    if (file != NULL && type_predefined_handle(type) == 0) {
        struct held_type *held = file->held;
        while (held != NULL && held->serial != type->serial) {
            held = held->next;
        }
        if (held == NULL && file->split == SPLIT_NONE && !requests_of_file(guest_handle) && !requests_kept(guest_handle)) {
            free_held(file);
        }
        if (held == NULL && (held = calloc(1, sizeof *held)) != NULL) {
            /* not MPI_Type_dup, which calls the guest's functions that copy attributes */
            if (MPI_Type_contiguous(1, type->host, &held->host) != MPI_SUCCESS ||
                MPI_Type_commit(&held->host) != MPI_SUCCESS) {
                free(held);
                return type->host;
            }
            held->serial = type->serial;
            held->next = file->held;
            file->held = held;
        }
        return held == NULL ? type->host : held->host;
    }
    return type->host;
}

/* ROMIO gives the old view up before it looks at the new one's types: a file of no view is crashed upon. */
void file_view_failed(MPI_File file, int code) {
    int class, mode;
    if (code == MPI_SUCCESS || MPI_Error_class(code, &class) != MPI_SUCCESS || class != MPI_ERR_IO ||
        MPI_File_get_amode(file, &mode) != MPI_SUCCESS) {
        return;
    }
    MPI_File_set_view(file, (mode & MPI_MODE_SEQUENTIAL) != 0 ? MPI_DISPLACEMENT_CURRENT : 0, MPI_BYTE, MPI_BYTE, "native",
                      MPI_INFO_NULL);
}

bool file_external(int32_t guest_handle) {
    const struct file_info *file = file_find(guest_handle);
    return file != NULL && file->external;
}

bool split_is(int32_t guest_handle, enum split split) {
    const struct file_info *file = file_find(guest_handle);
    return file != NULL && file->split == split;
}

void split_set(int32_t guest_handle, enum split split) {
    struct file_info *file = file_find(guest_handle);
    if (file != NULL) {
        file->split = split;
    }
}

bool file_fits(int32_t guest_handle, MPI_File host, int64_t bytes) {
    const struct file_info *file = file_find(guest_handle);
    struct statvfs disk;
    struct rlimit limit;
    MPI_Offset now = 0;
    if (file == NULL || MPI_File_get_size(host, &now) != MPI_SUCCESS || bytes <= now) {
        return true;
    }
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && (uint64_t)bytes > limit.rlim_cur) {
        return false;
    }
    return fstatvfs(file->folder, &disk) != 0 ||
           (__int128)(bytes - now) <= (__int128)disk.f_bavail * (__int128)disk.f_frsize;
}
