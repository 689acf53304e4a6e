/* SPDX-License-Identifier: MIT */
/* Sections and views; and which ranges of memory a service takes. */
#include "native.h"

#define UNIT 0x10000

static NTSTATUS NewSection(PHANDLE Section, ULONG64 Size, ULONG Protect)
{
    LARGE_INTEGER Maximum = {.QuadPart = (LONGLONG)Size};
    return NtCreateSection(Section, SECTION_ALL_ACCESS, NULL, &Maximum, Protect, SEC_COMMIT, NULL);
}

static NTSTATUS Map(HANDLE Section, ULONG Protect, ULONG64 Offset, PVOID *Base, PSIZE_T Size)
{
    LARGE_INTEGER Start = {.QuadPart = (LONGLONG)Offset};
    return NtMapViewOfSection(Section, NtCurrentProcess(), Base, 0, 0, &Start, Size, ViewShare, 0, Protect);
}

static NTSTATUS MapAll(HANDLE Section, ULONG Protect, volatile ULONG **View)
{
    SIZE_T Size = 0;
    *View = NULL;
    return Map(Section, Protect, 0, (PVOID *)View, &Size);
}

static NTSTATUS Unmap(volatile VOID *View)
{
    return NtUnmapViewOfSection(NtCurrentProcess(), (PVOID)View);
}

/* Two views show the same memory; a view that copies sees what is there, and keeps its own writes. */
static VOID ViewsShare(VOID)
{
    volatile ULONG *First, *Second, *Copy;
    MEMORY_BASIC_INFORMATION Basic;
    SECTION_BASIC_INFORMATION Told;
    SIZE_T Length = 0;
    HANDLE Section;
    CHECK_SUCCESS(NewSection(&Section, 3 * 0x1000 + 5, PAGE_READWRITE));
    CHECK_SUCCESS(NtQuerySection(Section, 0, &Told, sizeof(Told), &Length));
    CHECK(Length == sizeof(Told) && Told.MaximumSize.QuadPart == 3 * 0x1000 + 5 && Told.AllocationAttributes == SEC_COMMIT);
    CHECK_SUCCESS(MapAll(Section, PAGE_READWRITE, &First));
    CHECK_SUCCESS(MapAll(Section, PAGE_READONLY, &Second));
    CHECK_SUCCESS(MapAll(Section, PAGE_WRITECOPY, &Copy));
    CHECK_EQUAL(First[0], 0);
    First[0] = 7;
    CHECK_EQUAL(Second[0], 7);
    CHECK_EQUAL(Copy[0], 7);
    Copy[0] = 8;
    CHECK_EQUAL(First[0], 7);
    CHECK_SUCCESS(NtQueryVirtualMemory(NtCurrentProcess(), (PVOID)First, 0, &Basic, sizeof(Basic), NULL));
    CHECK_EQUAL(Basic.Type, MEM_MAPPED);
    CHECK_EQUAL(Basic.RegionSize, 4 * 0x1000);
    CHECK_EQUAL(Basic.Protect, PAGE_READWRITE);
    CHECK_SUCCESS(NtClose(Section)); /* views live on */
    First[0] = 9;
    CHECK_EQUAL(Second[0], 9);
    CHECK_SUCCESS(Unmap((PUCHAR)First + 0x1001)); /* any address of it */
    CHECK_STATUS(Unmap(First), STATUS_NOT_MAPPED_VIEW);
    CHECK_EQUAL(Second[0], 9);
    CHECK_SUCCESS(Unmap(Second));
    CHECK_SUCCESS(Unmap(Copy));
    CHECK_STATUS(Unmap(&Basic), STATUS_NOT_MAPPED_VIEW);
}

static VOID PartsAndPlaces(VOID)
{
    volatile ULONG *Whole;
    PVOID Base = NULL, Taken;
    SIZE_T Size = 0x1001;
    HANDLE Section;
    CHECK_SUCCESS(NewSection(&Section, 2 * UNIT, PAGE_READWRITE));
    CHECK_SUCCESS(MapAll(Section, PAGE_READWRITE, &Whole));
    Whole[UNIT / 4] = 5;
    CHECK_SUCCESS(Map(Section, PAGE_READONLY, UNIT, &Base, &Size));
    CHECK_EQUAL(Size, 0x2000);
    CHECK_EQUAL(*(ULONG *)Base, 5);
    Taken = Base;
    Size = 0;
    CHECK_STATUS(Map(Section, PAGE_READONLY, 0, &Taken, &Size), STATUS_CONFLICTING_ADDRESSES);
    CHECK_SUCCESS(Unmap(Base));
    Size = 0;
    CHECK_SUCCESS(Map(Section, PAGE_READONLY, 0, &Base, &Size));
    CHECK(Base == Taken);
    CHECK_SUCCESS(Unmap(Base));
    Size = 0;
    CHECK_STATUS(Map(Section, PAGE_READONLY, 0x1000, &Base, &Size), STATUS_MAPPED_ALIGNMENT);
    CHECK_STATUS(Map(Section, PAGE_READONLY, 2 * UNIT, &Base, &Size), STATUS_INVALID_VIEW_SIZE);
    Size = UNIT + 1;
    CHECK_STATUS(Map(Section, PAGE_READONLY, UNIT, &Base, &Size), STATUS_INVALID_VIEW_SIZE);
    CHECK_SUCCESS(Unmap(Whole));
    CHECK_SUCCESS(NtClose(Section));
}

/* Neither the section's protection nor the handle's rights can be passed by. */
static VOID RightsAreKept(VOID)
{
    volatile ULONG *View;
    HANDLE Section, Weak;
    PVOID Base;
    SIZE_T Size = 0x1000;
    ULONG Old;
    CHECK_SUCCESS(NewSection(&Section, UNIT, PAGE_READONLY));
    CHECK_STATUS(MapAll(Section, PAGE_READWRITE, &View), STATUS_SECTION_PROTECTION);
    CHECK_STATUS(MapAll(Section, PAGE_EXECUTE_READ, &View), STATUS_SECTION_PROTECTION);
    CHECK_SUCCESS(NtClose(Section));
    CHECK_SUCCESS(NewSection(&Section, UNIT, PAGE_READWRITE));
    CHECK_SUCCESS(NtDuplicateObject(NtCurrentProcess(), Section, NtCurrentProcess(), &Weak, SECTION_MAP_READ, 0, 0));
    CHECK_STATUS(MapAll(Weak, PAGE_READWRITE, &View), STATUS_ACCESS_DENIED);
    CHECK_SUCCESS(MapAll(Weak, PAGE_READONLY, &View));
    Base = (PVOID)View;
    CHECK_STATUS(NtProtectVirtualMemory(NtCurrentProcess(), &Base, &Size, PAGE_READWRITE, &Old), STATUS_SECTION_PROTECTION);
    CHECK_STATUS(NtFreeVirtualMemory(NtCurrentProcess(), &Base, &Size, MEM_DECOMMIT), STATUS_UNABLE_TO_FREE_VM);
    Size = 0;
    CHECK_STATUS(NtFreeVirtualMemory(NtCurrentProcess(), &Base, &Size, MEM_RELEASE), STATUS_UNABLE_TO_DELETE_SECTION);
    CHECK_SUCCESS(Unmap(View));
    CHECK_SUCCESS(NtClose(Weak));
    CHECK_SUCCESS(NtClose(Section));
}

static VOID BadSections(VOID)
{
    LARGE_INTEGER Size = {.QuadPart = 0};
    HANDLE Section;
    CHECK_STATUS(NewSection(&Section, 0, PAGE_READWRITE), STATUS_INVALID_PARAMETER_4);
    CHECK_STATUS(NewSection(&Section, 1ULL << 60, PAGE_READWRITE), STATUS_SECTION_TOO_BIG);
    CHECK_STATUS(NewSection(&Section, UNIT, PAGE_NOACCESS), STATUS_INVALID_PAGE_PROTECTION);
    CHECK_STATUS(NewSection(&Section, UNIT, PAGE_READWRITE | PAGE_GUARD), STATUS_INVALID_PAGE_PROTECTION);
    CHECK_STATUS(NtCreateSection(&Section, SECTION_ALL_ACCESS, NULL, &Size, PAGE_READWRITE, 0, NULL),
                 STATUS_INVALID_PARAMETER_6);
    CHECK_STATUS(NtCreateSection(&Section, SECTION_ALL_ACCESS, NULL, &Size, PAGE_READONLY, SEC_IMAGE, NULL),
                 STATUS_NOT_IMPLEMENTED);
    CHECK_SUCCESS(NtFlushInstructionCache(NtCurrentProcess(), NULL, 0));
    CHECK_STATUS(NtFlushInstructionCache(NULL, NULL, 0), STATUS_INVALID_HANDLE);
}

/* A file of the archives: its bytes, zeros up to the page's end, and copies to write to. */
static VOID FilesAreMapped(VOID)
{
    LARGE_INTEGER TooMuch = {.QuadPart = 1LL << 40};
    volatile ULONG *View, *Copy;
    HANDLE File, Section;
    CHECK_SUCCESS(OpenPath("\\Boot\\native\\nop", GENERIC_READ, &File));
    CHECK_STATUS(NtCreateSection(&Section, SECTION_ALL_ACCESS, NULL, NULL, PAGE_READWRITE, SEC_COMMIT, File),
                 STATUS_ACCESS_DENIED);
    CHECK_STATUS(NtCreateSection(&Section, SECTION_ALL_ACCESS, NULL, &TooMuch, PAGE_READONLY, SEC_COMMIT, File),
                 STATUS_SECTION_TOO_BIG);
    CHECK_SUCCESS(NtCreateSection(&Section, SECTION_ALL_ACCESS, NULL, NULL, PAGE_WRITECOPY, SEC_COMMIT, File));
    CHECK_SUCCESS(NtClose(File));
    CHECK_SUCCESS(MapAll(Section, PAGE_READONLY, &View));
    CHECK_SUCCESS(MapAll(Section, PAGE_WRITECOPY, &Copy));
    CHECK_EQUAL(View[0], 0x464C457F); /* an ELF file */
    Copy[0] = 1;
    CHECK_EQUAL(View[0], 0x464C457F);
    CHECK_SUCCESS(Unmap(View));
    CHECK_SUCCESS(Unmap(Copy));
    CHECK_SUCCESS(NtClose(Section));
    CHECK_SUCCESS(OpenPath("\\Boot\\native", GENERIC_READ, &File));
    CHECK_STATUS(NtCreateSection(&Section, SECTION_ALL_ACCESS, NULL, NULL, PAGE_READONLY, SEC_COMMIT, File),
                 STATUS_INVALID_FILE_FOR_SECTION);
    CHECK_SUCCESS(NtClose(File));
}

/* Into another process, which sees what this one writes. */
static VOID ProcessesShare(VOID)
{
    volatile ULONG *Mine;
    LARGE_INTEGER Start = {.QuadPart = 0};
    PVOID Theirs = NULL;
    SIZE_T Size = 0, Done;
    ULONG Word = 0;
    HANDLE Section, Process;
    CHECK_SUCCESS(NewSection(&Section, UNIT, PAGE_READWRITE));
    CHECK_SUCCESS(MapAll(Section, PAGE_READWRITE, &Mine));
    CHECK_SUCCESS(StartChild(&Process, "sleep", "600000", "0"));
    CHECK_SUCCESS(NtMapViewOfSection(Section, Process, &Theirs, 0, 0, &Start, &Size, ViewUnmap, 0, PAGE_READWRITE));
    Mine[3] = 33;
    CHECK_SUCCESS(NtReadVirtualMemory(Process, (PUCHAR)Theirs + 12, &Word, sizeof(Word), &Done));
    CHECK_EQUAL(Word, 33);
    Word = 44;
    CHECK_SUCCESS(NtWriteVirtualMemory(Process, (PUCHAR)Theirs + 12, &Word, sizeof(Word), &Done));
    CHECK_EQUAL(Mine[3], 44);
    CHECK_SUCCESS(NtUnmapViewOfSection(Process, Theirs));
    CHECK_SUCCESS(NtTerminateProcess(Process, 0));
    CHECK_STATUS(WaitForProcess(Process), 0);
    CHECK_SUCCESS(NtClose(Process));
    CHECK_SUCCESS(Unmap(Mine));
    CHECK_SUCCESS(NtClose(Section));
}

/* ---- Ranges over more than one allocation ---- */

static VOID RangesOfOneAllocation(VOID)
{
    PVOID Both = NULL, First, Second;
    SIZE_T Size = 2 * UNIT;
    ULONG Old;
    HANDLE Self = NtCurrentProcess();
    CHECK_SUCCESS(NtAllocateVirtualMemory(Self, &Both, 0, &Size, MEM_RESERVE, PAGE_READWRITE));
    Size = 0;
    CHECK_SUCCESS(NtFreeVirtualMemory(Self, &Both, &Size, MEM_RELEASE));
    First = Both;
    Second = (PUCHAR)Both + UNIT;
    Size = UNIT;
    CHECK_SUCCESS(NtAllocateVirtualMemory(Self, &First, 0, &Size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    CHECK_SUCCESS(NtAllocateVirtualMemory(Self, &Second, 0, &Size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    Size = 2 * UNIT;
    CHECK_STATUS(NtAllocateVirtualMemory(Self, &Both, 0, &Size, MEM_COMMIT, PAGE_READWRITE), STATUS_CONFLICTING_ADDRESSES);
    CHECK_STATUS(NtProtectVirtualMemory(Self, &Both, &Size, PAGE_READONLY, &Old), STATUS_CONFLICTING_ADDRESSES);
    CHECK_STATUS(NtFreeVirtualMemory(Self, &Both, &Size, MEM_DECOMMIT), STATUS_UNABLE_TO_FREE_VM);
    *(ULONG *)First = 1; /* nothing has changed */
    *(ULONG *)Second = 2;
    Size = 0;
    CHECK_SUCCESS(NtFreeVirtualMemory(Self, &Second, &Size, MEM_RELEASE));
    Size = 0x1000;
    CHECK_STATUS(NtProtectVirtualMemory(Self, &Second, &Size, PAGE_READONLY, &Old), STATUS_CONFLICTING_ADDRESSES);
    CHECK_STATUS(NtFreeVirtualMemory(Self, &Second, &Size, MEM_DECOMMIT), STATUS_MEMORY_NOT_ALLOCATED);
    Size = 2 * UNIT;
    CHECK_STATUS(NtFreeVirtualMemory(Self, &First, &Size, MEM_DECOMMIT), STATUS_UNABLE_TO_FREE_VM);
    Size = 0;
    CHECK_SUCCESS(NtFreeVirtualMemory(Self, &First, &Size, MEM_RELEASE));
}

static const TEST Tests[] = {
    {"sections.views-share", ViewsShare},
    {"sections.parts-and-places", PartsAndPlaces},
    {"sections.rights-are-kept", RightsAreKept},
    {"sections.bad-arguments", BadSections},
    {"sections.files", FilesAreMapped},
    {"sections.between-processes", ProcessesShare},
    {"memory.ranges-of-one-allocation", RangesOfOneAllocation},
};

int RunSectionTests(VOID)
{
    return RunTests(Tests, RTL_NUMBER_OF(Tests));
}
