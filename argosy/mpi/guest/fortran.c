/* Fortran 77's MPI, as C that f2c has written calls it: a subroutine is a function that returns int, everything is passed
 * by reference, and the lengths of CHARACTER arguments follow all other arguments. f2c gives names that contain an
 * underscore two more at their end; the form with one is there too. What the kinds of the parameters express is
 * generated (fortran.py) and included below.
 *
 * Invariants.
 * - INTEGER, LOGICAL and INTEGER(KIND=MPI_ADDRESS_KIND) have 32 bits, as int and addresses have on wasm32, so arrays of
 *   them and of handles are C's own. The kinds of offsets and counts have 64. LOGICAL is 0 or 1.
 * - A constant that Fortran passes by reference and C by value (MPI_IN_PLACE) is known by its address in a COMMON block.
 * - A user's subroutine is called through a function of the signature that C's MPI calls: wasm checks signatures.
 * - An attribute that Fortran sets is an integer in C's pointer; C reads that integer, not the address of one.
 */
#include <limits.h>
#include <mpi.h>
#include <stdlib.h>
#include <string.h>

#include "fortran_have.inc"

/* mpif.h's COMMON blocks. Each file that includes it defines them weakly, as does this library (fortran_common.c). */
extern struct {
    int bottom, in_place, buffer_automatic, status_ignore[8], statuses_ignore[8], errcodes_ignore, unweighted;
    int weights_empty;
} mpipriv1_;
extern struct {
    char argvs_null, argv_null;
} mpiprivc_;

typedef int subroutine();

#define STRING(...) #__VA_ARGS__
/* `type pname(parameters)` under its four names; mpi_x gives way to a profiler's own. */
#define FORTRAN(type, name, ...)                                                                                       \
    type p##name##__(__VA_ARGS__);                                                                                     \
    type p##name##_(__VA_ARGS__) __attribute__((alias(STRING(p##name##__))));                                          \
    type name##__(__VA_ARGS__) __attribute__((weak, alias(STRING(p##name##__))));                                      \
    type name##_(__VA_ARGS__) __attribute__((weak, alias(STRING(p##name##__))));                                       \
    type p##name##__(__VA_ARGS__)

static inline void *buffer_in(void *buffer) {
    return buffer == &mpipriv1_.bottom             ? MPI_BOTTOM
           : buffer == &mpipriv1_.in_place         ? MPI_IN_PLACE
           : buffer == &mpipriv1_.buffer_automatic ? MPI_BUFFER_AUTOMATIC
                                                   : buffer;
}

static inline MPI_Status *status_in(void *status) {
    return status == mpipriv1_.status_ignore || status == mpipriv1_.statuses_ignore ? MPI_STATUS_IGNORE : status;
}

static inline int *weights_in(void *weights) {
    return weights == &mpipriv1_.unweighted      ? MPI_UNWEIGHTED
           : weights == &mpipriv1_.weights_empty ? MPI_WEIGHTS_EMPTY
                                                 : weights;
}

static inline int *codes_in(void *codes) {
    return codes == &mpipriv1_.errcodes_ignore ? MPI_ERRCODES_IGNORE : codes;
}

/* A CHARACTER value as a C string, without the blanks at its end, and where asked, at its beginning; NULL without memory.
 * The caller frees it. */
static char *string_in(const char *text, int length, int leading) {
    while (length > 0 && text[length - 1] == ' ') {
        length--;
    }
    while (leading && length > 0 && *text == ' ') {
        text++, length--;
    }
    char *copy = malloc((size_t)length + 1);
    if (copy != NULL) {
        memcpy(copy, text, (size_t)length);
        copy[length] = '\0';
    }
    return copy;
}

/* A C string into a CHARACTER variable: cut, or filled with blanks. */
static void string_out(char *text, int length, const char *value) {
    size_t most = length > 0 ? (size_t)length : 0, size = strnlen(value, most);
    memcpy(text, value, size);
    memset(text + size, ' ', most - size);
}

static int failed(int code) {
    PMPI_Comm_call_errhandler(MPI_COMM_WORLD, code);
    return code;
}

/* C's indices begin with 0, Fortran's with 1; MPI_UNDEFINED stays. */
static inline int index_out(int index) {
    return index >= 0 ? index + 1 : index;
}

#include "fortran_calls.inc"

/* --- beginning, time, addresses ---------------------------------------------------------------------------------- */

FORTRAN(int, mpi_init, int *ierror) {
    *ierror = PMPI_Init(NULL, NULL);
    return 0;
}

FORTRAN(int, mpi_init_thread, int *required, int *provided, int *ierror) {
    *ierror = PMPI_Init_thread(NULL, NULL, *required, provided);
    return 0;
}

FORTRAN(int, mpi_pcontrol, int *level) {
    (void)PMPI_Pcontrol(*level);
    return 0;
}

FORTRAN(int, mpi_f_sync_reg, void *buf) {
    (void)buf;
    return 0;
}

FORTRAN(double, mpi_wtime, void) {
    return PMPI_Wtime();
}

FORTRAN(double, mpi_wtick, void) {
    return PMPI_Wtick();
}

FORTRAN(MPI_Aint, mpi_aint_add, MPI_Aint *base, MPI_Aint *disp) {
    return PMPI_Aint_add(*base, *disp);
}

FORTRAN(MPI_Aint, mpi_aint_diff, MPI_Aint *addr1, MPI_Aint *addr2) {
    return PMPI_Aint_diff(*addr1, *addr2);
}

/* The address of a buffer means nothing to Fortran 77, and the argument may be of any type: nothing is written there. */
FORTRAN(int, mpi_buffer_detach, void *buffer_addr, int *size, int *ierror) {
    void *address;
    (void)buffer_addr;
    *ierror = PMPI_Buffer_detach(&address, size);
    return 0;
}

#ifdef HAVE_MPI_Comm_detach_buffer
FORTRAN(int, mpi_comm_detach_buffer, MPI_Comm *comm, void *buffer_addr, int *size, int *ierror) {
    void *address;
    (void)buffer_addr;
    *ierror = PMPI_Comm_detach_buffer(*comm, &address, size);
    return 0;
}
#endif

#ifdef HAVE_MPI_Session_detach_buffer
FORTRAN(int, mpi_session_detach_buffer, MPI_Session *session, void *buffer_addr, int *size, int *ierror) {
    void *address;
    (void)buffer_addr;
    *ierror = PMPI_Session_detach_buffer(*session, &address, size);
    return 0;
}
#endif

/* --- indices ----------------------------------------------------------------------------------------------------- */

FORTRAN(int, mpi_waitany, int *count, MPI_Request *requests, int *index, void *status, int *ierror) {
    int found = INT_MIN;
    *ierror = PMPI_Waitany(*count, requests, &found, status_in(status));
    *index = found == INT_MIN ? *index : index_out(found);
    return 0;
}

FORTRAN(int, mpi_testany, int *count, MPI_Request *requests, int *index, int *flag, void *status, int *ierror) {
    int found = INT_MIN;
    *ierror = PMPI_Testany(*count, requests, &found, flag, status_in(status));
    *index = found == INT_MIN ? *index : index_out(found);
    return 0;
}

#define SOME(name, function)                                                                                           \
    FORTRAN(int, name, int *incount, MPI_Request *requests, int *outcount, int *indices, void *statuses,               \
            int *ierror) {                                                                                             \
        int found = INT_MIN;                                                                                           \
        *ierror = function(*incount, requests, &found, indices, status_in(statuses));                                  \
        for (int i = 0; i < found; i++) {                                                                              \
            indices[i] = index_out(indices[i]);                                                                        \
        }                                                                                                              \
        *outcount = found == INT_MIN ? *outcount : found;                                                              \
        return 0;                                                                                                      \
    }
SOME(mpi_waitsome, PMPI_Waitsome)
SOME(mpi_testsome, PMPI_Testsome)
#ifdef HAVE_MPI_Request_get_status_some
SOME(mpi_request_get_status_some, PMPI_Request_get_status_some)
#endif

#ifdef HAVE_MPI_Request_get_status_any
FORTRAN(int, mpi_request_get_status_any, int *count, MPI_Request *requests, int *index, int *flag, void *status,
        int *ierror) {
    int found = INT_MIN;
    *ierror = PMPI_Request_get_status_any(*count, requests, &found, flag, status_in(status));
    *index = found == INT_MIN ? *index : index_out(found);
    return 0;
}
#endif

/* --- strings whose room is an argument --------------------------------------------------------------------------- */

FORTRAN(int, mpi_info_get, MPI_Info *info, char *key, int *valuelen, char *value, int *flag, int *ierror, int key_length,
        int value_length) {
    int room = *valuelen < value_length ? *valuelen : value_length;
    char *name = string_in(key, key_length, 1), *text = malloc((size_t)(room > 0 ? room : 0) + 1);
    if (name == NULL || text == NULL) {
        *ierror = failed(MPI_ERR_NO_MEM);
    } else {
        *ierror = PMPI_Info_get(*info, name, room, text, flag);
        if (*ierror == MPI_SUCCESS && *flag) {
            string_out(value, value_length, text);
        }
    }
    free(name);
    free(text);
    return 0;
}

/* C counts the string's end, Fortran has none. */
#ifdef HAVE_MPI_Info_get_string
FORTRAN(int, mpi_info_get_string, MPI_Info *info, char *key, int *buflen, char *value, int *flag, int *ierror,
        int key_length, int value_length) {
    int room = *buflen < value_length ? *buflen : value_length, size = room > 0 ? room + 1 : 0;
    char *name = string_in(key, key_length, 1), *text = malloc((size_t)size + 1);
    if (name == NULL || text == NULL) {
        *ierror = failed(MPI_ERR_NO_MEM);
    } else {
        *ierror = PMPI_Info_get_string(*info, name, &size, text, flag);
        if (*ierror == MPI_SUCCESS && *flag) {
            *buflen = size - 1;
            if (room > 0) {
                string_out(value, value_length, text);
            }
        }
    }
    free(name);
    free(text);
    return 0;
}
#endif

#ifdef HAVE_MPI_Session_get_nth_pset
FORTRAN(int, mpi_session_get_nth_pset, MPI_Session *session, MPI_Info *info, int *n, int *pset_len, char *pset_name,
        int *ierror, int name_length) {
    int room = *pset_len < name_length ? *pset_len : name_length, size = room > 0 ? room + 1 : 0;
    char *text = malloc((size_t)size + 1);
    if (text == NULL) {
        *ierror = failed(MPI_ERR_NO_MEM);
        return 0;
    }
    *ierror = PMPI_Session_get_nth_pset(*session, *info, *n, &size, text);
    if (*ierror == MPI_SUCCESS) {
        *pset_len = size - 1;
        if (room > 0) {
            string_out(pset_name, name_length, text);
        }
    }
    free(text);
    return 0;
}
#endif

/* --- users' subroutines ------------------------------------------------------------------------------------------ */

/* Operations and error handlers get no word of the user's with each call, so each subroutine has a function of its own;
 * one that is named again has it already. They are never given back: an operation may be in use after it is freed. */
#define SLOTS(X)                                                                                                       \
    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17) X(18) X(19)      \
    X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31) X(32) X(33) X(34) X(35) X(36) X(37) X(38)  \
    X(39) X(40) X(41) X(42) X(43) X(44) X(45) X(46) X(47) X(48) X(49) X(50) X(51) X(52) X(53) X(54) X(55) X(56) X(57)  \
    X(58) X(59) X(60) X(61) X(62) X(63)
enum { SLOT_COUNT = 64 };
typedef int operation_subroutine(void *invec, void *inoutvec, int *len, int *datatype);
typedef int handler_subroutine(void *handle, int *code);
static operation_subroutine *operations[SLOT_COUNT];
static handler_subroutine *handlers[SLOT_COUNT];

#define OPERATION(n)                                                                                                   \
    static void operation_##n(void *invec, void *inoutvec, int *len, MPI_Datatype *datatype) {                         \
        operations[n](invec, inoutvec, len, (int *)datatype);                                                          \
    }
#define HANDLER(n)                                                                                                     \
    static void handler_##n(MPI_Comm *comm, int *code, ...) {                                                          \
        handlers[n](comm, code);                                                                                       \
    }
SLOTS(OPERATION)
SLOTS(HANDLER)
#define OPERATION_NAME(n) operation_##n,
#define HANDLER_NAME(n) handler_##n,
static MPI_User_function *const operation_functions[SLOT_COUNT] = {SLOTS(OPERATION_NAME)};
static MPI_Comm_errhandler_function *const handler_functions[SLOT_COUNT] = {SLOTS(HANDLER_NAME)};

FORTRAN(int, mpi_op_create, operation_subroutine *user_fn, int *commute, MPI_Op *op, int *ierror) {
    for (int i = 0; i < SLOT_COUNT; i++) {
        if (operations[i] == NULL || operations[i] == user_fn) {
            operations[i] = user_fn;
            *ierror = PMPI_Op_create(operation_functions[i], *commute, op);
            return 0;
        }
    }
    *ierror = failed(MPI_ERR_NO_MEM);
    return 0;
}

static MPI_Comm_errhandler_function *handler_in(handler_subroutine *function) {
    for (int i = 0; i < SLOT_COUNT; i++) {
        if (handlers[i] == NULL || handlers[i] == function) {
            handlers[i] = function;
            return handler_functions[i];
        }
    }
    return NULL;
}

/* A handler gets the handle's address, whatever the handle is of. */
#define CREATE_HANDLER(name, create, type)                                                                             \
    FORTRAN(int, name, handler_subroutine *function, MPI_Errhandler *errhandler, int *ierror) {                        \
        MPI_Comm_errhandler_function *own = handler_in(function);                                                      \
        *ierror = own == NULL ? failed(MPI_ERR_NO_MEM) : create((type *)own, errhandler);                              \
        return 0;                                                                                                      \
    }
CREATE_HANDLER(mpi_comm_create_errhandler, PMPI_Comm_create_errhandler, MPI_Comm_errhandler_function)
CREATE_HANDLER(mpi_errhandler_create, PMPI_Comm_create_errhandler, MPI_Comm_errhandler_function)
CREATE_HANDLER(mpi_win_create_errhandler, PMPI_Win_create_errhandler, MPI_Win_errhandler_function)
CREATE_HANDLER(mpi_file_create_errhandler, PMPI_File_create_errhandler, MPI_File_errhandler_function)
#ifdef HAVE_MPI_Session_create_errhandler
CREATE_HANDLER(mpi_session_create_errhandler, PMPI_Session_create_errhandler, MPI_Session_errhandler_function)
#endif

/* Attributes and generalized requests come with a word of the user's: it leads to the subroutines and the user's own. */
typedef int copy_subroutine(int *object, int *keyval, int *extra, int *value, int *copy, int *flag, int *ierror);
typedef int delete_subroutine(int *object, int *keyval, int *value, int *extra, int *ierror);
struct keyval {
    copy_subroutine *copy;
    delete_subroutine *delete;
    int extra;
};

static int copy_attribute(void *object, int keyval, void *extra, void *value, void *copy, int *flag) {
    struct keyval *own = extra;
    int handle = (int)object, in = (int)value, out = 0, ierror = MPI_SUCCESS;
    own->copy(&handle, &keyval, &own->extra, &in, &out, flag, &ierror);
    if (*flag) {
        memcpy(copy, &out, sizeof out);
    }
    return ierror;
}

static int delete_attribute(void *object, int keyval, void *value, void *extra) {
    struct keyval *own = extra;
    int handle = (int)object, in = (int)value, ierror = MPI_SUCCESS;
    own->delete(&handle, &keyval, &in, &own->extra, &ierror);
    return ierror;
}

/* What belongs to a key lives as long as the program: attributes outlive the key that is freed. */
#define KEYVALS(name, kind, copy_type, delete_type)                                                                    \
    FORTRAN(int, name, copy_subroutine *copy, delete_subroutine *delete, int *keyval, int *extra, int *ierror) {       \
        struct keyval *own = malloc(sizeof *own);                                                                      \
        if (own == NULL) {                                                                                             \
            *ierror = failed(MPI_ERR_NO_MEM);                                                                          \
            return 0;                                                                                                  \
        }                                                                                                              \
        *own = (struct keyval){copy, delete, *extra};                                                                  \
        *ierror = PMPI_##kind##_create_keyval((copy_type *)copy_attribute, (delete_type *)delete_attribute, keyval,    \
                                              own);                                                                    \
        return 0;                                                                                                      \
    }
KEYVALS(mpi_comm_create_keyval, Comm, MPI_Comm_copy_attr_function, MPI_Comm_delete_attr_function)
KEYVALS(mpi_keyval_create, Comm, MPI_Comm_copy_attr_function, MPI_Comm_delete_attr_function)
KEYVALS(mpi_type_create_keyval, Type, MPI_Type_copy_attr_function, MPI_Type_delete_attr_function)
KEYVALS(mpi_win_create_keyval, Win, MPI_Win_copy_attr_function, MPI_Win_delete_attr_function)

#define PREDEFINED(prefix)                                                                                             \
    FORTRAN(int, prefix##null_copy_fn, int *object, int *keyval, int *extra, int *value, int *copy, int *flag,         \
            int *ierror) {                                                                                             \
        (void)object, (void)keyval, (void)extra, (void)value, (void)copy;                                              \
        *flag = 0;                                                                                                     \
        *ierror = MPI_SUCCESS;                                                                                         \
        return 0;                                                                                                      \
    }                                                                                                                  \
    FORTRAN(int, prefix##dup_fn, int *object, int *keyval, int *extra, int *value, int *copy, int *flag,               \
            int *ierror) {                                                                                             \
        (void)object, (void)keyval, (void)extra;                                                                       \
        *copy = *value;                                                                                                \
        *flag = 1;                                                                                                     \
        *ierror = MPI_SUCCESS;                                                                                         \
        return 0;                                                                                                      \
    }                                                                                                                  \
    FORTRAN(int, prefix##null_delete_fn, int *object, int *keyval, int *value, int *extra, int *ierror) {              \
        (void)object, (void)keyval, (void)value, (void)extra;                                                          \
        *ierror = MPI_SUCCESS;                                                                                         \
        return 0;                                                                                                      \
    }
PREDEFINED(mpi_)
PREDEFINED(mpi_comm_)
PREDEFINED(mpi_type_)
PREDEFINED(mpi_win_)

/* Predefined attributes: C has the address of the value where Fortran has the value, but for a window's base. */
static int is_address(int keyval) {
    return (keyval >= MPI_TAG_UB && keyval <= MPI_UNIVERSE_SIZE) || (keyval > MPI_WIN_BASE && keyval <= MPI_WIN_MODEL);
}

#define GET_ATTRIBUTE(name, function, type)                                                                            \
    FORTRAN(int, name, type *object, int *keyval, int *value, int *flag, int *ierror) {                                \
        void *found = NULL;                                                                                            \
        *ierror = function(*object, *keyval, &found, flag);                                                            \
        if (*ierror == MPI_SUCCESS && *flag) {                                                                         \
            *value = is_address(*keyval) ? *(int *)found : (int)found;                                                 \
        }                                                                                                              \
        return 0;                                                                                                      \
    }
GET_ATTRIBUTE(mpi_comm_get_attr, PMPI_Comm_get_attr, MPI_Comm)
GET_ATTRIBUTE(mpi_attr_get, PMPI_Comm_get_attr, MPI_Comm)
GET_ATTRIBUTE(mpi_type_get_attr, PMPI_Type_get_attr, MPI_Datatype)
GET_ATTRIBUTE(mpi_win_get_attr, PMPI_Win_get_attr, MPI_Win)

#define SET_ATTRIBUTE(name, function, type)                                                                            \
    FORTRAN(int, name, type *object, int *keyval, int *value, int *ierror) {                                           \
        *ierror = function(*object, *keyval, (void *)*value);                                                          \
        return 0;                                                                                                      \
    }
SET_ATTRIBUTE(mpi_comm_set_attr, PMPI_Comm_set_attr, MPI_Comm)
SET_ATTRIBUTE(mpi_attr_put, PMPI_Comm_set_attr, MPI_Comm)
SET_ATTRIBUTE(mpi_type_set_attr, PMPI_Type_set_attr, MPI_Datatype)
SET_ATTRIBUTE(mpi_win_set_attr, PMPI_Win_set_attr, MPI_Win)

#ifdef HAVE_MPI_Grequest_start
struct generalized {
    int (*query)(int *extra, int *status, int *ierror);
    int (*free)(int *extra, int *ierror);
    int (*cancel)(int *extra, int *complete, int *ierror);
    int extra;
};

static int generalized_query(void *extra, MPI_Status *status) {
    struct generalized *own = extra;
    int ierror = MPI_SUCCESS;
    own->query(&own->extra, (int *)status, &ierror);
    return ierror;
}

static int generalized_free(void *extra) {
    struct generalized *own = extra;
    int ierror = MPI_SUCCESS;
    own->free(&own->extra, &ierror);
    free(own);
    return ierror;
}

static int generalized_cancel(void *extra, int complete) {
    struct generalized *own = extra;
    int ierror = MPI_SUCCESS;
    own->cancel(&own->extra, &complete, &ierror);
    return ierror;
}

FORTRAN(int, mpi_grequest_start, subroutine *query, subroutine *release, subroutine *cancel, int *extra,
        MPI_Request *request, int *ierror) {
    struct generalized *own = malloc(sizeof *own);
    if (own == NULL) {
        *ierror = failed(MPI_ERR_NO_MEM);
        return 0;
    }
    *own = (struct generalized){(int (*)(int *, int *, int *))query, (int (*)(int *, int *))release,
                                (int (*)(int *, int *, int *))cancel, *extra};
    *ierror = PMPI_Grequest_start(generalized_query, generalized_free, generalized_cancel, own, request);
    return 0;
}
#endif

/* --- arrays of strings ------------------------------------------------------------------------------------------- */

/* `count` elements (-1: as many as come before a blank one), `stride` characters apart; the caller frees all. */
static char **strings_in(const char *text, int count, int length, size_t stride) {
    int most = 0;
    while (count < 0 ? strspn(text + (size_t)most * stride, " ") < (size_t)length : most < count) {
        most++;
    }
    char **all = calloc((size_t)most + 1, sizeof *all);
    for (int i = 0; all != NULL && i < most; i++) {
        all[i] = string_in(text + (size_t)i * stride, length, 1);
    }
    return all;
}

static void strings_free(char **all) {
    for (char **one = all; all != NULL && *one != NULL; one++) {
        free(*one);
    }
    free(all);
}

#ifdef HAVE_MPI_Comm_spawn
FORTRAN(int, mpi_comm_spawn, char *command, char *argv, int *maxprocs, MPI_Info *info, int *root, MPI_Comm *comm,
        MPI_Comm *intercomm, int *codes, int *ierror, int command_length, int argv_length) {
    char *name = string_in(command, command_length, 1);
    char **arguments = argv == &mpiprivc_.argv_null ? MPI_ARGV_NULL
                                                    : strings_in(argv, -1, argv_length, (size_t)argv_length);
    *ierror = PMPI_Comm_spawn(name, arguments, *maxprocs, *info, *root, *comm, intercomm, codes_in(codes));
    strings_free(arguments);
    free(name);
    return 0;
}
#endif

#ifdef HAVE_MPI_Comm_spawn_multiple
FORTRAN(int, mpi_comm_spawn_multiple, int *count, char *commands, char *argv, int *maxprocs, MPI_Info *infos, int *root,
        MPI_Comm *comm, MPI_Comm *intercomm, int *codes, int *ierror, int command_length, int argv_length) {
    char **names = strings_in(commands, *count, command_length, (size_t)command_length);
    char ***arguments = MPI_ARGVS_NULL;
    if (argv != &mpiprivc_.argvs_null) { /* argv(count, *): one program's arguments are `count` elements apart */
        arguments = calloc((size_t)*count + 1, sizeof *arguments);
        for (int i = 0; arguments != NULL && i < *count; i++) {
            arguments[i] = strings_in(argv + i * argv_length, -1, argv_length, (size_t)*count * (size_t)argv_length);
        }
    }
    *ierror = PMPI_Comm_spawn_multiple(*count, names, arguments, maxprocs, infos, *root, *comm, intercomm,
                                       codes_in(codes));
    for (int i = 0; arguments != NULL && i < *count; i++) {
        strings_free(arguments[i]);
    }
    free(arguments);
    strings_free(names);
    return 0;
}
#endif
