/* SPDX-License-Identifier: MIT */
/*
 * Futexes: words of programs on which tasks wait.
 *
 * A waiter stands in one of the lists below, chosen by the place of the word: address space and address, or
 * section and offset for memory that is shared (the kernel's wait key). A few locks guard all lists; they are
 * those of wait queues, so that wait.c does the sleeping.
 *
 * The word may not be there when it is read, so that no spin lock can be held then. A waiter therefore joins
 * its list first and reads the word afterwards; who wakes has changed the word before, and looks at the list.
 * Between the two steps either has a memory barrier, so that one of them sees what the other did:
 *
 *     waiter                                waker
 *     joins the list                        changes the word (in user mode, or FUTEX_WAKE_OP)
 *     reads the word: as expected?          takes waiters off the list
 *       no:  leaves                           (the same lock)
 *       yes: sleeps until it is taken off
 *
 * A waiter that finds another value and was taken off meanwhile has got a wake-up that somebody else should
 * have had: nobody would have found it in the list if the word had been read first. It passes the wake-up on.
 *
 * FUTEX_CMP_REQUEUE must not move those who came after the word had changed. Each list counts who joins it:
 * the word is read between two looks at that count, and counts only when nobody has joined meanwhile.
 *
 * A waiter that is moved may have another lock afterwards: both are held, the lower one first, and wait_leave
 * looks again when the lock that it has got is no longer the waiter's.
 *
 * A wake-up, the time-out, a signal and the task's end may come together: who was taken off answers 0
 * (wait.c).
 */
#include "linux.h"

#define LISTS 256
#define LOCKS 8

/* (l) the list's lock */
struct futex_list {
    LIST_ENTRY waiters; /* (l) struct futex_waiter */
    u32 joined;         /* (l) how many ever have */
};

struct futex_waiter {
    struct waiter waiter;
    PS_WAIT_KEY key; /* (l) */
    u32 bitset;
};

static struct futex_list lists[LISTS];
static struct futex_lock {
    struct wait_queue queue; /* its lock is what counts: its own list stays empty */
} __attribute__((aligned(64))) locks[LOCKS];

void futexes_init(void)
{
    for (size_t i = 0; i < LISTS; i++) {
        InitializeListHead(&lists[i].waiters);
    }
    for (size_t i = 0; i < LOCKS; i++) {
        wait_queue_init(&locks[i].queue);
    }
}

/* ---- Places ---- */

static long key_of(u32 __user *word, u32 op, PS_WAIT_KEY *key)
{
    if ((u64)word % sizeof(u32) != 0) {
        return -EINVAL;
    }
    if (!access_ok(word, sizeof(u32))) {
        return -EFAULT;
    }
    return NT_SUCCESS(kernel.QueryWaitKey((ULONG_PTR)word, !(op & FUTEX_PRIVATE_FLAG), key)) ? 0 : -EFAULT;
}

static struct futex_list *list_of(const PS_WAIT_KEY *key)
{
    u64 hash = (key->Object << 20 ^ key->Offset >> 2) * 0x9e3779b97f4a7c15UL;
    return &lists[hash >> 56];
}
C_ASSERT(LISTS == 256);

static struct wait_queue *lock_of(const struct futex_list *list)
{
    return &locks[(list - lists) % LOCKS].queue;
}

static bool is_same(const PS_WAIT_KEY *a, const PS_WAIT_KEY *b)
{
    return a->Object == b->Object && a->Offset == b->Offset;
}

/* ---- Waking ---- */

/* Wakes at most count waiters of the place; list locked. */
static int wake_locked(struct futex_list *list, const PS_WAIT_KEY *key, int count, u32 bitset)
{
    PLIST_ENTRY head = &list->waiters;
    int woken = 0;

    for (PLIST_ENTRY at = head->Flink; woken < count && at != head;) {
        struct futex_waiter *waiter = CONTAINING_RECORD(at, struct futex_waiter, waiter.links);
        at = at->Flink;
        if (is_same(&waiter->key, key) && (waiter->bitset & bitset)) {
            wake_waiter(&waiter->waiter);
            woken++;
        }
    }
    return woken;
}

static int wake(const PS_WAIT_KEY *key, int count, u32 bitset)
{
    struct futex_list *list = list_of(key);

    MemoryBarrier();
    if (IsListEmpty(&list->waiters)) {
        return 0;
    }
    KIRQL irql = KeAcquireSpinLockRaiseToDpc(&lock_of(list)->lock);
    int woken = wake_locked(list, key, count, bitset);
    KeReleaseSpinLock(&lock_of(list)->lock, irql);
    return woken;
}

static long futex_wake(u32 __user *word, u32 op, int count, u32 bitset)
{
    PS_WAIT_KEY key;

    if (bitset == 0) {
        return -EINVAL;
    }
    long error = key_of(word, op, &key);
    return error < 0 ? error : wake(&key, count > 0 ? count : 1, bitset);
}

void futex_wake_word(u32 __user *word, int count)
{
    futex_wake(word, FUTEX_WAKE, count, ~0U);
}

/* ---- Waiting ---- */

static void join(struct futex_waiter *waiter, u32 bitset)
{
    struct futex_list *list = list_of(&waiter->key);
    struct wait_queue *lock = lock_of(list);

    waiter->waiter = (struct waiter){.queue = lock, .task = current_task(), .exclusive = true};
    waiter->bitset = bitset;
    KIRQL irql = KeAcquireSpinLockRaiseToDpc(&lock->lock);
    InsertTailList(&list->waiters, &waiter->waiter.links);
    list->joined++;
    KeReleaseSpinLock(&lock->lock, irql);
    MemoryBarrier();
}

/* Will not wait: hands on a wake-up that it has got already. */
static void leave(struct futex_waiter *waiter)
{
    if (wait_leave(&waiter->waiter)) {
        wake(&waiter->key, 1, waiter->bitset);
    }
}

/* When to stop waiting: at a point of a clock. */
struct deadline {
    u64 ns; /* FOREVER: never */
    bool realtime;
};

/* That clock may be set back meanwhile: then its point has not come when the monotonic one's has. */
static long wait_for_wake(struct futex_waiter *waiter, const struct deadline *deadline)
{
    if (!deadline->realtime) {
        return wait_end(&waiter->waiter, deadline->ns);
    }
    u64 now = realtime_ns();
    u64 left = now < deadline->ns ? deadline->ns - now : 0;
    return wait_end(&waiter->waiter, monotonic_ns() + left);
}

/* 0: woken. -EAGAIN: the word is another. */
static long wait_once(u32 __user *word, u32 op, u32 expected, u32 bitset, const struct deadline *deadline)
{
    struct futex_waiter waiter;
    ULONG value;

    long error = key_of(word, op, &waiter.key);
    if (error < 0) {
        return error;
    }
    join(&waiter, bitset);
    if (!NT_SUCCESS(kernel.ReadUser32((const volatile ULONG *)word, &value))) {
        error = -EFAULT;
    } else if (value != expected) {
        error = -EAGAIN;
    }
    if (error < 0) {
        leave(&waiter);
        return error;
    }
    return wait_for_wake(&waiter, deadline);
}

static long futex_wait(u32 __user *word, u32 op, u32 expected, u32 bitset, const struct deadline *deadline)
{
    long error;

    if (bitset == 0) {
        return -EINVAL;
    }
    do {
        error = wait_once(word, op, expected, bitset, deadline);
    } while (error == -ETIMEDOUT && deadline->realtime && realtime_ns() < deadline->ns);
    return error;
}

/* A relative time-out that a signal has broken off goes on to where it would have ended. */
static long wait_on(struct restart *restart)
{
    struct deadline deadline = {.ns = restart->argument[3]};
    u32 op = restart->argument[1];
    long error = futex_wait((u32 __user *)restart->argument[0], op, restart->argument[2], ~0U, &deadline);
    return error == -ERESTARTSYS ? -ERESTART_RESTARTBLOCK : error;
}

/* FUTEX_WAIT's time-out is a length of time, FUTEX_WAIT_BITSET's a point of time. */
static long wait_call(u32 __user *word, u32 op, u32 expected, const struct timespec __user *timeout, u32 bitset)
{
    struct deadline deadline = {.ns = FOREVER};
    bool relative = (op & ~(u32)(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME)) == FUTEX_WAIT;

    if (timeout != NULL) {
        long error = get_timespec(timeout, &deadline.ns);
        if (error < 0) {
            return error;
        }
        if (relative) {
            deadline.ns += monotonic_ns();
        } else {
            deadline.realtime = (op & FUTEX_CLOCK_REALTIME) != 0;
        }
    }
    if (!relative || timeout == NULL) {
        return futex_wait(word, op, expected, bitset, &deadline);
    }
    struct restart *restart = &current_task()->restart;
    *restart = (struct restart){wait_on, {(u64)word, op, expected, deadline.ns}};
    return wait_on(restart);
}

/* ---- Moving waiters ---- */

static void lock_both(struct wait_queue *a, struct wait_queue *b, KIRQL *irql)
{
    *irql = KeAcquireSpinLockRaiseToDpc(&(a < b ? a : b)->lock);
    if (a != b) {
        KeAcquireSpinLockAtDpcLevel(&(a < b ? b : a)->lock);
    }
}

static void unlock_both(struct wait_queue *a, struct wait_queue *b, KIRQL irql)
{
    if (a != b) {
        KeReleaseSpinLockFromDpcLevel(&(a < b ? b : a)->lock);
    }
    KeReleaseSpinLock(&(a < b ? a : b)->lock, irql);
}

static int move_locked(struct futex_list *from, const PS_WAIT_KEY *key, struct futex_list *to,
                       const PS_WAIT_KEY *new_key, int count)
{
    PLIST_ENTRY head = &from->waiters;
    int moved = 0;

    for (PLIST_ENTRY at = head->Flink; moved < count && at != head;) {
        struct futex_waiter *waiter = CONTAINING_RECORD(at, struct futex_waiter, waiter.links);
        at = at->Flink;
        if (!is_same(&waiter->key, key)) {
            continue;
        }
        if (from != to) {
            RemoveEntryList(&waiter->waiter.links);
            InsertTailList(&to->waiters, &waiter->waiter.links);
            __atomic_store_n(&waiter->waiter.queue, lock_of(to), __ATOMIC_RELAXED);
            to->joined++;
        }
        waiter->key = *new_key;
        moved++;
    }
    return moved;
}

/* Wakes some and moves others, all of whom had joined when the word was read. expected NULL: it does not
   matter. */
static long requeue(u32 __user *word, u32 op, u32 __user *other, int wakes, int moves, const u32 *expected)
{
    PS_WAIT_KEY key, new_key;
    ULONG value;
    KIRQL irql;

    if (wakes < 0 || moves < 0) {
        return -EINVAL;
    }
    long error = key_of(word, op, &key);
    if (error == 0) {
        error = key_of(other, op, &new_key);
    }
    if (error < 0) {
        return error;
    }
    struct futex_list *from = list_of(&key), *to = list_of(&new_key);
    for (;;) {
        u32 joined = __atomic_load_n(&from->joined, __ATOMIC_ACQUIRE);
        if (expected != NULL && !NT_SUCCESS(kernel.ReadUser32((const volatile ULONG *)word, &value))) {
            return -EFAULT;
        }
        if (expected != NULL && value != *expected) {
            return -EAGAIN;
        }
        lock_both(lock_of(from), lock_of(to), &irql);
        if (expected == NULL || joined == from->joined) {
            break;
        }
        unlock_both(lock_of(from), lock_of(to), irql);
        if (is_dying()) {
            return -EINTR; /* others may join as fast as it looks */
        }
    }
    int woken = wake_locked(from, &key, wakes, ~0U);
    int moved = is_same(&key, &new_key) ? 0 : move_locked(from, &key, to, &new_key, moves);
    unlock_both(lock_of(from), lock_of(to), irql);
    return woken + (long)moved;
}

/* ---- FUTEX_WAKE_OP ---- */

static u32 operate(u32 op, u32 value, u32 argument)
{
    switch (op) {
    case FUTEX_OP_SET:
        return argument;
    case FUTEX_OP_ADD:
        return value + argument;
    case FUTEX_OP_OR:
        return value | argument;
    case FUTEX_OP_ANDN:
        return value & ~argument;
    default:
        return value ^ argument;
    }
}

static bool compare(u32 how, s32 value, s32 argument)
{
    switch (how) {
    case FUTEX_OP_CMP_EQ:
        return value == argument;
    case FUTEX_OP_CMP_NE:
        return value != argument;
    case FUTEX_OP_CMP_LT:
        return value < argument;
    case FUTEX_OP_CMP_LE:
        return value <= argument;
    case FUTEX_OP_CMP_GT:
        return value > argument;
    default:
        return value >= argument;
    }
}

/* op: 4 bits of operation, 4 of comparison, 12 each of their arguments, which have a sign. */
static long change_word(u32 __user *word, u32 op, bool *wakes)
{
    u32 operation = op >> 28 & 7, how = op >> 24 & 15;
    s32 argument = (s32)(op << 8) >> 20, limit = (s32)(op << 20) >> 20;
    ULONG before, found;

    if (operation > FUTEX_OP_XOR || how > FUTEX_OP_CMP_GE) {
        return -ENOSYS;
    }
    if (op >> 28 & FUTEX_OP_OPARG_SHIFT) {
        argument = 1 << (argument & 31);
    }
    if (!NT_SUCCESS(kernel.ReadUser32((const volatile ULONG *)word, &before))) {
        return -EFAULT;
    }
    for (;;) {
        u32 after = operate(operation, before, argument);
        if (!NT_SUCCESS(kernel.CompareExchangeUser32((volatile ULONG *)word, before, after, &found))) {
            return -EFAULT;
        }
        if (found == before) {
            break;
        }
        if (is_dying()) {
            return -EINTR;
        }
        before = found;
    }
    *wakes = compare(how, before, limit);
    return 0;
}

static long wake_op(u32 __user *word, u32 op, u32 __user *other, int count, int other_count, u32 what)
{
    PS_WAIT_KEY key, other_key;
    bool wakes = false;

    long error = key_of(word, op, &key);
    if (error == 0) {
        error = key_of(other, op, &other_key);
    }
    if (error == 0) {
        error = change_word(other, what, &wakes);
    }
    if (error < 0) {
        return error;
    }
    long woken = wake(&key, count > 0 ? count : 1, ~0U);
    return wakes ? woken + wake(&other_key, other_count > 0 ? other_count : 1, ~0U) : woken;
}

/* ---- The call ---- */

/* Priority inheritance (operations 6 to 8 and 11 to 13) is not there: the manual page lets a kernel refuse
   so. */
long sys_futex(u32 __user *word, u32 op, u32 value, u64 timeout_or_count, u32 __user *other, u32 value3)
{
    const struct timespec __user *timeout = (const struct timespec __user *)timeout_or_count;
    u32 command = op & ~(u32)(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);

    if ((op & FUTEX_CLOCK_REALTIME) && command != FUTEX_WAIT && command != FUTEX_WAIT_BITSET) {
        return -ENOSYS;
    }
    switch (command) {
    case FUTEX_WAIT:
        return wait_call(word, op, value, timeout, ~0U);
    case FUTEX_WAIT_BITSET:
        return wait_call(word, op, value, timeout, value3);
    case FUTEX_WAKE:
        return futex_wake(word, op, value, ~0U);
    case FUTEX_WAKE_BITSET:
        return futex_wake(word, op, value, value3);
    case FUTEX_REQUEUE:
        return requeue(word, op, other, value, timeout_or_count, NULL);
    case FUTEX_CMP_REQUEUE:
        return requeue(word, op, other, value, timeout_or_count, &value3);
    case FUTEX_WAKE_OP:
        return wake_op(word, op, other, value, timeout_or_count, value3);
    default:
        return -ENOSYS;
    }
}

/* ---- Robust futexes ---- */

/* A futex of the list, when its owner dies: if it is the task's, it is marked, and one waiter is told. One
   that was being taken or given back may be free already, while its waiters do not know. */
static long owner_died(u32 __user *word, s32 tid, bool pending)
{
    ULONG before, found;

    if ((u64)word % sizeof(u32) != 0 || !NT_SUCCESS(kernel.ReadUser32((const volatile ULONG *)word, &before))) {
        return -EFAULT;
    }
    for (;;) {
        if (pending && before == 0) {
            futex_wake_word(word, 1);
            return 0;
        }
        if ((before & FUTEX_TID_MASK) != (u32)tid) {
            return 0;
        }
        if (!NT_SUCCESS(kernel.CompareExchangeUser32((volatile ULONG *)word, before,
                                                     (before & FUTEX_WAITERS) | FUTEX_OWNER_DIED, &found))) {
            return -EFAULT;
        }
        if (found == before) {
            break;
        }
        before = found;
    }
    if (before & FUTEX_WAITERS) {
        futex_wake_word(word, 1);
    }
    return 0;
}

/* Entries point to the next one; bit 0 says that the futex inherits priority, which nobody could take
   here. */
void robust_list_exit(struct task *task)
{
    struct robust_list_head head;
    u64 next;

    if (task->robust_list == NULL || copy_from_user(&head, task->robust_list, sizeof(head)) < 0) {
        return;
    }
    u64 entry = head.list;
    for (int i = 0; i < ROBUST_LIST_LIMIT && (entry & ~1UL) != (u64)task->robust_list; i++) {
        long error = copy_from_user(&next, (void __user *)(entry & ~1UL), sizeof(next)); /* who is told may change it */
        if ((entry & ~1UL) != (head.list_op_pending & ~1UL) &&
            owner_died((u32 __user *)((entry & ~1UL) + head.futex_offset), task->tid, false) < 0) {
            return;
        }
        if (error < 0) {
            return;
        }
        entry = next;
    }
    if (head.list_op_pending != 0) {
        owner_died((u32 __user *)((head.list_op_pending & ~1UL) + head.futex_offset), task->tid, true);
    }
}
