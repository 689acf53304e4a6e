/* SPDX-License-Identifier: MIT */
/* The hunt, third module: handles, locks and timers, on two processors. Write checks; each kernel
   that fails one of them is found. */
#include "ktest.h"

/* A check returns NULL, or why it failed: KTEST_CHECK does. */
static PCSTR TestNothingYet(VOID)
{
    KTEST_CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(DriverObject);
    UNREFERENCED_PARAMETER(RegistryPath);
    KtestRun("shared.nothing-yet", TestNothingYet);
    return STATUS_SUCCESS;
}
