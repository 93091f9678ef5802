/* Looking up paths beneath a folder. The kernel does it where it can (openat2 with RESOLVE_BENEATH, Linux 5.6); on
 * older ones, and under filters that know no openat2, a walk of our own goes one part at a time through open folders,
 * so that ".." is the folder we came from and a renamed folder cannot lead outside. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wasi.h"

enum { MOST_DEPTH = 128, MOST_LINKS = 40, MOST_TRIES = 16 };

wasi_error_t wasi_path(uint32_t address, uint32_t length, char path[PATH_SPACE]) {
    const char *text = guest_span(address, length);
    if (text == NULL) {
        return WASI_FAULT;
    }
    if (length == 0) {
        return WASI_NOENT;
    }
    if (length >= PATH_SPACE) {
        return WASI_NAMETOOLONG;
    }
    if (memchr(text, '\0', length) != NULL) {
        return WASI_ILSEQ;
    }
    memcpy(path, text, length);
    path[length] = '\0';
    return WASI_SUCCESS;
}

wasi_error_t wasi_path_error(void) {
    return errno == EXDEV ? WASI_NOTCAPABLE : wasi_error(errno);
}

/* As linux/openat2.h has it, which old systems lack. */
struct how {
    uint64_t flags;
    uint64_t mode;
    uint64_t resolve;
};
enum { NO_MAGIC_LINKS = 0x02, BENEATH = 0x08, SYS_OPENAT2 = 437 };

static int open_by_kernel(int folder, const char *path, int flags, mode_t mode) {
#ifdef ARGOSY_WITHOUT_OPENAT2
    (void)folder, (void)path, (void)flags, (void)mode;
    errno = ENOSYS;
    return -1;
#else
    bool creates = (flags & O_CREAT) != 0;
    struct how how = {(uint64_t)flags, creates ? mode : 0, BENEATH | NO_MAGIC_LINKS};
    long opened = -1;
    for (int i = 0; i < MOST_TRIES; i++) { /* EAGAIN: something was renamed meanwhile */
        opened = syscall(SYS_OPENAT2, folder, path, &how, sizeof how);
        if (opened >= 0 || (errno != EAGAIN && errno != EINTR)) {
            break;
        }
    }
    return (int)opened;
#endif
}

/* The walk: the folders from the root to here, and what of the path is still to go. */
struct walk {
    int folders[MOST_DEPTH]; /* folders[0] is the caller's; the others are ours */
    int depth;               /* index of the last */
    int links;
    char rest[PATH_SPACE];
};

static int fail(int error) {
    errno = error;
    return -1;
}

/* Take the first part off `rest`: 1, or 0 when nothing is left, or -1 when it is too long for a name. *last: only
 * slashes follow it. */
static int next_part(struct walk *walk, char part[NAME_MAX + 1], bool *last, bool *slash) {
    const char *start = walk->rest + strspn(walk->rest, "/");
    size_t length = strcspn(start, "/");
    if (length == 0 || length > NAME_MAX) {
        return length == 0 ? 0 : fail(ENAMETOOLONG);
    }
    memcpy(part, start, length);
    part[length] = '\0';
    const char *after = start + length;
    *slash = *after == '/';
    after += strspn(after, "/");
    *last = *after == '\0';
    memmove(walk->rest, after, strlen(after) + 1);
    return 1;
}

/* Put the target of the link `part` in front of what is left. */
static int follow(struct walk *walk, const char *part) {
    char target[PATH_SPACE];
    ssize_t length = readlinkat(walk->folders[walk->depth], part, target, sizeof target - 1);
    if (length < 0) {
        return -1;
    }
    target[length] = '\0';
    if (++walk->links > MOST_LINKS) {
        return fail(ELOOP);
    }
    if (target[0] == '/') {
        return fail(EXDEV);
    }
    size_t rest = strlen(walk->rest);
    if ((size_t)length + 1 + rest >= sizeof walk->rest) {
        return fail(ENAMETOOLONG);
    }
    if (rest > 0) {
        memmove(walk->rest + length + 1, walk->rest, rest + 1);
        walk->rest[length] = '/';
        memcpy(walk->rest, target, (size_t)length);
    } else {
        memcpy(walk->rest, target, (size_t)length + 1);
    }
    return 0;
}

static bool is_link(int folder, const char *part) {
    struct stat status;
    return fstatat(folder, part, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode);
}

/* One part that is not the last: go into it. */
static int enter(struct walk *walk, const char *part) {
    if (strcmp(part, ".") == 0) {
        return 0;
    }
    if (strcmp(part, "..") == 0) {
        if (walk->depth == 0) {
            return fail(EXDEV);
        }
        close(walk->folders[walk->depth--]);
        return 0;
    }
    int here = walk->folders[walk->depth];
    int inner = openat(here, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner < 0) {
        int error = errno;
        return is_link(here, part) ? follow(walk, part) : fail(error);
    }
    if (walk->depth + 1 == MOST_DEPTH) {
        close(inner);
        return fail(ENAMETOOLONG);
    }
    walk->folders[++walk->depth] = inner;
    return 0;
}

static int walk_on(struct walk *walk, int flags, mode_t mode) {
    char part[NAME_MAX + 1];
    bool last = false, slash = false;
    int got;
    while ((got = next_part(walk, part, &last, &slash)) > 0) {
        bool steps = strcmp(part, ".") == 0 || strcmp(part, "..") == 0;
        if (!last || steps) {
            if (enter(walk, part) != 0) {
                return -1;
            }
            continue;
        }
        int here = walk->folders[walk->depth];
        bool follows = (flags & O_NOFOLLOW) == 0 || slash;
        if (follows && (flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL) && is_link(here, part)) {
            if (follow(walk, part) != 0) {
                return -1;
            }
            continue;
        }
        return openat(here, part, flags | O_NOFOLLOW | (slash ? O_DIRECTORY : 0), mode);
    }
    if (got < 0) {
        return -1;
    }
    return openat(walk->folders[walk->depth], ".", flags & ~(O_CREAT | O_EXCL | O_NOFOLLOW), mode);
}

static int open_by_walk(int folder, const char *path, int flags, mode_t mode) {
    struct walk walk = {.folders = {folder}};
    if (path[0] == '/') {
        return fail(EXDEV);
    }
    if (strlen(path) >= sizeof walk.rest) {
        return fail(ENAMETOOLONG);
    }
    memcpy(walk.rest, path, strlen(path) + 1);
    int opened = walk_on(&walk, flags, mode);
    int error = errno;
    while (walk.depth > 0) {
        close(walk.folders[walk.depth--]);
    }
    errno = error;
    return opened;
}

int wasi_open_beneath(int folder, const char *path, int flags, mode_t mode) {
    static bool kernel_can = true;
    flags |= O_CLOEXEC;
    if (kernel_can) {
        int opened = open_by_kernel(folder, path, flags, mode);
        if (opened >= 0 || (errno != ENOSYS && errno != EPERM)) {
            return opened;
        }
        if (errno == EPERM) { /* a filter's answer, or the file's? */
            int probe = open_by_kernel(folder, ".", O_PATH | O_CLOEXEC, 0);
            if (probe >= 0) {
                close(probe);
                return fail(EPERM);
            }
        }
        kernel_can = false;
    }
    return open_by_walk(folder, path, flags, mode);
}

int wasi_open_parent(int folder, char *path, const char **name) {
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') {
        path[--length] = '\0';
    }
    char *slash = strrchr(path, '/');
    *name = slash == NULL ? path : slash + 1;
    if (**name == '\0') {
        return fail(EXDEV); /* "/" */
    }
    if (strcmp(*name, ".") == 0 || strcmp(*name, "..") == 0) {
        return fail(EINVAL);
    }
    if (slash == path) {
        return fail(EXDEV);
    }
    if (slash != NULL) {
        *slash = '\0';
    }
    return wasi_open_beneath(folder, slash == NULL ? "." : path, O_PATH | O_DIRECTORY, 0);
}
