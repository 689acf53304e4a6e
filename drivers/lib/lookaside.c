/* SPDX-License-Identifier: MIT */
/*
 * Lookaside lists: blocks of one size, a few of which are kept when they are freed, so that the next
 * allocation need not go to the pool, or to wherever the list's owner takes them from.
 *
 * How many are kept is tuned to the use: after every EXP_TUNE_PERIOD allocations, the depth doubles if more
 * than one in 16 of them found the list empty, and shrinks by an eighth if none did.
 *
 * No lock: the blocks are on an S-list, the counters are atomic. All pool is resident, so that a paged list
 * differs from the others only in the level at which it may be used.
 */
#include <ntddk.h>

#define EXP_MINIMUM_DEPTH 4
#define EXP_MAXIMUM_DEPTH 256
#define EXP_TUNE_PERIOD   256

/* ---- The list itself ---- */

static VOID ExpInitializeLookaside(PGENERAL_LOOKASIDE List, POOL_TYPE Type, ULONG Flags, SIZE_T Size, ULONG Tag)
{
    RtlZeroMemory(List, sizeof(*List));
    InitializeSListHead(&List->ListHead);
    List->Depth = EXP_MINIMUM_DEPTH;
    List->MaximumDepth = EXP_MAXIMUM_DEPTH;
    List->Type = Type;
    List->Tag = Tag;
    List->Size = (ULONG)(Size > LOOKASIDE_MINIMUM_BLOCK_SIZE ? Size : LOOKASIDE_MINIMUM_BLOCK_SIZE);
    List->Future[0] = Flags;
}

static ULONG ExpCount(PULONG Counter)
{
    return __atomic_add_fetch(Counter, 1, __ATOMIC_RELAXED);
}

/* Called after each EXP_TUNE_PERIOD allocations, by the thread that has made the last of them. Another that
   has come to the end of the next period meanwhile would tune by fewer misses: no harm is done. */
static VOID ExpTune(PGENERAL_LOOKASIDE List)
{
    ULONG Now = __atomic_load_n(&List->AllocateMisses, __ATOMIC_RELAXED);
    ULONG Misses = Now - __atomic_exchange_n(&List->LastAllocateMisses, Now, __ATOMIC_RELAXED);
    ULONG Depth = __atomic_load_n(&List->Depth, __ATOMIC_RELAXED);

    if (Misses > EXP_TUNE_PERIOD / 16) {
        Depth *= 2;
    } else if (Misses == 0) {
        Depth -= Depth / 8;
    }
    Depth = Depth < List->MaximumDepth ? Depth : List->MaximumDepth;
    Depth = Depth > EXP_MINIMUM_DEPTH ? Depth : EXP_MINIMUM_DEPTH;
    __atomic_store_n(&List->Depth, (USHORT)Depth, __ATOMIC_RELAXED);
}

static VOID ExpCheckLevel(PGENERAL_LOOKASIDE List)
{
#if DBG
    if (List->Type == PagedPool && KeGetCurrentIrql() > APC_LEVEL) {
        DbgPrint("paged lookaside list %p used at level %u\n", List, KeGetCurrentIrql());
    }
#endif
    ASSERTMSG("paged lookaside list used above APC_LEVEL", List->Type != PagedPool || KeGetCurrentIrql() <= APC_LEVEL);
}

/* A kept block, or NULL. */
static PVOID ExpPop(PGENERAL_LOOKASIDE List)
{
    ExpCheckLevel(List);
    PSLIST_ENTRY Entry = InterlockedPopEntrySList(&List->ListHead);
    if (Entry == NULL) {
        ExpCount(&List->AllocateMisses);
    }
    if (ExpCount(&List->TotalAllocates) % EXP_TUNE_PERIOD == 0) {
        ExpTune(List);
    }
    return Entry;
}

/* Keeps a block; FALSE when there are enough of them. Several that look at once may keep a few more. */
static BOOLEAN ExpPush(PGENERAL_LOOKASIDE List, PVOID Block)
{
    ExpCheckLevel(List);
    ExpCount(&List->TotalFrees);
    if (QueryDepthSList(&List->ListHead) >= __atomic_load_n(&List->Depth, __ATOMIC_RELAXED)) {
        ExpCount(&List->FreeMisses);
        return FALSE;
    }
    InterlockedPushEntrySList(&List->ListHead, Block);
    return TRUE;
}

/* All kept blocks, as a chain. */
static PSLIST_ENTRY ExpPopAll(PGENERAL_LOOKASIDE List)
{
    return InterlockedFlushSList(&List->ListHead);
}

/* ---- LOOKASIDE_LIST_EX ---- */

static PVOID ExpAllocateEx(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag, PLOOKASIDE_LIST_EX Lookaside)
{
    return ExAllocatePoolWithTag(PoolType, NumberOfBytes, Tag);
}

static VOID ExpFreeEx(PVOID Buffer, PLOOKASIDE_LIST_EX Lookaside)
{
    ExFreePoolWithTag(Buffer, Lookaside->L.Tag);
}

/*
 * Makes an empty list in resident, 16-byte aligned memory of the caller's. Allocate and Free, where they are
 * given, take the pool's place. Flags: EX_LOOKASIDE_LIST_EX_FLAGS_RAISE_ON_FAIL makes an allocation that
 * fails raise STATUS_INSUFFICIENT_RESOURCES, ..._FAIL_NO_RAISE passes POOL_QUOTA_FAIL_INSTEAD_OF_RAISE to
 * Allocate. Depth means nothing. STATUS_INVALID_PARAMETER_4: no such pool. STATUS_INVALID_PARAMETER_5:
 * unknown flags, or both. <= DISPATCH_LEVEL. (WDK page of the name)
 */
NTSTATUS ExInitializeLookasideListEx(PLOOKASIDE_LIST_EX Lookaside, PALLOCATE_FUNCTION_EX Allocate, PFREE_FUNCTION_EX Free,
                                     POOL_TYPE PoolType, ULONG Flags, SIZE_T Size, ULONG Tag, USHORT Depth)
{
    if (PoolType != NonPagedPool && PoolType != PagedPool && PoolType != NonPagedPoolNx) {
        return STATUS_INVALID_PARAMETER_4;
    }
    if (Flags > EX_LOOKASIDE_LIST_EX_FLAGS_FAIL_NO_RAISE) {
        return STATUS_INVALID_PARAMETER_5;
    }
    ExpInitializeLookaside(&Lookaside->L, PoolType, Flags, Size, Tag);
    Lookaside->L.AllocateEx = Allocate != NULL ? Allocate : ExpAllocateEx;
    Lookaside->L.FreeEx = Free != NULL ? Free : ExpFreeEx;
    return STATUS_SUCCESS;
}

/* A block, its contents undefined; NULL, or the exception asked for, when there is none. <= DISPATCH_LEVEL, a
   paged list <= APC_LEVEL. (WDK page of the name) */
PVOID ExAllocateFromLookasideListEx(PLOOKASIDE_LIST_EX Lookaside)
{
    PGENERAL_LOOKASIDE List = &Lookaside->L;
    PVOID Block = ExpPop(List);

    if (Block == NULL) {
        ULONG Type = List->Type;
        if (List->Future[0] == EX_LOOKASIDE_LIST_EX_FLAGS_FAIL_NO_RAISE) {
            Type |= POOL_QUOTA_FAIL_INSTEAD_OF_RAISE;
        }
        Block = List->AllocateEx((POOL_TYPE)Type, List->Size, List->Tag, Lookaside);
    }
    if (Block == NULL && List->Future[0] == EX_LOOKASIDE_LIST_EX_FLAGS_RAISE_ON_FAIL) {
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    }
    return Block;
}

/* Gives a block of the list's back. Level as above. (WDK page of the name) */
VOID ExFreeToLookasideListEx(PLOOKASIDE_LIST_EX Lookaside, PVOID Entry)
{
    if (!ExpPush(&Lookaside->L, Entry)) {
        Lookaside->L.FreeEx(Entry, Lookaside);
    }
}

/* Frees all blocks that are kept. Level as above. (WDK page of the name) */
VOID ExFlushLookasideListEx(PLOOKASIDE_LIST_EX Lookaside)
{
    PSLIST_ENTRY Entry = ExpPopAll(&Lookaside->L);

    while (Entry != NULL) {
        PSLIST_ENTRY Next = Entry->Next;
        Lookaside->L.FreeEx(Entry, Lookaside);
        Entry = Next;
    }
}

/* The same for the last time: the list's memory may go. (WDK page of the name) */
VOID ExDeleteLookasideListEx(PLOOKASIDE_LIST_EX Lookaside)
{
    ExFlushLookasideListEx(Lookaside);
}

/* ---- The older forms: their routines do not get the list ---- */

static VOID ExpInitializeOld(PGENERAL_LOOKASIDE List, PALLOCATE_FUNCTION Allocate, PFREE_FUNCTION Free, POOL_TYPE Type,
                             ULONG Flags, SIZE_T Size, ULONG Tag)
{
    ExpInitializeLookaside(List, (POOL_TYPE)(Type | (Flags & POOL_NX_ALLOCATION)), Flags, Size, Tag);
    List->Allocate = Allocate != NULL ? Allocate : ExAllocatePoolWithTag;
    List->Free = Free != NULL ? Free : ExFreePool;
}

static PVOID ExpAllocateOld(PGENERAL_LOOKASIDE List)
{
    PVOID Block = ExpPop(List);

    if (Block == NULL) {
        Block = List->Allocate(List->Type, List->Size, List->Tag);
    }
    if (Block == NULL && (List->Future[0] & POOL_RAISE_IF_ALLOCATION_FAILURE) != 0) {
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    }
    return Block;
}

static VOID ExpFreeOld(PGENERAL_LOOKASIDE List, PVOID Entry)
{
    if (!ExpPush(List, Entry)) {
        List->Free(Entry);
    }
}

static VOID ExpDeleteOld(PGENERAL_LOOKASIDE List)
{
    PSLIST_ENTRY Entry = ExpPopAll(List);

    while (Entry != NULL) {
        PSLIST_ENTRY Next = Entry->Next;
        List->Free(Entry);
        Entry = Next;
    }
}

/* Makes an empty list of the older kind, as ExInitializeLookasideListEx does. Flags: 0, POOL_NX_ALLOCATION,
   POOL_RAISE_IF_ALLOCATION_FAILURE. (WDK page of the name) */
VOID ExInitializeNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside, PALLOCATE_FUNCTION Allocate, PFREE_FUNCTION Free,
                                     ULONG Flags, SIZE_T Size, ULONG Tag, USHORT Depth)
{
    ExpInitializeOld(&Lookaside->L, Allocate, Free, NonPagedPool, Flags, Size, Tag);
}

/* As ExAllocateFromLookasideListEx. <= DISPATCH_LEVEL. (WDK page of the name) */
PVOID ExAllocateFromNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside)
{
    return ExpAllocateOld(&Lookaside->L);
}

/* As ExFreeToLookasideListEx. <= DISPATCH_LEVEL. (WDK page of the name) */
VOID ExFreeToNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside, PVOID Entry)
{
    ExpFreeOld(&Lookaside->L, Entry);
}

/* As ExDeleteLookasideListEx. <= DISPATCH_LEVEL. (WDK page of the name) */
VOID ExDeleteNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside)
{
    ExpDeleteOld(&Lookaside->L);
}

/* As ExInitializeNPagedLookasideList, for paged pool. <= APC_LEVEL. (WDK page of the name) */
VOID ExInitializePagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside, PALLOCATE_FUNCTION Allocate, PFREE_FUNCTION Free,
                                    ULONG Flags, SIZE_T Size, ULONG Tag, USHORT Depth)
{
    ExpInitializeOld(&Lookaside->L, Allocate, Free, PagedPool, Flags & POOL_RAISE_IF_ALLOCATION_FAILURE, Size, Tag);
}

/* As ExAllocateFromLookasideListEx. <= APC_LEVEL. (WDK page of the name) */
PVOID ExAllocateFromPagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside)
{
    return ExpAllocateOld(&Lookaside->L);
}

/* As ExFreeToLookasideListEx. <= APC_LEVEL. (WDK page of the name) */
VOID ExFreeToPagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside, PVOID Entry)
{
    ExpFreeOld(&Lookaside->L, Entry);
}

/* As ExDeleteLookasideListEx. <= APC_LEVEL. (WDK page of the name) */
VOID ExDeletePagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside)
{
    ExpDeleteOld(&Lookaside->L);
}
