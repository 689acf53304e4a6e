// SPDX-License-Identifier: MIT
// build: musl
// flags: -w
/* eventfd, timerfd and signalfd by one program. */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>

static int poll_of(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};
    poll(&p, 1, 0);
    return p.revents;
}

static long take(int fd)
{
    uint64_t value = 0;
    return read(fd, &value, 8) == 8 ? (long)value : -1;
}

static long give(int fd, uint64_t value)
{
    return write(fd, &value, 8);
}

static void events(void)
{
    char b[16];
    int fd;

    SHOW(eventfd(0, 0x10));
    HOLDS((fd = eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC)) >= 0);
    printf("%o %d\n", fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
    SHOW(poll_of(fd));
    SHOW(read(fd, b, 7));
    SHOW(take(fd));
    SHOW(take(fd));
    SHOW(poll_of(fd));
    SHOW(write(fd, b, 7));
    SHOW(read(fd, b, 0));
    SHOW(write(fd, b, 0));
    SHOW(give(fd, 0));
    SHOW(poll_of(fd));
    SHOW(give(fd, -1UL));
    SHOW(give(fd, -2UL));
    SHOW(poll_of(fd));
    SHOW(give(fd, 1));
    SHOW(read(fd, b, 16));
    SHOW(give(fd, 5));
    SHOW(give(fd, 6));
    SHOW(take(fd));
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(write(fd, (void *)8, 8));
    close(fd);
    fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
    SHOW(take(fd));
    SHOW(take(fd));
    SHOW(take(fd));
    SHOW(give(fd, 2));
    SHOW(take(fd));
    SHOW(poll_of(fd));
    close(fd);
}

static void timers(void)
{
    struct itimerspec set = {{0, 0}, {0, 10000000}}, old, bad = {{0, 0}, {0, 1000000000}};
    struct timespec t;
    int fd, p;

    SHOW(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0));
    SHOW(timerfd_create(CLOCK_MONOTONIC, 1));
    HOLDS((fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)) >= 0);
    printf("%o %d\n", fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
    SHOW(timerfd_gettime(fd, &old));
    printf("%ld %ld\n", (long)old.it_value.tv_sec, (long)old.it_value.tv_nsec);
    SHOW(timerfd_settime(fd, 0, &bad, NULL));
    SHOW(timerfd_settime(fd, 8, &set, NULL));
    SHOW(timerfd_settime(fd, 0, (void *)8, NULL));
    SHOW(timerfd_settime(0, 0, &set, NULL));
    SHOW(timerfd_settime(999, 0, &set, NULL));
    SHOW(timerfd_settime(fd, 0, &set, NULL));
    SHOW(take(fd)); /* waits */
    SHOW(poll_of(fd));
    fcntl(fd, F_SETFL, O_NONBLOCK);
    SHOW(take(fd));
    set.it_interval.tv_nsec = 5000000;
    SHOW(timerfd_settime(fd, 0, &set, &old));
    struct pollfd f = {.fd = fd, .events = POLLIN};
    SHOW(poll(&f, 1, -1));
    usleep(30000);
    HOLDS(take(fd) >= 4);
    SHOW(poll(&f, 1, -1));
    HOLDS(timerfd_gettime(fd, &old) == 0 && old.it_interval.tv_nsec == 5000000 &&
          old.it_value.tv_nsec <= 5000000);
    set = (struct itimerspec){{0, 0}, {1000, 0}};
    SHOW(timerfd_settime(fd, 0, &set, &old));
    HOLDS(timerfd_gettime(fd, &old) == 0 && old.it_value.tv_sec >= 999 && old.it_interval.tv_nsec == 0);
    SHOW(take(fd));
    set = (struct itimerspec){{0, 0}, {0, 0}};
    SHOW(timerfd_settime(fd, 0, &set, &old));
    HOLDS(old.it_value.tv_sec >= 999);
    SHOW(poll(&f, 1, 10));
    char b[4];
    SHOW(read(fd, b, 4));
    SHOW(read(fd, b, 0));
    SHOW(write(fd, "12345678", 8));
    close(fd);
    fd = timerfd_create(CLOCK_REALTIME, 0);
    clock_gettime(CLOCK_REALTIME, &t);
    set = (struct itimerspec){{0, 0}, {t.tv_sec - 5, 0}};
    SHOW(timerfd_settime(fd, TFD_TIMER_ABSTIME, &set, NULL));
    SHOW(take(fd));
    set = (struct itimerspec){{2, 0}, {t.tv_sec - 5, t.tv_nsec}};
    SHOW(timerfd_settime(fd, TFD_TIMER_ABSTIME, &set, NULL));
    HOLDS(take(fd) >= 3);
    close(fd);
    for (int i = 0; i < 50; i++) { /* armed, and about to expire, when they are closed */
        fd = timerfd_create(CLOCK_MONOTONIC, 0);
        set = (struct itimerspec){{0, 100000}, {0, 1 + i * 40000}};
        timerfd_settime(fd, 0, &set, NULL);
        close(fd);
    }
}

static void on_alarm(int sig)
{
}

/* A signal ends a wait for an expiry; the next one finds the timer, and its queue, in order. */
static void broken_off(void)
{
    struct sigaction action = {.sa_handler = on_alarm};
    struct itimerval alarm = {{0, 0}, {0, 20000}};
    struct itimerspec late = {{0, 0}, {1000, 0}}, soon = {{0, 0}, {0, 1000000}};
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);

    sigaction(SIGALRM, &action, NULL);
    for (int i = 0; i < 3; i++) {
        timerfd_settime(fd, 0, &late, NULL);
        setitimer(ITIMER_REAL, &alarm, NULL);
        SHOW(take(fd));
        SHOW(errno == EINTR);
        timerfd_settime(fd, 0, &soon, NULL);
        SHOW(take(fd));
    }
    close(fd);
}

static void signals(void)
{
    struct signalfd_siginfo info[3];
    sigset_t mask, all;
    union sigval value = {.sival_int = 42};
    int fd;

    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    sigaddset(&mask, SIGUSR2);
    sigaddset(&mask, SIGRTMIN + 3);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    SHOW(syscall(SYS_signalfd4, -1, &mask, 4L, 0));
    SHOW(syscall(SYS_signalfd4, -1, 8L, 8L, 0));
    SHOW(signalfd(-1, &mask, 3));
    SHOW(signalfd(0, &mask, 0));
    SHOW(signalfd(999, &mask, 0));
    HOLDS((fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC)) >= 0);
    printf("%o %d\n", fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
    SHOW(read(fd, info, sizeof(info)));
    SHOW(poll_of(fd));
    kill(getpid(), SIGUSR2);
    raise(SIGUSR1);
    SHOW(poll_of(fd));
    SHOW(read(fd, info, 127));
    SHOW(read(fd, info, sizeof(info)) / 128);
    printf("%u %d, %u %d\n", info[0].ssi_signo, info[0].ssi_code, info[1].ssi_signo, info[1].ssi_code);
    HOLDS(info[0].ssi_pid == getpid() && info[1].ssi_pid == getpid());
    SHOW(poll_of(fd));
    sigqueue(getpid(), SIGRTMIN + 3, value);
    value.sival_int = 43;
    sigqueue(getpid(), SIGRTMIN + 3, value);
    SHOW(read(fd, info, 130));
    printf("%d %d %d\n", info[0].ssi_signo - SIGRTMIN, info[0].ssi_code, info[0].ssi_int);
    sigdelset(&mask, SIGUSR1);
    SHOW(signalfd(fd, &mask, 0) == fd);
    raise(SIGUSR1);
    SHOW(read(fd, info, sizeof(info)) / 128);
    SHOW(read(fd, info, sizeof(info)));
    sigaddset(&mask, SIGUSR1);
    signalfd(fd, &mask, 0);
    SHOW(read(fd, info, sizeof(info)) / 128);
    fcntl(fd, F_SETFL, 0);
    raise(SIGUSR2);
    SHOW(read(fd, info, 128));
    SHOW(write(fd, info, 128));
    close(fd);
}

int main(void)
{
    events();
    timers();
    broken_off();
    signals();
    return 0;
}
