/* Waiting: for times, and for files to become readable or writable. The guest's list is read once and its events are
 * gathered apart, since the two arrays that it names may overlap. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "wasi.h"

struct subscription {
    uint64_t user;
    uint8_t kind; /* 0: clock, 1: readable, 2: writable */
    uint32_t clock_or_file;
    uint64_t timeout;
    uint16_t flags;
};

enum { SUBSCRIPTION_SIZE = 48, EVENT_SIZE = 32, MOST_SUBSCRIPTIONS = 4096 };
enum { KIND_CLOCK = 0, KIND_READ = 1, KIND_WRITE = 2 };

static struct subscription get_subscription(const uint8_t *from) {
    struct subscription wanted;
    memcpy(&wanted.user, from, 8);
    wanted.kind = from[8];
    memcpy(&wanted.clock_or_file, from + 16, 4);
    memcpy(&wanted.timeout, from + 24, 8);
    memcpy(&wanted.flags, from + 40, 2);
    return wanted;
}

static void put_event(uint8_t *to, const struct subscription *of, wasi_error_t error, short seen) {
    uint16_t short_error = (uint16_t)error, hangup = (seen & POLLHUP) != 0;
    uint64_t bytes = seen != 0; /* at least; the kernel is not asked how many */
    memset(to, 0, EVENT_SIZE);
    memcpy(to, &of->user, 8);
    memcpy(to + 8, &short_error, 2);
    to[10] = of->kind;
    memcpy(to + 16, &bytes, 8);
    memcpy(to + 24, &hangup, 2);
}

/* Nanoseconds until the clock's time has come. */
static wasi_error_t time_left(const struct subscription *wanted, uint64_t *left) {
    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};
    struct timespec now;
    if (wanted->clock_or_file >= 2 || clock_gettime(clocks[wanted->clock_or_file], &now) != 0) {
        return WASI_INVAL;
    }
    uint64_t present = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    bool absolute = (wanted->flags & 1) != 0;
    *left = !absolute ? wanted->timeout : wanted->timeout > present ? wanted->timeout - present : 0;
    return WASI_SUCCESS;
}

/* One subscription as the host waits for it. */
struct waiting {
    struct subscription wanted;
    uint64_t left; /* of a clock: nanoseconds when the wait began */
};

/* Look at all subscriptions: what to poll and how long; errors are events at once. Gives the number of such events. */
static uint32_t prepare_poll(const uint8_t *from, uint8_t *to, uint32_t count, struct waiting *waiting,
                             struct pollfd *polls, uint64_t *shortest) {
    uint32_t events = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct subscription wanted = get_subscription(from + (size_t)i * SUBSCRIPTION_SIZE);
        wasi_error_t error = WASI_SUCCESS;
        waiting[i] = (struct waiting){wanted, UINT64_MAX};
        polls[i].fd = -1;
        if (wanted.kind == KIND_CLOCK) {
            error = time_left(&wanted, &waiting[i].left);
            *shortest = error == WASI_SUCCESS && waiting[i].left < *shortest ? waiting[i].left : *shortest;
        } else if (wanted.kind == KIND_READ || wanted.kind == KIND_WRITE) {
            const struct file *file = wasi_file(wanted.clock_or_file);
            error = file == NULL ? WASI_BADF : WASI_SUCCESS;
            polls[i].fd = file == NULL ? -1 : file->host;
            polls[i].events = wanted.kind == KIND_READ ? POLLIN : POLLOUT;
        } else {
            error = WASI_INVAL;
        }
        if (error != WASI_SUCCESS) {
            put_event(to + (size_t)events++ * EVENT_SIZE, &wanted, error, 0);
        }
    }
    return events;
}

static uint32_t report_poll(const struct waiting *waiting, uint8_t *to, uint32_t count, const struct pollfd *polls,
                            bool timed_out, uint64_t shortest) {
    uint32_t events = 0;
    for (uint32_t i = 0; i < count; i++) {
        bool clock = waiting[i].wanted.kind == KIND_CLOCK;
        if (clock ? timed_out && waiting[i].left <= shortest : polls[i].revents != 0) {
            put_event(to + (size_t)events++ * EVENT_SIZE, &waiting[i].wanted, WASI_SUCCESS, polls[i].revents);
        }
    }
    return events;
}

WASI_FUNCTION(poll_oneoff) {
    uint32_t count = wasi_number(&arguments[2]);
    if (count == 0 || count > MOST_SUBSCRIPTIONS) {
        return WASI_INVAL;
    }
    const uint8_t *from = guest_span(wasi_number(&arguments[0]), (uint64_t)count * SUBSCRIPTION_SIZE);
    uint8_t *to = guest_span(wasi_number(&arguments[1]), (uint64_t)count * EVENT_SIZE);
    struct pollfd *polls = calloc(count, sizeof *polls);
    struct waiting *waiting = calloc(count, sizeof *waiting);
    uint8_t *events = calloc(count, EVENT_SIZE); /* apart: the guest's two arrays may overlap */
    uint64_t shortest = UINT64_MAX;
    if (from == NULL || to == NULL || polls == NULL || waiting == NULL || events == NULL) {
        free(polls);
        free(waiting);
        free(events);
        return from == NULL || to == NULL ? WASI_FAULT : WASI_NOMEM;
    }
    uint32_t found = prepare_poll(from, events, count, waiting, polls, &shortest);
    while (found == 0) {
        struct timespec limit = {(time_t)(shortest / 1000000000u), (long)(shortest % 1000000000u)};
        int ready = ppoll(polls, count, shortest == UINT64_MAX ? NULL : &limit, NULL);
        if (ready < 0 && errno != EINTR) {
            break;
        }
        found = ready < 0 ? 0 : report_poll(waiting, events, count, polls, ready == 0, shortest);
    }
    wasi_error_t error = WASI_SUCCESS;
    if (found == 0) {
        error = wasi_error(errno);
    } else if (!guest_write(wasi_number(&arguments[3]), &found, sizeof found)) {
        error = WASI_FAULT;
    }
    memcpy(to, events, (size_t)found * EVENT_SIZE);
    free(polls);
    free(waiting);
    free(events);
    return error;
}
