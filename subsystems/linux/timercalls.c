/* SPDX-License-Identifier: MIT */
/* The calls that set timers: alarm, interval timers, POSIX timers. timer.c lets them expire. */
#include "linux.h"

/* ---- Interval timers ---- */

static const struct {
    int clock, sig;
} kinds[] = {
    [ITIMER_REAL] = {CLOCK_MONOTONIC, SIGALRM},
    /* Time in the kernel is not told apart from the program's own. */
    [ITIMER_VIRTUAL] = {CLOCK_PROCESS_CPUTIME_ID, SIGVTALRM},
    [ITIMER_PROF] = {CLOCK_PROCESS_CPUTIME_ID, SIGPROF},
};

/* tasklist_lock is held. */
static struct timer *interval_timer(struct process *process, int which)
{
    for (PLIST_ENTRY at = process->timers.Flink; at != &process->timers; at = at->Flink) {
        struct timer *timer = CONTAINING_RECORD(at, struct timer, links);
        if (timer->id < 0 && timer->sigev_signo == kinds[which].sig) {
            return timer;
        }
    }
    return NULL;
}

static struct timeval timeval_of(u64 ns)
{
    ns += ns % 1000 != 0 ? 1000 - ns % 1000 : 0; /* what is left is not nothing */
    return (struct timeval){ns / NS_PER_SECOND, ns % NS_PER_SECOND / 1000};
}

static void setting_of(struct timer *timer, u64 *left, u64 *interval)
{
    *left = timer != NULL ? timer_left(timer) : 0;
    *interval = timer != NULL ? timer->interval : 0;
}

/* Sets it to go off so long from now (0: never); tells what was left before. */
static long set_interval_timer(int which, u64 value, u64 interval, u64 *left, u64 *old_interval)
{
    struct process *process = current_process();
    struct timer *made = value != 0 ? timer_create(kinds[which].clock, NULL) : NULL;
    u64 now = 0;

    if (value != 0 && made == NULL) {
        return -ENOMEM;
    }
    clock_now(kinds[which].clock, &now);
    mutex_lock(&tasklist_lock);
    struct timer *timer = interval_timer(process, which);
    setting_of(timer, left, old_interval);
    if (timer == NULL && made != NULL) {
        timer = made;
        made = NULL;
        timer->sigev_notify = SIGEV_SIGNAL;
        timer->sigev_signo = kinds[which].sig;
        InsertTailList(&process->timers, &timer->links);
    }
    if (timer != NULL) {
        timer_set(timer, value != 0 ? now + value : 0, value != 0 ? interval : 0);
    }
    mutex_unlock(&tasklist_lock);
    if (made != NULL) {
        timer_put(made);
    }
    return 0;
}

static long get_timeval(const struct timeval *tv, u64 *ns)
{
    if (tv->tv_sec < 0 || tv->tv_usec < 0 || tv->tv_usec >= 1000000) {
        return -EINVAL;
    }
    *ns = (u64)tv->tv_sec > LONGEST_TIME_NS / NS_PER_SECOND ? LONGEST_TIME_NS
                                                            : (u64)(tv->tv_sec * NS_PER_SECOND + tv->tv_usec * 1000);
    return 0;
}

static long put_itimerval(struct itimerval __user *to, u64 left, u64 interval)
{
    struct itimerval setting = {.it_interval = timeval_of(interval), .it_value = timeval_of(left)};
    return copy_to_user(to, &setting, sizeof(setting));
}

long sys_setitimer(int which, const struct itimerval __user *new, struct itimerval __user *old)
{
    struct itimerval setting = {0}; /* without a new one the timer is stopped, as it has always been */
    u64 value, interval, left, old_interval;

    if (new != NULL && copy_from_user(&setting, new, sizeof(setting)) < 0) {
        return -EFAULT;
    }
    if (get_timeval(&setting.it_value, &value) < 0 || get_timeval(&setting.it_interval, &interval) < 0 ||
        which < 0 || which > ITIMER_PROF) {
        return -EINVAL;
    }
    long error = set_interval_timer(which, value, interval, &left, &old_interval);
    return error == 0 && old != NULL ? put_itimerval(old, left, old_interval) : error;
}

long sys_getitimer(int which, struct itimerval __user *to)
{
    u64 left, interval;

    if (which < 0 || which > ITIMER_PROF) {
        return -EINVAL;
    }
    mutex_lock(&tasklist_lock);
    setting_of(interval_timer(current_process(), which), &left, &interval);
    mutex_unlock(&tasklist_lock);
    return put_itimerval(to, left, interval);
}

/* Answers the seconds that were left, to the nearest, but never 0 for some. */
long sys_alarm(u32 seconds)
{
    u64 left, interval;
    long error = set_interval_timer(ITIMER_REAL, seconds * NS_PER_SECOND, 0, &left, &interval);
    if (error < 0) {
        return error;
    }
    u64 rounded = (left + NS_PER_SECOND / 2) / NS_PER_SECOND;
    return left != 0 && rounded == 0 ? 1 : (long)rounded;
}

/* ---- POSIX timers ---- */

static bool is_valid_event(const struct sigevent *event)
{
    return event->sigev_notify == SIGEV_NONE ||
           ((event->sigev_notify == SIGEV_SIGNAL || event->sigev_notify == (SIGEV_SIGNAL | SIGEV_THREAD_ID)) &&
            event->sigev_signo > 0 && event->sigev_signo <= _NSIG);
}

/* A task of the current process, referenced; NULL. tasklist_lock is held. */
static struct task *task_of(s32 tid)
{
    struct task *task = task_find(current_process()->pid, tid);
    if (task != NULL) {
        InterlockedIncrement(&task->refs);
    }
    return task;
}

/* Gives it a number and lists it. Whole: another task may delete it at once. */
static long publish(struct timer *timer, const struct sigevent *event, bool tells_number)
{
    struct process *process = timer->process;
    long result = -EAGAIN;

    mutex_lock(&tasklist_lock);
    if (event->sigev_notify & SIGEV_THREAD_ID) {
        timer->task = task_of(event->sigev_tid);
    }
    if ((event->sigev_notify & SIGEV_THREAD_ID) && timer->task == NULL) {
        result = -EINVAL;
    } else if (process->timer_count < process->rlimits[RLIMIT_SIGPENDING].rlim_cur) {
        do {
            timer->id = process->next_timer++ & 0x7fffffff;
        } while (timer_find(process, timer->id) != NULL);
        timer->sigev_notify = event->sigev_notify;
        timer->sigev_signo = event->sigev_signo;
        timer->sigev_value = tells_number ? (u32)timer->id : event->sigev_value;
        process->timer_count++;
        InsertTailList(&process->timers, &timer->links);
        result = timer->id;
    }
    mutex_unlock(&tasklist_lock);
    return result;
}

static bool can_time_by(int clock)
{
    return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME || clock == CLOCK_TAI ||
           clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID;
}

long sys_timer_create(int clock, const struct sigevent __user *from, s32 __user *to)
{
    struct sigevent event = {.sigev_signo = SIGALRM, .sigev_notify = SIGEV_SIGNAL};

    if (from != NULL && copy_from_user(&event, from, sizeof(event)) < 0) {
        return -EFAULT;
    }
    clock = clock_own(clock);
    if (!can_time_by(clock) || !is_valid_event(&event)) {
        return -EINVAL;
    }
    struct timer *timer = timer_create(clock, clock == CLOCK_THREAD_CPUTIME_ID ? current_task() : NULL);
    if (timer == NULL) {
        return -EAGAIN;
    }
    long id = publish(timer, &event, from == NULL);
    if (id < 0) {
        timer_put(timer);
        return id;
    }
    s32 number = (s32)id;
    if (copy_to_user(to, &number, sizeof(number)) < 0) {
        timer_delete(current_process(), number);
        return -EFAULT;
    }
    return 0;
}

static long put_itimerspec(struct itimerspec __user *to, u64 left, u64 interval)
{
    long error = put_timespec(&to->it_interval, interval);
    return error < 0 ? error : put_timespec(&to->it_value, left);
}

static u64 now_by(const struct timer *timer)
{
    u64 now = 0;
    clock_now_of(timer->clock, timer->process, timer->clock_task, &now);
    return now;
}

long sys_timer_settime(s32 id, int flags, const struct itimerspec __user *new, struct itimerspec __user *old)
{
    u64 value, interval, left, old_interval;

    if (new == NULL) {
        return -EINVAL;
    }
    long error = get_timespec(&new->it_interval, &interval);
    error = error < 0 ? error : get_timespec(&new->it_value, &value);
    if (error < 0) {
        return error;
    }
    mutex_lock(&tasklist_lock);
    struct timer *timer = timer_find(current_process(), id);
    if (timer != NULL) {
        setting_of(timer, &left, &old_interval);
        timer_set(timer, value == 0 ? 0 : flags & TIMER_ABSTIME ? value : now_by(timer) + value, interval);
    }
    mutex_unlock(&tasklist_lock);
    if (timer == NULL) {
        return -EINVAL;
    }
    return old != NULL ? put_itimerspec(old, left, old_interval) : 0;
}

long sys_timer_gettime(s32 id, struct itimerspec __user *to)
{
    u64 left = 0, interval = 0;

    mutex_lock(&tasklist_lock);
    struct timer *timer = timer_find(current_process(), id);
    if (timer != NULL) {
        setting_of(timer, &left, &interval);
    }
    mutex_unlock(&tasklist_lock);
    return timer != NULL ? put_itimerspec(to, left, interval) : -EINVAL;
}

long sys_timer_getoverrun(s32 id)
{
    mutex_lock(&tasklist_lock);
    struct timer *timer = timer_find(current_process(), id);
    long result = timer != NULL ? timer->last_overrun : -EINVAL;
    mutex_unlock(&tasklist_lock);
    return result;
}

long sys_timer_delete(s32 id)
{
    return timer_delete(current_process(), id) ? 0 : -EINVAL;
}
