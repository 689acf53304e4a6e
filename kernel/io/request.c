/* SPDX-License-Identifier: MIT */
/*
 * Requests on open files: from a service's arguments to an IRP, and from the completed IRP to the caller.
 *
 *      file opened with FILE_SYNCHRONOUS_IO_*: one request at a time (FILE_OBJECT.Lock). The caller waits, and takes the
 *      answer itself. The wait ends early when the thread is to end (or is alerted, if so opened): the IRP is cancelled then,
 *      and its completion waited for.
 *
 *      other files: the caller gets STATUS_PENDING. The answer is given
 *        - to a caller in user mode by a normal kernel APC on the thread that has asked, for only there are its buffers; and a
 *          normal APC never interrupts what holds a lock of the address space. The IRP stands in that thread's list until then;
 *          the thread's end cancels what is in it, and waits until all has been answered.
 *        - to one in kernel mode by whoever completes the IRP, at once: its buffers are everywhere.
 *
 * How data travel: buffered (AssociatedIrp.SystemBuffer, zeroed where nothing was copied in), direct
 * (MdlAddress: the caller's pages, locked until the answer), or neither (the driver gets the caller's
 * addresses).
 *
 * Locks: FILE_OBJECT.Lock, an event, while a synchronous request is under way; nothing is held while a driver
 * is called. KTHREAD.IrpLock, a push lock, for the list of a thread's requests: held while cancel routines
 * are called, so that no IRP of the list goes meanwhile.
 */
#include "kernel/io/iop.h"
#include "sync/pushlock.h"

static void IopListIrp(PIRP Irp)
{
    PKTHREAD Thread = ArchCurrentThread();

    KeLockExclusive(&Thread->IrpLock);
    InsertTailList(&Thread->IrpList, &Irp->ThreadListEntry);
    KeUnlockExclusive(&Thread->IrpLock);
}

static void IopUnlistIrp(PIRP Irp)
{
    PKTHREAD Thread = ArchCurrentThread();

    KeLockExclusive(&Thread->IrpLock);
    RemoveEntryList(&Irp->ThreadListEntry);
    KeUnlockExclusive(&Thread->IrpLock);
}

/* ---- The answer ---- */

/* At its first field, every request that transfers something has the size of what is wanted. */
static ULONG IopOutputLength(PIRP Irp)
{
    PIO_STACK_LOCATION First = (PIO_STACK_LOCATION)(Irp + 1) + Irp->StackCount - 1;

    return First->Parameters.Read.Length;
}

static void IopFreeBuffers(PIRP Irp)
{
    if (Irp->Flags & IRP_DEALLOCATE_BUFFER) {
        ExFreePoolWithTag(Irp->AssociatedIrp.SystemBuffer, IOP_TAG);
    }
    while (Irp->MdlAddress != NULL) { /* a driver may have added others to the one that it got */
        PMDL Mdl = Irp->MdlAddress;
        Irp->MdlAddress = Mdl->Next;
        if (Mdl->MdlFlags & MDL_PAGES_LOCKED) {
            MmUnlockPages(Mdl);
        }
        IoFreeMdl(Mdl);
    }
}

/* Copies what a driver has put into the system buffer to the caller, and frees all buffers. What comes with a
   warning is copied, what comes with an error is not. */
static void IopReturnBuffer(PIRP Irp)
{
    if ((Irp->Flags & IRP_INPUT_OPERATION) && !NT_ERROR(Irp->IoStatus.Status) && Irp->IoStatus.Information != 0) {
        SIZE_T Size = IopLesser(Irp->IoStatus.Information, IopOutputLength(Irp));
        NTSTATUS Status = ExCopyOut(Irp->UserBuffer, Irp->AssociatedIrp.SystemBuffer, Size, Irp->RequestorMode);
        if (!NT_SUCCESS(Status)) {
            Irp->IoStatus.Status = Status;
            Irp->IoStatus.Information = 0;
        }
    }
    IopFreeBuffers(Irp);
}

static VOID IopFreeApcIrp(PKAPC Apc)
{
    IoFreeIrp(CONTAINING_RECORD(Apc, IRP, Tail.Apc));
}

static VOID IopApcIsDelivered(PKAPC Apc, PKNORMAL_ROUTINE *NormalRoutine, PVOID *NormalContext, PVOID *Argument1, PVOID *Argument2)
{
    IopFreeApcIrp(Apc);
}

/* The user APC that the caller has asked for, in the IRP, which goes when it is delivered; else the IRP goes
   here. */
static void IopCallBack(PIRP Irp)
{
    PKTHREAD Thread = ArchCurrentThread();
    PKNORMAL_ROUTINE Routine = (PKNORMAL_ROUTINE)(PVOID)Irp->Overlay.AsynchronousParameters.UserApcRoutine;
    PVOID Context = Irp->Overlay.AsynchronousParameters.UserApcContext, Block = Irp->UserIosb;

    if (Routine == NULL || Irp->RequestorMode == KernelMode || !KeHandlers.TakesUserApcs(Thread->Process)) {
        IoFreeIrp(Irp);
        return;
    }
    KeInitializeApc(&Irp->Tail.Apc, Thread, OriginalApcEnvironment, IopApcIsDelivered, IopFreeApcIrp, Routine, UserMode, Context);
    if (!KeInsertQueueApc(&Irp->Tail.Apc, Block, NULL, IO_NO_INCREMENT)) {
        IoFreeIrp(Irp);
    }
}

/* Buffer, status block, event, APC, in this order; the IRP goes. User mode: on the thread that has asked,
   PASSIVE_LEVEL. Event: signalled; may be NULL. */
static NTSTATUS IopAnswer(PIRP Irp, PKEVENT Event, KPRIORITY Increment)
{
    IopReturnBuffer(Irp);
    IO_STATUS_BLOCK Block = {.Information = Irp->IoStatus.Information};
    Block.Pointer = NULL; /* no bytes of the kernel's beside the status */
    Block.Status = Irp->IoStatus.Status;
    NTSTATUS Written = ExCopyOut(Irp->UserIosb, &Block, sizeof(Block), Irp->RequestorMode);
    if (Event != NULL) {
        KeSetEvent(Event, Increment, FALSE);
    }
    IopCallBack(Irp);
    return NT_SUCCESS(Written) ? Block.Status : Written;
}

/* What a request of a service holds beside its IRP. */
static void IopReleaseRequest(PFILE_OBJECT File, PKEVENT Event)
{
    if (Event != NULL && Event != &File->Event) {
        ObDereferenceObject(Event);
    }
    ObDereferenceObject(File);
}

static VOID IopCompletionApc(PVOID NormalContext, PVOID Argument1, PVOID Argument2)
{
    PKTHREAD Thread = ArchCurrentThread();
    PIRP Irp = NormalContext;
    PKEVENT Event = Irp->UserEvent;

    IopUnlistIrp(Irp);
    IopAnswer(Irp, Event, IO_NO_INCREMENT);
    IopReleaseRequest(Argument1, Event);
    if (Thread->IrpsGone != NULL && IsListEmpty(&Thread->IrpList)) {
        KeSetEvent(Thread->IrpsGone, IO_NO_INCREMENT, FALSE);
    }
}

static VOID IopCompletionKernelApc(PKAPC Apc, PKNORMAL_ROUTINE *NormalRoutine, PVOID *NormalContext, PVOID *Argument1,
                                   PVOID *Argument2)
{
}

void IopFinishRequest(PIRP Irp, KPRIORITY Increment)
{
    PKTHREAD Thread = (PKTHREAD)Irp->Tail.Overlay.Thread;
    PFILE_OBJECT File = Irp->Tail.Overlay.OriginalFileObject; /* NULL: of IoBuildDeviceIoControlRequest */

    KI_ASSERT(Irp->UserIosb != NULL, "IRP %p is complete, and nobody is there to get it", Irp);
    if (Irp->RequestorMode == KernelMode) {
        PKEVENT Event = Irp->UserEvent;
        IopAnswer(Irp, Event, Increment);
        if (File != NULL) {
            IopReleaseRequest(File, Event);
        }
        ObDereferenceObject(Thread);
        return;
    }
    KeInitializeApc(&Irp->Tail.Apc, Thread, OriginalApcEnvironment, IopCompletionKernelApc, NULL, IopCompletionApc, KernelMode, Irp);
    /* The thread's end waits for this answer, but not for this call: it may have got the APC and be gone
       before that returns. */
    ObReferenceObject(Thread);
    KeInsertQueueApc(&Irp->Tail.Apc, File, NULL, Increment);
    ObDereferenceObject(Thread);
}

/* ---- The request ---- */

/* How a driver gets the caller's bytes: METHOD_*, of which METHOD_OUT_DIRECT means that it writes to the
   pages. */
static ULONG IopChooseMethod(const IO_REQUEST *Request)
{
    ULONG Flags = Request->File->DeviceObject->Flags;

    return Request->Major == IRP_MJ_DEVICE_CONTROL      ? METHOD_FROM_CTL_CODE(Request->Code)
           : Request->Major == IRP_MJ_QUERY_INFORMATION ? METHOD_BUFFERED
           : Flags & DO_BUFFERED_IO                     ? METHOD_BUFFERED
           : !(Flags & DO_DIRECT_IO)                    ? METHOD_NEITHER
           : Request->Major == IRP_MJ_WRITE             ? METHOD_IN_DIRECT
                                                        : METHOD_OUT_DIRECT;
}

static bool IopIsCallers(const VOID *Address, SIZE_T Length, KPROCESSOR_MODE Mode)
{
    return Mode == KernelMode || Length == 0 || ((ULONG64)Address < MM_USER_END && Length <= MM_USER_END - (ULONG64)Address);
}

static NTSTATUS IopMakeSystemBuffer(PIRP Irp, PVOID Input, ULONG InputLength, PVOID Output, ULONG OutputLength)
{
    ULONG Size = InputLength > OutputLength ? InputLength : OutputLength;

    if (Size == 0) {
        return STATUS_SUCCESS;
    }
    PVOID Buffer = ExAllocatePool2(POOL_FLAG_NON_PAGED, Size, IOP_TAG);
    if (Buffer == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    NTSTATUS Status = InputLength != 0 ? ExCopyIn(Buffer, Input, InputLength, Irp->RequestorMode) : STATUS_SUCCESS;
    if (!NT_SUCCESS(Status)) {
        ExFreePoolWithTag(Buffer, IOP_TAG);
        return Status;
    }
    Irp->AssociatedIrp.SystemBuffer = Buffer;
    Irp->Flags |= IRP_BUFFERED_IO | IRP_DEALLOCATE_BUFFER | (OutputLength != 0 ? IRP_INPUT_OPERATION : 0);
    Irp->UserBuffer = Output;
    return STATUS_SUCCESS;
}

/* Irp->MdlAddress: the buffer's pages, locked. */
static NTSTATUS IopLockBuffer(PIRP Irp, PVOID Buffer, ULONG Length, ULONG Method)
{
    if (Length == 0) {
        return STATUS_SUCCESS;
    }
    PMDL Mdl = IoAllocateMdl(Buffer, Length, FALSE, FALSE, Irp);
    return Mdl != NULL ? MmLockPages(Mdl, Irp->RequestorMode, Method == METHOD_OUT_DIRECT ? IoWriteAccess : IoReadAccess)
                       : STATUS_INSUFFICIENT_RESOURCES;
}

/* The buffers of a control code; neither's are the driver's to check. What has been made on failure,
   IopFreeBuffers frees. */
static NTSTATUS IopAttachControl(PIRP Irp, ULONG Method, PVOID Input, ULONG InputLength, PVOID Output, ULONG OutputLength)
{
    if (Method == METHOD_NEITHER) {
        return STATUS_SUCCESS;
    }
    if (Method == METHOD_BUFFERED) {
        return IopMakeSystemBuffer(Irp, Input, InputLength, Output, OutputLength);
    }
    NTSTATUS Status = IopMakeSystemBuffer(Irp, Input, InputLength, NULL, 0);
    return NT_SUCCESS(Status) ? IopLockBuffer(Irp, Output, OutputLength, Method) : Status;
}

static void IopDescribeControl(PIO_STACK_LOCATION Stack, ULONG Code, PVOID Input, ULONG InputLength, ULONG OutputLength)
{
    Stack->Parameters.DeviceIoControl.OutputBufferLength = OutputLength;
    Stack->Parameters.DeviceIoControl.InputBufferLength = InputLength;
    Stack->Parameters.DeviceIoControl.IoControlCode = Code;
    Stack->Parameters.DeviceIoControl.Type3InputBuffer = METHOD_FROM_CTL_CODE(Code) == METHOD_NEITHER ? Input : NULL;
}

static void IopDescribe(PIO_STACK_LOCATION Stack, const IO_REQUEST *Request)
{
    Stack->MajorFunction = Request->Major;
    Stack->MinorFunction = Request->Minor;
    Stack->Flags = Request->Flags;
    Stack->FileObject = Request->File;
    switch (Request->Major) {
    case IRP_MJ_READ:
        Stack->Parameters.Read.Length = Request->OutputLength;
        Stack->Parameters.Read.ByteOffset = Request->Offset;
        break;
    case IRP_MJ_WRITE:
        Stack->Parameters.Write.Length = Request->InputLength;
        Stack->Parameters.Write.ByteOffset = Request->Offset;
        break;
    case IRP_MJ_DEVICE_CONTROL:
        IopDescribeControl(Stack, Request->Code, Request->Input, Request->InputLength, Request->OutputLength);
        break;
    case IRP_MJ_QUERY_INFORMATION:
        Stack->Parameters.QueryFile.Length = Request->OutputLength;
        Stack->Parameters.QueryFile.FileInformationClass = (FILE_INFORMATION_CLASS)Request->Code;
        break;
    default:
        Stack->Parameters.QueryDirectory.Length = Request->OutputLength;
        Stack->Parameters.QueryDirectory.FileInformationClass = (FILE_INFORMATION_CLASS)Request->Code;
    }
}

/* The buffers of a request; the addresses of a control that takes neither are the driver's to check. */
static NTSTATUS IopAttachBuffers(PIRP Irp, const IO_REQUEST *Request)
{
    ULONG Method = IopChooseMethod(Request);
    bool Control = Request->Major == IRP_MJ_DEVICE_CONTROL;

    if ((Method != METHOD_NEITHER || !Control) &&
        (!IopIsCallers(Request->Input, Request->InputLength, Request->Mode) ||
         !IopIsCallers(Request->Output, Request->OutputLength, Request->Mode))) {
        return STATUS_ACCESS_VIOLATION;
    }
    Irp->UserBuffer = Request->Major == IRP_MJ_WRITE ? Request->Input : Request->Output;
    if (!Control && (Method == METHOD_IN_DIRECT || Method == METHOD_OUT_DIRECT)) {
        return IopLockBuffer(Irp, Irp->UserBuffer, Request->InputLength + Request->OutputLength, Method); /* one of them is 0 */
    }
    return IopAttachControl(Irp, Method, Request->Input, Request->InputLength, Request->Output, Request->OutputLength);
}

static NTSTATUS IopBuildRequest(const IO_REQUEST *Request, PIRP *Built)
{
    PIRP Irp = IoAllocateIrp(Request->File->DeviceObject->StackSize, FALSE);

    if (Irp == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Irp->RequestorMode = Request->Mode;
    Irp->UserIosb = Request->Block;
    Irp->Overlay.AsynchronousParameters.UserApcRoutine = Request->ApcRoutine;
    Irp->Overlay.AsynchronousParameters.UserApcContext = Request->ApcContext;
    Irp->Tail.Overlay.Thread = (PETHREAD)ArchCurrentThread(); /* an ETHREAD begins with its KTHREAD */
    Irp->Tail.Overlay.OriginalFileObject = Request->File;
    IopDescribe(IoGetNextIrpStackLocation(Irp), Request);
    NTSTATUS Status = IopAttachBuffers(Irp, Request);
    if (!NT_SUCCESS(Status)) {
        IopFreeBuffers(Irp);
        IoFreeIrp(Irp);
        return Status;
    }
    *Built = Irp;
    return STATUS_SUCCESS;
}

/* One synchronous request of a file after the other. An alert, or the thread's end, ends the wait for one's
   turn. */
static NTSTATUS IopLockFile(const IO_REQUEST *Request)
{
    return KeWaitForSingleObject(&Request->File->Lock, Executive, Request->Mode, (Request->File->Flags & FO_ALERTABLE_IO) != 0, NULL);
}

/* A program's request can be cancelled by others while it is waited for: it stands in the list. */
static void IopSendAndWait(PFILE_OBJECT File, PIRP Irp)
{
    bool Listed = Irp->RequestorMode != KernelMode;

    if (Listed) {
        IopListIrp(Irp);
    }
    IopCallAndWait(File->DeviceObject, Irp, (File->Flags & FO_ALERTABLE_IO) != 0);
    if (Listed) {
        IopUnlistIrp(Irp);
    }
}

static NTSTATUS IopWaitForRequest(IO_REQUEST *Request)
{
    PFILE_OBJECT File = Request->File;
    bool Serial = (File->Flags & FO_SYNCHRONOUS_IO) != 0;
    PIRP Irp;
    NTSTATUS Status = Serial ? IopLockFile(Request) : STATUS_SUCCESS;

    if (Status != STATUS_SUCCESS) {
        return Status;
    }
    if (Request->UsePosition) {
        Request->Offset = File->CurrentByteOffset;
    }
    Status = IopBuildRequest(Request, &Irp);
    if (NT_SUCCESS(Status)) {
        IopSendAndWait(File, Irp);
        Status = IopAnswer(Irp, Request->Event, IO_NO_INCREMENT);
    }
    if (Serial) {
        KeSetEvent(&File->Lock, IO_NO_INCREMENT, FALSE);
    }
    return Status;
}

/* The request's references are the IRP's from here on; they go with the answer, which may be there before the
   driver's routine has returned: another one keeps the driver until then. Of a kernel-mode request the IRP
   holds its thread, which may end. */
static NTSTATUS IopStartRequest(const IO_REQUEST *Request)
{
    PIRP Irp;
    NTSTATUS Status = IopBuildRequest(Request, &Irp);

    if (!NT_SUCCESS(Status)) {
        IopReleaseRequest(Request->File, Request->Event);
        return Status;
    }
    Irp->UserEvent = Request->Event;
    if (Request->Mode != KernelMode) {
        IopListIrp(Irp);
    } else {
        ObReferenceObject(Irp->Tail.Overlay.Thread);
    }
    PFILE_OBJECT File = Request->File;
    ObReferenceObject(File);
    Status = IofCallDriver(File->DeviceObject, Irp);
    ObDereferenceObject(File);
    return Status;
}

NTSTATUS IoIssueRequest(IO_REQUEST *Request)
{
    bool Wait = Request->Wait || (Request->File->Flags & FO_SYNCHRONOUS_IO);
    bool Valid = Request->Block != NULL && IopIsCallers(Request->Block, sizeof(*Request->Block), Request->Mode);

    if (Request->Event == NULL && !Request->Wait) {
        Request->Event = &Request->File->Event;
    }
    if (!Valid || (Request->UsePosition && !Wait)) {
        IopReleaseRequest(Request->File, Request->Event);
        return Valid ? STATUS_INVALID_PARAMETER : STATUS_ACCESS_VIOLATION;
    }
    if (Request->Event != NULL) {
        KeClearEvent(Request->Event);
    }
    if (!Wait) {
        return IopStartRequest(Request);
    }
    NTSTATUS Status = IopWaitForRequest(Request);
    IopReleaseRequest(Request->File, Request->Event);
    return Status;
}

/* ---- Cancelling ---- */

/* No IRP of the list is answered meanwhile: the thread would have to take it off first. */
BOOLEAN IoCancelRequests(PKTHREAD Thread, PFILE_OBJECT File, PIO_STATUS_BLOCK Block)
{
    PLIST_ENTRY Head = &Thread->IrpList;
    BOOLEAN Found = FALSE;

    KeLockShared(&Thread->IrpLock);
    for (PLIST_ENTRY Link = Head->Flink; Link != Head; Link = Link->Flink) {
        PIRP Irp = CONTAINING_RECORD(Link, IRP, ThreadListEntry);
        PIO_STACK_LOCATION First = (PIO_STACK_LOCATION)(Irp + 1) + Irp->StackCount - 1;
        if ((File == NULL || First->FileObject == File) && (Block == NULL || Irp->UserIosb == Block)) {
            IoCancelIrp(Irp);
            Found = TRUE;
        }
    }
    KeUnlockShared(&Thread->IrpLock);
    return Found;
}

void IoRundownThread(void)
{
    PKTHREAD Thread = ArchCurrentThread();
    KEVENT Gone;

    if (IsListEmpty(&Thread->IrpList)) {
        return;
    }
    KeInitializeEvent(&Gone, NotificationEvent, FALSE);
    Thread->IrpsGone = &Gone;
    IoCancelRequests(Thread, NULL, NULL);
    while (!IsListEmpty(&Thread->IrpList)) { /* when it is seen empty here, the event may have been missed: no harm */
        KeWaitForSingleObject(&Gone, Executive, KernelMode, FALSE, NULL);
    }
    Thread->IrpsGone = NULL;
}

/* ---- Requests of drivers ---- */

/*
 * A control request for a device that the caller has a pointer to: it sends it with IoCallDriver, and waits
 * for Event if that returns STATUS_PENDING. The IRP is freed, and the output copied, when it is completed:
 * the caller does not touch it again. IoStatusBlock, Event and the buffers are the kernel's, and stay until
 * then. NULL: out of memory. Differs: no thread's end cancels it. PASSIVE_LEVEL. (WDK page of the name)
 */
PIRP IoBuildDeviceIoControlRequest(ULONG IoControlCode, PDEVICE_OBJECT DeviceObject, PVOID InputBuffer, ULONG InputBufferLength,
                                   PVOID OutputBuffer, ULONG OutputBufferLength, BOOLEAN InternalDeviceIoControl, PKEVENT Event,
                                   PIO_STATUS_BLOCK IoStatusBlock)
{
    ULONG Method = METHOD_FROM_CTL_CODE(IoControlCode);
    PIRP Irp = IoAllocateIrp(DeviceObject->StackSize, FALSE);

    PAGED_CODE();
    if (Irp == NULL) {
        return NULL;
    }
    Irp->RequestorMode = KernelMode;
    Irp->UserIosb = IoStatusBlock;
    Irp->UserEvent = Event;
    Irp->UserBuffer = OutputBuffer;
    Irp->Tail.Overlay.Thread = (PETHREAD)ArchCurrentThread();
    PIO_STACK_LOCATION Stack = IoGetNextIrpStackLocation(Irp);
    Stack->MajorFunction = InternalDeviceIoControl ? IRP_MJ_INTERNAL_DEVICE_CONTROL : IRP_MJ_DEVICE_CONTROL;
    IopDescribeControl(Stack, IoControlCode, InputBuffer, InputBufferLength, OutputBufferLength);
    if (!NT_SUCCESS(IopAttachControl(Irp, Method, InputBuffer, InputBufferLength, OutputBuffer, OutputBufferLength))) {
        IopFreeBuffers(Irp);
        IoFreeIrp(Irp);
        return NULL;
    }
    ObReferenceObject(Irp->Tail.Overlay.Thread); /* until it is completed */
    return Irp;
}
EXPORT(IoBuildDeviceIoControlRequest);
