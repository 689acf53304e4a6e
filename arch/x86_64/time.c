/* SPDX-License-Identifier: MIT */
/*
 * Time: the time-stamp counter is the clock; how fast it and the local APIC's timer run is measured once,
 * against the HPET or the ACPI power-management timer. The date comes from the real-time clock, once.
 */
#include "arch/x86_64/archp.h"

/* ---- Reference counters ---- */

#define HPET_SIZE          0x400
#define HPET_PERIOD        (4 / 4) /* upper half of the capabilities: femtoseconds a tick */
#define HPET_CONFIGURATION (0x10 / 4)
#define HPET_COUNTER       (0xf0 / 4)
#define FEMTOSECONDS       1000000000000000UL
#define PM_TIMER_RATE      3579545u /* ACPI 6.5, 4.8.3.3 */

static volatile uint32_t *Hpet;
static uint32_t ReferenceMask;
static uint64_t ReferenceRate; /* ticks a second */

/* The lower 32 bits of the HPET's counter are enough, and one access wherever it is 32 bits wide. */
static uint32_t ReadReference(void)
{
    return (Hpet != NULL ? Hpet[HPET_COUNTER] : ArchpIn32(ArchpAcpi.PmTimer)) & ReferenceMask;
}

/* A counter that stands still would let calibration wait for ever. */
static bool IsCounting(void)
{
    uint32_t Before = ReadReference();
    ArchStall(20);
    return ReadReference() != Before;
}

static bool StartHpet(void)
{
    Hpet = ArchpAcpi.Hpet != 0 ? ArchpMapDevice(ArchpAcpi.Hpet, HPET_SIZE) : NULL;
    /* The specification allows at most 100 ns a tick; anything else is no HPET. */
    if (Hpet == NULL || Hpet[HPET_PERIOD] == 0 || Hpet[HPET_PERIOD] > 100000000) {
        return false;
    }
    Hpet[HPET_CONFIGURATION] |= 1;
    ReferenceRate = FEMTOSECONDS / Hpet[HPET_PERIOD];
    ReferenceMask = UINT32_MAX;
    return IsCounting();
}

static bool StartPmTimer(void)
{
    Hpet = NULL;
    ReferenceRate = PM_TIMER_RATE;
    ReferenceMask = ArchpAcpi.PmTimer32 ? UINT32_MAX : 0xffffff;
    return ArchpAcpi.PmTimer != 0 && IsCounting();
}

/* ---- Calibration ---- */

#define WINDOWS        10
#define WINDOWS_SECOND 1000 /* each is a millisecond */

static uint64_t CyclesPerSecond = 1000000000; /* until it is known: for stalls of the first instructions */

typedef struct _WINDOW {
    uint64_t Cycles, ApicCounts, ReferenceTicks;
} WINDOW;

/* The outer readings enclose the inner ones: a disturbance can make the window seem longer, never shorter. */
static WINDOW MeasureWindow(void)
{
    uint64_t StartCycles = ArchReadCycles();
    uint32_t StartCount = ArchpReadApicCount();
    uint32_t Start = ReadReference(), Ticks;
    do {
        Ticks = (ReadReference() - Start) & ReferenceMask;
    } while (Ticks < ReferenceRate / WINDOWS_SECOND);
    uint32_t EndCount = ArchpReadApicCount();
    return (WINDOW){ArchReadCycles() - StartCycles, StartCount - EndCount, Ticks};
}

/* Several windows, the least taken: a hypervisor that takes the processor away spoils some of them, hardly
   all. */
void ArchpCalibrate(void)
{
    uint64_t Cycles = UINT64_MAX, Counts = UINT64_MAX;
    if (!StartHpet() && !StartPmTimer()) {
        ArchpBootFail("the machine has neither an HPET nor an ACPI timer that counts.");
    }
    ArchpStartApicCount();
    for (ULONG i = 0; i < WINDOWS; i++) {
        WINDOW Window = MeasureWindow();
        uint64_t WindowCycles = ArchpScale(Window.Cycles, ReferenceRate, Window.ReferenceTicks);
        uint64_t WindowCounts = ArchpScale(Window.ApicCounts, ReferenceRate, Window.ReferenceTicks);
        Cycles = WindowCycles < Cycles ? WindowCycles : Cycles;
        Counts = WindowCounts < Counts ? WindowCounts : Counts;
    }
    CyclesPerSecond = Cycles;
    ArchpSetApicRate(Counts);
}

uint64_t ArchCyclesPerSecond(void)
{
    return CyclesPerSecond;
}

void ArchStall(ULONG Microseconds)
{
    uint64_t Start = ArchReadCycles();
    uint64_t Wait = ArchpScale(CyclesPerSecond, Microseconds, 1000000);
    while (ArchReadCycles() - Start < Wait) {
        ArchPause();
    }
}

/* ---- The real-time clock (MC146818A data sheet) ---- */

#define CMOS_INDEX    0x70
#define CMOS_DATA     0x71
#define CMOS_STATUS_A 10
#define CMOS_STATUS_B 11
#define UPDATING      0x80
#define BINARY        0x04
#define HOURS_24      0x02
#define AFTERNOON     0x80
#define UPDATE_TRIES  1000

typedef struct _DATE {
    uint8_t Second, Minute, Hour, Day, Month, Year, Century;
} DATE;

static uint64_t WallClock;

static uint8_t ReadCmos(uint8_t Register)
{
    ArchpOut8(CMOS_INDEX, Register);
    return ArchpIn8(CMOS_DATA);
}

static DATE ReadDate(void)
{
    for (ULONG i = 0; i < UPDATE_TRIES && (ReadCmos(CMOS_STATUS_A) & UPDATING); i++) {
        ArchStall(10);
    }
    DATE Date = {ReadCmos(0), ReadCmos(2), ReadCmos(4), ReadCmos(7), ReadCmos(8), ReadCmos(9), 0};
    if (ArchpAcpi.CenturyRegister != 0) {
        Date.Century = ReadCmos(ArchpAcpi.CenturyRegister & 0x7f);
    }
    return Date;
}

static uint8_t FromBcd(uint8_t Value, uint8_t StatusB)
{
    return StatusB & BINARY ? Value : (uint8_t)((Value >> 4) * 10 + (Value & 15));
}

static void Normalize(DATE *Date, uint8_t StatusB)
{
    bool Afternoon = (Date->Hour & AFTERNOON) != 0;
    Date->Hour &= (uint8_t)~AFTERNOON;
    uint8_t *Field = (uint8_t *)Date;
    for (size_t i = 0; i < sizeof(DATE); i++) {
        Field[i] = FromBcd(Field[i], StatusB);
    }
    if (!(StatusB & HOURS_24)) {
        Date->Hour = (uint8_t)(Date->Hour % 12 + (Afternoon ? 12 : 0));
    }
}

/* Days from 1601-01-01; 1601 begins a cycle of 400 years. */
static uint64_t DaysBefore(unsigned Year, unsigned Month, unsigned Day)
{
    static const uint16_t MonthStart[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    unsigned Past = Year - 1601;
    bool Leap = Year % 4 == 0 && (Year % 100 != 0 || Year % 400 == 0);
    uint64_t Days = Past * 365UL + Past / 4 - Past / 100 + Past / 400;
    return Days + MonthStart[Month - 1] + (Leap && Month > 2) + Day - 1;
}

static uint64_t ToNtTime(const DATE *Date)
{
    unsigned Year = Date->Year + (Date->Century >= 19 && Date->Century <= 29 ? Date->Century * 100u : 2000);
    if (Date->Month < 1 || Date->Month > 12 || Date->Day < 1 || Date->Day > 31) {
        return 0; /* an empty battery: the epoch is as good as any date */
    }
    uint64_t Seconds = DaysBefore(Year, Date->Month, Date->Day) * 86400;
    Seconds += Date->Hour * 3600u + Date->Minute * 60u + Date->Second;
    return Seconds * 10000000;
}

/* The update flag can rise just after it was looked at: the same date twice is a good one. */
void ArchpReadRealTimeClock(void)
{
    DATE Date = ReadDate(), Again;
    for (ULONG i = 0; i < 3; i++, Date = Again) {
        Again = ReadDate();
        if (memcmp(&Date, &Again, sizeof(DATE)) == 0) {
            break;
        }
    }
    Normalize(&Date, ReadCmos(CMOS_STATUS_B));
    WallClock = ToNtTime(&Date);
}

uint64_t ArchReadWallClock(void)
{
    return WallClock;
}
