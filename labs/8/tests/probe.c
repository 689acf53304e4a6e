/* SPDX-License-Identifier: MIT */
/* Lab 8: what a driver may touch of a program's memory. The ranges are only looked at: nothing stands
   there. */
#include "ktest.h"

#define USER_END 0x00007ffffffff000ULL /* the last page below the hole is nobody's */

/* What a probe for reading raises; STATUS_SUCCESS: nothing. */
static NTSTATUS Probe(ULONG64 Address, SIZE_T Length, ULONG Alignment)
{
    volatile NTSTATUS Status = STATUS_SUCCESS;
    _SEH2_TRY {
        ProbeForRead((PVOID)Address, Length, Alignment);
    }
    _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
        Status = _SEH2_GetExceptionCode();
    }
    _SEH2_END;
    return Status;
}

/* A range that begins in user space and ends beyond it. */
static PCSTR TestStraddles(VOID)
{
    KTEST_CHECK(Probe(USER_END - 8, 8, 1) == STATUS_SUCCESS);
    KTEST_CHECK(Probe(USER_END - 8, 9, 1) == STATUS_ACCESS_VIOLATION);
    KTEST_CHECK(Probe(0x10000, USER_END - 0x10000, 1) == STATUS_SUCCESS);
    KTEST_CHECK(Probe(0x10000, USER_END, 1) == STATUS_ACCESS_VIOLATION);
    return NULL;
}

/* A length with which the sum wraps around. */
static PCSTR TestWraps(VOID)
{
    KTEST_CHECK(Probe(0x10000, MAXSIZE_T, 1) == STATUS_ACCESS_VIOLATION);
    KTEST_CHECK(Probe(0x10000, MAXSIZE_T - 0xffff, 1) == STATUS_ACCESS_VIOLATION);
    KTEST_CHECK(Probe(0x10000, MAXSIZE_T - 0x8000, 1) == STATUS_ACCESS_VIOLATION);
    return NULL;
}

static PCSTR TestAligned(VOID)
{
    KTEST_CHECK(Probe(0x10004, 16, 8) == STATUS_DATATYPE_MISALIGNMENT);
    KTEST_CHECK(Probe(0x10002, 16, 4) == STATUS_DATATYPE_MISALIGNMENT);
    KTEST_CHECK(Probe(0x10004, 16, 4) == STATUS_SUCCESS && Probe(0x10008, 16, 8) == STATUS_SUCCESS);
    KTEST_CHECK(Probe(0x10001, 16, 1) == STATUS_SUCCESS);
    return NULL;
}

/* Nothing is to be touched: nothing is looked at. And what is the kernel's is not the user's. */
static PCSTR TestKernelOrNothing(VOID)
{
    KTEST_CHECK(Probe((ULONG64)&Probe, 1, 1) == STATUS_ACCESS_VIOLATION);
    KTEST_CHECK(Probe(0x0000800000000000ULL, 1, 1) == STATUS_ACCESS_VIOLATION);
    KTEST_CHECK(Probe((ULONG64)&Probe, 0, 1) == STATUS_SUCCESS);
    KTEST_CHECK(Probe(0x10001, 0, 8) == STATUS_SUCCESS);
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(DriverObject);
    UNREFERENCED_PARAMETER(RegistryPath);
    KtestRun("probe.straddles", TestStraddles);
    KtestRun("probe.wraps", TestWraps);
    KtestRun("probe.aligned", TestAligned);
    KtestRun("probe.kernel-or-nothing", TestKernelOrNothing);
    return STATUS_SUCCESS;
}
