/* SPDX-License-Identifier: MIT */
/*
 * The three ways in which work gets done later, in a row:
 *
 *      KTIMER       every 100 ms
 *      -> DPC       at DISPATCH_LEVEL, on the timer's processor
 *      -> work item at PASSIVE_LEVEL, in a system thread
 *
 * The DPC may not wait, and should be short: it counts, and hands on to the work item what takes longer
 * (here: printing). A work item may be queued again only after its routine has begun; TickerQueued keeps
 * track of that.
 *
 * Coming to rest, in DriverUnload, goes the same way: no timer fires any more (KeCancelTimer), no DPC that it
 * queued is still to run (KeFlushQueuedDpcs), so nothing queues the work item again; then the one that may be
 * queued is waited for.
 */
#include <ntddk.h>

DRIVER_INITIALIZE DriverEntry;

#define TICK_PERIOD 100 /* ms */
#define TICKS_TOLD  5   /* it goes on ticking after that, in silence */

static KTIMER TickerTimer;
static KDPC TickerDpc;
static WORK_QUEUE_ITEM TickerWork;
static volatile LONG TickerTicks;
static volatile LONG TickerQueued;
static LONG TickerTold; /* the work item's own */
static EX_RUNDOWN_REF TickerRundown;

static VOID TickerWorkRoutine(PVOID Parameter)
{
    UNREFERENCED_PARAMETER(Parameter);
    InterlockedExchange(&TickerQueued, FALSE);

    LONG Ticks = TickerTicks;
    if (TickerTold < TICKS_TOLD && Ticks > TickerTold) {
        TickerTold = Ticks;
        DbgPrint("timerdpc: tick %ld, told at IRQL %u by thread %lu\n", Ticks, KeGetCurrentIrql(),
                 HandleToULong(PsGetCurrentThreadId()));
    }
    ExReleaseRundownProtection(&TickerRundown);
}

static VOID TickerDpcRoutine(PKDPC Dpc, PVOID DeferredContext, PVOID SystemArgument1, PVOID SystemArgument2)
{
    UNREFERENCED_PARAMETER(Dpc);
    UNREFERENCED_PARAMETER(DeferredContext);
    UNREFERENCED_PARAMETER(SystemArgument1);
    UNREFERENCED_PARAMETER(SystemArgument2);

    if (InterlockedIncrement(&TickerTicks) > TICKS_TOLD) {
        return;
    }
    if (ExAcquireRundownProtection(&TickerRundown)) {
        if (InterlockedExchange(&TickerQueued, TRUE) == FALSE) {
            ExQueueWorkItem(&TickerWork, DelayedWorkQueue);
        } else {
            ExReleaseRundownProtection(&TickerRundown); /* the one that is queued will see this tick too */
        }
    }
}

static VOID TickerUnload(PDRIVER_OBJECT DriverObject)
{
    UNREFERENCED_PARAMETER(DriverObject);
    KeCancelTimer(&TickerTimer);
    KeFlushQueuedDpcs();
    ExWaitForRundownProtectionRelease(&TickerRundown);
    DbgPrint("timerdpc: stopped after %ld ticks\n", TickerTicks);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    LARGE_INTEGER DueTime;
    UNREFERENCED_PARAMETER(RegistryPath);
    DriverObject->DriverUnload = TickerUnload;

    ExInitializeRundownProtection(&TickerRundown);
    ExInitializeWorkItem(&TickerWork, TickerWorkRoutine, NULL);
    KeInitializeDpc(&TickerDpc, TickerDpcRoutine, NULL);
    KeInitializeTimer(&TickerTimer);
    DueTime.QuadPart = -10000LL * TICK_PERIOD; /* relative, in units of 100 ns */
    KeSetTimerEx(&TickerTimer, DueTime, TICK_PERIOD, &TickerDpc);
    DbgPrint("timerdpc: a tick every %u ms\n", TICK_PERIOD);
    return STATUS_SUCCESS;
}
