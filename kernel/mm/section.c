/* SPDX-License-Identifier: MIT */
/*
 * Sections. Frames of a section's own hang in a tree of 64-way nodes by page number; pages of a data section that lie whole
 * and aligned in pinned memory are used in place and never enter the tree.
 *
 * Every entry of a page table that shows a section's frame has a reference to it, and so has the section. Shrinking drops
 * the section's, and then visits the spaces that map it; who faults meanwhile sees the new size.
 *
 * Lock: Section->Lock, inside the lock of an address space. Shrinking needs spaces' locks and therefore drops its own first.
 */
#include "kernel/mm/mi.h"

#define SECTION_TAG 'eSmM'

#define MI_NODE_BITS  6
#define MI_NODE_SLOTS (1ULL << MI_NODE_BITS)

struct _MI_SECTION_NODE {
    ULONG64 Slot[MI_NODE_SLOTS]; /* lowest level: frames, 0: none yet. Above: nodes */
};

volatile LONG64 MiSectionCount;

/* ---- The tree of frames. The section's lock is held ---- */

static PMI_SECTION_NODE MiNewNode(void)
{
    return ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof(MI_SECTION_NODE), SECTION_TAG);
}

/* One more level above the root. */
static BOOLEAN MiGrowTree(PMM_SECTION Section)
{
    PMI_SECTION_NODE Node = MiNewNode();
    if (Node == NULL) {
        return FALSE;
    }
    Node->Slot[0] = (ULONG64)Section->Root;
    Section->Root = Node;
    Section->Height++;
    return TRUE;
}

static inline BOOLEAN MiTreeCovers(const MM_SECTION *Section, ULONG64 Index)
{
    return Section->Height != 0 && Index >> (MI_NODE_BITS * Section->Height) == 0;
}

/* Where the frame of page Index stands; NULL when there is no node for it and none is (or can be) made. */
static ULONG64 *MiSectionSlot(PMM_SECTION Section, ULONG64 Index, BOOLEAN Create)
{
    while (!MiTreeCovers(Section, Index)) {
        if (!Create || !MiGrowTree(Section)) {
            return NULL;
        }
    }
    PMI_SECTION_NODE Node = Section->Root;
    for (ULONG Level = Section->Height - 1; Level != 0; Level--) {
        ULONG64 *Slot = &Node->Slot[(Index >> (MI_NODE_BITS * Level)) & (MI_NODE_SLOTS - 1)];
        if (*Slot == 0 && Create) {
            *Slot = (ULONG64)MiNewNode();
        }
        if (*Slot == 0) {
            return NULL;
        }
        Node = (PMI_SECTION_NODE)*Slot;
    }
    return &Node->Slot[Index & (MI_NODE_SLOTS - 1)];
}

/* Releases the frames from page First (relative to the node) on, and the nodes that hold no others. Ten levels at most. */
static void MiTrimNode(PMI_SECTION_NODE Node, ULONG Level, ULONG64 First)
{
    ULONG64 Span = 1ULL << (MI_NODE_BITS * Level);

    for (ULONG64 i = First / Span; i < MI_NODE_SLOTS; i++) {
        ULONG64 From = First > i * Span ? First - i * Span : 0;
        ULONG64 *Slot = &Node->Slot[i];
        if (*Slot == 0) {
            continue;
        }
        if (Level == 0) {
            MmReleasePage(*Slot);
            *Slot = 0;
            continue;
        }
        MiTrimNode((PMI_SECTION_NODE)*Slot, Level - 1, From);
        if (From == 0) {
            ExFreePoolWithTag((PVOID)*Slot, SECTION_TAG);
            *Slot = 0;
        }
    }
}

static void MiTrimTree(PMM_SECTION Section, ULONG64 First)
{
    if (Section->Height != 0 && MiTreeCovers(Section, First)) {
        MiTrimNode(Section->Root, Section->Height - 1, First);
    }
    if (First == 0 && Section->Root != NULL) {
        ExFreePoolWithTag(Section->Root, SECTION_TAG);
        Section->Root = NULL;
        Section->Height = 0;
    }
}

/* ---- Life ---- */

static NTSTATUS MiCreateSection(const void *Data, SIZE_T Size, PMM_SECTION *Section)
{
    if (Size > (SIZE_T)MAXLONG64) {
        return STATUS_SECTION_TOO_BIG;
    }
    PMM_SECTION New = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof(MM_SECTION), SECTION_TAG);
    if (New == NULL) {
        return STATUS_NO_MEMORY;
    }
    ExInitializePushLock(&New->Lock);
    New->References = 1;
    New->Data = Data;
    New->Size = Size;
    InitializeListHead(&New->Regions);
    InterlockedIncrement64(&MiSectionCount);
    *Section = New;
    return STATUS_SUCCESS;
}

NTSTATUS MmCreateSection(SIZE_T Size, PMM_SECTION *Section)
{
    return MiCreateSection(NULL, Size, Section);
}

NTSTATUS MmCreateDataSection(const void *Data, SIZE_T Size, PMM_SECTION *Section)
{
    return MiCreateSection(Data != NULL ? Data : "", Data != NULL ? Size : 0, Section);
}

void MmReferenceSection(PMM_SECTION Section)
{
    InterlockedIncrement(&Section->References);
}

void MmDereferenceSection(PMM_SECTION Section)
{
    KI_ASSERT(Section->References > 0, "section %p has %d references", Section, Section->References);
    if (InterlockedDecrement(&Section->References) == 0) {
        KI_ASSERT(IsListEmpty(&Section->Regions), "section %p is mapped", Section);
        MiTrimTree(Section, 0);
        ExFreePoolWithTag(Section, SECTION_TAG);
        InterlockedDecrement64(&MiSectionCount);
    }
}

BOOLEAN MiSectionIsWritable(const MM_SECTION *Section)
{
    return Section->Data == NULL;
}

/* A region of a data section needs no place in a list: the section never shrinks. */
void MiAttachSection(PMI_REGION Region)
{
    PMM_SECTION Section = Region->Section;
    MmReferenceSection(Section);
    if (MiSectionIsWritable(Section)) {
        MiLock(&Section->Lock);
        Region->SectionEpoch = 0;
        InsertTailList(&Section->Regions, &Region->SectionLink);
        MiUnlock(&Section->Lock);
    }
}

void MiDetachSection(PMI_REGION Region)
{
    PMM_SECTION Section = Region->Section;
    if (MiSectionIsWritable(Section)) {
        MiLock(&Section->Lock);
        RemoveEntryList(&Region->SectionLink);
        MiUnlock(&Section->Lock);
    }
    MmDereferenceSection(Section);
}

/* ---- Pages ---- */

/* The frame in which page Index of a data section lies already; 0 when it has to be copied. */
static ULONG64 MiFrameInPlace(const MM_SECTION *Section, ULONG64 Index)
{
    const UCHAR *Data = Section->Data + Index * PAGE_SIZE;
    if (((ULONG_PTR)Data & (PAGE_SIZE - 1)) != 0 || (Index + 1) * PAGE_SIZE > Section->Size) {
        return 0;
    }
    ULONG64 Physical = ArchVirtualToPhysical(Data);
    return MiPageIsPinned(Physical) ? Physical : 0;
}

/* The frame of page Index, made when there is none yet; 0 when memory is out. The section's lock is held. */
static ULONG64 MiMakeSectionPage(PMM_SECTION Section, ULONG64 Index)
{
    ULONG64 *Slot = MiSectionSlot(Section, Index, TRUE);
    if (Slot == NULL) {
        return 0;
    }
    if (*Slot == 0) {
        *Slot = MmAllocatePage(TRUE);
        if (*Slot != 0 && Section->Data != NULL) {
            SIZE_T Left = Section->Size - Index * PAGE_SIZE;
            memcpy(ArchPhysicalToVirtual(*Slot), Section->Data + Index * PAGE_SIZE,
                   Left < PAGE_SIZE ? Left : PAGE_SIZE);
        }
    }
    return *Slot;
}

static NTSTATUS MiReferenceOwnPage(PMM_SECTION Section, ULONG64 Index, ULONG64 *Physical)
{
    NTSTATUS Status = STATUS_IN_PAGE_ERROR;

    MiLock(&Section->Lock);
    if (Index < BYTES_TO_PAGES(Section->Size)) {
        *Physical = MiMakeSectionPage(Section, Index);
        Status = *Physical != 0 ? STATUS_SUCCESS : STATUS_NO_MEMORY;
        if (*Physical != 0) {
            MiReferencePage(*Physical);
        }
    }
    MiUnlock(&Section->Lock);
    return Status;
}

NTSTATUS MiReferenceSectionPage(PMM_SECTION Section, ULONG64 Index, ULONG64 *Physical)
{
    if (Section->Data != NULL && Index < BYTES_TO_PAGES(Section->Size)) {
        *Physical = MiFrameInPlace(Section, Index);
        if (*Physical != 0) {
            MiReferencePage(*Physical);
            return STATUS_SUCCESS;
        }
    }
    return MiReferenceOwnPage(Section, Index, Physical);
}

/* ---- Size ---- */

/* What lies behind the new end in the last page must not come back when the section grows again. The lock is held. */
static void MiZeroTail(PMM_SECTION Section)
{
    ULONG Offset = BYTE_OFFSET(Section->Size);
    ULONG64 *Slot = Offset != 0 ? MiSectionSlot(Section, Section->Size >> PAGE_SHIFT, FALSE) : NULL;
    if (Slot != NULL && *Slot != 0) {
        memset((UCHAR *)ArchPhysicalToVirtual(*Slot) + Offset, 0, PAGE_SIZE - Offset);
    }
}

/* A space that maps the section and has not been visited since Epoch, referenced; NULL when there is none left. */
static PMM_ADDRESS_SPACE MiNextMappingSpace(PMM_SECTION Section, ULONG Epoch)
{
    PMM_ADDRESS_SPACE Space = NULL;

    MiLock(&Section->Lock);
    for (PLIST_ENTRY Entry = Section->Regions.Flink; Entry != &Section->Regions; Entry = Entry->Flink) {
        PMI_REGION Region = CONTAINING_RECORD(Entry, MI_REGION, SectionLink);
        /* A space that is going away takes its pages along; it cannot be gone while its region stands in this list. */
        if (Region->SectionEpoch < Epoch && MiTryReferenceSpace(Region->Space)) {
            Space = Region->Space;
            break;
        }
    }
    MiUnlock(&Section->Lock);
    return Space;
}

/* Every region of the space in the section's list has been told of the shrinking. The space's lock is held. */
static void MiMarkVisited(PMM_SECTION Section, const MM_ADDRESS_SPACE *Space, ULONG Epoch)
{
    MiLock(&Section->Lock);
    for (PLIST_ENTRY Entry = Section->Regions.Flink; Entry != &Section->Regions; Entry = Entry->Flink) {
        PMI_REGION Region = CONTAINING_RECORD(Entry, MI_REGION, SectionLink);
        if (Region->Space == Space && Region->SectionEpoch < Epoch) {
            Region->SectionEpoch = Epoch;
        }
    }
    MiUnlock(&Section->Lock);
}

/* Takes pages beyond End (page aligned) of the section out of one space, private copies included. */
static void MiUnmapBeyond(PMM_SECTION Section, PMM_ADDRESS_SPACE Space, ULONG64 End, ULONG Epoch)
{
    MiLock(&Space->Lock);
    MiMarkVisited(Section, Space, Epoch);
    for (PMI_REGION Region = MiFindRegionAbove(&Space->Regions, 0); Region != NULL;
         Region = MiNextRegion(Region)) {
        ULONG64 Size = Region->End - Region->Start;
        if (Region->Section == Section && Region->Offset + Size > End) {
            ULONG64 Keep = End > Region->Offset ? End - Region->Offset : 0;
            MiUnmapPages(Space, Region->Start + Keep, Region->End, FALSE);
        }
    }
    MiUnlock(&Space->Lock);
}

NTSTATUS MmResizeSection(PMM_SECTION Section, SIZE_T NewSize)
{
    if (!MiSectionIsWritable(Section)) {
        return STATUS_INVALID_PARAMETER;
    }
    if (NewSize > (SIZE_T)MAXLONG64) {
        return STATUS_SECTION_TOO_BIG;
    }
    MiLock(&Section->Lock);
    BOOLEAN Shrinks = NewSize < Section->Size;
    ULONG Epoch = Section->Epoch + Shrinks;
    Section->Epoch = Epoch;
    __atomic_store_n(&Section->Size, NewSize, __ATOMIC_RELAXED);
    if (Shrinks) {
        MiZeroTail(Section);
        MiTrimTree(Section, BYTES_TO_PAGES(NewSize));
    }
    MiUnlock(&Section->Lock);

    PMM_ADDRESS_SPACE Space;
    while (Shrinks && (Space = MiNextMappingSpace(Section, Epoch)) != NULL) {
        MiUnmapBeyond(Section, Space, ROUND_TO_PAGES(NewSize), Epoch);
        MmDereferenceAddressSpace(Space);
    }
    return STATUS_SUCCESS;
}

/* ---- Reading and writing. The section's lock is held while bytes move: the kernel's buffers do not fault ---- */

/* How many of Size bytes at Offset lie before the section's end. */
static SIZE_T MiClipToSection(const MM_SECTION *Section, ULONG64 Offset, SIZE_T Size)
{
    if (Offset >= Section->Size) {
        return 0;
    }
    return Size < Section->Size - Offset ? Size : Section->Size - Offset;
}

/* How many of Size bytes at Offset lie in one page. */
static inline SIZE_T MiClipToPage(ULONG64 Offset, SIZE_T Size)
{
    SIZE_T Left = PAGE_SIZE - (Offset & (PAGE_SIZE - 1));
    return Size < Left ? Size : Left;
}

NTSTATUS MmReadSection(PMM_SECTION Section, ULONG64 Offset, void *Buffer, SIZE_T Size, SIZE_T *Done)
{
    MiLockShared(&Section->Lock);
    Size = MiClipToSection(Section, Offset, Size);
    *Done = Size;
    if (Section->Data != NULL) {
        memcpy(Buffer, Section->Data + Offset, Size);
        Size = 0;
    }
    while (Size != 0) {
        SIZE_T Now = MiClipToPage(Offset, Size);
        ULONG64 *Slot = MiSectionSlot(Section, Offset >> PAGE_SHIFT, FALSE);
        if (Slot != NULL && *Slot != 0) {
            memcpy(Buffer, (UCHAR *)ArchPhysicalToVirtual(*Slot) + (Offset & (PAGE_SIZE - 1)), Now);
        } else {
            memset(Buffer, 0, Now);
        }
        Buffer = (UCHAR *)Buffer + Now;
        Offset += Now;
        Size -= Now;
    }
    MiUnlockShared(&Section->Lock);
    return STATUS_SUCCESS;
}

NTSTATUS MmWriteSection(PMM_SECTION Section, ULONG64 Offset, const void *Buffer, SIZE_T Size, SIZE_T *Done)
{
    NTSTATUS Status = STATUS_SUCCESS;

    *Done = 0;
    if (!MiSectionIsWritable(Section)) {
        return STATUS_ACCESS_DENIED;
    }
    MiLock(&Section->Lock);
    Size = MiClipToSection(Section, Offset, Size);
    while (*Done < Size) {
        ULONG64 At = Offset + *Done;
        SIZE_T Now = MiClipToPage(At, Size - *Done);
        ULONG64 Physical = MiMakeSectionPage(Section, At >> PAGE_SHIFT);
        if (Physical == 0) {
            Status = STATUS_NO_MEMORY;
            break;
        }
        memcpy((UCHAR *)ArchPhysicalToVirtual(Physical) + (At & (PAGE_SIZE - 1)),
               (const UCHAR *)Buffer + *Done, Now);
        *Done += Now;
    }
    MiUnlock(&Section->Lock);
    return Status;
}
