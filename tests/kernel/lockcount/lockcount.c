/* SPDX-License-Identifier: MIT */
/*
 * The counters of locks, which debug builds keep. A handle's look-up acquires no lock, while what changes the
 * table does. Then threads are created and end on all processors at once, and what that took of each class is
 * printed, a line each, for tools/lockcounts: "@locks ACQUISITIONS WAITED NAME".
 */
#include "../ktest.h"
#include <primertest.h>

#define MAX_CLASSES 64
#define LOOK_UPS    100
#define ATTEMPTS    1000
#define THREADS     500 /* for each processor */

static PRIMER_LOCK_CLASS Before[MAX_CLASSES], After[MAX_CLASSES];

static ULONG Snap(PPRIMER_LOCK_CLASS Classes)
{
    ULONG Count = 0;
    while (Count < MAX_CLASSES && PrimerQueryLockClass(Count, &Classes[Count])) {
        Count++;
    }
    return Count;
}

static LONG64 Total(VOID)
{
    LONG64 Sum = 0;
    for (ULONG i = Snap(After); i > 0; i--) {
        Sum += After[i - 1].Acquired;
    }
    return Sum;
}

/* What other processors and interrupts acquire meanwhile counts, too: of many attempts one is undisturbed,
   but only if the look-ups themselves acquire nothing. */
static LONG64 LeastOfLookUps(HANDLE Handle)
{
    LONG64 Least = MAXLONG;
    for (ULONG i = 0; i < ATTEMPTS && Least != 0; i++) {
        PVOID Object;
        LONG64 Start = Total();
        for (ULONG j = 0; j < LOOK_UPS; j++) {
            if (NT_SUCCESS(ObReferenceObjectByHandle(Handle, EVENT_MODIFY_STATE, *ExEventObjectType, UserMode, &Object, NULL))) {
                ObDereferenceObject(Object);
            }
        }
        LONG64 Taken = Total() - Start;
        Least = Taken < Least ? Taken : Least;
    }
    return Least;
}

static PCSTR LookUpsAcquireNoLock(VOID)
{
    HANDLE Handle, Second;
    PVOID Object;
    LONG64 Start = Total();
    KTEST_CHECK(NT_SUCCESS(ZwCreateEvent(&Handle, EVENT_ALL_ACCESS, NULL, NotificationEvent, FALSE)));
    KTEST_CHECK(Total() > Start); /* a new handle does */
    KTEST_CHECK(NT_SUCCESS(ObReferenceObjectByHandle(Handle, EVENT_MODIFY_STATE, *ExEventObjectType, UserMode, &Object, NULL)));
    ObDereferenceObject(Object);
    LONG64 Least = LeastOfLookUps(Handle);
    Start = Total();
    KTEST_CHECK(NT_SUCCESS(ZwDuplicateObject(ZwCurrentProcess(), Handle, ZwCurrentProcess(), &Second, 0, 0, DUPLICATE_SAME_ACCESS)));
    KTEST_CHECK(Total() > Start);
    ZwClose(Second);
    ZwClose(Handle);
    KTEST_CHECK(Least == 0);
    return NULL;
}

/* ---- Those that had to wait ---- */

static KEVENT Held;
static EX_PUSH_LOCK PushLock;
static FAST_MUTEX FastMutex;
static ERESOURCE Resource;

static LONG64 Waited(PCSTR Name)
{
    for (ULONG i = Snap(After); i > 0; i--) {
        if (strcmp(After[i - 1].Name, Name) == 0) {
            return After[i - 1].Waited;
        }
    }
    return 0;
}

/* Until one more has slept than Seen. */
static VOID AwaitSleeper(PCSTR Name, LONG64 Seen)
{
    while (Waited(Name) == Seen) {
        KtestSleep(1);
    }
}

/* Holds the three, and each until the other thread has fallen asleep over it. */
static VOID Holder(PVOID Context)
{
    ExAcquirePushLockExclusive(&PushLock);
    ExAcquireFastMutexUnsafe(&FastMutex);
    ExAcquireResourceExclusiveLite(&Resource, TRUE);
    LONG64 Push = Waited("push lock"), Mutex = Waited("fast mutex"), Shared = Waited("resource");
    KeSetEvent(&Held, IO_NO_INCREMENT, FALSE);
    AwaitSleeper("push lock", Push);
    ExReleasePushLockExclusive(&PushLock);
    AwaitSleeper("fast mutex", Mutex);
    ExReleaseFastMutexUnsafe(&FastMutex);
    AwaitSleeper("resource", Shared);
    ExReleaseResourceLite(&Resource);
}

/* The test ends only if each sleep over a lock is counted; a lock that is free counts as none. */
static PCSTR SleepsOverLocksAreCounted(VOID)
{
    KeInitializeEvent(&Held, SynchronizationEvent, FALSE);
    ExInitializePushLock(&PushLock);
    ExInitializeFastMutex(&FastMutex);
    KTEST_CHECK(NT_SUCCESS(ExInitializeResourceLite(&Resource)));
    PETHREAD Thread = KtestStart(Holder, NULL);
    KTEST_CHECK(Thread != NULL);
    KeWaitForSingleObject(&Held, Executive, KernelMode, FALSE, NULL);
    KeEnterCriticalRegion();
    ExAcquirePushLockExclusive(&PushLock);
    ExReleasePushLockExclusive(&PushLock);
    ExAcquireFastMutexUnsafe(&FastMutex);
    ExReleaseFastMutexUnsafe(&FastMutex);
    ExAcquireResourceExclusiveLite(&Resource, TRUE);
    ExReleaseResourceLite(&Resource);
    LONG64 Free = Waited("fast mutex");
    ExAcquireFastMutexUnsafe(&FastMutex);
    ExReleaseFastMutexUnsafe(&FastMutex);
    Free = Waited("fast mutex") - Free;
    KeLeaveCriticalRegion();
    KtestJoin(Thread);
    ExDeleteResourceLite(&Resource);
    KTEST_CHECK(Free == 0);
    return NULL;
}

/* ---- The load ---- */

static VOID Nothing(PVOID Context)
{
}

static VOID MakeThreads(PVOID Context)
{
    KeSetAffinityThread(KeGetCurrentThread(), 1ULL << (ULONG_PTR)Context);
    for (ULONG i = 0; i < THREADS; i++) {
        KtestJoin(KtestStart(Nothing, NULL));
    }
}

/* The classes come with their first acquisition, the newest first: those that were there before stand at the
   end. */
static PCSTR ThreadsEverywhere(VOID)
{
    ULONG Processors = KeQueryActiveProcessorCount(NULL);
    ULONG Old = Snap(Before);
    KTEST_CHECK(KtestCrowd(Processors, MakeThreads));
    ULONG New = Snap(After);
    LONG64 Sum = 0;
    KTEST_CHECK(New >= Old && New < MAX_CLASSES);
    for (ULONG i = 0; i < New; i++) {
        PRIMER_LOCK_CLASS None = {0}, *Was = i >= New - Old ? &Before[i - (New - Old)] : &None;
        LONG64 Acquired = After[i].Acquired - Was->Acquired, Slept = After[i].Waited - Was->Waited;
        KTEST_CHECK(Slept <= Acquired + Processors); /* who waits at the moment has not acquired it yet */
        Sum += Acquired;
        if (Acquired != 0) {
            DbgPrint("@locks %I64d %I64d %s\n", Acquired, Slept, After[i].Name);
        }
    }
    KTEST_CHECK(Sum >= (LONG64)THREADS * Processors);
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    KtestRun("lockcount.look-ups-acquire-no-lock", LookUpsAcquireNoLock);
    KtestRun("lockcount.sleeps-are-counted", SleepsOverLocksAreCounted);
    KtestRun("lockcount.threads-everywhere", ThreadsEverywhere);
    return STATUS_SUCCESS;
}
