/* SPDX-License-Identifier: MIT */
/*
 * A mutant whose owner ends, and the hand-over of a semaphore's units to waiters that come and go, as the
 * option lab.seed has it: what each wait ended with is told, and the grader's model (../model.py) knows what
 * it must be.
 */
#include "ktest.h"

#define STEPS 24


static KMUTEX Mutant;
static KSEMAPHORE Semaphore;
static char Told[STEPS * 4 + 1];
static ULONG Length, Random;

static ULONG Pick(ULONG Limit)
{
    Random = (Random * 1103515245 + 12345) & 0x7fffffff;
    return (Random >> 16) % Limit;
}

static VOID Tell(char What, LONG Number)
{
    Told[Length++] = What;
    Told[Length++] = (char)('0' + Number);
    Told[Length++] = ' ';
}

static NTSTATUS Poll(PVOID Object)
{
    LARGE_INTEGER Now = {.QuadPart = 0};
    return KeWaitForSingleObject(Object, Executive, KernelMode, FALSE, &Now);
}

static VOID TakesAndEnds(PVOID Context)
{
    for (ULONG i = 0; i < (ULONG)(ULONG_PTR)Context; i++) {
        Poll(&Mutant);
    }
}

static BOOLEAN RunOne(PKSTART_ROUTINE Routine, PVOID Context)
{
    PETHREAD Thread = KtestStart(Routine, Context);
    if (Thread != NULL) {
        KtestJoin(Thread);
    }
    return Thread != NULL;
}

static PCSTR TestSequence(VOID)
{
    CHAR Text[16] = "1";
    ExQueryKernelOption("lab.seed", Text, sizeof(Text));
    for (PCSTR At = Text; *At != 0; At++) {
        Random = Random * 10 + (ULONG)(*At - '0');
    }
    KeInitializeMutant(&Mutant, FALSE);
    KeInitializeSemaphore(&Semaphore, 2, 5);
    for (ULONG i = 0; i < STEPS; i++) {
        ULONG What = Pick(4), Count = 1 + Pick(3);
        if (What == 0) { /* another takes it, so many times, and ends with it */
            KTEST_CHECK(RunOne(TakesAndEnds, (PVOID)(ULONG_PTR)Count));
            NTSTATUS Status = Poll(&Mutant);
            Tell('m', Status == STATUS_SUCCESS ? 0 : Status == STATUS_ABANDONED_WAIT_0 ? 1 : 2);
        } else if (What == 1) {
            if (KeReadStateMutex(&Mutant) <= 0) {
                Tell('r', -KeReleaseMutex(&Mutant, FALSE));
            } else {
                Tell('f', KeReadStateMutex(&Mutant));
            }
        } else if (What == 2) {
            Tell('s', Poll(&Semaphore) == STATUS_SUCCESS ? KeReadStateSemaphore(&Semaphore) : 9);
        } else if (KeReadStateSemaphore(&Semaphore) + (LONG)Count <= 5) {
            Tell('u', KeReleaseSemaphore(&Semaphore, IO_NO_INCREMENT, (LONG)Count, FALSE));
        } else {
            Tell('l', KeReadStateSemaphore(&Semaphore));
        }
    }
    for (ULONG i = 0; i < STEPS && KeReadStateMutex(&Mutant) <= 0; i++) { /* the loading thread goes on without it */
        KeReleaseMutex(&Mutant, FALSE);
    }
    Told[Length - 1] = 0;
    DbgPrint("@value signals.sequence %s%s\n", Told, KtestNonce());
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    KtestRun("signals.sequence", TestSequence);
    return STATUS_SUCCESS;
}
