// SPDX-License-Identifier: MIT
// build: musl
// flags: -w
/* Many signals against threads that change their masks, wait, end and begin, against stops, and against exec: each that was
   queued is taken once, whoever takes it. */
#include "test.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#define SENT 4000

static volatile int taken[SENT], total, finish;

static void take(int value)
{
    __sync_fetch_and_add(&taken[value], 1);
    __sync_fetch_and_add(&total, 1);
}

static void handler(int sig, siginfo_t *info, void *context)
{
    take(info->si_value.sival_int);
}

static void mask(int how, int sig)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, sig);
    pthread_sigmask(how, &set, NULL);
}

static void *change_masks(void *unused)
{
    while (!finish) {
        mask(SIG_BLOCK, SIGRTMIN + 2);
        sched_yield();
        mask(SIG_UNBLOCK, SIGRTMIN + 2);
    }
    return NULL;
}

static void *wait_for_them(void *unused)
{
    struct timespec soon = {0, 2000000};
    sigset_t set;
    siginfo_t info;

    mask(SIG_BLOCK, SIGRTMIN + 2);
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 2);
    while (!finish) {
        if (sigtimedwait(&set, &info, &soon) > 0) {
            take(info.si_value.sival_int);
        }
    }
    return NULL;
}

static void *end_soon(void *unused)
{
    sched_yield();
    return NULL;
}

/* Threads that last for a moment only. */
static void *begin_and_end(void *unused)
{
    while (!finish) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, end_soon, NULL) == 0) {
            pthread_join(thread, NULL);
        }
    }
    return NULL;
}

static void send_all(pid_t to)
{
    for (int i = 0; i < SENT; i++) {
        union sigval value = {.sival_int = i};
        while (sigqueue(to, SIGRTMIN + 2, value) < 0) {
            sched_yield(); /* too many wait */
        }
    }
}

static void *stop_and_continue(void *child)
{
    while (!finish) {
        kill((pid_t)(long)child, SIGSTOP);
        sched_yield();
        kill((pid_t)(long)child, SIGCONT);
        usleep(500);
    }
    return NULL;
}

/* The receiver: tells by its status whether each came once. */
static void receive(int ready)
{
    void *(*const work[])(void *) = {change_masks, change_masks, wait_for_them, begin_and_end};
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
    pthread_t threads[4];

    sigaction(SIGRTMIN + 2, &action, NULL);
    for (int i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, work[i], NULL);
    }
    write(ready, "r", 1);
    while (total < SENT) {
        usleep(1000);
    }
    usleep(20000); /* if one came twice */
    finish = 1;
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < SENT; i++) {
        if (taken[i] != 1) {
            _exit(2);
        }
    }
    _exit(total == SENT ? 0 : 3);
}

static void storm(int with_stops)
{
    pthread_t stopper;
    int status, ready[2];
    char byte;

    pipe(ready);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        receive(ready[1]);
    }
    read(ready[0], &byte, 1);
    finish = 0;
    if (with_stops) {
        pthread_create(&stopper, NULL, stop_and_continue, (void *)(long)child);
    }
    send_all(child);
    if (with_stops) {
        finish = 1;
        pthread_join(stopper, NULL);
        finish = 0;
    }
    waitpid(child, &status, 0);
    SHOW(status);
}

/* What is sent while a process runs another program waits for it there. */
static void collect(void)
{
    struct timespec soon = {5, 0};
    sigset_t set;
    siginfo_t info;
    int count = 0;

    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 2);
    sigaddset(&set, SIGUSR1);
    while (sigtimedwait(&set, &info, &soon) == SIGRTMIN + 2) {
        count++;
    }
    while (sigtimedwait(&set, &info, &(struct timespec){0}) == SIGRTMIN + 2) { /* the end comes first in line */
        count++;
    }
    _exit(count == 300 ? 0 : 1);
}

static void across_exec(void)
{
    int status;

    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        mask(SIG_BLOCK, SIGRTMIN + 2);
        mask(SIG_BLOCK, SIGUSR1);
        kill(getppid(), SIGUSR2);
        execl("/proc/self/exe", "sigstorm", "collect", NULL);
        _exit(9);
    }
    sigset_t set;
    int sig;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigwait(&set, &sig);
    for (int i = 0; i < 300; i++) {
        union sigval value = {.sival_int = i};
        while (sigqueue(child, SIGRTMIN + 2, value) < 0) {
            sched_yield();
        }
    }
    kill(child, SIGUSR1);
    waitpid(child, &status, 0);
    SHOW(status);
}

/* A thread that alone takes a signal, and ends with it: the others get it once they take it. */
static void *take_and_end(void *unused)
{
    mask(SIG_UNBLOCK, SIGRTMIN + 3);
    return NULL;
}

static volatile int late;

static void note_late(int sig)
{
    __sync_fetch_and_add(&late, 1);
}

static void ending_threads(void)
{
    pthread_t thread;

    signal(SIGRTMIN + 3, note_late);
    mask(SIG_BLOCK, SIGRTMIN + 3);
    for (int i = 0; i < 200; i++) {
        pthread_create(&thread, NULL, take_and_end, NULL);
        kill(getpid(), SIGRTMIN + 3);
        pthread_join(thread, NULL);
    }
    mask(SIG_UNBLOCK, SIGRTMIN + 3);
    SHOW(late);
}

int main(int argc, char **argv)
{
    if (argc == 2) {
        collect();
    }
    mask(SIG_BLOCK, SIGUSR2);
    storm(0);
    storm(1);
    for (int i = 0; i < 3; i++) {
        across_exec();
    }
    ending_threads();
    return 0;
}
