/* SPDX-License-Identifier: MIT */
/*
 * The tree of regions: search, holes, split, merge. A region's start may move inside the tree as long as it
 * passes no other region: the order stays what it was.
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

static inline ULONG_PTR MiMin(ULONG_PTR A, ULONG_PTR B)
{
    return A < B ? A : B;
}

static inline ULONG_PTR MiMax(ULONG_PTR A, ULONG_PTR B)
{
    return A > B ? A : B;
}

/* Looks in [Low, High), in which no region lies but those of the subtree, from the wanted end on. What cannot
   hold it is passed over as a whole, so that little more than one way down is gone. */
static BOOLEAN MiFindHoleBelow(const RTL_AVL_NODE *Node, SIZE_T Size, ULONG_PTR Low, ULONG_PTR High, BOOLEAN TopDown,
                               ULONG_PTR *Base)
{
    const MI_REGION *Region = MiRegionOf(Node);

    if (Low >= High || High - Low < Size) {
        return FALSE;
    }
    if (Region == NULL) {
        *Base = TopDown ? High - Size : Low;
        return TRUE;
    }
    if (Region->LargestHole < Size && (Region->Lowest < Low || Region->Lowest - Low < Size) &&
        (High < Region->Highest || High - Region->Highest < Size)) {
        return FALSE;
    }
    for (int i = 0; i < 2; i++) {
        BOOLEAN Above = TopDown == (i == 0);
        if (MiFindHoleBelow(Node->Child[Above], Size, Above ? MiMax(Low, Region->End) : Low,
                            Above ? High : MiMin(High, Region->Start), TopDown, Base)) {
            return TRUE;
        }
    }
    return FALSE;
}

BOOLEAN MiFindHole(const MI_REGION_TREE *Regions, SIZE_T Size, ULONG_PTR Low, ULONG_PTR High, BOOLEAN TopDown,
                   ULONG_PTR *Base)
{
    return MiFindHoleBelow(Regions->Tree.Root, Size, Low, High, TopDown, Base);
}

/* ---- Change ---- */

static BOOLEAN MiMayMerge(const MI_REGION *Left, const MI_REGION *Right)
{
    return Left->End == Right->Start && Left->Section == Right->Section && Left->Tag == Right->Tag &&
           Left->Protection == Right->Protection && Left->Shared == Right->Shared &&
           Left->Attributes == Right->Attributes && Left->GrowDown == Right->GrowDown &&
           Left->Edge == Right->Edge && Left->SectionEpoch == Right->SectionEpoch &&
           (Left->Section == NULL || Left->Offset + (Left->End - Left->Start) == Right->Offset);
}

static BOOLEAN MiUpdateRegion(PRTL_AVL_NODE Node)
{
    PMI_REGION Region = MiRegionOf(Node);
    const MI_REGION *Left = MiRegionOf(Node->Child[0]), *Right = MiRegionOf(Node->Child[1]);
    ULONG_PTR Lowest = Left != NULL ? Left->Lowest : Region->Start;
    ULONG_PTR Highest = Right != NULL ? Right->Highest : Region->End;
    SIZE_T Hole = Left != NULL ? MiMax(Left->LargestHole, Region->Start - Left->Highest) : 0;

    if (Right != NULL) {
        Hole = MiMax(Hole, MiMax(Right->LargestHole, Right->Lowest - Region->End));
    }
    BOOLEAN Changed = Lowest != Region->Lowest || Highest != Region->Highest || Hole != Region->LargestHole;
    Region->Lowest = Lowest;
    Region->Highest = Highest;
    Region->LargestHole = Hole;
    return Changed;
}

/* A region that is in the tree is to reach from Start to End: it passes no other one. */
static void MiResizeRegion(PMI_REGION Region, ULONG_PTR Start, ULONG_PTR End)
{
    Region->Start = Start;
    Region->End = End;
    RtlAvlUpdate(&Region->Node, MiUpdateRegion);
}

static void MiUnlinkRegion(PMI_REGION_TREE Regions, PMI_REGION Region)
{
    if (Regions->Hint == Region) {
        Regions->Hint = NULL;
    }
    RtlAvlRemoveSummed(&Regions->Tree, &Region->Node, MiUpdateRegion);
    Regions->Count--;
}

static void MiLinkRegion(PMI_REGION_TREE Regions, PMI_REGION Region)
{
    Region->Highest = 0; /* nothing that could be right: its parents are told of it in any case */
    RtlAvlInsertSummed(&Regions->Tree, &Region->Start, &Region->Node, MiCompareStart, MiUpdateRegion);
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
    PMI_REGION Right = Regions->Count < MI_REGION_LIMIT ? MiAllocateRegion(Left) : NULL;
    if (Right == NULL) {
        return STATUS_NO_MEMORY;
    }
    Right->Start = Address;
    Right->Offset = Left->Offset + (Address - Left->Start);
    MiResizeRegion(Left, Left->Start, Address);
    MiLinkRegion(Regions, Right);
    return STATUS_SUCCESS;
}

NTSTATUS MiCarveRange(PMI_REGION_TREE Regions, ULONG_PTR Start, ULONG_PTR End)
{
    PMI_REGION Region = MiFindRegionAbove(Regions, Start);
    if (Region == NULL || Region->Start >= End) {
        return STATUS_SUCCESS;
    }
    BOOLEAN Inside = Region->Start < Start;
    NTSTATUS Status = Inside && Start < Region->Edge ? STATUS_CONFLICTING_ADDRESSES : MiSplitRegion(Regions, End);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (Inside) {
        Regions->Pages -= (Region->End - Start) >> PAGE_SHIFT;
        MiResizeRegion(Region, Region->Start, Start);
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
            MiUnlinkRegion(Regions, Right);
            MiResizeRegion(Left, Left->Start, Right->End);
            MiFreeRegion(Right);
        } else {
            Left = Right;
        }
    }
}

void MiExtendRegionDown(PMI_REGION_TREE Regions, PMI_REGION Region, ULONG_PTR Start)
{
    Regions->Pages += (Region->Start - Start) >> PAGE_SHIFT;
    MiResizeRegion(Region, Start, Region->End);
}

/* ---- Whole trees ---- */

/* Its own frame, so that the recursion's are small. */
static __attribute__((noinline)) PMI_REGION MiCopyRegion(const MI_REGION *Region, struct _MM_ADDRESS_SPACE *Space)
{
    MI_REGION Template = *Region;
    Template.Space = Space;
    return MiAllocateRegion(&Template);
}

static BOOLEAN MiCopyBelow(const RTL_AVL_NODE *Node, PRTL_AVL_NODE Parent, PRTL_AVL_NODE *Link, struct _MM_ADDRESS_SPACE *Space)
{
    PMI_REGION Copy = Node != NULL ? MiCopyRegion(MiRegionOf(Node), Space) : NULL;
    *Link = NULL;
    if (Copy == NULL) {
        return Node == NULL;
    }
    *Link = &Copy->Node;
    Copy->Node.Parent = Parent;
    BOOLEAN Whole = MiCopyBelow(Node->Child[0], &Copy->Node, &Copy->Node.Child[0], Space);
    return MiCopyBelow(Node->Child[1], &Copy->Node, &Copy->Node.Child[1], Space) && Whole;
}

BOOLEAN MiCopyTree(const MI_REGION_TREE *From, PMI_REGION_TREE To, struct _MM_ADDRESS_SPACE *Space)
{
    To->Pages = From->Pages;
    To->Count = From->Count;
    return MiCopyBelow(From->Tree.Root, NULL, &To->Tree.Root, Space);
}

static void MiFreeBelow(PRTL_AVL_NODE Node)
{
    if (Node != NULL) {
        MiFreeBelow(Node->Child[0]);
        MiFreeBelow(Node->Child[1]);
        MiFreeRegion(MiRegionOf(Node));
    }
}

void MiFreeTree(PMI_REGION_TREE Regions)
{
    MiFreeBelow(Regions->Tree.Root);
}
