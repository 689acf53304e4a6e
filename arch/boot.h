/* SPDX-License-Identifier: MIT */
/*
 * What the machine learned from the boot loader, in one form whatever the protocol was. All pointers are
 * direct-map addresses; the memory that they lie in is marked in the map and stays.
 */
#ifndef PRIMER_BOOT_H
#define PRIMER_BOOT_H

#include <ntdef.h>

#define BOOT_MAX_RANGES   256
#define BOOT_MAX_ARCHIVES 16

typedef enum _BOOT_MEMORY_TYPE {
    BootMemoryFree,      /* page frames for everybody */
    BootMemoryReserved,  /* RAM in use for ever: kernel image, first page tables, boot information */
    BootMemoryArchive,   /* RAM that holds an archive; its pages are mapped by sections in place */
    BootMemoryAcpi,      /* RAM with ACPI tables: in the direct map, never allocated */
} BOOT_MEMORY_TYPE;

typedef struct _BOOT_MEMORY_RANGE {
    ULONG64 Base; /* bytes, page aligned */
    ULONG64 Size; /* bytes, a multiple of the page size */
    BOOT_MEMORY_TYPE Type;
} BOOT_MEMORY_RANGE;

typedef struct _BOOT_ARCHIVE {
    const UCHAR *Data; /* page aligned */
    SIZE_T Size;
} BOOT_ARCHIVE;

struct _BOOT_INFORMATION {
    const char *LoaderName;  /* "GRUB 2.06 (multiboot2)", "PVH" ... */
    char CommandLine[2048];  /* NUL-terminated; CommandLineTruncated when longer */
    BOOLEAN CommandLineTruncated;
    ULONG64 AcpiRsdp;        /* physical address of the RSDP, 0 when the loader gave none */
    ULONG RangeCount;        /* sorted by base, disjoint */
    BOOT_MEMORY_RANGE Range[BOOT_MAX_RANGES];
    ULONG ArchiveCount;      /* in the order in which the loader gave them */
    BOOT_ARCHIVE Archive[BOOT_MAX_ARCHIVES];
    ULONG64 StartCycles;     /* time-stamp counter at the kernel's first instruction */
};

#endif
