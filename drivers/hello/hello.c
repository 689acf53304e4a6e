/* SPDX-License-Identifier: MIT */
/* The smallest module: says that it came, and that it goes. Without DriverUnload it could not be unloaded. */
#include <ntddk.h>

static VOID HelloUnload(PDRIVER_OBJECT DriverObject)
{
    UNREFERENCED_PARAMETER(DriverObject);
    DbgPrint("hello: goodbye from thread %p\n", PsGetCurrentThreadId());
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(RegistryPath);
    DriverObject->DriverUnload = HelloUnload;
    DbgPrint("hello: %wZ loaded at %p by process %p\n", &DriverObject->DriverName, DriverObject->DriverStart,
             PsGetCurrentProcessId());
    return STATUS_SUCCESS;
}
