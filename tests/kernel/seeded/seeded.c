/* SPDX-License-Identifier: MIT */
/*
 * Prints how long the turns of four spinners on one processor were: what two runs with the same seed must
 * agree on (tests/cases_sched.py).
 */
#include "../ktest.h"

#define TURNS 200

static volatile LONG Turns;
static volatile LONG Last;
static ULONG64 Began[TURNS];

static VOID Spinner(PVOID Context)
{
    LONG Me = (LONG)(LONG_PTR)Context;
    while (Turns < TURNS) {
        if (Last != Me) {
            Last = Me;
            LONG Turn = InterlockedIncrement(&Turns) - 1;
            if (Turn < TURNS) {
                Began[Turn] = (ULONG64)KeQueryPerformanceCounter(NULL).QuadPart;
            }
        }
    }
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    LARGE_INTEGER Time;
    KtestCrowd(4, Spinner);
    for (ULONG i = 0; i < TURNS; i += 50) {
        char Line[51];
        for (ULONG j = 0; j < 50; j++) {
            Line[j] = (char)('a' + (i + j == 0 ? 0 : Began[i + j] - Began[i + j - 1]) % 26);
        }
        Line[50] = 0;
        DbgPrint("seeded: %s\n", Line);
    }
    KeQuerySystemTime(&Time);
    DbgPrint("seeded: at %I64u, %I64u\n", (ULONG64)Time.QuadPart, (ULONG64)KeQueryPerformanceCounter(NULL).QuadPart);
    DbgPrint("@pass seeded\n");
    return STATUS_SUCCESS;
}
