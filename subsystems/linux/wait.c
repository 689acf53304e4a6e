/* SPDX-License-Identifier: MIT */
/*
 * Waiting. All blocking in the handler is done here: a task stands on wait queues, and sleeps on its own
 * event.
 *
 * A wait queue lies in what is waited for; a waiter, on the stack of who waits, is one place in one
 * queue. There are two kinds of waiters. A plain one takes one wake-up, which takes it off the queue;
 * when it is exclusive, wake_one wakes no other exclusive one. One with a notify routine stays on its
 * queue until it leaves, however often it is woken: those of poll, whose table has a place in several
 * queues, and those of epoll.
 *
 * The rule for those who wait:
 *
 *     for (;;) {
 *         lock what is waited for
 *         if (it has happened) break
 *         wait_begin(&waiter, queue, exclusive)
 *         unlock
 *         error = wait_end(&waiter, deadline)     sleeps, and has left the queue in any case
 *         if (error < 0) return error
 *     }
 *
 * and for those who wake: change the state, then wake_one or wake_all. A waiter is on the queue before
 * it looks for the last time, and a waker looks at the queue after the change, with a full barrier
 * between the two steps on both sides: one of them sees the other, with and without a lock in common.
 *
 * The waker, under the queue's lock:             The waiter, in wait_end:
 *   takes the waiter off, and sets waking          waits for its event (1), alertable
 *   sets its task's event                          sees waking, awaits woken, and is done without the lock (2)
 *   sets woken, and touches it no more             or takes the lock, and off it goes, woken or not (3)
 *
 * (1) An event that was left over from another wait lets the waiter look too early at the most, and it
 *     waits once more. It must not do so when it has taken the waker's event already: waking is set
 *     before. Nobody leaves between the steps of a waker, for woken is not set yet and the lock is
 *     held: neither waiter nor task goes while a waker touches them. The waker is at DISPATCH_LEVEL
 *     there, so that who awaits the last step spins for a moment only.
 * (2) The waker may still hold the lock: who wakes a queue has a reference to the memory that it lies
 *     in, as everybody has who calls an operation of a file.
 * (3) A wake-up, the time-out, a signal and the task's end may come together. A waiter that was taken
 *     off by a waker answers 0 whatever else has happened, so that a wake-up meant for one of several is
 *     never lost: its caller looks at what it waits for, takes it, and, when something is left, wakes
 *     the next one. If nothing is there, the next wait finds the signal.
 *
 * A signal makes itself known by interrupting the task's present wait, or its next one before it returns
 * to user mode; who sends it has noted it before. So the look for signals that comes before the sleep
 * sees it, or the sleep is broken off. Such an interruption may also be left over, and the waiter sleeps
 * again.
 *
 * Locks: a queue's own is a spin lock, so that timers and interrupts' DPCs wake, too. Those of files'
 * queues come before those of epoll's, which are woken from inside (epoll.c).
 */
#include "linux.h"

#define LONGEST_SLEEP_NS (1UL << 62)

u64 scale_to_ns(u64 count, u64 frequency)
{
    return count / frequency * NS_PER_SECOND + count % frequency * NS_PER_SECOND / frequency;
}

u64 monotonic_ns(void)
{
    LARGE_INTEGER frequency;
    u64 count = KeQueryPerformanceCounter(&frequency).QuadPart;
    return scale_to_ns(count, frequency.QuadPart);
}

u64 deadline_after(u64 ns)
{
    u64 now = monotonic_ns();
    return ns == 0 ? 0 : ns > FOREVER - now ? FOREVER : now + ns;
}

void wait_begin(struct waiter *waiter, struct wait_queue *queue, bool exclusive)
{
    *waiter = (struct waiter){.queue = queue, .task = current_task(), .exclusive = exclusive};
    wait_join(waiter);
}

void wait_join(struct waiter *waiter)
{
    struct wait_queue *queue = waiter->queue;
    KIRQL irql = KeAcquireSpinLockRaiseToDpc(&queue->lock);

    if (waiter->exclusive) {
        InsertTailList(&queue->waiters, &waiter->links);
    } else {
        InsertHeadList(&queue->waiters, &waiter->links);
    }
    KeReleaseSpinLock(&queue->lock, irql);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* see above: a look at the state comes now */
}

/* The queue on which the waiter stands, locked: it may be moved to another one meanwhile (futex.c). */
static struct wait_queue *lock_queue(struct waiter *waiter, KIRQL *irql)
{
    for (;;) {
        struct wait_queue *queue = __atomic_load_n(&waiter->queue, __ATOMIC_RELAXED);
        *irql = KeAcquireSpinLockRaiseToDpc(&queue->lock);
        if (queue == waiter->queue) {
            return queue;
        }
        KeReleaseSpinLock(&queue->lock, *irql);
    }
}

bool wait_leave(struct waiter *waiter)
{
    KIRQL irql;

    if (__atomic_load_n(&waiter->woken, __ATOMIC_ACQUIRE)) {
        return true;
    }
    struct wait_queue *queue = lock_queue(waiter, &irql);
    bool woken = waiter->woken;
    if (!woken) {
        RemoveEntryList(&waiter->links);
    }
    KeReleaseSpinLock(&queue->lock, irql);
    return woken;
}

/* Sleeps until the current task's event is set, or somebody interrupts. 0 for both, and the caller looks
   why. */
static long sleep(struct task *task, u64 deadline)
{
    LARGE_INTEGER interval;

    if (signal_pending(task) || is_dying()) {
        return interrupted();
    }
    if (deadline != FOREVER) {
        u64 now = deadline == 0 ? 0 : monotonic_ns();
        if (now >= deadline) {
            return -ETIMEDOUT;
        }
        interval.QuadPart = -(s64)(min(deadline - now, LONGEST_SLEEP_NS) / 100 + 1);
    }
    KeWaitForSingleObject(&task->event, UserRequest, UserMode, TRUE, deadline != FOREVER ? &interval : NULL);
    return 0;
}

/* See (1) above. */
static bool is_woken(struct waiter *waiter)
{
    if (!__atomic_load_n(&waiter->waking, __ATOMIC_ACQUIRE)) {
        return false;
    }
    while (!__atomic_load_n(&waiter->woken, __ATOMIC_ACQUIRE)) {
        YieldProcessor();
    }
    return true;
}

long wait_end(struct waiter *waiter, u64 deadline)
{
    long error = 0;

    while (error == 0 && !is_woken(waiter)) {
        error = sleep(waiter->task, deadline);
    }
    return wait_leave(waiter) ? 0 : error;
}

long wait_flag(bool volatile *flag, u64 deadline)
{
    struct task *task = current_task();
    long error = 0;

    while (error == 0 && !__atomic_exchange_n(flag, false, __ATOMIC_SEQ_CST)) {
        error = sleep(task, deadline);
    }
    return error;
}

long wait_until(u64 deadline)
{
    bool never = false;
    return wait_flag(&never, deadline);
}

bool wake_waiter(struct waiter *waiter)
{
    bool exclusive = waiter->exclusive;

    if (waiter->notify != NULL) {
        return waiter->notify(waiter) && exclusive;
    }
    RemoveEntryList(&waiter->links);
    __atomic_store_n(&waiter->waking, true, __ATOMIC_RELEASE);
    KeSetEvent(&waiter->task->event, IO_NO_INCREMENT, FALSE);
    __atomic_store_n(&waiter->woken, true, __ATOMIC_RELEASE); /* and it may be gone */
    return exclusive;
}

NOINLINE void wake_waiters(struct wait_queue *queue, bool all)
{
    KIRQL irql = KeAcquireSpinLockRaiseToDpc(&queue->lock);
    bool go_on = true;

    for (PLIST_ENTRY at = queue->waiters.Flink; go_on && at != &queue->waiters;) {
        struct waiter *waiter = CONTAINING_RECORD(at, struct waiter, links);
        at = at->Flink;
        go_on = !wake_waiter(waiter) || all;
    }
    KeReleaseSpinLock(&queue->lock, irql);
}
