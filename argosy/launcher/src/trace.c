/* See trace.h. Invariants.
 * - A rank writes one file, whole, under a temporary name, and renames it: whoever reads it finds all or nothing. It is
 *   written when MPI_Finalize returns, before MPI_Abort, and when the process ends: by exit, trap, refusal, SIGTERM or
 *   SIGINT, or the MPI library's own exit. SIGKILL alone leaves what was written before.
 * - Signals are taken by a thread of its own, so that no handler runs between the guest's instructions; it reads numbers
 *   that may be growing, and then ends the process by the same signal.
 * - Times are CLOCK_MONOTONIC's. A call that MPI makes to the guest may call MPI again: each function's time includes
 *   what it called, and the rank's time in MPI counts the outermost calls alone.
 */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "report.h"

enum { MOST_PEERS = 1 << 20 };

struct traced {
    const struct import *import;
    wasmtime_func_unchecked_callback_t call;
    void *data;
    uint64_t calls, sent, received, time, least, most; /* times in ns */
    bool begins, finalizes, aborts;
};

struct peer {
    uint64_t messages, bytes;
};

static struct {
    const char *folder, *program, *library;
    const struct mpi_glue *glue;
    struct traced *functions; /* one for each of the glue's imports */
    const char *ended;
    int rank, size;
    struct peer *peers; /* `size` of them */
    unsigned depth;
    const struct traced *current; /* the outermost call that has not returned */
    uint64_t entered, began, finished, in_mpi;
    double began_unix;
    pthread_mutex_t writing;
} trace = {.rank = -1, .writing = PTHREAD_MUTEX_INITIALIZER};

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void write_string(FILE *file, const char *text) {
    fputc('"', file);
    for (; *text != '\0'; text++) {
        unsigned char letter = (unsigned char)*text;
        if (letter == '"' || letter == '\\') {
            fprintf(file, "\\%c", letter);
        } else if (letter < ' ' || letter == 0x7f) {
            fprintf(file, "\\u%04x", letter);
        } else {
            fputc(letter, file);
        }
    }
    fputc('"', file);
}

static void write_header(FILE *file) {
    char host[256] = "";
    uint64_t end = trace.finished != 0 ? trace.finished : now();
    const struct traced *current = trace.current;
    uint64_t waited = current != NULL ? end - trace.entered : 0;
    gethostname(host, sizeof host - 1);
    fprintf(file, "{\"format\": \"argosy-mpi-trace\", \"version\": 1, \"rank\": %d, \"size\": %d, \"host\": ",
            trace.rank < 0 ? 0 : trace.rank, trace.size < 1 ? 1 : trace.size);
    write_string(file, host);
    fprintf(file, ", \"pid\": %ld, \"program\": ", (long)getpid());
    write_string(file, trace.program);
    fputs(", \"library\": ", file);
    write_string(file, trace.library);
    fprintf(file, ", \"ended\": \"%s\", \"began_unix_s\": %.6f, \"wall_s\": %.9f, \"mpi_s\": %.9f, \"in_call\": ",
            trace.ended, trace.began_unix, trace.began != 0 ? (double)(end - trace.began) * 1e-9 : 0.0,
            (double)(trace.in_mpi + waited) * 1e-9);
    if (current != NULL) {
        write_string(file, current->import->name);
    } else {
        fputs("null", file);
    }
    fprintf(file, ", \"in_call_s\": %.9f}\n", (double)waited * 1e-9);
}

static void write_all(FILE *file) {
    write_header(file);
    for (size_t i = 0; i < trace.glue->count; i++) {
        const struct traced *one = &trace.functions[i];
        if (one->calls > 0) {
            fprintf(file,
                    "{\"function\": \"%s\", \"calls\": %llu, \"bytes_sent\": %llu, \"bytes_received\": %llu, "
                    "\"time_s\": %.9f, \"time_min_s\": %.9f, \"time_max_s\": %.9f}\n",
                    one->import->name, (unsigned long long)one->calls, (unsigned long long)one->sent,
                    (unsigned long long)one->received, (double)one->time * 1e-9, (double)one->least * 1e-9,
                    (double)one->most * 1e-9);
        }
    }
    for (int i = 0; trace.peers != NULL && i < trace.size; i++) {
        if (trace.peers[i].messages > 0) {
            fprintf(file, "{\"to\": %d, \"messages\": %llu, \"bytes\": %llu}\n", i,
                    (unsigned long long)trace.peers[i].messages, (unsigned long long)trace.peers[i].bytes);
        }
    }
}

static void write_file(const char *how) {
    char path[PATH_MAX], temporary[PATH_MAX];
    pthread_mutex_lock(&trace.writing);
    trace.ended = how;
    int rank = trace.rank < 0 ? rank_in_job() : trace.rank;
    trace.rank = rank < 0 ? 0 : rank;
    int length = snprintf(path, sizeof path, "%s/rank-%d.jsonl", trace.folder, trace.rank);
    int other = snprintf(temporary, sizeof temporary, "%s/.rank-%d.%ld", trace.folder, trace.rank, (long)getpid());
    FILE *file = length < PATH_MAX && other < PATH_MAX ? fopen(temporary, "we") : NULL;
    bool written = false;
    if (file != NULL) {
        write_all(file);
        written = ferror(file) == 0;
        written = fclose(file) == 0 && written && rename(temporary, path) == 0;
    }
    if (!written) {
        fprintf(stderr, "argosy-launch: cannot write the trace of rank %d to %s: %s\n", trace.rank, trace.folder,
                strerror(errno));
    }
    pthread_mutex_unlock(&trace.writing);
}

void trace_end(const char *how) {
    if (trace.folder == NULL || trace.began == 0) {
        return;
    }
    bool finalized = trace.ended != NULL && strcmp(trace.ended, "finalized") == 0;
    bool peaceful = strcmp(how, "exited") == 0;
    if (trace.ended == NULL || (finalized && !peaceful)) {
        write_file(how);
    }
}

static void at_exit(void) {
    if (trace.ended == NULL) { /* the launcher's own ends have told already how; what is left is the MPI library's */
        trace_end("aborted");
    }
}

static void *take_signals(void *set) {
    int number = 0;
    if (sigwait(set, &number) == 0) {
        if (trace.began != 0 && trace.ended == NULL) {
            write_file("terminated");
        }
        signal(number, SIG_DFL);
        pthread_sigmask(SIG_UNBLOCK, set, NULL);
        kill(getpid(), number);
    }
    return NULL;
}

void trace_begin(const char *folder, const char *program, const struct mpi_glue *glue) {
    static sigset_t set;
    pthread_t thread;
    if (access(folder, W_OK | X_OK) != 0) {
        refuse(STATUS_CANNOT_RUN, "cannot write traces to %s: %s", folder, strerror(errno));
    }
    trace.program = program;
    trace.glue = glue;
    trace.library = glue->library(); /* asked now: later it might be another thread that asks */
    trace.functions = calloc(glue->count, sizeof *trace.functions);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    /* Blocked before MPI makes threads of its own, which inherit that. */
    if (trace.functions == NULL || atexit(at_exit) != 0 || pthread_sigmask(SIG_BLOCK, &set, NULL) != 0 ||
        pthread_create(&thread, NULL, take_signals, &set) != 0) {
        refuse(STATUS_CANNOT_RUN, "out of memory");
    }
    pthread_detach(thread);
    trace.folder = folder;
}

void *trace_import(const struct import *import, wasmtime_func_unchecked_callback_t call, void *data) {
    struct traced *one = &trace.functions[import - trace.glue->imports];
    *one = (struct traced){.import = import, .call = call, .data = data};
    one->begins = strcmp(import->name, "MPI_Init") == 0 || strcmp(import->name, "MPI_Init_thread") == 0;
    one->finalizes = strcmp(import->name, "MPI_Finalize") == 0;
    one->aborts = strcmp(import->name, "MPI_Abort") == 0;
    return one;
}

/* MPI is up: who this rank is. */
static void meet(void) {
    trace.rank = trace.glue->rank();
    int size = trace.rank >= 0 ? trace.glue->size() : 0;
    trace.peers = size > 0 && size <= MOST_PEERS ? calloc((size_t)size, sizeof *trace.peers) : NULL;
    trace.size = size;
}

wasm_trap_t *trace_call(void *data, wasmtime_caller_t *caller, wasmtime_val_raw_t *values, size_t count) {
    struct traced *one = data;
    struct traffic traffic = {0, 0, -1};
    trace.glue->traffic((size_t)(one->import - trace.glue->imports), values, &traffic);
    one->calls++;
    uint64_t before = now();
    if (trace.began == 0) {
        struct timespec time;
        clock_gettime(CLOCK_REALTIME, &time);
        trace.began_unix = (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
        trace.began = before;
    }
    if (trace.depth++ == 0) {
        trace.entered = before;
        trace.current = one;
    }
    if (one->aborts) {
        write_file("aborted");
    }
    wasm_trap_t *trap = one->call(one->data, caller, values, count);
    uint64_t after = now(), took = after - before;
    if (--trace.depth == 0) {
        trace.current = NULL;
        trace.in_mpi += took;
    }
    one->time += took;
    one->least = one->least == 0 || took < one->least ? took : one->least;
    one->most = took > one->most ? took : one->most;
    if (trap != NULL) {
        return trap;
    }
    if (values[0].i32 == 0) { /* MPI_SUCCESS; what was refused moved nothing */
        one->sent += traffic.sent;
        one->received += traffic.received;
        if (traffic.to >= 0 && trace.peers != NULL && traffic.to < trace.size) {
            trace.peers[traffic.to].messages++;
            trace.peers[traffic.to].bytes += traffic.sent;
        }
        if (one->begins) {
            meet();
        } else if (one->finalizes) {
            trace.finished = after;
            write_file("finalized");
        }
    }
    return NULL;
}
