/* argosy-job COMMAND...: start a job (mpiexec) and stand for it.
 *
 * Some process managers leave with status 0 when a signal ended their job, or leave processes behind. So this small
 * program waits in their place. Invariants: a signal that asks the job to end also decides how this process ends;
 * whatever the command started and left is ended with it (orphans come to us, PR_SET_CHILD_SUBREAPER); when this
 * process dies the command is asked to end; nothing is waited for longer than GRACE_SECONDS after the job was asked to
 * end. Signals are not handled but taken one at a time from sigtimedwait, so that no code runs in a handler. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { GRACE_SECONDS = 10, NOT_STARTED = 127, TIMES_ASKED = 100, PAUSE_NS = 20000000 };

static const int passed_on[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
enum { PASSED_ON = sizeof passed_on / sizeof *passed_on };

static bool asks_to_end(int number) {
    return number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGQUIT;
}

static pid_t start(char **command, const sigset_t *mask, pid_t parent) {
    pid_t child = fork();
    if (child != 0) {
        return child;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) { /* it has died already */
        _exit(NOT_STARTED);
    }
    sigprocmask(SIG_SETMASK, mask, NULL);
    execvp(command[0], command);
    fprintf(stderr, "argosy-job: cannot start %s: %s\n", command[0], strerror(errno));
    _exit(NOT_STARTED);
}

/* Take the ended children off the kernel's list; true when `child` was among them, with its status. */
static bool reap(pid_t child, int *status) {
    bool ended = false;
    int other;
    for (pid_t one; (one = waitpid(-1, &other, WNOHANG)) > 0;) {
        if (one == child) {
            *status = other;
            ended = true;
        }
    }
    return ended;
}

/* Send `number` to every child that is left; false when there is none. */
static bool signal_children(int number) {
    char name[64];
    long pid;
    bool any = false;
    snprintf(name, sizeof name, "/proc/self/task/%ld/children", (long)getpid());
    FILE *children = fopen(name, "re");
    if (children == NULL) {
        return false;
    }
    while (fscanf(children, "%ld", &pid) == 1) {
        any = kill((pid_t)pid, number) == 0 || any;
    }
    fclose(children);
    return any;
}

/* End what the job left behind: asked first, then forced; each that ends may hand its own children to us. */
static void end_orphans(void) {
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    int status;
    for (int i = 0; i < 2 * TIMES_ASKED && signal_children(i < TIMES_ASKED ? SIGTERM : SIGKILL); i++) {
        reap(0, &status);
        nanosleep(&pause, NULL);
    }
}

static _Noreturn void end_by(int number) {
    sigset_t mask;
    signal(number, SIG_DFL);
    sigemptyset(&mask);
    sigaddset(&mask, number);
    sigprocmask(SIG_UNBLOCK, &mask, NULL);
    raise(number);
    _exit(128 + number);
}

int main(int count, char **words) {
    sigset_t waited, before;
    int status = 0, ending = 0;
    time_t deadline = 0;
    if (count < 2) {
        fputs("usage: argosy-job COMMAND [ARGUMENT]...\n", stderr);
        return 2;
    }
    sigemptyset(&waited);
    sigaddset(&waited, SIGCHLD);
    for (int i = 0; i < PASSED_ON; i++) {
        struct sigaction action;
        if (sigaction(passed_on[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN) { /* nohup stays nohup */
            sigaddset(&waited, passed_on[i]);
        }
    }
    sigprocmask(SIG_BLOCK, &waited, &before);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid_t child = start(words + 1, &before, getpid());
    if (child < 0) {
        fprintf(stderr, "argosy-job: cannot start %s: %s\n", words[1], strerror(errno));
        return 1;
    }
    for (;;) {
        const struct timespec second = {.tv_sec = 1};
        siginfo_t information = {0};
        int number = sigtimedwait(&waited, &information, &second);
        if (reap(child, &status)) {
            break;
        }
        if (number > 0 && number != SIGCHLD) {
            if (information.si_code <= 0) { /* sent to us; a terminal sends to the whole group by itself */
                kill(child, number);
            }
            if (asks_to_end(number) && ending == 0) {
                ending = number;
                deadline = time(NULL) + GRACE_SECONDS;
            }
        }
        if (ending != 0 && time(NULL) >= deadline) {
            kill(child, SIGKILL);
        }
    }
    end_orphans();
    if (ending != 0) {
        end_by(ending);
    }
    if (WIFSIGNALED(status)) {
        end_by(WTERMSIG(status));
    }
    return WEXITSTATUS(status);
}
