/* WASI's functions on open files. Data goes between the kernel and guest memory without a copy in between; every vector
 * is checked over its whole extent before the kernel sees it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "wasi.h"

enum { MOST_VECTORS = 1024 }; /* Linux takes no more at once; the rest is a short read or write */
enum { STAT_SIZE = 64, STATE_SIZE = 24, ENTRY_SIZE = 24 };

/* Rights: what fd_fdstat_get tells, so that wasi-libc knows what to ask for. */
#define RIGHT(bit) (UINT64_C(1) << (bit))
static const uint64_t ALL_RIGHTS = RIGHT(30) - 1;
static const uint64_t WRITING_RIGHTS = RIGHT(6) | RIGHT(8) | RIGHT(9) | RIGHT(10) | RIGHT(11) | RIGHT(12) | RIGHT(16) |
                                       RIGHT(17) | RIGHT(19) | RIGHT(20) | RIGHT(22) | RIGHT(23) | RIGHT(24) |
                                       RIGHT(25) | RIGHT(26);
static const uint64_t FOLDER_RIGHTS = RIGHT(3) | RIGHT(4) | RIGHT(9) | RIGHT(10) | RIGHT(11) | RIGHT(12) | RIGHT(13) |
                                      RIGHT(14) | RIGHT(15) | RIGHT(16) | RIGHT(17) | RIGHT(18) | RIGHT(19) |
                                      RIGHT(20) | RIGHT(21) | RIGHT(23) | RIGHT(24) | RIGHT(25) | RIGHT(26);
static const uint64_t FILE_RIGHTS = RIGHT(0) | RIGHT(1) | RIGHT(2) | RIGHT(3) | RIGHT(4) | RIGHT(5) | RIGHT(6) |
                                    RIGHT(7) | RIGHT(8) | RIGHT(21) | RIGHT(22) | RIGHT(23) | RIGHT(27);
static const uint64_t SEEKING_RIGHTS = RIGHT(2) | RIGHT(5);

static wasi_error_t done(int result) {
    return result < 0 ? wasi_error(errno) : WASI_SUCCESS;
}

static wasi_error_t put_size(uint32_t address, uint32_t size) {
    return guest_write(address, &size, sizeof size) ? WASI_SUCCESS : WASI_FAULT;
}

/* --- Reading and writing. --- */

/* The guest's vectors as the kernel takes them; false when one is outside its memory. */
static bool get_vectors(uint32_t address, uint32_t count, struct iovec *vectors) {
    const uint32_t *pairs = guest_span(address, (uint64_t)count * 8);
    if (pairs == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t pair[2];
        memcpy(pair, (const uint8_t *)pairs + (size_t)i * 8, sizeof pair);
        vectors[i].iov_len = pair[1];
        vectors[i].iov_base = pair[1] == 0 ? NULL : guest_span(pair[0], pair[1]);
        if (pair[1] != 0 && vectors[i].iov_base == NULL) {
            return false;
        }
    }
    return true;
}

typedef ssize_t (*transfer_t)(int host, const struct iovec *vectors, int count, off_t offset);

static ssize_t read_here(int host, const struct iovec *vectors, int count, off_t offset) {
    (void)offset;
    return readv(host, vectors, count);
}

static ssize_t write_here(int host, const struct iovec *vectors, int count, off_t offset) {
    (void)offset;
    return writev(host, vectors, count);
}

static wasi_error_t transfer(const wasi_values_t *arguments, transfer_t how, uint64_t offset, uint32_t result) {
    struct iovec vectors[MOST_VECTORS];
    const struct file *file = wasi_file(wasi_number(&arguments[0]));
    if (file == NULL) {
        return WASI_BADF;
    }
    if (offset > INT64_MAX) {
        return WASI_INVAL;
    }
    uint32_t count = wasi_number(&arguments[2]) < MOST_VECTORS ? wasi_number(&arguments[2]) : MOST_VECTORS;
    if (!get_vectors(wasi_number(&arguments[1]), count, vectors)) {
        return WASI_FAULT;
    }
    ssize_t size;
    do {
        size = how(file->host, vectors, (int)count, (off_t)offset);
    } while (size < 0 && errno == EINTR);
    return size < 0 ? wasi_error(errno) : put_size(result, (uint32_t)size);
}

WASI_FUNCTION(fd_read) {
    return transfer(arguments, read_here, 0, wasi_number(&arguments[3]));
}

WASI_FUNCTION(fd_write) {
    return transfer(arguments, write_here, 0, wasi_number(&arguments[3]));
}

WASI_FUNCTION(fd_pread) {
    return transfer(arguments, preadv, (uint64_t)arguments[3].i64, wasi_number(&arguments[4]));
}

WASI_FUNCTION(fd_pwrite) {
    return transfer(arguments, pwritev, (uint64_t)arguments[3].i64, wasi_number(&arguments[4]));
}

static wasi_error_t seek(const struct file *file, int64_t offset, int whence, uint32_t result) {
    if (file == NULL) {
        return WASI_BADF;
    }
    off_t place = lseek(file->host, offset, whence);
    if (place < 0) {
        return wasi_error(errno);
    }
    uint64_t wide = (uint64_t)place;
    return guest_write(result, &wide, sizeof wide) ? WASI_SUCCESS : WASI_FAULT;
}

WASI_FUNCTION(fd_seek) {
    static const int whences[] = {SEEK_SET, SEEK_CUR, SEEK_END};
    if (wasi_number(&arguments[2]) >= sizeof whences / sizeof *whences) {
        return WASI_INVAL;
    }
    return seek(wasi_file(wasi_number(&arguments[0])), arguments[1].i64, whences[wasi_number(&arguments[2])],
                wasi_number(&arguments[3]));
}

WASI_FUNCTION(fd_tell) {
    return seek(wasi_file(wasi_number(&arguments[0])), 0, SEEK_CUR, wasi_number(&arguments[1]));
}

/* --- The file as a whole. --- */

static wasi_error_t sync_file(const wasi_values_t *arguments, int (*how)(int)) {
    const struct file *file = wasi_file(wasi_number(&arguments[0]));
    return file == NULL ? WASI_BADF : done(how(file->host));
}

WASI_FUNCTION(fd_sync) {
    return sync_file(arguments, fsync);
}

WASI_FUNCTION(fd_datasync) {
    return sync_file(arguments, fdatasync);
}

WASI_FUNCTION(fd_advise) {
    static const int advices[] = {POSIX_FADV_NORMAL,   POSIX_FADV_SEQUENTIAL, POSIX_FADV_RANDOM,
                                  POSIX_FADV_WILLNEED, POSIX_FADV_DONTNEED,   POSIX_FADV_NOREUSE};
    const struct file *file = wasi_file(wasi_number(&arguments[0]));
    uint32_t advice = wasi_number(&arguments[3]);
    if (file == NULL) {
        return WASI_BADF;
    }
    if (advice >= sizeof advices / sizeof *advices) {
        return WASI_INVAL;
    }
    return wasi_error(posix_fadvise(file->host, arguments[1].i64, arguments[2].i64, advices[advice]));
}

/* An open file that may be changed. */
static wasi_error_t find_writable(const wasi_values_t *argument, const struct file **file) {
    *file = wasi_file(wasi_number(argument));
    return *file == NULL ? WASI_BADF : (*file)->writable ? WASI_SUCCESS : WASI_ROFS;
}

WASI_FUNCTION(fd_allocate) {
    const struct file *file;
    wasi_error_t error = find_writable(&arguments[0], &file);
    return error != WASI_SUCCESS ? error : wasi_error(posix_fallocate(file->host, arguments[1].i64, arguments[2].i64));
}

WASI_FUNCTION(fd_filestat_set_size) {
    const struct file *file;
    wasi_error_t error = find_writable(&arguments[0], &file);
    return error != WASI_SUCCESS ? error : done(ftruncate(file->host, arguments[1].i64));
}

static struct timespec time_of(uint64_t nanoseconds) {
    return (struct timespec){(time_t)(nanoseconds / 1000000000u), (long)(nanoseconds % 1000000000u)};
}

wasi_error_t wasi_times(uint64_t access, uint64_t modification, uint32_t flags, struct timespec times[2]) {
    enum { ACCESS = 1, ACCESS_NOW = 2, MODIFICATION = 4, MODIFICATION_NOW = 8 };
    if ((flags & (ACCESS | ACCESS_NOW)) == (ACCESS | ACCESS_NOW) ||
        (flags & (MODIFICATION | MODIFICATION_NOW)) == (MODIFICATION | MODIFICATION_NOW)) {
        return WASI_INVAL;
    }
    const struct timespec keep = {0, UTIME_OMIT}, now = {0, UTIME_NOW};
    times[0] = flags & ACCESS ? time_of(access) : flags & ACCESS_NOW ? now : keep;
    times[1] = flags & MODIFICATION ? time_of(modification) : flags & MODIFICATION_NOW ? now : keep;
    return WASI_SUCCESS;
}

WASI_FUNCTION(fd_filestat_set_times) {
    const struct file *file;
    struct timespec times[2];
    wasi_error_t error = find_writable(&arguments[0], &file);
    if (error == WASI_SUCCESS) {
        error = wasi_times((uint64_t)arguments[1].i64, (uint64_t)arguments[2].i64, wasi_number(&arguments[3]), times);
    }
    return error != WASI_SUCCESS ? error : done(futimens(file->host, times));
}

wasi_error_t wasi_put_stat(uint32_t address, const struct stat *status) {
    uint8_t *to = guest_span(address, STAT_SIZE);
    if (to == NULL) {
        return WASI_FAULT;
    }
    const uint64_t fields[8] = {
        status->st_dev,
        status->st_ino,
        wasi_file_type(status->st_mode),
        status->st_nlink,
        (uint64_t)status->st_size,
        (uint64_t)status->st_atim.tv_sec * 1000000000u + (uint64_t)status->st_atim.tv_nsec,
        (uint64_t)status->st_mtim.tv_sec * 1000000000u + (uint64_t)status->st_mtim.tv_nsec,
        (uint64_t)status->st_ctim.tv_sec * 1000000000u + (uint64_t)status->st_ctim.tv_nsec,
    };
    memcpy(to, fields, sizeof fields);
    return WASI_SUCCESS;
}

WASI_FUNCTION(fd_filestat_get) {
    const struct file *file = wasi_file(wasi_number(&arguments[0]));
    struct stat status;
    if (file == NULL) {
        return WASI_BADF;
    }
    return fstat(file->host, &status) != 0 ? wasi_error(errno) : wasi_put_stat(wasi_number(&arguments[1]), &status);
}

/* --- Flags and rights. --- */

enum { APPEND = 1, DSYNC = 2, NONBLOCK = 4, RSYNC = 8, SYNC = 16 };

static uint64_t rights_of(const struct file *file, int flags) {
    uint64_t rights = file->type == TYPE_FOLDER ? FOLDER_RIGHTS : FILE_RIGHTS;
    if (!file->writable || (file->type != TYPE_FOLDER && (flags & O_ACCMODE) == O_RDONLY)) {
        rights &= ~WRITING_RIGHTS;
    }
    if (file->type != TYPE_FOLDER && (flags & O_ACCMODE) == O_WRONLY) {
        rights &= ~RIGHT(1);
    }
    if (file->type == TYPE_CHARACTER) {
        rights &= ~SEEKING_RIGHTS; /* by this wasi-libc knows a terminal */
    }
    return rights;
}

WASI_FUNCTION(fd_fdstat_get) {
    const struct file *file = wasi_file(wasi_number(&arguments[0]));
    uint8_t *to = guest_span(wasi_number(&arguments[1]), STATE_SIZE);
    if (file == NULL) {
        return WASI_BADF;
    }
    int flags = fcntl(file->host, F_GETFL);
    if (flags < 0) {
        return wasi_error(errno);
    }
    if (to == NULL) {
        return WASI_FAULT;
    }
    uint16_t own = (uint16_t)((flags & O_APPEND ? APPEND : 0) | (flags & O_NONBLOCK ? NONBLOCK : 0));
    own |= (flags & O_SYNC) == O_SYNC ? SYNC : (flags & O_DSYNC) != 0 ? DSYNC : 0;
    uint64_t rights = rights_of(file, flags);
    uint64_t inherited = file->type != TYPE_FOLDER ? 0 : file->writable ? ALL_RIGHTS : ALL_RIGHTS & ~WRITING_RIGHTS;
    memset(to, 0, STATE_SIZE);
    to[0] = file->type;
    memcpy(to + 2, &own, sizeof own);
    memcpy(to + 8, &rights, sizeof rights);
    memcpy(to + 16, &inherited, sizeof inherited);
    return WASI_SUCCESS;
}

WASI_FUNCTION(fd_fdstat_set_flags) {
    const struct file *file = wasi_file(wasi_number(&arguments[0]));
    uint32_t wanted = wasi_number(&arguments[1]);
    if (file == NULL) {
        return WASI_BADF;
    }
    int flags = fcntl(file->host, F_GETFL);
    if (flags < 0 || (wanted & (uint32_t)~(APPEND | NONBLOCK)) != 0) {
        return flags < 0 ? wasi_error(errno) : WASI_NOTSUP; /* the kernel does not change the others */
    }
    flags &= ~(O_APPEND | O_NONBLOCK);
    flags |= (wanted & APPEND ? O_APPEND : 0) | (wanted & NONBLOCK ? O_NONBLOCK : 0);
    return done(fcntl(file->host, F_SETFL, flags));
}

/* Rights are told, not kept: what may be done follows from how the file was opened and granted. */
WASI_FUNCTION(fd_fdstat_set_rights) {
    return wasi_file(wasi_number(&arguments[0])) == NULL ? WASI_BADF : WASI_SUCCESS;
}

/* --- Reading a folder: a cookie is the kernel's own position of the entry after. --- */

static wasi_error_t open_stream(struct file *file) {
    if (file->type != TYPE_FOLDER) {
        return WASI_NOTDIR;
    }
    if (file->stream == NULL) {
        int own = openat(file->host, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        file->stream = own < 0 ? NULL : fdopendir(own);
        if (file->stream == NULL) {
            wasi_error_t error = wasi_error(errno);
            if (own >= 0) {
                close(own);
            }
            return error;
        }
    }
    return WASI_SUCCESS;
}

/* One entry into what is left of the buffer; what does not fit is cut, by which the guest knows that there is more. */
static size_t put_entry(uint8_t *to, size_t room, const struct dirent *entry, uint64_t next) {
    static const uint8_t types[] = {[DT_BLK] = TYPE_BLOCK,   [DT_CHR] = TYPE_CHARACTER, [DT_DIR] = TYPE_FOLDER,
                                    [DT_REG] = TYPE_REGULAR, [DT_SOCK] = TYPE_STREAM,   [DT_LNK] = TYPE_LINK};
    uint8_t head[ENTRY_SIZE] = {0};
    uint64_t inode = entry->d_ino;
    uint32_t length = (uint32_t)strlen(entry->d_name);
    memcpy(head, &next, sizeof next);
    memcpy(head + 8, &inode, sizeof inode);
    memcpy(head + 16, &length, sizeof length);
    head[20] = entry->d_type < sizeof types ? types[entry->d_type] : TYPE_UNKNOWN;
    size_t head_size = room < sizeof head ? room : sizeof head;
    size_t name_size = room - head_size < length ? room - head_size : length;
    memcpy(to, head, head_size);
    memcpy(to + head_size, entry->d_name, name_size);
    return head_size + name_size;
}

WASI_FUNCTION(fd_readdir) {
    struct file *file = wasi_file(wasi_number(&arguments[0]));
    uint32_t size = wasi_number(&arguments[2]), used = 0;
    uint8_t *buffer = guest_span(wasi_number(&arguments[1]), size);
    if (file == NULL) {
        return WASI_BADF;
    }
    if (buffer == NULL) {
        return WASI_FAULT;
    }
    wasi_error_t error = open_stream(file);
    if (error != WASI_SUCCESS) {
        return error;
    }
    if (arguments[3].i64 == 0) {
        rewinddir(file->stream);
    } else {
        seekdir(file->stream, arguments[3].i64);
    }
    while (used < size) {
        errno = 0;
        const struct dirent *entry = readdir(file->stream);
        if (entry == NULL) {
            if (errno != 0) {
                return wasi_error(errno);
            }
            break;
        }
        used += (uint32_t)put_entry(buffer + used, size - used, entry, (uint64_t)telldir(file->stream));
    }
    return put_size(wasi_number(&arguments[4]), used);
}
