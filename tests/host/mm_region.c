// sources: kernel/mm/regiontree.c kernel/rtl/avl.c
/* SPDX-License-Identifier: MIT */
/*
 * The tree of regions against a model that knows one thing only: what each page of a small range belongs to.
 * Random maps, unmaps, splits, changes of protection and inheritance follow one another, some without memory;
 * after each the tree must say of every page what the model says, equal neighbours must be one region, and
 * holes must be found where the model has them.
 */
#include "kernel/mm/regiontree.h"
#include "tests/host/host.h"

#define PAGES 96
#define BASE  0x100000UL

typedef struct _PAGE {
    bool Mapped;
    int Protection, Section; /* Section 0: none */
    bool NoInherit;
    ULONG64 SectionPage;
} PAGE;

static PAGE Model[PAGES];
static MI_REGION_TREE Regions;
static int References[4]; /* of sections: one a region that maps it */
static bool NoMemory;
static RTL_RANDOM Random;

/* ---- What the tree asks of the kernel ---- */

PVOID ExAllocatePoolWithTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
    return NoMemory ? NULL : malloc(NumberOfBytes);
}

VOID ExFreePoolWithTag(PVOID P, ULONG Tag)
{
    free(P);
}

void MiAttachSection(PMI_REGION Region)
{
    References[(ULONG_PTR)Region->Section]++;
}

void MiDetachSection(PMI_REGION Region)
{
    References[(ULONG_PTR)Region->Section]--;
}

/* ---- Comparison ---- */

static ULONG_PTR Address(int Page)
{
    return BASE + (ULONG_PTR)Page * PAGE_SIZE;
}

static int Number(int Below)
{
    return (int)RtlRandomBelow(&Random, (ULONG64)Below);
}

static void CheckPage(int Page)
{
    const PAGE *Want = &Model[Page];
    PMI_REGION Region = MiFindRegion(&Regions, Address(Page) + (ULONG_PTR)Number(PAGE_SIZE));

    CHECK_EQUAL(Want->Mapped, Region != NULL);
    CHECK_EQUAL(!Want->Mapped, MiRangeIsFree(&Regions, Address(Page), Address(Page + 1)));
    if (Region == NULL || !Want->Mapped) {
        return;
    }
    CHECK_EQUAL(Want->Protection, Region->Protection);
    CHECK_EQUAL(Want->NoInherit, Region->Attributes != 0);
    CHECK_EQUAL(Want->Section, (ULONG_PTR)Region->Section);
    if (Want->Section != 0) {
        CHECK_EQUAL(Want->SectionPage * PAGE_SIZE, Region->Offset + (Address(Page) - Region->Start));
    }
}

static bool SameKind(const PAGE *Left, const PAGE *Right)
{
    return Left->Mapped && Right->Mapped && Left->Protection == Right->Protection &&
           Left->NoInherit == Right->NoInherit && Left->Section == Right->Section &&
           (Left->Section == 0 || Left->SectionPage + 1 == Right->SectionPage);
}

static void CheckAll(void)
{
    ULONG Count = 0, Mapped = 0;
    int Used[4] = {0};

    for (int Page = 0; Page < PAGES; Page++) {
        CheckPage(Page);
        Mapped += Model[Page].Mapped;
        if (Model[Page].Mapped && (Page == 0 || !SameKind(&Model[Page - 1], &Model[Page]))) {
            Count++;
            Used[Model[Page].Section]++;
        }
    }
    CHECK_EQUAL(Mapped, Regions.Pages);
    CHECK_EQUAL(Count, Regions.Count);
    CHECK_EQUAL(Count, (ULONG64)MiRegionCount);
    for (int Section = 1; Section < 4; Section++) {
        CHECK_EQUAL(Used[Section], References[Section]);
    }
}

/* The place that a search of the model page by page finds; -1: none. */
static int ModelHole(int Low, int High, int Size, bool TopDown)
{
    for (int i = 0; i + Size <= High - Low; i++) {
        int Start = TopDown ? High - Size - i : Low + i;
        int Run = 0;
        while (Run < Size && !Model[Start + Run].Mapped) {
            Run++;
        }
        if (Run == Size) {
            return Start;
        }
    }
    return -1;
}

static void CheckHoles(void)
{
    int Low = Number(PAGES), High = Low + Number(PAGES - Low + 1), Size = 1 + Number(12);
    for (int TopDown = 0; TopDown < 2; TopDown++) {
        ULONG_PTR Base = 0;
        int Want = ModelHole(Low, High, Size, TopDown != 0);
        BOOLEAN Found = MiFindHole(&Regions, (SIZE_T)Size * PAGE_SIZE, Address(Low), Address(High),
                                   (BOOLEAN)TopDown, &Base);
        CHECK_EQUAL(Want >= 0, Found);
        if (Found && Want >= 0) {
            CHECK_EQUAL(Address(Want), Base);
        }
    }
}

/* ---- Operations ---- */

static void Unmap(int First, int Count)
{
    if (MiCarveRange(&Regions, Address(First), Address(First + Count)) == STATUS_SUCCESS) {
        memset(&Model[First], 0, (size_t)Count * sizeof(PAGE));
    } else {
        CHECK(NoMemory);
    }
}

static void Map(int First, int Count)
{
    int Section = Number(4);
    int SectionPage = Number(8);
    MI_REGION Template = {
        .Start = Address(First),
        .End = Address(First + Count),
        .Section = (struct _MM_SECTION *)(ULONG_PTR)Section,
        .Offset = Section != 0 ? (ULONG64)SectionPage * PAGE_SIZE : 0,
        .Protection = (UCHAR)Number(3),
        .Attributes = Number(4) == 0 ? 1 : 0,
    };
    PMI_REGION Region = MiAllocateRegion(&Template);
    if (Region == NULL) {
        CHECK(NoMemory);
        return;
    }
    if (MiCarveRange(&Regions, Region->Start, Region->End) != STATUS_SUCCESS) {
        CHECK(NoMemory);
        MiFreeRegion(Region);
        return;
    }
    MiInsertRegion(&Regions, Region);
    Region = MiFindRegion(&Regions, Address(First));
    CHECK(Region->Start <= Address(First) && Region->End >= Address(First + Count));
    for (int i = 0; i < Count; i++) {
        Model[First + i] = (PAGE){true, Template.Protection, Section, Template.Attributes != 0,
                                  Section != 0 ? (ULONG64)(SectionPage + i) : 0};
    }
}

/* What protecting and inheriting do: boundaries, a change of each region between them, merging. */
static void Change(int First, int Count)
{
    ULONG_PTR Start = Address(First), End = Address(First + Count);
    int Protection = Number(3);
    bool Inherit = Number(2) != 0, OnlyProtect = Number(2) != 0;

    if (MiSplitRegion(&Regions, Start) == STATUS_SUCCESS && MiSplitRegion(&Regions, End) == STATUS_SUCCESS) {
        PMI_REGION Region = MiFindRegionAbove(&Regions, Start);
        for (; Region != NULL && Region->Start < End; Region = MiNextRegion(Region)) {
            CHECK(Region->Start >= Start && Region->End <= End);
            Region->Protection = OnlyProtect ? (UCHAR)Protection : Region->Protection;
            Region->Attributes = OnlyProtect ? Region->Attributes : !Inherit;
        }
        for (int i = First; i < First + Count; i++) {
            Model[i].Protection = OnlyProtect && Model[i].Mapped ? Protection : Model[i].Protection;
            Model[i].NoInherit = OnlyProtect || !Model[i].Mapped ? Model[i].NoInherit : !Inherit;
        }
    } else {
        CHECK(NoMemory);
    }
    MiMergeRange(&Regions, Start, End);
}

/* A region without a section may grow into the hole below it. */
static void Grow(int First)
{
    PMI_REGION Region = MiFindRegionAbove(&Regions, Address(First));
    PMI_REGION Below = Region != NULL ? MiPreviousRegion(Region) : NULL;
    int Above = Region != NULL ? (int)((Region->Start - BASE) >> PAGE_SHIFT) : 0;

    if (Region == NULL || Region->Section != NULL || Above <= First ||
        (Below != NULL && Below->End >= Address(First))) {
        return; /* or it would touch a neighbour, with which the owner would have to merge it */
    }
    if (First > 0 && Model[First - 1].Mapped) {
        return;
    }
    MiExtendRegionDown(&Regions, Region, Address(First));
    for (int Page = First; Page < Above; Page++) {
        Model[Page] = Model[Above];
    }
}

static void Step(void)
{
    int First = Number(PAGES), Count = 1 + Number(PAGES - First);
    if (Number(4) != 0 && Count > 10) {
        Count = 1 + Number(10);
    }
    switch (Number(8)) {
    case 0:
    case 1:
    case 2:
        Map(First, Count);
        break;
    case 3:
    case 4:
        Unmap(First, Count);
        break;
    case 5:
        Grow(First);
        break;
    default:
        Change(First, Count);
        break;
    }
}

static void Restart(void)
{
    NoMemory = false;
    Unmap(0, PAGES);
    CheckAll();
    CHECK(Regions.Tree.Root == NULL);
    CHECK_EQUAL(0, Regions.Count);
}

/* ---- Behaviours ---- */

static void RegionsAgreeWithPages(void)
{
    Random = HostRandom();
    for (int i = 0; i < 20000; i++) {
        Step();
        CheckAll();
        CheckHoles();
    }
    Restart();
}

static void FailureChangesNothing(void)
{
    Random = HostRandom();
    for (int i = 0; i < 20000; i++) {
        NoMemory = Number(3) == 0;
        Step();
        NoMemory = false;
        CheckAll();
    }
    Restart();
}

static void EqualNeighboursBecomeOne(void)
{
    MI_REGION Template = {.Protection = 3};
    for (int Page = 0; Page < PAGES; Page += 2) {
        Template.Start = Address(Page);
        Template.End = Address(Page + 1);
        MiInsertRegion(&Regions, MiAllocateRegion(&Template));
    }
    CHECK_EQUAL(PAGES / 2, Regions.Count);
    for (int Page = 1; Page < PAGES; Page += 2) {
        Template.Start = Address(Page);
        Template.End = Address(Page + 1);
        MiInsertRegion(&Regions, MiAllocateRegion(&Template));
    }
    CHECK_EQUAL(1, Regions.Count);
    CHECK_EQUAL(PAGES, Regions.Pages);
    Unmap(0, PAGES);
    CHECK_EQUAL(0, Regions.Count);
}

/* The last region found is remembered; it must not be found again once it is gone or smaller. */
static void RememberedRegionIsForgotten(void)
{
    MI_REGION Template = {.Start = Address(0), .End = Address(10), .Protection = 1};
    MiInsertRegion(&Regions, MiAllocateRegion(&Template));
    CHECK(MiFindRegion(&Regions, Address(9)) != NULL);
    CHECK_STATUS(STATUS_SUCCESS, MiCarveRange(&Regions, Address(5), Address(10)));
    CHECK(MiFindRegion(&Regions, Address(9)) == NULL);
    CHECK(MiFindRegion(&Regions, Address(4)) != NULL);
    CHECK_STATUS(STATUS_SUCCESS, MiCarveRange(&Regions, Address(0), Address(5)));
    CHECK(MiFindRegion(&Regions, Address(4)) == NULL);
}

/* Two stacks side by side stay two regions. One can be parted in what is committed, and grows together again,
   but not below its edge. */
static void StacksStayApart(void)
{
    MI_REGION Template = {.Start = Address(0), .End = Address(10), .Edge = Address(6), .Protection = 3};
    MiInsertRegion(&Regions, MiAllocateRegion(&Template));
    Template.Start = Address(10);
    Template.End = Address(20);
    Template.Edge = Address(16);
    MiInsertRegion(&Regions, MiAllocateRegion(&Template));
    CHECK_EQUAL(2, Regions.Count);
    CHECK_STATUS(STATUS_CONFLICTING_ADDRESSES, MiSplitRegion(&Regions, Address(5)));
    CHECK_STATUS(STATUS_CONFLICTING_ADDRESSES, MiCarveRange(&Regions, Address(0), Address(5)));
    CHECK_STATUS(STATUS_CONFLICTING_ADDRESSES, MiCarveRange(&Regions, Address(5), Address(10)));
    CHECK_EQUAL(2, Regions.Count);
    CHECK_STATUS(STATUS_SUCCESS, MiSplitRegion(&Regions, Address(8)));
    CHECK_EQUAL(3, Regions.Count);
    MiMergeRange(&Regions, Address(8), Address(8));
    CHECK_EQUAL(2, Regions.Count);
    Unmap(0, 20);
    CHECK_EQUAL(0, Regions.Count);
}

static void HolesAtTheEnds(void)
{
    ULONG_PTR Base;
    CHECK(MiFindHole(&Regions, PAGE_SIZE, Address(0), Address(1), TRUE, &Base) && Base == Address(0));
    CHECK(MiFindHole(&Regions, PAGE_SIZE, Address(0), Address(1), FALSE, &Base) && Base == Address(0));
    CHECK(!MiFindHole(&Regions, 2 * PAGE_SIZE, Address(0), Address(1), TRUE, &Base));
    CHECK(!MiFindHole(&Regions, PAGE_SIZE, Address(1), Address(1), FALSE, &Base));
    CHECK(
        !MiFindHole(&Regions, MAXSIZE_T & ~(SIZE_T)(PAGE_SIZE - 1), Address(0), Address(PAGES), TRUE, &Base));
    CHECK(!MiFindHole(&Regions, MAXSIZE_T & ~(SIZE_T)(PAGE_SIZE - 1), Address(0), Address(PAGES), FALSE,
                      &Base));
}

int main(void)
{
    RUN(RegionsAgreeWithPages);
    RUN(FailureChangesNothing);
    RUN(EqualNeighboursBecomeOne);
    RUN(RememberedRegionIsForgotten);
    RUN(StacksStayApart);
    RUN(HolesAtTheEnds);
    return HostEnd();
}
