/* SPDX-License-Identifier: MIT */
/*
 * Memory, without a fault: each page is looked up in the page tables, and reached through the direct map of
 * physical memory. What may not be written there (the kernel's text) is written through a window of the
 * stub's own, one page, whose entry is changed for that long on the one processor that runs.
 *
 * Device registers are not in the direct map: they cannot be read.
 */
#include "stub.h"

#define KERNEL_HALF 0xffff800000000000UL
#define USER_END    0x0000800000000000UL

static UCHAR Window[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE))); /* (o) */
static volatile ULONG64 *WindowEntry;                               /* (c) the page-table entry of the window */
static ULONG64 KernelTables;                                        /* (c) any process's have the same kernel half */

/* ---- Page tables ---- */

/* The entry that maps an address, and how many bits of it lie within the page; NULL: nothing is there. */
static volatile ULONG64 *FindEntry(ULONG64 Root, ULONG64 Address, ULONG *Bits)
{
    ULONG64 Table = Root;
    if (Address >= USER_END && Address < KERNEL_HALF) {
        return NULL;
    }
    for (ULONG Shift = 39;; Shift -= 9) {
        volatile ULONG64 *Entry = (volatile ULONG64 *)(Table + KD_DIRECT_MAP) + (Address >> Shift & 511);
        if (!(*Entry & PTE_PRESENT)) {
            return NULL;
        }
        if (Shift == 12 || (Shift < 39 && (*Entry & PTE_LARGE))) {
            *Bits = Shift;
            return Entry;
        }
        Table = *Entry & PTE_ADDRESS;
    }
}

/* Where an address is in physical memory, and whether its own mapping may be written. FALSE: nowhere. */
static bool Translate(ULONG64 Root, ULONG64 Address, ULONG64 *Physical, bool *Writable)
{
    ULONG Bits;
    volatile ULONG64 *Entry = FindEntry(Root, Address, &Bits);
    if (Entry == NULL) {
        return false;
    }
    ULONG64 Inside = (1UL << Bits) - 1;
    *Physical = (*Entry & PTE_ADDRESS & ~Inside) | (Address & Inside);
    *Writable = (*Entry & PTE_WRITE) != 0;
    return true;
}

/* A physical address in the direct map; NULL where there is no RAM. */
static VOID *Direct(ULONG64 Physical, bool *Writable)
{
    ULONG64 Same, Address = Physical + KD_DIRECT_MAP;
    return Translate(KernelTables, Address, &Same, Writable) ? (VOID *)Address : NULL;
}

static SIZE_T LeftInPage(ULONG64 Address, SIZE_T Size)
{
    SIZE_T Left = PAGE_SIZE - (Address & (PAGE_SIZE - 1));
    return Size < Left ? Size : Left;
}

bool StubInitializeMemory(VOID)
{
    ULONG Bits;
    KernelTables = X86PageTables();
    WindowEntry = FindEntry(KernelTables, (ULONG64)Window, &Bits);
    return WindowEntry != NULL && Bits == 12;
}

/* ---- Reading ---- */

SIZE_T StubReadMemory(ULONG64 Root, ULONG64 Address, VOID *Buffer, SIZE_T Size)
{
    SIZE_T Done = 0;
    while (Done < Size) {
        ULONG64 Physical;
        bool Writable;
        SIZE_T Part = LeftInPage(Address + Done, Size - Done);
        const VOID *From = Translate(Root, Address + Done, &Physical, &Writable) ? Direct(Physical, &Writable) : NULL;
        if (From == NULL) {
            break;
        }
        X86Copy((UCHAR *)Buffer + Done, From, Part);
        Done += Part;
    }
    return Done;
}

bool StubReadKernel(ULONG64 Address, VOID *Buffer, SIZE_T Size)
{
    return Address >= KERNEL_HALF && StubReadMemory(KernelTables, Address, Buffer, Size) == Size;
}

bool StubIsReadable(const VOID *Address, SIZE_T Size)
{
    ULONG64 First = (ULONG64)Address, Physical;
    bool Writable;
    for (ULONG64 At = First; At < First + Size; At += LeftInPage(At, PAGE_SIZE)) {
        if (At < KERNEL_HALF || !Translate(KernelTables, At, &Physical, &Writable)) {
            return false;
        }
    }
    return First + Size >= First;
}

/* ---- Writing ---- */

static VOID WriteThroughWindow(ULONG64 Physical, const VOID *Data, SIZE_T Size)
{
    ULONG64 Before = *WindowEntry;
    *WindowEntry = (Before & ~PTE_ADDRESS) | (Physical & PTE_ADDRESS);
    X86Invalidate(Window);
    X86Copy(Window + (Physical & (PAGE_SIZE - 1)), Data, Size);
    *WindowEntry = Before;
    X86Invalidate(Window);
}

/* A page that a program may not write can be one that it shares with others, unknown to it. */
static bool WritePart(ULONG64 Root, ULONG64 Address, const VOID *Data, SIZE_T Size)
{
    ULONG64 Physical;
    bool Writable, DirectlyWritable;
    if (!Translate(Root, Address, &Physical, &Writable) || (Address < USER_END && !Writable)) {
        return false;
    }
    VOID *To = Direct(Physical, &DirectlyWritable);
    if (To == NULL) {
        return false;
    }
    if (DirectlyWritable) {
        X86Copy(To, Data, Size);
    } else {
        WriteThroughWindow(Physical, Data, Size);
    }
    return true;
}

bool StubWriteMemory(ULONG64 Root, ULONG64 Address, const VOID *Data, SIZE_T Size)
{
    for (SIZE_T Done = 0, Part; Done < Size; Done += Part) {
        Part = LeftInPage(Address + Done, Size - Done);
        if (!WritePart(Root, Address + Done, (const UCHAR *)Data + Done, Part)) {
            return false;
        }
    }
    return true;
}
