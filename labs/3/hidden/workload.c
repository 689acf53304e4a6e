/* SPDX-License-Identifier: MIT */
/*
 * Sixteen threads of random priorities that yield, lower themselves and change each other's priorities, as
 * the option lab.seed has it. The order in which they run is told, and the grader's model (../model.py) knows
 * what it must be.
 */
#include "ktest.h"

#define THREADS 16
#define STEPS   3

static PETHREAD Thread[THREADS];
static UCHAR Ended[THREADS];
static UCHAR Priority[THREADS]; /* as they have been set */
static char Told[THREADS * STEPS * 3 + 1];
static ULONG Length, Random;

static ULONG Pick(ULONG Limit)
{
    Random = (Random * 1103515245 + 12345) & 0x7fffffff;
    return (Random >> 16) % Limit;
}

static VOID SetPriority(ULONG Number, ULONG Value)
{
    Priority[Number] = (UCHAR)Value;
    KeSetPriorityThread((PKTHREAD)Thread[Number], (KPRIORITY)Value);
}

/* One thread runs at a time, and none is interrupted but where it calls: what they share needs no lock
   here. */
static VOID Worker(PVOID Context)
{
    ULONG Me = (ULONG)(ULONG_PTR)Context;
    for (ULONG i = 0; i < STEPS; i++) {
        Told[Length++] = (char)('a' + Me);
        Told[Length++] = (char)('0' + i);
        Told[Length++] = ' ';
        Ended[Me] = i == STEPS - 1;
        ULONG What = Pick(4), Whom = Pick(THREADS), Value = 1 + Pick(15);
        if (What == 1) {
            ZwYieldExecution();
        } else if (What == 2) {
            SetPriority(Me, Value < Priority[Me] ? Value : Priority[Me]);
        } else if (What == 3 && !Ended[Whom] && Whom != Me) {
            SetPriority(Whom, Value);
        }
    }
}

static PCSTR TestWorkload(VOID)
{
    CHAR Text[16] = "1";
    ExQueryKernelOption("lab.seed", Text, sizeof(Text));
    for (PCSTR At = Text; *At != 0; At++) {
        Random = Random * 10 + (ULONG)(*At - '0');
    }
    KeSetPriorityThread(KeGetCurrentThread(), 30);
    for (ULONG i = 0; i < THREADS; i++) {
        Thread[i] = KtestStart(Worker, (PVOID)(ULONG_PTR)i);
        KTEST_CHECK(Thread[i] != NULL);
    }
    for (ULONG i = 0; i < THREADS; i++) {
        SetPriority(i, 1 + Pick(15));
    }
    for (ULONG i = 0; i < THREADS; i++) {
        KtestJoin(Thread[i]);
    }
    Told[Length - 1] = 0;
    DbgPrint("@value ready.workload %s%s\n", Told, KtestNonce());
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    KtestRun("ready.workload", TestWorkload);
    return STATUS_SUCCESS;
}
