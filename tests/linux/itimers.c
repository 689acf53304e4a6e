// SPDX-License-Identifier: MIT
// build: musl glibc
// flags: -w
/* alarm, interval timers and POSIX timers: who expires, how often, what is left, what is refused, timers that others delete as
   soon as they are there; sleeps on several clocks; a sleep that a stop breaks off goes on. */
#include "test.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>

static volatile int count, last, code, value, overrun;

static void note(int sig, siginfo_t *info, void *context)
{
    count++;
    last = sig;
    code = info->si_code;
    value = info->si_value.sival_int;
    overrun = info->si_overrun;
}

static void install(int sig, int flags)
{
    struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | flags};
    sigaction(sig, &action, NULL);
}

static void wait_for(int wanted)
{
    sigset_t all, old;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &old);
    while (count < wanted) {
        sigsuspend(&old);
    }
    sigprocmask(SIG_SETMASK, &old, NULL);
}

static long long now_of(int clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void alarms(void)
{
    install(SIGALRM, 0);
    SHOW(alarm(100));
    HOLDS(alarm(50) >= 99);
    HOLDS(alarm(0) >= 49);
    SHOW(alarm(0));
    count = 0;
    SHOW(alarm(1));
    SHOW(pause());
    SHOW(count);
    SHOW(last);
    SHOW(code); /* SI_KERNEL */
    SHOW(alarm(0));
}

static void intervals(void)
{
    struct itimerval set = {.it_value = {0, 20000}, .it_interval = {0, 10000}}, old;

    count = 0;
    long long start = now_of(CLOCK_MONOTONIC);
    SHOW(setitimer(ITIMER_REAL, &set, NULL));
    wait_for(3);
    HOLDS(now_of(CLOCK_MONOTONIC) - start >= 40000000);
    SHOW(getitimer(ITIMER_REAL, &old));
    SHOW(old.it_interval.tv_usec);
    HOLDS(old.it_value.tv_sec == 0 && old.it_value.tv_usec <= 10000 && old.it_value.tv_usec > 0);
    set = (struct itimerval){0};
    SHOW(setitimer(ITIMER_REAL, &set, &old));
    SHOW(old.it_interval.tv_usec);
    SHOW(getitimer(ITIMER_REAL, &old));
    SHOW(old.it_value.tv_usec + old.it_interval.tv_usec);
    SHOW(setitimer(3, &set, NULL));
    SHOW(getitimer(-1, &old));
    set.it_value.tv_usec = 1000000;
    SHOW(setitimer(ITIMER_REAL, &set, NULL));
    set.it_value.tv_usec = -1;
    SHOW(setitimer(ITIMER_REAL, &set, NULL));
    SHOW(syscall(SYS_setitimer, ITIMER_REAL, 8, NULL));
    SHOW(syscall(SYS_getitimer, ITIMER_REAL, 8));
    set = (struct itimerval){.it_value = {1000, 0}};
    setitimer(ITIMER_REAL, &set, NULL);
    fflush(stdout);
    if (fork() == 0) { /* a child has none */
        getitimer(ITIMER_REAL, &old);
        SHOW(old.it_value.tv_sec);
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    alarm(0);
}

/* On processor time: they expire while the process works, and not much before it has used so much (others count ticks). */
static void processor_time(int which, int sig, int clock)
{
    struct itimerval set = {.it_value = {0, 30000}};
    volatile long work = 0;

    install(sig, 0);
    count = 0;
    long long start = now_of(clock);
    setitimer(which, &set, NULL);
    while (count == 0) {
        work++;
    }
    HOLDS(now_of(clock) - start >= 10000000);
    SHOW(last);
    getitimer(which, &set);
    SHOW(set.it_value.tv_usec);
}

static void posix_timers(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = 77};
    struct itimerspec set = {.it_value = {0, 5000000}, .it_interval = {0, 1000000}}, old;
    timer_t timer, plain;
    sigset_t blocked;
    siginfo_t info;

    install(SIGRTMIN + 1, 0);
    SHOW(timer_create(CLOCK_MONOTONIC, &event, &timer));
    SHOW(timer_gettime(timer, &old));
    SHOW(old.it_value.tv_nsec);
    count = 0;
    SHOW(timer_settime(timer, 0, &set, NULL));
    wait_for(2);
    SHOW(last - SIGRTMIN);
    SHOW(code); /* SI_TIMER */
    SHOW(value);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGRTMIN + 1);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    usleep(60000);
    SHOW(sigwaitinfo(&blocked, &info) - SIGRTMIN);
    usleep(30000);
    SHOW(sigwaitinfo(&blocked, &info) - SIGRTMIN);
    HOLDS(info.si_overrun >= 20 && info.si_overrun < 100000);
    HOLDS(timer_getoverrun(timer) == info.si_overrun);
    set = (struct itimerspec){0};
    SHOW(timer_settime(timer, 0, &set, &old));
    SHOW(old.it_interval.tv_nsec);
    struct timespec nothing = {0};
    while (sigtimedwait(&blocked, &info, &nothing) > 0) {
    }
    SHOW(sigtimedwait(&blocked, &info, &nothing));

    /* A point in time, one that has passed. */
    clock_gettime(CLOCK_REALTIME, &set.it_value);
    set.it_value.tv_sec -= 10;
    SHOW(timer_create(CLOCK_REALTIME, NULL, &plain));
    install(SIGALRM, 0);
    count = 0;
    SHOW(timer_settime(plain, TIMER_ABSTIME, &set, NULL));
    wait_for(1);
    SHOW(last);
    SHOW(code);
    SHOW(timer_delete(plain));

    event.sigev_notify = SIGEV_NONE;
    SHOW(timer_create(CLOCK_MONOTONIC, &event, &plain));
    set = (struct itimerspec){.it_value = {1000, 0}, .it_interval = {7, 8}};
    SHOW(timer_settime(plain, 0, &set, NULL));
    SHOW(timer_gettime(plain, &old));
    HOLDS(old.it_value.tv_sec == 999 || (old.it_value.tv_sec == 1000 && old.it_value.tv_nsec == 0));
    SHOW(old.it_interval.tv_sec * 10 + old.it_interval.tv_nsec);
    SHOW(timer_delete(plain));
    SHOW(timer_delete(timer));
    SHOW(syscall(SYS_timer_delete, 12345));
    SHOW(syscall(SYS_timer_gettime, 12345, &old));
    SHOW(syscall(SYS_timer_getoverrun, 12345));
    SHOW(syscall(SYS_timer_settime, 12345, 0, &set, NULL));
    SHOW(syscall(SYS_timer_settime, 0, 0, NULL, NULL));
    set.it_value.tv_nsec = 1000000000;
    SHOW(syscall(SYS_timer_settime, 12345, 0, &set, NULL));
    int id;
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = 65;
    SHOW(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id));
    event.sigev_signo = 0;
    SHOW(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id));
    event.sigev_notify = 7;
    event.sigev_signo = SIGUSR1;
    SHOW(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id));
    SHOW(syscall(SYS_timer_create, 1234, NULL, &id));
    SHOW(syscall(SYS_timer_create, CLOCK_MONOTONIC, 8, &id));
    SHOW(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, 8));
}

static volatile pthread_t who;

static void note_thread(int sig)
{
    who = pthread_self();
    count++;
}

static void *wait_in_thread(void *unused)
{
    struct sigevent event = {.sigev_notify = 4 /* SIGEV_THREAD_ID */, .sigev_signo = SIGRTMIN + 2};
    struct itimerspec set = {.it_value = {0, 5000000}};
    int id;

    ((int *)&event)[4] = syscall(SYS_gettid);
    SHOW(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id));
    SHOW(syscall(SYS_timer_settime, id, 0, &set, NULL));
    while (count == 0) {
        sched_yield();
    }
    HOLDS(pthread_equal(who, pthread_self()));
    SHOW(syscall(SYS_timer_delete, id));
    return NULL;
}

static void processor_timer(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 3};
    struct itimerspec set = {.it_value = {0, 20000000}};
    timer_t timer;
    volatile long work = 0;

    install(SIGRTMIN + 3, 0);
    SHOW(timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer));
    count = 0;
    long long start = now_of(CLOCK_THREAD_CPUTIME_ID);
    SHOW(timer_settime(timer, 0, &set, NULL));
    while (count == 0) {
        work++;
    }
    HOLDS(now_of(CLOCK_THREAD_CPUTIME_ID) - start >= 20000000);
    SHOW(timer_delete(timer));
}

static volatile int next_timer, all_made;

static void *delete_at_once(void *unused)
{
    while (!all_made) {
        syscall(SYS_timer_delete, next_timer);
    }
    return NULL;
}

/* A thread deletes each timer as soon as it can, whether it is set, or expires, or is still being made. */
static void deleted_by_others(void)
{
    struct itimerspec set = {.it_value = {0, 1}, .it_interval = {0, 1}};
    pthread_t thread;
    int id, failed = 0;

    signal(SIGALRM, SIG_IGN);
    pthread_create(&thread, NULL, delete_at_once, NULL);
    for (int i = 0; i < 3000; i++) {
        failed += syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &id) != 0;
        set.it_value.tv_nsec = 1 + i % 10 * 20000;
        syscall(SYS_timer_settime, id, 0, &set, NULL);
        syscall(SYS_timer_delete, id); /* if it has escaped */
        next_timer = id + 1;
    }
    all_made = 1;
    pthread_join(thread, NULL);
    SHOW(failed);
}

static void clocks(void)
{
    struct timespec time;
    clockid_t clock;
    volatile long work = 0;

    SHOW(clock_getcpuclockid(0, &clock));
    SHOW(clock_gettime(clock, &time));
    SHOW(clock_getcpuclockid(getpid(), &clock));
    SHOW(clock_gettime(clock, &time));
    HOLDS(now_of(clock) >= 0 && now_of(clock) <= now_of(CLOCK_PROCESS_CPUTIME_ID));
    SHOW(clock_getcpuclockid(999999999, &clock));
    SHOW(pthread_getcpuclockid(pthread_self(), &clock));
    SHOW(clock_gettime(clock, &time));
    SHOW(clock_getres(clock, &time));
    SHOW(time.tv_nsec);
    SHOW(syscall(SYS_clock_gettime, -1, &time));
    SHOW(syscall(SYS_clock_gettime, 99, &time));
    SHOW(syscall(SYS_clock_settime, CLOCK_MONOTONIC, &time));
    SHOW(syscall(SYS_clock_settime, CLOCK_REALTIME, 8));
    struct tms tms;
    struct rusage usage;
    long long used = now_of(CLOCK_PROCESS_CPUTIME_ID);
    while (now_of(CLOCK_PROCESS_CPUTIME_ID) - used < 30000000) {
        work++;
    }
    HOLDS(times(&tms) > 0);
    HOLDS(tms.tms_utime + tms.tms_stime >= 2);
    SHOW(getrusage(RUSAGE_SELF, &usage));
    HOLDS(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec + usage.ru_utime.tv_sec + usage.ru_stime.tv_sec > 0);
}

static void sleeps(void)
{
    struct timespec time = {0, 20000000}, left = {77, 77};
    long long start = now_of(CLOCK_MONOTONIC);

    SHOW(nanosleep(&time, NULL));
    HOLDS(now_of(CLOCK_MONOTONIC) - start >= 20000000);
    clock_gettime(CLOCK_REALTIME, &time);
    time.tv_sec -= 5;
    SHOW(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &time, NULL));
    clock_gettime(CLOCK_MONOTONIC, &time);
    if ((time.tv_nsec += 20000000) >= 1000000000) {
        time.tv_sec++, time.tv_nsec -= 1000000000;
    }
    SHOW(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL));
    HOLDS(now_of(CLOCK_MONOTONIC) >= time.tv_sec * 1000000000LL + time.tv_nsec);
    struct itimerval soon = {.it_value = {0, 30000}};
    install(SIGALRM, SA_RESTART); /* does not count for sleeps */
    count = 0;
    setitimer(ITIMER_REAL, &soon, NULL);
    time = (struct timespec){1000, 0};
    SHOW(nanosleep(&time, &left));
    HOLDS(left.tv_sec == 999);
    setitimer(ITIMER_REAL, &soon, NULL);
    left.tv_sec = 77;
    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_sec += 1000;
    SHOW(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &time, &left));
    SHOW(left.tv_sec);
    setitimer(ITIMER_REAL, &soon, NULL);
    SHOW(poll(NULL, 0, 100000));
    SHOW(syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &soon, NULL));
    SHOW(syscall(SYS_clock_nanosleep, 99, 0, &soon, NULL));
}

/* A stop and a continuation do not end a sleep, nor does a signal that is ignored; it ends at its time. */
static void interrupted_sleep(void)
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct timespec time = {0, 120000000};
        long long start = now_of(CLOCK_MONOTONIC);
        int result = nanosleep(&time, NULL);
        long long polled = now_of(CLOCK_MONOTONIC);
        int second = poll(NULL, 0, 50);
        _exit(result == 0 && polled - start >= 120000000 && second == 0 && now_of(CLOCK_MONOTONIC) - polled >= 50000000 ? 7 : 8);
    }
    int stops = 0;
    while (stops < 5) { /* or it has slept enough by now */
        usleep(10000);
        kill(child, SIGSTOP);
        if (waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status) || WSTOPSIG(status) != SIGSTOP) {
            break;
        }
        stops++;
        kill(child, SIGCONT);
    }
    HOLDS(stops < 5 ? WIFEXITED(status) : waitpid(child, &status, 0) == child);
    SHOW(WEXITSTATUS(status));
}

int main(void)
{
    pthread_t thread;

    alarms();
    intervals();
    processor_time(ITIMER_VIRTUAL, SIGVTALRM, CLOCK_PROCESS_CPUTIME_ID);
    processor_time(ITIMER_PROF, SIGPROF, CLOCK_PROCESS_CPUTIME_ID);
    posix_timers();
    count = 0;
    signal(SIGRTMIN + 2, note_thread);
    pthread_create(&thread, NULL, wait_in_thread, NULL);
    pthread_join(thread, NULL);
    processor_timer();
    deleted_by_others();
    clocks();
    sleeps();
    interrupted_sleep();
    return 0;
}
