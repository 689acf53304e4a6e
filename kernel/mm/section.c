/* SPDX-License-Identifier: MIT */
/*
 * Sections. Frames of a section's own stand in a tree by page number; pages of a data section that lie whole and aligned in
 * pinned memory are used in place and never enter the tree.
 *
 * Every entry of a page table that shows a section's frame has a reference to it, and so has the section. Shrinking drops
 * the section's, and then visits the spaces that map it; who faults meanwhile sees the new size.
 *
 * Lock: Section->Lock, inside the lock of an address space. Shrinking needs spaces' locks and therefore drops its own first.
 */
#include "kernel/mm/mi.h"

#define SECTION_TAG 'eSmM'

/* A page that the section has a frame of its own for. */
typedef struct _MI_SECTION_PAGE {
    RTL_AVL_NODE Node;
    ULONG64 Index;
    ULONG64 Physical;
} MI_SECTION_PAGE, *PMI_SECTION_PAGE;

volatile LONG64 MiSectionCount;

/* ---- The tree of frames. The section's lock is held ---- */

static inline PMI_SECTION_PAGE MiSectionPageOf(RTL_AVL_NODE *Node)
{
    return Node != NULL ? CONTAINING_RECORD(Node, MI_SECTION_PAGE, Node) : NULL;
}

static LONG MiCompareIndex(const VOID *Key, const RTL_AVL_NODE *Node)
{
    ULONG64 Index = *(const ULONG64 *)Key;
    ULONG64 Other = CONTAINING_RECORD(Node, MI_SECTION_PAGE, Node)->Index;
    return Index < Other ? -1 : Index > Other;
}

/* The frame of page Index as bytes; NULL when there is none. */
static UCHAR *MiFindSectionPage(const MM_SECTION *Section, ULONG64 Index)
{
    PMI_SECTION_PAGE Page = MiSectionPageOf(RtlAvlFind(&Section->Pages, &Index, MiCompareIndex));
    return Page != NULL ? ArchPhysicalToVirtual(Page->Physical) : NULL;
}

/* The frame of page Index, made when there is none yet; 0 when memory is out. */
static ULONG64 MiMakeSectionPage(PMM_SECTION Section, ULONG64 Index)
{
    PMI_SECTION_PAGE Page = MiSectionPageOf(RtlAvlFind(&Section->Pages, &Index, MiCompareIndex));
    if (Page != NULL) {
        return Page->Physical;
    }
    ULONG64 Physical = MmAllocatePage(TRUE);
    if (Physical == 0) {
        return 0;
    }
    Page = ExAllocatePoolWithTag(NonPagedPool, sizeof(*Page), SECTION_TAG);
    if (Page == NULL) {
        MmReleasePage(Physical);
        return 0;
    }
    if (Section->Data != NULL) {
        memcpy(ArchPhysicalToVirtual(Physical), Section->Data + Index * PAGE_SIZE,
               MiBytesInPage(0, Section->Size - Index * PAGE_SIZE));
    }
    Page->Index = Index;
    Page->Physical = Physical;
    RtlAvlInsert(&Section->Pages, &Index, &Page->Node, MiCompareIndex);
    return Physical;
}

/* Releases the frames from page First on. */
static void MiTrimSection(PMM_SECTION Section, ULONG64 First)
{
    PMI_SECTION_PAGE Page;
    while ((Page = MiSectionPageOf(RtlAvlFindCeiling(&Section->Pages, &First, MiCompareIndex))) != NULL) {
        RtlAvlRemove(&Section->Pages, &Page->Node);
        MmReleasePage(Page->Physical);
        ExFreePoolWithTag(Page, SECTION_TAG);
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
        MiTrimSection(Section, 0);
        ExFreePoolWithTag(Section, SECTION_TAG);
        InterlockedDecrement64(&MiSectionCount);
    }
}

/* A region of a data section needs no place in a list: the section never shrinks. */
void MiAttachSection(PMI_REGION Region)
{
    PMM_SECTION Section = Region->Section;
    MmReferenceSection(Section);
    if (MiSectionIsWritable(Section)) {
        KeLockExclusive(&Section->Lock);
        Region->SectionEpoch = 0;
        InsertTailList(&Section->Regions, &Region->SectionLink);
        KeUnlockExclusive(&Section->Lock);
    }
}

void MiDetachSection(PMI_REGION Region)
{
    PMM_SECTION Section = Region->Section;
    if (MiSectionIsWritable(Section)) {
        KeLockExclusive(&Section->Lock);
        RemoveEntryList(&Region->SectionLink);
        KeUnlockExclusive(&Section->Lock);
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

static NTSTATUS MiReferenceOwnPage(PMM_SECTION Section, ULONG64 Index, ULONG64 *Physical)
{
    NTSTATUS Status = STATUS_IN_PAGE_ERROR;

    KeLockExclusive(&Section->Lock);
    if (Index < BYTES_TO_PAGES(Section->Size)) {
        *Physical = MiMakeSectionPage(Section, Index);
        Status = *Physical != 0 ? STATUS_SUCCESS : STATUS_NO_MEMORY;
        if (*Physical != 0) {
            MiReferencePage(*Physical);
        }
    }
    KeUnlockExclusive(&Section->Lock);
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

BOOLEAN MiSectionHasPage(PMM_SECTION Section, ULONG64 Index)
{
    KeLockShared(&Section->Lock);
    BOOLEAN There = Section->Data != NULL ? Index < BYTES_TO_PAGES(Section->Size) : MiFindSectionPage(Section, Index) != NULL;
    KeUnlockShared(&Section->Lock);
    return There;
}

/* ---- Size ---- */

/* What lies behind the new end in the last page must not come back when the section grows again. The lock is held. */
static void MiZeroTail(PMM_SECTION Section)
{
    ULONG Offset = BYTE_OFFSET(Section->Size);
    UCHAR *Page = MiFindSectionPage(Section, Section->Size >> PAGE_SHIFT);
    if (Offset != 0 && Page != NULL) {
        memset(Page + Offset, 0, PAGE_SIZE - Offset);
    }
}

/* A space that maps the section and has not been visited since Epoch, referenced; NULL when there is none left. */
static PMM_ADDRESS_SPACE MiNextMappingSpace(PMM_SECTION Section, ULONG64 Epoch)
{
    PMM_ADDRESS_SPACE Space = NULL;

    KeLockExclusive(&Section->Lock);
    for (PLIST_ENTRY Entry = Section->Regions.Flink; Entry != &Section->Regions; Entry = Entry->Flink) {
        PMI_REGION Region = CONTAINING_RECORD(Entry, MI_REGION, SectionLink);
        /* A space that is going away takes its pages along; it cannot be gone while its region stands in this list. */
        if (Region->SectionEpoch < Epoch && MiTryReferenceSpace(Region->Space)) {
            Space = Region->Space;
            break;
        }
    }
    KeUnlockExclusive(&Section->Lock);
    return Space;
}

/* Every region of the space in the section's list has been told of the shrinking. The space's lock is held. */
static void MiMarkVisited(PMM_SECTION Section, const MM_ADDRESS_SPACE *Space, ULONG64 Epoch)
{
    KeLockExclusive(&Section->Lock);
    for (PLIST_ENTRY Entry = Section->Regions.Flink; Entry != &Section->Regions; Entry = Entry->Flink) {
        PMI_REGION Region = CONTAINING_RECORD(Entry, MI_REGION, SectionLink);
        if (Region->Space == Space && Region->SectionEpoch < Epoch) {
            Region->SectionEpoch = Epoch;
        }
    }
    KeUnlockExclusive(&Section->Lock);
}

/* Takes pages beyond End (page aligned) of the section out of one space, private copies included. */
static void MiUnmapBeyond(PMM_SECTION Section, PMM_ADDRESS_SPACE Space, ULONG64 End, ULONG64 Epoch)
{
    KeLockExclusive(&Space->Lock);
    MiMarkVisited(Section, Space, Epoch);
    for (PMI_REGION Region = MiFindRegionAbove(&Space->Regions, 0); Region != NULL;
         Region = MiNextRegion(Region)) {
        ULONG64 Size = Region->End - Region->Start;
        if (Region->Section == Section && Region->Offset + Size > End) {
            ULONG64 Keep = End > Region->Offset ? End - Region->Offset : 0;
            MiUnmapPages(Space, Region->Start + Keep, Region->End, FALSE);
        }
    }
    KeUnlockExclusive(&Space->Lock);
}

NTSTATUS MmResizeSection(PMM_SECTION Section, SIZE_T NewSize)
{
    if (!MiSectionIsWritable(Section)) {
        return STATUS_INVALID_PARAMETER;
    }
    if (NewSize > (SIZE_T)MAXLONG64) {
        return STATUS_SECTION_TOO_BIG;
    }
    KeLockExclusive(&Section->Lock);
    BOOLEAN Shrinks = NewSize < Section->Size;
    ULONG64 Epoch = Section->Epoch + Shrinks;
    Section->Epoch = Epoch;
    __atomic_store_n(&Section->Size, NewSize, __ATOMIC_RELAXED);
    if (Shrinks) {
        MiZeroTail(Section);
        MiTrimSection(Section, BYTES_TO_PAGES(NewSize));
    }
    KeUnlockExclusive(&Section->Lock);

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

NTSTATUS MmReadSection(PMM_SECTION Section, ULONG64 Offset, void *Buffer, SIZE_T Size, SIZE_T *Done)
{
    KeLockShared(&Section->Lock);
    *Done = MiClipToSection(Section, Offset, Size);
    if (Section->Data != NULL) {
        memcpy(Buffer, Section->Data + Offset, *Done);
    } else {
        for (SIZE_T At = 0, Now; At < *Done; At += Now) {
            const UCHAR *Page = MiFindSectionPage(Section, (Offset + At) >> PAGE_SHIFT);
            Now = MiBytesInPage(Offset + At, *Done - At);
            if (Page != NULL) {
                memcpy((UCHAR *)Buffer + At, Page + BYTE_OFFSET(Offset + At), Now);
            } else {
                memset((UCHAR *)Buffer + At, 0, Now);
            }
        }
    }
    KeUnlockShared(&Section->Lock);
    return STATUS_SUCCESS;
}

NTSTATUS MmWriteSection(PMM_SECTION Section, ULONG64 Offset, const void *Buffer, SIZE_T Size, SIZE_T *Done)
{
    NTSTATUS Status = STATUS_SUCCESS;

    *Done = 0;
    if (!MiSectionIsWritable(Section)) {
        return STATUS_ACCESS_DENIED;
    }
    KeLockExclusive(&Section->Lock);
    Size = MiClipToSection(Section, Offset, Size);
    while (*Done < Size) {
        ULONG64 At = Offset + *Done;
        SIZE_T Now = MiBytesInPage(At, Size - *Done);
        ULONG64 Physical = MiMakeSectionPage(Section, At >> PAGE_SHIFT);
        if (Physical == 0) {
            Status = STATUS_NO_MEMORY;
            break;
        }
        memcpy((UCHAR *)ArchPhysicalToVirtual(Physical) + BYTE_OFFSET(At), (const UCHAR *)Buffer + *Done,
               Now);
        *Done += Now;
    }
    KeUnlockExclusive(&Section->Lock);
    return Status;
}
