/* SPDX-License-Identifier: MIT */
/*
 * Structured exceptions in kernel code. Each _SEH2_TRY puts a frame with a saved context on the chain of its
 * thread; an exception takes the innermost frame off, puts level and SMAP window back to what they were at
 * its start, and continues in its handler. The chain is the thread's own: no lock.
 *
 * An exception must not cross an interrupt or a DPC, whose code runs on somebody's thread and sees his chain.
 * So at DISPATCH_LEVEL only a frame that was made at that level counts, and above it none.
 */
#include "kernel/ke/ke.h"
#include "kernel/kd/kd.h"
#include "kernel/rtl/export.h"

/* ---- Blocks ---- */

/* What _SEH2_TRY does first: makes the block the current thread's innermost one, and remembers the IRQL and
   whether user memory may be touched, to which its handler returns. <= DISPATCH_LEVEL; does not block. For
   the macros of seh.h alone. */
VOID ExpEnterTry(PSEH_FRAME Frame)
{
    PKTHREAD Thread = ArchCurrentThread();

    Frame->Previous = Thread->ExceptionList;
    Frame->Irql = ArchGetIrql();
    Frame->Code = STATUS_SUCCESS;
    /* There is no routine that only asks; the window is back as it was before anything can use it. */
    Frame->UserAccessWasOpen = ArchOpenUserAccess();
    ArchCloseUserAccess(Frame->UserAccessWasOpen);
    Thread->ExceptionList = Frame;
}
EXPORT(ExpEnterTry);

/* What the end of a _SEH2_TRY block does when no exception came: the block, which must be the innermost
   one, is taken off. At the IRQL of its start; does not block. For the macros of seh.h alone. */
VOID ExpLeaveTry(PSEH_FRAME Frame)
{
    PKTHREAD Thread = ArchCurrentThread();

    KI_ASSERT(Thread->ExceptionList == Frame,
              "block %p ends, the innermost is %p: left by return, break or goto?", Frame,
              Thread->ExceptionList);
    Thread->ExceptionList = Frame->Previous;
    ArchCloseUserAccess(Frame->UserAccessWasOpen);
}
EXPORT(ExpLeaveTry);

EXPORT(ArchSaveContext);

/* ---- Dispatch ---- */

/* The frame whose handler is next; NULL when nobody can handle an exception that happens here and now. */
static PSEH_FRAME ExpInnermostFrame(void)
{
    PSEH_FRAME Frame = ArchCurrentThread()->ExceptionList;
    KIRQL Irql = ArchGetIrql();

    if (Frame == NULL || Irql > DISPATCH_LEVEL || !ArchInterruptsEnabled()) {
        return NULL;
    }
    return Irql < DISPATCH_LEVEL || Frame->Irql == DISPATCH_LEVEL ? Frame : NULL;
}

static NORETURN void ExpEnterHandler(PSEH_FRAME Frame, NTSTATUS Code)
{
    ArchCurrentThread()->ExceptionList = Frame->Previous;
    Frame->Code = Code;
    ArchCloseUserAccess(FALSE); /* not for what runs when the level drops */
    if (ArchGetIrql() > Frame->Irql) {
        KeLowerIrql(Frame->Irql);
    }
    if (Frame->UserAccessWasOpen) {
        ArchOpenUserAccess();
    }
    ArchRestoreContext(Frame->Context, 1);
}

/* Goes on with Code in the innermost block, or stops the machine. */
static NORETURN void ExpRaise(NTSTATUS Code, ULONG64 Address)
{
    PSEH_FRAME Frame = ExpInnermostFrame();

    if (Frame == NULL) {
        KdBugCheck(KMODE_EXCEPTION_NOT_HANDLED, (ULONG)Code, Address, 0, 0, NULL,
                   "exception %08x raised at level %u, and no block handles it", (ULONG)Code, ArchGetIrql());
    }
    ExpEnterHandler(Frame, Code);
}

VOID ExpContinueSearch(PSEH_FRAME Frame)
{
    ExpRaise(Frame->Code, (ULONG64)__builtin_return_address(0));
}
EXPORT(ExpContinueSearch);

/* Raises an exception with this status in the current thread; without a block that handles it the machine
   stops. <= DISPATCH. (WDK page of the name) */
VOID ExRaiseStatus(NTSTATUS Status)
{
    ExpRaise(Status, (ULONG64)__builtin_return_address(0));
}
EXPORT(ExRaiseStatus);

/* As ExRaiseStatus with STATUS_ACCESS_VIOLATION. <= DISPATCH_LEVEL; does not return. (WDK page of the
   name) */
VOID ExRaiseAccessViolation(VOID)
{
    ExpRaise(STATUS_ACCESS_VIOLATION, (ULONG64)__builtin_return_address(0));
}
EXPORT(ExRaiseAccessViolation);

/* As ExRaiseStatus with STATUS_DATATYPE_MISALIGNMENT. <= DISPATCH_LEVEL; does not return. (WDK page of the
   name) */
VOID ExRaiseDatatypeMisalignment(VOID)
{
    ExpRaise(STATUS_DATATYPE_MISALIGNMENT, (ULONG64)__builtin_return_address(0));
}
EXPORT(ExRaiseDatatypeMisalignment);

/* ---- From the machine ---- */

/* A bad kernel address, or none at all (a general protection fault), is the kernel's own mistake: blocks
   guard accesses to user memory only. Page faults there have stopped the machine before. */
static void ExpRefuseKernelAddress(PEXCEPTION_RECORD Record, PKTRAP_FRAME Frame)
{
    const ULONG_PTR *Information = Record->ExceptionInformation;

    if (Record->ExceptionCode == STATUS_ACCESS_VIOLATION && Information[1] >= ARCH_USER_END) {
        KdBugCheck(PAGE_FAULT_IN_NONPAGED_AREA, Information[1], Information[0], Frame->Rip, 0, Frame,
                   "access to %p, or to an address that is not canonical", (PVOID)Information[1]);
    }
}

void KiDispatchException(PEXCEPTION_RECORD Record, PKTRAP_FRAME Frame)
{
    KdTrace(Exception, Record->ExceptionCode, Frame->Rip, 0);
    if (KTRAP_FROM_USER(Frame)) {
        KeHandlers.UserException(Record, Frame);
        return;
    }
    ExpRefuseKernelAddress(Record, Frame);
    PSEH_FRAME Handler = ExpInnermostFrame();
    if (Handler != NULL) {
        ExpEnterHandler(Handler, Record->ExceptionCode);
    }
    KdBugCheck(KMODE_EXCEPTION_NOT_HANDLED, (ULONG)Record->ExceptionCode, (ULONG64)Record->ExceptionAddress,
               Record->ExceptionInformation[0], Record->ExceptionInformation[1], Frame,
               "exception %08x (vector %I64u) at level %u", (ULONG)Record->ExceptionCode, Frame->Vector,
               ArchGetIrql());
}
