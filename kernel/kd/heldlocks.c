/* SPDX-License-Identifier: MIT */
/*
 * The lists of held locks (locks.h), and what is checked at each acquisition and release. Debug builds only.
 */
#include "kernel/kd/kdp.h"
#include "kernel/rtl/rtl.h"

#if DBG

/* ---- All lists ---- */

volatile UCHAR KdpListLock; /* guards KdpLists */
LIST_ENTRY KdpLists = {&KdpLists, &KdpLists};

void KdInitializeLockList(KD_LOCK_LIST *List, KD_LOCK *Entries, ULONG Size, PKTHREAD Owner, ULONG Processor)
{
    List->Entry = Entries;
    List->Size = Size;
    List->Owner = Owner;
    List->Processor = Processor;
}

/* A list appears among the others with its first lock: most threads never hold one. */
static void KdpEnlist(KD_LOCK_LIST *List)
{
    bool Enabled = KdpAcquireRaw(&KdpListLock);
    InsertTailList(&KdpLists, &List->Links);
    List->Listed = TRUE;
    KdpReleaseRaw(&KdpListLock, Enabled);
}

void KdForgetLockList(KD_LOCK_LIST *List)
{
    if (List->Listed) {
        bool Enabled = KdpAcquireRaw(&KdpListLock);
        RemoveEntryList(&List->Links);
        List->Listed = FALSE;
        KdpReleaseRaw(&KdpListLock, Enabled);
    }
}

/* ---- References that travel ---- */

/* Run-down protection may be released by another thread than the one that acquired it. Of such an object
   nobody can say who holds it: from the first time on its holders are not believed. A bit for each of a few
   groups of objects. */
#define KDP_TRAVEL_GROUPS 1024
static ULONG64 KdpTravels[KDP_TRAVEL_GROUPS / 64];

static ULONG KdpTravelGroup(const void *Lock)
{
    return (ULONG)((ULONG64)Lock * 0x9e3779b97f4a7c15ULL >> 32) % KDP_TRAVEL_GROUPS;
}

void KdLockTravels(const void *Lock)
{
    ULONG Group = KdpTravelGroup(Lock);
    __atomic_fetch_or(&KdpTravels[Group / 64], 1ULL << Group % 64, __ATOMIC_RELAXED);
}

static bool KdpTravelsAround(const void *Lock)
{
    ULONG Group = KdpTravelGroup(Lock);
    return (KdpTravels[Group / 64] >> Group % 64 & 1) != 0;
}

bool KdpIsBelieved(const KD_LOCK *Entry)
{
    return !(Entry->Class->Flags & KD_CLASS_COUNTED) || !KdpTravelsAround((const void *)Entry->Lock);
}

/* ---- Entries ---- */

/* The compiler keeps the order of the stores around this; an interrupt on the same processor sees no
   other. */
#define KDP_BARRIER() __atomic_signal_fence(__ATOMIC_SEQ_CST)

/* The entry belongs to whoever has counted it, before anything is written to it. */
static inline void KdpPush(KD_LOCK_LIST *List, const void *Lock, KD_LOCK_CLASS *Class, ULONG Flags,
                           const void *Frame)
{
    ULONG Slot = List->Count;
    if (Slot == List->Size) {
        if (Class->Flags & KD_CLASS_COUNTED) {
            KdLockTravels(Lock);
        } else {
            List->Lost++;
        }
        return;
    }
    if (!List->Listed) {
        KdpEnlist(List);
    }
    KD_LOCK *Entry = &List->Entry[Slot];
    List->Count = Slot + 1;
    KDP_BARRIER();
    Entry->Class = Class;
    Entry->Flags = (UCHAR)Flags;
    Entry->Depth = 0;
    Entry->Sequence = ++List->Sequence;
    KdpCapturePlace(Entry->Place, KD_LOCK_FRAMES, Frame);
    KDP_BARRIER();
    Entry->Lock = Lock;
}

/* The newest entry of the lock that is waited for, or that is held. */
static inline KD_LOCK *KdpFind(KD_LOCK_LIST *List, const void *Lock, bool Waiting)
{
    for (ULONG i = List->Count; i > 0; i--) {
        KD_LOCK *Entry = &List->Entry[i - 1];
        if (Entry->Lock == Lock && ((Entry->Flags & KD_LOCK_WAITING) != 0) == Waiting) {
            return Entry;
        }
    }
    return NULL;
}

/* Moves the entries above one down. An interrupt meanwhile sees a lock twice at worst. */
static void KdpClose(KD_LOCK_LIST *List, KD_LOCK *Entry)
{
    for (KD_LOCK *Last = &List->Entry[List->Count - 1]; Entry < Last; Entry++) {
        const void *Lock = Entry[1].Lock;
        Entry->Lock = NULL;
        KDP_BARRIER();
        memcpy((UCHAR *)Entry + sizeof(Entry->Lock), (UCHAR *)(Entry + 1) + sizeof(Entry->Lock),
               sizeof(*Entry) - sizeof(Entry->Lock));
        KDP_BARRIER();
        Entry->Lock = Lock;
    }
}

static inline void KdpRemove(KD_LOCK_LIST *List, KD_LOCK *Entry)
{
    ULONG Last = List->Count - 1;
    if (Entry != &List->Entry[Last]) {
        KdpClose(List, Entry);
    }
    List->Entry[Last].Lock = NULL;
    KDP_BARRIER();
    List->Count = Last;
}

/* A processor's list is only ever used by itself. */
static bool KdpLockList(KD_LOCK_LIST *List)
{
    return List->Owner != NULL && KdpAcquireRaw(&List->Locked);
}

static void KdpUnlockList(KD_LOCK_LIST *List, bool Enabled)
{
    if (List->Owner != NULL) {
        KdpReleaseRaw(&List->Locked, Enabled);
    }
}

ULONG KdLocksHeld(const KD_LOCK_LIST *List)
{
    ULONG Held = List->Lost;
    for (ULONG i = 0; i < List->Count; i++) {
        const KD_LOCK *Entry = &List->Entry[i];
        if (Entry->Lock != NULL && !(Entry->Flags & KD_LOCK_WAITING) && !(Entry->Class->Flags & (KD_CLASS_COUNTED | KD_CLASS_RECURSIVE))) {
            Held++;
        }
    }
    return Held;
}

bool KdLockIsHeld(KD_LOCK_LIST *List, const void *Lock)
{
    bool Enabled = KdpLockList(List);
    bool Held = KdpFind(List, Lock, false) != NULL;
    KdpUnlockList(List, Enabled);
    return Held;
}

/* ---- Acquisition ---- */

/* A lock is wanted on top of one whose rank is not lower. */
static void KdpCheckRank(KD_LOCK_LIST *List, KD_LOCK *Held, const void *Lock, KD_LOCK_CLASS *Class,
                         const void *Frame)
{
    char Name[KD_NAME_SIZE], HeldName[KD_NAME_SIZE];

    if (Held->Class->Rank == Class->Rank) {
        if (Class->Flags & Held->Class->Flags & KD_CLASS_ORDERED) {
            KdpCheckOrder(Held, Lock, Class, Frame);
            return;
        }
        if ((Class->Flags & KD_CLASS_COUNTED) || (Held->Class->Flags & KD_CLASS_COUNTED) ||
            ((Class->Flags & KD_CLASS_ADDRESS) && Held->Lock < Lock)) {
            return;
        }
    }
    KdBugCheck(LOCK_ORDER_VIOLATION, (ULONG64)Lock, (ULONG64)Held->Lock, Held->Place[0], List->Processor, NULL,
               "lock '%s' (rank %d) %s acquired while holding '%s' (rank %d) %s", Class->Name, Class->Rank,
               KdName(Lock, Name, sizeof(Name)), Held->Class->Name, Held->Class->Rank,
               KdName((const void *)Held->Lock, HeldName, sizeof(HeldName)));
}

/* What is waited for in the list was interrupted, and waits on. */
static inline bool KdpMayWant(KD_LOCK_LIST *List, const void *Lock, KD_LOCK_CLASS *Class, ULONG Flags,
                              const void *Frame)
{
    ULONG Count = List->Count;
    for (ULONG i = 0; i < Count; i++) {
        KD_LOCK *Held = &List->Entry[i];
        if (Held->Lock == NULL || (Held->Flags & KD_LOCK_WAITING)) {
            continue;
        }
        if (Held->Lock == Lock) {
            if (!(Class->Flags & (KD_CLASS_COUNTED | KD_CLASS_RECURSIVE))) {
                return false;
            }
        } else if (Held->Class->Rank >= Class->Rank && !(Flags & KD_LOCK_TRY)) {
            KdpCheckRank(List, Held, Lock, Class, Frame);
        }
    }
    return true;
}

bool KdLockWanted(KD_LOCK_LIST *List, const void *Lock, KD_LOCK_CLASS *Class, ULONG Flags, const void *Frame)
{
    bool Enabled = KdpLockList(List);
    bool May = KdpMayWant(List, Lock, Class, Flags, Frame);
    if (May && !(Flags & KD_LOCK_TRY)) {
        KdpPush(List, Lock, Class, Flags | KD_LOCK_WAITING, Frame);
        __atomic_add_fetch(&Class->Waited, (Flags & KD_LOCK_TAKEN) != 0, __ATOMIC_RELAXED);
    }
    KdpUnlockList(List, Enabled);
    return May;
}

void KdLockSleeps(KD_LOCK_LIST *List)
{
    bool Enabled = KdpLockList(List);
    KD_LOCK *Last = &List->Entry[List->Count - 1];
    if (List->Count != 0 && (Last->Flags & (KD_LOCK_WAITING | KD_LOCK_TAKEN)) == KD_LOCK_WAITING) {
        Last->Flags |= KD_LOCK_TAKEN;
        __atomic_add_fetch(&Last->Class->Waited, 1, __ATOMIC_RELAXED);
    }
    KdpUnlockList(List, Enabled);
}

static KD_LOCK_CLASS *KdpClasses; /* (KdpListLock) */

static void KdpCountAcquisition(KD_LOCK_CLASS *Class)
{
    if (__atomic_add_fetch(&Class->Acquired, 1, __ATOMIC_RELAXED) == 1) {
        bool Enabled = KdpAcquireRaw(&KdpListLock);
        Class->Next = KdpClasses;
        KdpClasses = Class;
        KdpReleaseRaw(&KdpListLock, Enabled);
    }
}

KD_LOCK_CLASS *KdNextLockClass(KD_LOCK_CLASS *Class)
{
    return Class != NULL ? Class->Next : KdpClasses;
}

void KdLockTaken(KD_LOCK_LIST *List, const void *Lock, KD_LOCK_CLASS *Class, ULONG Flags, const void *Frame)
{
    KdpCountAcquisition(Class);
    if ((Class->Flags & KD_CLASS_COUNTED) && KdpTravelsAround(Lock)) {
        return;
    }
    bool Enabled = KdpLockList(List);
    KD_LOCK *Waited = KdpFind(List, Lock, true);
    KD_LOCK *Held = (Class->Flags & (KD_CLASS_RECURSIVE | KD_CLASS_COUNTED)) ? KdpFind(List, Lock, false) : NULL;

    if (Held != NULL) {
        Held->Depth++;
        if (Waited != NULL) {
            KdpRemove(List, Waited);
        }
    } else if (Waited != NULL) {
        Waited->Flags &= ~(KD_LOCK_WAITING | KD_LOCK_TAKEN);
    } else if ((Flags & KD_LOCK_TRY) || List->Lost == 0) { /* else it was wanted, and there was no entry for it */
        KdpPush(List, Lock, Class, Flags & KD_LOCK_SHARED, Frame);
    }
    KdpUnlockList(List, Enabled);
}

void KdLockGivenUp(KD_LOCK_LIST *List, const void *Lock)
{
    bool Enabled = KdpLockList(List);
    KD_LOCK *Waited = KdpFind(List, Lock, true);
    if (Waited != NULL) {
        KdpRemove(List, Waited);
    } else if (List->Lost != 0) {
        List->Lost--;
    }
    KdpUnlockList(List, Enabled);
}

/* ---- Release ---- */

static inline bool KdpRelease(KD_LOCK_LIST *List, const void *Lock, KD_LOCK_CLASS *Class, ULONG Flags)
{
    KD_LOCK *Held = KdpFind(List, Lock, false);

    if (Held == NULL) {
        if (Class->Flags & KD_CLASS_COUNTED) {
            KdLockTravels(Lock);
            return true;
        }
        if (List->Lost == 0) {
            return false;
        }
        List->Lost--;
        return true;
    }
    if (List->Owner == NULL && ((Held->Flags ^ Flags) & KD_LOCK_SHARED)) {
        return false;
    }
    if (Held->Depth != 0) {
        Held->Depth--;
    } else {
        KdpRemove(List, Held);
    }
    return true;
}

bool KdLockReleased(KD_LOCK_LIST *List, const void *Lock, KD_LOCK_CLASS *Class, ULONG Flags)
{
    bool Enabled = KdpLockList(List);
    bool Held = KdpRelease(List, Lock, Class, Flags);
    KdpUnlockList(List, Enabled);
    return Held;
}

void KdLockConverted(KD_LOCK_LIST *List, const void *Lock, ULONG Flags)
{
    bool Enabled = KdpLockList(List);
    KD_LOCK *Held = KdpFind(List, Lock, false);
    if (Held != NULL) {
        Held->Flags = (UCHAR)Flags;
    }
    KdpUnlockList(List, Enabled);
}

/* ---- Names and lists in words ---- */

void KdpPrintPlaces(const ULONG64 *Place, ULONG Count)
{
    const char *Before = "";
    for (ULONG i = 0; i < Count && Place[i] != 0; i++) {
        DbgPrint("%s", Before);
        KdpPrintSymbol(Place[i], true);
        Before = " < ";
    }
}

void KdpPrintOwner(const KD_LOCK_LIST *List)
{
    if (List->Owner != NULL) {
        KdpPrintThread(List->Owner);
    } else {
        DbgPrint("processor %u", List->Processor);
    }
}

static void KdpPrintHolders(const void *Lock)
{
    for (PLIST_ENTRY Link = KdpLists.Flink; Link != &KdpLists; Link = Link->Flink) {
        const KD_LOCK_LIST *List = CONTAINING_RECORD(Link, KD_LOCK_LIST, Links);
        if (KdpHeldEntry(List, Lock) != NULL) {
            DbgPrint("      held by ");
            KdpPrintOwner(List);
            DbgPrint("\n");
        }
    }
}

static void KdpPrintHeldLock(const KD_LOCK *Entry)
{
    char Name[KD_NAME_SIZE];
    DbgPrint("    %s %s %s%s, from ", (Entry->Flags & KD_LOCK_WAITING) ? "waits for" : "holds", Entry->Class->Name,
             KdName((const void *)Entry->Lock, Name, sizeof(Name)),
             (Entry->Flags & KD_LOCK_SHARED) ? ", shared" : "");
    KdpPrintPlaces(Entry->Place, KD_LOCK_FRAMES);
    DbgPrint("\n");
    if (Entry->Flags & KD_LOCK_WAITING) {
        KdpPrintHolders((const void *)Entry->Lock);
    }
}

static void KdpPrintList(const KD_LOCK_LIST *List)
{
    if (List->Count == 0) {
        return;
    }
    DbgPrint("  ");
    KdpPrintOwner(List);
    DbgPrint("\n");
    for (ULONG i = 0; i < List->Count; i++) {
        if (List->Entry[i].Lock != NULL) {
            KdpPrintHeldLock(&List->Entry[i]);
        }
    }
}

void KdpPrintHeldLocks(void)
{
    DbgPrint("locks:\n");
    for (PLIST_ENTRY Link = KdpLists.Flink; Link != &KdpLists; Link = Link->Flink) {
        KdpPrintList(CONTAINING_RECORD(Link, KD_LOCK_LIST, Links));
    }
}

#endif
