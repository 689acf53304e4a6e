/* SPDX-License-Identifier: MIT */
/*
 * Device interrupts: the I/O APICs (82093AA data sheet), and the legacy controllers, which are silenced.
 */
#include "arch/x86_64/archp.h"

#define IO_APIC_SELECT   0x00
#define IO_APIC_WINDOW   0x10
#define IO_APIC_SIZE     0x20
#define REGISTER_VERSION 1
#define REGISTER_TABLE   0x10

#define ENTRY_NMI        0x400u
#define ENTRY_ACTIVE_LOW 0x2000u
#define ENTRY_LEVEL      0x8000u
#define ENTRY_MASKED     0x10000u

#define PIC1 0x20
#define PIC2 0xa0

static uint32_t Read(const ARCH_IO_APIC *Apic, uint32_t Register)
{
    Apic->Registers[IO_APIC_SELECT / 4] = Register;
    return Apic->Registers[IO_APIC_WINDOW / 4];
}

static void Write(const ARCH_IO_APIC *Apic, uint32_t Register, uint32_t Value)
{
    Apic->Registers[IO_APIC_SELECT / 4] = Register;
    Apic->Registers[IO_APIC_WINDOW / 4] = Value;
}

/* Lower word last: it holds the mask bit. */
static void WriteEntry(const ARCH_IO_APIC *Apic, uint32_t Pin, uint32_t Low, uint32_t Destination)
{
    Write(Apic, REGISTER_TABLE + 2 * Pin, ENTRY_MASKED);
    Write(Apic, REGISTER_TABLE + 2 * Pin + 1, Destination << 24);
    Write(Apic, REGISTER_TABLE + 2 * Pin, Low);
}

void ArchpInitializeIoApics(void)
{
    for (ULONG i = 0; i < ArchpAcpi.IoApicCount; i++) {
        ARCH_IO_APIC *Apic = &ArchpAcpi.IoApic[i];
        Apic->Registers = ArchpMapDevice(Apic->Physical, IO_APIC_SIZE);
        if (Apic->Registers == NULL) {
            continue; /* Count is 0: no interrupt is this one's */
        }
        Apic->Count = (Read(Apic, REGISTER_VERSION) >> 16 & 0xff) + 1;
        for (uint32_t Pin = 0; Pin < Apic->Count; Pin++) {
            WriteEntry(Apic, Pin, ENTRY_MASKED, 0);
        }
    }
}

/* Their vectors are moved off the exceptions first, for a spurious interrupt can come through all masks
   (8259A data sheet). */
void ArchpMaskLegacyControllers(void)
{
    static const uint8_t Words[][2] = {
        {0x11, 0x11}, /* initialise, four words follow */
        {VECTOR_PIC_BASE, VECTOR_PIC_BASE + 8},
        {4, 2}, /* the second hangs on line 2 of the first */
        {1, 1}, /* 8086 mode */
        {0xff, 0xff},
    };
    for (ULONG i = 0; i < RTL_NUMBER_OF(Words); i++) {
        ArchpOut8(i == 0 ? PIC1 : PIC1 + 1, Words[i][0]);
        ArchpOut8(i == 0 ? PIC2 : PIC2 + 1, Words[i][1]);
    }
}

static const ARCH_IO_APIC *FindIoApic(uint32_t Global)
{
    for (ULONG i = 0; i < ArchpAcpi.IoApicCount; i++) {
        if (Global - ArchpAcpi.IoApic[i].First < ArchpAcpi.IoApic[i].Count) {
            return &ArchpAcpi.IoApic[i];
        }
    }
    return NULL;
}

#define LOWEST_DEVICE_IRQL 3

NTSTATUS ArchConnectInterrupt(ULONG IsaLine, KIRQL Irql, ULONG Processor, void (*Routine)(void *), void *Context)
{
    bool Nmi = Irql == HIGH_LEVEL;
    if (IsaLine >= RTL_NUMBER_OF(ArchpAcpi.IsaLine) || Irql < LOWEST_DEVICE_IRQL || (Irql > SYNCH_LEVEL && !Nmi)) {
        return STATUS_INVALID_PARAMETER;
    }
    const ARCH_ISA_LINE *Line = &ArchpAcpi.IsaLine[IsaLine];
    const ARCH_IO_APIC *Apic = FindIoApic(Line->GlobalInterrupt);
    ULONG Vector = Irql * 16u + IsaLine; /* its class is its IRQL; the line makes it unique in there */
    if (Apic == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    ArchpHandler[Vector].Context = Context;
    __atomic_store_n(&ArchpHandler[Vector].Routine, Routine, __ATOMIC_RELEASE);
    uint32_t Entry = Nmi ? ENTRY_NMI : Vector; /* delivery as NMI, or fixed; physical destination */
    Entry |= Line->ActiveLow ? ENTRY_ACTIVE_LOW : 0;
    Entry |= Line->LevelTriggered ? ENTRY_LEVEL : 0;
    WriteEntry(Apic, Line->GlobalInterrupt - Apic->First, Entry, ArchpApicIdOf[Processor]);
    return STATUS_SUCCESS;
}

void ArchDisconnectInterrupt(ULONG IsaLine)
{
    uint32_t Global = ArchpAcpi.IsaLine[IsaLine].GlobalInterrupt;
    const ARCH_IO_APIC *Apic = FindIoApic(Global);
    WriteEntry(Apic, Global - Apic->First, ENTRY_MASKED, 0);
}
