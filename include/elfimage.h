/* SPDX-License-Identifier: MIT */
/*
 * Program images: an ELF64 executable's headers, checked and boiled down to what a loader needs.
 *
 * Pure: no allocation, no lock, no mapping; any IRQL at which the buffer may be read. A hostile file gets a
 * status, never a fault and never a segment outside the limits. Native processes and the handler modules both
 * build on it.
 */
#pragma once

#include <ntdef.h>
#include <ntstatus.h>

#define LDR_ELF_MAXIMUM_SEGMENTS 32

/* Protection of a segment. */
#define LDR_ELF_EXECUTE 1
#define LDR_ELF_WRITE   2
#define LDR_ELF_READ    4

/* Addresses are those of the file: what runs is at address + bias (see LDR_ELF_IMAGE). */
typedef struct _LDR_ELF_SEGMENT {
    ULONG64 Start, End; /* the pages that it touches: [Start, End) */
    ULONG64 Address;    /* first byte; Start plus the offset in the page */
    ULONG64 MemorySize; /* bytes of memory, not 0; what exceeds FileSize is zero */
    ULONG64 FileOffset; /* of the byte at Address; modulo the page size equal to it, unless FileSize is 0 */
    ULONG64 FileSize;   /* within the file */
    ULONG Protection;   /* LDR_ELF_* */
    BOOLEAN SharesPage; /* Start is the last page of the segment before: that page has the bytes of both */
} LDR_ELF_SEGMENT, *PLDR_ELF_SEGMENT;

typedef struct _LDR_ELF_IMAGE {
    ULONG SegmentCount;                                 /* at least 1 */
    LDR_ELF_SEGMENT Segments[LDR_ELF_MAXIMUM_SEGMENTS]; /* by ascending address */
    ULONG64 Start, End; /* the pages from the first segment to the last: [Start, End), holes included */
    ULONG64 Entry;      /* within a segment */

    /* TRUE (static PIE): may be loaded with any page-aligned bias, and aligned to Alignment, that keeps
       [Start, End) within the limits. FALSE: the bias is 0. */
    BOOLEAN PositionIndependent;
    ULONG64 Alignment; /* the greatest of any segment, at least PAGE_SIZE */

    ULONG64 ProgramHeaders; /* where the program finds its program headers in memory (AT_PHDR); 0: nowhere */
    USHORT ProgramHeaderCount;
    USHORT ProgramHeaderSize;

    BOOLEAN Native; /* carries the note "Primer", type 1 */
    ULONG64 ApcDispatcher, ExceptionDispatcher; /* from that note, unchecked; 0: it has none */
    BOOLEAN HasInterpreter;
    ULONG64 InterpreterOffset; /* of its path in the file, and the path's size (with NUL); within the file */
    ULONG64 InterpreterSize;
    BOOLEAN ExecutableStack; /* PT_GNU_STACK is there, and asks for it */
} LDR_ELF_IMAGE, *PLDR_ELF_IMAGE;

/* Where an image may lie: whole pages, [Lowest, Highest). */
typedef struct _LDR_ELF_LIMITS {
    ULONG64 Lowest;
    ULONG64 Highest;
} LDR_ELF_LIMITS;

/*
 * Parses the executable of FileSize bytes whose first BufferSize are at Buffer. The buffer has to reach to
 * the end of the program headers; notes that lie beyond it are not seen. Nothing in the buffer is read twice,
 * so that a file which changes meanwhile does no harm. *Image is undefined unless STATUS_SUCCESS.
 *
 *   STATUS_INVALID_IMAGE_NOT_MZ     no ELF file at all (too short, other magic)
 *   STATUS_INVALID_IMAGE_WIN_32     an ELF file for 32 bits
 *   STATUS_INVALID_IMAGE_FORMAT     another machine or kind; contradictory or unsupported headers
 *   STATUS_END_OF_FILE              something lies beyond the end of the file, or headers beyond the buffer
 *   STATUS_CONFLICTING_ADDRESSES    segments overlap, are not in order, or lie outside the limits
 *   STATUS_INSUFFICIENT_RESOURCES   more than LDR_ELF_MAXIMUM_SEGMENTS segments
 */
_Must_inspect_result_ NTSTATUS LdrParseElfImage(_In_reads_bytes_(BufferSize) const VOID *Buffer,
                                                SIZE_T BufferSize, ULONG64 FileSize,
                                                const LDR_ELF_LIMITS *Limits, _Out_ PLDR_ELF_IMAGE Image);

/*
 * Fills one page of memory as the image has it: file bytes, and zeros around them, of all segments that touch
 * the page whose address in the file's terms is PageAddress. For loaders that cannot map the page in place:
 * the last page of initialised data, a shared page, a file that does not start on a page boundary. File holds
 * the whole file that was parsed. Returns the union of the segments' protections; 0 (and a page of zeros)
 * where no segment is.
 */
ULONG LdrReadElfImagePage(const LDR_ELF_IMAGE *Image, const VOID *File, ULONG64 PageAddress,
                          _Out_writes_bytes_(PAGE_SIZE) PVOID Page);
