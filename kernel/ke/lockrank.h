/* SPDX-License-Identifier: MIT */
/*
 * The rank table: every spin lock inside the kernel, in the order in which they may be acquired (a thread of
 * control that holds one may acquire only those further down). X(class, rank, name, what it protects)
 *
 * Two locks of one class are never held together, but for dispatcher objects (WaitAll locks up to 64 in
 * address order) and drivers' own locks, interrupt spin locks among them, whose order the order graph learns.
 */
#ifndef PRIMER_LOCKRANK_H
#define PRIMER_LOCKRANK_H

#define KLOCK_CLASSES(X)                                                                                               \
    X(KlcDriver, 10, "driver spin lock", "whatever a module protects with a KSPIN_LOCK")                               \
    X(KlcQueued, 10, "queued spin lock", "the same, with an in-stack queued lock")                                     \
    X(KlcReadWrite, 10, "reader-writer lock", "the same, with an EX_SPIN_LOCK")                                        \
    X(KlcReaper, 15, "reaper list", "threads that have ended and wait to be freed")                                    \
    X(KlcPushLock, 21, "push-lock waiters", "one bucket of threads that wait for push locks; joiners of run-downs")                          \
    X(KlcProvider, 22, "provider list", "registered subsystem providers")                                              \
    X(KlcExecutive, 24, "executive", "the list of resources; registrations of callbacks; owners of exclusive objects") \
    X(KlcConsole, 25, "console", "input ring and waiting readers of the console")                                      \
    X(KlcQueue, 27, "queue", "KQUEUEs of one bucket: entries, threads, waiters")                                       \
    X(KlcTimerQueue, 30, "timer queue", "one processor's timers; KTIMERs queued there")                                \
    X(KlcObject, 40, "dispatcher object", "Header.Lock: signal state and wait list of one object")                     \
    X(KlcThread, 50, "thread", "priority, affinity, processor of one thread")                                          \
    X(KlcReady, 60, "ready queues", "one processor's ready queues")                                                    \
    X(KlcVirtual, 65, "kernel address ranges", "allocation of kernel virtual addresses and stacks")                    \
    X(KlcModules, 68, "module list", "links of the loaded modules, for look-ups by address")                           \
    X(KlcPool, 70, "pool", "one size class of the pool")                                                               \
    X(KlcPageCache, 73, "page cache", "one processor's few free page frames")                                          \
    X(KlcPages, 75, "page frames", "free lists of the page-frame allocator")                                           \
    X(KlcSerial, 78, "serial port", "one port's transmitter; interrupts stay on, so below what handlers take")         \
    X(KlcInterrupt, 79, "interrupt spin lock", "what a driver shares with its service routine; at the interrupt's level") \
    X(KlcDpc, 80, "DPC queue", "one processor's DPC queue; interrupts off")

/* Drivers' locks have no ranks among themselves: the order graph learns their order
   (kernel/kd/lockorder.c). */
#define KLOCK_DRIVER_RANK 10

typedef enum _KLOCK_CLASS {
#define X(Class, ...) Class,
    KLOCK_CLASSES(X)
#undef X
    KlcCount
} KLOCK_CLASS;

/*
 * Blocking locks (push locks) have an order of their own; a holder may acquire any spin lock. EX_PUSH_LOCKs
 * inside the kernel, outermost first: loader, process life (creation against end), notify table, address
 * space, section, handle table. Debug builds list what each thread holds (sync/held.h).
 */

#endif
