/* SPDX-License-Identifier: MIT */
/*
 * Kernel APCs and alerts: where and when they run, what keeps them away, how they get to a thread that runs
 * elsewhere, waits, is ready, or ends. Most tests run on a system thread that has left the critical region in
 * which such threads begin.
 */
#include "apcs.h"

static LARGE_INTEGER Zero;

/* ---- A test on a thread that takes APCs ---- */

typedef struct _ON_THREAD {
    KTEST *Test;
    PCSTR Why;
} ON_THREAD;

static VOID OnThread(PVOID Context)
{
    ON_THREAD *This = Context;
    This->Why = KeAreApcsDisabled() ? NULL : "a system thread does not begin in a critical region";
    KeLeaveCriticalRegion();
    if (This->Why == NULL) {
        This->Why = This->Test();
    }
    KeEnterCriticalRegion();
}

static KTEST *Wrapped;

static PCSTR RunWrapped(VOID)
{
    ON_THREAD This = {Wrapped, NULL};
    PETHREAD Thread = KtestStart(OnThread, &This);
    KTEST_CHECK(Thread != NULL);
    KtestJoin(Thread);
    return This.Why;
}

static VOID RunOnThread(PCSTR Name, KTEST *Test)
{
    Wrapped = Test;
    KtestRun(Name, RunWrapped);
}

/* ---- APCs that say where they ran ---- */

typedef struct _NOTED_APC {
    KAPC Apc;
    volatile LONG Kernel, Normal, Rundown;
    KIRQL KernelIrql, NormalIrql;
    PKTHREAD Where;
    PVOID Arguments[3]; /* of the normal routine */
    LONG Order;         /* when its last routine ran */
    BOOLEAN Cancel, Change;
} NOTED_APC;

static volatile LONG Runs;

static VOID NoteKernel(PKAPC Apc, PKNORMAL_ROUTINE *NormalRoutine, PVOID *NormalContext, PVOID *Argument1,
                       PVOID *Argument2)
{
    NOTED_APC *Noted = CONTAINING_RECORD(Apc, NOTED_APC, Apc);
    Noted->KernelIrql = KeGetCurrentIrql();
    Noted->Where = KeGetCurrentThread();
    Noted->Order = InterlockedIncrement(&Runs);
    if (Noted->Cancel) {
        *NormalRoutine = NULL;
    }
    if (Noted->Change) {
        *Argument1 = (PVOID)77;
    }
    InterlockedIncrement(&Noted->Kernel);
}

static VOID NoteNormal(PVOID Context, PVOID Argument1, PVOID Argument2)
{
    NOTED_APC *Noted = Context;
    Noted->NormalIrql = KeGetCurrentIrql();
    Noted->Arguments[0] = Context;
    Noted->Arguments[1] = Argument1;
    Noted->Arguments[2] = Argument2;
    Noted->Order = InterlockedIncrement(&Runs);
    InterlockedIncrement(&Noted->Normal);
}

static VOID NoteRundown(PKAPC Apc)
{
    InterlockedIncrement(&CONTAINING_RECORD(Apc, NOTED_APC, Apc)->Rundown);
}

static VOID MakeApc(NOTED_APC *Noted, PKTHREAD Thread, BOOLEAN Special)
{
    RtlZeroMemory(Noted, sizeof(*Noted));
    KeInitializeApc(&Noted->Apc, Thread, OriginalApcEnvironment, NoteKernel, NoteRundown,
                    Special ? NULL : NoteNormal, KernelMode, Noted);
}

static BOOLEAN Insert(NOTED_APC *Noted)
{
    return KeInsertQueueApc(&Noted->Apc, (PVOID)1, (PVOID)2, IO_NO_INCREMENT);
}

/* At most five seconds. */
static BOOLEAN AwaitCount(volatile LONG *Count, LONG Value)
{
    for (ULONG i = 0; i < 5000 && *Count < Value; i++) {
        KtestSleep(1);
    }
    return *Count >= Value;
}

/* ---- On the thread itself ---- */

static PCSTR TestLayout(VOID)
{
    KAPC Apc;
    KeInitializeApc(&Apc, KeGetCurrentThread(), OriginalApcEnvironment, NoteKernel, NoteRundown, NULL,
                    UserMode, &Apc);
    KTEST_CHECK(sizeof(KAPC) == 88 && Apc.ApcMode == KernelMode && Apc.NormalContext == NULL &&
                !Apc.Inserted);
    KTEST_CHECK(Apc.Thread == KeGetCurrentThread() && Apc.KernelRoutine == NoteKernel &&
                Apc.RundownRoutine == NoteRundown);
    return NULL;
}

/* Special: at APC_LEVEL, before the insertion returns. Normal: its kernel routine so, too, then at
   PASSIVE_LEVEL. */
static PCSTR TestSelf(VOID)
{
    NOTED_APC Special, Normal;
    MakeApc(&Special, KeGetCurrentThread(), TRUE);
    MakeApc(&Normal, KeGetCurrentThread(), FALSE);
    KTEST_CHECK(Insert(&Special) && Special.Kernel == 1 && Special.KernelIrql == APC_LEVEL &&
                !Special.Apc.Inserted);
    KTEST_CHECK(Special.Where == KeGetCurrentThread() && KeGetCurrentIrql() == PASSIVE_LEVEL);
    KTEST_CHECK(Insert(&Normal) && Normal.Kernel == 1 && Normal.Normal == 1);
    KTEST_CHECK(Normal.KernelIrql == APC_LEVEL && Normal.NormalIrql == PASSIVE_LEVEL);
    KTEST_CHECK(Normal.Arguments[0] == &Normal && Normal.Arguments[1] == (PVOID)1 &&
                Normal.Arguments[2] == (PVOID)2);
    KTEST_CHECK(Insert(&Normal) && Normal.Normal == 2 && Normal.Rundown == 0); /* an APC can be used again */
    return NULL;
}

/* The kernel routine may change the arguments, or take the normal routine away. */
static PCSTR TestKernelRoutine(VOID)
{
    NOTED_APC Apc;
    MakeApc(&Apc, KeGetCurrentThread(), FALSE);
    Apc.Change = TRUE;
    KTEST_CHECK(Insert(&Apc) && Apc.Normal == 1 && Apc.Arguments[1] == (PVOID)77);
    Apc.Cancel = TRUE;
    KTEST_CHECK(Insert(&Apc) && Apc.Kernel == 2 && Apc.Normal == 1);
    return NULL;
}

/* Critical region: normal ones wait. Guarded region, APC_LEVEL, DISPATCH_LEVEL: all do. The end of each
   delivers. */
static PCSTR TestRegions(VOID)
{
    NOTED_APC Special, Normal;
    KIRQL Irql;
    MakeApc(&Special, KeGetCurrentThread(), TRUE);
    MakeApc(&Normal, KeGetCurrentThread(), FALSE);

    KeEnterCriticalRegion();
    KeEnterCriticalRegion();
    KTEST_CHECK(KeAreApcsDisabled() && !KeAreAllApcsDisabled());
    KTEST_CHECK(Insert(&Normal) && Insert(&Special) && Special.Kernel == 1 && Normal.Kernel == 0 &&
                Normal.Apc.Inserted);
    KTEST_CHECK(!Insert(&Normal)); /* it is queued */
    KeLeaveCriticalRegion();
    KTEST_CHECK(Normal.Kernel == 0);
    KeLeaveCriticalRegion();
    KTEST_CHECK(Normal.Normal == 1);

    KeEnterGuardedRegion();
    KTEST_CHECK(KeAreApcsDisabled() && KeAreAllApcsDisabled());
    KTEST_CHECK(Insert(&Normal) && Insert(&Special) && Special.Kernel == 1 && Normal.Kernel == 1);
    KeEnterCriticalRegion();
    KeLeaveGuardedRegion();
    KTEST_CHECK(Special.Kernel == 2 && Normal.Kernel == 1);
    KeLeaveCriticalRegion();
    KTEST_CHECK(Normal.Normal == 2);

    KeRaiseIrql(APC_LEVEL, &Irql);
    KTEST_CHECK(!KeAreApcsDisabled() && KeAreAllApcsDisabled());
    KTEST_CHECK(Insert(&Normal) && Insert(&Special) && Special.Kernel == 2 && Normal.Kernel == 2);
    KeLowerIrql(Irql);
    KTEST_CHECK(Special.Kernel == 3 && Normal.Normal == 3);

    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    BOOLEAN Both = Insert(&Normal) && Insert(&Special);
    KeEnterCriticalRegion(); /* legal here, too */
    KeLeaveCriticalRegion();
    KeLowerIrql(APC_LEVEL);
    LONG Early = Special.Kernel + Normal.Kernel;
    KeLowerIrql(Irql);
    KTEST_CHECK(Both && Early == 6 && Special.Kernel == 4 && Normal.Normal == 4);
    return NULL;
}

/* Leaving what was not entered makes the count positive: disabled, too. The two counts do not know of each
   other, and the level does not matter to either. */
static PCSTR TestRegionCounts(VOID)
{
    KIRQL Irql;
    KeLeaveCriticalRegion();
    BOOLEAN Positive = KeAreApcsDisabled(), All = KeAreAllApcsDisabled();
    KeEnterCriticalRegion();
    KTEST_CHECK(Positive && !All && !KeAreApcsDisabled());
    KeEnterCriticalRegion();
    KeEnterGuardedRegion();
    KeEnterGuardedRegion();
    KeLeaveCriticalRegion();
    BOOLEAN Guarded = KeAreApcsDisabled() && KeAreAllApcsDisabled();
    KeLeaveGuardedRegion();
    BOOLEAN Nested = KeAreApcsDisabled() && KeAreAllApcsDisabled();
    KeLeaveGuardedRegion();
    KTEST_CHECK(Guarded && Nested && !KeAreApcsDisabled() && !KeAreAllApcsDisabled());
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    BOOLEAN Below = KeAreApcsDisabled(), Above = KeAreAllApcsDisabled();
    KeLowerIrql(Irql);
    KTEST_CHECK(!Below && Above);
    return NULL;
}

/* Special ones first, then each kind in its order. */
static PCSTR TestOrder(VOID)
{
    NOTED_APC Apc[6]; /* normal, special, normal, ... */
    for (ULONG i = 0; i < 6; i++) {
        MakeApc(&Apc[i], KeGetCurrentThread(), i % 2 == 1);
    }
    Runs = 0;
    KeEnterGuardedRegion();
    for (ULONG i = 0; i < 6; i++) {
        Insert(&Apc[i]);
    }
    BOOLEAN Removed = KeRemoveQueueApc(&Apc[2].Apc), Again = KeRemoveQueueApc(&Apc[2].Apc);
    KeLeaveGuardedRegion();
    KTEST_CHECK(Removed && !Again && Apc[2].Kernel == 0 && Apc[2].Rundown == 0);
    KTEST_CHECK(Apc[1].Order == 1 && Apc[3].Order == 2 && Apc[5].Order == 3);
    KTEST_CHECK(Apc[0].Order == 5 && Apc[4].Order == 7); /* two routines each */
    return NULL;
}

/* While a normal APC's routine runs, special ones come between, normal ones after it. */
static NOTED_APC InnerSpecial, InnerNormal;
static volatile LONG InsideSpecial, InsideNormal;

static VOID Nest(PVOID Context, PVOID Argument1, PVOID Argument2)
{
    Insert(&InnerNormal);
    Insert(&InnerSpecial);
    InsideSpecial = InnerSpecial.Kernel;
    InsideNormal = InnerNormal.Kernel + (KeAreApcsDisabled() ? 10 : 0);
}

static PCSTR TestNested(VOID)
{
    NOTED_APC Outer;
    MakeApc(&InnerSpecial, KeGetCurrentThread(), TRUE);
    MakeApc(&InnerNormal, KeGetCurrentThread(), FALSE);
    RtlZeroMemory(&Outer, sizeof(Outer));
    KeInitializeApc(&Outer.Apc, KeGetCurrentThread(), OriginalApcEnvironment, NoteKernel, NULL, Nest,
                    KernelMode, &Outer);
    KTEST_CHECK(Insert(&Outer) && InsideSpecial == 1 && InsideNormal == 0);
    KTEST_CHECK(InnerNormal.Normal == 1);
    return NULL;
}

/* An exception in an APC is the APC's own affair; the blocks of the code that it interrupts are untouched. */
static VOID RaiseAndCatch(PVOID Context, PVOID Argument1, PVOID Argument2)
{
    _SEH2_TRY
        {
            ExRaiseStatus(STATUS_UNSUCCESSFUL);
        }
        _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER)
        {
            InterlockedIncrement(&Runs);
        }
        _SEH2_END;
}

static PCSTR TestException(VOID)
{
    NOTED_APC Apc;
    volatile NTSTATUS Code = STATUS_SUCCESS;
    RtlZeroMemory(&Apc, sizeof(Apc));
    KeInitializeApc(&Apc.Apc, KeGetCurrentThread(), OriginalApcEnvironment, NoteKernel, NULL, RaiseAndCatch,
                    KernelMode, &Apc);
    Runs = 0;
    _SEH2_TRY
        {
            Insert(&Apc);
            ExRaiseStatus(STATUS_INVALID_PARAMETER);
        }
        _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER)
        {
            Code = _SEH2_GetExceptionCode();
        }
        _SEH2_END;
        KTEST_CHECK(Runs == 2 && Code == STATUS_INVALID_PARAMETER);
        return NULL;
}

/* ---- Another thread ---- */

static volatile LONG Stop, Spinning;
static volatile ULONG64 Spins;
static KEVENT Never, Wanted, Other;

static VOID Spinner(PVOID Context)
{
    KeLeaveCriticalRegion();
    KeSetSystemAffinityThreadEx((KAFFINITY)1 << (ULONG_PTR)Context);
    while (!Stop) {
        Spinning = 1;
        Spins++;
    }
    KeEnterCriticalRegion();
}

/* To a thread that runs on another processor and never enters the scheduler: an interrupt brings it. */
static PCSTR TestRunning(VOID)
{
    NOTED_APC Special, Normal;
    ULONG Count = KeQueryActiveProcessorCount(NULL);
    KAFFINITY Old = KeSetSystemAffinityThreadEx(1);
    Stop = Spinning = 0;
    PETHREAD Thread = KtestStart(Spinner, (PVOID)(ULONG_PTR)(Count - 1));
    KTEST_CHECK(Thread != NULL);
    MakeApc(&Special, (PKTHREAD)Thread, TRUE);
    MakeApc(&Normal, (PKTHREAD)Thread, FALSE);
    PCSTR Why = AwaitCount(&Spinning, 1) ? NULL : "the thread does not run";
    for (LONG i = 1; i <= 50 && Why == NULL; i++) {
        if (!Insert(&Special) || !Insert(&Normal) || !AwaitCount(&Normal.Normal, i) || Special.Kernel != i) {
            Why = "an APC did not come";
        }
    }
    if (Special.Where != (PKTHREAD)Thread || Special.KernelIrql != APC_LEVEL ||
        Normal.NormalIrql != PASSIVE_LEVEL) {
        Why = "it ran elsewhere, or at another level";
    }
    Stop = 1;
    KtestJoin(Thread);
    KeRevertToUserAffinityThreadEx(Old);
    return Why;
}

/* A thread that is ready, but has no processor: its APCs run before it goes on. */
static PCSTR TestReady(VOID)
{
    NOTED_APC Apc;
    PKTHREAD Self = KeGetCurrentThread();
    KAFFINITY Old = KeSetSystemAffinityThreadEx(1);
    Stop = Spinning = 0;
    PETHREAD Thread = KtestStart(Spinner, (PVOID)0);
    KTEST_CHECK(Thread != NULL);
    KTEST_CHECK(AwaitCount(&Spinning, 1));
    MakeApc(&Apc, (PKTHREAD)Thread, TRUE);
    KPRIORITY Priority = KeSetPriorityThread(Self, 16); /* it cannot run here now */
    BOOLEAN Inserted = Insert(&Apc);
    Spinning = 0;
    LONG Early = Apc.Kernel;
    KeSetPriorityThread(Self, Priority);
    BOOLEAN Came = AwaitCount(&Apc.Kernel, 1);
    Stop = 1;
    KtestJoin(Thread);
    KeRevertToUserAffinityThreadEx(Old);
    KTEST_CHECK(Inserted && Early == 0 && Came);
    return NULL;
}

/* ---- Waits that APCs interrupt ---- */

static volatile NTSTATUS WaitStatus;
static volatile ULONG64 Waited;
static volatile LONG Waiting;

typedef struct _WAIT_KIND {
    ULONG Objects; /* 0: a delay, 1: single, 2: any, 3: all */
    LONGLONG Milliseconds;
    BOOLEAN Alertable;
} WAIT_KIND;

static NTSTATUS WaitSo(const WAIT_KIND *Kind)
{
    LARGE_INTEGER Limit = KtestMs(Kind->Milliseconds);
    PVOID Objects[2] = {&Never, &Wanted};
    switch (Kind->Objects) {
    case 0:
        return KeDelayExecutionThread(KernelMode, Kind->Alertable, &Limit);
    case 1:
        return KeWaitForSingleObject(&Wanted, Executive, KernelMode, Kind->Alertable, &Limit);
    case 2:
        return KeWaitForMultipleObjects(2, Objects, WaitAny, Executive, KernelMode, Kind->Alertable, &Limit,
                                        NULL);
    default:
        Objects[0] = &Other;
        return KeWaitForMultipleObjects(2, Objects, WaitAll, Executive, KernelMode, Kind->Alertable, &Limit,
                                        NULL);
    }
}

static VOID KindWaiter(PVOID Context)
{
    KeLeaveCriticalRegion();
    ULONGLONG Start = KeQueryInterruptTime();
    Waiting = 1;
    WaitStatus = WaitSo(Context);
    Waited = KeQueryInterruptTime() - Start;
    KeEnterCriticalRegion();
}

static PETHREAD StartWaiter(WAIT_KIND *Kind)
{
    KeInitializeEvent(&Never, NotificationEvent, FALSE);
    KeInitializeEvent(&Wanted, SynchronizationEvent, FALSE);
    KeInitializeEvent(&Other, NotificationEvent, TRUE);
    Waiting = 0;
    WaitStatus = STATUS_PENDING;
    PETHREAD Thread = KtestStart(KindWaiter, Kind);
    if (Thread != NULL) {
        AwaitCount(&Waiting, 1);
        KtestSleep(2);
    }
    return Thread;
}

/* Ten APCs of each kind run during the wait; it goes on, and a signal ends it as if nothing had been. */
static PCSTR InterruptWait(ULONG Objects)
{
    WAIT_KIND Kind = {Objects, 20000, Objects % 2 == 0};
    NOTED_APC Special, Normal;
    PETHREAD Thread = StartWaiter(&Kind);
    KTEST_CHECK(Thread != NULL);
    MakeApc(&Special, (PKTHREAD)Thread, TRUE);
    MakeApc(&Normal, (PKTHREAD)Thread, FALSE);
    PCSTR Why = NULL;
    for (LONG i = 1; i <= 10 && Why == NULL; i++) {
        if (!Insert(&Special) || !Insert(&Normal) || !AwaitCount(&Normal.Normal, i) || Special.Kernel != i) {
            Why = "an APC did not run during the wait";
        } else if (WaitStatus != STATUS_PENDING) {
            Why = "an APC ended the wait";
        }
    }
    KeSetEvent(&Wanted, 0, FALSE);
    KtestJoin(Thread);
    KTEST_CHECK(Why == NULL || (DbgPrint("apcs: %s\n", Why), FALSE));
    KTEST_CHECK(WaitStatus == (Objects == 2 ? STATUS_WAIT_1 : STATUS_SUCCESS) &&
                KeReadStateEvent(&Wanted) == 0);
    return NULL;
}

static PCSTR TestWaiting(VOID)
{
    for (ULONG Objects = 1; Objects <= 3; Objects++) {
        PCSTR Why = InterruptWait(Objects);
        if (Why != NULL) {
            return Why;
        }
    }
    return NULL;
}

/* The deadline does not move: 150 ms, interrupted every few milliseconds for ever, are over after 150 ms. */
static PCSTR TestDeadline(VOID)
{
    for (ULONG Objects = 0; Objects <= 3; Objects++) {
        WAIT_KIND Kind = {Objects, 150, FALSE};
        NOTED_APC Apc;
        PETHREAD Thread = StartWaiter(&Kind);
        KTEST_CHECK(Thread != NULL);
        MakeApc(&Apc, (PKTHREAD)Thread, TRUE);
        for (ULONG i = 0; i < 2000 && WaitStatus == STATUS_PENDING; i++) {
            Insert(&Apc);
            KtestSleep(3);
        }
        KtestJoin(Thread);
        KTEST_CHECK(WaitStatus == (Objects == 0 ? STATUS_SUCCESS : STATUS_TIMEOUT));
        KTEST_CHECK(Waited >= 1500000 && Apc.Kernel >= 5);
        KTEST_CHECK(Waited < 20000000); /* far less than the APCs would have prolonged it */
    }
    return NULL;
}

/* A waiter that is running a kernel APC misses a pulse, and keeps waiting. */
static KEVENT ApcGo, ApcIn;

static VOID BlockInApc(PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KeSetEvent(&ApcIn, 0, FALSE);
    KeWaitForSingleObject(&ApcGo, Executive, KernelMode, FALSE, NULL);
}

static PCSTR TestPulseMissed(VOID)
{
    WAIT_KIND Kind = {1, 20000, FALSE};
    NOTED_APC Apc;
    KeInitializeEvent(&ApcGo, SynchronizationEvent, FALSE);
    KeInitializeEvent(&ApcIn, SynchronizationEvent, FALSE);
    PETHREAD Thread = StartWaiter(&Kind);
    KTEST_CHECK(Thread != NULL);
    RtlZeroMemory(&Apc, sizeof(Apc));
    KeInitializeApc(&Apc.Apc, (PKTHREAD)Thread, OriginalApcEnvironment, NoteKernel, NULL, BlockInApc,
                    KernelMode, &Apc);
    Insert(&Apc);
    KeWaitForSingleObject(&ApcIn, Executive, KernelMode, FALSE, NULL);
    BOOLEAN Off = IsListEmpty(&Wanted.Header.WaitListHead);
    KePulseEvent(&Wanted, 0, FALSE);
    KeSetEvent(&ApcGo, 0, FALSE);
    KtestSleep(20);
    NTSTATUS Missed = WaitStatus;
    KeSetEvent(&Wanted, 0, FALSE);
    KtestJoin(Thread);
    KTEST_CHECK(Off && Missed == STATUS_PENDING && WaitStatus == STATUS_SUCCESS);
    return NULL;
}

/* In a critical region a normal APC does not disturb the wait; it comes at the region's end. */
static VOID RegionWaiter(PVOID Context)
{
    Waiting = 1;
    KeWaitForSingleObject(&Wanted, Executive, KernelMode, FALSE, NULL); /* inside the region of its start */
    Waiting = 2;
    KeLeaveCriticalRegion();
    WaitStatus = ((NOTED_APC *)Context)->Normal;
    KeEnterCriticalRegion();
}

static PCSTR TestWaitInRegion(VOID)
{
    NOTED_APC Special, Normal;
    KeInitializeEvent(&Wanted, SynchronizationEvent, FALSE);
    Waiting = 0;
    PETHREAD Thread = KtestStart(RegionWaiter, &Normal);
    KTEST_CHECK(Thread != NULL);
    MakeApc(&Special, (PKTHREAD)Thread, TRUE);
    MakeApc(&Normal, (PKTHREAD)Thread, FALSE);
    AwaitCount(&Waiting, 1);
    KtestSleep(2);
    Insert(&Normal);
    Insert(&Special);
    BOOLEAN SpecialCame = AwaitCount(&Special.Kernel, 1);
    LONG Early = Normal.Kernel;
    KeSetEvent(&Wanted, 0, FALSE);
    KtestJoin(Thread);
    KTEST_CHECK(SpecialCame && Early == 0 && WaitStatus == 1);
    return NULL;
}

/* ---- Alerts ---- */

/* One alert ends one alertable wait, also one that begins later, or that only looks; a signal comes first. An
   alert of user mode is not for a wait in kernel mode. */
static PCSTR TestAlertSelf(VOID)
{
    PKTHREAD Self = KeGetCurrentThread();
    LARGE_INTEGER Limit = KtestMs(5);
    KeInitializeEvent(&Never, NotificationEvent, FALSE);
    KeInitializeEvent(&Wanted, SynchronizationEvent, TRUE);
    KTEST_CHECK(!KeAlertThread(Self, KernelMode) && KeAlertThread(Self, KernelMode));
    KTEST_CHECK(KeWaitForSingleObject(&Never, Executive, KernelMode, FALSE, &Limit) == STATUS_TIMEOUT);
    KTEST_CHECK(KeWaitForSingleObject(&Wanted, Executive, KernelMode, TRUE, &Limit) == STATUS_SUCCESS);
    KTEST_CHECK(KeWaitForSingleObject(&Never, Executive, KernelMode, TRUE, &Limit) == STATUS_ALERTED);
    KTEST_CHECK(KeWaitForSingleObject(&Never, Executive, KernelMode, TRUE, &Limit) == STATUS_TIMEOUT);
    KeAlertThread(Self, KernelMode);
    KTEST_CHECK(KeWaitForSingleObject(&Never, Executive, KernelMode, TRUE, &Zero) == STATUS_ALERTED);
    KTEST_CHECK(KeWaitForSingleObject(&Never, Executive, KernelMode, TRUE, &Zero) == STATUS_TIMEOUT);
    KeAlertThread(Self, KernelMode);
    KTEST_CHECK(KeDelayExecutionThread(KernelMode, FALSE, &Zero) == STATUS_SUCCESS);
    KTEST_CHECK(KeDelayExecutionThread(KernelMode, TRUE, &Zero) == STATUS_ALERTED);
    KTEST_CHECK(KeDelayExecutionThread(KernelMode, TRUE, &Zero) == STATUS_SUCCESS);
    KeAlertThread(Self, KernelMode);
    PVOID Objects[2] = {&Never, &Never};
    KTEST_CHECK(KeWaitForMultipleObjects(2, Objects, WaitAll, Executive, KernelMode, TRUE, &Zero, NULL) ==
                STATUS_ALERTED);
    KTEST_CHECK(KeWaitForMultipleObjects(2, Objects, WaitAny, Executive, KernelMode, TRUE, &Zero, NULL) ==
                STATUS_TIMEOUT);
    KeAlertThread(Self, UserMode);
    KTEST_CHECK(KeWaitForSingleObject(&Never, Executive, KernelMode, TRUE, &Limit) == STATUS_TIMEOUT);
    KTEST_CHECK(KeWaitForSingleObject(&Never, Executive, UserMode, TRUE, &Limit) == STATUS_ALERTED);
    KeAlertThread(Self, UserMode);
    KTEST_CHECK(!KeTestAlertThread(KernelMode) && KeTestAlertThread(UserMode) &&
                !KeTestAlertThread(UserMode));
    KeEnterGuardedRegion(); /* an alert is no APC */
    KeAlertThread(Self, KernelMode);
    NTSTATUS Status = KeDelayExecutionThread(KernelMode, TRUE, &Limit);
    KeLeaveGuardedRegion();
    KTEST_CHECK(Status == STATUS_ALERTED);
    return NULL;
}

static PCSTR TestAlertWaiter(VOID)
{
    for (ULONG i = 0; i < 8; i++) {
        WAIT_KIND Kind = {i % 4, i >= 4 ? 20000 : 30, i >= 4};
        PETHREAD Thread = StartWaiter(&Kind);
        KTEST_CHECK(Thread != NULL);
        KeAlertThread((PKTHREAD)Thread, KernelMode);
        KtestJoin(Thread);
        NTSTATUS Expected = i >= 4 ? STATUS_ALERTED : i == 0 ? STATUS_SUCCESS : STATUS_TIMEOUT;
        KTEST_CHECK(WaitStatus == Expected && IsListEmpty(&Wanted.Header.WaitListHead));
    }
    return NULL;
}

/* A user APC ends an alertable wait in kernel mode, too, each of them as long as it is queued; it is not
   delivered. */
static VOID ApcWaiter(PVOID Context)
{
    KAPC *Apc = Context;
    LARGE_INTEGER Limit = KtestMs(3), Long = KtestMs(20000);
    KeLeaveCriticalRegion();
    Waiting = 1;
    WaitStatus = KeDelayExecutionThread(KernelMode, TRUE, &Long) == STATUS_USER_APC &&
                         KeDelayExecutionThread(KernelMode, TRUE, &Zero) == STATUS_USER_APC &&
                         KeDelayExecutionThread(KernelMode, FALSE, &Limit) == STATUS_SUCCESS &&
                         KeDelayExecutionThread(UserMode, FALSE, &Limit) == STATUS_SUCCESS && Apc->Inserted &&
                         KeRemoveQueueApc(Apc) &&
                         KeDelayExecutionThread(KernelMode, TRUE, &Limit) == STATUS_SUCCESS
                     ? STATUS_SUCCESS
                     : STATUS_UNSUCCESSFUL;
    KeEnterCriticalRegion();
}

static PCSTR TestUserApcInKernel(VOID)
{
    NOTED_APC Apc;
    Waiting = 0;
    RtlZeroMemory(&Apc, sizeof(Apc));
    PETHREAD Thread = KtestStart(ApcWaiter, &Apc.Apc);
    KTEST_CHECK(Thread != NULL);
    KeInitializeApc(&Apc.Apc, (PKTHREAD)Thread, OriginalApcEnvironment, NoteKernel, NoteRundown, NoteNormal,
                    UserMode, &Apc);
    AwaitCount(&Waiting, 1);
    KtestSleep(2);
    BOOLEAN Inserted = Insert(&Apc);
    KtestJoin(Thread);
    KTEST_CHECK(Inserted && WaitStatus == STATUS_SUCCESS && Apc.Kernel == 0 && Apc.Rundown == 0);
    return NULL;
}

/* ---- The end of a thread, and races ---- */

static VOID EndOnEvent(PVOID Context)
{
    KeWaitForSingleObject(&Wanted, Executive, KernelMode, FALSE,
                          NULL); /* in the critical region of its start */
}

/* What is queued at its end is run down, and its routines are not called; afterwards nothing is queued. */
static PCSTR TestThreadEnd(VOID)
{
    NOTED_APC Normal, User;
    KeInitializeEvent(&Wanted, SynchronizationEvent, FALSE);
    PETHREAD Thread = KtestStart(EndOnEvent, NULL);
    KTEST_CHECK(Thread != NULL);
    ObReferenceObject(Thread);
    MakeApc(&Normal, (PKTHREAD)Thread, FALSE);
    MakeApc(&User, (PKTHREAD)Thread, FALSE);
    User.Apc.ApcMode = UserMode;
    BOOLEAN Queued = Insert(&Normal) && Insert(&User);
    KeSetEvent(&Wanted, 0, FALSE);
    KtestJoin(Thread);
    BOOLEAN Late = Insert(&Normal) || Insert(&User) || Normal.Apc.Inserted;
    ObDereferenceObject(Thread);
    KTEST_CHECK(Queued && !Late && Normal.Rundown == 1 && User.Rundown == 1 &&
                Normal.Kernel + User.Kernel == 0);
    return NULL;
}

/* Threads end while others queue APCs to them: each that was accepted has run, or was run down, exactly once.
   */
#define VICTIMS 60
static NOTED_APC VictimApc[VICTIMS][3];
static volatile PETHREAD Victim[VICTIMS];
static volatile LONG Accepted, Refused;

static VOID ShortLived(PVOID Context)
{
    KeLeaveCriticalRegion();
    for (ULONG i = 0; i < (ULONG_PTR)Context % 40; i++) {
        KtestSleep(0);
    }
    KeEnterCriticalRegion();
}

static VOID Inserter(PVOID Context)
{
    ULONG_PTR Kind = (ULONG_PTR)Context;
    for (ULONG i = 0; i < VICTIMS; i++) {
        while (Victim[i] == NULL) {
            KtestSleep(0);
        }
        NOTED_APC *Apc = &VictimApc[i][Kind];
        MakeApc(Apc, (PKTHREAD)Victim[i], Kind == 0);
        if (Kind == 2) {
            Apc->Apc.ApcMode = UserMode;
        }
        for (ULONG j = 0; j < i % 5; j++) {
            KtestSleep(0);
        }
        InterlockedIncrement(Insert(Apc) ? &Accepted : &Refused);
    }
}

static PCSTR TestInsertAgainstEnd(VOID)
{
    PETHREAD Inserters[3];
    Accepted = Refused = 0;
    RtlZeroMemory((PVOID)Victim, sizeof(Victim));
    for (ULONG i = 0; i < 3; i++) {
        Inserters[i] = KtestStart(Inserter, (PVOID)(ULONG_PTR)i);
        KTEST_CHECK(Inserters[i] != NULL);
    }
    for (ULONG i = 0; i < VICTIMS; i++) {
        PETHREAD Thread = KtestStart(ShortLived, (PVOID)(ULONG_PTR)i);
        KTEST_CHECK(Thread != NULL);
        ObReferenceObject(Thread);
        Victim[i] = Thread;
        KtestJoin(Thread);
    }
    for (ULONG i = 0; i < 3; i++) {
        KtestJoin(Inserters[i]);
    }
    LONG Done = 0;
    BOOLEAN Once = TRUE;
    for (ULONG i = 0; i < VICTIMS; i++) {
        for (ULONG k = 0; k < 3; k++) {
            NOTED_APC *Apc = &VictimApc[i][k];
            Done += Apc->Kernel + Apc->Rundown;
            Once &= Apc->Kernel + Apc->Rundown <= 1 && Apc->Normal == (k == 1 ? Apc->Kernel : 0) &&
                    !Apc->Apc.Inserted;
        }
        ObDereferenceObject(Victim[i]);
    }
    DbgPrint("apcs: %d accepted, %d refused\n", Accepted, Refused);
    KTEST_CHECK(Once && Done == Accepted && Accepted + Refused == 3 * VICTIMS && Accepted > 0);
    return NULL;
}

/* Two threads pass a token to and fro; others queue APCs to them all the while, so that insertions meet every
   stage of a wait: no token and no APC is lost. */
static KSEMAPHORE Token[2];
static volatile LONG Rounds, ApcsRun;

static VOID CountRun(PKAPC Apc, PKNORMAL_ROUTINE *NormalRoutine, PVOID *NormalContext, PVOID *Argument1,
                     PVOID *Argument2)
{
    InterlockedIncrement(&ApcsRun);
}

static VOID CountNormal(PVOID Context, PVOID Argument1, PVOID Argument2)
{
}

static VOID Passer(PVOID Context)
{
    ULONG_PTR Me = (ULONG_PTR)Context;
    LARGE_INTEGER Long = KtestMs(20000);
    KeLeaveCriticalRegion();
    for (ULONG i = 0; i < 3000; i++) {
        PVOID Objects[2] = {&Never, &Token[Me]};
        NTSTATUS Status =
            i % 3 == 0 ? KeWaitForSingleObject(&Token[Me], Executive, KernelMode, FALSE, &Long)
            : i % 3 == 1
                ? KeWaitForMultipleObjects(2, Objects, WaitAny, Executive, KernelMode, FALSE, NULL, NULL) -
                      STATUS_WAIT_1
                : KeWaitForMultipleObjects(1, &Objects[1], WaitAll, Executive, KernelMode, FALSE, NULL, NULL);
        if (Status != STATUS_SUCCESS) {
            break;
        }
        InterlockedIncrement(&Rounds);
        KeReleaseSemaphore(&Token[!Me], 0, 1, FALSE);
    }
    KeEnterCriticalRegion();
}

static PETHREAD Passers[2];

static VOID Pesterer(PVOID Context)
{
    ULONG_PTR Me = (ULONG_PTR)Context;
    KAPC Apc;
    KeInitializeApc(&Apc, (PKTHREAD)Passers[Me % 2], OriginalApcEnvironment, CountRun, NULL,
                    Me < 2 ? NULL : CountNormal, KernelMode, NULL);
    while (!Stop) {
        InterlockedAdd(&Accepted, KeInsertQueueApc(&Apc, NULL, NULL, (KPRIORITY)(Me % 3)) ? 1 : 0);
        if (Accepted % 16 == 0) {
            KtestSleep(0);
        }
    }
    while (*(volatile BOOLEAN *)&Apc.Inserted) { /* it lies on this stack */
        KtestSleep(1);
    }
}

static PCSTR TestInsertAgainstWait(VOID)
{
    PETHREAD Pester[4];
    KeInitializeEvent(&Never, NotificationEvent, FALSE);
    KeInitializeSemaphore(&Token[0], 1, 1);
    KeInitializeSemaphore(&Token[1], 0, 1);
    Rounds = ApcsRun = Accepted = Stop = 0;
    for (ULONG i = 0; i < 2; i++) {
        Passers[i] = KtestStart(Passer, (PVOID)(ULONG_PTR)i);
        KTEST_CHECK(Passers[i] != NULL);
        ObReferenceObject(Passers[i]);
    }
    for (ULONG i = 0; i < 4; i++) {
        Pester[i] = KtestStart(Pesterer, (PVOID)(ULONG_PTR)i);
        KTEST_CHECK(Pester[i] != NULL);
    }
    KtestJoin(Passers[0]);
    KtestJoin(Passers[1]);
    Stop = 1;
    for (ULONG i = 0; i < 4; i++) {
        KtestJoin(Pester[i]);
    }
    ObDereferenceObject(Passers[0]);
    ObDereferenceObject(Passers[1]);
    DbgPrint("apcs: %d rounds, %d of %d APCs run\n", Rounds, ApcsRun, Accepted);
    KTEST_CHECK(Rounds == 6000 && ApcsRun > 0);
    KTEST_CHECK(ApcsRun <= Accepted &&
                Accepted - ApcsRun <= 4); /* the last of each may have come after the end */
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    RunOnThread("apcs.layout", TestLayout);
    RunOnThread("apcs.self", TestSelf);
    RunOnThread("apcs.kernel-routine", TestKernelRoutine);
    RunOnThread("apcs.regions", TestRegions);
    RunOnThread("apcs.region-counts", TestRegionCounts);
    RunOnThread("apcs.order", TestOrder);
    RunOnThread("apcs.nested", TestNested);
    RunOnThread("apcs.exception", TestException);
    RunOnThread("apcs.running", TestRunning);
    RunOnThread("apcs.ready", TestReady);
    RunOnThread("apcs.waiting", TestWaiting);
    RunOnThread("apcs.deadline", TestDeadline);
    RunOnThread("apcs.pulse-missed", TestPulseMissed);
    RunOnThread("apcs.wait-in-region", TestWaitInRegion);
    RunOnThread("apcs.alert-self", TestAlertSelf);
    RunOnThread("apcs.alert-waiter", TestAlertWaiter);
    RunOnThread("apcs.user-apc-in-kernel", TestUserApcInKernel);
    RunOnThread("apcs.thread-end", TestThreadEnd);
    RunOnThread("apcs.insert-against-end", TestInsertAgainstEnd);
    RunOnThread("apcs.insert-against-wait", TestInsertAgainstWait);
    RunUserTests();
    return STATUS_SUCCESS;
}
