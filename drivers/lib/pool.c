/* SPDX-License-Identifier: MIT */
/* Older and newer forms of the pool's routines. */
#include <ntddk.h>

/* ExAllocatePool: as ExAllocatePoolWithTag, with a tag that stands for none. (WDK page of the name) */
PVOID ExAllocatePool(POOL_TYPE PoolType, SIZE_T NumberOfBytes)
{
    return ExAllocatePoolWithTag(PoolType, NumberOfBytes, 'enoN');
}

/* ExAllocatePoolWithQuotaTag: the same, but it raises STATUS_INSUFFICIENT_RESOURCES when memory is out,
   unless POOL_QUOTA_FAIL_INSTEAD_OF_RAISE is given. Processes have no quotas yet: nothing is charged. (WDK
   page of the name) */
PVOID ExAllocatePoolWithQuotaTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
    ULONG Raise = PoolType & POOL_QUOTA_FAIL_INSTEAD_OF_RAISE ? 0 : POOL_RAISE_IF_ALLOCATION_FAILURE;
    ULONG Type = ((ULONG)PoolType & ~(ULONG)POOL_RAISE_IF_ALLOCATION_FAILURE) | Raise;

    return ExAllocatePoolWithTag((POOL_TYPE)Type, NumberOfBytes, Tag);
}

/* ExAllocatePoolWithTagPriority: as ExAllocatePoolWithTag; no priority is favoured over another.
   (WDK page of the name) */
PVOID ExAllocatePoolWithTagPriority(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag, EX_POOL_PRIORITY Priority)
{
    return ExAllocatePoolWithTag(PoolType, NumberOfBytes, Tag);
}

/* ExFreePool2: as ExFreePoolWithTag. There are no extended parameters: ParametersCount is 0.
   (WDK page of the name) */
VOID ExFreePool2(PVOID P, ULONG Tag, PCPOOL_EXTENDED_PARAMETER ExtendedParameters, ULONG ParametersCount)
{
    ASSERTMSG("extended parameters for a pool block", ParametersCount == 0);
    ExFreePoolWithTag(P, Tag);
}
