/* SPDX-License-Identifier: MIT */
/*
 * Native programs in user memory: the image, PEB and process parameters, and each thread's stack and TEB.
 *
 *   0x400000   the image's segments, private mappings of the archive file's pages
 *   behind it  PEB and process parameters
 *              the first thread: stack, with the TEB at its end (likewise for each further thread)
 *
 * Everything lies close together, in the lowest hole behind the image: a small process then needs one page
 * table of each level.
 */
#include <elfimage.h>
#include "ps/image.h"

#define PSP_NATIVE_LOAD_ADDRESS 0x400000 /* of position-independent programs */

/* ---- The file ---- */

/* "\Boot\native\hello" -> "native/hello"; a name without a backslash in front is one of \Boot\native. */
static NTSTATUS PspArchivePath(PCUNICODE_STRING Name, char *Path, ULONG Size)
{
    static const UNICODE_STRING Boot = RTL_CONSTANT_STRING(L"\\Boot\\");
    UNICODE_STRING Rest = *Name;
    ULONG Prefix = 0, Length;

    if (RtlPrefixUnicodeString(&Boot, Name, TRUE)) {
        Rest.Buffer += Boot.Length / sizeof(WCHAR);
        Rest.Length -= Boot.Length;
    } else if (Name->Length == 0 || Name->Buffer[0] == L'\\') {
        return STATUS_OBJECT_NAME_NOT_FOUND;
    } else {
        Prefix = sizeof("native/") - 1;
        memcpy(Path, "native/", Prefix);
    }
    if (!NT_SUCCESS(RtlUnicodeToUTF8N(Path + Prefix, Size - Prefix - 1, &Length, Rest.Buffer, Rest.Length))) {
        return STATUS_OBJECT_NAME_INVALID;
    }
    Path[Prefix + Length] = '\0';
    if (strlen(Path) != Prefix + Length) {
        return STATUS_OBJECT_NAME_INVALID; /* a NUL within the name */
    }
    for (char *Next = Path; *Next != '\0'; Next++) {
        *Next = *Next == '\\' ? '/' : *Next;
    }
    return STATUS_SUCCESS;
}

#define PSP_MODE_TYPE    0170000 /* as cpio archives have it */
#define PSP_MODE_REGULAR 0100000
#define PSP_MODE_FOLDER  0040000

static NTSTATUS PspFindImageFile(PSP_IMAGE *Image, PCUNICODE_STRING Name)
{
    char Path[512];
    NTSTATUS Status = PspArchivePath(Name, Path, sizeof(Path));
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Image->File = IoLookupArchive(Path);
    if (Image->File == NULL) {
        return STATUS_OBJECT_NAME_NOT_FOUND;
    }
    switch (Image->File->Mode & PSP_MODE_TYPE) {
    case PSP_MODE_REGULAR:
        return STATUS_SUCCESS;
    case PSP_MODE_FOLDER:
        return STATUS_FILE_IS_A_DIRECTORY;
    default:
        return STATUS_INVALID_IMAGE_FORMAT;
    }
}

static NTSTATUS PspParseImage(PSP_IMAGE *Image)
{
    static const LDR_ELF_LIMITS Limits = {MM_USER_LOWEST, MM_USER_END};
    PLDR_ELF_IMAGE Elf = &Image->Elf;
    NTSTATUS Status = LdrParseElfImage(Image->File->Data, Image->File->Size, Image->File->Size, &Limits, Elf);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (!Elf->Native || Elf->HasInterpreter) {
        return STATUS_INVALID_IMAGE_FORMAT;
    }
    Image->Bias =
        Elf->PositionIndependent ? ALIGN_UP_BY(PSP_NATIVE_LOAD_ADDRESS, Elf->Alignment) - Elf->Start : 0;
    return STATUS_SUCCESS;
}

NTSTATUS PspOpenImage(PCUNICODE_STRING Name, PSP_IMAGE **Opened)
{
    PSP_IMAGE *Image = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Image), PSP_TAG);
    if (Image == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Image->Section = NULL;
    Image->FileObject = NULL;
    Image->FileName.Buffer = NULL;
    NTSTATUS Status = PspFindImageFile(Image, Name);
    if (NT_SUCCESS(Status)) {
        Status = PspParseImage(Image);
    }
    if (NT_SUCCESS(Status)) {
        Status = IoArchiveSection(Image->File, &Image->Section);
    }
    if (NT_SUCCESS(Status)) {
        Status = IoOpenArchiveFile(Image->File, &Image->FileObject);
    }
    if (NT_SUCCESS(Status)) {
        Status = ObCopyName(Image->FileObject, &Image->FileName);
    }
    if (!NT_SUCCESS(Status)) {
        PspCloseImage(Image);
        return Status;
    }
    *Opened = Image;
    return STATUS_SUCCESS;
}

void PspCloseImage(PSP_IMAGE *Image)
{
    if (Image->FileObject != NULL) {
        ObDereferenceObject(Image->FileObject);
    }
    if (Image->FileName.Buffer != NULL) {
        RtlFreeUnicodeString(&Image->FileName);
    }
    if (Image->Section != NULL) {
        MmDereferenceSection(Image->Section);
    }
    ExFreePoolWithTag(Image, PSP_TAG);
}

/* ---- The image in memory ---- */

typedef struct _PSP_MAPPER {
    PMM_ADDRESS_SPACE Space;
    const PSP_IMAGE *Image;
    PVOID Tag;
} PSP_MAPPER;

static ULONG PspImageProtection(ULONG ElfProtection)
{
    return (ElfProtection & LDR_ELF_READ ? MM_READ : 0) | (ElfProtection & LDR_ELF_WRITE ? MM_WRITE : 0) |
           (ElfProtection & LDR_ELF_EXECUTE ? MM_EXECUTE : 0);
}

/* [Start, End) in the file's terms; Section NULL: zeros. */
static NTSTATUS PspMapPart(const PSP_MAPPER *Mapper, ULONG64 Start, ULONG64 End, ULONG Protection,
                           PMM_SECTION Section, ULONG64 Offset)
{
    ULONG_PTR Base = Start + Mapper->Image->Bias;
    if (Start >= End) {
        return STATUS_SUCCESS;
    }
    return MmMapRegion(Mapper->Space, &Base, End - Start, MM_MAP_FIXED, Protection, Section, Offset, 0,
                       Mapper->Tag);
}

/* A page that two segments share: both one's bytes, with both one's rights. */
static NTSTATUS PspMapSharedPage(const PSP_MAPPER *Mapper, ULONG64 Address)
{
    PVOID Page = ExAllocatePoolWithTag(NonPagedPoolNx, PAGE_SIZE, PSP_TAG);
    if (Page == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    ULONG Rights = LdrReadElfImagePage(&Mapper->Image->Elf, Mapper->Image->File->Data, Address, Page);
    NTSTATUS Status = PspMapPart(Mapper, Address, Address + PAGE_SIZE, PspImageProtection(Rights), NULL, 0);
    if (NT_SUCCESS(Status)) {
        Status = MmWriteAddressSpace(Mapper->Space, Address + Mapper->Image->Bias, Page, PAGE_SIZE, TRUE);
    }
    ExFreePoolWithTag(Page, PSP_TAG);
    return Status;
}

/*
 *   Start                        Whole                     End
 *   | pages of the file, mapped  | zeros on demand         |
 *                                | file bytes, written |
 */
static NTSTATUS PspMapSegment(const PSP_MAPPER *Mapper, const LDR_ELF_SEGMENT *Segment)
{
    ULONG Protection = PspImageProtection(Segment->Protection);
    ULONG64 FileEnd = Segment->Address + Segment->FileSize, Whole;
    ULONG64 Start = Segment->Start;
    NTSTATUS Status = STATUS_SUCCESS;

    if (Segment->SharesPage) {
        Status = PspMapSharedPage(Mapper, Start);
        Start += PAGE_SIZE;
    }
    Whole =
        Segment->MemorySize > Segment->FileSize ? ALIGN_DOWN_BY(FileEnd, PAGE_SIZE) : ROUND_TO_PAGES(FileEnd);
    Whole = Segment->FileSize == 0 || Whole < Start ? Start : Whole;
    if (NT_SUCCESS(Status)) {
        /* FileOffset is that of Address, and congruent to it: the first page's is that much less. */
        Status = PspMapPart(Mapper, Start, Whole, Protection, Mapper->Image->Section,
                            Segment->FileOffset + Start - Segment->Address);
    }
    if (NT_SUCCESS(Status)) {
        Status = PspMapPart(Mapper, Whole, Segment->End, Protection, NULL, 0);
    }
    if (NT_SUCCESS(Status) && FileEnd > Whole) {
        ULONG64 From = Whole > Segment->Address ? Whole : Segment->Address;
        Status =
            MmWriteAddressSpace(Mapper->Space, From + Mapper->Image->Bias,
                                Mapper->Image->File->Data + Segment->FileOffset + (From - Segment->Address),
                                FileEnd - From, TRUE);
    }
    return Status;
}

/* Where user mode is entered: an address of the image, or 0. */
static ULONG_PTR PspDispatcher(const PSP_IMAGE *Image, ULONG64 Address)
{
    bool Inside = Address >= Image->Elf.Start && Address < Image->Elf.End;
    return Address != 0 && Inside ? Address + Image->Bias : 0;
}

NTSTATUS PspMapImage(PEPROCESS Process, const PSP_IMAGE *Image)
{
    ULONG_PTR Base = Image->Elf.Start + Image->Bias;
    PSP_MAPPER Mapper = {PspSpace(Process), Image, PS_VM_TAG(Base, PS_VM_KERNEL | PAGE_WRITECOPY)};

    for (ULONG i = 0; i < Image->Elf.SegmentCount; i++) {
        NTSTATUS Status = PspMapSegment(&Mapper, &Image->Elf.Segments[i]);
        if (!NT_SUCCESS(Status)) {
            return Status;
        }
    }
    Process->ImageBase = Base;
    Process->ImageSize = Image->Elf.End - Image->Elf.Start;
    Process->UserApcDispatcher = PspDispatcher(Image, Image->Elf.ApcDispatcher);
    Process->UserExceptionDispatcher = PspDispatcher(Image, Image->Elf.ExceptionDispatcher);
    return STATUS_SUCCESS;
}

/* ---- PEB and parameters ---- */

static PVOID PspRelocate(const PSP_PEB_BLOCK *Block, ULONG_PTR Base, PVOID Pointer)
{
    return Pointer != NULL ? (PVOID)(Base + ((ULONG_PTR)Pointer - (ULONG_PTR)Block)) : NULL;
}

/* The block is a kernel copy of what the process is to find at Base: its pointers become the process's. */
static void PspRelocateBlock(PSP_PEB_BLOCK *Block, ULONG_PTR Base)
{
    PRTL_USER_PROCESS_PARAMETERS Parameters = &Block->Parameters;
    Parameters->ImagePathName.Buffer = PspRelocate(Block, Base, Parameters->ImagePathName.Buffer);
    Parameters->CommandLine.Buffer = PspRelocate(Block, Base, Parameters->CommandLine.Buffer);
    Parameters->Arguments = PspRelocate(Block, Base, Parameters->Arguments);
    Parameters->Environment = PspRelocate(Block, Base, Parameters->Environment);
    Block->Peb.ProcessParameters = PspRelocate(Block, Base, Parameters);
}

NTSTATUS PspCreatePeb(PEPROCESS Process, PSP_PEB_BLOCK *Block, SIZE_T Size)
{
    ULONG_PTR Base = ROUND_TO_PAGES(Process->ImageBase + Process->ImageSize); /* or the lowest hole behind that */
    PMM_ADDRESS_SPACE Space = PspSpace(Process);
    /* The base is known afterwards; of the tag only its low bits are asked. */
    NTSTATUS Status = MmMapRegion(Space, &Base, Size, 0, MM_READ | MM_WRITE, NULL, 0, 0,
                                  PS_VM_TAG(0, PS_VM_KERNEL | PAGE_READWRITE));
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Block->Peb.ImageBaseAddress = (PVOID)Process->ImageBase;
    Block->Peb.NumberOfProcessors = KeNumberProcessors;
    PspRelocateBlock(Block, Base);
    Process->Peb = (PVOID)Base;
    return MmWriteAddressSpace(Space, Base, Block, Size, FALSE);
}

/* ---- Threads ---- */

/* Stack and TEB (kernel/services/exception.c has the picture). The TEB lies in the stack's highest page: a
   thread that does little touches one page. */
static NTSTATUS PspMakeNativeArea(PETHREAD Thread, PMM_ADDRESS_SPACE Space, SIZE_T Commit, SIZE_T Reserve)
{
    ULONG_PTR Base = ROUND_TO_PAGES(PsThreadProcess(Thread)->ImageBase + PsThreadProcess(Thread)->ImageSize);
    SIZE_T Size = Reserve + PAGE_SIZE;
    NTSTATUS Status = MmMapRegion(Space, &Base, Size, MM_MAP_STACK, MM_READ | MM_WRITE, NULL, Commit, 0,
                                  PS_VM_TAG(0, PS_VM_KERNEL | PAGE_READWRITE));
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Thread->UserArea = Base;
    Thread->UserAreaSize = Size;
    Thread->Teb = (PVOID)(Base + Size - ALIGN_UP_BY(sizeof(TEB), 16));
    TEB Teb = {
        .NtTib.StackBase = (PVOID)(Base + Size),
        .NtTib.StackLimit = (PVOID)(Base + Size - Commit),
        .NtTib.Self = Thread->Teb,
        .ClientId = Thread->Cid,
        .ProcessEnvironmentBlock = PsThreadProcess(Thread)->Peb,
    };
    Status = MmWriteAddressSpace(Space, (ULONG_PTR)Thread->Teb, &Teb, sizeof(Teb), FALSE);
    if (!NT_SUCCESS(Status)) {
        MmUnmapRegion(Space, Base, Size);
    }
    return Status;
}

/* Whole pages, the reserved part no smaller than the committed one. STATUS_INVALID_PARAMETER: too large. */
static NTSTATUS PspStackSizes(PSIZE_T Commit, PSIZE_T Reserve)
{
    if (*Commit > PSP_MAXIMUM_USER_STACK || *Reserve > PSP_MAXIMUM_USER_STACK) {
        return STATUS_INVALID_PARAMETER;
    }
    *Reserve = *Reserve != 0 ? ROUND_TO_PAGES(*Reserve) : PSP_DEFAULT_USER_STACK;
    *Commit = *Commit != 0                      ? ROUND_TO_PAGES(*Commit)
              : *Reserve < PSP_DEFAULT_COMMIT ? *Reserve
                                                : PSP_DEFAULT_COMMIT;
    *Reserve = *Reserve < *Commit ? *Commit : *Reserve;
    return STATUS_SUCCESS;
}

static void PspEnterNativeThread(PETHREAD Thread, ULONG_PTR StartAddress, ULONG_PTR Argument)
{
    PKTRAP_FRAME Frame = ArchUserFrame(&Thread->Tcb);
    /* As after a call: the stack is 16-aligned but for a return address, which is 0. */
    ArchInitializeUserFrame(Frame, StartAddress, (ULONG_PTR)Thread->Teb - sizeof(ULONG64), Argument);
    ArchSanitizeUserFrame(Frame);
    ArchSetUserBase(&Thread->Tcb, ARCH_BASE_TEB, (ULONG64)Thread->Teb);
    Thread->StartAddress = (PVOID)StartAddress;
}

NTSTATUS PspCreateNativeThread(PEPROCESS Process, ULONG_PTR StartAddress, ULONG_PTR Argument, SIZE_T Commit,
                               SIZE_T Reserve, PETHREAD *Created)
{
    PMM_ADDRESS_SPACE Space;
    PETHREAD Thread;

    NTSTATUS Status = Process->Peb != NULL ? PspStackSizes(&Commit, &Reserve) : STATUS_INVALID_PARAMETER;
    if (NT_SUCCESS(Status)) {
        Status = PsAcquireSpace(Process, &Space);
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = PspCreateThread(Process, FALSE, &Thread);
    if (NT_SUCCESS(Status)) {
        Status = PspMakeNativeArea(Thread, Space, Commit, Reserve);
        if (NT_SUCCESS(Status)) {
            PspEnterNativeThread(Thread, StartAddress, Argument);
            *Created = Thread;
        } else {
            PspEndUnborn(Thread, Status);
            ObDereferenceObject(Thread);
        }
    }
    PsReleaseSpace(Process, Space);
    return Status;
}

void PspDiscardNativeThread(PETHREAD Thread, NTSTATUS Status)
{
    PEPROCESS Process = PsThreadProcess(Thread);
    PMM_ADDRESS_SPACE Space;
    if (NT_SUCCESS(PsAcquireSpace(Process, &Space))) {
        MmUnmapRegion(Space, Thread->UserArea, Thread->UserAreaSize);
        PsReleaseSpace(Process, Space);
    }
    PspEndUnborn(Thread, Status);
}

/* Not when the process ends: all of its memory goes then. */
void PspFreeNativeArea(PETHREAD Thread)
{
    PEPROCESS Process = PsThreadProcess(Thread);
    if (Thread->UserArea != 0 && Process->State == PsProcessRunning && Process->ActiveThreads > 1) {
        MmUnmapRegion(PspSpace(Process), Thread->UserArea, Thread->UserAreaSize);
    }
}
