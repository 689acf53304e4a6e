/* SPDX-License-Identifier: MIT */
/*
 * What the services on virtual memory (virtual.c) and on views of sections (section.c) share.
 */
#ifndef PRIMER_SERVICES_VIRTUAL_H
#define PRIMER_SERVICES_VIRTUAL_H

#include "kernel/services/services.h"
#include "ps/ps.h"

#define SVC_GRANULARITY 0x10000

/* What the services have in common: the process, its space, the range in whole pages, what is to be done. */
typedef struct _SVC_VM_REQUEST {
    PEPROCESS Process;
    PMM_ADDRESS_SPACE Space;
    ULONG_PTR Base, End; /* page aligned; equal: the caller's size was 0 */
    ULONG Type;          /* MEM_* */
    ULONG Page;          /* PAGE_* asked for; receives the one before */
    ULONG Protection;    /* the same as MM_* */
} SVC_VM_REQUEST;

/* PAGE_* of private memory as MM_*. FALSE: there is no such protection; a guard needs an access to watch
   for. */
bool SvcProtectionFromPage(ULONG Page, PULONG Protection);
/* A change of a native process's memory, one at a time. The range comes from the caller's variables, and what
   has become of it goes back there. STATUS_NOT_SUPPORTED: a subsystem's process; handle errors
   (PROCESS_VM_OPERATION). */
NTSTATUS SvcChangeMemory(HANDLE ProcessHandle, PVOID *BaseAddress, PSIZE_T RegionSize, SVC_VM_REQUEST *Request,
                         NTSTATUS (*Change)(SVC_VM_REQUEST *));
/* The same without a range, the process referenced: for what is in Request already. */
NTSTATUS SvcChangeProcess(SVC_VM_REQUEST *Request, NTSTATUS (*Change)(SVC_VM_REQUEST *));
NTSTATUS SvcOpenRequest(SVC_VM_REQUEST *Request, HANDLE Handle, ACCESS_MASK Access);
void SvcCloseRequest(SVC_VM_REQUEST *Request);
/* A place for Size bytes, behind the image, on a 64 KiB boundary, and what Place makes there; Place may find
   that it has just been taken (STATUS_CONFLICTING_ADDRESSES). STATUS_NO_MEMORY. */
NTSTATUS SvcPlaceAnywhere(SVC_VM_REQUEST *Request, SIZE_T Size,
                          NTSTATUS (*Place)(SVC_VM_REQUEST *Request, ULONG_PTR Base, ULONG_PTR End));
ULONG SvcTagFlags(const MM_REGION_INFORMATION *Region);
/* Sets the range to the allocation at Base; Flags of its tag go to Type. STATUS_MEMORY_NOT_ALLOCATED. */
NTSTATUS SvcFindAllocation(SVC_VM_REQUEST *Request);

#endif
