/* SPDX-License-Identifier: MIT */
/*
 * Private to mm: the page-frame database, a processor's caches, kernel ranges, what the files of this folder
 * share.
 *
 * Spin locks, outermost first: the lock of kernel ranges (KlcVirtual), a size class of the pool (KlcPool), a
 * processor's cache of frames (KlcPageCache), the free lists (KlcPages).
 */
#ifndef PRIMER_MI_H
#define PRIMER_MI_H

#include "kernel/kd/kd.h"
#include "sync/pushlock.h"
#include "kernel/mm/mm.h"

/* ---- Where things are ---- */

#define MI_PAGE_DATABASE ARCH_FRAME_BASE
#define MI_STACKS_BASE   ARCH_POOL_BASE                     /* 64 Ki slots of 32 KiB: 2 GiB */
#define MI_LARGE_BASE    (ARCH_POOL_BASE + 0x1000000000ULL) /* pool blocks that are not contiguous */
#define MI_LARGE_END     (ARCH_POOL_BASE + 0x4000000000ULL)
#define MI_IMAGE_BASE    0xffffffffc0000000ULL
#define MI_IMAGE_END     0xffffffffff000000ULL

#define MI_LIKELY(Condition)   __builtin_expect(!!(Condition), 1)
#define MI_UNLIKELY(Condition) __builtin_expect(!!(Condition), 0)

/* ---- Page frames ---- */

/*
 * What a frame is used for. All zero is a right descriptor: a frame that the allocator does not hand out.
 *
 *   from       to          by
 *   Reserved   Free        start-up, for the frames of free memory; MiTakeFreshChunk
 *   Free       Reserved    a block is split or taken: only the first frame of a free block is Free
 *   Reserved   InUse       MmAllocatePage, MiAllocateContiguous; and back by MmReleasePage
 *   InUse      Slab, Large the pool, which owns the frame then; and back
 */
typedef enum _MI_PAGE_TYPE {
    MiPageReserved, /* pinned (archives, the kernel, firmware), or inside a free block, or in a processor's cache */
    MiPageFree, /* the first frame of a free block of 2^Order frames; on its list */
    MiPageInUse,
    MiPageSlab,  /* pool: blocks of one size class */
    MiPageLarge, /* pool: the first frame of a block of whole pages */
} MI_PAGE_TYPE;

typedef struct _MI_PAGE {
    volatile LONG References; /* (a) InUse, and pinned frames, which nobody frees */
    UCHAR Type;               /* MI_PAGE_TYPE; whoever owns the frame, free blocks: (page lock) */
    UCHAR Order;              /* Free; Slab: the size class */
    USHORT InUse;             /* Slab: blocks that are out; (class lock) */
    union {
        LIST_ENTRY Link; /* Free: (page lock); Slab with free blocks: (class lock) */
        struct {
            ULONG64 Bytes; /* Large: what the caller asked for */
            ULONG Tag;
            ULONG Pages;
        };
    };
    union {
        void *FreeList; /* Slab: free blocks, linked through their first word; (class lock) */
        void *Caller;   /* Large: who has allocated it (debug) */
    };
} MI_PAGE, *PMI_PAGE;

C_ASSERT(sizeof(MI_PAGE) == 32);

static inline PMI_PAGE MiPageOf(ULONG64 Physical)
{
    return (PMI_PAGE)MI_PAGE_DATABASE + (Physical >> PAGE_SHIFT);
}

static inline ULONG64 MiPhysicalOf(const MI_PAGE *Page)
{
    return (ULONG64)(Page - (PMI_PAGE)MI_PAGE_DATABASE) << PAGE_SHIFT;
}

/* The caller, who holds a reference, is the only one who has the frame: nobody can come by another
   meanwhile. */
static inline BOOLEAN MiPageIsExclusive(ULONG64 Physical)
{
    PMI_PAGE Page = MiPageOf(Physical);
    return Page->Type == MiPageInUse && __atomic_load_n(&Page->References, __ATOMIC_ACQUIRE) == 1;
}

static inline BOOLEAN MiPageIsPinned(ULONG64 Physical)
{
    return MiPageOf(Physical)->Type == MiPageReserved;
}

extern ULONG64 MiPhysicalEnd; /* the end of RAM, in bytes; constant after start-up */

void MiInitializePages(PBOOT_INFORMATION Boot);
void MiReferencePage(ULONG64 Physical);
/* 2^Order contiguous frames, naturally aligned, not zeroed; 0 when none. */
ULONG64 MiAllocateContiguous(ULONG Order);
/* Frees [First, First + Count) of frames that came from one contiguous allocation. */
void MiFreeFrames(ULONG64 Physical, SIZE_T Count);
/* MmReleasePage for many. */
void MiReleasePages(const ULONG64 *Physical, ULONG Count);
void MiDrainPageCaches(void);
#if DBG
/* The frame of RAM above this one that has a descriptor; 0: no more. No lock: one that gets its descriptor
   meanwhile may be missed. */
ULONG64 MiNextPage(ULONG64 Physical);
#endif

/* Fault injection: TRUE when this allocation is to fail. */
typedef enum _MI_FAIL_KIND { MiFailPool, MiFailPages } MI_FAIL_KIND;
#if DBG
BOOLEAN MiFailNow(MI_FAIL_KIND Kind);
#else
#define MiFailNow(Kind) FALSE
#endif

/* ---- What a processor keeps for itself ---- */

#define MI_CACHED_PAGES  64
#define MI_CACHED_ZEROED 32

typedef struct _MI_PAGE_CACHE {
    KLOCK Lock;
    ULONG Count;                   /* (Lock) */
    ULONG ZeroedCount;             /* (Lock) */
    LONG64 Used;                   /* (Lock) frames handed out here less frames given back here */
    ULONG64 Page[MI_CACHED_PAGES]; /* (Lock) physical addresses */
    ULONG64 Zeroed[MI_CACHED_ZEROED]; /* (Lock) of frames that hold zeros: page tables that went */
} MI_PAGE_CACHE, *PMI_PAGE_CACHE;

#define MI_SIZE_CLASSES   17
#define MI_MAGAZINE_DEPTH 16

/* Free blocks of one size class. Touched by its processor only, at DISPATCH_LEVEL. */
typedef struct _MI_MAGAZINE {
    ULONG Count;
    ULONG Limit; /* constant */
    LONG64 Used; /* blocks handed out here less blocks given back here; read by others for statistics */
    void *Block[MI_MAGAZINE_DEPTH];
} MI_MAGAZINE, *PMI_MAGAZINE;

typedef struct _MI_PROCESSOR_CACHES {
    MI_PAGE_CACHE Pages;
    MI_MAGAZINE Pool[MI_SIZE_CLASSES];
} MI_PROCESSOR_CACHES, *PMI_PROCESSOR_CACHES;

C_ASSERT(sizeof(MI_PROCESSOR_CACHES) <= PAGE_SIZE);

/* The caches of every processor that has some. Grows, while processors come up, and never shrinks. */
extern PMI_PROCESSOR_CACHES MiCaches[MAXIMUM_PROCESSORS];
extern volatile ULONG MiCacheCount;

/* ---- Pool ---- */

void MiInitializePool(void);
void MiSetMagazineLimits(PMI_MAGAZINE Magazines);
/* Gives back what this processor caches; then the slabs that nobody uses. */
void MiDrainPoolCache(void);
void MiFreeEmptySlabs(void);
void MiQueryPool(MM_STATISTICS *Statistics);

/* ---- Kernel ranges ---- */

/* A window of kernel addresses from which ranges are taken. */
typedef struct _MI_WINDOW {
    ULONG_PTR Start, End;
    ULONG_PTR Hint;        /* (MiRangeLock) where the search begins: little is free below */
    MI_REGION_TREE Ranges; /* (MiRangeLock) */
} MI_WINDOW, *PMI_WINDOW;

extern MI_WINDOW MiLargeWindow;

void MiInitializeKernelRanges(void);
/* Pages fresh frames, readable and writable, an unmapped page on either side. NULL when memory or addresses
   are out. <= DISPATCH. */
PVOID MiAllocateRange(PMI_WINDOW Window, SIZE_T Pages);
void MiFreeRange(PMI_WINDOW Window, PVOID Base, SIZE_T Pages);
/* The same with these frames, in MiLargeWindow: each gets a reference, which MiFreeRange drops. */
PVOID MiMapFrames(const PFN_NUMBER *Frame, SIZE_T Pages);
void MiTrimStacks(void);
void MiQueryKernelRanges(MM_STATISTICS *Statistics);

/* ---- Sections and spaces ---- */

struct _MM_SECTION {
    EX_PUSH_LOCK Lock;
    volatile LONG References; /* (a) */
    BOOLEAN Writable;         /* constant */
    ULONG64 Serial;           /* constant; no other section ever has it */
    SIZE_T Size;              /* (Lock) bytes; constant when not writable */
    const UCHAR *Data;        /* constant; what pages without a frame of their own hold, ... */
    SIZE_T DataSize;          /* (Lock) ... so many bytes of it; zeros behind that */
    RTL_AVL_TREE Pages;       /* (Lock) frames of its own, ... */
    ULONG64 PageCount;        /* (Lock) ... so many */
    LIST_ENTRY Regions;       /* (Lock) writable sections: regions that map it */
    ULONG64 Epoch;            /* (Lock) counts shrinkings */
    void (*Gone)(PVOID);      /* set by the owner with its last reference: MmRetireSection */
    PVOID GoneContext;
    PEX_RUNDOWN_REF GoneModule; /* NULL: none */
};

/* The frame of page Index with a reference for the caller: STATUS_IN_PAGE_ERROR beyond the end,
   STATUS_NO_MEMORY. Shared: writes to the section are to be seen in it, and the other way round. */
NTSTATUS MiReferenceSectionPage(PMM_SECTION Section, ULONG64 Index, BOOLEAN Shared, ULONG64 *Physical);

/* The section has page Index in memory already. */
BOOLEAN MiSectionHasPage(PMM_SECTION Section, ULONG64 Index);

static inline BOOLEAN MiSectionIsWritable(const MM_SECTION *Section)
{
    return Section->Writable;
}

/* How many of Size bytes at Address lie in its page. */
static inline SIZE_T MiBytesInPage(ULONG64 Address, SIZE_T Size)
{
    SIZE_T Left = PAGE_SIZE - BYTE_OFFSET(Address);
    return Size < Left ? Size : Left;
}

extern volatile LONG64 MiSpaceCount, MiSectionCount; /* (a) */

/* A further reference to a space that may be about to go; FALSE when it is. */
BOOLEAN MiTryReferenceSpace(PMM_ADDRESS_SPACE Space);

/* Flags of the page-table entry of a page in a region. CopyOnWrite: ARCH_PAGE_SOFT or 0. */
static inline ULONG MiLeafFlags(ULONG Protection, ULONG CopyOnWrite)
{
    ULONG Flags = ARCH_PAGE_USER | CopyOnWrite;
    if ((Protection & (MM_READ | MM_WRITE | MM_EXECUTE)) == 0 || (Protection & MM_GUARD) != 0) {
        return Flags; /* a kept entry */
    }
    Flags |= ARCH_PAGE_READ;
    if ((Protection & MM_WRITE) != 0 && CopyOnWrite == 0) {
        Flags |= ARCH_PAGE_WRITE;
    }
    if ((Protection & MM_EXECUTE) != 0) {
        Flags |= ARCH_PAGE_EXECUTE;
    }
    return Flags;
}

#define MI_LEAF_FLAGS (ARCH_PAGE_READ | ARCH_PAGE_WRITE | ARCH_PAGE_EXECUTE | ARCH_PAGE_USER | ARCH_PAGE_SOFT)

/* Takes all pages of [Start, End) out of the page tables. (Lock) */
void MiUnmapPages(PMM_ADDRESS_SPACE Space, ULONG_PTR Start, ULONG_PTR End);
/* All pages and page tables of a space that no processor has loaded, nor ever will. */
void MiUnmapAll(PMM_ADDRESS_SPACE Space);
/* Makes one page present and accessible. Force: a private read-only page may be written through the direct
   map. (Lock) */
NTSTATUS MiResolvePage(PMM_ADDRESS_SPACE Space, ULONG_PTR Address, ULONG Access, BOOLEAN Force);

#endif
