/* SPDX-License-Identifier: MIT */
/*
 * The walk along the stack from depths, and with breaks, that the option lab.seed has drawn: how far it came is told, and the
 * grader's model (../model.py) knows what it must be.
 */
#include "ktest.h"

#define LIMIT  48
#define ROUNDS 16

static PVOID Found[LIMIT];
static ULONG Stored, Wanted, BrokenAt, Random;
static CHAR Told[ROUNDS * 4 + 1];

static ULONG Pick(ULONG Limit)
{
    Random = (Random * 1103515245 + 12345) & 0x7fffffff;
    return (Random >> 16) % Limit;
}

static __attribute__((noinline)) VOID Descend(ULONG Depth)
{
    ULONG_PTR *Link = __builtin_frame_address(0), Saved = Link[0];
    if (Depth == BrokenAt) {
        *(volatile ULONG_PTR *)Link = Saved ^ 0x0000700000000004; /* not aligned, and not a stack's */
    }
    if (Depth > 1) {
        Descend(Depth - 1);
    } else {
        Stored = RtlCaptureStackBackTrace(0, Wanted, Found, NULL);
    }
    *(volatile ULONG_PTR *)Link = Saved;
}

static ULONG StepsFrom(ULONG Depth, ULONG Break, ULONG Limit)
{
    BrokenAt = Break;
    Wanted = Limit;
    Descend(Depth);
    return Stored;
}

static PCSTR TestSteps(VOID)
{
    CHAR Text[16] = "1";
    ULONG Length = 0;
    ExQueryKernelOption("lab.seed", Text, sizeof(Text));
    for (PCSTR At = Text; *At != 0; At++) {
        Random = Random * 10 + (ULONG)(*At - '0');
    }
    ULONG Whole = StepsFrom(1, 0, LIMIT), Broken = StepsFrom(1, 1, LIMIT);
    for (ULONG i = 0; i < ROUNDS; i++) {
        ULONG What = Pick(3), Depth = 2 + Pick(18), Break = 1 + Pick(Depth), Limit = 1 + Pick(Depth);
        LONG Steps = What == 0   ? (LONG)StepsFrom(Depth, 0, LIMIT) - (LONG)Whole
                     : What == 1 ? (LONG)StepsFrom(Depth, Break, LIMIT) - (LONG)Broken
                                 : (LONG)StepsFrom(Depth, 0, Limit);
        Told[Length++] = "wbl"[What];
        Told[Length++] = (CHAR)('A' + Steps);
        Told[Length++] = ' ';
    }
    Told[Length - 1] = 0;
    DbgPrint("@value walk.drawn %s%s\n", Told, KtestNonce());
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    KtestRun("walk.drawn", TestSteps);
    return STATUS_SUCCESS;
}
