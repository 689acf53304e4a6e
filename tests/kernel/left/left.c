/* SPDX-License-Identifier: MIT */
/* Unloads the module leaver, which has been loaded before: with leaver.kind=ok nothing is left behind, else
   the bug check says what. */
#include "../ktest.h"

static PEPROCESS Process;
static KEVENT Attached;

/* The one that the module leaver has made, referenced. */
static PEPROCESS FindProcess(VOID)
{
    PEPROCESS Found;
    for (ULONG Id = 4; Id < 4096; Id += 4) {
        if (NT_SUCCESS(PsLookupProcessByProcessId(ULongToHandle(Id), &Found))) {
            if (strcmp((PCSTR)PsGetProcessImageFileName(Found), "leaver") == 0) {
                return Found;
            }
            ObDereferenceObject(Found);
        }
    }
    return NULL;
}

/* Holds the process's address space until long after the module would have gone; takes over the reference. */
static VOID HoldSpace(PVOID Context)
{
    KAPC_STATE Before;
    KeStackAttachProcess(Process, &Before);
    KeSetEvent(&Attached, IO_NO_INCREMENT, FALSE);
    KtestSleep(300);
    KeUnstackDetachProcess(&Before);
    ObDereferenceObject(Process);
}

static NTSTATUS EndProcess(VOID)
{
    HANDLE Handle;
    NTSTATUS Status = ObOpenObjectByPointer(Process, OBJ_KERNEL_HANDLE, NULL, PROCESS_ALL_ACCESS, *PsProcessType, KernelMode, &Handle);
    if (NT_SUCCESS(Status)) {
        Status = ZwTerminateProcess(Handle, 0);
        ZwClose(Handle);
    }
    return Status;
}

static PCSTR TestUnload(VOID)
{
    UNICODE_STRING Name;
    RtlInitUnicodeString(&Name, L"leaver");
    KeInitializeEvent(&Attached, NotificationEvent, FALSE);
    Process = FindProcess();
    KTEST_CHECK(Process != NULL);
    PETHREAD Holder = KtestStart(HoldSpace, NULL);
    KTEST_CHECK(Holder != NULL);
    KeWaitForSingleObject(&Attached, Executive, KernelMode, FALSE, NULL);
    KTEST_CHECK(EndProcess() == STATUS_SUCCESS);
    KTEST_CHECK(ZwUnloadDriver(&Name) == STATUS_SUCCESS);
    KTEST_CHECK(ZwUnloadDriver(&Name) == STATUS_OBJECT_NAME_NOT_FOUND);
    KtestJoin(Holder);
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    KtestRun("left.nothing", TestUnload);
    return STATUS_SUCCESS;
}
