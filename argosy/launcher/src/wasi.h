/* WASI preview 1 ("wasi_snapshot_preview1"): the guest's world, made of direct system calls.
 *
 * wasmtime's own WASI hands each call on a file to another thread, and starts as many threads as the node has cores in
 * each rank; this one does neither. What the files of this implementation share is here.
 *
 * Invariants.
 * - A guest's file descriptor is an index into one table (wasi_files.c). The table owns its host descriptors.
 * - A path is looked up only beneath a folder of the table (wasi_lookup.c): no "..", link or absolute path leads out of
 *   it, whatever other processes rename meanwhile.
 * - A folder granted read-only makes everything opened beneath it read-only.
 * - Every function gives a WASI error number; a bad address gives FAULT, and nothing outside the guest is touched.
 */
#ifndef ARGOSY_WASI_H
#define ARGOSY_WASI_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "guest.h"
#include "options.h"

#define WASI_MODULE "wasi_snapshot_preview1"

/* Error numbers that are named here; the others come out of wasi_error. */
enum {
    WASI_SUCCESS = 0,
    WASI_BADF = 8,
    WASI_FAULT = 21,
    WASI_ILSEQ = 25,
    WASI_INVAL = 28,
    WASI_IO = 29,
    WASI_NAMETOOLONG = 37,
    WASI_NOENT = 44,
    WASI_NOMEM = 48,
    WASI_NOSYS = 52,
    WASI_NOTDIR = 54,
    WASI_NOTSOCK = 57,
    WASI_NOTSUP = 58,
    WASI_OVERFLOW = 61,
    WASI_PERM = 63,
    WASI_ROFS = 69,
    WASI_NOTCAPABLE = 76
};

/* File types, as in the specification. */
enum { TYPE_UNKNOWN, TYPE_BLOCK, TYPE_CHARACTER, TYPE_FOLDER, TYPE_REGULAR, TYPE_DATAGRAM, TYPE_STREAM, TYPE_LINK };

typedef int32_t wasi_error_t;
typedef wasmtime_val_raw_t wasi_values_t;

/* One function: its name, its signature as struct import writes it, and the C behind it. */
struct wasi_call {
    const char *name;
    const char *signature;
    wasi_error_t (*function)(const wasi_values_t *arguments);
};

/* An argument that is an address, a size, a descriptor or flags. */
static inline uint32_t wasi_number(const wasi_values_t *argument) {
    return (uint32_t)argument->i32;
}

extern const struct wasi_call wasi_calls[];
extern const size_t wasi_call_count;

/* Register the call's function as `name` of WASI_MODULE. */
struct wasmtime_error *wasi_define_call(wasmtime_linker_t *linker, const struct wasi_call *call,
                                        const wasm_functype_t *type);

/* The WASI number of a host errno. */
wasi_error_t wasi_error(int host_errno);

/* --- Files. --- */

struct file {
    int host; /* -1: no such descriptor */
    uint8_t type;
    bool writable;    /* false: neither it nor what is opened beneath it may be changed */
    const char *name; /* a granted folder's name for the guest; NULL for all others */
    DIR *stream;      /* for reading the folder; NULL until that begins; has a descriptor of its own */
};

/* Put the standard streams and the granted folders into the table; leaves when a folder cannot be opened. */
void wasi_open_granted(const struct options *options);

/* The file of a guest's descriptor; NULL when there is none. Valid until the next call that adds a file. */
struct file *wasi_file(uint32_t descriptor);

/* Give `file` the lowest free descriptor; on failure its host descriptor is closed. */
wasi_error_t wasi_add_file(struct file file, uint32_t *descriptor);

uint8_t wasi_file_type(mode_t mode);

/* Write a filestat to the guest. */
wasi_error_t wasi_put_stat(uint32_t address, const struct stat *status);

/* The two times of fd_ and path_filestat_set_times. */
wasi_error_t wasi_times(uint64_t access, uint64_t modification, uint32_t flags, struct timespec times[2]);

/* --- Paths beneath a folder; results are host descriptors or -1 with errno, which is EXDEV for a way out. --- */

enum { PATH_SPACE = 4096 };

/* Copy a path of the guest, checked: no NUL inside, not empty, shorter than PATH_SPACE. */
wasi_error_t wasi_path(uint32_t address, uint32_t length, char path[PATH_SPACE]);

/* Open `path` beneath `folder` with these flags of open(2); links are followed unless O_NOFOLLOW is among them. */
int wasi_open_beneath(int folder, const char *path, int flags, mode_t mode);

/* Open the folder that holds the last part of `path`, and point `name` at that part, inside `path`, without any trailing
 * slash. EINVAL when that part is "." or "..". `path` is changed. */
int wasi_open_parent(int folder, char *path, const char **name);

/* The WASI number of errno after these: a way out is NOTCAPABLE. */
wasi_error_t wasi_path_error(void);

/* --- The functions themselves, by file. --- */

#define WASI_FUNCTION(name) wasi_error_t wasi_##name(const wasi_values_t *arguments)
WASI_FUNCTION(fd_advise);
WASI_FUNCTION(fd_allocate);
WASI_FUNCTION(fd_close);
WASI_FUNCTION(fd_datasync);
WASI_FUNCTION(fd_fdstat_get);
WASI_FUNCTION(fd_fdstat_set_flags);
WASI_FUNCTION(fd_fdstat_set_rights);
WASI_FUNCTION(fd_filestat_get);
WASI_FUNCTION(fd_filestat_set_size);
WASI_FUNCTION(fd_filestat_set_times);
WASI_FUNCTION(fd_pread);
WASI_FUNCTION(fd_prestat_dir_name);
WASI_FUNCTION(fd_prestat_get);
WASI_FUNCTION(fd_pwrite);
WASI_FUNCTION(fd_read);
WASI_FUNCTION(fd_readdir);
WASI_FUNCTION(fd_renumber);
WASI_FUNCTION(fd_seek);
WASI_FUNCTION(fd_sync);
WASI_FUNCTION(fd_tell);
WASI_FUNCTION(fd_write);
WASI_FUNCTION(path_create_directory);
WASI_FUNCTION(path_filestat_get);
WASI_FUNCTION(path_filestat_set_times);
WASI_FUNCTION(path_link);
WASI_FUNCTION(path_open);
WASI_FUNCTION(path_readlink);
WASI_FUNCTION(path_remove_directory);
WASI_FUNCTION(path_rename);
WASI_FUNCTION(path_symlink);
WASI_FUNCTION(path_unlink_file);
WASI_FUNCTION(poll_oneoff);

/* What the guest is told of itself: set once, before it starts. */
void wasi_set_guest(const struct options *options);

#endif
