// SPDX-License-Identifier: MIT
// build: musl
/*
 * Processes that end in all the ways there are, and leave everything open that can be left: pipes with bytes and sleeping readers in
 * them, sockets with descriptors under way, mappings, files without a name, sleepers on futexes, timers, queued signals, zombies.
 * Thousands of them on all processors at once; nothing comes back by itself but by their ends. What the kernel holds afterwards is
 * for others to ask (tests/user/scarce).
 */
#include "test.h"

#include <fcntl.h>
#define FUTEX_WAIT_PRIVATE 128
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>

#define WORKERS 4
#define ROUNDS  250 /* of each; a round has about four processes */

static unsigned next(unsigned *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static void *sleep_on_word(void *word)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, *(int *)word, NULL, NULL, 0);
    return NULL;
}

static void *sleep_in_pipe(void *fds)
{
    char byte;
    read(*(int *)fds, &byte, 1);
    return NULL;
}

/* A descriptor that is on its way in a socket that is itself on its way: nobody will ever take it out. */
static void send_descriptors(void)
{
    int pair[2], other[2];
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control = {0};
    struct iovec data = {"x", 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, other) < 0) {
        return;
    }
    control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(2 * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.header), other, sizeof(other));
    sendmsg(pair[0], &message, 0);
    write(other[0], "left", 4);
}

static void leave_files(void)
{
    int fds[2], queue = epoll_create1(0);
    struct epoll_event event = {EPOLLIN, {0}};
    sigset_t usr1;
    char page[4096] = "";

    if (pipe(fds) == 0) {
        write(fds[1], page, sizeof(page));
        write(fds[1], page, 100);
        epoll_ctl(queue, EPOLL_CTL_ADD, fds[0], &event);
    }
    int events = eventfd(1, 0), timer = timerfd_create(CLOCK_MONOTONIC, 0);
    timerfd_settime(timer, 0, &(struct itimerspec){{0, 1000000}, {0, 1000000}}, NULL);
    epoll_ctl(queue, EPOLL_CTL_ADD, events, &event);
    epoll_ctl(queue, EPOLL_CTL_ADD, timer, &event);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    signalfd(-1, &usr1, 0);
    int file = open(".", O_TMPFILE | O_RDWR, 0600), memory = memfd_create("left", 0);
    if (file >= 0) {
        write(file, page, sizeof(page));
    }
    ftruncate(memory, 64 << 12);
    char *map = mmap(NULL, 64 << 12, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (map != MAP_FAILED) {
        map[0] = map[40 << 12] = 1;
    }
    fcntl(file, F_SETLK, &(struct flock){.l_type = F_WRLCK});
}

static void leave_memory(void)
{
    char *map = mmap(NULL, 64 << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; map != MAP_FAILED && i < 64; i += 2) {
        map[i << 12] = 1;
        mprotect(map + (i << 12), 4096, PROT_READ);
    }
    char *shared = mmap(NULL, 16 << 12, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared != MAP_FAILED) {
        shared[0] = shared[15 << 12] = 1;
    }
}

static void leave_signals(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
    timer_t timer;
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (int i = 0; i < 4; i++) {
        sigqueue(getpid(), SIGRTMIN + 1, (union sigval){i});
    }
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    timer_settime(timer, 0, &(struct itimerspec){{0, 1000000}, {0, 1000000}}, NULL);
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 1000}, {0, 1000}}, NULL);
}

/* Threads that sleep for ever. */
static void leave_sleepers(void)
{
    static int word, fds[2];
    pthread_t thread;

    pipe(fds);
    pthread_create(&thread, NULL, sleep_on_word, &word);
    pthread_create(&thread, NULL, sleep_in_pipe, fds);
}

static void leave_children(void)
{
    if (fork() == 0) {
        _exit(0); /* a zombie */
    }
    if (fork() == 0) {
        pause(); /* whose parent's end ends it, below */
    }
}

static void end(unsigned way)
{
    switch (way % 6) {
    case 0:
        _exit(0);
    case 1:
        kill(getpid(), SIGKILL);
        break;
    case 2:
        *(volatile int *)8 = 1;
        break;
    case 3:
        execl("/bin/busybox", "true", (char *)NULL);
        _exit(99);
    case 4:
        syscall(SYS_exit, 0); /* with threads: the others stay, until it is killed */
        break;
    default:
        execl("/nowhere", "nothing", (char *)NULL);
    }
    pause();
}

static void leave(unsigned seed)
{
    static void (*const parts[])(void) = {leave_files, leave_memory, send_descriptors, leave_signals, leave_sleepers, leave_children};
    unsigned first = next(&seed), count = next(&seed) % 6 + 1;

    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    setpgid(0, 0);
    for (unsigned i = 0; i < count; i++) {
        parts[(first + i) % 6]();
    }
    end(next(&seed));
}

static int worker(int number)
{
    unsigned seed = number * 7919 + 1;

    for (int round = 0; round < ROUNDS; round++) {
        unsigned mine = next(&seed);
        pid_t child = fork();
        if (child == 0) {
            leave(mine);
            _exit(0);
        }
        if (child < 0) {
            return 1;
        }
        setpgid(child, child);
        int grace = next(&seed) % 3;
        if (grace != 0) { /* as it is, at its first steps; or a little later */
            usleep(grace == 1 ? next(&seed) % 2000 : 20000);
        }
        kill(-child, SIGKILL);
        kill(child, SIGKILL);
        while (waitpid(child, NULL, 0) < 0) {
            if (errno != EINTR) {
                return 2;
            }
        }
        kill(-child, SIGKILL); /* what it has left: orphans */
    }
    return 0;
}

int main(void)
{
    int failed = 0, status;
    char folder[] = "/tmp/storm-XXXXXX";

    signal(SIGPIPE, SIG_IGN);
    if (mkdtemp(folder) == NULL || chdir(folder) < 0) {
        return 1;
    }
    for (int i = 0; i < WORKERS; i++) {
        if (fork() == 0) {
            _exit(worker(i));
        }
    }
    for (int i = 0; i < WORKERS; i++) {
        wait(&status);
        failed += status != 0;
    }
    SHOW(failed);
    SHOW(wait(NULL));
    SHOW(rmdir(folder));
    return 0;
}
