/* The library's subroutines give nothing back, and f2c's C calls every subroutine as a function that gives an int:
 * WebAssembly tells the two apart. The library's own are compiled under the names on the right of recipe.toml's macros. */
#include "f2c.h"

#undef s_cat
#undef s_copy
#undef exit_
#undef getarg_
#undef getenv_

extern void f2c_s_cat(char *, char *[], ftnint[], ftnint *, ftnlen);
extern void f2c_s_copy(char *, char *, ftnlen, ftnlen);
extern void f2c_exit(integer *);
extern void f2c_getarg(ftnint *, char *, ftnlen);
extern void f2c_getenv(char *, char *, ftnlen, ftnlen);

int s_cat(char *to, char *from[], ftnint lengths[], ftnint *count, ftnlen length) {
    f2c_s_cat(to, from, lengths, count, length);
    return 0;
}

int s_copy(char *to, char *from, ftnlen to_length, ftnlen from_length) {
    f2c_s_copy(to, from, to_length, from_length);
    return 0;
}

int exit_(integer *status) {
    f2c_exit(status);
    return 0;
}

int getarg_(ftnint *number, char *value, ftnlen length) {
    f2c_getarg(number, value, length);
    return 0;
}

int getenv_(char *name, char *value, ftnlen name_length, ftnlen value_length) {
    f2c_getenv(name, value, name_length, value_length);
    return 0;
}
