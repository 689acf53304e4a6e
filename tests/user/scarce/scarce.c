/* SPDX-License-Identifier: MIT */
/*
 * Linux programs while memory is scarce. Each is run once as ever, then with the module faults loaded, for
 * which many allocations fail. What becomes of it then does not matter: it may fail, be ended, or wait for a
 * child that could not be made. But the machine lives, all its processes can be ended, and all that they had
 * is back, to the block of pool.
 *
 *   scarce [plain] ROUNDS COMMAND...      a command is one argument: words with a space between them. plain: without the module,
 *                                         and each time to its end
 */
#include "../test.h"
#include "../usage.h"

#define MOST_WORDS  16
#define STRAY_PAGES 4
#define A_RUN       120000 /* ms; what takes longer hangs */
#define LOOKS       50     /* at most, for it may also try again for ever */
#define A_LOOK      200    /* ms between two looks whether there is any progress, ... */
#define QUIET_LOOKS 5      /* ... and so many of these without any: it waits for ever */

static ULONG Rounds;
static BOOLEAN Plain;
static char *TheCommand;

/* In words; Text is changed. */
static NTSTATUS Start(char *Text, PHANDLE Process)
{
    char *Words[MOST_WORDS];
    ULONG Count = 0;
    while (*Text != 0 && Count < MOST_WORDS) {
        Words[Count++] = Text;
        while (*Text != 0 && *Text != ' ') {
            Text++;
        }
        if (*Text == ' ') {
            *Text++ = 0;
        }
    }
    return StartSubsystem("linux", Words[0], Count, Words, Process);
}

typedef ULONG64 VISIT(const SYSTEM_PROCESS_INFORMATION *Process);

/* The sum of what Visit answers for each process of the subsystem. */
static ULONG64 VisitAll(VISIT *Visit)
{
    SYSTEM_PROCESS_INFORMATION *First;
    ULONG Size;
    ULONG64 Sum = 0;
    if (!NT_SUCCESS(QueryProcesses(&First, &Size))) {
        return MAXULONG64;
    }
    for (SYSTEM_PROCESS_INFORMATION *At = First;; At = Add2Ptr(At, At->NextEntryOffset)) {
        Sum += strcmp(At->SubsystemName, "linux") == 0 ? Visit(At) : 0;
        if (At->NextEntryOffset == 0) {
            break;
        }
    }
    HeapFree(First);
    return Sum;
}

static ULONG64 End(const SYSTEM_PROCESS_INFORMATION *Process)
{
    HANDLE Handle;
    OBJECT_ATTRIBUTES Attributes;
    CLIENT_ID Id = {.UniqueProcess = Process->UniqueProcessId};
    InitializeObjectAttributes(&Attributes, NULL, 0, NULL, NULL);
    if (NT_SUCCESS(NtOpenProcess(&Handle, PROCESS_ALL_ACCESS, &Attributes, &Id))) {
        NtTerminateProcess(Handle, 0);
        NtClose(Handle);
    }
    return 1;
}

static ULONG64 Progress(const SYSTEM_PROCESS_INFORMATION *Process)
{
    return (ULONG64)(Process->KernelTime.QuadPart + Process->UserTime.QuadPart) +
           1000003 * (ULONG64)Process->UniqueProcessId;
}

/* All processes of the subsystem, until there are none. FALSE: some do not end. */
static BOOLEAN EndAll(VOID)
{
    for (ULONG Tries = 0; Tries < A_RUN / 10; Tries++) {
        if (VisitAll(End) == 0) {
            return TRUE;
        }
        Sleep(10);
    }
    Log("scarce: %s: some process cannot be ended", TheCommand);
    return FALSE;
}

static BOOLEAN WaitForEnd(HANDLE Process)
{
    return WaitFor(Process, A_RUN) == STATUS_SUCCESS;
}

static BOOLEAN WaitForQuiet(HANDLE Process)
{
    ULONG64 Last = 0;
    for (ULONG Quiet = 0, Looks = 0; Quiet < QUIET_LOOKS && Looks < LOOKS; Looks++) {
        if (WaitFor(Process, A_LOOK) == STATUS_SUCCESS) {
            return TRUE;
        }
        ULONG64 Now = VisitAll(Progress);
        Quiet = Now == Last ? Quiet + 1 : 0;
        Last = Now;
    }
    return FALSE;
}

/* FALSE: it has not ended. */
static BOOLEAN Run(PCSTR Text, BOOLEAN (*Wait)(HANDLE))
{
    char Copy[256];
    HANDLE Process;
    FormatText(Copy, sizeof(Copy), "%s", Text);
    NTSTATUS Status = Start(Copy, &Process);
    if (!NT_SUCCESS(Status)) {
        Log("scarce: %s: not started, 0x%08X", Text, Status);
        return TRUE;
    }
    BOOLEAN Ended = Wait(Process);
    if (Ended) {
        Log("scarce: %s: %u", Text, ExitCode(WaitForProcess(Process)));
    } else {
        Log("scarce: %s: does not end", Text);
    }
    NtClose(Process);
    return Ended;
}

/* And what the command has left behind. */
static BOOLEAN Clean(VOID)
{
    return EndAll() && Run("/bin/busybox rm -rf /tmp /w", WaitForEnd) &&
           Run("/bin/busybox mkdir -m 1777 /tmp", WaitForEnd);
}

/* A file's last page comes to memory when it is read, and stays. */
static BOOLEAN ReadProgram(VOID)
{
    char Text[64];
    SIZE_T Length = 0;
    while (TheCommand[Length] != 0 && TheCommand[Length] != ' ') {
        Length++;
    }
    FormatText(Text, sizeof(Text), "/bin/busybox md5sum /bin/busybox %.*s", (int)Length, TheCommand);
    return Run(Text, WaitForEnd);
}

static BOOLEAN RunScarce(VOID)
{
    if (Plain) {
        return Run(TheCommand, WaitForEnd) && EndAll();
    }
    if (!NT_SUCCESS(LoadModule("faults"))) {
        return FALSE;
    }
    Run(TheCommand, WaitForQuiet);
    BOOLEAN Ended = EndAll();
    while (UnloadModule("faults") != STATUS_OBJECT_NAME_NOT_FOUND) {
        Sleep(1); /* this, too, may find no memory */
    }
    return Ended;
}

/* All blocks are back, and all pages but a few: which of the kernel's own page tables and of the files' pages
   have been touched by now is chance. */
static BOOLEAN IsAllBack(const SYSTEM_MEMORY_USAGE *Before, SYSTEM_MEMORY_USAGE After)
{
    ULONG64 Tables = After.PageTablePages > Before->PageTablePages ? After.PageTablePages - Before->PageTablePages : 0;
    if (Tables <= STRAY_PAGES) {
        After.PageTablePages -= Tables;
    }
    After.FreePages += STRAY_PAGES;
    return IsBack(Before, &After);
}

static VOID Scarce(VOID)
{
    CHECK(Run(TheCommand, WaitForEnd) && ReadProgram() && Clean());
    SYSTEM_MEMORY_USAGE Before = Usage();
    for (ULONG i = 0; i < Rounds; i++) {
        CHECK(RunScarce());
    }
    CHECK(Clean());
    SYSTEM_MEMORY_USAGE After = Usage();
    ReportUsage(TheCommand, &Before, &After);
    CHECK(IsAllBack(&Before, After));
}

int main(int argc, char **argv)
{
    ULONG Failures = !NT_SUCCESS(LetTablesGrow(100)); /* these stay for all commands */
    Plain = argc > 1 && strcmp(argv[1], "plain") == 0;
    argc -= Plain;
    argv += Plain;
    Rounds = argc > 1 ? (ULONG)ParseNumber(argv[1]) : 0;
    for (int i = 2; i < argc; i++) {
        TheCommand = argv[i];
        Failures += RunTests(&(TEST){TheCommand, Scarce}, 1) != 0;
    }
    return Failures != 0;
}
