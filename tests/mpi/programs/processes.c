/* A program starts itself, as often as it was granted, and meets processes of its own job; nothing else. The mode is in
 * argv[1]: "start" and "ports" want 2 ranks and their grants, "refused" has no grant. */
#include "check.h"

#include <unistd.h>

static char *name;

static const char *const odd[] = {"child", "", "two words", "line\nexecname=/bin/sh\n", "100%+", "%", "$(id)", "a=b;c"};
enum { ODD = sizeof odd / sizeof *odd, LONG = 3000 };

/* What a started process sees; its parents receive how many of its checks failed. */
static void be_child(int argc, char **argv, MPI_Comm parent) {
    MPI_Comm again;
    char world[MPI_MAX_OBJECT_NAME];
    int *application = NULL, found = 0, length, inter = 0;
    CHECK_IS(argc, ODD + 2);
    for (int i = 0; i < ODD && i + 1 < argc; i++) {
        CHECK(strcmp(argv[i + 1], odd[i]) == 0);
    }
    CHECK_IS(strlen(argv[argc - 1]), LONG);
    CHECK(strcmp(argv[0] + strlen(argv[0]) - strlen(name), name) == 0);
    CHECK(strcmp(getenv("GRANTED"), "a value; with = and\nanother line") == 0);
    CHECK(access("granted.here", R_OK) == 0);
    MPI_Comm_get_parent(&again);
    CHECK(again == parent);
    MPI_Comm_test_inter(parent, &inter);
    CHECK(inter);
    MPI_Comm_get_name(parent, world, &length);
    CHECK(strcmp(world, "MPI_COMM_PARENT") == 0);
    MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_APPNUM, &application, &found);
    CHECK(found);
    int told[2] = {failures, found ? *application : -1};
    MPI_Send(told, 2, MPI_INT, 0, 0, parent);
    MPI_Comm_disconnect(&parent);
    CHECK(parent == MPI_COMM_NULL);
    MPI_Comm_get_parent(&again);
    MPI_Finalize();
    exit(failures);
}

static void heed(MPI_Comm children, int expected, int applications) {
    int count = 0, seen = 0;
    MPI_Comm_remote_size(children, &count);
    CHECK_IS(count, expected);
    for (int i = 0; i < count && rank == 0; i++) {
        int told[2];
        MPI_Recv(told, 2, MPI_INT, i, 0, children, MPI_STATUS_IGNORE);
        failures += told[0];
        seen |= 1 << told[1];
    }
    if (rank == 0) {
        CHECK_IS(seen, (1 << applications) - 1);
    }
    MPI_Comm_disconnect(&children);
}

static char **arguments(void) {
    static char *list[ODD + 2], longest[LONG + 1];
    for (int i = 0; i < ODD; i++) {
        list[i] = (char *)odd[i];
    }
    memset(longest, '=', LONG);
    list[ODD] = longest;
    return list;
}

static void start(char *own) {
    MPI_Comm children = MPI_COMM_NULL;
    char here[256];
    int codes[4] = {7, 7, 7, 7};
    snprintf(here, sizeof here, "./%s", name);
    /* Granted are 6: 2 go, and 2 with the world that they are; 1 goes, and none with it. */
    GIVES(MPI_Comm_spawn(own, arguments(), 2, MPI_INFO_NULL, 1, MPI_COMM_WORLD, &children, codes), MPI_SUCCESS);
    CHECK(codes[0] == MPI_SUCCESS && codes[1] == MPI_SUCCESS && codes[2] == 7);
    heed(children, 2, 1);
    GIVES(MPI_Comm_spawn(here, arguments(), 3, MPI_INFO_NULL, 0, MPI_COMM_WORLD, &children, codes), MPI_ERR_SPAWN);
    CHECK(codes[0] == MPI_ERR_SPAWN && codes[2] == MPI_ERR_SPAWN && codes[3] == 7);
    char *commands[] = {here, name}, **both[] = {arguments(), arguments()};
    MPI_Info info, infos[2];
    int processes[] = {1, 1};
    MPI_Info_create(&info);
    MPI_Info_set(info, "host", "elsewhere.invalid");
    MPI_Info_set(info, "path", "/bin");
    MPI_Info_set(info, "file", "/etc/passwd");
    MPI_Info_set(info, "wdir", ".");
    MPI_Info_set(info, "env", "LD_PRELOAD=evil.so");
    MPI_Info_set(info, "add-hostfile", "/etc/hosts");
    infos[0] = infos[1] = info;
    GIVES(MPI_Comm_spawn_multiple(2, commands, both, processes, infos, 0, MPI_COMM_WORLD, &children,
                                  MPI_ERRCODES_IGNORE),
          MPI_SUCCESS);
    heed(children, 2, 2);
    MPI_Info_free(&info);
    GIVES(MPI_Comm_spawn(own, MPI_ARGV_NULL, 1, MPI_INFO_NULL, 0, MPI_COMM_SELF, &children, codes), MPI_ERR_SPAWN);
}

static void refused(char *own) {
    MPI_Comm children = MPI_COMM_NULL, split;
    MPI_Info info = MPI_INFO_NULL;
    char *nobody = (char *)0xfffffff0;
    char *const wrong[] = {"/bin/sh",        "sh", "",           "./",     "../programs", "./sh\nexecname=/bin/sh",
                           "/usr/bin/env",  ".",  "sh -c true", "argosy"};
    int code = 0, most = 0x7fffffff;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        GIVES(MPI_Comm_spawn(wrong[i], MPI_ARGV_NULL, 1, MPI_INFO_NULL, 0, MPI_COMM_WORLD, &children, &code),
              MPI_ERR_SPAWN);
        CHECK_IS(code, MPI_ERR_SPAWN);
    }
    GIVES(MPI_Comm_spawn(own, MPI_ARGV_NULL, 1, MPI_INFO_NULL, 0, MPI_COMM_WORLD, &children, MPI_ERRCODES_IGNORE),
          MPI_ERR_SPAWN);
    GIVES(MPI_Comm_spawn(own, MPI_ARGV_NULL, most, MPI_INFO_NULL, 0, MPI_COMM_WORLD, &children, MPI_ERRCODES_IGNORE),
          MPI_ERR_SPAWN);
    GIVES(MPI_Comm_spawn(own, MPI_ARGV_NULL, most, MPI_INFO_NULL, 0, MPI_COMM_WORLD, &children, &code),
          rank == 0 ? MPI_ERR_SPAWN : MPI_ERR_ARG); /* no room for so many error codes */
    GIVES(MPI_Comm_spawn(own, MPI_ARGV_NULL, 0, MPI_INFO_NULL, 0, MPI_COMM_WORLD, &children, &code), MPI_ERR_ARG);
    GIVES(MPI_Comm_spawn(own, MPI_ARGV_NULL, -1, MPI_INFO_NULL, 0, MPI_COMM_WORLD, &children, &code), MPI_ERR_ARG);
    GIVES(MPI_Comm_spawn(nobody, MPI_ARGV_NULL, 1, MPI_INFO_NULL, 0, MPI_COMM_WORLD, &children, &code), MPI_ERR_ARG);
    GIVES(MPI_Comm_spawn(own, &nobody, 1, MPI_INFO_NULL, 0, MPI_COMM_WORLD, &children, &code), MPI_ERR_ARG);
    GIVES(MPI_Comm_spawn(own, (char **)nobody, 1, MPI_INFO_NULL, 0, MPI_COMM_WORLD, &children, &code), MPI_ERR_ARG);
    GIVES(MPI_Comm_spawn(own, MPI_ARGV_NULL, 1, (MPI_Info)99, 0, MPI_COMM_WORLD, &children, &code), MPI_ERR_INFO);
    GIVES(MPI_Comm_spawn(own, MPI_ARGV_NULL, 1, MPI_INFO_NULL, size, MPI_COMM_WORLD, &children, &code), MPI_ERR_ROOT);
    GIVES(MPI_Comm_spawn(own, MPI_ARGV_NULL, 1, MPI_INFO_NULL, 0, MPI_COMM_NULL, &children, &code), MPI_ERR_COMM);
    GIVES(MPI_Comm_spawn_multiple(-1, &own, MPI_ARGVS_NULL, &most, &info, 0, MPI_COMM_WORLD, &children, &code),
          MPI_ERR_ARG);
    GIVES(MPI_Comm_spawn_multiple(1 << 30, &own, MPI_ARGVS_NULL, &most, &info, 0, MPI_COMM_WORLD, &children, &code),
          MPI_ERR_ARG);
    MPI_Info_create(&info);
    MPI_Info_set(info, "wdir", "/etc");
    GIVES(MPI_Comm_spawn(own, MPI_ARGV_NULL, 1, info, 0, MPI_COMM_WORLD, &children, &code), MPI_ERR_INFO_VALUE);
    MPI_Info_free(&info);
    /* One rank's wrong argument is everybody's refusal: nobody waits. */
    GIVES(MPI_Comm_spawn(own, MPI_ARGV_NULL, 1, MPI_INFO_NULL, 0, MPI_COMM_WORLD,
                         rank == 1 ? (MPI_Comm *)nobody : &children, &code),
          rank == 0 ? MPI_ERR_SPAWN : rank == 1 ? MPI_ERR_ARG : MPI_ERR_SPAWN);
    MPI_Comm_split(MPI_COMM_WORLD, rank % 2, 0, &split);
    GIVES(MPI_Comm_spawn(own, MPI_ARGV_NULL, 1, MPI_INFO_NULL, 0, split, &children, &code), MPI_ERR_SPAWN);
    MPI_Comm_free(&split);
    CHECK(children == MPI_COMM_NULL);
    MPI_Comm_get_parent(&children);
    CHECK(children == MPI_COMM_NULL);
    /* Ports that no process of this job has opened. */
    char *const ports[] = {"",
                           "tag#0$connentry#766D000200A0DCC0000202[8]$",
                           "argosy-0000000000000000:tag#0$connentry#766D000200A0DCC0000202[8]$",
                           "argosy-",
                           "argosy-0123456789abcdef:",
                           "42729473.0:1410904264",
                           "127.0.0.1:22",
                           "%s%n%s"};
    for (size_t i = 0; i < sizeof ports / sizeof *ports; i++) {
        GIVES(MPI_Comm_connect(ports[i], MPI_INFO_NULL, 0, MPI_COMM_WORLD, &children), MPI_ERR_PORT);
        GIVES(MPI_Comm_accept(ports[i], MPI_INFO_NULL, 0, MPI_COMM_WORLD, &children), MPI_ERR_PORT);
        GIVES(MPI_Close_port(ports[i]), MPI_ERR_PORT);
    }
    GIVES(MPI_Comm_connect(nobody, MPI_INFO_NULL, 0, MPI_COMM_WORLD, &children), MPI_ERR_PORT);
    GIVES(MPI_Publish_name("service", MPI_INFO_NULL, "port\ncmd=spawn"), MPI_ERR_PORT);
    GIVES(MPI_Publish_name(nobody, MPI_INFO_NULL, "port"), MPI_ERR_ARG);
    GIVES(MPI_Open_port(MPI_INFO_NULL, nobody), MPI_ERR_ARG);
}

static void ports(void) {
    char port[MPI_MAX_PORT_NAME] = "", found[MPI_MAX_PORT_NAME] = "", forged[MPI_MAX_PORT_NAME];
    static char service[] = "a service\ncmd=spawn %s=;";
    MPI_Comm other = MPI_COMM_NULL;
    for (int round = 0; round < 2; round++) {
        if (rank == 0) {
            GIVES(MPI_Open_port(MPI_INFO_NULL, port), MPI_SUCCESS);
            CHECK(strlen(port) < MPI_MAX_PORT_NAME);
            GIVES(MPI_Publish_name(service, MPI_INFO_NULL, port), MPI_SUCCESS);
        }
        MPI_Barrier(MPI_COMM_WORLD);
        GIVES(MPI_Lookup_name(service, MPI_INFO_NULL, found), MPI_SUCCESS);
        MPI_Bcast(port, sizeof port, MPI_CHAR, 0, MPI_COMM_WORLD);
        CHECK(strcmp(port, found) == 0);
        if (rank == 0) {
            GIVES(MPI_Comm_accept(port, MPI_INFO_NULL, 0, MPI_COMM_SELF, &other), MPI_SUCCESS);
        } else {
            strcpy(forged, port);
            forged[7] = forged[7] == '0' ? '1' : '0'; /* in its digest */
            GIVES(MPI_Comm_connect(forged, MPI_INFO_NULL, 0, MPI_COMM_SELF, &other), MPI_ERR_PORT);
            strcpy(forged, port);
            forged[strlen(forged) - 1]++;
            GIVES(MPI_Comm_connect(forged, MPI_INFO_NULL, 0, MPI_COMM_SELF, &other), MPI_ERR_PORT);
            GIVES(MPI_Comm_accept(port, MPI_INFO_NULL, 0, MPI_COMM_SELF, &other), MPI_ERR_PORT); /* another's */
            GIVES(MPI_Comm_connect(found, MPI_INFO_NULL, 0, MPI_COMM_SELF, &other), MPI_SUCCESS);
        }
        int mine = 10 + rank, theirs = -1;
        MPI_Sendrecv(&mine, 1, MPI_INT, 0, 0, &theirs, 1, MPI_INT, 0, 0, other, MPI_STATUS_IGNORE);
        CHECK_IS(theirs, 11 - rank);
        GIVES(MPI_Comm_disconnect(&other), MPI_SUCCESS);
        CHECK(other == MPI_COMM_NULL);
        if (rank == 0) {
            GIVES(MPI_Unpublish_name(service, MPI_INFO_NULL, port), MPI_SUCCESS);
            GIVES(MPI_Close_port(port), MPI_SUCCESS);
            GIVES(MPI_Close_port(port), MPI_ERR_PORT);
        }
        MPI_Barrier(MPI_COMM_WORLD);
    }
    CHECK(MPI_Lookup_name(service, MPI_INFO_NULL, found) != MPI_SUCCESS);
}

int main(int argc, char **argv) {
    MPI_Comm parent;
    begin(&argc, &argv);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
    name = strrchr(argv[0], '/') == NULL ? argv[0] : strrchr(argv[0], '/') + 1;
    MPI_Comm_get_parent(&parent);
    if (parent != MPI_COMM_NULL && argc == 2 && strcmp(argv[1], "trap") == 0) {
        __builtin_trap();
    }
    if (parent != MPI_COMM_NULL) {
        be_child(argc, argv, parent);
    }
    if (strcmp(argv[1], "start") == 0) {
        start(argv[0]);
    } else if (strcmp(argv[1], "ports") == 0) {
        ports();
    } else if (strcmp(argv[1], "refused") == 0) {
        refused(argv[0]);
    } else { /* a child's trap ends its parents, who would wait for ever */
        MPI_Comm children;
        MPI_Comm_spawn(argv[0], argv + 1, 1, MPI_INFO_NULL, 0, MPI_COMM_WORLD, &children, MPI_ERRCODES_IGNORE);
        MPI_Recv(NULL, 0, MPI_INT, 0, 0, children, MPI_STATUS_IGNORE);
        printf("went on\n");
    }
    return end();
}
