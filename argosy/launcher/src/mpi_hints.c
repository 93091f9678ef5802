/* Hints. See mpi_hints.h. */
#include "mpi_hints.h"

bool hint_in(MPI_Info info, const char *key, char value[static MPI_MAX_INFO_VAL + 1]) {
    int found = 0;
    value[0] = '\0';
    return info != MPI_INFO_NULL && MPI_Info_get(info, key, MPI_MAX_INFO_VAL, value, &found) == MPI_SUCCESS && found;
}

void info_free_made(MPI_Info made, MPI_Info given) {
    if (made != given && made != MPI_INFO_NULL) {
        MPI_Info_free(&made);
    }
}

/* The info without those of the keys whose value MPI cannot bear. */
static MPI_Info without(MPI_Info info, const char *const keys[], size_t count,
                        bool (*bears)(const char *key, const char *value)) {
    MPI_Info kept = info;
    for (size_t i = 0; i < count; i++) {
        char value[MPI_MAX_INFO_VAL + 1];
        if (!hint_in(info, keys[i], value) || bears(keys[i], value)) {
            continue;
        }
        if (kept == info && MPI_Info_dup(info, &kept) != MPI_SUCCESS) {
            return MPI_INFO_NULL;
        }
        MPI_Info_delete(kept, keys[i]);
    }
    return kept;
}

/* ROMIO divides by some of its numbers, and takes what is none for 0. */
static bool is_count(const char *key, const char *value) {
    (void)key;
    size_t digits = strspn(value, "0123456789");
    return digits > 0 && digits < 10 && value[digits] == '\0' && strtol(value, NULL, 10) > 0;
}

MPI_Info file_hints(MPI_Info info) {
    static const char *const counts[] = {"cb_buffer_size",     "cb_nodes",      "ind_rd_buffer_size",
                                         "ind_wr_buffer_size", "striping_unit", "striping_factor"};
    return without(info, counts, sizeof counts / sizeof *counts, is_count);
}

/* For an "accumulate_ops" that it does not know Open MPI 4.1 takes memory that nobody wrote: none but these is passed on.
 * "same_size" does not hold where a window of MPI's begins earlier than the guest's. */
static bool holds_for_windows(const char *key, const char *value) {
    return strcmp(key, "accumulate_ops") == 0 &&
           (strcmp(value, "same_op") == 0 || strcmp(value, "same_op_no_op") == 0);
}

MPI_Info window_hints(MPI_Info info, bool earlier) {
    static const char *const keys[] = {"accumulate_ops", "same_size"};
    return without(info, keys, earlier ? 2 : 1, holds_for_windows);
}

MPI_Info split_info(int split_type, MPI_Info info) {
    static const char *const keys[] = {"mpi_hw_resource_type", "mpi_pset_name"};
    MPI_Info made = MPI_INFO_NULL;
    if (split_type == MPI_COMM_TYPE_SHARED || info == MPI_INFO_NULL) {
        return info;
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char value[MPI_MAX_INFO_VAL + 1];
        if (hint_in(info, keys[i], value) && (made != MPI_INFO_NULL || MPI_Info_create(&made) == MPI_SUCCESS)) {
            MPI_Info_set(made, keys[i], value);
        }
    }
    return made;
}
