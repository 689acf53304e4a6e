/* SPDX-License-Identifier: MIT */
/*
 * Lists and sums that are changed in one step, at any IRQL: interrupts are off while the driver's spin lock
 * is held, so that an interrupt routine may use the same list as the code that it has interrupted.
 */
#include <ntddk.h>

/* By trying: nothing is acquired inside, so that the lock has no place in the order of those that the caller
   holds. */
static KIRQL Acquire(PKSPIN_LOCK Lock)
{
    KIRQL Irql;
    KeRaiseIrql(HIGH_LEVEL, &Irql);
    while (!KeTryToAcquireSpinLockAtDpcLevel(Lock)) {
        YieldProcessor();
    }
    return Irql;
}

static VOID Release(PKSPIN_LOCK Lock, KIRQL Irql)
{
    KeReleaseSpinLockFromDpcLevel(Lock);
    KeLowerIrql(Irql);
}

/* ---- Doubly linked ---- */

/* Puts the entry at the front; returns the entry that was first before, NULL when the list was empty. A list
   is changed through these routines only, always with the same lock, which nothing else uses. (WDK page of
   the name; so the others) */
PLIST_ENTRY ExInterlockedInsertHeadList(PLIST_ENTRY ListHead, PLIST_ENTRY ListEntry, PKSPIN_LOCK Lock)
{
    KIRQL Irql = Acquire(Lock);
    PLIST_ENTRY First = IsListEmpty(ListHead) ? NULL : ListHead->Flink;
    InsertHeadList(ListHead, ListEntry);
    Release(Lock, Irql);
    return First;
}

/* Puts the entry at the end; returns the entry that was last before, NULL when the list was empty.
   (WDK page of the name) */
PLIST_ENTRY ExInterlockedInsertTailList(PLIST_ENTRY ListHead, PLIST_ENTRY ListEntry, PKSPIN_LOCK Lock)
{
    KIRQL Irql = Acquire(Lock);
    PLIST_ENTRY Last = IsListEmpty(ListHead) ? NULL : ListHead->Blink;
    InsertTailList(ListHead, ListEntry);
    Release(Lock, Irql);
    return Last;
}

/* Takes off and returns the first entry; NULL when the list is empty. (WDK page of the name) */
PLIST_ENTRY ExInterlockedRemoveHeadList(PLIST_ENTRY ListHead, PKSPIN_LOCK Lock)
{
    KIRQL Irql = Acquire(Lock);
    PLIST_ENTRY First = IsListEmpty(ListHead) ? NULL : RemoveHeadList(ListHead);
    Release(Lock, Irql);
    return First;
}

/* ---- Singly linked ---- */

/* Puts the entry at the front; returns the entry that was first before, or NULL. (WDK page of the name) */
PSINGLE_LIST_ENTRY ExInterlockedPushEntryList(PSINGLE_LIST_ENTRY ListHead, PSINGLE_LIST_ENTRY ListEntry,
                                              PKSPIN_LOCK Lock)
{
    KIRQL Irql = Acquire(Lock);
    PSINGLE_LIST_ENTRY First = ListHead->Next;
    PushEntryList(ListHead, ListEntry);
    Release(Lock, Irql);
    return First;
}

/* Takes off and returns the first entry; NULL when the list is empty. (WDK page of the name) */
PSINGLE_LIST_ENTRY ExInterlockedPopEntryList(PSINGLE_LIST_ENTRY ListHead, PKSPIN_LOCK Lock)
{
    KIRQL Irql = Acquire(Lock);
    PSINGLE_LIST_ENTRY First = PopEntryList(ListHead);
    Release(Lock, Irql);
    return First;
}

/* ---- Sums ---- */

/* Adds to a 64-bit number; returns its value before. (WDK page of the name) */
LARGE_INTEGER ExInterlockedAddLargeInteger(PLARGE_INTEGER Addend, LARGE_INTEGER Increment, PKSPIN_LOCK Lock)
{
    KIRQL Irql = Acquire(Lock);
    LARGE_INTEGER Before = *Addend;
    Addend->QuadPart += Increment.QuadPart;
    Release(Lock, Irql);
    return Before;
}

/* Adds to a 32-bit number; returns its value before. (WDK page of the name) */
ULONG ExInterlockedAddUlong(PULONG Addend, ULONG Increment, PKSPIN_LOCK Lock)
{
    KIRQL Irql = Acquire(Lock);
    ULONG Before = *Addend;
    *Addend += Increment;
    Release(Lock, Irql);
    return Before;
}
