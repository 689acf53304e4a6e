/* SPDX-License-Identifier: MIT */
/*
 * The log's port, and the ways in which the machine stops.
 */
#include "arch/x86_64/archp.h"

#define DEBUG_CONSOLE 0xe9
#define DEBUG_EXIT    0xf4

#define PM1_SCI_ENABLE   0x1u
#define PM1_SLEEP_TYPE   10
#define PM1_SLEEP_ENABLE 0x2000u
#define PM1_KEEP         0x2u /* bus-master reload: not ours to change */
#define ENABLE_TRIES     3000

void ArchLogWrite(const char *Text, SIZE_T Length)
{
    ArchpOutString(DEBUG_CONSOLE, Text, Length);
}

/* ACPI mode is asked for at the SMI port, and there when SCI_EN reads 1 (ACPI 6.5, 4.8.2.5). */
static void EnterAcpiMode(void)
{
    if (ArchpAcpi.SmiCommand == 0 || ArchpAcpi.AcpiEnable == 0) {
        return;
    }
    if (ArchpIn16(ArchpAcpi.Pm1aControl) & PM1_SCI_ENABLE) {
        return;
    }
    ArchpOut8(ArchpAcpi.SmiCommand, ArchpAcpi.AcpiEnable);
    for (ULONG i = 0; i < ENABLE_TRIES && !(ArchpIn16(ArchpAcpi.Pm1aControl) & PM1_SCI_ENABLE); i++) {
        ArchStall(1000);
    }
}

static void Sleep(uint16_t Port, uint8_t Type)
{
    if (Port != 0) {
        uint16_t Value = ArchpIn16(Port) & (PM1_SCI_ENABLE | PM1_KEEP);
        ArchpOut16(Port, (uint16_t)(Value | (Type & 7) << PM1_SLEEP_TYPE | PM1_SLEEP_ENABLE));
    }
}

/* \_S5 (ACPI 6.5, 16.1.5). Comes back from nothing: a machine that cannot do it stands still. */
void ArchPowerOff(void)
{
    ArchDisableInterrupts();
    if (ArchpAcpi.SleepFound && ArchpAcpi.Pm1aControl != 0) {
        EnterAcpiMode();
        Sleep(ArchpAcpi.Pm1aControl, ArchpAcpi.SleepTypeA);
        Sleep(ArchpAcpi.Pm1bControl, ArchpAcpi.SleepTypeB);
        ArchStall(1000000);
    }
    ArchpBootNote("power: the machine cannot be switched off\n");
    ArchHalt();
}

void ArchDebugExit(UCHAR Code)
{
    ArchpOut8(DEBUG_EXIT, Code);
    ArchHalt();
}

void ArchHalt(void)
{
    for (;;) {
        __asm__ volatile("cli; hlt" : : : "memory");
    }
}
