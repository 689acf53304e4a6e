// sources: drivers/lib/time.c
/* SPDX-License-Identifier: MIT */
/*
 * System time and its fields, against the C library's calendar: every day of a thousand years, random times,
 * and what is no date.
 */
#include <time.h>

#include "tests/host/host.h"
#include "kernel/rtl/rtl.h"

#define PER_MS     10000LL
#define PER_SECOND 10000000LL
#define PER_DAY    (86400 * PER_SECOND)
#define UNIX_EPOCH 11644473600LL /* seconds from 1601 to 1970 */

static LARGE_INTEGER Time(LONGLONG Value)
{
    return (LARGE_INTEGER){.QuadPart = Value};
}

/* The fields are those of gmtime, and lead back to the time, cut to milliseconds. */
static void CheckTime(LONGLONG Value)
{
    TIME_FIELDS Fields;
    LARGE_INTEGER In = Time(Value), Out = Time(-1);
    time_t Seconds = Value / PER_SECOND - UNIX_EPOCH;
    struct tm Expected;
    gmtime_r(&Seconds, &Expected);
    RtlTimeToTimeFields(&In, &Fields);
    CHECK_EQUAL(Expected.tm_year + 1900, Fields.Year);
    CHECK_EQUAL(Expected.tm_mon + 1, Fields.Month);
    CHECK_EQUAL(Expected.tm_mday, Fields.Day);
    CHECK_EQUAL(Expected.tm_hour, Fields.Hour);
    CHECK_EQUAL(Expected.tm_min, Fields.Minute);
    CHECK_EQUAL(Expected.tm_sec, Fields.Second);
    CHECK_EQUAL(Expected.tm_wday, Fields.Weekday);
    CHECK_EQUAL(Value / PER_MS % 1000, Fields.Milliseconds);
    if (Fields.Year <= 30827) {
        CHECK(RtlTimeFieldsToTime(&Fields, &Out));
        CHECK_EQUAL(Value - Value % PER_MS, Out.QuadPart);
    }
}

static void EveryDayOfAThousandYears(void)
{
    for (LONGLONG Day = 0; Day < 366000; Day++) {
        CheckTime(Day * PER_DAY);
        CheckTime((Day + 1) * PER_DAY - 1);
    }
}

static void RandomTimes(void)
{
    RTL_RANDOM Random = HostRandom();
    for (ULONG i = 0; i < 300000; i++) {
        CheckTime((LONGLONG)(RtlNextRandom(&Random) >> 1));
    }
    CheckTime(MAXLONGLONG);
}

static void KnownTimes(void)
{
    TIME_FIELDS Fields = {.Year = 1970, .Month = 1, .Day = 1, .Weekday = 99}; /* the weekday does not count */
    LARGE_INTEGER Out;
    CHECK(RtlTimeFieldsToTime(&Fields, &Out));
    CHECK_EQUAL(116444736000000000, Out.QuadPart);
    Fields = (TIME_FIELDS){2000, 2, 29, 12, 34, 56, 789, 0};
    CHECK(RtlTimeFieldsToTime(&Fields, &Out));
    CHECK_EQUAL(125963012967890000, Out.QuadPart);
    RtlTimeToTimeFields(&Out, &Fields);
    CHECK_EQUAL(2, Fields.Weekday); /* a Tuesday */
}

static void BadFieldsAreRefused(void)
{
    static const TIME_FIELDS Bad[] = {
        {1600, 1, 1, 0, 0, 0, 0, 0},   {30828, 1, 1, 0, 0, 0, 0, 0},  {2001, 0, 1, 0, 0, 0, 0, 0},
        {2001, 13, 1, 0, 0, 0, 0, 0},  {2001, 1, 0, 0, 0, 0, 0, 0},   {2001, 1, 32, 0, 0, 0, 0, 0},
        {2001, 4, 31, 0, 0, 0, 0, 0},  {2001, 2, 29, 0, 0, 0, 0, 0},  {1900, 2, 29, 0, 0, 0, 0, 0},
        {2000, 2, 30, 0, 0, 0, 0, 0},  {2001, 1, 1, 24, 0, 0, 0, 0},  {2001, 1, 1, -1, 0, 0, 0, 0},
        {2001, 1, 1, 0, 60, 0, 0, 0},  {2001, 1, 1, 0, -1, 0, 0, 0},  {2001, 1, 1, 0, 0, 60, 0, 0},
        {2001, 1, 1, 0, 0, 0, 1000, 0}, {2001, 1, 1, 0, 0, 0, -1, 0}, {2001, -1, 1, 0, 0, 0, 0, 0},
        {-1, 1, 1, 0, 0, 0, 0, 0},
    };
    for (ULONG i = 0; i < ARRAYSIZE(Bad); i++) {
        TIME_FIELDS Fields = Bad[i];
        LARGE_INTEGER Out = Time(4711);
        CHECK(!RtlTimeFieldsToTime(&Fields, &Out));
        CHECK_EQUAL(4711, Out.QuadPart); /* nothing written */
    }
}

static void LeapDaysAreTaken(void)
{
    static const CSHORT Leap[] = {1604, 1996, 2000, 2004, 2400, 30824}, Plain[] = {1700, 1900, 2100, 2200, 30827};
    LARGE_INTEGER Out;
    for (ULONG i = 0; i < ARRAYSIZE(Leap); i++) {
        CHECK(RtlTimeFieldsToTime(&(TIME_FIELDS){Leap[i], 2, 29, 0, 0, 0, 0, 0}, &Out));
    }
    for (ULONG i = 0; i < ARRAYSIZE(Plain); i++) {
        CHECK(!RtlTimeFieldsToTime(&(TIME_FIELDS){Plain[i], 2, 29, 0, 0, 0, 0, 0}, &Out));
        CHECK(RtlTimeFieldsToTime(&(TIME_FIELDS){Plain[i], 12, 31, 23, 59, 59, 999, 0}, &Out));
    }
}

static void SecondsSince1970(void)
{
    TIME_FIELDS Fields = {.Year = 1970, .Month = 1, .Day = 1};
    LARGE_INTEGER Time, Back;
    ULONG Seconds = 1;

    CHECK(RtlTimeFieldsToTime(&Fields, &Time) && RtlTimeToSecondsSince1970(&Time, &Seconds) && Seconds == 0);
    Time.QuadPart += 9999999;
    CHECK(RtlTimeToSecondsSince1970(&Time, &Seconds) && Seconds == 0);
    RtlSecondsSince1970ToTime(MAXULONG, &Time);
    CHECK(RtlTimeToSecondsSince1970(&Time, &Seconds) && Seconds == MAXULONG);
    Time.QuadPart += 10000000;
    CHECK(!RtlTimeToSecondsSince1970(&Time, &Seconds) && Seconds == MAXULONG);
    RtlSecondsSince1970ToTime(951782400, &Time); /* the leap day of 2000 */
    RtlTimeToTimeFields(&Time, &Fields);
    CHECK(Fields.Year == 2000 && Fields.Month == 2 && Fields.Day == 29 && Fields.Hour == 0);
    Back.QuadPart = 0;
    CHECK(!RtlTimeToSecondsSince1970(&Back, &Seconds));
}

int main(void)
{
    RUN(EveryDayOfAThousandYears);
    RUN(RandomTimes);
    RUN(KnownTimes);
    RUN(BadFieldsAreRefused);
    RUN(LeapDaysAreTaken);
    RUN(SecondsSince1970);
    return HostEnd();
}
