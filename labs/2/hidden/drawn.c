/* SPDX-License-Identifier: MIT */
/*
 * Threads that take turns and end, from some depth, with some status; and threads that live, end and are held by references
 * as the option lab.seed has it. Who ran when, and how many stacks and objects there are, is told; the grader's model
 * (../model.py) knows what it must be.
 */
#include "ktest.h"
#include <primertest.h>

static CHAR Told[1024];
static ULONG Length, Random;

static ULONG Pick(ULONG Limit)
{
    Random = (Random * 1103515245 + 12345) & 0x7fffffff;
    return (Random >> 16) % Limit;
}

static VOID Seed(VOID)
{
    CHAR Text[16] = "1";
    ExQueryKernelOption("lab.seed", Text, sizeof(Text));
    Random = 0;
    for (PCSTR At = Text; *At != 0; At++) {
        Random = Random * 10 + (ULONG)(*At - '0');
    }
    Length = 0;
}

static VOID Tell(CHAR First, CHAR Second, CHAR Third)
{
    if (Length + 4 < sizeof(Told)) {
        Told[Length++] = First;
        Told[Length++] = Second;
        if (Third != 0) {
            Told[Length++] = Third;
        }
        Told[Length++] = ' ';
    }
}

static VOID Print(PCSTR Name)
{
    Told[Length - 1] = 0;
    DbgPrint("@value %s %s%s\n", Name, Told, KtestNonce());
}

/* ---- Turns and ends ---- */

#define WORKERS 5
#define STEPS   8

static __attribute__((noinline)) VOID EndAt(ULONG Depth, ULONG Status)
{
    if (Depth == 0) {
        PsTerminateSystemThread((NTSTATUS)Status);
    } else {
        EndAt(Depth - 1, Status);
    }
    __asm__ volatile("" : : : "memory"); /* no jump in place of a call */
}

/* One thread runs at a time, and none is interrupted but where it calls: what they share needs no lock here. */
static VOID Works(PVOID Context)
{
    CHAR Me = (CHAR)('a' + (ULONG_PTR)Context);
    for (ULONG i = 0; i < STEPS; i++) {
        ULONG What = Pick(6), Status = Pick(10), Depth = Pick(20);
        Tell(Me, (CHAR)('0' + i), 0);
        if (What == 0) {
            EndAt(Depth, Status);
        } else if (What < 4) {
            ZwYieldExecution();
        }
    }
}

static PCSTR TestTurns(VOID)
{
    PETHREAD Thread[WORKERS];
    Seed();
    KeSetPriorityThread(KeGetCurrentThread(), 20);
    for (ULONG i = 0; i < WORKERS; i++) {
        Thread[i] = KtestStart(Works, (PVOID)(ULONG_PTR)i);
        KTEST_CHECK(Thread[i] != NULL);
    }
    for (ULONG i = 0; i < WORKERS; i++) {
        KeWaitForSingleObject(Thread[i], Executive, KernelMode, FALSE, NULL);
    }
    KeSetPriorityThread(KeGetCurrentThread(), 8);
    for (ULONG i = 0; i < WORKERS; i++) {
        Tell((CHAR)('a' + i), '=', (CHAR)('0' + PsGetThreadExitStatus(Thread[i])));
        ObDereferenceObject(Thread[i]);
    }
    Print("turns.drawn");
    return NULL;
}

/* ---- Lives ---- */

#define SLOTS 6
#define DEEDS 30

static struct {
    PETHREAD Thread;
    KEVENT End;
    BOOLEAN Ended;
} Slot[SLOTS];

static VOID Lives(PVOID Context)
{
    KeWaitForSingleObject(Context, Executive, KernelMode, FALSE, NULL);
}

static BOOLEAN Begin(ULONG Number)
{
    KeInitializeEvent(&Slot[Number].End, NotificationEvent, FALSE);
    Slot[Number].Ended = FALSE;
    Slot[Number].Thread = KtestStart(Lives, &Slot[Number].End);
    return Slot[Number].Thread != NULL;
}

static VOID End(ULONG Number)
{
    KeSetEvent(&Slot[Number].End, IO_NO_INCREMENT, FALSE);
    KeWaitForSingleObject(Slot[Number].Thread, Executive, KernelMode, FALSE, NULL);
    Slot[Number].Ended = TRUE;
}

static VOID LetGo(ULONG Number)
{
    ObDereferenceObject(Slot[Number].Thread);
    Slot[Number].Thread = NULL;
}

static PCSTR TestLives(VOID)
{
    PRIMER_MEMORY Before, Now;
    Seed();
    PsDrainReaper();
    PrimerQueryMemory(&Before);
    for (ULONG i = 0; i < DEEDS; i++) {
        ULONG Number = Pick(SLOTS);
        if (Slot[Number].Thread == NULL) {
            KTEST_CHECK(Begin(Number));
        } else if (!Slot[Number].Ended) {
            End(Number);
        } else {
            LetGo(Number);
        }
        PsDrainReaper();
        PrimerQueryMemory(&Now);
        Tell((CHAR)('0' + Now.KernelStacks - Before.KernelStacks), (CHAR)('0' + Now.Threads - Before.Threads), 0);
    }
    for (ULONG i = 0; i < SLOTS; i++) {
        if (Slot[i].Thread != NULL) {
            End(i);
            LetGo(i);
        }
    }
    Print("lives.drawn");
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    KtestRun("turns.drawn", TestTurns);
    KtestRun("lives.drawn", TestLives);
    return STATUS_SUCCESS;
}
