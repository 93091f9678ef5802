/* The engines that precompiled code may need. Their settings are those of precompilation (engine_settings.h, written by
 * the build from argosy/site/engine.py): under others the code does not load. */
#include <sys/resource.h>

#include "engine_settings.h"
#include "launch.h"

/* How much of this thread's stack wasm may use: three quarters, so that host functions called from the deepest guest
 * frame still have room. */
static size_t wasm_stack(void) {
    enum { LEAST = 512 << 10, MOST = 48 << 20 };
    struct rlimit limit;
    if (getrlimit(RLIMIT_STACK, &limit) != 0) {
        return LEAST;
    }
    rlim_t most = limit.rlim_cur / 4 * 3;
    return most < LEAST ? (size_t)most : most > MOST ? MOST : (size_t)most;
}

bool engine_has_addresses(void) {
    struct rlimit limit;
    return getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= GUARD_ADDRESSES;
}

wasm_engine_t *engine_make(bool checked, int64_t memory) {
    wasm_config_t *config = wasm_config_new();
    engine_settings(config, checked);
    size_t stack = wasm_stack();
    wasmtime_config_max_wasm_stack_set(config, stack);
    wasmtime_config_async_stack_size_set(config, stack + (1 << 20)); /* wasmtime wants it larger; it is not used */
    wasmtime_config_parallel_compilation_set(config, false);         /* nothing is compiled here: no thread pool */
    if (checked) {
        room_set(config, memory);
    }
    return wasm_engine_new_with_config(config);
}
