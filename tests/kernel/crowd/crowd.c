/* SPDX-License-Identifier: MIT */
/*
 * A thousand threads that wait for one event, for tests/gdb/crowd.gdb, which stops in CrowdIsThere when they
 * do.
 */
#include "../ktest.h"

#define CROWD 1000

static KEVENT Leave;
static volatile LONG Present;
static HANDLE Thread[CROWD];

static VOID StandInCrowd(PVOID Context)
{
    InterlockedIncrement(&Present);
    KeWaitForSingleObject(&Leave, Executive, KernelMode, FALSE, NULL);
}

__attribute__((noinline)) VOID CrowdIsThere(ULONG Count);

VOID CrowdIsThere(ULONG Count)
{
    DbgPrint("@pass crowd.%u\n", Count);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    ULONG Count = 0;
    KeInitializeEvent(&Leave, NotificationEvent, FALSE);
    while (Count < CROWD &&
           NT_SUCCESS(PsCreateSystemThread(&Thread[Count], THREAD_ALL_ACCESS, NULL, NULL, NULL, StandInCrowd, NULL))) {
        Count++;
    }
    while (Present != (LONG)Count) {
        KtestSleep(1);
    }
    CrowdIsThere(Count);
    KeSetEvent(&Leave, 0, FALSE);
    for (ULONG i = 0; i < Count; i++) {
        ZwWaitForSingleObject(Thread[i], FALSE, NULL);
        ZwClose(Thread[i]);
    }
    return STATUS_SUCCESS;
}
