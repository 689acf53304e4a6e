/* SPDX-License-Identifier: MIT */
/*
 * Arguments of system services: copied once, checked afterwards, in the caller's mode. No lock.
 */
#include "kernel/ex/ex.h"

#define EXP_STRING_TAG     'rtSE'
#define EXP_MAX_NAME_BYTES 1024

NTSTATUS ExCopyIn(void *Destination, const void *Source, SIZE_T Size, KPROCESSOR_MODE Mode)
{
    if (Mode != KernelMode) {
        return ArchCopyFromUser(Destination, Source, Size);
    }
    memcpy(Destination, Source, Size);
    return STATUS_SUCCESS;
}

NTSTATUS ExCopyOut(void *Destination, const void *Source, SIZE_T Size, KPROCESSOR_MODE Mode)
{
    if (Mode != KernelMode) {
        return ArchCopyToUser(Destination, Source, Size);
    }
    memcpy(Destination, Source, Size);
    return STATUS_SUCCESS;
}

NTSTATUS ExCaptureUnicodeString(PUNICODE_STRING String, PCUNICODE_STRING Source, SIZE_T MaximumBytes,
                                KPROCESSOR_MODE Mode)
{
    UNICODE_STRING Given;

    RtlZeroMemory(String, sizeof(*String));
    if (Source == NULL) {
        return STATUS_SUCCESS;
    }
    NTSTATUS Status = ExCopyIn(&Given, Source, sizeof(Given), Mode);
    if (!NT_SUCCESS(Status) || Given.Length == 0) {
        return Status;
    }
    if (Given.Length > MaximumBytes || Given.Length > UNICODE_STRING_MAX_BYTES - sizeof(WCHAR)) {
        return STATUS_NAME_TOO_LONG;
    }
    if (Given.Length % sizeof(WCHAR) != 0) {
        return STATUS_OBJECT_NAME_INVALID;
    }
    PWCH Buffer = ExAllocatePoolWithTag(NonPagedPoolNx, Given.Length + sizeof(WCHAR), EXP_STRING_TAG);
    if (Buffer == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Status = ExCopyIn(Buffer, Given.Buffer, Given.Length, Mode);
    if (!NT_SUCCESS(Status)) {
        ExFreePoolWithTag(Buffer, EXP_STRING_TAG);
        return Status;
    }
    Buffer[Given.Length / sizeof(WCHAR)] = 0;
    *String = (UNICODE_STRING){Given.Length, Given.Length + sizeof(WCHAR), Buffer};
    return STATUS_SUCCESS;
}

void ExFreeUnicodeString(PUNICODE_STRING String)
{
    if (String->Buffer != NULL) {
        ExFreePoolWithTag(String->Buffer, EXP_STRING_TAG);
        *String = (UNICODE_STRING){0};
    }
}

/* All empty when Source is NULL. Valid: the attributes that may be given. */
static NTSTATUS ExpCaptureAttributes(POBJECT_ATTRIBUTES Captured, const OBJECT_ATTRIBUTES *Source, ULONG Valid,
                                     KPROCESSOR_MODE Mode)
{
    RtlZeroMemory(Captured, sizeof(*Captured));
    if (Source == NULL) {
        return STATUS_SUCCESS;
    }
    NTSTATUS Status = ExCopyIn(Captured, Source, sizeof(*Captured), Mode);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    return Captured->Length == sizeof(*Captured) && (Captured->Attributes & ~Valid) == 0 ? STATUS_SUCCESS
                                                                                         : STATUS_INVALID_PARAMETER;
}

NTSTATUS ExCaptureHandleAttributes(const OBJECT_ATTRIBUTES *Source, KPROCESSOR_MODE Mode, PULONG Attributes)
{
    const ULONG KernelOnly = OBJ_KERNEL_HANDLE | OBJ_OPENLINK | OBJ_FORCE_ACCESS_CHECK;
    const ULONG Valid = OBJ_INHERIT | OBJ_CASE_INSENSITIVE | (Mode == KernelMode ? KernelOnly : 0);
    OBJECT_ATTRIBUTES Given;

    *Attributes = 0;
    if (Source == NULL) {
        return STATUS_SUCCESS;
    }
    NTSTATUS Status = ExpCaptureAttributes(&Given, Source, Valid, Mode);
    if (NT_SUCCESS(Status) && Given.ObjectName != NULL) {
        Status = STATUS_INVALID_PARAMETER;
    }
    if (NT_SUCCESS(Status)) {
        *Attributes = Given.Attributes;
    }
    return Status;
}

NTSTATUS ExCaptureObjectAttributes(EX_OBJECT_ATTRIBUTES *Captured, POBJECT_ATTRIBUTES Source,
                                   KPROCESSOR_MODE Mode)
{
    OBJECT_ATTRIBUTES Given;
    ULONG Valid = Mode == KernelMode ? OBJ_VALID_ATTRIBUTES : OBJ_VALID_ATTRIBUTES & ~OBJ_KERNEL_HANDLE;
    NTSTATUS Status = ExpCaptureAttributes(&Given, Source, Valid, Mode);

    RtlZeroMemory(Captured, sizeof(*Captured));
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Captured->Attributes = Given.Attributes;
    Captured->RootDirectory = Given.RootDirectory;
    return ExCaptureUnicodeString(&Captured->Name, Given.ObjectName, EXP_MAX_NAME_BYTES, Mode);
}

NTSTATUS ExCaptureTimeout(PLARGE_INTEGER Captured, PLARGE_INTEGER *Pointer, PLARGE_INTEGER Source,
                          KPROCESSOR_MODE Mode)
{
    *Pointer = Source != NULL ? Captured : NULL;
    return Source != NULL ? ExCopyIn(Captured, Source, sizeof(*Captured), Mode) : STATUS_SUCCESS;
}
