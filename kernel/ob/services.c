/* SPDX-License-Identifier: MIT */
/*
 * The object manager's system services: NtClose, NtDuplicateObject.
 */
#include "kernel/ex/ex.h"
#include "kernel/ob/obp.h"
#include <ntapi.h>

/* Closes a handle; pseudo handles stay as they are. STATUS_INVALID_HANDLE, STATUS_HANDLE_NOT_CLOSABLE.
   PASSIVE. ddi:zwclose */
NTSTATUS NtClose(HANDLE Handle)
{
    return ObCloseHandle(ObCurrentHandleTable(), Handle, ExGetPreviousMode());
}

NTSTATUS ZwClose(HANDLE Handle)
{
    KPROCESSOR_MODE Mode = ExSetPreviousMode(KernelMode);
    NTSTATUS Status = NtClose(Handle);
    ExSetPreviousMode(Mode);
    return Status;
}
EXPORT(ZwClose);

/* ---- NtDuplicateObject ---- */

/* A process whose table the caller may work in until ObpLeaveProcess. */
typedef struct _OBP_PROCESS {
    PVOID Process;
    PHANDLE_TABLE Table;
} OBP_PROCESS;

static NTSTATUS ObpEnterProcess(HANDLE Handle, KPROCESSOR_MODE Mode, OBP_PROCESS *Entered)
{
    if (ObAcquireProcessTable == NULL) {
        return STATUS_NOT_IMPLEMENTED;
    }
    NTSTATUS Status =
        ObReferenceObjectByHandle(Handle, PROCESS_DUP_HANDLE, *PsProcessType, Mode, &Entered->Process, NULL);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Entered->Table = ObAcquireProcessTable(Entered->Process);
    if (Entered->Table == NULL) {
        ObfDereferenceObject(Entered->Process);
        return STATUS_PROCESS_IS_TERMINATING;
    }
    return STATUS_SUCCESS;
}

static void ObpLeaveProcess(OBP_PROCESS *Entered)
{
    ObReleaseProcessTable(Entered->Process);
    ObfDereferenceObject(Entered->Process);
}

/* What the new handle is to have, New->Handle being what was asked for: a caller from user mode gets no right that the old one does
   not have. New->Object is referenced. */
static NTSTATUS ObpPrepareDuplicate(PHANDLE_TABLE Source, HANDLE Handle, KPROCESSOR_MODE Mode, ULONG Options,
                                    OBP_FOUND *New)
{
    OBJECT_HANDLE_INFORMATION Old;
    ACCESS_MASK Wanted = Options & DUPLICATE_SAME_ACCESS ? 0 : New->Handle.GrantedAccess;
    NTSTATUS Status = ObReferenceHandle(Source, Handle, Wanted, NULL, Mode, &New->Object, &Old);

    if (NT_SUCCESS(Status) && (Options & DUPLICATE_SAME_ACCESS)) {
        New->Handle.GrantedAccess = Old.GrantedAccess;
    }
    if (NT_SUCCESS(Status) && (Options & DUPLICATE_SAME_ATTRIBUTES)) {
        New->Handle.HandleAttributes = Old.HandleAttributes;
    }
    return Status;
}

static NTSTATUS ObpInsertDuplicate(HANDLE TargetProcess, const OBP_FOUND *New, KPROCESSOR_MODE Mode,
                                   PHANDLE TargetHandle)
{
    OBP_PROCESS Target;
    HANDLE Handle;
    NTSTATUS Status = ObpEnterProcess(TargetProcess, Mode, &Target);

    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = ObInsertHandle(Target.Table, New->Object, New->Handle.GrantedAccess,
                            New->Handle.HandleAttributes, &Handle);
    if (NT_SUCCESS(Status) && TargetHandle != NULL) {
        Status = ExCopyOut(TargetHandle, &Handle, sizeof(Handle), Mode);
        if (!NT_SUCCESS(Status)) {
            ObpCloseHandle(Target.Table, Handle, KernelMode, TRUE);
        }
    }
    ObpLeaveProcess(&Target);
    return Status;
}

/*
 * A second handle, in TargetProcess, to the object of SourceHandle of SourceProcess; PROCESS_DUP_HANDLE is
 * needed on both. Options: DUPLICATE_CLOSE_SOURCE (done whatever else happens, once the source process was
 * reached), _SAME_ACCESS, _SAME_ATTRIBUTES. TargetProcess NULL: the source is closed and that is all.
 * PASSIVE. ddi:zwduplicateobject
 */
NTSTATUS NtDuplicateObject(HANDLE SourceProcess, HANDLE SourceHandle, HANDLE TargetProcess,
                           PHANDLE TargetHandle, ACCESS_MASK DesiredAccess, ULONG Attributes, ULONG Options)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    OBP_FOUND New = {
        NULL,
        {.GrantedAccess = DesiredAccess, .HandleAttributes = Attributes & (OBJ_INHERIT | OBJ_PROTECT_CLOSE)}};
    OBP_PROCESS Source;

    if (TargetProcess == NULL && !(Options & DUPLICATE_CLOSE_SOURCE)) {
        return STATUS_INVALID_PARAMETER;
    }
    NTSTATUS Status = ObpEnterProcess(SourceProcess, Mode, &Source);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (TargetProcess != NULL) {
        Status = ObpPrepareDuplicate(Source.Table, SourceHandle, Mode, Options, &New);
        if (NT_SUCCESS(Status)) {
            Status = ObpInsertDuplicate(TargetProcess, &New, Mode, TargetHandle);
            ObfDereferenceObject(New.Object);
        }
    }
    if (Options & DUPLICATE_CLOSE_SOURCE) {
        NTSTATUS Closed = ObCloseHandle(Source.Table, SourceHandle, Mode);
        Status = TargetProcess == NULL ? Closed : Status;
    }
    ObpLeaveProcess(&Source);
    return Status;
}
