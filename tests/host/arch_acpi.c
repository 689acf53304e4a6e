// sources: arch/x86_64/acpi.c
/* SPDX-License-Identifier: MIT */
/*
 * The reader of ACPI tables against a machine of one megabyte, whose firmware is made here: first as it
 * should be, then with lists that say things twice, then with bytes changed at random, sums right or wrong.
 * Each map is a copy of its exact size, so that the address sanitizer sees any step beyond.
 */
#include "arch/x86_64/archp.h"
#include "tests/host/host.h"

#define MEMORY_SIZE 0x100000
#define HEAD        36 /* bytes of a table before its own */
#define RSDP_AT     0xf0040
#define XSDT_AT     0x10000
#define RSDT_AT     0x11000
#define MADT_AT     0x12000
#define FADT_AT     0x13000
#define HPET_AT     0x14fd8 /* a page ends behind its head */
#define DSDT_AT     0x16000

static uint8_t Memory[MEMORY_SIZE];
static void *Maps[4096];
static unsigned MapCount;
static RTL_RANDOM Random;

void *ArchpMapPhysical(uint64_t Physical, SIZE_T Size, ULONG Flags)
{
    if (Physical >= MEMORY_SIZE || Size > MEMORY_SIZE - Physical || MapCount == RTL_NUMBER_OF(Maps)) {
        return NULL;
    }
    Maps[MapCount] = malloc(Size);
    return memcpy(Maps[MapCount++], Memory + Physical, Size);
}

static void Read(uint64_t Rsdp)
{
    memset(&ArchpAcpi, 0, sizeof(ArchpAcpi));
    ArchpReadAcpi(Rsdp);
    while (MapCount != 0) {
        free(Maps[--MapCount]);
    }
}

/* ---- A machine ---- */

static void Put(size_t At, uint64_t Value, size_t Size)
{
    memcpy(Memory + At, &Value, Size);
}

static void MakeSum(size_t At, size_t Length, size_t SumAt)
{
    uint8_t Sum = 0;
    Memory[At + SumAt] = 0;
    for (size_t i = 0; i < Length && At + i < MEMORY_SIZE; i++) {
        Sum += Memory[At + i];
    }
    Memory[At + SumAt] = (uint8_t)-Sum;
}

static void SumTable(size_t At)
{
    uint32_t Length;
    memcpy(&Length, Memory + At + 4, 4);
    MakeSum(At, Length, 9);
}

static void SumAll(void)
{
    static const size_t Tables[] = {XSDT_AT, RSDT_AT, MADT_AT, FADT_AT, HPET_AT, DSDT_AT};
    for (size_t i = 0; i < RTL_NUMBER_OF(Tables); i++) {
        SumTable(Tables[i]);
    }
    MakeSum(RSDP_AT, 20, 8);
    MakeSum(RSDP_AT, 36, 32);
}

static void MakeHead(size_t At, const char *Signature, uint32_t Length)
{
    memcpy(Memory + At, Signature, 4);
    Put(At + 4, Length, 4);
}

static size_t AddLocalApic(size_t At, uint8_t Id, uint32_t Flags)
{
    Memory[At + 1] = 8;
    Memory[At + 3] = Id;
    Put(At + 4, Flags, 4);
    return At + 8;
}

static size_t AddX2Apic(size_t At, uint32_t Id, uint32_t Flags)
{
    Memory[At] = 9;
    Memory[At + 1] = 16;
    Put(At + 4, Id, 4);
    Put(At + 8, Flags, 4);
    return At + 16;
}

static void MakeMadt(void)
{
    size_t At = MADT_AT + 44;
    At = AddLocalApic(At, 0, 1);
    At = AddLocalApic(At, 5, 1);
    At = AddLocalApic(At, 6, 0);    /* not there */
    At = AddX2Apic(At, 5, 1);       /* named twice */
    At = AddX2Apic(At, 0x12345, 1); /* out of an xAPIC's reach */
    memcpy(Memory + At, "\x01\x0c\x00\x00\x00\x10\xc0\xfe\x00\x00\x00\x00", 12); /* I/O APIC at fec01000 */
    memcpy(Memory + At + 12, "\x02\x0a\x00\x04\x09\x00\x00\x00\x0f\x00", 10);    /* 4 is 9: low, level */
    MakeHead(MADT_AT, "APIC", (uint32_t)(At + 22 - MADT_AT));
}

static void MakeFadt(void)
{
    MakeHead(FADT_AT, "FACP", 244);
    Put(FADT_AT + 40, DSDT_AT, 4);
    Put(FADT_AT + 48, 0xb2, 4);
    Memory[FADT_AT + 52] = 0xf1;
    Put(FADT_AT + 64, 0x604, 4);
    Put(FADT_AT + 76, 0x608, 4);
    Put(FADT_AT + 112, 0x100, 4);
    Memory[FADT_AT + 172] = 1; /* an address of an I/O port: stronger */
    Put(FADT_AT + 176, 0x704, 8);
}

static void MakeDsdt(void)
{
    static const uint8_t Off[] = {0x08, 0x5c, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x0a, 0x05, 0x01, 0x00};
    memcpy(Memory + DSDT_AT + HEAD + 7, Off, sizeof(Off));
    MakeHead(DSDT_AT, "DSDT", HEAD + 7 + sizeof(Off));
}

static void MakeMachine(void)
{
    static const uint32_t Tables[] = {HPET_AT, MADT_AT, FADT_AT};
    memset(Memory, 0, sizeof(Memory));
    MakeMadt();
    MakeFadt();
    MakeDsdt();
    MakeHead(HPET_AT, "HPET", 56);
    Put(HPET_AT + 44, 0xfed00000, 8);
    MakeHead(XSDT_AT, "XSDT", HEAD + 3 * 8);
    MakeHead(RSDT_AT, "RSDT", HEAD + 3 * 4);
    for (size_t i = 0; i < RTL_NUMBER_OF(Tables); i++) {
        Put(XSDT_AT + HEAD + i * 8, Tables[i], 8);
        Put(RSDT_AT + HEAD + i * 4, Tables[i], 4);
    }
    memcpy(Memory + RSDP_AT, "RSD PTR ", 8);
    Memory[RSDP_AT + 15] = 2;
    Put(RSDP_AT + 16, RSDT_AT, 4);
    Put(RSDP_AT + 20, 36, 4);
    Put(RSDP_AT + 24, XSDT_AT, 8);
    SumAll();
}

/* ---- Behaviours ---- */

static void CheckMachine(void)
{
    CHECK_EQUAL(2, ArchpAcpi.ProcessorCount);
    CHECK_EQUAL(5, ArchpAcpi.ApicId[1]);
    CHECK_EQUAL(1, ArchpAcpi.IoApicCount);
    CHECK_EQUAL(0xfec01000, ArchpAcpi.IoApic[0].Physical);
    CHECK_EQUAL(9, ArchpAcpi.IsaLine[4].GlobalInterrupt);
    CHECK(ArchpAcpi.IsaLine[4].ActiveLow && ArchpAcpi.IsaLine[4].LevelTriggered);
    CHECK_EQUAL(3, ArchpAcpi.IsaLine[3].GlobalInterrupt);
    CHECK_EQUAL(0x704, ArchpAcpi.Pm1aControl);
    CHECK_EQUAL(0x608, ArchpAcpi.PmTimer);
    CHECK(ArchpAcpi.PmTimer32);
    CHECK_EQUAL(0xfed00000, ArchpAcpi.Hpet);
    CHECK(ArchpAcpi.SleepFound);
    CHECK_EQUAL(5, ArchpAcpi.SleepTypeA);
    CHECK_EQUAL(1, ArchpAcpi.SleepTypeB);
}

static void TablesAreRead(void)
{
    MakeMachine();
    Read(RSDP_AT);
    CheckMachine();
    Read(0); /* found in the BIOS's area */
    CheckMachine();
}

static void TheOldRootIsReadWhereTheNewOneIsBroken(void)
{
    MakeMachine();
    Memory[XSDT_AT + HEAD]++;
    Read(RSDP_AT);
    CheckMachine();
    MakeMachine();
    Memory[RSDP_AT + 32]++; /* the extended sum */
    Memory[RSDP_AT + 24]++;
    Read(RSDP_AT);
    CheckMachine();
}

static void NoTablesMeanOneProcessor(void)
{
    memset(Memory, 0, sizeof(Memory));
    Read(0x1234567890abcdef);
    CHECK_EQUAL(0, ArchpAcpi.ProcessorCount);
    CHECK_EQUAL(0xfec00000, ArchpAcpi.IoApic[0].Physical);
    CHECK(!ArchpAcpi.SleepFound);
}

static void ManyProcessorsAreCut(void)
{
    MakeMachine();
    size_t At = MADT_AT + 44;
    for (unsigned i = 0; i < 200; i++) {
        At = AddLocalApic(At, (uint8_t)i, 1);
    }
    MakeHead(MADT_AT, "APIC", (uint32_t)(At - MADT_AT));
    SumAll();
    Read(RSDP_AT);
    CHECK_EQUAL(MAXIMUM_PROCESSORS, ArchpAcpi.ProcessorCount);
}

/* A byte of one of the tables, most often of its head or of what follows it. */
static void ChangeByte(void)
{
    static const size_t Places[] = {RSDP_AT, XSDT_AT, RSDT_AT, MADT_AT, FADT_AT, HPET_AT, DSDT_AT};
    size_t At = Places[RtlRandomBelow(&Random, RTL_NUMBER_OF(Places))];
    At += RtlRandomBelow(&Random, RtlRandomBelow(&Random, 2) != 0 ? 16 : 256);
    Memory[At] = RtlRandomBelow(&Random, 2) != 0 ? 0xff : (uint8_t)RtlRandomBelow(&Random, 256);
}

static void HostileTablesAreHarmless(void)
{
    Random = HostRandom();
    for (int Round = 0; Round < 6000; Round++) {
        MakeMachine();
        for (ULONG i = RtlRandomBelow(&Random, 6); i != 0; i--) {
            ChangeByte();
        }
        if (RtlRandomBelow(&Random, 4) != 0) {
            SumAll();
        }
        Read(RSDP_AT);
        if (!CHECK(ArchpAcpi.ProcessorCount <= MAXIMUM_PROCESSORS) ||
            !CHECK(ArchpAcpi.IoApicCount >= 1 && ArchpAcpi.IoApicCount <= ARCH_MAX_IO_APICS)) {
            return;
        }
    }
}

int main(void)
{
    RUN(TablesAreRead);
    RUN(TheOldRootIsReadWhereTheNewOneIsBroken);
    RUN(NoTablesMeanOneProcessor);
    RUN(ManyProcessorsAreCut);
    RUN(HostileTablesAreHarmless);
    return HostEnd();
}
