/* Error codes between guest and node, and how an import refuses.
 *
 * Invariants.
 * - The guest sees the ABI's classes as codes (a class is a code of itself), and for every other code or class of the
 *   node's library a number above MPI_ERR_LASTCODE that stands for exactly that one; the same one for as long as the
 *   process lives. When there are more than MOST of them, the class alone.
 */
#include "mpi_errors.h"

#include "mpi_handles.h"

enum { MOST = 4096 };
static int code_host[MOST];
static int32_t code_count;

static int32_t class_out(int host_class) {
    for (int32_t i = 0; i < ERROR_CLASSES; i++) {
        if (error_class_host[i] == host_class) {
            return i;
        }
    }
    for (const struct constant *tool = constants_tool_errors; tool->guest != INT32_MIN; tool++) {
        if (tool->host == host_class) {
            return tool->guest;
        }
    }
    return -1;
}

/* The number that stands for a code or class without one in the ABI; -1 when there are too many. */
static int32_t number_of(int host_code) {
    for (int32_t i = 0; i < code_count; i++) {
        if (code_host[i] == host_code) {
            return ABI_MPI_ERR_LASTCODE + 1 + i;
        }
    }
    if (code_count == MOST) {
        return -1;
    }
    code_host[code_count] = host_code;
    return ABI_MPI_ERR_LASTCODE + 1 + code_count++;
}

/* The node's code that a handler of the guest's has changed, and to what. The node's library never learns: what has
 * failed there has failed. */
static int changed = MPI_SUCCESS;
static int32_t changed_to;

void error_changed(int host_code, int32_t guest_code) {
    changed = host_code;
    changed_to = guest_code;
}

/* What a function returns whose error was this: as the guest's handler left it, else `guest_code`. */
static int32_t left_for(int host_code, int32_t guest_code) {
    bool was_changed = changed != MPI_SUCCESS && changed == host_code;
    changed = MPI_SUCCESS;
    return was_changed ? changed_to : guest_code;
}

static int32_t number_out(int host_code) {
    int32_t number = class_out(host_code);
    if (number < 0) {
        number = number_of(host_code);
    }
    if (number < 0) {
        int host_class = host_code;
        MPI_Error_class(host_code, &host_class);
        number = class_out(host_class);
    }
    return number < 0 ? ABI_MPI_ERR_OTHER : number;
}

int32_t error_out_slowly(int host_code) {
    return left_for(host_code, number_out(host_code));
}

/* A class is its own, also where a library does not know that of the tool interface's. */
int32_t error_class_of(int32_t guest_code, int host_class) {
    int tool;
    return constant_in(constants_tool_errors, guest_code, &tool) ? guest_code : error_out(host_class);
}

int error_in(int32_t guest_code) {
    if (guest_code >= 0 && guest_code < ERROR_CLASSES) {
        return error_class_host[guest_code];
    }
    int tool;
    if (constant_in(constants_tool_errors, guest_code, &tool)) {
        return tool;
    }
    int64_t i = (int64_t)guest_code - ABI_MPI_ERR_LASTCODE - 1;
    return i >= 0 && i < code_count ? code_host[i] : MPI_ERR_UNKNOWN;
}

bool error_is_class(int32_t guest_code) {
#ifdef OPEN_MPI /* it looks itself, and says of a class that was added that it is of MPI_ERR_UNKNOWN */
    (void)guest_code;
    return true;
#else
    int code = error_in(guest_code), class = code;
    return MPI_Error_class(code, &class) == MPI_SUCCESS && class == code;
#endif
}

int32_t error_last_used(void) {
    return ABI_MPI_ERR_LASTCODE + code_count;
}

/* What stopped the application deserves words; MPI's own say only the class. */
static void explain(MPI_Errhandler handler, const char *function, const char *argument, int32_t abi_class) {
    if (handler != MPI_ERRORS_ARE_FATAL && handler != MPI_ERRORS_ABORT) {
        return;
    }
    int length, rank = mpi_rank();
    char text[MPI_MAX_ERROR_STRING + 1] = "";
    MPI_Error_string(error_in(abi_class), text, &length);
    fprintf(stderr, "argosy: rank %d: %s: the argument `%s` is refused: %s\n", rank, function, argument, text);
    fflush(stderr);
}

_Noreturn void refuse_fatally(const char *function, const char *argument, int32_t abi_class) {
    explain(MPI_ERRORS_ARE_FATAL, function, argument, abi_class);
    mpi_abort(abi_class);
    _exit(abi_class);
}

_Noreturn void fail_fatally(const char *function, const char *on_what, int host_code) {
    int length, class = MPI_ERR_OTHER;
    char text[MPI_MAX_ERROR_STRING + 1] = "";
    MPI_Error_string(host_code, text, &length);
    fprintf(stderr, "argosy: rank %d: %s: `%s`: %s\n", mpi_rank(), function, on_what, text);
    fflush(stderr);
    MPI_Error_class(host_code, &class);
    mpi_abort(error_out(class));
    _exit(EXIT_FAILURE);
}

int32_t refuse(MPI_Comm handler_of, const char *function, const char *argument, int32_t abi_class) {
    if (mpi_phase == PHASE_OUTSIDE) {
        explain(MPI_ERRORS_ARE_FATAL, function, argument, abi_class);
        return abi_class;
    }
    if (handler_of == MPI_COMM_WORLD && !mpi_world) { /* of no object: the initial error handler's, which is this */
        refuse_fatally(function, argument, abi_class);
    }
    MPI_Errhandler handler;
    if (MPI_Comm_get_errhandler(handler_of, &handler) == MPI_SUCCESS) {
        explain(handler, function, argument, abi_class);
        if (handler == MPI_ERRORS_RETURN) {
            return abi_class;
        }
        if (handler != MPI_ERRORS_ARE_FATAL) {
            MPI_Errhandler_free(&handler);
        }
    }
    MPI_Comm_call_errhandler(handler_of, error_in(abi_class));
    return left_for(error_in(abi_class), abi_class);
}

#if HAVE_MPI_Win_call_errhandler
int32_t refuse_win(MPI_Win handler_of, const char *function, const char *argument, int32_t abi_class) {
    MPI_Errhandler handler;
    if (MPI_Win_get_errhandler(handler_of, &handler) == MPI_SUCCESS) {
        explain(handler, function, argument, abi_class);
        if (handler == MPI_ERRORS_RETURN) {
            return abi_class;
        }
        if (handler != MPI_ERRORS_ARE_FATAL) {
            MPI_Errhandler_free(&handler);
        }
    }
    MPI_Win_call_errhandler(handler_of, error_in(abi_class));
    return left_for(error_in(abi_class), abi_class);
}
#endif

#if HAVE_MPI_File_call_errhandler
int32_t refuse_file(MPI_File handler_of, const char *function, const char *argument, int32_t abi_class) {
    MPI_Errhandler handler;
    if (MPI_File_get_errhandler(handler_of, &handler) == MPI_SUCCESS) {
        explain(handler, function, argument, abi_class);
        if (handler == MPI_ERRORS_RETURN) { /* as by default; Open MPI calls no handler of MPI_FILE_NULL */
            return abi_class;
        }
        if (handler != MPI_ERRORS_ARE_FATAL) {
            MPI_Errhandler_free(&handler);
        }
    }
    MPI_File_call_errhandler(handler_of, error_in(abi_class));
    return left_for(error_in(abi_class), abi_class);
}
#endif

#if HAVE_MPI_Session_call_errhandler
int32_t refuse_session(MPI_Session handler_of, const char *function, const char *argument, int32_t abi_class) {
    MPI_Errhandler handler;
    if (MPI_Session_get_errhandler(handler_of, &handler) == MPI_SUCCESS) {
        explain(handler, function, argument, abi_class);
        if (handler == MPI_ERRORS_RETURN) {
            return abi_class;
        }
        if (handler != MPI_ERRORS_ARE_FATAL) {
            MPI_Errhandler_free(&handler);
        }
    }
    MPI_Session_call_errhandler(handler_of, error_in(abi_class));
    return left_for(error_in(abi_class), abi_class);
}
#endif
