/* SPDX-License-Identifier: MIT */
/*
 * Mutants and kernel mutexes: acquisition, recursion, release, what raises, what an owner's end leaves
 * behind, and the races in which the mutant is passed on while its waiters time out, or wait for several
 * objects.
 */
#include "../ktest.h"

static KMUTANT Mutant;
static KMUTEX Mutex;
static KEVENT Ready, Go;
static LARGE_INTEGER Zero;

static NTSTATUS Poll(PVOID Object)
{
    return KeWaitForSingleObject(Object, Executive, KernelMode, FALSE, &Zero);
}

static NTSTATUS Acquire(PVOID Object)
{
    return KeWaitForSingleObject(Object, Executive, KernelMode, FALSE, NULL);
}

/* The exception that a release, or a wait, raises; STATUS_SUCCESS: none. */
static NTSTATUS ReleaseRaises(PRKMUTEX Object)
{
    volatile NTSTATUS Code = STATUS_SUCCESS;
    _SEH2_TRY
        {
            KeReleaseMutex(Object, FALSE);
        }
        _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER)
        {
            Code = _SEH2_GetExceptionCode();
        }
        _SEH2_END;
        return Code;
}

static NTSTATUS WaitRaises(ULONG Count, PVOID Objects[], WAIT_TYPE Type)
{
    volatile NTSTATUS Code = STATUS_SUCCESS;
    _SEH2_TRY
        {
            if (Count == 1) {
                Acquire(Objects[0]);
            } else {
                KeWaitForMultipleObjects(Count, Objects, Type, Executive, KernelMode, FALSE, NULL, NULL);
            }
        }
        _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER)
        {
            Code = _SEH2_GetExceptionCode();
        }
        _SEH2_END;
        return Code;
}

/* ---- One thread ---- */

static PCSTR TestLayout(VOID)
{
    KTEST_CHECK(sizeof(KMUTANT) == 56 && sizeof(DISPATCHER_HEADER) == 24);
    KeInitializeMutex(&Mutex, 7);
    KTEST_CHECK(Mutex.Header.Type == MutantObject && Mutex.ApcDisable == 1 && Mutex.OwnerThread == NULL &&
                !Mutex.Abandoned);
    KTEST_CHECK(KeReadStateMutex(&Mutex) == 1 && Mutex.Header.Size == 14);
    KeInitializeMutant(&Mutant, FALSE);
    KTEST_CHECK(Mutant.ApcDisable == 0 && KeReadStateMutex(&Mutant) == 1);
    KeInitializeMutant(&Mutant, TRUE);
    KTEST_CHECK(KeReadStateMutex(&Mutant) == 0 && Mutant.OwnerThread == KeGetCurrentThread());
    KTEST_CHECK(KeReleaseMutex(&Mutant, FALSE) == 0 && KeReadStateMutex(&Mutant) == 1);
    return NULL;
}

/* State 1, 0, -1, -2 going in; releases return the state before, 0 being the one that frees it. */
static PCSTR TestRecursion(VOID)
{
    PVOID Both[2] = {&Mutant, &Mutex};
    KeInitializeMutant(&Mutant, FALSE);
    KeInitializeMutex(&Mutex, 0);
    KTEST_CHECK(Acquire(&Mutant) == STATUS_SUCCESS && KeReadStateMutex(&Mutant) == 0);
    KTEST_CHECK(Poll(&Mutant) == STATUS_SUCCESS && KeReadStateMutex(&Mutant) == -1);
    KTEST_CHECK(KeWaitForMultipleObjects(2, Both, WaitAny, Executive, KernelMode, FALSE, NULL, NULL) ==
                STATUS_WAIT_0);
    KTEST_CHECK(KeReadStateMutex(&Mutant) == -2 && KeReadStateMutex(&Mutex) == 1);
    KTEST_CHECK(KeWaitForMultipleObjects(2, Both, WaitAll, Executive, KernelMode, FALSE, NULL, NULL) ==
                STATUS_SUCCESS);
    KTEST_CHECK(KeReadStateMutex(&Mutant) == -3 && KeReadStateMutex(&Mutex) == 0);
    KTEST_CHECK(KeReleaseMutex(&Mutex, FALSE) == 0 && KeReadStateMutex(&Mutex) == 1);
    for (LONG State = -3; State <= 0; State++) {
        KTEST_CHECK(KeReleaseMutex(&Mutant, FALSE) == State && KeReadStateMutex(&Mutant) == State + 1);
    }
    KTEST_CHECK(Mutant.OwnerThread == NULL);
    return NULL;
}

/* Owned MINLONG times, one more acquisition raises, in each kind of wait, and leaves all as it was. */
static PCSTR TestLimit(VOID)
{
    KEVENT Event;
    PVOID Objects[2] = {&Event, &Mutant};
    KeInitializeEvent(&Event, SynchronizationEvent, FALSE);
    KeInitializeMutant(&Mutant, TRUE);
    Mutant.Header.SignalState = MINLONG + 1; /* as if acquired so often */
    KTEST_CHECK(Acquire(&Mutant) == STATUS_SUCCESS && KeReadStateMutex(&Mutant) == MINLONG);
    KTEST_CHECK(WaitRaises(1, &Objects[1], WaitAny) == STATUS_MUTANT_LIMIT_EXCEEDED);
    KTEST_CHECK(WaitRaises(2, Objects, WaitAny) == STATUS_MUTANT_LIMIT_EXCEEDED &&
                IsListEmpty(&Event.Header.WaitListHead));
    KeSetEvent(&Event, 0, FALSE);
    KTEST_CHECK(WaitRaises(2, Objects, WaitAll) == STATUS_MUTANT_LIMIT_EXCEEDED);
    KTEST_CHECK(KeReadStateEvent(&Event) == 1); /* none was taken */
    KTEST_CHECK(KeReadStateMutex(&Mutant) == MINLONG && Mutant.OwnerThread == KeGetCurrentThread());
    KTEST_CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
    KTEST_CHECK(KeReleaseMutex(&Mutant, FALSE) == MINLONG && KeReadStateMutex(&Mutant) == MINLONG + 1);
    Mutant.Header.SignalState = 0;
    KTEST_CHECK(KeReleaseMutex(&Mutant, FALSE) == 0);
    return NULL;
}

/* A kernel mutex is a critical region once an ownership, not once an acquisition; a mutant is none. */
static VOID ApcEffect(PVOID Context)
{
    PCSTR *Why = Context;
    KeLeaveCriticalRegion(); /* in which system threads begin */
    BOOLEAN Seen[8];
    Seen[0] = KeAreApcsDisabled();
    Acquire(&Mutex);
    Seen[1] = KeAreApcsDisabled();
    Acquire(&Mutex);
    KeReleaseMutex(&Mutex, FALSE);
    Seen[2] = KeAreApcsDisabled();
    KeReleaseMutex(&Mutex, FALSE);
    Seen[3] = KeAreApcsDisabled();
    PVOID Objects[2] = {&Mutex, &Mutant};
    KeWaitForMultipleObjects(2, Objects, WaitAll, Executive, KernelMode, FALSE, NULL, NULL);
    Seen[4] = KeAreApcsDisabled();
    KeReleaseMutex(&Mutex, FALSE);
    Seen[5] = KeAreApcsDisabled();
    KeReleaseMutex(&Mutant, FALSE);
    KeWaitForMultipleObjects(2, Objects, WaitAny, Executive, KernelMode, FALSE, NULL, NULL);
    Seen[6] = KeAreApcsDisabled();
    KeReleaseMutex(&Mutex, FALSE);
    Seen[7] = KeAreApcsDisabled();
    KeEnterCriticalRegion();
    if (Seen[0] || !Seen[1] || !Seen[2] || Seen[3] || !Seen[4] || Seen[5] || !Seen[6] || Seen[7]) {
        *Why = "the APC effect is not once an ownership";
    }
}

static PCSTR TestApcEffect(VOID)
{
    PCSTR Why = NULL;
    KeInitializeMutex(&Mutex, 0);
    KeInitializeMutant(&Mutant, FALSE);
    PETHREAD Thread = KtestStart(ApcEffect, &Why);
    KTEST_CHECK(Thread != NULL);
    KtestJoin(Thread);
    return Why;
}

/* Release with Wait TRUE: at DISPATCH_LEVEL until the next wait, which may block and restores the level. */
static PCSTR TestReleaseWait(VOID)
{
    LARGE_INTEGER Limit = KtestMs(2);
    KeInitializeMutex(&Mutex, 0);
    KeInitializeEvent(&Go, NotificationEvent, FALSE);
    Acquire(&Mutex);
    LONG Previous = KeReleaseMutex(&Mutex, TRUE);
    KIRQL Between = KeGetCurrentIrql();
    NTSTATUS Status = KeWaitForSingleObject(&Go, Executive, KernelMode, FALSE, &Limit);
    KTEST_CHECK(Previous == 0 && Between == DISPATCH_LEVEL && Status == STATUS_TIMEOUT);
    KTEST_CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL && KeReadStateMutex(&Mutex) == 1);
    return NULL;
}

/* ---- Owners ---- */

static VOID Holder(PVOID Context)
{
    Acquire(Context);
    Acquire(Context);
    KeSetEvent(&Ready, 0, FALSE);
    Acquire(&Go);
    if (((PRKMUTANT)Context)->ApcDisable) {
        KeReleaseMutex(Context, FALSE);
        KeReleaseMutex(Context, FALSE);
    } /* else it ends and owns the mutant */
}

static PETHREAD StartHolder(PVOID Object)
{
    KeInitializeEvent(&Ready, SynchronizationEvent, FALSE);
    KeInitializeEvent(&Go, NotificationEvent, FALSE);
    PETHREAD Thread = KtestStart(Holder, Object);
    if (Thread != NULL) {
        Acquire(&Ready);
    }
    return Thread;
}

/* Not ours: raises STATUS_MUTANT_NOT_OWNED and changes nothing; free as well. */
static PCSTR TestNotOwned(VOID)
{
    KeInitializeMutex(&Mutex, 0);
    KTEST_CHECK(ReleaseRaises(&Mutex) == STATUS_MUTANT_NOT_OWNED && KeReadStateMutex(&Mutex) == 1);
    PETHREAD Thread = StartHolder(&Mutex);
    KTEST_CHECK(Thread != NULL);
    NTSTATUS Raised = ReleaseRaises(&Mutex), Polled = Poll(&Mutex);
    LONG State = KeReadStateMutex(&Mutex);
    KIRQL Irql = KeGetCurrentIrql();
    KeSetEvent(&Go, 0, FALSE);
    KtestJoin(Thread);
    KTEST_CHECK(Raised == STATUS_MUTANT_NOT_OWNED && Polled == STATUS_TIMEOUT && State == -1 &&
                Irql == PASSIVE_LEVEL);
    KTEST_CHECK(KeReadStateMutex(&Mutex) == 1);
    return NULL;
}

/* Nobody waits: the mutant is free and says that it was abandoned, once. */
static PCSTR TestAbandonedFree(VOID)
{
    KeInitializeMutant(&Mutant, FALSE);
    PETHREAD Thread = StartHolder(&Mutant);
    KTEST_CHECK(Thread != NULL);
    KeSetEvent(&Go, 0, FALSE);
    KtestJoin(Thread); /* signalled: it has abandoned what it owned */
    KTEST_CHECK(KeReadStateMutex(&Mutant) == 1 && Mutant.Abandoned);
    KTEST_CHECK(ReleaseRaises(&Mutant) == STATUS_ABANDONED && KeReadStateMutex(&Mutant) == 1);
    KTEST_CHECK(Poll(&Mutant) == STATUS_ABANDONED_WAIT_0 && KeReadStateMutex(&Mutant) == 0 &&
                !Mutant.Abandoned);
    KTEST_CHECK(Poll(&Mutant) == STATUS_SUCCESS);
    KTEST_CHECK(KeReleaseMutex(&Mutant, FALSE) == -1 && KeReleaseMutex(&Mutant, FALSE) == 0);
    KTEST_CHECK(ReleaseRaises(&Mutant) == STATUS_MUTANT_NOT_OWNED);
    return NULL;
}

static VOID LetGo(PVOID Context)
{
    KtestSleep(5); /* the main thread waits now, most of the time; either way the answer is the same */
    KeSetEvent(&Go, 0, FALSE);
}

/* A waiter gets it with STATUS_ABANDONED_WAIT_0 + its index, in a single wait, WaitAny and WaitAll. */
static PCSTR AbandonTo(ULONG Manner)
{
    KEVENT Event;
    PVOID Objects[3] = {&Event, &Event, &Mutant};
    NTSTATUS Status;
    KeInitializeEvent(&Event, NotificationEvent, Manner == 2);
    KeInitializeMutant(&Mutant, FALSE);
    PETHREAD Thread = StartHolder(&Mutant), Second = Thread == NULL ? NULL : KtestStart(LetGo, NULL);
    KTEST_CHECK(Thread != NULL && Second != NULL);
    if (Manner == 0) {
        Status = Acquire(&Mutant);
    } else {
        Status = KeWaitForMultipleObjects(3, Objects, Manner == 1 ? WaitAny : WaitAll, Executive, KernelMode,
                                          FALSE, NULL, NULL);
    }
    BOOLEAN Mine = Mutant.OwnerThread == KeGetCurrentThread();
    LONG State = KeReadStateMutex(&Mutant), Left = KeReleaseMutex(&Mutant, FALSE);
    KtestJoin(Thread);
    KtestJoin(Second);
    KTEST_CHECK(Status == STATUS_ABANDONED_WAIT_0 + (Manner == 0 ? 0 : 2));
    KTEST_CHECK(Mine && State == 0 && Left == 0 && !Mutant.Abandoned);
    return NULL;
}

static PCSTR TestAbandonedWaited(VOID)
{
    for (ULONG i = 0; i < 30; i++) {
        PCSTR Why = AbandonTo(i % 3);
        if (Why != NULL) {
            return Why;
        }
    }
    return NULL;
}

/* An owner of many: all are abandoned at its end. */
static KMUTANT Many[10];

static VOID OwnMany(PVOID Context)
{
    for (ULONG i = 0; i < ARRAYSIZE(Many); i++) {
        Acquire(&Many[i]);
    }
}

static PCSTR TestAbandonMany(VOID)
{
    for (ULONG i = 0; i < ARRAYSIZE(Many); i++) {
        KeInitializeMutant(&Many[i], FALSE);
    }
    PETHREAD Thread = KtestStart(OwnMany, NULL);
    KTEST_CHECK(Thread != NULL);
    KtestJoin(Thread);
    for (ULONG i = 0; i < ARRAYSIZE(Many); i++) {
        KTEST_CHECK(Poll(&Many[i]) == STATUS_ABANDONED_WAIT_0 && KeReleaseMutex(&Many[i], FALSE) == 0);
    }
    return NULL;
}

/* ---- Races ---- */

static volatile LONG Inside, Bad, Acquired, TimedOut;
static volatile ULONG64 Protected[2];

static VOID EnterAndLeave(LONG Count)
{
    if (InterlockedIncrement(&Inside) != 1) {
        Bad = 1;
    }
    Protected[0]++;
    Protected[1]++;
    InterlockedDecrement(&Inside);
    InterlockedAdd(&Acquired, Count);
}

/* Waits of all kinds for the same two mutants, some with short time-outs, recursively now and then. */
static VOID Contender(PVOID Context)
{
    ULONG_PTR Me = (ULONG_PTR)Context;
    PVOID Objects[2] = {Me % 2 ? &Mutant : &Mutex, Me % 2 ? &Mutex : &Mutant};
    for (ULONG i = 0; i < 600; i++) {
        LARGE_INTEGER Limit = {.QuadPart = -(LONGLONG)(i % 7 + 1) * 500};
        NTSTATUS Status;
        switch ((Me + i) % 3) {
        case 0:
            Status = KeWaitForMultipleObjects(2, Objects, WaitAll, Executive, KernelMode, FALSE,
                                              i % 2 ? &Limit : NULL, NULL);
            break;
        case 1:
            Status = KeWaitForSingleObject(&Mutex, Executive, KernelMode, FALSE, i % 2 ? &Limit : NULL);
            break;
        default:
            Objects[0] = &Mutex;
            Status =
                KeWaitForMultipleObjects(1, Objects, WaitAny, Executive, KernelMode, FALSE, &Limit, NULL);
            Objects[0] = Me % 2 ? (PVOID)&Mutant : (PVOID)&Mutex;
            break;
        }
        if (Status == STATUS_TIMEOUT) {
            InterlockedIncrement(&TimedOut);
            continue;
        }
        if (Status != STATUS_SUCCESS || Mutex.OwnerThread != KeGetCurrentThread()) {
            Bad = 2;
        }
        EnterAndLeave(1);
        if (i % 5 == 0 && (Poll(&Mutex) != STATUS_SUCCESS || KeReleaseMutex(&Mutex, FALSE) != -1)) {
            Bad = 3;
        }
        if ((Me + i) % 3 == 0 && KeReleaseMutex(&Mutant, FALSE) != 0) {
            Bad = 4;
        }
        if (KeReleaseMutex(&Mutex, FALSE) != 0) {
            Bad = 5;
        }
        if (i % 64 == 0) {
            KtestSleep(0);
        }
    }
}

/* One owner at a time, whoever waits and however; nothing is lost or gained. */
static PCSTR TestExclusion(VOID)
{
    KeInitializeMutex(&Mutex, 0);
    KeInitializeMutant(&Mutant, FALSE);
    Inside = Bad = Acquired = TimedOut = 0;
    Protected[0] = Protected[1] = 0;
    KTEST_CHECK(KtestCrowd(8, Contender));
    DbgPrint("mutants: %d acquisitions, %d time-outs\n", Acquired, TimedOut);
    KTEST_CHECK(Bad == 0);
    KTEST_CHECK(Acquired + TimedOut == 8 * 600 && Protected[0] == (ULONG64)Acquired &&
                Protected[1] == Protected[0]);
    KTEST_CHECK(KeReadStateMutex(&Mutex) == 1 && KeReadStateMutex(&Mutant) == 1);
    KTEST_CHECK(IsListEmpty(&Mutex.Header.WaitListHead) && IsListEmpty(&Mutant.Header.WaitListHead));
    return NULL;
}

/* Threads that end and own it: each heir is told, and ends likewise. Whoever comes to a free mutant first is
   not told that nobody abandoned it. */
static volatile LONG Abandoned, Clean;

static VOID Heir(PVOID Context)
{
    LARGE_INTEGER Limit = KtestMs((LONGLONG)((ULONG_PTR)Context % 5));
    NTSTATUS Status =
        KeWaitForSingleObject(&Mutant, Executive, KernelMode, FALSE, (ULONG_PTR)Context % 4 ? NULL : &Limit);
    if (Status == STATUS_ABANDONED_WAIT_0) {
        InterlockedIncrement(&Abandoned);
    } else if (Status == STATUS_SUCCESS) {
        InterlockedIncrement(&Clean);
    } else if (Status != STATUS_TIMEOUT) {
        Bad = 1;
    } else {
        InterlockedIncrement(&TimedOut);
    }
}

static PCSTR TestHeirs(VOID)
{
    KeInitializeMutant(&Mutant, FALSE);
    Bad = Abandoned = Clean = TimedOut = 0;
    for (ULONG i = 0; i < 5; i++) {
        KTEST_CHECK(KtestCrowd(24, Heir));
    }
    DbgPrint("mutants: %d heirs, %d time-outs\n", Abandoned, TimedOut);
    KTEST_CHECK(!Bad && Clean == 1 && Abandoned > 0 && Abandoned + Clean + TimedOut == 5 * 24);
    KTEST_CHECK(Poll(&Mutant) == STATUS_ABANDONED_WAIT_0 && KeReleaseMutex(&Mutant, FALSE) == 0);
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    KtestRun("mutants.layout", TestLayout);
    KtestRun("mutants.recursion", TestRecursion);
    KtestRun("mutants.limit", TestLimit);
    KtestRun("mutants.apc-effect", TestApcEffect);
    KtestRun("mutants.release-wait", TestReleaseWait);
    KtestRun("mutants.not-owned", TestNotOwned);
    KtestRun("mutants.abandoned-free", TestAbandonedFree);
    KtestRun("mutants.abandoned-waited", TestAbandonedWaited);
    KtestRun("mutants.abandon-many", TestAbandonMany);
    KtestRun("mutants.exclusion", TestExclusion);
    KtestRun("mutants.heirs", TestHeirs);
    return STATUS_SUCCESS;
}
