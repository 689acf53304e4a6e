/* SPDX-License-Identifier: MIT */
/*
 * The pool as a driver sees it: sizes and alignment, contents that stay, zeroing, flags, many threads at
 * once, blocks that are freed by another thread than allocated them, and memory that runs out and comes back.
 */
#include "../ktest.h"

#define TAG 'tseT'

/* ---- One thread ---- */

static const SIZE_T Sizes[] = {1,    8,    15,   16,   17,   31,    32,    48,    100,  256,
                               500,  512,  1000, 1024, 1361, 2000,  2016,  2017,  2047, 2048,
                               2049, 4064, 4095, 4096, 4097, 10000, 65536, 300001};

static BOOLEAN HoldsOnly(const UCHAR *Bytes, SIZE_T Size, UCHAR Value)
{
    for (SIZE_T i = 0; i < Size; i++) {
        if (Bytes[i] != Value) {
            return FALSE;
        }
    }
    return TRUE;
}

/* Every size at the same time, each filled with its own value: no two blocks share a byte. */
static PCSTR SizesAndAlignment(VOID)
{
    PUCHAR Block[RTL_NUMBER_OF(Sizes)];

    for (ULONG i = 0; i < RTL_NUMBER_OF(Sizes); i++) {
        Block[i] = ExAllocatePoolWithTag(NonPagedPool, Sizes[i], TAG);
        KTEST_CHECK(Block[i] != NULL);
        KTEST_CHECK(((ULONG_PTR)Block[i] & 15) == 0);
        KTEST_CHECK(Sizes[i] < PAGE_SIZE || BYTE_OFFSET(Block[i]) == 0);
        RtlFillMemory(Block[i], Sizes[i], (UCHAR)(i + 1));
    }
    for (ULONG i = 0; i < RTL_NUMBER_OF(Sizes); i++) {
        KTEST_CHECK(HoldsOnly(Block[i], Sizes[i], (UCHAR)(i + 1)));
        ExFreePoolWithTag(Block[i], TAG);
    }
    return NULL;
}

/* Memory that was full of something else comes back zeroed. */
static PCSTR Zeroed(VOID)
{
    for (ULONG Round = 0; Round < 3; Round++) {
        for (ULONG i = 0; i < RTL_NUMBER_OF(Sizes); i++) {
            PUCHAR Block = ExAllocatePool2(POOL_FLAG_NON_PAGED, Sizes[i], TAG);
            KTEST_CHECK(Block != NULL && HoldsOnly(Block, Sizes[i], 0));
            RtlFillMemory(Block, Sizes[i], 0xEE);
            ExFreePoolWithTag(Block, TAG);
        }
    }
    return NULL;
}

static PCSTR Flags(VOID)
{
    KTEST_CHECK(ExAllocatePool2(0, 16, TAG) == NULL);
    KTEST_CHECK(ExAllocatePool2(POOL_FLAG_UNINITIALIZED, 16, TAG) == NULL);
    KTEST_CHECK(ExAllocatePool2(POOL_FLAG_NON_PAGED | POOL_FLAG_PAGED, 16, TAG) == NULL);
    KTEST_CHECK(ExAllocatePool2(POOL_FLAG_NON_PAGED | 0x80000000ULL, 16, TAG) == NULL);
    PVOID Optional = ExAllocatePool2(POOL_FLAG_NON_PAGED | 0x8000000000000000ULL, 16, TAG);
    PVOID Paged = ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_UNINITIALIZED, 16, TAG);
    KTEST_CHECK(Optional != NULL && Paged != NULL && Optional != Paged);
    ExFreePool(Optional);
    ExFreePool(Paged);
    PVOID Empty = ExAllocatePoolWithTag(PagedPool, 0, TAG);
    KTEST_CHECK(Empty != NULL);
    ExFreePool(Empty);
    return NULL;
}

/* Allocation and freeing work at DISPATCH_LEVEL. */
static PCSTR AtDispatch(VOID)
{
    KIRQL Irql;
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    PVOID Small = ExAllocatePoolWithTag(NonPagedPoolNx, 100, TAG);
    PVOID Large = ExAllocatePoolWithTag(NonPagedPoolNx, 20000, TAG);
    BOOLEAN Both = Small != NULL && Large != NULL;
    if (Both) {
        ExFreePoolWithTag(Large, TAG);
        ExFreePoolWithTag(Small, TAG);
    }
    KeLowerIrql(Irql);
    KTEST_CHECK(Both);
    return NULL;
}

/* ---- Four threads ---- */

#define THREADS 4
#define SLOTS   200
#define ROUNDS  20000

typedef struct _SLOT {
    PUCHAR Block;
    ULONG Size;
    UCHAR Value;
} SLOT;

static volatile LONG Damage;

static ULONG Next(PULONG Seed)
{
    *Seed = *Seed * 1664525 + 1013904223;
    return *Seed >> 8;
}

static VOID FreeSlot(SLOT *Slot)
{
    if (Slot->Block != NULL && !HoldsOnly(Slot->Block, Slot->Size, Slot->Value)) {
        InterlockedIncrement(&Damage);
    }
    if (Slot->Block != NULL) {
        ExFreePoolWithTag(Slot->Block, TAG);
        Slot->Block = NULL;
    }
}

static VOID FillSlot(SLOT *Slot, PULONG Seed)
{
    Slot->Size = Next(Seed) % 50 == 0 ? 4096 + Next(Seed) % 30000 : 1 + Next(Seed) % 2500;
    Slot->Value = (UCHAR)Next(Seed);
    Slot->Block = ExAllocatePoolWithTag(NonPagedPool, Slot->Size, TAG);
    if (Slot->Block == NULL) {
        InterlockedIncrement(&Damage);
        return;
    }
    RtlFillMemory(Slot->Block, Slot->Size, Slot->Value);
}

static VOID Hammer(PVOID Context)
{
    ULONG Seed = (ULONG)(ULONG_PTR)Context * 77 + 1;
    SLOT *Slots = ExAllocatePool2(POOL_FLAG_NON_PAGED, SLOTS * sizeof(SLOT), TAG);
    if (Slots == NULL) {
        InterlockedIncrement(&Damage);
        return;
    }
    for (ULONG Round = 0; Round < ROUNDS; Round++) {
        SLOT *Slot = &Slots[Next(&Seed) % SLOTS];
        if (Slot->Block != NULL) {
            FreeSlot(Slot);
        } else {
            FillSlot(Slot, &Seed);
        }
    }
    for (ULONG i = 0; i < SLOTS; i++) {
        FreeSlot(&Slots[i]);
    }
    ExFreePoolWithTag(Slots, TAG);
}

static PCSTR FourThreads(VOID)
{
    Damage = 0;
    KTEST_CHECK(KtestCrowd(THREADS, Hammer));
    KTEST_CHECK(Damage == 0);
    return NULL;
}

/* Each thread puts its block into a common place and frees the one that was there: most come from other
   processors. */
static PVOID volatile Place[16];

static VOID Exchange(PVOID Context)
{
    ULONG Seed = (ULONG)(ULONG_PTR)Context * 991 + 5;
    for (ULONG Round = 0; Round < ROUNDS; Round++) {
        PVOID Mine = ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, TAG);
        if (Mine == NULL || !HoldsOnly(Mine, 64, 0)) {
            InterlockedIncrement(&Damage);
            continue;
        }
        RtlFillMemory(Mine, 64, 0xB7);
        PVOID Theirs = InterlockedExchangePointer(&Place[Next(&Seed) % RTL_NUMBER_OF(Place)], Mine);
        if (Theirs != NULL) {
            if (!HoldsOnly(Theirs, 64, 0xB7)) {
                InterlockedIncrement(&Damage);
            }
            ExFreePoolWithTag(Theirs, TAG);
        }
    }
}

static PCSTR FreedByOthers(VOID)
{
    Damage = 0;
    KTEST_CHECK(KtestCrowd(THREADS, Exchange));
    for (ULONG i = 0; i < RTL_NUMBER_OF(Place); i++) {
        PVOID Left = InterlockedExchangePointer(&Place[i], NULL);
        if (Left != NULL) {
            ExFreePoolWithTag(Left, TAG);
        }
    }
    KTEST_CHECK(Damage == 0);
    return NULL;
}

/* ---- Out of memory ---- */

typedef struct _CHAIN {
    struct _CHAIN *Next;
} CHAIN;

/* Takes blocks of one size until there are none. */
static CHAIN *TakeAll(CHAIN *Chain, SIZE_T Size, PULONG Count)
{
    CHAIN *Block;
    for (*Count = 0; (Block = ExAllocatePoolWithTag(NonPagedPool, Size, TAG)) != NULL; (*Count)++) {
        Block->Next = Chain;
        Chain = Block;
    }
    return Chain;
}

static VOID FreeAll(CHAIN *Chain)
{
    while (Chain != NULL) {
        CHAIN *Next = Chain->Next;
        ExFreePoolWithTag(Chain, TAG);
        Chain = Next;
    }
}

/* Memory is used up with large blocks, then with small ones; both fail with NULL. Freed, as much is there as
   before. */
static PCSTR ExhaustedAndRecovered(VOID)
{
    ULONG Large, LargeAgain, Small;
    CHAIN *Chain = TakeAll(NULL, 1 << 20, &Large);
    Chain = TakeAll(Chain, 2000, &Small);
    PVOID Another = ExAllocatePoolWithTag(NonPagedPool, PAGE_SIZE, TAG);
    FreeAll(Chain);
    KTEST_CHECK(Another == NULL);
    KTEST_CHECK(Large != 0);

    Chain = TakeAll(NULL, 1 << 20, &LargeAgain);
    FreeAll(Chain);
    KTEST_CHECK(LargeAgain + 1 >= Large); /* page tables, slabs that still hold a cached block */
    KTEST_CHECK(ExAllocatePoolWithTag(NonPagedPool, MAXSIZE_T - 100, TAG) == NULL);
    KTEST_CHECK(ExAllocatePoolWithTag(NonPagedPool, 1ULL << 37, TAG) == NULL);
    return NULL;
}

/* ---- Addresses ---- */

static PCSTR AddressValid(VOID)
{
    PVOID Block = ExAllocatePoolWithTag(NonPagedPool, PAGE_SIZE, TAG);
    KTEST_CHECK(Block != NULL);
    KTEST_CHECK(MmIsAddressValid(Block));
    KTEST_CHECK(MmIsAddressValid((PVOID)(ULONG_PTR)AddressValid));
    KTEST_CHECK(!MmIsAddressValid(NULL));
    KTEST_CHECK(!MmIsAddressValid((PVOID)0x0000800000000000ULL));
    KTEST_CHECK(!MmIsAddressValid((PVOID)0xffffbfff00000000ULL));
    ExFreePoolWithTag(Block, TAG);
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    KtestRun("mm.pool-sizes", SizesAndAlignment);
    KtestRun("mm.pool-zeroed", Zeroed);
    KtestRun("mm.pool-flags", Flags);
    KtestRun("mm.pool-dispatch", AtDispatch);
    KtestRun("mm.pool-threads", FourThreads);
    KtestRun("mm.pool-freed-by-others", FreedByOthers);
    KtestRun("mm.pool-exhaustion", ExhaustedAndRecovered);
    KtestRun("mm.address-valid", AddressValid);
    return STATUS_SUCCESS;
}
