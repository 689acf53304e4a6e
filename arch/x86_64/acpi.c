/* SPDX-License-Identifier: MIT */
/*
 * The ACPI tables (ACPI specification 6.5, chapter 5), as far as a kernel without AML needs them: processors
 * and I/O APICs from the MADT, ports from the FADT, the HPET's place, and the sleep type of "off" from the
 * DSDT's bytes.
 *
 * Tables lie in RAM or in firmware's own memory, so each is mapped by itself. Nothing in them is believed:
 * lengths are checked against the map, sums against zero, and no pointer is followed twice. A table that is
 * not there reads as an empty one, each of its fields as 0.
 */
#include "arch/x86_64/archp.h"

typedef struct __attribute__((packed)) _RSDP {
    char Signature[8];
    uint8_t Checksum;
    char OemId[6];
    uint8_t Revision;
    uint32_t Rsdt;
    uint32_t Length; /* from here on: revision 2 */
    uint64_t Xsdt;
    uint8_t ExtendedChecksum;
    uint8_t Reserved[3];
} RSDP;

typedef struct __attribute__((packed)) _TABLE {
    char Signature[4];
    uint32_t Length;
    uint8_t Revision, Checksum;
    char OemId[6], OemTableId[8];
    uint32_t OemRevision, CreatorId, CreatorRevision;
} TABLE;

#define TABLE_LIMIT     (1u << 20)
#define ROOT_LIMIT      4096 /* bytes of the tables' table that are looked at */
#define LEGACY_IO_APIC  0xfec00000
#define BIOS_AREA_START 0xe0000
#define BIOS_AREA_SIZE  0x20000

ARCH_ACPI ArchpAcpi;
static const TABLE NoTable;

static bool SumIsZero(const void *Data, size_t Length)
{
    uint8_t Sum = 0;
    for (size_t i = 0; i < Length; i++) {
        Sum += ((const uint8_t *)Data)[i];
    }
    return Sum == 0;
}

static const void *Map(uint64_t Physical, size_t Size)
{
    return Physical != 0 ? ArchpMapPhysical(Physical, Size, ARCH_PAGE_READ | ARCH_PAGE_GLOBAL) : NULL;
}

/* The table at Physical, whole, if it is one of that name. */
static const TABLE *MapTable(uint64_t Physical, const char *Signature)
{
    const TABLE *Head = Map(Physical, sizeof(TABLE));
    if (Head == NULL || memcmp(Head->Signature, Signature, sizeof(Head->Signature)) != 0 ||
        Head->Length < sizeof(TABLE) || Head->Length > TABLE_LIMIT) {
        return &NoTable;
    }
    const TABLE *Table = Map(Physical, Head->Length);
    return Table != NULL && SumIsZero(Table, Head->Length) ? Table : &NoTable;
}

static uint64_t ReadField(const TABLE *Table, size_t Offset, size_t Size)
{
    uint64_t Value = 0;
    if (Offset + Size <= Table->Length) {
        memcpy(&Value, (const uint8_t *)Table + Offset, Size);
    }
    return Value;
}

/* ---- MADT (5.2.12) ---- */

enum {
    MADT_APIC,
    MADT_IO_APIC,
    MADT_OVERRIDE,
    MADT_X2APIC = 9
};

/* A processor may be listed in both forms; it is started once. */
static bool IsListed(uint32_t ApicId)
{
    for (ULONG i = 0; i < ArchpAcpi.ProcessorCount; i++) {
        if (ArchpAcpi.ApicId[i] == ApicId) {
            return true;
        }
    }
    return false;
}

static void AddProcessor(uint32_t ApicId, uint32_t Flags)
{
    if ((Flags & 1) != 0 && ApicId < 0xff && ArchpAcpi.ProcessorCount < MAXIMUM_PROCESSORS &&
        !IsListed(ApicId)) {
        ArchpAcpi.ApicId[ArchpAcpi.ProcessorCount++] = ApicId;
    }
}

static void AddIoApic(uint64_t Physical, uint32_t First)
{
    if (ArchpAcpi.IoApicCount < ARCH_MAX_IO_APICS) {
        ArchpAcpi.IoApic[ArchpAcpi.IoApicCount++] = (ARCH_IO_APIC){.Physical = Physical, .First = First};
    }
}

/* Flags: bits 0-1 polarity, 2-3 trigger; 0 means what the ISA bus has (active high, edge), 3 low or level. */
static void AddOverride(uint8_t Source, uint32_t Global, uint16_t Flags)
{
    if (Source < RTL_NUMBER_OF(ArchpAcpi.IsaLine)) {
        ArchpAcpi.IsaLine[Source] = (ARCH_ISA_LINE){
            .GlobalInterrupt = Global,
            .ActiveLow = (Flags & 3) == 3,
            .LevelTriggered = (Flags >> 2 & 3) == 3,
        };
    }
}

static void ReadMadtEntry(const TABLE *Madt, size_t At, uint8_t Type, uint8_t Length)
{
    if (Type == MADT_APIC && Length >= 8) {
        AddProcessor((uint32_t)ReadField(Madt, At + 3, 1), (uint32_t)ReadField(Madt, At + 4, 4));
    } else if (Type == MADT_X2APIC && Length >= 16) {
        AddProcessor((uint32_t)ReadField(Madt, At + 4, 4), (uint32_t)ReadField(Madt, At + 8, 4));
    } else if (Type == MADT_IO_APIC && Length >= 12) {
        AddIoApic(ReadField(Madt, At + 4, 4), (uint32_t)ReadField(Madt, At + 8, 4));
    } else if (Type == MADT_OVERRIDE && Length >= 10) {
        AddOverride((uint8_t)ReadField(Madt, At + 3, 1), (uint32_t)ReadField(Madt, At + 4, 4),
                    (uint16_t)ReadField(Madt, At + 8, 2));
    }
}

static void ReadMadt(const TABLE *Madt)
{
    for (size_t At = 44; At + 2 <= Madt->Length;) {
        uint8_t Type = (uint8_t)ReadField(Madt, At, 1), Length = (uint8_t)ReadField(Madt, At + 1, 1);
        if (Length < 2 || At + Length > Madt->Length) {
            return;
        }
        ReadMadtEntry(Madt, At, Type, Length);
        At += Length;
    }
}

/* ---- DSDT: Name (\_S5, Package () { type A, type B, ... }) ---- */

#define AML_NAME    0x08
#define AML_ROOT    0x5c
#define AML_PACKAGE 0x12
#define AML_BYTE    0x0a

/* A small integer constant: ZeroOp, OneOp, OnesOp or a byte (20.2.3). Steps over it. */
static bool ReadSmall(const uint8_t **At, const uint8_t *End, uint8_t *Value)
{
    if (*At >= End) {
        return false;
    }
    uint8_t Op = *(*At)++;
    if (Op == 0x00 || Op == 0x01 || Op == 0xff) {
        *Value = Op;
        return true;
    }
    if (Op != AML_BYTE || *At >= End) {
        return false;
    }
    *Value = *(*At)++;
    return true;
}

/* At points behind the name: PackageOp, PkgLength (1 to 4 bytes, by the two upper bits of the first), element
   count. */
static bool ReadSleepPackage(const uint8_t *At, const uint8_t *End)
{
    if (End - At < 3 || *At++ != AML_PACKAGE) {
        return false;
    }
    At += 1 + (*At >> 6);
    if (At >= End || *At++ < 2) {
        return false;
    }
    return ReadSmall(&At, End, &ArchpAcpi.SleepTypeA) && ReadSmall(&At, End, &ArchpAcpi.SleepTypeB);
}

static void ReadDsdt(const TABLE *Dsdt)
{
    const uint8_t *Start = (const uint8_t *)Dsdt, *End = Start + Dsdt->Length;
    for (const uint8_t *At = Start + sizeof(TABLE) + 2; At + 4 <= End && !ArchpAcpi.SleepFound; At++) {
        bool Named = At[-1] == AML_NAME || (At[-1] == AML_ROOT && At[-2] == AML_NAME);
        if (Named && memcmp(At, "_S5_", 4) == 0) {
            ArchpAcpi.SleepFound = ReadSleepPackage(At + 4, End);
        }
    }
}

/* ---- FADT (5.2.9) ---- */

#define FADT_TIMER_32_BITS 0x100u

/* The port of a register block: from its generic address if that names a port, else from the old field. */
static uint16_t PortOf(const TABLE *Fadt, size_t OldOffset, size_t NewOffset)
{
    uint64_t Address = ReadField(Fadt, NewOffset + 4, 8);
    if (ReadField(Fadt, NewOffset, 1) == 1 && Address != 0 && Address <= UINT16_MAX) {
        return (uint16_t)Address;
    }
    return (uint16_t)ReadField(Fadt, OldOffset, 4);
}

static void ReadFadt(const TABLE *Fadt)
{
    ArchpAcpi.SmiCommand = (uint16_t)ReadField(Fadt, 48, 4);
    ArchpAcpi.AcpiEnable = (uint8_t)ReadField(Fadt, 52, 1);
    ArchpAcpi.Pm1aControl = PortOf(Fadt, 64, 172);
    ArchpAcpi.Pm1bControl = PortOf(Fadt, 68, 184);
    ArchpAcpi.PmTimer = PortOf(Fadt, 76, 208);
    ArchpAcpi.PmTimer32 = (ReadField(Fadt, 112, 4) & FADT_TIMER_32_BITS) != 0;
    ArchpAcpi.CenturyRegister = (uint8_t)ReadField(Fadt, 108, 1);
    uint64_t DsdtAddress = ReadField(Fadt, 140, 8);
    ReadDsdt(MapTable(DsdtAddress != 0 ? DsdtAddress : ReadField(Fadt, 40, 4), "DSDT"));
}

/* ---- HPET (IA-PC HPET specification 1.0a, 3.2.4): a generic address, in memory ---- */

static void ReadHpet(const TABLE *Table)
{
    ArchpAcpi.Hpet = ReadField(Table, 40, 1) == 0 ? ReadField(Table, 44, 8) : 0;
}

/* ---- The tables' table ---- */

static const TABLE *FindTable(const TABLE *Root, size_t EntrySize, const char *Signature)
{
    const TABLE *Table = &NoTable;
    for (size_t At = sizeof(TABLE); At + EntrySize <= Root->Length && At < ROOT_LIMIT && Table == &NoTable;
         At += EntrySize) {
        Table = MapTable(ReadField(Root, At, EntrySize), Signature);
    }
    return Table;
}

static void ReadTables(const TABLE *Root, size_t EntrySize)
{
    ReadMadt(FindTable(Root, EntrySize, "APIC"));
    ReadFadt(FindTable(Root, EntrySize, "FACP"));
    ReadHpet(FindTable(Root, EntrySize, "HPET"));
}

static bool IsRsdp(const RSDP *Rsdp)
{
    return memcmp(Rsdp->Signature, "RSD PTR ", 8) == 0 && SumIsZero(Rsdp, offsetof(RSDP, Length));
}

/* Where the loader says, or, on a machine with a BIOS, on a 16-byte boundary of its area (5.2.5.1). */
static const RSDP *FindRsdp(uint64_t Physical)
{
    const RSDP *Rsdp = Map(Physical, sizeof(RSDP));
    if (Rsdp != NULL && IsRsdp(Rsdp)) {
        return Rsdp;
    }
    const uint8_t *Area = Map(BIOS_AREA_START, BIOS_AREA_SIZE);
    for (size_t At = 0; Area != NULL && At + sizeof(RSDP) <= BIOS_AREA_SIZE; At += 16) {
        if (IsRsdp((const RSDP *)(Area + At))) {
            return (const RSDP *)(Area + At);
        }
    }
    return NULL;
}

void ArchpReadAcpi(uint64_t RsdpAddress)
{
    for (ULONG i = 0; i < RTL_NUMBER_OF(ArchpAcpi.IsaLine); i++) {
        ArchpAcpi.IsaLine[i].GlobalInterrupt = i;
    }
    const RSDP *Rsdp = FindRsdp(RsdpAddress);
    if (Rsdp != NULL) {
        bool Extended = Rsdp->Revision >= 2 && SumIsZero(Rsdp, sizeof(RSDP));
        const TABLE *Root = MapTable(Extended ? Rsdp->Xsdt : 0, "XSDT");
        if (Root != &NoTable) {
            ReadTables(Root, sizeof(uint64_t));
        } else {
            ReadTables(MapTable(Rsdp->Rsdt, "RSDT"), sizeof(uint32_t));
        }
    }
    if (ArchpAcpi.IoApicCount == 0) {
        AddIoApic(LEGACY_IO_APIC, 0);
    }
}
