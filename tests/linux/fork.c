// SPDX-License-Identifier: MIT
// build: glibc musl
/* Processes: fork and vfork, what a child has of its parent and what not, exit statuses, orphans, subreapers. */
#include "test.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static volatile int *shared; /* among all processes */
static volatile int private = 1;

static int status_of(pid_t pid)
{
    int status = -1;
    return waitpid(pid, &status, 0) == pid ? status : -1;
}

/* Runs body in a child; its status. */
#define CHILD(body)                                                                                          \
    ({                                                                                                       \
        fflush(stdout);                                                                                      \
        pid_t pid_ = fork();                                                                                 \
        if (pid_ == 0) {                                                                                     \
            body;                                                                                            \
            _exit(0);                                                                                        \
        }                                                                                                    \
        status_of(pid_);                                                                                     \
    })

static void statuses(void)
{
    SHOW(CHILD(_exit(0)));
    SHOW(CHILD(_exit(7)));
    SHOW(CHILD(_exit(256 + 9)));
    SHOW(CHILD(kill(getpid(), SIGKILL)));
    SHOW(CHILD(raise(SIGTERM)));
    SHOW(CHILD(*(volatile int *)8 = 1) & 0x7f);
    SHOW(CHILD(syscall(SYS_exit, 5)));
    SHOW(wait(NULL));
}

static void memory(void)
{
    private = 1;
    SHOW(CHILD(private = 2; *shared = private + 40));
    SHOW(private);
    SHOW(*shared);
    volatile char *big = mmap(NULL, 64 << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 64; i++) {
        big[i << 12] = (char)i;
    }
    SHOW(CHILD(for (int i = 0; i < 64; i++) { if (big[i << 12] != (char)i) _exit(1); big[i << 12] = 0; }));
    int sum = 0;
    for (int i = 0; i < 64; i++) {
        sum += big[i << 12];
    }
    SHOW(sum);
    SHOW(CHILD(sbrk(1 << 20) == (void *)-1 ? _exit(1) : (void)0));
}

static void descriptors(void)
{
    int fd = open("/proc/self/cmdline", O_RDONLY);
    char c;
    read(fd, &c, 1);
    SHOW(CHILD(_exit(lseek(fd, 2, SEEK_CUR) != 3))); /* the position is shared, ... */
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(CHILD(close(fd))); /* ... the descriptor is not */
    SHOW(fcntl(fd, F_GETFD));
    umask(022);
    SHOW(CHILD(chdir("/proc"); umask(077)));
    SHOW(umask(022));
    close(fd);
}

static void ids(void)
{
    pid_t self = getpid();
    HOLDS(CHILD(_exit(getppid() != self || getpid() == self || gettid() != getpid())) == 0);
    HOLDS(CHILD(_exit(getpgrp() != getpgid(self) || getsid(0) != getsid(self))) == 0);
    HOLDS(CHILD(raise(SIGCONT); _exit(kill(self, 0))) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    waitid(P_PID, pid, &(siginfo_t){0}, WEXITED | WNOWAIT);
    SHOW(kill(pid, 0)); /* a zombie is there */
    SHOW(kill(pid, SIGKILL));
    SHOW(status_of(pid));
    SHOW(kill(pid, 0));
}

static int caught;

static void count(int sig)
{
    caught++;
}

static void signals(void)
{
    sigset_t mask, old, now;
    signal(SIGUSR1, count);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    sigprocmask(SIG_BLOCK, &mask, &old);
    raise(SIGUSR2);
    /* Handlers and mask are inherited, what is pending is not. */
    SHOW(CHILD(sigpending(&now); if (sigismember(&now, SIGUSR2)) _exit(1);
               sigprocmask(SIG_BLOCK, NULL, &now); if (!sigismember(&now, SIGUSR2)) _exit(2);
               raise(SIGUSR1); _exit(10 + caught)));
    signal(SIGUSR2, SIG_IGN);
    sigprocmask(SIG_SETMASK, &old, NULL);
    SHOW(caught);
}

static void vforks(void)
{
    *shared = 0;
    private = 1;
    pid_t pid = vfork();
    if (pid == 0) {
        private = 5;
        for (int i = 0; i < 1000; i++) {
            *shared = i;
        }
        _exit(3);
    }
    SHOW(*shared);
    SHOW(private);
    SHOW(status_of(pid));
    pid = vfork();
    if (pid == 0) {
        execl("/proc/self/exe", "fork", "-child", "11", (char *)NULL);
        _exit(99);
    }
    SHOW(status_of(pid));
}

/* A grandchild outlives its parent. */
static void orphans(void)
{
    *shared = 0;
    pid_t old = 0;
    SHOW(CHILD(old = getpid(); if (fork() == 0) {
        while (getppid() == old) {
            sched_yield();
        }
        *shared = 1;
        _exit(0);
    }));
    while (*shared == 0) {
        sched_yield();
    }
    SHOW(waitpid(-1, NULL, 0)); /* it is nobody's, or init's */
    int subreaper = 0;
    SHOW(prctl(PR_SET_CHILD_SUBREAPER, 1));
    SHOW(prctl(PR_GET_CHILD_SUBREAPER, &subreaper));
    SHOW(subreaper);
    *shared = 0;
    SHOW(CHILD(prctl(PR_GET_CHILD_SUBREAPER, &subreaper); if (subreaper) _exit(1); old = getpid(); if (fork() == 0) {
        pid_t heir = old;
        while (getppid() == old) {
            sched_yield();
        }
        heir = getppid();
        *shared = heir;
        _exit(21);
    }));
    int status;
    pid_t grandchild = waitpid(-1, &status, 0);
    HOLDS(grandchild > 0);
    SHOW(status >> 8);
    HOLDS(*shared == getpid());
    /* A zombie comes over, too. */
    SHOW(CHILD(pid_t pid = fork(); if (pid == 0) _exit(22);
               waitid(P_PID, pid, &(siginfo_t){0}, WEXITED | WNOWAIT)));
    HOLDS(waitpid(-1, &status, 0) > 0);
    SHOW(status >> 8);
    prctl(PR_SET_CHILD_SUBREAPER, 0);
}

/* Many at once, each the parent of the next. */
static void many(void)
{
    int sum = 0, status;
    for (int i = 0; i < 20; i++) {
        if (fork() == 0) {
            _exit(i);
        }
    }
    while (wait(&status) > 0) {
        sum += status >> 8;
    }
    SHOW(sum);
    *shared = 0;
    int depth = 0;
    pid_t top = getpid();
    while (depth < 10 && fork() == 0) {
        depth++;
    }
    if (wait(&status) > 0) {
        *shared += status == 0;
    }
    if (getpid() != top) {
        _exit(0);
    }
    SHOW(*shared);
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "-child") == 0) {
        return atoi(argv[2]);
    }
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    setvbuf(stdout, NULL, _IOLBF, 0);
    statuses();
    memory();
    descriptors();
    ids();
    signals();
    vforks();
    orphans();
    many();
    return 0;
}
