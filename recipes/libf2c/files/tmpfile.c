/* Scratch files: wasi-libc has no tmpfile, for WASI has no folder for such files. They lie in the current one, without a
 * name from the moment on that they are open. Ranks share that folder, so a name that is taken is passed over. */
#include <errno.h>
#include <stdio.h>

FILE *tmpfile(void) {
    char name[32];
    for (int number = 0; number < 100000; number++) {
        snprintf(name, sizeof name, ".scratch.%d", number);
        FILE *file = fopen(name, "wb+x");
        if (file != NULL) {
            remove(name);
            return file;
        }
        if (errno != EEXIST) {
            break;
        }
    }
    return NULL;
}
