/* SPDX-License-Identifier: MIT */
/* What the starter of lab 0 has in place of the functions that are to be written. */

/* hole option: reads a number from the kernel's command line */
ULONG OptionNumber(PCSTR Name)
{
    LAB_TODO("0.option");
    return 0;
}

/* hole processors: runs on each processor once */
ULONG VisitProcessors(PULONG Seen)
{
    LAB_TODO("0.processors");
    return 0;
}

/* hole arguments: writes a program's arguments down, one a line */
ULONG FormatArguments(int Count, char **Arguments, char *Buffer, SIZE_T Size)
{
    LAB_TODO("0.arguments");
    Buffer[0] = 0;
    return 0;
}

/* hole threads: finds a process among all, and says how many threads it has */
ULONG CountThreads(HANDLE ProcessId)
{
    LAB_TODO("0.threads");
    return 0;
}

/* hole walk: walks along the frames of a stack, and stores the return addresses */
ULONG ArchBackTrace(ULONG64 Rip, ULONG64 Rbp, ULONG64 *Addresses, ULONG Count)
{
    LAB_TODO("0.walk");
    /* To be written. What stands here knows where it is, and not how it came there; IsLink is for you. */
    if (Count == 0 || !IsLink(Rbp)) {
        return 0;
    }
    Addresses[0] = Rip;
    return 1;
}
