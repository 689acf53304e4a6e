/* SPDX-License-Identifier: MIT */
/*
 * The races for the end of a wait, each driven deliberately. A thread waits: for one object, for any of two,
 * for all of two. Two parties are about to end the wait, of these kinds: a signal, the time-out, an alert, a
 * user APC, a kernel APC (after which the wait goes on), the thread's end. Both stand at the brink, held by
 * the schedule controller, until the script lets the first go, then the second; the waiter itself is held
 * until both have tried: either asleep, or still preparing. What must come out: the first one's status, and
 * all of the second one's effect left for the next wait.
 *
 * The cells of the matrix: every pair, in both orders, for each kind of wait, asleep and preparing. Each
 * reports that its script was met. Not there: the time-out of a wait that is still preparing (its timer is
 * not set yet), and a signal that meets a wait for all while it prepares (its blocks are linked under the
 * objects' locks, in one step with its commit).
 *
 * Processors: with four, each party has one of its own. With two, the waiter sleeps on one of the two that
 * the others use. On one, only what can follow there: the first one acts, then the second, then the waiter
 * runs; it is run with virtual time, so that the time-out does not come too early on a slow machine.
 *
 * Last, races of other kinds: an interrupt between a thread that lowers its level and what is pending for it;
 * a waiter that could return while the signaller still holds the object; a timer that is cancelled while it
 * moves between two queues; a push lock that is freed while a former holder is still inside its release. And
 * what only needs a wait to be under way: the end of a thread that waits in a queue; a pulse and a wait for
 * all. (others.c: races without a wait.)
 */
#include "races.h"

enum { EnderSignal, EnderTimeout, EnderAlert, EnderUserApc, EnderKernelApc, EnderEnd, ENDERS };
enum { WaitForOne, WaitForAny, WaitForAll, WAITS };
static const PCSTR EnderName[] = {"signal", "time-out", "alert", "user-apc", "kernel-apc", "end"};
static const PCSTR WaitName[] = {"one", "any", "all"};

enum { PointGo = PrimerPointOwn, PointDone }; /* with the number of the ender added */
enum { ActorWaiter, ActorFirst, ActorSecond };

typedef struct _CELL {
    ULONG Wait;
    ULONG Ender[2]; /* the first one wins */
    BOOLEAN Preparing;
} CELL;

static struct {
    CELL Cell;
    KEVENT Object, Other;
    KSEMAPHORE Arrived;         /* a thread stands on its processor */
    KEVENT Start;               /* the script has been armed: for the parties, and for the waiter, */
    volatile BOOLEAN Begin;     /* which may not wait for it, for it would come past points of the script */
    KAPC UserApc, KernelApc;
    volatile LONG KernelApcs;   /* how often it ran */
    PKTHREAD Waiter;
    ULONG Taken, Steps;         /* of the script */
    NTSTATUS Status;
    BOOLEAN AlertLeft, UserApcLeft, EndLeft;
    LONG ObjectLeft, OtherLeft;
    UCHAR Side[2];              /* their addresses are the actors of PointGo and PointDone */
} Race;

static ULONG Processors;

static BOOLEAN Has(ULONG Ender)
{
    return Race.Cell.Ender[0] == Ender || Race.Cell.Ender[1] == Ender;
}

static VOID RunOn(PKTHREAD Thread, ULONG Processor)
{
    KeSetAffinityThread(Thread, 1ULL << Processor % Processors);
}

/* ---- The waiter ---- */

static VOID OnKernelApc(PKAPC Apc, PKNORMAL_ROUTINE *Normal, PVOID *Context, PVOID *Argument1, PVOID *Argument2)
{
    InterlockedIncrement(&Race.KernelApcs);
}

static VOID OnUserApc(PKAPC Apc, PKNORMAL_ROUTINE *Normal, PVOID *Context, PVOID *Argument1, PVOID *Argument2)
{
}

static VOID UserRoutine(PVOID Context, PVOID Argument1, PVOID Argument2)
{
}

static NTSTATUS DoWait(VOID)
{
    PVOID Objects[] = {&Race.Other, &Race.Object};
    LARGE_INTEGER Timeout = KtestMs(Processors == 1 ? 20 : 2); /* on one: not before the others have come to act */
    PLARGE_INTEGER Limit = Has(EnderTimeout) ? &Timeout : NULL;
    switch (Race.Cell.Wait) {
    case WaitForOne:
        return KeWaitForSingleObject(&Race.Object, Executive, KernelMode, TRUE, Limit);
    case WaitForAny:
        return KeWaitForMultipleObjects(2, Objects, WaitAny, Executive, KernelMode, TRUE, Limit, NULL);
    default:
        return KeWaitForMultipleObjects(2, Objects, WaitAll, Executive, KernelMode, TRUE, Limit, NULL);
    }
}

/* Waits, then looks what is left of the parties. */
static VOID Waiter(PVOID Context)
{
    KEVENT Never;
    LARGE_INTEGER Poll = {.QuadPart = 0};
    KeLeaveCriticalRegion(); /* a system thread begins in one */
    KeInitializeEvent(&Never, NotificationEvent, FALSE);
    RunOn(KeGetCurrentThread(), 1);
    KeInitializeApc(&Race.UserApc, KeGetCurrentThread(), OriginalApcEnvironment, OnUserApc, NULL, UserRoutine, UserMode, NULL);
    KeInitializeApc(&Race.KernelApc, KeGetCurrentThread(), OriginalApcEnvironment, OnKernelApc, NULL, NULL, KernelMode, NULL);
    Race.Waiter = KeGetCurrentThread();
    KeSetPriorityThread(KeGetCurrentThread(), 7);
    KeReleaseSemaphore(&Race.Arrived, 0, 1, FALSE);
    while (!Race.Begin) {
        YieldProcessor();
    }
    Race.Status = DoWait();
    Race.ObjectLeft = KeReadStateEvent(&Race.Object);
    Race.OtherLeft = KeReadStateEvent(&Race.Other);
    Race.AlertLeft = KeTestAlertThread(KernelMode);
    Race.UserApcLeft = KeRemoveQueueApc(&Race.UserApc);
    Race.EndLeft = KeWaitForSingleObject(&Never, Executive, KernelMode, TRUE, &Poll) == STATUS_USER_APC;
    KeEnterCriticalRegion();
}

/* ---- The parties ---- */

static VOID Act(ULONG Ender)
{
    switch (Ender) {
    case EnderSignal:
        KeSetEvent(&Race.Object, 0, FALSE);
        break;
    case EnderAlert:
        KeAlertThread(Race.Waiter, KernelMode);
        break;
    case EnderUserApc:
        KeInsertQueueApc(&Race.UserApc, NULL, NULL, 0);
        break;
    case EnderKernelApc:
        KeInsertQueueApc(&Race.KernelApc, NULL, NULL, 0);
        break;
    case EnderEnd:
        PrimerTerminateWaits(Race.Waiter);
        break;
    default: /* the time-out comes by itself */
        break;
    }
}

/* Each begins behind the waiter, so that it goes to sleep, and acts before it, so that it does not run in
   between. The first one sees to it that the waiter wakes up on another processor than the one where its
   timer is set, which would otherwise not expire while the waiter is held. */
static VOID TakePart(ULONG Which)
{
    KeReleaseSemaphore(&Race.Arrived, 0, 1, FALSE);
    KeWaitForSingleObject(&Race.Start, Executive, KernelMode, FALSE, NULL);
    KeSetPriorityThread(KeGetCurrentThread(), 6);
    PrimerReachPoint(PointGo, &Race.Side[Which]);
    KeSetPriorityThread(KeGetCurrentThread(), 12);
    if (Which == 0 && !Race.Cell.Preparing) {
        RunOn(Race.Waiter, Processors >= 4 ? 2 : 0);
    }
    Act(Race.Cell.Ender[Which]);
    PrimerReachPoint(PointDone, &Race.Side[Which]);
}

static VOID Party(PVOID Context)
{
    ULONG Which = (ULONG)(ULONG_PTR)Context;
    RunOn(KeGetCurrentThread(), Which == 0 || (Processors < 4 && Has(EnderTimeout)) ? 0 : Processors >= 4 ? 3 : 1);
    TakePart(Which);
}

static VOID BothParties(PVOID Context)
{
    TakePart(0);
    PrimerReachPoint(PointGo, &Race.Side[1]);
    Act(Race.Cell.Ender[1]);
    PrimerReachPoint(PointDone, &Race.Side[1]);
}

/* ---- The script ---- */

typedef struct _SCRIPT {
    PRIMER_STEP Step[32];
    ULONG Count;
} SCRIPT;

static ULONG Add(SCRIPT *Script, ULONG Point, ULONG Actor)
{
    Script->Step[Script->Count] = (PRIMER_STEP){(UCHAR)Point, (UCHAR)Actor, 0};
    return Script->Count++;
}

static ULONG Brink(ULONG Ender)
{
    return Ender == EnderSignal ? PrimerPointSignalFound
           : Ender == EnderTimeout ? PrimerPointTimeoutFound
           : Ender == EnderUserApc || Ender == EnderKernelApc ? PrimerPointApcQueued
                                                              : PrimerPointAlertAnnounced;
}

/* The steps with which this party has tried. On one processor the thread that acts for both awaits the
   time-out, too: the waiter may not run before. */
static VOID AddDone(SCRIPT *Script, ULONG Which)
{
    BOOLEAN Timeout = Race.Cell.Ender[Which] == EnderTimeout;
    if (Timeout) {
        Add(Script, PrimerPointTimeoutClaimed, ActorWaiter);
    }
    if (!Timeout || Processors == 1) {
        Add(Script, PointDone, ActorFirst + Which);
    }
}

/* The waiter comes to where it is held; the first party comes to its brink, then the second to its own; the
   first one acts, then the second; the waiter goes on. */
static VOID WriteScript(SCRIPT *Script)
{
    BOOLEAN Preparing = Race.Cell.Preparing;
    ULONG Held = Race.Cell.Wait == WaitForAll ? PrimerPointWaitPrepared : PrimerPointWaitLooked;
    ULONG GoSecond = 0, GoFirst, BrinkFirst = 0, BrinkSecond = 0;
    Script->Count = 0;
    if (!Preparing) {
        Add(Script, PrimerPointWaitCommitted, ActorWaiter);
    }
    GoFirst = Add(Script, PointGo, ActorFirst);
    if (Race.Cell.Ender[1] != EnderTimeout && Processors > 1) {
        GoSecond = Add(Script, PointGo, ActorSecond);
    }
    if (Processors > 1) {
        BrinkFirst = Add(Script, Brink(Race.Cell.Ender[0]), ActorWaiter);
    }
    AddDone(Script, 0);
    if (Processors > 1) {
        BrinkSecond = Add(Script, Brink(Race.Cell.Ender[1]), ActorWaiter);
        Script->Step[BrinkFirst].After = (UCHAR)BrinkSecond;
        if (GoSecond != 0) {
            Script->Step[GoSecond].After = (UCHAR)BrinkFirst;
        }
    } else if (Race.Cell.Ender[1] != EnderTimeout) {
        Add(Script, PointGo, ActorSecond);
    }
    AddDone(Script, 1);
    ULONG Last = Add(Script, Preparing ? Held : PrimerPointWaitWoken, ActorWaiter);
    if (Preparing) {
        Script->Step[GoFirst].After = (UCHAR)Last;
    }
}

/* ---- What must come out ---- */

static BOOLEAN IsWork(ULONG Ender)
{
    return Ender != EnderSignal && Ender != EnderTimeout;
}

/* Who ends the wait. A kernel APC does not; of two reasons to break a wait off that are both there when it
   is, the thread's end comes first, then an alert. */
static ULONG Winner(VOID)
{
    ULONG First = Race.Cell.Ender[0], Second = Race.Cell.Ender[1];
    if (First == EnderKernelApc) {
        return Second;
    }
    if (Second == EnderKernelApc || !IsWork(First) || !IsWork(Second)) {
        return First;
    }
    return Has(EnderEnd) ? EnderEnd : EnderAlert;
}

static NTSTATUS ExpectedStatus(ULONG Ender)
{
    switch (Ender) {
    case EnderSignal:
        return Race.Cell.Wait == WaitForAny ? STATUS_WAIT_0 + 1 : STATUS_SUCCESS;
    case EnderTimeout:
        return STATUS_TIMEOUT;
    case EnderAlert:
        return STATUS_ALERTED;
    default:
        return STATUS_USER_APC;
    }
}

static PCSTR Judge(VOID)
{
    ULONG Ended = Winner();
    BOOLEAN All = Race.Cell.Wait == WaitForAll, Signalled = Ended == EnderSignal;
    if (Race.Taken != Race.Steps) {
        return "the script was not met";
    }
    if (Race.Status != ExpectedStatus(Ended)) {
        return "wrong status";
    }
    if (Race.ObjectLeft != (Has(EnderSignal) && !Signalled) || Race.OtherLeft != (All && !Signalled)) {
        return "a signal was lost, or taken by a wait that ended otherwise";
    }
    if (Race.AlertLeft != (Has(EnderAlert) && Ended != EnderAlert)) {
        return "an alert was lost, or counted twice";
    }
    if (Race.UserApcLeft != Has(EnderUserApc) || Race.EndLeft != Has(EnderEnd)) {
        return "a user APC or the thread's end was lost";
    }
    return Race.KernelApcs == (Has(EnderKernelApc) ? 1 : 0) ? NULL : "the kernel APC did not run once";
}

/* ---- One cell ---- */

static PCSTR RunCell(VOID)
{
    SCRIPT Script;
    PETHREAD Threads[3] = {NULL, NULL, NULL};
    BOOLEAN All = Race.Cell.Wait == WaitForAll;
    KeInitializeEvent(&Race.Object, SynchronizationEvent, FALSE);
    KeInitializeEvent(&Race.Other, SynchronizationEvent, All); /* of all, the other one is signalled already */
    KeInitializeSemaphore(&Race.Arrived, 0, 3);
    KeInitializeEvent(&Race.Start, NotificationEvent, FALSE);
    Race.KernelApcs = 0;
    Race.Begin = FALSE;
    ULONG Count = Processors == 1 ? 2 : 3;
    for (ULONG i = 0; i < Count; i++) { /* none is made while the script holds processors, one of which might get it */
        KSTART_ROUTINE *Routine = i == 0 ? Waiter : Count == 2 ? BothParties : Party;
        Threads[i] = KtestStart(Routine, (PVOID)(ULONG_PTR)(i - 1));
        KTEST_CHECK(Threads[i] != NULL);
        KeWaitForSingleObject(&Race.Arrived, Executive, KernelMode, FALSE, NULL);
    }

    WriteScript(&Script);
    PrimerSetActor(ActorWaiter, Race.Waiter);
    PrimerSetActor(ActorFirst, &Race.Side[0]);
    PrimerSetActor(ActorSecond, &Race.Side[1]);
    PrimerStartScript(Script.Step, Script.Count, 5000);
    Race.Begin = TRUE;
    KeSetEvent(&Race.Start, 0, FALSE);
    for (ULONG i = Count; i > 0; i--) { /* the waiter last: the others name it */
        KtestJoin(Threads[i - 1]);
    }
    Race.Taken = PrimerEndScript();
    Race.Steps = Script.Count;
    return Judge();
}

/* Is there such a race? */
static BOOLEAN Exists(const CELL *Cell)
{
    BOOLEAN Timeout = Cell->Ender[0] == EnderTimeout || Cell->Ender[1] == EnderTimeout;
    BOOLEAN Signal = Cell->Ender[0] == EnderSignal || Cell->Ender[1] == EnderSignal;
    if (Cell->Ender[0] == Cell->Ender[1]) {
        return FALSE;
    }
    return !Cell->Preparing || (Processors >= 4 && !Timeout && !(Signal && Cell->Wait == WaitForAll));
}

static VOID RunMatrix(BOOLEAN Preparing, PCSTR Stage)
{
    for (ULONG Wait = 0; Wait < WAITS; Wait++) {
        ULONG Run = 0, Failed = 0;
        for (ULONG Pair = 0; Pair < ENDERS * ENDERS; Pair++) {
            Race.Cell = (CELL){Wait, {Pair / ENDERS, Pair % ENDERS}, Preparing};
            if (!Exists(&Race.Cell)) {
                continue;
            }
            PCSTR Why = RunCell();
            Run++;
            if (Why != NULL) {
                Failed++;
                DbgPrint("@fail races.%s.%s.%s-before-%s: %s (status %08x, %u steps of %u)\n", Stage, WaitName[Wait],
                         EnderName[Pair / ENDERS], EnderName[Pair % ENDERS], Why, Race.Status, Race.Taken, Race.Steps);
            }
        }
        if (Run > 0 && Failed == 0) {
            DbgPrint("@pass races.%s.%s: %u scripts met\n", Stage, WaitName[Wait], Run);
        }
    }
}

/* ---- A software interrupt that somebody else serves ---- */

/*
 * A thread lowers its level to APC_LEVEL. A DPC and a kernel APC are pending; it has seen that something is,
 * when an interrupt comes whose exit runs the DPC. What is left is the APC, which may not run before the
 * level drops further.
 */
static struct {
    KAPC Apc;
    KDPC Own, Others;
    volatile LONG Apcs, OwnDpcs, OthersDpcs;
    volatile BOOLEAN Begin;
    LONG AtApcLevel, AtPassiveLevel;
    ULONG Taken;
} Soft;

static VOID OnSoftApc(PKAPC Apc, PKNORMAL_ROUTINE *Normal, PVOID *Context, PVOID *Argument1, PVOID *Argument2)
{
    InterlockedIncrement(&Soft.Apcs);
}

static VOID OnSoftDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    InterlockedIncrement(Context);
}

/* A clock interrupt may come just when the level has dropped and nobody has looked yet: its exit runs the
   DPC, and the point is not reached. Then the thread begins anew; Others is queued only while it stands at
   the point (or when the script has been given up). */
static VOID LowerUntilHeld(VOID)
{
    KIRQL ApcLevel;
    KeLowerIrql(APC_LEVEL);
    while (Soft.OthersDpcs == 0) {
        KeRaiseIrql(DISPATCH_LEVEL, &ApcLevel);
        KeInsertQueueDpc(&Soft.Own, NULL, NULL);
        KeLowerIrql(ApcLevel);
    }
}

static VOID LowersLevel(PVOID Context)
{
    static const PRIMER_STEP Steps[] = {
        {PointGo, ActorFirst, 2}, {PointDone, ActorFirst, 0}, {PrimerPointSoftPending, ActorWaiter, 0}};
    KIRQL Irql;
    RunOn(KeGetCurrentThread(), 1);
    KeInitializeApc(&Soft.Apc, KeGetCurrentThread(), OriginalApcEnvironment, OnSoftApc, NULL, NULL, KernelMode, NULL);
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    KeInsertQueueApc(&Soft.Apc, NULL, NULL, 0);
    KeInsertQueueDpc(&Soft.Own, NULL, NULL);
    PrimerSetActor(ActorWaiter, KeGetCurrentThread());
    PrimerSetActor(ActorFirst, &Soft);
    PrimerStartScript(Steps, 3, 5000);
    Soft.Begin = TRUE;
    LowerUntilHeld();
    Soft.AtApcLevel = Soft.Apcs;
    Soft.Taken = PrimerEndScript();
    KeLowerIrql(Irql);
    Soft.AtPassiveLevel = Soft.Apcs;
}

static VOID Interrupts(PVOID Context)
{
    RunOn(KeGetCurrentThread(), 0);
    while (!Soft.Begin) {
        YieldProcessor();
    }
    PrimerReachPoint(PointGo, &Soft);
    KeInsertQueueDpc(&Soft.Others, NULL, NULL);
    while (Soft.OthersDpcs == 0 || Soft.OwnDpcs == 0) {
        YieldProcessor();
    }
    PrimerReachPoint(PointDone, &Soft);
}

static PCSTR ApcStaysPending(VOID)
{
    KeInitializeDpc(&Soft.Own, OnSoftDpc, (PVOID)&Soft.OwnDpcs);
    KeInitializeDpc(&Soft.Others, OnSoftDpc, (PVOID)&Soft.OthersDpcs);
    KeSetTargetProcessorDpc(&Soft.Others, 1);
    KeSetImportanceDpc(&Soft.Others, HighImportance);
    PETHREAD First = KtestStart(Interrupts, NULL), Second = KtestStart(LowersLevel, NULL);
    KTEST_CHECK(First != NULL && Second != NULL);
    KtestJoin(First);
    KtestJoin(Second);
    KTEST_CHECK(Soft.Taken == 3);
    KTEST_CHECK(Soft.OthersDpcs == 1 && Soft.OwnDpcs >= 1);
    KTEST_CHECK(Soft.AtApcLevel == 0 && Soft.AtPassiveLevel == 1);
    return NULL;
}

/* ---- The end of a wait that has not slept, and the signaller's last touch ---- */

/*
 * The waiter is about to commit. A signaller claims its wait, takes the block off the object's list, and
 * still holds the object's lock. The waiter may not return: the object could be a variable of its own. It has
 * to come to the lock, and is held there until the signaller has gone on.
 */
static struct {
    KEVENT Event;
    KSEMAPHORE Semaphore;
    PVOID Object;
    volatile BOOLEAN Begin;
    NTSTATUS Status;
    ULONG Taken;
} Touch;

static VOID WaitsUnslept(PVOID Context)
{
    static const PRIMER_STEP Steps[] = {{PointGo, ActorFirst, 1},
                                        {PrimerPointWaitLooked, ActorWaiter, 2},
                                        {PrimerPointSignalClaimed, ActorWaiter, 3},
                                        {PrimerPointObjectBusy, ActorSecond, 0}};
    KEVENT Never;
    PVOID Objects[] = {&Never, Touch.Object};
    KeInitializeEvent(&Never, NotificationEvent, FALSE);
    RunOn(KeGetCurrentThread(), 1);
    PrimerSetActor(ActorWaiter, KeGetCurrentThread());
    PrimerSetActor(ActorFirst, &Touch);
    PrimerSetActor(ActorSecond, Touch.Object);
    PrimerStartScript(Steps, 4, 5000);
    Touch.Begin = TRUE;
    Touch.Status = Touch.Object == &Touch.Event
                       ? KeWaitForSingleObject(Touch.Object, Executive, KernelMode, FALSE, NULL)
                       : KeWaitForMultipleObjects(2, Objects, WaitAny, Executive, KernelMode, FALSE, NULL, NULL);
    Touch.Taken = PrimerEndScript();
}

static VOID Signals(PVOID Context)
{
    RunOn(KeGetCurrentThread(), 0);
    while (!Touch.Begin) {
        YieldProcessor();
    }
    PrimerReachPoint(PointGo, &Touch);
    if (Touch.Object == &Touch.Event) {
        KeSetEvent(&Touch.Event, 0, FALSE);
    } else {
        KeReleaseSemaphore(&Touch.Semaphore, 0, 1, FALSE);
    }
}

static PCSTR UnsleptWaiter(PVOID Object, NTSTATUS Status)
{
    KeInitializeEvent(&Touch.Event, SynchronizationEvent, FALSE);
    KeInitializeSemaphore(&Touch.Semaphore, 0, 1);
    Touch.Object = Object;
    Touch.Begin = FALSE;
    PETHREAD First = KtestStart(Signals, NULL), Second = KtestStart(WaitsUnslept, NULL);
    KTEST_CHECK(First != NULL && Second != NULL);
    KtestJoin(First);
    KtestJoin(Second);
    KTEST_CHECK(Touch.Status == Status);
    KTEST_CHECK(Touch.Taken == 4);
    return NULL;
}

static PCSTR SignallerTouchesLast(VOID)
{
    PCSTR Why = UnsleptWaiter(&Touch.Event, STATUS_SUCCESS);
    return Why != NULL ? Why : UnsleptWaiter(&Touch.Semaphore, STATUS_WAIT_0 + 1);
}

/* ---- A timer between two queues ---- */

/*
 * A timer that is set on one processor is set anew on another; while it is on its way, a third party cancels
 * it: it was set before and is set after, and so the cancellation waits for it and finds it set.
 */
static struct {
    KTIMER Timer;
    volatile BOOLEAN Begin;
    BOOLEAN WasSet, Cancelled;
    ULONG Taken;
} Move;

static VOID SetsAnew(PVOID Context)
{
    static const PRIMER_STEP Steps[] = {
        {PointGo, ActorFirst, 1}, {PrimerPointTimerMoving, ActorSecond, 2}, {PrimerPointTimerAwaited, ActorSecond, 0}};
    RunOn(KeGetCurrentThread(), 1);
    KeSetTimer(&Move.Timer, KtestMs(1000000), NULL);
    RunOn(KeGetCurrentThread(), 0);
    PrimerSetActor(ActorFirst, &Move);
    PrimerSetActor(ActorSecond, &Move.Timer);
    PrimerStartScript(Steps, 3, 5000);
    Move.Begin = TRUE;
    Move.WasSet = KeSetTimer(&Move.Timer, KtestMs(1000000), NULL);
}

static VOID Cancels(PVOID Context)
{
    RunOn(KeGetCurrentThread(), 1);
    while (!Move.Begin) {
        YieldProcessor();
    }
    PrimerReachPoint(PointGo, &Move);
    Move.Cancelled = KeCancelTimer(&Move.Timer);
    Move.Taken = PrimerEndScript();
}

static PCSTR MovingTimerIsSet(VOID)
{
    KeInitializeTimer(&Move.Timer);
    PETHREAD First = KtestStart(SetsAnew, NULL);
    KTEST_CHECK(First != NULL);
    PETHREAD Second = KtestStart(Cancels, NULL);
    KTEST_CHECK(Second != NULL);
    KtestJoin(First);
    KtestJoin(Second);
    BOOLEAN Left = KeCancelTimer(&Move.Timer);
    KTEST_CHECK(Move.WasSet && Move.Cancelled && !Left);
    KTEST_CHECK(Move.Taken == 3);
    return NULL;
}

/* ---- A push lock that goes while somebody still releases it ---- */

/*
 * The first holder has released the lock and is about to wake the waiter. Somebody comes between, takes the
 * lock and releases it, too, and wakes the waiter, which takes the lock, releases it, and unmaps it. The
 * first one must not touch the lock any more: a touch faults.
 */
static PEX_PUSH_LOCK Gone;

static VOID FreesLock(PVOID Context)
{
    ExAcquirePushLockExclusive(Gone);
    ExReleasePushLockExclusive(Gone);
    PrimerUnmapPages(Gone, 1);
    PrimerReachPoint(PointDone, &Gone);
}

static VOID ComesBetween(PVOID Context)
{
    PrimerReachPoint(PointGo, &Gone);
    ExAcquirePushLockExclusive(Gone);
    ExReleasePushLockExclusive(Gone);
}

static PCSTR ReleasedLockGoes(VOID)
{
    static const PRIMER_STEP Steps[] = {
        {PointGo, ActorFirst, 1}, {PrimerPointPushLockReleased, ActorSecond, 2}, {PointDone, ActorFirst, 0}};
    Gone = PrimerMapPages(1);
    KTEST_CHECK(Gone != NULL);
    ExInitializePushLock(Gone);
    PrimerSetActor(ActorFirst, &Gone);
    PrimerSetActor(ActorSecond, Gone);
    KeEnterCriticalRegion();
    ExAcquirePushLockExclusive(Gone);
    PETHREAD Last = KtestStart(FreesLock, NULL);
    while (Last != NULL && *(volatile ULONG_PTR *)Gone == 1) { /* held, and nobody waits */
        KtestSleep(1);
    }
    PrimerStartScript(Steps, 3, 5000);
    PETHREAD Between = KtestStart(ComesBetween, NULL);
    ExReleasePushLockExclusive(Gone);
    KeLeaveCriticalRegion();
    KTEST_CHECK(Last != NULL && Between != NULL);
    KtestJoin(Between);
    KtestJoin(Last);
    KTEST_CHECK(PrimerEndScript() == 3);
    return NULL;
}

/* ---- The end of a thread that waits in a queue ---- */

static KQUEUE Queue;
static PLIST_ENTRY QueueAnswer;

static VOID WaitsInQueue(PVOID Context)
{
    KeLeaveCriticalRegion(); /* a system thread begins in one */
    QueueAnswer = KeRemoveQueue(&Queue, UserMode, NULL);
    KeEnterCriticalRegion();
}

/* The wait ends with STATUS_USER_APC, and the queue is as before: what comes next is for others. */
static PCSTR EndInQueue(VOID)
{
    LIST_ENTRY Entry;
    KeInitializeQueue(&Queue, 1);
    PETHREAD Thread = KtestStart(WaitsInQueue, NULL);
    KTEST_CHECK(Thread != NULL);
    while (IsListEmpty(&Queue.Header.WaitListHead)) {
        KtestSleep(1);
    }
    PrimerTerminateWaits((PKTHREAD)Thread);
    KtestJoin(Thread);
    KTEST_CHECK((LONG_PTR)QueueAnswer == STATUS_USER_APC);
    KTEST_CHECK(IsListEmpty(&Queue.Header.WaitListHead) && Queue.CurrentCount == 0);
    KTEST_CHECK(KeInsertQueue(&Queue, &Entry) == 0 && KeReadStateQueue(&Queue) == 1);
    KTEST_CHECK(KeRundownQueue(&Queue) == &Entry);
    return NULL;
}

/* ---- A pulse and a wait for all ---- */

static struct {
    KEVENT Pulsed, Always;
    volatile NTSTATUS Status;
} Pulse;

static VOID WaitsForAll(PVOID Context)
{
    PVOID Objects[] = {&Pulse.Always, &Pulse.Pulsed};
    Pulse.Status = KeWaitForMultipleObjects(2, Objects, WaitAll, Executive, KernelMode, FALSE, NULL, NULL);
}

/* A pulse, then a signal: had the pulse ended the wait, the signal would be left. */
static PCSTR PulseMissesAll(VOID)
{
    KeInitializeEvent(&Pulse.Always, NotificationEvent, TRUE);
    KeInitializeEvent(&Pulse.Pulsed, SynchronizationEvent, FALSE);
    Pulse.Status = STATUS_PENDING;
    PETHREAD Thread = KtestStart(WaitsForAll, NULL);
    KTEST_CHECK(Thread != NULL);
    while (IsListEmpty(&Pulse.Pulsed.Header.WaitListHead)) {
        KtestSleep(1);
    }
    KePulseEvent(&Pulse.Pulsed, 0, FALSE);
    KeSetEvent(&Pulse.Pulsed, 0, FALSE);
    KtestJoin(Thread);
    KTEST_CHECK(Pulse.Status == STATUS_SUCCESS && KeReadStateEvent(&Pulse.Pulsed) == 0);
    return NULL;
}

static PDRIVER_OBJECT Theirs;

static PCSTR StartAgainstNext(VOID)
{
    return StartMeetsNext(Theirs);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    Processors = KeQueryActiveProcessorCount(NULL);
    RunMatrix(FALSE, "asleep");
    RunMatrix(TRUE, "preparing");
    if (Processors > 1) {
        KtestRun("races.apc-stays-pending-at-apc-level", ApcStaysPending);
        KtestRun("races.signaller-touches-last", SignallerTouchesLast);
        KtestRun("races.moving-timer-is-set", MovingTimerIsSet);
        KtestRun("races.released-push-lock-goes", ReleasedLockGoes);
        KtestRun("races.resumed-with-registers-held", ResumedWithRegistersHeld);
        Theirs = DriverObject;
        KtestRun("races.start-of-a-packet-meets-the-next", StartAgainstNext);
    }
    KtestRun("races.end-in-queue", EndInQueue);
    KtestRun("races.pulse-misses-wait-for-all", PulseMissesAll);
    return STATUS_SUCCESS;
}
