/* SPDX-License-Identifier: MIT */
/* Lists all processes and their threads (user/libnt/tasks.c has the picture). */
#include "libnt.h"

int main(int argc, char **argv)
{
    SYSTEM_PROCESS_INFORMATION *First;
    ULONG Size;
    STATUS_TEXT Text;
    NTSTATUS Status = QueryProcesses(&First, &Size);
    if (!NT_SUCCESS(Status)) {
        PrintError("tasks: %s\n", StatusText(Status, Text));
        return 1;
    }
    PrintProcessTable(First);
    return 0;
}
