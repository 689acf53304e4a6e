/* SPDX-License-Identifier: MIT */
/* Timers: the plainest form of setting one. */
#include <ntddk.h>

/* KeSetTimerEx without a period. <= DISPATCH_LEVEL; never blocks. (WDK page of the name) */
BOOLEAN KeSetTimer(PKTIMER Timer, LARGE_INTEGER DueTime, PKDPC Dpc)
{
    return KeSetTimerEx(Timer, DueTime, 0, Dpc);
}
