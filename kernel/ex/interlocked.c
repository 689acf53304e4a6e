/* SPDX-License-Identifier: MIT */
/*
 * S-lists: lists that are changed in one step, at any IRQL, without a lock. They are the machine's
 * (ArchPopSList and the like). Interlocked lists and sums, which take a spin lock of the driver's, are
 * drivers/lib/interlocked.c.
 */
#include "kernel/rtl/export.h"
#include <primertest.h>
#include "sync/spinlock.h"

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

/* Puts Count entries at the front in one step, which are linked from List to ListEnd; returns the one that
   was first before, or NULL. (WDK page of the name) */
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
