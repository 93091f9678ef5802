/* Names of files that the guest hands to host functions (MPI-IO): found as wasi-libc finds them, in the granted folder
 * with the longest matching name, and never outside it. What comes back is an open folder and a name in it, so nothing
 * that is renamed later leads anywhere else; a name that is a link is followed here, beneath the granted folder. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "launch.h"
#include "wasi.h"

enum { MOST_LINKS = 40 };

static const struct options *granted;

void paths_grant(const struct options *options) {
    granted = options;
}

/* Without leading "/" and "./", as wasi-libc compares names; "." alone is the empty name. */
static const char *plain(const char *path) {
    for (;;) {
        if (path[0] == '/') {
            path++;
        } else if (path[0] == '.' && path[1] == '/') {
            path += 2;
        } else {
            return path[0] == '.' && path[1] == '\0' ? path + 1 : path;
        }
    }
}

/* What is left of `path` below `folder`; NULL when it is not below. */
static const char *below(const char *folder, const char *path) {
    size_t length = strlen(folder);
    while (length > 0 && folder[length - 1] == '/') {
        length--;
    }
    if (strncmp(folder, path, length) != 0 || (length > 0 && path[length] != '/' && path[length] != '\0')) {
        return NULL;
    }
    return plain(path + length);
}

static const struct folder *find_folder(const char *path, const char **rest) {
    const struct folder *best = NULL;
    size_t longest = 0;
    for (size_t i = 0; granted != NULL && i < granted->folder_count; i++) {
        const char *name = plain(granted->folders[i].guest);
        const char *left = below(name, plain(path));
        if (left != NULL && (best == NULL || strlen(name) > longest)) {
            best = &granted->folders[i];
            longest = strlen(name);
            *rest = left;
        }
    }
    return best;
}

int guest_folder_of(const char *path, bool for_writing, char name[NAME_MAX + 1]) {
    char rest[PATH_SPACE], work[PATH_SPACE], target[PATH_SPACE];
    const char *left = NULL, *last;
    const struct folder *folder = find_folder(path, &left);
    if (folder == NULL || (for_writing && !folder->writable)) {
        errno = EACCES;
        return -1;
    }
    if (strlen(left) >= sizeof rest) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(rest, left, strlen(left) + 1);
    int root = open(folder->host, O_PATH | O_DIRECTORY | O_CLOEXEC), parent = -1, links = 0;
    while (root >= 0) {
        memcpy(work, rest, strlen(rest) + 1);
        parent = wasi_open_parent(root, work, &last);
        if (parent < 0 || strlen(last) > NAME_MAX) {
            break;
        }
        ssize_t length = readlinkat(parent, last, target, sizeof target - 1);
        if (length < 0) { /* the file itself, or nothing yet */
            memcpy(name, last, strlen(last) + 1);
            close(root);
            return parent;
        }
        target[length] = '\0';
        close(parent);
        parent = -1;
        /* Go on where the link points, from where it lies: `work` was cut there, where it had a folder. */
        bool beside = last == work;
        int written = beside ? snprintf(rest, sizeof rest, "%s", target)
                             : snprintf(rest, sizeof rest, "%s/%s", work, target);
        errno = target[0] == '/' ? EACCES : written >= (int)sizeof rest ? ENAMETOOLONG : ++links > MOST_LINKS ? ELOOP : 0;
        if (errno != 0) {
            break;
        }
    }
    int error = errno;
    if (parent >= 0) {
        close(parent);
        error = ENAMETOOLONG;
    }
    if (root >= 0) {
        close(root);
    }
    errno = error == EXDEV ? EACCES : error;
    return -1;
}
