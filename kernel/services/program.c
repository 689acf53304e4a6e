/* SPDX-License-Identifier: MIT */
/* Programs of subsystems, started by native callers: the arguments, in kernel memory, go to the provider
   (ps/provider.c). */
#include "kernel/services/services.h"
#include "ps/ps.h"
#include <ntapi.h>
#include <subsystem.h>

#define SVC_PROGRAM_TAG     'rPvS'
#define SVC_MAXIMUM_PATH    4096
#define SVC_MAXIMUM_STRINGS 0x100000

/* The caller's program in kernel memory, in one block. */
typedef struct _SVC_CAPTURED_PROGRAM {
    PS_PROGRAM Program; /* points to what follows */
    char Provider[16];
    char Path[SVC_MAXIMUM_PATH], WorkingDirectory[SVC_MAXIMUM_PATH];
    char Strings[]; /* arguments and environment */
} SVC_CAPTURED_PROGRAM;

/* A NUL-terminated string of fewer than Size bytes. STATUS_NAME_TOO_LONG, STATUS_ACCESS_VIOLATION. */
static NTSTATUS SvcCopyInText(char *Destination, const char *Source, SIZE_T Size, KPROCESSOR_MODE Mode)
{
    SIZE_T Length;
    if (Mode == UserMode) {
        NTSTATUS Status = ArchCopyStringFromUser(Destination, Source, Size, &Length);
        return Status == STATUS_BUFFER_OVERFLOW ? STATUS_NAME_TOO_LONG : Status;
    }
    Length = strnlen(Source, Size);
    if (Length == Size) {
        return STATUS_NAME_TOO_LONG;
    }
    memcpy(Destination, Source, Length + 1);
    return STATUS_SUCCESS;
}

static NTSTATUS SvcCaptureProgramParts(SVC_CAPTURED_PROGRAM *Captured, const SUBSYSTEM_PROGRAM *Source,
                                       KPROCESSOR_MODE Mode)
{
    char *Next = Captured->Strings, *Arguments = NULL, *Environment = NULL;
    bool AtRoot = Source->WorkingDirectory == NULL;
    NTSTATUS Status = SvcCopyInText(Captured->Provider, Source->Provider, sizeof(Captured->Provider), Mode);
    if (NT_SUCCESS(Status)) {
        Status = SvcCopyInText(Captured->Path, Source->Path, SVC_MAXIMUM_PATH, Mode);
    }
    if (NT_SUCCESS(Status) && !AtRoot) {
        Status = SvcCopyInText(Captured->WorkingDirectory, Source->WorkingDirectory, SVC_MAXIMUM_PATH, Mode);
    }
    if (NT_SUCCESS(Status)) {
        Status = PsCaptureStrings(&Next, &Arguments, Source->Arguments, Source->ArgumentsSize,
                                   Source->ArgumentCount, Mode);
    }
    if (NT_SUCCESS(Status)) {
        Status = PsCaptureStrings(&Next, &Environment, Source->Environment, Source->EnvironmentSize,
                                   Source->EnvironmentCount, Mode);
    }
    Captured->Program = (PS_PROGRAM){
        .Path = Captured->Path,
        .ArgumentsSize = Source->ArgumentsSize,
        .Arguments = Arguments,
        .ArgumentCount = Source->ArgumentCount,
        .EnvironmentSize = Source->EnvironmentSize,
        .Environment = Environment,
        .EnvironmentCount = Source->EnvironmentCount,
        .WorkingDirectory = AtRoot ? NULL : Captured->WorkingDirectory,
    };
    return Status;
}

static NTSTATUS SvcCaptureProgram(SVC_CAPTURED_PROGRAM **Result, PSUBSYSTEM_PROGRAM Source,
                                  KPROCESSOR_MODE Mode)
{
    SUBSYSTEM_PROGRAM Copy;
    NTSTATUS Status = ExCopyIn(&Copy, Source, sizeof(Copy), Mode);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (Copy.Size != sizeof(Copy)) {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    if (Copy.ArgumentsSize > SVC_MAXIMUM_STRINGS || Copy.EnvironmentSize > SVC_MAXIMUM_STRINGS) {
        return STATUS_INVALID_PARAMETER;
    }
    SIZE_T Size = sizeof(SVC_CAPTURED_PROGRAM) + (SIZE_T)Copy.ArgumentsSize + Copy.EnvironmentSize;
    SVC_CAPTURED_PROGRAM *Captured = ExAllocatePoolWithTag(NonPagedPoolNx, Size, SVC_PROGRAM_TAG);
    if (Captured == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Status = SvcCaptureProgramParts(Captured, &Copy, Mode);
    if (!NT_SUCCESS(Status)) {
        ExFreePoolWithTag(Captured, SVC_PROGRAM_TAG);
        return Status;
    }
    *Result = Captured;
    return STATUS_SUCCESS;
}

/*
 * Starts a program under a subsystem provider; *ProcessHandle receives a handle of the caller's process.
 * STATUS_NOT_FOUND: no such provider; STATUS_NOT_SUPPORTED: it starts none; what StartProgram says
 * (STATUS_OBJECT_NAME_NOT_FOUND, STATUS_ACCESS_DENIED, STATUS_INVALID_IMAGE_FORMAT, a callback's veto ...);
 * STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_PARAMETER, STATUS_NAME_TOO_LONG, STATUS_ACCESS_VIOLATION for
 * bad arguments. A process whose handle cannot be delivered runs on. PASSIVE. (no WDK page)
 */
NTSTATUS NtCreateSubsystemProcess(PHANDLE ProcessHandle, ACCESS_MASK DesiredAccess,
                                  POBJECT_ATTRIBUTES ObjectAttributes, PSUBSYSTEM_PROGRAM Program)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    SVC_CAPTURED_PROGRAM *Captured;
    PEPROCESS Process;
    ULONG Flags;

    NTSTATUS Status = ExCaptureHandleAttributes(ObjectAttributes, Mode, &Flags);
    if (NT_SUCCESS(Status)) {
        Status = SvcCaptureProgram(&Captured, Program, Mode);
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = PsStartProgram(Captured->Provider, &Captured->Program, &Process);
    ExFreePoolWithTag(Captured, SVC_PROGRAM_TAG);
    return NT_SUCCESS(Status) ? ObReturnObject(Process, DesiredAccess, Flags, ProcessHandle, Mode) : Status;
}
