/* SPDX-License-Identifier: MIT */
/*
 * The first program: loads modules, runs one command, or the shell, and switches the machine off.
 *
 * The boot archive's file run/command says what is wanted; it holds strings, each with its NUL:
 *     module NAME            any number of times: load modules/NAME.sys, in this order
 *     native ARGUMENT...     at most once and last: run a native program, or
 *     SUBSYSTEM ARGUMENT...  a program of the subsystem of that name
 * Without the file, a person sits at the terminal: run= or init= among our arguments (the kernel's options)
 * names the program, else it is the shell.
 *
 * The log gets "@exit N" for a run that run/command asked for: the command's exit status as a shell shows it,
 * 126 when it cannot be executed, 127 when it is not there, 125 when a module failed or the subsystem is
 * missing.
 */
#include "libnt.h"

#define EXIT_BROKEN_RUN 125

static NORETURN VOID PowerOff(VOID)
{
    NtShutdownSystem(ShutdownPowerOff);
    Exit(STATUS_UNSUCCESSFUL);
}

/* ---- Modules ---- */

/* The default subsystem's module, if there is one in the archive. Native programs run without it too. */
static VOID LoadDefaultSubsystem(VOID)
{
    STATUS_TEXT Text;
    NTSTATUS Status = HasProvider(DEFAULT_SUBSYSTEM) ? STATUS_SUCCESS : LoadModule(DEFAULT_SUBSYSTEM);
    if (!NT_SUCCESS(Status) && Status != STATUS_OBJECT_NAME_NOT_FOUND &&
        Status != STATUS_IMAGE_ALREADY_LOADED) {
        Log("init: module '%s': %s", DEFAULT_SUBSYSTEM, StatusText(Status, Text));
    }
}

static BOOLEAN LoadWantedModule(PCSTR Name)
{
    STATUS_TEXT Text;
    NTSTATUS Status = LoadModule(Name);
    if (NT_SUCCESS(Status) || Status == STATUS_IMAGE_ALREADY_LOADED) {
        return TRUE;
    }
    Log("init: module '%s': %s (0x%08X)", Name, StatusText(Status, Text), Status);
    PrintError("init: module '%s': %s\n", Name, StatusText(Status, Text));
    return FALSE;
}

/* ---- The command ---- */

static NTSTATUS StartCommand(PCSTR Kind, ULONG Count, char **Arguments, PHANDLE Process)
{
    if (strcmp(Kind, "native") == 0) {
        return StartNative(Arguments[0], Count, Arguments, 0, Process, NULL);
    }
    return StartSubsystem(Kind, Arguments[0], Count, Arguments, Process);
}

/* Runs it to its end; the exit code. */
static ULONG RunCommand(PCSTR Kind, ULONG Count, char **Arguments)
{
    HANDLE Process;
    STATUS_TEXT Text;
    if (strcmp(Kind, "native") != 0 && !HasProvider(Kind)) {
        PrintError("init: no module provides the subsystem '%s'\n", Kind);
        return EXIT_BROKEN_RUN;
    }
    NTSTATUS Status = StartCommand(Kind, Count, Arguments, &Process);
    if (!NT_SUCCESS(Status)) {
        PrintError("init: %s: %s\n", Arguments[0], StatusText(Status, Text));
        return StartFailureCode(Status);
    }
    Status = WaitForProcess(Process);
    NtClose(Process);
    if (Status < 0 || Status > 255) {
        Log("init: '%s' ended with %s (0x%08X)", Arguments[0], StatusText(Status, Text), Status);
    }
    return ExitCode(Status);
}

/* ---- run/command ---- */

typedef struct _REQUEST {
    char *Next, *End;
} REQUEST, *PREQUEST;

static char *NextWord(PREQUEST Request)
{
    if (Request->Next >= Request->End) {
        return NULL;
    }
    char *Word = Request->Next;
    Request->Next += strlen(Word) + 1;
    return Word;
}

static ULONG CountWords(REQUEST Request)
{
    ULONG Count = 0;
    while (NextWord(&Request) != NULL) {
        Count++;
    }
    return Count;
}

/* The rest of the request is a command. One without arguments is no command: nothing was asked for. */
static ULONG RunRestOfRequest(PCSTR Kind, PREQUEST Request)
{
    ULONG Count = CountWords(*Request);
    char **Arguments = HeapAllocate((Count + 1) * sizeof(char *));
    if (Arguments == NULL || Count == 0) {
        return EXIT_BROKEN_RUN;
    }
    for (ULONG i = 0; i <= Count; i++) {
        Arguments[i] = NextWord(Request);
    }
    return RunCommand(Kind, Count, Arguments);
}

static ULONG RunRequest(PREQUEST Request)
{
    char *Word;
    while ((Word = NextWord(Request)) != NULL && strcmp(Word, "module") == 0) {
        char *Name = NextWord(Request);
        if (Name == NULL || !LoadWantedModule(Name)) {
            return EXIT_BROKEN_RUN;
        }
    }
    return Word == NULL ? 0 : RunRestOfRequest(Word, Request);
}

/* ---- A person at the terminal ---- */

static char *WantedProgram(int Count, char **Arguments)
{
    for (int i = 1; i < Count; i++) {
        if (strncmp(Arguments[i], "run=", 4) == 0) {
            return Arguments[i] + 4;
        }
        if (strncmp(Arguments[i], "init=", 5) == 0 && strcmp(Arguments[i] + 5, "init") != 0) {
            return Arguments[i] + 5;
        }
    }
    return "sh";
}

int main(int argc, char **argv)
{
    PVOID Data;
    SIZE_T Size;
    LoadDefaultSubsystem();
    NTSTATUS Status = ReadBootFile("\\Boot\\run\\command", &Data, &Size);
    if (NT_SUCCESS(Status)) {
        REQUEST Request = {Data, (char *)Data + Size};
        Log("@exit %u", RunRequest(&Request));
    } else {
        char *Program = WantedProgram(argc, argv);
        RunCommand("native", 1, &Program);
    }
    PowerOff();
}
