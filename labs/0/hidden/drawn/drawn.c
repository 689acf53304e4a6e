/* SPDX-License-Identifier: MIT */
/*
 * The program's answers about arguments and threads that the seed has drawn; they are told, and the grader's model (../model.py) knows
 * what they must be.
 */
#include "labs/0/tests/tour/program.c"
#include "labs/labtest.h"

#define ROUNDS 8

static ULONG Random, Length;
static CHAR Told[1024];
static HANDLE Over;

static ULONG Pick(ULONG Limit)
{
    Random = (Random * 1103515245 + 12345) & 0x7fffffff;
    return (Random >> 16) % Limit;
}

/* In one word: a line's end as '/', a space as '_'. */
static VOID Tell(PCSTR Text)
{
    for (; *Text != 0 && Length < sizeof(Told) - 2; Text++) {
        Told[Length++] = *Text == '\n' ? '/' : *Text == ' ' ? '_' : *Text;
    }
}

static VOID TellNumber(ULONG Number)
{
    CHAR Text[16];
    FormatText(Text, sizeof(Text), "%lu ", Number);
    Tell(Text);
    Told[Length - 1] = ' ';
}

static VOID DrawArguments(VOID)
{
    char Text[6][4], *Words[7] = {"drawn"}, Buffer[64];
    ULONG Count = Pick(6), Size = 1 + Pick(sizeof(Buffer) - 1);
    for (ULONG i = 0; i < Count; i++) {
        ULONG Letters = Pick(4);
        memset(Text[i], 0, sizeof(Text[i]));
        for (ULONG j = 0; j < Letters; j++) {
            Text[i][j] = (char)('a' + Pick(26));
        }
        Words[i + 1] = Text[i];
    }
    ULONG Found = FormatArguments((int)Count + 1, Words, Buffer, Size);
    Tell(Buffer);
    TellNumber(Found);
}

static VOID WaitsForTheEnd(PVOID Context)
{
    WaitFor(Over, 60000);
}

static VOID DrawThreads(VOID)
{
    HANDLE Me = NtCurrentTeb()->ClientId.UniqueProcess, Thread[6];
    ULONG Count = Pick(6);
    CHECK_SUCCESS(NtCreateEvent(&Over, EVENT_ALL_ACCESS, NULL, NotificationEvent, FALSE));
    for (ULONG i = 0; i < Count; i++) {
        CHECK_SUCCESS(CreateThread(WaitsForTheEnd, NULL, &Thread[i]));
    }
    TellNumber(CountThreads(Me));
    NtSetEvent(Over, NULL);
    for (ULONG i = 0; i < Count; i++) {
        CHECK_SUCCESS(WaitFor(Thread[i], 60000));
        NtClose(Thread[i]);
    }
    NtClose(Over);
}

static VOID Drawn(VOID)
{
    Random = LabSeed;
    for (ULONG i = 0; i < ROUNDS; i++) {
        DrawArguments();
        DrawThreads();
    }
    Told[Length - 1] = 0;
    LabTell("tour.drawn", Told);
}

static const TEST Tests[] = {
    {"tour.drawn", Drawn},
};

int main(int argc, char **argv)
{
    return LabRunTests(argc, argv, Tests, RTL_NUMBER_OF(Tests));
}
