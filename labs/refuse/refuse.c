/* SPDX-License-Identifier: MIT */
/* The start of sheet C: it hears of every process, native or of a subsystem. What it has to say about them is
   yours to write. */
#include <ntddk.h>

static VOID RefuseProcess(PEPROCESS Process, HANDLE ProcessId, PPS_CREATE_NOTIFY_INFO CreateInfo)
{
    UNREFERENCED_PARAMETER(Process);
    if (CreateInfo == NULL) {
        return; /* a process ends */
    }
    DbgPrint("refuse: process %lu comes\n", HandleToULong(ProcessId));
}

static VOID RefuseUnload(PDRIVER_OBJECT DriverObject)
{
    UNREFERENCED_PARAMETER(DriverObject);
    PsSetCreateProcessNotifyRoutineEx2(PsCreateProcessNotifySubsystems, (PVOID)RefuseProcess, TRUE);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(RegistryPath);
    DriverObject->DriverUnload = RefuseUnload;
    return PsSetCreateProcessNotifyRoutineEx2(PsCreateProcessNotifySubsystems, (PVOID)RefuseProcess, FALSE);
}
