/* Processes that the guest starts: MPI 5.0, "Process Creation and Management". Those that it meets are mpi_ports.c's.
 *
 * What a hostile guest may want here, and what stands against it.
 * - To start another program, with other rights, or without end. MPI gets a command that guest_again wrote: this
 *   launcher, this module, the grants of this process, in an alphabet that process managers cannot misread (a newline
 *   in an argument is a command of its own to MPICH's). The guest chooses the arguments. Its command must be its own
 *   name: as in its argv[0], or the last part of it with or without "./".
 * - To start more than it was granted: see mpi_grant.c.
 * - To choose the host, the environment or the folders by info. Of all keys only `wdir` is interpreted, and only when
 *   it names a folder that is granted under that very name; MPI itself gets MPI_INFO_NULL. (The standard lets an
 *   implementation ignore keys; `host`, `arch`, `path`, `file` and `soft` are ignored.)
 *
 * Invariants.
 * - Whether the arguments are right is settled among all ranks before MPI is called: see mpi_agreement.c.
 * - MPI writes nothing here but the new communicator: error codes are asked for by nobody (MPI_ERRCODES_IGNORE), since
 *   their number comes from the root, and are written for the guest afterwards.
 */
#include "mpi_processes.h"

#include "mpi_hints.h"

enum { MOST_PROGRAMS = 256, MOST_ARGUMENTS = 8192, MOST_BYTES = 1 << 20 };

/* One of the programs of a spawn; what it points to lives in the call's scratch. */
struct program {
    const char *command;
    const char **arguments; /* NULL at their end */
    const char *folder;     /* or NULL */
    int32_t processes;
};

static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

static bool is_own_name(const char *command) {
    const char *name = guest_name(), *last = last_part(name);
    if (strncmp(command, "./", 2) == 0 && strcmp(command + 2, last) == 0) {
        return true;
    }
    return *last != '\0' && (strcmp(command, name) == 0 || strcmp(command, last) == 0);
}

/* The strings of an array that ends with NULL; NULL when they are not in guest memory or too many. */
static const char **arguments_in(struct scratch *scratch, uint32_t at, uint64_t *bytes) {
    uint32_t count = 0;
    while (at != 0 && count <= MOST_ARGUMENTS && room(at, (int64_t)count + 1, 4) && get32(at + count * 4) != 0) {
        count++;
    }
    if (at != 0 && (count > MOST_ARGUMENTS || !room(at, (int64_t)count + 1, 4))) {
        return NULL;
    }
    const char **list = scratch_take(scratch, (count + 1) * sizeof *list);
    for (uint32_t i = 0; list != NULL && i < count; i++) {
        uint64_t length = 0;
        const char *text = guest_string((uint32_t)get32(at + i * 4), MOST_BYTES, &length);
        *bytes += length + 1;
        list[i] = text == NULL || *bytes > MOST_BYTES ? NULL : string_in(scratch, (uint32_t)get32(at + i * 4));
        if (list[i] == NULL) {
            return NULL;
        }
    }
    if (list != NULL) {
        list[count] = NULL;
    }
    return list;
}

/* The working folder that the info asks for. False: it is no granted one. */
static bool folder_in(struct scratch *scratch, MPI_Info info, const char **folder) {
    char value[MPI_MAX_INFO_VAL + 1];
    *folder = NULL;
    if (!hint_in(info, "wdir", value)) {
        return true;
    }
    if (!guest_has_folder(value)) {
        return false;
    }
    char *copy = scratch_take(scratch, strlen(value) + 1);
    if (copy != NULL) {
        *folder = strcpy(copy, value);
    }
    return copy != NULL;
}

static struct refusal program_in(struct scratch *scratch, struct program *program, uint32_t command_at, uint32_t argv_at,
                                 int32_t processes, int32_t info_handle, uint64_t *bytes) {
    MPI_Info info;
    uint64_t length = 0;
    program->processes = processes;
    program->command = guest_string(command_at, MOST_BYTES, &length) == NULL ? NULL : string_in(scratch, command_at);
    if (program->command == NULL) {
        return (struct refusal){"command", ABI_MPI_ERR_ARG};
    }
    program->arguments = arguments_in(scratch, argv_at, bytes);
    if (program->arguments == NULL) {
        return (struct refusal){"argv", ABI_MPI_ERR_ARG};
    }
    if (processes < 1) {
        return (struct refusal){"maxprocs", ABI_MPI_ERR_ARG};
    }
    if (!info_in(info_handle, &info)) {
        return (struct refusal){"info", ABI_MPI_ERR_INFO};
    }
    return folder_in(scratch, info, &program->folder) ? (struct refusal){NULL, 0}
                                                      : (struct refusal){"info", ABI_MPI_ERR_INFO_VALUE};
}

static struct refusal may_start(const char *here, const struct program *programs, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        if (!is_own_name(programs[i].command)) {
            tell(here, "a program may start itself, which is \"%s\" here, and not \"%.100s\"", guest_name(),
                 programs[i].command);
            return (struct refusal){"command", ABI_MPI_ERR_SPAWN};
        }
    }
    if (guest_may_start() == 0) {
        tell(here, "this job may start no processes; `argosy run --spawn N` grants it N");
        return (struct refusal){"maxprocs", ABI_MPI_ERR_SPAWN};
    }
    return (struct refusal){NULL, 0};
}

/* The root's part: the commands that MPI is to start, paid for. */
static struct refusal commands_of(struct scratch *scratch, const char *here, const struct program *programs,
                                  int32_t count, int64_t total, char **path, char ***words) {
    int64_t have, theirs = 0;
    *path = scratch_take(scratch, 1024);
    if (*path == NULL || !guest_launcher(*path, 1024)) {
        tell(here, "the launcher's path is too long, or has characters that not every process manager carries");
        return (struct refusal){"command", ABI_MPI_ERR_SPAWN};
    }
    if (!grant_take(total, &have, &theirs)) {
        tell(here, "%lld more processes are more than the %lld that are left here of what `argosy run --spawn` granted",
             (long long)total, (long long)have);
        return (struct refusal){"maxprocs", ABI_MPI_ERR_SPAWN};
    }
    for (int32_t i = 0; i < count; i++) {
        words[i] = guest_again(programs[i].command, programs[i].arguments, programs[i].folder, theirs);
        if (words[i] == NULL) {
            return (struct refusal){"argv", ABI_MPI_ERR_NO_MEM};
        }
    }
    return (struct refusal){NULL, 0};
}

struct spawn {
    struct program *programs;
    char **paths, ***words;
    int *processes;
    MPI_Info *infos;
    int32_t count;
    int64_t total;
};

static bool make_room(struct scratch *scratch, struct spawn *spawn, int32_t count) {
    size_t n = (size_t)count;
    spawn->count = count;
    spawn->programs = scratch_take(scratch, n * sizeof *spawn->programs);
    spawn->paths = scratch_take(scratch, n * sizeof *spawn->paths);
    spawn->words = scratch_take(scratch, n * sizeof *spawn->words);
    spawn->processes = scratch_take(scratch, n * sizeof *spawn->processes);
    spawn->infos = scratch_take(scratch, n * sizeof *spawn->infos);
    if (spawn->programs == NULL || spawn->paths == NULL || spawn->words == NULL || spawn->processes == NULL ||
        spawn->infos == NULL) {
        return false;
    }
    memset(spawn->words, 0, n * sizeof *spawn->words);
    return true;
}

/* At the root: read and judge what the guest wants; `multiple` has arrays of it. */
static struct refusal spawn_in(struct scratch *scratch, struct spawn *spawn, const wasmtime_val_raw_t *v, bool multiple,
                               const char *here) {
    int32_t count = multiple ? v[0].i32 : 1;
    uint64_t bytes = 0;
    if (count < 1 || count > MOST_PROGRAMS) {
        return (struct refusal){"count", ABI_MPI_ERR_ARG};
    }
    uint32_t commands = (uint32_t)v[1].i32, argvs = (uint32_t)v[2].i32, most = (uint32_t)v[3].i32,
             infos = (uint32_t)v[4].i32;
    if (multiple && (!room(commands, count, 4) || (argvs != 0 && !room(argvs, count, 4)))) {
        return (struct refusal){room(commands, count, 4) ? "array_of_argv" : "array_of_commands", ABI_MPI_ERR_ARG};
    }
    if (multiple && (!room(most, count, 4) || !room(infos, count, 4))) {
        return (struct refusal){room(most, count, 4) ? "array_of_info" : "array_of_maxprocs", ABI_MPI_ERR_ARG};
    }
    if (!make_room(scratch, spawn, count)) {
        return (struct refusal){"count", ABI_MPI_ERR_NO_MEM};
    }
    for (int32_t i = 0; i < count; i++) {
        uint32_t at = (uint32_t)i * 4;
        struct refusal wrong =
            multiple ? program_in(scratch, &spawn->programs[i], (uint32_t)get32(commands + at),
                                  argvs == 0 ? 0 : (uint32_t)get32(argvs + at), get32(most + at), get32(infos + at), &bytes)
                     : program_in(scratch, &spawn->programs[i], (uint32_t)v[0].i32, (uint32_t)v[1].i32, v[2].i32,
                                  v[3].i32, &bytes);
        if (wrong.argument != NULL) {
            return wrong;
        }
        spawn->processes[i] = spawn->programs[i].processes;
        spawn->infos[i] = MPI_INFO_NULL;
        spawn->total += spawn->programs[i].processes;
    }
    return may_start(here, spawn->programs, count);
}

static void put_codes(uint32_t at, int32_t count, int32_t code) {
    if (at != 0 && count >= 0 && count <= MOST_ERRORS && room(at, count, 4)) {
        for (int32_t i = 0; i < count; i++) {
            put32(at + (uint32_t)i * 4, code);
        }
    }
}

static int start(const struct spawn *spawn, struct comm_info *comm, int root, bool multiple, MPI_Comm *made) {
    /* Only the root's count and programs mean anything. */
    char nothing[] = "", *no_command[] = {nothing}, **no_arguments[] = {MPI_ARGV_NULL};
    int one[] = {1};
    MPI_Info none[] = {MPI_INFO_NULL};
    if (comm->rank != root) {
        return multiple ? MPI_Comm_spawn_multiple(1, no_command, no_arguments, one, none, root, comm->host, made,
                                                  MPI_ERRCODES_IGNORE)
                        : MPI_Comm_spawn(nothing, MPI_ARGV_NULL, 1, MPI_INFO_NULL, root, comm->host, made,
                                         MPI_ERRCODES_IGNORE);
    }
    return multiple ? MPI_Comm_spawn_multiple(spawn->count, spawn->paths, spawn->words, spawn->processes, spawn->infos,
                                              root, comm->host, made, MPI_ERRCODES_IGNORE)
                    : MPI_Comm_spawn(spawn->paths[0], spawn->words[0], spawn->processes[0], MPI_INFO_NULL, root,
                                     comm->host, made, MPI_ERRCODES_IGNORE);
}

static wasm_trap_t *spawn_any(wasmtime_val_raw_t *v, const char *here, bool multiple) {
    struct scratch scratch = {NULL};
    struct spawn spawn = {0};
    struct roles roles;
    struct refusal wrong = {NULL, 0};
    int first = multiple ? 5 : 4;
    struct comm_info *comm = comm_info_in(v[first + 1].i32);
    uint32_t made_at = (uint32_t)v[first + 2].i32, codes_at = (uint32_t)v[first + 3].i32;
    if (comm == NULL || comm->inter) {
        v[0].i32 = refuse(comm == NULL ? MPI_COMM_WORLD : comm->host, here, "comm", ABI_MPI_ERR_COMM);
        return NULL;
    }
    if (!root_in(comm, v[first].i32, &roles)) {
        v[0].i32 = refuse(comm->host, here, "root", ABI_MPI_ERR_ROOT);
        return NULL;
    }
    if (!room(made_at, 1, 4)) {
        wrong = (struct refusal){"intercomm", ABI_MPI_ERR_ARG};
    } else if (roles.root) {
        wrong = spawn_in(&scratch, &spawn, v, multiple, here);
    }
    int32_t total = spawn.total > MOST_ERRORS ? -1 : (int32_t)spawn.total;
    bool agreed = settled(comm, roles.host_root, &wrong, &total, codes_at);
    MPI_Comm made = MPI_COMM_NULL;
    int code = MPI_SUCCESS;
    if (agreed && roles.root) { /* what is written here is spent, whatever comes of it */
        wrong = commands_of(&scratch, here, spawn.programs, spawn.count, spawn.total, &spawn.paths[0], spawn.words);
        for (int32_t i = 1; i < spawn.count; i++) {
            spawn.paths[i] = spawn.paths[0];
        }
    }
    int32_t nothing = 0;
    if (!agreed || !settled(comm, roles.host_root, &wrong, &nothing, 0)) {
        put_codes(codes_at, total, wrong.class);
        v[0].i32 = refuse(comm->host, here, wrong.argument, wrong.class);
    } else {
        code = start(&spawn, comm, roles.host_root, multiple, &made);
        put_codes(codes_at, total, error_out(code));
    }
    for (int32_t i = 0; spawn.words != NULL && i < spawn.count; i++) {
        again_free(spawn.words[i]);
    }
    scratch_free(&scratch);
    return wrong.argument != NULL ? NULL : comm_answer(v, here, made_at, made, code);
}

IMPORT(MPI_Comm_spawn) {
    ENTER("MPI_Comm_spawn")
    return spawn_any(v, here, false);
}

IMPORT(MPI_Comm_spawn_multiple) {
    ENTER("MPI_Comm_spawn_multiple")
    return spawn_any(v, here, true);
}

/* Always the same handle: MPI has one such communicator, and who frees it by one handle frees it by all. */
IMPORT(MPI_Comm_get_parent) {
    ENTER("MPI_Comm_get_parent")
    static uint32_t known;
    MPI_Comm parent = MPI_COMM_NULL;
    if (!room((uint32_t)v[0].i32, 1, 4)) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "parent", ABI_MPI_ERR_ARG);
        return NULL;
    }
    int code = MPI_Comm_get_parent(&parent);
    if (code == MPI_SUCCESS) {
        struct slot *slot = slot_find(&comm_handles, known);
        if (slot == NULL || comm_unpack(slot->host) != parent || parent == MPI_COMM_NULL) {
            known = comm_out(parent);
        }
        if (known == 0) {
            return guest_trap("%s: no room for another MPI_Comm", here);
        }
        put32((uint32_t)v[0].i32, (int32_t)known);
    }
    v[0].i32 = error_out(code);
    return NULL;
}
