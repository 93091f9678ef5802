/* Processes that the guest meets: ports, connections, and names of services (MPI 5.0, "Establishing Communication").
 *
 * What a hostile guest may want here, and what stands against it.
 * - To talk to what is no MPI process, or to another job. A port's name holds host addresses and is parsed by the MPI
 *   library. Names that MPI_Open_port gives are therefore signed with the job's key ($ARGOSY_JOB_KEY: `argosy run` makes
 *   one, and the guest does not see it), and MPI_Comm_connect takes signed names only; MPI_Comm_accept takes ports that
 *   this process has open. With `--connect`, the user has granted to meet other jobs, and names are the library's own.
 *   Names of services are written in a small alphabet before MPI sees them; what is published under them is a text.
 */
#include "mpi_processes.h"

enum { MOST_SERVICE = 200 };
enum { DIGEST = 16, SIGNED_PREFIX = sizeof "argosy-" - 1 + DIGEST + 1 };

/* Room for any library's port name and for what signing adds. */
#define PORT_ROOM (ABI_MPI_MAX_PORT_NAME + MPI_MAX_PORT_NAME + SIGNED_PREFIX + 1)

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
