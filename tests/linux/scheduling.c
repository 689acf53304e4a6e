// SPDX-License-Identifier: MIT
// build: musl glibc
// needs: root
/* Policies, priorities, nice values and processors: what is set is what is read, and a task runs where it may. */
#include "test.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

struct attr {
    unsigned size, policy;
    unsigned long flags;
    int nice;
    unsigned priority;
    unsigned long runtime, deadline, period;
};

static long set(int policy, int priority)
{
    struct {
        int priority;
    } param = {priority};
    return syscall(SYS_sched_setscheduler, 0, policy, &param);
}

static void policies(void)
{
    int priority = -1;
    struct timespec slice = {-1, -1};

    SHOW(syscall(SYS_sched_getscheduler, 0));
    SHOW(set(SCHED_FIFO, 0));
    SHOW(set(SCHED_FIFO, 100));
    SHOW(set(SCHED_FIFO, 99));
    SHOW(syscall(SYS_sched_getscheduler, 0));
    SHOW(syscall(SYS_sched_rr_get_interval, 0, &slice));
    SHOW(slice.tv_sec + slice.tv_nsec);
    SHOW(syscall(SYS_sched_getparam, 0, &priority));
    SHOW(priority);
    priority = 5;
    SHOW(syscall(SYS_sched_setparam, 0, &priority));
    SHOW(set(SCHED_RR | SCHED_RESET_ON_FORK, 1));
    SHOW(syscall(SYS_sched_getscheduler, 0));
    SHOW(set(SCHED_OTHER, 1));
    SHOW(set(SCHED_BATCH, 0));
    SHOW(set(SCHED_IDLE, 0));
    SHOW(syscall(SYS_sched_getscheduler, getpid()));
    SHOW(set(SCHED_OTHER, 0));
    SHOW(set(4, 0));
    SHOW(set(-1, 0));
    SHOW(syscall(SYS_sched_setscheduler, 0, 0, NULL));
    SHOW(syscall(SYS_sched_setscheduler, -1, 0, &priority));
    SHOW(syscall(SYS_sched_setscheduler, 0, 0, 8L));
    SHOW(syscall(SYS_sched_getscheduler, -1));
    SHOW(syscall(SYS_sched_getscheduler, 1 << 29));
    SHOW(syscall(SYS_sched_getparam, 0, NULL));
    SHOW(syscall(SYS_sched_rr_get_interval, 1 << 29, &slice));
    for (int policy = -1; policy <= 6; policy++) {
        printf("policy %d: ", policy);
        SHOW(syscall(SYS_sched_get_priority_min, policy));
        SHOW(syscall(SYS_sched_get_priority_max, policy));
    }
}

static void attributes(void)
{
    struct attr attr = {.size = sizeof(attr), .policy = SCHED_RR, .priority = 7};

    SHOW(syscall(SYS_sched_setattr, 0, &attr, 0));
    memset(&attr, 0, sizeof(attr));
    SHOW(syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0));
    printf("%u %u %lu %d %u\n", attr.size, attr.policy, attr.flags, attr.nice, attr.priority);
    attr = (struct attr){.size = sizeof(attr), .policy = SCHED_BATCH, .nice = -3};
    SHOW(syscall(SYS_sched_setattr, 0, &attr, 0));
    SHOW(getpriority(PRIO_PROCESS, 0));
    SHOW(syscall(SYS_sched_setattr, 0, &attr, 1));
    SHOW(syscall(SYS_sched_setattr, 0, NULL, 0));
    SHOW(syscall(SYS_sched_getattr, 0, &attr, 20, 0));
    SHOW(syscall(SYS_sched_getattr, 1 << 29, &attr, sizeof(attr), 0));
    attr = (struct attr){.size = 20};
    SHOW(syscall(SYS_sched_setattr, 0, &attr, 0));
    attr = (struct attr){.size = sizeof(attr), .policy = SCHED_OTHER};
    SHOW(syscall(SYS_sched_setattr, 0, &attr, 0));
}

static void nice_values(void)
{
    for (int value = -25; value <= 25; value += 5) {
        SHOW(setpriority(PRIO_PROCESS, 0, value));
        SHOW(syscall(SYS_getpriority, PRIO_PROCESS, 0));
    }
    SHOW(setpriority(PRIO_PGRP, 0, 3));
    SHOW(syscall(SYS_getpriority, PRIO_PGRP, 0));
    SHOW(syscall(SYS_getpriority, PRIO_PROCESS, getpid()));
    SHOW(setpriority(3, 0, 0));
    SHOW(syscall(SYS_getpriority, -1, 0));
    SHOW(setpriority(PRIO_PROCESS, 1 << 29, 0));
    SHOW(syscall(SYS_getpriority, PRIO_USER, 4242));
    SHOW(setpriority(PRIO_PROCESS, 0, 0));
}

/* The call is over: from now on the task runs on that processor and on no other. */
static int runs_on(int cpu)
{
    cpu_set_t one;
    unsigned now = 99;

    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    if (sched_setaffinity(0, sizeof(one), &one) < 0) {
        return 0;
    }
    for (int i = 0; i < 200; i++) {
        if (syscall(SYS_getcpu, &now, NULL, NULL) < 0 || now != (unsigned)cpu) {
            return 0;
        }
        sched_yield();
    }
    CPU_ZERO(&one);
    return sched_getaffinity(0, sizeof(one), &one) == 0 && CPU_COUNT(&one) == 1 && CPU_ISSET(cpu, &one);
}

static void *on_all(void *unused)
{
    cpu_set_t all, mine;
    (void)unused;
    sched_getaffinity(getpid(), sizeof(all), &all);
    int good = 1;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        good &= !CPU_ISSET(cpu, &all) || runs_on(cpu);
    }
    sched_getaffinity(0, sizeof(mine), &mine);
    HOLDS(good && CPU_COUNT(&mine) == 1);
    return NULL;
}

static void processors(void)
{
    cpu_set_t all, none;
    unsigned long mask[16];
    pthread_t thread;

    SHOW(sched_getaffinity(0, sizeof(all), &all));
    HOLDS(CPU_COUNT(&all) >= 1);
    CPU_ZERO(&none);
    SHOW(sched_setaffinity(0, sizeof(none), &none));
    SHOW(syscall(SYS_sched_setaffinity, 0, 8, 8L));
    SHOW(syscall(SYS_sched_setaffinity, 1 << 29, sizeof(all), &all));
    SHOW(syscall(SYS_sched_getaffinity, 0, 4, mask));
    SHOW(syscall(SYS_sched_getaffinity, 0, 9, mask));
    SHOW(syscall(SYS_sched_getaffinity, 0, 128, 8L));
    SHOW(syscall(SYS_sched_getaffinity, 1 << 29, 128, mask));
    pthread_create(&thread, NULL, on_all, NULL);
    pthread_join(thread, NULL);
    int first = 0;
    while (!CPU_ISSET(first, &all)) {
        first++;
    }
    HOLDS(runs_on(first));
    pthread_create(&thread, NULL, on_all, NULL); /* the mask is its maker's, and its own */
    pthread_join(thread, NULL);
    SHOW(sched_setaffinity(0, sizeof(all), &all));
}

int main(void)
{
    SHOW(syscall(SYS_membarrier, 8, 0, 0));
    SHOW(syscall(SYS_membarrier, 16, 0, 0));
    SHOW(syscall(SYS_membarrier, 8, 0, 0));
    SHOW(syscall(SYS_membarrier, 1, 0, 0));
    SHOW(syscall(SYS_membarrier, 0, 1, 0));
    SHOW(syscall(SYS_membarrier, 1 << 20, 0, 0));
    HOLDS((syscall(SYS_membarrier, 0, 0, 0) & 25) == 25);
    SHOW(syscall(SYS_ioprio_get, 1, 0));
    SHOW(syscall(SYS_ioprio_get, 0, 0));
    SHOW(syscall(SYS_ioprio_get, 1, 1 << 29));
    policies();
    attributes();
    nice_values();
    processors();
    return 0;
}
