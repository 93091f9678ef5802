/* The tool information interface: before, during and after MPI; what is read, what is refused, what dies with what.
 * With the argument "granted" integer control variables may be written. */
#include "check.h"

static char value[1 << 20];
static int granted;

static void closed(void) {
    int number;
    MPI_T_cvar_handle handle = MPI_T_CVAR_HANDLE_NULL;
    CHECK_IS(MPI_T_cvar_get_num(&number), MPI_T_ERR_NOT_INITIALIZED);
    CHECK_IS(MPI_T_cvar_handle_free(&handle), MPI_T_ERR_NOT_INITIALIZED);
    CHECK_IS(MPI_T_finalize(), MPI_T_ERR_NOT_INITIALIZED);
}

static int bytes_of(MPI_Datatype type) {
    return type == MPI_CHAR || type == MPI_C_BOOL                                                  ? 1
           : type == MPI_INT || type == MPI_UNSIGNED || type == MPI_INT32_T || type == MPI_UINT32_T ? 4
           : type == MPI_DOUBLE || type == MPI_COUNT || type == MPI_UNSIGNED_LONG_LONG || type == MPI_LONG_LONG ||
                   type == MPI_INT64_T || type == MPI_UINT64_T
               ? 8
               : 0;
}

static void written(MPI_T_cvar_handle handle, MPI_Datatype type, int scope) {
    int before = 0, after = 0, other;
    if (type != MPI_INT) {
        if (type == MPI_CHAR) { /* never by "*" */
            CHECK(scope == MPI_T_SCOPE_READONLY || scope == MPI_T_SCOPE_CONSTANT);
            CHECK_IS(MPI_T_cvar_write(handle, "/etc/passwd"), MPI_T_ERR_CVAR_SET_NEVER);
        }
        return;
    }
    CHECK_IS(MPI_T_cvar_read(handle, &before), MPI_SUCCESS);
    other = before + 1;
    int code = MPI_T_cvar_write(handle, &other);
    CHECK_IS(MPI_T_cvar_read(handle, &after), MPI_SUCCESS);
    if (scope == MPI_T_SCOPE_READONLY || scope == MPI_T_SCOPE_CONSTANT) {
        CHECK(code != MPI_SUCCESS && after == before);
    }
    if (!granted) {
        CHECK_IS(code, MPI_T_ERR_CVAR_SET_NEVER);
        CHECK_IS(after, before);
    } else if (code == MPI_SUCCESS) {
        CHECK(scope != MPI_T_SCOPE_CONSTANT);
        granted++;
        MPI_T_cvar_write(handle, &before);
    }
}

static void enumeration(MPI_T_enum which) {
    char name[64];
    int items = 0, length = sizeof name, number;
    CHECK_IS(MPI_T_enum_get_info(which, &items, name, &length), MPI_SUCCESS);
    for (int i = 0; i < items; i++) {
        length = sizeof name;
        CHECK_IS(MPI_T_enum_get_item(which, i, &number, name, &length), MPI_SUCCESS);
        CHECK(length > 1 && length <= 64);
    }
    CHECK_IS(MPI_T_enum_get_item(which, items, &number, name, &length), MPI_T_ERR_INVALID_INDEX);
    CHECK_IS(MPI_T_enum_get_item(which, -1, &number, name, &length), MPI_T_ERR_INVALID_INDEX);
}

static void control_variables(int again) {
    int number = -1, found, texts = 0;
    CHECK_IS(MPI_T_cvar_get_num(&number), MPI_SUCCESS);
    CHECK(number > 100);
    for (int i = 0; i < number; i++) {
        char name[256], shorter[5], text[1024];
        int length = sizeof name, short_length = sizeof shorter, text_length = sizeof text, none = 0;
        int verbosity, binding, scope, count = -1;
        MPI_Datatype type;
        MPI_T_enum which;
        MPI_T_cvar_handle handle, stale;
        if (MPI_T_cvar_get_info(i, name, &length, &verbosity, &type, &which, text, &text_length, &binding, &scope) !=
            MPI_SUCCESS) {
            continue; /* a variable of a component that is gone */
        }
        CHECK_IS(length, (int)strlen(name) + 1);
        CHECK(verbosity >= MPI_T_VERBOSITY_USER_BASIC && verbosity <= MPI_T_VERBOSITY_MPIDEV_ALL);
        CHECK(scope >= MPI_T_SCOPE_CONSTANT && scope <= MPI_T_SCOPE_ALL_EQ);
        CHECK_IS(MPI_T_cvar_get_info(i, shorter, &short_length, NULL, NULL, NULL, NULL, NULL, NULL, NULL), MPI_SUCCESS);
        CHECK(strlen(shorter) == (length < 5 ? (size_t)length - 1 : 4) && strncmp(shorter, name, 4) == 0);
        CHECK_IS(MPI_T_cvar_get_info(i, NULL, &none, NULL, NULL, NULL, NULL, NULL, NULL, NULL), MPI_SUCCESS);
        CHECK_IS(none, length);
        CHECK(MPI_T_cvar_get_index(name, &found) == MPI_SUCCESS);
        if (which != MPI_T_ENUM_NULL) {
            enumeration(which);
        }
        if (binding != MPI_T_BIND_NO_OBJECT || bytes_of(type) == 0) {
            continue;
        }
        CHECK_IS(MPI_T_cvar_handle_alloc(i, NULL, &handle, &count), MPI_SUCCESS);
        CHECK(count > 0 && count * bytes_of(type) < (int)sizeof value);
        memset(value, 0x5a, sizeof value);
        if (MPI_T_cvar_read(handle, value) == MPI_SUCCESS) {
            for (int j = count * bytes_of(type); j < count * bytes_of(type) + 64; j++) {
                CHECK(value[j] == 0x5a);
            }
            texts += type == MPI_CHAR && memchr(value, 0, (size_t)count) != NULL;
            if (!again) {
                written(handle, type, scope);
            }
        }
        CHECK_IS(MPI_T_cvar_read(handle, NULL), MPI_T_ERR_INVALID);
        CHECK_IS(MPI_T_cvar_read(handle, (void *)0xfffffffe), MPI_T_ERR_INVALID);
        stale = handle;
        CHECK_IS(MPI_T_cvar_handle_free(&handle), MPI_SUCCESS);
        CHECK(handle == MPI_T_CVAR_HANDLE_NULL);
        CHECK_IS(MPI_T_cvar_read(stale, value), MPI_T_ERR_INVALID_HANDLE);
        CHECK_IS(MPI_T_cvar_handle_free(&stale), MPI_T_ERR_INVALID_HANDLE);
    }
    CHECK(texts > 0);
    CHECK_IS(MPI_T_cvar_get_info(number, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), MPI_T_ERR_INVALID_INDEX);
    CHECK_IS(MPI_T_cvar_get_index("no such variable", &found), MPI_T_ERR_INVALID_NAME);
}

static void categories(void) {
    int number = 0, changed = 0, found, seen = 0;
    CHECK_IS(MPI_T_category_changed(&changed), MPI_SUCCESS);
    CHECK_IS(MPI_T_category_get_num(&number), MPI_SUCCESS);
    for (int i = 0; i < number; i++) {
        char name[256];
        int length = sizeof name, variables = 0, counters = 0, inner = 0;
        if (MPI_T_category_get_info(i, name, &length, NULL, NULL, &variables, &counters, &inner) != MPI_SUCCESS) {
            continue;
        }
        CHECK(MPI_T_category_get_index(name, &found) == MPI_SUCCESS);
        int *indices = malloc(((size_t)variables + 2) * sizeof *indices);
        indices[variables] = -77;
        CHECK_IS(MPI_T_category_get_cvars(i, variables, indices), MPI_SUCCESS);
        CHECK_IS(indices[variables], -77);
        for (int j = 0; j < variables; j++) {
            seen += indices[j] >= 0;
        }
        CHECK_IS(MPI_T_category_get_cvars(i, -1, indices), MPI_T_ERR_INVALID);
        CHECK_IS(MPI_T_category_get_cvars(i, 0x40000000, indices), MPI_T_ERR_INVALID);
        free(indices);
    }
    CHECK(number > 5 && seen > 50);
}

/* Only Open MPI has some in these builds. */
static void performance_variables(void) {
    int number = -1, tried = 0;
    MPI_T_pvar_session session, other;
    MPI_Comm comm;
    CHECK_IS(MPI_T_pvar_get_num(&number), MPI_SUCCESS);
    CHECK_IS(MPI_T_pvar_session_create(&session), MPI_SUCCESS);
    CHECK_IS(MPI_T_pvar_session_create(&other), MPI_SUCCESS);
    MPI_Comm_dup(MPI_COMM_WORLD, &comm);
    MPI_Comm freed;
    MPI_Comm_dup(MPI_COMM_WORLD, &freed);
    MPI_T_pvar_handle kept = MPI_T_PVAR_HANDLE_NULL;
    for (int i = 0; i < number; i++) {
        char name[256];
        int length = sizeof name, verbosity, class, binding, readonly, continuous, atomic, count = 0, found;
        MPI_Datatype type;
        MPI_T_enum which;
        MPI_T_pvar_handle handle;
        if (MPI_T_pvar_get_info(i, name, &length, &verbosity, &class, &type, &which, NULL, NULL, &binding, &readonly,
                                &continuous, &atomic) != MPI_SUCCESS) {
            continue;
        }
        CHECK(MPI_T_pvar_get_index(name, class, &found) == MPI_SUCCESS);
        CHECK(bytes_of(type) > 0 || binding != MPI_T_BIND_NO_OBJECT);
        if (binding != MPI_T_BIND_NO_OBJECT) {
            CHECK_IS(MPI_T_pvar_handle_alloc(session, i, NULL, &handle, &count), MPI_T_ERR_INVALID_HANDLE);
        }
        if (binding != MPI_T_BIND_NO_OBJECT && binding != MPI_T_BIND_MPI_COMM) {
            continue;
        }
        void *object = binding == MPI_T_BIND_MPI_COMM ? &comm : NULL;
        if (MPI_T_pvar_handle_alloc(session, i, object, &handle, &count) != MPI_SUCCESS) {
            continue;
        }
        tried++;
        if (!continuous) {
            MPI_T_pvar_start(session, handle);
        }
        memset(value, 0x5a, sizeof value);
        CHECK_IS(MPI_T_pvar_read(other, handle, value), MPI_T_ERR_INVALID_HANDLE);
        CHECK(value[0] == 0x5a);
        MPI_T_pvar_read(session, handle, value);
        CHECK(value[count * bytes_of(type)] == 0x5a);
        MPI_T_pvar_stop(session, handle);
        MPI_T_pvar_reset(session, handle);
        CHECK_IS(MPI_T_pvar_start(session, MPI_T_PVAR_ALL_HANDLES), MPI_SUCCESS); /* whichever may be started */
        CHECK_IS(MPI_T_pvar_stop(session, MPI_T_PVAR_ALL_HANDLES), MPI_SUCCESS);
        if (readonly) {
            CHECK_IS(MPI_T_pvar_write(session, handle, value), MPI_T_ERR_PVAR_NO_WRITE);
        }
        if (binding == MPI_T_BIND_MPI_COMM && kept == MPI_T_PVAR_HANDLE_NULL) {
            MPI_T_pvar_handle_alloc(other, i, &freed, &kept, &count);
        }
        CHECK_IS(MPI_T_pvar_handle_free(session, &handle), MPI_SUCCESS);
        CHECK(handle == MPI_T_PVAR_HANDLE_NULL);
    }
    CHECK(tried > 0 || number == 0);
    MPI_Comm_free(&freed);
    if (kept != MPI_T_PVAR_HANDLE_NULL) { /* its communicator is gone */
        CHECK_IS(MPI_T_pvar_start(other, kept), MPI_T_ERR_INVALID_HANDLE);
        CHECK_IS(MPI_T_pvar_read(other, kept, value), MPI_T_ERR_INVALID_HANDLE);
        CHECK_IS(MPI_T_pvar_start(other, MPI_T_PVAR_ALL_HANDLES), MPI_T_ERR_INVALID_HANDLE);
    }
    CHECK_IS(MPI_T_pvar_start(session, MPI_T_PVAR_ALL_HANDLES), MPI_SUCCESS);
    MPI_Comm_free(&comm);
    MPI_T_pvar_session stale = session;
    CHECK_IS(MPI_T_pvar_session_free(&session), MPI_SUCCESS);
    CHECK_IS(MPI_T_pvar_session_free(&other), MPI_SUCCESS);
    CHECK(session == MPI_T_PVAR_SESSION_NULL);
    CHECK_IS(MPI_T_pvar_session_free(&stale), MPI_T_ERR_INVALID_SESSION);
    CHECK_IS(MPI_T_pvar_start(stale, kept), MPI_T_ERR_INVALID_SESSION);
}

int main(int argc, char **argv) {
    int provided = -1, class, length, initialized = argc > 1;
    char text[MPI_MAX_ERROR_STRING];
    granted = argc > 1 && strcmp(argv[1], "granted") == 0;
    closed();
    CHECK_IS(MPI_T_init_thread(MPI_THREAD_MULTIPLE, &provided), MPI_SUCCESS);
    CHECK(provided <= MPI_THREAD_SERIALIZED);
    control_variables(1);
    begin(&argc, &argv);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL); /* a tool's mistake is never MPI's error */
    CHECK_IS(MPI_T_init_thread(MPI_THREAD_SINGLE, &provided), MPI_SUCCESS);
    CHECK_IS(provided, MPI_THREAD_SINGLE);
    control_variables(0);
    categories();
    performance_variables();
    MPI_Error_class(MPI_T_ERR_INVALID_INDEX, &class);
    CHECK_IS(class, MPI_T_ERR_INVALID_INDEX);
    CHECK_IS(MPI_Error_string(MPI_T_ERR_INVALID_INDEX, text, &length), MPI_SUCCESS);
    CHECK(granted != 1); /* where it is granted, something could be written */
    CHECK_IS(MPI_T_finalize(), MPI_SUCCESS);
    CHECK_IS(MPI_T_cvar_get_num(&initialized), MPI_SUCCESS);
    int result = end();
    control_variables(1);
    CHECK_IS(MPI_T_finalize(), MPI_SUCCESS);
    closed();
    CHECK_IS(MPI_T_init_thread(MPI_THREAD_SINGLE, &provided), MPI_SUCCESS);
    control_variables(1);
    return result || failures;
}
