"""Writes the C program that performs a sequence of calls which it reads: the fuzzer's half inside the guest.

The sequence is in the file `sequence`; the program writes each call that it begins and ends to `trace.<rank>`. It holds
handles in cells, which calls read and write by address; it asks MPI first whether a call that waits would return, and
leaves it out when it would not, since to wait for ever is a guest's right and no finding.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from argosy.mpi import abi
from argosy.mpi.api import Parameter, Procedure

CELLS = 64  # of each class
ARENA = 2 << 20
CLASSES = {handle.kind: place for place, handle in enumerate(abi.HANDLES)} | {
    name: len(abi.HANDLES) + place
    for place, name in enumerate(("COMM_KEYVAL", "TYPE_KEYVAL", "WIN_KEYVAL", "CODE", "STALE"))
}
_NULLS = [handle.values[handle.null] for handle in abi.HANDLES] + [0, 0, 0, 13, 0x12345678]

# How an argument is written: a number; what a cell holds; a cell's address; an address in the arena; one counted from
# the end of memory; a function of the guest; the number, seen from the other rank.
TAGS = ("number", "cell", "at", "arena", "end", "function", "peer")
POKE, COPY, GROW, BODY, FINALIZE = 0xFFFF, 0xFFFE, 0xFFFD, 0xFFFC, 0xFFFB
SPECIAL = {"poke": POKE, "copy": COPY, "grow": GROW, "body": BODY, "finalize": FINALIZE}

# The guest's functions: four of each signature, of which the last two run a body that the sequence gives them.
FAMILIES = ("operation", "copier", "deleter", "handler", "query", "release", "cancel", "convert", "extent", "strange")
_FUNCTIONS = {
    "operation": "void {n}(unsigned char *in, unsigned char *inout, int *n, int *t) {{"
    " (void)in, (void)t; if (*n > 0) inout[0] += 1; if ({k} == 3) (void)__builtin_wasm_memory_grow(0, 1); }}",
    "copier": "int {n}(int o, int k, int *e, int v, int *c, int *f) {{"
    " (void)o, (void)k, (void)e; *f = {k} != 0, *c = v; return body({b}); }}",
    "deleter": "int {n}(int o, int k, int v, int *e) {{ (void)o, (void)k, (void)v, (void)e; return body({b}); }}",
    "handler": "void {n}(int *o, int *c, ...) {{ (void)o, (void)c; body({b}); }}",
    "query": "int {n}(int *e, int *s) {{ (void)e; s[0] = s[1] = {k}; return body({b}); }}",
    "release": "int {n}(int *e) {{ (void)e; return body({b}); }}",
    "cancel": "int {n}(int *e, int d) {{ (void)e, (void)d; return body({b}); }}",
    "convert": "int {n}(int u, int t, int c, int f, long long p, int *e) {{"
    " (void)u, (void)t, (void)c, (void)f, (void)p, (void)e; return body({b}); }}",
    "extent": "int {n}(int t, int *x, int *e) {{ (void)t, (void)e; *x = 4; return body({b}); }}",
    "strange": "void {n}(double a, float b) {{ (void)a, (void)b; }}",
}

_TEMPLATE = """\
#include <mpi.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Alignas(4096) unsigned char arena[%(arena)d];
static unsigned cells[%(classes)d][%(cells)d];
static const unsigned nulls[%(classes)d] = {%(nulls)s};
static unsigned char *sequence, *sequence_end;
static int trace, rank, depth, buffered, posted;
static const unsigned char *bodies[64];
static int body_at[64];

typedef long long word;
static int body(int k);
%(functions)s
static void *const functions[] = {%(function_names)s};

static size_t memory(void) { return (size_t)__builtin_wasm_memory_size(0) << 16; }

/* --- would it return? --------------------------------------------------------------------------------------------- */

static int waits(word count, word at) {
    for (word i = 0; i < count && i < 4096; i++) {
        unsigned address = (unsigned)at + 4 * (unsigned)i;
        int flag = 1;
        if (address > memory() - 4) return 0;
        if (MPI_Request_get_status(*(MPI_Request *)address, &flag, MPI_STATUS_IGNORE) == 0 && !flag) return 1;
    }
    return 0;
}

static int never_comes(int source, int tag, MPI_Comm comm) {
    int flag = 1;
    return MPI_Iprobe(source, tag, comm, &flag, MPI_STATUS_IGNORE) == 0 && !flag;
}

static int is_self(int other, MPI_Comm comm) {
    int mine = -1, inter = 1;
    return MPI_Comm_test_inter(comm, &inter) == 0 && !inter && MPI_Comm_rank(comm, &mine) == 0 && mine == other;
}

static unsigned char sink[1 << 16];
/* A receive for what the rank sends itself; the messages that it meets before are lost. */
static MPI_Request receiver(int other, MPI_Comm comm) {
    MPI_Request request = MPI_REQUEST_NULL;
    int done = 1;
    for (int i = 0; done && i < 256; i++) {
        if (MPI_Irecv(sink, sizeof sink, MPI_BYTE, other, MPI_ANY_TAG, comm, &request) != 0) return MPI_REQUEST_NULL;
        MPI_Test(&request, &done, MPI_STATUS_IGNORE);
    }
    return request;
}
static void no_more(MPI_Request *request) {
    if (*request != MPI_REQUEST_NULL) MPI_Cancel(request), MPI_Wait(request, MPI_STATUS_IGNORE);
}

/* --- the calls ---------------------------------------------------------------------------------------------------- */

%(callers)s

enum { FREELY, WAIT, WAITALL, RECEIVE, SEND, BOTH, DETACH, BUFFERED, WINDOW, EPOCH, POST, START };
static const struct { word (*call)(const word *v); unsigned char guard, a, b, c, d, e; } calls[] = {
%(table)s
};

static int perform(int number, const word *v) {
    MPI_Comm comm;
    MPI_Request guard = MPI_REQUEST_NULL;
    int a = calls[number].a, b = calls[number].b, c = calls[number].c, d = calls[number].d, e = calls[number].e;
    switch (calls[number].guard) {
    case WAIT: if (waits(1, v[a])) return -1; break;
    case WAITALL: if (waits(v[a], v[b])) return -1; break;
    case RECEIVE: if (never_comes((int)v[a], (int)v[b], (MPI_Comm)(size_t)v[c])) return -1; break;
    case BOTH:
        comm = (MPI_Comm)(size_t)v[e];
        if (v[c] != MPI_PROC_NULL && never_comes((int)v[c], (int)v[d], comm) &&
            (v[a] != v[c] || (v[b] != v[d] && v[d] != MPI_ANY_TAG) || !is_self((int)v[a], comm))) return -1;
        break;
    case SEND:
        comm = (MPI_Comm)(size_t)v[c];
        if (is_self((int)v[a], comm)) guard = receiver((int)v[a], comm);
        break;
    case DETACH: if (buffered > 0) return -1; break;
    case EPOCH: {
        int flag = 0;
        if (MPI_Win_test((MPI_Win)(size_t)v[a], &flag) == 0) return flag - 1;
        break;
    }
    case START: if (posted == 0) return -1; break;
    case BUFFERED: buffered++; break;
    default: break;
    }
    int result = (int)calls[number].call(v);
    no_more(&guard);
    if (result == 0 && calls[number].guard == POST) posted++;
    if (result == 0 && calls[number].guard == START) posted--;
    if (result == 0 && calls[number].guard == WINDOW)
        MPI_Win_set_errhandler(*(MPI_Win *)(size_t)v[a], MPI_ERRORS_RETURN);
    return result;
}

/* --- the sequence ------------------------------------------------------------------------------------------------- */

static void say(int index, int result) {
    int said[2] = {index, result};
    (void)!write(trace, said, sizeof said);
}

static word value_of(int tag, word value) {
    unsigned *cell = &cells[value / %(cells)d %% %(classes)d][value %% %(cells)d];
    switch (tag) {
    case 1: return *cell;
    case 2: return (unsigned)(size_t)cell;
    case 3: return (unsigned)((size_t)arena + (size_t)value);
    case 4: return (unsigned)(memory() + (size_t)value);
    case 5: return (unsigned)(size_t)functions[(unsigned)value %% (sizeof functions / sizeof *functions)];
    case 6: return rank == 0 ? 1 - value : value;
    default: return value;
    }
}

/* Perform what stands at `at`, the unit `index` of the sequence; the address of what follows. */
static const unsigned char *step(const unsigned char *at, int *index) {
    unsigned short number;
    word v[32];
    memcpy(&number, at, 2);
    int n = at[2];
    at += 3;
    for (int i = 0; i < n; i++, at += 9) {
        memcpy(&v[i], at + 1, 8);
        v[i] = value_of(at[0], v[i]);
    }
    switch (number) {
    case %(poke)d:
        memcpy((void *)(size_t)v[0], at, (size_t)v[1]);
        return at + v[1];
    case %(copy)d: *(unsigned *)(size_t)v[0] = (unsigned)v[1]; break;
    case %(grow)d: (void)__builtin_wasm_memory_grow(0, (size_t)v[0]); break;
    case %(body)d:
        bodies[v[0] & 63] = at + 4;
        body_at[v[0] & 63] = *index;
        unsigned length;
        memcpy(&length, at, 4);
        at += 4 + length;
        break;
    case %(finalize)d:
        say(*index | 1 << 30, 0);
        if (buffered == 0) MPI_Finalize();
        say(*index, 0);
        _Exit(0);
    default:
        say(*index | 1 << 30, 0);
        say(*index, perform(number, v));
    }
    ++*index;
    return at;
}

static int body(int k) {
    if (bodies[k] == NULL || depth > 2) return 0;
    depth++;
    int index = body_at[k];
    const unsigned char *at = bodies[k];
    for (int before = index; index == before;) at = step(at, &index);
    depth--;
    return k %% 4 == 3 ? MPI_ERR_OTHER : 0;
}

int main(int argc, char **argv) {
    FILE *file = fopen("sequence", "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) return 2;
    long size = ftell(file);
    rewind(file);
    sequence = malloc((size_t)size);
    if (fread(sequence, 1, (size_t)size, file) != (size_t)size) return 2;
    fclose(file);
    sequence_end = sequence + size;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
    char name[] = "trace.0";
    name[6] = (char)('0' + rank);
    trace = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    for (int i = 0; i < %(classes)d; i++)
        for (int j = 0; j < %(cells)d; j++) cells[i][j] = nulls[i];
    int index = 0;
    for (const unsigned char *at = sequence; at < sequence_end;) at = step(at, &index);
    say(1 << 29, index);
    _Exit(0);
}
"""

_WAITING: dict[str, tuple[str, tuple[str, ...]]] = {
    "MPI_Wait": ("WAIT", ("request",)),
    "MPI_Waitall": ("WAITALL", ("count", "array_of_requests")),
    "MPI_Waitany": ("WAITALL", ("count", "array_of_requests")),
    "MPI_Waitsome": ("WAITALL", ("incount", "array_of_requests")),
    "MPI_Recv": ("RECEIVE", ("source", "tag", "comm")),
    "MPI_Probe": ("RECEIVE", ("source", "tag", "comm")),
    "MPI_Mprobe": ("RECEIVE", ("source", "tag", "comm")),
    "MPI_Send": ("SEND", ("dest", "tag", "comm")),
    "MPI_Ssend": ("SEND", ("dest", "tag", "comm")),
    "MPI_Rsend": ("SEND", ("dest", "tag", "comm")),
    "MPI_Sendrecv": ("BOTH", ("dest", "sendtag", "source", "recvtag", "comm")),
    "MPI_Sendrecv_replace": ("BOTH", ("dest", "sendtag", "source", "recvtag", "comm")),
    "MPI_Win_wait": ("EPOCH", ("win",)),
    "MPI_Win_post": ("POST", ()),
    "MPI_Win_start": ("START", ()),
    "MPI_Bsend": ("BUFFERED", ()),
    "MPI_Ibsend": ("BUFFERED", ()),
    "MPI_Bsend_init": ("BUFFERED", ()),
}
_DETACHING = ("detach_buffer", "Buffer_detach", "flush_buffer", "Buffer_flush")


def source(procedures: Sequence[Procedure]) -> str:
    """The program that can call these, by their places in the sequence given."""
    functions, names = [], []
    for place, family in enumerate(FAMILIES):
        for k in range(4):
            name = f"{family}_{k}"
            functions.append("static " + _FUNCTIONS[family].format(n=name, k=k, b=4 * place + k))
            names.append(f"(void *){name}")
    callers, table = [], []
    for procedure in procedures:
        given = ", ".join(_given(parameter, place) for place, parameter in enumerate(procedure.parameters))
        callers.append(
            f"static word call_{procedure.name}(const word *v) {{ (void)v; return (word){procedure.name}({given}); }}"
        )
        guard, places = _guard(procedure)
        table.append(f"    {{call_{procedure.name}, {guard}, {', '.join(map(str, places))}}},")
    return _TEMPLATE % {
        "arena": ARENA,
        "cells": CELLS,
        "classes": len(CLASSES),
        "nulls": ", ".join(map(str, _NULLS)),
        "functions": "\n".join(functions),
        "function_names": ", ".join(names),
        "callers": "\n".join(callers),
        "table": "\n".join(table),
        **SPECIAL,
    }


def _guard(procedure: Procedure) -> tuple[str, list[int]]:
    names = [parameter.name for parameter in procedure.parameters]
    guard, needed = _WAITING.get(procedure.base, ("FREELY", ()))
    if any(word in procedure.base for word in _DETACHING):
        guard = "DETACH"
    for place, parameter in enumerate(procedure.parameters):
        if parameter.kind == "WINDOW" and parameter.direction == "out":
            return "WINDOW", [place, 0, 0, 0, 0]
    places = [names.index(name) for name in needed]
    return guard, [*places, *([0] * (5 - len(places)))]


def _given(parameter: Parameter, place: int) -> str:
    """The argument as C passes it; a structure of the standard's own by its address in 32 bits."""
    if parameter.kind in ("FUNCTION", "POLYFUNCTION"):
        return f"({parameter.c_type} *)(size_t)v[{place}]"
    if parameter.array == "[][3]":
        return f"(int (*)[3])(size_t)v[{place}]"
    if parameter.is_pointer:
        if parameter.c_type.endswith("FUNCTION") or parameter.c_type.endswith("function"):
            return f"({parameter.c_type} *)(size_t)v[{place}]"
        return f"({parameter.c_type} {'*' * (parameter.stars + (parameter.array == '[]'))})(size_t)v[{place}]"
    if parameter.c_type in ("int", "MPI_Aint", "MPI_Count", "MPI_Offset", "double", "size_t") or parameter.wasm == "I":
        return f"({parameter.c_type})v[{place}]"
    return f"({parameter.c_type})(size_t)v[{place}]"


Argument = tuple[str, int]


def record(number: int, arguments: Iterable[Argument], tail: bytes = b"") -> bytes:
    """One step of the sequence as the program reads it."""
    packed = [struct.pack("<Bq", TAGS.index(tag), _signed(value)) for tag, value in arguments]
    return struct.pack("<HB", number, len(packed)) + b"".join(packed) + tail


def _signed(value: int) -> int:
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)
