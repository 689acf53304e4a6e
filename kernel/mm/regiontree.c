/* SPDX-License-Identifier: MIT */
/*
 * The tree of regions: search, holes, split, merge. A region's start may move inside the tree as long as it passes no other
 * region: the order stays what it was.
 */
#include "kernel/mm/regiontree.h"

#define REGION_TAG 'geRM'

volatile LONG64 MiRegionCount;

static inline PMI_REGION MiRegionOf(const RTL_AVL_NODE *Node)
{
    return Node != NULL ? CONTAINING_RECORD(Node, MI_REGION, Node) : NULL;
}

static LONG MiCompareStart(const VOID *Key, const RTL_AVL_NODE *Node)
{
    ULONG_PTR Address = *(const ULONG_PTR *)Key;
    ULONG_PTR Start = MiRegionOf(Node)->Start;
    return Address < Start ? -1 : Address > Start;
}

/* Regions are disjoint, so that their ends have the same order; a region lies above what is below its end. */
static LONG MiCompareEnd(const VOID *Key, const RTL_AVL_NODE *Node)
{
    return *(const ULONG_PTR *)Key < MiRegionOf(Node)->End ? -1 : 1;
}

/* ---- Life of a region ---- */

PMI_REGION MiAllocateRegion(const MI_REGION *Template)
{
    PMI_REGION Region = ExAllocatePoolWithTag(NonPagedPool, sizeof(MI_REGION), REGION_TAG);
    if (Region != NULL) {
        *Region = *Template;
        InterlockedIncrement64(&MiRegionCount);
        if (Region->Section != NULL) {
            MiAttachSection(Region);
        }
    }
    return Region;
}

void MiFreeRegion(PMI_REGION Region)
{
    if (Region->Section != NULL) {
        MiDetachSection(Region);
    }
    InterlockedDecrement64(&MiRegionCount);
    ExFreePoolWithTag(Region, REGION_TAG);
}

/* ---- Search ---- */

PMI_REGION MiNextRegion(const MI_REGION *Region)
{
    return MiRegionOf(RtlAvlNext(&Region->Node));
}

PMI_REGION MiPreviousRegion(const MI_REGION *Region)
{
    return MiRegionOf(RtlAvlPrevious(&Region->Node));
}

PMI_REGION MiFindRegionAbove(const MI_REGION_TREE *Regions, ULONG_PTR Address)
{
    return MiRegionOf(RtlAvlFindCeiling(&Regions->Tree, &Address, MiCompareEnd));
}

PMI_REGION MiFindRegionBelow(const MI_REGION_TREE *Regions, ULONG_PTR Address)
{
    return MiRegionOf(RtlAvlFindFloor(&Regions->Tree, &Address, MiCompareStart));
}

PMI_REGION MiRegionAt(const MI_REGION_TREE *Regions, ULONG_PTR Address)
{
    PMI_REGION Region = MiFindRegionBelow(Regions, Address);
    return Region != NULL && Address < Region->End ? Region : NULL;
}

PMI_REGION MiFindRegion(PMI_REGION_TREE Regions, ULONG_PTR Address)
{
    PMI_REGION Region = Regions->Hint;
    if (Region == NULL || Address - Region->Start >= Region->End - Region->Start) {
        Region = MiRegionAt(Regions, Address);
        Regions->Hint = Region;
    }
    return Region;
}

BOOLEAN MiRangeIsFree(const MI_REGION_TREE *Regions, ULONG_PTR Start, ULONG_PTR End)
{
    PMI_REGION Above = MiFindRegionAbove(Regions, Start);
    return Above == NULL || Above->Start >= End;
}

/* Walks the regions upwards; the hole before each, from Low on, is looked at. */
static BOOLEAN MiFindLowestHole(const MI_REGION_TREE *Regions, SIZE_T Size, ULONG_PTR Low, ULONG_PTR High,
                                ULONG_PTR *Base)
{
    PMI_REGION Region = MiFindRegionAbove(Regions, Low);
    while (Low < High && High - Low >= Size) {
        if (Region == NULL || (Region->Start > Low && Region->Start - Low >= Size)) {
            *Base = Low;
            return TRUE;
        }
        Low = Region->End;
        Region = MiNextRegion(Region);
    }
    return FALSE;
}

static BOOLEAN MiFindHighestHole(const MI_REGION_TREE *Regions, SIZE_T Size, ULONG_PTR Low, ULONG_PTR High,
                                 ULONG_PTR *Base)
{
    PMI_REGION Region = High != 0 ? MiFindRegionBelow(Regions, High - 1) : NULL;
    while (Low < High && High - Low >= Size) {
        ULONG_PTR Floor = Region != NULL && Region->End > Low ? Region->End : Low;
        if (Floor < High && High - Floor >= Size) {
            *Base = High - Size;
            return TRUE;
        }
        if (Region == NULL) {
            break;
        }
        High = Region->Start;
        Region = MiPreviousRegion(Region);
    }
    return FALSE;
}

BOOLEAN MiFindHole(const MI_REGION_TREE *Regions, SIZE_T Size, ULONG_PTR Low, ULONG_PTR High, BOOLEAN TopDown,
                   ULONG_PTR *Base)
{
    return TopDown ? MiFindHighestHole(Regions, Size, Low, High, Base)
                   : MiFindLowestHole(Regions, Size, Low, High, Base);
}

/* ---- Change ---- */

static BOOLEAN MiMayMerge(const MI_REGION *Left, const MI_REGION *Right)
{
    return Left->End == Right->Start && Left->Section == Right->Section && Left->Tag == Right->Tag &&
           Left->Protection == Right->Protection && Left->Shared == Right->Shared &&
           Left->NoInherit == Right->NoInherit && Left->GrowDown == Right->GrowDown &&
           Left->Edge == Right->Edge &&
           (Left->Section == NULL || Left->Offset + (Left->End - Left->Start) == Right->Offset);
}

static void MiUnlinkRegion(PMI_REGION_TREE Regions, PMI_REGION Region)
{
    if (Regions->Hint == Region) {
        Regions->Hint = NULL;
    }
    RtlAvlRemove(&Regions->Tree, &Region->Node);
    Regions->Count--;
}

static void MiLinkRegion(PMI_REGION_TREE Regions, PMI_REGION Region)
{
    RtlAvlInsert(&Regions->Tree, &Region->Start, &Region->Node, MiCompareStart);
    Regions->Count++;
}

void MiInsertRegion(PMI_REGION_TREE Regions, PMI_REGION Region)
{
    Regions->Pages += (Region->End - Region->Start) >> PAGE_SHIFT;
    MiLinkRegion(Regions, Region);
    MiMergeRange(Regions, Region->Start, Region->End);
}

void MiRemoveRegion(PMI_REGION_TREE Regions, PMI_REGION Region)
{
    Regions->Pages -= (Region->End - Region->Start) >> PAGE_SHIFT;
    MiUnlinkRegion(Regions, Region);
    MiFreeRegion(Region);
}

NTSTATUS MiSplitRegion(PMI_REGION_TREE Regions, ULONG_PTR Address)
{
    PMI_REGION Left = MiFindRegion(Regions, Address);
    if (Left == NULL || Left->Start == Address) {
        return STATUS_SUCCESS;
    }
    if (Address < Left->Edge) {
        return STATUS_CONFLICTING_ADDRESSES;
    }
    PMI_REGION Right = MiAllocateRegion(Left);
    if (Right == NULL) {
        return STATUS_NO_MEMORY;
    }
    Right->Start = Address;
    Right->Offset = Left->Offset + (Address - Left->Start);
    Left->End = Address;
    MiLinkRegion(Regions, Right);
    return STATUS_SUCCESS;
}

NTSTATUS MiCarveRange(PMI_REGION_TREE Regions, ULONG_PTR Start, ULONG_PTR End)
{
    PMI_REGION Region = MiFindRegionAbove(Regions, Start);
    if (Region == NULL || Region->Start >= End) {
        return STATUS_SUCCESS;
    }
    NTSTATUS Status = MiSplitRegion(Regions, End);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (Region->Start < Start) {
        Regions->Pages -= (Region->End - Start) >> PAGE_SHIFT;
        Region->End = Start;
        Region = MiNextRegion(Region);
    }
    while (Region != NULL && Region->Start < End) {
        PMI_REGION Next = MiNextRegion(Region);
        MiRemoveRegion(Regions, Region);
        Region = Next;
    }
    return STATUS_SUCCESS;
}

void MiMergeRange(PMI_REGION_TREE Regions, ULONG_PTR Start, ULONG_PTR End)
{
    PMI_REGION Left = MiFindRegionAbove(Regions, Start != 0 ? Start - 1 : 0);
    while (Left != NULL && Left->End <= End) {
        PMI_REGION Right = MiNextRegion(Left);
        if (Right != NULL && MiMayMerge(Left, Right)) {
            Left->End = Right->End;
            MiUnlinkRegion(Regions, Right);
            MiFreeRegion(Right);
        } else {
            Left = Right;
        }
    }
}

void MiExtendRegionDown(PMI_REGION_TREE Regions, PMI_REGION Region, ULONG_PTR Start)
{
    Regions->Pages += (Region->Start - Start) >> PAGE_SHIFT;
    Region->Start = Start;
}
