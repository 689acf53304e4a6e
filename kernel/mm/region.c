/* SPDX-License-Identifier: MIT */
/*
 * Operations on ranges of an address space: the tree of regions (regiontree.c) and the page tables are changed together,
 * under the space's lock. Whatever takes rights away flushes before it returns, and before a frame is released.
 */
#include "kernel/mm/mi.h"

/* ---- Taking pages out ---- */

/* Pages taken out of a space are collected: one flush, then they are released. */
#define MI_UNMAP_BATCH 128

typedef struct _MI_UNMAP {
    PMM_ADDRESS_SPACE Space;
    BOOLEAN NoFlush; /* no processor has the space loaded, nor ever will: the entries may stay as they are */
    ULONG Count;
    ULONG_PTR First, Last;
    ULONG64 Page[MI_UNMAP_BATCH];
} MI_UNMAP, *PMI_UNMAP;

static void MiFlushUnmapped(PMI_UNMAP Unmap)
{
    if (Unmap->Count == 0) {
        return;
    }
    if (!Unmap->NoFlush) {
        KeFlushTb(&Unmap->Space->Kernel, Unmap->First, ((Unmap->Last - Unmap->First) >> PAGE_SHIFT) + 1);
    }
    MiReleasePages(Unmap->Page, Unmap->Count);
    Unmap->Space->ResidentPages -= Unmap->Count;
    Unmap->Count = 0;
}

static void MiUnmapVisit(void *Context, uintptr_t Virtual, uint64_t Physical, ULONG Flags)
{
    PMI_UNMAP Unmap = Context;

    if (!Unmap->NoFlush) {
        ArchUnmapPage(&Unmap->Space->Kernel.Tables, Virtual, &Physical, &Flags);
    }
    if (Unmap->Count == 0) {
        Unmap->First = Virtual;
    }
    Unmap->Last = Virtual;
    Unmap->Page[Unmap->Count++] = Physical;
    if (Unmap->Count == MI_UNMAP_BATCH) {
        MiFlushUnmapped(Unmap);
    }
}

void MiUnmapPages(PMM_ADDRESS_SPACE Space, ULONG_PTR Start, ULONG_PTR End, BOOLEAN NoFlush)
{
    MI_UNMAP Unmap; /* not initialised as a whole: its array is large */

    if (Start >= End || Space->ResidentPages == 0) {
        return;
    }
    Unmap.Space = Space;
    Unmap.NoFlush = NoFlush;
    Unmap.Count = 0;
    ArchForEachPage(&Space->Kernel.Tables, Start, End, MiUnmapVisit, &Unmap);
    MiFlushUnmapped(&Unmap);
}

/* ---- Arguments ---- */

/* Rounds [Base, Base + Size) out to pages. FALSE when it is empty, wraps around or is no user range. */
static BOOLEAN MiPageRange(ULONG_PTR Base, SIZE_T Size, ULONG_PTR *Start, ULONG_PTR *End)
{
    if (Size == 0 || Size > MM_USER_END || Base > MM_USER_END - Size) {
        return FALSE;
    }
    *Start = ALIGN_DOWN_BY(Base, PAGE_SIZE);
    *End = ROUND_TO_PAGES(Base + Size);
    return TRUE;
}

static inline BOOLEAN MiIsProtection(ULONG Protection)
{
    return (Protection & ~(MM_READ | MM_WRITE | MM_EXECUTE | MM_GUARD)) == 0;
}

static NTSTATUS MiCheckMapping(SIZE_T Size, ULONG Flags, ULONG Protection, PMM_SECTION Section,
                               ULONG64 Offset)
{
    if (Size == 0 || (Offset & (PAGE_SIZE - 1)) != 0 || !MiIsProtection(Protection)) {
        return STATUS_INVALID_PARAMETER;
    }
    if (Section == NULL) {
        return (Flags & MM_MAP_SHARED) != 0 ? STATUS_INVALID_PARAMETER : STATUS_SUCCESS;
    }
    if (Offset + Size < Offset || (Flags & (MM_MAP_GROWDOWN | MM_MAP_STACK)) != 0) {
        return STATUS_INVALID_PARAMETER;
    }
    if ((Flags & MM_MAP_SHARED) != 0 && (Protection & MM_WRITE) != 0 && !MiSectionIsWritable(Section)) {
        return STATUS_ACCESS_DENIED;
    }
    return STATUS_SUCCESS;
}

/* ---- Map and unmap ---- */

/* Nothing is mapped in [Start, End) any more. STATUS_NO_MEMORY: nothing has changed. (Lock) */
static NTSTATUS MiClearRange(PMM_ADDRESS_SPACE Space, ULONG_PTR Start, ULONG_PTR End)
{
    NTSTATUS Status = MiCarveRange(&Space->Regions, Start, End);
    if (NT_SUCCESS(Status)) {
        MiUnmapPages(Space, Start, End, FALSE);
    }
    return Status;
}

/* Makes room for the region where the caller wants it, or finds room. (Lock) */
static NTSTATUS MiPlaceRegion(PMM_ADDRESS_SPACE Space, PMI_REGION Region, ULONG_PTR Base, SIZE_T Size,
                              ULONG Flags, ULONG_PTR Limit)
{
    if ((Flags & MM_MAP_FIXED) == 0) {
        ULONG_PTR Low =
            (Flags & MM_MAP_TOPDOWN) == 0 && Base > MM_USER_LOWEST ? ROUND_TO_PAGES(Base) : MM_USER_LOWEST;
        ULONG_PTR High =
            Limit != 0 && Limit < MM_USER_END ? ALIGN_DOWN_BY(Limit, PAGE_SIZE) : MM_USER_END;
        if (!MiFindHole(&Space->Regions, Size, Low, High, (Flags & MM_MAP_TOPDOWN) != 0, &Region->Start)) {
            return STATUS_NO_MEMORY;
        }
        Region->End = Region->Start + Size;
        return STATUS_SUCCESS;
    }
    Region->Start = Base;
    Region->End = Base + Size;
    if (MiRangeIsFree(&Space->Regions, Region->Start, Region->End)) {
        return STATUS_SUCCESS;
    }
    if ((Flags & MM_MAP_NOREPLACE) != 0) {
        return STATUS_CONFLICTING_ADDRESSES;
    }
    return MiClearRange(Space, Region->Start, Region->End);
}

static NTSTATUS MiMapTemplate(PMM_ADDRESS_SPACE Space, const MI_REGION *Template, ULONG_PTR *Base,
                              SIZE_T Size, ULONG Flags, ULONG_PTR Limit)
{
    KeLockExclusive(&Space->Lock);
    PMI_REGION Region = MiAllocateRegion(Template);
    NTSTATUS Status = STATUS_NO_MEMORY;
    if (Region != NULL) {
        Status = MiPlaceRegion(Space, Region, *Base, Size, Flags, Limit);
        if (NT_SUCCESS(Status)) {
            *Base = Region->Start;
            Region->Edge = Region->Edge != 0 ? Region->End - Region->Edge : 0;
            MiInsertRegion(&Space->Regions, Region);
        } else {
            MiFreeRegion(Region);
        }
    }
    KeUnlockExclusive(&Space->Lock);
    return Status;
}

NTSTATUS MmMapRegion(PMM_ADDRESS_SPACE Space, ULONG_PTR *Base, SIZE_T Size, ULONG Flags, ULONG Protection,
                     PMM_SECTION Section, ULONG64 Offset, ULONG_PTR Limit, PVOID Tag)
{
    NTSTATUS Status = MiCheckMapping(Size, Flags, Protection, Section, Offset);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (Size > MM_USER_END || *Base > MM_USER_END) {
        return (Flags & MM_MAP_FIXED) != 0 ? STATUS_INVALID_PARAMETER : STATUS_NO_MEMORY;
    }
    Size = ROUND_TO_PAGES(Size);
    if ((Flags & MM_MAP_FIXED) != 0 &&
        ((*Base & (PAGE_SIZE - 1)) != 0 || *Base < MM_USER_LOWEST || *Base > MM_USER_END - Size)) {
        return STATUS_INVALID_PARAMETER;
    }
    MI_REGION Template = {
        .Space = Space,
        .Section = Section,
        .Offset = Section != NULL ? Offset : 0,
        .Tag = Tag,
        .Edge = (Flags & MM_MAP_STACK) != 0 ? Offset : 0, /* a size, until it is known where */
        .Protection = (UCHAR)Protection,
        .Shared = (Flags & MM_MAP_SHARED) != 0,
        .NoInherit = (Flags & MM_MAP_NOINHERIT) != 0,
        .GrowDown = (Flags & MM_MAP_GROWDOWN) != 0,
    };
    return MiMapTemplate(Space, &Template, Base, Size, Flags, Limit);
}

NTSTATUS MmUnmapRegion(PMM_ADDRESS_SPACE Space, ULONG_PTR Base, SIZE_T Size)
{
    ULONG_PTR Start, End;
    if (!MiPageRange(Base, Size, &Start, &End)) {
        return STATUS_INVALID_PARAMETER;
    }
    KeLockExclusive(&Space->Lock);
    NTSTATUS Status = MiClearRange(Space, Start, End);
    KeUnlockExclusive(&Space->Lock);
    return Status;
}

/* ---- Changes of attributes ---- */

typedef struct _MI_CHANGE {
    NTSTATUS (*Change)(struct _MI_CHANGE *Change, PMI_REGION Region); /* of one region wholly. (Lock) */
    PMM_ADDRESS_SPACE Space;
    ULONG Protection;   /* for MiProtectOne */
    BOOLEAN Inherit;    /* for MiInheritOne */
    BOOLEAN Downgraded; /* some entry has lost a right */
} MI_CHANGE, *PMI_CHANGE;

/* Changes the regions of [Start, End), which are made to begin and end there, up to a hole or a refusal. (Lock) */
static NTSTATUS MiChangeRegions(PMI_CHANGE Change, ULONG_PTR Start, ULONG_PTR End)
{
    PMI_REGION_TREE Regions = &Change->Space->Regions;
    NTSTATUS Status = MiSplitRegion(Regions, Start);
    if (NT_SUCCESS(Status)) {
        Status = MiSplitRegion(Regions, End);
    }
    PMI_REGION Region = MiFindRegion(Regions, Start);
    while (NT_SUCCESS(Status) && Start < End) {
        if (Region == NULL || Region->Start != Start) {
            return STATUS_MEMORY_NOT_ALLOCATED;
        }
        Status = Change->Change(Change, Region);
        Start = Region->End;
        Region = MiNextRegion(Region);
    }
    return Status;
}

static NTSTATUS MiChangeRange(PMI_CHANGE Change, ULONG_PTR Base, SIZE_T Size)
{
    PMM_ADDRESS_SPACE Space = Change->Space;
    ULONG_PTR Start, End;

    if (!MiPageRange(Base, Size, &Start, &End)) {
        return STATUS_INVALID_PARAMETER;
    }
    KeLockExclusive(&Space->Lock);
    NTSTATUS Status = MiChangeRegions(Change, Start, End);
    MiMergeRange(&Space->Regions, Start, End);
    if (Change->Downgraded) {
        KeFlushTb(&Space->Kernel, Start, (End - Start) >> PAGE_SHIFT);
    }
    KeUnlockExclusive(&Space->Lock);
    return Status;
}

static void MiProtectVisit(void *Context, uintptr_t Virtual, uint64_t Physical, ULONG Flags)
{
    PMI_CHANGE Change = Context;
    ULONG New = MiLeafFlags(Change->Protection, Flags & ARCH_PAGE_SOFT);

    Flags &= MI_LEAF_FLAGS;
    if (New != Flags) {
        Change->Downgraded |= (Flags & ~New) != 0;
        ArchMapPage(&Change->Space->Kernel.Tables, Virtual, Physical, New);
    }
}

static NTSTATUS MiProtectOne(PMI_CHANGE Change, PMI_REGION Region)
{
    if (Region->Protection == Change->Protection) {
        return STATUS_SUCCESS;
    }
    if (Region->Shared && (Change->Protection & MM_WRITE) != 0 && !MiSectionIsWritable(Region->Section)) {
        return STATUS_ACCESS_DENIED;
    }
    Region->Protection = (UCHAR)Change->Protection;
    if (Change->Space->ResidentPages != 0) {
        ArchForEachPage(&Change->Space->Kernel.Tables, Region->Start, Region->End, MiProtectVisit, Change);
    }
    return STATUS_SUCCESS;
}

NTSTATUS MmProtectRegion(PMM_ADDRESS_SPACE Space, ULONG_PTR Base, SIZE_T Size, ULONG Protection)
{
    MI_CHANGE Change = {.Change = MiProtectOne, .Space = Space, .Protection = Protection};
    return MiIsProtection(Protection) ? MiChangeRange(&Change, Base, Size) : STATUS_INVALID_PARAMETER;
}

static NTSTATUS MiInheritOne(PMI_CHANGE Change, PMI_REGION Region)
{
    Region->NoInherit = !Change->Inherit;
    return STATUS_SUCCESS;
}

NTSTATUS MmSetRegionInherit(PMM_ADDRESS_SPACE Space, ULONG_PTR Base, SIZE_T Size, BOOLEAN Inherit)
{
    MI_CHANGE Change = {.Change = MiInheritOne, .Space = Space, .Inherit = Inherit};
    return MiChangeRange(&Change, Base, Size);
}

/* Regions cover the range without a hole. (Lock) */
static BOOLEAN MiRangeIsMapped(const MI_REGION_TREE *Regions, ULONG_PTR Start, ULONG_PTR End)
{
    PMI_REGION Region = MiFindRegionAbove(Regions, Start);
    while (Region != NULL && Region->Start <= Start) {
        Start = Region->End;
        if (Start >= End) {
            return TRUE;
        }
        Region = MiNextRegion(Region);
    }
    return FALSE;
}

/* Pages of shared mappings come back from their section: they may go as well. */
NTSTATUS MmDiscardRegion(PMM_ADDRESS_SPACE Space, ULONG_PTR Base, SIZE_T Size)
{
    ULONG_PTR Start, End;
    if (!MiPageRange(Base, Size, &Start, &End)) {
        return STATUS_INVALID_PARAMETER;
    }
    KeLockExclusive(&Space->Lock);
    MiUnmapPages(Space, Start, End, FALSE);
    BOOLEAN Whole = MiRangeIsMapped(&Space->Regions, Start, End);
    KeUnlockExclusive(&Space->Lock);
    return Whole ? STATUS_SUCCESS : STATUS_MEMORY_NOT_ALLOCATED;
}

/* ---- Questions ---- */

static void MiDescribeHole(const MI_REGION_TREE *Regions, ULONG_PTR Address,
                           MM_REGION_INFORMATION *Information)
{
    PMI_REGION Below = MiFindRegionBelow(Regions, Address);
    PMI_REGION Above = MiFindRegionAbove(Regions, Address);
    Information->Start = Below != NULL ? Below->End : 0;
    Information->End = Above != NULL ? Above->Start : MM_USER_END;
}

static void MiDescribeRegion(const MI_REGION *Region, ULONG_PTR Address, MM_REGION_INFORMATION *Information)
{
    *Information = (MM_REGION_INFORMATION){
        .Start = Region->Start,
        .End = Region->End,
        .Mapped = TRUE,
        .Shared = Region->Shared,
        .HasSection = Region->Section != NULL,
        .NoInherit = Region->NoInherit,
        .Protection = Region->Protection,
        .SectionOffset = Region->Offset,
        .Section = Region->Section,
        .Tag = Region->Tag,
    };
    /* A stack is seen as its three parts. */
    if (Address >= Region->Edge) {
        Information->Start = Region->Edge > Region->Start ? Region->Edge : Region->Start;
    } else if (Address >= Region->Edge - PAGE_SIZE && Region->Edge - Region->Start > PAGE_SIZE) {
        Information->Start = Region->Edge - PAGE_SIZE;
        Information->End = Region->Edge;
        Information->Protection |= MM_GUARD;
    } else {
        Information->End = Region->Edge - (Region->Edge - Region->Start > PAGE_SIZE ? PAGE_SIZE : 0);
        Information->Reserved = TRUE;
    }
}

NTSTATUS MmQueryRegion(PMM_ADDRESS_SPACE Space, ULONG_PTR Address, MM_REGION_INFORMATION *Information)
{
    *Information = (MM_REGION_INFORMATION){0};
    if (Address >= MM_USER_END) {
        return STATUS_INVALID_PARAMETER;
    }
    KeLockShared(&Space->Lock);
    PMI_REGION Region = MiRegionAt(&Space->Regions, Address);
    if (Region != NULL) {
        MiDescribeRegion(Region, Address, Information);
    } else {
        MiDescribeHole(&Space->Regions, Address, Information);
    }
    KeUnlockShared(&Space->Lock);
    return STATUS_SUCCESS;
}

NTSTATUS MmQueryWaitKey(PMM_ADDRESS_SPACE Space, ULONG_PTR Address, BOOLEAN Shared, MM_WAIT_KEY *Key)
{
    NTSTATUS Status = Address < MM_USER_END ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;

    *Key = (MM_WAIT_KEY){Space, Address};
    if (!Shared || !NT_SUCCESS(Status)) {
        return Status;
    }
    KeLockShared(&Space->Lock);
    PMI_REGION Region = MiRegionAt(&Space->Regions, Address);
    if (Region == NULL) {
        Status = STATUS_ACCESS_VIOLATION;
    } else if (Region->Shared) {
        *Key = (MM_WAIT_KEY){Region->Section, Region->Offset + (Address - Region->Start)};
    }
    KeUnlockShared(&Space->Lock);
    return Status;
}
