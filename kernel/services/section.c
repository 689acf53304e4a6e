/* SPDX-License-Identifier: MIT */
/*
 * Sections for programs: memory that several processes may share, or a file of the boot archives; and their
 * views. A view is one region of mm with a tag as virtual.c's allocations have, marked PS_VM_VIEW. What a
 * view may do was decided when it was mapped: by the section's protection and the handle's rights.
 */
#include "kernel/services/virtual.h"
#include "kernel/io/io.h"
#include "sync/pushlock.h"
#include <ntapi.h>

static POBJECT_TYPE SvcSectionType;

typedef struct _SVC_SECTION {
    PMM_SECTION Section; /* (c) referenced */
    ULONG64 Size;        /* (c) bytes */
    ULONG Protection;    /* (c) MM_*: what views may have at most */
    ULONG Attributes;    /* (c) SEC_* */
} SVC_SECTION, *PSVC_SECTION;

static void SvcDeleteSection(PVOID Object)
{
    PSVC_SECTION Section = Object;
    if (Section->Section != NULL) {
        MmDereferenceSection(Section->Section);
    }
}

/* ---- Creation ---- */

/* PAGE_WRITECOPY gives views copies of their own. */
static bool SvcSectionProtection(ULONG Page, PULONG Protection, PBOOLEAN Copies)
{
    *Copies = Page == PAGE_WRITECOPY;
    return SvcProtectionFromPage(*Copies ? PAGE_READWRITE : Page, Protection) && (*Protection & MM_READ) &&
           !(*Protection & MM_GUARD);
}

static NTSTATUS SvcMakeMemory(PSVC_SECTION New)
{
    if (New->Size == 0) {
        return STATUS_INVALID_PARAMETER_4;
    }
    if (New->Size > MM_USER_END) {
        return STATUS_SECTION_TOO_BIG;
    }
    return MmCreateSection(New->Size, &New->Section);
}

/* The file's bytes lie in memory for ever: the section needs no reference to it. */
static NTSTATUS SvcMapFile(PSVC_SECTION New, PFILE_OBJECT File)
{
    const IO_ARCHIVE_FILE *Archived = IoFileInArchive(File);

    if (Archived == NULL) {
        return STATUS_INVALID_FILE_FOR_SECTION;
    }
    if (Archived->Size == 0) {
        return STATUS_MAPPED_FILE_SIZE_ZERO;
    }
    if (New->Size > Archived->Size) {
        return STATUS_SECTION_TOO_BIG;
    }
    New->Size = New->Size != 0 ? New->Size : Archived->Size;
    return IoArchiveSection(Archived, &New->Section);
}

static NTSTATUS SvcMakeFileSection(PSVC_SECTION New, HANDLE FileHandle, BOOLEAN Copies)
{
    PFILE_OBJECT File;
    NTSTATUS Status = ObReferenceObjectByHandle(FileHandle, FILE_READ_DATA, *IoFileObjectType, ExGetPreviousMode(),
                                                (PVOID *)&File, NULL);
    if (NT_SUCCESS(Status)) {
        Status = (New->Protection & MM_WRITE) && !Copies ? STATUS_ACCESS_DENIED : SvcMapFile(New, File);
        ObDereferenceObject(File);
    }
    return Status;
}

static void SvcInitializeSection(PVOID Object, const VOID *Context)
{
    *(PSVC_SECTION)Object = *(const SVC_SECTION *)Context;
    MmReferenceSection(((PSVC_SECTION)Object)->Section);
}

/*
 * A section of *MaximumSize bytes of zeroed memory, or over a file of the boot archives, whose size is taken
 * when MaximumSize is NULL or 0. SectionPageProtection: what views may have at most; a file allows no
 * PAGE_READWRITE (STATUS_ACCESS_DENIED). AllocationAttributes: SEC_COMMIT (memory is taken page by page, when
 * it is touched). STATUS_INVALID_PAGE_PROTECTION, STATUS_INVALID_PARAMETER_4 (no size),
 * STATUS_INVALID_PARAMETER_6 (attributes), STATUS_SECTION_TOO_BIG, STATUS_INVALID_FILE_FOR_SECTION,
 * STATUS_MAPPED_FILE_SIZE_ZERO, STATUS_NOT_IMPLEMENTED (SEC_IMAGE, SEC_RESERVE); the statuses of
 * ObInsertObject. PASSIVE. (WDK page of the name)
 */
NTSTATUS NtCreateSection(PHANDLE SectionHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                         PLARGE_INTEGER MaximumSize, ULONG SectionPageProtection, ULONG AllocationAttributes,
                         HANDLE FileHandle)
{
    SVC_SECTION New = {.Attributes = AllocationAttributes};
    BOOLEAN Copies;
    NTSTATUS Status = MaximumSize != NULL
                          ? ExCopyIn(&New.Size, MaximumSize, sizeof(New.Size), ExGetPreviousMode())
                          : STATUS_SUCCESS;

    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (!SvcSectionProtection(SectionPageProtection, &New.Protection, &Copies)) {
        return STATUS_INVALID_PAGE_PROTECTION;
    }
    if (AllocationAttributes == SEC_IMAGE || AllocationAttributes == SEC_RESERVE) {
        return STATUS_NOT_IMPLEMENTED;
    }
    if (AllocationAttributes != SEC_COMMIT) {
        return STATUS_INVALID_PARAMETER_6;
    }
    Status = FileHandle == NULL ? SvcMakeMemory(&New) : SvcMakeFileSection(&New, FileHandle, Copies);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = SvcCreateNamed(SvcSectionType, ObjectAttributes, DesiredAccess, SectionHandle, SvcInitializeSection, &New);
    MmDereferenceSection(New.Section);
    return Status;
}

/* A handle to the section of a name. The statuses of ObOpenObjectByName. PASSIVE. (WDK page of the name) */
NTSTATUS NtOpenSection(PHANDLE SectionHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes)
{
    return SvcOpenByName(SectionHandle, DesiredAccess, ObjectAttributes, SvcSectionType);
}

static void SvcFillSection(PVOID Data, PVOID Object)
{
    SECTION_BASIC_INFORMATION *Basic = Data;
    PSVC_SECTION Section = Object;
    Basic->AllocationAttributes = Section->Attributes;
    Basic->MaximumSize.QuadPart = (LONGLONG)Section->Size;
}

/* Class 0: SECTION_BASIC_INFORMATION. The errors of NtQueryMutant (SECTION_QUERY). PASSIVE. (no WDK page) */
NTSTATUS NtQuerySection(HANDLE SectionHandle, ULONG Class, PVOID Information, SIZE_T Length, PSIZE_T ReturnLength)
{
    SVC_STATE_QUERY Query = {Class, Information, Length > MAXULONG ? MAXULONG : (ULONG)Length, NULL};
    SIZE_T Size = sizeof(SECTION_BASIC_INFORMATION);
    NTSTATUS Status = SvcQueryState(SectionHandle, SECTION_QUERY, SvcSectionType, &Query, SvcFillSection, (ULONG)Size);
    return NT_SUCCESS(Status) && ReturnLength != NULL
               ? ExCopyOut(ReturnLength, &Size, sizeof(Size), ExGetPreviousMode())
               : Status;
}

/* ---- Views ---- */

/* A view that is to be: the caller's variables, captured. */
typedef struct _SVC_VIEW {
    SVC_VM_REQUEST Request; /* first: [Base, End) becomes the view */
    PSVC_SECTION Section;
    ULONG_PTR Base; /* where; 0: anywhere */
    ULONG64 Offset;
    SIZE_T Size;
    BOOLEAN Copies;
} SVC_VIEW, *PSVC_VIEW;

static NTSTATUS SvcCaptureView(PSVC_VIEW View, PVOID *BaseAddress, PLARGE_INTEGER SectionOffset, PSIZE_T ViewSize)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    NTSTATUS Status = ExCopyIn(&View->Base, BaseAddress, sizeof(View->Base), Mode);
    if (NT_SUCCESS(Status)) {
        Status = ExCopyIn(&View->Size, ViewSize, sizeof(View->Size), Mode);
    }
    if (NT_SUCCESS(Status) && SectionOffset != NULL) {
        Status = ExCopyIn(&View->Offset, SectionOffset, sizeof(View->Offset), Mode);
    }
    return Status;
}

/* The part of the section, in whole pages; and what the section's protection allows. */
static NTSTATUS SvcCheckView(PSVC_VIEW View)
{
    PSVC_SECTION Section = View->Section;
    ULONG Wanted = View->Request.Protection;
    if ((View->Offset | View->Base) & (SVC_GRANULARITY - 1)) {
        return STATUS_MAPPED_ALIGNMENT;
    }
    if (View->Offset >= Section->Size) {
        return STATUS_INVALID_VIEW_SIZE;
    }
    SIZE_T Rest = ROUND_TO_PAGES(Section->Size - View->Offset);
    View->Size = View->Size != 0 ? View->Size : Rest;
    if (View->Size > Rest) {
        return STATUS_INVALID_VIEW_SIZE;
    }
    View->Size = ROUND_TO_PAGES(View->Size);
    Wanted &= View->Copies ? ~(ULONG)MM_WRITE : ~0u; /* a copy takes nothing from the section but reading */
    return (Wanted & ~Section->Protection) == 0 ? STATUS_SUCCESS : STATUS_SECTION_PROTECTION;
}

static NTSTATUS SvcPlaceView(SVC_VM_REQUEST *Request, ULONG_PTR Base, ULONG_PTR End)
{
    PSVC_VIEW View = CONTAINING_RECORD(Request, SVC_VIEW, Request);
    Request->Base = Base;
    Request->End = End;
    return MmMapRegion(Request->Space, &Base, End - Base,
                       MM_MAP_FIXED | MM_MAP_NOREPLACE | (View->Copies ? 0 : MM_MAP_SHARED), Request->Protection,
                       View->Section->Section, View->Offset, 0, PS_VM_TAG(Base, Request->Page | PS_VM_VIEW));
}

static NTSTATUS SvcMapView(SVC_VM_REQUEST *Request)
{
    PSVC_VIEW View = CONTAINING_RECORD(Request, SVC_VIEW, Request);
    if (View->Base == 0) {
        return SvcPlaceAnywhere(Request, View->Size, SvcPlaceView);
    }
    if (View->Base > MM_USER_END - View->Size) {
        return STATUS_INVALID_PARAMETER_3;
    }
    return SvcPlaceView(Request, View->Base, View->Base + View->Size);
}

static ACCESS_MASK SvcViewAccess(const SVC_VIEW *View)
{
    ULONG Protection = View->Request.Protection;
    return (Protection & MM_READ ? SECTION_MAP_READ : 0) |
           ((Protection & MM_WRITE) && !View->Copies ? SECTION_MAP_WRITE : 0) |
           (Protection & MM_EXECUTE ? SECTION_MAP_EXECUTE : 0);
}

/* Both objects are there. */
static NTSTATUS SvcMapInProcess(PSVC_VIEW View, HANDLE ProcessHandle)
{
    NTSTATUS Status = SvcCheckView(View);
    if (NT_SUCCESS(Status)) {
        Status = SvcOpenRequest(&View->Request, ProcessHandle, PROCESS_VM_OPERATION);
    }
    if (NT_SUCCESS(Status)) {
        Status = SvcChangeProcess(&View->Request, SvcMapView);
        SvcCloseRequest(&View->Request);
    }
    return Status;
}

/* What has become of it goes back to the caller's variables. */
static NTSTATUS SvcReturnView(const SVC_VIEW *View, PVOID *BaseAddress, PLARGE_INTEGER SectionOffset, PSIZE_T ViewSize)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    SIZE_T Size = View->Request.End - View->Request.Base;
    NTSTATUS Status = ExCopyOut(BaseAddress, &View->Request.Base, sizeof(View->Request.Base), Mode);
    if (NT_SUCCESS(Status)) {
        Status = ExCopyOut(ViewSize, &Size, sizeof(Size), Mode);
    }
    return NT_SUCCESS(Status) && SectionOffset != NULL
               ? ExCopyOut(SectionOffset, &View->Offset, sizeof(View->Offset), Mode)
               : Status;
}

/*
 * Maps a part of a section into a native process: *ViewSize bytes (0: all the rest) from *SectionOffset on,
 * at *BaseAddress or, if that is NULL, anywhere; offset and base are multiples of 64 KiB. All three are given
 * back. Protect: PAGE_READONLY, _READWRITE, _WRITECOPY (writes go to copies of the process's own), or with
 * EXECUTE; the handle needs SECTION_MAP_READ, _WRITE, _EXECUTE accordingly. InheritDisposition makes no
 * difference: no process inherits memory. STATUS_INVALID_PAGE_PROTECTION, STATUS_SECTION_PROTECTION (more
 * than the section allows), STATUS_MAPPED_ALIGNMENT, STATUS_INVALID_VIEW_SIZE, STATUS_CONFLICTING_ADDRESSES,
 * STATUS_NO_MEMORY, STATUS_INVALID_PARAMETER_3, _4 (ZeroBits), _8, _9; handle errors (PROCESS_VM_OPERATION).
 * PASSIVE. (WDK page of the name)
 */
NTSTATUS NtMapViewOfSection(HANDLE SectionHandle, HANDLE ProcessHandle, PVOID *BaseAddress, ULONG_PTR ZeroBits,
                            SIZE_T CommitSize, PLARGE_INTEGER SectionOffset, PSIZE_T ViewSize,
                            SECTION_INHERIT InheritDisposition, ULONG AllocationType, ULONG Protect)
{
    SVC_VIEW View = {.Request.Page = Protect};

    if (ZeroBits != 0) {
        return STATUS_INVALID_PARAMETER_4;
    }
    if (InheritDisposition != ViewShare && InheritDisposition != ViewUnmap) {
        return STATUS_INVALID_PARAMETER_8;
    }
    if (AllocationType != 0) {
        return STATUS_INVALID_PARAMETER_9;
    }
    if (!SvcSectionProtection(Protect, &View.Request.Protection, &View.Copies)) {
        return STATUS_INVALID_PAGE_PROTECTION;
    }
    NTSTATUS Status = SvcCaptureView(&View, BaseAddress, SectionOffset, ViewSize);
    if (NT_SUCCESS(Status)) {
        Status = ObReferenceObjectByHandle(SectionHandle, SvcViewAccess(&View), SvcSectionType, ExGetPreviousMode(),
                                           (PVOID *)&View.Section, NULL);
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = SvcMapInProcess(&View, ProcessHandle);
    ObDereferenceObject(View.Section);
    return NT_SUCCESS(Status) ? SvcReturnView(&View, BaseAddress, SectionOffset, ViewSize) : Status;
}

static NTSTATUS SvcUnmapView(SVC_VM_REQUEST *Request)
{
    NTSTATUS Status = SvcFindAllocation(Request);
    if (!NT_SUCCESS(Status) || !(Request->Type & PS_VM_VIEW)) {
        return STATUS_NOT_MAPPED_VIEW;
    }
    return MmUnmapRegion(Request->Space, Request->Base, Request->End - Request->Base);
}

/* Takes away the whole view that BaseAddress lies in. STATUS_NOT_MAPPED_VIEW; handle errors
   (PROCESS_VM_OPERATION). PASSIVE. (WDK page of the name) */
NTSTATUS NtUnmapViewOfSection(HANDLE ProcessHandle, PVOID BaseAddress)
{
    SVC_VM_REQUEST Request = {.Base = (ULONG_PTR)BaseAddress};
    NTSTATUS Status = SvcOpenRequest(&Request, ProcessHandle, PROCESS_VM_OPERATION);
    if (NT_SUCCESS(Status)) {
        Status = SvcChangeProcess(&Request, SvcUnmapView);
        SvcCloseRequest(&Request);
    }
    return Status;
}

/* Code that has been written is seen by whoever executes it: this machine does so by itself. Handle errors
   (PROCESS_VM_WRITE). PASSIVE. (no WDK page) */
NTSTATUS NtFlushInstructionCache(HANDLE ProcessHandle, PVOID BaseAddress, SIZE_T Length)
{
    PEPROCESS Process;
    NTSTATUS Status = PsReferenceProcessHandle(ProcessHandle, PROCESS_VM_WRITE, &Process);
    if (NT_SUCCESS(Status)) {
        ObDereferenceObject(Process);
    }
    return Status;
}

void SvcInitializeSections(void)
{
    static const OB_TYPE_ROUTINES Section = {
        .Name = "Section",
        .PoolTag = 'ceSS',
        .BodySize = sizeof(SVC_SECTION),
        .Access = {SECTION_QUERY | SECTION_MAP_READ | STANDARD_RIGHTS_READ, SECTION_MAP_WRITE | STANDARD_RIGHTS_WRITE,
                   SECTION_MAP_EXECUTE | STANDARD_RIGHTS_EXECUTE, SECTION_ALL_ACCESS | SYNCHRONIZE},
        .Delete = SvcDeleteSection,
    };
    SvcCreateType(&Section, &SvcSectionType);
}
