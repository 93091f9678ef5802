#include "allowance.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "launch.h"

static char message[128];
static size_t message_length;
static struct timespec ends;
static bool has_end;

/* The guest may be in the middle of anything, MPI too: nothing is called but what signals may. */
static void end(int signal) {
    (void)signal;
    ssize_t ignored = write(STDERR_FILENO, message, message_length);
    (void)ignored;
    _exit(ALLOWANCE_TIME_STATUS);
}

void allowance_set(const struct options *options, struct wasmtime_store *store) {
    if (options->memory > 0) {
        wasmtime_store_limiter(store, options->memory, -1, -1, -1, -1);
    }
    if (options->seconds > 0) {
        struct sigaction action = {.sa_handler = end, .sa_flags = SA_ONSTACK};
        struct itimerval timer = {.it_value = {.tv_sec = options->seconds}};
        int length = snprintf(message, sizeof message, "argosy-launch: the %lld seconds that it was granted are over\n",
                              (long long)options->seconds);
        message_length = length > 0 ? (size_t)length : 0;
        clock_gettime(CLOCK_MONOTONIC, &ends);
        ends.tv_sec += options->seconds;
        has_end = true;
        sigaction(SIGALRM, &action, NULL);
        setitimer(ITIMER_REAL, &timer, NULL);
    }
}

int64_t allowance_seconds_left(void) {
    struct timespec now;
    if (!has_end) {
        return 0;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec < ends.tv_sec ? ends.tv_sec - now.tv_sec : 1;
}
