/* SPDX-License-Identifier: MIT */
/*
 * User mode called back: exceptions and APCs of programs, and the stack that grows beneath them. A program's image says
 * where it is entered (EPROCESS.UserExceptionDispatcher, UserApcDispatcher: libnt's dispatcher). The registers that it
 * was interrupted with lie on its stack as a CONTEXT, and come back with NtContinue.
 *
 * An exception gets two chances: first the program's handlers; then, when these have given up (NtRaiseException with
 * FirstChance FALSE), or there is no dispatcher, or the stack has no room for the registers, the process ends with
 * the exception's status. No lock.
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

/* Goes on with the registers of Context, the parts that its flags name: does not return. TestAlert: as by NtTestAlert, an
   alert is taken back, or if there is none user APCs that are queued are delivered first. STATUS_ACCESS_VIOLATION; STATUS_INVALID_PARAMETER for a caller in the kernel,
   whose frames would be lost. PASSIVE. (no WDK page) */
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

/* Raises an exception as if the instruction that Context stands at had: the first chance is the program's handlers, the
   second ends the process with the exception's code. Does not return. STATUS_INVALID_PARAMETER: too many parameters, or a caller in the kernel;
   STATUS_ACCESS_VIOLATION. PASSIVE. (no WDK page) */
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
 *   UserArea                                        UserStackLimit            Teb
 *   | never accessible | reserved          | guard page | committed           |
 *
 * The first touch of the guard page commits it, and the page below becomes the guard page. When there are no more than
 * SVC_LAST_PAGES left, all of them are committed, without a guard, and the program gets STATUS_STACK_OVERFLOW: what is
 * left is room for its handler. Behind that, the lowest page is never accessible.
 */
#define SVC_LAST_PAGES 4

/* Fresh pages of the stack, [Base, Base + Size). */
static NTSTATUS SvcCommitStack(PMM_ADDRESS_SPACE Space, ULONG_PTR Base, SIZE_T Size, ULONG Protection)
{
    return MmMapRegion(Space, &Base, Size, MM_MAP_FIXED, Protection, NULL, 0, 0, PS_STACK_TAG);
}

/* The guard page has gone: it is a committed page now. */
static NTSTATUS SvcGrowStack(PETHREAD Thread, PMM_ADDRESS_SPACE Space)
{
    ULONG_PTR Lowest = Thread->UserArea + PAGE_SIZE, Limit = Thread->UserStackLimit - PAGE_SIZE;
    NTSTATUS Status;

    if (Limit - Lowest > SVC_LAST_PAGES * PAGE_SIZE) {
        Status = SvcCommitStack(Space, Limit - PAGE_SIZE, PAGE_SIZE, MM_READ | MM_WRITE | MM_GUARD);
    } else {
        Status = Limit > Lowest ? SvcCommitStack(Space, Lowest, Limit - Lowest, MM_READ | MM_WRITE) : STATUS_SUCCESS;
        Status = NT_SUCCESS(Status) ? STATUS_STACK_OVERFLOW : Status;
        Limit = Lowest;
    }
    Thread->UserStackLimit = Limit;
    /* The program's copy: what it does to it is its own affair. */
    ArchCopyToUser(&((PTEB)Thread->Teb)->NtTib.StackLimit, &Limit, sizeof(Limit));
    return Status;
}

/* A guard page has been touched, by the program or on its behalf: its stack's? */
static NTSTATUS SvcTouchedGuard(uintptr_t Address)
{
    PETHREAD Thread = PsGetCurrentThread();
    if (Thread->UserStackLimit <= Thread->UserArea + PAGE_SIZE || Thread->UserStackLimit - 1 - Address >= PAGE_SIZE ||
        KiIsAttached(&Thread->Tcb)) {
        return STATUS_GUARD_PAGE_VIOLATION;
    }
    return SvcGrowStack(Thread, CONTAINING_RECORD(Thread->Tcb.Process->AddressSpace, MM_ADDRESS_SPACE, Kernel));
}

NTSTATUS SvcPageFault(PKTRAP_FRAME Frame, uintptr_t Address, ULONG Access)
{
    NTSTATUS Status = MmHandlePageFault(Frame, Address, Access);
    return __builtin_expect(Status != STATUS_GUARD_PAGE_VIOLATION, 1) ? Status : SvcTouchedGuard(Address);
}
