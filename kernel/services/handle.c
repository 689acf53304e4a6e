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

/* What the new handle is to have, New->Handle being what was asked for: a caller from user mode gets no right
   that the old one does not have. New->Object is referenced. */
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
        New->Handle.HandleAttributes = Old.HandleAttributes | (New->Handle.HandleAttributes & OBJ_KERNEL_HANDLE);
    }
    return Status;
}

/* The pseudo handle of the source process stands for that process, whoever asks. */
static void SvcPrepareSourceItself(PEPROCESS Source, ULONG Options, SVC_DUPLICATE *New)
{
    ObReferenceObject(Source);
    New->Object = Source;
    New->Handle.GrantedAccess = Options & DUPLICATE_SAME_ACCESS ? PROCESS_ALL_ACCESS : New->Handle.GrantedAccess;
    New->Handle.HandleAttributes = Options & DUPLICATE_SAME_ATTRIBUTES ? 0 : New->Handle.HandleAttributes;
}

static NTSTATUS SvcInsertDuplicate(PEPROCESS Source, HANDLE TargetProcess, const SVC_DUPLICATE *New, KPROCESSOR_MODE Mode,
                                   PHANDLE TargetHandle)
{
    SVC_PROCESS Target;
    HANDLE Handle;
    NTSTATUS Status = SvcEnterProcess(TargetProcess, Mode, &Target);

    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = ObDuplicateHandle(Target.Table, New->Object, New->Handle.GrantedAccess, New->Handle.HandleAttributes, Source,
                               Target.Process, &Handle);
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
        {.GrantedAccess = DesiredAccess,
         .HandleAttributes = Attributes & (OBJ_INHERIT | OBJ_PROTECT_CLOSE | (Mode == KernelMode ? OBJ_KERNEL_HANDLE : 0))}};
    SVC_PROCESS Source;

    if (TargetProcess == NULL && !(Options & DUPLICATE_CLOSE_SOURCE)) {
        return STATUS_INVALID_PARAMETER;
    }
    NTSTATUS Status = SvcEnterProcess(SourceProcess, Mode, &Source);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (TargetProcess != NULL) {
        if (SourceHandle == NtCurrentProcess()) {
            SvcPrepareSourceItself(Source.Process, Options, &New);
        } else {
            Status = SvcPrepareDuplicate(Source.Table, SourceHandle, Mode, Options, &New);
        }
        if (NT_SUCCESS(Status)) {
            Status = SvcInsertDuplicate(Source.Process, TargetProcess, &New, Mode, TargetHandle);
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

/* ---- What a handle is, and what it means ---- */

#define SVC_NAME_TAG 'mNvS'

/* A structure that begins with a UNICODE_STRING, zeros behind it up to Size, then the characters and a NUL;
   the string points there in the caller's buffer. */
static NTSTATUS SvcReturnString(PCUNICODE_STRING String, PUCHAR Buffer, ULONG Size, ULONG Length, PULONG Needed, KPROCESSOR_MODE Mode)
{
    *Needed = Size + (String->Length != 0 ? String->Length + sizeof(WCHAR) : 0);
    if (Length < *Needed) {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    PUCHAR Copy = ExAllocatePool2(POOL_FLAG_NON_PAGED, *Needed, SVC_NAME_TAG);
    if (Copy == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    if (String->Length != 0) {
        *(PUNICODE_STRING)Copy = (UNICODE_STRING){String->Length, String->Length + sizeof(WCHAR), (PWCHAR)(Buffer + Size)};
        RtlCopyMemory(Copy + Size, String->Buffer, String->Length);
    }
    NTSTATUS Status = ExCopyOut(Buffer, Copy, *Needed, Mode);
    ExFreePoolWithTag(Copy, SVC_NAME_TAG);
    return Status;
}

static NTSTATUS SvcQueryName(PVOID Object, OBJECT_INFORMATION_CLASS Class, PVOID Buffer, ULONG Length, PULONG Needed, KPROCESSOR_MODE Mode)
{
    UNICODE_STRING Name;
    ANSI_STRING Type;
    ULONG Size = Class == ObjectNameInformation ? sizeof(OBJECT_NAME_INFORMATION) : sizeof(PUBLIC_OBJECT_TYPE_INFORMATION);

    RtlInitAnsiString(&Type, ObTypeName(Object));
    NTSTATUS Status = Class == ObjectNameInformation ? ObCopyName(Object, &Name) : RtlAnsiStringToUnicodeString(&Name, &Type, TRUE);
    if (NT_SUCCESS(Status)) {
        Status = SvcReturnString(&Name, Buffer, Size, Length, Needed, Mode);
        RtlFreeUnicodeString(&Name);
    }
    return Status;
}

static NTSTATUS SvcReturnAnswer(const void *Answer, ULONG Size, PVOID Buffer, ULONG Length, PULONG Needed, KPROCESSOR_MODE Mode)
{
    *Needed = Size;
    return Length == Size ? ExCopyOut(Buffer, Answer, Size, Mode) : STATUS_INFO_LENGTH_MISMATCH;
}

static NTSTATUS SvcQueryHandle(PVOID Object, const OBJECT_HANDLE_INFORMATION *Handle, OBJECT_INFORMATION_CLASS Class, PVOID Buffer,
                               ULONG Length, PULONG Needed, KPROCESSOR_MODE Mode)
{
    PUBLIC_OBJECT_BASIC_INFORMATION Basic = {.Attributes = Handle->HandleAttributes, .GrantedAccess = Handle->GrantedAccess};
    OBJECT_HANDLE_FLAG_INFORMATION Flags = {.Inherit = (Handle->HandleAttributes & OBJ_INHERIT) != 0,
                                            .ProtectFromClose = (Handle->HandleAttributes & OBJ_PROTECT_CLOSE) != 0};

    switch (Class) {
    case ObjectBasicInformation:
        ObQueryCounts(Object, &Basic.HandleCount, &Basic.PointerCount);
        Basic.PointerCount--; /* the one of this query */
        return SvcReturnAnswer(&Basic, sizeof(Basic), Buffer, Length, Needed, Mode);
    case ObjectHandleFlagInformation:
        return SvcReturnAnswer(&Flags, sizeof(Flags), Buffer, Length, Needed, Mode);
    case ObjectNameInformation:
    case ObjectTypeInformation:
        return SvcQueryName(Object, Class, Buffer, Length, Needed, Mode);
    default:
        return STATUS_INVALID_INFO_CLASS;
    }
}

/*
 * What a handle and its object are: counts and rights (basic), full name (an empty string for none), the name
 * of the type, or the handle's flags. *ReturnLength gets the size that the answer has. No right is needed.
 * STATUS_INVALID_INFO_CLASS, STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_HANDLE. PASSIVE. (WDK page of the
 * name)
 */
NTSTATUS NtQueryObject(HANDLE Handle, OBJECT_INFORMATION_CLASS ObjectInformationClass, PVOID ObjectInformation,
                       ULONG ObjectInformationLength, PULONG ReturnLength)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    OBJECT_HANDLE_INFORMATION Found;
    ULONG Needed = 0;
    PVOID Object;
    NTSTATUS Status = ObReferenceObjectByHandle(Handle, 0, NULL, Mode, &Object, &Found);

    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = SvcQueryHandle(Object, &Found, ObjectInformationClass, ObjectInformation, ObjectInformationLength, &Needed, Mode);
    ObDereferenceObject(Object);
    if (ReturnLength != NULL && Needed != 0) {
        NTSTATUS Copied = ExCopyOut(ReturnLength, &Needed, sizeof(Needed), Mode);
        Status = NT_SUCCESS(Status) ? Copied : Status;
    }
    return Status;
}

/* Sets whether a handle is inherited, and whether it is protected from being closed.
   STATUS_INVALID_INFO_CLASS for other classes than ObjectHandleFlagInformation, STATUS_INFO_LENGTH_MISMATCH,
   STATUS_INVALID_HANDLE. PASSIVE. (no WDK page: as ntapi describes it) */
NTSTATUS NtSetInformationObject(HANDLE Handle, OBJECT_INFORMATION_CLASS ObjectInformationClass, PVOID ObjectInformation,
                                ULONG ObjectInformationLength)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    OBJECT_HANDLE_FLAG_INFORMATION Flags;

    if (ObjectInformationClass != ObjectHandleFlagInformation) {
        return STATUS_INVALID_INFO_CLASS;
    }
    if (ObjectInformationLength != sizeof(Flags)) {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    NTSTATUS Status = ExCopyIn(&Flags, ObjectInformation, sizeof(Flags), Mode);
    ULONG Attributes = (Flags.Inherit ? OBJ_INHERIT : 0) | (Flags.ProtectFromClose ? OBJ_PROTECT_CLOSE : 0);
    return NT_SUCCESS(Status) ? ObSetHandleFlags(ObCurrentHandleTable(), Handle, Attributes, Mode) : Status;
}
