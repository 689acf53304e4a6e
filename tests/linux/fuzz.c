// SPDX-License-Identifier: MIT
// build: musl
// flags: -w
/*
 * Wild system calls: workers that are forked again whenever they die, each with threads that call at random, and one that changes
 * the memory that the calls look at. Arguments are chosen by the words of the handler's own table, nearly right more often than not.
 * Whoever makes no progress is killed. At the end nothing of it may be left.
 *
 *      fuzz SEED CALLS [CALL]      CALL: that one alone
 *
 * Run by `make soak S=linux`, on Primer only.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORKERS 4
#define CALLERS 3
#define FORKS   6           /* grandchildren of a worker at a time */
#define ARENA   (64 * 4096) /* what pointers point into */
#define WAITING 2           /* looks without progress before a worker's calls are broken off, ... */
#define STALLED 30          /* ... and before it is killed */

static const struct {
    const char *name, *words;
} calls[] = {
#define CALL(number, name, words, parameters) [number] = {#name, words},
#define NONE(number, name)                    [number] = {#name, NULL},
#include "../../subsystems/linux/calls.h"
};
#define COUNT ((int)(sizeof(calls) / sizeof(calls[0])))

/* What would end the run itself, or the machine: the last call of a worker, its parents, everybody's processors. */
static const char *const forbidden[] = {"reboot",         "exit_group",    "exit",           "sched_setscheduler",
                                        "sched_setparam", "sched_setattr", "setpriority",    "rt_sigreturn",
                                        "vfork",          "clone",         "clone3",         "fork",
                                        "kexec_load",     "syslog",        "set_tid_address"};

/* Shared by all processes. */
static struct shared {
    volatile unsigned long calls, done[WORKERS], deaths, kills, forks;
    volatile int grandchildren[WORKERS];
} *shared;

static char *arena;
static int self, only = -1;

/* ---- Random numbers: of the thread ---- */

static __thread unsigned long state;

static unsigned long next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545F4914F6CDD1DUL >> 11;
}

static unsigned long below(unsigned long n)
{
    return next() % n;
}

static int one_in(int n)
{
    return below(n) == 0;
}

/* ---- Arguments ---- */

static unsigned long wild(void)
{
    static const unsigned long odd[] = {0,          1,          2,          0x7f,        0xff,          0x7fffffff,
                                        0x80000000, 0xffffffff, 0x100000000, -1UL,        -2UL,          -4096UL,
                                        4095,       4096,       4097,        1UL << 40,   1UL << 47,     (1UL << 47) - 4096,
                                        1UL << 63,  -4095UL,    0xffff800000000000UL};
    return one_in(3) ? next() : one_in(2) ? 1UL << below(64) : odd[below(sizeof(odd) / sizeof(odd[0]))];
}

static unsigned long pointer(void)
{
    unsigned long at = (unsigned long)arena + below(ARENA - 512);
    switch (below(16)) {
    case 0:
        return wild();
    case 1:
        return 0;
    case 2:
        return (unsigned long)arena + ARENA - below(64); /* the page behind it is not there */
    case 3:
        return (unsigned long)&calls; /* read-only */
    default:
        return at & ~7UL;
    }
}

static const char *const paths[] = {"/tmp/w/a", "/tmp/w/b", "/tmp/w/c/d", "/tmp/w/c", "/tmp/w", "/tmp/w/link", "/tmp/w/fifo", "",
                                    ".", "..", "a", "c/../b", "/dev/null", "/dev/zero", "/dev/full", "/dev/tty", "/proc/self/maps",
                                    "/proc/self/fd/3", "/proc/self/status", "/proc/self/mem", "/proc/self/task", "/proc/stat",
                                    "/proc/self/environ", "/proc/self/fdinfo/3", "/etc/passwd", "/nowhere/at/all", "/proc/self/exe",
                                    "/proc/self/comm", "/sys/devices/system/cpu/online", "/proc"};

static unsigned long path(void)
{
    return one_in(20) ? pointer() : (unsigned long)paths[below(sizeof(paths) / sizeof(paths[0]))];
}

static unsigned long descriptor(void)
{
    return one_in(20) ? wild() : below(24);
}

/* Addresses to map at: mostly in a stretch that nothing else uses. */
static unsigned long place(void)
{
    return one_in(30) ? wild() : one_in(3) ? 0 : 0x200000000000UL + 4096 * below(256);
}

static int is(const char *word, size_t length, const char *what)
{
    return strlen(what) == length && memcmp(word, what, length) == 0;
}

static unsigned long number(int index)
{
    return index == 0 ? descriptor() : one_in(3) ? wild() : below(5000);
}

static unsigned long argument(const char *word, size_t length, int index, int memory)
{
    if (one_in(60)) {
        return wild();
    }
    if (is(word, length, "d")) {
        return number(index);
    }
    if (is(word, length, "u") || is(word, length, "u32")) {
        return one_in(8) ? wild() : one_in(2) ? 8 : below(70000);
    }
    if (is(word, length, "x") || is(word, length, "o")) {
        return one_in(2) ? below(64) : wild();
    }
    if (is(word, length, "s")) {
        return path();
    }
    if (is(word, length, "a")) {
        return one_in(2) ? AT_FDCWD : descriptor();
    }
    if (is(word, length, "id")) {
        return one_in(2) ? 0 : one_in(4) ? wild() & 0xffff : (unsigned long)self;
    }
    if (is(word, length, "n")) {
        return below(66);
    }
    if (is(word, length, "p") && memory && index == 0) {
        return place();
    }
    if (is(word, length, "m")) {
        return below(8);
    }
    if (is(word, length, "f")) {
        return next() & 02777703 & (one_in(2) ? 03 | O_CREAT : -1UL);
    }
    if (strstr(word, "flags") == word + length - 5 || is(word, length, "access") || is(word, length, "statx-mask")) {
        return one_in(2) ? 0 : one_in(3) ? wild() : next() & 0x3f;
    }
    if (is(word, length, "map-flags")) {
        return next() & 0xb;
    }
    if (is(word, length, "socket-type")) {
        return 1 + below(3);
    }
    if (is(word, length, "futex")) {
        return below(14) | (one_in(2) ? 128 : 0);
    }
    if (is(word, length, "ioctl")) {
        return one_in(3) ? wild() : 0x5400 + below(0x60);
    }
    static const char *const small[] = {"family", "clock", "fcntl", "whence", "advice",  "sigmask-how", "resource",
                                        "itimer", "level", "prctl", "policy", "option",  "idtype",      "epoll-operation",
                                        "arch",   "mode",  "membarrier",      "rusage-of", "priority-of"};
    for (size_t i = 0; i < sizeof(small) / sizeof(small[0]); i++) {
        if (is(word, length, small[i])) {
            return below(40);
        }
    }
    return pointer();
}

static int is_memory_call(int number)
{
    static const char *const names[] = {"mmap", "munmap", "mprotect", "mremap", "madvise", "msync", "mincore", "mlock", "munlock",
                                        "remap_file_pages", "mlock2"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(calls[number].name, names[i]) == 0) {
            return 1;
        }
    }
    return 0;
}

static void choose(int number, unsigned long a[6])
{
    const char *at = calls[number].words;
    int memory = is_memory_call(number);

    for (int i = 0; i < 6; i++) {
        a[i] = one_in(2) ? pointer() : wild();
    }
    for (int i = 0; at != NULL && *at != 0 && *at != '@' && i < 6; i++) {
        size_t length = strcspn(at, " ");
        a[i] = argument(at, length, i, memory);
        at += length + (at[length] == ' ');
    }
    if (memory) {
        a[1] = one_in(20) ? a[1] : 4096 * below(64);
    }
    /* Signals for this process alone. */
    const char *name = calls[number].name;
    if (strcmp(name, "kill") == 0 || strcmp(name, "tkill") == 0 || strcmp(name, "tgkill") == 0 ||
        strcmp(name, "rt_sigqueueinfo") == 0 || strcmp(name, "rt_tgsigqueueinfo") == 0 || strcmp(name, "pidfd_send_signal") == 0) {
        a[0] = self;
        a[1] = name[1] == 'g' || name[3] == 't' ? a[1] : below(66);
    }
}

static int is_forbidden(int number)
{
    for (size_t i = 0; calls[number].name != NULL && i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        if (strcmp(calls[number].name, forbidden[i]) == 0) {
            return 1;
        }
    }
    return calls[number].name == NULL;
}

/* ---- Workers ---- */

struct caller {
    int worker;
    unsigned long seed;
};

/* A child that makes a few calls and goes, perhaps later than its parent. */
static void fork_one(int worker)
{
    if (__sync_add_and_fetch(&shared->grandchildren[worker], 1) > FORKS) {
        __sync_sub_and_fetch(&shared->grandchildren[worker], 1);
        return;
    }
    unsigned long flags = one_in(2) ? SIGCHLD : SIGCHLD | (next() & (CLONE_FS | CLONE_FILES));
    long pid = syscall(SYS_clone, flags, 0, 0, 0, 0);
    if (pid == 0) {
        state ^= 0x9e3779b97f4a7c15UL * (unsigned long)getpid();
        self = getpid();
        alarm(2);
        for (int i = below(40); i > 0; i--) {
            unsigned long a[6];
            int number = below(COUNT);
            if (!is_forbidden(number)) {
                choose(number, a);
                syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
            }
        }
        __sync_sub_and_fetch(&shared->grandchildren[worker], 1);
        if (one_in(8)) {
            char *argv[] = {"/bin/busybox", "true", NULL};
            syscall(SYS_execve, argv[0], argv, NULL);
        }
        syscall(SYS_exit_group, below(256));
    }
    if (pid < 0) {
        __sync_sub_and_fetch(&shared->grandchildren[worker], 1);
    } else {
        __sync_add_and_fetch(&shared->forks, 1);
        if (one_in(2)) {
            syscall(SYS_wait4, -1, 0, WNOHANG, 0);
        }
    }
}

static void *call_on(void *argument)
{
    struct caller *caller = argument;
    state = caller->seed;
    for (;;) {
        unsigned long a[6];
        int number = only >= 0 ? only : (int)below(COUNT);
        if (one_in(400)) {
            fork_one(caller->worker);
        } else if (!is_forbidden(number)) {
            choose(number, a);
            syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
            __sync_add_and_fetch(&shared->calls, 1);
            shared->done[caller->worker]++;
        }
        if (one_in(3000)) {
            syscall(one_in(3) ? SYS_exit : SYS_exit_group, below(256));
        }
    }
}

/* Small numbers for the most part: times that are short, counts that are low, descriptors that are open. */
static void scribble(void)
{
    unsigned long *word = (unsigned long *)(arena + (below(ARENA - 8) & ~7UL));
    *word = one_in(4) ? wild() : one_in(3) ? (unsigned long)arena + below(ARENA) : below(100);
}

static void nothing(int signal)
{
}

static void work(int worker, unsigned long seed)
{
    static struct caller callers[CALLERS];
    pthread_t thread;

    setpgid(0, 0);
    self = getpid();
    state = seed;
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = nothing}, NULL);
    prlimit(0, RLIMIT_AS, &(struct rlimit){256 << 20, 256 << 20}, NULL);
    for (int fd = 0; fd < 3; fd++) {
        close(fd);
    }
    open("/dev/null", O_RDWR);
    open("/tmp/w/a", O_RDWR | O_CREAT, 0666);
    int pair[2];
    pipe(pair);
    syscall(SYS_eventfd2, 0, 0);
    syscall(SYS_epoll_create1, 0);
    syscall(SYS_socketpair, 1, 1, 0, pair);
    syscall(SYS_timerfd_create, 1, 0);
    syscall(SYS_memfd_create, "m", 0);
    open("/tmp/w", O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < 5000; i++) {
        scribble();
    }
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){worker, next() | 1};
        if (i > 0 && pthread_create(&thread, NULL, call_on, &callers[i]) != 0) {
            _exit(99);
        }
    }
    pthread_t mutator;
    call_on(&callers[0]);
}

/* ---- The parent ---- */

static unsigned long memory_free(void)
{
    char text[512] = {0};
    int fd = open("/proc/meminfo", O_RDONLY);
    read(fd, text, sizeof(text) - 1);
    close(fd);
    char *at = strstr(text, "MemFree:");
    return at != NULL ? strtoul(at + 8, NULL, 10) : 0;
}

static void clean(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/busybox", "busybox", "rm", "-rf", "/tmp/w", NULL);
        _exit(1);
    }
    waitpid(pid, NULL, 0);
}

static void nap(long ms)
{
    nanosleep(&(struct timespec){0, ms * 1000000}, NULL);
}

static pid_t start(int worker, unsigned long seed)
{
    pid_t pid = fork();
    if (pid == 0) {
        work(worker, seed);
    }
    return pid;
}

/* Until so many calls have been made; then all are killed. */
static void round_of(unsigned long wanted)
{
    pid_t workers[WORKERS] = {0};
    unsigned long seen[WORKERS] = {0};
    int stalled[WORKERS] = {0}, status;
    unsigned long before = shared->calls;

    while (shared->calls - before < wanted) {
        for (int i = 0; i < WORKERS; i++) {
            if (workers[i] <= 0) {
                shared->grandchildren[i] = 0;
                workers[i] = start(i, next() | 1);
            }
            stalled[i] = seen[i] == shared->done[i] ? stalled[i] + 1 : 0;
            seen[i] = shared->done[i];
            if (stalled[i] > WAITING && workers[i] > 0) {
                kill(workers[i], SIGALRM); /* one of its threads goes on */
            }
            if (stalled[i] > STALLED && workers[i] > 0) {
                kill(-workers[i], SIGKILL);
                kill(workers[i], SIGKILL);
                shared->kills++;
                stalled[i] = 0;
            }
        }
        nap(10);
        for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
            for (int i = 0; i < WORKERS; i++) {
                if (workers[i] == pid) {
                    workers[i] = 0;
                    kill(-pid, SIGKILL);
                    shared->deaths++;
                }
            }
        }
    }
    kill(-1, SIGKILL); /* all others are of this run, whatever group or session they have gone to */
    while (waitpid(-1, &status, 0) > 0 || errno == EINTR) {
    }
}

int main(int argc, char **argv)
{
    unsigned long wanted = argc > 2 ? strtoul(argv[2], NULL, 0) : 0;
    if (wanted == 0) {
        return 2; /* a wild execve of /proc/self/exe, too */
    }
    state = (argc > 1 ? strtoul(argv[1], NULL, 0) : 1) * 0x9e3779b97f4a7c15UL | 1;
    for (int i = 0; argc > 3 && i < COUNT; i++) {
        only = calls[i].name != NULL && strcmp(calls[i].name, argv[3]) == 0 ? i : only;
    }
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    arena = mmap(NULL, ARENA + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(arena + ARENA, 4096);
    prctl(36, 1, 0, 0, 0); /* PR_SET_CHILD_SUBREAPER: grandchildren are waited for here */
    for (int i = 0; i < 10; i++) {
        next();
    }
    mkdir("/tmp/w", 0777);
    mkdir("/tmp/w/c", 0777);
    round_of(wanted / 10); /* what is made on first use is there afterwards */
    clean();
    unsigned long before = memory_free();
    mkdir("/tmp/w", 0777);
    mkdir("/tmp/w/c", 0777);
    round_of(wanted - wanted / 10);
    clean();
    nap(200); /* what ended last is being taken down */
    unsigned long after = memory_free();
    printf("fuzz: %lu calls, %lu forks, %lu deaths, %lu killed; %ld KiB less free\n", shared->calls, shared->forks, shared->deaths,
           shared->kills, (long)(before - after));
    printf(before > after + 2048 ? "@fail linux-fuzz: memory is missing\n" : "@pass linux-fuzz\n");
    return 0;
}
