/* SPDX-License-Identifier: MIT */
/*
 * Cancel-safe queues: order, what PeekContext means, IRPs found by their context, insertions that are
 * refused, cancellation before, in and after the queue, and against a removal on another processor.
 */
#include "devices.h"

static IO_CSQ Queue;
static LIST_ENTRY List;
static KSPIN_LOCK QueueLock;
static volatile LONG Cancelled; /* IRPs that were completed as such */

static VOID Insert(PIO_CSQ Csq, PIRP Irp)
{
    UNREFERENCED_PARAMETER(Csq);
    InsertTailList(&List, &Irp->Tail.Overlay.ListEntry);
}

/* Refuses when it is told to; to the head. */
static NTSTATUS InsertEx(PIO_CSQ Csq, PIRP Irp, PVOID InsertContext)
{
    UNREFERENCED_PARAMETER(Csq);
    if (InsertContext == NULL) {
        return STATUS_DEVICE_BUSY;
    }
    InsertHeadList(&List, &Irp->Tail.Overlay.ListEntry);
    return STATUS_SUCCESS;
}

static VOID Remove(PIO_CSQ Csq, PIRP Irp)
{
    UNREFERENCED_PARAMETER(Csq);
    RemoveEntryList(&Irp->Tail.Overlay.ListEntry);
}

/* PeekContext: an IRP's Information; NULL: any. */
static PIRP Peek(PIO_CSQ Csq, PIRP Irp, PVOID PeekContext)
{
    PLIST_ENTRY Link = Irp != NULL ? Irp->Tail.Overlay.ListEntry.Flink : List.Flink;
    UNREFERENCED_PARAMETER(Csq);
    for (; Link != &List; Link = Link->Flink) {
        PIRP Next = CONTAINING_RECORD(Link, IRP, Tail.Overlay.ListEntry);
        if (PeekContext == NULL || Next->IoStatus.Information == (ULONG_PTR)PeekContext) {
            return Next;
        }
    }
    return NULL;
}

static VOID Acquire(PIO_CSQ Csq, PKIRQL Irql)
{
    UNREFERENCED_PARAMETER(Csq);
    KeAcquireSpinLock(&QueueLock, Irql);
}

static VOID Release(PIO_CSQ Csq, KIRQL Irql)
{
    UNREFERENCED_PARAMETER(Csq);
    KeReleaseSpinLock(&QueueLock, Irql);
}

static VOID CompleteCancelled(PIO_CSQ Csq, PIRP Irp)
{
    UNREFERENCED_PARAMETER(Csq);
    Irp->IoStatus.Status = STATUS_CANCELLED;
    InterlockedIncrement(&Cancelled);
}

static PIRP MakeIrp(ULONG_PTR Information)
{
    PIRP Irp = IoAllocateIrp(1, FALSE);
    if (Irp != NULL) {
        IoSetNextIrpStackLocation(Irp);
        Irp->IoStatus.Information = Information;
    }
    return Irp;
}

static PCSTR TestOrder(VOID)
{
    PIRP Irps[4];
    IO_CSQ_IRP_CONTEXT Context;
    InitializeListHead(&List);
    KeInitializeSpinLock(&QueueLock);
    KTEST_CHECK(IoCsqInitialize(&Queue, Insert, Remove, Peek, Acquire, Release, CompleteCancelled) == STATUS_SUCCESS);
    KTEST_CHECK(IoCsqRemoveNextIrp(&Queue, NULL) == NULL);
    for (ULONG i = 0; i < 4; i++) {
        Irps[i] = MakeIrp(i + 1);
        KTEST_CHECK(Irps[i] != NULL);
        IoCsqInsertIrp(&Queue, Irps[i], i == 1 ? &Context : NULL);
        KTEST_CHECK(IoGetCurrentIrpStackLocation(Irps[i])->Control & SL_PENDING_RETURNED);
    }
    KTEST_CHECK(IoCsqRemoveNextIrp(&Queue, (PVOID)3) == Irps[2] && IoCsqRemoveNextIrp(&Queue, (PVOID)3) == NULL);
    KTEST_CHECK(Context.Irp == Irps[1] && IoCsqRemoveIrp(&Queue, &Context) == Irps[1] && Context.Irp == NULL);
    KTEST_CHECK(IoCsqRemoveIrp(&Queue, &Context) == NULL);
    KTEST_CHECK(IoCancelIrp(Irps[0]) && Cancelled == 1 && Irps[0]->IoStatus.Status == STATUS_CANCELLED);
    KTEST_CHECK(IoCsqRemoveNextIrp(&Queue, NULL) == Irps[3] && IoCsqRemoveNextIrp(&Queue, NULL) == NULL);
    KTEST_CHECK(!IoCancelIrp(Irps[3]) && Cancelled == 1); /* it has left the queue */
    for (ULONG i = 0; i < 4; i++) {
        IoFreeIrp(Irps[i]);
    }
    return NULL;
}

/* Cancelled before it comes into the queue: completed at once, with and without a context. */
static PCSTR TestCancelledBefore(VOID)
{
    IO_CSQ_IRP_CONTEXT Context;
    LONG Before = Cancelled;
    for (LONG i = 0; i < 2; i++) {
        PIRP Irp = MakeIrp(0);
        KTEST_CHECK(Irp != NULL && !IoCancelIrp(Irp));
        IoCsqInsertIrp(&Queue, Irp, i == 0 ? &Context : NULL);
        KTEST_CHECK(Cancelled == Before + 1 + i && IsListEmpty(&List) && (i != 0 || Context.Irp == NULL));
        IoFreeIrp(Irp);
    }
    return NULL;
}

static PCSTR TestRefused(VOID)
{
    IO_CSQ_IRP_CONTEXT Context;
    IO_CSQ Picky;
    PIRP First = MakeIrp(1), Second = MakeIrp(2);
    KTEST_CHECK(First != NULL && Second != NULL);
    KTEST_CHECK(IoCsqInitializeEx(&Picky, InsertEx, Remove, Peek, Acquire, Release, CompleteCancelled) == STATUS_SUCCESS);
    KTEST_CHECK(IoCsqInsertIrpEx(&Picky, First, &Context, NULL) == STATUS_DEVICE_BUSY && Context.Irp == NULL && IsListEmpty(&List));
    KTEST_CHECK(!IoCancelIrp(First));
    First->Cancel = FALSE;
    KTEST_CHECK(IoCsqInsertIrpEx(&Picky, First, NULL, &Picky) == STATUS_SUCCESS && IoCsqInsertIrpEx(&Picky, Second, &Context, &Picky) == STATUS_SUCCESS);
    KTEST_CHECK(IoCsqRemoveNextIrp(&Picky, NULL) == Second && Context.Irp == NULL && IoCancelIrp(First) && IsListEmpty(&List));
    IoFreeIrp(First);
    IoFreeIrp(Second);
    return NULL;
}

/* ---- Cancellation against removal, on two processors ---- */

#define ROUNDS 2000
static PIRP volatile RaceIrp;
static IO_CSQ_IRP_CONTEXT RaceContext;
static volatile LONG RaceTurn, RaceTaken;

static VOID RaceSide(PVOID Side)
{
    for (LONG Round = 1; Round <= ROUNDS; Round++) {
        if (Side == 0) {
            PIRP Irp = RaceIrp;
            IoReuseIrp(Irp, STATUS_PENDING);
            IoSetNextIrpStackLocation(Irp);
            IoCsqInsertIrp(&Queue, Irp, Round % 2 == 0 ? &RaceContext : NULL);
        }
        InterlockedIncrement(&RaceTurn);
        while (RaceTurn < Round * 4 - 2) { /* both are there, the IRP is in */
            YieldProcessor();
        }
        if (Side == 0) {
            IoCancelIrp(RaceIrp);
        } else if ((Round % 2 == 0 ? IoCsqRemoveIrp(&Queue, &RaceContext) : IoCsqRemoveNextIrp(&Queue, NULL)) != NULL) {
            RaceTaken++;
        }
        InterlockedIncrement(&RaceTurn);
        while (RaceTurn < Round * 4) { /* both are through */
            YieldProcessor();
        }
    }
}

static PCSTR TestRace(VOID)
{
    LONG Before = Cancelled;
    RaceIrp = MakeIrp(0);
    KTEST_CHECK(RaceIrp != NULL && KeQueryActiveProcessorCount(NULL) >= 2 && KtestCrowd(2, RaceSide));
    KTEST_CHECK(Cancelled - Before + RaceTaken == ROUNDS && IsListEmpty(&List));
    DbgPrint("devices: %d rounds of the queue: %d cancelled, %d taken\n", ROUNDS, Cancelled - Before, RaceTaken);
    IoFreeIrp(RaceIrp);
    return NULL;
}

VOID RunQueueTests(VOID)
{
    KtestRun("devices.cancel-safe queues: order and contexts", TestOrder);
    KtestRun("devices.cancel-safe queues: cancelled before", TestCancelledBefore);
    KtestRun("devices.cancel-safe queues: refused", TestRefused);
    KtestRun("devices.cancel-safe queues: cancellation against removal", TestRace);
}
