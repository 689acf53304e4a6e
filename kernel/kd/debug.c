/* SPDX-License-Identifier: MIT */
/*
 * For code that watches itself: break points, and the way by which it was called.
 */
#include "arch/arch.h"
#include "kernel/kd/kdp.h"
#include "kernel/rtl/export.h"

/* A break point exception. Without a debugger, and unless a handler takes STATUS_BREAKPOINT, the system ends
   with KMODE_EXCEPTION_NOT_HANDLED. Any IRQL. (WDK page of the name) */
VOID DbgBreakPoint(VOID)
{
    ArchBreakPoint(0);
}
EXPORT(DbgBreakPoint);

/* A break point exception, at which a debugger finds Status in the register of a first argument. Any IRQL;
   does not block. (WDK page of the name) */
VOID DbgBreakPointWithStatus(ULONG Status)
{
    ArchBreakPoint(Status);
}
EXPORT(DbgBreakPointWithStatus);

#define KDP_MAX_FRAMES 128 /* skipped and captured ones together */

/* Stores return addresses, the caller's own first, without the first FramesToSkip; returns how many, which is
   less than FramesToCapture where the stack ends. *BackTraceHash: their sum. Any IRQL. (WDK page of the
   name) */
USHORT RtlCaptureStackBackTrace(ULONG FramesToSkip, ULONG FramesToCapture, PVOID *BackTrace, PULONG BackTraceHash)
{
    ULONG64 Address[KDP_MAX_FRAMES];
    ULONG Skip = FramesToSkip < KDP_MAX_FRAMES ? FramesToSkip + 1 : KDP_MAX_FRAMES; /* and this routine */
    ULONG Room = KDP_MAX_FRAMES - Skip;
    ULONG Found = ArchCaptureBackTrace(Address, Skip + (FramesToCapture < Room ? FramesToCapture : Room));
    ULONG Hash = 0, Count = 0;

    for (ULONG i = Skip; i < Found; i++, Count++) {
        BackTrace[Count] = (PVOID)Address[i];
        Hash += (ULONG)Address[i];
    }
    if (BackTraceHash != NULL) {
        *BackTraceHash = Hash;
    }
    return (USHORT)Count;
}
EXPORT(RtlCaptureStackBackTrace);
