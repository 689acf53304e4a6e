/* SPDX-License-Identifier: MIT */
/*
 * ke for the rest of the kernel: internal locks, processors, threads as the scheduler sees them,
 * inter-processor calls.
 *
 * Lock order: kernel/ke/lockrank.h.
 */
#ifndef PRIMER_KE_H
#define PRIMER_KE_H

#include "arch/arch.h"
#include "kernel/ke/lock.h"
#include <ntddk.h>

#if DBG
#define KHELD_LOCKS          72 /* by a processor: WaitAll's objects and a few more */
#define KHELD_BLOCKING_LOCKS 24 /* by a thread; further ones are only counted */
#endif

/* ---- Threads ---- */

/*
 * A thread's state, and who moves it.
 *
 *   from          to            by                                            under
 *   Initialized   Ready         KeStartThread                                 t, r
 *   Ready         Running       KiCommitSwitch, on the processor it waited on r
 *   Ready         Ready         KiPull: it outranks what runs elsewhere       t, r of the one, then of the other
 *   Ready         Standby       KiSteal, on an idle processor                 t, r of the other one
 *   Standby       Running       KiCommitSwitch, on that processor             r
 *   Running       Ready         KiReschedule: preemption, quantum end, yield, t, r
 *                               or a change of affinity
 *   Running       Waiting       the thread itself, just before it commits     (none: it is not committed yet)
 *   Waiting       Running       the thread itself, when the commit failed     (none: whoever claimed it knows)
 *   Waiting       Ready         KiReady, by whoever claimed the wait word     t, r
 *   Running       Terminated    KiExitThread                                  (none)
 *
 * t: Thread->Lock    r: the ReadyLock of Thread->Processor
 */
typedef enum _KTHREAD_STATE {
    Initialized,
    Ready,
    Running,
    Standby,
    Terminated,
    Waiting,
} KTHREAD_STATE;

/*
 * Thread->UserWork: what others want of the thread. Set by anyone, by atomic or; cleared by the thread, and
 * the bits that tell what its APC lists hold by whoever changes these (t).
 *
 * The first group must be done before the thread returns to user mode. Bits of all groups break waits off:
 * KiWaitBreaks.
 */
#define KUSER_WORK_TERMINATE    0x01 /* end yourself (ps) */
#define KUSER_WORK_SUSPEND      0x02 /* wait until SuspendCount is 0 */
#define KUSER_WORK_PROVIDER     0x04 /* the provider asked for ReturnToUser */
#define KUSER_WORK_INTERRUPT    0x08 /* break off one alertable wait before the thread has come past this point */
#define KUSER_WORK_DELIVER      0x10 /* a user APC is to be delivered: the thread has waited for it */
#define KUSER_WORK_BEFORE_USER  0x1f

#define KUSER_WORK_SPECIAL_APC  0x20 /* a special kernel APC is queued */
#define KUSER_WORK_NORMAL_APC   0x40 /* a normal kernel APC is queued */
#define KUSER_WORK_KERNEL_APC   (KUSER_WORK_SPECIAL_APC | KUSER_WORK_NORMAL_APC)

#define KUSER_WORK_USER_APC     0x80  /* a user APC is queued */
#define KUSER_WORK_ALERT_KERNEL 0x100 /* KeAlertThread: break off one alertable wait */
#define KUSER_WORK_ALERT_USER   0x200 /* the same, one in UserMode */

/*
 * Fields:  (c) constant once started   (o) the thread itself only   (t) Thread->Lock   (r) ReadyLock of Processor
 *          (a) atomic operations   (p) the processor that runs it   (q) the lock of the queue
 */
struct _KTHREAD {
    DISPATCHER_HEADER Header;           /* signalled at the thread's end */
    ARCH_THREAD Arch;                   /* (p) stack, FPU, bases */
    void (*SystemCall)(PKTRAP_FRAME);   /* (c) KeHandlers.SystemService, or the provider's DispatchSystemCall */
    volatile UCHAR SwapBusy;            /* (a) 1 from the moment it runs until its context is saved */
    BOOLEAN SystemThread;               /* (c) never leaves the kernel */
    UCHAR PreviousMode;                 /* (o) of the caller of the current system service: ex.h */
    BOOLEAN ApcQueueable;               /* (t) until the thread's end */
    volatile ULONG UserWork __attribute__((aligned(8))); /* (a) KUSER_WORK_*; read together with ApcDisable */
    union {
        volatile ULONG ApcDisable;      /* (o) both counters; not 0: no termination, no interrupted waits */
        struct {
            SHORT KernelApcDisable;     /* (o) critical regions */
            SHORT SpecialApcDisable;    /* (o) guarded regions */
        };
    };
    KAPC_STATE ApcState;                /* of the process that it is attached to, or its own; lists: (t), the rest: (o) */
    KAPC_STATE SavedApcState;           /* while it is attached: what it had before it was */
    PKAPC_STATE OriginalApcState;       /* (t) which of the two is that of its own process */
    LIST_ENTRY MutantListHead;          /* (o) mutants that it owns */
    EX_PUSH_LOCK IrpLock;               /* a zeroed thread's is free */
    LIST_ENTRY IrpList;                 /* requests that it has made in user mode; (o) changes it, with IrpLock, which others hold to read */
    PRKEVENT IrpsGone;                  /* (o) its end waits for the list to become empty; NULL: it does not */
    PKPROCESS Process;                  /* (c) */
    struct _SEH_FRAME *ExceptionList;   /* (o) innermost structured-exception block */

    /* Scheduling */
    KLOCK Lock;                         /* ranked above the ready locks */
    volatile UCHAR State;               /* KTHREAD_STATE; see the table */
    union {
        struct {
            SCHAR Priority;             /* (t) and, when queued, (r); -1: an idle thread */
            SCHAR BasePriority;         /* (t) */
        };
        USHORT Priorities;              /* both */
    };
    BOOLEAN Movable;                    /* (r) queued, and counted as one that another processor might run */
    UCHAR StarvationBoost;              /* (t) lifted by the starvation scan: back to base at quantum end */
    volatile ULONG Processor;           /* (t) runs there, is queued there, or ran there last */
    ULONG IdealProcessor;               /* (t) preferred where several would do */
    KAFFINITY Affinity;                 /* (t) in force */
    KAFFINITY UserAffinity;             /* (t) */
    KAFFINITY SystemAffinity;           /* (o) 0: none */
    LONG64 QuantumLeft;                 /* (p) cycles */
    LIST_ENTRY ReadyListEntry;          /* (r) */
    ULONG ReadySince;                   /* (r) queued: the processor's ScanCount then; else minus its age in scans */
    ULONG64 ReadyCycles;                /* (r) debug: when it was queued */
    struct _KTHREAD *WakeNext;          /* (whoever claimed it) circle of threads to be readied */
    KPRIORITY WakeIncrement;            /* (whoever claimed it) */
    ULONG64 CycleTime;                  /* (p) processor time used, cycles */
    ULONG64 UserCycles, TickCycles;     /* (r) of its processor: how many in user mode; all, at its last tick */
    KPROCESSOR_MODE TickMode;           /* (r) what that found: see KiTakeTick */
    ULONG ContextSwitches;              /* (p) */
    KSTART_ROUTINE *StartRoutine;       /* (c) */
    PVOID StartContext;                 /* (c) */

    /* Waiting: sync/wait.c has the protocol */
    volatile ULONG64 WaitWord;          /* (a) sequence, key, state */
    UCHAR WaitReason;                   /* (o) */
    volatile UCHAR QueueActive;         /* (q) counts in Queue->CurrentCount; as Queue: sync/queue.c */
    PRKQUEUE volatile Queue;            /* (q) the queue whose entries it works off, or NULL */
    LIST_ENTRY QueueListEntry;          /* (q) */
    KPROCESSOR_MODE WaitMode;           /* (o) of the wait; read by whoever wants to break it off */
    BOOLEAN WaitAlertable;              /* (o) likewise */
    KIRQL WaitIrql;                     /* (o) likewise: where it began, and where it ends */
    BOOLEAN WaitNext;                   /* (o) a signal with Wait TRUE: the next wait ends at WaitIrql */
    KWAIT_BLOCK WaitBlock[THREAD_WAIT_OBJECTS];
    PKWAIT_BLOCK WaitBlockList;         /* (o) for debuggers: the blocks of a wait for several, else NULL */
    ULONG WaitBlockCount;               /* (o) */
    KTIMER WaitTimer;                   /* ends a wait; guarded by its timer queue */
    LONG SuspendCount;                  /* (t) */
    KEVENT ResumeEvent;                 /* synchronization; set when SuspendCount comes to 0 */
#if DBG
    KD_LOCK_LIST LockList;              /* blocking locks that it holds, or waits for: sync/held.h */
    KD_LOCK LockEntries[KHELD_BLOCKING_LOCKS];
#endif
};

typedef struct _KADDRESS_SPACE {
    ARCH_PAGE_TABLES Tables;
    volatile KAFFINITY ActiveProcessors; /* (a) set before the tables are loaded, cleared after others are */
} KADDRESS_SPACE, *PKADDRESS_SPACE;

typedef struct _KPROCESS {
    DISPATCHER_HEADER Header;     /* signalled at the process's end */
    PKADDRESS_SPACE AddressSpace; /* (c) from the first thread's start to the process's end */
    SCHAR BasePriority;
    UCHAR QuantumReset;           /* (a) length of its threads' quanta, in thirds of a tick; not 0 */
    KAFFINITY Affinity;
    ULONG64 CycleTime, UserCycles; /* of threads that have ended; under the process's Lock */
    struct _HANDLE_TABLE *HandleTable; /* (c) ob's: what a handle means while the process is current */
} KPROCESS;

/* ---- Processors ---- */

#define KSOFT_APC      1 /* KPRCB.PendingSoft */
#define KSOFT_DISPATCH 2

#define KIPI_RESCHEDULE 1 /* KPRCB.IpiRequests */
#define KIPI_CALL       2
#define KIPI_DPC        4
#define KIPI_CLOCK      8
#define KIPI_APC        16

#define TIMER_BUCKETS 64

typedef struct _KTIMER_QUEUE {
    KLOCK Lock;
    ULONG64 Occupied;                 /* a bit for each bucket that is not empty */
    ULONG64 FirstDue;                 /* interrupt time at which the first may expire, UINT64_MAX: none */
    ULONG64 NextDue;                  /* interrupt time at which one must have expired: a tolerable delay later */
    LIST_ENTRY Bucket[TIMER_BUCKETS]; /* each sorted by due time */
} KTIMER_QUEUE;

typedef struct _KCALL {
    void (*Routine)(void *Context);
    void *Context;
    volatile KAFFINITY Pending; /* (a) processors that have not finished it */
} KCALL;


/*
 * A processor's control block, laid out by who writes: a processor that reads or writes something of another
 * one must not take the cache line away that the other one uses all the time. Each group starts a line.
 */
#define KPRCB_GROUP __attribute__((aligned(64)))

struct _KPRCB {
    /* Written by this processor alone, and looked at by nobody else while it runs. */
    PKPRCB Self;                  /* at GS:0 */
    PKTHREAD CurrentThread;       /* at GS:8 */
    volatile UCHAR Irql;
    volatile UCHAR PendingSoft;   /* one instruction each */
    volatile UCHAR DpcActive;     /* this processor is on its DPC stack */
    volatile UCHAR Reschedule;    /* look at the ready queues */
    volatile UCHAR ClockPending;  /* the timer has fired */
    volatile UCHAR Frozen;        /* answered the freeze NMI */
    UCHAR QuantumEnd;             /* where the current thread goes when it gives way: KI_PLACE; to its equals if not KiPlaceHead */
    BOOLEAN QuantumWatched;       /* the timer that has fired was to fire before the quantum's end, or then */
    ARCH_PROCESSOR Arch;
    PKADDRESS_SPACE AddressSpace; /* loaded now */
    PKTRAP_FRAME FrozenFrame;
    ULONG64 TickDue;              /* cycles; 0: none, as long as the processor idles */
    BOOLEAN TickTaken;            /* it has come; TickMode: what it has interrupted */
    KPROCESSOR_MODE TickMode;
    ULONG64 ClockSince;           /* when ClockPending was set */
    ULONG ClockOverdue;           /* clock interrupts since then */
    ULONG FreeLooks;              /* debug: looks since then that found it spinning for a lock that nobody holds */
    PKDEFERRED_ROUTINE DpcRoutine; /* of the DPC that runs, or ran last */
    ULONG64 WatchedDpc;           /* the DPC watchdog: Dpcs at the last look */
    ULONG DpcLooks, DrainLooks;   /* looks that found the same DPC; looks since the drain began */
    KAFFINITY LazyTargets;        /* interrupts off: whom to interrupt at LazyDue for their DPCs */
    ULONG64 LazyDue;              /* cycles; UINT64_MAX: no one */
    KEVENT ThreadedDpcEvent;      /* wakes the thread for threaded DPCs; its waiter is of this processor, too */
    ULONG64 WatchedArmed;         /* the neighbour's ArmedFor when it was first seen overdue */
    ULONG64 WatchedSince;
    ULONG64 WatchedProbe;         /* when it was last sent an NMI */
    ULONG WatchedAnswers;         /* its NmiAnswers at WatchedSince */
    volatile ULONG NmiAnswers;    /* NMIs that were to tell whether this processor runs */
    ULONG64 RandomState;          /* debug: random preemption */
    ULONG64 Interrupts, Ipis, Dpcs, Steals, Pulls, ClockInterrupts, TbFlushes;
    ULONG64 InterruptCycles, DpcCycles; /* spent in handlers and DPCs; the interrupted thread is charged with it, too */
#if DBG
    KD_LOCK_LIST LockList;        /* spin locks that it holds, or waits for */
    KD_LOCK LockEntries[KHELD_LOCKS];
#endif

    /* Constant once the processor is online (Others grows while the machine starts): read by everybody. */
    KPRCB_GROUP UCHAR Number;
    volatile UCHAR Online;
    KAFFINITY SetMember;          /* its bit in a set of processors */
    volatile KAFFINITY Others;    /* all processors but this one */
    PKTHREAD IdleThread;
    void *DpcStackTop;
    void *IdleStackTop;
    void *PageCache;              /* mm: a few free page frames of this processor */
    void *PoolCache;              /* mm: free blocks of this processor */

    /* The ready queues: written by whoever holds ReadyLock. */
    KPRCB_GROUP KLOCK ReadyLock;
    BOOLEAN Surplus;              /* (r) this processor's bit in KiSurplusMask */
    ULONG ScanCount;              /* (r) starvation scans made: the clock of ReadySince */
    PKTHREAD RunningThread;       /* (r) CurrentThread, or what is about to be */
    ULONG64 SwitchCycles;         /* (r) when it began to run */
    ULONG ReadyAt[32];            /* (r) how many wait at each level; read without it as a hint */
    ULONG MovableAt[32];          /* (r) how many of these another processor might run */
    LIST_ENTRY ReadyQueue[32];    /* (r) */

    /* Of this, what others look at without the lock, as a hint. */
    KPRCB_GROUP union {
        struct {
            volatile SCHAR RunningPriority; /* (r) of RunningThread, -1 when idle */
            SCHAR RunningBase;    /* (r) its base priority */
        };
        USHORT RunningPriorities; /* both */
    };
    volatile UCHAR Halted;        /* idle, with nothing to do before the next interrupt; this processor only */
    volatile ULONG ReadySummary;  /* (r) a bit a level at which a thread waits */
    volatile ULONG MovableSummary; /* (r) a bit a level at which one waits that another processor might run */
    volatile KAFFINITY MovableAffinity; /* (r) where these may run, at most; 0 when there are none */
    volatile ULONG64 ArmedFor;    /* cycles at which the timer is to fire; UINT64_MAX: not armed; this processor only */
    volatile ULONG64 QuantumDue;  /* cycles at which the current thread's quantum ends; this processor only */
    volatile ULONG64 ScanDue;     /* (r) next starvation scan, cycles; UINT64_MAX: nothing has been ready for a while */

    /* Written by other processors. */
    KPRCB_GROUP volatile ULONG IpiRequests; /* (a) KIPI_* */
    volatile KAFFINITY CallRequests; /* (a) processors whose Call awaits us */
    KPRCB_GROUP KCALL Call;       /* of this processor as the caller */
    KPRCB_GROUP KLOCK DpcLock;    /* taken with interrupts off */
    volatile UCHAR ThreadedDpcs;  /* set once, when the thread for threaded DPCs runs */
    volatile ULONG LazyDpcs;      /* (DpcLock) queued since the last drain by those who did not want to interrupt */
    LIST_ENTRY DpcQueue;          /* (DpcLock) */
    LIST_ENTRY ThreadedDpcQueue;  /* (DpcLock) */
    KDPC ThreadedDpcWake;         /* sets ThreadedDpcEvent */
    KPRCB_GROUP KTIMER_QUEUE Timers;
} __attribute__((aligned(64)));

C_ASSERT(FIELD_OFFSET(KPRCB, CurrentThread) == 8);

extern PKPRCB KiProcessorBlock[MAXIMUM_PROCESSORS]; /* [0, KeNumberProcessors) valid */
extern volatile ULONG KeNumberProcessors;           /* online */
extern volatile KAFFINITY KeActiveProcessors;
extern KADDRESS_SPACE KiKernelSpace;                /* the System process's */

static inline PKPRCB KeGetCurrentPrcb(void)
{
    return ArchCurrentPrcb();
}

/* ---- IRQL inside the kernel: the same as the exported ones, inline ---- */

void KiSoftInterrupt(KIRQL NewIrql);

#if DBG
/* The level is above DISPATCH_LEVEL: to "raise" would lower it silently. */
NORETURN void KiRefuseRaise(KIRQL Irql) __attribute__((cold));
#endif

static inline KIRQL KiRaiseToDispatch(void)
{
    KIRQL Old = ArchGetIrql();
#if DBG
    if (Old > DISPATCH_LEVEL) {
        KiRefuseRaise(Old);
    }
#endif
    ArchSetIrql(DISPATCH_LEVEL);
    return Old;
}

#if DBG
/* After a signal with Wait TRUE nothing but a wait lowers the level. */
void KiCheckLower(KIRQL NewIrql);
#else
#define KiCheckLower(NewIrql) ((void)0)
#endif

static inline void KiLower(KIRQL NewIrql)
{
    KiCheckLower(NewIrql);
    ArchSetIrql(NewIrql);
    if (__builtin_expect(ArchPendingSoft() > NewIrql, 0)) { /* cheap, and never false when it should be true; KiSoftInterrupt looks exactly */
        KiSoftInterrupt(ArchGetIrql());
    }
}

/* ---- Scheduler (sync and ps call these) ---- */

/* Priority, affinity and address space of its process. The thread has not started. */
void KeInheritFromProcess(PKTHREAD Thread);
/* Makes the fields of a new thread, its Arch part and first stack frame included. */
void KeInitializeThread(PKTHREAD Thread, PKPROCESS Process, PVOID StackTop, KSTART_ROUTINE *StartRoutine,
                        PVOID StartContext, BOOLEAN SystemThread);
/* The thread becomes ready for the first time. <= DISPATCH. */
void KeStartThread(PKTHREAD Thread);
/* The current thread has announced its wait (state Waiting, wait word committed): runs others until KiReady
   names it. DISPATCH_LEVEL on entry and exit, no spin lock held. */
void KiBlock(void);
/* A waiting thread that the caller has claimed (and that was committed) becomes ready with a boost. DISPATCH;
   the caller may hold a timer-queue lock at most. */
void KiReady(PKTHREAD Thread, KPRIORITY Increment);
/* The same for a chain, in the order in which KiChainThread has added them; NULL is an empty one. */
void KiReadyChain(PKTHREAD Chain);

/* Adds a claimed thread to a chain, which is named by its last one: that leads round to the first. */
static inline PKTHREAD KiChainThread(PKTHREAD Chain, PKTHREAD Thread, KPRIORITY Increment)
{
    Thread->WakeIncrement = Increment;
    Thread->WakeNext = Chain == NULL ? Thread : Chain->WakeNext;
    if (Chain != NULL) {
        Chain->WakeNext = Thread;
    }
    return Thread;
}

/* Gives way to others of the same or higher priority. <= APC. */
void KeYieldExecution(void);
/* The end of the current thread: State Terminated, never runs again; its object has been signalled and it
   stands in the reaper's list. DISPATCH_LEVEL. Its stack may go when SwapBusy is 0. */
NORETURN void KiExitThread(void);
/* Sets KUSER_WORK_INTERRUPT, breaks off a wait of the thread that may be broken (one in UserMode when the
   thread is to terminate, and an alertable one), and makes it come past the return-to-user test if it runs in
   user mode now. The caller has set its own UserWork bit before. <= DISPATCH. */
void KeInterruptThread(PKTHREAD Thread);
/* The current thread has begun to run, or has left a region: are there kernel APCs that may run when the
   level allows? DISPATCH_LEVEL, or on the way there. */
void KiNoteKernelApcs(PKTHREAD Thread);
/* No APC is accepted for the thread any more; those that are queued are told so (RundownRoutine). The current
   thread, at its end, or one that will never run. PASSIVE. */
void KeRundownApcs(PKTHREAD Thread);
/* The current thread is about to leave the kernel in a critical or guarded region: if owning a kernel mutex
   is the reason, bug check SYSTEM_EXIT_OWNED_MUTEX. */
void KiCheckOwnedMutexes(void);
/* The processor arms its timer for its next event; an earlier setting stays. DISPATCH, on the processor
   itself. */
void KiArmTimer(PKPRCB Prcb);
/* Total processor time of a thread that may be running, in cycles; to *UserCycles is added how much of that
   is user time: by the ticks of the clock. Neither part ever falls. */
ULONG64 KeThreadCycles(PKTHREAD Thread, PULONG64 UserCycles);
/* The interrupt time that a due time of the documented kind means (100 ns): negative = from now, else a
   system time. 0 for what lies before start-up. */
ULONG64 KiDueTime(LONGLONG Time);

void KeInitializeProcess(PKPROCESS Process, PKADDRESS_SPACE AddressSpace);

/* The current thread is in another process, with this address space (which its caller keeps alive) and a new
   APC state, until it is detached; pairs nest. Detaching returns the space that is left. <= APC. */
void KeAttachSpace(PKPROCESS Process, PKADDRESS_SPACE Space, PKAPC_STATE Saved);
PKADDRESS_SPACE KeDetachSpace(PKAPC_STATE Saved);
static inline bool KiIsAttached(PKTHREAD Thread)
{
    return Thread->OriginalApcState != &Thread->ApcState;
}

/* ---- DPCs ---- */

/* KeInsertQueueDpc in two halves. Between them the DPC is queued and cannot run yet. Interrupts are off: a
   few instructions at most. The DPC's lock ranks below dispatcher objects. >= DISPATCH. */
typedef struct _KDPC_INSERTION {
    PKPRCB Prcb; /* the current one */
    PKPRCB Target;
    bool Linked;
    bool Urgent;
    bool Interrupts;
} KDPC_INSERTION;
void KiBeginInsertDpc(KDPC_INSERTION *Insertion, PRKDPC Dpc, PVOID Argument1, PVOID Argument2);
void KiEndInsertDpc(const KDPC_INSERTION *Insertion);
/* The next DPC of one of the processor's queues: what to call, copied, and the DPC unlinked, so that it may
   queue itself again or its memory go; false when there is none. On that processor, interrupts on. */
typedef struct _KDPC_CALL {
    PRKDPC Dpc;
    PKDEFERRED_ROUTINE Routine;
    PVOID Context, Argument1, Argument2;
} KDPC_CALL;
bool KiTakeDpc(PKPRCB Prcb, PLIST_ENTRY Queue, KDPC_CALL *Call);
extern ULONG KiDpcLimitMs; /* option dpc.limit */

/* ---- Between processors ---- */

/* Sets a KIPI_* request of another processor and interrupts it. Any IRQL. */
void KiRequestIpi(PKPRCB Prcb, ULONG Request);
/* Translations of a user range are gone from every processor that has the space loaded. The entries have been
   changed. */
void KeFlushTb(PKADDRESS_SPACE Space, uintptr_t Virtual, SIZE_T Pages);
/* The same for kernel addresses, on all processors. */
void KeFlushKernelTb(uintptr_t Virtual, SIZE_T Pages);
void KeLoadAddressSpace(PKADDRESS_SPACE Space);

/* ---- Start-up, in this order ---- */

void KeInitializeBootProcessor(PKTHREAD IdleThread);
#define KERNEL_DPC_STACK_SIZE 0x4000
/* Makes the control block of a processor that is to be started; its idle thread has been initialised. */
void KeInitializePrcb(PKPRCB Prcb, ULONG Number, PKTHREAD IdleThread, void *DpcStackTop);
void KeJoinProcessors(PKPRCB Prcb);
void KeInitializeTime(ULONG64 SamplesPerSecond);
/* Interrupt time is (time-stamp counter - *StartCycles) * *TimePerCycle >> the result, system time so much
   more: constants. */
ULONG KeQueryTimeBase(PULONG64 StartCycles, PULONG64 TimePerCycle, PULONG64 SystemTimeBias);
extern ULONG64 KiStartCycles; /* constant but for a debugger that has held all processors */
extern ULONG KiRandomSeed; /* not 0: quanta are random (option sched.seed=, debug builds) */
/* The boot processor's idle thread ends here. */
NORETURN void KeIdleLoop(void);

/* ---- What the machine calls (ArchHandlers: arch.h has the contracts) ---- */

NORETURN void KiProcessorStartup(PKPRCB Prcb);
NORETURN void KiThreadStartup(void);
void KiClockInterrupt(KPROCESSOR_MODE Interrupted);
void KiIpiInterrupt(void);
void KiInterruptExit(KIRQL ReturnIrql);
void KiReturnToUserWork(PKTRAP_FRAME Frame);
NORETURN void KiProviderViolation(PKTRAP_FRAME Frame);
void KiDispatchException(PEXCEPTION_RECORD Record, PKTRAP_FRAME Frame);

/* ---- What ke calls above it: a constant of kernel/init/handlers.c ---- */

typedef struct _KE_HANDLERS {
    /* sync. A processor's timer queue is made; what is due there expires (DISPATCH, on the processor itself);
       what a thread needs in order to wait and to be suspended is made; the current thread waits until its
       suspension ends (PASSIVE). */
    void (*InitializeTimerQueue)(KTIMER_QUEUE *Queue);
    void (*ExpireTimers)(PKPRCB Prcb, ULONG64 Now);
    void (*InitializeThreadWaits)(PKTHREAD Thread);
    void (*SuspendCurrentThread)(void);
    /* ps. On the way back to user mode: termination, provider (PASSIVE, with UserWork bits other than
       suspension set); an exception of user mode; whose system calls these are, for a bug check's message. */
    void (*UserWork)(PKTRAP_FRAME Frame);
    void (*UserException)(PEXCEPTION_RECORD Record, PKTRAP_FRAME Frame);
    /* ps. Whether user mode of this process knows how to call an APC's routine: else user APCs stay queued.
       And enters one in the user frame, so that user mode begins with its routine (PASSIVE). */
    bool (*TakesUserApcs)(PKPROCESS Process);
    void (*UserApc)(PKTRAP_FRAME Frame, PKNORMAL_ROUTINE Routine, PVOID Context, PVOID Argument1, PVOID Argument2);
    const char *(*ProviderName)(PKTHREAD Thread);
    /* What SYSCALL calls for a thread without provider: interrupts on, PASSIVE_LEVEL. The result goes into
       the frame. */
    void (*SystemService)(PKTRAP_FRAME Frame);
    /* It came back above PASSIVE_LEVEL or with APCs disabled: stops the machine, naming the service. */
    NORETURN void (*BadServiceReturn)(PKTRAP_FRAME Frame);
} KE_HANDLERS;

extern const KE_HANDLERS KeHandlers;

#endif
