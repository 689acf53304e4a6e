/* SPDX-License-Identifier: MIT */
/*
 * Twelve process routines, of all three kinds, that are registered and removed, forbid processes and remove
 * themselves, as the option lab.seed has it: who is told of what, in which order, and what came of it is told,
 * and the grader's model (../model.py) knows what it must be.
 */
#include "makers.h"

#define ROUTINES 12
#define STEPS    40

static char Told[512];
static ULONG Length, Random;
static BOOLEAN Forbids[ROUTINES], Leaves[ROUTINES]; /* at its next call for a creation */
static volatile BOOLEAN Listening;

static ULONG Pick(ULONG Limit)
{
    Random = (Random * 1103515245 + 12345) & 0x7fffffff;
    return (Random >> 16) % Limit;
}

static VOID Tell(char What)
{
    if (Length < sizeof(Told) - 1) {
        Told[Length++] = What;
    }
}

static NTSTATUS Set(ULONG Number, BOOLEAN Remove);

/* One process at a time, and the test's thread waits for it: what they share needs no lock. */
static VOID Hear(ULONG Number, BOOLEAN Create, NTSTATUS *CreationStatus)
{
    if (!Listening) {
        return;
    }
    Tell((char)((Create ? 'a' : 'A') + Number));
    if (Create && Forbids[Number] && CreationStatus != NULL) {
        Forbids[Number] = FALSE;
        *CreationStatus = (NTSTATUS)(0xC0000000 + Number);
    }
    if (Create && Leaves[Number]) {
        Leaves[Number] = FALSE;
        Set(Number, TRUE);
    }
}

/* Kind 0: plain, 1: Ex, 2: Ex2, by the number. */
#define FOUR(X) X(0) X(1) X(2) X(3)
#define X(Row)                                                                                                         \
    static VOID Plain##Row(HANDLE ParentId, HANDLE ProcessId, BOOLEAN Create)                                          \
    {                                                                                                                  \
        Hear(3 * Row, Create, NULL);                                                                                   \
    }                                                                                                                  \
    static VOID Ex##Row(PEPROCESS Process, HANDLE ProcessId, PPS_CREATE_NOTIFY_INFO Info)                              \
    {                                                                                                                  \
        Hear(3 * Row + 1, Info != NULL, Info != NULL ? &Info->CreationStatus : NULL);                                  \
    }                                                                                                                  \
    static VOID All##Row(PEPROCESS Process, HANDLE ProcessId, PPS_CREATE_NOTIFY_INFO Info)                             \
    {                                                                                                                  \
        Hear(3 * Row + 2, Info != NULL, Info != NULL ? &Info->CreationStatus : NULL);                                  \
    }
FOUR(X)
#undef X
#define X(Row) (PVOID)Plain##Row, (PVOID)Ex##Row, (PVOID)All##Row,
static const PVOID Routine[ROUTINES] = {FOUR(X)};
#undef X

static NTSTATUS Set(ULONG Number, BOOLEAN Remove)
{
    switch (Number % 3) {
    case 0:
        return PsSetCreateProcessNotifyRoutine((PCREATE_PROCESS_NOTIFY_ROUTINE)Routine[Number], Remove);
    case 1:
        return PsSetCreateProcessNotifyRoutineEx((PCREATE_PROCESS_NOTIFY_ROUTINE_EX)Routine[Number], Remove);
    default:
        return PsSetCreateProcessNotifyRoutineEx2(PsCreateProcessNotifySubsystems, Routine[Number], Remove);
    }
}

static VOID Live(BOOLEAN Native)
{
    Tell(Native ? 'n' : 's');
    Tell(':');
    Listening = TRUE;
    NTSTATUS Status = Native ? LiveNative(L"nop", NULL) : LiveSubsystem();
    Listening = FALSE;
    Tell('=');
    Tell(Status == STATUS_SUCCESS ? '0' : (char)('a' + (Status & 0xff)));
    Tell(' ');
}

static VOID Step(ULONG What, ULONG Number)
{
    switch (What) {
    case 0:
    case 1:
    case 2:
        Tell('r');
        Tell(Set(Number, FALSE) == STATUS_SUCCESS ? '0' : '1');
        Tell(' ');
        break;
    case 3:
        Tell('d');
        Tell(Set(Number, TRUE) == STATUS_SUCCESS ? '0' : '1');
        Tell(' ');
        break;
    case 4:
        Forbids[Number] = TRUE;
        break;
    case 5:
        Leaves[Number] = TRUE;
        break;
    default:
        Live(Number >= ROUTINES / 3);
    }
}

static PCSTR TestTidings(VOID)
{
    CHAR Text[16] = "1";
    ExQueryKernelOption("lab.seed", Text, sizeof(Text));
    for (PCSTR At = Text; *At != 0; At++) {
        Random = Random * 10 + (ULONG)(*At - '0');
    }
    for (ULONG i = 0; i < STEPS; i++) {
        ULONG What = Pick(8), Number = Pick(ROUTINES);
        Step(What, Number);
    }
    Live(TRUE);
    for (ULONG i = 0; i < ROUTINES; i++) {
        Set(i, TRUE);
    }
    Told[Length - 1] = 0;
    DbgPrint("@value tidings.sequence %s%s\n", Told, KtestNonce());
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    KtestRun("tidings.sequence", TestTidings);
    return STATUS_SUCCESS;
}
