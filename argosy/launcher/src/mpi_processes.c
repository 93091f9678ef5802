/* Processes that the guest starts, and processes that it meets: MPI 5.0, "Process Creation and Management".
 *
 * What a hostile guest may want here, and what stands against it.
 * - To start another program, with other rights, or without end. MPI gets a command that guest_again wrote: this
 *   launcher, this module, the grants of this process, in an alphabet that process managers cannot misread (a newline
 *   in an argument is a command of its own to MPICH's). The guest chooses the arguments. Its command must be its own
 *   name: as in its argv[0], or the last part of it with or without "./".
 * - To start more than it was granted (`--spawn N`, 0 by default). The root of a spawn decides, by what MPI keeps for
 *   the whole world in memory of the node's (a window on a communicator that the guest has no handle of): what ranks
 *   tell each other on the guest's own communicators could be forged. Half of what a spawn leaves goes with the world
 *   that it starts, which keeps that in the same way; so a job never starts more than N. What was asked for is spent
 *   even when MPI fails to start it.
 * - To choose the host, the environment or the folders by info. Of all keys only `wdir` is interpreted, and only when
 *   it names a folder that is granted under that very name; MPI itself gets MPI_INFO_NULL. (The standard lets an
 *   implementation ignore keys; `host`, `arch`, `path`, `file` and `soft` are ignored.)
 * - To talk to what is no MPI process, or to another job. A port's name holds host addresses and is parsed by the MPI
 *   library. Names that MPI_Open_port gives are therefore signed with the job's key ($ARGOSY_JOB_KEY: `argosy run` makes
 *   one, and the guest does not see it), and MPI_Comm_connect takes signed names only; MPI_Comm_accept takes ports that
 *   this process has open. With `--connect`, the user has granted to meet other jobs, and names are the library's own.
 *   Names of services are written in a small alphabet before MPI sees them; what is published under them is a text.
 *
 * Invariants.
 * - Whether the arguments are right is settled among all ranks of the communicator before MPI is called: MPI's own
 *   functions would wait for a root that has been refused. What other ranks say decides on nothing but refusals.
 * - MPI writes nothing here but the new communicator: error codes are asked for by nobody (MPI_ERRCODES_IGNORE), since
 *   their number comes from the root, and are written for the guest afterwards.
 */
#include <stdarg.h>

#include "mpi_handles.h"
#include "mpi_private.h"
#include "mpi_processes.h"

enum { MOST_PROGRAMS = 256, MOST_ARGUMENTS = 8192, MOST_BYTES = 1 << 20, MOST_ERRORS = 1 << 20, MOST_SERVICE = 200 };
enum { DIGEST = 16, SIGNED_PREFIX = sizeof "argosy-" - 1 + DIGEST + 1 };

/* Room for any library's port name and for what signing adds. */
#define PORT_ROOM (ABI_MPI_MAX_PORT_NAME + MPI_MAX_PORT_NAME + SIGNED_PREFIX + 1)

/* What a call is refused for; `argument` NULL: nothing. */
struct refusal {
    const char *argument;
    int32_t class;
};

/* What no class can say, once or twice for each process: a guest may try in a loop. */
static void __attribute__((format(printf, 2, 3))) tell(const char *function, const char *format, ...) {
    static int told;
    char text[512];
    int rank = -1;
    va_list arguments;
    if (told++ >= 3) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    fprintf(stderr, "argosy: rank %d: %s: %s\n", rank, function, text);
    fflush(stderr);
}

/* All ranks of `comm` learn whether all are content, and what the root says of `total`. False: some rank is not, and
 * the class, if only that of another one, is in `mine`. */
static bool settled(struct comm_info *comm, int root, struct refusal *mine, int32_t *total, uint32_t codes_at) {
    int32_t said = *total, worst = 0;
    MPI_Comm apart;
    if (private_make(comm, PRIVATE_PROCESSES, &apart) != MPI_SUCCESS ||
        MPI_Bcast(&said, 1, MPI_INT32_T, root, apart) != MPI_SUCCESS) {
        private_free(&apart);
        *mine = (struct refusal){"comm", ABI_MPI_ERR_OTHER};
        return false;
    }
    *total = said;
    if (mine->argument == NULL && codes_at != 0 && (said < 0 || said > MOST_ERRORS || !room(codes_at, said, 4))) {
        *mine = (struct refusal){"array_of_errcodes", ABI_MPI_ERR_ARG};
    }
    int code = MPI_Allreduce(&mine->class, &worst, 1, MPI_INT32_T, MPI_MAX, apart);
    private_free(&apart);
    if (code != MPI_SUCCESS) {
        *mine = (struct refusal){"comm", ABI_MPI_ERR_OTHER};
        return false;
    }
    if (worst != 0 && mine->argument == NULL) {
        *mine = (struct refusal){"(of another rank)", worst > 0 && worst <= ABI_MPI_ERR_LASTCODE ? worst : ABI_MPI_ERR_OTHER};
    }
    return mine->argument == NULL;
}

static void put_codes(uint32_t at, int32_t count, int32_t code) {
    if (at != 0 && count >= 0 && count <= MOST_ERRORS && room(at, count, 4)) {
        for (int32_t i = 0; i < count; i++) {
            put32(at + (uint32_t)i * 4, code);
        }
    }
}

/* --- starting ----------------------------------------------------------------------------------------------------- */

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
    char value[1025];
    int found = 0;
    *folder = NULL;
    if (info == MPI_INFO_NULL || MPI_Info_get(info, "wdir", sizeof value - 1, value, &found) != MPI_SUCCESS || !found) {
        return true;
    }
    value[sizeof value - 1] = '\0';
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

/* --- the grant ---------------------------------------------------------------------------------------------------- */

/* How many processes this world may still start: 8 bytes at its rank 0. */
static MPI_Win purse = MPI_WIN_NULL;
static MPI_Comm purse_comm = MPI_COMM_NULL;

void processes_begin(void) {
    int rank = 0;
    void *memory = NULL;
    if (guest_may_start() == 0 || MPI_Comm_dup(MPI_COMM_WORLD, &purse_comm) != MPI_SUCCESS) {
        return;
    }
    MPI_Comm_set_errhandler(purse_comm, MPI_ERRORS_RETURN);
    MPI_Comm_rank(purse_comm, &rank);
    if (MPI_Win_allocate(rank == 0 ? 8 : 0, 8, MPI_INFO_NULL, purse_comm, &memory, &purse) != MPI_SUCCESS) {
        purse = MPI_WIN_NULL;
        return;
    }
    MPI_Win_set_errhandler(purse, MPI_ERRORS_RETURN);
    if (rank == 0) {
        int64_t all = guest_may_start();
        MPI_Win_lock(MPI_LOCK_EXCLUSIVE, 0, 0, purse);
        MPI_Put(&all, 1, MPI_INT64_T, 0, 0, 1, MPI_INT64_T, purse);
        MPI_Win_unlock(0, purse);
    }
    MPI_Barrier(purse_comm);
}

void processes_end(void) {
    if (purse != MPI_WIN_NULL) {
        MPI_Win_free(&purse);
    }
    if (purse_comm != MPI_COMM_NULL) {
        MPI_Comm_free(&purse_comm);
    }
}

/* Take so many out of the purse, and half of the rest for their world. False: there are only `have`. */
static bool take(int64_t processes, int64_t *have, int64_t *theirs) {
    bool taken = false;
    *have = 0;
    if (purse == MPI_WIN_NULL || MPI_Win_lock(MPI_LOCK_EXCLUSIVE, 0, 0, purse) != MPI_SUCCESS) {
        return false;
    }
    if (MPI_Get(have, 1, MPI_INT64_T, 0, 0, 1, MPI_INT64_T, purse) == MPI_SUCCESS &&
        MPI_Win_flush(0, purse) == MPI_SUCCESS && processes <= *have) {
        int64_t left = *have - processes;
        *theirs = left / 2;
        left -= *theirs;
        taken = MPI_Put(&left, 1, MPI_INT64_T, 0, 0, 1, MPI_INT64_T, purse) == MPI_SUCCESS &&
                MPI_Win_flush(0, purse) == MPI_SUCCESS;
    }
    return MPI_Win_unlock(0, purse) == MPI_SUCCESS && taken;
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
    if (!take(total, &have, &theirs)) {
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

/* --- names of ports ------------------------------------------------------------------------------------------------ */

static inline uint64_t rotated(uint64_t word, int bits) {
    return word << bits | word >> (64 - bits);
}

static void sip_round(uint64_t s[4]) {
    s[0] += s[1], s[1] = rotated(s[1], 13) ^ s[0], s[0] = rotated(s[0], 32);
    s[2] += s[3], s[3] = rotated(s[3], 16) ^ s[2];
    s[0] += s[3], s[3] = rotated(s[3], 21) ^ s[0];
    s[2] += s[1], s[1] = rotated(s[1], 17) ^ s[2], s[2] = rotated(s[2], 32);
}

/* SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed digest of short texts. */
static uint64_t sip_hash(const uint64_t key[2], const char *text, size_t length) {
    uint64_t s[4] = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du, key[0] ^ 0x6c7967656e657261u,
                     key[1] ^ 0x7465646279746573u};
    for (size_t at = 0; at <= length; at += 8) {
        uint64_t word = 0;
        size_t bytes = length - at < 8 ? length - at : 8;
        memcpy(&word, text + at, bytes);
        if (bytes < 8) {
            word |= (uint64_t)length << 56;
        }
        s[3] ^= word;
        sip_round(s), sip_round(s);
        s[0] ^= word;
    }
    s[2] ^= 0xff;
    sip_round(s), sip_round(s), sip_round(s), sip_round(s);
    return s[0] ^ s[1] ^ s[2] ^ s[3];
}

/* The job's key; false where nobody made one. */
static bool job_key(uint64_t key[2]) {
    const char *text = getenv("ARGOSY_JOB_KEY");
    if (text == NULL || strlen(text) != 32 || strspn(text, "0123456789abcdef") != 32) {
        return false;
    }
    char half[17] = "";
    memcpy(half, text, 16);
    key[0] = strtoull(half, NULL, 16);
    key[1] = strtoull(text + 16, NULL, 16);
    return true;
}

/* "argosy-DIGEST:" before the name, where there is a key and the user has not granted to meet other jobs. */
static void sign_port(const char *name, char *given, size_t size) {
    uint64_t key[2];
    if (guest_may_connect() || !job_key(key)) {
        snprintf(given, size, "%s", name);
    } else {
        snprintf(given, size, "argosy-%016llx:%s", (unsigned long long)sip_hash(key, name, strlen(name)), name);
    }
}

/* The library's own name in what the guest was given; NULL: this job has opened no such port. */
static const char *signed_port(const char *given) {
    uint64_t key[2];
    char right[PORT_ROOM];
    if (strncmp(given, "argosy-", 7) != 0 || strlen(given) <= SIGNED_PREFIX || strlen(given) >= sizeof right ||
        !job_key(key)) {
        return NULL;
    }
    const char *name = given + SIGNED_PREFIX;
    snprintf(right, sizeof right, "argosy-%016llx:%s", (unsigned long long)sip_hash(key, name, strlen(name)), name);
    return strcmp(right, given) == 0 ? name : NULL;
}

/* A port's name is printable and has no spaces, in every library; it travels in lines of text. */
static bool is_text(const char *name, size_t most) {
    size_t length = strlen(name);
    for (size_t i = 0; i < length; i++) {
        if (name[i] <= ' ' || name[i] > '~' || strchr("\"'\\`", name[i]) != NULL) {
            return false;
        }
    }
    return length > 0 && length < most;
}

/* Ports that this process has open, by the library's names. */
struct port {
    struct port *next;
    char name[];
};
static struct port *open_ports;

static struct port **find_port(const char *name) {
    struct port **at = &open_ports;
    while (*at != NULL && strcmp((*at)->name, name) != 0) {
        at = &(*at)->next;
    }
    return at;
}

/* The port that this process has open under the guest's name for it. */
static struct port **own_port(struct scratch *scratch, uint32_t at) {
    uint64_t length = 0;
    const char *given = guest_string(at, PORT_ROOM, &length) == NULL ? NULL : string_in(scratch, at);
    const char *name = given == NULL ? NULL : signed_port(given);
    struct port **port = given == NULL ? NULL : find_port(name != NULL ? name : given);
    return port == NULL || *port == NULL ? NULL : port;
}

/* Where the guest may connect to. */
static const char *peer_port(struct scratch *scratch, uint32_t at, const char *here) {
    uint64_t length = 0, key[2];
    const char *given = guest_string(at, PORT_ROOM, &length) == NULL ? NULL : string_in(scratch, at);
    const char *name = given == NULL ? NULL : signed_port(given);
    if (name == NULL && given != NULL && guest_may_connect() && is_text(given, MPI_MAX_PORT_NAME)) {
        return given;
    }
    if (name == NULL && !guest_may_connect()) {
        tell(here, job_key(key) ? "no process of this job has opened that port; `argosy run --connect` grants connections "
                                  "to other jobs"
                                : "ports of this job cannot be told from others, since ARGOSY_JOB_KEY is not set; "
                                  "`argosy run --connect` grants connections to any");
    }
    return name;
}

IMPORT(MPI_Open_port) {
    ENTER("MPI_Open_port")
    MPI_Info info;
    uint32_t at = (uint32_t)v[1].i32;
    if (!info_in(v[0].i32, &info)) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "info", ABI_MPI_ERR_INFO);
        return NULL;
    }
    if (!room(at, 1, 1)) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "port_name", ABI_MPI_ERR_ARG);
        return NULL;
    }
    char name[MPI_MAX_PORT_NAME + 1] = "", given[PORT_ROOM];
    int code = MPI_Open_port(MPI_INFO_NULL, name);
    if (code != MPI_SUCCESS) {
        v[0].i32 = error_out(code);
        return NULL;
    }
    name[MPI_MAX_PORT_NAME] = '\0';
    sign_port(name, given, sizeof given);
    size_t size = strlen(given) + 1;
    struct port *port = malloc(sizeof *port + strlen(name) + 1);
    if (port == NULL || size > ABI_MPI_MAX_PORT_NAME || !room(at, (int64_t)size, 1)) {
        MPI_Close_port(name);
        free(port);
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "port_name", port == NULL ? ABI_MPI_ERR_NO_MEM : ABI_MPI_ERR_ARG);
        return NULL;
    }
    port->next = open_ports;
    strcpy(port->name, name);
    open_ports = port;
    put_string(at, size, given);
    v[0].i32 = ABI_MPI_SUCCESS;
    return NULL;
}

IMPORT(MPI_Close_port) {
    ENTER("MPI_Close_port")
    struct scratch scratch = {NULL};
    struct port **at = own_port(&scratch, (uint32_t)v[0].i32);
    scratch_free(&scratch);
    if (at == NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "port_name", ABI_MPI_ERR_PORT);
        return NULL;
    }
    struct port *port = *at;
    *at = port->next;
    v[0].i32 = error_out(MPI_Close_port(port->name));
    free(port);
    return NULL;
}

/* --- meeting ------------------------------------------------------------------------------------------------------ */

static wasm_trap_t *meet(wasmtime_val_raw_t *v, const char *here, bool accept) {
    struct scratch scratch = {NULL};
    struct roles roles;
    struct refusal wrong = {NULL, 0};
    MPI_Info info;
    struct comm_info *comm = comm_info_in(v[3].i32);
    uint32_t made_at = (uint32_t)v[4].i32;
    char *name = "";
    if (comm == NULL || comm->inter) {
        v[0].i32 = refuse(comm == NULL ? MPI_COMM_WORLD : comm->host, here, "comm", ABI_MPI_ERR_COMM);
        return NULL;
    }
    if (!root_in(comm, v[2].i32, &roles)) {
        v[0].i32 = refuse(comm->host, here, "root", ABI_MPI_ERR_ROOT);
        return NULL;
    }
    if (!room(made_at, 1, 4)) {
        wrong = (struct refusal){"newcomm", ABI_MPI_ERR_ARG};
    } else if (roles.root && !info_in(v[1].i32, &info)) {
        wrong = (struct refusal){"info", ABI_MPI_ERR_INFO};
    } else if (roles.root && accept) {
        struct port **port = own_port(&scratch, (uint32_t)v[0].i32);
        name = port == NULL ? NULL : (*port)->name;
    } else if (roles.root) {
        name = (char *)(uintptr_t)peer_port(&scratch, (uint32_t)v[0].i32, here);
    }
    if (name == NULL) {
        wrong = (struct refusal){"port_name", ABI_MPI_ERR_PORT};
    }
    int32_t nothing = 0;
    if (!settled(comm, roles.host_root, &wrong, &nothing, 0)) {
        v[0].i32 = refuse(comm->host, here, wrong.argument, wrong.class);
        scratch_free(&scratch);
        return NULL;
    }
    MPI_Comm made = MPI_COMM_NULL;
    int code = accept ? MPI_Comm_accept(name, MPI_INFO_NULL, roles.host_root, comm->host, &made)
                      : MPI_Comm_connect(name, MPI_INFO_NULL, roles.host_root, comm->host, &made);
    scratch_free(&scratch);
    return comm_answer(v, here, made_at, made, code);
}

IMPORT(MPI_Comm_accept) {
    ENTER("MPI_Comm_accept")
    return meet(v, here, true);
}

IMPORT(MPI_Comm_connect) {
    ENTER("MPI_Comm_connect")
    return meet(v, here, false);
}

/* --- names of services -------------------------------------------------------------------------------------------- */

/* The name with all but letters, digits and -_. as %XX: name servers are spoken to in lines of text. */
static char *service_in(struct scratch *scratch, uint32_t at) {
    uint64_t length = 0;
    const char *given = guest_string(at, MOST_SERVICE, &length);
    char *name = given == NULL || length == 0 ? NULL : scratch_take(scratch, 3 * length + 1), *end = name;
    for (uint64_t i = 0; name != NULL && i < length; i++) {
        static const char plain[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_.";
        bool is_plain = strchr(plain, given[i]) != NULL;
        end += is_plain ? snprintf(end, 2, "%c", given[i]) : snprintf(end, 4, "%%%02X", (unsigned)(uint8_t)given[i]);
    }
    return name;
}

static wasm_trap_t *publish(wasmtime_val_raw_t *v, const char *here, bool withdraw) {
    struct scratch scratch = {NULL};
    MPI_Info info;
    uint64_t length = 0;
    char *service = service_in(&scratch, (uint32_t)v[0].i32);
    char *port = guest_string((uint32_t)v[2].i32, ABI_MPI_MAX_PORT_NAME, &length) == NULL
                     ? NULL
                     : string_in(&scratch, (uint32_t)v[2].i32);
    if (service == NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "service_name", withdraw ? ABI_MPI_ERR_SERVICE : ABI_MPI_ERR_ARG);
    } else if (!info_in(v[1].i32, &info)) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "info", ABI_MPI_ERR_INFO);
    } else if (port == NULL || !is_text(port, MPI_MAX_PORT_NAME)) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "port_name", ABI_MPI_ERR_PORT);
    } else {
        v[0].i32 = error_out(withdraw ? MPI_Unpublish_name(service, MPI_INFO_NULL, port)
                                      : MPI_Publish_name(service, MPI_INFO_NULL, port));
    }
    scratch_free(&scratch);
    return NULL;
}

IMPORT(MPI_Publish_name) {
    ENTER("MPI_Publish_name")
    return publish(v, here, false);
}

IMPORT(MPI_Unpublish_name) {
    ENTER("MPI_Unpublish_name")
    return publish(v, here, true);
}

IMPORT(MPI_Lookup_name) {
    ENTER("MPI_Lookup_name")
    struct scratch scratch = {NULL};
    MPI_Info info;
    uint32_t at = (uint32_t)v[2].i32;
    char name[PORT_ROOM] = "";
    char *service = service_in(&scratch, (uint32_t)v[0].i32);
    if (service == NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "service_name", ABI_MPI_ERR_ARG);
    } else if (!info_in(v[1].i32, &info)) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "info", ABI_MPI_ERR_INFO);
    } else if (!room(at, 1, 1)) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "port_name", ABI_MPI_ERR_ARG);
    } else {
        int code = MPI_Lookup_name(service, MPI_INFO_NULL, name);
        size_t size = strnlen(name, ABI_MPI_MAX_PORT_NAME - 1) + 1;
        if (code == MPI_SUCCESS && !room(at, (int64_t)size, 1)) {
            v[0].i32 = refuse(MPI_COMM_WORLD, here, "port_name", ABI_MPI_ERR_ARG);
        } else {
            if (code == MPI_SUCCESS) {
                put_string(at, size, name);
            }
            v[0].i32 = error_out(code);
        }
    }
    scratch_free(&scratch);
    return NULL;
}
