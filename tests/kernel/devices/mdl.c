/* SPDX-License-Identifier: MIT */
/*
 * Memory descriptor lists as drivers use them: of pool, of a program's pages (this thread attaches itself to
 * one), parts of them, chains of an IRP, and what cannot be locked.
 */
#include "devices.h"
#include <ntapi.h>

#define TAG 'lsdM'

static PCSTR TestDescribe(VOID)
{
    PVOID Address = (PVOID)0x12345678;
    PIRP Irp = IoAllocateIrp(1, FALSE);
    PMDL First, Second;
    KTEST_CHECK(Irp != NULL);
    First = IoAllocateMdl(Address, 0x2000, FALSE, FALSE, Irp);
    Second = IoAllocateMdl(Address, 1, TRUE, FALSE, Irp);
    KTEST_CHECK(First != NULL && Second != NULL && Irp->MdlAddress == First && First->Next == Second && Second->Next == NULL);
    KTEST_CHECK(MmGetMdlVirtualAddress(First) == Address && MmGetMdlByteCount(First) == 0x2000 && MmGetMdlByteOffset(First) == 0x678);
    KTEST_CHECK(MmSizeOfMdl(Address, 0x2000) == sizeof(MDL) + 3 * sizeof(PFN_NUMBER) && (SIZE_T)First->Size == MmSizeOfMdl(Address, 0x2000));
    KTEST_CHECK(IoAllocateMdl(Address, 0x80000000, FALSE, FALSE, NULL) == NULL);
    IoFreeMdl(Second);
    IoFreeMdl(First);
    IoFreeIrp(Irp);
    return NULL;
}

static PCSTR TestPool(VOID)
{
    PUCHAR Pool = ExAllocatePoolWithTag(NonPagedPoolNx, 2 * PAGE_SIZE, TAG);
    KTEST_CHECK(Pool != NULL);
    PMDL Mdl = IoAllocateMdl(Pool + 10, PAGE_SIZE, FALSE, FALSE, NULL), Part = IoAllocateMdl(Pool + 20, 30, FALSE, FALSE, NULL);
    KTEST_CHECK(Mdl != NULL && Part != NULL);
    MmBuildMdlForNonPagedPool(Mdl);
    KTEST_CHECK(MmGetSystemAddressForMdlSafe(Mdl, NormalPagePriority) == Pool + 10);
    KTEST_CHECK(MmGetMdlPfnArray(Mdl)[0] != 0 && MmGetMdlPfnArray(Mdl)[1] != MmGetMdlPfnArray(Mdl)[0]);
    IoBuildPartialMdl(Mdl, Part, Pool + 20, 30);
    KTEST_CHECK(MmGetSystemAddressForMdlSafe(Part, NormalPagePriority) == Pool + 20 && MmGetMdlByteCount(Part) == 30);
    IoFreeMdl(Part);
    IoFreeMdl(Mdl);
    ExFreePoolWithTag(Pool, TAG);
    return NULL;
}

static NTSTATUS Lock(PMDL Mdl, KPROCESSOR_MODE Mode, LOCK_OPERATION Operation)
{
    volatile NTSTATUS Status = STATUS_SUCCESS;
    _SEH2_TRY {
        MmProbeAndLockPages(Mdl, Mode, Operation);
    }
    _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER)
    {
        Status = _SEH2_GetExceptionCode();
    }
    _SEH2_END;
    return Status;
}

/* Pages are touched last to first, so that their frames do not lie in a row: the mapping is one of its
   own. */
static PCSTR CheckUserPages(PUCHAR User)
{
    PMDL Mdl = IoAllocateMdl(User + 100, 3 * PAGE_SIZE, FALSE, FALSE, NULL), Part = IoAllocateMdl(User + PAGE_SIZE - 4, 8, FALSE, FALSE, NULL);
    KTEST_CHECK(Mdl != NULL && Part != NULL);
    KTEST_CHECK(Lock(Mdl, UserMode, IoWriteAccess) == STATUS_SUCCESS && (Mdl->MdlFlags & MDL_PAGES_LOCKED));
    KTEST_CHECK(Mdl->Process == PsGetCurrentProcess());
    PUCHAR Kernel = MmGetSystemAddressForMdlSafe(Mdl, NormalPagePriority);
    KTEST_CHECK(Kernel != NULL && MmGetSystemAddressForMdlSafe(Mdl, NormalPagePriority) == Kernel);
    for (ULONG i = 0; i < 3 * PAGE_SIZE; i++) {
        Kernel[i] = (UCHAR)(i * 7 + i / PAGE_SIZE);
    }
    UCHAR Bytes[8];
    SIZE_T Done;
    KTEST_CHECK(NT_SUCCESS(ZwReadVirtualMemory(NtCurrentProcess(), User + PAGE_SIZE - 4, Bytes, 8, &Done)));
    KTEST_CHECK(Bytes[0] == Kernel[PAGE_SIZE - 104] && Bytes[7] == Kernel[PAGE_SIZE - 97]);
    IoBuildPartialMdl(Mdl, Part, User + PAGE_SIZE - 4, 8);
    PUCHAR Some = MmGetSystemAddressForMdlSafe(Part, NormalPagePriority);
    KTEST_CHECK(Some != NULL && memcmp(Some, Bytes, 8) == 0);
    IoFreeMdl(Part);
    MmUnmapLockedPages(Kernel, Mdl);
    KTEST_CHECK((Mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA) == 0);
    KTEST_CHECK(MmMapLockedPagesSpecifyCache(Mdl, KernelMode, MmCached, NULL, FALSE, HighPagePriority) != NULL);
    MmUnlockPages(Mdl); /* unmaps, too */
    KTEST_CHECK((Mdl->MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_PAGES_LOCKED)) == 0);
    IoFreeMdl(Mdl);
    return NULL;
}

static PCSTR CheckRefusals(PUCHAR User, PVOID Nothing)
{
    PMDL Mdl = IoAllocateMdl(User, PAGE_SIZE, FALSE, FALSE, NULL), Wild = IoAllocateMdl(Nothing, 3 * PAGE_SIZE, FALSE, FALSE, NULL);
    PVOID Base = User;
    SIZE_T Size = PAGE_SIZE;
    ULONG Old;
    KTEST_CHECK(Mdl != NULL && Wild != NULL);
    KTEST_CHECK(NT_SUCCESS(ZwProtectVirtualMemory(NtCurrentProcess(), &Base, &Size, PAGE_READONLY, &Old)));
    KTEST_CHECK(Lock(Mdl, UserMode, IoWriteAccess) == STATUS_ACCESS_VIOLATION && Mdl->MdlFlags == 0);
    KTEST_CHECK(Lock(Mdl, UserMode, IoReadAccess) == STATUS_SUCCESS);
    MmUnlockPages(Mdl);
    KTEST_CHECK(Lock(Wild, UserMode, IoReadAccess) == STATUS_ACCESS_VIOLATION);
    MmInitializeMdl(Mdl, (PVOID)TestDevice, 8);
    KTEST_CHECK(Lock(Mdl, UserMode, IoReadAccess) == STATUS_ACCESS_VIOLATION); /* an address of the kernel's for a program */
    KTEST_CHECK(Lock(Mdl, KernelMode, IoModifyAccess) == STATUS_SUCCESS && MmGetSystemAddressForMdlSafe(Mdl, LowPagePriority) == TestDevice);
    MmUnlockPages(Mdl);
    MmInitializeMdl(Mdl, (PVOID)0x7fffffffe000, PAGE_SIZE); /* beyond the last user page */
    KTEST_CHECK(Lock(Mdl, UserMode, IoReadAccess) == STATUS_ACCESS_VIOLATION);
    IoFreeMdl(Mdl);
    IoFreeMdl(Wild);
    return NULL;
}

static PCSTR WithUserPages(VOID)
{
    PVOID User = NULL;
    SIZE_T Size = 4 * PAGE_SIZE;
    if (!NT_SUCCESS(ZwAllocateVirtualMemory(NtCurrentProcess(), &User, 0, &Size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE))) {
        return "no memory";
    }
    PCSTR Why = CheckUserPages(User);
    if (Why == NULL) {
        Why = CheckRefusals(User, Add2Ptr(User, 2 * PAGE_SIZE)); /* its last two pages lie behind the allocation */
    }
    SIZE_T All = 0;
    ZwFreeVirtualMemory(NtCurrentProcess(), &User, &All, MEM_RELEASE);
    return Why;
}

static PCSTR TestUserPages(VOID)
{
    KAPC_STATE Before;
    PEPROCESS Process = NULL;
    for (ULONG Id = 4; Id < 4096 && Process == NULL; Id += 4) { /* any program's */
        if (NT_SUCCESS(PsLookupProcessByProcessId(ULongToHandle(Id), &Process)) && Process == PsInitialSystemProcess) {
            ObDereferenceObject(Process);
            Process = NULL;
        }
    }
    if (Process == NULL) {
        return "no process";
    }
    KeStackAttachProcess(Process, &Before);
    PCSTR Why = WithUserPages();
    KeUnstackDetachProcess(&Before);
    ObDereferenceObject(Process);
    return Why;
}

VOID RunMdlTests(VOID)
{
    KtestRun("devices.MDLs and their chains", TestDescribe);
    KtestRun("devices.MDLs of pool", TestPool);
    KtestRun("devices.MDLs of a program's pages", TestUserPages);
}
