/* SPDX-License-Identifier: MIT */
/*
 * Cancel-safe queues: the driver says how an IRP is put into its queue, found there and taken out, and which
 * lock guards it; who gets an IRP that is cancelled at the same time is decided here.
 *
 *      inserted    CancelRoutine set; DriverContext[3] leads to the queue, through the IRP's context if it has one
 *      taken out   by whoever exchanges CancelRoutine for NULL: IoCsqRemove*, or IoCancelIrp, which then calls IopCancelCsq
 *
 * An IRP whose CancelRoutine is NULL while it stands in the queue is a canceller's, who waits for the queue's
 * lock: the others pass it over.
 *
 * Lock: the driver's own, by its routines. The cancel spin lock is never held together with it.
 */
#include <ntddk.h>

/* What the IRP keeps: the queue, or the context. Both begin with their type. */
#define IOP_CSQ_SLOT 3

/* The queue's lock is held: the IRP, whose cancel routine is the caller's now, leaves the queue. */
static VOID IopTakeOut(PIO_CSQ Csq, PIRP Irp)
{
    PIO_CSQ_IRP_CONTEXT Context = Irp->Tail.Overlay.DriverContext[IOP_CSQ_SLOT];

    Csq->CsqRemoveIrp(Csq, Irp);
    if (Context->Type == IO_TYPE_CSQ_IRP_CONTEXT) {
        Context->Irp = NULL;
    }
    Irp->Tail.Overlay.DriverContext[IOP_CSQ_SLOT] = NULL;
}

static VOID IopCancelCsq(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PIO_CSQ_IRP_CONTEXT Context = Irp->Tail.Overlay.DriverContext[IOP_CSQ_SLOT];
    PIO_CSQ Csq = Context->Type == IO_TYPE_CSQ_IRP_CONTEXT ? Context->Csq : (PIO_CSQ)Context;
    KIRQL Irql;

    IoReleaseCancelSpinLock(Irp->CancelIrql);
    Csq->CsqAcquireLock(Csq, &Irql);
    IopTakeOut(Csq, Irp);
    Csq->CsqReleaseLock(Csq, Irql);
    Csq->CsqCompleteCanceledIrp(Csq, Irp);
}

/* Prepares a queue with its six routines. CsqPeekNextIrp gives the IRP behind Irp (NULL: the first) that
   PeekContext means. STATUS_SUCCESS. Any IRQL. (WDK page of the name) */
NTSTATUS IoCsqInitialize(PIO_CSQ Csq, PIO_CSQ_INSERT_IRP CsqInsertIrp, PIO_CSQ_REMOVE_IRP CsqRemoveIrp,
                         PIO_CSQ_PEEK_NEXT_IRP CsqPeekNextIrp, PIO_CSQ_ACQUIRE_LOCK CsqAcquireLock,
                         PIO_CSQ_RELEASE_LOCK CsqReleaseLock, PIO_CSQ_COMPLETE_CANCELED_IRP CsqCompleteCanceledIrp)
{
    *Csq = (IO_CSQ){IO_TYPE_CSQ, CsqInsertIrp, CsqRemoveIrp, CsqPeekNextIrp, CsqAcquireLock, CsqReleaseLock, CsqCompleteCanceledIrp, NULL};
    return STATUS_SUCCESS;
}

/* The same with an insertion routine that may refuse an IRP, and gets IoCsqInsertIrpEx's InsertContext. (WDK
   page of the name) */
NTSTATUS IoCsqInitializeEx(PIO_CSQ Csq, PIO_CSQ_INSERT_IRP_EX CsqInsertIrp, PIO_CSQ_REMOVE_IRP CsqRemoveIrp,
                           PIO_CSQ_PEEK_NEXT_IRP CsqPeekNextIrp, PIO_CSQ_ACQUIRE_LOCK CsqAcquireLock,
                           PIO_CSQ_RELEASE_LOCK CsqReleaseLock, PIO_CSQ_COMPLETE_CANCELED_IRP CsqCompleteCanceledIrp)
{
    IoCsqInitialize(Csq, (PIO_CSQ_INSERT_IRP)(PVOID)CsqInsertIrp, CsqRemoveIrp, CsqPeekNextIrp, CsqAcquireLock, CsqReleaseLock,
                    CsqCompleteCanceledIrp);
    Csq->Type = IO_TYPE_CSQ_EX;
    return STATUS_SUCCESS;
}

/* The queue's lock is held. */
static NTSTATUS IopPutIn(PIO_CSQ Csq, PIRP Irp, PVOID InsertContext)
{
    if (Csq->Type == IO_TYPE_CSQ_EX) {
        return ((PIO_CSQ_INSERT_IRP_EX)(PVOID)Csq->CsqInsertIrp)(Csq, Irp, InsertContext);
    }
    Csq->CsqInsertIrp(Csq, Irp);
    return STATUS_SUCCESS;
}

/*
 * Marks the IRP pending and puts it into the queue; one that has been cancelled already is completed at once
 * by the driver's CsqCompleteCanceledIrp. Context, resident until the IRP has left the queue, finds it again
 * (IoCsqRemoveIrp). The status of the driver's insertion routine: after an error the IRP is the caller's
 * still, to be completed, and STATUS_PENDING to be returned for it. <= DISPATCH_LEVEL. (WDK page of the name)
 */
NTSTATUS IoCsqInsertIrpEx(PIO_CSQ Csq, PIRP Irp, PIO_CSQ_IRP_CONTEXT Context, PVOID InsertContext)
{
    KIRQL Irql;

    if (Context != NULL) {
        *Context = (IO_CSQ_IRP_CONTEXT){IO_TYPE_CSQ_IRP_CONTEXT, Irp, Csq};
    }
    Irp->Tail.Overlay.DriverContext[IOP_CSQ_SLOT] = Context != NULL ? (PVOID)Context : Csq;
    IoMarkIrpPending(Irp);
    Csq->CsqAcquireLock(Csq, &Irql);
    NTSTATUS Status = IopPutIn(Csq, Irp, InsertContext);
    if (!NT_SUCCESS(Status)) {
        if (Context != NULL) {
            Context->Irp = NULL;
        }
        Irp->Tail.Overlay.DriverContext[IOP_CSQ_SLOT] = NULL;
        Csq->CsqReleaseLock(Csq, Irql);
        return Status;
    }
    /* First the routine, then Cancel, as IoCancelIrp does it the other way round: one of the two sees the
       other. */
    IoSetCancelRoutine(Irp, IopCancelCsq);
    BOOLEAN Cancelled = *(volatile BOOLEAN *)&Irp->Cancel && IoSetCancelRoutine(Irp, NULL) != NULL;
    if (Cancelled) {
        IopTakeOut(Csq, Irp);
    }
    Csq->CsqReleaseLock(Csq, Irql);
    if (Cancelled) {
        Csq->CsqCompleteCanceledIrp(Csq, Irp);
    }
    return Status;
}

/* IoCsqInsertIrpEx for a queue that refuses nothing. (WDK page of the name) */
VOID IoCsqInsertIrp(PIO_CSQ Csq, PIRP Irp, PIO_CSQ_IRP_CONTEXT Context)
{
    IoCsqInsertIrpEx(Csq, Irp, Context, NULL);
}

/* Takes out the first IRP that PeekContext means and nobody cancels; NULL: there is none. It is the caller's
   to complete. <= DISPATCH_LEVEL. (WDK page of the name) */
PIRP IoCsqRemoveNextIrp(PIO_CSQ Csq, PVOID PeekContext)
{
    KIRQL Irql;

    Csq->CsqAcquireLock(Csq, &Irql);
    PIRP Irp = Csq->CsqPeekNextIrp(Csq, NULL, PeekContext);
    while (Irp != NULL && IoSetCancelRoutine(Irp, NULL) == NULL) {
        Irp = Csq->CsqPeekNextIrp(Csq, Irp, PeekContext);
    }
    if (Irp != NULL) {
        IopTakeOut(Csq, Irp);
    }
    Csq->CsqReleaseLock(Csq, Irql);
    return Irp;
}

/* Takes out the IRP of the context; NULL: it has left the queue, or somebody cancels it. <= DISPATCH_LEVEL.
   (WDK page of the name) */
PIRP IoCsqRemoveIrp(PIO_CSQ Csq, PIO_CSQ_IRP_CONTEXT Context)
{
    KIRQL Irql;

    Csq->CsqAcquireLock(Csq, &Irql);
    PIRP Irp = Context->Irp;
    if (Irp != NULL && IoSetCancelRoutine(Irp, NULL) == NULL) {
        Irp = NULL;
    }
    if (Irp != NULL) {
        IopTakeOut(Csq, Irp);
    }
    Csq->CsqReleaseLock(Csq, Irql);
    return Irp;
}
