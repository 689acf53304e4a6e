/* SPDX-License-Identifier: MIT */
/*
 * Boot archives: cpio in its "newc" form, one or several in a blob, zeros between and behind them.
 *
 * Pure: no allocation, no lock; any IRQL at which the blob may be read. A hostile blob gets a status; every
 * pointer that an entry holds lies within it.
 */
#pragma once

#include <ntdef.h>
#include <ntstatus.h>

/* The file type in Mode. */
#define CPIO_MODE_TYPE      0170000
#define CPIO_MODE_DIRECTORY 0040000

typedef struct _CPIO_READER {
    const UCHAR *Blob;
    SIZE_T Size;
    SIZE_T Archive; /* where the current archive starts: its parts are aligned relative to that */
    SIZE_T Next;    /* where the next header, or the padding between archives, is */
    BOOLEAN Inside; /* of an archive: zeros are no padding here */
} CPIO_READER, *PCPIO_READER;

typedef struct _CPIO_ENTRY {
    PCSTR Name;        /* NUL-terminated, without leading "/" and "./"; "." for the root itself */
    const UCHAR *Data; /* of a symbolic link: its target, not NUL-terminated */
    SIZE_T DataSize;   /* of hard links all but the last have no data */
    ULONG Mode;
    ULONG ModificationTime; /* seconds since 1970 */
} CPIO_ENTRY, *PCPIO_ENTRY;

/* Starts at the beginning of a blob of Size bytes. */
VOID CpioStart(_Out_ PCPIO_READER Reader, _In_reads_bytes_(Size) const VOID *Blob, SIZE_T Size);

/*
 * Reads the next entry; ends of archives are passed over in silence.
 *
 *   STATUS_NO_MORE_ENTRIES   the end of the blob, all well
 *   STATUS_DATA_ERROR        what should be a header is none, or contradicts itself
 *   STATUS_END_OF_FILE       an entry, or an archive without its trailer, goes beyond the end of the blob
 *
 * After an error Reader->Next tells where the bad header is, and the same error comes again.
 */
_Must_inspect_result_ NTSTATUS CpioNext(_Inout_ PCPIO_READER Reader, _Out_ PCPIO_ENTRY Entry);
