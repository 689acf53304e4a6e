/* SPDX-License-Identifier: MIT */
/*
 * The vDSO: a shared object that every program finds mapped (AT_SYSINFO_EHDR), with calls that need no
 * kernel. It is linked to lie behind its page of data, wherever it goes, and needs no relocation. What it
 * cannot answer it asks the kernel.
 */
#include "vdso.h"

typedef long s64;
typedef unsigned long u64;

struct timespec {
    s64 tv_sec, tv_nsec;
};

struct timeval {
    s64 tv_sec, tv_usec;
};

#define CLOCK_REALTIME         0
#define CLOCK_MONOTONIC        1
#define CLOCK_MONOTONIC_RAW    4
#define CLOCK_REALTIME_COARSE  5
#define CLOCK_MONOTONIC_COARSE 6
#define CLOCK_BOOTTIME         7
#define CLOCK_TAI              11

#define NR_gettimeofday  96
#define NR_time          201
#define NR_clock_gettime 228
#define NR_clock_getres  229
#define NR_getcpu        309

#define UNITS_PER_SECOND 10000000UL

extern const struct vdso_data vvar __attribute__((visibility("hidden")));

static long system_call(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

/* Loads before it are done when the counter is read. */
static u64 cycles(void)
{
    unsigned low, high;
    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (u64)high << 32 | low;
}

static u64 realtime_units(void)
{
    return vvar.realtime + vdso_units(&vvar, cycles());
}

int __vdso_clock_gettime(int clock, struct timespec *time)
{
    u64 units;

    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_TAI:
        units = realtime_units();
        break;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
        units = vdso_units(&vvar, cycles());
        break;
    default:
        return (int)system_call(NR_clock_gettime, clock, (long)time, 0);
    }
    time->tv_sec = units / UNITS_PER_SECOND;
    time->tv_nsec = units % UNITS_PER_SECOND * 100;
    return 0;
}

int __vdso_clock_getres(int clock, struct timespec *resolution)
{
    return (int)system_call(NR_clock_getres, clock, (long)resolution, 0);
}

int __vdso_gettimeofday(struct timeval *time, void *zone)
{
    if (zone != 0) {
        return (int)system_call(NR_gettimeofday, (long)time, (long)zone, 0);
    }
    if (time != 0) {
        u64 units = realtime_units();
        time->tv_sec = units / UNITS_PER_SECOND;
        time->tv_usec = units % UNITS_PER_SECOND / 10;
    }
    return 0;
}

s64 __vdso_time(s64 *time)
{
    s64 now = realtime_units() / UNITS_PER_SECOND;
    if (time != 0) {
        *time = now;
    }
    return now;
}

int __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused)
{
    return (int)system_call(NR_getcpu, (long)cpu, (long)node, 0);
}

#define ALIAS(name) extern __typeof__(__vdso_##name) name __attribute__((weak, alias("__vdso_" #name)))
ALIAS(clock_gettime);
ALIAS(clock_getres);
ALIAS(gettimeofday);
ALIAS(time);
ALIAS(getcpu);
