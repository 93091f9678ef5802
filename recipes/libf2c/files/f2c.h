/* What C that f2c has written includes: upstream's header, as it has to be on wasm32, where `long int` has 32 bits. */
#ifndef ARGOSY_F2C_H
#define ARGOSY_F2C_H

#define INTEGER_STAR_8
/* `f2c -E`: every file that has a COMMON block defines it, and the linker takes one. */
#define Extern __attribute__((weak))
#include "f2c.h0"

/* MPI's subroutines take fewer arguments than f2c passes where a message buffer is of type CHARACTER. */
#if defined __has_include
#if __has_include("mpif_calls.h")
#include "mpif_calls.h"
#endif
#endif

#endif
