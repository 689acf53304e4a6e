/* SPDX-License-Identifier: MIT */
/*
 * mm for the rest of the kernel: page frames, kernel stacks and ranges, address spaces of regions, sections.
 * The pool's interface is the documented one (ExAllocatePoolWithTag).
 *
 * Locks, outermost first: MM_ADDRESS_SPACE.Lock (push lock; regions and page tables of one space),
 * MM_SECTION.Lock (push lock; the pages of one section), then mm's spin locks (lockrank.h). Cloning locks the
 * source, then the new space, which nobody else locks together with another.
 */
#ifndef PRIMER_MM_H
#define PRIMER_MM_H

#include "arch/boot.h"
#include "kernel/ke/ke.h"
#include "kernel/mm/regiontree.h"

/* ---- Page frames: physical addresses; 0 is never a valid frame ---- */

/* From the boot map, before anything else of mm: page-frame database, buddy lists, then the pool. IRQL >=
   DISPATCH is fine. */
void MmInitialize(PBOOT_INFORMATION Boot);
/* The caches of another processor; before it runs. FALSE: no memory. */
BOOLEAN MmInitializeProcessor(PKPRCB Prcb);

/* One frame with one reference; 0 when memory is out. <= DISPATCH. */
ULONG64 MmAllocatePage(BOOLEAN Zeroed);
/* Drops a reference; the last one frees the frame. Frames of archives and of the kernel are pinned: counted,
   never freed. */
void MmReleasePage(ULONG64 Physical);

typedef struct _MM_STATISTICS {
    ULONG64 TotalPages, FreePages; /* caches of processors count as free */
    ULONG64 PoolPages;             /* frames that slabs and large blocks hold */
    ULONG64 PoolBytes, PoolBlocks; /* in use by callers; small blocks count with the size of their class */
    ULONG64 KernelStacks;          /* in use */
    ULONG64 CachedStacks;
    ULONG64 PageTablePages;
    ULONG64 AddressSpaces, Sections, Regions;
} MM_STATISTICS;
void MmQueryStatistics(MM_STATISTICS *Statistics);
void MmQueryFrames(MM_STATISTICS *Statistics); /* TotalPages, FreePages and PageTablePages alone, which is quick */
/* Empties caches (stacks, empty slabs, processors' pages) so that two statistics can be compared. PASSIVE. */
void MmTrimCaches(void);

/* Debug builds: does the address lie in a small block that is in use? Its tag, and the offset in it.
   (KdHooks) */
BOOLEAN MmDescribePool(const void *Address, PULONG Tag, SIZE_T *Offset);

/* MmProbeAndLockPages with a status. */
NTSTATUS MmLockPages(PMDL Mdl, KPROCESSOR_MODE Mode, LOCK_OPERATION Operation);
/* Debug builds: names in the log, by tag, the pool blocks that the code at [Base, Base + Size), of this name,
   has allocated and nobody has freed. It does not run any more. */
#if DBG
void MmReportPool(const void *Base, SIZE_T Size, const char *Name);
#else
#define MmReportPool(Base, Size, Name) ((void)0)
#endif

/* ---- Kernel stacks and ranges ---- */

#define KERNEL_STACK_SIZE 0x4000
/* The highest address + 1 of a stack whose lowest neighbour page is unmapped; NULL when memory is out. */
PVOID MmAllocateKernelStack(void);
void MmFreeKernelStack(PVOID StackTop);
/* Address is in the guard page of some kernel stack: the fault was a stack overflow. */
BOOLEAN MmIsStackGuard(ULONG_PTR Address);

/* Page-granular kernel memory for module images (within 2 GiB of the kernel): read-write until protected. */
PVOID MmAllocateImageSpace(SIZE_T Size);
NTSTATUS MmProtectImageSpace(PVOID Base, SIZE_T Size, ULONG ArchFlags /* ARCH_PAGE_* */);
void MmFreeImageSpace(PVOID Base, SIZE_T Size);

/* ---- Sections: pages that several spaces, or one several times, may map ---- */

typedef struct _MM_SECTION MM_SECTION, *PMM_SECTION;

/* Anonymous memory, zero until written. Size in bytes. */
NTSTATUS MmCreateSection(SIZE_T Size, PMM_SECTION *Section);
/* Over bytes that stay in memory for ever (an archive's file): whole pages that lie page-aligned in RAM are
   mapped in place, the others (and the last, partial page, zero-filled) are copied once, on first use.
   Writing through a shared mapping is refused. */
NTSTATUS MmCreateDataSection(const void *Data, SIZE_T Size, PMM_SECTION *Section);
/* The same with copies of its own of all pages that are written or mapped shared: it may be resized, too. */
NTSTATUS MmCreateFileSection(const void *Data, SIZE_T Size, PMM_SECTION *Section);
void MmReferenceSection(PMM_SECTION Section);
void MmDereferenceSection(PMM_SECTION Section);
/* Gives the owner's reference up; Gone is called when the last one is, perhaps with a space's lock held: it
   frees memory, and no more. The protection of Module, its module's (NULL: the kernel's own), is released
   after that. */
void MmRetireSection(PMM_SECTION Section, void (*Gone)(PVOID Context), PVOID Context, PEX_RUNDOWN_REF Module);
/* Not data sections. Shrinking takes pages away from those who map them (they fault with
   STATUS_IN_PAGE_ERROR). */
NTSTATUS MmResizeSection(PMM_SECTION Section, SIZE_T NewSize);
/* Copies from or to a kernel buffer. *Done: bytes moved; reading stops at the end. */
NTSTATUS MmReadSection(PMM_SECTION Section, ULONG64 Offset, void *Buffer, SIZE_T Size, SIZE_T *Done);
NTSTATUS MmWriteSection(PMM_SECTION Section, ULONG64 Offset, const void *Buffer, SIZE_T Size, SIZE_T *Done);
/* The page in which Offset lies, as bytes, which stays until it is unpinned, even if the section shrinks.
   *Page NULL: there is none, it would hold zeros. WRITE: only one of the section's own; MAKE: make it.
   STATUS_IN_PAGE_ERROR beyond the end, STATUS_NO_MEMORY, STATUS_ACCESS_DENIED (WRITE to a data section). */
#define MM_PIN_WRITE 1
#define MM_PIN_MAKE  2
NTSTATUS MmPinSectionPage(PMM_SECTION Section, ULONG64 Offset, ULONG Flags, PVOID *Page);
void MmUnpinSectionPage(PVOID Page);
/* How many frames of its own the section has. Data (may be NULL) and Hole: where the first page begins, at
   the one with Offset or behind it, that the section has, or has not; untouched when Offset lies beyond the
   end. */
ULONG64 MmQuerySection(PMM_SECTION Section, ULONG64 Offset, PULONG64 Data, PULONG64 Hole);

/* ---- Address spaces ---- */

typedef struct _MM_ADDRESS_SPACE {
    KADDRESS_SPACE Kernel;      /* first: KPROCESS.AddressSpace points here */
    EX_PUSH_LOCK Lock;
    MI_REGION_TREE Regions;     /* (Lock) Regions.Pages: the pages that regions span */
    volatile LONG References;   /* (a) */
    ULONG64 ResidentPages;      /* (Lock) leaf entries; others read it as a statistic */
    volatile SIZE_T GrowLimit;  /* bytes that a region with MM_MAP_GROWDOWN may have; a word that anybody sets */
} MM_ADDRESS_SPACE, *PMM_ADDRESS_SPACE;

#define MM_USER_LOWEST 0x10000ULL
#define MM_USER_END    0x00007ffffffff000ULL /* first address that is never mapped */

#define MM_READ    1 /* region protection: any mixture; 0 = no access */
#define MM_WRITE   2
#define MM_EXECUTE 4
#define MM_GUARD   8 /* the first touch raises STATUS_GUARD_PAGE_VIOLATION once a page, then MM_GUARD is gone from it */

#define MM_MAP_FIXED      1  /* exactly at *Base; what is mapped there goes, atomically */
#define MM_MAP_NOREPLACE  2  /* with FIXED: STATUS_CONFLICTING_ADDRESSES when something is there */
#define MM_MAP_SHARED     4  /* section: writes go to the section; else they are private copies */
#define MM_MAP_TOPDOWN    16 /* the highest hole that fits, else the lowest at or above *Base */
#define MM_MAP_GROWDOWN   32 /* a stack (demand-zero): a fault in the hole below extends it, but to a page above the next region
                                at most, and to the space's GrowLimit in all */
#define MM_GROW_LIMIT     0x800000 /* where nothing else has been set */
#define MM_MAP_STACK      64 /* a stack that commits itself (demand-zero; Offset: how much of its end is committed at first). The page
                                below that is its guard: a touch commits it and is STATUS_GUARD_PAGE_VIOLATION, once a page. When MM_LAST_PAGES
                                or fewer are left, all but the lowest, which is never accessible, are committed: STATUS_STACK_OVERFLOW.
                                What is not committed cannot be protected or unmapped apart from the rest. */
#define MM_LAST_PAGES     4
#define MM_MAP_ATTRIBUTES(A) ((A) << 8) /* MM_REGION_*, from the start */

#define MM_REGION_NOINHERIT 1    /* a clone does not get it */
#define MM_REGION_WIPE      2    /* a clone gets it empty */
#define MM_REGION_TAGS      0x70 /* the provider's own */
#define MM_REGION_OWN_TAG   0x80 /* likewise; a clone does not get the mark */

typedef struct _MM_REGION_INFORMATION {
    ULONG_PTR Start, End; /* bytes, page aligned; of a hole when not Mapped */
    BOOLEAN Mapped, Shared, HasSection, GrowDown;
    UCHAR Protection, Attributes; /* MM_* */
    ULONG64 SectionOffset;
    PVOID Tag;            /* what MmMapRegion was given: the provider's */
    BOOLEAN Reserved;     /* of a stack: not committed yet */
} MM_REGION_INFORMATION;

NTSTATUS MmCreateAddressSpace(PMM_ADDRESS_SPACE *Space);
/* Copy-on-write clone: private pages are shared read-only until either side writes; shared mappings are
   shared. */
NTSTATUS MmCloneAddressSpace(PMM_ADDRESS_SPACE Source, PMM_ADDRESS_SPACE *Clone);
void MmReferenceAddressSpace(PMM_ADDRESS_SPACE Space);
/* The last dereference unmaps everything and frees the tables; no processor may have it loaded (KiKernelSpace
   instead). PASSIVE. */
void MmDereferenceAddressSpace(PMM_ADDRESS_SPACE Space);

/* Base in/out; Size in bytes (rounded up to pages). Section NULL: demand-zero memory. STATUS_NO_MEMORY,
   STATUS_CONFLICTING_ADDRESSES, STATUS_INVALID_PARAMETER (also MM_MAP_SHARED without a section),
   STATUS_ACCESS_DENIED (a writable shared mapping of a data section). Limit: the search for a hole stays
   below it (0: MM_USER_END). */
NTSTATUS MmMapRegion(PMM_ADDRESS_SPACE Space, ULONG_PTR *Base, SIZE_T Size, ULONG Flags, ULONG Protection,
                     PMM_SECTION Section, ULONG64 Offset, ULONG_PTR Limit, PVOID Tag);
/* Holes in the range are no error. Splits regions at its ends. */
NTSTATUS MmUnmapRegion(PMM_ADDRESS_SPACE Space, ULONG_PTR Base, SIZE_T Size);
/* STATUS_MEMORY_NOT_ALLOCATED when part of the range is not mapped (the part before the hole is changed, as
   mprotect does). STATUS_ACCESS_DENIED: a shared mapping of a data section is not to be written. */
NTSTATUS MmProtectRegion(PMM_ADDRESS_SPACE Space, ULONG_PTR Base, SIZE_T Size, ULONG Protection);
/* Those of Mask become what Value says (MM_REGION_*). Status as MmProtectRegion. */
NTSTATUS MmSetRegionAttributes(PMM_ADDRESS_SPACE Space, ULONG_PTR Base, SIZE_T Size, ULONG Mask, ULONG Value);
/*
 * [Old, Old + OldSize) becomes [*Base, *Base + NewSize): its pages move along, no byte is copied. All bytes
 * are of one region, not of a stack that commits itself (else STATUS_ACCESS_VIOLATION), and the two do not
 * overlap (STATUS_INVALID_PARAMETER). Flags: MM_MAP_FIXED, NOREPLACE and TOPDOWN, as for MmMapRegion. With
 * *Base == Old and FIXED it grows in place: STATUS_CONFLICTING_ADDRESSES when something is there. Keep: the
 * old range stays mapped, without its pages; OldSize 0 maps a shared region, or a part, a second time.
 * STATUS_NO_MEMORY and every other failure: all is as before.
 */
NTSTATUS MmMoveRegion(PMM_ADDRESS_SPACE Space, ULONG_PTR Old, SIZE_T OldSize, ULONG_PTR *Base, SIZE_T NewSize, ULONG Flags,
                      BOOLEAN Keep, ULONG_PTR Limit);
/* Faults the pages in: for reading, for writing, or (Access 0) as is best, so that the next touch raises no
   fault. Stops at the first that cannot be had. */
NTSTATUS MmPopulateRegion(PMM_ADDRESS_SPACE Space, ULONG_PTR Base, SIZE_T Size, ULONG Access /* MM_READ, MM_WRITE */);
/* Present[i]: 1 when page i from Base on is in memory (in the page table, or in its section), else 0.
   STATUS_MEMORY_NOT_ALLOCATED at a hole. */
NTSTATUS MmQueryPages(PMM_ADDRESS_SPACE Space, ULONG_PTR Base, SIZE_T Pages, PUCHAR Present);
/* Private pages of the range go back to zero (or to the section's contents) at the next touch.
   STATUS_MEMORY_NOT_ALLOCATED when part of the range is not mapped (what is mapped has been discarded). */
NTSTATUS MmDiscardRegion(PMM_ADDRESS_SPACE Space, ULONG_PTR Base, SIZE_T Size);
/* The region that contains Address, or the hole. */
NTSTATUS MmQueryRegion(PMM_ADDRESS_SPACE Space, ULONG_PTR Address, MM_REGION_INFORMATION *Information);
/* Reads or writes another space's memory (not the current one's lock held): pages are faulted in as that
   space's own threads would; protection is honoured, except that Force writes into read-only private pages
   (program loading). */
NTSTATUS MmReadAddressSpace(PMM_ADDRESS_SPACE Space, ULONG_PTR Address, void *Buffer, SIZE_T Size);
NTSTATUS MmWriteAddressSpace(PMM_ADDRESS_SPACE Space, ULONG_PTR Address, const void *Buffer, SIZE_T Size, BOOLEAN Force);
/* A key that is equal for all who wait on the same user word: (section, offset) for shared memory, (space,
   address) else. It holds no reference; a section that comes later never has the same. */
typedef struct _MM_WAIT_KEY {
    ULONG64 Object;
    ULONG64 Offset;
} MM_WAIT_KEY;
NTSTATUS MmQueryWaitKey(PMM_ADDRESS_SPACE Space, ULONG_PTR Address, BOOLEAN Shared, MM_WAIT_KEY *Key);

/* A fault at a user address, from user mode or from a copy routine: Access as for MmHandlePageFault. <= APC,
   interrupts on. STATUS_SUCCESS, STATUS_ACCESS_VIOLATION (no region, or not allowed), STATUS_IN_PAGE_ERROR,
   STATUS_NO_MEMORY, STATUS_GUARD_PAGE_VIOLATION, STATUS_STACK_OVERFLOW (MM_MAP_STACK). */
NTSTATUS MmPageFault(PMM_ADDRESS_SPACE Space, ULONG_PTR Address, ULONG Access);
/* What the machine calls (ArchHandlers: arch.h has the contract). */
NTSTATUS MmHandlePageFault(PKTRAP_FRAME Frame, uintptr_t Address, ULONG Access);

#endif
