/* SPDX-License-Identifier: MIT */
/*
 * Sections. Frames of a section's own stand in a tree by page number; pages of a data section that lie whole
 * and aligned in pinned memory are used in place. They enter the tree, as copies, when they are written or
 * mapped shared; whoever has mapped them private before goes on seeing what they were.
 *
 * Every entry of a page table that shows a section's frame has a reference to it, and so has the section.
 * Shrinking drops the section's, and then visits the spaces that map it; who faults meanwhile sees the new
 * size.
 *
 * Lock: Section->Lock, inside the lock of an address space. Shrinking needs spaces' locks and therefore drops
 * its own first.
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
static volatile LONG64 MiSectionSerial; /* (a) of the newest section */

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

/* The frame of its own of page Index as bytes; NULL when there is none. */
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
    if (Index * PAGE_SIZE < Section->DataSize) {
        memcpy(ArchPhysicalToVirtual(Physical), Section->Data + Index * PAGE_SIZE,
               MiBytesInPage(0, Section->DataSize - Index * PAGE_SIZE));
    }
    Section->PageCount++;
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
        Section->PageCount--;
        MmReleasePage(Page->Physical);
        ExFreePoolWithTag(Page, SECTION_TAG);
    }
}

/* ---- Life ---- */

static NTSTATUS MiCreateSection(const void *Data, SIZE_T Size, BOOLEAN Writable, PMM_SECTION *Section)
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
    New->Serial = (ULONG64)InterlockedIncrement64(&MiSectionSerial);
    New->Writable = Writable;
    New->Data = Data;
    New->DataSize = Data != NULL ? Size : 0;
    New->Size = Size;
    InitializeListHead(&New->Regions);
    InterlockedIncrement64(&MiSectionCount);
    *Section = New;
    return STATUS_SUCCESS;
}

NTSTATUS MmCreateSection(SIZE_T Size, PMM_SECTION *Section)
{
    return MiCreateSection(NULL, Size, TRUE, Section);
}

NTSTATUS MmCreateDataSection(const void *Data, SIZE_T Size, PMM_SECTION *Section)
{
    return MiCreateSection(Data, Data != NULL ? Size : 0, FALSE, Section);
}

NTSTATUS MmCreateFileSection(const void *Data, SIZE_T Size, PMM_SECTION *Section)
{
    return MiCreateSection(Data, Data != NULL ? Size : 0, TRUE, Section);
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
        if (Section->Gone != NULL) {
            Section->Gone(Section->GoneContext);
        }
        if (Section->GoneModule != NULL) {
            ExReleaseRundownProtection(Section->GoneModule);
        }
        ExFreePoolWithTag(Section, SECTION_TAG);
        InterlockedDecrement64(&MiSectionCount);
    }
}

void MmRetireSection(PMM_SECTION Section, void (*Gone)(PVOID Context), PVOID Context, PEX_RUNDOWN_REF Module)
{
    Section->GoneContext = Context;
    Section->GoneModule = Module;
    Section->Gone = Gone;
    MmDereferenceSection(Section);
}

/* A region of a data section needs no place in a list: the section never shrinks. */
void MiAttachSection(PMI_REGION Region)
{
    PMM_SECTION Section = Region->Section;
    MmReferenceSection(Section);
    if (MiSectionIsWritable(Section)) {
        KeLockExclusive(&Section->Lock);
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

/* The frame in which page Index of a data section lies already; 0 when it has to be copied. The lock is held,
   or the section constant. */
static ULONG64 MiFrameInPlace(const MM_SECTION *Section, ULONG64 Index)
{
    const UCHAR *Data = Section->Data + Index * PAGE_SIZE;
    if (((ULONG_PTR)Data & (PAGE_SIZE - 1)) != 0 || Index >= Section->DataSize >> PAGE_SHIFT) {
        return 0;
    }
    ULONG64 Physical = ArchVirtualToPhysical(Data);
    return MiPageIsPinned(Physical) ? Physical : 0;
}

/* The frame that stands for page Index now: its own, or the one in place; 0: there is neither. The lock is
   held. */
static ULONG64 MiCurrentFrame(PMM_SECTION Section, ULONG64 Index, BOOLEAN InPlace)
{
    PMI_SECTION_PAGE Page = MiSectionPageOf(RtlAvlFind(&Section->Pages, &Index, MiCompareIndex));
    return Page != NULL ? Page->Physical : InPlace ? MiFrameInPlace(Section, Index) : 0;
}

NTSTATUS MiReferenceSectionPage(PMM_SECTION Section, ULONG64 Index, BOOLEAN Shared, ULONG64 *Physical)
{
    NTSTATUS Status = STATUS_IN_PAGE_ERROR;

    *Physical = 0;
    if (!Section->Writable && (*Physical = MiFrameInPlace(Section, Index)) != 0) {
        MiReferencePage(*Physical);
        return STATUS_SUCCESS;
    }
    KeLockExclusive(&Section->Lock);
    if (Index < BYTES_TO_PAGES(Section->Size)) {
        *Physical = MiCurrentFrame(Section, Index, !Shared);
        if (*Physical == 0) {
            *Physical = MiMakeSectionPage(Section, Index);
        }
        Status = *Physical != 0 ? STATUS_SUCCESS : STATUS_NO_MEMORY;
    }
    if (*Physical != 0) {
        MiReferencePage(*Physical);
    }
    KeUnlockExclusive(&Section->Lock);
    return Status;
}

BOOLEAN MiSectionHasPage(PMM_SECTION Section, ULONG64 Index)
{
    KeLockShared(&Section->Lock);
    BOOLEAN There = Index < BYTES_TO_PAGES(Section->DataSize) || MiFindSectionPage(Section, Index) != NULL;
    KeUnlockShared(&Section->Lock);
    return There;
}

/* ---- Size ---- */

/* What lies behind the end in the last page, where those who map it may have written, is nobody's when the
   section grows. The lock is held. */
static void MiZeroTail(PMM_SECTION Section)
{
    ULONG Offset = BYTE_OFFSET(Section->Size);
    UCHAR *Page = MiFindSectionPage(Section, Section->Size >> PAGE_SHIFT);
    if (Offset != 0 && Page != NULL) {
        memset(Page + Offset, 0, PAGE_SIZE - Offset);
    }
}

/* A space that maps the section and has not been visited since Epoch, referenced; NULL when there is none
   left. */
static PMM_ADDRESS_SPACE MiNextMappingSpace(PMM_SECTION Section, ULONG64 Epoch)
{
    PMM_ADDRESS_SPACE Space = NULL;

    KeLockExclusive(&Section->Lock);
    for (PLIST_ENTRY Entry = Section->Regions.Flink; Entry != &Section->Regions; Entry = Entry->Flink) {
        PMI_REGION Region = CONTAINING_RECORD(Entry, MI_REGION, SectionLink);
        /* A space that is going away takes its pages along; it cannot be gone while its region stands in this
           list. */
        if (Region->SectionEpoch < Epoch && MiTryReferenceSpace(Region->Space)) {
            Space = Region->Space;
            break;
        }
    }
    KeUnlockExclusive(&Section->Lock);
    return Space;
}

/* Every region of the space in the section's list has been told of the shrinking. The space's lock is
   held. */
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
            MiUnmapPages(Space, Region->Start + Keep, Region->End);
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
    MiZeroTail(Section);
    __atomic_store_n(&Section->Size, NewSize, __ATOMIC_RELAXED);
    if (Shrinks) {
        Section->DataSize = NewSize < Section->DataSize ? NewSize : Section->DataSize;
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

/* ---- Reading and writing ---- */

NTSTATUS MmPinSectionPage(PMM_SECTION Section, ULONG64 Offset, ULONG Flags, PVOID *Page)
{
    ULONG64 Index = Offset >> PAGE_SHIFT, Physical = 0;
    NTSTATUS Status = STATUS_SUCCESS;

    *Page = NULL;
    if ((Flags & MM_PIN_WRITE) != 0 && !Section->Writable) {
        return STATUS_ACCESS_DENIED;
    }
    KeLockExclusive(&Section->Lock);
    if (Index >= BYTES_TO_PAGES(Section->Size)) {
        Status = STATUS_IN_PAGE_ERROR;
    } else {
        BOOLEAN Reads = (Flags & MM_PIN_WRITE) == 0;
        Physical = MiCurrentFrame(Section, Index, Reads);
        if (Physical == 0 &&
            ((Flags & MM_PIN_MAKE) != 0 || (Reads && Index * PAGE_SIZE < Section->DataSize))) {
            Physical = MiMakeSectionPage(Section, Index);
            Status = Physical != 0 ? STATUS_SUCCESS : STATUS_NO_MEMORY;
        }
    }
    if (Physical != 0) {
        MiReferencePage(Physical);
        *Page = ArchPhysicalToVirtual(Physical);
    }
    KeUnlockExclusive(&Section->Lock);
    return Status;
}

void MmUnpinSectionPage(PVOID Page)
{
    MmReleasePage(ArchVirtualToPhysical(Page));
}

/* Read: to the buffer. A section that shrinks meanwhile ends the copy. */
static NTSTATUS MiCopySection(PMM_SECTION Section, ULONG64 Offset, UCHAR *Buffer, SIZE_T Size, BOOLEAN Read,
                              SIZE_T *Done)
{
    NTSTATUS Status = STATUS_SUCCESS;
    SIZE_T End = __atomic_load_n(&Section->Size, __ATOMIC_RELAXED), Now;
    UCHAR *Page;

    Size = Offset >= End ? 0 : Size < End - Offset ? Size : End - Offset;
    for (*Done = 0; NT_SUCCESS(Status) && *Done < Size; *Done += Now) {
        ULONG64 At = Offset + *Done;
        Now = MiBytesInPage(At, Size - *Done);
        Status = MmPinSectionPage(Section, At, Read ? 0 : MM_PIN_WRITE | MM_PIN_MAKE, (PVOID *)&Page);
        if (!NT_SUCCESS(Status)) {
            return Status == STATUS_IN_PAGE_ERROR ? STATUS_SUCCESS : Status;
        }
        if (Page == NULL) {
            memset(Buffer + *Done, 0, Now);
            continue;
        }
        memcpy(Read ? Buffer + *Done : Page + BYTE_OFFSET(At), Read ? Page + BYTE_OFFSET(At) : Buffer + *Done,
               Now);
        MmUnpinSectionPage(Page);
    }
    return Status;
}

NTSTATUS MmReadSection(PMM_SECTION Section, ULONG64 Offset, void *Buffer, SIZE_T Size, SIZE_T *Done)
{
    return MiCopySection(Section, Offset, Buffer, Size, TRUE, Done);
}

NTSTATUS MmWriteSection(PMM_SECTION Section, ULONG64 Offset, const void *Buffer, SIZE_T Size, SIZE_T *Done)
{
    *Done = 0;
    return Section->Writable ? MiCopySection(Section, Offset, (UCHAR *)Buffer, Size, FALSE, Done)
                             : STATUS_ACCESS_DENIED;
}

/* The first page from Index on that the section has, or has not. The lock is held. */
static ULONG64 MiNextInSection(PMM_SECTION Section, ULONG64 Index, BOOLEAN Hole)
{
    ULONG64 InData = BYTES_TO_PAGES(Section->DataSize);
    if (Index < InData) {
        if (!Hole) {
            return Index;
        }
        Index = InData;
    }
    PMI_SECTION_PAGE Page = MiSectionPageOf(RtlAvlFindCeiling(&Section->Pages, &Index, MiCompareIndex));
    if (!Hole) {
        return Page != NULL ? Page->Index : ~0ULL >> PAGE_SHIFT;
    }
    for (; Page != NULL && Page->Index == Index; Index++) {
        Page = MiSectionPageOf(RtlAvlNext(&Page->Node));
    }
    return Index;
}

ULONG64 MmQuerySection(PMM_SECTION Section, ULONG64 Offset, PULONG64 Data, PULONG64 Hole)
{
    KeLockShared(&Section->Lock);
    ULONG64 Pages = Section->PageCount;
    if (Data != NULL && Offset < Section->Size) {
        *Data = MiNextInSection(Section, Offset >> PAGE_SHIFT, FALSE) << PAGE_SHIFT;
        *Hole = MiNextInSection(Section, Offset >> PAGE_SHIFT, TRUE) << PAGE_SHIFT;
    }
    KeUnlockShared(&Section->Lock);
    return Pages;
}
