// SPDX-License-Identifier: MIT
// build: musl
// flags: -w
/* epoll by one program: registering, level and edge, one shot, nested instances, files that are closed while they
   are registered, or become ready while they are told; and poll and select beside it. */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <time.h>

static int ep;

static int control(int op, int fd, unsigned events)
{
    struct epoll_event e = {.events = events, .data.u64 = 0x1234567800000000UL + fd};
    return epoll_ctl(ep, op, fd, &e);
}

/* What is told without waiting. */
static void look(const char *what)
{
    struct epoll_event e[8];
    int n = epoll_wait(ep, e, 8, 0);

    printf("%s: %d", what, n);
    for (int i = 0; i < n; i++) {
        printf(" %x", e[i].events);
    }
    printf("\n");
}

static void registering(void)
{
    int p[2], plain = open("/proc/self/exe", O_RDONLY), null = open("/dev/null", O_RDWR);
    struct epoll_event e = {.events = EPOLLIN};

    SHOW(epoll_create(0));
    SHOW(epoll_create(-1));
    SHOW(epoll_create1(1));
    HOLDS((ep = epoll_create1(EPOLL_CLOEXEC)) >= 0);
    SHOW(fcntl(ep, F_GETFD));
    SHOW(fcntl(ep, F_GETFL) & O_ACCMODE);
    pipe(p);
    SHOW(control(EPOLL_CTL_ADD, plain, EPOLLIN));
    SHOW(control(EPOLL_CTL_ADD, null, EPOLLIN));
    SHOW(control(EPOLL_CTL_ADD, 999, EPOLLIN));
    SHOW(control(EPOLL_CTL_ADD, ep, EPOLLIN));
    SHOW(epoll_ctl(p[0], EPOLL_CTL_ADD, p[1], &e));
    SHOW(epoll_ctl(999, EPOLL_CTL_ADD, p[1], &e));
    SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], (void *)8));
    SHOW(control(EPOLL_CTL_MOD, p[0], EPOLLIN));
    SHOW(control(EPOLL_CTL_DEL, p[0], 0));
    SHOW(control(77, p[0], 0));
    SHOW(control(EPOLL_CTL_ADD, p[0], EPOLLIN));
    SHOW(control(EPOLL_CTL_ADD, p[0], EPOLLIN));
    int copy = dup(p[0]);
    SHOW(control(EPOLL_CTL_ADD, copy, EPOLLIN));
    SHOW(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL));
    SHOW(control(EPOLL_CTL_DEL, p[0], 0));
    SHOW(epoll_wait(ep, &e, 0, 0));
    SHOW(epoll_wait(ep, &e, -1, 0));
    SHOW(epoll_wait(ep, (void *)-8L, 1, 0));
    SHOW(epoll_wait(p[0], &e, 1, 0));
    SHOW(epoll_wait(999, &e, 1, 0));
    SHOW(read(ep, &e, 1));
    SHOW(write(ep, &e, 1));
    SHOW(lseek(ep, 0, SEEK_SET));
    close(copy);
    close(p[0]);
    close(p[1]);
    close(ep);
    close(plain);
    close(null);
}

static void level_and_edge(void)
{
    int p[2];
    char c;

    ep = epoll_create1(0);
    pipe(p);
    SHOW(control(EPOLL_CTL_ADD, p[0], EPOLLIN));
    look("nothing");
    write(p[1], "ab", 2);
    look("level");
    look("level again");
    read(p[0], &c, 1);
    look("level, one left");
    read(p[0], &c, 1);
    look("level, empty");
    SHOW(control(EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLET));
    look("edge, empty");
    write(p[1], "ab", 2);
    look("edge");
    look("edge again");
    read(p[0], &c, 1);
    look("edge, one left");
    write(p[1], "c", 1);
    look("edge, one more");
    SHOW(control(EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLET));
    look("edge, armed again");
    look("edge again");
    SHOW(control(EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT));
    look("one shot");
    look("one shot again");
    write(p[1], "d", 1);
    look("one shot, more");
    close(p[1]);
    look("one shot, hung up");
    SHOW(control(EPOLL_CTL_MOD, p[0], 0));
    look("no events, hung up");
    SHOW(control(EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLEXCLUSIVE));
    SHOW(control(EPOLL_CTL_DEL, p[0], 0));
    SHOW(control(EPOLL_CTL_ADD, p[0], EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT));
    SHOW(control(EPOLL_CTL_ADD, p[0], EPOLLIN | EPOLLEXCLUSIVE));
    look("exclusive");
    SHOW(control(EPOLL_CTL_MOD, p[0], EPOLLIN));
    close(p[0]);
    look("closed");
    pipe(p);
    SHOW(control(EPOLL_CTL_ADD, p[1], EPOLLOUT | EPOLLET));
    look("writable");
    look("writable, edge");
    close(p[0]);
    look("no reader");
    close(p[1]);
    close(ep);
}

static void closed_files(void)
{
    int p[2], copy, e;

    ep = epoll_create1(0);
    pipe(p);
    write(p[1], "a", 1);
    control(EPOLL_CTL_ADD, p[0], EPOLLIN);
    copy = dup(p[0]);
    close(p[0]);
    look("a copy is open"); /* the file is still there, though its descriptor is not */
    SHOW(control(EPOLL_CTL_DEL, p[0], 0));
    close(copy);
    look("none is open");
    close(p[1]);
    for (int i = 0; i < 200; i++) { /* many items, whose instance goes first, or last */
        int many[2];
        pipe(many);
        control(EPOLL_CTL_ADD, many[0], EPOLLIN);
        control(EPOLL_CTL_ADD, many[1], EPOLLOUT);
        dup2(many[0], 400 + i % 50);
        dup2(many[1], 500 + i % 50);
        close(many[0]);
        close(many[1]);
    }
    struct epoll_event got[128];
    SHOW(epoll_wait(ep, got, 128, 0)); /* the writable ends that are left */
    close(ep);
    SHOW(syscall(436, 400, 600, 0));
}

static void nested(void)
{
    int instances[7], p[2];
    struct epoll_event e = {.events = EPOLLIN};

    pipe(p);
    for (int i = 0; i < 7; i++) {
        instances[i] = epoll_create1(0);
    }
    SHOW(epoll_ctl(instances[0], EPOLL_CTL_ADD, p[0], &e));
    SHOW(epoll_ctl(instances[1], EPOLL_CTL_ADD, instances[0], &e));
    SHOW(epoll_ctl(instances[0], EPOLL_CTL_ADD, instances[1], &e));
    SHOW(epoll_ctl(instances[2], EPOLL_CTL_ADD, instances[1], &e));
    SHOW(epoll_ctl(instances[3], EPOLL_CTL_ADD, instances[2], &e));
    SHOW(epoll_ctl(instances[4], EPOLL_CTL_ADD, instances[3], &e));
    SHOW(epoll_ctl(instances[5], EPOLL_CTL_ADD, instances[4], &e));
    SHOW(epoll_ctl(instances[0], EPOLL_CTL_ADD, instances[3], &e));
    e.events = EPOLLIN | EPOLLEXCLUSIVE;
    SHOW(epoll_ctl(instances[6], EPOLL_CTL_ADD, instances[0], &e));
    ep = instances[3];
    look("nested, nothing");
    struct pollfd f = {.fd = instances[2], .events = POLLIN};
    SHOW(poll(&f, 1, 0));
    write(p[1], "a", 1);
    look("nested");
    SHOW(poll(&f, 1, 0));
    SHOW(f.revents);
    char c;
    read(p[0], &c, 1);
    look("nested, taken");
    SHOW(poll(&f, 1, 0));
    write(p[1], "a", 1);
    SHOW(poll(&f, 1, -1));
    close(p[0]);
    look("nested, closed");
    for (int i = 0; i < 7; i++) {
        close(instances[i]);
    }
    close(p[1]);
}

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* Five instances in a row, each 200 times in the next one: one look at each says how deep they lie. */
static void often_nested(void)
{
    int first = epoll_create1(0), inner = first, errors = 0;
    struct epoll_event e = {.events = EPOLLIN};
    long long from = now();

    for (int level = 0; level < 4; level++) {
        int outer = epoll_create1(0);
        for (int i = 0; i < 200; i++) {
            errors += epoll_ctl(outer, EPOLL_CTL_ADD, dup(inner), &e) != 0;
        }
        inner = outer;
    }
    SHOW(errors);
    SHOW(epoll_ctl(first, EPOLL_CTL_ADD, inner, &e));
    HOLDS(now() - from < 10000);
    syscall(436, 3, 1023, 0); /* close_range */
}

/* One that becomes ready again while it is told is told once, and stays ready. */
static void told_once(void)
{
    int fd = eventfd(0, EFD_NONBLOCK), once = 1;
    unsigned long long one = 1;
    struct epoll_event e[8];

    ep = epoll_create1(0);
    SHOW(control(EPOLL_CTL_ADD, fd, EPOLLIN));
    fflush(stdout);
    pid_t child = fork();
    while (child == 0) {
        write(fd, &one, sizeof(one));
    }
    for (int i = 0; i < 5000; i++) {
        once &= epoll_wait(ep, e, 8, -1) == 1;
    }
    HOLDS(once);
    kill(child, SIGKILL);
    SHOW(waitpid(child, NULL, 0) == child);
    close(fd);
    close(ep);
}

static volatile int signals;
static void on_signal(int sig)
{
    signals++;
}

static void times(void)
{
    struct epoll_event e;
    struct timespec t = {0, 20000000}, bad = {0, -1};
    sigset_t mask, before;
    int p[2];

    ep = epoll_create1(0);
    pipe(p);
    control(EPOLL_CTL_ADD, p[0], EPOLLIN);
    long long from = now();
    SHOW(epoll_wait(ep, &e, 1, 30));
    HOLDS(now() - from >= 30);
    from = now();
    SHOW(syscall(441, ep, &e, 1, &t, NULL, 8L));
    HOLDS(now() - from >= 20);
    SHOW(syscall(441, ep, &e, 1, &bad, NULL, 8L));
    signal(SIGUSR1, on_signal);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    sigprocmask(SIG_BLOCK, &mask, &before);
    raise(SIGUSR1);
    SHOW(epoll_wait(ep, &e, 1, 1));
    SHOW(signals);
    SHOW(epoll_pwait(ep, &e, 1, -1, &before)); /* the signal is let in for the wait only */
    SHOW(signals);
    raise(SIGUSR1);
    SHOW(ppoll(NULL, 0, NULL, &before));
    SHOW(signals);
    raise(SIGUSR1);
    SHOW(pselect(0, NULL, NULL, NULL, NULL, &before));
    SHOW(signals);
    sigprocmask(SIG_BLOCK, NULL, &mask);
    SHOW(sigismember(&mask, SIGUSR1));
    sigprocmask(SIG_SETMASK, &before, NULL);
    SHOW(syscall(SYS_epoll_pwait, ep, &e, 1, 0, &mask, 4L));
    close(p[0]);
    close(p[1]);
    close(ep);
}

static void many_polled(void)
{
    static struct pollfd f[300];
    int p[2];
    fd_set in, out, except;

    pipe(p);
    for (int i = 0; i < 300; i++) { /* more places than stand on a stack */
        f[i] = (struct pollfd){.fd = i % 3 == 2 ? -1 : p[0], .events = POLLIN};
    }
    long long from = now();
    SHOW(poll(f, 300, 20));
    HOLDS(now() - from >= 20);
    write(p[1], "x", 1);
    SHOW(poll(f, 300, -1));
    f[0].fd = 999;
    SHOW(poll(f, 1, -1));
    SHOW(f[0].revents);
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_ZERO(&except);
    FD_SET(p[0], &in);
    FD_SET(p[1], &out);
    FD_SET(p[0], &except);
    SHOW(select(p[1] + 1, &in, &out, &except, NULL));
    printf("%d %d %d\n", FD_ISSET(p[0], &in), FD_ISSET(p[1], &out), FD_ISSET(p[0], &except));
    close(p[0]);
    FD_ZERO(&out);
    FD_SET(p[1], &out);
    SHOW(select(p[1] + 1, NULL, &out, NULL, NULL));
    FD_SET(p[0], &in);
    SHOW(select(p[1] + 1, &in, NULL, NULL, NULL));
    close(p[1]);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    registering();
    level_and_edge();
    closed_files();
    nested();
    often_nested();
    told_once();
    times();
    many_polled();
    return 0;
}
