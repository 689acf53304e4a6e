/* SPDX-License-Identifier: MIT */
/* Unloads the module leaver, which has been loaded before: with leaver.kind=ok nothing is left behind, else the bug check says what. */
#include "../ktest.h"

static PCSTR TestUnload(VOID)
{
    UNICODE_STRING Name;
    RtlInitUnicodeString(&Name, L"leaver");
    KTEST_CHECK(ZwUnloadDriver(&Name) == STATUS_SUCCESS);
    KTEST_CHECK(ZwUnloadDriver(&Name) == STATUS_OBJECT_NAME_NOT_FOUND);
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    KtestRun("left.nothing", TestUnload);
    return STATUS_SUCCESS;
}
