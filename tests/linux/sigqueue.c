// SPDX-License-Identifier: MIT
// record: no, QEMU accepts a frame with a bad MXCSR, which a processor does not
// build: musl glibc
// flags: -w
/* Signals with values: order and number, the limit, who may pretend what; sigtimedwait and sigsuspend; what exec and fork
   keep; SIGCHLD; restarts. */
#include "test.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>

static int order[64], values[64];
static volatile int got; /* glibc says of sigprocmask that it calls nobody here: a handler may run in it */
static volatile int code;
static volatile long sender;

static void note(int sig, siginfo_t *info, void *context)
{
    order[got] = sig;
    values[got] = info->si_value.sival_int;
    got++;
    code = info->si_code;
    sender = info->si_pid;
}

static void install(int sig, int flags)
{
    struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | flags};
    sigfillset(&action.sa_mask);
    sigaction(sig, &action, NULL);
}

static void block(int how, int sig)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, sig);
    sigprocmask(how, &set, NULL);
}

static void show_order(const char *what)
{
    printf("%s:", what);
    for (int i = 0; i < got; i++) {
        if (order[i] >= SIGRTMIN) {
            printf(" RT%d(%d)", order[i] - SIGRTMIN, values[i]);
        } else {
            printf(" %d", order[i]);
        }
    }
    printf("\n");
    got = 0;
}

static void queueing(void)
{
    const int signals[] = {SIGRTMIN + 5, SIGRTMIN + 2, SIGUSR1, SIGUSR2};
    union sigval value = {0};
    sigset_t all, old, pending;

    for (int i = 0; i < 4; i++) {
        install(signals[i], 0);
    }
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &old);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 4; i++) {
            value.sival_int = round * 10 + i;
            SHOW(sigqueue(getpid(), signals[i], value));
        }
    }
    sigpending(&pending);
    SHOW(sigismember(&pending, SIGRTMIN + 5) + sigismember(&pending, SIGUSR1) + sigismember(&pending, SIGHUP));
    sigprocmask(SIG_SETMASK, &old, NULL);
    show_order("queued");
    SHOW(code); /* SI_QUEUE */
    HOLDS(sender == getpid());
    sigpending(&pending);
    SHOW(sigismember(&pending, SIGRTMIN + 5) + sigismember(&pending, SIGUSR1));

    block(SIG_BLOCK, SIGRTMIN + 2);
    kill(getpid(), SIGRTMIN + 2); /* for the process, then for the thread: that is taken first */
    kill(getpid(), SIGRTMIN + 2);
    value.sival_int = 55;
    sigqueue(getpid(), SIGRTMIN + 2, value);
    syscall(SYS_tkill, syscall(SYS_gettid), SIGRTMIN + 2);
    block(SIG_UNBLOCK, SIGRTMIN + 2);
    show_order("kill and queue");
    block(SIG_BLOCK, SIGRTMIN + 2);
    for (int i = 0; i < 5; i++) {
        kill(getpid(), SIGRTMIN + 2);
    }
    signal(SIGRTMIN + 2, SIG_IGN); /* forgets them */
    install(SIGRTMIN + 2, 0);
    block(SIG_UNBLOCK, SIGRTMIN + 2);
    show_order("ignored");
}

static void limit(void)
{
    struct rlimit before, few;
    union sigval value = {.sival_int = 1};
    int sent = 0;

    getrlimit(RLIMIT_SIGPENDING, &before);
    few = (struct rlimit){10, before.rlim_max};
    SHOW(setrlimit(RLIMIT_SIGPENDING, &few));
    block(SIG_BLOCK, SIGRTMIN + 2);
    while (sent < 100 && sigqueue(getpid(), SIGRTMIN + 2, value) == 0) {
        sent++;
    }
    SHOW(errno == EAGAIN);
    HOLDS(sent <= 11); /* others of this user may have some, too */
    SHOW(kill(getpid(), SIGRTMIN + 2)); /* without a value it comes all the same, once */
    SHOW(sigqueue(getpid(), SIGUSR1, value));
    setrlimit(RLIMIT_SIGPENDING, &before);
    got = 0;
    block(SIG_UNBLOCK, SIGRTMIN + 2);
    HOLDS(got >= sent);
    got = 0;
}

static void pretending(void)
{
    siginfo_t info = {.si_code = SI_QUEUE};
    pid_t parent = getppid();

    info.si_value.sival_int = 99;
    info.si_pid = 4711;
    SHOW(syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN + 5, &info));
    show_order("pretended");
    SHOW(sender);
    info.si_code = 5;
    SHOW(syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN + 5, &info));
    SHOW(code);
    got = 0;
    info.si_code = 0;
    fflush(stdout);
    if (fork() == 0) { /* to others one speaks the truth */
        SHOW(syscall(SYS_rt_sigqueueinfo, getppid(), SIGUSR1, &info));
        info.si_code = SI_TKILL;
        SHOW(syscall(SYS_rt_sigqueueinfo, getppid(), SIGUSR1, &info));
        SHOW(syscall(SYS_rt_tgsigqueueinfo, getppid(), getppid(), SIGUSR1, &info));
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    info.si_code = SI_QUEUE;
    SHOW(syscall(SYS_rt_sigqueueinfo, getpid(), 65, &info));
    SHOW(syscall(SYS_rt_sigqueueinfo, getpid(), 0, &info));
    SHOW(syscall(SYS_rt_sigqueueinfo, 999999999, 0, &info));
    SHOW(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, 8));
    SHOW(syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), SIGRTMIN + 5, &info));
    show_order("to the thread");
    SHOW(syscall(SYS_rt_tgsigqueueinfo, 0, getpid(), SIGUSR1, &info));
    SHOW(syscall(SYS_rt_tgsigqueueinfo, getpid(), 999999999, SIGUSR1, &info));
}

static void timed_wait(void)
{
    struct timespec soon = {0, 10000000}, nothing = {0}, bad = {0, 1000000000};
    union sigval value = {.sival_int = 42};
    siginfo_t info;
    sigset_t set;
    int status;

    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 5);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    SHOW(sigtimedwait(&set, &info, &nothing));
    SHOW(sigtimedwait(&set, &info, &soon));
    SHOW(sigtimedwait(&set, &info, &bad));
    sigqueue(getpid(), SIGRTMIN + 5, value);
    kill(getpid(), SIGUSR1);
    SHOW(sigtimedwait(&set, &info, &soon));
    SHOW(info.si_code);
    SHOW(sigtimedwait(&set, &info, NULL) - SIGRTMIN);
    SHOW(info.si_value.sival_int);
    SHOW(syscall(SYS_rt_sigtimedwait, &set, NULL, &nothing, 4));
    SHOW(syscall(SYS_rt_sigtimedwait, 8, NULL, &nothing, 8));
    SHOW(syscall(SYS_rt_sigtimedwait, &set, NULL, 8, 8));
    kill(getpid(), SIGUSR1);
    SHOW(syscall(SYS_rt_sigtimedwait, &set, NULL, NULL, 8));
    /* Others break it off; those that are waited for end it, from another process, however they are handled. */
    fflush(stdout);
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        usleep(20000);
        kill(parent, SIGUSR2);
        usleep(20000);
        kill(parent, SIGUSR1);
        _exit(0);
    }
    got = 0;
    SHOW(syscall(SYS_rt_sigtimedwait, &set, &info, NULL, 8)); /* one C library hides this */
    show_order("meanwhile");
    SHOW(sigwaitinfo(&set, &info));
    HOLDS(info.si_pid == child);
    waitpid(child, &status, 0);
    signal(SIGCHLD, SIG_DFL);
    sigaddset(&set, SIGCHLD);
    block(SIG_BLOCK, SIGCHLD); /* ignored by default, and kept while it is blocked */
    if ((child = fork()) == 0) {
        _exit(3);
    }
    SHOW(sigwaitinfo(&set, &info));
    SHOW(info.si_code);
    SHOW(info.si_status);
    HOLDS(info.si_pid == child);
    waitpid(child, &status, 0);
    block(SIG_UNBLOCK, SIGCHLD);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* A pipe's read begins again behind a handler with SA_RESTART, and behind one without it ends. */
static void restarting(void)
{
    char byte;
    int fds[2];

    for (int restart = 0; restart < 2; restart++) {
        pipe(fds);
        install(SIGUSR1, restart ? SA_RESTART : 0);
        got = 0;
        fflush(stdout);
        pid_t parent = getpid(), child = fork();
        if (child == 0) {
            usleep(20000);
            kill(parent, SIGUSR1);
            usleep(20000);
            write(fds[1], "x", 1);
            _exit(0);
        }
        SHOW(read(fds[0], &byte, 1));
        SHOW(got);
        waitpid(child, NULL, 0);
        close(fds[0]);
        close(fds[1]);
    }
    install(SIGUSR1, SA_RESTART);
    fflush(stdout);
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        usleep(20000);
        kill(parent, SIGUSR1);
        _exit(0);
    }
    SHOW(pause()); /* never restarted behind a handler */
    waitpid(child, NULL, 0);
}

static void keeping(void)
{
    sigset_t set, pending;
    int status;

    block(SIG_BLOCK, SIGUSR1);
    raise(SIGUSR1);
    fflush(stdout);
    if (fork() == 0) { /* a child inherits mask and handlers, not what waits */
        sigpending(&pending);
        sigprocmask(SIG_BLOCK, NULL, &set);
        printf("child: pending %d, blocked %d\n", sigismember(&pending, SIGUSR1), sigismember(&set, SIGUSR1));
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    got = 0;
    block(SIG_UNBLOCK, SIGUSR1);
    SHOW(got);
    if (fork() == 0) { /* exec keeps what waits, and what is ignored; handlers are gone */
        signal(SIGUSR2, SIG_IGN);
        block(SIG_BLOCK, SIGUSR1);
        raise(SIGUSR1);
        execl("/proc/self/exe", "sigqueue", "child", NULL);
        _exit(9);
    }
    wait(&status);
    SHOW(status);
}

static void child(void)
{
    sigset_t pending;
    struct sigaction action;

    sigpending(&pending);
    SHOW(sigismember(&pending, SIGUSR1));
    sigaction(SIGUSR2, NULL, &action);
    SHOW(action.sa_handler == SIG_IGN);
    sigaction(SIGRTMIN + 5, NULL, &action);
    SHOW(action.sa_handler == SIG_DFL);
    fflush(stdout);
    block(SIG_UNBLOCK, SIGUSR1); /* ends it */
}

/* A frame whose MXCSR has bits that there are not is refused. */
static void spoil(int sig, siginfo_t *info, void *context)
{
    ((ucontext_t *)context)->uc_mcontext.fpregs->mxcsr |= 0x80000000;
}

static void bad_frame(void)
{
    struct sigaction action = {.sa_sigaction = spoil, .sa_flags = SA_SIGINFO};
    int status;

    fflush(stdout);
    if (fork() == 0) {
        sigaction(SIGUSR1, &action, NULL);
        raise(SIGUSR1);
        _exit(1);
    }
    wait(&status);
    SHOW(WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

int main(int argc, char **argv)
{
    if (argc == 2) {
        child();
        return 1;
    }
    queueing();
    limit();
    pretending();
    timed_wait();
    restarting();
    keeping();
    bad_frame();
    return 0;
}
