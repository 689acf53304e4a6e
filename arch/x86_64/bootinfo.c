/* SPDX-License-Identifier: MIT */
/*
 * What the loader handed over, by multiboot2 or PVH, brought into one form (arch/boot.h). Everything
 * that is needed later is copied; of the loader's memory only the archives stay.
 *
 * The order of the map is the order of trust: what is called free first, then what is called anything else,
 * then what we know to be in use.
 */
#include "arch/x86_64/archp.h"
#include "arch/x86_64/loaders.h"
#include "kernel/rtl/export.h"

#define MEMORY_MINIMUM (15UL << 20) /* what a machine of 16 MiB shows: holes and firmware take the rest */
#define LOW_MEMORY_END 0xa0000UL
#define RSDP_SIZE      36

extern char __kernel_phys_start[], __kernel_phys_end[];

static char LoaderName[64] = "multiboot2"; /* until the loader says its own */
static uint8_t RsdpCopy[RSDP_SIZE] __attribute__((aligned(16)));
uint64_t ArchpTrampolinePage;

/* ---- What both protocols bring ---- */

enum {
    E820_RAM = 1,
    E820_ACPI = 3,
    E820_NVS = 4
};

static int TypeOfE820(uint32_t Type)
{
    switch (Type) {
    case E820_RAM:
        return BootMemoryFree;
    case E820_ACPI:
    case E820_NVS:
        return BootMemoryAcpi;
    default:
        return MAP_NOTHING;
    }
}

/* First free memory, then everything else, which wins where the map contradicts itself. */
static void AddMap(PBOOT_INFORMATION Boot, const void *Entries, uint32_t Count, uint32_t EntrySize)
{
    for (int Free = 1; Free >= 0; Free--) {
        const char *At = Entries;
        for (uint32_t i = 0; i < Count; i++, At += EntrySize) {
            const LOADER_RANGE *Range = (const LOADER_RANGE *)At;
            int Type = TypeOfE820(Range->Type);
            if (Range->Size != 0 && Free == (Type == BootMemoryFree)) {
                ArchpSetRange(Boot, Range->Base, Range->Base + Range->Size, Type);
            }
        }
    }
}

/* Text that ends at a NUL or after Limit bytes; false when it did not fit. */
static bool CopyText(char *To, size_t Size, const char *From, size_t Limit)
{
    size_t Length = 0;
    while (Length < Limit && From[Length] != '\0' && Length + 1 < Size) {
        To[Length] = From[Length];
        Length++;
    }
    To[Length] = '\0';
    return Length == Limit || From[Length] == '\0';
}

static void SetCommandLine(PBOOT_INFORMATION Boot, const char *Text, size_t Limit)
{
    Boot->CommandLineTruncated = !CopyText(Boot->CommandLine, sizeof(Boot->CommandLine), Text, Limit);
}

static void AddArchive(PBOOT_INFORMATION Boot, uint64_t Base, uint64_t End)
{
    if (Base == End) {
        return;
    }
    if (Boot->ArchiveCount == BOOT_MAX_ARCHIVES) {
        ArchpBootNote("boot: more archives than the kernel takes; the rest is ignored\n");
        return;
    }
    bool InKernel = Base < (uint64_t)__kernel_phys_end && End > (uint64_t)__kernel_phys_start;
    if (Base > End || End > ARCH_DIRECT_SIZE || InKernel) {
        ArchpBootNote("boot: an archive lies where it cannot; ignored\n");
        return;
    }
    Boot->Archive[Boot->ArchiveCount++] = (BOOT_ARCHIVE){ArchPhysicalToVirtual(Base), End - Base};
}

/* ---- Multiboot2 (specification 2.0, 3.6) ---- */

static void ReadMemoryMap(PBOOT_INFORMATION Boot, const MULTIBOOT_TAG *Tag, size_t Size)
{
    const LOADER_RANGE *Entries = (const LOADER_RANGE *)&Tag->Map[1];
    if (Size >= sizeof(Tag->Map[0]) && Tag->Map[0].EntrySize >= sizeof(*Entries)) {
        uint32_t Count = (uint32_t)(Size - sizeof(Tag->Map[0])) / Tag->Map[0].EntrySize;
        AddMap(Boot, Entries, Count, Tag->Map[0].EntrySize);
    }
}

/* The tag holds a copy of the RSDP, in memory that is not kept. The new one is preferred: it names the
   XSDT. */
static void ReadRsdp(PBOOT_INFORMATION Boot, const MULTIBOOT_TAG *Tag, size_t Size)
{
    if (Tag->Type == MULTIBOOT_ACPI_NEW || Boot->AcpiRsdp == 0) {
        memset(RsdpCopy, 0, sizeof(RsdpCopy));
        memcpy(RsdpCopy, Tag->Text, Size < sizeof(RsdpCopy) ? Size : sizeof(RsdpCopy));
        Boot->AcpiRsdp = ArchVirtualToPhysical(RsdpCopy);
    }
}

/* What a PC starts in, until the loader says something else. Pitch 0: nobody can draw in it. */
static HAL_BOOT_DISPLAY Display = {.Pitch = 160, .Width = 80, .Height = 25, .BitsPerPixel = 16, .Text = TRUE};
static uint64_t DisplayAddress = 0xb8000;

static void ReadFramebuffer(const MULTIBOOT_TAG *Tag, size_t Size)
{
    MULTIBOOT_FRAMEBUFFER_INFO From = {0}; /* the tag of a text mode ends before the colours */
    memcpy(&From, Tag->Text, Size < sizeof(From) ? Size : sizeof(From));
    DisplayAddress = From.Address;
    Display = (HAL_BOOT_DISPLAY){.Pitch = From.Kind == MULTIBOOT_RGB || From.Kind == MULTIBOOT_TEXT ? From.Pitch : 0,
                                 .Width = From.Width,
                                 .Height = From.Height,
                                 .BitsPerPixel = From.BitsPerPixel,
                                 .Text = From.Kind == MULTIBOOT_TEXT,
                                 .Red = From.Red,
                                 .Green = From.Green,
                                 .Blue = From.Blue};
}

/* The screen as the loader has left it, mapped at the first call; display.h has the contract. (no WDK
   page) */
BOOLEAN HalGetBootDisplay(PHAL_BOOT_DISPLAY Description)
{
    if (Display.Base == NULL && Display.Pitch != 0) {
        Display.Base = ArchpMapDevice(DisplayAddress, (SIZE_T)Display.Pitch * Display.Height);
    }
    *Description = Display;
    return Display.Base != NULL;
}
EXPORT(HalGetBootDisplay);

static void ReadTag(PBOOT_INFORMATION Boot, const MULTIBOOT_TAG *Tag)
{
    size_t Size = Tag->Size - sizeof(*Tag);
    switch (Tag->Type) {
    case MULTIBOOT_COMMAND_LINE:
        SetCommandLine(Boot, Tag->Text, Size);
        break;
    case MULTIBOOT_LOADER_NAME:
        CopyText(LoaderName, sizeof(LoaderName), Tag->Text, Size);
        break;
    case MULTIBOOT_MODULE:
        if (Size >= sizeof(Tag->Module[0])) {
            AddArchive(Boot, Tag->Module[0].Start, Tag->Module[0].End);
        }
        break;
    case MULTIBOOT_MEMORY_MAP:
        ReadMemoryMap(Boot, Tag, Size);
        break;
    case MULTIBOOT_FRAMEBUFFER:
        ReadFramebuffer(Tag, Size);
        break;
    case MULTIBOOT_ACPI_OLD:
    case MULTIBOOT_ACPI_NEW:
        ReadRsdp(Boot, Tag, Size);
        break;
    }
}

/* Up to the end tag, or to a tag that lies about its size. */
static void ReadMultiboot2(PBOOT_INFORMATION Boot, const MULTIBOOT_INFO *Info)
{
    uint64_t Offset = sizeof(*Info);
    Boot->LoaderName = LoaderName;
    while (Offset + sizeof(MULTIBOOT_TAG) <= Info->TotalSize) {
        const MULTIBOOT_TAG *Tag = (const MULTIBOOT_TAG *)((const char *)Info + Offset);
        if (Tag->Type == MULTIBOOT_END || Tag->Size < sizeof(*Tag) || Tag->Size > Info->TotalSize - Offset) {
            return;
        }
        ReadTag(Boot, Tag);
        Offset += ALIGN_UP_BY((uint64_t)Tag->Size, 8);
    }
}

/* ---- PVH (Xen's x86/HVM direct boot ABI) ---- */

#define PVH_TEXT_LIMIT 4096

static void ReadPvh(PBOOT_INFORMATION Boot, const PVH_START *Start)
{
    Boot->LoaderName = "PVH";
    if (Start->CommandLine != 0) {
        SetCommandLine(Boot, ArchPhysicalToVirtual(Start->CommandLine), PVH_TEXT_LIMIT);
    }
    const PVH_MODULE *Module = ArchPhysicalToVirtual(Start->ModuleAddress);
    for (uint32_t i = 0; i < Start->ModuleCount; i++) {
        AddArchive(Boot, Module[i].Address, Module[i].Address + Module[i].Size);
    }
    Boot->AcpiRsdp = Start->Rsdp;
    if (Start->Version >= 1) { /* version 0 has no map */
        AddMap(Boot, ArchPhysicalToVirtual(Start->MapAddress), Start->MapCount, sizeof(LOADER_RANGE));
    }
}

/* ---- The whole ---- */

static void ReserveArchives(PBOOT_INFORMATION Boot)
{
    for (ULONG i = 0; i < Boot->ArchiveCount; i++) {
        uint64_t Base = ArchVirtualToPhysical(Boot->Archive[i].Data);
        ArchpSetRange(Boot, Base, Base + Boot->Archive[i].Size, BootMemoryArchive);
    }
}

/* A page below 640 KiB where other processors start; the highest one, far from what firmware keeps at the
   bottom. */
static void ReserveTrampoline(PBOOT_INFORMATION Boot)
{
    for (ULONG i = 0; i < Boot->RangeCount; i++) {
        const BOOT_MEMORY_RANGE *Range = &Boot->Range[i];
        uint64_t End = Range->Base + Range->Size;
        if (End > LOW_MEMORY_END) {
            End = LOW_MEMORY_END;
        }
        if (Range->Type == BootMemoryFree && Range->Base + PAGE_SIZE <= End) {
            ArchpTrampolinePage = End - PAGE_SIZE;
        }
    }
    if (ArchpTrampolinePage != 0) {
        ArchpSetRange(Boot, ArchpTrampolinePage, ArchpTrampolinePage + PAGE_SIZE, BootMemoryReserved);
    }
}

static void RequireMinimum(const BOOT_INFORMATION *Boot)
{
    uint64_t Total = 0;
    for (ULONG i = 0; i < Boot->RangeCount; i++) {
        Total += Boot->Range[i].Size;
    }
    if (Total == 0) {
        ArchpBootFail("the loader gave no memory map.");
    }
    if (Total < MEMORY_MINIMUM) {
        ArchpBootFail("the machine has less than 16 MiB of memory.");
    }
}

void ArchpReadBootInformation(PBOOT_INFORMATION Boot, ULONG Kind, uint64_t Info)
{
    Boot->StartCycles = ArchpBootCycles;
    if (Kind == BOOT_KIND_PVH) {
        ReadPvh(Boot, ArchPhysicalToVirtual(Info));
    } else {
        ReadMultiboot2(Boot, ArchPhysicalToVirtual(Info));
    }
    ReserveArchives(Boot);
    /* Page 0 stays out of use: a physical address of 0 means "none" in many places. */
    ArchpSetRange(Boot, 0, PAGE_SIZE, MAP_NOTHING);
    ArchpSetRange(Boot, (uint64_t)__kernel_phys_start, (uint64_t)__kernel_phys_end, BootMemoryReserved);
    ReserveTrampoline(Boot);
    RequireMinimum(Boot);
}
