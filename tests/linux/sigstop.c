// SPDX-License-Identifier: MIT
// build: musl
// flags: -w
/* Stop and continue: what the parent is told, how often, and what is discarded; a stopped process does nothing and can be
   killed; threads stop together; orphaned groups. */
#include "test.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static volatile long *counts; /* shared */

/* In a group of its own: we are its parent, in the same session, so that it is not orphaned. */
static pid_t start(void (*work)(void))
{
    fflush(stdout);
    pid_t group = getpgrp();
    pid_t child = fork();
    if (child != 0) {
        setpgid(child, child); /* here alone, or the child could leave a group that it is put into later */
    } else {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody is left counting when we are ended */
        while (getpgrp() == group) {
            sched_yield();
        }
        work();
        _exit(0);
    }
    return child;
}

static void show_status(const char *what, pid_t child, int options)
{
    int status = 0;
    pid_t who = waitpid(child, &status, options);
    printf("%s: %s", what, who == child ? "" : who == 0 ? "nothing" : error_text(errno));
    if (who == child) {
        printf(WIFSTOPPED(status)     ? "stopped by %d"
               : WIFCONTINUED(status) ? "continued"
               : WIFSIGNALED(status)  ? "killed by %d"
                                      : "exited %d",
               WIFSTOPPED(status) ? WSTOPSIG(status) : WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
    printf("\n");
    fflush(stdout);
}

static void count(void)
{
    for (;;) {
        counts[0]++;
        sched_yield();
    }
}

static void *count_in_thread(void *which)
{
    for (;;) {
        counts[(long)which]++;
        sched_yield();
    }
}

static void count_with_threads(void)
{
    pthread_t thread;
    for (long i = 1; i < 4; i++) {
        pthread_create(&thread, NULL, count_in_thread, (void *)i);
    }
    count();
}

static void wait_until_counted(int threads)
{
    for (int i = 0; i < threads; i++) {
        long before = counts[i];
        while (counts[i] < before + 3) {
            usleep(1000);
        }
    }
}

/* All of them hold still. */
static int hold_still(int threads)
{
    long before[4];
    int still = 1;
    memcpy(before, (void *)counts, sizeof(before));
    usleep(30000);
    for (int i = 0; i < threads; i++) {
        still &= before[i] == counts[i];
    }
    return still;
}

static void basics(void)
{
    const int signals[] = {SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};
    pid_t child = start(count);

    wait_until_counted(1);
    for (int i = 0; i < 4; i++) {
        kill(child, signals[i]);
        show_status("stop", child, WUNTRACED);
        SHOW(hold_still(1));
        show_status("again", child, WUNTRACED | WCONTINUED | WNOHANG);
        kill(child, SIGCONT);
        show_status("continue", child, WCONTINUED);
        show_status("again", child, WUNTRACED | WCONTINUED | WNOHANG);
        wait_until_counted(1);
    }
    kill(child, SIGCONT); /* nothing to continue: nobody is told */
    show_status("not stopped", child, WCONTINUED | WNOHANG);
    kill(child, SIGSTOP);
    show_status("stop", child, WUNTRACED);
    kill(child, SIGTERM); /* waits until it goes on */
    show_status("terminated", child, WNOHANG);
    SHOW(hold_still(1));
    kill(child, SIGCONT);
    show_status("now", child, 0);

    child = start(count);
    kill(child, SIGSTOP);
    show_status("stop", child, WUNTRACED);
    kill(child, SIGKILL);
    show_status("killed", child, 0);
}

static void threads(void)
{
    pid_t child = start(count_with_threads);

    wait_until_counted(4);
    for (int i = 0; i < 3; i++) {
        kill(child, SIGSTOP);
        show_status("threads stop", child, WUNTRACED);
        SHOW(hold_still(4));
        show_status("told once", child, WUNTRACED | WNOHANG);
        kill(child, SIGCONT);
        show_status("threads go on", child, WCONTINUED);
        wait_until_counted(4);
    }
    kill(child, SIGSTOP);
    show_status("threads stop", child, WUNTRACED);
    kill(child, SIGKILL);
    show_status("threads killed", child, 0);
}

static volatile int continued, told, told_code;

static void note_continue(int sig)
{
    continued++;
}

/* SIGCONT wakes though it is ignored or blocked; its handler runs once it is not. */
static void waits_for_continue(void)
{
    sigset_t set, old;

    signal(SIGCONT, note_continue);
    sigemptyset(&set);
    sigaddset(&set, SIGCONT);
    sigprocmask(SIG_BLOCK, &set, &old);
    raise(SIGSTOP);
    int before = continued;
    sigprocmask(SIG_SETMASK, &old, NULL);
    _exit(before * 10 + continued);
}

static void ignores_continue(void)
{
    signal(SIGCONT, SIG_IGN);
    raise(SIGSTOP);
    _exit(4);
}

static void stops_itself_handled(void)
{
    signal(SIGTSTP, note_continue); /* a handler: no stop */
    raise(SIGTSTP);
    _exit(continued);
}

/* One takes back the other while it waits. */
static void takes_back(void)
{
    sigset_t set, pending;

    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGTSTP);
    sigpending(&pending);
    int first = sigismember(&pending, SIGTSTP);
    raise(SIGCONT);
    sigpending(&pending);
    int second = sigismember(&pending, SIGTSTP) * 2 + sigismember(&pending, SIGCONT);
    raise(SIGTTIN);
    sigpending(&pending);
    _exit(first * 100 + second * 10 + sigismember(&pending, SIGCONT));
}

static void handlers(void)
{
    pid_t child = start(waits_for_continue);
    show_status("stop", child, WUNTRACED);
    kill(child, SIGCONT);
    show_status("blocked SIGCONT", child, 0);
    child = start(ignores_continue);
    show_status("stop", child, WUNTRACED);
    kill(child, SIGCONT);
    show_status("ignored SIGCONT", child, 0);
    show_status("handled SIGTSTP", start(stops_itself_handled), WUNTRACED);
    show_status("taken back", start(takes_back), WUNTRACED);
}

static void note_child(int sig, siginfo_t *info, void *context)
{
    told++;
    told_code = info->si_code;
}

static void parent(void)
{
    struct sigaction action = {.sa_sigaction = note_child, .sa_flags = SA_SIGINFO | SA_RESTART};
    siginfo_t info = {0};

    sigaction(SIGCHLD, &action, NULL);
    pid_t child = start(count);
    kill(child, SIGSTOP);
    SHOW(waitid(P_PID, child, &info, WSTOPPED));
    SHOW(info.si_code);
    SHOW(info.si_status);
    SHOW(told);
    SHOW(told_code); /* CLD_STOPPED */
    kill(child, SIGCONT);
    SHOW(waitid(P_PID, child, &info, WCONTINUED));
    SHOW(info.si_code);
    while (told < 2) { /* Linux lets the child itself tell of this, when it runs: perhaps after the wait is over */
        usleep(1000);
    }
    SHOW(told);
    action.sa_flags |= SA_NOCLDSTOP;
    sigaction(SIGCHLD, &action, NULL);
    kill(child, SIGSTOP);
    SHOW(waitid(P_PID, child, &info, WSTOPPED));
    SHOW(told);
    kill(child, SIGKILL);
    SHOW(waitid(P_PID, child, &info, WEXITED));
    SHOW(told);
    SHOW(told_code);
    signal(SIGCHLD, SIG_DFL);
}

/* A group that nobody could continue does not stop, but by SIGSTOP. */
static void orphan(void)
{
    setpgid(0, getpgid(getppid())); /* a group's leader could not */
    setsid();
    raise(SIGTSTP);
    raise(SIGTTOU);
    _exit(6);
}

static void groups(void)
{
    pid_t first, second;

    show_status("orphaned", start(orphan), WUNTRACED);
    first = start(count);
    SHOW(setpgid(first, first));
    second = start(count);
    SHOW(setpgid(second, first));
    SHOW(setpgid(second, 999999999));
    SHOW(setpgid(999999999, first));
    SHOW(kill(-first, SIGSTOP));
    show_status("first", first, WUNTRACED);
    show_status("second", second, WUNTRACED);
    SHOW(kill(-first, SIGCONT));
    show_status("first", first, WCONTINUED);
    show_status("second", second, WCONTINUED);
    SHOW(killpg(first, SIGTERM));
    show_status("first", first, 0);
    show_status("second", second, 0);
    SHOW(kill(-first, 0));
}

int main(void)
{
    counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    basics();
    threads();
    handlers();
    parent();
    groups();
    return 0;
}
