/* SPDX-License-Identifier: MIT */
/* Whether driver.c's answers are right, and where the kernel's walk along the stack (arch/x86_64/backtrace.c) comes to. */
#include "driver.h"
#include "ktest.h"

/* The machine has started, and has loaded this module. */
static PCSTR TestAlive(VOID)
{
    KTEST_CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
    KTEST_CHECK(PsGetCurrentProcessId() != NULL);
    return NULL;
}

static PCSTR TestOption(VOID)
{
    CHAR Text[16] = "", Again[16] = "";
    KTEST_CHECK(ExQueryKernelOption("lab.seed", Text, sizeof(Text)));
    ULONG Number = OptionNumber("lab.seed");
    for (ULONG At = 14, Left = Number; Left != 0 && At > 0; Left /= 10) { /* written back */
        Again[--At] = (CHAR)('0' + Left % 10);
        if (Left < 10) {
            KTEST_CHECK(strcmp(Again + At, Text) == 0);
        }
    }
    KTEST_CHECK(Number != 0);
    KTEST_CHECK(OptionNumber("lab.nothing") == 0);
    return NULL;
}

static PCSTR TestProcessors(VOID)
{
    ULONG Seen[64] = {0}, Count = KeQueryActiveProcessorCount(NULL);
    KTEST_CHECK(VisitProcessors(Seen) == Count);
    for (ULONG i = 0; i < 64; i++) {
        KTEST_CHECK(Seen[i] == (i < Count ? 1 : 0));
    }
    return NULL;
}

/* ---- The walk ---- */

#define LIMIT 48

static PVOID Found[LIMIT];
static ULONG Wanted = LIMIT, Stored, BrokenAt; /* BrokenAt: the depth at which the chain is broken off; 0: nowhere */
static ULONG_PTR BrokenBy;

/* Calls itself: all but the innermost call return to the same place. */
static __attribute__((noinline)) VOID Descend(ULONG Depth)
{
    ULONG_PTR *Link = __builtin_frame_address(0), Saved = Link[0];
    if (Depth == BrokenAt) {
        *(volatile ULONG_PTR *)Link = BrokenBy;
    }
    if (Depth > 1) {
        Descend(Depth - 1);
    } else {
        Stored = RtlCaptureStackBackTrace(0, Wanted, Found, NULL);
    }
    *(volatile ULONG_PTR *)Link = Saved;
}

/* How often the most frequent run of one address is repeated. */
static ULONG LongestRun(VOID)
{
    ULONG Longest = 0, Run = 0;
    for (ULONG i = 0; i < Stored; i++) {
        Run = i > 0 && Found[i] == Found[i - 1] ? Run + 1 : 1;
        Longest = Run > Longest ? Run : Longest;
    }
    return Longest;
}

static PCSTR TestDepth(VOID)
{
    Wanted = LIMIT;
    BrokenAt = 0;
    for (ULONG Depth = 3; Depth < 20; Depth += 4) {
        Descend(Depth);
        KTEST_CHECK(LongestRun() == Depth - 1);
        KTEST_CHECK(Stored > Depth + 1);
    }
    return NULL;
}

/* In a thread of its own: the walk ends where the thread began, and no address is 0. */
static VOID Walks(PVOID Context)
{
    Descend(4);
}

static PCSTR TestEnds(VOID)
{
    Wanted = LIMIT;
    BrokenAt = Stored = 0;
    KTEST_CHECK(KtestCrowd(1, Walks));
    KTEST_CHECK(Stored >= 6 && Stored <= 12);
    for (ULONG i = 0; i < Stored; i++) {
        KTEST_CHECK((ULONG_PTR)Found[i] >= 0xffff800000000000);
    }
    return NULL;
}

static PCSTR TestLimit(VOID)
{
    BrokenAt = 0;
    for (Wanted = 2; Wanted < 8; Wanted++) {
        Found[Wanted] = NULL;
        Descend(12);
        KTEST_CHECK(Stored == Wanted);
        KTEST_CHECK(Found[Wanted] == NULL);
    }
    Wanted = LIMIT;
    return NULL;
}

/* A frame pointer that is none: the walk ends there, and touches nothing. */
static PCSTR TestBroken(VOID)
{
    static const ULONG_PTR Bad[] = {0x10, 0x7ffffffff000, 0x0000800000000000, 0xffff7fffffffffff, 0xffffbffffffff000, 0xfffffffffffffff8};
    Wanted = LIMIT;
    for (ULONG i = 0; i < RTL_NUMBER_OF(Bad); i++) {
        BrokenBy = Bad[i];
        BrokenAt = 1;
        Descend(9);
        ULONG Near = Stored;
        BrokenAt = 5;
        Descend(9);
        BrokenAt = 0;
        KTEST_CHECK(Near >= 2);
        KTEST_CHECK(Stored == Near + 4);
    }
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    KtestRun("boot.alive", TestAlive);
    KtestRun("boot.option", TestOption);
    KtestRun("boot.processors", TestProcessors);
    KtestRun("walk.depth", TestDepth);
    KtestRun("walk.limit", TestLimit);
    KtestRun("walk.ends", TestEnds);
    KtestRun("walk.broken", TestBroken);
    return STATUS_SUCCESS;
}
