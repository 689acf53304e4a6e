/* SPDX-License-Identifier: MIT */
/*
 * Tells a program which processes, threads and images come and go. The program is user/procmon.
 *
 *      notify callbacks --> Note --> Ring --> IRP_MJ_READ on \Device\ProcMon
 *                             |                    |
 *                             +---- completes ---- Reader: the read that found the ring empty
 *
 * Events are noted from the moment the driver is loaded, whether somebody reads or not. When the ring is
 * full, new ones are dropped and counted, and the next record that finds room carries the count.
 *
 * There is one reader: the device is exclusive, and a second read while one is pending fails with
 * STATUS_DEVICE_BUSY.
 *
 * What can happen to a pending read, and who completes it. IoSetCancelRoutine(Irp, NULL) decides: only one
 * party gets the cancel routine back, and it alone completes the IRP.
 *
 *      an event comes        Note, with records
 *      it is cancelled       CancelRead, with STATUS_CANCELLED: the reader's thread ends, for example
 *      its file is closed    Cleanup, with STATUS_CANCELLED
 *
 * Lock: Lock guards Ring, First, Count, Lost, Reader and Closing. A spin lock, for requests may be cancelled
 * at DISPATCH_LEVEL.
 */
#include <ntddk.h>

#include "procmon.h"

#define RING_SIZE 128

DRIVER_INITIALIZE DriverEntry;

static KSPIN_LOCK Lock;
static PROCMON_RECORD Ring[RING_SIZE]; /* (Lock) */
static ULONG First, Count;             /* (Lock) the records in use are Ring[First], Ring[First + 1], ... */
static ULONG Lost;                     /* (Lock) events since the last one that found room */
static PIRP Reader;                    /* (Lock) the pending read, or NULL */
static BOOLEAN Closing;                /* (Lock) the last handle is closed: a read that comes late does not wait */

/* ---- The ring; Lock is held ---- */

static VOID Put(const PROCMON_RECORD *Record)
{
    if (Count == RING_SIZE) {
        Lost++;
        return;
    }
    PPROCMON_RECORD Free = &Ring[(First + Count++) % RING_SIZE];
    *Free = *Record;
    Free->Lost = Lost;
    Lost = 0;
}

/* Moves as many records as fit from the ring into the buffer of a read that will be completed with them. */
static VOID MoveRecords(PIRP Irp)
{
    PPROCMON_RECORD Record = Irp->AssociatedIrp.SystemBuffer;
    ULONG Room = IoGetCurrentIrpStackLocation(Irp)->Parameters.Read.Length / sizeof(PROCMON_RECORD);
    ULONG Moved = 0;

    for (; Moved < Room && Count != 0; Moved++) {
        Record[Moved] = Ring[First];
        First = (First + 1) % RING_SIZE;
        Count--;
    }
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = Moved * sizeof(PROCMON_RECORD);
}

/* ---- The pending read ---- */

/* The pending read, which is the caller's to complete from here on; NULL: there is none, or it is being
   cancelled. Lock is held. */
static PIRP TakeReader(VOID)
{
    PIRP Irp = Reader;
    if (Irp == NULL || IoSetCancelRoutine(Irp, NULL) == NULL) {
        return NULL;
    }
    Reader = NULL;
    return Irp;
}

static NTSTATUS Complete(PIRP Irp, NTSTATUS Status)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

/* Called with the cancel spin lock held; the IRP has no cancel routine any more, so TakeReader leaves it
   alone. */
static VOID CancelRead(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    KIRQL Irql;

    UNREFERENCED_PARAMETER(DeviceObject);
    IoReleaseCancelSpinLock(Irp->CancelIrql);
    KeAcquireSpinLock(&Lock, &Irql);
    Reader = NULL;
    KeReleaseSpinLock(&Lock, Irql);
    Complete(Irp, STATUS_CANCELLED);
}

/* Makes Irp the pending read. STATUS_PENDING: it is, and may be complete already; otherwise the caller
   completes it. Lock is held. */
static NTSTATUS Pend(PIRP Irp)
{
    if (Closing) {
        return STATUS_CANCELLED;
    }
    if (Reader != NULL) {
        return STATUS_DEVICE_BUSY;
    }
    IoSetCancelRoutine(Irp, CancelRead);
    /* Cancelled before there was a routine to call? Then either we take it back, or it has been called just
       now and waits for Lock. */
    if (Irp->Cancel && IoSetCancelRoutine(Irp, NULL) != NULL) {
        return STATUS_CANCELLED;
    }
    IoMarkIrpPending(Irp);
    Reader = Irp;
    return STATUS_PENDING;
}

/* ---- The device ---- */

static NTSTATUS Create(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    KIRQL Irql;

    UNREFERENCED_PARAMETER(DeviceObject);
    KeAcquireSpinLock(&Lock, &Irql);
    Closing = FALSE;
    KeReleaseSpinLock(&Lock, Irql);
    return Complete(Irp, STATUS_SUCCESS);
}

static NTSTATUS Close(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    UNREFERENCED_PARAMETER(DeviceObject);
    return Complete(Irp, STATUS_SUCCESS);
}

static NTSTATUS Read(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    NTSTATUS Status = STATUS_SUCCESS;
    KIRQL Irql;

    UNREFERENCED_PARAMETER(DeviceObject);
    if (IoGetCurrentIrpStackLocation(Irp)->Parameters.Read.Length < sizeof(PROCMON_RECORD)) {
        return Complete(Irp, STATUS_BUFFER_TOO_SMALL);
    }
    KeAcquireSpinLock(&Lock, &Irql);
    if (Count != 0) {
        MoveRecords(Irp);
    } else {
        Status = Pend(Irp);
    }
    KeReleaseSpinLock(&Lock, Irql);

    if (Status == STATUS_SUCCESS) {
        IoCompleteRequest(Irp, IO_NO_INCREMENT);
    } else if (Status != STATUS_PENDING) {
        Complete(Irp, Status);
    }
    return Status;
}

/* The last handle is closed. The pending read is this file's, for there is only one file. */
static NTSTATUS Cleanup(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    KIRQL Irql;

    UNREFERENCED_PARAMETER(DeviceObject);
    KeAcquireSpinLock(&Lock, &Irql);
    Closing = TRUE;
    PIRP Pending = TakeReader();
    KeReleaseSpinLock(&Lock, Irql);
    if (Pending != NULL) {
        Complete(Pending, STATUS_CANCELLED);
    }
    return Complete(Irp, STATUS_SUCCESS);
}

/* ---- The callbacks ---- */

static VOID Note(PROCMON_EVENT Event, HANDLE ProcessId, HANDLE ThreadId, PCUNICODE_STRING Name)
{
    PROCMON_RECORD Record = {
        .Event = Event,
        .ProcessId = HandleToULong(ProcessId),
        .ThreadId = HandleToULong(ThreadId),
    };
    ULONG Length;
    KIRQL Irql;

    if (Name != NULL) {
        /* The record is zeroed, and its last byte is left: so the name has its NUL, even if it had to be
           cut. */
        RtlUnicodeToUTF8N(Record.Name, sizeof(Record.Name) - 1, &Length, Name->Buffer, Name->Length);
    }
    KeAcquireSpinLock(&Lock, &Irql);
    Record.Time = KeQueryInterruptTime(); /* under the lock, so that the records' times never go back */
    Put(&Record);
    PIRP Irp = TakeReader();
    if (Irp != NULL) {
        MoveRecords(Irp);
    }
    KeReleaseSpinLock(&Lock, Irql);
    if (Irp != NULL) {
        IoCompleteRequest(Irp, IO_NO_INCREMENT);
    }
}

static VOID NoteProcess(PEPROCESS Process, HANDLE ProcessId, PPS_CREATE_NOTIFY_INFO CreateInfo)
{
    UNREFERENCED_PARAMETER(Process);
    if (CreateInfo != NULL) {
        Note(ProcMonProcessCreated, ProcessId, CreateInfo->CreatingThreadId.UniqueThread,
             CreateInfo->ImageFileName);
    } else {
        Note(ProcMonProcessEnded, ProcessId, PsGetCurrentThreadId(), NULL);
    }
}

static VOID NoteThread(HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create)
{
    Note(Create ? ProcMonThreadCreated : ProcMonThreadEnded, ProcessId, ThreadId, NULL);
}

static VOID NoteImage(PUNICODE_STRING FullImageName, HANDLE ProcessId, PIMAGE_INFO ImageInfo)
{
    UNREFERENCED_PARAMETER(ImageInfo);
    Note(ProcMonImageLoaded, ProcessId, PsGetCurrentThreadId(), FullImageName);
}

/* Waits for calls that are in progress. Removing what was never registered does nothing: so this undoes any
   part of RegisterAll. */
static VOID RemoveAll(VOID)
{
    PsRemoveLoadImageNotifyRoutine(NoteImage);
    PsRemoveCreateThreadNotifyRoutine(NoteThread);
    PsSetCreateProcessNotifyRoutineEx2(PsCreateProcessNotifySubsystems, (PVOID)NoteProcess, TRUE);
}

/* These kinds of callback hear of all processes and threads, those of subsystems, too, and each of them
   once. */
static NTSTATUS RegisterAll(VOID)
{
    NTSTATUS Status =
        PsSetCreateProcessNotifyRoutineEx2(PsCreateProcessNotifySubsystems, (PVOID)NoteProcess, FALSE);
    if (NT_SUCCESS(Status)) {
        Status = PsSetCreateThreadNotifyRoutineEx(PsCreateThreadNotifySubsystems, (PVOID)NoteThread);
    }
    if (NT_SUCCESS(Status)) {
        Status = PsSetLoadImageNotifyRoutine(NoteImage);
    }
    if (!NT_SUCCESS(Status)) {
        RemoveAll();
    }
    return Status;
}

/* ---- Coming and going ---- */

static UNICODE_STRING DeviceName = RTL_CONSTANT_STRING(PROCMON_DEVICE_NAME);
static UNICODE_STRING LinkName = RTL_CONSTANT_STRING(PROCMON_LINK_NAME);

/* Nobody has the device open any more: so no read is pending. */
static VOID ProcMonUnload(PDRIVER_OBJECT DriverObject)
{
    RemoveAll();
    IoDeleteSymbolicLink(&LinkName);
    IoDeleteDevice(DriverObject->DeviceObject);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    PDEVICE_OBJECT Device;

    UNREFERENCED_PARAMETER(RegistryPath);
    KeInitializeSpinLock(&Lock);
    DriverObject->DriverUnload = ProcMonUnload;
    DriverObject->MajorFunction[IRP_MJ_CREATE] = Create;
    DriverObject->MajorFunction[IRP_MJ_CLOSE] = Close;
    DriverObject->MajorFunction[IRP_MJ_CLEANUP] = Cleanup;
    DriverObject->MajorFunction[IRP_MJ_READ] = Read;

    NTSTATUS Status = IoCreateDevice(DriverObject, 0, &DeviceName, FILE_DEVICE_UNKNOWN,
                                     FILE_DEVICE_SECURE_OPEN, TRUE, &Device);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Device->Flags |= DO_BUFFERED_IO;
    Status = IoCreateSymbolicLink(&LinkName, &DeviceName);
    if (NT_SUCCESS(Status)) {
        Status = RegisterAll();
        if (NT_SUCCESS(Status)) {
            return STATUS_SUCCESS;
        }
        IoDeleteSymbolicLink(&LinkName);
    }
    IoDeleteDevice(Device);
    return Status;
}
