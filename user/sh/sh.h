/* SPDX-License-Identifier: MIT */
/*
 * The shell's parts: main.c reads lines and runs them, edit.c is the line editor, parse.c makes commands of a
 * line, run.c starts programs, builtins.c holds what the shell does itself.
 */
#ifndef PRIMER_SH_H
#define PRIMER_SH_H

#include "libnt.h"

#define LINE_SIZE  1024
#define WORDS_MOST 64

/* What "$?" stands for. */
extern ULONG LastStatus;
/* Set by `exit`: no further command is run. */
extern BOOLEAN ShellEnds;

/* ---- edit.c ---- */

/* A line without its end; FALSE at the end of input. The terminal is in the mode of programs again
   afterwards. */
BOOLEAN EditLine(PCSTR Prompt, char Line[LINE_SIZE]);

/* ---- parse.c ---- */

typedef struct _COMMAND {
    ULONG Count;
    char *Words[WORDS_MOST + 1]; /* NULL behind the last */
    BOOLEAN Background;
    char Text[LINE_SIZE + 16]; /* where the words stand */
} COMMAND, *PCOMMAND;

/*
 * Takes the next command off the line. Its words are parted by blanks; it ends at `;`, `&` or the line's end;
 * `#` at the start of a word begins a comment. '...' keeps all as it is, "..." all but backslash and $?, a
 * backslash the next character. Returns NULL, or what is wrong with the line.
 */
PCSTR ParseCommand(PCSTR *Line, PCOMMAND Command);

/* ---- run.c ---- */

/* Runs a program, or starts it in the background; the exit code. */
ULONG RunProgram(PCOMMAND Command);
/* At the start: what `tasks` needs when there is no memory left. */
VOID ReserveMemory(VOID);
/* Tells of background programs that have ended since, when asked for, of those that still run too. */
VOID ReportJobs(BOOLEAN All);
VOID WaitForJobs(VOID);

/* ---- builtins.c ---- */

typedef ULONG BUILTIN(ULONG Count, char **Words);
BUILTIN *FindBuiltin(PCSTR Name);
VOID VisitBuiltins(NAME_VISITOR *Visit, PVOID Context);

#endif
