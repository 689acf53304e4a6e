/* SPDX-License-Identifier: MIT */
/*
 * On one processor: levels that go up and down, and DPCs that are queued meanwhile. On four: who gets a queued lock,
 * after whom. Both as the option lab.seed has it; what comes of it is told, and the grader's model (../model.py) knows
 * what it must be.
 */
#include "ktest.h"

#define STEPS      48
#define PROCESSORS 4
#define ROUNDS     6
#define PATIENCE   30000000 /* 100 ns */

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

static VOID Tell(CHAR What)
{
    if (Length < sizeof(Told) - 1) {
        Told[Length++] = What;
    }
}

static CHAR Digit(ULONG Value)
{
    return "0123456789abcdef"[Value & 15];
}

/* ---- Levels ---- */

#define DPCS 5

static KDPC Dpc[DPCS];
static volatile ULONG Ran; /* a digit for each that has run, from 1, at the lower end the last */
static BOOLEAN Queued[DPCS];

static VOID NoteDpc(PKDPC This, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    Ran = Ran * 8 + (ULONG)(ULONG_PTR)Context;
}

/* The level; what the processor masks, or x: interrupts are off; the DPCs that have run since the last step. */
static VOID TellLevel(CHAR What)
{
    ULONG64 Mask, Flags;
    __asm__ volatile("movq %%cr8, %0\n\tpushfq\n\tpopq %1" : "=r"(Mask), "=r"(Flags) : : "memory");
    ULONG Done = Ran, Divisor = 1;
    Ran = 0;
    Tell(What);
    Tell(Digit(KeGetCurrentIrql()));
    Tell((Flags & 0x200) == 0 ? 'x' : Digit((ULONG)Mask));
    while (Divisor <= Done / 8) {
        Divisor *= 8;
    }
    for (; Done != 0 && Divisor != 0; Divisor /= 8) {
        ULONG Number = Done / Divisor % 8;
        Tell((CHAR)('a' + Number - 1));
        Queued[Number - 1] = FALSE;
    }
    Tell(' ');
}

static PCSTR TestLevels(VOID)
{
    KIRQL Saved[HIGH_LEVEL + 1];
    ULONG Depth = 0;
    Seed();
    Ran = 0;
    for (ULONG i = 0; i < DPCS; i++) {
        KeInitializeDpc(&Dpc[i], NoteDpc, (PVOID)(ULONG_PTR)(i + 1));
        Queued[i] = FALSE;
    }
    for (ULONG i = 0; i < STEPS; i++) {
        ULONG What = Pick(4), Number = Pick(DPCS), Up = 1 + Pick(6);
        KIRQL Irql = KeGetCurrentIrql();
        if (What == 0 && Irql < HIGH_LEVEL) {
            KeRaiseIrql((KIRQL)(Irql + Up > HIGH_LEVEL ? HIGH_LEVEL : Irql + Up), &Saved[Depth++]);
            TellLevel('r');
        } else if (What == 1 && !Queued[Number]) {
            Queued[Number] = TRUE;
            KeInsertQueueDpc(&Dpc[Number], NULL, NULL);
            TellLevel('q');
        } else if (What >= 2 && Depth != 0) {
            KeLowerIrql(Saved[--Depth]);
            TellLevel('l');
        }
    }
    if (Depth != 0) {
        KeLowerIrql(PASSIVE_LEVEL);
    }
    KeFlushQueuedDpcs();
    Told[Length - 1] = 0;
    DbgPrint("@value irql.sequence %s%s\n", Told, KtestNonce());
    return NULL;
}

/* ---- The queue ---- */

static KSPIN_LOCK Lock;
static volatile LONG Trying, Turn[PROCESSORS], Served;
static volatile ULONG Order[PROCESSORS];

static BOOLEAN Soon(volatile LONG *Value, LONG Wanted)
{
    ULONGLONG Until = KeQueryInterruptTime() + PATIENCE;
    while (*Value != Wanted && KeQueryInterruptTime() < Until) {
        YieldProcessor();
    }
    return *Value == Wanted;
}

static VOID Joins(PVOID Context)
{
    ULONG Me = (ULONG)(ULONG_PTR)Context;
    KLOCK_QUEUE_HANDLE Handle;
    KeSetSystemAffinityThreadEx((KAFFINITY)1 << Me);
    KIRQL Irql = KeRaiseIrqlToDpcLevel();
    InterlockedIncrement(&Trying);
    Soon(&Turn[Me], 1);
    KeAcquireInStackQueuedSpinLockAtDpcLevel(&Lock, &Handle);
    Order[InterlockedIncrement(&Served)] = Me;
    KeReleaseInStackQueuedSpinLockFromDpcLevel(&Handle);
    KeLowerIrql(Irql);
}

/* The caller holds the lock. In an order that is drawn, each of the others joins the queue. */
static BOOLEAN LetThemJoin(VOID)
{
    BOOLEAN Joined = TRUE;
    for (ULONG i = 1; i < PROCESSORS; i++) {
        ULONG Who = 1 + Pick(PROCESSORS - 1);
        while (Turn[Who]) {
            Who = Who % (PROCESSORS - 1) + 1;
        }
        KSPIN_LOCK Last = Lock;
        ULONGLONG Until = KeQueryInterruptTime() + PATIENCE;
        Turn[Who] = 1;
        while (Joined && *(volatile KSPIN_LOCK *)&Lock == Last) {
            YieldProcessor();
            Joined = KeQueryInterruptTime() < Until;
        }
    }
    return Joined;
}

static BOOLEAN RunRound(VOID)
{
    PETHREAD Thread[PROCESSORS];
    KLOCK_QUEUE_HANDLE Handle;
    Trying = Served = 0;
    for (ULONG i = 1; i < PROCESSORS; i++) {
        Turn[i] = 0;
        if ((Thread[i] = KtestStart(Joins, (PVOID)(ULONG_PTR)i)) == NULL) {
            return FALSE;
        }
    }
    BOOLEAN Ready = Soon(&Trying, PROCESSORS - 1);
    KeAcquireInStackQueuedSpinLock(&Lock, &Handle);
    BOOLEAN Joined = LetThemJoin();
    KeReleaseInStackQueuedSpinLock(&Handle);
    for (ULONG i = 1; i < PROCESSORS; i++) {
        KtestJoin(Thread[i]);
        Tell(Digit(Order[i]));
    }
    Tell(' ');
    return Ready && Joined;
}

static PCSTR TestQueue(VOID)
{
    Seed();
    KeInitializeSpinLock(&Lock);
    KAFFINITY Before = KeSetSystemAffinityThreadEx(1);
    BOOLEAN Right = TRUE;
    for (ULONG i = 0; i < ROUNDS && Right; i++) {
        Right = RunRound();
    }
    KeRevertToUserAffinityThreadEx(Before);
    KTEST_CHECK(Right);
    Told[Length - 1] = 0;
    DbgPrint("@value queue.sequence %s%s\n", Told, KtestNonce());
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    if (KeQueryActiveProcessorCount(NULL) == 1) {
        KtestRun("irql.sequence", TestLevels);
    } else {
        KtestRun("queue.sequence", TestQueue);
    }
    return STATUS_SUCCESS;
}
