/* SPDX-License-Identifier: MIT */
/*
 * Timers that send signals: POSIX timers and the three interval timers.
 *
 *   KTIMER --DPC--> list of expired timers --> a thread of our own, which sends, counts and sets the next time
 *
 * Signals need tasklist_lock, which no DPC can take: hence the thread. On a clock that counts processor time
 * the kernel's timer goes off when the process could have used that much, at the earliest; when it has not,
 * it is set again for the rest.
 *
 * References: one of the process's list, one while the kernel's timer is set or the timer stands in the list
 * of expired ones. tasklist_lock guards timers; a spin lock, behind it, the list of expired ones.
 */
#include "linux.h"

#define SHORTEST_NS 500000UL /* between two expirations that are looked at: what lies between is counted */

static LIST_ENTRY expired_timers = {&expired_timers, &expired_timers};
static KSPIN_LOCK expired_lock;
static KEVENT expired_event;
static PVOID timer_thread; /* referenced */
static bool volatile timers_end;

void timer_put(struct timer *timer)
{
    if (InterlockedDecrement(&timer->refs) != 0) {
        return;
    }
    if (timer->task != NULL) {
        task_put(timer->task);
    }
    if (timer->clock_task != NULL) {
        task_put(timer->clock_task);
    }
    process_put(timer->process);
    release(timer);
}

/* ---- Setting ---- */

static u64 now_of(const struct timer *timer)
{
    u64 now = 0;
    clock_now_of(timer->clock, timer->process, timer->clock_task, &now);
    return now;
}

/* The process's tasks may run on several processors at once. */
static u64 wall_time(const struct timer *timer, u64 left)
{
    u64 rate = clock_is_cpu(timer->clock) ? min(timer->process->live, KeQueryActiveProcessorCount(NULL)) : 1;
    return left / (rate != 0 ? rate : 1);
}

/* A DPC that is queued would swallow that of the next expiry, and one of the two references. */
static void cancel_kernel_timer(struct timer *timer)
{
    if (KeCancelTimer(&timer->kernel_timer)) {
        InterlockedDecrement(&timer->refs); /* the caller's, or the list's, is left */
    }
    if (KeRemoveQueueDpc(&timer->dpc)) {
        InterlockedDecrement(&timer->refs);
    }
}

static void set_kernel_timer(struct timer *timer, u64 now)
{
    u64 left = timer->next > now ? min(timer->next - now, LONGEST_TIME_NS) : 0;
    u64 wall = wall_time(timer, left);

    if (clock_is_cpu(timer->clock) && wall < SHORTEST_NS) {
        wall = SHORTEST_NS; /* a process that sleeps uses none */
    }
    LARGE_INTEGER due = {.QuadPart = -(s64)(wall / 100 + 1)};
    cancel_kernel_timer(timer);
    InterlockedIncrement(&timer->refs);
    KeSetTimer(&timer->kernel_timer, due, &timer->dpc);
}

void timer_set(struct timer *timer, u64 next, u64 interval)
{
    timer->next = next;
    timer->interval = interval;
    timer->overrun = 0;
    if (next != 0) {
        set_kernel_timer(timer, now_of(timer));
    } else {
        cancel_kernel_timer(timer);
    }
}

u64 timer_left(const struct timer *timer)
{
    u64 now = now_of(timer), next = timer->next;

    if (next == 0) {
        return 0;
    }
    if (next <= now && timer->interval != 0 && timer->sigev_notify == SIGEV_NONE) {
        next += ((now - next) / timer->interval + 1) * timer->interval;
    }
    return next > now ? next - now : timer->sigev_notify == SIGEV_NONE ? 0 : 1;
}

/* ---- Expiring ---- */

static VOID expired(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    struct timer *timer = context;
    KIRQL irql = KeAcquireSpinLockRaiseToDpc(&expired_lock);

    if (timer->is_expired) {
        InterlockedDecrement(&timer->refs); /* the list has one already */
    } else {
        timer->is_expired = true;
        InsertTailList(&expired_timers, &timer->expired);
    }
    KeReleaseSpinLock(&expired_lock, irql);
    KeSetEvent(&expired_event, IO_NO_INCREMENT, FALSE);
}

static struct timer *next_expired(void)
{
    struct timer *timer = NULL;
    KIRQL irql = KeAcquireSpinLockRaiseToDpc(&expired_lock);

    if (!IsListEmpty(&expired_timers)) {
        timer = CONTAINING_RECORD(RemoveHeadList(&expired_timers), struct timer, expired);
        timer->is_expired = false;
    }
    KeReleaseSpinLock(&expired_lock, irql);
    return timer;
}

static struct sigpending *pending_of(const struct timer *timer)
{
    return timer->task != NULL ? &timer->task->pending : &timer->process->pending;
}

static bool is_waiting(const struct timer *timer)
{
    struct sigpending *pending = pending_of(timer);

    for (PLIST_ENTRY at = pending->queue.Flink; at != &pending->queue; at = at->Flink) {
        const siginfo_t *info = &CONTAINING_RECORD(at, struct sigqueue, links)->info;
        if (info->si_code == SI_TIMER && info->si_timerid == timer->id) {
            return true;
        }
    }
    return false;
}

/* So many expirations: the signal counts as the first, unless the last one still waits. */
static void send_expiry(struct timer *timer, u64 count)
{
    siginfo_t info = {.si_signo = timer->sigev_signo, .si_code = SI_KERNEL};

    if (timer->id < 0) { /* an interval timer's; without a record, as it may come again */
        send_signal_locked(timer->process, NULL, &info);
        return;
    }
    if (is_waiting(timer)) {
        timer->overrun += count;
        return;
    }
    info = (siginfo_t){.si_signo = timer->sigev_signo, .si_code = SI_TIMER};
    info.si_timerid = timer->id;
    info.si_value = timer->sigev_value;
    timer->overrun = count - 1;
    if (timer->task == NULL || !timer->task->exited) {
        send_signal_locked(timer->process, timer->task, &info);
    }
}

/* tasklist_lock is held. It may have been set anew, or deleted, meanwhile. */
static void expire(struct timer *timer)
{
    u64 now = now_of(timer), count = 1;

    if (timer->next == 0) {
        return;
    }
    if (now < timer->next) {
        set_kernel_timer(timer, now);
        return;
    }
    if (timer->interval != 0) {
        count = (now - timer->next) / timer->interval + 1;
        timer->next += count * timer->interval;
    } else {
        timer->next = 0;
    }
    if (timer->sigev_notify != SIGEV_NONE) {
        send_expiry(timer, count);
    }
    if (timer->next != 0) {
        u64 soon = now + SHORTEST_NS;
        set_kernel_timer(timer, timer->next < soon ? now - min(now, soon - timer->next) : now);
    }
}

static VOID run_timers(PVOID context)
{
    struct timer *timer;

    while (!timers_end) {
        KeWaitForSingleObject(&expired_event, Executive, KernelMode, FALSE, NULL);
        while ((timer = next_expired()) != NULL) {
            mutex_lock(&tasklist_lock);
            expire(timer);
            mutex_unlock(&tasklist_lock);
            timer_put(timer);
        }
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

/* ---- Making and deleting ---- */

struct timer *timer_create(int clock, struct task *clock_task)
{
    struct timer *timer = zalloc(sizeof(*timer));

    if (timer != NULL) {
        timer->refs = 1;
        timer->id = -1;
        timer->clock = clock;
        timer->clock_task = clock_task;
        if (clock_task != NULL) {
            InterlockedIncrement(&clock_task->refs);
        }
        timer->process = current_process();
        InterlockedIncrement(&timer->process->refs);
        KeInitializeTimer(&timer->kernel_timer);
        KeInitializeDpc(&timer->dpc, expired, timer);
    }
    return timer;
}

/* Takes it off its list, for delete_list. */
static void unlink(struct timer *timer, PLIST_ENTRY list)
{
    timer->next = 0;
    cancel_kernel_timer(timer);
    RemoveEntryList(&timer->links);
    InsertTailList(list, &timer->links);
}

static void delete_list(PLIST_ENTRY list)
{
    while (!IsListEmpty(list)) {
        timer_put(CONTAINING_RECORD(RemoveHeadList(list), struct timer, links));
    }
}

bool timer_delete(struct process *process, s32 id)
{
    LIST_ENTRY list;

    InitializeListHead(&list);
    mutex_lock(&tasklist_lock);
    struct timer *timer = timer_find(process, id);
    if (timer != NULL) {
        unlink(timer, &list);
        process->timer_count--;
    }
    mutex_unlock(&tasklist_lock);
    delete_list(&list);
    return timer != NULL;
}

void timers_delete(struct process *process, bool all)
{
    LIST_ENTRY list;

    InitializeListHead(&list);
    mutex_lock(&tasklist_lock);
    for (PLIST_ENTRY at = process->timers.Flink, next; at != &process->timers; at = next) {
        struct timer *timer = CONTAINING_RECORD(at, struct timer, links);
        next = at->Flink;
        if (all || timer->id >= 0) {
            unlink(timer, &list);
        }
    }
    process->timer_count = 0;
    mutex_unlock(&tasklist_lock);
    delete_list(&list);
}

/* ---- Start and end of the module ---- */

long timers_start(void)
{
    KeInitializeSpinLock(&expired_lock);
    KeInitializeEvent(&expired_event, SynchronizationEvent, FALSE);
    timers_end = false;
    return start_thread(run_timers, &timer_thread);
}

void timers_stop(void)
{
    if (timer_thread != NULL) {
        KeFlushQueuedDpcs();
        timers_end = true;
        KeSetEvent(&expired_event, IO_NO_INCREMENT, FALSE);
        end_thread(&timer_thread);
    }
}
