/* SPDX-License-Identifier: MIT */
/*
 * Executive resources: locks for one exclusive owner or several shared ones, who may acquire them again, and
 * whom anybody may ask about.
 *
 * Each resource has a list of owners with their counts: OwnerEntry first, then OwnerTable, which grows.
 * Waiters stand in two queues, first come first served in each. Whoever makes the resource free hands it on
 * before it unlocks: the owner entries of those who get it are made on their behalf, and they are woken as
 * owners. An exclusive owner is followed by all the shared waiters if there are any, shared owners by the
 * first exclusive one: so the kinds alternate, and neither waits for ever behind the other.
 *
 * The owner table is enlarged by those who will need an entry, before they queue: ActiveEntries and
 * NumberOfSharedWaiters together never exceed the number of entries. When there is no memory for a larger
 * table, a shared request with Wait FALSE fails, and one with Wait TRUE sleeps for some milliseconds and
 * tries again.
 *
 * Locks: Resource->SpinLock guards the resource. ExpResourceListLock (KlcExecutive) guards the list of all
 * resources, and is never held together with one of those.
 */
#include "kernel/ex/ex.h"
#include "kernel/kd/kd.h"
#include "kernel/rtl/export.h"
#include "sync/held.h"

#define EXP_RESOURCE_TAG       'seRE'
#define EXP_FIRST_TABLE_SIZE   4  /* entries; each new table has twice as many */
#define EXP_MEMORY_PAUSE_MS    10
#define EXP_OWNER_IS_NO_THREAD 3

typedef enum _EXP_REQUEST {
    RequestExclusive,
    RequestShared,
    RequestSharedStarveExclusive,
    RequestSharedWaitForExclusive,
} EXP_REQUEST;

/* On the waiting thread's stack. */
typedef struct _EXP_RESOURCE_WAITER {
    struct _EXP_RESOURCE_WAITER *Next; /* (SpinLock) the circle; then the chain of those who are woken */
    ERESOURCE_THREAD Thread;
    const void *Place;
    KEVENT Granted;
} EXP_RESOURCE_WAITER, *PEXP_RESOURCE_WAITER;

static KLOCK ExpResourceListLock = KLOCK_INITIALIZER(KlcExecutive);
LIST_ENTRY ExpSystemResourcesList = {&ExpSystemResourcesList, &ExpSystemResourcesList};

/* ---- Owners. Resource locked ---- */

static bool ExpIsExclusive(PERESOURCE Resource)
{
    return (Resource->Flag & ResourceOwnedExclusive) != 0;
}

static ULONG ExpTableSize(PERESOURCE Resource)
{
    return Resource->OwnerTable != NULL ? Resource->OwnerTable[0].TableSize : 0;
}

/* How many owners there is room for: the first entry of the table holds its size. */
static ULONG ExpCapacity(PERESOURCE Resource)
{
    ULONG Size = ExpTableSize(Resource);
    return Size != 0 ? Size : 1;
}

/* The entry of an owner; with Thread 0 a free one. NULL: there is none. */
static POWNER_ENTRY ExpFindOwner(PERESOURCE Resource, ERESOURCE_THREAD Thread)
{
    if (Resource->OwnerEntry.OwnerThread == Thread) {
        return &Resource->OwnerEntry;
    }
    for (ULONG i = 1; i < ExpTableSize(Resource); i++) {
        if (Resource->OwnerTable[i].OwnerThread == Thread) {
            return &Resource->OwnerTable[i];
        }
    }
    return NULL;
}

static void ExpAddOwner(PERESOURCE Resource, ERESOURCE_THREAD Thread, bool Exclusive, const void *Place)
{
    POWNER_ENTRY Entry = ExpFindOwner(Resource, Thread);

    if (Entry == NULL) {
        Entry = ExpFindOwner(Resource, 0);
        KI_ASSERT(Entry != NULL, "no entry for a new owner of resource %p, %u owners", Resource, Resource->ActiveEntries);
        Entry->OwnerThread = Thread;
        Entry->OwnerCount = 0;
        Resource->ActiveEntries++;
        KiNoteBlockingAcquired((PKTHREAD)Thread, Resource, KbkResource, !Exclusive, Place);
    }
    Entry->OwnerCount++;
    Resource->ActiveCount = 1;
    if (Exclusive) {
        Resource->Flag |= ResourceOwnedExclusive;
    }
}

static void ExpForgetOwner(PERESOURCE Resource, POWNER_ENTRY Entry, const void *Place)
{
    if ((Entry->OwnerThread & EXP_OWNER_IS_NO_THREAD) == 0) {
        KiNoteBlockingRelease((PKTHREAD)Entry->OwnerThread, Resource, KbkResource, NULL, Place);
    }
    Entry->OwnerThread = 0;
    Entry->OwnerCount = 0;
    Resource->ActiveEntries--;
}

/* ---- Waiters. Resource locked ---- */

static void ExpQueueWaiter(PVOID *Queue, PEXP_RESOURCE_WAITER Waiter)
{
    PEXP_RESOURCE_WAITER Last = *Queue;

    Waiter->Next = Last != NULL ? Last->Next : Waiter;
    if (Last != NULL) {
        Last->Next = Waiter;
    }
    *Queue = Waiter;
}

static PEXP_RESOURCE_WAITER ExpDequeueWaiter(PVOID *Queue)
{
    PEXP_RESOURCE_WAITER Last = *Queue, First = Last->Next;

    if (First == Last) {
        *Queue = NULL;
    } else {
        Last->Next = First->Next;
    }
    First->Next = NULL;
    return First;
}

/* All the shared waiters become owners. Returns the chain of those to be woken, in their order. */
static PEXP_RESOURCE_WAITER ExpGrantShared(PERESOURCE Resource)
{
    PEXP_RESOURCE_WAITER Chain = NULL, *End = &Chain;

    while (Resource->SharedWaiters != NULL) {
        PEXP_RESOURCE_WAITER Waiter = ExpDequeueWaiter(&Resource->SharedWaiters);
        Resource->NumberOfSharedWaiters--;
        ExpAddOwner(Resource, Waiter->Thread, false, Waiter->Place);
        *End = Waiter;
        End = &Waiter->Next;
    }
    return Chain;
}

static PEXP_RESOURCE_WAITER ExpGrantExclusive(PERESOURCE Resource)
{
    if (Resource->ExclusiveWaiters == NULL) {
        return NULL;
    }
    PEXP_RESOURCE_WAITER Waiter = ExpDequeueWaiter(&Resource->ExclusiveWaiters);
    Resource->NumberOfExclusiveWaiters--;
    ExpAddOwner(Resource, Waiter->Thread, true, Waiter->Place);
    return Waiter;
}

/* The last owner has gone: the waiters of the other kind first. */
static PEXP_RESOURCE_WAITER ExpHandOn(PERESOURCE Resource)
{
    bool WasExclusive = ExpIsExclusive(Resource);

    Resource->ActiveCount = 0;
    Resource->Flag &= (USHORT)~ResourceOwnedExclusive;
    PEXP_RESOURCE_WAITER Chain = WasExclusive ? ExpGrantShared(Resource) : ExpGrantExclusive(Resource);
    if (Chain == NULL) {
        Chain = WasExclusive ? ExpGrantExclusive(Resource) : ExpGrantShared(Resource);
    }
    return Chain;
}

/* Not locked any more: the resource may be gone as soon as the first of the new owners runs. */
static void ExpWakeResourceWaiters(PEXP_RESOURCE_WAITER Chain)
{
    while (Chain != NULL) {
        PEXP_RESOURCE_WAITER Next = Chain->Next; /* its stack frame may go with the signal */
        KeSetEvent(&Chain->Granted, EVENT_INCREMENT, FALSE);
        Chain = Next;
    }
}

/* ---- Acquiring ---- */

/* May the request be granted now? Mine: the caller's entry, or NULL. */
static bool ExpMayAcquire(PERESOURCE Resource, EXP_REQUEST Request, POWNER_ENTRY Mine)
{
    if (Resource->ActiveEntries == 0) {
        return true;
    }
    if (ExpIsExclusive(Resource)) {
        return Mine != NULL;
    }
    switch (Request) {
    case RequestShared:
        return Mine != NULL || Resource->ExclusiveWaiters == NULL;
    case RequestSharedStarveExclusive:
        return true;
    case RequestSharedWaitForExclusive:
        return Resource->ExclusiveWaiters == NULL;
    default:
        return false;
    }
}

/* Makes room for one owner more than there was when Size was read. False: no memory. Not locked. */
static bool ExpGrowTable(PERESOURCE Resource, ULONG Size)
{
    KIRQL Irql;
    ULONG NewSize = Size != 0 ? 2 * Size : EXP_FIRST_TABLE_SIZE;
    POWNER_ENTRY New = ExAllocatePool2(POOL_FLAG_NON_PAGED, NewSize * sizeof(OWNER_ENTRY), EXP_RESOURCE_TAG);

    if (New == NULL) {
        return false;
    }
    KeAcquireSpinLock(&Resource->SpinLock, &Irql);
    POWNER_ENTRY Unused = New;
    if (ExpTableSize(Resource) == Size) { /* nobody else was faster */
        Unused = Resource->OwnerTable;
        if (Size != 0) {
            RtlCopyMemory(New, Unused, Size * sizeof(OWNER_ENTRY));
        }
        New[0].TableSize = NewSize;
        Resource->OwnerTable = New;
    }
    KeReleaseSpinLock(&Resource->SpinLock, Irql);
    if (Unused != NULL) {
        ExFreePoolWithTag(Unused, EXP_RESOURCE_TAG);
    }
    return true;
}

/* Memory for another shared owner is needed. False: the request fails. */
static bool ExpFindRoom(PERESOURCE Resource, ULONG Size, BOOLEAN Wait)
{
    LARGE_INTEGER Pause = {.QuadPart = -EXP_MEMORY_PAUSE_MS * 10000};

    if (ExpGrowTable(Resource, Size)) {
        return true;
    }
    if (Wait) {
        KeDelayExecutionThread(KernelMode, FALSE, &Pause);
    }
    return Wait;
}

typedef enum _EXP_OUTCOME { OutcomeGranted, OutcomeRefused, OutcomeQueued, OutcomeNoRoom } EXP_OUTCOME;

/* One attempt at a request, under the lock. *Size: of the table, for OutcomeNoRoom. */
static EXP_OUTCOME ExpTryRequest(PERESOURCE Resource, EXP_REQUEST Request, BOOLEAN Wait, PEXP_RESOURCE_WAITER Waiter,
                                 PULONG Size)
{
    KIRQL Irql;
    EXP_OUTCOME Outcome;
    bool Exclusive = Request == RequestExclusive;

    KeAcquireSpinLock(&Resource->SpinLock, &Irql);
    POWNER_ENTRY Mine = ExpFindOwner(Resource, Waiter->Thread);
    bool Free = ExpMayAcquire(Resource, Request, Mine);
    if (!Free && !Wait) {
        Outcome = OutcomeRefused;
    } else if (!Exclusive && !(Free && Mine != NULL) &&
               Resource->ActiveEntries + Resource->NumberOfSharedWaiters >= ExpCapacity(Resource)) {
        *Size = ExpTableSize(Resource);
        Outcome = OutcomeNoRoom;
    } else if (Free) {
        ExpAddOwner(Resource, Waiter->Thread, Exclusive, Waiter->Place);
        Outcome = OutcomeGranted;
    } else {
        if (Exclusive && Mine != NULL) {
            KiNoteBlockingAcquire(Resource, KbkResource, Waiter->Place); /* it would wait for itself */
        }
        ExpQueueWaiter(Exclusive ? &Resource->ExclusiveWaiters : &Resource->SharedWaiters, Waiter);
        *(Exclusive ? &Resource->NumberOfExclusiveWaiters : &Resource->NumberOfSharedWaiters) += 1;
        Resource->ContentionCount++;
        Outcome = OutcomeQueued;
    }
    KeReleaseSpinLock(&Resource->SpinLock, Irql);
    return Outcome;
}

static BOOLEAN ExpAcquireResource(PERESOURCE Resource, EXP_REQUEST Request, BOOLEAN Wait, const void *Place)
{
    EXP_RESOURCE_WAITER Waiter = {.Thread = ExGetCurrentResourceThread(), .Place = Place};
    ULONG Size;
    EXP_OUTCOME Outcome;

    KiCheckApcsOff(Resource, KbkResource, Place);
#if DBG
    if (Wait && !KiHoldsBlocking(KeGetCurrentThread(), Resource)) {
        KiNoteBlockingAcquire(Resource, KbkResource, Place);
    }
#endif
    KeInitializeEvent(&Waiter.Granted, SynchronizationEvent, FALSE);
    do {
        Outcome = ExpTryRequest(Resource, Request, Wait, &Waiter, &Size);
    } while (Outcome == OutcomeNoRoom && ExpFindRoom(Resource, Size, Wait));
    if (Outcome == OutcomeQueued) {
        KeWaitForSingleObject(&Waiter.Granted, WrResource, KernelMode, FALSE, NULL);
    }
    return Outcome == OutcomeGranted || Outcome == OutcomeQueued;
}

/*
 * The four ways of acquiring a resource return TRUE when the caller owns it, FALSE when that would have had
 * to wait and Wait is FALSE. An exclusive owner is granted whatever it asks for, and stays exclusive; each
 * acquisition needs a release. Normal kernel APCs are off from before the acquisition until after the
 * release. <= APC_LEVEL; may block.
 *
 * Exclusive: granted when nobody owns it. A caller that owns it shared gets FALSE, or with Wait TRUE waits
 * for itself, which a debug build stops with a bug check. (WDK page ExAcquireResourceExclusiveLite)
 */
BOOLEAN ExAcquireResourceExclusiveLite(PERESOURCE Resource, BOOLEAN Wait)
{
    return ExpAcquireResource(Resource, RequestExclusive, Wait, KI_CALLER());
}
EXPORT(ExAcquireResourceExclusiveLite);

/* The same with Wait FALSE. (WDK page of the name) */
BOOLEAN ExTryToAcquireResourceExclusiveLite(PERESOURCE Resource)
{
    return ExpAcquireResource(Resource, RequestExclusive, FALSE, KI_CALLER());
}
EXPORT(ExTryToAcquireResourceExclusiveLite);

/* Shared: with others who own it shared, but not past queued exclusive waiters, unless the caller owns it
   already. (WDK page ExAcquireResourceSharedLite) */
BOOLEAN ExAcquireResourceSharedLite(PERESOURCE Resource, BOOLEAN Wait)
{
    return ExpAcquireResource(Resource, RequestShared, Wait, KI_CALLER());
}
EXPORT(ExAcquireResourceSharedLite);

/* The same past queued exclusive waiters. (WDK page ExAcquireSharedStarveExclusive) */
BOOLEAN ExAcquireSharedStarveExclusive(PERESOURCE Resource, BOOLEAN Wait)
{
    return ExpAcquireResource(Resource, RequestSharedStarveExclusive, Wait, KI_CALLER());
}
EXPORT(ExAcquireSharedStarveExclusive);

/* The same, but behind queued exclusive waiters even if the caller owns it shared: with Wait TRUE it then
   waits for itself, unless another thread releases on its behalf. (WDK page
   ExAcquireSharedWaitForExclusive) */
BOOLEAN ExAcquireSharedWaitForExclusive(PERESOURCE Resource, BOOLEAN Wait)
{
    return ExpAcquireResource(Resource, RequestSharedWaitForExclusive, Wait, KI_CALLER());
}
EXPORT(ExAcquireSharedWaitForExclusive);

/* ---- Releasing ---- */

static NORETURN void ExpNotOwned(PERESOURCE Resource, ERESOURCE_THREAD Thread)
{
    KdBugCheck(RESOURCE_NOT_OWNED, (ULONG64)Resource, Thread, (ULONG64)Resource->OwnerTable, 0, NULL,
               "thread %p does not own resource %p (first owner: %p, %u owners)", (PVOID)Thread, Resource,
               (PVOID)Resource->OwnerEntry.OwnerThread, Resource->ActiveEntries);
}

/* Takes back one acquisition of an owner; false when Thread is none. */
static bool ExpReleaseResource(PERESOURCE Resource, ERESOURCE_THREAD Thread, const void *Place)
{
    KIRQL Irql;
    PEXP_RESOURCE_WAITER Chain = NULL;

    KeAcquireSpinLock(&Resource->SpinLock, &Irql);
    POWNER_ENTRY Entry = Thread != 0 ? ExpFindOwner(Resource, Thread) : NULL;
    if (Entry != NULL && --Entry->OwnerCount == 0) {
        ExpForgetOwner(Resource, Entry, Place);
        if (Resource->ActiveEntries == 0) {
            Chain = ExpHandOn(Resource);
        }
    }
    KeReleaseSpinLock(&Resource->SpinLock, Irql);
    ExpWakeResourceWaiters(Chain);
    return Entry != NULL;
}

/* Takes back one of the caller's acquisitions, whichever its kind. Bug check RESOURCE_NOT_OWNED when the
   calling thread owns nothing. <= DISPATCH_LEVEL. (WDK page of the name) */
VOID ExReleaseResourceLite(PERESOURCE Resource)
{
    if (!ExpReleaseResource(Resource, ExGetCurrentResourceThread(), KI_CALLER())) {
        ExpNotOwned(Resource, ExGetCurrentResourceThread());
    }
}
EXPORT(ExReleaseResourceLite);

/* The same for another owner: a thread, or what ExSetResourceOwnerPointer has put in a thread's place. Bug
   check ERESOURCE_INVALID_RELEASE when that is no owner. <= DISPATCH_LEVEL. (WDK page of the name) */
VOID ExReleaseResourceForThreadLite(PERESOURCE Resource, ERESOURCE_THREAD ResourceThreadId)
{
    if (!ExpReleaseResource(Resource, ResourceThreadId, KI_CALLER())) {
        KdBugCheck(ERESOURCE_INVALID_RELEASE, (ULONG64)Resource, (ULONG64)KeGetCurrentThread(), ResourceThreadId, 0, NULL,
                   "resource %p released for %p, which does not own it", Resource, (PVOID)ResourceThreadId);
    }
}
EXPORT(ExReleaseResourceForThreadLite);

/* The exclusive owner becomes a shared one with the same count, and all the shared waiters join it. Bug check
   RESOURCE_NOT_OWNED when the caller is not the exclusive owner. <= DISPATCH_LEVEL. (WDK page of the name) */
VOID ExConvertExclusiveToSharedLite(PERESOURCE Resource)
{
    KIRQL Irql;

    KeAcquireSpinLock(&Resource->SpinLock, &Irql);
    if (!ExpIsExclusive(Resource) || ExpFindOwner(Resource, ExGetCurrentResourceThread()) == NULL) {
        ExpNotOwned(Resource, ExGetCurrentResourceThread());
    }
    Resource->Flag &= (USHORT)~ResourceOwnedExclusive;
    KiNoteBlockingShared(KeGetCurrentThread(), Resource);
    PEXP_RESOURCE_WAITER Chain = ExpGrantShared(Resource);
    KeReleaseSpinLock(&Resource->SpinLock, Irql);
    ExpWakeResourceWaiters(Chain);
}
EXPORT(ExConvertExclusiveToSharedLite);

/*
 * What the calling thread owns is OwnerPointer's from now on, and released by ExReleaseResourceForThreadLite
 * alone. It is a pointer with its two lowest bits set, or, with FLAG_OWNER_POINTER_IS_THREAD, a thread.
 * Acquisitions that OwnerPointer has already are added. Bug check RESOURCE_NOT_OWNED when the caller owns
 * nothing. <= DISPATCH_LEVEL. (WDK pages of the names)
 */
VOID ExSetResourceOwnerPointerEx(PERESOURCE Resource, PVOID OwnerPointer, ULONG Flags)
{
    KIRQL Irql;
    const void *Place = KI_CALLER();
    ERESOURCE_THREAD New = (ERESOURCE_THREAD)OwnerPointer, Old = ExGetCurrentResourceThread();

    KI_ASSERT((New & EXP_OWNER_IS_NO_THREAD) == (Flags & FLAG_OWNER_POINTER_IS_THREAD ? 0 : EXP_OWNER_IS_NO_THREAD),
              "owner %p, flags %x", OwnerPointer, Flags);
    KeAcquireSpinLock(&Resource->SpinLock, &Irql);
    POWNER_ENTRY Mine = ExpFindOwner(Resource, Old);
    if (Mine == NULL) {
        ExpNotOwned(Resource, Old);
    }
    if (New != Old) {
        ULONG Count = Mine->OwnerCount;
        POWNER_ENTRY Theirs = ExpFindOwner(Resource, New);
        ExpForgetOwner(Resource, Mine, Place);
        if (Theirs == NULL) {
            Theirs = Mine;
            Theirs->OwnerThread = New;
            Resource->ActiveEntries++;
            if (Flags & FLAG_OWNER_POINTER_IS_THREAD) {
                KiNoteBlockingAcquired((PKTHREAD)New, Resource, KbkResource, !ExpIsExclusive(Resource), Place);
            }
        }
        Theirs->OwnerCount += Count;
    }
    KeReleaseSpinLock(&Resource->SpinLock, Irql);
}
EXPORT(ExSetResourceOwnerPointerEx);

/* The same for a pointer that is no thread. (WDK page of the name) */
VOID ExSetResourceOwnerPointer(PERESOURCE Resource, PVOID OwnerPointer)
{
    ExSetResourceOwnerPointerEx(Resource, OwnerPointer, 0);
}
EXPORT(ExSetResourceOwnerPointer);

/* ---- Together with a critical region ---- */

/* Acquire, waiting if need be, in a critical region that the counterpart leaves; the regions nest with the
   calls. The result means nothing to a driver. <= APC_LEVEL. (WDK pages of the names) */
PVOID ExEnterCriticalRegionAndAcquireResourceExclusive(PERESOURCE Resource)
{
    KeEnterCriticalRegion();
    ExpAcquireResource(Resource, RequestExclusive, TRUE, KI_CALLER());
    return NULL;
}
EXPORT(ExEnterCriticalRegionAndAcquireResourceExclusive);

/* The same in shared mode. (WDK page of the name) */
PVOID ExEnterCriticalRegionAndAcquireResourceShared(PERESOURCE Resource)
{
    KeEnterCriticalRegion();
    ExpAcquireResource(Resource, RequestShared, TRUE, KI_CALLER());
    return NULL;
}
EXPORT(ExEnterCriticalRegionAndAcquireResourceShared);

/* The same behind queued exclusive waiters. (WDK page of the name) */
PVOID ExEnterCriticalRegionAndAcquireSharedWaitForExclusive(PERESOURCE Resource)
{
    KeEnterCriticalRegion();
    ExpAcquireResource(Resource, RequestSharedWaitForExclusive, TRUE, KI_CALLER());
    return NULL;
}
EXPORT(ExEnterCriticalRegionAndAcquireSharedWaitForExclusive);

/* Releases once, and leaves the critical region of the acquisition. (WDK page of the name) */
VOID ExReleaseResourceAndLeaveCriticalRegion(PERESOURCE Resource)
{
    ExReleaseResourceLite(Resource);
    KeLeaveCriticalRegion();
}
EXPORT(ExReleaseResourceAndLeaveCriticalRegion);

/* ---- Questions ---- */

/* How often the calling thread owns it, exclusive acquisitions included. <= DISPATCH_LEVEL. (WDK page of the
   name) */
ULONG ExIsResourceAcquiredSharedLite(PERESOURCE Resource)
{
    KIRQL Irql;

    KeAcquireSpinLock(&Resource->SpinLock, &Irql);
    POWNER_ENTRY Mine = ExpFindOwner(Resource, ExGetCurrentResourceThread());
    ULONG Count = Mine != NULL ? Mine->OwnerCount : 0;
    KeReleaseSpinLock(&Resource->SpinLock, Irql);
    return Count;
}
EXPORT(ExIsResourceAcquiredSharedLite);

/* Does the calling thread own it exclusively? If it does, nobody changes that meanwhile, and no lock is
   needed. <= DISPATCH_LEVEL. (WDK page of the name) */
BOOLEAN ExIsResourceAcquiredExclusiveLite(PERESOURCE Resource)
{
    return ExpIsExclusive(Resource) && Resource->OwnerEntry.OwnerThread == ExGetCurrentResourceThread();
}
EXPORT(ExIsResourceAcquiredExclusiveLite);

/* How many threads wait; out of date as soon as it is read. (WDK pages of the names) */
ULONG ExGetExclusiveWaiterCount(PERESOURCE Resource)
{
    return *(volatile ULONG *)&Resource->NumberOfExclusiveWaiters;
}
EXPORT(ExGetExclusiveWaiterCount);

/* How many threads wait for shared access. (WDK page of the name) */
ULONG ExGetSharedWaiterCount(PERESOURCE Resource)
{
    return *(volatile ULONG *)&Resource->NumberOfSharedWaiters;
}
EXPORT(ExGetSharedWaiterCount);

/* Does nothing. Differs: owners are never boosted on behalf of those who wait for them; instead the scheduler
   lifts any thread that is kept from running for seconds. <= DISPATCH_LEVEL; does not block. (WDK page of the
   name) */
VOID ExDisableResourceBoostLite(PERESOURCE Resource)
{
}
EXPORT(ExDisableResourceBoostLite);

/* ---- Life ---- */

/* Makes a free resource in resident memory of the caller's, and enters it in the list of all. STATUS_SUCCESS.
   <= DISPATCH_LEVEL. (WDK page of the name) */
NTSTATUS ExInitializeResourceLite(PERESOURCE Resource)
{
    KiNoteInitialize(Resource);
    RtlZeroMemory(Resource, sizeof(*Resource));
    KeInitializeSpinLock(&Resource->SpinLock);
    Resource->Address = (PVOID)KI_CALLER();
    KIRQL Irql = KeAcquireLock(&ExpResourceListLock);
    InsertTailList(&ExpSystemResourcesList, &Resource->SystemResourcesList);
    KeReleaseLock(&ExpResourceListLock, Irql);
    return STATUS_SUCCESS;
}
EXPORT(ExInitializeResourceLite);

/* Nobody owns it any more, nor waits for it: as it was after ExInitializeResourceLite, at less cost than
   deleting and making it anew. STATUS_SUCCESS. <= DISPATCH_LEVEL. (WDK page of the name) */
NTSTATUS ExReinitializeResourceLite(PERESOURCE Resource)
{
    KI_ASSERT(Resource->ActiveEntries == 0 && Resource->ExclusiveWaiters == NULL, "resource %p has %u owners", Resource,
              Resource->ActiveEntries);
    Resource->Flag = 0;
    Resource->ContentionCount = 0;
    return STATUS_SUCCESS;
}
EXPORT(ExReinitializeResourceLite);

/* Takes a resource, which nobody owns nor waits for, off the list: its memory may go. STATUS_SUCCESS.
   <= DISPATCH_LEVEL. (WDK page of the name) */
NTSTATUS ExDeleteResourceLite(PERESOURCE Resource)
{
    KI_ASSERT(Resource->ActiveEntries == 0 && Resource->ExclusiveWaiters == NULL,
              "resource %p is deleted while it has %u owners", Resource, Resource->ActiveEntries);
    KIRQL Irql = KeAcquireLock(&ExpResourceListLock);
    RemoveEntryList(&Resource->SystemResourcesList);
    KeReleaseLock(&ExpResourceListLock, Irql);
    if (Resource->OwnerTable != NULL) {
        ExFreePoolWithTag(Resource->OwnerTable, EXP_RESOURCE_TAG);
        Resource->OwnerTable = NULL;
    }
    return STATUS_SUCCESS;
}
EXPORT(ExDeleteResourceLite);
