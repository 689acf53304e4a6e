/* SPDX-License-Identifier: MIT */
/*
 * Cache-aware run-down protection: a word for each processor, each in a cache line of its own, so that users
 * on different processors do not fight for one. Waiting for its end costs more in return. The words' protocol
 * stands in sync/rundown.c.
 */
#include <ntddk.h>

#define EXP_LINE 64

struct _EX_RUNDOWN_REF_CACHE_AWARE {
    PEX_RUNDOWN_REF First;
    ULONG Slots;
    ULONG PoolTag; /* 0: the caller's memory */
};

/* The word of the processor that the caller happens to run on. */
static PEX_RUNDOWN_REF ExpMySlot(PEX_RUNDOWN_REF_CACHE_AWARE RunRef)
{
    return (PEX_RUNDOWN_REF)((PUCHAR)RunRef->First + KeGetCurrentProcessorNumber() % RunRef->Slots * EXP_LINE);
}

static void ExpForEachSlot(PEX_RUNDOWN_REF_CACHE_AWARE RunRef, VOID (*Routine)(PEX_RUNDOWN_REF))
{
    for (ULONG i = 0; i < RunRef->Slots; i++) {
        Routine((PEX_RUNDOWN_REF)((PUCHAR)RunRef->First + (SIZE_T)i * EXP_LINE));
    }
}

/* Bytes that ExInitializeRundownProtectionCacheAware needs. Any IRQL. (WDK page of the name) */
SIZE_T ExSizeOfRundownProtectionCacheAware(VOID)
{
    return sizeof(EX_RUNDOWN_REF_CACHE_AWARE) + ((SIZE_T)KeQueryActiveProcessorCount(NULL) + 1) * EXP_LINE;
}

/* Makes a reference in resident memory of the caller's, of the size above. <= DISPATCH_LEVEL. (WDK page of
   the name) */
VOID ExInitializeRundownProtectionCacheAware(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware, SIZE_T RunRefSize)
{
    ULONG_PTR First = ALIGN_UP_BY((ULONG_PTR)(RunRefCacheAware + 1), EXP_LINE);

    RunRefCacheAware->First = (PEX_RUNDOWN_REF)First;
    RunRefCacheAware->Slots = (ULONG)(((ULONG_PTR)RunRefCacheAware + RunRefSize - First) / EXP_LINE);
    RunRefCacheAware->PoolTag = 0;
    ASSERTMSG("too few bytes for a run-down reference", RunRefCacheAware->Slots != 0);
    ExpForEachSlot(RunRefCacheAware, ExInitializeRundownProtection);
}

/* The same in memory of its own; NULL when there is none. <= DISPATCH_LEVEL. (WDK page of the name) */
PEX_RUNDOWN_REF_CACHE_AWARE ExAllocateCacheAwareRundownProtection(POOL_TYPE PoolType, ULONG PoolTag)
{
    SIZE_T Size = ExSizeOfRundownProtectionCacheAware();
    PEX_RUNDOWN_REF_CACHE_AWARE New = ExAllocatePoolWithTag(PoolType, Size, PoolTag);

    if (New != NULL) {
        ExInitializeRundownProtectionCacheAware(New, Size);
        New->PoolTag = PoolTag;
    }
    return New;
}

/* Frees what ExAllocateCacheAwareRundownProtection has made. <= DISPATCH_LEVEL. (WDK page of the name) */
VOID ExFreeCacheAwareRundownProtection(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware)
{
    ExFreePoolWithTag(RunRefCacheAware, RunRefCacheAware->PoolTag);
}

/* As ExAcquireRundownProtectionEx. <= DISPATCH_LEVEL; does not block. (WDK page of the name) */
BOOLEAN ExAcquireRundownProtectionCacheAwareEx(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware, ULONG Count)
{
    return ExAcquireRundownProtectionEx(ExpMySlot(RunRefCacheAware), Count);
}

/* As ExAcquireRundownProtection. (WDK page of the name) */
BOOLEAN ExAcquireRundownProtectionCacheAware(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware)
{
    return ExAcquireRundownProtectionEx(ExpMySlot(RunRefCacheAware), 1);
}

/* As ExReleaseRundownProtectionEx. (WDK page of the name) */
VOID ExReleaseRundownProtectionCacheAwareEx(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware, ULONG Count)
{
    ExpReleaseRundownSlot(ExpMySlot(RunRefCacheAware), Count);
}

/* As ExReleaseRundownProtection, on whichever processor. (WDK page of the name) */
VOID ExReleaseRundownProtectionCacheAware(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware)
{
    ExpReleaseRundownSlot(ExpMySlot(RunRefCacheAware), 1);
}

/* As ExWaitForRundownProtectionRelease. May block. (WDK page of the name) */
VOID ExWaitForRundownProtectionReleaseCacheAware(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware)
{
    ExpWaitForRundownSlots(RunRefCacheAware->First, RunRefCacheAware->Slots, EXP_LINE);
}

/* As ExReInitializeRundownProtection. (WDK page of the name) */
VOID ExReInitializeRundownProtectionCacheAware(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware)
{
    ExpForEachSlot(RunRefCacheAware, ExReInitializeRundownProtection);
}

/* As ExRundownCompleted. (WDK page of the name) */
VOID ExRundownCompletedCacheAware(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware)
{
    ExpForEachSlot(RunRefCacheAware, ExRundownCompleted);
}
