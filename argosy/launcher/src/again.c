/* Another process like this one: the command that starts this launcher again, with this module and what is granted here,
 * for MPI_Comm_spawn. The guest chooses the arguments and its own working folder among those that it has, nothing else.
 *
 * Invariants.
 * - Process managers carry such commands as lines of text of limited length (MPICH's: `arg1=…` and a newline, 1024
 *   bytes), so a guest's argument could forge their commands. Therefore every word but the executable's own path is
 *   written in a small alphabet, all else as %XX, and cut into pieces: `%+` at a piece's end says that the next one
 *   belongs to the same word, and `%` alone is the empty word. options_parse puts them together again.
 * - What the new process is granted is written out here from what this one was granted; it inherits no other right. */
#include "again.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "allowance.h"

enum { PIECE = 500 };

static const struct options *granted;

void again_remember(const struct options *options) {
    granted = options;
}

int64_t guest_may_start(void) {
    return granted == NULL ? 0 : granted->spawn;
}

bool guest_may_connect(void) {
    return granted != NULL && granted->connect;
}

const char *guest_name(void) {
    return granted == NULL ? "" : granted->arguments[0];
}

/* --- words -------------------------------------------------------------------------------------------------------- */

struct words {
    char **list; /* NULL: memory was short */
    size_t count;
};

static void add_piece(struct words *words, const char *text, size_t length) {
    char **list = words->list == NULL ? NULL : realloc(words->list, (words->count + 2) * sizeof *list);
    char *copy = list == NULL ? NULL : strndup(text, length);
    if (list != NULL) {
        words->list = list;
        list[words->count] = copy;
        list[words->count + 1] = NULL;
        words->count++;
    }
    if (copy == NULL) {
        again_free(words->list);
        words->list = NULL;
    }
}

static bool is_plain(unsigned char letter) {
    return (letter >= '0' && letter <= '9') || (letter >= 'A' && letter <= 'Z') || (letter >= 'a' && letter <= 'z') ||
           (letter != '\0' && strchr("-_./:,+@", letter) != NULL);
}

static void add(struct words *words, const char *text) {
    char piece[PIECE + 8];
    size_t length = 0;
    if (*text == '\0') {
        add_piece(words, "%", 1);
        return;
    }
    for (; *text != '\0'; text++) {
        if (length >= PIECE) {
            memcpy(piece + length, "%+", 2);
            add_piece(words, piece, length + 2);
            length = 0;
        }
        if (is_plain((unsigned char)*text)) {
            piece[length++] = *text;
        } else {
            length += (size_t)snprintf(piece + length, 4, "%%%02X", (unsigned)(unsigned char)*text);
        }
    }
    add_piece(words, piece, length);
}

/* "A" "separator" "B" as one word. */
static void add_joined(struct words *words, const char *first, const char *separator, const char *second) {
    char *text = NULL;
    if (asprintf(&text, "%s%s%s", first, separator, second) < 0) {
        text = NULL;
    }
    if (text == NULL) {
        again_free(words->list);
        words->list = NULL;
        return;
    }
    add(words, text);
    free(text);
}

static int digit(char letter) {
    return letter >= '0' && letter <= '9' ? letter - '0' : letter >= 'A' && letter <= 'F' ? letter - 'A' + 10 : -1;
}

bool again_decode(char **words, size_t count, size_t *left) {
    size_t done = 0;
    for (size_t i = 0; i < count; done++) {
        size_t most = 1, length = 0;
        for (size_t j = i; j < count; j++) {
            most += strlen(words[j]);
        }
        char *whole = malloc(most);
        bool more = true;
        while (more && whole != NULL) {
            if (i == count) { /* the last piece says that there is another */
                free(whole);
                return false;
            }
            more = false;
            for (const char *text = words[i++]; *text != '\0';) {
                if (*text != '%') {
                    whole[length++] = *text++;
                } else if (text[1] == '\0') {
                    text++;
                } else if (text[1] == '+' && text[2] == '\0') {
                    more = true;
                    text += 2;
                } else if (digit(text[1]) >= 0 && digit(text[2]) >= 0) {
                    whole[length++] = (char)(digit(text[1]) * 16 + digit(text[2]));
                    text += 3;
                } else {
                    free(whole);
                    return false;
                }
            }
        }
        if (whole == NULL) {
            return false;
        }
        whole[length] = '\0';
        words[done] = whole;
    }
    *left = done;
    return true;
}

/* --- the command -------------------------------------------------------------------------------------------------- */

/* Names of folders as wasi-libc compares them: without leading "/" and "./"; "." alone is the empty name. */
static const char *folder_name(const char *path) {
    for (;;) {
        if (path[0] == '/') {
            path++;
        } else if (path[0] == '.' && (path[1] == '/' || path[1] == '\0')) {
            path += path[1] == '/' ? 2 : 1;
        } else {
            return path;
        }
    }
}

const struct folder *again_folder(const char *name) {
    for (size_t i = 0; i < granted->folder_count; i++) {
        if (strcmp(folder_name(granted->folders[i].guest), folder_name(name)) == 0) {
            return &granted->folders[i];
        }
    }
    return NULL;
}

bool guest_has_folder(const char *name) {
    return granted != NULL && (*folder_name(name) == '\0' || again_folder(name) != NULL);
}

static void add_folder(struct words *words, const struct folder *folder, const char *name) {
    char here[PATH_MAX];
    add(words, folder->writable ? "--dir" : "--read-only");
    if (folder->host[0] == '/') {
        add_joined(words, folder->host, "::", name);
    } else if (getcwd(here, sizeof here) != NULL) { /* the new process may be started in another folder */
        char *host = NULL;
        if (asprintf(&host, "%s/%s", here, folder->host) < 0) {
            host = NULL;
        }
        add_joined(words, host == NULL ? "" : host, "::", name);
        free(host);
    } else {
        add_joined(words, "", "::", name); /* which the new process refuses */
    }
}

static void add_absolute(struct words *words, const char *path) {
    char *whole = realpath(path, NULL);
    add(words, whole == NULL ? path : whole);
    free(whole);
}

static void add_number(struct words *words, const char *option, int64_t value) {
    char number[32];
    snprintf(number, sizeof number, "%lld", (long long)value);
    add(words, option);
    add(words, number);
}

char **guest_again(const char *name, const char *const *arguments, const char *folder, int64_t spawn) {
    struct words words = {calloc(1, sizeof(char *)), 0};
    const char *start = folder == NULL ? "" : folder_name(folder);
    add_piece(&words, "--again", 7);
    for (size_t i = 0; i < granted->folder_count; i++) {
        const struct folder *one = &granted->folders[i];
        if (*start == '\0' || *folder_name(one->guest) != '\0') {
            add_folder(&words, one, one->guest);
        }
    }
    if (*start != '\0') {
        add_folder(&words, again_folder(start), ".");
    }
    for (size_t i = 0; i < granted->variable_count; i++) {
        add(&words, "--env");
        add_joined(&words, granted->variables[i].name, "=", granted->variables[i].value);
    }
    if (granted->mpi_library != NULL) {
        add(&words, "--mpi-library");
        add_absolute(&words, granted->mpi_library);
    }
    if (granted->wasmtime_wasi) {
        add(&words, "--wasi=wasmtime");
    }
    if (granted->connect) {
        add(&words, "--connect");
    }
    if (granted->memory > 0) {
        add_number(&words, "--memory", granted->memory);
    }
    if (allowance_seconds_left() > 0) {
        add_number(&words, "--seconds", allowance_seconds_left());
    }
    for (size_t i = 1; i < granted->module_count; i++) { /* it may start on a node with another CPU */
        add(&words, "--or-else");
        add_absolute(&words, granted->modules[i]);
    }
    add_number(&words, "--spawn", spawn);
    add(&words, "--argv0");
    add(&words, name);
    add(&words, "--");
    add_absolute(&words, granted->modules[0]);
    for (; arguments != NULL && *arguments != NULL; arguments++) {
        add(&words, *arguments);
    }
    return words.list;
}

void again_free(char **words) {
    for (char **word = words; word != NULL && *word != NULL; word++) {
        free(*word);
    }
    free(words);
}

bool guest_launcher(char *path, size_t size) {
    ssize_t length = readlink("/proc/self/exe", path, size);
    if (length <= 0 || (size_t)length >= size || length > PIECE) {
        return false;
    }
    path[length] = '\0';
    for (const char *letter = path; *letter != '\0'; letter++) {
        if (!is_plain((unsigned char)*letter)) {
            return false;
        }
    }
    return true;
}
