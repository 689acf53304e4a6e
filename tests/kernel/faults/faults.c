/* SPDX-License-Identifier: MIT */
/*
 * While this is loaded memory is scarce: every n-th allocation fails, of pool with the kernel option
 * fault.pool=N, of pages and kernel stacks with fault.pages=N. The process that has loaded it is spared.
 */
#include <ntddk.h>
#include <primertest.h>

static ULONG Option(PCSTR Name)
{
    char Text[16];
    ULONG Number = 0;
    if (ExQueryKernelOption(Name, Text, sizeof(Text))) {
        for (PCSTR At = Text; *At >= '0' && *At <= '9'; At++) {
            Number = Number * 10 + (ULONG)(*At - '0');
        }
    }
    return Number;
}

static VOID Unload(PDRIVER_OBJECT DriverObject)
{
    DbgPrint("faults: %u allocations have failed\n", PrimerFailEvery(0, 0));
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    DriverObject->DriverUnload = Unload;
    PrimerFailEvery(Option("fault.pool"), Option("fault.pages"));
    return STATUS_SUCCESS;
}
