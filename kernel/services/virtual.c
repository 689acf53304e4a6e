/* SPDX-License-Identifier: MIT */
/*
 * Virtual memory of native processes, as services: reserve, commit, decommit, release, protect, query;
 * reading and writing another process's memory.
 *
 * An allocation is one or more regions of mm with one tag: the allocation's base (64 KiB aligned), what it
 * was allocated with, and whether these pages are reserved only. Reserved pages are a region without access;
 * committing puts a fresh region in their place. EPROCESS.VirtualLock keeps two who change one allocation
 * apart: mm's own lock is held for each step only. A subsystem process's regions carry its provider's tags:
 * these services do not change them.
 */
#include "kernel/services/virtual.h"
#include "ps/ps.h"
#include "sync/pushlock.h"
#include <ntapi.h>

#define SVC_COPY_TAG 'ypcS'

/* ---- Protections ---- */

/* PAGE_* of private memory and MM_*. */
static const struct {
    UCHAR Page, Protection;
} SvcProtection[] = {
    {PAGE_NOACCESS, 0},
    {PAGE_READONLY, MM_READ},
    {PAGE_READWRITE, MM_READ | MM_WRITE},
    {PAGE_EXECUTE, MM_EXECUTE},
    {PAGE_EXECUTE_READ, MM_READ | MM_EXECUTE},
    {PAGE_EXECUTE_READWRITE, MM_READ | MM_WRITE | MM_EXECUTE},
};

bool SvcProtectionFromPage(ULONG Page, PULONG Protection)
{
    for (ULONG i = 0; i < ARRAYSIZE(SvcProtection); i++) {
        if (SvcProtection[i].Page == (Page & ~PAGE_GUARD)) {
            *Protection = SvcProtection[i].Protection | (Page & PAGE_GUARD ? MM_GUARD : 0);
            return *Protection != MM_GUARD;
        }
    }
    return false;
}

static ULONG SvcPageFromProtection(ULONG Protection)
{
    ULONG Access = Protection & (MM_READ | MM_WRITE | MM_EXECUTE), i = 0;
    Access |= Access & MM_WRITE ? MM_READ : 0; /* a provider's regions may say one without the other */
    while (SvcProtection[i].Protection != Access) {
        i++;
    }
    return SvcProtection[i].Page | (Protection & MM_GUARD ? PAGE_GUARD : 0);
}

/* ---- A request ---- */

/* [Base, Base + Size) to whole pages of user memory. */
static NTSTATUS SvcCaptureRange(SVC_VM_REQUEST *Request, PVOID *BaseAddress, PSIZE_T RegionSize)
{
    ULONG_PTR Base;
    SIZE_T Size;
    NTSTATUS Status = ExCopyIn(&Base, BaseAddress, sizeof(Base), ExGetPreviousMode());
    if (NT_SUCCESS(Status)) {
        Status = ExCopyIn(&Size, RegionSize, sizeof(Size), ExGetPreviousMode());
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (Base > MM_USER_END || Size > MM_USER_END - Base) {
        return STATUS_INVALID_PARAMETER;
    }
    Request->Base = ALIGN_DOWN_BY(Base, PAGE_SIZE);
    Request->End = Size == 0 ? Request->Base : ROUND_TO_PAGES(Base + Size);
    return STATUS_SUCCESS;
}

static NTSTATUS SvcReturnRange(PVOID *BaseAddress, PSIZE_T RegionSize, const SVC_VM_REQUEST *Request)
{
    SIZE_T Size = Request->End - Request->Base;
    NTSTATUS Status = ExCopyOut(BaseAddress, &Request->Base, sizeof(Request->Base), ExGetPreviousMode());
    return NT_SUCCESS(Status) ? ExCopyOut(RegionSize, &Size, sizeof(Size), ExGetPreviousMode()) : Status;
}

NTSTATUS SvcOpenRequest(SVC_VM_REQUEST *Request, HANDLE Handle, ACCESS_MASK Access)
{
    NTSTATUS Status = PsReferenceProcessHandle(Handle, Access, &Request->Process);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = PsAcquireSpace(Request->Process, &Request->Space);
    if (!NT_SUCCESS(Status)) {
        ObDereferenceObject(Request->Process);
    }
    return Status;
}

void SvcCloseRequest(SVC_VM_REQUEST *Request)
{
    PsReleaseSpace(Request->Process, Request->Space);
    ObDereferenceObject(Request->Process);
}

NTSTATUS SvcChangeProcess(SVC_VM_REQUEST *Request, NTSTATUS (*Change)(SVC_VM_REQUEST *))
{
    KeLockExclusive(&Request->Process->VirtualLock);
    NTSTATUS Status = Request->Process->SubsystemProcess ? STATUS_NOT_SUPPORTED : Change(Request);
    KeUnlockExclusive(&Request->Process->VirtualLock);
    return Status;
}

NTSTATUS SvcChangeMemory(HANDLE ProcessHandle, PVOID *BaseAddress, PSIZE_T RegionSize,
                                SVC_VM_REQUEST *Request, NTSTATUS (*Change)(SVC_VM_REQUEST *))
{
    NTSTATUS Status = SvcCaptureRange(Request, BaseAddress, RegionSize);
    if (NT_SUCCESS(Status)) {
        Status = SvcOpenRequest(Request, ProcessHandle, PROCESS_VM_OPERATION);
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = SvcChangeProcess(Request, Change);
    SvcCloseRequest(Request);
    return NT_SUCCESS(Status) ? SvcReturnRange(BaseAddress, RegionSize, Request) : Status;
}

/* ---- Regions of a range ---- */

ULONG SvcTagFlags(const MM_REGION_INFORMATION *Region)
{
    return ((ULONG)(ULONG_PTR)Region->Tag & (PAGE_SIZE - 1)) | (Region->Reserved ? PS_VM_RESERVED : 0);
}

/* The kernel's own regions carry no base: each counts as an allocation. */
static ULONG_PTR SvcTagBase(const MM_REGION_INFORMATION *Region)
{
    ULONG_PTR Base = ALIGN_DOWN_BY((ULONG_PTR)Region->Tag, PAGE_SIZE);
    return Base != 0 ? Base : Region->Start;
}

/* The same allocation? (All regions without a base count as one.) */
static bool SvcIsSameAllocation(const MM_REGION_INFORMATION *Region, ULONG_PTR Base)
{
    return ALIGN_DOWN_BY((ULONG_PTR)Region->Tag, PAGE_SIZE) == Base;
}

/* Outside: the answer when part of the range is not mapped, or belongs to another allocation than its start;
   Wrong: when part of it has one of Flags in its tag. */
static NTSTATUS SvcCheckRange(const SVC_VM_REQUEST *Request, ULONG Flags, NTSTATUS Wrong, NTSTATUS Outside)
{
    MM_REGION_INFORMATION Region;
    ULONG_PTR Base = 0;
    for (ULONG_PTR Next = Request->Base; Next < Request->End; Next = Region.End) {
        NTSTATUS Status = MmQueryRegion(Request->Space, Next, &Region);
        if (!NT_SUCCESS(Status)) {
            return Status;
        }
        if (Region.Mapped && Next == Request->Base) {
            Base = ALIGN_DOWN_BY((ULONG_PTR)Region.Tag, PAGE_SIZE);
        }
        if (!Region.Mapped || !SvcIsSameAllocation(&Region, Base)) {
            return Outside;
        }
        if (SvcTagFlags(&Region) & Flags) {
            return Wrong;
        }
    }
    return STATUS_SUCCESS;
}

/* Commit: reserved pages become zeros with the request's protection; those committed already keep what is in
   them. Else all become reserved. The range has been checked. */
static NTSTATUS SvcSetCommitted(const SVC_VM_REQUEST *Request, bool Commit)
{
    MM_REGION_INFORMATION Region;
    ULONG Protection = Commit ? Request->Protection : 0;
    NTSTATUS Status = STATUS_SUCCESS;
    for (ULONG_PTR Next = Request->Base; NT_SUCCESS(Status) && Next < Request->End; Next = Region.End) {
        Status = MmQueryRegion(Request->Space, Next, &Region);
        if (!NT_SUCCESS(Status)) {
            return Status;
        }
        SIZE_T Size = (Region.End < Request->End ? Region.End : Request->End) - Next;
        ULONG Flags = SvcTagFlags(&Region);
        if (Commit && !(Flags & PS_VM_RESERVED)) {
            Status = MmProtectRegion(Request->Space, Next, Size, Protection);
            continue;
        }
        Flags = Commit ? Flags & ~PS_VM_RESERVED : Flags | PS_VM_RESERVED;
        Status = MmMapRegion(Request->Space, &Next, Size, MM_MAP_FIXED, Protection, NULL, 0, 0,
                             PS_VM_TAG(SvcTagBase(&Region), Flags));
    }
    return Status;
}

/* ---- Allocation ---- */

/* [Base, End), where nothing is yet. */
static NTSTATUS SvcReserve(SVC_VM_REQUEST *Request, ULONG_PTR Base, ULONG_PTR End)
{
    bool Commit = (Request->Type & MEM_COMMIT) != 0;
    ULONG Flags = Request->Page | (Commit ? 0 : PS_VM_RESERVED);
    Request->Base = Base;
    Request->End = End;
    return MmMapRegion(Request->Space, &Base, End - Base, MM_MAP_FIXED | MM_MAP_NOREPLACE,
                       Commit ? Request->Protection : 0, NULL, 0, 0, PS_VM_TAG(Base, Flags));
}

NTSTATUS SvcPlaceAnywhere(SVC_VM_REQUEST *Request, SIZE_T Size,
                          NTSTATUS (*Place)(SVC_VM_REQUEST *Request, ULONG_PTR Base, ULONG_PTR End))
{
    ULONG_PTR Next = ALIGN_UP_BY(Request->Process->ImageBase + Request->Process->ImageSize, SVC_GRANULARITY);
    MM_REGION_INFORMATION Region;

    while (Next < MM_USER_END && NT_SUCCESS(MmQueryRegion(Request->Space, Next, &Region))) {
        if (Region.Mapped || Region.End - Next < Size) {
            Next = ALIGN_UP_BY(Region.End, SVC_GRANULARITY);
            continue;
        }
        NTSTATUS Status = Place(Request, Next, Next + Size);
        if (Status != STATUS_CONFLICTING_ADDRESSES) {
            return Status;
        }
        /* A thread's stack has just taken the place: look again. */
    }
    return STATUS_NO_MEMORY;
}

static NTSTATUS SvcAllocate(SVC_VM_REQUEST *Request)
{
    ULONG_PTR Base = ALIGN_DOWN_BY(Request->Base, SVC_GRANULARITY);
    if (Request->Base == Request->End) {
        return STATUS_INVALID_PARAMETER;
    }
    if (Request->Base == 0) {
        return SvcPlaceAnywhere(Request, Request->End, SvcReserve);
    }
    if (Request->Type & MEM_RESERVE) {
        return Base >= MM_USER_LOWEST ? SvcReserve(Request, Base, Request->End) : STATUS_INVALID_PARAMETER;
    }
    /* Image, stacks, PEB and TEBs are not the program's to commit. */
    NTSTATUS Status =
        SvcCheckRange(Request, PS_VM_KERNEL | PS_VM_VIEW, STATUS_CONFLICTING_ADDRESSES, STATUS_CONFLICTING_ADDRESSES);
    return NT_SUCCESS(Status) ? SvcSetCommitted(Request, true) : Status;
}

/*
 * Reserves address space (MEM_RESERVE), commits reserved pages (MEM_COMMIT), or both. *BaseAddress NULL:
 * anywhere, both. A reservation starts on a 64 KiB boundary, sizes are whole pages; both are given back.
 * Reserved pages fault until they are committed; committed ones are zero, cost nothing until they are
 * touched, and keep their contents when they are committed again. STATUS_INVALID_PARAMETER (a size of 0, a
 * range outside user memory, other types), STATUS_INVALID_PARAMETER_3 (ZeroBits),
 * STATUS_INVALID_PAGE_PROTECTION, STATUS_CONFLICTING_ADDRESSES, STATUS_NO_MEMORY, STATUS_NOT_SUPPORTED (a
 * subsystem's process); handle errors (PROCESS_VM_OPERATION). PASSIVE. (WDK page of the name)
 */
NTSTATUS NtAllocateVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, ULONG_PTR ZeroBits,
                                 PSIZE_T RegionSize, ULONG AllocationType, ULONG Protect)
{
    SVC_VM_REQUEST Request = {.Type = AllocationType, .Page = Protect};

    if (ZeroBits != 0) {
        return STATUS_INVALID_PARAMETER_3;
    }
    if ((AllocationType & ~(MEM_COMMIT | MEM_RESERVE)) || AllocationType == 0) {
        return STATUS_INVALID_PARAMETER;
    }
    if (!SvcProtectionFromPage(Protect, &Request.Protection)) {
        return STATUS_INVALID_PAGE_PROTECTION;
    }
    return SvcChangeMemory(ProcessHandle, BaseAddress, RegionSize, &Request, SvcAllocate);
}

/* ---- Freeing ---- */

NTSTATUS SvcFindAllocation(SVC_VM_REQUEST *Request)
{
    MM_REGION_INFORMATION Region;
    NTSTATUS Status = MmQueryRegion(Request->Space, Request->Base, &Region);
    if (!NT_SUCCESS(Status) || !Region.Mapped) {
        return STATUS_MEMORY_NOT_ALLOCATED;
    }
    ULONG_PTR Base = SvcTagBase(&Region);
    Request->Base = Base;
    Request->Type = SvcTagFlags(&Region);
    do {
        Request->End = Region.End;
    } while (Request->End < MM_USER_END &&
             NT_SUCCESS(MmQueryRegion(Request->Space, Request->End, &Region)) && Region.Mapped &&
             SvcTagBase(&Region) == Base);
    return STATUS_SUCCESS;
}

/* The allocation that starts at the range's base, which becomes the range. */
static NTSTATUS SvcFindToFree(SVC_VM_REQUEST *Request, bool Release)
{
    SVC_VM_REQUEST Whole = *Request;
    NTSTATUS Status = SvcFindAllocation(&Whole);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (Whole.Type & PS_VM_KERNEL) {
        return STATUS_UNABLE_TO_FREE_VM;
    }
    if (Whole.Type & PS_VM_VIEW) {
        return Release ? STATUS_UNABLE_TO_DELETE_SECTION : STATUS_UNABLE_TO_FREE_VM;
    }
    if (Whole.Base != Request->Base) {
        return STATUS_FREE_VM_NOT_AT_BASE;
    }
    Request->End = Whole.End;
    return STATUS_SUCCESS;
}

/* Is there anything at the range's start? */
static bool SvcIsAllocated(const SVC_VM_REQUEST *Request)
{
    MM_REGION_INFORMATION Region;
    return NT_SUCCESS(MmQueryRegion(Request->Space, Request->Base, &Region)) && Region.Mapped;
}

static NTSTATUS SvcFree(SVC_VM_REQUEST *Request)
{
    ULONG_PTR End = Request->End;
    bool Whole = Request->Base == End, Release = Request->Type == MEM_RELEASE;
    NTSTATUS Status = Whole || Release ? SvcFindToFree(Request, Release) : STATUS_SUCCESS;
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (Release) {
        return Whole || End == Request->End
                   ? MmUnmapRegion(Request->Space, Request->Base, Request->End - Request->Base)
                   : STATUS_INVALID_PARAMETER;
    }
    if (!SvcIsAllocated(Request)) {
        return STATUS_MEMORY_NOT_ALLOCATED;
    }
    Status = SvcCheckRange(Request, PS_VM_KERNEL | PS_VM_VIEW, STATUS_UNABLE_TO_FREE_VM, STATUS_UNABLE_TO_FREE_VM);
    return NT_SUCCESS(Status) ? SvcSetCommitted(Request, false) : Status;
}

/*
 * MEM_DECOMMIT: the pages of the range are reserved again; size 0: all of the allocation at *BaseAddress.
 * MEM_RELEASE: the whole allocation at *BaseAddress goes; the size is 0, or all of it. Both are given back.
 * STATUS_MEMORY_NOT_ALLOCATED, STATUS_FREE_VM_NOT_AT_BASE, STATUS_UNABLE_TO_FREE_VM (more than one
 * allocation; image, stacks, PEB, TEBs), STATUS_UNABLE_TO_DELETE_SECTION (a view), STATUS_INVALID_PARAMETER,
 * STATUS_NOT_SUPPORTED; handle errors (PROCESS_VM_OPERATION). PASSIVE. (WDK page of the name)
 */
NTSTATUS NtFreeVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, PSIZE_T RegionSize, ULONG FreeType)
{
    SVC_VM_REQUEST Request = {.Type = FreeType};
    if (FreeType != MEM_DECOMMIT && FreeType != MEM_RELEASE) {
        return STATUS_INVALID_PARAMETER;
    }
    return SvcChangeMemory(ProcessHandle, BaseAddress, RegionSize, &Request, SvcFree);
}

/* ---- Protection ---- */

/* A shared view gets no right that it was not mapped with: the handle may not have given it. */
static bool SvcViewAllows(const MM_REGION_INFORMATION *Region, ULONG Protection)
{
    ULONG Mapped = 0;
    SvcProtectionFromPage(SvcTagFlags(Region) & PS_VM_PROTECT, &Mapped);
    return (Protection & (MM_WRITE | MM_EXECUTE) & ~Mapped) == 0;
}

static NTSTATUS SvcProtect(SVC_VM_REQUEST *Request)
{
    MM_REGION_INFORMATION First;
    if (Request->Base == Request->End) {
        return STATUS_INVALID_PARAMETER;
    }
    NTSTATUS Status = SvcCheckRange(Request, PS_VM_RESERVED, STATUS_NOT_COMMITTED, STATUS_CONFLICTING_ADDRESSES);
    if (NT_SUCCESS(Status)) {
        Status = MmQueryRegion(Request->Space, Request->Base, &First);
    }
    if (NT_SUCCESS(Status) && First.Shared && !SvcViewAllows(&First, Request->Protection)) {
        Status = STATUS_SECTION_PROTECTION;
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Request->Page = SvcPageFromProtection(First.Protection);
    return MmProtectRegion(Request->Space, Request->Base, Request->End - Request->Base, Request->Protection);
}

/*
 * Changes the protection of committed pages of one allocation; *OldProtect receives that of the first.
 * STATUS_NOT_COMMITTED; STATUS_CONFLICTING_ADDRESSES: free memory, several allocations, or the guard page of
 * a thread's stack; STATUS_SECTION_PROTECTION: more than the view was mapped with;
 * STATUS_INVALID_PAGE_PROTECTION, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED; handle errors
 * (PROCESS_VM_OPERATION). PASSIVE. (no WDK page)
 */
NTSTATUS NtProtectVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, PSIZE_T RegionSize,
                                ULONG NewProtect, PULONG OldProtect)
{
    SVC_VM_REQUEST Request = {.Page = NewProtect};
    if (!SvcProtectionFromPage(NewProtect, &Request.Protection)) {
        return STATUS_INVALID_PAGE_PROTECTION;
    }
    NTSTATUS Status = SvcChangeMemory(ProcessHandle, BaseAddress, RegionSize, &Request, SvcProtect);
    return NT_SUCCESS(Status) ? ExCopyOut(OldProtect, &Request.Page, sizeof(ULONG), ExGetPreviousMode())
                              : Status;
}

/* ---- Questions ---- */

static void SvcDescribeRegion(MEMORY_BASIC_INFORMATION *Data, const MM_REGION_INFORMATION *Region,
                              ULONG_PTR Address, BOOLEAN Native)
{
    bool Reserved = Native && (SvcTagFlags(Region) & PS_VM_RESERVED);
    RtlZeroMemory(Data, sizeof(*Data)); /* padding, too */
    Data->BaseAddress = (PVOID)ALIGN_DOWN_BY(Address, PAGE_SIZE);
    Data->RegionSize = Region->End - (ULONG_PTR)Data->BaseAddress;
    if (!Region->Mapped) {
        Data->State = MEM_FREE;
        Data->Protect = PAGE_NOACCESS;
        return;
    }
    Data->Protect = Reserved ? 0 : SvcPageFromProtection(Region->Protection);
    if (Region->HasSection && !Region->Shared && Data->Protect == PAGE_READWRITE) {
        Data->Protect = PAGE_WRITECOPY;
    }
    Data->State = Reserved ? MEM_RESERVE : MEM_COMMIT;
    Data->Type = Region->HasSection ? MEM_MAPPED : MEM_PRIVATE;
    Data->AllocationBase = (PVOID)(Native ? SvcTagBase(Region) : Region->Start);
    Data->AllocationProtect = Native ? SvcTagFlags(Region) & PS_VM_PROTECT : Data->Protect;
}

#define MemoryBasicInformation 0

/* What is at BaseAddress: a MEMORY_BASIC_INFORMATION (class 0), up to the next change.
   STATUS_INVALID_INFO_CLASS, STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_PARAMETER (no user address),
   STATUS_ACCESS_VIOLATION; handle errors (PROCESS_QUERY_LIMITED_INFORMATION). PASSIVE.
   (WDK page of the name) */
NTSTATUS NtQueryVirtualMemory(HANDLE ProcessHandle, PVOID BaseAddress, ULONG Class, PVOID Information,
                              SIZE_T Length, PSIZE_T ReturnLength)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    MEMORY_BASIC_INFORMATION Data;
    MM_REGION_INFORMATION Region;
    SVC_VM_REQUEST Request;

    if (Class != MemoryBasicInformation) {
        return STATUS_INVALID_INFO_CLASS;
    }
    if (Length < sizeof(Data)) {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    if ((ULONG_PTR)BaseAddress >= MM_USER_END) {
        return STATUS_INVALID_PARAMETER;
    }
    NTSTATUS Status = SvcOpenRequest(&Request, ProcessHandle, PROCESS_QUERY_LIMITED_INFORMATION);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = MmQueryRegion(Request.Space, (ULONG_PTR)BaseAddress, &Region);
    if (NT_SUCCESS(Status)) {
        SvcDescribeRegion(&Data, &Region, (ULONG_PTR)BaseAddress, !Request.Process->SubsystemProcess);
    }
    SvcCloseRequest(&Request);
    if (NT_SUCCESS(Status)) {
        Status = ExCopyOut(Information, &Data, sizeof(Data), Mode);
    }
    if (NT_SUCCESS(Status) && ReturnLength != NULL) {
        SIZE_T Size = sizeof(Data);
        Status = ExCopyOut(ReturnLength, &Size, sizeof(Size), Mode);
    }
    return Status;
}

/* ---- Another process's memory ---- */

/* A copy between the caller's memory and another process's, by way of one kernel page. */
typedef struct _SVC_VM_COPY {
    SVC_VM_REQUEST Request;
    ULONG_PTR Address; /* in the other process */
    PUCHAR Buffer;     /* the caller's */
    SIZE_T Size;       /* what is left */
    BOOLEAN Write;
    PVOID Page;
} SVC_VM_COPY;

/* The next Part bytes, which lie in one page of the other process: what has been done is known exactly. */
static NTSTATUS SvcCopyPart(const SVC_VM_COPY *Copy, SIZE_T Part)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    PMM_ADDRESS_SPACE Space = Copy->Request.Space;
    if (!Copy->Write) {
        return NT_SUCCESS(MmReadAddressSpace(Space, Copy->Address, Copy->Page, Part))
                   ? ExCopyOut(Copy->Buffer, Copy->Page, Part, Mode)
                   : STATUS_PARTIAL_COPY;
    }
    NTSTATUS Status = ExCopyIn(Copy->Page, Copy->Buffer, Part, Mode);
    if (NT_SUCCESS(Status) &&
        !NT_SUCCESS(MmWriteAddressSpace(Space, Copy->Address, Copy->Page, Part, FALSE))) {
        return STATUS_PARTIAL_COPY;
    }
    return Status;
}

static NTSTATUS SvcCopyAll(SVC_VM_COPY *Copy)
{
    while (Copy->Size != 0) {
        SIZE_T Part = PAGE_SIZE - (Copy->Address & (PAGE_SIZE - 1));
        Part = Part < Copy->Size ? Part : Copy->Size;
        NTSTATUS Status = SvcCopyPart(Copy, Part);
        if (!NT_SUCCESS(Status)) {
            return Status;
        }
        Copy->Address += Part;
        Copy->Buffer += Part;
        Copy->Size -= Part;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS SvcCopyVirtualMemory(HANDLE ProcessHandle, SVC_VM_COPY *Copy, PSIZE_T Done)
{
    ACCESS_MASK Access = Copy->Write ? PROCESS_VM_WRITE | PROCESS_VM_OPERATION : PROCESS_VM_READ;
    SIZE_T Size = Copy->Size;
    if (Copy->Address >= MM_USER_END || Size > MM_USER_END - Copy->Address) {
        return STATUS_ACCESS_VIOLATION;
    }
    Copy->Page = ExAllocatePoolWithTag(NonPagedPoolNx, PAGE_SIZE, SVC_COPY_TAG);
    if (Copy->Page == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    NTSTATUS Status = SvcOpenRequest(&Copy->Request, ProcessHandle, Access);
    if (NT_SUCCESS(Status)) {
        Status = SvcCopyAll(Copy);
        SvcCloseRequest(&Copy->Request);
    }
    ExFreePoolWithTag(Copy->Page, SVC_COPY_TAG);
    if (Done != NULL) {
        Size -= Copy->Size;
        NTSTATUS Written = ExCopyOut(Done, &Size, sizeof(Size), ExGetPreviousMode());
        Status = NT_SUCCESS(Status) ? Written : Status;
    }
    return Status;
}

/* Copies another process's memory to Buffer; *Done: how much. STATUS_PARTIAL_COPY: the other process has no
   (readable) memory beyond that; STATUS_ACCESS_VIOLATION: the caller's buffer, or no user range; handle
   errors (PROCESS_VM_READ). PASSIVE. (no WDK page) */
NTSTATUS NtReadVirtualMemory(HANDLE ProcessHandle, PVOID BaseAddress, PVOID Buffer, SIZE_T Size, PSIZE_T Done)
{
    SVC_VM_COPY Copy = {.Address = (ULONG_PTR)BaseAddress, .Buffer = Buffer, .Size = Size};
    return SvcCopyVirtualMemory(ProcessHandle, &Copy, Done);
}

/* The other way about (PROCESS_VM_WRITE and PROCESS_VM_OPERATION); pages must be writable by the process
   itself. PASSIVE. (no WDK page) */
NTSTATUS NtWriteVirtualMemory(HANDLE ProcessHandle, PVOID BaseAddress, PVOID Buffer, SIZE_T Size,
                              PSIZE_T Done)
{
    SVC_VM_COPY Copy = {.Address = (ULONG_PTR)BaseAddress, .Buffer = Buffer, .Size = Size, .Write = TRUE};
    return SvcCopyVirtualMemory(ProcessHandle, &Copy, Done);
}
