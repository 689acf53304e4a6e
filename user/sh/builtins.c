/* SPDX-License-Identifier: MIT */
/* What the shell does itself. */
#include "sh.h"

#define USAGE_ERROR 2

typedef struct _BUILTIN_ENTRY {
    PCSTR Name, Arguments, Help;
    BUILTIN *Run;
} BUILTIN_ENTRY;

/* ---- Numbers ---- */

static BOOLEAN ReadNumber(PCSTR Text, PULONG64 Number)
{
    *Number = 0;
    if (*Text == '\0') {
        return FALSE;
    }
    for (; *Text != '\0'; Text++) {
        if (!isdigit(*Text) || *Number > MAXLONG) {
            return FALSE;
        }
        *Number = *Number * 10 + (ULONG64)(*Text - '0');
    }
    return TRUE;
}

/* ---- Modules ---- */

static ULONG CallForEach(ULONG Count, char **Words, NTSTATUS (*Call)(PCSTR Name))
{
    ULONG Result = Count > 1 ? 0 : USAGE_ERROR;
    for (ULONG i = 1; i < Count; i++) {
        STATUS_TEXT Text;
        NTSTATUS Status = Call(Words[i]);
        if (!NT_SUCCESS(Status)) {
            PrintError("sh: %s %s: %s\n", Words[0], Words[i], StatusText(Status, Text));
            Result = 1;
        }
    }
    if (Result == USAGE_ERROR) {
        PrintError("sh: %s NAME...\n", Words[0]);
    }
    return Result;
}

static ULONG LoadCommand(ULONG Count, char **Words)
{
    return CallForEach(Count, Words, LoadModule);
}

static ULONG UnloadCommand(ULONG Count, char **Words)
{
    return CallForEach(Count, Words, UnloadModule);
}

static VOID PrintName(PVOID Context, PCSTR Name)
{
    if (Name[0] != '.') {
        Print("%s%s", Context, Name);
    }
}

static ULONG ModulesCommand(ULONG Count, char **Words)
{
    Print("modules that can be loaded:");
    ListFolder("\\Boot\\modules", PrintName, "  ");
    Print("\n");
    return 0;
}

/* ---- Programs ---- */

static ULONG JobsCommand(ULONG Count, char **Words)
{
    ReportJobs(TRUE);
    return 0;
}

static ULONG WaitCommand(ULONG Count, char **Words)
{
    WaitForJobs();
    return 0;
}

static NTSTATUS TerminateById(ULONG64 Id)
{
    HANDLE Process;
    CLIENT_ID ClientId = {.UniqueProcess = (HANDLE)Id};
    OBJECT_ATTRIBUTES Attributes;
    InitializeObjectAttributes(&Attributes, NULL, 0, NULL, NULL);
    NTSTATUS Status = NtOpenProcess(&Process, PROCESS_ALL_ACCESS, &Attributes, &ClientId);
    if (NT_SUCCESS(Status)) {
        Status = NtTerminateProcess(Process, STATUS_CONTROL_C_EXIT);
        NtClose(Process);
    }
    return Status;
}

static NTSTATUS TerminateByText(PCSTR Text)
{
    ULONG64 Id;
    return ReadNumber(Text, &Id) ? TerminateById(Id) : STATUS_INVALID_PARAMETER;
}

static ULONG KillCommand(ULONG Count, char **Words)
{
    return CallForEach(Count, Words, TerminateByText);
}

/* ---- The shell itself ---- */

static ULONG EchoCommand(ULONG Count, char **Words)
{
    BOOLEAN Newline = Count < 2 || strcmp(Words[1], "-n") != 0;
    for (ULONG i = Newline ? 1 : 2; i < Count; i++) {
        Print("%s%s", Words[i], i + 1 < Count ? " " : "");
    }
    Print(Newline ? "\n" : "");
    return 0;
}

static ULONG ExitCommand(ULONG Count, char **Words)
{
    ULONG64 Code = LastStatus;
    if (Count > 1 && !ReadNumber(Words[1], &Code)) {
        PrintError("sh: exit [NUMBER]\n");
        return USAGE_ERROR;
    }
    ShellEnds = TRUE;
    return (ULONG)Code & 0xFF;
}

static BUILTIN HelpCommand;

static const BUILTIN_ENTRY Builtins[] = {
    {"help", "", "this list", HelpCommand},
    {"exit", "[NUMBER]", "end the shell: the machine powers off", ExitCommand},
    {"load", "NAME...", "load kernel modules", LoadCommand},
    {"unload", "NAME...", "unload them", UnloadCommand},
    {"modules", "", "which modules there are", ModulesCommand},
    {"jobs", "", "programs in the background", JobsCommand},
    {"wait", "", "wait until they have all ended", WaitCommand},
    {"kill", "ID...", "end processes", KillCommand},
    {"echo", "[-n] WORD...", "print the words", EchoCommand},
};

static ULONG HelpCommand(ULONG Count, char **Words)
{
    for (ULONG i = 0; i < RTL_NUMBER_OF(Builtins); i++) {
        Print("  %-8s %-14s %s\n", Builtins[i].Name, Builtins[i].Arguments, Builtins[i].Help);
    }
    Print("Other names are programs. Native ones:");
    ListFolder("\\Boot\\native", PrintName, " ");
    Print("\nWhat is not among them is looked for in the subsystem '%s'; NAME:PROGRAM is one of the "
          "subsystem NAME.\n",
          DEFAULT_SUBSYSTEM);
    Print("PROGRAM & runs in the background; A ; B one after the other; $? is the last exit status.\n");
    return 0;
}

VOID VisitBuiltins(NAME_VISITOR *Visit, PVOID Context)
{
    for (ULONG i = 0; i < RTL_NUMBER_OF(Builtins); i++) {
        Visit(Context, Builtins[i].Name);
    }
}

BUILTIN *FindBuiltin(PCSTR Name)
{
    for (ULONG i = 0; i < RTL_NUMBER_OF(Builtins); i++) {
        if (strcmp(Builtins[i].Name, Name) == 0) {
            return Builtins[i].Run;
        }
    }
    return NULL;
}
