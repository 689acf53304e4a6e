/* SPDX-License-Identifier: MIT */
/*
 * Back-traces by frame pointers. Entry code links each trap frame into the chain (traps.asm) and ends it at
 * user mode. Nothing here faults: each link is looked up in the page tables before it is read.
 */
#include "arch/x86_64/archp.h"

/* [Address, Address + Size), which spans two pages at most, is mapped kernel memory. */
static bool ArchpIsReadable(uintptr_t Address, SIZE_T Size)
{
    ULONG First, Last;
    return Address >= ARCH_DIRECT_MAP && Address + Size > Address &&
           ArchQueryPage(ArchKernelPageTables(), Address, NULL, &First) &&
           ArchQueryPage(ArchKernelPageTables(), Address + Size - 1, NULL, &Last) &&
           (First & Last & ARCH_PAGE_READ) != 0;
}

static bool IsLink(uintptr_t Rbp)
{
    return (Rbp & 7) == 0 && ArchpIsReadable(Rbp, 2 * sizeof(uint64_t));
}

/* The first address is kept whatever it is: a call through a null pointer is worth its callers. */
ULONG ArchBackTrace(ULONG64 Rip, ULONG64 Rbp, ULONG64 *Addresses, ULONG Count)
{
    ULONG Stored = 0;
    while (Stored < Count && (Stored == 0 || Rip != 0)) {
        Addresses[Stored++] = Rip;
        if (!IsLink(Rbp)) {
            break;
        }
        const uint64_t *Link = (const uint64_t *)Rbp;
        Rbp = Link[0];
        Rip = Link[1];
    }
    return Stored;
}

ULONG ArchCaptureBackTrace(ULONG64 *Addresses, ULONG Count)
{
    const uint64_t *Link = __builtin_frame_address(0);
    return ArchBackTrace(Link[1], Link[0], Addresses, Count);
}
