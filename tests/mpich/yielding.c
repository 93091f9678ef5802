/* More ranks than cores, and a library that polls without ever yielding: a rank that waits holds its core for a whole
 * time slice, so a barrier of four ranks on two cores takes 9 ms instead of 30 us. MPICH's progress goes through UCX's,
 * which is a function of a shared library; this one, loaded before it, yields where there was nothing to do. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <sched.h>
#include <stddef.h>

unsigned ucp_worker_progress(void *worker);

unsigned ucp_worker_progress(void *worker) {
    static unsigned (*of_ucx)(void *);
    if (of_ucx == NULL) {
        of_ucx = (unsigned (*)(void *))dlsym(RTLD_NEXT, "ucp_worker_progress");
    }
    const unsigned done = of_ucx(worker); /* whoever calls this has UCX */
    if (done == 0) {
        sched_yield();
    }
    return done;
}
