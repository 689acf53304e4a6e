/* SPDX-License-Identifier: MIT */
/*
 * What the loader handed over, by multiboot2 or PVH, brought into one form (kernel/init/boot.h). Everything
 * that is needed later is copied; of the loader's memory only the archives stay.
 *
 * The order of the map is the order of trust: what is called free first, then what is called anything else,
 * then what we know to be in use.
 */
#include "arch/x86_64/archp.h"
#include "arch/x86_64/loaders.h"

#define MEMORY_MINIMUM (15UL << 20) /* what a machine of 16 MiB shows: holes and firmware take the rest */
#define LOW_MEMORY_END 0xa0000UL
#define RSDP_SIZE      36

extern char __kernel_phys_start[], __kernel_phys_end[];

static char LoaderName[64] = "multiboot2"; /* until the loader says its own */
static uint8_t RsdpCopy[RSDP_SIZE] __attribute__((aligned(16)));
uint64_t ArchpTrampolinePage;

/* ---- Memory ranges: both protocols use the numbers of the BIOS's E820 call (ACPI 6.5, 15.1) ---- */

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

/* First pass: free memory. Second pass: everything else, which wins where the map contradicts itself. */
static void AddE820(PBOOT_INFORMATION Boot, uint64_t Base, uint64_t Size, uint32_t Type, bool SecondPass)
{
    int Ours = TypeOfE820(Type);
    if (Size != 0 && SecondPass == (Ours != BootMemoryFree)) {
        uint64_t End = Base + Size;
        ArchpSetRange(Boot, Base, End < Base ? UINT64_MAX : End, Ours);
    }
}

/* ---- What both protocols bring ---- */

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

static bool Overlaps(uint64_t Base, uint64_t End, uint64_t OtherBase, uint64_t OtherEnd)
{
    return Base < OtherEnd && OtherBase < End;
}

static void AddArchive(PBOOT_INFORMATION Boot, uint64_t Base, uint64_t Size)
{
    uint64_t KernelStart = (uint64_t)__kernel_phys_start, KernelEnd = (uint64_t)__kernel_phys_end;
    if (Size == 0) {
        return;
    }
    if (Boot->ArchiveCount == BOOT_MAX_ARCHIVES) {
        ArchpBootNote("boot: more archives than the kernel takes; the rest is ignored\n");
        return;
    }
    if (Base + Size < Base || Overlaps(Base, Base + Size, KernelStart, KernelEnd)) {
        ArchpBootNote("boot: an archive lies where it cannot; ignored\n");
        return;
    }
    Boot->Archive[Boot->ArchiveCount++] = (BOOT_ARCHIVE){.Data = ArchPhysicalToVirtual(Base), .Size = Size};
}

static void ReserveArchives(PBOOT_INFORMATION Boot)
{
    for (ULONG i = 0; i < Boot->ArchiveCount; i++) {
        uint64_t Base = ArchVirtualToPhysical(Boot->Archive[i].Data);
        ArchpSetRange(Boot, Base, Base + Boot->Archive[i].Size, BootMemoryArchive);
    }
}

/* ---- Multiboot2 (specification 2.0, 3.6) ---- */

typedef void TAG_VISITOR(PBOOT_INFORMATION Boot, const MULTIBOOT_TAG *Tag, bool SecondPass);

/* Visits the tags of type Type; stops at the end tag or at a tag that lies about its size. */
static void ForEachTag(PBOOT_INFORMATION Boot, const MULTIBOOT_INFO *Info, uint32_t Type, TAG_VISITOR *Visit,
                       bool SecondPass)
{
    uint32_t Offset = sizeof(*Info);
    while (Info->TotalSize - Offset >= sizeof(MULTIBOOT_TAG) && Offset < Info->TotalSize) {
        const MULTIBOOT_TAG *Tag = (const MULTIBOOT_TAG *)((const char *)Info + Offset);
        if (Tag->Type == MULTIBOOT_END || Tag->Size < sizeof(*Tag) || Tag->Size > Info->TotalSize - Offset) {
            return;
        }
        if (Tag->Type == Type) {
            Visit(Boot, Tag, SecondPass);
        }
        if (Tag->Size > UINT32_MAX - 7 - Offset) {
            return;
        }
        Offset += (Tag->Size + 7) & ~7u;
    }
}

static void VisitCommandLine(PBOOT_INFORMATION Boot, const MULTIBOOT_TAG *Tag, bool SecondPass)
{
    SetCommandLine(Boot, Tag->Text, Tag->Size - sizeof(*Tag));
}

static void VisitLoaderName(PBOOT_INFORMATION Boot, const MULTIBOOT_TAG *Tag, bool SecondPass)
{
    CopyText(LoaderName, sizeof(LoaderName), Tag->Text, Tag->Size - sizeof(*Tag));
}

static void VisitModule(PBOOT_INFORMATION Boot, const MULTIBOOT_TAG *Tag, bool SecondPass)
{
    if (Tag->Size >= sizeof(*Tag) + sizeof(Tag->Module[0]) && Tag->Module[0].End > Tag->Module[0].Start) {
        AddArchive(Boot, Tag->Module[0].Start, Tag->Module[0].End - Tag->Module[0].Start);
    }
}

static void VisitMemoryMap(PBOOT_INFORMATION Boot, const MULTIBOOT_TAG *Tag, bool SecondPass)
{
    if (Tag->Size < sizeof(*Tag) + sizeof(Tag->Map[0]) ||
        Tag->Map[0].EntrySize < sizeof(MULTIBOOT_MAP_ENTRY)) {
        return;
    }
    uint32_t Step = Tag->Map[0].EntrySize;
    uint32_t Left = Tag->Size - sizeof(*Tag) - sizeof(Tag->Map[0]);
    for (const char *At = (const char *)&Tag->Map[1]; Left >= Step; At += Step, Left -= Step) {
        const MULTIBOOT_MAP_ENTRY *Entry = (const MULTIBOOT_MAP_ENTRY *)At;
        AddE820(Boot, Entry->Base, Entry->Size, Entry->Type, SecondPass);
    }
}

/* The tag holds a copy of the RSDP, in memory that is not kept. */
static void VisitRsdp(PBOOT_INFORMATION Boot, const MULTIBOOT_TAG *Tag, bool SecondPass)
{
    size_t Size = Tag->Size - sizeof(*Tag);
    memset(RsdpCopy, 0, sizeof(RsdpCopy));
    memcpy(RsdpCopy, Tag->Text, Size < sizeof(RsdpCopy) ? Size : sizeof(RsdpCopy));
    Boot->AcpiRsdp = ArchVirtualToPhysical(RsdpCopy);
}

static void ReadMultiboot2(PBOOT_INFORMATION Boot, const MULTIBOOT_INFO *Info)
{
    Boot->LoaderName = LoaderName;
    ForEachTag(Boot, Info, MULTIBOOT_LOADER_NAME, VisitLoaderName, false);
    ForEachTag(Boot, Info, MULTIBOOT_COMMAND_LINE, VisitCommandLine, false);
    ForEachTag(Boot, Info, MULTIBOOT_MODULE, VisitModule, false);
    ForEachTag(Boot, Info, MULTIBOOT_MEMORY_MAP, VisitMemoryMap, false);
    ForEachTag(Boot, Info, MULTIBOOT_MEMORY_MAP, VisitMemoryMap, true);
    ForEachTag(Boot, Info, MULTIBOOT_ACPI_OLD, VisitRsdp, false);
    ForEachTag(Boot, Info, MULTIBOOT_ACPI_NEW, VisitRsdp, false); /* preferred: it names the XSDT */
}

/* ---- PVH (Xen's x86/HVM direct boot ABI) ---- */

#define PVH_TEXT_LIMIT 4096

static void ReadPvhMap(PBOOT_INFORMATION Boot, const PVH_START *Start, bool SecondPass)
{
    const PVH_MAP_ENTRY *Entry = ArchPhysicalToVirtual(Start->MapAddress);
    for (uint32_t i = 0; i < Start->MapCount; i++) {
        AddE820(Boot, Entry[i].Base, Entry[i].Size, Entry[i].Type, SecondPass);
    }
}

static void ReadPvh(PBOOT_INFORMATION Boot, const PVH_START *Start)
{
    Boot->LoaderName = "PVH";
    if (Start->CommandLine != 0) {
        SetCommandLine(Boot, ArchPhysicalToVirtual(Start->CommandLine), PVH_TEXT_LIMIT);
    }
    const PVH_MODULE *Module = ArchPhysicalToVirtual(Start->ModuleAddress);
    for (uint32_t i = 0; i < Start->ModuleCount; i++) {
        AddArchive(Boot, Module[i].Address, Module[i].Size);
    }
    Boot->AcpiRsdp = Start->Rsdp;
    if (Start->Version >= 1) { /* version 0 has no map */
        ReadPvhMap(Boot, Start, false);
        ReadPvhMap(Boot, Start, true);
    }
}

/* ---- The whole ---- */

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

/* The text behind "Name=" on the command line, up to a space or the end; NULL when the option is not
   there. */
const char *ArchpBootOption(const BOOT_INFORMATION *Boot, const char *Name)
{
    size_t Length = strlen(Name);
    for (const char *At = Boot->CommandLine; *At != '\0'; At++) {
        bool AtStart = At == Boot->CommandLine || At[-1] == ' ';
        if (AtStart && strncmp(At, Name, Length) == 0 && At[Length] == '=') {
            return At + Length + 1;
        }
    }
    return NULL;
}
