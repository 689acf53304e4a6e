// SPDX-License-Identifier: MIT
// build: glibc musl
// flags: -w
/* Clocks go forward and agree, sleeping lasts as long as asked for, processor time passes. */
#include "test.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>

static long long now(int clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void clocks(void)
{
    struct timespec t;
    struct timeval tv;
    int forward = 1;

    for (int i = 0; i < 1000; i++) {
        long long a = now(CLOCK_MONOTONIC), b = now(CLOCK_MONOTONIC);
        forward &= b >= a;
    }
    HOLDS(forward);
    SHOW(gettimeofday(&tv, NULL));
    time_t seconds = time(NULL);
    HOLDS(seconds - tv.tv_sec <= 1 && seconds > 1600000000);
    HOLDS(now(CLOCK_REALTIME) / 1000000000 - seconds <= 1);
    HOLDS(now(CLOCK_BOOTTIME) >= 0 && now(CLOCK_MONOTONIC_COARSE) > 0 && now(CLOCK_REALTIME_COARSE) > 0);
    SHOW(syscall(SYS_clock_gettime, 99, &t));
    SHOW(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, 8L));
    SHOW(clock_getres(CLOCK_MONOTONIC, &t));
    HOLDS(t.tv_sec == 0 && t.tv_nsec == 1);
    SHOW(clock_getres(CLOCK_MONOTONIC, NULL));
    SHOW(syscall(SYS_time, 8L));
}

static long long slept(int (*sleep)(void))
{
    long long start = now(CLOCK_MONOTONIC);
    SHOW(sleep());
    return (now(CLOCK_MONOTONIC) - start) / 1000;
}

static int by_nanosleep(void)
{
    struct timespec t = {0, 20000000};
    return nanosleep(&t, NULL);
}

static int by_deadline(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += 20000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++, t.tv_nsec -= 1000000000;
    }
    return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static int by_poll(void)
{
    return poll(NULL, 0, 20);
}

static int by_select(void)
{
    struct timeval tv = {0, 20000};
    return select(0, NULL, NULL, NULL, &tv);
}

static void sleeping(void)
{
    HOLDS(slept(by_nanosleep) >= 20000);
    HOLDS(slept(by_deadline) >= 19000);
    HOLDS(slept(by_poll) >= 19000);
    HOLDS(slept(by_select) >= 19000);
    struct timespec bad = {0, 1000000000}, negative = {-1, 0}, none = {0, 0};
    SHOW(nanosleep(&bad, NULL));
    SHOW(nanosleep(&negative, NULL));
    SHOW(nanosleep(&none, NULL));
    SHOW(syscall(SYS_nanosleep, 8L, NULL));
    SHOW(syscall(SYS_clock_nanosleep, 99, 0, &none, NULL));
}

static void ready(void)
{
    struct pollfd fds[] = {
        {.fd = 1, .events = POLLOUT}, {.fd = -1, .events = POLLIN}, {.fd = 99, .events = POLLIN}};
    fd_set set;

    SHOW(poll(fds, 1, 1000));
    SHOW(fds[0].revents);
    SHOW(poll(fds, 2, 1000));
    SHOW(fds[1].revents);
    SHOW(poll(fds, 3, 1000));
    SHOW(fds[2].revents);
    FD_ZERO(&set);
    FD_SET(1, &set);
    struct timeval tv = {1, 0};
    SHOW(select(2, NULL, &set, NULL, &tv));
    HOLDS(FD_ISSET(1, &set));
    FD_ZERO(&set);
    FD_SET(50, &set);
    SHOW(select(51, &set, NULL, NULL, &tv));
    SHOW(syscall(SYS_select, -1, NULL, NULL, NULL, &tv));
    tv.tv_sec = -1;
    SHOW(syscall(SYS_select, 0, NULL, NULL, NULL, &tv));
}

static void processor_time(void)
{
    struct rusage usage;
    struct tms times_;
    volatile long sink = 0;
    long long start = now(CLOCK_PROCESS_CPUTIME_ID), thread = now(CLOCK_THREAD_CPUTIME_ID);

    for (long i = 0; i < 10000000; i++) {
        sink += i;
    }
    HOLDS(now(CLOCK_PROCESS_CPUTIME_ID) > start && now(CLOCK_THREAD_CPUTIME_ID) > thread);
    SHOW(getrusage(RUSAGE_SELF, &usage));
    HOLDS(usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec > 0);
    SHOW(getrusage(77, &usage));
    HOLDS(times(&times_) != (clock_t)-1);
}

static long long microseconds(struct timeval time)
{
    return time.tv_sec * 1000000LL + time.tv_usec;
}

/* Works until the process has used 100 ms more of user time, or of system time, but no longer than for ten seconds of processor
   time. Neither may fall meanwhile. */
static int work(void (*step)(void), int user)
{
    struct rusage before, last, usage;
    long long end = now(CLOCK_PROCESS_CPUTIME_ID) + 10000000000LL, used = 0;
    int grew = 1;

    getrusage(RUSAGE_SELF, &before);
    last = before;
    while (used < 100000 && now(CLOCK_PROCESS_CPUTIME_ID) < end) {
        step();
        getrusage(RUSAGE_SELF, &usage);
        grew &= microseconds(usage.ru_utime) >= microseconds(last.ru_utime);
        grew &= microseconds(usage.ru_stime) >= microseconds(last.ru_stime);
        last = usage;
        used = user ? microseconds(usage.ru_utime) - microseconds(before.ru_utime)
                    : microseconds(usage.ru_stime) - microseconds(before.ru_stime);
    }
    return grew && used >= 100000;
}

static void compute(void)
{
    for (volatile long i = 0; i < 1000000; i++) {}
}

static void ask_much(void)
{
    size_t size = 4 << 20;
    munmap(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0), size);
}

/* What a program computes is its user time; what it has the kernel do, system time. Its parent is told of both. */
static void user_and_system_time(void)
{
    struct rusage usage;
    struct tms mine;

    HOLDS(work(compute, 1));
    HOLDS(work(ask_much, 0));
    HOLDS(times(&mine) != -1 && mine.tms_utime >= 10 && mine.tms_stime >= 10);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        _exit(!(work(compute, 1) && work(ask_much, 0)));
    }
    HOLDS(wait4(child, NULL, 0, &usage) == child);
    HOLDS(microseconds(usage.ru_utime) >= 100000 && microseconds(usage.ru_stime) >= 100000);
    getrusage(RUSAGE_CHILDREN, &usage);
    HOLDS(microseconds(usage.ru_utime) >= 100000 && microseconds(usage.ru_stime) >= 100000);
}

int main(void)
{
    clocks();
    sleeping();
    ready();
    processor_time();
    user_and_system_time();
    return 0;
}
