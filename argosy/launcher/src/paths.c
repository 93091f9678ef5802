/* Names of files that the guest hands to host functions (MPI-IO): found as wasi-libc finds them, in the granted folder
 * with the longest matching name, and never outside it. The folder of the file is resolved with all its links and must
 * lie inside the granted one; a file that is itself a link is followed and must lie inside too. The check and the use
 * are two steps; what another process changes in between is only kept out where that process has no right to it. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "launch.h"

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

static bool inside(const char *root, const char *path) {
    size_t length = strlen(root);
    return strncmp(root, path, length) == 0 && (path[length] == '/' || path[length] == '\0' || length == 1);
}

bool guest_path(const char *path, bool for_writing, char *host_path, size_t size) {
    char root[PATH_MAX], joined[PATH_MAX], parent[PATH_MAX], target[PATH_MAX];
    const char *rest = NULL;
    const struct folder *folder = find_folder(path, &rest);
    if (folder == NULL || (for_writing && !folder->writable) || realpath(folder->host, root) == NULL ||
        snprintf(joined, sizeof joined, "%s/%s", root, rest) >= (int)sizeof joined) {
        return false;
    }
    char *slash = strrchr(joined, '/'); /* there is one: it was just put there */
    const char *name = slash + 1;
    if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return false; /* names a folder */
    }
    *slash = '\0';
    if (realpath(slash == joined ? "/" : joined, parent) == NULL || !inside(root, parent) ||
        snprintf(host_path, size, "%s/%s", parent, name) >= (int)(size < INT_MAX ? size : INT_MAX)) {
        return false;
    }
    if (realpath(host_path, target) != NULL) {
        return inside(root, target) && snprintf(host_path, size, "%s", target) < (int)(size < INT_MAX ? size : INT_MAX);
    }
    struct stat status; /* a link to nothing would be followed when the file is created */
    return lstat(host_path, &status) != 0 || !S_ISLNK(status.st_mode);
}
