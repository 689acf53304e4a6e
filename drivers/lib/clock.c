/* SPDX-License-Identifier: MIT */
/*
 * The time routines that are other words for the kernel's: there is no tick that would make the plain ones
 * coarser than the precise ones, the machine never sleeps, and local time is UTC.
 */
#include <ntddk.h>

#define EXP_TIME_INCREMENT 156250 /* 15.625 ms, the classic tick */

/* The unit of KeQueryTickCount, 100 ns. Any IRQL. (WDK page of the name) */
ULONG KeQueryTimeIncrement(VOID)
{
    return EXP_TIME_INCREMENT;
}

/* How many ticks of KeQueryTimeIncrement have passed since start-up. They are counted, but do not happen.
   Any IRQL. (WDK page of the name) */
VOID KeQueryTickCount(PLARGE_INTEGER CurrentCount)
{
    CurrentCount->QuadPart = (LONGLONG)(KeQueryInterruptTime() / EXP_TIME_INCREMENT);
}

/* KeQuerySystemTime. Any IRQL. (WDK page of the name) */
VOID KeQuerySystemTimePrecise(PLARGE_INTEGER CurrentTime)
{
    KeQuerySystemTime(CurrentTime);
}

/* KeQueryInterruptTime. Differs: no time is spent asleep that would have to be left out. Any IRQL; does not
   block. (WDK page of the name) */
ULONGLONG KeQueryUnbiasedInterruptTime(VOID)
{
    return KeQueryInterruptTime();
}

/* KeQueryInterruptTimePrecise, for the same reason. Any IRQL. (WDK page of the name) */
ULONGLONG KeQueryUnbiasedInterruptTimePrecise(PULONG64 QpcTimeStamp)
{
    return KeQueryInterruptTimePrecise(QpcTimeStamp);
}

/* System time to local time, both in 100 ns since 1601. Differs: the time zone is always UTC. Any IRQL; does
   not block. (WDK page of the name) */
VOID ExSystemTimeToLocalTime(PLARGE_INTEGER SystemTime, PLARGE_INTEGER LocalTime)
{
    *LocalTime = *SystemTime;
}

/* Local time to system time, both in 100 ns since 1601. Differs: the time zone is always UTC. Any IRQL; does
   not block. (WDK page of the name) */
VOID ExLocalTimeToSystemTime(PLARGE_INTEGER LocalTime, PLARGE_INTEGER SystemTime)
{
    *SystemTime = *LocalTime;
}
