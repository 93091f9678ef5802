/* The table of WASI's functions, and those that are about the guest itself: arguments, variables, clocks, random bytes,
 * its end. */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "report.h"
#include "wasi.h"

static const struct options *granted;

void wasi_set_guest(const struct options *options) {
    granted = options;
}

static wasi_error_t put_sizes(size_t count, size_t size, const wasi_values_t *to) {
    uint32_t numbers[2] = {(uint32_t)count, (uint32_t)size};
    return guest_write(wasi_number(&to[0]), &numbers[0], 4) && guest_write(wasi_number(&to[1]), &numbers[1], 4)
               ? WASI_SUCCESS
               : WASI_FAULT;
}

/* Put `text` at *bytes and its address at pointers[index]; moves *bytes on. */
static bool put_text(uint32_t pointers, size_t index, uint32_t *bytes, const char *text, size_t size) {
    if (!guest_write(*bytes, text, size) || !guest_write(pointers + (uint32_t)(4 * index), bytes, 4)) {
        return false;
    }
    *bytes += (uint32_t)size;
    return true;
}

static wasi_error_t args_sizes_get(const wasi_values_t *arguments) {
    size_t size = 0;
    for (size_t i = 0; i < granted->argument_count; i++) {
        size += strlen(granted->arguments[i]) + 1;
    }
    return put_sizes(granted->argument_count, size, arguments);
}

static wasi_error_t args_get(const wasi_values_t *arguments) {
    uint32_t bytes = wasi_number(&arguments[1]);
    for (size_t i = 0; i < granted->argument_count; i++) {
        const char *text = granted->arguments[i];
        if (!put_text(wasi_number(&arguments[0]), i, &bytes, text, strlen(text) + 1)) {
            return WASI_FAULT;
        }
    }
    return WASI_SUCCESS;
}

static wasi_error_t environ_sizes_get(const wasi_values_t *arguments) {
    size_t size = 0;
    for (size_t i = 0; i < granted->variable_count; i++) {
        size += strlen(granted->variables[i].name) + strlen(granted->variables[i].value) + 2;
    }
    return put_sizes(granted->variable_count, size, arguments);
}

static wasi_error_t environ_get(const wasi_values_t *arguments) {
    uint32_t bytes = wasi_number(&arguments[1]);
    for (size_t i = 0; i < granted->variable_count; i++) {
        const struct variable *variable = &granted->variables[i];
        size_t name = strlen(variable->name), value = strlen(variable->value) + 1;
        uint32_t equals = bytes + (uint32_t)name;
        if (!guest_write(equals, "=", 1) || !guest_write(equals + 1, variable->value, value) ||
            !put_text(wasi_number(&arguments[0]), i, &bytes, variable->name, name)) {
            return WASI_FAULT;
        }
        bytes = equals + 1 + (uint32_t)value;
    }
    return WASI_SUCCESS;
}

static bool find_clock(uint32_t guest_clock, clockid_t *clock) {
    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID,
                                       CLOCK_THREAD_CPUTIME_ID};
    if (guest_clock >= sizeof clocks / sizeof *clocks) {
        return false;
    }
    *clock = clocks[guest_clock];
    return true;
}

static wasi_error_t put_time(uint32_t address, const struct timespec *time) {
    uint64_t nanoseconds = (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_nsec;
    return guest_write(address, &nanoseconds, sizeof nanoseconds) ? WASI_SUCCESS : WASI_FAULT;
}

static wasi_error_t clock_res_get(const wasi_values_t *arguments) {
    clockid_t clock;
    struct timespec time;
    if (!find_clock(wasi_number(&arguments[0]), &clock) || clock_getres(clock, &time) != 0) {
        return WASI_INVAL;
    }
    return put_time(wasi_number(&arguments[1]), &time);
}

static wasi_error_t clock_time_get(const wasi_values_t *arguments) {
    clockid_t clock;
    struct timespec time;
    if (!find_clock(wasi_number(&arguments[0]), &clock) || clock_gettime(clock, &time) != 0) {
        return WASI_INVAL;
    }
    return put_time(wasi_number(&arguments[2]), &time);
}

static wasi_error_t random_get(const wasi_values_t *arguments) {
    uint32_t size = wasi_number(&arguments[1]);
    uint8_t *bytes = guest_span(wasi_number(&arguments[0]), size);
    if (bytes == NULL) {
        return WASI_FAULT;
    }
    for (uint32_t done = 0; done < size;) {
        ssize_t got = getrandom(bytes + done, size - done, 0);
        if (got < 0 && errno != EINTR) {
            return wasi_error(errno);
        }
        done += got > 0 ? (uint32_t)got : 0;
    }
    return WASI_SUCCESS;
}

static wasi_error_t proc_exit(const wasi_values_t *arguments) {
    leave(arguments[0].i32);
}

static wasi_error_t sched_yield_(const wasi_values_t *arguments) {
    (void)arguments;
    return sched_yield() == 0 ? WASI_SUCCESS : wasi_error(errno);
}

static wasi_error_t not_here(const wasi_values_t *arguments) {
    (void)arguments;
    return WASI_NOSYS;
}

/* No descriptor is a socket: the network is not granted. */
static wasi_error_t no_socket(const wasi_values_t *arguments) {
    return wasi_file(wasi_number(&arguments[0])) == NULL ? WASI_BADF : WASI_NOTSOCK;
}

/* Sorted by name. */
const struct wasi_call wasi_calls[] = {
    {"args_get", "ii:i", args_get},
    {"args_sizes_get", "ii:i", args_sizes_get},
    {"clock_res_get", "ii:i", clock_res_get},
    {"clock_time_get", "iIi:i", clock_time_get},
    {"environ_get", "ii:i", environ_get},
    {"environ_sizes_get", "ii:i", environ_sizes_get},
    {"fd_advise", "iIIi:i", wasi_fd_advise},
    {"fd_allocate", "iII:i", wasi_fd_allocate},
    {"fd_close", "i:i", wasi_fd_close},
    {"fd_datasync", "i:i", wasi_fd_datasync},
    {"fd_fdstat_get", "ii:i", wasi_fd_fdstat_get},
    {"fd_fdstat_set_flags", "ii:i", wasi_fd_fdstat_set_flags},
    {"fd_fdstat_set_rights", "iII:i", wasi_fd_fdstat_set_rights},
    {"fd_filestat_get", "ii:i", wasi_fd_filestat_get},
    {"fd_filestat_set_size", "iI:i", wasi_fd_filestat_set_size},
    {"fd_filestat_set_times", "iIIi:i", wasi_fd_filestat_set_times},
    {"fd_pread", "iiiIi:i", wasi_fd_pread},
    {"fd_prestat_dir_name", "iii:i", wasi_fd_prestat_dir_name},
    {"fd_prestat_get", "ii:i", wasi_fd_prestat_get},
    {"fd_pwrite", "iiiIi:i", wasi_fd_pwrite},
    {"fd_read", "iiii:i", wasi_fd_read},
    {"fd_readdir", "iiiIi:i", wasi_fd_readdir},
    {"fd_renumber", "ii:i", wasi_fd_renumber},
    {"fd_seek", "iIii:i", wasi_fd_seek},
    {"fd_sync", "i:i", wasi_fd_sync},
    {"fd_tell", "ii:i", wasi_fd_tell},
    {"fd_write", "iiii:i", wasi_fd_write},
    {"path_create_directory", "iii:i", wasi_path_create_directory},
    {"path_filestat_get", "iiiii:i", wasi_path_filestat_get},
    {"path_filestat_set_times", "iiiiIIi:i", wasi_path_filestat_set_times},
    {"path_link", "iiiiiii:i", wasi_path_link},
    {"path_open", "iiiiiIIii:i", wasi_path_open},
    {"path_readlink", "iiiiii:i", wasi_path_readlink},
    {"path_remove_directory", "iii:i", wasi_path_remove_directory},
    {"path_rename", "iiiiii:i", wasi_path_rename},
    {"path_symlink", "iiiii:i", wasi_path_symlink},
    {"path_unlink_file", "iii:i", wasi_path_unlink_file},
    {"poll_oneoff", "iiii:i", wasi_poll_oneoff},
    {"proc_exit", "i:", proc_exit},
    {"proc_raise", "i:i", not_here},
    {"random_get", "ii:i", random_get},
    {"sched_yield", ":i", sched_yield_},
    {"sock_accept", "iii:i", no_socket},
    {"sock_recv", "iiiiii:i", no_socket},
    {"sock_send", "iiiii:i", no_socket},
    {"sock_shutdown", "ii:i", no_socket},
};
const size_t wasi_call_count = sizeof wasi_calls / sizeof *wasi_calls;

static wasm_trap_t *call(void *data, wasmtime_caller_t *caller, wasmtime_val_raw_t *values, size_t count) {
    (void)caller, (void)count;
    values[0].i32 = ((const struct wasi_call *)data)->function(values);
    return NULL;
}

wasmtime_error_t *wasi_define_call(wasmtime_linker_t *linker, const struct wasi_call *wasi_call,
                                   const wasm_functype_t *type) {
    return wasmtime_linker_define_func_unchecked(linker, WASI_MODULE, sizeof WASI_MODULE - 1, wasi_call->name,
                                                 strlen(wasi_call->name), type, call, (void *)(uintptr_t)wasi_call,
                                                 NULL);
}

wasi_error_t wasi_error(int host_errno) {
    static const struct {
        int host;
        wasi_error_t guest;
    } numbers[] = {
        {0, 0},           {E2BIG, 1},        {EACCES, 2},       {EAGAIN, 6},     {EBADF, 8},      {EBUSY, 10},
        {EDQUOT, 19},     {EEXIST, 20},      {EFAULT, 21},      {EFBIG, 22},     {EILSEQ, 25},    {EINTR, 27},
        {EINVAL, 28},     {EIO, 29},         {EISDIR, 31},      {ELOOP, 32},     {EMFILE, 33},    {EMLINK, 34},
        {ENAMETOOLONG, 37}, {ENFILE, 41},    {ENOBUFS, 42},     {ENODEV, 43},    {ENOENT, 44},    {ENOLCK, 46},
        {ENOMEM, 48},     {ENOSPC, 51},      {ENOSYS, 52},      {ENOTDIR, 54},   {ENOTEMPTY, 55}, {ENOTSUP, 58},
        {ENOTTY, 59},     {ENXIO, 60},       {EOVERFLOW, 61},   {EPERM, 63},     {EPIPE, 64},     {EROFS, 69},
        {ESPIPE, 70},     {ESTALE, 72},      {ETIMEDOUT, 73},   {ETXTBSY, 74},   {EXDEV, 75},     {ERANGE, 68},
        {EDEADLK, 16},    {ECONNRESET, 15},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (numbers[i].host == host_errno) {
            return numbers[i].guest;
        }
    }
    return WASI_IO;
}
