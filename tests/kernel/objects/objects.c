/* SPDX-License-Identifier: MIT */
/*
 * Objects: the name space (names.c).
 */
#include "objects.h"

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    RunNames(DriverObject);
    return STATUS_SUCCESS;
}
