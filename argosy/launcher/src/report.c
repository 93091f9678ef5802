/* Ends of a run. Invariants: a message reaches stderr by one write, so those of several ranks do not mix; after a trap
 * no MPI call is made but the abort, and that only when whoever reads our output has read it, since a process manager
 * that is told of an abort drops what it has not read; whatever the abort does, the process is gone a few seconds later
 * (an alarm with its default action stands behind it), so that no job hangs on a rank that failed. */
#include "report.h"

#include "trace.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ABORT_SECONDS = 5, MOST_FRAMES = 60, DRAIN_STEPS = 100, DRAIN_STEP_NS = 10000000 };

static const struct mpi_glue *glue;
static bool spawned;

void report_set_glue(const struct mpi_glue *given, bool is_spawned) {
    glue = given;
    spawned = is_spawned;
}

/* A text that grows; what does not fit into memory is cut. */
struct text {
    FILE *stream;
    char *bytes;
    size_t size;
};

static void text_send(struct text *text) {
    fputc('\n', text->stream);
    fclose(text->stream);
    fflush(NULL);
    for (size_t done = 0; done < text->size;) {
        ssize_t wrote = write(STDERR_FILENO, text->bytes + done, text->size - done);
        if (wrote <= 0) {
            break;
        }
        done += (size_t)wrote;
    }
    free(text->bytes);
}

int rank_in_job(void) {
    int rank = glue != NULL ? glue->rank() : -1;
    static const char *const names[] = {"PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID"};
    for (size_t i = 0; rank < 0 && i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && *value >= '0' && *value <= '9') {
            rank = atoi(value);
        }
    }
    return rank;
}

static void text_open(struct text *text) {
    *text = (struct text){0};
    text->stream = open_memstream(&text->bytes, &text->size);
    if (text->stream == NULL) {
        _exit(ARGOSY_TRAP_STATUS);
    }
    fputs("argosy-launch: ", text->stream);
    int rank = rank_in_job();
    if (rank >= 0) {
        fprintf(text->stream, "%srank %d: ", spawned ? "spawned " : "", rank);
    }
}

_Noreturn void leave(int status) {
    if (glue != NULL && glue->finish != NULL) {
        glue->finish();
    }
    trace_end("exited");
    exit(status);
}

_Noreturn void refuse(int status, const char *format, ...) {
    struct text text;
    va_list arguments;
    text_open(&text);
    va_start(arguments, format);
    vfprintf(text.stream, format, arguments);
    va_end(arguments);
    text_send(&text);
    _exit(status);
}

_Noreturn void refuse_error(const char *what, wasmtime_error_t *error) {
    wasm_name_t message;
    wasmtime_error_message(error, &message);
    refuse(STATUS_CANNOT_RUN, "%s: %.*s", what, (int)message.size, message.data);
}

/* Has the other end of this pipe or socket read all that was written? True of anything else. */
static bool is_read(int descriptor) {
    struct stat status;
    int unread = 0;
    if (fstat(descriptor, &status) != 0) {
        return true;
    }
    if (S_ISFIFO(status.st_mode)) {
        return ioctl(descriptor, FIONREAD, &unread) != 0 || unread == 0;
    }
    return !S_ISSOCK(status.st_mode) || ioctl(descriptor, SIOCOUTQ, &unread) != 0 || unread == 0;
}

/* Wait, a second at most, until the process manager has our output, and a moment more for it to pass that on. */
static void drain_output(void) {
    const struct timespec step = {.tv_nsec = DRAIN_STEP_NS};
    for (int i = 0; i < DRAIN_STEPS && !(is_read(STDOUT_FILENO) && is_read(STDERR_FILENO)); i++) {
        nanosleep(&step, NULL);
    }
    for (int i = 0; i < 5; i++) {
        nanosleep(&step, NULL);
    }
}

static _Noreturn void end_job(void) {
    signal(SIGALRM, SIG_DFL);
    alarm(ABORT_SECONDS);
    trace_end("trapped");
    if (glue != NULL && glue->rank() >= 0) {
        drain_output();
        glue->abort(ARGOSY_TRAP_STATUS);
    }
    _exit(ARGOSY_TRAP_STATUS);
}

static void write_frames(FILE *stream, const wasm_frame_vec_t *frames) {
    for (size_t i = 0; i < frames->size && i < MOST_FRAMES; i++) {
        const wasm_frame_t *frame = frames->data[i];
        const wasm_name_t *name = wasmtime_frame_func_name(frame);
        if (name != NULL) {
            fprintf(stream, "\n  %2zu: %.*s", i, (int)name->size, name->data);
        } else {
            fprintf(stream, "\n  %2zu: function %u", i, wasm_frame_func_index(frame));
        }
        if (wasm_frame_module_offset(frame) != SIZE_MAX) {
            fprintf(stream, " (at 0x%zx)", wasm_frame_module_offset(frame));
        }
    }
    if (frames->size > MOST_FRAMES) {
        fprintf(stream, "\n  … and %zu more", frames->size - MOST_FRAMES);
    }
}

/* Past all of `characters` between text and end. */
static const char *skip(const char *text, const char *end, const char *characters) {
    while (text < end && strchr(characters, *text) != NULL) {
        text++;
    }
    return text;
}

/* wasmtime's text is: its own backtrace, then the causes, numbered one to a line when they are several. Keep the
 * causes, on one line. */
static void write_cause(FILE *stream, const wasm_name_t *message) {
    static const char mark[] = "\n\nCaused by:\n";
    size_t size = message->size;
    while (size > 0 && (message->data[size - 1] == '\n' || message->data[size - 1] == '\0')) {
        size--;
    }
    const char *start = message->data;
    const char *found = size > 0 ? memmem(start, size, mark, sizeof mark - 1) : NULL;
    if (found != NULL) {
        size -= (size_t)(found + sizeof mark - 1 - start);
        start = found + sizeof mark - 1;
    }
    const char *end = start + size;
    for (const char *line = start; line < end;) {
        const char *next = memchr(line, '\n', (size_t)(end - line));
        next = next == NULL ? end : next;
        const char *text = skip(line, next, " ");
        const char *number_end = skip(text, next, "0123456789");
        if (number_end > text && number_end < next && *number_end == ':') {
            text = skip(number_end + 1, next, " ");
        }
        if (text < next) {
            fprintf(stream, "%s%.*s", line == start ? "" : ": ", (int)(next - text), text);
        }
        line = next + 1;
    }
}

static _Noreturn void report_failure(wasmtime_error_t *error, wasm_trap_t *trap, const char *what) {
    struct text text;
    wasm_name_t message;
    wasm_frame_vec_t frames;
    text_open(&text);
    if (what != NULL) {
        fprintf(text.stream, "in %s: ", what);
    }
    if (error != NULL) {
        wasmtime_error_message(error, &message);
        wasmtime_error_wasm_trace(error, &frames);
    } else {
        wasm_trap_message(trap, &message);
        wasm_trap_trace(trap, &frames);
    }
    write_cause(text.stream, &message);
    write_frames(text.stream, &frames);
    text_send(&text);
    end_job();
}

void report_outcome(wasmtime_error_t *error, wasm_trap_t *trap, const char *what) {
    int status = 0;
    if (error == NULL && trap == NULL) {
        return;
    }
    if (error != NULL && wasmtime_error_exit_status(error, &status)) {
        leave(status);
    }
    report_failure(error, trap, what);
}

_Noreturn void guest_fail(const char *format, ...) {
    struct text text;
    va_list arguments;
    text_open(&text);
    va_start(arguments, format);
    vfprintf(text.stream, format, arguments);
    va_end(arguments);
    text_send(&text);
    end_job();
}
