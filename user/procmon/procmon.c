/* SPDX-License-Identifier: MIT */
/*
 * Prints what the driver procmon notes: which processes, threads and images come and go.
 *
 *      load procmon; procmon &
 *          8.214  process created      60     48  \Boot\native\hello
 *          8.214  thread created       60     64
 *          8.221  image loaded         60     64  \Boot\native\hello
 *
 * The columns are the time in seconds, the event, the process, the thread (of a new process: the one that
 * created it) and the name. `procmon N` ends after N events, `procmon` when it is killed.
 */
#include "libnt.h"

#include "drivers/procmon/procmon.h"

static VOID PrintRecord(const PROCMON_RECORD *Record)
{
    static const char *const Names[ProcMonEventCount] = {
        [ProcMonProcessCreated] = "process created", [ProcMonProcessEnded] = "process ended",
        [ProcMonThreadCreated] = "thread created",   [ProcMonThreadEnded] = "thread ended",
        [ProcMonImageLoaded] = "image loaded",
    };
    ULONG64 Milliseconds = Record->Time / 10000;
    PCSTR Name = Record->Event < ProcMonEventCount ? Names[Record->Event] : "?";

    if (Record->Lost != 0) {
        Print("procmon: %u events lost\n", Record->Lost);
    }
    Print("%6I64u.%03I64u  %-15s %6u %6u%s%s\n", Milliseconds / 1000, Milliseconds % 1000, Name,
          Record->ProcessId, Record->ThreadId, Record->Name[0] != '\0' ? "  " : "", Record->Name);
}

/* A read waits until there is at least one record, and returns whole records only. */
static NTSTATUS PrintRecords(HANDLE File, ULONG64 Most)
{
    PROCMON_RECORD Records[32];

    while (Most != 0) {
        IO_STATUS_BLOCK Io = {0};
        ULONG Wanted = Most < RTL_NUMBER_OF(Records) ? (ULONG)Most : RTL_NUMBER_OF(Records);
        NTSTATUS Status =
            NtReadFile(File, NULL, NULL, NULL, &Io, Records, Wanted * sizeof(Records[0]), NULL, NULL);
        if (!NT_SUCCESS(Status)) {
            return Status;
        }
        ULONG Count = (ULONG)(Io.Information / sizeof(Records[0]));
        for (ULONG i = 0; i < Count; i++) {
            PrintRecord(&Records[i]);
        }
        Most -= Count;
    }
    return STATUS_SUCCESS;
}

/* A decimal number greater than 0; 0 for any other text. */
static ULONG64 ReadNumber(PCSTR Text)
{
    ULONG64 Number = 0;
    for (; isdigit(*Text) && Number <= MAXLONG; Text++) {
        Number = Number * 10 + (ULONG64)(*Text - '0');
    }
    return *Text == '\0' ? Number : 0;
}

int main(int argc, char **argv)
{
    ULONG64 Most = argc == 1 ? MAXULONG64 : argc == 2 ? ReadNumber(argv[1]) : 0;
    STATUS_TEXT Text;
    HANDLE File;

    if (Most == 0) {
        PrintError("procmon [NUMBER]\n");
        return 2;
    }
    NTSTATUS Status = OpenPath("\\??\\ProcMon", GENERIC_READ, &File);
    if (NT_SUCCESS(Status)) {
        Status = PrintRecords(File, Most);
        NtClose(File);
    }
    if (!NT_SUCCESS(Status)) {
        PrintError("procmon: %s\n", StatusText(Status, Text));
        return 1;
    }
    return 0;
}
