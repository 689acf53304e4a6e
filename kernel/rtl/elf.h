/* SPDX-License-Identifier: MIT */
/*
 * ELF64 on disk: the structures and numbers of the generic ABI (gABI) and its AMD64 supplement that the
 * loaders need. Files come from anywhere: copy a structure out (memcpy) before looking at it, for it may lie
 * unaligned.
 */
#pragma once

#include <ntdef.h>

typedef struct _ELF64_HEADER {
    UCHAR Ident[16];
    USHORT Type;
    USHORT Machine;
    ULONG Version;
    ULONG64 Entry;
    ULONG64 ProgramHeaderOffset;
    ULONG64 SectionHeaderOffset;
    ULONG Flags;
    USHORT HeaderSize;
    USHORT ProgramHeaderSize;
    USHORT ProgramHeaderCount;
    USHORT SectionHeaderSize;
    USHORT SectionHeaderCount;
    USHORT SectionNameIndex;
} ELF64_HEADER;

typedef struct _ELF64_PROGRAM_HEADER {
    ULONG Type;
    ULONG Flags;
    ULONG64 Offset;
    ULONG64 VirtualAddress;
    ULONG64 PhysicalAddress;
    ULONG64 FileSize;
    ULONG64 MemorySize;
    ULONG64 Alignment;
} ELF64_PROGRAM_HEADER;

typedef struct _ELF64_SECTION_HEADER {
    ULONG Name;
    ULONG Type;
    ULONG64 Flags;
    ULONG64 Address;
    ULONG64 Offset;
    ULONG64 Size;
    ULONG Link;
    ULONG Info;
    ULONG64 Alignment;
    ULONG64 EntrySize;
} ELF64_SECTION_HEADER;

typedef struct _ELF64_SYMBOL {
    ULONG Name;
    UCHAR Info;
    UCHAR Other;
    USHORT Section;
    ULONG64 Value;
    ULONG64 Size;
} ELF64_SYMBOL;

typedef struct _ELF64_RELOCATION {
    ULONG64 Offset;
    ULONG64 Info;
    LONG64 Addend;
} ELF64_RELOCATION;

typedef struct _ELF64_NOTE {
    ULONG NameSize;
    ULONG DescriptorSize;
    ULONG Type;
} ELF64_NOTE;

C_ASSERT(sizeof(ELF64_HEADER) == 64 && sizeof(ELF64_PROGRAM_HEADER) == 56 &&
         sizeof(ELF64_SECTION_HEADER) == 64);
C_ASSERT(sizeof(ELF64_SYMBOL) == 24 && sizeof(ELF64_RELOCATION) == 24 && sizeof(ELF64_NOTE) == 12);

/* [Offset, Offset + Size) lies within [0, Limit). */
static inline bool LdrpIsWithin(ULONG64 Offset, ULONG64 Size, ULONG64 Limit)
{
    return Offset <= Limit && Size <= Limit - Offset;
}

/* Ident */
#define ELF_IDENT_CLASS   4
#define ELF_IDENT_DATA    5
#define ELF_IDENT_VERSION 6
#define ELF_CLASS_32      1
#define ELF_CLASS_64      2
#define ELF_DATA_LITTLE   1

/* Type, Machine, Version */
#define ELF_TYPE_RELOCATABLE 1
#define ELF_TYPE_EXECUTABLE  2
#define ELF_TYPE_SHARED      3
#define ELF_MACHINE_X86_64   62
#define ELF_VERSION_CURRENT  1

/* Program headers */
#define ELF_SEGMENT_LOAD                   1
#define ELF_SEGMENT_INTERPRETER            3
#define ELF_SEGMENT_NOTE                   4
#define ELF_SEGMENT_TLS                    7
#define ELF_SEGMENT_GNU_STACK              0x6474E551
#define ELF_SEGMENT_EXECUTE                1
#define ELF_SEGMENT_WRITE                  2
#define ELF_SEGMENT_READ                   4
#define ELF_PROGRAM_HEADER_COUNT_ELSEWHERE 0xFFFF

/* Sections */
#define ELF_SECTION_SYMBOLS       2
#define ELF_SECTION_STRINGS       3
#define ELF_SECTION_RELA          4
#define ELF_SECTION_NOBITS        8
#define ELF_SECTION_REL           9
#define ELF_SECTION_INIT_ARRAY    14
#define ELF_SECTION_FINI_ARRAY    15
#define ELF_SECTION_PREINIT_ARRAY 16
#define ELF_SECTION_WRITE         1
#define ELF_SECTION_ALLOCATE      2
#define ELF_SECTION_EXECUTE       4
#define ELF_SECTION_TLS           0x400
#define ELF_SECTION_COMPRESSED    0x800
#define ELF_SECTION_UNDEFINED     0
#define ELF_SECTION_RESERVED      0xFF00
#define ELF_SECTION_ABSOLUTE      0xFFF1

/* Symbols */
#define ELF_SYMBOL_BINDING(Info) ((Info) >> 4)
#define ELF_SYMBOL_TYPE(Info)    ((Info)&15)
#define ELF_BINDING_GLOBAL       1
#define ELF_BINDING_WEAK         2
#define ELF_SYMBOL_OBJECT        1
#define ELF_SYMBOL_FUNCTION      2

/* Relocations: S the symbol's address, A the addend, P the address of the place that is changed */
#define ELF_RELOCATION_SYMBOL(Info) ((ULONG)((Info) >> 32))
#define ELF_RELOCATION_TYPE(Info)   ((ULONG)(Info))
#define R_X86_64_NONE               0
#define R_X86_64_64                 1  /* S + A, 64 bits */
#define R_X86_64_PC32               2  /* S + A - P, 32 bits, signed */
#define R_X86_64_PLT32              4  /* the same: no procedure linkage table here */
#define R_X86_64_32                 10 /* S + A, 32 bits, unsigned */
#define R_X86_64_32S                11 /* S + A, 32 bits, signed */
#define R_X86_64_PC64               24 /* S + A - P, 64 bits */
