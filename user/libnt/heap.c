/* SPDX-License-Identifier: MIT */
/*
 * The heap: blocks in sizes of powers of two, each size with a list of free ones, cut from 64 KiB pieces of
 * virtual memory. What exceeds half a piece is an allocation of its own and goes back to the system when it
 * is freed. One lock guards all lists.
 */
#include "libnt.h"

#include "kernel/rtl/rtl.h"

#define PIECE_SIZE     0x10000
#define SMALLEST_SHIFT 5
#define LARGEST_SHIFT  15
#define LARGE_BLOCK    0xFF
#define HEADER_SIZE    16 /* keeps what follows aligned for any type */

typedef union _HEAP_BLOCK {
    struct {
        ULONG Shift; /* of its size, or LARGE_BLOCK */
        ULONG Used;  /* freeing twice is caught */
    };
    UCHAR Header[HEADER_SIZE];
} HEAP_BLOCK, *PHEAP_BLOCK;

#define BLOCK_IN_USE 0x64657375 /* "used" */

/* A free block's link stands where the caller's data was. */
static PHEAP_BLOCK HeapFreeLists[LARGEST_SHIFT + 1];
static PUCHAR HeapPiece, HeapPieceEnd;
static volatile LONG HeapLock;

static VOID AcquireHeap(VOID)
{
    while (InterlockedExchange(&HeapLock, 1) != 0) {
        NtYieldExecution();
    }
}

static VOID ReleaseHeap(VOID)
{
    WriteRelease(&HeapLock, 0);
}

static PHEAP_BLOCK *LinkOf(PHEAP_BLOCK Block)
{
    return (PHEAP_BLOCK *)(Block + 1);
}

static PVOID AllocatePages(SIZE_T Size)
{
    PVOID Base = NULL;
    NTSTATUS Status = NtAllocateVirtualMemory(NtCurrentProcess(), &Base, 0, &Size, MEM_RESERVE | MEM_COMMIT,
                                              PAGE_READWRITE);
    return NT_SUCCESS(Status) ? Base : NULL;
}

/* A block from the current piece, or from a new one; what is left of the old piece is given up. Lock held. */
static PHEAP_BLOCK CutBlock(SIZE_T Size)
{
    if ((SIZE_T)(HeapPieceEnd - HeapPiece) < Size) {
        PUCHAR Piece = AllocatePages(PIECE_SIZE);
        if (Piece == NULL) {
            return NULL;
        }
        HeapPiece = Piece;
        HeapPieceEnd = Piece + PIECE_SIZE;
    }
    PHEAP_BLOCK Block = (PHEAP_BLOCK)HeapPiece;
    HeapPiece += Size;
    return Block;
}

static PHEAP_BLOCK AllocateSmall(ULONG Shift)
{
    AcquireHeap();
    PHEAP_BLOCK Block = HeapFreeLists[Shift];
    if (Block != NULL) {
        HeapFreeLists[Shift] = *LinkOf(Block);
    } else {
        Block = CutBlock((SIZE_T)1 << Shift);
    }
    ReleaseHeap();
    return Block;
}

PVOID HeapAllocate(SIZE_T Size)
{
    if (Size > SIZE_MAX / 2) {
        return NULL;
    }
    SIZE_T Total = Size + HEADER_SIZE;
    ULONG Shift = SMALLEST_SHIFT;
    while (Shift <= LARGEST_SHIFT && ((SIZE_T)1 << Shift) < Total) {
        Shift++;
    }

    BOOLEAN Large = Shift > LARGEST_SHIFT;
    PHEAP_BLOCK Block = Large ? AllocatePages(Total) : AllocateSmall(Shift);
    if (Block == NULL) {
        return NULL;
    }
    Block->Shift = Large ? LARGE_BLOCK : Shift;
    Block->Used = BLOCK_IN_USE;
    return Block + 1;
}

VOID HeapFree(PVOID Memory)
{
    if (Memory == NULL) {
        return;
    }
    PHEAP_BLOCK Block = (PHEAP_BLOCK)Memory - 1;
    if (Block->Used != BLOCK_IN_USE) {
        __builtin_trap(); /* freed twice, or overwritten: to go on would only spread the damage */
    }
    Block->Used = 0;
    if (Block->Shift == LARGE_BLOCK) {
        PVOID Base = Block;
        SIZE_T Whole = 0;
        NtFreeVirtualMemory(NtCurrentProcess(), &Base, &Whole, MEM_RELEASE);
        return;
    }
    AcquireHeap();
    *LinkOf(Block) = HeapFreeLists[Block->Shift];
    HeapFreeLists[Block->Shift] = Block;
    ReleaseHeap();
}
