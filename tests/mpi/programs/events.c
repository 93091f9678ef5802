/* A tool's events, with an MPI library that has one (native/event_source.c): at each barrier, at a level of safety. */
#include "check.h"

struct payload {
    int number;
    double half;
    unsigned long long wide;
};

static int seen[4], dropped_calls, freed_calls, free_inside, send_inside;
static long long dropped_events;
static MPI_T_event_instance kept;
static MPI_T_event_registration registration;
static char mark[3];

static void freed(MPI_T_event_registration which, MPI_T_cb_safety safety, void *data) {
    (void)which, (void)safety;
    CHECK(data == &mark[1]);
    freed_calls++;
}

static void happened(MPI_T_event_instance instance, MPI_T_event_registration which, MPI_T_cb_safety safety, void *data) {
    struct payload payload = {0, 0, 0};
    MPI_Count stamp = 0;
    double half = 0;
    int number = 0, source = 0, got = -1;
    CHECK(which == registration && data == &mark[0]);
    seen[safety == MPI_T_CB_REQUIRE_NONE ? 0 : safety == MPI_T_CB_REQUIRE_MPI_RESTRICTED ? 1 : 2]++;
    CHECK_IS(MPI_T_event_read(instance, 0, &number), MPI_SUCCESS);
    CHECK_IS(MPI_T_event_read(instance, 1, &half), MPI_SUCCESS);
    CHECK_IS(MPI_T_event_read(instance, 3, &half), MPI_T_ERR_INVALID_INDEX);
    CHECK_IS(MPI_T_event_read(instance, -1, &half), MPI_T_ERR_INVALID_INDEX);
    CHECK_IS(MPI_T_event_copy(instance, &payload), MPI_SUCCESS);
    CHECK(payload.number == number && payload.half == half && half == number / 2.0 && payload.wide == 1ull << 40);
    CHECK_IS(MPI_T_event_copy(instance, (void *)0xfffffff8), MPI_T_ERR_INVALID);
    CHECK_IS(MPI_T_event_get_timestamp(instance, &stamp), MPI_SUCCESS);
    CHECK_IS(stamp, (1ll << 40) + number);
    CHECK_IS(MPI_T_event_get_source(instance, &source), MPI_SUCCESS);
    CHECK_IS(source, 7);
    CHECK_IS(MPI_T_finalize(), MPI_T_ERR_NOT_ACCESSIBLE);
    MPI_Comm_rank(MPI_COMM_WORLD, &got);
    CHECK_IS(got, rank);
    if (safety == MPI_T_CB_REQUIRE_NONE) { /* then all of MPI */
        MPI_Sendrecv(&number, 1, MPI_INT, rank, 1, &got, 1, MPI_INT, rank, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        CHECK_IS(got, number);
    }
    if (send_inside) {
        MPI_Send(&number, 1, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD);
    }
    if (free_inside) {
        CHECK_IS(MPI_T_event_handle_free(which, &mark[1], freed), MPI_SUCCESS);
        CHECK_IS(MPI_T_event_handle_free(which, &mark[1], freed), MPI_T_ERR_INVALID_HANDLE);
        CHECK_IS(freed_calls, 0);
    }
    kept = instance;
}

static void dropped(MPI_Count count, MPI_T_event_registration which, int source, MPI_T_cb_safety safety, void *data) {
    (void)safety;
    CHECK(which == registration && source == 7 && data == &mark[0]);
    dropped_calls++;
    dropped_events += count;
}

static int extent(MPI_Datatype datatype, MPI_Aint *bytes, void *state) {
    CHECK(datatype == MPI_INT && state == &mark[2]);
    *bytes = 3;
    return MPI_SUCCESS;
}
static int from_file(void *user, MPI_Datatype datatype, int count, void *file, MPI_Offset position, void *state) {
    unsigned char(*three)[3] = file;
    CHECK(datatype == MPI_INT && state == &mark[2]);
    for (int i = 0; i < count; i++) {
        ((int *)user)[position + i] = three[i][0] | three[i][1] << 8 | three[i][2] << 16;
    }
    return MPI_SUCCESS;
}
static int to_file(void *user, MPI_Datatype datatype, int count, void *file, MPI_Offset position, void *state) {
    CHECK(datatype == MPI_INT && state == &mark[2]);
    for (int i = 0; i < count; i++) {
        memcpy((char *)file + i * 3, (int *)user + position + i, 3);
    }
    return MPI_SUCCESS;
}

int main(int argc, char **argv) {
    int provided, number = 0, index = -1, length = 8, verbosity, elements = 2, binding, value;
    char name[8];
    MPI_Datatype types[3] = {MPI_DATATYPE_NULL, MPI_DATATYPE_NULL, MPI_DATATYPE_NULL};
    MPI_Aint displacements[3];
    MPI_Comm comm = MPI_COMM_WORLD, null = MPI_COMM_NULL;
    begin(&argc, &argv);
    MPI_T_init_thread(MPI_THREAD_SINGLE, &provided);
    CHECK(MPI_T_event_get_num(&number) == MPI_SUCCESS && number == 1);
    CHECK_IS(MPI_T_event_get_index("barrier", &index), MPI_SUCCESS);
    CHECK_IS(MPI_T_event_get_index("other", &value), MPI_T_ERR_INVALID_NAME);
    CHECK_IS(MPI_T_event_get_info(index, name, &length, &verbosity, types, displacements, &elements, NULL, NULL, NULL,
                                  NULL, &binding),
             MPI_SUCCESS);
    CHECK(strcmp(name, "barrier") == 0 && length == 8 && elements == 3 && binding == MPI_T_BIND_MPI_COMM);
    CHECK(types[0] == MPI_INT && types[1] == MPI_DOUBLE && types[2] == MPI_DATATYPE_NULL && displacements[1] == 8);
    CHECK_IS(MPI_T_event_handle_alloc(1, &comm, MPI_INFO_NULL, &registration), MPI_T_ERR_INVALID_INDEX);
    CHECK_IS(MPI_T_event_handle_alloc(0, NULL, MPI_INFO_NULL, &registration), MPI_T_ERR_INVALID_HANDLE);
    CHECK_IS(MPI_T_event_handle_alloc(0, &null, MPI_INFO_NULL, &registration), MPI_T_ERR_INVALID_HANDLE);
    CHECK_IS(MPI_T_event_handle_alloc(0, &comm, MPI_INFO_NULL, &registration), MPI_SUCCESS);
    const MPI_T_cb_safety safeties[] = {MPI_T_CB_REQUIRE_NONE, MPI_T_CB_REQUIRE_MPI_RESTRICTED,
                                        MPI_T_CB_REQUIRE_THREAD_SAFE, MPI_T_CB_REQUIRE_ASYNC_SIGNAL_SAFE};
    for (int i = 0; i < 4; i++) {
        CHECK_IS(MPI_T_event_register_callback(registration, safeties[i], MPI_INFO_NULL, &mark[0], happened), MPI_SUCCESS);
    }
    CHECK_IS(MPI_T_event_register_callback(registration, safeties[0], MPI_INFO_NULL, NULL,
                                           (MPI_T_event_cb_function *)(void *)freed),
             MPI_T_ERR_INVALID);
    CHECK_IS(MPI_T_event_register_callback(registration, (MPI_T_cb_safety)1, MPI_INFO_NULL, NULL, happened),
             MPI_T_ERR_INVALID);
    CHECK_IS(MPI_T_event_set_dropped_handler(registration, dropped), MPI_SUCCESS);
    send_inside = argc > 1;
    for (int i = 0; i < 4; i++) { /* two are seen; of the others the guest's thread cannot be told */
        MPI_Barrier(MPI_COMM_WORLD);
    }
    CHECK(seen[0] == 1 && seen[1] == 1 && seen[2] == 0 && dropped_calls == 0);
    CHECK_IS(MPI_T_event_read(kept, 0, &value), MPI_T_ERR_INVALID_HANDLE);
    free_inside = 1;
    MPI_Barrier(MPI_COMM_WORLD);
    CHECK(dropped_calls == 1 && dropped_events == 2 && seen[1] == 2);
    MPI_Barrier(MPI_COMM_WORLD);
    CHECK(seen[1] == 2 && freed_calls == 0);
    MPI_T_event_registration stale = registration;
    CHECK_IS(MPI_T_event_handle_alloc(0, &comm, MPI_INFO_NULL, &registration), MPI_SUCCESS);
    CHECK(freed_calls == 1 && registration != stale);
    CHECK_IS(MPI_T_event_set_dropped_handler(stale, dropped), MPI_T_ERR_INVALID_HANDLE);
    MPI_Barrier(MPI_COMM_WORLD);
    CHECK_IS(seen[1], 2);
    CHECK_IS(MPI_T_finalize(), MPI_SUCCESS);
    CHECK_IS(MPI_Register_datarep("three", from_file, to_file, extent, &mark[2]), MPI_SUCCESS);
    return end();
}
