/* SPDX-License-Identifier: MIT */
/* What program.c answers about the programs that run. */
#ifndef PRIMER_LAB0_PROGRAM_H
#define PRIMER_LAB0_PROGRAM_H

#include "libnt.h"

/* One line for each argument but the program's name, "NUMBER: TEXT", numbered from 1, each ended by a line feed, into a buffer of
   Size bytes that a NUL ends. Returns how many arguments there were; what does not fit is left out, a line as a whole. */
ULONG FormatArguments(int Count, char **Arguments, char *Buffer, SIZE_T Size);
/* How many threads the process with this id has; 0: there is no such process. */
ULONG CountThreads(HANDLE ProcessId);

#endif
