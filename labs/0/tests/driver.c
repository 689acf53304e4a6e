/* SPDX-License-Identifier: MIT */
/* Lab 0's driver: questions about the machine (driver.h says what each answers). */
#include "driver.h"

ULONG OptionNumber(PCSTR Name)
{
    CHAR Text[16];
    ULONG Number = 0;
    if (!ExQueryKernelOption(Name, Text, sizeof(Text))) {
        return 0;
    }
    for (PCSTR At = Text; *At >= '0' && *At <= '9'; At++) {
        Number = Number * 10 + (ULONG)(*At - '0');
    }
    return Number;
}

ULONG VisitProcessors(PULONG Seen)
{
    ULONG Count = KeQueryActiveProcessorCount(NULL);
    for (ULONG i = 0; i < Count; i++) {
        KAFFINITY Before = KeSetSystemAffinityThreadEx((KAFFINITY)1 << i);
        Seen[KeGetCurrentProcessorNumber()]++;
        KeRevertToUserAffinityThreadEx(Before);
    }
    return Count;
}
