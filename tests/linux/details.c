// SPDX-License-Identifier: MIT
// build: musl
// flags: -w
/* Small calls: what they keep, what they write back, and which error comes first. */
#include "test.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/time.h>
#include <time.h>

static void numbers(void)
{
    SINCE(5, 14, syscall(SYS_close | 0x100000000L, 99), -EBADF); /* 32 bits count */
    SHOW(syscall(-1L));
    SHOW(syscall(0xffffffffL));
    SHOW(syscall(0x7fffffffL));
    SHOW(syscall(4711));
}

static void controls(void)
{
    char name[17] = "";

    SHOW(prctl(PR_SET_NAME, "a name of more than fifteen"));
    SHOW(prctl(PR_GET_NAME, name));
    printf("%s\n", name);
    SHOW(prctl(PR_SET_NAME, 8L));
    SHOW(prctl(PR_GET_NAME, 8L));
    SHOW(prctl(PR_SET_NAME, ""));
    int sig = 77;
    SHOW(prctl(PR_SET_PDEATHSIG, 65));
    SHOW(prctl(PR_SET_PDEATHSIG, 12));
    SHOW(prctl(PR_GET_PDEATHSIG, &sig));
    SHOW(sig);
    SHOW(prctl(PR_GET_PDEATHSIG, 8L));
    SHOW(prctl(PR_SET_PDEATHSIG, 0));
    SHOW(prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0));
    SHOW(prctl(PR_SET_KEEPCAPS, 2, 0, 0, 0));
    SHOW(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
    SHOW(prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0));
    SHOW(prctl(PR_SET_DUMPABLE, 2, 0, 0, 0));
    SHOW(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
    SHOW(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
    SHOW(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
    SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0));
    SHOW(prctl(PR_SET_NO_NEW_PRIVS, 2, 0, 0, 0));
    SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    SHOW(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    SHOW(prctl(PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0));
    SHOW(prctl(PR_CAPBSET_READ, 99, 0, 0, 0));
    SHOW(prctl(-1, 0, 0, 0, 0));
}

static void waiting(void)
{
    struct timeval tv = {0, 20000};
    struct timespec ts = {0, 20000000};
    struct pollfd fd = {.fd = 1, .events = POLLOUT};
    fd_set set;

    SHOW(syscall(SYS_wait4, -1, NULL, 0, NULL));
    SHOW(syscall(SYS_wait4, -1, NULL, 0xe000000bU, NULL));
    SHOW(syscall(SYS_wait4, -1, NULL, 4, NULL));
    SHOW(syscall(SYS_wait4, 0x80000000, NULL, 0, NULL));
    /* What is left of a time-out is written back. */
    SHOW(syscall(SYS_select, 0, NULL, NULL, NULL, &tv));
    printf("%ld %ld\n", (long)tv.tv_sec, (long)tv.tv_usec);
    tv = (struct timeval){100, 0};
    FD_ZERO(&set);
    FD_SET(1, &set);
    SHOW(syscall(SYS_select, 2, NULL, &set, NULL, &tv));
    HOLDS(tv.tv_sec >= 90 && (tv.tv_sec < 100 || tv.tv_usec == 0));
    tv = (struct timeval){1, -1};
    SHOW(syscall(SYS_select, 0, NULL, NULL, NULL, &tv));
    tv = (struct timeval){0, 1500000};
    SHOW(syscall(SYS_select, 2, NULL, &set, NULL, &tv));
    HOLDS(tv.tv_sec <= 1);
    SHOW(syscall(SYS_select, 0, NULL, NULL, NULL, 8L));
    SHOW(syscall(SYS_select, -1, NULL, NULL, NULL, 8L));
    SHOW(syscall(SYS_select, 2, 8L, NULL, NULL, &tv));
    SHOW(syscall(SYS_ppoll, NULL, 0, &ts, NULL, 0));
    printf("%ld %ld\n", (long)ts.tv_sec, ts.tv_nsec);
    ts = (struct timespec){100, 0};
    SHOW(syscall(SYS_ppoll, &fd, 1, &ts, NULL, 0));
    HOLDS(ts.tv_sec >= 90);
    SHOW(syscall(SYS_ppoll, &fd, 1, &ts, 8L, 8));
    SHOW(syscall(SYS_ppoll, &fd, 1, &ts, 8L, 4));
    SHOW(syscall(SYS_ppoll, 8L, 1, NULL, NULL, 0));
    SHOW(syscall(SYS_poll, 8L, 1, 0));
    SHOW(syscall(SYS_poll, 8L, 0, 0));
    SHOW(syscall(SYS_poll, &fd, -1, 0));
    ts = (struct timespec){0, 1000000000};
    SHOW(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &ts, NULL));
    SHOW(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &ts, 8L));
    ts = (struct timespec){0, 5};
    SHOW(syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &ts, NULL));
    SHOW(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC_RAW, 0, &ts, NULL));
    SHOW(syscall(SYS_clock_nanosleep, CLOCK_REALTIME_COARSE, 0, &ts, NULL));
    SHOW(syscall(SYS_clock_nanosleep, CLOCK_BOOTTIME, 0, &ts, NULL));
    SHOW(syscall(SYS_clock_nanosleep, 99, 0, 8L, NULL));
    SHOW(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME | 64, &ts, 8L));
}

static void ids(void)
{
    SHOW(syscall(SYS_setuid, -1));
    SHOW(syscall(SYS_setgid, -1));
    SHOW(syscall(SYS_setreuid, -1, -1));
    SHOW(syscall(SYS_setresgid, -1, -1, -1));
    SHOW(syscall(SYS_getpgid, -1));
    SHOW(syscall(SYS_getsid, -1));
    SHOW(syscall(SYS_setpgid, 0, -1));
    SHOW(syscall(SYS_setpgid, -1, 0));
    SHOW(syscall(SYS_sched_get_priority_max, 6));
    SHOW(syscall(SYS_sched_get_priority_max, 4));
    SHOW(syscall(SYS_sched_getscheduler, -1));
    SHOW(syscall(SYS_sched_getparam, 0, NULL));
    SHOW(syscall(SYS_sched_getparam, 0, 8L));
    SHOW(syscall(SYS_getpriority, 3, 0));
    SHOW(syscall(SYS_getpriority, 0, 999999999));
    SHOW(syscall(SYS_getgroups, -1, NULL));
    HOLDS(syscall(SYS_setgroups, 65537, NULL) == -1); /* for too many, or for lack of the right */
    SHOW(syscall(SYS_getrusage, 77, 8L));
    SHOW(syscall(SYS_getrlimit, 16, 8L));
    SHOW(syscall(SYS_getrlimit, 7, 8L));
    SHOW(syscall(SYS_prlimit64, 999999999, 99, NULL, NULL));
    SHOW(syscall(SYS_prlimit64, 999999999, 99, 8L, NULL));
    struct rlimit wrong = {2, 1}, huge = {1UL << 40, 1UL << 40};
    SHOW(syscall(SYS_prlimit64, 0, 7, &wrong, NULL));
    SHOW(syscall(SYS_setrlimit, 7, &huge));
    SHOW(syscall(SYS_set_robust_list, 0L, 23));
    SHOW(syscall(SYS_arch_prctl, 0x1002, user_end()));
    SHOW(syscall(SYS_arch_prctl, 0x1001, -1L));
    SHOW(syscall(SYS_arch_prctl, 0x1003, 8L));
    SHOW(syscall(SYS_arch_prctl, 0x4711, 0));
}

int main(void)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    numbers();
    controls();
    waiting();
    ids();
    return 0;
}
