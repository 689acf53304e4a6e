/* SPDX-License-Identifier: MIT */
/*
 * Operations on ranges of an address space: the tree of regions (regiontree.c) and the page tables are
 * changed together, under the space's lock. Whatever takes rights away flushes before it returns, and before
 * a frame is released.
 */
#include "kernel/mm/mi.h"

/* ---- Taking pages out ---- */

/* Pages taken out of a space are collected: one flush, then they are released. */
#define MI_UNMAP_BATCH 128

typedef struct _MI_UNMAP {
    PMM_ADDRESS_SPACE Space;
    BOOLEAN NoFlush; /* no processor has the space loaded, nor ever will */
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

static void MiUnmapVisit(void *Context, uintptr_t Virtual, ARCH_PAGE_ENTRY *Entry, uint64_t Physical, ULONG Flags)
{
    PMI_UNMAP Unmap = Context;

    ArchClearEntry(Entry);
    if (Unmap->Count == 0) {
        Unmap->First = Virtual;
    }
    Unmap->Last = Virtual;
    Unmap->Page[Unmap->Count++] = Physical;
    if (Unmap->Count == MI_UNMAP_BATCH) {
        MiFlushUnmapped(Unmap);
    }
}

void MiUnmapPages(PMM_ADDRESS_SPACE Space, ULONG_PTR Start, ULONG_PTR End)
{
    MI_UNMAP Unmap; /* not initialised as a whole: its array is large */

    if (Start >= End || Space->ResidentPages == 0) {
        return;
    }
    Unmap.Space = Space;
    Unmap.NoFlush = FALSE;
    Unmap.Count = 0;
    ArchForEachPage(&Space->Kernel.Tables, Start, End, MiUnmapVisit, &Unmap);
    MiFlushUnmapped(&Unmap);
}

void MiUnmapAll(PMM_ADDRESS_SPACE Space)
{
    MI_UNMAP Unmap;

    Unmap.Space = Space;
    Unmap.NoFlush = TRUE;
    Unmap.Count = 0;
    ArchDeletePageTables(&Space->Kernel.Tables, MiUnmapVisit, &Unmap);
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
    PMI_REGION First = MiFindRegion(&Space->Regions, Start);
    ULONG_PTR Used = First != NULL && First->Edge > Start ? First->Edge : Start; /* a stack has no pages below its edge */
    NTSTATUS Status = MiCarveRange(&Space->Regions, Start, End);
    if (NT_SUCCESS(Status)) {
        MiUnmapPages(Space, Used, End);
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
    PMI_REGION Region = Space->Regions.Count < MI_REGION_LIMIT ? MiAllocateRegion(Template) : NULL;
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
        .SectionEpoch = Section != NULL ? __atomic_load_n(&Section->Epoch, __ATOMIC_RELAXED) : 0, /* it shows no page yet */
        .Offset = Section != NULL ? Offset : 0,
        .Tag = Tag,
        .Edge = (Flags & MM_MAP_STACK) != 0 ? Offset : 0, /* a size, until it is known where */
        .Protection = (UCHAR)Protection,
        .Shared = (Flags & MM_MAP_SHARED) != 0,
        .Attributes = (UCHAR)(Flags >> 8),
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
    ULONG Mask, Value;  /* for MiMarkOne */
    BOOLEAN Downgraded; /* some entry has lost a right */
} MI_CHANGE, *PMI_CHANGE;

/* Changes the regions of [Start, End), which are made to begin and end there, up to a hole or a refusal.
   (Lock) */
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

static void MiProtectVisit(void *Context, uintptr_t Virtual, ARCH_PAGE_ENTRY *Entry, uint64_t Physical, ULONG Flags)
{
    PMI_CHANGE Change = Context;
    ULONG New = MiLeafFlags(Change->Protection, Flags & ARCH_PAGE_SOFT);

    Flags &= MI_LEAF_FLAGS;
    if (New != Flags) {
        Change->Downgraded |= (Flags & ~New) != 0;
        ArchSetEntry(Entry, Physical, New);
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

static NTSTATUS MiMarkOne(PMI_CHANGE Change, PMI_REGION Region)
{
    Region->Attributes = (UCHAR)((Region->Attributes & ~Change->Mask) | Change->Value);
    return STATUS_SUCCESS;
}

NTSTATUS MmSetRegionAttributes(PMM_ADDRESS_SPACE Space, ULONG_PTR Base, SIZE_T Size, ULONG Mask, ULONG Value)
{
    MI_CHANGE Change = {.Change = MiMarkOne, .Space = Space, .Mask = Mask, .Value = Value & Mask};
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
    MiUnmapPages(Space, Start, End);
    BOOLEAN Whole = MiRangeIsMapped(&Space->Regions, Start, End);
    KeUnlockExclusive(&Space->Lock);
    return Whole ? STATUS_SUCCESS : STATUS_MEMORY_NOT_ALLOCATED;
}

/* ---- Moving ---- */

typedef struct _MI_MOVE {
    PMM_ADDRESS_SPACE Space;
    ULONG_PTR Distance;
    NTSTATUS Status;
    SIZE_T Pages;
} MI_MOVE;

/* The tables at the new place: what could fail does so before anything has changed. */
static void MiPrepareMove(void *Context, uintptr_t Virtual, ARCH_PAGE_ENTRY *Entry, uint64_t Physical, ULONG Flags)
{
    MI_MOVE *Move = Context;
    if (NT_SUCCESS(Move->Status) && ArchMakeEntry(&Move->Space->Kernel.Tables, Virtual + Move->Distance) == NULL) {
        Move->Status = STATUS_NO_MEMORY;
    }
}

static void MiMoveVisit(void *Context, uintptr_t Virtual, ARCH_PAGE_ENTRY *Entry, uint64_t Physical, ULONG Flags)
{
    MI_MOVE *Move = Context;
    ArchSetEntry(ArchMakeEntry(&Move->Space->Kernel.Tables, Virtual + Move->Distance), Physical, Flags & MI_LEAF_FLAGS);
    ArchClearEntry(Entry);
    Move->Pages++;
}

static void MiMovePages(MI_MOVE *Move, ULONG_PTR Old, ULONG_PTR End)
{
    ArchForEachPage(&Move->Space->Kernel.Tables, Old, End, MiMoveVisit, Move);
    if (Move->Pages != 0) {
        KeFlushTb(&Move->Space->Kernel, Old, (End - Old) >> PAGE_SHIFT);
    }
}

/* Region, a copy of the old one's attributes, goes to its place with the old range's pages. The old range is
   made to begin and end where regions do, so that taking it away cannot fail. (Lock) */
static NTSTATUS MiMoveTo(PMM_ADDRESS_SPACE Space, PMI_REGION Region, ULONG_PTR Old, SIZE_T OldSize, BOOLEAN Keep)
{
    SIZE_T Size = OldSize < Region->End - Region->Start ? OldSize : Region->End - Region->Start;
    MI_MOVE Move = {.Space = Space, .Distance = Region->Start - Old};

    ArchForEachPage(&Space->Kernel.Tables, Old, Old + Size, MiPrepareMove, &Move);
    if (NT_SUCCESS(Move.Status)) {
        Move.Status = MiClearRange(Space, Region->Start, Region->End);
    }
    if (!NT_SUCCESS(Move.Status)) {
        return Move.Status;
    }
    MiMovePages(&Move, Old, Old + Size);
    if (!Keep && OldSize != 0) {
        MiClearRange(Space, Old, Old + OldSize);
    }
    MiInsertRegion(&Space->Regions, Region);
    return STATUS_SUCCESS;
}

/* The place: free, or to be freed by MiMoveTo. (Lock) */
static NTSTATUS MiPlaceMove(PMM_ADDRESS_SPACE Space, PMI_REGION Region, ULONG_PTR Base, SIZE_T Size, ULONG Flags, ULONG_PTR Limit)
{
    if ((Flags & (MM_MAP_FIXED | MM_MAP_NOREPLACE)) != MM_MAP_FIXED) {
        return MiPlaceRegion(Space, Region, Base, Size, Flags, Limit);
    }
    Region->Start = Base;
    Region->End = Base + Size;
    return STATUS_SUCCESS;
}

static NTSTATUS MiMoveRegion(PMM_ADDRESS_SPACE Space, ULONG_PTR Old, SIZE_T OldSize, ULONG_PTR *Base, SIZE_T NewSize, ULONG Flags,
                             BOOLEAN Keep, ULONG_PTR Limit)
{
    PMI_REGION Source = MiFindRegion(&Space->Regions, Old);
    BOOLEAN InPlace = (Flags & MM_MAP_FIXED) != 0 && *Base == Old;
    NTSTATUS Status = STATUS_SUCCESS;

    if (Source == NULL || Source->End - Old < OldSize || (OldSize == 0 && !Source->Shared) || Source->Edge != 0) {
        return STATUS_ACCESS_VIOLATION;
    }
    MI_REGION Template = *Source;
    Template.Offset += Template.Section != NULL ? Old - Template.Start + (InPlace ? OldSize : 0) : 0;
    PMI_REGION Region = Space->Regions.Count + 2 < MI_REGION_LIMIT ? MiAllocateRegion(&Template) : NULL;
    if (Region == NULL) {
        return STATUS_NO_MEMORY;
    }
    if (InPlace) {
        Status = MiPlaceRegion(Space, Region, Old + OldSize, NewSize - OldSize, Flags | MM_MAP_NOREPLACE, 0);
        if (NT_SUCCESS(Status)) {
            MiInsertRegion(&Space->Regions, Region);
            return STATUS_SUCCESS;
        }
        MiFreeRegion(Region);
        return Status;
    }
    if (!Keep && OldSize != 0) {
        Status = MiSplitRegion(&Space->Regions, Old);
        Status = NT_SUCCESS(Status) ? MiSplitRegion(&Space->Regions, Old + OldSize) : Status;
    }
    Status = NT_SUCCESS(Status) ? MiPlaceMove(Space, Region, *Base, NewSize, Flags, Limit) : Status;
    if (NT_SUCCESS(Status)) {
        *Base = Region->Start;
        Status = MiMoveTo(Space, Region, Old, OldSize, Keep);
    }
    if (!NT_SUCCESS(Status)) {
        MiFreeRegion(Region);
        MiMergeRange(&Space->Regions, Old, Old + OldSize);
    }
    return Status;
}

NTSTATUS MmMoveRegion(PMM_ADDRESS_SPACE Space, ULONG_PTR Old, SIZE_T OldSize, ULONG_PTR *Base, SIZE_T NewSize, ULONG Flags,
                      BOOLEAN Keep, ULONG_PTR Limit)
{
    OldSize = ROUND_TO_PAGES(OldSize);
    NewSize = ROUND_TO_PAGES(NewSize);
    BOOLEAN Fixed = (Flags & MM_MAP_FIXED) != 0;
    BOOLEAN InPlace = Fixed && *Base == Old;
    if (NewSize == 0 || NewSize > MM_USER_END || OldSize > MM_USER_END || Old > MM_USER_END - OldSize || BYTE_OFFSET(Old) != 0 ||
        (Fixed && (BYTE_OFFSET(*Base) != 0 || *Base < MM_USER_LOWEST || *Base > MM_USER_END - NewSize)) ||
        (InPlace && NewSize <= OldSize) ||
        (Fixed && !InPlace && *Base < Old + OldSize && Old < *Base + NewSize)) {
        return STATUS_INVALID_PARAMETER;
    }
    KeLockExclusive(&Space->Lock);
    NTSTATUS Status = MiMoveRegion(Space, Old, OldSize, Base, NewSize, Flags, Keep, Limit);
    KeUnlockExclusive(&Space->Lock);
    return Status;
}

/* ---- Populating ---- */

static NTSTATUS MiPopulatePage(PMM_ADDRESS_SPACE Space, ULONG_PTR Page, ULONG Access)
{
    KeLockExclusive(&Space->Lock);
    PMI_REGION Region = MiFindRegion(&Space->Regions, Page);
    if (Access == 0) {
        Access = Region != NULL && (Region->Protection & MM_WRITE) != 0 && !Region->Shared ? MM_WRITE : MM_READ;
    }
    NTSTATUS Status = Region == NULL ? STATUS_MEMORY_NOT_ALLOCATED
                                     : MiResolvePage(Space, Page, Access == MM_WRITE ? ARCH_PAGE_WRITE : ARCH_PAGE_READ, FALSE);
    KeUnlockExclusive(&Space->Lock);
    return Status;
}

NTSTATUS MmPopulateRegion(PMM_ADDRESS_SPACE Space, ULONG_PTR Base, SIZE_T Size, ULONG Access)
{
    ULONG_PTR Start, End;
    if (!MiPageRange(Base, Size, &Start, &End)) {
        return STATUS_INVALID_PARAMETER;
    }
    NTSTATUS Status = STATUS_SUCCESS;
    for (; NT_SUCCESS(Status) && Start < End; Start += PAGE_SIZE) {
        Status = MiPopulatePage(Space, Start, Access);
    }
    return Status;
}

/* ---- Questions ---- */

NTSTATUS MmQueryPages(PMM_ADDRESS_SPACE Space, ULONG_PTR Base, SIZE_T Pages, PUCHAR Present)
{
    NTSTATUS Status = STATUS_SUCCESS;
    ULONG64 Physical;
    ULONG Flags;

    KeLockExclusive(&Space->Lock);
    for (SIZE_T i = 0; i < Pages && NT_SUCCESS(Status); i++) {
        ULONG_PTR Page = Base + i * PAGE_SIZE;
        PMI_REGION Region = MiFindRegion(&Space->Regions, Page);
        if (Region == NULL) {
            Status = STATUS_MEMORY_NOT_ALLOCATED;
            break;
        }
        Present[i] = ArchQueryPage(&Space->Kernel.Tables, Page, &Physical, &Flags) ||
                     (Region->Section != NULL &&
                      MiSectionHasPage(Region->Section, (Region->Offset + (Page - Region->Start)) >> PAGE_SHIFT));
    }
    KeUnlockExclusive(&Space->Lock);
    return Status;
}

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
        .GrowDown = Region->GrowDown,
        .Protection = Region->Protection,
        .Attributes = Region->Attributes,
        .SectionOffset = Region->Offset,
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

    *Key = (MM_WAIT_KEY){(ULONG_PTR)Space, Address};
    if (!Shared || !NT_SUCCESS(Status)) {
        return Status;
    }
    KeLockShared(&Space->Lock);
    PMI_REGION Region = MiRegionAt(&Space->Regions, Address);
    if (Region == NULL) {
        Status = STATUS_ACCESS_VIOLATION;
    } else if (Region->Shared) {
        *Key = (MM_WAIT_KEY){Region->Section->Serial, Region->Offset + (Address - Region->Start)};
    }
    KeUnlockShared(&Space->Lock);
    return Status;
}
