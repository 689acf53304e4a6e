/* SPDX-License-Identifier: MIT */
/*
 * Kernel modules. In memory a module is three groups of pages, and each section that is loaded is placed in
 * one of them:
 *
 *      0                    Groups[Rodata].Offset    Groups[Data].Offset          Size
 *      | text sections  CC..| read-only data    0.. | data, then zeroed data  0.. |
 *
 * A symbol's address is its section's place plus its value; a relocation changes a place in a placed section.
 */
#include "kernel/ldr/elfmodule.h"

#include <ntrtl.h>

#include "kernel/rtl/elf.h"

#define LDRP_INT3 0xCC

static NTSTATUS LdrpProblem(PLDR_ELF_MODULE Module, NTSTATUS Status, PCSTR Problem, ULONG64 Value)
{
    Module->Problem = Problem;
    Module->ProblemValue = Value;
    return Status;
}

/* ---- Reading the file ---- */

/* Section Index, which is below SectionCount. */
static ELF64_SECTION_HEADER LdrpSection(const LDR_ELF_MODULE *Module, ULONG Index)
{
    ELF64_SECTION_HEADER Section;
    memcpy(&Section, Module->File + Module->SectionHeaders + (ULONG64)Index * sizeof(Section),
           sizeof(Section));
    return Section;
}

/* Symbol Index, which is below SymbolCount. */
static ELF64_SYMBOL LdrpSymbol(const LDR_ELF_MODULE *Module, ULONG64 Index)
{
    ELF64_SYMBOL Symbol;
    memcpy(&Symbol, Module->File + Module->Symbols + Index * sizeof(Symbol), sizeof(Symbol));
    return Symbol;
}

/* A string of a table whose last byte is NUL; the empty one for an offset beyond it. */
static PCSTR LdrpString(const LDR_ELF_MODULE *Module, LDR_ELF_RANGE Table, ULONG Offset)
{
    return Offset < Table.Size ? (PCSTR)Module->File + Table.Offset + Offset : "";
}

static PCSTR LdrpSymbolName(const LDR_ELF_MODULE *Module, const ELF64_SYMBOL *Symbol)
{
    return LdrpString(Module, Module->SymbolNames, Symbol->Name);
}

/* The place of a section; NULL when it is not loaded. */
static PLDR_ELF_PLACED LdrpFindPlaced(const LDR_ELF_MODULE *Module, ULONG Section)
{
    for (ULONG Index = 0; Index < Module->PlacedCount; Index++) {
        if (Module->Placed[Index].Section == Section) {
            return (PLDR_ELF_PLACED)&Module->Placed[Index];
        }
    }
    return NULL;
}

/* ---- Headers and tables ---- */

static NTSTATUS LdrpReadModuleHeader(PLDR_ELF_MODULE Module)
{
    ELF64_HEADER Header;

    if (Module->FileSize < sizeof(Header) || memcmp(Module->File, "\177ELF", 4) != 0) {
        return LdrpProblem(Module, STATUS_INVALID_IMAGE_NOT_MZ, "not an ELF file", Module->FileSize);
    }
    memcpy(&Header, Module->File, sizeof(Header));
    if (Header.Ident[ELF_IDENT_CLASS] != ELF_CLASS_64 || Header.Ident[ELF_IDENT_DATA] != ELF_DATA_LITTLE ||
        Header.Version != ELF_VERSION_CURRENT || Header.Machine != ELF_MACHINE_X86_64) {
        return LdrpProblem(Module, STATUS_INVALID_IMAGE_FORMAT, "made for another machine", Header.Machine);
    }
    if (Header.Type != ELF_TYPE_RELOCATABLE) {
        return LdrpProblem(Module, STATUS_INVALID_IMAGE_FORMAT, "not a relocatable object: ELF type",
                           Header.Type);
    }
    if (Header.SectionHeaderSize != sizeof(ELF64_SECTION_HEADER) || Header.SectionHeaderCount == 0 ||
        Header.SectionHeaderCount >= ELF_SECTION_RESERVED ||
        Header.SectionNameIndex >= Header.SectionHeaderCount) {
        return LdrpProblem(Module, STATUS_INVALID_IMAGE_FORMAT, "bad section table",
                           Header.SectionHeaderCount);
    }
    Module->SectionHeaders = Header.SectionHeaderOffset;
    Module->SectionCount = Header.SectionHeaderCount;
    if (!LdrpIsWithin(Module->SectionHeaders, (ULONG64)Module->SectionCount * sizeof(ELF64_SECTION_HEADER),
                      Module->FileSize)) {
        return LdrpProblem(Module, STATUS_END_OF_FILE, "section table beyond the end",
                           Module->SectionHeaders);
    }
    Module->SectionNames.Offset = Header.SectionNameIndex; /* LdrpReadTables puts the table itself here */
    return STATUS_SUCCESS;
}

static NTSTATUS LdrpCheckSection(PLDR_ELF_MODULE Module, ULONG Index)
{
    ELF64_SECTION_HEADER Section = LdrpSection(Module, Index);

    if (Index != 0 && Section.Type != ELF_SECTION_NOBITS &&
        !LdrpIsWithin(Section.Offset, Section.Size, Module->FileSize)) {
        return LdrpProblem(Module, STATUS_END_OF_FILE, "section beyond the end", Index);
    }
    if ((Section.Alignment & (Section.Alignment - 1)) != 0) {
        return LdrpProblem(Module, STATUS_INVALID_IMAGE_FORMAT, "section of odd alignment", Index);
    }
    return STATUS_SUCCESS;
}

static NTSTATUS LdrpReadStringTable(PLDR_ELF_MODULE Module, ULONG Index, LDR_ELF_RANGE *Table)
{
    if (Index == 0 || Index >= Module->SectionCount) {
        return LdrpProblem(Module, STATUS_INVALID_IMAGE_FORMAT, "no string table at section", Index);
    }
    ELF64_SECTION_HEADER Section = LdrpSection(Module, Index);
    if (Section.Type != ELF_SECTION_STRINGS || Section.Size == 0 ||
        Module->File[Section.Offset + Section.Size - 1] != '\0') {
        return LdrpProblem(Module, STATUS_INVALID_IMAGE_FORMAT, "bad string table at section", Index);
    }
    *Table = (LDR_ELF_RANGE){Section.Offset, Section.Size};
    return STATUS_SUCCESS;
}

static NTSTATUS LdrpReadSymbolTable(PLDR_ELF_MODULE Module, ULONG Index)
{
    ELF64_SECTION_HEADER Section = LdrpSection(Module, Index);

    if (Module->SymbolSection != 0 || Section.EntrySize != sizeof(ELF64_SYMBOL) ||
        Section.Size % sizeof(ELF64_SYMBOL) != 0) {
        return LdrpProblem(Module, STATUS_INVALID_IMAGE_FORMAT, "bad symbol table at section", Index);
    }
    Module->SymbolSection = Index;
    Module->Symbols = Section.Offset;
    Module->SymbolCount = Section.Size / sizeof(ELF64_SYMBOL);
    return LdrpReadStringTable(Module, Section.Link, &Module->SymbolNames);
}

/* Checks all sections, and finds the names of sections, the symbols and their names. */
static NTSTATUS LdrpReadTables(PLDR_ELF_MODULE Module)
{
    NTSTATUS Status = STATUS_SUCCESS;

    for (ULONG Index = 0; NT_SUCCESS(Status) && Index < Module->SectionCount; Index++) {
        Status = LdrpCheckSection(Module, Index);
    }
    if (NT_SUCCESS(Status)) {
        Status = LdrpReadStringTable(Module, (ULONG)Module->SectionNames.Offset, &Module->SectionNames);
    }
    for (ULONG Index = 1; NT_SUCCESS(Status) && Index < Module->SectionCount; Index++) {
        if (LdrpSection(Module, Index).Type == ELF_SECTION_SYMBOLS) {
            Status = LdrpReadSymbolTable(Module, Index);
        }
    }
    if (NT_SUCCESS(Status) && Module->SymbolSection == 0) {
        Status = LdrpProblem(Module, STATUS_INVALID_IMAGE_FORMAT, "no symbol table", 0);
    }
    return Status;
}

/* ---- Layout ---- */

/* In the order in which sections lie in memory. */
typedef enum _LDRP_CLASS {
    ClassText,
    ClassRodata,
    ClassData,
    ClassZeroed,
    ClassCount,
    ClassNotLoaded
} LDRP_CLASS;

static LDRP_CLASS LdrpClassify(const ELF64_SECTION_HEADER *Section)
{
    if ((Section->Flags & ELF_SECTION_ALLOCATE) == 0) {
        return ClassNotLoaded;
    }
    if (Section->Flags & ELF_SECTION_EXECUTE) {
        return ClassText;
    }
    if ((Section->Flags & ELF_SECTION_WRITE) == 0) {
        return ClassRodata;
    }
    return Section->Type == ELF_SECTION_NOBITS ? ClassZeroed : ClassData;
}

static LDR_ELF_GROUP LdrpGroupOf(LDRP_CLASS Class)
{
    return Class == ClassText ? LdrElfText : Class == ClassRodata ? LdrElfRodata : LdrElfData;
}

/* What a section that is to be loaded must not be. */
static NTSTATUS LdrpCheckLoaded(PLDR_ELF_MODULE Module, const ELF64_SECTION_HEADER *Section, ULONG Index)
{
    ULONG64 WriteExecute = ELF_SECTION_WRITE | ELF_SECTION_EXECUTE;

    if ((Section->Flags & WriteExecute) == WriteExecute) {
        return LdrpProblem(Module, STATUS_NOT_SUPPORTED, "section both writable and executable", Index);
    }
    if (Section->Flags & (ELF_SECTION_TLS | ELF_SECTION_COMPRESSED)) {
        return LdrpProblem(Module, STATUS_NOT_SUPPORTED, "thread-local or compressed section", Index);
    }
    if (Section->Type >= ELF_SECTION_INIT_ARRAY && Section->Type <= ELF_SECTION_PREINIT_ARRAY) {
        return LdrpProblem(Module, STATUS_NOT_SUPPORTED, "constructors or destructors in section", Index);
    }
    if (Section->Alignment > PAGE_SIZE) {
        return LdrpProblem(Module, STATUS_NOT_SUPPORTED, "alignment beyond a page of section", Index);
    }
    if (Section->Size > LDR_ELF_MODULE_MAXIMUM_SIZE) {
        return LdrpProblem(Module, STATUS_SECTION_TOO_BIG, "too big a section", Index);
    }
    if (Module->PlacedCount == LDR_ELF_MODULE_MAXIMUM_SECTIONS) {
        return LdrpProblem(Module, STATUS_INSUFFICIENT_RESOURCES, "too many sections", Module->PlacedCount);
    }
    return STATUS_SUCCESS;
}

/* Places a section at the first fitting offset from Module->Size on, which moves behind it. */
static NTSTATUS LdrpPlaceSection(PLDR_ELF_MODULE Module, ULONG Index, LDRP_CLASS Class)
{
    ELF64_SECTION_HEADER Section = LdrpSection(Module, Index);

    if (LdrpClassify(&Section) != Class) {
        return STATUS_SUCCESS;
    }
    NTSTATUS Status = LdrpCheckLoaded(Module, &Section, Index);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    ULONG64 Offset = ALIGN_UP_BY(Module->Size, Section.Alignment != 0 ? Section.Alignment : 1);
    Module->Placed[Module->PlacedCount++] =
        (LDR_ELF_PLACED){Index, LdrpGroupOf(Class), FALSE, {Offset, Section.Size}};
    Module->Size = Offset + Section.Size;
    if (Module->Size > LDR_ELF_MODULE_MAXIMUM_SIZE) {
        return LdrpProblem(Module, STATUS_SECTION_TOO_BIG, "too big in all", Module->Size);
    }
    return STATUS_SUCCESS;
}

static NTSTATUS LdrpLayOut(PLDR_ELF_MODULE Module)
{
    NTSTATUS Status = STATUS_SUCCESS;

    for (LDRP_CLASS Class = ClassText; Class < ClassCount; Class++) {
        LDR_ELF_RANGE *Group = &Module->Groups[LdrpGroupOf(Class)];
        if (Class != ClassZeroed) {
            Module->Size = ROUND_TO_PAGES(Module->Size);
            Group->Offset = Module->Size;
        }
        for (ULONG Index = 1; NT_SUCCESS(Status) && Index < Module->SectionCount; Index++) {
            Status = LdrpPlaceSection(Module, Index, Class);
        }
        Group->Size = ROUND_TO_PAGES(Module->Size) - Group->Offset;
    }
    Module->Size = ROUND_TO_PAGES(Module->Size);
    return Status;
}

/* ---- Symbols ---- */

/* A symbol's name and section exist, and it lies in the section (its end included) or is of a kind that needs
   none. */
static NTSTATUS LdrpCheckSymbol(PLDR_ELF_MODULE Module, ULONG64 Index)
{
    ELF64_SYMBOL Symbol = LdrpSymbol(Module, Index);

    if (Symbol.Name >= Module->SymbolNames.Size) {
        return LdrpProblem(Module, STATUS_INVALID_IMAGE_FORMAT, "nameless symbol", Index);
    }
    if (Symbol.Section == ELF_SECTION_UNDEFINED || Symbol.Section == ELF_SECTION_ABSOLUTE) {
        return STATUS_SUCCESS;
    }
    if (Symbol.Section >= ELF_SECTION_RESERVED) {
        return LdrpProblem(Module, STATUS_NOT_SUPPORTED, "common or otherwise special symbol", Index);
    }
    if (Symbol.Section >= Module->SectionCount || Symbol.Value > LdrpSection(Module, Symbol.Section).Size) {
        return LdrpProblem(Module, STATUS_INVALID_IMAGE_FORMAT, "symbol outside its section", Index);
    }
    return STATUS_SUCCESS;
}

static NTSTATUS LdrpCheckSymbols(PLDR_ELF_MODULE Module)
{
    NTSTATUS Status = STATUS_SUCCESS;

    for (ULONG64 Index = 1; NT_SUCCESS(Status) && Index < Module->SymbolCount; Index++) {
        Status = LdrpCheckSymbol(Module, Index);
    }
    return Status;
}

/* Whether a symbol lies in the text, and at which offset from the module's start. */
static bool LdrpIsTextSymbol(const LDR_ELF_MODULE *Module, const ELF64_SYMBOL *Symbol, PULONG64 Offset)
{
    const LDR_ELF_PLACED *Placed = LdrpFindPlaced(Module, Symbol->Section);

    if (Placed == NULL || Placed->Group != LdrElfText) {
        return false;
    }
    *Offset = Placed->Range.Offset + Symbol->Value;
    return Symbol->Value < Placed->Range.Size;
}

/* A symbol that names a place in the module for who reads a report: a function, a label of the text, or a
   variable. */
static bool LdrpIsNameOfPlace(const LDR_ELF_MODULE *Module, const ELF64_SYMBOL *Symbol, PULONG64 Offset)
{
    ULONG Type = ELF_SYMBOL_TYPE(Symbol->Info);
    const LDR_ELF_PLACED *Placed = LdrpFindPlaced(Module, Symbol->Section);

    if (Type > ELF_SYMBOL_FUNCTION || Placed == NULL || (Placed->Group != LdrElfText && Type != ELF_SYMBOL_OBJECT)) {
        return false;
    }
    *Offset = Placed->Range.Offset + Symbol->Value;
    return Symbol->Value < Placed->Range.Size;
}

static NTSTATUS LdrpFindEntry(PLDR_ELF_MODULE Module)
{
    for (ULONG64 Index = 1; Index < Module->SymbolCount; Index++) {
        ELF64_SYMBOL Symbol = LdrpSymbol(Module, Index);
        if (ELF_SYMBOL_BINDING(Symbol.Info) == ELF_BINDING_GLOBAL &&
            strcmp(LdrpSymbolName(Module, &Symbol), "DriverEntry") == 0 &&
            LdrpIsTextSymbol(Module, &Symbol, &Module->EntryOffset)) {
            return STATUS_SUCCESS;
        }
    }
    return LdrpProblem(Module, STATUS_PROCEDURE_NOT_FOUND, "no DriverEntry", 0);
}

VOID LdrVisitElfModuleSymbols(const LDR_ELF_MODULE *Module,
                              VOID (*Visit)(PVOID Context, PCSTR Name, ULONG64 Offset), PVOID Context)
{
    ULONG64 Offset;

    for (ULONG64 Index = 1; Index < Module->SymbolCount; Index++) {
        ELF64_SYMBOL Symbol = LdrpSymbol(Module, Index);
        PCSTR Name = LdrpSymbolName(Module, &Symbol);
        if (Name[0] != '\0' && LdrpIsNameOfPlace(Module, &Symbol, &Offset)) {
            Visit(Context, Name, Offset);
        }
    }
}

BOOLEAN LdrFindElfModuleSection(const LDR_ELF_MODULE *Module, PCSTR Name, LDR_ELF_RANGE *Range)
{
    for (ULONG Index = 0; Index < Module->PlacedCount; Index++) {
        ULONG NameOffset = LdrpSection(Module, Module->Placed[Index].Section).Name;
        if (strcmp(LdrpString(Module, Module->SectionNames, NameOffset), Name) == 0) {
            *Range = Module->Placed[Index].Range;
            return TRUE;
        }
    }
    return FALSE;
}

NTSTATUS LdrParseElfModule(const VOID *File, SIZE_T Size, PLDR_ELF_MODULE Module)
{
    static NTSTATUS (*const Steps[])(PLDR_ELF_MODULE) = {
        LdrpReadModuleHeader, LdrpReadTables, LdrpLayOut, LdrpCheckSymbols, LdrpFindEntry,
    };
    NTSTATUS Status = STATUS_SUCCESS;

    memset(Module, 0, sizeof(*Module));
    Module->File = File;
    Module->FileSize = Size;
    for (ULONG Step = 0; NT_SUCCESS(Status) && Step < ARRAYSIZE(Steps); Step++) {
        Status = Steps[Step](Module);
    }
    return Status;
}

/* ---- Loading ---- */

/* What the loading routines pass among themselves. */
typedef struct _LDRP_LOAD {
    PLDR_ELF_MODULE Module;
    PUCHAR WriteBase;
    ULONG64 RunBase;
    const LDR_ELF_IMPORTS *Imports;
} LDRP_LOAD, *PLDRP_LOAD;

/* The address of an undefined symbol; 0, and false, when nobody has it. */
static bool LdrpImport(const LDRP_LOAD *Load, const ELF64_SYMBOL *Symbol, PULONG64 Address)
{
    PCSTR Name = LdrpSymbolName(Load->Module, Symbol);

    *Address = 0;
    return Name[0] != '\0' && Load->Imports->Resolve(Load->Imports->Context, Name, Address);
}

/* Looks for every undefined symbol, so that one attempt names all that are missing. */
static NTSTATUS LdrpCheckImports(const LDRP_LOAD *Load)
{
    PLDR_ELF_MODULE Module = Load->Module;
    ULONG Missing = 0;
    ULONG64 Address;

    for (ULONG64 Index = 1; Index < Module->SymbolCount; Index++) {
        ELF64_SYMBOL Symbol = LdrpSymbol(Module, Index);
        if (Symbol.Section != ELF_SECTION_UNDEFINED || ELF_SYMBOL_BINDING(Symbol.Info) == ELF_BINDING_WEAK ||
            LdrpImport(Load, &Symbol, &Address)) {
            continue;
        }
        Missing++;
        if (Load->Imports->Unresolved != NULL) {
            Load->Imports->Unresolved(Load->Imports->Context, LdrpSymbolName(Module, &Symbol));
        }
    }
    return Missing == 0 ? STATUS_SUCCESS
                        : LdrpProblem(Module, STATUS_ENTRYPOINT_NOT_FOUND, "unresolved symbols", Missing);
}

static VOID LdrpCopySections(const LDRP_LOAD *Load)
{
    const LDR_ELF_MODULE *Module = Load->Module;

    memset(Load->WriteBase, 0, Module->Size);
    memset(Load->WriteBase + Module->Groups[LdrElfText].Offset, LDRP_INT3, Module->Groups[LdrElfText].Size);
    for (ULONG Index = 0; Index < Module->PlacedCount; Index++) {
        const LDR_ELF_PLACED *Placed = &Module->Placed[Index];
        ELF64_SECTION_HEADER Section = LdrpSection(Module, Placed->Section);
        if (Section.Type != ELF_SECTION_NOBITS) {
            memcpy(Load->WriteBase + Placed->Range.Offset, Module->File + Section.Offset, Placed->Range.Size);
        }
    }
}

/* The address that a symbol will have. */
static NTSTATUS LdrpSymbolAddress(const LDRP_LOAD *Load, ULONG64 Index, PULONG64 Address)
{
    PLDR_ELF_MODULE Module = Load->Module;

    *Address = 0;
    if (Index == 0) {
        return STATUS_SUCCESS; /* the ABI's "no symbol" */
    }
    if (Index >= Module->SymbolCount) {
        return LdrpProblem(Module, STATUS_INVALID_IMAGE_FORMAT, "relocation by no symbol", Index);
    }
    ELF64_SYMBOL Symbol = LdrpSymbol(Module, Index);
    if (Symbol.Section == ELF_SECTION_ABSOLUTE) {
        *Address = Symbol.Value;
        return STATUS_SUCCESS;
    }
    if (Symbol.Section == ELF_SECTION_UNDEFINED) {
        LdrpImport(Load, &Symbol, Address); /* a weak one stays 0; others have been found before */
        return STATUS_SUCCESS;
    }
    const LDR_ELF_PLACED *Placed = LdrpFindPlaced(Module, Symbol.Section);
    if (Placed == NULL) {
        return LdrpProblem(Module, STATUS_INVALID_IMAGE_FORMAT, "relocation by a symbol that is not loaded",
                           Index);
    }
    *Address = Load->RunBase + Placed->Range.Offset + Symbol.Value;
    return STATUS_SUCCESS;
}

/* The relocations of code of model "kernel". */
typedef struct _LDRP_RELOCATION {
    UCHAR Type;
    UCHAR Width;   /* bytes that it changes; the value must survive being cut to them */
    bool Relative; /* to the place that is changed */
    bool Signed;
} LDRP_RELOCATION;

static const LDRP_RELOCATION LdrpRelocations[] = {
    {R_X86_64_64, 8, false, false},  {R_X86_64_PC64, 8, true, true}, {R_X86_64_PC32, 4, true, true},
    {R_X86_64_PLT32, 4, true, true}, {R_X86_64_32, 4, false, false}, {R_X86_64_32S, 4, false, true},
};

static const LDRP_RELOCATION *LdrpRelocationOfType(ULONG Type)
{
    for (ULONG Index = 0; Index < ARRAYSIZE(LdrpRelocations); Index++) {
        if (LdrpRelocations[Index].Type == Type) {
            return &LdrpRelocations[Index];
        }
    }
    return NULL;
}

static bool LdrpFits(const LDRP_RELOCATION *Kind, ULONG64 Value)
{
    return Kind->Width == 8 || (Kind->Signed ? (LONG64)Value == (LONG)Value : Value == (ULONG)Value);
}

/* Applies one relocation to the section that lies at Range. */
static NTSTATUS LdrpRelocate(const LDRP_LOAD *Load, LDR_ELF_RANGE Range, const ELF64_RELOCATION *Relocation)
{
    ULONG Type = ELF_RELOCATION_TYPE(Relocation->Info);
    const LDRP_RELOCATION *Kind = LdrpRelocationOfType(Type);
    ULONG64 Value;

    if (Type == R_X86_64_NONE) {
        return STATUS_SUCCESS;
    }
    if (Kind == NULL) {
        return LdrpProblem(Load->Module, STATUS_NOT_SUPPORTED, "relocation of unknown type", Type);
    }
    if (!LdrpIsWithin(Relocation->Offset, Kind->Width, Range.Size)) {
        return LdrpProblem(Load->Module, STATUS_INVALID_IMAGE_FORMAT, "relocation outside its section",
                           Relocation->Offset);
    }
    NTSTATUS Status = LdrpSymbolAddress(Load, ELF_RELOCATION_SYMBOL(Relocation->Info), &Value);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    ULONG64 Place = Range.Offset + Relocation->Offset;
    Value += (ULONG64)Relocation->Addend;
    if (Kind->Relative) {
        Value -= Load->RunBase + Place;
    }
    if (!LdrpFits(Kind, Value)) {
        return LdrpProblem(Load->Module, STATUS_ILLEGAL_FUNCTION, "relocated value does not fit, at offset",
                           Place);
    }
    memcpy(Load->WriteBase + Place, &Value, Kind->Width); /* little-endian: the low bytes come first */
    return STATUS_SUCCESS;
}

/* A table of relocations of a loaded section: its own shape, and that it is the only one of that section. */
static NTSTATUS LdrpCheckRelocations(PLDR_ELF_MODULE Module, const ELF64_SECTION_HEADER *Section, ULONG Index,
                                     const LDR_ELF_PLACED *Placed)
{
    if (Section->Type == ELF_SECTION_REL) {
        return LdrpProblem(Module, STATUS_NOT_SUPPORTED, "relocations without addends in section", Index);
    }
    if (Section->EntrySize != sizeof(ELF64_RELOCATION) || Section->Size % sizeof(ELF64_RELOCATION) != 0 ||
        Section->Link != Module->SymbolSection || Placed->Relocated ||
        LdrpSection(Module, Section->Info).Type == ELF_SECTION_NOBITS) {
        return LdrpProblem(Module, STATUS_INVALID_IMAGE_FORMAT, "bad relocations in section", Index);
    }
    return STATUS_SUCCESS;
}

/* Applies the relocations that section Index holds, if it holds any of a loaded section. */
static NTSTATUS LdrpRelocateSection(const LDRP_LOAD *Load, ULONG Index)
{
    PLDR_ELF_MODULE Module = Load->Module;
    ELF64_SECTION_HEADER Section = LdrpSection(Module, Index);
    ELF64_RELOCATION Relocation;

    if (Section.Type != ELF_SECTION_RELA && Section.Type != ELF_SECTION_REL) {
        return STATUS_SUCCESS;
    }
    PLDR_ELF_PLACED Placed = LdrpFindPlaced(Module, Section.Info);
    if (Placed == NULL) {
        return STATUS_SUCCESS;
    }
    NTSTATUS Status = LdrpCheckRelocations(Module, &Section, Index, Placed);
    Placed->Relocated = TRUE;
    for (ULONG64 Offset = 0; NT_SUCCESS(Status) && Offset < Section.Size; Offset += sizeof(Relocation)) {
        memcpy(&Relocation, Module->File + Section.Offset + Offset, sizeof(Relocation));
        Status = LdrpRelocate(Load, Placed->Range, &Relocation);
    }
    return Status;
}

NTSTATUS LdrLoadElfModule(PLDR_ELF_MODULE Module, PVOID WriteBase, ULONG64 RunBase,
                          const LDR_ELF_IMPORTS *Imports)
{
    LDRP_LOAD Load = {Module, WriteBase, RunBase, Imports};
    NTSTATUS Status = LdrpCheckImports(&Load);

    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    for (ULONG Index = 0; Index < Module->PlacedCount; Index++) {
        Module->Placed[Index].Relocated = FALSE;
    }
    LdrpCopySections(&Load);
    for (ULONG Index = 1; NT_SUCCESS(Status) && Index < Module->SectionCount; Index++) {
        Status = LdrpRelocateSection(&Load, Index);
    }
    return Status;
}
