/* SPDX-License-Identifier: MIT */
/*
 * System time (100 ns since 1601-01-01) and its fields. The year 1601 begins a cycle of 400 years, and a
 * Monday.
 */
#include "kernel/rtl/rtl.h"

#define TIME_PER_MS 10000LL
#define MS_PER_DAY  86400000LL
#define FIRST_YEAR  1601
#define LAST_YEAR   30827 /* the last that 63 bits hold from its first to its last day */
#define DAYS_400    146097
#define DAYS_100    36524
#define DAYS_4      1461
#define DAYS_1      365

static bool RtlpIsLeapYear(LONG Year)
{
    return (Year % 4 == 0 && Year % 100 != 0) || Year % 400 == 0;
}

static LONG RtlpDaysOfMonth(LONG Year, LONG Month)
{
    static const UCHAR Days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return Days[Month - 1] + (Month == 2 && RtlpIsLeapYear(Year));
}

/* Whole units in *Days, which keeps the rest; the last unit of a cycle is a day longer, hence the limit. */
static LONG RtlpTakeUnits(LONG *Days, LONG Unit, LONG Limit)
{
    LONG Count = *Days / Unit;
    Count = Count > Limit ? Limit : Count;
    *Days -= Count * Unit;
    return Count;
}

/* The year that holds a day, counted from 1601-01-01; *Days is the day of that year afterwards. */
static LONG RtlpTakeYears(LONG *Days)
{
    LONG Years = 400 * RtlpTakeUnits(Days, DAYS_400, MAXLONG);
    Years += 100 * RtlpTakeUnits(Days, DAYS_100, 3);
    Years += 4 * RtlpTakeUnits(Days, DAYS_4, MAXLONG);
    return FIRST_YEAR + Years + RtlpTakeUnits(Days, DAYS_1, 3);
}

/* Days from 1601-01-01 to the first of a year. */
static LONG RtlpDaysBefore(LONG Year)
{
    LONG Years = Year - FIRST_YEAR;
    return Years * DAYS_1 + Years / 4 - Years / 100 + Years / 400;
}

/* The fields of a system time, which is not negative; what is less than a millisecond is cut off. Any
   IRQL. (WDK page of the name) */
VOID NTAPI RtlTimeToTimeFields(PLARGE_INTEGER Time, PTIME_FIELDS TimeFields)
{
    LONGLONG Ms = Time->QuadPart / TIME_PER_MS;
    LONG Days = (LONG)(Ms / MS_PER_DAY), OfDay = (LONG)(Ms % MS_PER_DAY), Month = 1;
    TimeFields->Weekday = (CSHORT)((Days + 1) % 7); /* 0: Sunday */
    LONG Year = RtlpTakeYears(&Days);
    while (Days >= RtlpDaysOfMonth(Year, Month)) {
        Days -= RtlpDaysOfMonth(Year, Month++);
    }
    TimeFields->Year = (CSHORT)Year;
    TimeFields->Month = (CSHORT)Month;
    TimeFields->Day = (CSHORT)(Days + 1);
    TimeFields->Hour = (CSHORT)(OfDay / 3600000);
    TimeFields->Minute = (CSHORT)(OfDay / 60000 % 60);
    TimeFields->Second = (CSHORT)(OfDay / 1000 % 60);
    TimeFields->Milliseconds = (CSHORT)(OfDay % 1000);
}

static bool RtlpIsBetween(CSHORT Value, LONG First, LONG Last)
{
    return Value >= First && Value <= Last;
}

static bool RtlpAreFieldsValid(PTIME_FIELDS Fields)
{
    return RtlpIsBetween(Fields->Year, FIRST_YEAR, LAST_YEAR) && RtlpIsBetween(Fields->Month, 1, 12) &&
           RtlpIsBetween(Fields->Day, 1, RtlpDaysOfMonth(Fields->Year, Fields->Month)) &&
           RtlpIsBetween(Fields->Hour, 0, 23) && RtlpIsBetween(Fields->Minute, 0, 59) &&
           RtlpIsBetween(Fields->Second, 0, 59) && RtlpIsBetween(Fields->Milliseconds, 0, 999);
}

/* The system time that the fields stand for; the weekday does not count. FALSE, and nothing written, when a
   field is out of its range (years: 1601 to 30827). Any IRQL; does not block. (WDK page of the name) */
BOOLEAN NTAPI RtlTimeFieldsToTime(PTIME_FIELDS TimeFields, PLARGE_INTEGER Time)
{
    if (!RtlpAreFieldsValid(TimeFields)) {
        return FALSE;
    }
    LONGLONG Days = RtlpDaysBefore(TimeFields->Year) + TimeFields->Day - 1;
    for (LONG Month = 1; Month < TimeFields->Month; Month++) {
        Days += RtlpDaysOfMonth(TimeFields->Year, Month);
    }
    LONGLONG Seconds = (TimeFields->Hour * 60LL + TimeFields->Minute) * 60 + TimeFields->Second;
    Time->QuadPart = (Days * MS_PER_DAY + Seconds * 1000 + TimeFields->Milliseconds) * TIME_PER_MS;
    return TRUE;
}

/* ---- Seconds ---- */

#define SECONDS_1970 11644473600LL /* from 1601-01-01 to 1970-01-01 */
#define TIME_PER_S   10000000LL

/* Whole seconds since 1970-01-01. FALSE, and nothing written, when they do not fit: before that day, or
   behind the year 2105. Any IRQL; does not block. (WDK page of the name) */
BOOLEAN NTAPI RtlTimeToSecondsSince1970(PLARGE_INTEGER Time, PULONG ElapsedSeconds)
{
    LONGLONG Seconds = Time->QuadPart / TIME_PER_S - SECONDS_1970;

    if (Seconds < 0 || Seconds > MAXULONG) {
        return FALSE;
    }
    *ElapsedSeconds = (ULONG)Seconds;
    return TRUE;
}

/* The system time so many seconds after the begin of 1970-01-01. Any IRQL; does not block. (WDK page of the
   name) */
VOID NTAPI RtlSecondsSince1970ToTime(ULONG ElapsedSeconds, PLARGE_INTEGER Time)
{
    Time->QuadPart = (ElapsedSeconds + SECONDS_1970) * TIME_PER_S;
}
