// sources: kernel/ldr/elfmodule.c
/* SPDX-License-Identifier: MIT */
/*
 * Kernel modules: a relocatable object, made here byte by byte, is laid out, relocated (each kind of
 * relocation is compared with its formula) and, on an x86-64 host, run at another address than it was written
 * at; so is one that the host's compiler makes. Each way of being ill-formed gets its status, and 30,000
 * mutated objects never write outside of their allocation, which has its exact size under the address
 * sanitizer.
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <unistd.h>

#include "tests/host/host.h"
#include "kernel/rtl/elf.h"
#include "kernel/ldr/elfmodule.h"

#define KERNEL_ADDRESS 0xFFFFFFFFC0000000UL

/* ---- The sample ---- */

enum {
    None,
    TextSection,
    RelaText,
    RodataSection,
    DataSection,
    RelaData,
    BssSection,
    ExportSection,
    RelaExport,
    TableSection,
    RelaTable,
    DebugSection,
    RelaDebug,
    SymbolSection,
    StringSection,
    NameSection,
    SectionTotal
};

enum {
    NoSymbol,
    TextSymbol,
    RodataSymbol,
    DataSymbol,
    BssSymbol,
    HelperSymbol,
    EntrySymbol,
    ImportSymbol,
    OtherSymbol,
    WeakSymbol,
    AbsoluteSymbol,
    SymbolTotal
};

/*
 * DriverEntry: sub rsp, 8; call Import; add eax, [Data]; mov rcx, Rodata + 4; add eax, [rcx];
 * mov rdx, Bss + 64; mov [rdx], eax; mov rcx, [Pointer]; call rcx; add eax, [rdx]; add rsp, 8; ret.
 * Helper: ret.
 */
static const UCHAR Code[] = {
    0x48, 0x83, 0xEC, 0x08,             /*  0 */
    0xE8, 0,    0,    0,    0,          /*  4  PLT32 at  5 */
    0x03, 0x05, 0,    0,    0,    0,    /*  9  PC32  at 11 */
    0x48, 0xC7, 0xC1, 0,    0,    0, 0, /* 15  32S   at 18 */
    0x03, 0x01,                         /* 22 */
    0x48, 0xC7, 0xC2, 0,    0,    0, 0, /* 24  32    at 27 (32S where it runs in the upper half) */
    0x89, 0x02,                         /* 31 */
    0x48, 0x8B, 0x0D, 0,    0,    0, 0, /* 33  PC32  at 36 */
    0xFF, 0xD1, 0x03, 0x02,             /* 40 */
    0x48, 0x83, 0xC4, 0x08, 0xC3,       /* 44 */
    0xC3,                               /* 49  Helper */
};
#define SAMPLE_RESULT 2230 /* of DriverEntry, when Import returns 1000 */
#define HELPER        49

#define RELOCATION(Offset, Symbol, Type, Addend)                                                             \
    {                                                                                                        \
        Offset, (ULONG64)(Symbol) << 32 | (Type), Addend                                                     \
    }

static ELF64_RELOCATION TextRelocations[] = {
    RELOCATION(5, ImportSymbol, R_X86_64_PLT32, -4),  RELOCATION(11, DataSymbol, R_X86_64_PC32, -4),
    RELOCATION(18, RodataSymbol, R_X86_64_32S, 4),    RELOCATION(27, BssSymbol, R_X86_64_32S, 64),
    RELOCATION(36, DataSymbol, R_X86_64_PC32, 8 - 4), RELOCATION(0, NoSymbol, R_X86_64_NONE, 0),
};
static ELF64_RELOCATION DataRelocations[] = {
    RELOCATION(8, ImportSymbol, R_X86_64_64, 0),
    RELOCATION(16, TextSymbol, R_X86_64_PC64, HELPER),
    RELOCATION(24, WeakSymbol, R_X86_64_64, 0),
    RELOCATION(32, AbsoluteSymbol, R_X86_64_64, 1),
};
static ELF64_RELOCATION ExportRelocations[] = {
    RELOCATION(0, RodataSymbol, R_X86_64_64, 8),
    RELOCATION(8, HelperSymbol, R_X86_64_64, 0),
};
static ELF64_RELOCATION TableRelocations[] = {
    RELOCATION(0, TextSymbol, R_X86_64_PC32, 22),
    RELOCATION(4, TextSymbol, R_X86_64_PC32, 44),
};
static ELF64_RELOCATION DebugRelocations[] = {
    RELOCATION(0x10000, SymbolTotal + 5, 77, 0), /* nobody looks at those of what is not loaded */
};

static const struct {
    ULONG Number[2];
    char Text[8];
} Rodata = {{0, 30}, "Helper"};
static const struct {
    ULONG Number[2];
    ULONG64 Pointers[4];
} Data = {{200, 0}, {0}};

static const char SymbolNames[] = "\0DriverEntry\0Import\0Other\0Weak\0Absolute\0Helper";
static const char SectionNames[] =
    "\0.text\0.rela.text\0.rodata\0.data\0.rela.data\0.bss\0.kexport\0.rela.kexport\0.extable\0"
    ".rela.extable\0.debug\0.rela.debug\0.symtab\0.strtab\0.shstrtab";

static ELF64_HEADER Header;
static ELF64_SECTION_HEADER Sections[SectionTotal];
static ELF64_SYMBOL Symbols[SymbolTotal];
static LDR_ELF_MODULE Module;

/* The offset of Name in a table of names. */
static ULONG NameIn(const char *Table, SIZE_T Size, const char *Name)
{
    SIZE_T Offset = 1;
    while (strcmp(Table + Offset, Name) != 0) {
        Offset += strlen(Table + Offset) + 1;
        if (Offset >= Size) {
            abort();
        }
    }
    return (ULONG)Offset;
}

static void SetSection(ULONG Index, const char *Name, ULONG Type, ULONG64 Flags, SIZE_T Size,
                       ULONG64 Alignment)
{
    Sections[Index] = (ELF64_SECTION_HEADER){.Name = NameIn(SectionNames, sizeof(SectionNames), Name),
                                             .Type = Type,
                                             .Flags = Flags,
                                             .Size = Size,
                                             .Alignment = Alignment};
}

static void SetRelocations(ULONG Index, const char *Name, ULONG Target, SIZE_T Size)
{
    SetSection(Index, Name, ELF_SECTION_RELA, 0x40, Size, 8);
    Sections[Index].Link = SymbolSection;
    Sections[Index].Info = Target;
    Sections[Index].EntrySize = sizeof(ELF64_RELOCATION);
}

static void SetSymbol(ULONG Index, const char *Name, UCHAR Info, USHORT Section, ULONG64 Value)
{
    Symbols[Index] = (ELF64_SYMBOL){.Info = Info, .Section = Section, .Value = Value};
    Symbols[Index].Name = Name[0] != '\0' ? NameIn(SymbolNames, sizeof(SymbolNames), Name) : 0;
}

static const VOID *ContentsOf(ULONG Index)
{
    static const UCHAR Zeros[64];
    static const VOID *const Contents[SectionTotal] = {
        [TextSection] = Code,
        [RelaText] = TextRelocations,
        [RodataSection] = &Rodata,
        [DataSection] = &Data,
        [RelaData] = DataRelocations,
        [ExportSection] = Zeros,
        [RelaExport] = ExportRelocations,
        [TableSection] = Zeros,
        [RelaTable] = TableRelocations,
        [DebugSection] = Zeros,
        [RelaDebug] = DebugRelocations,
        [SymbolSection] = Symbols,
        [StringSection] = SymbolNames,
        [NameSection] = SectionNames,
    };
    return Contents[Index];
}

/* Sets up the tables of a well-formed object, for a test to change; BuildFile makes a file of them. */
static void MakeSample(void)
{
    const ULONG64 Loaded = ELF_SECTION_ALLOCATE, Writable = Loaded | ELF_SECTION_WRITE;

    memset(Sections, 0, sizeof(Sections));
    memset(Symbols, 0, sizeof(Symbols));
    SetSection(TextSection, ".text", 1, Loaded | ELF_SECTION_EXECUTE, sizeof(Code), 16);
    SetRelocations(RelaText, ".rela.text", TextSection, sizeof(TextRelocations));
    SetSection(RodataSection, ".rodata", 1, Loaded, sizeof(Rodata), 8);
    SetSection(DataSection, ".data", 1, Writable, sizeof(Data), 8);
    SetRelocations(RelaData, ".rela.data", DataSection, sizeof(DataRelocations));
    SetSection(BssSection, ".bss", ELF_SECTION_NOBITS, Writable, 0x1800, 64);
    SetSection(ExportSection, ".kexport", 1, Loaded, 16, 8);
    SetRelocations(RelaExport, ".rela.kexport", ExportSection, sizeof(ExportRelocations));
    SetSection(TableSection, ".extable", 1, Loaded, 8, 4);
    SetRelocations(RelaTable, ".rela.extable", TableSection, sizeof(TableRelocations));
    SetSection(DebugSection, ".debug", 1, 0, 16, 1);
    SetRelocations(RelaDebug, ".rela.debug", DebugSection, sizeof(DebugRelocations));
    SetSection(SymbolSection, ".symtab", ELF_SECTION_SYMBOLS, 0, sizeof(Symbols), 8);
    Sections[SymbolSection].Link = StringSection;
    Sections[SymbolSection].EntrySize = sizeof(ELF64_SYMBOL);
    SetSection(StringSection, ".strtab", ELF_SECTION_STRINGS, 0, sizeof(SymbolNames), 1);
    SetSection(NameSection, ".shstrtab", ELF_SECTION_STRINGS, 0, sizeof(SectionNames), 1);

    SetSymbol(TextSymbol, "", 3, TextSection, 0);
    SetSymbol(RodataSymbol, "", 3, RodataSection, 0);
    SetSymbol(DataSymbol, "", 3, DataSection, 0);
    SetSymbol(BssSymbol, "", 3, BssSection, 0);
    SetSymbol(HelperSymbol, "Helper", 0x02, TextSection, HELPER);
    SetSymbol(EntrySymbol, "DriverEntry", 0x12, TextSection, 0);
    SetSymbol(ImportSymbol, "Import", 0x10, 0, 0);
    SetSymbol(OtherSymbol, "Other", 0x10, 0, 0);
    SetSymbol(WeakSymbol, "Weak", 0x20, 0, 0);
    SetSymbol(AbsoluteSymbol, "Absolute", 0x10, ELF_SECTION_ABSOLUTE, 0x1234567890);

    Header = (ELF64_HEADER){.Ident = {0x7F, 'E', 'L', 'F', 2, 1, 1},
                            .Type = ELF_TYPE_RELOCATABLE,
                            .Machine = ELF_MACHINE_X86_64,
                            .Version = 1,
                            .HeaderSize = 64,
                            .SectionHeaderSize = 64,
                            .SectionHeaderCount = SectionTotal,
                            .SectionNameIndex = NameSection};
    ULONG64 Offset = sizeof(Header);
    for (ULONG Index = 1; Index < SectionTotal; Index++) {
        Sections[Index].Offset = Offset;
        Offset += Sections[Index].Type == ELF_SECTION_NOBITS ? 0 : ALIGN_UP_BY(Sections[Index].Size, 8);
    }
    Header.SectionHeaderOffset = Offset;
}

/* A file of the tables, in exact memory; free it. Contents are where and as large as in the unchanged
   sample. */
static UCHAR *BuildFile(SIZE_T *Size)
{
    ELF64_SECTION_HEADER Changed[SectionTotal];
    ELF64_SYMBOL ChangedSymbols[SymbolTotal];
    ELF64_HEADER ChangedHeader = Header;

    memcpy(Changed, Sections, sizeof(Sections));
    memcpy(ChangedSymbols, Symbols, sizeof(Symbols));
    MakeSample();
    *Size = Header.SectionHeaderOffset + sizeof(Sections);
    UCHAR *File = calloc(1, *Size);
    memcpy(Symbols, ChangedSymbols, sizeof(Symbols));
    for (ULONG Index = 1; Index < SectionTotal; Index++) {
        if (ContentsOf(Index) != NULL) {
            memcpy(File + Sections[Index].Offset, ContentsOf(Index), Sections[Index].Size);
        }
    }
    memcpy(File, &ChangedHeader, sizeof(Header));
    memcpy(File + Header.SectionHeaderOffset, Changed, sizeof(Changed));
    memcpy(Sections, Changed, sizeof(Sections));
    return File;
}

/* ---- Loading in tests ---- */

static char Missing[256];
static ULONG64 ImportAddress;

static BOOLEAN Resolve(PVOID Context, PCSTR Name, PULONG64 Address)
{
    if (strcmp(Name, "Import") != 0 && strcmp(Name, "Other") != 0) {
        return FALSE;
    }
    *Address = ImportAddress;
    return TRUE;
}

static BOOLEAN ResolveNothing(PVOID Context, PCSTR Name, PULONG64 Address)
{
    return FALSE;
}

static VOID Unresolved(PVOID Context, PCSTR Name)
{
    strcat(strcat(Missing, Name), " ");
}

static const LDR_ELF_IMPORTS Imports = {Resolve, Unresolved, NULL};
static const LDR_ELF_IMPORTS NoImports = {ResolveNothing, Unresolved, NULL};

/* Parses and loads the sample as the tables have it; the memory goes to *Memory, if wanted. */
static NTSTATUS LoadSample(ULONG64 RunBase, UCHAR **Memory)
{
    SIZE_T Size;
    UCHAR *File = BuildFile(&Size), *Room = NULL;
    NTSTATUS Status = LdrParseElfModule(File, Size, &Module);

    if (NT_SUCCESS(Status)) {
        Room = malloc(Module.Size);
        Missing[0] = '\0';
        Status = LdrLoadElfModule(&Module, Room, RunBase, &Imports);
    }
    CHECK(NT_SUCCESS(Status) || Module.Problem != NULL);
    if (Memory != NULL) {
        *Memory = Room;
    } else {
        free(Room);
    }
    free(File);
    return Status;
}

/* The sample with one change gets Status when it is parsed, or when it is loaded. */
#define REFUSES(Status, Change)                                                                              \
    do {                                                                                                     \
        MakeSample();                                                                                        \
        Change;                                                                                              \
        CHECK_STATUS(Status, LoadSample(KERNEL_ADDRESS, NULL));                                              \
    } while (0)
#define ACCEPTS(Change) REFUSES(STATUS_SUCCESS, Change)

/* The sample with one relocation of the text changed for a while. */
#define REFUSES_RELOCATION(Status, ...)                                                                      \
    do {                                                                                                     \
        ELF64_RELOCATION Saved = TextRelocations[5];                                                         \
        MakeSample();                                                                                        \
        TextRelocations[5] = (ELF64_RELOCATION)__VA_ARGS__;                                                  \
        CHECK_STATUS(Status, LoadSample(KERNEL_ADDRESS, NULL));                                              \
        TextRelocations[5] = Saved;                                                                          \
    } while (0)

static ULONG64 Get(const UCHAR *Memory, ULONG64 Offset, ULONG Width)
{
    ULONG64 Value = 0;
    memcpy(&Value, Memory + Offset, Width);
    return Value;
}

/* ---- Behaviours ---- */

static void GroupsArePageAligned(void)
{
    MakeSample();
    CHECK_STATUS(STATUS_SUCCESS, LoadSample(KERNEL_ADDRESS, NULL));
    CHECK(Module.Groups[LdrElfText].Offset == 0 && Module.Groups[LdrElfText].Size == 0x1000);
    CHECK(Module.Groups[LdrElfRodata].Offset == 0x1000 && Module.Groups[LdrElfRodata].Size == 0x1000);
    CHECK(Module.Groups[LdrElfData].Offset == 0x2000 && Module.Groups[LdrElfData].Size == 0x2000);
    CHECK_EQUAL(0x4000, Module.Size);
    CHECK_EQUAL(0, Module.EntryOffset);
    ACCEPTS(Sections[RodataSection].Flags = Sections[ExportSection].Flags = Sections[TableSection].Flags = 3);
    CHECK(Module.Groups[LdrElfRodata].Size == 0);
    ACCEPTS(Sections[TextSection].Alignment = 0; Sections[BssSection].Alignment = 4096);
    CHECK_EQUAL(0x5000, Module.Size);
    ACCEPTS(Sections[ExportSection].Name = 0; Sections[TableSection].Name = ~0U);
}

static void EveryRelocationFollowsItsFormula(void)
{
    UCHAR *Memory;
    LDR_ELF_RANGE Bss, Read, Write;
    const ULONG64 Base = KERNEL_ADDRESS;

    ImportAddress = 0xFFFFFFFF80123456;
    MakeSample();
    CHECK_STATUS(STATUS_SUCCESS, LoadSample(Base, &Memory));
    Read = (LDR_ELF_RANGE){0x1000, sizeof(Rodata)};
    Write = (LDR_ELF_RANGE){0x2000, sizeof(Data)};
    Bss = (LDR_ELF_RANGE){0x2040, 0x1800};
    CHECK_EQUAL((ULONG)(ImportAddress - 4 - (Base + 5)), Get(Memory, 5, 4));
    CHECK_EQUAL((ULONG)(Write.Offset - 4 - 11), Get(Memory, 11, 4));
    CHECK_EQUAL((ULONG)(Base + Read.Offset + 4), Get(Memory, 18, 4));
    CHECK_EQUAL((ULONG)(Base + Bss.Offset + 64), Get(Memory, 27, 4));
    CHECK_EQUAL((ULONG)(Write.Offset + 4 - 36), Get(Memory, 36, 4));
    CHECK_EQUAL(200, Get(Memory, Write.Offset, 4));
    CHECK_EQUAL(ImportAddress, Get(Memory, Write.Offset + 8, 8));
    CHECK_EQUAL(HELPER - (Write.Offset + 16), Get(Memory, Write.Offset + 16, 8));
    CHECK_EQUAL(0, Get(Memory, Write.Offset + 24, 8)); /* weak, and nobody has it */
    CHECK_EQUAL(0x1234567891, Get(Memory, Write.Offset + 32, 8));
    CHECK_EQUAL(Base + Read.Offset + 8, Get(Memory, 0x1010, 8));
    CHECK_EQUAL(Base + HELPER, Get(Memory, 0x1018, 8));
    CHECK_EQUAL((ULONG)(22 - 0x1020), Get(Memory, 0x1020, 4));
    CHECK(Memory[sizeof(Code)] == 0xCC && Memory[0xFFF] == 0xCC && Memory[0x1FFF] == 0 &&
          Memory[0x3FFF] == 0);
    free(Memory);
}

static void ValuesThatDoNotFitAreRefused(void)
{
    ImportAddress = 0xFFFFFFFF80123456;
    MakeSample();
    CHECK_STATUS(STATUS_ILLEGAL_FUNCTION, LoadSample(0x100000000, NULL)); /* 32S */
    ImportAddress = KERNEL_ADDRESS - 0x80000001;
    MakeSample();
    CHECK_STATUS(STATUS_ILLEGAL_FUNCTION, LoadSample(KERNEL_ADDRESS, NULL)); /* PLT32 */
    ImportAddress = KERNEL_ADDRESS - 0x80000000 + 4 + 5;
    MakeSample();
    CHECK_STATUS(STATUS_SUCCESS, LoadSample(KERNEL_ADDRESS, NULL)); /* just within reach */
    REFUSES_RELOCATION(STATUS_ILLEGAL_FUNCTION, RELOCATION(0, TextSymbol, R_X86_64_32, 0));
    REFUSES_RELOCATION(STATUS_ILLEGAL_FUNCTION, RELOCATION(0, AbsoluteSymbol, R_X86_64_32S, 0));
    REFUSES_RELOCATION(STATUS_ILLEGAL_FUNCTION, RELOCATION(0, TextSymbol, R_X86_64_PC32, 0x80000000L));
    REFUSES_RELOCATION(STATUS_SUCCESS, RELOCATION(0, TextSymbol, R_X86_64_PC32, 0x7FFFFFFF));
    REFUSES_RELOCATION(STATUS_SUCCESS, RELOCATION(0, NoSymbol, R_X86_64_32, 0xFFFFFFFF));
    REFUSES_RELOCATION(STATUS_ILLEGAL_FUNCTION, RELOCATION(0, NoSymbol, R_X86_64_32, 0x100000000));
    REFUSES_RELOCATION(STATUS_ILLEGAL_FUNCTION, RELOCATION(0, NoSymbol, R_X86_64_32S, 0x80000000));
}

static void EveryMissingSymbolIsNamedOnce(void)
{
    SIZE_T Size;
    UCHAR *Memory = malloc(0x4000);

    MakeSample();
    UCHAR *File = BuildFile(&Size);
    CHECK_STATUS(STATUS_SUCCESS, LdrParseElfModule(File, Size, &Module));
    CHECK_EQUAL(0x4000, Module.Size);
    memset(Memory, 0x5A, 0x4000);
    Missing[0] = '\0';
    CHECK_STATUS(STATUS_ENTRYPOINT_NOT_FOUND, LdrLoadElfModule(&Module, Memory, KERNEL_ADDRESS, &NoImports));
    CHECK_TEXT("Import Other ", Missing);
    CHECK_EQUAL(2, Module.ProblemValue);
    CHECK(Memory[0] == 0x5A && Memory[0x3FFF] == 0x5A);
    /* The same description may be loaded again, when the symbols are there. */
    ImportAddress = 0xFFFFFFFF80000000;
    CHECK_STATUS(STATUS_SUCCESS, LdrLoadElfModule(&Module, Memory, KERNEL_ADDRESS, &Imports));
    CHECK_STATUS(STATUS_SUCCESS, LdrLoadElfModule(&Module, Memory, KERNEL_ADDRESS, &Imports));
    free(File);
    free(Memory);
}

static void ForeignFilesAreTold(void)
{
    REFUSES(STATUS_INVALID_IMAGE_NOT_MZ, Header.Ident[1] = 'e');
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Header.Ident[4] = 1);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Header.Ident[5] = 2);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Header.Machine = 3);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Header.Type = ELF_TYPE_EXECUTABLE);
    for (SIZE_T Size = 0; Size < sizeof(ELF64_HEADER); Size++) {
        CHECK_STATUS(STATUS_INVALID_IMAGE_NOT_MZ, LdrParseElfModule(&Header, Size, &Module));
    }
}

static void BadTablesAreRefused(void)
{
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Header.SectionHeaderSize = 63);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Header.SectionHeaderCount = 0);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Header.SectionHeaderCount = 0xFF00);
    REFUSES(STATUS_END_OF_FILE, Header.SectionHeaderCount++);
    REFUSES(STATUS_END_OF_FILE, Header.SectionHeaderOffset = ~0UL - 5);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Header.SectionNameIndex = SectionTotal);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Header.SectionNameIndex = 0);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Sections[NameSection].Size = 0);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Sections[NameSection].Size--); /* does not end in NUL */
    REFUSES(STATUS_END_OF_FILE, Sections[RodataSection].Offset = ~0UL);
    REFUSES(STATUS_END_OF_FILE, Sections[DebugSection].Size = ~0UL);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Sections[DataSection].Alignment = 24);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Sections[SymbolSection].Type = 1);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Sections[SymbolSection].EntrySize = 16);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Sections[SymbolSection].Size--);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Sections[SymbolSection].Link = SectionTotal);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Sections[SymbolSection].Link = TextSection);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT,
            Sections[DebugSection].Type = ELF_SECTION_SYMBOLS); /* a second one */
}

static void BadSymbolsAreRefused(void)
{
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Symbols[OtherSymbol].Name = sizeof(SymbolNames));
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Symbols[HelperSymbol].Section = SectionTotal);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Symbols[HelperSymbol].Value = sizeof(Code) + 1);
    ACCEPTS(Symbols[HelperSymbol].Value = sizeof(Code)); /* a label at the end */
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Symbols[DataSymbol].Section = DebugSection);
    REFUSES(STATUS_NOT_SUPPORTED, Symbols[HelperSymbol].Section = 0xFFF2);
    REFUSES(STATUS_NOT_SUPPORTED, Symbols[HelperSymbol].Section = 0xFFFF);
    REFUSES(STATUS_PROCEDURE_NOT_FOUND, Symbols[EntrySymbol].Info = 0x02);
    REFUSES(STATUS_PROCEDURE_NOT_FOUND, Symbols[EntrySymbol].Section = DataSection);
    REFUSES(STATUS_PROCEDURE_NOT_FOUND, Symbols[EntrySymbol].Section = 0);
    REFUSES(STATUS_PROCEDURE_NOT_FOUND, Symbols[EntrySymbol].Value = sizeof(Code));
}

static void WhatModulesCannotHaveIsRefused(void)
{
    REFUSES(STATUS_NOT_SUPPORTED, Sections[TextSection].Flags |= ELF_SECTION_WRITE);
    REFUSES(STATUS_NOT_SUPPORTED, Sections[DataSection].Flags |= ELF_SECTION_TLS);
    REFUSES(STATUS_NOT_SUPPORTED, Sections[RodataSection].Flags |= ELF_SECTION_COMPRESSED);
    REFUSES(STATUS_NOT_SUPPORTED, Sections[DataSection].Type = ELF_SECTION_INIT_ARRAY);
    REFUSES(STATUS_NOT_SUPPORTED, Sections[DataSection].Alignment = 8192);
    REFUSES(STATUS_SECTION_TOO_BIG, Sections[BssSection].Size = ~0UL);
    REFUSES(STATUS_SECTION_TOO_BIG, Sections[BssSection].Size = LDR_ELF_MODULE_MAXIMUM_SIZE);
    REFUSES(STATUS_NOT_SUPPORTED, Sections[RelaText].Type = ELF_SECTION_REL);
}

static void BadRelocationsAreRefused(void)
{
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Sections[RelaText].EntrySize = 16);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Sections[RelaText].Size--);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Sections[RelaText].Link = StringSection);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT,
            Sections[RelaData].Info = TextSection); /* two tables for one section */
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Sections[RelaData].Info = BssSection);
    ACCEPTS(Sections[RelaTable].Info = SectionTotal + 7); /* of nothing that is loaded */
    REFUSES_RELOCATION(STATUS_INVALID_IMAGE_FORMAT,
                       RELOCATION(sizeof(Code) - 3, TextSymbol, R_X86_64_PC32, 0));
    REFUSES_RELOCATION(STATUS_SUCCESS, RELOCATION(sizeof(Code) - 4, TextSymbol, R_X86_64_PC32, 0));
    REFUSES_RELOCATION(STATUS_INVALID_IMAGE_FORMAT, RELOCATION(sizeof(Code) - 7, TextSymbol, R_X86_64_64, 0));
    REFUSES_RELOCATION(STATUS_INVALID_IMAGE_FORMAT, RELOCATION(~0UL, TextSymbol, R_X86_64_PC32, 0));
    REFUSES_RELOCATION(STATUS_INVALID_IMAGE_FORMAT, RELOCATION(0, SymbolTotal, R_X86_64_PC32, 0));
    REFUSES_RELOCATION(STATUS_INVALID_IMAGE_FORMAT, RELOCATION(0, ~0U, R_X86_64_64, 0));
    REFUSES_RELOCATION(STATUS_NOT_SUPPORTED, RELOCATION(0, TextSymbol, 9, 0));  /* GOTPCREL */
    REFUSES_RELOCATION(STATUS_NOT_SUPPORTED, RELOCATION(0, TextSymbol, 12, 0)); /* 16 bits */
}

static VOID NoteSymbol(PVOID Context, PCSTR Name, ULONG64 Offset)
{
    char *Text = Context;
    sprintf(Text + strlen(Text), "%s=%u ", Name, (ULONG)Offset);
}

static void TextSymbolsAndSectionsAreFound(void)
{
    char Found[128] = "";
    LDR_ELF_RANGE Range;
    SIZE_T Size;

    MakeSample();
    UCHAR *File = BuildFile(&Size);
    CHECK_STATUS(STATUS_SUCCESS, LdrParseElfModule(File, Size, &Module));
    LdrVisitElfModuleSymbols(&Module, NoteSymbol, Found);
    CHECK_TEXT("Helper=49 DriverEntry=0 ", Found);
    CHECK(LdrFindElfModuleSection(&Module, ".bss", &Range) && Range.Offset == 0x2040 && Range.Size == 0x1800);
    CHECK(!LdrFindElfModuleSection(&Module, ".debug", &Range) &&
          !LdrFindElfModuleSection(&Module, ".none", &Range));
    free(File);
}

/* ---- Running ---- */

#ifdef __x86_64__
#define IS_X86_64 1
#else
#define IS_X86_64 0
#define MAP_32BIT 0
#endif

/* A page of code in the lower 2 GiB that returns 1000. */
static ULONG64 MakeImport(void)
{
    static const UCHAR Stub[] = {0xB8, 0xE8, 0x03, 0, 0, 0xC3};
    UCHAR *Page =
        mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

    if (Page == MAP_FAILED) {
        return 0;
    }
    memcpy(Page, Stub, sizeof(Stub));
    mprotect(Page, PAGE_SIZE, PROT_READ | PROT_EXEC);
    return (ULONG64)Page;
}

/* Loads File through one view of its memory and calls DriverEntry in another, with the groups'
   protections. */
static NTSTATUS Run(const UCHAR *File, SIZE_T Size, PULONG Result)
{
    static const int Protection[] = {PROT_READ | PROT_EXEC, PROT_READ, PROT_READ | PROT_WRITE};
    NTSTATUS Status = LdrParseElfModule(File, Size, &Module);
    int Memory = memfd_create("module", 0);

    if (!NT_SUCCESS(Status) || Memory < 0 || ftruncate(Memory, (off_t)Module.Size) != 0) {
        return NT_SUCCESS(Status) ? STATUS_NOT_SUPPORTED : Status;
    }
    UCHAR *Write = mmap(NULL, Module.Size, PROT_READ | PROT_WRITE, MAP_SHARED, Memory, 0);
    UCHAR *Execute = mmap(NULL, Module.Size, PROT_READ, MAP_SHARED | MAP_32BIT, Memory, 0);
    if (Write == MAP_FAILED || Execute == MAP_FAILED) {
        return STATUS_NOT_SUPPORTED;
    }
    Missing[0] = '\0';
    Status = LdrLoadElfModule(&Module, Write, (ULONG64)Execute, &Imports);
    if (NT_SUCCESS(Status)) {
        for (ULONG Group = 0; Group < LdrElfGroupCount; Group++) {
            LDR_ELF_RANGE Range = Module.Groups[Group];
            if (Range.Size != 0 && mprotect(Execute + Range.Offset, Range.Size, Protection[Group]) != 0) {
                Status = STATUS_NOT_SUPPORTED;
            }
        }
    }
    if (NT_SUCCESS(Status)) {
        *Result = ((ULONG(*)(PVOID, PVOID))(Execute + Module.EntryOffset))(NULL, NULL);
    }
    munmap(Write, Module.Size);
    munmap(Execute, Module.Size);
    close(Memory);
    return Status;
}

static void TheSampleRuns(void)
{
    SIZE_T Size;
    ULONG Result = 0;

    ImportAddress = IS_X86_64 ? MakeImport() : 0;
    if (ImportAddress == 0) {
        SKIP("needs an x86-64 host");
    }
    MakeSample();
    ULONG64 Unsigned = (ULONG64)BssSymbol << 32 | R_X86_64_32; /* fits here, and here only */
    UCHAR *File = BuildFile(&Size);
    memcpy(File + Sections[RelaText].Offset + 3 * sizeof(ELF64_RELOCATION) + offsetof(ELF64_RELOCATION, Info),
           &Unsigned, 8);
    NTSTATUS Status = Run(File, Size, &Result);
    free(File);
    if (Status == STATUS_NOT_SUPPORTED) {
        SKIP("the host gives no executable memory");
    }
    CHECK_STATUS(STATUS_SUCCESS, Status);
    CHECK_EQUAL(SAMPLE_RESULT, Result);
}

static const char SourceA[] =
    "extern int Import(int); extern int Other(int); extern int Weak(void) __attribute__((weak));\n"
    "extern int Shared; extern const char *const Names[]; int Sum(int); int Zeroed[1000]; static int Counter "
    "= 5;\n"
    "static int Two(int x) { return x + 2; }\n"
    "int (*const Table[])(int) = { Two, Import, Sum };\n"
    "static int Choose(int x) { switch (x) { case 0: return Counter++; case 1: return Table[1](x); case 2: "
    "return Other(x);\n"
    "  case 3: return Names[2][1]; case 4: return Zeroed[999]++; case 5: return Weak ? Weak() : 7; default: "
    "return Sum(x); } }\n"
    "int DriverEntry(void *a, void *b) { int r = 0; for (volatile int i = 0; i < 8; i++) r += Choose(i);\n"
    "  return r + Table[0](Shared) + Counter + Zeroed[999]; }\n";
static const char SourceB[] = "int Shared = 40; static const char One[] = \"one\"; const char *const Names[] "
                              "= { \"zero\", One, \"two\" };\n"
                              "int Sum(int x) { static int Total; return Total += x; }\n";
/* 5 + 1000 + 1000 + 'w' + 0 + 7 + 6 + 13, + 42 + 6 + 1 */
#define COMPILED_RESULT (5 + 1000 + 1000 + 'w' + 0 + 7 + 6 + 13 + 42 + 6 + 1)

static bool WriteFile(const char *Folder, const char *Name, const char *Text)
{
    char Path[128];
    snprintf(Path, sizeof(Path), "%s/%s", Folder, Name);
    FILE *Stream = fopen(Path, "w");
    return Stream != NULL && fputs(Text, Stream) >= 0 && fclose(Stream) == 0;
}

/* What the host's compiler and linker make of the two sources with Flags; NULL when they cannot. Free it. */
static UCHAR *Compile(const char *Flags, SIZE_T *Size)
{
    char Folder[] = "/tmp/primer-module-XXXXXX", Command[1024], Path[128];
    const char *Compiler = getenv("CC") != NULL ? getenv("CC") : "cc";
    UCHAR *File = NULL;

    if (mkdtemp(Folder) == NULL || !WriteFile(Folder, "a.c", SourceA) || !WriteFile(Folder, "b.c", SourceB)) {
        return NULL;
    }
    snprintf(Command, sizeof(Command),
             "cd %s && { %s %s -c -ffreestanding -mcmodel=kernel -mno-red-zone -mgeneral-regs-only -fno-pic "
             "-fno-pie "
             "-fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables a.c b.c && "
             "ld -r -o module a.o b.o; } >/dev/null 2>&1",
             Folder, Compiler, Flags);
    if (system(Command) == 0) {
        snprintf(Path, sizeof(Path), "%s/module", Folder);
        FILE *Stream = fopen(Path, "rb");
        fseek(Stream, 0, SEEK_END);
        *Size = (SIZE_T)ftell(Stream);
        rewind(Stream);
        File = malloc(*Size);
        *Size = fread(File, 1, *Size, Stream);
        fclose(Stream);
    }
    snprintf(Command, sizeof(Command), "rm -r %s", Folder);
    if (system(Command) != 0) {
        printf("%s remains\n", Folder);
    }
    return File;
}

static void CompiledModulesRun(void)
{
    static const char *const Flags[] = {"-O0 -g", "-O1", "-O2 -g", "-O2 -ffunction-sections -fdata-sections",
                                        "-Os"};

    ImportAddress = IS_X86_64 ? MakeImport() : 0;
    for (ULONG Index = 0; Index < ARRAYSIZE(Flags); Index++) {
        ULONG Result = 0;
        SIZE_T Size;
        UCHAR *File = ImportAddress != 0 ? Compile(Flags[Index], &Size) : NULL;
        if (File == NULL) {
            SKIP("needs a compiler on an x86-64 host");
        }
        NTSTATUS Status = Run(File, Size, &Result);
        free(File);
        if (Status == STATUS_NOT_SUPPORTED && Module.Problem == NULL) {
            SKIP("the host gives no executable memory");
        }
        if (!CHECK_STATUS(STATUS_SUCCESS, Status) || !CHECK_EQUAL(COMPILED_RESULT, Result)) {
            printf("with %s: %s %llu\n", Flags[Index], Module.Problem ? Module.Problem : "",
                   (unsigned long long)Module.ProblemValue);
        }
    }
}

/* ---- Mutations ---- */

static void Mutate(PRTL_RANDOM Random, UCHAR *File, SIZE_T Size)
{
    static const ULONG64 Nasty[] = {0,
                                    1,
                                    2,
                                    3,
                                    4,
                                    6,
                                    8,
                                    0x10,
                                    0x18,
                                    0xFF,
                                    0xFFF,
                                    0x1000,
                                    0x7FFF,
                                    0xFF00,
                                    0xFFF1,
                                    0xFFFF,
                                    0x7FFFFFFF,
                                    0x80000000,
                                    0xFFFFFFFF,
                                    0x7FFFFFFFFFFFFFFF,
                                    0xFFFFFFFFFFFFF000,
                                    ~0UL};
    ULONG Width = 1U << RtlRandomBelow(Random, 4);
    ULONG64 Value =
        RtlRandomBelow(Random, 3) ? Nasty[RtlRandomBelow(Random, ARRAYSIZE(Nasty))] : RtlNextRandom(Random);

    if (Size >= Width) {
        SIZE_T Place = RtlRandomBelow(Random, (ULONG)(Size - Width) + 1);
        Place = RtlRandomBelow(Random, 4) ? ALIGN_DOWN_BY(Place, Width) : Place;
        memcpy(File + Place, &Value, Width);
    }
}

static VOID IgnoreSymbol(PVOID Context, PCSTR Name, ULONG64 Offset)
{
    CHECK(strlen(Name) != 0 && Offset < Module.Size);
}

/* Parses and loads one file, checking what holds of all. Returns whether it was loaded. */
static bool TryFile(const UCHAR *File, SIZE_T Size)
{
    NTSTATUS Status = LdrParseElfModule(File, Size, &Module);

    CHECK(Status == STATUS_SUCCESS || NT_ERROR(Status));
    if (!NT_SUCCESS(Status)) {
        CHECK(Module.Problem != NULL);
        return false;
    }
    CHECK(Module.Size % PAGE_SIZE == 0 && Module.Size <= LDR_ELF_MODULE_MAXIMUM_SIZE);
    CHECK(Module.EntryOffset < Module.Groups[LdrElfText].Size);
    LdrVisitElfModuleSymbols(&Module, IgnoreSymbol, NULL);
    if (Module.Size > 0x100000) {
        return false; /* correct, and slow */
    }
    UCHAR *Memory = malloc(Module.Size);
    Missing[0] = '\0';
    LDR_ELF_IMPORTS Quiet = {Resolve, NULL, NULL};
    Status = LdrLoadElfModule(&Module, Memory, KERNEL_ADDRESS, &Quiet);
    CHECK(Status == STATUS_SUCCESS || NT_ERROR(Status));
    free(Memory);
    return NT_SUCCESS(Status);
}

static ULONG MutateRounds(const UCHAR *File, SIZE_T Size, ULONG Rounds)
{
    RTL_RANDOM Random = HostRandom();
    ULONG Accepted = 0;

    for (ULONG Round = 0; Round < Rounds; Round++) {
        SIZE_T Cut = RtlRandomBelow(&Random, 10) ? Size : RtlRandomBelow(&Random, (ULONG)Size + 1);
        UCHAR *Copy = malloc(Cut + 1);
        memcpy(Copy + 1, File, Cut); /* unaligned on purpose */
        for (ULONG Changes = RtlRandomBelow(&Random, 4) + 1; Changes != 0; Changes--) {
            Mutate(&Random, Copy + 1, Cut);
        }
        Accepted += TryFile(Copy + 1, Cut);
        free(Copy);
    }
    printf("%u of %u mutated modules were still loaded\n", Accepted, Rounds);
    return Accepted;
}

static void MutatedModulesDoNoHarm(void)
{
    SIZE_T Size;

    ImportAddress = 0xFFFFFFFF80123456;
    MakeSample();
    UCHAR *File = BuildFile(&Size);
    CHECK(TryFile(File, Size));
    ULONG Accepted = MutateRounds(File, Size, 30000);
    CHECK(Accepted > 1000 && Accepted < 29000); /* else the mutations are too harsh, or miss the tables */
    free(File);
}

static void MutatedCompiledModulesDoNoHarm(void)
{
    SIZE_T Size;
    UCHAR *File = IS_X86_64 ? Compile("-O1", &Size) : NULL;

    if (File == NULL) {
        SKIP("needs a compiler on an x86-64 host");
    }
    ImportAddress = 0xFFFFFFFF80123456;
    CHECK(TryFile(File, Size));
    MutateRounds(File, Size, 10000);
    free(File);
}

int main(void)
{
    RUN(GroupsArePageAligned);
    RUN(EveryRelocationFollowsItsFormula);
    RUN(ValuesThatDoNotFitAreRefused);
    RUN(EveryMissingSymbolIsNamedOnce);
    RUN(ForeignFilesAreTold);
    RUN(BadTablesAreRefused);
    RUN(BadSymbolsAreRefused);
    RUN(WhatModulesCannotHaveIsRefused);
    RUN(BadRelocationsAreRefused);
    RUN(TextSymbolsAndSectionsAreFound);
    RUN(TheSampleRuns);
    RUN(CompiledModulesRun);
    RUN(MutatedModulesDoNoHarm);
    RUN(MutatedCompiledModulesDoNoHarm);
    return HostEnd();
}
