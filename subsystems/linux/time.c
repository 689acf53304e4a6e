/* SPDX-License-Identifier: MIT */
/* Clocks and sleeping. The kernel counts 100 ns since 1601; Linux tells seconds and nanoseconds since
   1970. */
#include "linux.h"

#define UNITS_PER_SECOND     10000000UL
#define SECONDS_1601_TO_1970 11644473600UL

/* Processor time comes in units of the performance counter. */
u64 cycles_to_ns(u64 cycles)
{
    LARGE_INTEGER frequency;
    KeQueryPerformanceCounter(&frequency);
    return scale_to_ns(cycles, frequency.QuadPart);
}

struct cpu_time process_time(const struct process *process)
{
    struct cpu_time time;

    time.cycles = kernel.GetProcessTimes(process->object, &time.user);
    return time;
}

static struct cpu_time thread_time(PETHREAD thread)
{
    struct cpu_time time;

    time.cycles = kernel.GetThreadTimes(thread, &time.user);
    return time;
}

u64 realtime_ns(void)
{
    LARGE_INTEGER now;
    KeQuerySystemTime(&now);
    return (now.QuadPart - SECONDS_1601_TO_1970 * UNITS_PER_SECOND) * 100;
}

bool clock_is_cpu(int clock)
{
    return clock < 0 || clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID;
}

long clock_now_of(int clock, const struct process *process, const struct task *task, u64 *ns)
{
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_TAI:
        *ns = realtime_ns();
        return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
        *ns = monotonic_ns();
        return 0;
    case CLOCK_PROCESS_CPUTIME_ID:
        *ns = cycles_to_ns(process_time(process).cycles);
        return 0;
    case CLOCK_THREAD_CPUTIME_ID:
        *ns = cycles_to_ns(thread_time(task->thread).cycles);
        return 0;
    default:
        return -EINVAL;
    }
}

/*
 * Negative numbers are clocks of processes and threads by their ids: ~id in the upper bits, then a bit for a
 * thread's, then two that tell what counts, which is all the same here but for 3, a descriptor. Id 0: the
 * caller.
 */
static s32 id_of(int clock)
{
    return ~clock >> 3;
}

static bool is_thread_clock(int clock)
{
    return (clock & 4) != 0;
}

int clock_own(int clock)
{
    struct task *task = current_task();

    if (clock >= 0 || (clock & 3) == 3) {
        return clock;
    }
    s32 id = id_of(clock), own = is_thread_clock(clock) ? task->tid : task->process->pid;
    return id != 0 && id != own           ? clock
           : is_thread_clock(clock) ? CLOCK_THREAD_CPUTIME_ID
                                    : CLOCK_PROCESS_CPUTIME_ID;
}

/* Another thread of the caller's process, or another process. */
static long clock_now_by_id(int clock, u64 *ns)
{
    struct process *self = current_process();
    s32 id = id_of(clock);
    long error = -EINVAL;

    mutex_lock(&tasklist_lock);
    if (!is_thread_clock(clock)) {
        struct process *process = process_find(id);
        error = process != NULL ? clock_now_of(CLOCK_PROCESS_CPUTIME_ID, process, NULL, ns) : -EINVAL;
    }
    struct task *task = is_thread_clock(clock) ? task_find(self->pid, id) : NULL;
    if (task != NULL) {
        error = clock_now_of(CLOCK_THREAD_CPUTIME_ID, self, task, ns);
    }
    mutex_unlock(&tasklist_lock);
    return error;
}

long clock_now(int clock, u64 *ns)
{
    if (clock < 0) {
        clock = clock_own(clock);
    }
    if (clock < 0) {
        return (clock & 3) == 3 ? -EINVAL : clock_now_by_id(clock, ns);
    }
    return clock_now_of(clock, current_process(), current_task(), ns);
}

long put_timespec(struct timespec __user *to, u64 ns)
{
    struct timespec time = {ns / NS_PER_SECOND, ns % NS_PER_SECOND};
    return copy_to_user(to, &time, sizeof(time));
}

long get_timespec(const struct timespec __user *from, u64 *ns)
{
    struct timespec time;
    if (copy_from_user(&time, from, sizeof(time)) < 0) {
        return -EFAULT;
    }
    if (time.tv_sec < 0 || time.tv_nsec < 0 || time.tv_nsec >= (s64)NS_PER_SECOND) {
        return -EINVAL;
    }
    *ns = (u64)time.tv_sec > LONGEST_TIME_NS / NS_PER_SECOND ? LONGEST_TIME_NS
                                                              : (u64)(time.tv_sec * NS_PER_SECOND + time.tv_nsec);
    return 0;
}

/* ---- Clocks ---- */

long sys_clock_gettime(int clock, struct timespec __user *time)
{
    u64 ns;
    long error = clock_now(clock, &ns);
    return error < 0 ? error : put_timespec(time, ns);
}

long sys_clock_getres(int clock, struct timespec __user *resolution)
{
    u64 ns;
    long error = clock_now(clock, &ns);
    if (error < 0 || resolution == NULL) {
        return error;
    }
    return put_timespec(resolution, 1);
}

long sys_gettimeofday(struct timeval __user *tv, void __user *zone)
{
    u64 ns = realtime_ns();
    struct timeval now = {ns / NS_PER_SECOND, ns % NS_PER_SECOND / 1000};

    if (tv != NULL && copy_to_user(tv, &now, sizeof(now)) < 0) {
        return -EFAULT;
    }
    return zone != NULL ? clear_user(zone, 8) : 0; /* two ints: no zone, no summer time */
}

long sys_time(s64 __user *time)
{
    s64 now = realtime_ns() / NS_PER_SECOND;
    return time != NULL && copy_to_user(time, &now, sizeof(now)) < 0 ? -EFAULT : now;
}

/* The machine's clock is not this subsystem's to set. */
long sys_clock_settime(int clock, const struct timespec __user *time)
{
    u64 ns;
    long error = clock != CLOCK_REALTIME ? -EINVAL : get_timespec(time, &ns);
    return error < 0 ? error : -EPERM;
}

/* ---- Sleeping ---- */

/* Until the point `deadline` of the clock: another clock than the monotonic one may be set meanwhile, and
   several processors may work for one that counts their time. */
static long sleep_until(int clock, u64 deadline)
{
    u64 now;
    for (;;) {
        long error = clock_now(clock, &now);
        if (error < 0 || now >= deadline) {
            return error;
        }
        u64 left = min(deadline - now, LONGEST_TIME_NS);
        if (clock_is_cpu(clock)) {
            left = left / KeQueryActiveProcessorCount(NULL) + NS_PER_SECOND / 1000;
        }
        error = wait_until(monotonic_ns() + left);
        if (error != -ETIMEDOUT) {
            return error;
        }
    }
}

static long sleep_on(struct restart *restart);

/* left: told when a signal breaks the sleep off. It goes on after that, if no handler ran. */
static long sleep_relative(int clock, u64 deadline, struct timespec __user *left)
{
    u64 now;
    long error = sleep_until(clock, deadline);

    if (error != -ERESTARTSYS) {
        return error;
    }
    if (clock_now(clock, &now) < 0) {
        now = deadline; /* the clock's process has gone meanwhile: nothing is left */
    }
    if (left != NULL && put_timespec(left, now < deadline ? deadline - now : 0) < 0) {
        return -EFAULT;
    }
    current_task()->restart =
        (struct restart){.function = sleep_on, .argument = {(u64)(u32)clock, deadline, (u64)left}};
    return -ERESTART_RESTARTBLOCK;
}

static long sleep_on(struct restart *restart)
{
    return sleep_relative((int)restart->argument[0], restart->argument[1], (void __user *)restart->argument[2]);
}

static bool can_sleep_by(int clock)
{
    return clock != CLOCK_THREAD_CPUTIME_ID && clock != CLOCK_MONOTONIC_RAW &&
           clock != CLOCK_REALTIME_COARSE && clock != CLOCK_MONOTONIC_COARSE;
}

long sys_clock_nanosleep(int clock, int flags, const struct timespec __user *request,
                         struct timespec __user *left)
{
    u64 ns, now;

    long error = clock_now(clock, &now);
    if (error == 0 && !can_sleep_by(clock)) {
        error = -EOPNOTSUPP;
    }
    if (error == 0) {
        error = get_timespec(request, &ns);
    }
    if (error < 0) {
        return error;
    }
    if (flags & TIMER_ABSTIME) {
        error = sleep_until(clock, ns);
        return error == -ERESTARTSYS ? -ERESTARTNOHAND : error;
    }
    return sleep_relative(clock, now + ns, left);
}

long sys_nanosleep(const struct timespec __user *request, struct timespec __user *left)
{
    return sys_clock_nanosleep(CLOCK_MONOTONIC, 0, request, left);
}

/* ---- Processor time ---- */

struct rusage usage_of(struct cpu_time time, u64 maxrss)
{
    u64 user = cycles_to_ns(time.user), system = cycles_to_ns(time.cycles - time.user);
    return (struct rusage){
        .ru_utime = {user / NS_PER_SECOND, user % NS_PER_SECOND / 1000},
        .ru_stime = {system / NS_PER_SECOND, system % NS_PER_SECOND / 1000},
        .ru_maxrss = maxrss,
    };
}

long sys_getrusage(int who, struct rusage __user *to)
{
    struct process *process = current_process();
    struct rusage usage;
    PS_MEMORY_STATISTICS memory;

    switch (who) {
    case RUSAGE_SELF:
    case RUSAGE_THREAD:
        kernel.QueryMemory(process->object, &memory);
        usage = usage_of(who == RUSAGE_SELF ? process_time(process) : thread_time(current_task()->thread),
                         memory.ResidentBytes / 1024);
        break;
    case RUSAGE_CHILDREN:
        mutex_lock(&tasklist_lock);
        usage = usage_of(process->children_time, process->children_maxrss);
        mutex_unlock(&tasklist_lock);
        break;
    default:
        return -EINVAL;
    }
    return copy_to_user(to, &usage, sizeof(usage));
}

static u64 clock_ticks(u64 ns)
{
    return ns / (NS_PER_SECOND / CLOCKS_PER_SEC);
}

long sys_times(struct tms __user *to)
{
    struct process *process = current_process();

    mutex_lock(&tasklist_lock);
    struct cpu_time children = process->children_time;
    mutex_unlock(&tasklist_lock);
    struct cpu_time own = process_time(process);
    struct tms times = {
        .tms_utime = clock_ticks(cycles_to_ns(own.user)),
        .tms_stime = clock_ticks(cycles_to_ns(own.cycles - own.user)),
        .tms_cutime = clock_ticks(cycles_to_ns(children.user)),
        .tms_cstime = clock_ticks(cycles_to_ns(children.cycles - children.user)),
    };
    if (to != NULL && copy_to_user(to, &times, sizeof(times)) < 0) {
        return -EFAULT;
    }
    return clock_ticks(monotonic_ns());
}
