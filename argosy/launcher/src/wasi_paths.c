/* WASI's functions on paths. Each looks its path up beneath the folder that the guest names, and then acts on the last
 * part in the folder that was found, without following it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "wasi.h"

enum { FOLLOW = 1 };                                                     /* lookupflags */
enum { CREATE = 1, FOLDER = 2, EXCLUSIVE = 4, TRUNCATE = 8 };            /* oflags */
enum { APPEND = 1, DSYNC = 2, NONBLOCK = 4, RSYNC = 8, SYNC = 16 };      /* fdflags */
enum { RIGHT_READ = 1 << 1, RIGHT_WRITE = 1 << 6 };

/* The folder `descriptor`, to look up in, or to change when `writing`. */
static wasi_error_t find_folder(const wasi_values_t *descriptor, bool writing, const struct file **folder) {
    *folder = wasi_file(wasi_number(descriptor));
    if (*folder == NULL) {
        return WASI_BADF;
    }
    if ((*folder)->type != TYPE_FOLDER) {
        return WASI_NOTDIR;
    }
    return writing && !(*folder)->writable ? WASI_ROFS : WASI_SUCCESS;
}

/* A place to change: the open folder that holds it (the caller closes it) and its name there. */
struct place {
    int parent;
    const char *name;
    char path[PATH_SPACE];
};

static wasi_error_t find_place(const wasi_values_t *folder_argument, const wasi_values_t *path_argument, bool writing,
                               struct place *place) {
    const struct file *folder;
    wasi_error_t error = find_folder(folder_argument, writing, &folder);
    if (error == WASI_SUCCESS) {
        error = wasi_path(wasi_number(&path_argument[0]), wasi_number(&path_argument[1]), place->path);
    }
    if (error == WASI_SUCCESS) {
        place->parent = wasi_open_parent(folder->host, place->path, &place->name);
        error = place->parent < 0 ? wasi_path_error() : WASI_SUCCESS;
    }
    return error;
}

/* Close the place; the WASI number of what was done there. */
static wasi_error_t finish(const struct place *place, int result) {
    wasi_error_t error = result < 0 ? wasi_error(errno) : WASI_SUCCESS;
    close(place->parent);
    return error;
}

WASI_FUNCTION(path_create_directory) {
    struct place place;
    wasi_error_t error = find_place(&arguments[0], &arguments[1], true, &place);
    return error != WASI_SUCCESS ? error : finish(&place, mkdirat(place.parent, place.name, 0777));
}

WASI_FUNCTION(path_remove_directory) {
    struct place place;
    wasi_error_t error = find_place(&arguments[0], &arguments[1], true, &place);
    return error != WASI_SUCCESS ? error : finish(&place, unlinkat(place.parent, place.name, AT_REMOVEDIR));
}

WASI_FUNCTION(path_unlink_file) {
    struct place place;
    wasi_error_t error = find_place(&arguments[0], &arguments[1], true, &place);
    return error != WASI_SUCCESS ? error : finish(&place, unlinkat(place.parent, place.name, 0));
}

/* Two places: from arguments[first] (folder, path, length) and arguments[second]. */
static wasi_error_t find_two(const wasi_values_t *first, const wasi_values_t *second, bool first_changes,
                             struct place *from, struct place *to) {
    wasi_error_t error = find_place(first, first + 1, first_changes, from);
    if (error == WASI_SUCCESS) {
        error = find_place(second, second + 1, true, to);
        if (error != WASI_SUCCESS) {
            close(from->parent);
        }
    }
    return error;
}

WASI_FUNCTION(path_rename) {
    struct place from, to;
    wasi_error_t error = find_two(&arguments[0], &arguments[3], true, &from, &to);
    if (error == WASI_SUCCESS) {
        error = finish(&to, renameat(from.parent, from.name, to.parent, to.name));
        close(from.parent);
    }
    return error;
}

WASI_FUNCTION(path_link) {
    struct place from, to;
    if ((wasi_number(&arguments[1]) & FOLLOW) != 0) {
        return WASI_INVAL; /* the link's target was not looked up */
    }
    const wasi_values_t source[3] = {arguments[0], arguments[2], arguments[3]};
    /* A second name in a writable folder would make a read-only file writable. */
    wasi_error_t error = find_two(source, &arguments[4], true, &from, &to);
    if (error == WASI_SUCCESS) {
        error = finish(&to, linkat(from.parent, from.name, to.parent, to.name, 0));
        close(from.parent);
    }
    return error;
}

WASI_FUNCTION(path_symlink) {
    struct place place;
    char target[PATH_SPACE];
    wasi_error_t error = wasi_path(wasi_number(&arguments[0]), wasi_number(&arguments[1]), target);
    if (error != WASI_SUCCESS) {
        return error;
    }
    if (target[0] == '/') {
        return WASI_NOTCAPABLE; /* it would name a place of the node, which the guest does not see */
    }
    error = find_place(&arguments[2], &arguments[3], true, &place);
    return error != WASI_SUCCESS ? error : finish(&place, symlinkat(target, place.parent, place.name));
}

WASI_FUNCTION(path_readlink) {
    struct place place;
    char *buffer = guest_span(wasi_number(&arguments[3]), wasi_number(&arguments[4]));
    wasi_error_t error = find_place(&arguments[0], &arguments[1], false, &place);
    if (error != WASI_SUCCESS) {
        return error;
    }
    char target[PATH_SPACE];
    ssize_t length = readlinkat(place.parent, place.name, target, sizeof target);
    error = finish(&place, length < 0 ? -1 : 0);
    if (error == WASI_SUCCESS) {
        uint32_t size = (uint32_t)length < wasi_number(&arguments[4]) ? (uint32_t)length : wasi_number(&arguments[4]);
        if (buffer == NULL || !guest_write(wasi_number(&arguments[5]), &size, sizeof size)) {
            return WASI_FAULT;
        }
        memcpy(buffer, target, size);
    }
    return error;
}

/* Open what the path leads to, or the link itself, only to look at it; -1 with the error in *error. */
static int open_to_look(const wasi_values_t *arguments, bool writing, wasi_error_t *error) {
    const struct file *folder;
    char path[PATH_SPACE];
    *error = find_folder(&arguments[0], writing, &folder);
    if (*error == WASI_SUCCESS) {
        *error = wasi_path(wasi_number(&arguments[2]), wasi_number(&arguments[3]), path);
    }
    if (*error != WASI_SUCCESS) {
        return -1;
    }
    int flags = O_PATH | ((wasi_number(&arguments[1]) & FOLLOW) != 0 ? 0 : O_NOFOLLOW);
    int opened = wasi_open_beneath(folder->host, path, flags, 0);
    if (opened < 0) {
        *error = wasi_path_error();
    }
    return opened;
}

WASI_FUNCTION(path_filestat_get) {
    wasi_error_t error;
    struct stat status;
    int opened = open_to_look(arguments, false, &error);
    if (opened < 0) {
        return error;
    }
    error = fstat(opened, &status) != 0 ? wasi_error(errno) : wasi_put_stat(wasi_number(&arguments[4]), &status);
    close(opened);
    return error;
}

WASI_FUNCTION(path_filestat_set_times) {
    struct timespec times[2];
    wasi_error_t error = wasi_times((uint64_t)arguments[4].i64, (uint64_t)arguments[5].i64,
                                    wasi_number(&arguments[6]), times);
    if (error != WASI_SUCCESS) {
        return error;
    }
    int opened = open_to_look(arguments, true, &error);
    if (opened < 0) {
        return error;
    }
    char name[64]; /* an O_PATH descriptor takes no times itself; its name in /proc does */
    snprintf(name, sizeof name, "/proc/self/fd/%d", opened);
    error = utimensat(AT_FDCWD, name, times, 0) != 0 ? wasi_error(errno) : WASI_SUCCESS;
    close(opened);
    return error;
}

static int host_flags(uint32_t open_flags, uint32_t file_flags, bool reads, bool writes, bool follows) {
    int flags = reads && writes ? O_RDWR : writes ? O_WRONLY : O_RDONLY;
    flags |= O_NOCTTY | (follows ? 0 : O_NOFOLLOW);
    flags |= (open_flags & CREATE ? O_CREAT : 0) | (open_flags & FOLDER ? O_DIRECTORY : 0);
    flags |= (open_flags & EXCLUSIVE ? O_EXCL : 0) | (open_flags & TRUNCATE ? O_TRUNC : 0);
    flags |= (file_flags & APPEND ? O_APPEND : 0) | (file_flags & NONBLOCK ? O_NONBLOCK : 0);
    flags |= (file_flags & DSYNC ? O_DSYNC : 0) | (file_flags & (SYNC | RSYNC) ? O_SYNC : 0);
    return flags;
}

WASI_FUNCTION(path_open) {
    const struct file *folder;
    char path[PATH_SPACE];
    struct stat status;
    uint32_t open_flags = wasi_number(&arguments[4]), file_flags = wasi_number(&arguments[7]), descriptor;
    uint64_t rights = (uint64_t)arguments[5].i64;
    wasi_error_t error = find_folder(&arguments[0], false, &folder);
    if (error == WASI_SUCCESS) {
        error = wasi_path(wasi_number(&arguments[2]), wasi_number(&arguments[3]), path);
    }
    if (error != WASI_SUCCESS) {
        return error;
    }
    bool writes = (rights & RIGHT_WRITE) != 0, reads = (rights & RIGHT_READ) != 0, writable = folder->writable;
    if ((open_flags & FOLDER) != 0) {
        writes = false; /* wasi-libc asks for all rights of a folder */
    }
    if (!writable && (writes || (open_flags & (CREATE | TRUNCATE)) != 0)) {
        return WASI_ROFS;
    }
    bool follows = (wasi_number(&arguments[1]) & FOLLOW) != 0;
    int flags = host_flags(open_flags, file_flags, reads, writes, follows);
    int opened = wasi_open_beneath(folder->host, path, flags, 0666);
    if (opened < 0) {
        return wasi_path_error();
    }
    if (fstat(opened, &status) != 0) {
        error = wasi_error(errno);
        close(opened);
        return error;
    }
    struct file file = {.host = opened, .type = wasi_file_type(status.st_mode), .writable = writable};
    error = wasi_add_file(file, &descriptor);
    if (error == WASI_SUCCESS && !guest_write(wasi_number(&arguments[8]), &descriptor, sizeof descriptor)) {
        const wasi_values_t close_argument = {.i32 = (int32_t)descriptor};
        wasi_fd_close(&close_argument);
        error = WASI_FAULT;
    }
    return error;
}
