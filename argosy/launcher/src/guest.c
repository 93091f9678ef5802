/* The guest's memory and functions. `guest` is written by guest_attach alone, but for known_size, which only grows;
 * guest_depth by guest_call_function alone. */
#include "guest.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "launch.h"
#include "report.h"

struct guest guest;
uint32_t guest_depth;

bool guest_attach(wasmtime_context_t *context, const wasmtime_instance_t *instance) {
    static const char memory[] = "memory", table[] = "__indirect_function_table";
    wasmtime_extern_t item;
    guest.context = context;
    if (wasmtime_instance_export_get(context, instance, table, sizeof table - 1, &item)) {
        guest.has_table = item.kind == WASMTIME_EXTERN_TABLE;
        guest.table = item.of.table;
        wasmtime_extern_delete(&item);
    }
    if (!wasmtime_instance_export_get(context, instance, memory, sizeof memory - 1, &item)) {
        return false;
    }
    bool has_memory = item.kind == WASMTIME_EXTERN_MEMORY;
    if (has_memory) {
        guest.memory = item.of.memory;
        guest.base = wasmtime_memory_data(context, &guest.memory);
        guest.known_size = guest_size();
        /* Huge pages, where the kernel gives them only to who asks: large arrays miss the TLB far less. It is advice:
         * a kernel that refuses it costs speed alone. */
        (void)madvise(guest.base, room_reach(), MADV_HUGEPAGE);
    }
    wasmtime_extern_delete(&item);
    return has_memory;
}

uint64_t guest_size(void) {
    if (guest.base == NULL) { /* a start function runs before the memory is known */
        return 0;
    }
    guest.known_size = wasmtime_memory_data_size(guest.context, &guest.memory);
    return guest.known_size;
}

const char *guest_string(uint32_t address, uint64_t limit, uint64_t *length) {
    uint64_t size = guest_size();
    if (address >= size) {
        return NULL;
    }
    uint64_t most = size - address < limit ? size - address : limit;
    const char *text = (const char *)guest.base + address;
    const char *end = memchr(text, '\0', most);
    if (end == NULL) {
        return NULL;
    }
    if (length != NULL) {
        *length = (uint64_t)(end - text);
    }
    return text;
}

bool guest_read(uint32_t address, void *to, uint64_t bytes) {
    const void *from = guest_span(address, bytes);
    if (from != NULL && bytes > 0) {
        memcpy(to, from, bytes);
    }
    return from != NULL;
}

bool guest_write(uint32_t address, const void *from, uint64_t bytes) {
    void *to = guest_span(address, bytes);
    if (to != NULL && bytes > 0) {
        memcpy(to, from, bytes);
    }
    return to != NULL;
}

bool signature_matches(const char *signature, const wasm_functype_t *type) {
    static const char letters[] = {[WASM_I32] = 'i', [WASM_I64] = 'I', [WASM_F32] = 'f', [WASM_F64] = 'F'};
    const wasm_valtype_vec_t *sides[] = {wasm_functype_params(type), wasm_functype_results(type)};
    for (size_t side = 0; side < 2; side++) {
        for (size_t i = 0; i < sides[side]->size; i++) {
            wasm_valkind_t kind = wasm_valtype_kind(sides[side]->data[i]);
            if (kind >= sizeof letters || *signature != letters[kind]) {
                return false;
            }
            signature++;
        }
        if (side == 0 && *signature++ != ':') {
            return false;
        }
    }
    return *signature == '\0';
}

/* Functions whose signature was found right. A function's type never changes and the function lives as long as the
 * store, so its address may stand for it; a signature is known by the address of its text, which is a literal. */
static struct {
    void *function;
    const char *signature;
} known[64];

bool guest_function(uint32_t index, const char *signature, wasmtime_func_t *function) {
    wasmtime_val_t value;
    if (!guest.has_table || !wasmtime_table_get(guest.context, &guest.table, index, &value)) {
        return false;
    }
    if (value.kind != WASMTIME_FUNCREF || value.of.funcref.store_id == 0) {
        wasmtime_val_unroot(&value);
        return false;
    }
    *function = value.of.funcref;
    size_t slot = ((uintptr_t)function->private_1 >> 4 ^ (uintptr_t)signature) % (sizeof known / sizeof *known);
    if (known[slot].function == function->private_1 && known[slot].signature == signature) {
        return true;
    }
    wasm_functype_t *type = wasmtime_func_type(guest.context, function);
    bool right = signature_matches(signature, type);
    wasm_functype_delete(type);
    if (right) {
        known[slot].function = function->private_1;
        known[slot].signature = signature;
    }
    return right;
}

bool guest_callable(uint32_t index, const char *signature) {
    wasmtime_func_t function;
    return guest_function(index, signature, &function);
}

void guest_call_function(const wasmtime_func_t *function, wasmtime_val_raw_t *values, size_t count, const char *what) {
    wasm_trap_t *trap = NULL;
    guest_depth++;
    wasmtime_error_t *error = wasmtime_func_call_unchecked(guest.context, function, values, count, &trap);
    if (__builtin_expect(error != NULL || trap != NULL, 0)) {
        report_outcome(error, trap, what);
    }
    guest_depth--;
}

void guest_call(uint32_t index, const char *signature, wasmtime_val_raw_t *values, size_t count, const char *what) {
    wasmtime_func_t function;
    if (!guest_function(index, signature, &function)) {
        guest_fail("%s: element %u of the function table is not a function of type %s", what, index, signature);
    }
    guest_call_function(&function, values, count, what);
}

wasm_trap_t *guest_trap(const char *format, ...) {
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    size_t size = length < 0 ? 0 : (size_t)length < sizeof message ? (size_t)length : sizeof message - 1;
    return wasmtime_trap_new(message, size);
}
