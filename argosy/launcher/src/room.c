/* The memory of a guest whose code checks its bounds: reserved once, where it stays, as large as the node has addresses
 * for. The guard behind it is for what wasmtime's code does not compare: offsets within an object. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "launch.h"

struct room {
    uint8_t *base;
    size_t size, capacity;
};

static const size_t reach = (size_t)1 << 32; /* of 32 bits */
static size_t granted;                       /* bytes that each memory may have; 0: all that it says */
static size_t reserved;                      /* capacity of the memory that was made last */

/* The addresses that this process may still map, less what its libraries and their messages want: a quarter of them,
 * and a quarter of a GiB at least. */
static size_t addresses_left(void) {
    enum { FOR_LIBRARIES = 256 << 20 };
    struct rlimit limit;
    size_t pages = 0;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
        return reach;
    }
    FILE *file = fopen("/proc/self/statm", "re");
    if (file != NULL) {
        if (fscanf(file, "%zu", &pages) != 1) {
            pages = 0;
        }
        fclose(file);
    }
    size_t used = pages * (size_t)sysconf(_SC_PAGESIZE);
    size_t left = limit.rlim_cur > used ? (size_t)limit.rlim_cur - used : 0;
    size_t libraries = left / 4 > FOR_LIBRARIES ? left / 4 : FOR_LIBRARIES;
    return left > libraries ? left - libraries : 0;
}

static size_t whole_pages(size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (size + page - 1) / page * page;
}

static wasmtime_error_t *too_little(size_t wanted) {
    char text[160];
    snprintf(text, sizeof text, "its memory wants %zu MiB of addresses, and this process has fewer left (ulimit -v)",
             (wanted + (1 << 20) - 1) >> 20);
    return wasmtime_error_new(text);
}

static uint8_t *room_get(void *env, size_t *size, size_t *capacity) {
    const struct room *room = env;
    *size = room->size;
    *capacity = room->capacity;
    return room->base;
}

static wasmtime_error_t *room_grow(void *env, size_t size) {
    struct room *room = env;
    if (size > room->capacity ||
        mprotect(room->base + room->size, whole_pages(size) - room->size, PROT_READ | PROT_WRITE) != 0) {
        return too_little(size);
    }
    room->size = size;
    return NULL;
}

static wasmtime_error_t *room_make(void *env, const wasm_memorytype_t *type, size_t minimum, size_t maximum,
                                   size_t unused, size_t guard, wasmtime_linear_memory_t *memory) {
    (void)env, (void)type, (void)unused;
    size_t most = maximum < reach ? maximum : reach;
    size_t bound = granted > 0 ? granted : addresses_left();
    most = bound < most ? bound : most;
    size_t capacity = whole_pages(most > minimum ? most : minimum);
    struct room *room = calloc(1, sizeof *room);
    if (room == NULL) {
        return too_little(minimum);
    }
    for (;;) {
        void *base = mmap(NULL, capacity + guard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (base != MAP_FAILED) {
            room->base = base;
            break;
        }
        if (capacity / 2 < minimum) {
            free(room);
            return too_little(minimum);
        }
        capacity = whole_pages(capacity / 2);
    }
    room->capacity = reserved = capacity;
    *memory = (wasmtime_linear_memory_t){.env = room, .get_memory = room_get, .grow_memory = room_grow};
    return room_grow(room, minimum);
}

void room_set(wasm_config_t *config, int64_t memory) {
    wasmtime_memory_creator_t creator = {.new_memory = room_make};
    granted = memory > 0 ? (size_t)memory : 0;
    wasmtime_config_host_memory_creator_set(config, &creator);
}

size_t room_reach(void) {
    return reserved > 0 ? reserved : reach;
}
