// sources: arch/x86_64/bootinfo.c arch/x86_64/memorymap.c
/* SPDX-License-Identifier: MIT */
/*
 * What loaders say, brought into one form: a multiboot2 information structure as GRUB makes it, then with
 * bytes changed and cut short at random. It stands in a block of its exact size, so that the address
 * sanitizer sees any step beyond. "Physical" addresses are the host's, less the direct map.
 */
#include "arch/x86_64/archp.h"
#include "arch/x86_64/loaders.h"
#include "tests/host/host.h"
#include <setjmp.h>

#define MEBIBYTE 0x100000UL

ARCH_FEATURES ArchpFeatures = {.PhysicalBits = 40};
uint64_t ArchpBootCycles = 7;
char __kernel_phys_start[1], __kernel_phys_end[1]; /* host addresses: beyond 40 bits, in nobody's way */

static BOOT_INFORMATION Boot;
static jmp_buf Failed;
static RTL_RANDOM Random;
static uint8_t Information[4096];
static uint32_t Length;

void ArchpBootNote(const char *Text)
{
}

void ArchpBootFail(const char *Why)
{
    longjmp(Failed, 1);
}

void *ArchpMapDevice(uint64_t Physical, SIZE_T Size)
{
    return (void *)(Physical + Size);
}

/* ---- An information structure ---- */

static void *AddTag(uint32_t Type, uint32_t Size)
{
    uint32_t Head[2] = {Type, Size + 8};
    uint8_t *Tag = Information + Length;
    memcpy(Tag, Head, sizeof(Head));
    Length += (Size + 15) & ~7u;
    return Tag + 8;
}

static void AddModule(uint32_t Start, uint32_t End)
{
    uint32_t *Module = AddTag(MULTIBOOT_MODULE, 16);
    Module[0] = Start;
    Module[1] = End;
}

static void MakeInformation(void)
{
    static const LOADER_RANGE Map[] = {
        {0, 0x9fc00, 1}, {0x9fc00, 0x400, 2}, {MEBIBYTE, 63 * MEBIBYTE, 1}, {32 * MEBIBYTE, 0x2000, 3},
    };
    memset(Information, 0, sizeof(Information));
    Length = sizeof(MULTIBOOT_INFO);
    strcpy(AddTag(MULTIBOOT_COMMAND_LINE, 12), "seed=1 init");
    strcpy(AddTag(MULTIBOOT_LOADER_NAME, 10), "GRUB 2.12");
    AddModule((uint32_t)(16 * MEBIBYTE), (uint32_t)(17 * MEBIBYTE + 5));
    uint32_t *Entries = AddTag(MULTIBOOT_MEMORY_MAP, 8 + sizeof(Map));
    Entries[0] = sizeof(LOADER_RANGE);
    memcpy(Entries + 2, Map, sizeof(Map));
    strcpy(AddTag(MULTIBOOT_ACPI_NEW, 36), "new");
    strcpy(AddTag(MULTIBOOT_ACPI_OLD, 20), "old");
    static const MULTIBOOT_FRAMEBUFFER_INFO Screen = {0x80000000, 5120, 1280, 800, 32, MULTIBOOT_RGB, 0, {16, 8}, {8, 8}, {0, 8}};
    memcpy(AddTag(MULTIBOOT_FRAMEBUFFER, sizeof(Screen)), &Screen, sizeof(Screen));
    AddTag(MULTIBOOT_END, 0);
    memcpy(Information, &Length, sizeof(Length));
}

/* False: the kernel would have said what is missing, and stopped. */
static bool Read(uint32_t Size)
{
    void *Copy = memcpy(malloc(Size), Information, Size);
    memset(&Boot, 0, sizeof(Boot));
    ArchpTrampolinePage = 0;
    bool Good = setjmp(Failed) == 0;
    if (Good) {
        ArchpReadBootInformation(&Boot, BOOT_KIND_MULTIBOOT2, (uint64_t)Copy - ARCH_DIRECT_MAP);
    }
    free(Copy);
    return Good;
}

static int TypeAt(uint64_t Address)
{
    for (ULONG i = 0; i < Boot.RangeCount; i++) {
        if (Address >= Boot.Range[i].Base && Address - Boot.Range[i].Base < Boot.Range[i].Size) {
            return (int)Boot.Range[i].Type;
        }
    }
    return MAP_NOTHING;
}

/* ---- Behaviours ---- */

static void TagsAreRead(void)
{
    MakeInformation();
    CHECK(Read(Length));
    CHECK_TEXT("seed=1 init", Boot.CommandLine);
    CHECK_TEXT("GRUB 2.12", Boot.LoaderName);
    CHECK(!Boot.CommandLineTruncated);
    CHECK_TEXT("new", (const char *)ArchPhysicalToVirtual(Boot.AcpiRsdp));
    CHECK_EQUAL(1, Boot.ArchiveCount);
    CHECK_EQUAL(MEBIBYTE + 5, Boot.Archive[0].Size);
    CHECK_EQUAL(MAP_NOTHING, TypeAt(0));
    CHECK_EQUAL(BootMemoryReserved, TypeAt(ArchpTrampolinePage));
    CHECK_EQUAL(0x9e000, ArchpTrampolinePage);
    CHECK_EQUAL(BootMemoryFree, TypeAt(0x9d000));
    CHECK_EQUAL(MAP_NOTHING, TypeAt(0x9f000));
    CHECK_EQUAL(BootMemoryArchive, TypeAt(17 * MEBIBYTE));
    CHECK_EQUAL(BootMemoryFree, TypeAt(17 * MEBIBYTE + PAGE_SIZE));
    CHECK_EQUAL(BootMemoryAcpi, TypeAt(32 * MEBIBYTE + PAGE_SIZE));
    CHECK_EQUAL(7, Boot.StartCycles);
}

static void TheScreenIsDescribed(void)
{
    HAL_BOOT_DISPLAY Screen;
    MakeInformation();
    CHECK(Read(Length));
    CHECK(HalGetBootDisplay(&Screen));
    CHECK_EQUAL(0x80000000 + 5120 * 800, (uint64_t)Screen.Base);
    CHECK(!Screen.Text && Screen.BitsPerPixel == 32 && Screen.Width == 1280 && Screen.Height == 800);
    CHECK(Screen.Red.Shift == 16 && Screen.Green.Shift == 8 && Screen.Blue.Shift == 0 && Screen.Blue.Bits == 8);
}

static void ArchivesOutOfOrderAreIgnored(void)
{
    MakeInformation();
    Length -= 8; /* over the end tag */
    AddModule((uint32_t)(18 * MEBIBYTE), (uint32_t)(18 * MEBIBYTE));
    AddModule((uint32_t)(20 * MEBIBYTE), (uint32_t)(19 * MEBIBYTE));
    for (uint32_t i = 0; i < 2 * BOOT_MAX_ARCHIVES; i++) {
        AddModule((uint32_t)(MEBIBYTE + i * PAGE_SIZE), (uint32_t)(MEBIBYTE + i * PAGE_SIZE + 1));
    }
    memcpy(Information, &Length, sizeof(Length));
    CHECK(Read(Length));
    CHECK_EQUAL(BOOT_MAX_ARCHIVES, Boot.ArchiveCount);
    CHECK_EQUAL(1, Boot.Archive[1].Size);
}

static void NoMapIsSaid(void)
{
    MakeInformation();
    uint32_t Short = sizeof(MULTIBOOT_INFO);
    memcpy(Information, &Short, sizeof(Short));
    CHECK(!Read(Short));
    Short = 3;
    memcpy(Information, &Short, sizeof(Short));
    CHECK(!Read(8));
}

static void HostileTagsAreHarmless(void)
{
    Random = HostRandom();
    ULONG Good = 0;
    for (int Round = 0; Round < 50000; Round++) {
        MakeInformation();
        uint32_t Size = RtlRandomBelow(&Random, 2) != 0 ? Length : 8 + RtlRandomBelow(&Random, Length - 8);
        for (ULONG i = RtlRandomBelow(&Random, 6); i != 0; i--) {
            Information[8 + RtlRandomBelow(&Random, Length - 8)] =
                RtlRandomBelow(&Random, 2) != 0 ? 0xff : (uint8_t)RtlRandomBelow(&Random, 256);
        }
        memcpy(Information, &Size, sizeof(Size));
        Good += Read(Size);
        if (!CHECK(Boot.ArchiveCount <= BOOT_MAX_ARCHIVES) || !CHECK(Boot.RangeCount <= BOOT_MAX_RANGES)) {
            return;
        }
    }
    CHECK(Good > 1000);
}

int main(void)
{
    RUN(TagsAreRead);
    RUN(TheScreenIsDescribed);
    RUN(ArchivesOutOfOrderAreIgnored);
    RUN(NoMapIsSaid);
    RUN(HostileTagsAreHarmless);
    return HostEnd();
}
