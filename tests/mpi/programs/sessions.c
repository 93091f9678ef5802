/* Sessions: alone, again after the last one was closed, beside the world of MPI_Init, and after its end. */
#include "check.h"

static MPI_Session failed_session;
static MPI_Comm failed_comm;
static int failed_code, calls;

static void session_handler(MPI_Session *session, int *code, ...) {
    failed_session = *session, failed_code = *code;
    calls++;
}

static void comm_handler(MPI_Comm *comm, int *code, ...) {
    failed_comm = *comm, failed_code = *code;
    calls++;
}

/* What the standard allows before there is anything of MPI: infos, and error handlers of sessions. */
static MPI_Session open_session(MPI_Errhandler *handler, MPI_Info *info) {
    MPI_Session session = MPI_SESSION_NULL;
    int initialized = 1;
    CHECK_IS(MPI_Info_create(info), MPI_SUCCESS);
    CHECK_IS(MPI_Info_set(*info, "thread_level", "MPI_THREAD_MULTIPLE"), MPI_SUCCESS);
    CHECK_IS(MPI_Session_create_errhandler(session_handler, handler), MPI_SUCCESS);
    MPI_Errhandler other;
    MPI_Session_create_errhandler(session_handler, &other);
    CHECK_IS(MPI_Errhandler_free(&other), MPI_SUCCESS);
    CHECK(other == MPI_ERRHANDLER_NULL);
    CHECK_IS(MPI_Session_init(*info, *handler, &session), MPI_SUCCESS);
    CHECK(session != MPI_SESSION_NULL);
    MPI_Initialized(&initialized);
    CHECK_IS(initialized, 0);
    return session;
}

static void process_sets(MPI_Session session) {
    int count = 0, world = 0, self = 0;
    MPI_Session_get_num_psets(session, MPI_INFO_NULL, &count);
    CHECK(count >= 2);
    for (int n = 0; n < count; n++) {
        int length = 0, cut = 5;
        char name[MPI_MAX_PSET_NAME_LEN], start[8] = "xxxxxxx";
        MPI_Session_get_nth_pset(session, MPI_INFO_NULL, n, &length, NULL);
        MPI_Session_get_nth_pset(session, MPI_INFO_NULL, n, &cut, start);
        CHECK(cut == length && strlen(start) == 4 && start[5] == 'x');
        MPI_Session_get_nth_pset(session, MPI_INFO_NULL, n, &length, name);
        CHECK_IS(length, strlen(name) + 1);
        world += strcmp(name, "mpi://WORLD") == 0;
        self += strcmp(name, "mpi://SELF") == 0;
    }
    CHECK(world == 1 && self == 1);

    MPI_Info info;
    char value[64];
    int length = sizeof value, found = 0;
    MPI_Session_get_pset_info(session, "mpi://SELF", &info);
    MPI_Info_get_string(info, "mpi_size", &length, value, &found);
    CHECK(found && strcmp(value, "1") == 0);
    MPI_Info_free(&info);
    MPI_Session_get_info(session, &info);
    length = sizeof value;
    MPI_Info_get_string(info, "thread_level", &length, value, &found);
    CHECK(found && strcmp(value, "MPI_THREAD_MULTIPLE") != 0); /* a guest has one thread */
    MPI_Info_free(&info);
}

static void failures_of_sessions(MPI_Session session) {
    MPI_Group group = MPI_GROUP_NULL;
    MPI_Info info;
    MPI_Errhandler handler;
    char name[8];
    int length = sizeof name;
    calls = 0;
    CHECK_IS(class_of(MPI_Group_from_session_pset(session, "mpi://NOWHERE", &group)), MPI_ERR_ARG);
    CHECK(calls == 1 && failed_session == session && class_of(failed_code) == MPI_ERR_ARG);
    CHECK_IS(class_of(MPI_Session_get_pset_info(session, "mpi://NOWHERE", &info)), MPI_ERR_ARG);
    CHECK_IS(class_of(MPI_Session_get_nth_pset(session, MPI_INFO_NULL, 1000, &length, name)), MPI_ERR_ARG);
    CHECK_IS(class_of(MPI_Session_get_nth_pset(session, MPI_INFO_NULL, -1, &length, name)), MPI_ERR_ARG);
    CHECK_IS(calls, 4);
    MPI_Session_call_errhandler(session, MPI_ERR_OTHER);
    CHECK(calls == 5 && failed_code == MPI_ERR_OTHER);
    MPI_Session_get_errhandler(session, &handler);
    MPI_Session_set_errhandler(session, MPI_ERRORS_RETURN);
    CHECK_IS(class_of(MPI_Group_from_session_pset(session, "mpi://NOWHERE", &group)), MPI_ERR_ARG);
    CHECK_IS(calls, 5);
    MPI_Session_set_errhandler(session, handler);
    MPI_Errhandler_free(&handler);
    CHECK_IS(class_of(MPI_Group_from_session_pset(session, "mpi://NOWHERE", &group)), MPI_ERR_ARG);
    CHECK_IS(calls, 6);
}

/* A communicator that cannot be made: the error handler that was to be its own hears of it. */
static void failures_of_groups(MPI_Group world) {
    MPI_Errhandler handler;
    MPI_Comm comm = MPI_COMM_SELF;
    MPI_Group others;
    CHECK_IS(MPI_Comm_create_from_group(MPI_GROUP_EMPTY, "none", MPI_INFO_NULL, MPI_ERRORS_RETURN, &comm), 0);
    CHECK(comm == MPI_COMM_NULL);
    MPI_Comm_create_errhandler(comm_handler, &handler);
    MPI_Group_excl(world, 1, &rank, &others);
    calls = 0, failed_comm = MPI_COMM_SELF;
    CHECK_IS(MPI_Comm_create_from_group(others, "others", MPI_INFO_NULL, handler, &comm), MPI_ERR_GROUP);
    CHECK(calls == 1 && failed_comm == MPI_COMM_NULL && failed_code == MPI_ERR_GROUP);
    CHECK_IS(MPI_Comm_create_from_group(MPI_GROUP_NULL, "null", MPI_INFO_NULL, handler, &comm), MPI_ERR_GROUP);
    static char tag[MPI_MAX_STRINGTAG_LEN + 100];
    memset(tag, 't', sizeof tag - 1);
    CHECK_IS(MPI_Comm_create_from_group(world, tag, MPI_INFO_NULL, handler, &comm), MPI_ERR_ARG);
    CHECK_IS(calls, 3);
    MPI_Group_free(&others);
    MPI_Errhandler_free(&handler);
}

/* Even and odd ranks, and an intercommunicator between them. */
static void halves(MPI_Group world) {
    MPI_Group mine, theirs;
    MPI_Comm half, both;
    int even[][3] = {{0, size - 1, 2}}, odd[][3] = {{1, size - 1, 2}}, remote = 0, sum = 0;
    MPI_Group_range_incl(world, 1, rank % 2 ? odd : even, &mine);
    MPI_Group_range_incl(world, 1, rank % 2 ? even : odd, &theirs);
    MPI_Comm_create_from_group(mine, rank % 2 ? "odd" : "even", MPI_INFO_NULL, MPI_ERRORS_ARE_FATAL, &half);
    MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, half);
    int expected = 0;
    for (int i = rank % 2; i < size; i += 2) {
        expected += i;
    }
    CHECK_IS(sum, expected);
    MPI_Intercomm_create_from_groups(mine, 0, theirs, 0, "both", MPI_INFO_NULL, MPI_ERRORS_RETURN, &both);
    MPI_Comm_remote_size(both, &remote);
    CHECK_IS(remote, rank % 2 ? (size + 1) / 2 : size / 2);
    MPI_Comm unmade = MPI_COMM_NULL;
    CHECK_IS(MPI_Intercomm_create_from_groups(mine, 0, world, 0, "x", MPI_INFO_NULL, MPI_ERRORS_RETURN, &unmade),
             MPI_ERR_GROUP);
    CHECK_IS(MPI_Intercomm_create_from_groups(mine, 0, theirs, size, "x", MPI_INFO_NULL, MPI_ERRORS_RETURN, &unmade),
             MPI_ERR_RANK);
    MPI_Comm_free(&both);
    MPI_Comm_free(&half);
    MPI_Group_free(&mine);
    MPI_Group_free(&theirs);
}

/* Groups of two sessions, and that of none. */
static void groups_together(MPI_Group world) {
    MPI_Session another;
    MPI_Group self, both, shared, others, none;
    int count, order;
    MPI_Session_init(MPI_INFO_NULL, MPI_ERRORS_RETURN, &another);
    MPI_Group_from_session_pset(another, "mpi://SELF", &self);
    CHECK_IS(MPI_Group_difference(world, self, &others), MPI_SUCCESS);
    MPI_Group_size(others, &count);
    CHECK_IS(count, size - 1);
    CHECK_IS(MPI_Group_union(self, others, &both), MPI_SUCCESS);
    MPI_Group_compare(both, world, &order);
    CHECK(order == (rank == 0 ? MPI_IDENT : MPI_SIMILAR));
    CHECK_IS(MPI_Group_intersection(both, self, &shared), MPI_SUCCESS);
    MPI_Group_compare(shared, self, &order);
    CHECK_IS(order, MPI_IDENT);
    CHECK_IS(MPI_Group_intersection(self, others, &none), MPI_SUCCESS);
    CHECK(none == MPI_GROUP_EMPTY);
    MPI_Group_free(&shared);
    CHECK_IS(MPI_Group_union(MPI_GROUP_EMPTY, world, &shared), MPI_SUCCESS);
    MPI_Group_compare(shared, world, &order);
    CHECK_IS(order, MPI_IDENT);
    MPI_Group_free(&shared);
    MPI_Group_free(&both);
    MPI_Group_free(&others);
    MPI_Group_free(&self);
    CHECK_IS(MPI_Session_finalize(&another), MPI_SUCCESS);
}

static MPI_Comm all_of(MPI_Session session, MPI_Group *world) {
    MPI_Comm comm = MPI_COMM_NULL;
    MPI_Group_from_session_pset(session, "mpi://WORLD", world);
    MPI_Group_rank(*world, &rank);
    MPI_Group_size(*world, &size);
    MPI_Comm_create_from_group(*world, "all", MPI_INFO_NULL, MPI_ERRORS_RETURN, &comm);
    int same = -1;
    MPI_Comm_rank(comm, &same);
    CHECK_IS(same, rank);
    return comm;
}

int main(int argc, char **argv) {
    MPI_Errhandler handler;
    MPI_Info info;
    MPI_Group world;
    int sum = 0, one = 1, flag = -1, *bound;
    MPI_Session session = open_session(&handler, &info);
    MPI_Comm comm = all_of(session, &world);
    MPI_Comm_get_attr(comm, MPI_TAG_UB, &bound, &flag);
    CHECK(flag && *bound >= 32767);
    CHECK_IS(MPI_Send(&one, 1, MPI_INT, rank, -5, comm), MPI_ERR_TAG);
    MPI_Allreduce(&one, &sum, 1, MPI_INT, MPI_SUM, comm);
    CHECK_IS(sum, size);
    process_sets(session);
    failures_of_sessions(session);
    failures_of_groups(world);
    halves(world);
    groups_together(world);
    MPI_Group_free(&world);
    MPI_Comm_free(&comm);
    CHECK_IS(MPI_Session_finalize(&session), MPI_SUCCESS);
    CHECK(session == MPI_SESSION_NULL);
    MPI_Finalized(&flag);
    CHECK_IS(flag, 0);

    /* Again, with the same error handler. */
    MPI_Session_init(info, handler, &session);
    calls = 0;
    MPI_Session_call_errhandler(session, MPI_ERR_ARG);
    CHECK_IS(calls, 1);
    MPI_Session_finalize(&session);

    /* Beside the world, and longer. */
    begin(&argc, &argv);
    MPI_Session_init(MPI_INFO_NULL, MPI_ERRORS_RETURN, &session);
    comm = all_of(session, &world);
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Win window; /* its launchers meet in the world: groups of it and of the session stand side by side */
    static int exposed;
    CHECK_IS(MPI_Win_create(&exposed, sizeof exposed, 1, MPI_INFO_NULL, comm, &window), MPI_SUCCESS);
    MPI_Win_free(&window);
    MPI_Finalize();
    MPI_Finalized(&flag);
    CHECK_IS(flag, 1);
    MPI_Errhandler_free(&handler);
    MPI_Info_free(&info);
    MPI_Allreduce(&failures, &sum, 1, MPI_INT, MPI_SUM, comm);
    MPI_Group_free(&world);
    MPI_Comm_free(&comm);
    MPI_Session_finalize(&session);
    if (rank == 0 && sum == 0) {
        printf("ok\n");
    }
    return sum != 0;
}
