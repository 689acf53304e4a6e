/* SPDX-License-Identifier: MIT */
/* A driver that says no: it hears of every process, native or of a subsystem, and refuses those whose image
   name ends in "hello". */
#include <ntddk.h>

static const UNICODE_STRING Unwanted = RTL_CONSTANT_STRING(L"hello");
static volatile LONG Refused;

static VOID RefuseProcess(PEPROCESS Process, HANDLE ProcessId, PPS_CREATE_NOTIFY_INFO CreateInfo)
{
    UNREFERENCED_PARAMETER(Process);
    if (CreateInfo == NULL || CreateInfo->ImageFileName == NULL) {
        return; /* a process ends, or has no name */
    }
    if (RtlSuffixUnicodeString(&Unwanted, CreateInfo->ImageFileName, TRUE)) {
        CreateInfo->CreationStatus = STATUS_ACCESS_DENIED;
        InterlockedIncrement(&Refused);
        DbgPrint("refuse: process %lu may not start\n", HandleToULong(ProcessId));
    }
}

static VOID RefuseUnload(PDRIVER_OBJECT DriverObject)
{
    UNREFERENCED_PARAMETER(DriverObject);
    PsSetCreateProcessNotifyRoutineEx2(PsCreateProcessNotifySubsystems, (PVOID)RefuseProcess, TRUE);
    DbgPrint("refuse: %d processes were refused\n", Refused);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(RegistryPath);
    DriverObject->DriverUnload = RefuseUnload;
    return PsSetCreateProcessNotifyRoutineEx2(PsCreateProcessNotifySubsystems, (PVOID)RefuseProcess, FALSE);
}
