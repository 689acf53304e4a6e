/* SPDX-License-Identifier: MIT */
/*
 * Native processes for modules. The process is made suspended; then its standard handles are made in its own
 * table, and written where its program finds them; then it runs. No lock: nobody but the maker knows what it
 * is to become.
 */
#include <nativeprocess.h>

/* ---- The standard handles ---- */

#define STANDARD_HANDLES 3
C_ASSERT(FIELD_OFFSET(RTL_USER_PROCESS_PARAMETERS, StandardError) ==
         FIELD_OFFSET(RTL_USER_PROCESS_PARAMETERS, StandardInput) + (STANDARD_HANDLES - 1) * sizeof(HANDLE));

static NTSTATUS PspDuplicateStandard(HANDLE Process, const HANDLE *Given, PHANDLE Copies)
{
    NTSTATUS Status = STATUS_SUCCESS;

    for (ULONG i = 0; i < STANDARD_HANDLES && NT_SUCCESS(Status); i++) {
        Copies[i] = NULL;
        if (Given[i] != NULL) {
            Status = ZwDuplicateObject(NtCurrentProcess(), Given[i], Process, &Copies[i], 0, OBJ_INHERIT, DUPLICATE_SAME_ACCESS);
        }
    }
    return Status;
}

/* Into the parameters that the process's PEB points to. */
static NTSTATUS PspWriteStandard(HANDLE Process, HANDLE *Handles)
{
    PROCESS_BASIC_INFORMATION Basic;
    PRTL_USER_PROCESS_PARAMETERS Parameters;
    NTSTATUS Status = ZwQueryInformationProcess(Process, ProcessBasicInformation, &Basic, sizeof(Basic), NULL);

    if (NT_SUCCESS(Status)) {
        PPEB Peb = (PPEB)Basic.PebBaseAddress;
        Status = ZwReadVirtualMemory(Process, &Peb->ProcessParameters, &Parameters, sizeof(Parameters), NULL);
    }
    return NT_SUCCESS(Status) ? ZwWriteVirtualMemory(Process, &Parameters->StandardInput, Handles,
                                                     STANDARD_HANDLES * sizeof(HANDLE), NULL)
                              : Status;
}

static NTSTATUS PspGiveStandard(HANDLE Process, const HANDLE *Given)
{
    HANDLE Copies[STANDARD_HANDLES];
    NTSTATUS Status = PspDuplicateStandard(Process, Given, Copies);
    return NT_SUCCESS(Status) ? PspWriteStandard(Process, Copies) : Status;
}

/* ---- The process ---- */

typedef struct _PSP_NATIVE_ATTRIBUTES {
    SIZE_T TotalLength;
    PS_ATTRIBUTE Attributes[2];
} PSP_NATIVE_ATTRIBUTES;
C_ASSERT(FIELD_OFFSET(PSP_NATIVE_ATTRIBUTES, Attributes) == FIELD_OFFSET(PS_ATTRIBUTE_LIST, Attributes));

static NTSTATUS PspCreateSuspended(const PS_NATIVE_PROGRAM *Program, PHANDLE Process, PHANDLE Thread)
{
    RTL_USER_PROCESS_PARAMETERS Parameters = {
        .Size = sizeof(Parameters),
        .ImagePathName = *Program->ImagePath,
        .CommandLine = Program->CommandLine != NULL ? *Program->CommandLine : *Program->ImagePath,
        .ArgumentCount = Program->ArgumentCount,
        .ArgumentsSize = Program->ArgumentsSize,
        .Arguments = Program->Arguments,
        .EnvironmentSize = Program->EnvironmentSize,
        .Environment = Program->Environment,
    };
    PSP_NATIVE_ATTRIBUTES List = {
        .TotalLength = Program->ParentProcess != NULL ? sizeof(List) : FIELD_OFFSET(PSP_NATIVE_ATTRIBUTES, Attributes[1]),
        .Attributes = {{.Attribute = PS_ATTRIBUTE_IMAGE_NAME,
                        .Size = Program->ImagePath->Length,
                        .ValuePtr = Program->ImagePath->Buffer},
                       {.Attribute = PS_ATTRIBUTE_PARENT_PROCESS, .Size = sizeof(HANDLE), .ValuePtr = Program->ParentProcess}},
    };
    OBJECT_ATTRIBUTES Attributes;

    InitializeObjectAttributes(&Attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    return ZwCreateUserProcess(Process, Thread, PROCESS_ALL_ACCESS, THREAD_ALL_ACCESS, &Attributes, &Attributes,
                               Program->InheritHandles ? PROCESS_CREATE_FLAGS_INHERIT_HANDLES : 0,
                               THREAD_CREATE_FLAGS_CREATE_SUSPENDED, &Parameters, NULL, (PPS_ATTRIBUTE_LIST)&List);
}

NTSTATUS PsCreateNativeProcess(const PS_NATIVE_PROGRAM *Program, PHANDLE ProcessHandle, PEPROCESS *Process)
{
    HANDLE Handle, Thread;
    NTSTATUS Status = PspCreateSuspended(Program, &Handle, &Thread);

    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = ObReferenceObjectByHandle(Handle, PROCESS_ALL_ACCESS, *PsProcessType, KernelMode, (PVOID *)Process, NULL);
    if (NT_SUCCESS(Status)) {
        Status = PspGiveStandard(Handle, Program->Standard);
        if (NT_SUCCESS(Status) && !Program->Suspended) {
            Status = ZwResumeThread(Thread, NULL);
        }
        if (!NT_SUCCESS(Status)) {
            ObDereferenceObject(*Process);
        }
    }
    ZwClose(Thread);
    if (!NT_SUCCESS(Status)) {
        ZwTerminateProcess(Handle, Status);
        ZwClose(Handle);
        return Status;
    }
    *ProcessHandle = Handle;
    return STATUS_SUCCESS;
}
