/* SPDX-License-Identifier: MIT */
/*
 * ProbeForRead and ProbeForWrite: raise an exception unless a range is the user's, and open the SMAP window
 * of the structured-exception block that they are called in, so that what follows may touch it. The block's
 * end closes it. No lock.
 */
#include "kernel/ex/ex.h"
#include "kernel/kd/kd.h"
#include "kernel/rtl/export.h"
#include "kernel/mm/mm.h"

/* Raises for a range that is misaligned or not wholly below the end of user space. */
static void ExpCheckUserRange(ULONG64 Address, SIZE_T Length, ULONG Alignment)
{
    KI_ASSERT(ArchCurrentThread()->ExceptionList != NULL, "a probe of %p outside of any _SEH2_TRY",
              (PVOID)Address);
    if (Alignment > 1 && (Address & (Alignment - 1)) != 0) {
        ExRaiseDatatypeMisalignment();
    }
    if (Address >= MM_USER_END || Length > MM_USER_END - Address) {
        ExRaiseAccessViolation();
    }
}

/*
 * Raises STATUS_DATATYPE_MISALIGNMENT or STATUS_ACCESS_VIOLATION when the range is not aligned or not in user
 * space; the memory itself is not touched, and a length of 0 is not looked at. Call it in a _SEH2_TRY block.
 * <= APC. (WDK page of the name)
 */
VOID ProbeForRead(const VOID *Address, SIZE_T Length, ULONG Alignment)
{
    if (Length != 0) {
        ExpCheckUserRange((ULONG64)Address, Length, Alignment);
        ArchOpenUserAccess();
    }
}
EXPORT(ProbeForRead);

/* The same; and each page of the range is made writable (copied, filled) by writing what it holds.
   (WDK page of the name) */
VOID ProbeForWrite(PVOID Address, SIZE_T Length, ULONG Alignment)
{
    if (Length == 0) {
        return;
    }
    ExpCheckUserRange((ULONG64)Address, Length, Alignment);
    ArchOpenUserAccess();

    ULONG64 Last = (ULONG64)Address + Length - 1;
    for (ULONG64 At = (ULONG64)Address; At <= Last; At = ALIGN_DOWN_BY(At, PAGE_SIZE) + PAGE_SIZE) {
        /* It writes whether it compares equal or not, and another thread's write in between does not get
           lost. */
        UCHAR Byte = *(volatile UCHAR *)At;
        __atomic_compare_exchange_n((volatile UCHAR *)At, &Byte, Byte, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST);
    }
}
EXPORT(ProbeForWrite);

/* The mode of the caller of the current system service: UserMode between a program's system call and its
   return; KernelMode when kernel code has called the Zw form, and in a thread that no program has called. Any
   IRQL; does not block. (WDK page of the name) */
KPROCESSOR_MODE ExGetPreviousMode(VOID)
{
    return (KPROCESSOR_MODE)ArchCurrentThread()->PreviousMode;
}
EXPORT(ExGetPreviousMode);
