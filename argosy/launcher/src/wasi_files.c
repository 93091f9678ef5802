/* The table of the guest's files. It owns the host descriptors in it; the host's own 0, 1 and 2 are never left closed,
 * since libraries of this process write to them. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"
#include "wasi.h"

static struct file *files;
static size_t file_count; /* entries allocated */

struct file *wasi_file(uint32_t descriptor) {
    return descriptor < file_count && files[descriptor].host >= 0 ? &files[descriptor] : NULL;
}

static bool make_room(size_t count) {
    if (count <= file_count) {
        return true;
    }
    size_t wanted = count > 2 * file_count ? count : 2 * file_count;
    struct file *larger = realloc(files, wanted * sizeof *files);
    if (larger == NULL) {
        return false;
    }
    files = larger;
    for (; file_count < wanted; file_count++) {
        files[file_count] = (struct file){.host = -1};
    }
    return true;
}

static void close_file(struct file *file) {
    if (file->stream != NULL) {
        closedir(file->stream);
    }
    if (file->host > STDERR_FILENO) {
        close(file->host);
    } else {
        int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (nothing >= 0) {
            dup2(nothing, file->host);
            close(nothing);
        }
    }
    *file = (struct file){.host = -1};
}

wasi_error_t wasi_add_file(struct file file, uint32_t *descriptor) {
    size_t place = 0;
    while (place < file_count && files[place].host >= 0) {
        place++;
    }
    if (place >= INT32_MAX || !make_room(place + 1)) {
        close_file(&file);
        return WASI_NOMEM;
    }
    files[place] = file;
    *descriptor = (uint32_t)place;
    return WASI_SUCCESS;
}

uint8_t wasi_file_type(mode_t mode) {
    switch (mode & S_IFMT) {
    case S_IFBLK:
        return TYPE_BLOCK;
    case S_IFCHR:
        return TYPE_CHARACTER;
    case S_IFDIR:
        return TYPE_FOLDER;
    case S_IFREG:
        return TYPE_REGULAR;
    case S_IFSOCK:
        return TYPE_STREAM;
    case S_IFLNK:
        return TYPE_LINK;
    default:
        return TYPE_UNKNOWN;
    }
}

static void grant_stream(int host) {
    struct stat status;
    struct file file = {.host = -1};
    if (fstat(host, &status) == 0) {
        file = (struct file){.host = host, .type = wasi_file_type(status.st_mode), .writable = true};
    }
    files[host] = file;
}

static void grant_folder(const struct folder *folder) {
    uint32_t descriptor;
    int host = open(folder->host, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (host < 0 && errno == EACCES) {
        host = open(folder->host, O_PATH | O_DIRECTORY | O_CLOEXEC); /* may be passed through, not listed */
    }
    if (host < 0) {
        refuse(STATUS_CANNOT_RUN, "cannot grant folder %s: %s", folder->host, strerror(errno));
    }
    struct file file = {.host = host, .type = TYPE_FOLDER, .writable = folder->writable, .name = folder->guest};
    if (wasi_add_file(file, &descriptor) != WASI_SUCCESS) {
        refuse(STATUS_CANNOT_RUN, "out of memory");
    }
}

void wasi_open_granted(const struct options *options) {
    if (!make_room(8 + options->folder_count)) {
        refuse(STATUS_CANNOT_RUN, "out of memory");
    }
    for (int host = STDIN_FILENO; host <= STDERR_FILENO; host++) {
        grant_stream(host);
    }
    /* Folders begin at 3 even where a stream is closed: that is where wasi-libc looks for them. */
    static const struct file taken = {.host = 0};
    struct file streams[3];
    memcpy(streams, files, sizeof streams);
    files[0] = files[1] = files[2] = taken;
    for (size_t i = 0; i < options->folder_count; i++) {
        grant_folder(&options->folders[i]);
    }
    memcpy(files, streams, sizeof streams);
}

WASI_FUNCTION(fd_close) {
    struct file *file = wasi_file((uint32_t)arguments[0].i32);
    if (file == NULL) {
        return WASI_BADF;
    }
    close_file(file);
    return WASI_SUCCESS;
}

WASI_FUNCTION(fd_renumber) {
    struct file *from = wasi_file((uint32_t)arguments[0].i32);
    struct file *to = wasi_file((uint32_t)arguments[1].i32);
    if (from == NULL || to == NULL) {
        return WASI_BADF;
    }
    if (from->name != NULL || to->name != NULL) {
        return WASI_NOTSUP; /* granted folders stay where they are */
    }
    if (from != to) {
        close_file(to);
        *to = *from;
        *from = (struct file){.host = -1};
    }
    return WASI_SUCCESS;
}

WASI_FUNCTION(fd_prestat_get) {
    const struct file *file = wasi_file((uint32_t)arguments[0].i32);
    if (file == NULL || file->name == NULL) {
        return WASI_BADF;
    }
    uint32_t prestat[2] = {0, (uint32_t)strlen(file->name)};
    return guest_write((uint32_t)arguments[1].i32, prestat, sizeof prestat) ? WASI_SUCCESS : WASI_FAULT;
}

WASI_FUNCTION(fd_prestat_dir_name) {
    const struct file *file = wasi_file((uint32_t)arguments[0].i32);
    if (file == NULL || file->name == NULL) {
        return WASI_BADF;
    }
    size_t size = strlen(file->name);
    if (size > (uint32_t)arguments[2].i32) {
        return WASI_NAMETOOLONG;
    }
    return guest_write((uint32_t)arguments[1].i32, file->name, size) ? WASI_SUCCESS : WASI_FAULT;
}
