/* SPDX-License-Identifier: MIT */
/*
 * The local APIC (SDM vol. 3, chapter 11) by memory-mapped registers: interrupts between processors, the
 * one-shot timer, the end of interrupt.
 */
#include "arch/x86_64/archp.h"

#define APIC_ID            0x20
#define APIC_TASK_PRIORITY 0x80
#define APIC_END           0xb0
#define APIC_SPURIOUS      0xf0
#define APIC_COMMAND_LOW   0x300
#define APIC_COMMAND_HIGH  0x310
#define APIC_LVT_TIMER     0x320
#define APIC_LVT_LINT0     0x350
#define APIC_LVT_LINT1     0x360
#define APIC_LVT_ERROR     0x370
#define APIC_INITIAL_COUNT 0x380
#define APIC_CURRENT_COUNT 0x390
#define APIC_DIVIDE        0x3e0

#define SPURIOUS_ENABLE 0x100u
#define LVT_MASKED      0x10000u
#define LVT_NMI         0x400u
#define DIVIDE_BY_ONE   0xbu

#define COMMAND_FIXED   0x4000u /* edge, assert */
#define COMMAND_NMI     0x4400u
#define COMMAND_INIT    0x4500u
#define COMMAND_STARTUP 0x4600u
#define COMMAND_PENDING 0x1000u

#define BASE_ENABLE  0x800u
#define BASE_X2APIC  0x400u
#define BASE_ADDRESS 0x000ffffffffff000UL

#define APIC_SIZE 0x1000

volatile uint32_t *ArchpLocalApic;
static uint64_t CountsPerCycle; /* of the timer, in units of 2^-32 */

static uint32_t Read(ULONG Register)
{
    return ArchpLocalApic[Register / 4];
}

static void Write(ULONG Register, uint32_t Value)
{
    ArchpLocalApic[Register / 4] = Value;
}

void ArchpMapLocalApic(void)
{
    ArchpLocalApic = ArchpMapDevice(ArchpReadMsr(MSR_APIC_BASE) & BASE_ADDRESS, APIC_SIZE);
    if (ArchpLocalApic == NULL) {
        ArchpBootFail("no memory to map the local APIC.");
    }
}

/* Firmware may have left x2APIC mode on, where the registers are not in memory; the only way back leads
   through "off" (SDM vol. 3, 11.12.5). */
static void EnableInMemoryMode(void)
{
    uint64_t Base = ArchpReadMsr(MSR_APIC_BASE);
    if (Base & BASE_X2APIC) {
        Base &= ~(uint64_t)(BASE_X2APIC | BASE_ENABLE);
        ArchpWriteMsr(MSR_APIC_BASE, Base);
    }
    ArchpWriteMsr(MSR_APIC_BASE, Base | BASE_ENABLE);
}

/* The enable bit comes first: while it is clear, no mask bit can be cleared (SDM vol. 3, 11.4.7.2).
   Interrupts are off. */
void ArchpInitializeLocalApic(void)
{
    EnableInMemoryMode();
    Write(APIC_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
    Write(APIC_TASK_PRIORITY, 0);
    Write(APIC_LVT_TIMER, LVT_MASKED | VECTOR_CLOCK);
    Write(APIC_LVT_LINT0, LVT_MASKED); /* the legacy controllers are not used */
    Write(APIC_LVT_LINT1, LVT_NMI);
    Write(APIC_LVT_ERROR, LVT_MASKED);
    Write(APIC_DIVIDE, DIVIDE_BY_ONE);
    Write(APIC_INITIAL_COUNT, 0);
    Write(APIC_LVT_TIMER, VECTOR_CLOCK);
}

uint32_t ArchpLocalApicId(void)
{
    return Read(APIC_ID) >> 24;
}

void ArchpEndOfInterrupt(void)
{
    Write(APIC_END, 0);
}

/* ---- To other processors ---- */

/* The command register is two words: an interrupt between them could send one of its own. */
static void SendCommand(uint32_t ApicId, uint32_t Command)
{
    bool Enabled = ArchDisableInterrupts();
    while (Read(APIC_COMMAND_LOW) & COMMAND_PENDING) {
        ArchPause();
    }
    Write(APIC_COMMAND_HIGH, ApicId << 24);
    Write(APIC_COMMAND_LOW, Command);
    ArchRestoreInterrupts(Enabled);
}

void ArchSendIpi(ULONG Processor)
{
    SendCommand(ArchpApicIdOf[Processor], COMMAND_FIXED | VECTOR_IPI);
}

/* The caller may itself be an NMI that has come between the two words of a command: its destination is put
   back. */
void ArchSendNmi(ULONG64 Processors)
{
    uint32_t Destination = Read(APIC_COMMAND_HIGH);
    for (; Processors != 0; Processors &= Processors - 1) {
        SendCommand(ArchpApicIdOf[__builtin_ctzl(Processors)], COMMAND_NMI);
    }
    Write(APIC_COMMAND_HIGH, Destination);
}

void ArchpSendInit(uint32_t ApicId)
{
    SendCommand(ApicId, COMMAND_INIT);
}

void ArchpSendStartup(uint32_t ApicId, uint64_t Page)
{
    SendCommand(ApicId, COMMAND_STARTUP | (uint32_t)(Page >> 12));
}

/* ---- The timer ---- */

void ArchpStartApicCount(void)
{
    Write(APIC_LVT_TIMER, LVT_MASKED | VECTOR_CLOCK);
    Write(APIC_INITIAL_COUNT, UINT32_MAX);
}

uint32_t ArchpReadApicCount(void)
{
    return Read(APIC_CURRENT_COUNT);
}

void ArchpSetApicRate(uint64_t PerSecond)
{
    Write(APIC_INITIAL_COUNT, 0);
    Write(APIC_LVT_TIMER, VECTOR_CLOCK);
    CountsPerCycle = ArchpScale(PerSecond, 1UL << 32, ArchCyclesPerSecond());
}

/* The count that has passed when the time-stamp counter has reached Cycles: rounded up, at least 1 (0 would
   stop the timer), at most what the register holds. */
static uint32_t CountUntil(uint64_t Cycles)
{
    uint64_t Now = ArchReadCycles();
    if (Cycles <= Now) {
        return 1;
    }
    unsigned __int128 Count = ((unsigned __int128)(Cycles - Now) * CountsPerCycle >> 32) + 1;
    return Count > UINT32_MAX ? UINT32_MAX : (uint32_t)Count;
}

void ArchArmTimer(uint64_t Cycles)
{
    Write(APIC_INITIAL_COUNT, Cycles == UINT64_MAX ? 0 : CountUntil(Cycles));
}
