/* SPDX-License-Identifier: MIT */
/*
 * Kernel modules: relocatable ELF64 objects, laid out, copied and relocated.
 *
 * Two passes. LdrParseElfModule checks the file and lays it out; the caller allocates Size bytes of pages at
 * an address in the kernel's 2 GiB; LdrLoadElfModule copies and relocates, writing at one address what will
 * run at another; the caller sets the protection of the groups. Pure: no allocation, no lock; any IRQL at
 * which the file may be read. A hostile file gets a status and never makes a write outside the allocation.
 * The file must stay as it is while the description is in use.
 */
#pragma once

#include <ntdef.h>
#include <ntstatus.h>

#define LDR_ELF_MODULE_MAXIMUM_SECTIONS 256 /* that are loaded */
#define LDR_ELF_MODULE_MAXIMUM_SIZE     (64UL << 20)

/* What becomes of the pages: read-execute, read-only, read-write. Any group may be empty. */
typedef enum _LDR_ELF_GROUP {
    LdrElfText,
    LdrElfRodata,
    LdrElfData,
    LdrElfGroupCount
} LDR_ELF_GROUP;

/* A range of the module in memory, counted from its first byte. */
typedef struct _LDR_ELF_RANGE {
    ULONG64 Offset;
    ULONG64 Size;
} LDR_ELF_RANGE;

/* A section that is loaded. */
typedef struct _LDR_ELF_PLACED {
    ULONG Section;
    LDR_ELF_GROUP Group;
    BOOLEAN Relocated;
    LDR_ELF_RANGE Range;
} LDR_ELF_PLACED, *PLDR_ELF_PLACED;

/* 8 KiB: not for a kernel stack. The last part belongs to elfmodule.c. */
typedef struct _LDR_ELF_MODULE {
    ULONG64 Size; /* of all three groups, in whole pages */
    LDR_ELF_RANGE Groups[LdrElfGroupCount];
    ULONG64 EntryOffset; /* of DriverEntry */

    PCSTR Problem;        /* after a failure: what is wrong, in English, */
    ULONG64 ProblemValue; /* and the number that belongs to it */

    const UCHAR *File;
    SIZE_T FileSize;
    ULONG64 SectionHeaders;
    ULONG SectionCount;
    LDR_ELF_RANGE SectionNames;
    ULONG SymbolSection;
    ULONG64 Symbols;
    ULONG64 SymbolCount;
    LDR_ELF_RANGE SymbolNames;
    ULONG PlacedCount;
    LDR_ELF_PLACED Placed[LDR_ELF_MODULE_MAXIMUM_SECTIONS];
} LDR_ELF_MODULE, *PLDR_ELF_MODULE;

/* Where undefined symbols come from. */
typedef struct _LDR_ELF_IMPORTS {
    BOOLEAN (*Resolve)(PVOID Context, PCSTR Name, PULONG64 Address); /* FALSE: no such export */
    VOID (*Unresolved)(PVOID Context, PCSTR Name); /* once for each name that is missing; may be NULL */
    PVOID Context;
} LDR_ELF_IMPORTS;

/*
 * Checks the module of Size bytes at File and computes its layout.
 *
 *   STATUS_INVALID_IMAGE_NOT_MZ     no ELF file at all
 *   STATUS_INVALID_IMAGE_FORMAT     no relocatable object for this machine; contradictory headers
 *   STATUS_END_OF_FILE              something lies beyond the end of the file
 *   STATUS_NOT_SUPPORTED            needs what kernel modules do not have: thread-local storage,
 *                                   constructors, pages that are writable and executable, common symbols
 *   STATUS_SECTION_TOO_BIG, STATUS_INSUFFICIENT_RESOURCES   beyond the limits above
 *   STATUS_PROCEDURE_NOT_FOUND      no DriverEntry
 */
_Must_inspect_result_ NTSTATUS LdrParseElfModule(_In_reads_bytes_(Size) const VOID *File, SIZE_T Size,
                                                 _Out_ PLDR_ELF_MODULE Module);

/*
 * Fills the Module->Size bytes at WriteBase as they have to be at RunBase (page-aligned both, and often the
 * same). Every undefined symbol is looked up before anything is written; what is missing is reported, weak
 * ones excepted, which are 0.
 *
 *   STATUS_ENTRYPOINT_NOT_FOUND     undefined symbols remain; nothing has been written
 *   STATUS_INVALID_IMAGE_FORMAT     a relocation lies outside its section, refers to what is not loaded ...
 *   STATUS_NOT_SUPPORTED            a relocation of a kind that code of model "kernel" does not have
 *   STATUS_ILLEGAL_FUNCTION         a relocated value does not fit: the symbol is too far away from RunBase
 */
_Must_inspect_result_ NTSTATUS LdrLoadElfModule(_Inout_ PLDR_ELF_MODULE Module, PVOID WriteBase,
                                                ULONG64 RunBase, const LDR_ELF_IMPORTS *Imports);

/* Finds a loaded section by its name; FALSE when there is none. */
BOOLEAN LdrFindElfModuleSection(const LDR_ELF_MODULE *Module, PCSTR Name, LDR_ELF_RANGE *Range);

/* Calls Visit for each named function or label of the text and each named variable, in no order. The name
   stays in the file. */
VOID LdrVisitElfModuleSymbols(const LDR_ELF_MODULE *Module,
                              VOID (*Visit)(PVOID Context, PCSTR Name, ULONG64 Offset), PVOID Context);
