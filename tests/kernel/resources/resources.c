/* SPDX-License-Identifier: MIT */
/*
 * Executive resources, row by row. Where several threads take part, each is an actor that does one thing at a
 * time when it is told to; the test waits until it has done it, or has queued, before it tells the next one.
 */
#include "../ktest.h"
#include <primertest.h>

#define ACTORS 6
#define PATIENCE_MS 5000

typedef enum _DEED { Exclusive, Shared, Starve, WaitFor, Release, Convert, Leave } DEED;

typedef struct _ACTOR {
    PETHREAD Thread;
    KEVENT Do, Done;
    DEED Deed;
    BOOLEAN Wait, Result;
} ACTOR;

static ERESOURCE Resource;
static ACTOR Actors[ACTORS];

static BOOLEAN Perform(DEED Deed, BOOLEAN Wait)
{
    switch (Deed) {
    case Exclusive:
        return ExAcquireResourceExclusiveLite(&Resource, Wait);
    case Shared:
        return ExAcquireResourceSharedLite(&Resource, Wait);
    case Starve:
        return ExAcquireSharedStarveExclusive(&Resource, Wait);
    case WaitFor:
        return ExAcquireSharedWaitForExclusive(&Resource, Wait);
    case Release:
        ExReleaseResourceLite(&Resource);
        return TRUE;
    case Convert:
        ExConvertExclusiveToSharedLite(&Resource);
        return TRUE;
    default:
        return TRUE;
    }
}

static VOID ActorThread(PVOID Context)
{
    ACTOR *Actor = Context;
    do {
        KeWaitForSingleObject(&Actor->Do, Executive, KernelMode, FALSE, NULL);
        Actor->Result = Perform(Actor->Deed, Actor->Wait);
        KeSetEvent(&Actor->Done, IO_NO_INCREMENT, FALSE);
    } while (Actor->Deed != Leave);
}

static BOOLEAN StartActors(VOID)
{
    ExInitializeResourceLite(&Resource);
    for (ULONG i = 0; i < ACTORS; i++) {
        KeInitializeEvent(&Actors[i].Do, SynchronizationEvent, FALSE);
        KeInitializeEvent(&Actors[i].Done, SynchronizationEvent, FALSE);
        Actors[i].Thread = KtestStart(ActorThread, &Actors[i]);
        if (Actors[i].Thread == NULL) {
            return FALSE;
        }
    }
    return TRUE;
}

static BOOLEAN IsDone(ULONG Who, LONGLONG Milliseconds)
{
    LARGE_INTEGER Limit = KtestMs(Milliseconds);
    return KeWaitForSingleObject(&Actors[Who].Done, Executive, KernelMode, FALSE, &Limit) == STATUS_SUCCESS;
}

static VOID Tell(ULONG Who, DEED Deed, BOOLEAN Wait)
{
    Actors[Who].Deed = Deed;
    Actors[Who].Wait = Wait;
    KeSetEvent(&Actors[Who].Do, IO_NO_INCREMENT, FALSE);
}

/* Without waiting for the resource: the result. */
static BOOLEAN Does(ULONG Who, DEED Deed)
{
    Tell(Who, Deed, FALSE);
    return IsDone(Who, PATIENCE_MS) && Actors[Who].Result;
}

/* Tells an actor to wait for the resource; TRUE when it has queued. */
static BOOLEAN Queues(ULONG Who, DEED Deed)
{
    ULONG Before = ExGetExclusiveWaiterCount(&Resource) + ExGetSharedWaiterCount(&Resource);
    Tell(Who, Deed, TRUE);
    for (ULONG i = 0; i < PATIENCE_MS; i++) {
        if (ExGetExclusiveWaiterCount(&Resource) + ExGetSharedWaiterCount(&Resource) == Before + 1) {
            return TRUE;
        }
        KtestSleep(1);
    }
    return FALSE;
}

/* An actor that had queued owns the resource now. */
static BOOLEAN Arrives(ULONG Who)
{
    return IsDone(Who, PATIENCE_MS) && Actors[Who].Result;
}

static PCSTR EndActors(PCSTR Why)
{
    for (ULONG i = 0; i < ACTORS && Why == NULL; i++) { /* after a failure they may be stuck: they stay */
        Tell(i, Leave, FALSE);
        KtestJoin(Actors[i].Thread);
    }
    if (Why == NULL && Resource.ActiveEntries != 0) {
        Why = "somebody still owns the resource";
    }
    if (Why == NULL && !NT_SUCCESS(ExDeleteResourceLite(&Resource))) {
        Why = "ExDeleteResourceLite";
    }
    return Why;
}

static PCSTR WithActors(KTEST *Scene)
{
    if (!StartActors()) {
        return "no memory for threads";
    }
    KeEnterCriticalRegion();
    PCSTR Why = Scene();
    KeLeaveCriticalRegion();
    return EndActors(Why);
}

/* ---- Scenes: the test's own thread is another owner ---- */

static PCSTR SceneRecursion(VOID)
{
    KTEST_CHECK(!ExIsResourceAcquiredExclusiveLite(&Resource) && ExIsResourceAcquiredSharedLite(&Resource) == 0);
    ExDisableResourceBoostLite(&Resource);
    KTEST_CHECK(ExTryToAcquireResourceExclusiveLite(&Resource) && ExTryToAcquireResourceExclusiveLite(&Resource));
    Perform(Release, FALSE);
    Perform(Release, FALSE);
    KTEST_CHECK(Does(0, Shared) && !ExTryToAcquireResourceExclusiveLite(&Resource) && Does(0, Release));
    KTEST_CHECK(Perform(Exclusive, FALSE) && Perform(Exclusive, FALSE) && Perform(Shared, FALSE));
    KTEST_CHECK(ExIsResourceAcquiredExclusiveLite(&Resource) && ExIsResourceAcquiredSharedLite(&Resource) == 3);
    KTEST_CHECK(!Does(0, Shared) && !Does(0, Exclusive) && !Does(0, Starve) && !Does(0, WaitFor));
    Perform(Release, FALSE);
    Perform(Release, FALSE);
    KTEST_CHECK(ExIsResourceAcquiredExclusiveLite(&Resource) && ExIsResourceAcquiredSharedLite(&Resource) == 1);
    KTEST_CHECK(!Does(0, Shared)); /* the shared acquisition was granted as an exclusive one */
    Perform(Release, FALSE);
    KTEST_CHECK(!ExIsResourceAcquiredExclusiveLite(&Resource) && ExIsResourceAcquiredSharedLite(&Resource) == 0);
    KTEST_CHECK(Does(0, Shared) && Does(0, Shared) && Does(0, Release));
    KTEST_CHECK(!Perform(Exclusive, FALSE));
    KTEST_CHECK(Does(0, Release) && Perform(Exclusive, FALSE));
    Perform(Release, FALSE);
    KTEST_CHECK(Resource.ContentionCount == 0);
    return NULL;
}

static PCSTR SceneSharedTogether(VOID)
{
    KTEST_CHECK(Perform(Shared, FALSE) && Does(0, Shared) && Does(1, Starve) && Does(2, WaitFor));
    KTEST_CHECK(!ExIsResourceAcquiredExclusiveLite(&Resource) && ExIsResourceAcquiredSharedLite(&Resource) == 1);
    KTEST_CHECK(Resource.ActiveEntries == 4);
    KTEST_CHECK(!Perform(Exclusive, FALSE)); /* owned shared, by the caller as well */
    KTEST_CHECK(Does(0, Release) && Does(1, Release) && Does(2, Release));
    KTEST_CHECK(!Perform(Exclusive, FALSE)); /* by the caller alone: still */
    Perform(Release, FALSE);
    return NULL;
}

static PCSTR SceneBehindExclusiveWaiter(VOID)
{
    KTEST_CHECK(Perform(Shared, FALSE) && Queues(0, Exclusive));
    KTEST_CHECK(ExGetExclusiveWaiterCount(&Resource) == 1 && ExGetSharedWaiterCount(&Resource) == 0);
    KTEST_CHECK(!Does(1, Shared) && !Does(1, WaitFor) && !Does(1, Exclusive)); /* not an owner: behind the waiter */
    KTEST_CHECK(Does(1, Starve));                                              /* past the waiter */
    KTEST_CHECK(Perform(Shared, FALSE));                                       /* an owner: granted */
    KTEST_CHECK(!Perform(WaitFor, FALSE));                                     /* an owner, and yet behind the waiter */
    KTEST_CHECK(Does(1, Shared));
    KTEST_CHECK(Queues(2, Shared) && ExGetSharedWaiterCount(&Resource) == 1);
    Perform(Release, FALSE);
    Perform(Release, FALSE);
    KTEST_CHECK(Does(1, Release));
    KTEST_CHECK(!IsDone(0, 20)); /* one shared acquisition is left */
    KTEST_CHECK(Does(1, Release));
    KTEST_CHECK(Arrives(0) && !IsDone(2, 20));
    KTEST_CHECK(Does(0, Release) && Arrives(2) && Does(2, Release));
    KTEST_CHECK(Resource.ContentionCount == 2);
    return NULL;
}

/* The caller that already shares waits behind the exclusive waiter, until another thread releases on its
   behalf. */
static PCSTR SceneWaitForExclusive(VOID)
{
    KTEST_CHECK(Does(0, Shared) && Queues(1, Exclusive) && Queues(0, WaitFor));
    KTEST_CHECK(!IsDone(0, 20) && !IsDone(1, 20));
    ExReleaseResourceForThreadLite(&Resource, (ERESOURCE_THREAD)Actors[0].Thread);
    KTEST_CHECK(Arrives(1) && !IsDone(0, 20));
    KTEST_CHECK(Does(1, Release) && Arrives(0) && Does(0, Release));
    return NULL;
}

/* After an exclusive owner all the shared waiters, after shared owners one exclusive waiter. */
static PCSTR SceneAlternation(VOID)
{
    KTEST_CHECK(Perform(Exclusive, FALSE));
    KTEST_CHECK(Queues(0, Exclusive) && Queues(1, Exclusive) && Queues(2, Shared) && Queues(3, Starve));
    KTEST_CHECK(ExGetExclusiveWaiterCount(&Resource) == 2 && ExGetSharedWaiterCount(&Resource) == 2);
    Perform(Release, FALSE);
    KTEST_CHECK(Arrives(2) && Arrives(3) && !IsDone(0, 20) && !IsDone(1, 0));
    KTEST_CHECK(Queues(4, Shared) && Does(2, Release) && Does(3, Release));
    KTEST_CHECK(Arrives(0) && !IsDone(1, 20) && !IsDone(4, 0)); /* the first of the exclusive ones */
    KTEST_CHECK(Does(0, Release) && Arrives(4) && !IsDone(1, 20));
    KTEST_CHECK(Does(4, Release) && Arrives(1) && Does(1, Release));
    KTEST_CHECK(Resource.ContentionCount == 5);
    return NULL;
}

static PCSTR SceneConversion(VOID)
{
    KTEST_CHECK(Perform(Exclusive, FALSE) && Perform(Exclusive, FALSE));
    KTEST_CHECK(Queues(0, Shared) && Queues(1, Shared) && Queues(2, Exclusive));
    Perform(Convert, FALSE);
    KTEST_CHECK(Arrives(0) && Arrives(1) && !IsDone(2, 20));
    KTEST_CHECK(!ExIsResourceAcquiredExclusiveLite(&Resource) && ExIsResourceAcquiredSharedLite(&Resource) == 2);
    KTEST_CHECK(Does(0, Release) && Does(1, Release));
    Perform(Release, FALSE);
    KTEST_CHECK(!IsDone(2, 20));
    Perform(Release, FALSE);
    KTEST_CHECK(Arrives(2) && Does(2, Release));
    return NULL;
}

static PCSTR SceneOwnerPointer(VOID)
{
    PVOID Owner = (PVOID)((ULONG_PTR)&Actors[0] | 3);
    KTEST_CHECK(Perform(Exclusive, FALSE));
    ExSetResourceOwnerPointer(&Resource, Owner);
    KTEST_CHECK(!ExIsResourceAcquiredExclusiveLite(&Resource) && ExIsResourceAcquiredSharedLite(&Resource) == 0);
    KTEST_CHECK(!Perform(Shared, FALSE) && !Does(0, Exclusive));
    ExReleaseResourceForThreadLite(&Resource, (ERESOURCE_THREAD)Owner);

    KTEST_CHECK(Perform(Shared, FALSE) && Perform(Shared, FALSE)); /* two and one: three for the same owner */
    ExSetResourceOwnerPointer(&Resource, Owner);
    KTEST_CHECK(Perform(Shared, FALSE));
    ExSetResourceOwnerPointer(&Resource, Owner);
    KTEST_CHECK(Resource.ActiveEntries == 1);
    for (ULONG i = 0; i < 3; i++) {
        KTEST_CHECK(!Does(0, Exclusive));
        ExReleaseResourceForThreadLite(&Resource, (ERESOURCE_THREAD)Owner);
    }
    KTEST_CHECK(Perform(Exclusive, FALSE));
    ExSetResourceOwnerPointerEx(&Resource, Actors[0].Thread, FLAG_OWNER_POINTER_IS_THREAD);
    KTEST_CHECK(!Perform(Shared, FALSE) && Does(0, Exclusive) && Does(0, Release) && Does(0, Release));
    return NULL;
}

static PCSTR SceneReinitialize(VOID)
{
    KTEST_CHECK(Perform(Exclusive, FALSE) && Queues(0, Shared));
    Perform(Release, FALSE);
    KTEST_CHECK(Arrives(0) && Does(0, Release) && Resource.ContentionCount == 1);
    KTEST_CHECK(ExReinitializeResourceLite(&Resource) == STATUS_SUCCESS && Resource.ContentionCount == 0);
    KTEST_CHECK(Does(0, Exclusive) && Does(0, Release));
    return NULL;
}

#if DBG
/* A second shared owner needs a table, for which there is no memory at first. */
static PCSTR SceneNoMemory(VOID)
{
    KTEST_CHECK(Does(0, Shared));
    PrimerFailAllocations(0, 1);
    BOOLEAN AtOnce = Perform(Shared, FALSE);
    KTEST_CHECK(PrimerFailAllocations(0, 2) == 1 && !AtOnce);
    BOOLEAN Later = Perform(Shared, TRUE);
    KTEST_CHECK(PrimerFailAllocations(0, 0) == 2 && Later);
    Perform(Release, FALSE);
    KTEST_CHECK(Does(0, Release));
    return NULL;
}
#endif

#define SCENE(Name)                                                                                                    \
    static PCSTR Test##Name(VOID)                                                                                      \
    {                                                                                                                  \
        return WithActors(Scene##Name);                                                                                \
    }
SCENE(Recursion)
SCENE(SharedTogether)
SCENE(BehindExclusiveWaiter)
SCENE(WaitForExclusive)
SCENE(Alternation)
SCENE(Conversion)
SCENE(OwnerPointer)
SCENE(Reinitialize)
#if DBG
SCENE(NoMemory)
#endif

/* ---- Alone ---- */

static PCSTR TestList(VOID)
{
    static ERESOURCE Second;
    KTEST_CHECK(ExInitializeResourceLite(&Resource) == STATUS_SUCCESS);
    KTEST_CHECK(ExInitializeResourceLite(&Second) == STATUS_SUCCESS);
    BOOLEAN Linked = Resource.SystemResourcesList.Flink == &Second.SystemResourcesList;
    KTEST_CHECK(ExDeleteResourceLite(&Second) == STATUS_SUCCESS);
    KTEST_CHECK(Linked && Resource.SystemResourcesList.Flink != &Second.SystemResourcesList);
    return NT_SUCCESS(ExDeleteResourceLite(&Resource)) ? NULL : "ExDeleteResourceLite";
}

/* The caller leaves the region in which system threads start, so as to see those of the calls. */
static VOID RegionThread(PVOID Context)
{
    BOOLEAN *Right = Context;
    KeLeaveCriticalRegion();
    Right[0] = !KeAreApcsDisabled();
    ExEnterCriticalRegionAndAcquireResourceExclusive(&Resource);
    ExEnterCriticalRegionAndAcquireResourceShared(&Resource);
    Right[1] = KeAreApcsDisabled() && ExIsResourceAcquiredSharedLite(&Resource) == 2 &&
               ExIsResourceAcquiredExclusiveLite(&Resource);
    ExReleaseResourceAndLeaveCriticalRegion(&Resource);
    Right[2] = KeAreApcsDisabled() && ExIsResourceAcquiredExclusiveLite(&Resource);
    ExReleaseResourceAndLeaveCriticalRegion(&Resource);
    ExEnterCriticalRegionAndAcquireSharedWaitForExclusive(&Resource);
    Right[3] = KeAreApcsDisabled() && ExIsResourceAcquiredSharedLite(&Resource) == 1;
    ExReleaseResourceAndLeaveCriticalRegion(&Resource);
    Right[4] = !KeAreApcsDisabled();
    KeEnterCriticalRegion();
}

static PCSTR TestRegions(VOID)
{
    BOOLEAN Right[5] = {FALSE};
    ExInitializeResourceLite(&Resource);
    PETHREAD Thread = KtestStart(RegionThread, Right);
    KTEST_CHECK(Thread != NULL);
    KtestJoin(Thread);
    ExDeleteResourceLite(&Resource);
    KTEST_CHECK(Right[0] && Right[1] && Right[2] && Right[3] && Right[4]);
    return NULL;
}

/* More owners than any first table holds: all are inside at once. */
#define OWNERS 40
static volatile LONG Inside, Most, Broken, Total;
static KEVENT Full;

static VOID OwnerThread(PVOID Context)
{
    ExAcquireResourceSharedLite(&Resource, TRUE);
    if (InterlockedIncrement(&Inside) == OWNERS) {
        Most = (LONG)Resource.ActiveEntries;
        KeSetEvent(&Full, IO_NO_INCREMENT, FALSE);
    }
    LARGE_INTEGER Limit = KtestMs(PATIENCE_MS);
    if (KeWaitForSingleObject(&Full, Executive, KernelMode, FALSE, &Limit) != STATUS_SUCCESS ||
        ExIsResourceAcquiredSharedLite(&Resource) != 1) {
        Broken = 1;
    }
    ExReleaseResourceLite(&Resource);
}

static PCSTR TestManyOwners(VOID)
{
    ExInitializeResourceLite(&Resource);
    KeInitializeEvent(&Full, NotificationEvent, FALSE);
    Inside = Most = Broken = 0;
    KTEST_CHECK(KtestCrowd(OWNERS, OwnerThread));
    KTEST_CHECK(!Broken && Most == OWNERS && Resource.ActiveEntries == 0);
    ExDeleteResourceLite(&Resource);
    return NULL;
}

/* Threads come in all ways: an exclusive owner is alone, and nobody is lost. */
#define CROWD  8
#define ROUNDS 1500
static volatile LONG Readers, Writers;

static VOID Read(VOID)
{
    InterlockedIncrement(&Readers);
    if (Writers != 0) {
        Broken = 1;
    }
    InterlockedDecrement(&Readers);
}

static VOID Write(VOID)
{
    LONG Value = Total;
    if (InterlockedIncrement(&Writers) != 1 || Readers != 0) {
        Broken = 1;
    }
    Total = Value + 1;
    InterlockedDecrement(&Writers);
}

static VOID MixedThread(PVOID Context)
{
    for (ULONG i = 0; i < ROUNDS; i++) {
        switch ((i + (ULONG)(ULONG_PTR)Context) % 4) {
        case 0:
            ExAcquireResourceExclusiveLite(&Resource, TRUE);
            Write();
            ExConvertExclusiveToSharedLite(&Resource);
            Read();
            break;
        case 1:
            ExAcquireResourceSharedLite(&Resource, TRUE);
            Read();
            break;
        case 2:
            ExAcquireSharedStarveExclusive(&Resource, TRUE);
            Read();
            break;
        default:
            while (!ExAcquireResourceExclusiveLite(&Resource, FALSE)) {
                KtestSleep(0);
            }
            Write();
        }
        ExReleaseResourceLite(&Resource);
    }
}

static PCSTR TestCrowd(VOID)
{
    ExInitializeResourceLite(&Resource);
    Total = Readers = Writers = Broken = 0;
    KTEST_CHECK(KtestCrowd(CROWD, MixedThread));
    KTEST_CHECK(!Broken && Total == CROWD * ROUNDS / 2);
    KTEST_CHECK(Resource.ActiveEntries == 0 && ExGetSharedWaiterCount(&Resource) == 0);
    ExDeleteResourceLite(&Resource);
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    KtestRun("resources.recursive-of-the-kind-it-has", TestRecursion);
    KtestRun("resources.shared-together", TestSharedTogether);
    KtestRun("resources.behind-an-exclusive-waiter", TestBehindExclusiveWaiter);
    KtestRun("resources.shared-wait-for-exclusive", TestWaitForExclusive);
    KtestRun("resources.kinds-alternate", TestAlternation);
    KtestRun("resources.convert-keeps-the-count-and-lets-shared-in", TestConversion);
    KtestRun("resources.owner-pointer", TestOwnerPointer);
    KtestRun("resources.reinitialize", TestReinitialize);
#if DBG
    KtestRun("resources.no-memory-for-an-owner", TestNoMemory);
#endif
    KtestRun("resources.list-of-all", TestList);
    KtestRun("resources.critical-regions-nest", TestRegions);
    KtestRun("resources.owner-table-grows", TestManyOwners);
    KtestRun("resources.crowd", TestCrowd);
    return STATUS_SUCCESS;
}
