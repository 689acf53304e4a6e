/* SPDX-License-Identifier: MIT */
/*
 * Services on handles: NtClose, NtDuplicateObject.
 */
#include "kernel/services/services.h"
#include "ps/ps.h"
#include <ntapi.h>

/* Closes a handle; pseudo handles stay as they are. STATUS_INVALID_HANDLE, STATUS_HANDLE_NOT_CLOSABLE.
   PASSIVE. (WDK page of the name) */
NTSTATUS NtClose(HANDLE Handle)
{
    return ObCloseHandle(ObCurrentHandleTable(), Handle, ExGetPreviousMode());
}

/* ---- NtDuplicateObject ---- */

/* A process whose table the caller may work in until SvcLeaveProcess. */
typedef struct _SVC_PROCESS {
    PEPROCESS Process;
    PHANDLE_TABLE Table;
} SVC_PROCESS;

static NTSTATUS SvcEnterProcess(HANDLE Handle, KPROCESSOR_MODE Mode, SVC_PROCESS *Entered)
{
    NTSTATUS Status = ObReferenceObjectByHandle(Handle, PROCESS_DUP_HANDLE, *PsProcessType, Mode,
                                                (PVOID *)&Entered->Process, NULL);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Entered->Table = PsAcquireHandleTable(Entered->Process);
    if (Entered->Table == NULL) {
        ObDereferenceObject(Entered->Process);
        return STATUS_PROCESS_IS_TERMINATING;
    }
    return STATUS_SUCCESS;
}

static void SvcLeaveProcess(SVC_PROCESS *Entered)
{
    PsReleaseProcessAccess(Entered->Process);
    ObDereferenceObject(Entered->Process);
}

/* The object of a handle that is to be, and what the handle gives. */
typedef struct _SVC_DUPLICATE {
    PVOID Object;
    OBJECT_HANDLE_INFORMATION Handle;
} SVC_DUPLICATE;

/* What the new handle is to have, New->Handle being what was asked for: a caller from user mode gets no right that the old one does
   not have. New->Object is referenced. */
static NTSTATUS SvcPrepareDuplicate(PHANDLE_TABLE Source, HANDLE Handle, KPROCESSOR_MODE Mode, ULONG Options,
                                    SVC_DUPLICATE *New)
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

static NTSTATUS SvcInsertDuplicate(HANDLE TargetProcess, const SVC_DUPLICATE *New, KPROCESSOR_MODE Mode,
                                   PHANDLE TargetHandle)
{
    SVC_PROCESS Target;
    HANDLE Handle;
    NTSTATUS Status = SvcEnterProcess(TargetProcess, Mode, &Target);

    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = ObInsertHandle(Target.Table, New->Object, New->Handle.GrantedAccess,
                            New->Handle.HandleAttributes, &Handle);
    if (NT_SUCCESS(Status) && TargetHandle != NULL) {
        Status = ObReturnHandle(Target.Table, TargetHandle, Handle, Mode);
    }
    SvcLeaveProcess(&Target);
    return Status;
}

/*
 * A second handle, in TargetProcess, to the object of SourceHandle of SourceProcess; PROCESS_DUP_HANDLE is
 * needed on both. Options: DUPLICATE_CLOSE_SOURCE (done whatever else happens, once the source process was
 * reached), _SAME_ACCESS, _SAME_ATTRIBUTES. TargetProcess NULL: the source is closed and that is all.
 * PASSIVE. (WDK page of the name)
 */
NTSTATUS NtDuplicateObject(HANDLE SourceProcess, HANDLE SourceHandle, HANDLE TargetProcess,
                           PHANDLE TargetHandle, ACCESS_MASK DesiredAccess, ULONG Attributes, ULONG Options)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    SVC_DUPLICATE New = {
        NULL,
        {.GrantedAccess = DesiredAccess, .HandleAttributes = Attributes & (OBJ_INHERIT | OBJ_PROTECT_CLOSE)}};
    SVC_PROCESS Source;

    if (TargetProcess == NULL && !(Options & DUPLICATE_CLOSE_SOURCE)) {
        return STATUS_INVALID_PARAMETER;
    }
    NTSTATUS Status = SvcEnterProcess(SourceProcess, Mode, &Source);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (TargetProcess != NULL) {
        Status = SvcPrepareDuplicate(Source.Table, SourceHandle, Mode, Options, &New);
        if (NT_SUCCESS(Status)) {
            Status = SvcInsertDuplicate(TargetProcess, &New, Mode, TargetHandle);
            ObDereferenceObject(New.Object);
        }
    }
    if (Options & DUPLICATE_CLOSE_SOURCE) {
        NTSTATUS Closed = ObCloseHandle(Source.Table, SourceHandle, Mode);
        Status = TargetProcess == NULL ? Closed : Status;
    }
    SvcLeaveProcess(&Source);
    return Status;
}
