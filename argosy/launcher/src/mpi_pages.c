/* Pages of guest memory that windows own.
 *
 * Invariants.
 * - Such a page was added by the launcher at the end of the guest's memory, and no allocator of the guest ever gave it
 *   out: allocators leave pages alone that they did not ask for. So what is done to it can surprise no other data.
 * - It belongs to one window or to `free_runs`, which is sorted, without neighbours that touch, and outside the guest's
 *   reach. It never leaves the guest's memory, so each address of it can always be read and written.
 * - A free page is private and, when it is taken, zero. It costs the node no memory.
 * - A wasm page is 64 KiB and the memory begins at a page of the system, which is never larger, on Arm either.
 */
#include <sys/mman.h>

#include "mpi_pages.h"

#define PAGE ((uint64_t)65536)
#define MOST_PAGES ((uint64_t)65536)

struct run {
    uint64_t first, count;
};
static struct run *free_runs;
static size_t run_count, run_capacity;

uint64_t pages_bytes(uint64_t bytes) {
    return bytes == 0 ? PAGE : (bytes + PAGE - 1) / PAGE * PAGE;
}

static void remove_run(size_t at) {
    run_count--;
    memmove(free_runs + at, free_runs + at + 1, (run_count - at) * sizeof *free_runs);
}

/* Add `count` pages to the memory; false when there is no room. The first of them is where the memory ended. */
static bool grow(uint64_t count) {
    uint64_t before;
    wasmtime_error_t *error = wasmtime_memory_grow(guest.context, &guest.memory, count, &before);
    if (error != NULL) {
        wasmtime_error_delete(error);
    }
    return error == NULL;
}

bool pages_take(uint64_t bytes, uint32_t *address) {
    uint64_t count = bytes / PAGE, end = guest_size() / PAGE;
    if (count > MOST_PAGES) {
        return false;
    }
    size_t best = run_count;
    for (size_t i = 0; i < run_count; i++) {
        if (free_runs[i].count >= count && (best == run_count || free_runs[i].count < free_runs[best].count)) {
            best = i;
        }
    }
    if (best < run_count) {
        *address = (uint32_t)(free_runs[best].first * PAGE);
        free_runs[best].first += count;
        free_runs[best].count -= count;
        if (free_runs[best].count == 0) {
            remove_run(best);
        }
        return true;
    }
    struct run *last = run_count == 0 ? NULL : &free_runs[run_count - 1];
    bool longer = last != NULL && last->first + last->count == end; /* what is free at the end need only be longer */
    if (!grow(longer ? count - last->count : count)) {
        return false;
    }
    *address = (uint32_t)((longer ? last->first : end) * PAGE);
    if (longer) {
        run_count--;
    }
    return true;
}

/* Replace the pages by private ones of zeros. */
static bool clear(uint32_t address, uint64_t bytes) {
    void *place = guest.base + address;
    bool done = mmap(place, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == place;
    (void)madvise(place, bytes, MADV_HUGEPAGE); /* as all of the guest's memory is advised */
    return done;
}

void pages_give(uint32_t address, uint64_t bytes) {
    if (run_count == run_capacity) {
        size_t capacity = run_capacity == 0 ? 16 : run_capacity * 2;
        struct run *runs = realloc(free_runs, capacity * sizeof *runs);
        if (runs == NULL) {
            return; /* the pages are lost to windows; nothing else */
        }
        free_runs = runs;
        run_capacity = capacity;
    }
    if (!clear(address, bytes)) {
        return; /* perhaps still shared, so they must not be given to another window */
    }
    uint64_t first = address / PAGE, count = bytes / PAGE;
    size_t at = 0;
    while (at < run_count && free_runs[at].first < first) {
        at++;
    }
    memmove(free_runs + at + 1, free_runs + at, (run_count - at) * sizeof *free_runs);
    free_runs[at] = (struct run){first, count};
    run_count++;
    if (at + 1 < run_count && first + count == free_runs[at + 1].first) {
        free_runs[at].count += free_runs[at + 1].count;
        remove_run(at + 1);
    }
    if (at > 0 && free_runs[at - 1].first + free_runs[at - 1].count == first) {
        free_runs[at - 1].count += free_runs[at].count;
        remove_run(at);
    }
}

bool pages_share(uint32_t address, uint64_t bytes, int file) {
    void *place = guest.base + address;
    return mmap(place, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) == place;
}
