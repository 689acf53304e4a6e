/* SPDX-License-Identifier: MIT */
/*
 * Locks of all kinds in the wrong order, and threads that deadlock over them. The kernel option
 * lockbugs.do=WHAT-KIND chooses:
 *
 *   order    two locks one after the other in both orders, by one thread: nobody deadlocks, and the order graph stops it
 *   circle   three locks, each pair in one order only, but all in a circle
 *   row      two locks that one loop has initialised
 *   cross    two threads hold one lock each and wait for the other's: the wait graph names the circle (the order graph is off)
 *
 * "ok" does rightly, for all kinds, what order and circle do wrongly. Others are named by themselves. See
 * tests/cases_lockbugs.py.
 */
#include "../ktest.h"

/* One lock of any kind. */
typedef union _ANY_LOCK {
    KSPIN_LOCK Spin;
    EX_SPIN_LOCK ReadWrite;
    KMUTEX Mutex;
    FAST_MUTEX Fast;
    KGUARDED_MUTEX Guarded;
    EX_PUSH_LOCK Push;
    ERESOURCE Resource;
    EX_RUNDOWN_REF Rundown;
} ANY_LOCK;

static ANY_LOCK A, B, C;

/* What the acquisition must keep for the release. */
typedef struct _GRIP {
    KIRQL Irql;
    KLOCK_QUEUE_HANDLE Queue;
} GRIP;

typedef struct _KIND {
    PCSTR Name;
    VOID (*Acquire)(ANY_LOCK *Lock, GRIP *Grip);
    VOID (*Release)(ANY_LOCK *Lock, GRIP *Grip);
} KIND;

static VOID AcquireSpin(ANY_LOCK *Lock, GRIP *Grip)
{
    KeAcquireSpinLock(&Lock->Spin, &Grip->Irql);
}

static VOID ReleaseSpin(ANY_LOCK *Lock, GRIP *Grip)
{
    KeReleaseSpinLock(&Lock->Spin, Grip->Irql);
}

static VOID AcquireQueued(ANY_LOCK *Lock, GRIP *Grip)
{
    KeAcquireInStackQueuedSpinLock(&Lock->Spin, &Grip->Queue);
}

static VOID ReleaseQueued(ANY_LOCK *Lock, GRIP *Grip)
{
    KeReleaseInStackQueuedSpinLock(&Grip->Queue);
}

static VOID AcquireWriter(ANY_LOCK *Lock, GRIP *Grip)
{
    Grip->Irql = ExAcquireSpinLockExclusive(&Lock->ReadWrite);
}

static VOID ReleaseWriter(ANY_LOCK *Lock, GRIP *Grip)
{
    ExReleaseSpinLockExclusive(&Lock->ReadWrite, Grip->Irql);
}

static VOID AcquireMutex(ANY_LOCK *Lock, GRIP *Grip)
{
    KeWaitForSingleObject(&Lock->Mutex, Executive, KernelMode, FALSE, NULL);
}

static VOID ReleaseMutex(ANY_LOCK *Lock, GRIP *Grip)
{
    KeReleaseMutex(&Lock->Mutex, FALSE);
}

static VOID AcquireFast(ANY_LOCK *Lock, GRIP *Grip)
{
    ExAcquireFastMutex(&Lock->Fast);
}

static VOID ReleaseFast(ANY_LOCK *Lock, GRIP *Grip)
{
    ExReleaseFastMutex(&Lock->Fast);
}

static VOID AcquireGuarded(ANY_LOCK *Lock, GRIP *Grip)
{
    KeAcquireGuardedMutex(&Lock->Guarded);
}

static VOID ReleaseGuarded(ANY_LOCK *Lock, GRIP *Grip)
{
    KeReleaseGuardedMutex(&Lock->Guarded);
}

static VOID AcquirePush(ANY_LOCK *Lock, GRIP *Grip)
{
    KeEnterCriticalRegion();
    ExAcquirePushLockExclusive(&Lock->Push);
}

static VOID ReleasePush(ANY_LOCK *Lock, GRIP *Grip)
{
    ExReleasePushLockExclusive(&Lock->Push);
    KeLeaveCriticalRegion();
}

static VOID AcquireResource(ANY_LOCK *Lock, GRIP *Grip)
{
    KeEnterCriticalRegion();
    ExAcquireResourceExclusiveLite(&Lock->Resource, TRUE);
}

static VOID ReleaseResource(ANY_LOCK *Lock, GRIP *Grip)
{
    ExReleaseResourceLite(&Lock->Resource);
    KeLeaveCriticalRegion();
}

static const KIND Kinds[] = {
    {"spin", AcquireSpin, ReleaseSpin},          {"queued", AcquireQueued, ReleaseQueued},
    {"rw", AcquireWriter, ReleaseWriter},        {"mutex", AcquireMutex, ReleaseMutex},
    {"fast", AcquireFast, ReleaseFast},          {"guarded", AcquireGuarded, ReleaseGuarded},
    {"push", AcquirePush, ReleasePush},          {"resource", AcquireResource, ReleaseResource},
};

/* Each kind is initialised where its name stands, in a place of its own for each of the three. */
#define INITIALIZE(Lock)                                                                                               \
    do {                                                                                                               \
        if (strcmp(Kind->Name, "mutex") == 0) {                                                                        \
            KeInitializeMutex(&(Lock)->Mutex, 0);                                                                      \
        } else if (strcmp(Kind->Name, "fast") == 0) {                                                                  \
            ExInitializeFastMutex(&(Lock)->Fast);                                                                      \
        } else if (strcmp(Kind->Name, "guarded") == 0) {                                                               \
            KeInitializeGuardedMutex(&(Lock)->Guarded);                                                                \
        } else if (strcmp(Kind->Name, "push") == 0) {                                                                  \
            ExInitializePushLock(&(Lock)->Push);                                                                       \
        } else if (strcmp(Kind->Name, "resource") == 0) {                                                              \
            ExInitializeResourceLite(&(Lock)->Resource);                                                               \
        } else if (strcmp(Kind->Name, "rw") != 0) {                                                                    \
            KeInitializeSpinLock(&(Lock)->Spin);                                                                       \
        }                                                                                                              \
    } while (0)

static VOID TakeBoth(const KIND *Kind, ANY_LOCK *First, ANY_LOCK *Second)
{
    GRIP One, Two;
    Kind->Acquire(First, &One);
    Kind->Acquire(Second, &Two);
    Kind->Release(Second, &Two);
    Kind->Release(First, &One);
}

/* ---- Two threads ---- */

static const KIND *CrossKind;
static volatile LONG Holding;
static KEVENT BothHold; /* for kinds that block: who waits must not spin */

static VOID Cross(PVOID Context)
{
    ANY_LOCK *Mine = Context != NULL ? &A : &B, *Other = Context != NULL ? &B : &A;
    GRIP One, Two;
    CrossKind->Acquire(Mine, &One);
    if (InterlockedIncrement(&Holding) == 2) {
        KeSetEvent(&BothHold, 0, FALSE);
    }
    while (Holding < 2) {
        if (KeGetCurrentIrql() < DISPATCH_LEVEL) {
            KeWaitForSingleObject(&BothHold, Executive, KernelMode, FALSE, NULL);
        }
    }
    CrossKind->Acquire(Other, &Two);
    CrossKind->Release(Other, &Two);
    CrossKind->Release(Mine, &One);
}

static VOID CrossRundown(PVOID Context)
{
    ANY_LOCK *Mine = Context != NULL ? &A : &B, *Other = Context != NULL ? &B : &A;
    ExAcquireRundownProtection(&Mine->Rundown);
    if (InterlockedIncrement(&Holding) == 2) {
        KeSetEvent(&BothHold, 0, FALSE);
    }
    KeWaitForSingleObject(&BothHold, Executive, KernelMode, FALSE, NULL);
    ExWaitForRundownProtectionRelease(&Other->Rundown);
    ExReleaseRundownProtection(&Mine->Rundown);
}

/* Short sleeps, so that clock interrupts come. */
static VOID WaitForReport(VOID)
{
    for (ULONG i = 0; i < 300; i++) {
        KtestSleep(100);
    }
}

static VOID TestCross(const KIND *Kind)
{
    CrossKind = Kind;
    KtestStart(Cross, (PVOID)1);
    KtestStart(Cross, NULL);
    WaitForReport();
}

static VOID TestCrossRundown(VOID)
{
    ExInitializeRundownProtection(&A.Rundown);
    ExInitializeRundownProtection(&B.Rundown);
    KtestStart(CrossRundown, (PVOID)1);
    KtestStart(CrossRundown, NULL);
    for (ULONG i = 0; i < 60; i++) {
        KtestSleep(100);
    }
    KeBugCheckEx(0xE2, 0, 0, 0, 0); /* its report has the circle */
}

/* ---- Single cases ---- */

static ANY_LOCK Row[2];

/* One place, which an unrolled loop would not be. */
static DECLSPEC_NOINLINE VOID InitializeOne(const KIND *Kind, ANY_LOCK *Lock)
{
    INITIALIZE(Lock);
}

static VOID TestRow(const KIND *Kind)
{
    for (ULONG i = 0; i < 2; i++) {
        InitializeOne(Kind, &Row[i]);
    }
    TakeBoth(Kind, &Row[1], &Row[0]);
    TakeBoth(Kind, &Row[0], &Row[1]);
}

/* What was learnt about a block of memory goes with it. The locks of one chain are of one place, and are
   taken in the order of the chain, which is not that of their addresses. */
static PCSTR TestChains(VOID)
{
    for (ULONG Round = 0; Round < 100; Round++) {
        ANY_LOCK *Link[2];
        for (ULONG i = 0; i < 2; i++) {
            Link[i] = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(ANY_LOCK), 'tsTB');
            KTEST_CHECK(Link[i] != NULL);
            InitializeOne(&Kinds[0], Link[i]);
        }
        ULONG First = Round % 3 == 0; /* both orders come, in whatever order the pool gives blocks out */
        TakeBoth(&Kinds[0], Link[First], Link[!First]);
        ExFreePoolWithTag(Link[0], 'tsTB');
        ExFreePoolWithTag(Link[1], 'tsTB');
    }
    return NULL;
}

/* A try cannot wait, so that its order is nobody's affair. */
static PCSTR TestTry(VOID)
{
    KIRQL Irql;
    KeInitializeSpinLock(&A.Spin);
    KeInitializeSpinLock(&B.Spin);
    for (ULONG i = 0; i < 2; i++) {
        PKSPIN_LOCK First = i == 0 ? &A.Spin : &B.Spin, Second = i == 0 ? &B.Spin : &A.Spin;
        KeAcquireSpinLock(First, &Irql);
        KTEST_CHECK(KeTryToAcquireSpinLockAtDpcLevel(Second));
        KeReleaseSpinLockFromDpcLevel(Second);
        KeReleaseSpinLock(First, Irql);
    }
    return NULL;
}

/* More locks than a thread's list has room for. */
static PCSTR TestMany(VOID)
{
    static EX_PUSH_LOCK Many[40];
    KeEnterCriticalRegion();
    for (ULONG i = 0; i < ARRAYSIZE(Many); i++) {
        ExAcquirePushLockExclusive(&Many[i]);
    }
    for (ULONG i = 0; i < ARRAYSIZE(Many); i++) {
        ExReleasePushLockExclusive(&Many[i]);
    }
    KeLeaveCriticalRegion();
    return NULL;
}

static VOID TestHold(VOID)
{
    KIRQL Irql;
    KeInitializeSpinLock(&A.Spin);
    KeAcquireSpinLock(&A.Spin, &Irql);
    for (;;) {
        YieldProcessor();
    }
}

static VOID TestNobody(VOID)
{
    KIRQL Irql;
    A.Spin = 1; /* as a write gone astray leaves it */
    KeAcquireSpinLock(&A.Spin, &Irql);
}

static VOID TestRwMode(VOID)
{
    KIRQL Irql = ExAcquireSpinLockShared(&A.ReadWrite);
    ExReleaseSpinLockExclusive(&A.ReadWrite, Irql);
}

static VOID LeakLevel(PVOID Context)
{
    KIRQL Irql;
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
}

static VOID TestThreadLevel(VOID)
{
    KtestJoin(KtestStart(LeakLevel, NULL));
}

static VOID TestPoolName(VOID)
{
    KIRQL Irql;
    ANY_LOCK *Block = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(ANY_LOCK), 'tsTB');
    KeInitializeSpinLock(&Block->Spin);
    KeAcquireSpinLock(&Block->Spin, &Irql);
    KeAcquireSpinLockAtDpcLevel(&Block->Spin);
}

static const struct {
    PCSTR Name;
    VOID (*Bug)(VOID); /* must not return */
} Singles[] = {
    {"cross-rundown", TestCrossRundown}, {"hold", TestHold},
    {"nobody", TestNobody},              {"rw-mode", TestRwMode},
    {"thread-level", TestThreadLevel},   {"pool-name", TestPoolName},
};

static BOOLEAN RunSingle(PCSTR What)
{
    for (ULONG i = 0; i < ARRAYSIZE(Singles); i++) {
        if (strcmp(What, Singles[i].Name) == 0) {
            Singles[i].Bug();
            DbgPrint("@fail lockbugs.%s: it went through\n", What);
            return TRUE;
        }
    }
    return FALSE;
}

static VOID RunKind(PCSTR What, const KIND *Kind)
{
    BOOLEAN Order = strncmp(What, "order-", 6) == 0;

    INITIALIZE(&A);
    INITIALIZE(&B);
    INITIALIZE(&C);
    if (strncmp(What, "cross-", 6) == 0) {
        TestCross(Kind);
    } else if (strncmp(What, "row-", 4) == 0) {
        TestRow(Kind);
    } else {
        TakeBoth(Kind, &A, &B);
        if (!Order) {
            TakeBoth(Kind, &B, &C);
        }
        TakeBoth(Kind, Order ? &B : &C, &A);
    }
    DbgPrint("@fail lockbugs.%s: it went through\n", What);
}

/* One order, along any of three edges, as often as one likes. */
static VOID RunRight(const KIND *Kind)
{
    INITIALIZE(&A);
    INITIALIZE(&B);
    INITIALIZE(&C);
    for (ULONG i = 0; i < 2; i++) {
        TakeBoth(Kind, &A, &B);
        TakeBoth(Kind, &B, &C);
        TakeBoth(Kind, &A, &C);
    }
    DbgPrint("@pass lockbugs.%s\n", Kind->Name);
}

static VOID TestRight(VOID)
{
    for (ULONG i = 0; i < ARRAYSIZE(Kinds); i++) {
        RunRight(&Kinds[i]);
    }
    KtestRun("lockbugs.chains", TestChains);
    KtestRun("lockbugs.try", TestTry);
    KtestRun("lockbugs.many", TestMany);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    char What[64];
    if (!ExQueryKernelOption("lockbugs.do", What, sizeof(What))) {
        DbgPrint("@fail lockbugs: no lockbugs.do option\n");
        return STATUS_SUCCESS;
    }
    KeInitializeEvent(&BothHold, NotificationEvent, FALSE);
    if (strcmp(What, "ok") == 0) {
        TestRight();
        return STATUS_SUCCESS;
    }
    if (RunSingle(What)) {
        return STATUS_SUCCESS;
    }
    PCSTR Dash = strchr(What, '-');
    for (ULONG i = 0; Dash != NULL && i < ARRAYSIZE(Kinds); i++) {
        if (strcmp(Dash + 1, Kinds[i].Name) == 0) {
            RunKind(What, &Kinds[i]);
            return STATUS_SUCCESS;
        }
    }
    DbgPrint("@fail lockbugs.%s: unknown\n", What);
    return STATUS_SUCCESS;
}
