/* SPDX-License-Identifier: MIT */
/*
 * Structures of the boot protocols, as their specifications lay them out. What a loader wrote is not aligned
 * for certain.
 */
#ifndef PRIMER_LOADERS_H
#define PRIMER_LOADERS_H

#include <display.h>

#define MULTIBOOT_END          0
#define MULTIBOOT_COMMAND_LINE 1
#define MULTIBOOT_LOADER_NAME  2
#define MULTIBOOT_MODULE       3
#define MULTIBOOT_MEMORY_MAP   6
#define MULTIBOOT_FRAMEBUFFER  8
#define MULTIBOOT_ACPI_OLD     14
#define MULTIBOOT_ACPI_NEW     15

typedef struct __attribute__((packed)) _MULTIBOOT_INFO {
    uint32_t TotalSize;
    uint32_t Reserved;
} MULTIBOOT_INFO;

typedef struct __attribute__((packed)) _MULTIBOOT_TAG {
    uint32_t Type;
    uint32_t Size; /* with this header, without the padding to 8 bytes */
    union {
        char Text[0];
        struct {
            uint32_t Start, End;
        } Module[0];
        struct {
            uint32_t EntrySize, EntryVersion;
        } Map[0];
    };
} MULTIBOOT_TAG;

typedef struct __attribute__((packed)) _MULTIBOOT_FRAMEBUFFER_INFO {
    uint64_t Address;
    uint32_t Pitch, Width, Height;
    uint8_t BitsPerPixel, Kind;
    uint16_t Reserved;
    HAL_DISPLAY_COLOUR Red, Green, Blue; /* of MULTIBOOT_RGB */
} MULTIBOOT_FRAMEBUFFER_INFO;

#define MULTIBOOT_RGB  1
#define MULTIBOOT_TEXT 2

typedef struct __attribute__((packed)) _PVH_START {
    uint32_t Magic, Version, Flags, ModuleCount;
    uint64_t ModuleAddress, CommandLine, Rsdp;
    uint64_t MapAddress; /* from version 1 on */
    uint32_t MapCount, Reserved;
} PVH_START;

typedef struct __attribute__((packed)) _PVH_MODULE {
    uint64_t Address, Size, CommandLine, Reserved;
} PVH_MODULE;

/* Both protocols' memory map: ranges and types as the BIOS's E820 call reports them (ACPI 6.5, 15.1). */
typedef struct __attribute__((packed)) _LOADER_RANGE {
    uint64_t Base, Size;
    uint32_t Type, Reserved;
} LOADER_RANGE;

#endif
