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
#include "ps/psp.h"

#define PSP_GRANULARITY 0x10000

/* ---- Protections ---- */

/* PAGE_* of private memory to MM_*. */
static bool PspProtectionFromPage(ULONG Page, PULONG Protection)
{
    ULONG Guard = Page & PAGE_GUARD ? MM_GUARD : 0;
    switch (Page & ~PAGE_GUARD) {
    case PAGE_NOACCESS:
        *Protection = 0;
        return Guard == 0;
    case PAGE_READONLY:
        *Protection = MM_READ | Guard;
        return true;
    case PAGE_READWRITE:
        *Protection = MM_READ | MM_WRITE | Guard;
        return true;
    case PAGE_EXECUTE:
        *Protection = MM_EXECUTE | Guard;
        return true;
    case PAGE_EXECUTE_READ:
        *Protection = MM_READ | MM_EXECUTE | Guard;
        return true;
    case PAGE_EXECUTE_READWRITE:
        *Protection = MM_READ | MM_WRITE | MM_EXECUTE | Guard;
        return true;
    default:
        return false;
    }
}

static ULONG PspPageFromProtection(ULONG Protection)
{
    static const UCHAR Page[8] = {
        [0] = PAGE_NOACCESS,
        [MM_READ] = PAGE_READONLY,
        [MM_WRITE] = PAGE_READWRITE,
        [MM_READ | MM_WRITE] = PAGE_READWRITE,
        [MM_EXECUTE] = PAGE_EXECUTE,
        [MM_READ | MM_EXECUTE] = PAGE_EXECUTE_READ,
        [MM_WRITE | MM_EXECUTE] = PAGE_EXECUTE_READWRITE,
        [MM_READ | MM_WRITE | MM_EXECUTE] = PAGE_EXECUTE_READWRITE,
    };
    return Page[Protection & 7] | (Protection & MM_GUARD ? PAGE_GUARD : 0);
}

/* ---- A request ---- */

/* What the services have in common: the process, its space, the range in whole pages. */
typedef struct _PSP_VM_REQUEST {
    PEPROCESS Process;
    PMM_ADDRESS_SPACE Space;
    ULONG_PTR Base, End; /* page aligned */
} PSP_VM_REQUEST;

static NTSTATUS PspCaptureRange(PVOID *BaseAddress, PSIZE_T RegionSize, ULONG_PTR *Base, SIZE_T *Size)
{
    NTSTATUS Status = ExCopyIn(Base, BaseAddress, sizeof(*Base), ExGetPreviousMode());
    return NT_SUCCESS(Status) ? ExCopyIn(Size, RegionSize, sizeof(*Size), ExGetPreviousMode()) : Status;
}

static NTSTATUS PspReturnRange(PVOID *BaseAddress, PSIZE_T RegionSize, const PSP_VM_REQUEST *Request)
{
    SIZE_T Size = Request->End - Request->Base;
    NTSTATUS Status = ExCopyOut(BaseAddress, &Request->Base, sizeof(Request->Base), ExGetPreviousMode());
    return NT_SUCCESS(Status) ? ExCopyOut(RegionSize, &Size, sizeof(Size), ExGetPreviousMode()) : Status;
}

/* [Base, Base + Size) to whole pages of user memory. Size 0 stays empty. */
static NTSTATUS PspSetRange(PSP_VM_REQUEST *Request, ULONG_PTR Base, SIZE_T Size)
{
    if (Base > MM_USER_HIGHEST || Size > MM_USER_HIGHEST - Base) {
        return STATUS_INVALID_PARAMETER;
    }
    Request->Base = ALIGN_DOWN_BY(Base, PAGE_SIZE);
    Request->End = Size == 0 ? Request->Base : ROUND_TO_PAGES(Base + Size);
    return Request->End <= MM_USER_HIGHEST ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

/* Changing: native processes only, their VirtualLock held until PspCloseRequest. */
static NTSTATUS PspOpenRequest(PSP_VM_REQUEST *Request, HANDLE Handle, ACCESS_MASK Access, BOOLEAN Changing)
{
    NTSTATUS Status = PspReferenceProcessHandle(Handle, Access, &Request->Process);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = Changing && Request->Process->SubsystemProcess
                 ? STATUS_NOT_SUPPORTED
                 : PspAcquireSpace(Request->Process, &Request->Space);
    if (!NT_SUCCESS(Status)) {
        ObDereferenceObject(Request->Process);
        return Status;
    }
    if (Changing) {
        PspLockExclusive(&Request->Process->VirtualLock);
    }
    return STATUS_SUCCESS;
}

static void PspCloseRequest(PSP_VM_REQUEST *Request, BOOLEAN Changing)
{
    if (Changing) {
        PspUnlockExclusive(&Request->Process->VirtualLock);
    }
    PspReleaseSpace(Request->Process, Request->Space);
    ObDereferenceObject(Request->Process);
}

static ULONG PspTagFlags(const MM_REGION_INFORMATION *Region)
{
    return (ULONG)(ULONG_PTR)Region->Tag & (PAGE_SIZE - 1);
}

/* The kernel's own regions carry no base: each counts as an allocation. */
static ULONG_PTR PspTagBase(const MM_REGION_INFORMATION *Region)
{
    ULONG_PTR Base = ALIGN_DOWN_BY((ULONG_PTR)Region->Tag, PAGE_SIZE);
    return Base != 0 ? Base : Region->Start;
}

/* Calls Visit for each region of the request's range, cut to it; a hole is an error of Hole's. */
typedef NTSTATUS PSP_VM_VISIT(PSP_VM_REQUEST *Request, const MM_REGION_INFORMATION *Region, ULONG_PTR Start,
                              ULONG_PTR End, ULONG Argument);

static NTSTATUS PspVisitRange(PSP_VM_REQUEST *Request, PSP_VM_VISIT *Visit, ULONG Argument, NTSTATUS Hole)
{
    MM_REGION_INFORMATION Region;
    NTSTATUS Status = STATUS_SUCCESS;
    for (ULONG_PTR Next = Request->Base; NT_SUCCESS(Status) && Next < Request->End; Next = Region.End) {
        Status = MmQueryRegion(Request->Space, Next, &Region);
        if (NT_SUCCESS(Status) && !Region.Mapped) {
            Status = Hole;
        }
        if (NT_SUCCESS(Status)) {
            Status = Visit(Request, &Region, Next, Region.End < Request->End ? Region.End : Request->End,
                           Argument);
        }
    }
    return Status;
}

/* ---- Allocation ---- */

/* An allocation of Size bytes somewhere behind the image, on a 64 KiB boundary. */
static NTSTATUS PspReserveAnywhere(PSP_VM_REQUEST *Request, SIZE_T Size, ULONG Protection, ULONG Flags)
{
    ULONG_PTR Next = ALIGN_UP_BY(Request->Process->ImageBase + Request->Process->ImageSize, PSP_GRANULARITY);
    MM_REGION_INFORMATION Region;

    while (Next < MM_USER_HIGHEST && NT_SUCCESS(MmQueryRegion(Request->Space, Next, &Region))) {
        if (Region.Mapped || Region.End - Next < Size) {
            Next = ALIGN_UP_BY(Region.End, PSP_GRANULARITY);
            continue;
        }
        ULONG_PTR Base = Next;
        NTSTATUS Status = MmMapRegion(Request->Space, &Base, Size, MM_MAP_FIXED | MM_MAP_NOREPLACE,
                                      Protection, NULL, 0, 0, PSP_VM_TAG(Base, Flags));
        if (Status !=
            STATUS_CONFLICTING_ADDRESSES) { /* a thread's stack has just taken the place: look again */
            Request->Base = Base;
            Request->End = Base + Size;
            return Status;
        }
    }
    return STATUS_NO_MEMORY;
}

/* From a 64 KiB boundary at or below the range's start. */
static NTSTATUS PspReserveAt(PSP_VM_REQUEST *Request, ULONG Protection, ULONG Flags)
{
    ULONG_PTR Base = ALIGN_DOWN_BY(Request->Base, PSP_GRANULARITY);
    if (Base < MM_USER_LOWEST) {
        return STATUS_INVALID_PARAMETER;
    }
    Request->Base = Base;
    return MmMapRegion(Request->Space, &Base, Request->End - Base, MM_MAP_FIXED | MM_MAP_NOREPLACE,
                       Protection, NULL, 0, 0, PSP_VM_TAG(Base, Flags));
}

/* Image, stacks, PEB and TEBs are not the program's to commit. Argument: unused. */
static NTSTATUS PspCheckCommit(PSP_VM_REQUEST *Request, const MM_REGION_INFORMATION *Region, ULONG_PTR Start,
                               ULONG_PTR End, ULONG Argument)
{
    return PspTagFlags(Region) & PSP_VM_KERNEL ? STATUS_CONFLICTING_ADDRESSES : STATUS_SUCCESS;
}

/* Reserved pages become zeros with the protection of Argument; those committed already keep what is in them.
   */
static NTSTATUS PspCommitPart(PSP_VM_REQUEST *Request, const MM_REGION_INFORMATION *Region, ULONG_PTR Start,
                              ULONG_PTR End, ULONG Argument)
{
    ULONG Flags = PspTagFlags(Region);
    if (!(Flags & PSP_VM_RESERVED)) {
        return MmProtectRegion(Request->Space, Start, End - Start, Argument);
    }
    return MmMapRegion(Request->Space, &Start, End - Start, MM_MAP_FIXED, Argument, NULL, 0, 0,
                       PSP_VM_TAG(PspTagBase(Region), Flags & ~PSP_VM_RESERVED));
}

static NTSTATUS PspCommit(PSP_VM_REQUEST *Request, ULONG Protection)
{
    NTSTATUS Status = PspVisitRange(Request, PspCheckCommit, 0, STATUS_CONFLICTING_ADDRESSES);
    return NT_SUCCESS(Status)
               ? PspVisitRange(Request, PspCommitPart, Protection, STATUS_CONFLICTING_ADDRESSES)
               : Status;
}

/* Type: MEM_*; Page: PAGE_*, Protection: the same as MM_*. */
static NTSTATUS PspAllocate(PSP_VM_REQUEST *Request, ULONG Type, ULONG Page, ULONG Protection)
{
    ULONG Flags = Page | (Type & MEM_COMMIT ? 0 : PSP_VM_RESERVED);
    if (Request->Base == 0) {
        return PspReserveAnywhere(Request, Request->End, Type & MEM_COMMIT ? Protection : 0, Flags);
    }
    if (Type & MEM_RESERVE) {
        return PspReserveAt(Request, Type & MEM_COMMIT ? Protection : 0, Flags);
    }
    return PspCommit(Request, Protection);
}

/*
 * Reserves address space (MEM_RESERVE), commits reserved pages (MEM_COMMIT), or both. *BaseAddress NULL:
 * anywhere, both. A reservation starts on a 64 KiB boundary, sizes are whole pages; both are given back.
 * Reserved pages fault until they are committed; committed ones are zero, cost nothing until they are
 * touched, and keep their contents when they are committed again. STATUS_INVALID_PARAMETER (a size of 0, a
 * range outside user memory, other types), STATUS_INVALID_PARAMETER_3 (ZeroBits),
 * STATUS_INVALID_PAGE_PROTECTION, STATUS_CONFLICTING_ADDRESSES, STATUS_NO_MEMORY, STATUS_NOT_SUPPORTED (a
 * subsystem's process); handle errors (PROCESS_VM_OPERATION). PASSIVE. ddi:zwallocatevirtualmemory
 */
NTSTATUS NtAllocateVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, ULONG_PTR ZeroBits,
                                 PSIZE_T RegionSize, ULONG AllocationType, ULONG Protect)
{
    PSP_VM_REQUEST Request;
    ULONG_PTR Base;
    SIZE_T Size;
    ULONG Protection;

    if (ZeroBits != 0) {
        return STATUS_INVALID_PARAMETER_3;
    }
    if ((AllocationType & ~(MEM_COMMIT | MEM_RESERVE)) || !(AllocationType & (MEM_COMMIT | MEM_RESERVE))) {
        return STATUS_INVALID_PARAMETER;
    }
    if (!PspProtectionFromPage(Protect, &Protection)) {
        return STATUS_INVALID_PAGE_PROTECTION;
    }
    NTSTATUS Status = PspCaptureRange(BaseAddress, RegionSize, &Base, &Size);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = Size != 0 ? PspSetRange(&Request, Base, Size) : STATUS_INVALID_PARAMETER;
    if (NT_SUCCESS(Status)) {
        Status = PspOpenRequest(&Request, ProcessHandle, PROCESS_VM_OPERATION, TRUE);
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = PspAllocate(&Request, AllocationType, Protect, Protection);
    PspCloseRequest(&Request, TRUE);
    return NT_SUCCESS(Status) ? PspReturnRange(BaseAddress, RegionSize, &Request) : Status;
}

/* ---- Freeing ---- */

/* Sets the range to the allocation that starts at its base. */
static NTSTATUS PspFindAllocation(PSP_VM_REQUEST *Request)
{
    MM_REGION_INFORMATION Region;
    NTSTATUS Status = MmQueryRegion(Request->Space, Request->Base, &Region);
    if (!NT_SUCCESS(Status) || !Region.Mapped) {
        return STATUS_MEMORY_NOT_ALLOCATED;
    }
    if (PspTagFlags(&Region) & PSP_VM_KERNEL) {
        return STATUS_UNABLE_TO_FREE_VM;
    }
    if (PspTagBase(&Region) != Request->Base) {
        return STATUS_FREE_VM_NOT_AT_BASE;
    }
    do {
        Request->End = Region.End;
    } while (Request->End < MM_USER_HIGHEST &&
             NT_SUCCESS(MmQueryRegion(Request->Space, Request->End, &Region)) && Region.Mapped &&
             PspTagBase(&Region) == Request->Base);
    return STATUS_SUCCESS;
}

static NTSTATUS PspCheckFree(PSP_VM_REQUEST *Request, const MM_REGION_INFORMATION *Region, ULONG_PTR Start,
                             ULONG_PTR End, ULONG Argument)
{
    return PspTagFlags(Region) & PSP_VM_KERNEL ? STATUS_UNABLE_TO_FREE_VM : STATUS_SUCCESS;
}

static NTSTATUS PspDecommitPart(PSP_VM_REQUEST *Request, const MM_REGION_INFORMATION *Region, ULONG_PTR Start,
                                ULONG_PTR End, ULONG Argument)
{
    return MmMapRegion(Request->Space, &Start, End - Start, MM_MAP_FIXED, 0, NULL, 0, 0,
                       PSP_VM_TAG(PspTagBase(Region), PspTagFlags(Region) | PSP_VM_RESERVED));
}

static NTSTATUS PspDecommit(PSP_VM_REQUEST *Request)
{
    NTSTATUS Status = Request->Base == Request->End ? PspFindAllocation(Request) : STATUS_SUCCESS;
    if (NT_SUCCESS(Status)) {
        Status = PspVisitRange(Request, PspCheckFree, 0, STATUS_MEMORY_NOT_ALLOCATED);
    }
    return NT_SUCCESS(Status) ? PspVisitRange(Request, PspDecommitPart, 0, STATUS_MEMORY_NOT_ALLOCATED)
                              : Status;
}

static NTSTATUS PspRelease(PSP_VM_REQUEST *Request)
{
    ULONG_PTR End = Request->End;
    bool Whole = Request->Base == End;
    NTSTATUS Status = PspFindAllocation(Request);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (!Whole && End != Request->End) {
        return STATUS_INVALID_PARAMETER;
    }
    return MmUnmapRegion(Request->Space, Request->Base, Request->End - Request->Base);
}

/*
 * MEM_DECOMMIT: the pages of the range are reserved again; size 0: all of the allocation at *BaseAddress.
 * MEM_RELEASE: the whole allocation at *BaseAddress goes; the size is 0, or all of it. Both are given back.
 * STATUS_MEMORY_NOT_ALLOCATED, STATUS_FREE_VM_NOT_AT_BASE, STATUS_UNABLE_TO_FREE_VM (image, stacks, PEB,
 * TEBs), STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED; handle errors (PROCESS_VM_OPERATION). PASSIVE.
 * ddi:zwfreevirtualmemory
 */
NTSTATUS NtFreeVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, PSIZE_T RegionSize, ULONG FreeType)
{
    PSP_VM_REQUEST Request;
    ULONG_PTR Base;
    SIZE_T Size;

    if (FreeType != MEM_DECOMMIT && FreeType != MEM_RELEASE) {
        return STATUS_INVALID_PARAMETER;
    }
    NTSTATUS Status = PspCaptureRange(BaseAddress, RegionSize, &Base, &Size);
    if (NT_SUCCESS(Status)) {
        Status = PspSetRange(&Request, Base, Size);
    }
    if (NT_SUCCESS(Status)) {
        Status = PspOpenRequest(&Request, ProcessHandle, PROCESS_VM_OPERATION, TRUE);
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = FreeType == MEM_RELEASE ? PspRelease(&Request) : PspDecommit(&Request);
    PspCloseRequest(&Request, TRUE);
    return NT_SUCCESS(Status) ? PspReturnRange(BaseAddress, RegionSize, &Request) : Status;
}

/* ---- Protection ---- */

static NTSTATUS PspCheckCommitted(PSP_VM_REQUEST *Request, const MM_REGION_INFORMATION *Region,
                                  ULONG_PTR Start, ULONG_PTR End, ULONG Argument)
{
    return PspTagFlags(Region) & PSP_VM_RESERVED ? STATUS_NOT_COMMITTED : STATUS_SUCCESS;
}

/* *Old: PAGE_* of the first page. */
static NTSTATUS PspProtect(PSP_VM_REQUEST *Request, ULONG Protection, PULONG Old)
{
    MM_REGION_INFORMATION Region;
    NTSTATUS Status = PspVisitRange(Request, PspCheckCommitted, 0, STATUS_NOT_COMMITTED);
    if (NT_SUCCESS(Status)) {
        Status = MmQueryRegion(Request->Space, Request->Base, &Region);
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    *Old = PspPageFromProtection(Region.Protection);
    return MmProtectRegion(Request->Space, Request->Base, Request->End - Request->Base, Protection);
}

/*
 * Changes the protection of committed pages; *OldProtect receives that of the first. STATUS_NOT_COMMITTED,
 * STATUS_INVALID_PAGE_PROTECTION, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED; handle errors
 * (PROCESS_VM_OPERATION). PASSIVE.
 */
NTSTATUS NtProtectVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, PSIZE_T RegionSize,
                                ULONG NewProtect, PULONG OldProtect)
{
    PSP_VM_REQUEST Request;
    ULONG_PTR Base;
    SIZE_T Size;
    ULONG Protection, Old;

    if (!PspProtectionFromPage(NewProtect, &Protection)) {
        return STATUS_INVALID_PAGE_PROTECTION;
    }
    NTSTATUS Status = PspCaptureRange(BaseAddress, RegionSize, &Base, &Size);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = Size != 0 ? PspSetRange(&Request, Base, Size) : STATUS_INVALID_PARAMETER;
    if (NT_SUCCESS(Status)) {
        Status = PspOpenRequest(&Request, ProcessHandle, PROCESS_VM_OPERATION, TRUE);
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = PspProtect(&Request, Protection, &Old);
    PspCloseRequest(&Request, TRUE);
    if (NT_SUCCESS(Status)) {
        Status = PspReturnRange(BaseAddress, RegionSize, &Request);
    }
    return NT_SUCCESS(Status) ? ExCopyOut(OldProtect, &Old, sizeof(Old), ExGetPreviousMode()) : Status;
}

/* ---- Questions ---- */

static void PspDescribeRegion(MEMORY_BASIC_INFORMATION *Data, const MM_REGION_INFORMATION *Region,
                              ULONG_PTR Address, BOOLEAN Native)
{
    ULONG_PTR Base = ALIGN_DOWN_BY(Address, PAGE_SIZE);
    *Data = (MEMORY_BASIC_INFORMATION){.BaseAddress = (PVOID)Base, .RegionSize = Region->End - Base};
    if (!Region->Mapped) {
        Data->State = MEM_FREE;
        Data->Protect = PAGE_NOACCESS;
        return;
    }
    bool Reserved = Native && (PspTagFlags(Region) & PSP_VM_RESERVED);
    Data->Protect = Reserved ? 0 : PspPageFromProtection(Region->Protection);
    Data->State = Reserved ? MEM_RESERVE : MEM_COMMIT;
    Data->Type = Region->HasSection ? MEM_MAPPED : MEM_PRIVATE;
    Data->AllocationBase = (PVOID)(Native ? PspTagBase(Region) : Region->Start);
    Data->AllocationProtect = Native ? PspTagFlags(Region) & PSP_VM_PROTECT : Data->Protect;
}

#define MemoryBasicInformation 0

/* What is at BaseAddress: a MEMORY_BASIC_INFORMATION (class 0), up to the next change.
   STATUS_INVALID_INFO_CLASS, STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_PARAMETER (no user address),
   STATUS_ACCESS_VIOLATION; handle errors (PROCESS_QUERY_LIMITED_INFORMATION). PASSIVE. */
NTSTATUS NtQueryVirtualMemory(HANDLE ProcessHandle, PVOID BaseAddress, ULONG Class, PVOID Information,
                              SIZE_T Length, PSIZE_T ReturnLength)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    MEMORY_BASIC_INFORMATION Data;
    MM_REGION_INFORMATION Region;
    PSP_VM_REQUEST Request;

    if (Class != MemoryBasicInformation) {
        return STATUS_INVALID_INFO_CLASS;
    }
    if (Length < sizeof(Data)) {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    if ((ULONG_PTR)BaseAddress >= MM_USER_HIGHEST) {
        return STATUS_INVALID_PARAMETER;
    }
    NTSTATUS Status = PspOpenRequest(&Request, ProcessHandle, PROCESS_QUERY_LIMITED_INFORMATION, FALSE);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = MmQueryRegion(Request.Space, (ULONG_PTR)BaseAddress, &Region);
    if (NT_SUCCESS(Status)) {
        PspDescribeRegion(&Data, &Region, (ULONG_PTR)BaseAddress, !Request.Process->SubsystemProcess);
    }
    PspCloseRequest(&Request, FALSE);
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
typedef struct _PSP_VM_COPY {
    PMM_ADDRESS_SPACE Space;
    ULONG_PTR Address; /* in Space */
    PUCHAR Buffer;     /* the caller's */
    SIZE_T Size, Done;
    BOOLEAN Write;
    PVOID Page;
} PSP_VM_COPY;

/* The part up to the end of a page of the other process: what has been done is then known exactly. */
static NTSTATUS PspCopyPart(PSP_VM_COPY *Copy, SIZE_T Part)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    NTSTATUS Status;
    if (Copy->Write) {
        Status = ExCopyIn(Copy->Page, Copy->Buffer + Copy->Done, Part, Mode);
        if (NT_SUCCESS(Status) && !NT_SUCCESS(MmWriteAddressSpace(Copy->Space, Copy->Address + Copy->Done,
                                                                  Copy->Page, Part, FALSE))) {
            Status = STATUS_PARTIAL_COPY;
        }
        return Status;
    }
    if (!NT_SUCCESS(MmReadAddressSpace(Copy->Space, Copy->Address + Copy->Done, Copy->Page, Part))) {
        return STATUS_PARTIAL_COPY;
    }
    return ExCopyOut(Copy->Buffer + Copy->Done, Copy->Page, Part, Mode);
}

static NTSTATUS PspCopyAll(PSP_VM_COPY *Copy)
{
    NTSTATUS Status = STATUS_SUCCESS;
    while (Status == STATUS_SUCCESS && Copy->Done < Copy->Size) {
        SIZE_T Part = PAGE_SIZE - ((Copy->Address + Copy->Done) & (PAGE_SIZE - 1));
        Part = Part < Copy->Size - Copy->Done ? Part : Copy->Size - Copy->Done;
        Status = PspCopyPart(Copy, Part);
        if (Status == STATUS_SUCCESS) {
            Copy->Done += Part;
        }
    }
    return Status;
}

static NTSTATUS PspCopyVirtualMemory(HANDLE ProcessHandle, PSP_VM_COPY *Copy, PSIZE_T Done)
{
    PSP_VM_REQUEST Request;
    if (Copy->Address >= MM_USER_HIGHEST || Copy->Size > MM_USER_HIGHEST - Copy->Address) {
        return STATUS_ACCESS_VIOLATION;
    }
    Copy->Page = ExAllocatePoolWithTag(NonPagedPoolNx, PAGE_SIZE, PSP_TAG);
    if (Copy->Page == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    NTSTATUS Status =
        PspOpenRequest(&Request, ProcessHandle,
                       Copy->Write ? PROCESS_VM_WRITE | PROCESS_VM_OPERATION : PROCESS_VM_READ, FALSE);
    if (NT_SUCCESS(Status)) {
        Copy->Space = Request.Space;
        Status = PspCopyAll(Copy);
        PspCloseRequest(&Request, FALSE);
    }
    ExFreePoolWithTag(Copy->Page, PSP_TAG);
    if (Done != NULL) {
        NTSTATUS Written = ExCopyOut(Done, &Copy->Done, sizeof(Copy->Done), ExGetPreviousMode());
        Status = NT_SUCCESS(Status) ? Written : Status;
    }
    return Status;
}

/* Copies another process's memory to Buffer; *Done: how much. STATUS_PARTIAL_COPY: the other process has no
   (readable) memory beyond that; STATUS_ACCESS_VIOLATION: the caller's buffer, or no user range; handle
   errors (PROCESS_VM_READ). PASSIVE. */
NTSTATUS NtReadVirtualMemory(HANDLE ProcessHandle, PVOID BaseAddress, PVOID Buffer, SIZE_T Size, PSIZE_T Done)
{
    PSP_VM_COPY Copy = {.Address = (ULONG_PTR)BaseAddress, .Buffer = Buffer, .Size = Size};
    return PspCopyVirtualMemory(ProcessHandle, &Copy, Done);
}

/* The other way about (PROCESS_VM_WRITE and PROCESS_VM_OPERATION); pages must be writable by the process
   itself. PASSIVE. */
NTSTATUS NtWriteVirtualMemory(HANDLE ProcessHandle, PVOID BaseAddress, PVOID Buffer, SIZE_T Size,
                              PSIZE_T Done)
{
    PSP_VM_COPY Copy = {.Address = (ULONG_PTR)BaseAddress, .Buffer = Buffer, .Size = Size, .Write = TRUE};
    return PspCopyVirtualMemory(ProcessHandle, &Copy, Done);
}
