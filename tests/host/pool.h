/* SPDX-License-Identifier: MIT */
/* Pool for host tests of the driver library: the host's memory, or none. */
#pragma once

#include "tests/host/host.h"

static bool HostNoMemory;

PVOID ExAllocatePoolWithTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
    return HostNoMemory ? NULL : malloc(NumberOfBytes);
}
