/* SPDX-License-Identifier: MIT */
/*
 * What the machine does, in words: as GDB's monitor commands, and by keys on the port, outside of a packet,
 * for when nothing else goes. Nothing here needs a lock.
 */
#include "stub.h"

#define FRAMES 12

typedef VOID WRITE(PCSTR Text, SIZE_T Length);
static WRITE *Write; /* (o) */

static VOID Print(PCSTR Format, ...)
{
    char Text[STUB_TEXT];
    va_list Arguments;
    va_start(Arguments, Format);
    RtlStringCbVPrintfA(Text, sizeof(Text), Format, Arguments);
    va_end(Arguments);
    Write(Text, strlen(Text));
}

static PCSTR NameOf(ULONG64 Address, PSTR Name, SIZE_T Size)
{
    return KdServices.Name((PCVOID)Address, Name, Size);
}

/* ---- Stacks ---- */

/* The caller's place and frame pointer. FALSE: the chain ends. */
static bool Caller(ULONG64 *Rip, ULONG64 *Rbp)
{
    ULONG64 Link[2];
    if ((*Rbp & 7) != 0 || !StubReadKernel(*Rbp, Link, sizeof(Link)) || Link[1] == 0) {
        return false;
    }
    *Rbp = Link[0];
    *Rip = Link[1];
    return true;
}

static VOID PrintStack(PKTHREAD Thread)
{
    char Name[STUB_TEXT];
    ULONG64 Rip, Rbp;
    bool More = StubPlace(Thread, &Rip, &Rbp);
    for (ULONG i = 0; More && i < FRAMES; i++) {
        Print("    #%-2u %p %s\n", i, (PVOID)Rip, NameOf(Rip, Name, sizeof(Name)));
        More = Caller(&Rip, &Rbp);
    }
}

/* Who waits stands in the scheduler: who called it tells more. */
static bool IsScheduler(PCSTR Name)
{
    static const PCSTR Names[] = {"ArchpSwapContext", "KiSwap",   "KiBlock",   "KiWait",        "KiResched",
                                  "KiDrain",         "KeWait",    "KiPerform", "KeDelay",       "KeRemoveQueue",
                                  "KiSoftInterrupt", "KiCommit"};
    for (ULONG i = 0; i < RTL_NUMBER_OF(Names); i++) {
        if (strncmp(Name, Names[i], strlen(Names[i])) == 0) {
            return true;
        }
    }
    return false;
}

static VOID PrintPlace(PKTHREAD Thread)
{
    char Name[STUB_TEXT] = "?";
    ULONG64 Rip, Rbp;
    bool More = StubPlace(Thread, &Rip, &Rbp);
    while (More && IsScheduler(NameOf(Rip, Name, sizeof(Name)))) {
        More = Caller(&Rip, &Rbp);
    }
    Print("%s", Name);
}

/* ---- Reports ---- */

static VOID Processors(VOID)
{
    KD_PROCESSOR Processor;
    char Name[96];
    for (ULONG i = 0; KdServices.QueryProcessor(i, &Processor); i++) {
        StubThreadName(Processor.Thread, Name, sizeof(Name));
        Print("processor %u: IRQL %u%s, thread %u (%s), %I64u interrupts, %I64u DPCs, ready %08x%s\n", i, Processor.Irql,
              Processor.InDpc ? ", in a DPC" : "", StubThreadId(Processor.Thread), Name, Processor.Interrupts,
              Processor.Dpcs, Processor.ReadySummary, StubFrame(i) == NULL ? ", does not answer" : "");
        PrintStack(Processor.Thread);
    }
}

static VOID Threads(VOID)
{
    KD_THREAD Information;
    char Name[96], State[96];
    for (PKTHREAD Thread = StubNextThread(NULL); Thread != NULL; Thread = StubNextThread(Thread)) {
        KdServices.QueryThread(Thread, &Information);
        StubThreadName(Thread, Name, sizeof(Name));
        StubDescribe(Thread, State, sizeof(State));
        Print("%6u %6u %-20s %s: ", StubThreadId(Thread), HandleToULong(Information.Id.UniqueProcess), Name, State);
        PrintPlace(Thread);
        Print("\n");
    }
}

/* "A or B, ": all that a thread waits for, none if it sleeps. */
static VOID PrintObjects(const KD_THREAD *Thread)
{
    char Name[STUB_TEXT];
    KWAIT_BLOCK Block;
    PCSTR Before = "";
    for (ULONG i = 0; i < Thread->WaitCount; i++) {
        bool Known = StubReadKernel((ULONG64)(Thread->WaitBlocks + i), &Block, sizeof(Block));
        if (!Known || Block.Thread != Thread->Thread || Block.BlockState == 0) {
            continue;
        }
        PCSTR Object = NameOf((ULONG64)Block.Object, Name, sizeof(Name));
        Print("%s%s", Before, Object);
        Before = Block.WaitType == WaitAll ? " and " : " or ";
    }
    Print(*Before != 0 ? ", " : "");
}

static VOID Waits(VOID)
{
    KD_THREAD Information;
    char Who[96];
    for (PKTHREAD Thread = StubNextThread(NULL); Thread != NULL; Thread = StubNextThread(Thread)) {
        KdServices.QueryThread(Thread, &Information);
        if (Information.State != 5) {
            continue;
        }
        StubThreadName(Thread, Who, sizeof(Who));
        Print("%6u %-20s waits for %s, ", StubThreadId(Thread), Who, StubWaitReason(Information.WaitReason));
        PrintObjects(&Information);
        Print("in ");
        PrintPlace(Thread);
        Print("\n");
    }
}

static VOID Locks(VOID)
{
    Print("locks that are held or waited for (debug builds):\n");
    KdServices.ReportLocks(Write);
}

/* Thread by thread: a process is the row of its first one. */
static VOID Processes(VOID)
{
    KD_THREAD Information, Other;
    char Name[64];
    for (PKTHREAD Thread = StubNextThread(NULL); Thread != NULL; Thread = StubNextThread(Thread)) {
        ULONG Count = 0;
        bool First = true;
        KdServices.QueryThread(Thread, &Information);
        ULONG Process = HandleToULong(Information.Id.UniqueProcess);
        for (PKTHREAD At = StubNextThread(NULL); At != NULL; At = StubNextThread(At)) {
            KdServices.QueryThread(At, &Other);
            bool Same = HandleToULong(Other.Id.UniqueProcess) == Process;
            First &= !Same || Count != 0 || At == Thread;
            Count += Same;
        }
        if (First) {
            StubProcessName(&Information, Name, sizeof(Name));
            Print("%6u %-10s %4u threads  %s\n", Process, Information.Subsystem, Count, Name);
        }
    }
}

static VOID Help(VOID);

static const struct {
    UCHAR Key;
    PCSTR Command, What;
    VOID (*Report)(VOID);
} Reports[] = {
    {'p', "processors", "what each processor does, with its stack", Processors},
    {'t', "threads", "all threads: state, priority, place", Threads},
    {'w', "waits", "who waits for what", Waits},
    {'l', "locks", "who holds and who waits for which lock (debug builds)", Locks},
    {'s', "ps", "processes", Processes},
    {'h', "help", "this list", Help},
};

static VOID Help(VOID)
{
    Print("key command     what it prints\n");
    for (ULONG i = 0; i < RTL_NUMBER_OF(Reports); i++) {
        Print("%c   %-11s %s\n", Reports[i].Key, Reports[i].Command, Reports[i].What);
    }
    Print("    reboot      (monitor only) resets the machine\n");
}

bool StubMonitor(PCSTR Command, WRITE *To)
{
    for (ULONG i = 0; i < RTL_NUMBER_OF(Reports); i++) {
        if (strcmp(Command, Reports[i].Command) == 0) {
            Write = To;
            Reports[i].Report();
            return true;
        }
    }
    return false;
}

/* ---- Keys ---- */

static VOID PutLine(PCSTR Text, SIZE_T Length)
{
    for (; Length != 0; Text++, Length--) {
        if (*Text == '\n') {
            StubPutText("\r", 1);
        }
        StubPutText(Text, 1);
    }
}

VOID StubKey(UCHAR Key)
{
    for (ULONG i = 0; i < RTL_NUMBER_OF(Reports); i++) {
        if (Reports[i].Key == Key) {
            Write = PutLine;
            Reports[i].Report();
            PutLine("--\n", 3);
        }
    }
}
