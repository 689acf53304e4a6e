/* SPDX-License-Identifier: MIT */
/*
 * What the starting processor leaves in the trampoline's page for the started one (boot/trampoline.asm).
 */
#ifndef PRIMER_SMP_H
#define PRIMER_SMP_H

#include <ntdef.h>

typedef struct _ARCH_TRAMPOLINE {
    volatile uint32_t Progress;
    uint32_t BootRoot; /* page tables below 4 GiB that map the page where it is */
    uint32_t Efer;     /* bits to set */
    uint32_t Reserved;
    uint64_t Root; /* the kernel's page tables */
    uint64_t Stack;
    uint64_t Prcb;
    uint64_t Entry;
} ARCH_TRAMPOLINE;

#endif
