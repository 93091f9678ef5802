/* Memory of a call, arrays and statuses between guest and node, renumbered constants. See mpi_core.h. */
#include "mpi_core.h"

/* --- memory ----------------------------------------------------------------------------------------------------- */

struct scratch_block {
    struct scratch_block *next;
    max_align_t bytes[];
};

void *scratch_take(struct scratch *scratch, uint64_t bytes) {
    if (bytes > (uint64_t)1 << 36) { /* far more than arrays that come from 4 GiB can need */
        return NULL;
    }
    struct scratch_block *block = malloc(sizeof *block + (bytes == 0 ? 1 : bytes));
    if (block == NULL) {
        return NULL;
    }
    block->next = scratch->first;
    scratch->first = block;
    return block->bytes;
}

void scratch_free(struct scratch *scratch) {
    while (scratch->first != NULL) {
        struct scratch_block *next = scratch->first->next;
        free(scratch->first);
        scratch->first = next;
    }
}

/* --- arrays ----------------------------------------------------------------------------------------------------- */

int *ints_in(struct scratch *scratch, uint32_t address, int64_t count) {
    if (!room(address, count, sizeof(int32_t))) {
        return NULL;
    }
    int *copy = scratch_take(scratch, (uint64_t)count * sizeof *copy);
    if (copy != NULL) {
        memcpy(copy, guest.base + address, (size_t)count * sizeof *copy);
    }
    return copy;
}

MPI_Aint *aints_in(struct scratch *scratch, uint32_t address, int64_t count) {
    if (!room(address, count, sizeof(int32_t))) {
        return NULL;
    }
    MPI_Aint *copy = scratch_take(scratch, (uint64_t)count * sizeof *copy);
    for (int64_t i = 0; copy != NULL && i < count; i++) {
        copy[i] = get32(address + (uint32_t)i * 4);
    }
    return copy;
}

MPI_Count *counts_in(struct scratch *scratch, uint32_t address, int64_t count) {
    if (!room(address, count, sizeof(int64_t))) {
        return NULL;
    }
    MPI_Count *copy = scratch_take(scratch, (uint64_t)count * sizeof *copy);
    for (int64_t i = 0; copy != NULL && i < count; i++) {
        copy[i] = get64(address + (uint32_t)i * 8);
    }
    return copy;
}

char *string_in(struct scratch *scratch, uint32_t address) {
    uint64_t length;
    const char *text = guest_string(address, UINT32_MAX, &length);
    if (text == NULL) {
        return NULL;
    }
    char *copy = scratch_take(scratch, length + 1);
    if (copy != NULL) {
        memcpy(copy, text, length + 1);
    }
    return copy;
}

void put_string(uint32_t address, uint64_t size, const char *text) {
    size_t length = strnlen(text, size - 1);
    memcpy(guest.base + address, text, length);
    guest.base[address + length] = 0;
}

/* --- statuses --------------------------------------------------------------------------------------------------- */

/* MPI_SOURCE, MPI_TAG and MPI_ERROR stand side by side in every library's status; the bytes before and after them are
 * the library's own and travel through the guest's reserved words. */
#define FIRST_PUBLIC offsetof(MPI_Status, MPI_SOURCE)
#define PAST_PUBLIC (FIRST_PUBLIC + 3 * sizeof(int32_t))
_Static_assert(offsetof(MPI_Status, MPI_TAG) == FIRST_PUBLIC + 4, "the status keeps its tag after its source");
_Static_assert(offsetof(MPI_Status, MPI_ERROR) == FIRST_PUBLIC + 8, "the status keeps its error after its tag");
_Static_assert(sizeof(MPI_Status) <= ABI_STATUS_BYTES, "the status fits into the guest's");

void status_in(uint32_t address, MPI_Status *status) {
    const uint8_t *from = guest.base + address;
    int32_t public[3];
    memcpy(public, from, sizeof public);
    memcpy(status, from + sizeof public, FIRST_PUBLIC);
    memcpy((char *)status + PAST_PUBLIC, from + sizeof public + FIRST_PUBLIC, sizeof *status - PAST_PUBLIC);
    status->MPI_SOURCE = public[0] == ABI_MPI_ANY_SOURCE  ? MPI_ANY_SOURCE
                         : public[0] == ABI_MPI_PROC_NULL ? MPI_PROC_NULL
                                                          : public[0];
    status->MPI_TAG = public[1] == ABI_MPI_ANY_TAG ? MPI_ANY_TAG : public[1];
    status->MPI_ERROR = error_in(public[2]);
}

void status_out(uint32_t address, const MPI_Status *status, bool with_error) {
    uint8_t *to = guest.base + address;
    int32_t public[3] = {rank_out(status->MPI_SOURCE), tag_out(status->MPI_TAG), 0};
    if (with_error) {
        public[2] = error_out(status->MPI_ERROR);
    }
    memcpy(to, public, with_error ? 12 : 8);
    memcpy(to + sizeof public, status, FIRST_PUBLIC);
    memcpy(to + sizeof public + FIRST_PUBLIC, (const char *)status + PAST_PUBLIC, sizeof *status - PAST_PUBLIC);
}

/* --- constants -------------------------------------------------------------------------------------------------- */

int32_t rank_out(int host) {
    if (__builtin_expect(host >= 0, 1)) {
        return host;
    }
    return host == MPI_PROC_NULL    ? ABI_MPI_PROC_NULL
           : host == MPI_ANY_SOURCE ? ABI_MPI_ANY_SOURCE
           : host == MPI_ROOT       ? ABI_MPI_ROOT
           : host == MPI_UNDEFINED  ? ABI_MPI_UNDEFINED
                                    : host;
}

bool constant_in(const struct constant *table, int32_t guest_value, int *host) {
    for (; table->guest != INT32_MIN; table++) {
        if (table->guest == guest_value) {
            *host = table->host;
            return true;
        }
    }
    return false;
}

int32_t constant_out(const struct constant *table, int host) {
    for (; table->guest != INT32_MIN; table++) {
        if (table->host == host) {
            return table->guest;
        }
    }
    return undefined_out(host);
}

bool mode_in(const struct constant *table, int32_t guest_value, int *host) {
    int32_t rest = guest_value;
    *host = 0;
    for (; table->guest != INT32_MIN; table++) {
        if ((guest_value & table->guest) != 0) {
            *host |= table->host;
            rest &= ~table->guest;
        }
    }
    return rest == 0;
}

int32_t mode_out(const struct constant *table, int host) {
    int32_t value = 0;
    for (; table->guest != INT32_MIN; table++) {
        if ((host & table->host) == table->host) {
            value |= table->guest;
        }
    }
    return value;
}
