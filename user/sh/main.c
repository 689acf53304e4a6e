/* SPDX-License-Identifier: MIT */
/*
 * sh: the shell. On a terminal it prompts and edits lines; from a pipe it reads them as they come, a byte at
 * a time, so that a program that it starts finds the rest. `sh -c LINE` runs one line. It ends with the
 * status of the last command.
 */
#include "sh.h"

ULONG LastStatus;
BOOLEAN ShellEnds;

static VOID RunCommand(PCOMMAND Command)
{
    BUILTIN *Builtin = FindBuiltin(Command->Words[0]);
    LastStatus = Builtin != NULL ? Builtin(Command->Count, Command->Words) : RunProgram(Command);
}

static VOID RunLine(PCSTR Line)
{
    static COMMAND Command;
    while (*Line != '\0' && !ShellEnds) {
        PCSTR Wrong = ParseCommand(&Line, &Command);
        if (Wrong != NULL) {
            PrintError("sh: %s\n", Wrong);
            LastStatus = 2;
            return;
        }
        if (Command.Count != 0) {
            RunCommand(&Command);
        }
    }
}

/* FALSE at the end of input, when nothing came before it. What exceeds the line's size is cut. */
static BOOLEAN ReadPlainLine(char Line[LINE_SIZE])
{
    SIZE_T Length = 0;
    BOOLEAN Some = FALSE;
    char Byte;
    while (ReadInput(&Byte, 1) == 1) {
        Some = TRUE;
        if (Byte == '\n') {
            break;
        }
        if (Length < LINE_SIZE - 1) {
            Line[Length++] = Byte;
        }
    }
    Line[Length] = '\0';
    return Some;
}

static VOID RunTerminal(VOID)
{
    static char Line[LINE_SIZE];
    Print("Primer. `help` lists what this shell knows, `exit` powers off.\n");
    while (!ShellEnds && EditLine("primer> ", Line)) {
        RunLine(Line);
        ReportJobs(FALSE);
    }
}

static VOID RunPipe(VOID)
{
    static char Line[LINE_SIZE];
    while (!ShellEnds && ReadPlainLine(Line)) {
        RunLine(Line);
    }
}

int main(int argc, char **argv)
{
    ReserveMemory();
    if (argc == 3 && strcmp(argv[1], "-c") == 0) {
        RunLine(argv[2]);
    } else if (argc != 1) {
        PrintError("usage: sh [-c LINE]\n");
        return 2;
    } else if (IsTerminal(INPUT_STREAM)) {
        RunTerminal();
    } else {
        RunPipe();
    }
    return (int)LastStatus;
}
