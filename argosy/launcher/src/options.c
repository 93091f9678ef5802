/* Command line. Every list is allocated once, at argc entries, which no option can exceed. */
#include "options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "again.h"

static const int64_t most_processes = 1000000, most_bytes = INT64_C(1) << 32, most_seconds = INT64_C(1) << 31;

static const char usage[] =
    "usage: argosy-launch [OPTION]... APP.cwasm [ARGUMENT]...\n"
    "  --dir HOST[::GUEST]         grant a folder, read and write\n"
    "  --read-only HOST[::GUEST]   grant a folder, read only\n"
    "  --env NAME[=VALUE]          set a variable, or pass this process's\n"
    "  --argv0 NAME                what the guest sees as its own name\n"
    "  --or-else FILE              native code of the same module for other CPUs: where a node has no APP, or cannot run\n"
    "                              it, the first of these that is there and runs (may be repeated)\n"
    "  --mpi-library FILE          the MPI library, of a launcher that was built for every one with the MPI ABI\n"
    "  --wasi=argosy|wasmtime      whose WASI the guest gets (default: argosy, this launcher's own)\n"
    "  --spawn N                   the job may start N more processes of this module (default: 0)\n"
    "  --memory BYTES              the guest's memory may have so many bytes, and no more\n"
    "  --seconds N                 end after so many seconds, with status 124\n"
    "  --connect                   the job may connect to MPI processes of other jobs\n"
    "  --trace-mpi FOLDER          write each rank's calls of MPI, with times and bytes, to a file there\n"
    "  --check                     only check that this node has all that APP imports\n";

static _Noreturn void __attribute__((format(printf, 1, 2))) misuse(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("argosy-launch: ", stderr);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n%s", usage);
    exit(2);
}

static void *table(size_t count, size_t size) {
    void *memory = calloc(count + 1, size);
    if (memory == NULL) {
        fputs("argosy-launch: out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

static void add_folder(struct options *options, char *text, bool writable) {
    char *separator = strstr(text, "::");
    const char *guest = text;
    if (separator != NULL) {
        *separator = '\0';
        guest = separator + 2;
    }
    if (*text == '\0' || *guest == '\0') {
        misuse("a folder is granted as HOST or HOST::GUEST, and neither may be empty");
    }
    options->folders[options->folder_count++] = (struct folder){text, guest, writable};
}

static void add_variable(struct options *options, char *text) {
    char *separator = strchr(text, '=');
    if (separator == text || *text == '\0') {
        misuse("--env takes NAME=VALUE or NAME, not '%s'", text);
    }
    const char *value = NULL;
    if (separator != NULL) {
        *separator = '\0';
        value = separator + 1;
    } else {
        value = getenv(text);
    }
    if (value != NULL) {
        options->variables[options->variable_count++] = (struct variable){text, value};
    }
}

/* The value of option `name` at argv[*index], as "--name=VALUE" or "--name VALUE"; NULL when it is another option. */
static char *value_of(const char *name, int argc, char **argv, int *index) {
    char *text = argv[*index];
    size_t length = strlen(name);
    if (strncmp(text, name, length) != 0 || (text[length] != '\0' && text[length] != '=')) {
        return NULL;
    }
    if (text[length] == '=') {
        return text + length + 1;
    }
    if (*index + 1 == argc) {
        misuse("%s needs a value", name);
    }
    return argv[++*index];
}

static int64_t number(const char *option, const char *text, int64_t most) {
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || value > most) {
        misuse("%s takes a number up to %lld, not '%s'", option, (long long)most, text);
    }
    return value;
}

void options_parse(struct options *options, int argc, char **argv) {
    size_t most = argc > 0 ? (size_t)argc : 0;
    const char *name = NULL;
    *options = (struct options){0};
    if (argc > 1 && strcmp(argv[1], "--again") == 0) { /* as guest_again writes */
        size_t left = 0;
        if (!again_decode(argv + 2, (size_t)argc - 2, &left)) {
            misuse("--again is followed by what another argosy-launch wrote");
        }
        argc = (int)left + 2;
        options->again = true;
    }
    options->folders = table(most, sizeof *options->folders);
    options->variables = table(most, sizeof *options->variables);
    options->arguments = table(most, sizeof *options->arguments);
    options->modules = table(most, sizeof *options->modules);
    options->module_count = 1; /* the first is known last */
    int index = options->again ? 2 : 1;
    for (; index < argc && argv[index][0] == '-'; index++) {
        char *value = NULL;
        if (strcmp(argv[index], "--") == 0) {
            index++;
            break;
        }
        if ((value = value_of("--dir", argc, argv, &index)) != NULL) {
            add_folder(options, value, true);
        } else if ((value = value_of("--read-only", argc, argv, &index)) != NULL) {
            add_folder(options, value, false);
        } else if ((value = value_of("--env", argc, argv, &index)) != NULL) {
            add_variable(options, value);
        } else if ((value = value_of("--argv0", argc, argv, &index)) != NULL) {
            name = value;
        } else if ((value = value_of("--or-else", argc, argv, &index)) != NULL) {
            options->modules[options->module_count++] = value;
        } else if ((value = value_of("--trace-mpi", argc, argv, &index)) != NULL) {
            options->trace = value;
        } else if ((value = value_of("--mpi-library", argc, argv, &index)) != NULL) {
            options->mpi_library = value;
        } else if ((value = value_of("--wasi", argc, argv, &index)) != NULL) {
            options->wasmtime_wasi = strcmp(value, "wasmtime") == 0;
            if (!options->wasmtime_wasi && strcmp(value, "argosy") != 0) {
                misuse("--wasi is 'argosy' or 'wasmtime', not '%s'", value);
            }
        } else if ((value = value_of("--spawn", argc, argv, &index)) != NULL) {
            options->spawn = number("--spawn", value, most_processes);
        } else if ((value = value_of("--memory", argc, argv, &index)) != NULL) {
            options->memory = number("--memory", value, most_bytes);
        } else if ((value = value_of("--seconds", argc, argv, &index)) != NULL) {
            options->seconds = number("--seconds", value, most_seconds);
        } else if (strcmp(argv[index], "--connect") == 0) {
            options->connect = true;
        } else if (strcmp(argv[index], "--check") == 0) {
            options->check = true;
        } else if (strcmp(argv[index], "--help") == 0) {
            fputs(usage, stdout);
            exit(0);
        } else {
            misuse("unknown option '%s'", argv[index]);
        }
    }
    if (index >= argc) {
        misuse("which module?");
    }
    options->module = options->modules[0] = argv[index];
    options->arguments[options->argument_count++] = name != NULL ? name : argv[index];
    for (index++; index < argc; index++) {
        options->arguments[options->argument_count++] = argv[index];
    }
}
