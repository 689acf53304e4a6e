/* SPDX-License-Identifier: MIT */
/* Lab 0's program: questions about programs (program.h says what each answers). */
#include "program.h"

ULONG FormatArguments(int Count, char **Arguments, char *Buffer, SIZE_T Size)
{
    SIZE_T Used = 0;
    Buffer[0] = 0;
    for (int i = 1; i < Count; i++) {
        SIZE_T Length = FormatText(Buffer + Used, Size - Used, "%d: %s\n", i, Arguments[i]);
        if (Length < Size - Used) {
            Used += Length;
        }
        Buffer[Used] = 0;
    }
    return (ULONG)(Count - 1);
}

ULONG CountThreads(HANDLE ProcessId)
{
    SYSTEM_PROCESS_INFORMATION *First, *Process;
    ULONG Size, Count = 0;
    if (!NT_SUCCESS(QueryProcesses(&First, &Size))) {
        return 0;
    }
    for (Process = First;; Process = (SYSTEM_PROCESS_INFORMATION *)((char *)Process + Process->NextEntryOffset)) {
        if (Process->UniqueProcessId == ProcessId) {
            Count = Process->NumberOfThreads;
        }
        if (Process->NextEntryOffset == 0) {
            break;
        }
    }
    HeapFree(First);
    return Count;
}
