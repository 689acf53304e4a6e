/* SPDX-License-Identifier: MIT */
/*
 * What others want of a thread: asynchronous procedure calls, alerts, interruptions. Each sets a bit of the
 * thread's UserWork and then makes the thread notice it (KiNoticeWork): a wait that may be broken is, a
 * processor that runs the thread is interrupted, and a thread that does neither looks for itself when it is
 * switched to, or when it leaves the region that has kept the APCs away.
 *
 * A thread has an APC state for its own process, and, while it is attached to another, one for that:
 * KeAttachSpace puts the state away, KeDetachSpace gets it back. Only the APCs of the current one count.
 *
 * Locks: Thread->Lock guards the APC lists, KAPC.Inserted of what is to be queued there, and the UserWork
 * bits that tell what the lists hold.
 *
 * A kernel APC is delivered by the thread itself, when the level drops below APC_LEVEL: the software
 * interrupt KSOFT_APC. That bit is a hint of the processor's, set too often rather than too seldom; whether
 * an APC may run now is decided here.
 */
#include "kernel/kd/script.h"
#include "kernel/ke/ki.h"
#include "kernel/ke/waitword.h"

#define APC_OBJECT 18 /* KAPC.Type, as the debugger's documentation shows it */

/* ---- Which of them may be done now ---- */

ULONG KiWaitBreaks(PKTHREAD Thread)
{
    bool UserWait = Thread->WaitMode != KernelMode, Alertable = Thread->WaitAlertable;
    ULONG Breaks = Alertable ? KUSER_WORK_ALERT_KERNEL | (UserWait ? KUSER_WORK_ALERT_USER : 0) : 0;

    if (Thread->WaitIrql >= APC_LEVEL || Thread->SpecialApcDisable != 0) {
        return Breaks;
    }
    Breaks |= KUSER_WORK_SPECIAL_APC;
    if (Thread->KernelApcDisable !=
        0) { /* while kernel APCs are disabled, user APCs and the thread's end are, too */
        return Breaks;
    }
    Breaks |= Thread->ApcState.KernelApcInProgress ? 0 : KUSER_WORK_NORMAL_APC;
    if (KiIsAttached(Thread)) { /* its end is an affair of its own process */
        return Breaks;
    }
    return Breaks |
           (UserWait || Alertable ? KUSER_WORK_TERMINATE : 0) |
           (Alertable ? KUSER_WORK_INTERRUPT | KUSER_WORK_USER_APC : 0);
}

static bool KiKernelApcMayRun(PKTHREAD Thread)
{
    ULONG Work = __atomic_load_n(&Thread->UserWork, __ATOMIC_ACQUIRE);
    return ((Work & KUSER_WORK_SPECIAL_APC) && Thread->SpecialApcDisable == 0) ||
           ((Work & KUSER_WORK_NORMAL_APC) && Thread->ApcDisable == 0 && !Thread->ApcState.KernelApcInProgress);
}

void KiNoteKernelApcs(PKTHREAD Thread)
{
    if (KiKernelApcMayRun(Thread)) {
        ArchSetPendingSoft(KSOFT_APC);
    }
}

/* ---- Making a thread notice ---- */

/* A bit of the thread's UserWork has been set. Request: what its processor is told if it runs on another one.
   A thread that moves meanwhile looks at UserWork when it is switched to. Claimed: the point behind the
   claim. DISPATCH_LEVEL. */
static void KiNoticeWork(PKTHREAD Thread, KPRIORITY Increment, ULONG Request, PRIMER_POINT Claimed)
{
    bool Committed;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    bool Broken = KiClaimWait(Thread, WaitBroken, &Committed);
    KdPoint(Claimed, Thread);
    if (Broken) {
        if (Committed) {
            KiReady(Thread, Increment);
        }
        return; /* one that was Preparing finds out at its commit */
    }
    ULONG Processor = Thread->Processor;
    if (Thread->State == Running && Processor != KeGetCurrentPrcb()->Number) {
        KiRequestIpi(KiProcessorBlock[Processor], Request);
    }
}

static ULONG KiSetWork(PKTHREAD Thread, ULONG Bit)
{
    KIRQL Irql = KiRaiseToDispatch();
    ULONG Before = __atomic_fetch_or(&Thread->UserWork, Bit, __ATOMIC_SEQ_CST); /* @announce */
    KdPoint(PrimerPointAlertAnnounced, Thread);
    KiNoticeWork(Thread, IO_NO_INCREMENT, KIPI_RESCHEDULE, PrimerPointAlertClaimed);
    KiLower(Irql);
    return Before;
}

void KeInterruptThread(PKTHREAD Thread)
{
    KiSetWork(Thread, KUSER_WORK_INTERRUPT);
}

static ULONG KiAlertBit(KPROCESSOR_MODE Mode)
{
    return Mode == KernelMode ? KUSER_WORK_ALERT_KERNEL : KUSER_WORK_ALERT_USER;
}

/* Alerts the thread: one alertable wait, the one it is in or the next, ends with STATUS_ALERTED; with
   AlertMode UserMode only a wait in UserMode. An alert that has not been taken yet is not counted twice.
   Returns whether the thread was alerted in this mode already. <= DISPATCH_LEVEL. (no WDK page) */
BOOLEAN KeAlertThread(PKTHREAD Thread, KPROCESSOR_MODE AlertMode)
{
    return (KiSetWork(Thread, KiAlertBit(AlertMode)) & KiAlertBit(AlertMode)) != 0;
}
EXPORT(KeAlertThread);

/* Takes the current thread's alert of this mode back, and returns whether there was one. If there was none,
   AlertMode is UserMode and user APCs are queued, they are delivered on the way to user mode. Any IRQL.
   (no WDK page) */
BOOLEAN KeTestAlertThread(KPROCESSOR_MODE AlertMode)
{
    PKTHREAD Thread = ArchCurrentThread();
    ULONG Before = __atomic_fetch_and(&Thread->UserWork, ~KiAlertBit(AlertMode), __ATOMIC_SEQ_CST);
    if (Before & KiAlertBit(AlertMode)) {
        return TRUE;
    }
    if (AlertMode != KernelMode && (Before & KUSER_WORK_USER_APC)) {
        __atomic_fetch_or(&Thread->UserWork, KUSER_WORK_DELIVER, __ATOMIC_SEQ_CST);
    }
    return FALSE;
}
EXPORT(KeTestAlertThread);

/* ---- The queues ---- */

/* Makes an APC for Thread. KernelRoutine runs at APC_LEVEL in the thread, and may change what the
   NormalRoutine is called with, or put NULL in its place. NormalRoutine NULL: a special kernel APC (ApcMode
   does not count then); else it runs at PASSIVE_LEVEL, in kernel mode or, with ApcMode UserMode, in user
   mode. RundownRoutine is called instead of both when the thread ends before. Environment: the APC is for the
   thread in its own process, and waits while it is attached to another; or for where it is attached; or for
   where it is now; or for where it is when the APC is queued. Any IRQL. (no WDK page) */
VOID KeInitializeApc(PRKAPC Apc, PRKTHREAD Thread, KAPC_ENVIRONMENT Environment,
                     PKKERNEL_ROUTINE KernelRoutine, PKRUNDOWN_ROUTINE RundownRoutine,
                     PKNORMAL_ROUTINE NormalRoutine, KPROCESSOR_MODE ApcMode, PVOID NormalContext)
{
    *Apc = (KAPC){
        .Type = APC_OBJECT,
        .Size = sizeof(KAPC),
        .Thread = Thread,
        .KernelRoutine = KernelRoutine,
        .RundownRoutine = RundownRoutine,
        .NormalRoutine = NormalRoutine,
        .NormalContext = NormalRoutine == NULL ? NULL : NormalContext,
        .ApcStateIndex = Environment != CurrentApcEnvironment ? (CCHAR)Environment
                         : KiIsAttached(Thread)               ? AttachedApcEnvironment
                                                              : OriginalApcEnvironment,
        .ApcMode = NormalRoutine == NULL || ApcMode == KernelMode ? KernelMode : UserMode,
    };
}
EXPORT(KeInitializeApc);

static PKAPC KiApcOf(PLIST_ENTRY Entry)
{
    return CONTAINING_RECORD(Entry, KAPC, ApcListEntry);
}

static bool KiIsSpecial(PKAPC Apc)
{
    return Apc->NormalRoutine == NULL;
}

/* The bits that tell what the lists hold. Thread->Lock held. */
static void KiCountApcs(PKTHREAD Thread)
{
    const LIST_ENTRY *Kernel = &Thread->ApcState.ApcListHead[KernelMode];
    ULONG Held = IsListEmpty(&Thread->ApcState.ApcListHead[UserMode]) ? 0 : KUSER_WORK_USER_APC;

    if (!IsListEmpty(Kernel)) {
        Held |= KiIsSpecial(KiApcOf(Kernel->Flink)) ? KUSER_WORK_SPECIAL_APC : 0;
        Held |= KiIsSpecial(KiApcOf(Kernel->Blink)) ? 0 : KUSER_WORK_NORMAL_APC;
    }
    __atomic_fetch_or(&Thread->UserWork, Held, __ATOMIC_SEQ_CST);
    __atomic_fetch_and(&Thread->UserWork, Held | ~(KUSER_WORK_KERNEL_APC | KUSER_WORK_USER_APC), __ATOMIC_SEQ_CST);
}

/* Special kernel APCs stand before normal ones; otherwise in the order in which they came. Thread->Lock
   held. */
static void KiLinkApc(PKTHREAD Thread, PKAPC Apc)
{
    PKAPC_STATE State = Apc->ApcStateIndex == OriginalApcEnvironment ? Thread->OriginalApcState : &Thread->ApcState;
    PLIST_ENTRY Head = &State->ApcListHead[Apc->ApcMode == KernelMode ? KernelMode : UserMode];
    PLIST_ENTRY After = Head->Blink;
    while (KiIsSpecial(Apc) && After != Head && !KiIsSpecial(KiApcOf(After))) {
        After = After->Blink;
    }
    InsertHeadList(After, &Apc->ApcListEntry);
    Apc->Inserted = TRUE;
    KiCountApcs(Thread);
}

/* Thread->Lock held. */
static void KiUnlinkApc(PKTHREAD Thread, PKAPC Apc)
{
    RemoveEntryList(&Apc->ApcListEntry);
    Apc->Inserted = FALSE;
    KiCountApcs(Thread);
}

/* Queues the APC to its thread, which the caller keeps from being freed. FALSE, and nothing changed: it is
   queued already, or the thread has ended. A thread that waits, and may be woken for it, gets the boost
   Increment. On the current thread, at PASSIVE_LEVEL with APCs enabled, a kernel APC has run before the
   return. <= DISPATCH_LEVEL. (no WDK page) */
BOOLEAN KeInsertQueueApc(PRKAPC Apc, PVOID SystemArgument1, PVOID SystemArgument2, KPRIORITY Increment)
{
    PKTHREAD Thread = Apc->Thread;
    KIRQL Irql = KeAcquireLock(&Thread->Lock);
    bool Accepted = Thread->ApcQueueable && !Apc->Inserted;
    bool KernelApc = Apc->ApcMode == KernelMode; /* once unlocked, it may run and be gone */
    if (Accepted) {
        Apc->SystemArgument1 = SystemArgument1;
        Apc->SystemArgument2 = SystemArgument2;
        KiLinkApc(Thread, Apc);
    }
    KeReleaseLockFromDpc(&Thread->Lock);
    if (Accepted && Thread != ArchCurrentThread()) {
        KdPoint(PrimerPointApcQueued, Thread);
        KiNoticeWork(Thread, Increment, KernelApc ? KIPI_APC : KIPI_RESCHEDULE, PrimerPointApcClaimed);
    } else if (Accepted) {
        KiNoteKernelApcs(Thread);
    }
    KiLower(Irql);
    return Accepted;
}
EXPORT(KeInsertQueueApc);

/* Takes the APC off its queue; FALSE: it was on none (its routines have run, or are about to). <=
   DISPATCH_LEVEL. (no WDK page) */
BOOLEAN KeRemoveQueueApc(PRKAPC Apc)
{
    PKTHREAD Thread = Apc->Thread;
    KIRQL Irql = KeAcquireLock(&Thread->Lock);
    BOOLEAN WasInserted = Apc->Inserted;
    if (WasInserted) {
        KiUnlinkApc(Thread, Apc);
    }
    KeReleaseLock(&Thread->Lock, Irql);
    return WasInserted;
}
EXPORT(KeRemoveQueueApc);

/* ---- Delivery, on the thread itself ---- */

/* A copy of what an APC is called with: its routines may free it. */
typedef struct _KI_APC_CALL {
    PKAPC Apc;
    bool Special;
    PKKERNEL_ROUTINE KernelRoutine;
    PKNORMAL_ROUTINE NormalRoutine;
    PVOID Context, Argument1, Argument2;
} KI_APC_CALL;

/* Thread->Lock held. */
static void KiTakeApc(PKTHREAD Thread, PKAPC Apc, KI_APC_CALL *Call)
{
    *Call = (KI_APC_CALL){Apc,
                          KiIsSpecial(Apc),
                          Apc->KernelRoutine,
                          Apc->NormalRoutine,
                          Apc->NormalContext,
                          Apc->SystemArgument1,
                          Apc->SystemArgument2};
    KiUnlinkApc(Thread, Apc);
}

/* The first kernel APC, if it may run now: a special one stands before all others. */
static bool KiTakeKernelApc(PKTHREAD Thread, KI_APC_CALL *Call)
{
    PLIST_ENTRY Head = &Thread->ApcState.ApcListHead[KernelMode];
    KIRQL Irql = KeAcquireLock(&Thread->Lock);
    bool Taken = KiKernelApcMayRun(Thread);
    if (Taken) {
        KiTakeApc(Thread, KiApcOf(Head->Flink), Call);
    }
    KeReleaseLock(&Thread->Lock, Irql);
    return Taken;
}

/* An APC's routine leaves level and regions as they were. */
static void KiCheckApcReturn(void *Routine, KIRQL Irql, ULONG ApcDisable)
{
    PKTHREAD Thread = ArchCurrentThread();
    if (ArchGetIrql() != Irql || Thread->ApcDisable != ApcDisable) {
        KdBugCheck(APC_INDEX_MISMATCH, (ULONG64)Routine, ArchGetIrql(), Thread->ApcDisable, ApcDisable, NULL,
                   "an APC's routine %p returned at level %d, APC disable %x; it was called at %d, %x",
                   Routine, ArchGetIrql(), Thread->ApcDisable, Irql, ApcDisable);
    }
}

static void KiCallKernelRoutine(KI_APC_CALL *Call)
{
    ULONG ApcDisable = ArchCurrentThread()->ApcDisable;
    Call->KernelRoutine(Call->Apc, &Call->NormalRoutine, &Call->Context, &Call->Argument1, &Call->Argument2);
    KiCheckApcReturn((void *)Call->KernelRoutine, APC_LEVEL, ApcDisable);
}

static void KiCallNormalRoutine(PKTHREAD Thread, const KI_APC_CALL *Call)
{
    ULONG ApcDisable = Thread->ApcDisable;
    Thread->ApcState.KernelApcInProgress = TRUE;
    KiLower(PASSIVE_LEVEL);
    Call->NormalRoutine(Call->Context, Call->Argument1, Call->Argument2);
    KiCheckApcReturn((void *)Call->NormalRoutine, PASSIVE_LEVEL, ApcDisable);
    ArchSetIrql(APC_LEVEL);
    Thread->ApcState.KernelApcInProgress = FALSE;
}

/* The interrupted code's exception blocks, user-access window and previous mode are not the APC's: an
   exception must not cross an interrupt. */
void KiDeliverKernelApcs(void)
{
    PKTHREAD Thread = ArchCurrentThread();
    KI_APC_CALL Call;

    ArchClearPendingSoft(KSOFT_APC);
    if (!KiKernelApcMayRun(Thread)) {
        return;
    }
    struct _SEH_FRAME *Exceptions = Thread->ExceptionList;
    UCHAR PreviousMode = Thread->PreviousMode;
    bool UserAccess = ArchOpenUserAccess();
    ArchCloseUserAccess(false);
    Thread->ExceptionList = NULL;
    Thread->PreviousMode = KernelMode;
    while (KiTakeKernelApc(Thread, &Call)) {
        KiCallKernelRoutine(&Call);
        if (!Call.Special && Call.NormalRoutine != NULL) {
            KiCallNormalRoutine(Thread, &Call);
        }
    }
    Thread->PreviousMode = PreviousMode;
    Thread->ExceptionList = Exceptions;
    if (UserAccess) {
        ArchOpenUserAccess();
    }
}

static bool KiTakeUserApc(PKTHREAD Thread, KI_APC_CALL *Call)
{
    PLIST_ENTRY Head = &Thread->ApcState.ApcListHead[UserMode];
    KeAcquireLockAtDpc(&Thread->Lock);
    bool Taken = !IsListEmpty(Head);
    if (Taken) {
        KiTakeApc(Thread, KiApcOf(Head->Flink), Call);
    }
    KeReleaseLockFromDpc(&Thread->Lock);
    return Taken;
}

/* One a time: user mode asks for the next, when the routine has returned. An APC that its KernelRoutine has
   done with makes place for the next. */
void KiDeliverUserApc(PKTRAP_FRAME Frame)
{
    PKTHREAD Thread = ArchCurrentThread();
    KI_APC_CALL Call;

    __atomic_fetch_and(&Thread->UserWork, ~KUSER_WORK_DELIVER, __ATOMIC_SEQ_CST);
    do {
        KIRQL Irql = KiRaiseToDispatch();
        if (!KeHandlers.TakesUserApcs(Thread->Process) || !KiTakeUserApc(Thread, &Call)) {
            KiLower(Irql);
            return;
        }
        KiLower(APC_LEVEL);
        KiCallKernelRoutine(&Call);
        KiLower(Irql);
    } while (Call.NormalRoutine == NULL);
    KeHandlers.UserApc(Frame, Call.NormalRoutine, Call.Context, Call.Argument1, Call.Argument2);
}

/* ---- Attachment ---- */

static void KiMoveApcState(PKAPC_STATE To, PKAPC_STATE From)
{
    *To = *From;
    for (ULONG Mode = KernelMode; Mode <= UserMode; Mode++) {
        InitializeListHead(&To->ApcListHead[Mode]);
        if (!IsListEmpty(&From->ApcListHead[Mode])) { /* the head takes another's place, then that one goes */
            InsertHeadList(&From->ApcListHead[Mode], &To->ApcListHead[Mode]);
            RemoveEntryList(&From->ApcListHead[Mode]);
            InitializeListHead(&From->ApcListHead[Mode]);
        }
    }
}

/* The first attachment's state is kept in the thread, where APCs for its own process find it; a nested one's
   with the caller. */
void KeAttachSpace(PKPROCESS Process, PKADDRESS_SPACE Space, PKAPC_STATE Saved)
{
    PKTHREAD Thread = ArchCurrentThread();
    KIRQL Irql = KeAcquireLock(&Thread->Lock);
    if (KiIsAttached(Thread)) {
        KiMoveApcState(Saved, &Thread->ApcState);
    } else {
        Saved->Process = NULL;
        KiMoveApcState(&Thread->SavedApcState, &Thread->ApcState);
        Thread->OriginalApcState = &Thread->SavedApcState;
    }
    Thread->ApcState.Process = Process;
    Thread->ApcState.AddressSpace = Space;
    Thread->ApcState.KernelApcInProgress = FALSE;
    KiCountApcs(Thread);
    KeReleaseLockFromDpc(&Thread->Lock);
    KeLoadAddressSpace(Space);
    KiLower(Irql);
}

/* With Thread->Lock held, and no APC left for where the thread is. */
static KIRQL KiLockEmptyApcState(PKTHREAD Thread)
{
    for (;;) {
        KIRQL Irql = KeAcquireLock(&Thread->Lock);
        bool Empty = IsListEmpty(&Thread->ApcState.ApcListHead[KernelMode]) &&
                     IsListEmpty(&Thread->ApcState.ApcListHead[UserMode]);
        if (Empty && KiIsAttached(Thread) && !Thread->ApcState.KernelApcInProgress) {
            return Irql;
        }
        if (Empty || Irql >= APC_LEVEL || !KiKernelApcMayRun(Thread)) {
            KdBugCheck(INVALID_PROCESS_DETACH_ATTEMPT, KiIsAttached(Thread), !Empty,
                       Thread->ApcState.KernelApcInProgress, (ULONG64)Thread, NULL,
                       "thread %p is not attached, or APCs for where it is cannot be run first", Thread);
        }
        KiNoteKernelApcs(Thread);
        KeReleaseLock(&Thread->Lock, Irql); /* and they run */
    }
}

PKADDRESS_SPACE KeDetachSpace(PKAPC_STATE Saved)
{
    PKTHREAD Thread = ArchCurrentThread();
    KIRQL Irql = KiLockEmptyApcState(Thread);
    PKADDRESS_SPACE Left = Thread->ApcState.AddressSpace;
    if (Saved->Process != NULL) {
        KiMoveApcState(&Thread->ApcState, Saved);
    } else {
        KiMoveApcState(&Thread->ApcState, &Thread->SavedApcState);
        Thread->OriginalApcState = &Thread->ApcState;
        Thread->ApcState.AddressSpace = Thread->Process->AddressSpace; /* it may have got another one */
    }
    KiCountApcs(Thread);
    KiNoteKernelApcs(Thread);
    KeReleaseLockFromDpc(&Thread->Lock);
    KeLoadAddressSpace(Thread->ApcState.AddressSpace);
    KiLower(Irql);
    return Left;
}

/* ---- The thread's end ---- */

/* Its routine is read before it is off the queue: from then on its owner may use it for something else. */
static PKAPC KiTakeForRundown(PKTHREAD Thread, PKRUNDOWN_ROUTINE *Routine)
{
    PKAPC Apc = NULL;
    KIRQL Irql = KeAcquireLock(&Thread->Lock);
    Thread->ApcQueueable = FALSE;
    for (ULONG Mode = KernelMode; Mode <= UserMode && Apc == NULL; Mode++) {
        if (!IsListEmpty(&Thread->ApcState.ApcListHead[Mode])) {
            Apc = KiApcOf(Thread->ApcState.ApcListHead[Mode].Flink);
            *Routine = Apc->RundownRoutine;
            KiUnlinkApc(Thread, Apc);
        }
    }
    KeReleaseLock(&Thread->Lock, Irql);
    return Apc;
}

void KeRundownApcs(PKTHREAD Thread)
{
    PKRUNDOWN_ROUTINE Routine = NULL;
    PKAPC Apc;
    while ((Apc = KiTakeForRundown(Thread, &Routine)) != NULL) {
        if (Routine != NULL) {
            Routine(Apc);
        }
    }
}
