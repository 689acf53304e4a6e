/* SPDX-License-Identifier: MIT */
/*
 * Threads that wake while the other processors idle or run something, as the option lab.seed has it: where
 * each runs is told, and the grader's model (../model.py) knows where it must be.
 */
#include "stage.h"

#define CASES 12

static char Told[2 * CASES + 1];
static ULONG Random;

static ULONG Pick(ULONG Limit)
{
    Random = (Random * 1103515245 + 12345) & 0x7fffffff;
    return (Random >> 16) % Limit;
}

/* 0: it idles. */
static KPRIORITY Level[PROCESSORS];

static BOOLEAN FindsPlace(KPRIORITY Priority, KAFFINITY Affinity)
{
    for (ULONG i = 1; i < PROCESSORS; i++) {
        if ((Affinity & 1ULL << i) && Level[i] < Priority) {
            return TRUE;
        }
    }
    return FALSE;
}

static PCSTR OneCase(PCHAR Answer)
{
    for (ULONG i = 1; i < PROCESSORS; i++) {
        ULONG Choice = Pick(6);
        Level[i] = Choice < 2 ? 0 : 1 + 2 * (KPRIORITY)Choice;
    }
    ULONG From = Pick(PROCESSORS), Ideal = Pick(PROCESSORS);
    KPRIORITY Priority = 6 + 2 * (KPRIORITY)Pick(4);
    KAFFINITY Affinity = 1 + Pick(15);
    *Answer = '-';
    if (!FindsPlace(Priority, Affinity)) {
        return NULL; /* it would wait: for how long, nobody can tell */
    }
    KTEST_CHECK(Place(&Actor[0], From, Priority, Affinity, Ideal, FALSE));
    for (ULONG i = 1; i < PROCESSORS; i++) {
        KTEST_CHECK(Level[i] == 0 || Occupy(i, Level[i]));
    }
    LetGo(&Actor[0]);
    KTEST_CHECK(WATCH(Actor[0].RanOn >= 0));
    *Answer = (char)('0' + Actor[0].RanOn);
    KTEST_CHECK(VacateAll());
    return NULL;
}

static PCSTR Cases(VOID)
{
    PCSTR Why = NULL;
    for (ULONG i = 0; i < CASES && Why == NULL; i++) {
        Why = OneCase(&Told[2 * i]);
        Told[2 * i + 1] = ' ';
    }
    return Why;
}

static PCSTR TestPlacing(VOID)
{
    CHAR Text[16] = "1";
    ExQueryKernelOption("lab.seed", Text, sizeof(Text));
    for (PCSTR At = Text; *At != 0; At++) {
        Random = Random * 10 + (ULONG)(*At - '0');
    }
    PCSTR Why = Stage(Cases);
    KTEST_CHECK(Why == NULL);
    Told[2 * CASES - 1] = 0;
    DbgPrint("@value placing.cases %s%s\n", Told, KtestNonce());
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    NTSTATUS Status = SetStage();
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    KtestRun("placing.cases", TestPlacing);
    return STATUS_SUCCESS;
}
