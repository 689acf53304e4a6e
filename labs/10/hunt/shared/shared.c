/* SPDX-License-Identifier: MIT */
/* The hunt, third module: handles, locks and timers, on two processors. */
#include "ktest.h"

/* ---- Handles ---- */

static HANDLE NewEvent(VOID)
{
    HANDLE Handle = NULL;
    OBJECT_ATTRIBUTES Attributes;
    InitializeObjectAttributes(&Attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    return NT_SUCCESS(ZwCreateEvent(&Handle, EVENT_ALL_ACCESS, &Attributes, NotificationEvent, FALSE)) ? Handle : NULL;
}

/* A handle that is protected from being closed is not closed, and works; afterwards it is closed. */
static PCSTR TestProtected(VOID)
{
    OBJECT_HANDLE_FLAG_INFORMATION Flags = {.ProtectFromClose = TRUE};
    HANDLE Handle = NewEvent();
    KTEST_CHECK(Handle != NULL);
    KTEST_CHECK(ZwSetInformationObject(Handle, ObjectHandleFlagInformation, &Flags, sizeof(Flags)) == STATUS_SUCCESS);
    KTEST_CHECK(ZwClose(Handle) == STATUS_HANDLE_NOT_CLOSABLE);
    KTEST_CHECK(ZwSetEvent(Handle, NULL) == STATUS_SUCCESS);
    Flags.ProtectFromClose = FALSE;
    KTEST_CHECK(ZwSetInformationObject(Handle, ObjectHandleFlagInformation, &Flags, sizeof(Flags)) == STATUS_SUCCESS);
    KTEST_CHECK(ZwClose(Handle) == STATUS_SUCCESS);
    return NULL;
}

/* With DUPLICATE_CLOSE_SOURCE the first handle is gone, and the second one works. */
static PCSTR TestDuplicateCloses(VOID)
{
    HANDLE Handle = NewEvent(), Copy, Self = ZwCurrentProcess();
    KTEST_CHECK(Handle != NULL);
    KTEST_CHECK(ZwDuplicateObject(Self, Handle, Self, &Copy, 0, OBJ_KERNEL_HANDLE, DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE) ==
                STATUS_SUCCESS);
    KTEST_CHECK(ZwSetEvent(Handle, NULL) == STATUS_INVALID_HANDLE);
    KTEST_CHECK(ZwSetEvent(Copy, NULL) == STATUS_SUCCESS);
    KTEST_CHECK(ZwClose(Copy) == STATUS_SUCCESS);
    return NULL;
}

/* ---- A reader-writer spin lock ---- */

static EX_SPIN_LOCK Lock;
static volatile LONG Reading, Leave, Written;

static VOID Reads(PVOID Context)
{
    UNREFERENCED_PARAMETER(Context);
    KeSetSystemAffinityThreadEx(2);
    KIRQL Irql = ExAcquireSpinLockShared(&Lock);
    Reading = 1;
    while (!Leave) {
        YieldProcessor();
    }
    KeStallExecutionProcessor(20000); /* a writer who does not wait is inside by now */
    Leave = Written ? 2 : 1;
    ExReleaseSpinLockShared(&Lock, Irql);
}

/* A writer who comes while a reader is inside waits for it. */
static PCSTR TestWriterWaits(VOID)
{
    KAFFINITY Old = KeSetSystemAffinityThreadEx(1);
    Lock = 0;
    Reading = Leave = Written = 0;
    PETHREAD Reader = KtestStart(Reads, NULL);
    KTEST_CHECK(Reader != NULL);
    while (!Reading) {
        KtestSleep(1);
    }
    Leave = 1;
    KIRQL Irql = ExAcquireSpinLockExclusive(&Lock);
    Written = 1;
    ExReleaseSpinLockExclusive(&Lock, Irql);
    KtestJoin(Reader);
    KeRevertToUserAffinityThreadEx(Old);
    KTEST_CHECK(Leave == 1);
    return NULL;
}

/* ---- A periodic timer ---- */

#define PERIOD 200 /* ms */

static KTIMER Timer;
static KDPC Dpc;
static ULONGLONG When[2];
static volatile LONG Expired;

static VOID NoteExpiry(PKDPC Which, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    UNREFERENCED_PARAMETER(Which);
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Argument1);
    UNREFERENCED_PARAMETER(Argument2);
    LONG Number = Expired;
    if (Number < 2) {
        When[Number] = KeQueryInterruptTime();
        Expired = Number + 1;
    }
}

/* Due in the past: at once, and from then on each period. On a wrong kernel the second time comes early; how
   early depends on the clock, so that it is tried at several places within a period. */
static PCSTR TestSeriesBeginsNow(VOID)
{
    LARGE_INTEGER Past = {.QuadPart = 1}; /* system time: long ago */
    for (ULONG i = 0; i < 3; i++) {
        Expired = 0;
        KeInitializeTimerEx(&Timer, SynchronizationTimer);
        KeInitializeDpc(&Dpc, NoteExpiry, NULL);
        ULONGLONG Start = KeQueryInterruptTime();
        KeSetTimerEx(&Timer, Past, PERIOD, &Dpc);
        while (Expired < 2) {
            KtestSleep(5);
        }
        KeCancelTimer(&Timer);
        KeFlushQueuedDpcs();
        KTEST_CHECK(When[1] >= Start + PERIOD * 10000ULL);
        KtestSleep(30);
    }
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(DriverObject);
    UNREFERENCED_PARAMETER(RegistryPath);
    KtestRun("shared.protected-from-close", TestProtected);
    KtestRun("shared.duplicate-closes-the-source", TestDuplicateCloses);
    KtestRun("shared.writer-waits", TestWriterWaits);
    KtestRun("shared.series-begins-now", TestSeriesBeginsNow);
    return STATUS_SUCCESS;
}
