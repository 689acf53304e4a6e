/* SPDX-License-Identifier: MIT */
/*
 * The first process: native/init, whose arguments are the words of the kernel's command line.
 */
#include "kernel/services/services.h"
#include "kernel/init/init.h"
#include "kernel/rtl/rtl.h"
#include "ps/ps.h"
#include <ntapi.h>

static const WCHAR InitImageName[] = L"\\Boot\\native\\init";

/* "init", then each word of the command line; NUL-terminated strings one behind the other. Size of Strings:
   the command line's length + 8 at least. */
static void InitMakeArguments(PRTL_USER_PROCESS_PARAMETERS Parameters, PSTR Strings, const char *CommandLine)
{
    SIZE_T At = sizeof("init");
    ULONG Count = 1;
    memcpy(Strings, "init", At);
    for (const char *Next = CommandLine; *Next != 0;) {
        if (*Next == ' ') {
            Next++;
            continue;
        }
        while (*Next != 0 && *Next != ' ') {
            Strings[At++] = *Next++;
        }
        Strings[At++] = 0;
        Count++;
    }
    Parameters->Arguments = Strings;
    Parameters->ArgumentsSize = (ULONG)At;
    Parameters->ArgumentCount = Count;
}

static NTSTATUS InitCreateProcess(PRTL_USER_PROCESS_PARAMETERS Parameters, PEPROCESS *Process)
{
    HANDLE ProcessHandle, ThreadHandle;
    OBJECT_ATTRIBUTES Attributes;
    PS_ATTRIBUTE_LIST List = {.TotalLength = sizeof(List)};
    List.Attributes[0].Attribute = PS_ATTRIBUTE_IMAGE_NAME;
    List.Attributes[0].Size = sizeof(InitImageName) - sizeof(WCHAR);
    List.Attributes[0].ValuePtr = (PVOID)InitImageName;
    InitializeObjectAttributes(&Attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);

    NTSTATUS Status = NtCreateUserProcess(&ProcessHandle, &ThreadHandle, PROCESS_ALL_ACCESS, THREAD_ALL_ACCESS, &Attributes,
                                          &Attributes, 0, THREAD_CREATE_FLAGS_CREATE_SUSPENDED, Parameters, NULL, &List);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = ObReferenceObjectByHandle(ProcessHandle, SYNCHRONIZE, *PsProcessType, KernelMode, (PVOID *)Process, NULL);
    if (NT_SUCCESS(Status)) {
        SvcInitialProcess = &(*Process)->Pcb; /* before it runs */
        Status = NtResumeThread(ThreadHandle, NULL);
    }
    ZwClose(ThreadHandle);
    ZwClose(ProcessHandle);
    return Status;
}

NTSTATUS InitCreateInitialProcess(const char *CommandLine, PEPROCESS *Process)
{
    RTL_USER_PROCESS_PARAMETERS Parameters = {.Size = sizeof(Parameters)};
    PSTR Strings = ExAllocatePoolWithTag(NonPagedPoolNx, strlen(CommandLine) + 8, 'tinI');
    if (Strings == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    InitMakeArguments(&Parameters, Strings, CommandLine);
    RtlInitUnicodeString(&Parameters.ImagePathName, InitImageName);
    RtlInitUnicodeString(&Parameters.CommandLine, L"init");
    NTSTATUS Status = InitCreateProcess(&Parameters, Process);
    ExFreePoolWithTag(Strings, 'tinI');
    return Status;
}
