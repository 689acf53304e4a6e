/* SPDX-License-Identifier: MIT */
/*
 * Lists and sums that are changed in one step, at any IRQL. Interrupts are off while the driver's spin lock is held, so
 * that an interrupt routine may use the same list as the code that it has interrupted. S-lists need no lock: they are
 * the machine's (ArchPopSList and the like).
 */
#include "kernel/rtl/export.h"
#include <primertest.h>
#include "sync/spinlock.h"

static inline bool ExpAcquire(PKSPIN_LOCK Lock)
{
    bool Interrupts = ArchDisableInterrupts();
    KiSpinAcquire(Lock, KlcInterlocked);
    return Interrupts;
}

static inline void ExpRelease(PKSPIN_LOCK Lock, bool Interrupts)
{
    KiSpinRelease(Lock, KlcInterlocked);
    ArchRestoreInterrupts(Interrupts);
}

/* ---- Doubly linked ---- */

/* Puts the entry at the front; returns the entry that was first before, NULL when the list was empty. A list is
   changed through these routines only, always with the same lock, which nothing else uses. (WDK page of the name; so
   the others) */
PLIST_ENTRY ExInterlockedInsertHeadList(PLIST_ENTRY ListHead, PLIST_ENTRY ListEntry, PKSPIN_LOCK Lock)
{
    bool Interrupts = ExpAcquire(Lock);
    PLIST_ENTRY First = IsListEmpty(ListHead) ? NULL : ListHead->Flink;
    InsertHeadList(ListHead, ListEntry);
    ExpRelease(Lock, Interrupts);
    return First;
}
EXPORT(ExInterlockedInsertHeadList);

/* Puts the entry at the end; returns the entry that was last before, NULL when the list was empty.
   (WDK page of the name) */
PLIST_ENTRY ExInterlockedInsertTailList(PLIST_ENTRY ListHead, PLIST_ENTRY ListEntry, PKSPIN_LOCK Lock)
{
    bool Interrupts = ExpAcquire(Lock);
    PLIST_ENTRY Last = IsListEmpty(ListHead) ? NULL : ListHead->Blink;
    InsertTailList(ListHead, ListEntry);
    ExpRelease(Lock, Interrupts);
    return Last;
}
EXPORT(ExInterlockedInsertTailList);

/* Takes off and returns the first entry; NULL when the list is empty. (WDK page of the name) */
PLIST_ENTRY ExInterlockedRemoveHeadList(PLIST_ENTRY ListHead, PKSPIN_LOCK Lock)
{
    bool Interrupts = ExpAcquire(Lock);
    PLIST_ENTRY First = IsListEmpty(ListHead) ? NULL : RemoveHeadList(ListHead);
    ExpRelease(Lock, Interrupts);
    return First;
}
EXPORT(ExInterlockedRemoveHeadList);

/* ---- Singly linked ---- */

/* Puts the entry at the front; returns the entry that was first before, or NULL. (WDK page of the name) */
PSINGLE_LIST_ENTRY ExInterlockedPushEntryList(PSINGLE_LIST_ENTRY ListHead, PSINGLE_LIST_ENTRY ListEntry,
                                              PKSPIN_LOCK Lock)
{
    bool Interrupts = ExpAcquire(Lock);
    PSINGLE_LIST_ENTRY First = ListHead->Next;
    PushEntryList(ListHead, ListEntry);
    ExpRelease(Lock, Interrupts);
    return First;
}
EXPORT(ExInterlockedPushEntryList);

/* Takes off and returns the first entry; NULL when the list is empty. (WDK page of the name) */
PSINGLE_LIST_ENTRY ExInterlockedPopEntryList(PSINGLE_LIST_ENTRY ListHead, PKSPIN_LOCK Lock)
{
    bool Interrupts = ExpAcquire(Lock);
    PSINGLE_LIST_ENTRY First = PopEntryList(ListHead);
    ExpRelease(Lock, Interrupts);
    return First;
}
EXPORT(ExInterlockedPopEntryList);

/* ---- Sums ---- */

/* Adds to a 64-bit number; returns its value before. (WDK page of the name) */
LARGE_INTEGER ExInterlockedAddLargeInteger(PLARGE_INTEGER Addend, LARGE_INTEGER Increment, PKSPIN_LOCK Lock)
{
    bool Interrupts = ExpAcquire(Lock);
    LARGE_INTEGER Before = *Addend;
    Addend->QuadPart += Increment.QuadPart;
    ExpRelease(Lock, Interrupts);
    return Before;
}
EXPORT(ExInterlockedAddLargeInteger);

/* Adds to a 32-bit number; returns its value before. (WDK page of the name) */
ULONG ExInterlockedAddUlong(PULONG Addend, ULONG Increment, PKSPIN_LOCK Lock)
{
    bool Interrupts = ExpAcquire(Lock);
    ULONG Before = *Addend;
    *Addend += Increment;
    ExpRelease(Lock, Interrupts);
    return Before;
}
EXPORT(ExInterlockedAddUlong);

/* ---- S-lists ---- */

/*
 * Makes an empty S-list: singly linked, without a lock, last in, first out. Header and entries lie at
 * multiples of 16 bytes and in resident memory. Whoever holds an entry may free it at once, even unmap it,
 * while others still try to pop it: their attempt starts anew. (WDK page of the name; so the others)
 */
VOID InitializeSListHead(PSLIST_HEADER ListHead)
{
    KI_ASSERT((ULONG_PTR)ListHead % MEMORY_ALLOCATION_ALIGNMENT == 0, "S-list header at %p", ListHead);
    ListHead->Alignment = 0;
    ListHead->Region = 0;
}
EXPORT(InitializeSListHead);

/* Puts the entry at the front; returns the one that was first before, or NULL. (WDK page of the name) */
PSLIST_ENTRY InterlockedPushEntrySList(PSLIST_HEADER ListHead, PSLIST_ENTRY ListEntry)
{
    KI_ASSERT((ULONG_PTR)ListEntry % MEMORY_ALLOCATION_ALIGNMENT == 0, "S-list entry at %p", ListEntry);
    return ArchPushSList(ListHead, ListEntry, ListEntry, 1);
}
EXPORT(InterlockedPushEntrySList);

/* Puts Count entries at the front in one step, which are linked from List to ListEnd; returns the one that was first
   before, or NULL. (WDK page of the name) */
PSLIST_ENTRY InterlockedPushListSListEx(PSLIST_HEADER ListHead, PSLIST_ENTRY List, PSLIST_ENTRY ListEnd, ULONG Count)
{
    return ArchPushSList(ListHead, List, ListEnd, Count);
}
EXPORT(InterlockedPushListSListEx);

/* Takes off and returns the first entry; NULL when the list is empty. (WDK page of the name) */
PSLIST_ENTRY InterlockedPopEntrySList(PSLIST_HEADER ListHead)
{
    return ArchPopSList(ListHead);
}
EXPORT(InterlockedPopEntrySList);

/* Takes off all entries; returns the first, which leads to the others, or NULL. (WDK page of the name) */
PSLIST_ENTRY InterlockedFlushSList(PSLIST_HEADER ListHead)
{
    return ArchFlushSList(ListHead);
}
EXPORT(InterlockedFlushSList);

/* How many entries are there, modulo 65536. (WDK page of the name) */
USHORT QueryDepthSList(PSLIST_HEADER ListHead)
{
    return (USHORT)__atomic_load_n(&ListHead->Alignment, __ATOMIC_RELAXED);
}
EXPORT(QueryDepthSList);

/* The first entry, or NULL. It may be gone by the time the caller looks, unless the caller alone pops.
   (WDK page of the name) */
PSLIST_ENTRY RtlFirstEntrySList(const SLIST_HEADER *ListHead)
{
    return (PSLIST_ENTRY)__atomic_load_n(&ListHead->Region, __ATOMIC_ACQUIRE);
}
EXPORT(RtlFirstEntrySList);

ULONG PrimerSListRestarts(VOID)
{
    return ArchSListRestarts;
}
EXPORT(PrimerSListRestarts);
