/* The part of wasmtime 50.0.1's C API that the launcher uses.
 *
 * The wasmtime wheel carries the library without its headers. Every layout and signature here is the one that
 * `_bindings.py` of that same wheel states; tests/launcher/test_wasmtime_header.py compares them, so a new wasmtime
 * cannot drift from this file unseen. Names, and who owns what, follow the C API's documentation
 * (https://docs.wasmtime.dev/c-api/): a returned `wasmtime_error_t *` or `wasm_trap_t *` belongs to the caller.
 */
#ifndef ARGOSY_WASMTIME_H
#define ARGOSY_WASMTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct wasm_config_t wasm_config_t;
typedef struct wasm_engine_t wasm_engine_t;
typedef struct wasm_trap_t wasm_trap_t;
typedef struct wasm_frame_t wasm_frame_t;
typedef struct wasm_valtype_t wasm_valtype_t;
typedef struct wasm_functype_t wasm_functype_t;
typedef struct wasm_externtype_t wasm_externtype_t;
typedef struct wasm_importtype_t wasm_importtype_t;
typedef struct wasm_memorytype_t wasm_memorytype_t;
typedef struct wasi_config_t wasi_config_t;
typedef struct wasmtime_error wasmtime_error_t;
typedef struct wasmtime_module wasmtime_module_t;
typedef struct wasmtime_store wasmtime_store_t;
typedef struct wasmtime_context wasmtime_context_t;
typedef struct wasmtime_caller wasmtime_caller_t;
typedef struct wasmtime_linker wasmtime_linker_t;

typedef struct wasm_byte_vec_t {
    size_t size;
    char *data;
} wasm_byte_vec_t;
typedef wasm_byte_vec_t wasm_name_t;
typedef wasm_byte_vec_t wasm_message_t;

typedef struct wasm_valtype_vec_t {
    size_t size;
    wasm_valtype_t **data;
} wasm_valtype_vec_t;

typedef struct wasm_frame_vec_t {
    size_t size;
    wasm_frame_t **data;
} wasm_frame_vec_t;

typedef struct wasm_importtype_vec_t {
    size_t size;
    wasm_importtype_t **data;
} wasm_importtype_vec_t;

typedef uint8_t wasm_valkind_t;
enum { WASM_I32 = 0, WASM_I64 = 1, WASM_F32 = 2, WASM_F64 = 3 };

typedef uint8_t wasm_externkind_t;
enum { WASM_EXTERN_FUNC = 0, WASM_EXTERN_GLOBAL = 1, WASM_EXTERN_TABLE = 2, WASM_EXTERN_MEMORY = 3 };

typedef uint8_t wasmtime_v128[16];

typedef struct wasmtime_func {
    uint64_t store_id;
    void *private_1;
} wasmtime_func_t;

typedef struct wasmtime_table {
    struct {
        uint64_t store_id;
        uint32_t private_1;
    };
    uint32_t private_2;
} wasmtime_table_t;

typedef struct wasmtime_memory {
    struct {
        uint64_t store_id;
        uint32_t private_1;
    };
    uint32_t private_2;
} wasmtime_memory_t;

typedef struct wasmtime_global {
    uint64_t store_id;
    uint32_t private_1;
    uint32_t private_2;
    uint32_t private_3;
} wasmtime_global_t;

typedef struct wasmtime_instance {
    uint64_t store_id;
    size_t private_1;
} wasmtime_instance_t;

typedef uint8_t wasmtime_extern_kind_t;
enum { WASMTIME_EXTERN_FUNC = 0, WASMTIME_EXTERN_GLOBAL = 1, WASMTIME_EXTERN_TABLE = 2, WASMTIME_EXTERN_MEMORY = 3 };

typedef struct wasmtime_extern {
    wasmtime_extern_kind_t kind;
    union {
        wasmtime_func_t func;
        wasmtime_global_t global;
        wasmtime_table_t table;
        wasmtime_memory_t memory;
        void *sharedmemory;
    } of;
} wasmtime_extern_t;

typedef struct wasmtime_anyref {
    uint64_t store_id;
    uint32_t private_1;
    uint32_t private_2;
    void *private_3;
} wasmtime_anyref_t;

typedef uint8_t wasmtime_valkind_t;
enum {
    WASMTIME_I32 = 0,
    WASMTIME_I64 = 1,
    WASMTIME_F32 = 2,
    WASMTIME_F64 = 3,
    WASMTIME_V128 = 4,
    WASMTIME_FUNCREF = 5,
    WASMTIME_EXTERNREF = 6
};

typedef struct wasmtime_val {
    wasmtime_valkind_t kind;
    union {
        int32_t i32;
        int64_t i64;
        float f32;
        double f64;
        wasmtime_anyref_t anyref; /* externref and exnref have this layout too */
        wasmtime_func_t funcref;  /* null when store_id is 0 */
        wasmtime_v128 v128;
    } of;
} wasmtime_val_t;

/* One parameter or result of an unchecked call: parameters are overwritten by results, both from index 0. */
typedef union wasmtime_val_raw {
    int32_t i32;
    int64_t i64;
    float f32;
    double f64;
    wasmtime_v128 v128;
    uint32_t anyref;
    uint32_t externref;
    uint32_t exnref;
    void *funcref;
} wasmtime_val_raw_t;

typedef wasm_trap_t *(*wasmtime_func_unchecked_callback_t)(void *data, wasmtime_caller_t *caller,
                                                           wasmtime_val_raw_t *values, size_t count);

void wasm_byte_vec_delete(wasm_byte_vec_t *bytes);

/* Memories that the embedder makes. `capacity` are the bytes that a memory can grow to where it lies; `maximum` is
 * SIZE_MAX where the module says none. */
typedef struct wasmtime_linear_memory {
    void *env;
    uint8_t *(*get_memory)(void *env, size_t *size, size_t *capacity);
    wasmtime_error_t *(*grow_memory)(void *env, size_t size);
    void (*finalizer)(void *env);
} wasmtime_linear_memory_t;

typedef struct wasmtime_memory_creator {
    void *env;
    wasmtime_error_t *(*new_memory)(void *env, const wasm_memorytype_t *type, size_t minimum, size_t maximum,
                                    size_t reserved, size_t guard, wasmtime_linear_memory_t *memory);
    void (*finalizer)(void *env);
} wasmtime_memory_creator_t;

/* Engine. wasm_engine_new_with_config takes the config over. */
wasm_config_t *wasm_config_new(void);
wasm_engine_t *wasm_engine_new_with_config(wasm_config_t *config);
void wasm_engine_delete(wasm_engine_t *engine);
void wasmtime_config_max_wasm_stack_set(wasm_config_t *config, size_t bytes);
void wasmtime_config_async_stack_size_set(wasm_config_t *config, size_t bytes);
void wasmtime_config_wasm_threads_set(wasm_config_t *config, bool on);
void wasmtime_config_wasm_relaxed_simd_set(wasm_config_t *config, bool on);
void wasmtime_config_wasm_relaxed_simd_deterministic_set(wasm_config_t *config, bool on);
void wasmtime_config_wasm_exceptions_set(wasm_config_t *config, bool on);
void wasmtime_config_wasm_component_model_set(wasm_config_t *config, bool on);
void wasmtime_config_concurrency_support_set(wasm_config_t *config, bool on);
void wasmtime_config_gc_support_set(wasm_config_t *config, bool on);
void wasmtime_config_wasm_function_references_set(wasm_config_t *config, bool on);
void wasmtime_config_wasm_gc_set(wasm_config_t *config, bool on);
void wasmtime_config_parallel_compilation_set(wasm_config_t *config, bool on);
void wasmtime_config_cranelift_nan_canonicalization_set(wasm_config_t *config, bool on);
void wasmtime_config_cranelift_opt_level_set(wasm_config_t *config, uint8_t level);
void wasmtime_config_cranelift_flag_set(wasm_config_t *config, const char *name, const char *value);
void wasmtime_config_memory_may_move_set(wasm_config_t *config, bool on);
void wasmtime_config_memory_reservation_set(wasm_config_t *config, uint64_t bytes);
void wasmtime_config_memory_guard_size_set(wasm_config_t *config, uint64_t bytes);
void wasmtime_config_memory_reservation_for_growth_set(wasm_config_t *config, uint64_t bytes);
void wasmtime_config_memory_init_cow_set(wasm_config_t *config, bool on);
void wasmtime_config_host_memory_creator_set(wasm_config_t *config, wasmtime_memory_creator_t *creator);
void wasmtime_config_native_unwind_info_set(wasm_config_t *config, bool on);
void wasmtime_config_signals_based_traps_set(wasm_config_t *config, bool on);

/* Types. What the *_module, *_name, *_type, *_params accessors return belongs to the object asked. */
wasm_externkind_t wasm_externtype_kind(const wasm_externtype_t *type);
const wasm_functype_t *wasm_externtype_as_functype_const(const wasm_externtype_t *type);
wasm_functype_t *wasm_functype_new(wasm_valtype_vec_t *parameters, wasm_valtype_vec_t *results);
void wasm_functype_delete(wasm_functype_t *type);
const wasm_valtype_vec_t *wasm_functype_params(const wasm_functype_t *type);
const wasm_valtype_vec_t *wasm_functype_results(const wasm_functype_t *type);
wasm_valtype_t *wasm_valtype_new(wasm_valkind_t kind);
wasm_valkind_t wasm_valtype_kind(const wasm_valtype_t *type);
void wasm_valtype_vec_new_uninitialized(wasm_valtype_vec_t *types, size_t size);
const wasm_name_t *wasm_importtype_module(const wasm_importtype_t *type);
const wasm_name_t *wasm_importtype_name(const wasm_importtype_t *type);
const wasm_externtype_t *wasm_importtype_type(const wasm_importtype_t *type);
void wasm_importtype_vec_delete(wasm_importtype_vec_t *types);

/* Modules. */
wasmtime_error_t *wasmtime_module_deserialize(wasm_engine_t *engine, const uint8_t *bytes, size_t size,
                                              wasmtime_module_t **module);
wasmtime_error_t *wasmtime_module_deserialize_file(wasm_engine_t *engine, const char *path, wasmtime_module_t **module);
void wasmtime_module_delete(wasmtime_module_t *module);
void wasmtime_module_imports(const wasmtime_module_t *module, wasm_importtype_vec_t *imports);

/* Stores and WASI. wasmtime_context_set_wasi takes the wasi config over. */
wasmtime_store_t *wasmtime_store_new(wasm_engine_t *engine, void *data, void (*finalizer)(void *));
void wasmtime_store_delete(wasmtime_store_t *store);
void wasmtime_store_limiter(wasmtime_store_t *store, int64_t memory_size, int64_t table_elements, int64_t instances,
                            int64_t tables, int64_t memories);
wasmtime_context_t *wasmtime_store_context(wasmtime_store_t *store);
wasmtime_context_t *wasmtime_caller_context(wasmtime_caller_t *caller);
wasmtime_error_t *wasmtime_context_set_wasi(wasmtime_context_t *context, wasi_config_t *wasi);
wasi_config_t *wasi_config_new(void);
void wasi_config_delete(wasi_config_t *config);
bool wasi_config_set_argv(wasi_config_t *config, size_t count, const char *const *arguments);
bool wasi_config_set_env(wasi_config_t *config, size_t count, const char *const *names, const char *const *values);
void wasi_config_inherit_stdin(wasi_config_t *config);
void wasi_config_inherit_stdout(wasi_config_t *config);
void wasi_config_inherit_stderr(wasi_config_t *config);
bool wasi_config_preopen_dir(wasi_config_t *config, const char *host_path, const char *guest_path, bool writable);

/* Linking and calling. */
wasmtime_linker_t *wasmtime_linker_new(wasm_engine_t *engine);
void wasmtime_linker_delete(wasmtime_linker_t *linker);
wasmtime_error_t *wasmtime_linker_define_wasi(wasmtime_linker_t *linker);
wasmtime_error_t *wasmtime_linker_define_func_unchecked(wasmtime_linker_t *linker, const char *module, size_t module_size,
                                                        const char *name, size_t name_size,
                                                        const wasm_functype_t *type,
                                                        wasmtime_func_unchecked_callback_t callback, void *data,
                                                        void (*finalizer)(void *));
bool wasmtime_linker_get(const wasmtime_linker_t *linker, wasmtime_context_t *context, const char *module,
                         size_t module_size, const char *name, size_t name_size, wasmtime_extern_t *item);
wasmtime_error_t *wasmtime_linker_instantiate(const wasmtime_linker_t *linker, wasmtime_context_t *context,
                                              const wasmtime_module_t *module, wasmtime_instance_t *instance,
                                              wasm_trap_t **trap);
bool wasmtime_instance_export_get(wasmtime_context_t *context, const wasmtime_instance_t *instance, const char *name,
                                  size_t name_size, wasmtime_extern_t *item);
void wasmtime_extern_delete(wasmtime_extern_t *item);
wasmtime_error_t *wasmtime_func_call_unchecked(wasmtime_context_t *context, const wasmtime_func_t *function,
                                               wasmtime_val_raw_t *values, size_t count, wasm_trap_t **trap);
wasm_functype_t *wasmtime_func_type(const wasmtime_context_t *context, const wasmtime_func_t *function);
uint8_t *wasmtime_memory_data(const wasmtime_context_t *context, const wasmtime_memory_t *memory);
size_t wasmtime_memory_data_size(const wasmtime_context_t *context, const wasmtime_memory_t *memory);
wasmtime_error_t *wasmtime_memory_grow(wasmtime_context_t *context, const wasmtime_memory_t *memory, uint64_t delta,
                                       uint64_t *previous);
bool wasmtime_table_get(wasmtime_context_t *context, const wasmtime_table_t *table, uint64_t index,
                        wasmtime_val_t *value);
void wasmtime_val_unroot(wasmtime_val_t *value);

/* Errors and traps. */
wasmtime_error_t *wasmtime_error_new(const char *message);
void wasmtime_error_delete(wasmtime_error_t *error);
void wasmtime_error_message(const wasmtime_error_t *error, wasm_name_t *message);
bool wasmtime_error_exit_status(const wasmtime_error_t *error, int *status);
void wasmtime_error_wasm_trace(const wasmtime_error_t *error, wasm_frame_vec_t *frames);
wasm_trap_t *wasmtime_trap_new(const char *message, size_t size);
void wasm_trap_delete(wasm_trap_t *trap);
void wasm_trap_message(const wasm_trap_t *trap, wasm_message_t *message);
void wasm_trap_trace(const wasm_trap_t *trap, wasm_frame_vec_t *frames);
void wasm_frame_vec_delete(wasm_frame_vec_t *frames);
uint32_t wasm_frame_func_index(const wasm_frame_t *frame);
size_t wasm_frame_module_offset(const wasm_frame_t *frame);
const wasm_name_t *wasmtime_frame_func_name(const wasm_frame_t *frame);
const wasm_name_t *wasmtime_frame_module_name(const wasm_frame_t *frame);

#endif
