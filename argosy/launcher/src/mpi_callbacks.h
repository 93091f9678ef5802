/* Calls from MPI into the guest: memory for their operands, and C functions that stand for guest functions. */
#ifndef ARGOSY_MPI_CALLBACKS_H
#define ARGOSY_MPI_CALLBACKS_H

#include "mpi_handles.h"

/* One guest function, and the datatype that it was last called for. A pool has PLACES of them, and as many C functions
 * that stand for them, one for each number that ALL(M) gives to M. */
struct place {
    uint32_t function;
    bool used;
    wasmtime_func_t operation; /* of a user's operation: what the element of the table was when it was created */
    MPI_Datatype last_host;
    uint64_t last_drops; /* datatype_drops then: a library gives a freed datatype's handle to the next one */
    uint32_t last_guest;
    struct type_info last_info;
};
#define PLACES 256
#define HEX(M, h) M(h##0) M(h##1) M(h##2) M(h##3) M(h##4) M(h##5) M(h##6) M(h##7) M(h##8) M(h##9) M(h##a) M(h##b)       \
    M(h##c) M(h##d) M(h##e) M(h##f)
#define ALL(M)                                                                                                         \
    HEX(M, 0x0) HEX(M, 0x1) HEX(M, 0x2) HEX(M, 0x3) HEX(M, 0x4) HEX(M, 0x5) HEX(M, 0x6) HEX(M, 0x7) HEX(M, 0x8)        \
    HEX(M, 0x9) HEX(M, 0xa) HEX(M, 0xb) HEX(M, 0xc) HEX(M, 0xd) HEX(M, 0xe) HEX(M, 0xf)

/* The place of a guest function in a pool; -1 when it is full. */
int place_of(struct place *pool, uint32_t function);

/* Room in guest memory for one callback, given back by releasing the mark taken before. Ends the job when the guest's
 * memory cannot grow: there is no way to tell MPI from inside. */
uint64_t lent_mark(void);
uint32_t lent_take(uint64_t bytes, const char *what);
void lent_release(uint64_t mark);

/* A guest address that stays for good, 8 bytes: where values live that MPI gives by address. */
uint32_t lent_cell(const char *what);

/* Error handlers, by what has them. */
enum errhandler_sort { OF_COMM, OF_WIN, OF_FILE, OF_SESSION };

/* Is it an error handler, predefined or made for this sort of object? */
bool errhandler_fits(int32_t guest, enum errhandler_sort sort);
/* Answer a wrong call by the error handler that it hands over, for an object that is not there yet. */
int32_t refuse_by(int32_t handler, uint32_t object, const char *function, const char *argument, int32_t abi_class);
/* MPI has come up: make the error handlers that the guest asked for before. */
void errhandlers_make(void);

/* MPI has gone down: no key, nor any function of the guest's that a key names, is known to it any more. */
void keys_end(void);

#endif
