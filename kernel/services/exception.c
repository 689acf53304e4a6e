/* SPDX-License-Identifier: MIT */
/*
 * User mode called back: exceptions and APCs of programs, and the stack that grows beneath them. A program's
 * image says where it is entered (EPROCESS.UserExceptionDispatcher, UserApcDispatcher: libnt's dispatcher).
 * The registers that it was interrupted with lie on its stack as a CONTEXT, and come back with NtContinue.
 *
 * An exception gets two chances: first the program's handlers; then, when these have given up
 * (NtRaiseException with FirstChance FALSE), or there is no dispatcher, or the stack has no room for the
 * registers, the process ends with the exception's status. No lock.
 */
#include "kernel/services/services.h"
#include "ps/ps.h"
#include <ntapi.h>

/* ---- Exceptions ---- */

void SvcUserException(PEXCEPTION_RECORD Record, PKTRAP_FRAME Frame)
{
    static const ULONG64 None[4];
    ULONG_PTR Dispatcher = PsThreadProcess(PsGetCurrentThread())->UserExceptionDispatcher;

    if (PsProviderHandlesException(Record, Frame)) {
        return;
    }
    if (Dispatcher == 0 || !NT_SUCCESS(ArchCallUser(Frame, Dispatcher, None, Record))) {
        PsUnhandledException(Record);
    }
}

NORETURN void SvcEnterUserFrame(void)
{
    ExSetPreviousMode(KernelMode);
    ArchEnterUserMode();
}

/* Goes on with the registers of Context, the parts that its flags name: does not return. TestAlert: as by
   NtTestAlert, an alert is taken back, or if there is none user APCs that are queued are delivered first.
   STATUS_ACCESS_VIOLATION; STATUS_INVALID_PARAMETER for a caller in the kernel, whose frames would be lost.
   PASSIVE. (no WDK page) */
NTSTATUS NtContinue(PCONTEXT Context, BOOLEAN TestAlert)
{
    CONTEXT Captured;
    NTSTATUS Status = ExGetPreviousMode() == UserMode ? ExCopyIn(&Captured, Context, sizeof(Captured), UserMode)
                                                      : STATUS_INVALID_PARAMETER;
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    ArchSetContext(ArchCurrentThread(), &Captured);
    if (TestAlert) {
        KeTestAlertThread(UserMode);
    }
    SvcEnterUserFrame();
}

/* Raises an exception as if the instruction that Context stands at had: the first chance is the program's
   handlers, the second ends the process with the exception's code. Does not return. STATUS_INVALID_PARAMETER:
   too many parameters, or a caller in the kernel; STATUS_ACCESS_VIOLATION. PASSIVE. (no WDK page) */
NTSTATUS NtRaiseException(PEXCEPTION_RECORD ExceptionRecord, PCONTEXT ContextRecord, BOOLEAN FirstChance)
{
    CONTEXT Context;
    EXCEPTION_RECORD Record;
    NTSTATUS Status = ExGetPreviousMode() == UserMode ? ExCopyIn(&Record, ExceptionRecord, sizeof(Record), UserMode)
                                                      : STATUS_INVALID_PARAMETER;
    if (NT_SUCCESS(Status)) {
        Status = ExCopyIn(&Context, ContextRecord, sizeof(Context), UserMode);
    }
    if (NT_SUCCESS(Status) && Record.NumberParameters > EXCEPTION_MAXIMUM_PARAMETERS) {
        Status = STATUS_INVALID_PARAMETER;
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    ArchSetContext(ArchCurrentThread(), &Context);
    if (FirstChance) {
        SvcUserException(&Record, ArchUserFrame(ArchCurrentThread()));
    } else {
        PsUnhandledException(&Record);
    }
    SvcEnterUserFrame();
}

/* ---- APCs ---- */

/* Without room on its user stack the thread could not go on behind the routine: the process ends. */
void SvcUserApc(PKTRAP_FRAME Frame, PKNORMAL_ROUTINE Routine, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    ULONG64 Arguments[4] = {(ULONG64)Routine, (ULONG64)Context, (ULONG64)Argument1, (ULONG64)Argument2};
    NTSTATUS Status =
        ArchCallUser(Frame, PsThreadProcess(PsGetCurrentThread())->UserApcDispatcher, Arguments, NULL);
    if (!NT_SUCCESS(Status)) {
        EXCEPTION_RECORD Record = {.ExceptionCode = Status, .ExceptionAddress = (PVOID)Routine};
        PsUnhandledException(&Record);
    }
}

/* ---- Stacks that grow ----
 *
 *   UserArea                        guard page   StackLimit                   Teb, in the highest page
 *   | never accessible | reserved | guard page | committed                    |
 *
 * mm moves the edge of what is committed (MM_MAP_STACK). The thread whose stack it is does not notice; with the last pages the
 * program gets STATUS_STACK_OVERFLOW: they are room for its handler. Any other thread gets STATUS_GUARD_PAGE_VIOLATION.
 */

/* A guard page has been touched, by the program or on its behalf: its stack's? */
static NTSTATUS SvcTouchedGuard(uintptr_t Address, NTSTATUS Status)
{
    PETHREAD Thread = PsGetCurrentThread();
    if (Address - Thread->UserArea >= Thread->UserAreaSize || KiIsAttached(&Thread->Tcb)) {
        return STATUS_GUARD_PAGE_VIOLATION;
    }
    bool Overflow = Status == STATUS_STACK_OVERFLOW;
    ULONG_PTR Limit = Overflow ? Thread->UserArea + PAGE_SIZE : ALIGN_DOWN_BY(Address, PAGE_SIZE);
    /* The program's copy: what it does to it is its own affair. */
    ArchCopyToUser(&((PTEB)Thread->Teb)->NtTib.StackLimit, &Limit, sizeof(Limit));
    return Overflow ? Status : STATUS_SUCCESS;
}

NTSTATUS SvcPageFault(PKTRAP_FRAME Frame, uintptr_t Address, ULONG Access)
{
    KdTrace(FaultBegin, Access, Address, Frame->Rip);
    NTSTATUS Status = MmHandlePageFault(Frame, Address, Access);
    KdTrace(FaultEnd, Status, 0, 0);
    if (__builtin_expect(Status != STATUS_GUARD_PAGE_VIOLATION && Status != STATUS_STACK_OVERFLOW, 1)) {
        return Status;
    }
    return SvcTouchedGuard(Address, Status);
}
