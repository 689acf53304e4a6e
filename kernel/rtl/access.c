/* SPDX-License-Identifier: MIT */
/* Access masks. */
#include "kernel/rtl/export.h"
#include <ntddk.h>

/* Replaces the generic rights in *AccessMask by those that they mean for a type of objects. Any IRQL. (WDK
   page of the name) */
VOID RtlMapGenericMask(PACCESS_MASK AccessMask, const GENERIC_MAPPING *GenericMapping)
{
    ACCESS_MASK Given = *AccessMask;

    *AccessMask &= ~(GENERIC_READ | GENERIC_WRITE | GENERIC_EXECUTE | GENERIC_ALL);
    *AccessMask |= Given & GENERIC_READ ? GenericMapping->GenericRead : 0;
    *AccessMask |= Given & GENERIC_WRITE ? GenericMapping->GenericWrite : 0;
    *AccessMask |= Given & GENERIC_EXECUTE ? GenericMapping->GenericExecute : 0;
    *AccessMask |= Given & GENERIC_ALL ? GenericMapping->GenericAll : 0;
}
EXPORT(RtlMapGenericMask);
