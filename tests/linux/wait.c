// SPDX-License-Identifier: MIT
// build: glibc musl
/* wait4 and waitid: options, whom they mean, what they tell; SIGCHLD and who does not want it; children of clone; the death signal;
   process groups and sessions. */
#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#ifndef __WALL
#define __WALL 0x40000000
#endif
#ifndef __WCLONE
#define __WCLONE 0x80000000
#endif
#ifndef __WNOTHREAD
#define __WNOTHREAD 0x20000000
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static volatile int *shared;

static long wait4_(pid_t pid, int *status, int options, struct rusage *usage)
{
    return syscall(SYS_wait4, pid, status, options, usage);
}

static long waitid_(int type, int id, siginfo_t *info, int options)
{
    return syscall(SYS_waitid, type, id, info, options, NULL);
}

/* A child that waits until *shared has this value, and exits with it. */
static pid_t child_until(int value)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        while (*shared != value) {
            sched_yield();
        }
        _exit(value);
    }
    return pid;
}

static void errors(void)
{
    int status;
    SHOW(wait4_(-1, &status, 0, NULL));
    SHOW(wait4_(-1, &status, WNOHANG, NULL));
    SHOW(wait4_(-1, &status, 4, NULL));
    SHOW(wait4_((int)0x80000000, &status, 0, NULL));
    SHOW(wait4_(1, &status, 0, NULL));
    SHOW(waitid_(P_ALL, 0, NULL, 0));
    SHOW(waitid_(P_ALL, 0, NULL, WNOHANG));
    SHOW(waitid_(P_ALL, 0, NULL, WEXITED));
    SHOW(waitid_(P_ALL, 0, NULL, WEXITED | 0x10));
    SHOW(waitid_(P_PID, 0, NULL, WEXITED));
    SHOW(waitid_(P_PGID, -1, NULL, WEXITED));
    SHOW(waitid_(77, 1, NULL, WEXITED));
    pid_t pid = child_until(0);
    HOLDS(wait4_(pid, (int *)8, 0, NULL) == -1 && errno == EFAULT);
    SHOW(wait4_(pid, &status, 0, NULL)); /* it has been taken all the same */
}

static void options(void)
{
    siginfo_t info;
    struct rusage usage;
    int status = 99;

    *shared = 0;
    pid_t pid = child_until(5);
    SHOW(wait4_(pid, &status, WNOHANG, NULL));
    SHOW(status);
    memset(&info, 0x55, sizeof(info));
    SHOW(waitid_(P_PID, pid, &info, WEXITED | WNOHANG));
    SHOW(info.si_signo);
    SHOW(info.si_pid);
    SHOW(((unsigned char *)&info)[12]); /* what lies between the fields stays */
    *shared = 5;
    SHOW(waitid_(P_PID, pid, &info, WEXITED | WNOWAIT));
    SHOW(info.si_signo);
    SHOW(info.si_code);
    SHOW(info.si_status);
    HOLDS(info.si_pid == pid);
    SHOW(waitid_(P_PID, pid, &info, WSTOPPED | WCONTINUED | WNOHANG));
    memset(&usage, 0x55, sizeof(usage));
    HOLDS(wait4_(pid, &status, 0, &usage) == pid);
    HOLDS(usage.ru_utime.tv_sec >= 0 && usage.ru_utime.tv_sec < 1000 && usage.ru_stime.tv_sec < 1000);
    SHOW(status >> 8);
    pid = fork();
    if (pid == 0) {
        abort();
    }
    waitid_(P_ALL, 0, &info, WEXITED);
    HOLDS(info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED);
    SHOW(info.si_status);
    /* Groups. */
    *shared = 0;
    pid = child_until(6);
    SHOW(setpgid(pid, pid));
    *shared = 6;
    SHOW(wait4_(0, &status, 0, NULL));
    SHOW(waitid_(P_PGID, 0, &info, WEXITED));
    HOLDS(wait4_(-pid, &status, 0, NULL) == pid);
    SHOW(status >> 8);
}

static void stops(void)
{
    siginfo_t info;
    int status;

    *shared = 0;
    pid_t pid = child_until(7);
    kill(pid, SIGSTOP);
    HOLDS(waitid_(P_PID, pid, &info, WSTOPPED | WNOWAIT) == 0 && info.si_pid == pid);
    SHOW(info.si_code);
    SHOW(info.si_status);
    HOLDS(wait4_(pid, &status, WUNTRACED, NULL) == pid);
    SHOW(status);
    SHOW(wait4_(pid, &status, WUNTRACED | WNOHANG, NULL)); /* once */
    kill(pid, SIGCONT);
    HOLDS(waitid_(P_PID, pid, &info, WCONTINUED | WNOHANG) == 0 && info.si_pid == pid); /* at once, though it may not have run */
    SHOW(info.si_code);
    SHOW(info.si_status);
    kill(pid, SIGSTOP);
    HOLDS(wait4_(-1, &status, WUNTRACED, NULL) == pid);
    kill(pid, SIGCONT);
    HOLDS(wait4_(-1, &status, WCONTINUED, NULL) == pid);
    SHOW(status);
    kill(pid, SIGSTOP);
    HOLDS(wait4_(-1, &status, WUNTRACED, NULL) == pid);
    kill(pid, SIGKILL);
    HOLDS(wait4_(-1, &status, WUNTRACED | WCONTINUED, NULL) == pid);
    SHOW(status);
}

/* ---- SIGCHLD ---- */

static volatile int caught, code, child_status, from;

static void on_child(int sig, siginfo_t *info, void *context)
{
    caught++;
    code = info->si_code;
    child_status = info->si_status;
    from = info->si_pid;
}

static void signals(void)
{
    struct sigaction action = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO}, ignored = {.sa_handler = SIG_IGN};
    int status;
    pid_t pid;

    sigaction(SIGCHLD, &action, NULL);
    *shared = 0;
    pid = child_until(8);
    *shared = 8;
    HOLDS(wait4_(pid, &status, 0, NULL) == pid); /* told, and interrupted no more than that */
    SHOW(caught);
    SHOW(code);
    SHOW(child_status);
    HOLDS(from == pid);
    /* Stops are told, too, unless not wanted. */
    *shared = 0;
    pid = child_until(9);
    kill(pid, SIGSTOP);
    wait4_(pid, &status, WUNTRACED, NULL);
    SHOW(caught);
    SHOW(code);
    action.sa_flags = SA_SIGINFO | SA_NOCLDSTOP;
    sigaction(SIGCHLD, &action, NULL);
    kill(pid, SIGCONT);
    wait4_(pid, &status, WCONTINUED, NULL);
    SHOW(caught);
    /* A wait is interrupted by other signals. */
    *shared = 9;
    wait4_(pid, &status, 0, NULL);
    SHOW(caught);
    /* Not wanted: a signal, but no zombie; then neither. */
    action.sa_flags = SA_SIGINFO | SA_NOCLDWAIT;
    sigaction(SIGCHLD, &action, NULL);
    *shared = 0;
    pid = child_until(10);
    *shared = 10;
    SHOW(wait4_(-1, &status, 0, NULL));
    SHOW(caught);
    sigaction(SIGCHLD, &ignored, NULL);
    *shared = 0;
    pid = child_until(11);
    pid_t second = child_until(11);
    HOLDS(pid > 0 && second > 0);
    *shared = 11;
    SHOW(wait4_(-1, &status, 0, NULL)); /* not before both have ended */
    while (kill(pid, 0) == 0 || kill(second, 0) == 0) { /* they may be found a moment longer */
        sched_yield();
    }
    SHOW(kill(pid, 0));
    SHOW(kill(second, 0));
    signal(SIGCHLD, SIG_DFL);
}

static void on_alarm(int sig)
{
}

static void interrupted(void)
{
    struct sigaction action = {.sa_handler = on_alarm};
    int status;

    sigaction(SIGUSR1, &action, NULL);
    *shared = 0;
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        while (*shared == 0) {
            kill(parent, SIGUSR1); /* until it is in its wait */
            sched_yield();
        }
        _exit(3);
    }
    SHOW(wait4_(pid, &status, 0, NULL));
    *shared = 1;
    while (wait4_(pid, &status, 0, NULL) != pid) {}
    SHOW(status >> 8);
}

/* ---- clone ---- */

static char stack[16384] __attribute__((aligned(16)));

static int body(void *argument)
{
    *shared = 55;
    syscall(SYS_exit, 4);
    return 0;
}

static int fails(int flags)
{
    return clone(body, stack + sizeof(stack), flags, NULL) == -1 ? errno : 0;
}

static void clones(void)
{
    int status;
    pid_t pid, tid = -1;

    SHOW(fails(CLONE_THREAD) == EINVAL);
    SHOW(fails(CLONE_THREAD | CLONE_VM) == EINVAL);
    SHOW(fails(CLONE_SIGHAND) == EINVAL);
    /* No signal at the end: a child for __WCLONE and __WALL only. */
    pid = clone(body, stack + sizeof(stack), CLONE_VM, NULL);
    HOLDS(pid > 0);
    SHOW(wait4_(pid, &status, 0, NULL));
    HOLDS(wait4_(pid, &status, __WCLONE, NULL) == pid);
    SHOW(status >> 8);
    signal(SIGUSR2, SIG_IGN);
    pid = clone(body, stack + sizeof(stack), CLONE_VM | SIGUSR2, NULL);
    SHOW(wait4_(-1, &status, 0, NULL));
    HOLDS(wait4_(-1, &status, __WALL, NULL) == pid);
    pid = clone(body, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
    SHOW(*shared);
    SHOW(wait4_(pid, &status, __WCLONE, NULL));
    HOLDS(wait4_(pid, &status, 0, NULL) == pid);
    pid = clone(body, stack + sizeof(stack), CLONE_VM | CLONE_PARENT_SETTID | CLONE_FILES | CLONE_FS | CLONE_SIGHAND | SIGCHLD,
                NULL, &tid);
    HOLDS(pid == tid);
    HOLDS(wait4_(pid, &status, 0, NULL) == pid);
    /* Descriptors, and the file-mode mask, that are shared. */
    fflush(stdout);
    pid = syscall(SYS_clone, CLONE_FILES | CLONE_FS | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        close(0);
        chdir("/proc");
        _exit(0);
    }
    wait4_(pid, &status, 0, NULL);
    char cwd[64];
    SHOW(fcntl(0, F_GETFD));
    SHOW(strcmp(getcwd(cwd, sizeof(cwd)), "/proc"));
    open("/dev/null", O_RDONLY);
    chdir("/");
    /* clone3 */
    struct {
        unsigned long flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, more[24];
    } args = {.exit_signal = SIGCHLD};
    pid = syscall(SYS_clone3, &args, 64);
    if (pid == 0) {
        _exit(14);
    }
    HOLDS(wait4_(pid, &status, 0, NULL) == pid);
    SHOW(status >> 8);
    SHOW(syscall(SYS_clone3, &args, 63));
    SHOW(syscall(SYS_clone3, &args, 5000));
    SHOW(syscall(SYS_clone3, (void *)8, 64));
    args.more[20] = 1;
    SHOW(syscall(SYS_clone3, &args, sizeof(args)));
    args.exit_signal = 65;
    SHOW(syscall(SYS_clone3, &args, 64));
    args.exit_signal = 0;
    args.stack = (unsigned long)stack;
    SHOW(syscall(SYS_clone3, &args, 64));
    args.stack = 0;
    args.stack_size = 4096;
    SHOW(syscall(SYS_clone3, &args, 64));
    args.stack_size = 0;
    args.flags = SIGCHLD;
    SHOW(syscall(SYS_clone3, &args, 64));
}

/* ---- The parent's end ---- */

static void *make_child(void *argument)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        *shared = 1;
        for (;;) {
            pause();
        }
    }
    while (*shared == 0) {
        sched_yield();
    }
    return (void *)(long)pid;
}

static void death_signals(void)
{
    pthread_t thread;
    void *pid;
    int status, sig = 9;

    *shared = 0;
    pthread_create(&thread, NULL, make_child, NULL);
    pthread_join(thread, &pid);
    HOLDS(wait4_((long)pid, &status, 0, NULL) == (long)pid); /* the thread that made it has ended */
    SHOW(status);
    SHOW(prctl(PR_SET_PDEATHSIG, 65));
    SHOW(prctl(PR_SET_PDEATHSIG, 12));
    SHOW(prctl(PR_GET_PDEATHSIG, &sig));
    SHOW(sig);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_GET_PDEATHSIG, &sig);
        _exit(sig);
    }
    wait4_(child, &status, 0, NULL);
    SHOW(status >> 8);
    prctl(PR_SET_PDEATHSIG, 0);
    /* __WNOTHREAD: not the children of other threads. */
    *shared = 0;
    child = child_until(3);
    *shared = 3;
    HOLDS(wait4_(child, &status, __WNOTHREAD, NULL) == child);
}

static void groups(void)
{
    int status;

    *shared = 0;
    pid_t pid = child_until(4), other = child_until(4);
    SHOW(setpgid(pid, 0));
    HOLDS(getpgid(pid) == pid);
    SHOW(setpgid(other, pid));
    HOLDS(getpgid(other) == pid);
    SHOW(setpgid(other, 1 << 30));
    SHOW(setpgid(1 << 30, 0));
    SHOW(setpgid(pid, -1));
    SHOW(setpgid(other, getpgrp()));
    HOLDS(getpgid(other) == getpgrp());
    SHOW(setpgid(other, pid));
    *shared = 4;
    HOLDS(wait4_(pid, &status, 0, NULL) == pid);
    HOLDS(wait4_(-pid, &status, 0, NULL) == other); /* the group outlives its leader */
    SHOW(kill(-pid, 0));
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        pid_t self = getpid();
        int fine = setsid() == self && getsid(0) == self && getpgrp() == self && setsid() == -1 && errno == EPERM &&
                   setpgid(0, 0) == -1 && errno == EPERM;
        _exit(fine);
    }
    wait4_(pid, &status, 0, NULL);
    SHOW(status >> 8);
}

int main(int argc, char **argv)
{
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    errors();
    options();
    stops();
    signals();
    interrupted();
    clones();
    death_signals();
    groups();
    return 0;
}
