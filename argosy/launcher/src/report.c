/* Ends of a run. Invariants: a message reaches stderr by one write, so those of several ranks do not mix; after a trap
 * no MPI call is made but the abort; whatever that abort does, the process is gone a few seconds later (an alarm with
 * its default action stands behind it), so that no job hangs on a rank that failed. */
#include "report.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ABORT_SECONDS = 5, MOST_FRAMES = 60 };

static const struct mpi_glue *glue;

void report_set_glue(const struct mpi_glue *given) {
    glue = given;
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

/* The rank in the job: from MPI while it is up, else from what the process manager told this process; -1: no job. */
static int rank_in_job(void) {
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
        fprintf(text->stream, "rank %d: ", rank);
    }
}

_Noreturn void leave(int status) {
    if (glue != NULL && glue->finish != NULL) {
        glue->finish();
    }
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

static _Noreturn void end_job(void) {
    signal(SIGALRM, SIG_DFL);
    alarm(ABORT_SECONDS);
    if (glue != NULL && glue->rank() >= 0) {
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
        fprintf(stream, " (at 0x%zx)", wasm_frame_module_offset(frame));
    }
    if (frames->size > MOST_FRAMES) {
        fprintf(stream, "\n  … and %zu more", frames->size - MOST_FRAMES);
    }
}

/* wasmtime's text is: its own backtrace first, then the causes. Keep the last cause, which names the trap. */
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
    while (size > 0 && *start == ' ') {
        start++;
        size--;
    }
    fprintf(stream, "%.*s", (int)size, start);
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
