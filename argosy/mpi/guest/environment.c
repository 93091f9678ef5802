/* What the guest knows of itself: its ABI, its arguments, its Fortran.
 *
 * The version is what mpi.h promises: an application that calls what the node's MPI lacks is not started, so all that it
 * can call is there. MPI_Get_library_version tells which library it is. Fortran is what f2c makes of it, whose types and
 * truth values cannot be set. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma weak MPI_Get_version = PMPI_Get_version
int PMPI_Get_version(int *version, int *subversion) {
    *version = MPI_VERSION;
    *subversion = MPI_SUBVERSION;
    return MPI_SUCCESS;
}

#pragma weak MPI_Abi_get_version = PMPI_Abi_get_version
int PMPI_Abi_get_version(int *abi_major, int *abi_minor) {
    *abi_major = MPI_ABI_VERSION;
    *abi_minor = MPI_ABI_SUBVERSION;
    return MPI_SUCCESS;
}

/* Tell the error handler, where MPI has one already. */
static int raise_error(int class) {
    int initialized = 0, finalized = 0;
    PMPI_Initialized(&initialized);
    PMPI_Finalized(&finalized);
    if (initialized && !finalized) {
        PMPI_Comm_call_errhandler(MPI_COMM_SELF, class);
    }
    return class;
}

struct pair {
    const char *key, *value;
};

static int info_of(const struct pair *pairs, size_t count, MPI_Info *info) {
    int code = PMPI_Info_create(info);
    for (size_t i = 0; code == MPI_SUCCESS && i < count; i++) {
        code = PMPI_Info_set(*info, pairs[i].key, pairs[i].value);
    }
    return code;
}
#define COUNT(array) (sizeof(array) / sizeof *(array))

#pragma weak MPI_Abi_get_info = PMPI_Abi_get_info
int PMPI_Abi_get_info(MPI_Info *info) {
    static const struct pair sizes[] = {{"mpi_aint_size", "4"}, {"mpi_count_size", "8"}, {"mpi_offset_size", "8"}};
    _Static_assert(sizeof(MPI_Aint) == 4 && sizeof(MPI_Count) == 8 && sizeof(MPI_Offset) == 8, "as stated");
    return info_of(sizes, COUNT(sizes), info);
}

#pragma weak MPI_Abi_get_fortran_info = PMPI_Abi_get_fortran_info
int PMPI_Abi_get_fortran_info(MPI_Info *info) {
    static const struct pair types[] = {
        {"mpi_logical_size", "4"},
        {"mpi_integer_size", "4"},
        {"mpi_real_size", "4"},
        {"mpi_double_precision_size", "8"},
        {"mpi_logical1_supported", "true"},
        {"mpi_logical2_supported", "true"},
        {"mpi_logical4_supported", "true"},
        {"mpi_logical8_supported", "true"},
        {"mpi_logical16_supported", "false"},
        {"mpi_integer1_supported", "true"},
        {"mpi_integer2_supported", "true"},
        {"mpi_integer4_supported", "true"},
        {"mpi_integer8_supported", "true"},
        {"mpi_integer16_supported", "false"},
        {"mpi_real2_supported", "false"},
        {"mpi_real4_supported", "true"},
        {"mpi_real8_supported", "true"},
        {"mpi_real16_supported", "false"},
        {"mpi_complex4_supported", "false"},
        {"mpi_complex8_supported", "true"},
        {"mpi_complex16_supported", "true"},
        {"mpi_complex32_supported", "false"},
        {"mpi_double_complex_supported", "true"},
    };
    return info_of(types, COUNT(types), info);
}

#pragma weak MPI_Abi_set_fortran_info = PMPI_Abi_set_fortran_info
int PMPI_Abi_set_fortran_info(MPI_Info info) {
    (void)info;
    return raise_error(MPI_ERR_ABI);
}

#pragma weak MPI_Abi_get_fortran_booleans = PMPI_Abi_get_fortran_booleans
int PMPI_Abi_get_fortran_booleans(int logical_size, void *logical_true, void *logical_false, int *is_set) {
    if (logical_size <= 0 || (logical_size & (logical_size - 1)) != 0) {
        return raise_error(MPI_ERR_ARG);
    }
    *is_set = logical_size <= 8;
    if (*is_set) {
        static const long long yes = 1, no = 0; /* little endian: the low bytes come first */
        memcpy(logical_true, &yes, (size_t)logical_size);
        memcpy(logical_false, &no, (size_t)logical_size);
    }
    return MPI_SUCCESS;
}

#pragma weak MPI_Abi_set_fortran_booleans = PMPI_Abi_set_fortran_booleans
int PMPI_Abi_set_fortran_booleans(int logical_size, void *logical_true, void *logical_false) {
    (void)logical_size, (void)logical_true, (void)logical_false;
    return raise_error(MPI_ERR_ABI);
}

/* The program's name and its arguments, with blanks between, as far as an info's value goes. */
#pragma weak MPI_Info_create_env = PMPI_Info_create_env
int PMPI_Info_create_env(int argc, char *argv[], MPI_Info *info) {
    int code = PMPI_Info_create(info);
    if (code == MPI_SUCCESS && argc > 0 && argv != NULL && argv[0] != NULL && argv[0][0] != 0) {
        code = PMPI_Info_set(*info, "command", argv[0]);
    }
    char *text = code == MPI_SUCCESS && argv != NULL ? calloc(MPI_MAX_INFO_VAL, 1) : NULL;
    for (int i = 1; text != NULL && i < argc && argv[i] != NULL; i++) {
        size_t used = strlen(text);
        snprintf(text + used, MPI_MAX_INFO_VAL - used, "%s%s", used > 0 ? " " : "", argv[i]);
    }
    if (text != NULL && text[0] != 0) {
        code = PMPI_Info_set(*info, "argv", text);
    }
    free(text);
    return code;
}
