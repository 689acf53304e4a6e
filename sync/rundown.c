/* SPDX-License-Identifier: MIT */
/*
 * Run-down protection: a count of users that closes. The word is twice the count while it is open; when
 * somebody waits for its end, it is the address of that one's RUNDOWN_WAIT plus 1, which then holds the
 * count; 1 alone: run down.
 */
#include "sync/sync.h"

#define RUNDOWN_CLOSED 1
#define RUNDOWN_ONE    2

typedef struct _RUNDOWN_WAIT {
    volatile LONG64 Count; /* (a) users left, once the word points here */
    KEVENT Done;
} RUNDOWN_WAIT;

VOID ExInitializeRundownProtection(PEX_RUNDOWN_REF RunRef)
{
    RunRef->Count = 0;
}
EXPORT(ExInitializeRundownProtection);

/* Open again, after a run-down that is complete. */
VOID ExReInitializeRundownProtection(PEX_RUNDOWN_REF RunRef)
{
    KI_ASSERT(RunRef->Count == RUNDOWN_CLOSED, "run-down word is %llx", RunRef->Count);
    __atomic_store_n(&RunRef->Count, 0, __ATOMIC_RELEASE);
}
EXPORT(ExReInitializeRundownProtection);

VOID ExRundownCompleted(PEX_RUNDOWN_REF RunRef)
{
    __atomic_store_n(&RunRef->Count, RUNDOWN_CLOSED, __ATOMIC_RELEASE);
}
EXPORT(ExRundownCompleted);

/* Count more users; FALSE as soon as run-down has begun. <= DISPATCH_LEVEL. (WDK page of the name) */
BOOLEAN ExAcquireRundownProtectionEx(PEX_RUNDOWN_REF RunRef, ULONG Count)
{
    ULONG_PTR Value = __atomic_load_n(&RunRef->Count, __ATOMIC_RELAXED);
    while ((Value & RUNDOWN_CLOSED) == 0) {
        if (__atomic_compare_exchange_n(&RunRef->Count, &Value, Value + (ULONG_PTR)Count * RUNDOWN_ONE, false,
                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            return TRUE;
        }
    }
    return FALSE;
}
EXPORT(ExAcquireRundownProtectionEx);

BOOLEAN ExAcquireRundownProtection(PEX_RUNDOWN_REF RunRef)
{
    return ExAcquireRundownProtectionEx(RunRef, 1);
}
EXPORT(ExAcquireRundownProtection);

VOID ExReleaseRundownProtectionEx(PEX_RUNDOWN_REF RunRef, ULONG Count)
{
    ULONG_PTR Value = __atomic_load_n(&RunRef->Count, __ATOMIC_RELAXED);
    while ((Value & RUNDOWN_CLOSED) == 0) {
        KI_ASSERT(Value >= (ULONG_PTR)Count * RUNDOWN_ONE, "released more often than acquired");
        if (__atomic_compare_exchange_n(&RunRef->Count, &Value, Value - (ULONG_PTR)Count * RUNDOWN_ONE, false,
                                        __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
            return;
        }
    }
    if (Value == RUNDOWN_CLOSED) {
        KdBugCheck(INVALID_RUNDOWN_PROTECTION_FLAGS, (ULONG64)RunRef, Value, 0, 0, NULL,
                   "run-down protection released after the run-down was complete");
    }
    RUNDOWN_WAIT *Wait = (RUNDOWN_WAIT *)(__atomic_load_n(&RunRef->Count, __ATOMIC_ACQUIRE) - RUNDOWN_CLOSED);
    if (__atomic_sub_fetch(&Wait->Count, Count, __ATOMIC_ACQ_REL) == 0) {
        KeSetEvent(&Wait->Done, IO_NO_INCREMENT, FALSE);
    }
}
EXPORT(ExReleaseRundownProtectionEx);

VOID ExReleaseRundownProtection(PEX_RUNDOWN_REF RunRef)
{
    ExReleaseRundownProtectionEx(RunRef, 1);
}
EXPORT(ExReleaseRundownProtection);

/* Somebody else is closing it: returns when it is closed. */
static void ExpAwaitOtherRundown(PEX_RUNDOWN_REF RunRef)
{
    LARGE_INTEGER Millisecond = {.QuadPart = -10000};
    while (__atomic_load_n(&RunRef->Count, __ATOMIC_ACQUIRE) != RUNDOWN_CLOSED) {
        KeDelayExecutionThread(KernelMode, FALSE, &Millisecond);
    }
}

/* New users are refused from now on; returns when the last has gone, at once when it is run down already. <=
   APC_LEVEL. (WDK page of the name) */
VOID ExWaitForRundownProtectionRelease(PEX_RUNDOWN_REF RunRef)
{
    RUNDOWN_WAIT Wait;
    ULONG_PTR Value = __atomic_load_n(&RunRef->Count, __ATOMIC_RELAXED);

    KeInitializeEvent(&Wait.Done, SynchronizationEvent, FALSE);
    do {
        if (Value & RUNDOWN_CLOSED) {
            ExpAwaitOtherRundown(RunRef);
            return;
        }
        Wait.Count = (LONG64)(Value / RUNDOWN_ONE);
    } while (!__atomic_compare_exchange_n(&RunRef->Count, &Value,
                                          Value == 0 ? RUNDOWN_CLOSED : (ULONG_PTR)&Wait + RUNDOWN_CLOSED, false,
                                          __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
    if (Value != 0) {
        KeWaitForSingleObject(&Wait.Done, WrRundown, KernelMode, FALSE, NULL);
        __atomic_store_n(&RunRef->Count, RUNDOWN_CLOSED, __ATOMIC_RELEASE);
    }
}
EXPORT(ExWaitForRundownProtectionRelease);
