/* SPDX-License-Identifier: MIT */
/*
 * The system-service table and the way into it: made from NT_SERVICES (ntapi.h), so that numbers, prototypes
 * and argument counts cannot drift apart. No lock.
 *
 * Six arguments come in registers; the others lie above the return address of the program's stub, on its
 * stack.
 */
#include "kernel/services/services.h"
#include "kernel/kd/kd.h"
#include <ntapi.h>

#define SVC_REGISTER_ARGUMENTS 6
#define SVC_STACK_ARGUMENTS    5

/* Any service: routines take as many of these as they have parameters (the calling convention lets the caller
   pass more). */
typedef NTSTATUS SVC_SERVICE(ULONG64, ULONG64, ULONG64, ULONG64, ULONG64, ULONG64, ULONG64, ULONG64, ULONG64,
                             ULONG64, ULONG64);
typedef NTSTATUS SVC_SHORT_SERVICE(ULONG64, ULONG64, ULONG64, ULONG64, ULONG64, ULONG64);

static const struct {
    void *Routine;
    ULONG64 StackArguments;
} SvcServices[NT_SERVICE_COUNT] = {
#define X(Name, Arguments)                                                                                   \
    {(void *)Name, (Arguments) > SVC_REGISTER_ARGUMENTS ? (Arguments)-SVC_REGISTER_ARGUMENTS : 0},
    NT_SERVICES(X)
#undef X
};

#define X(Name, Arguments) C_ASSERT((Arguments) <= SVC_REGISTER_ARGUMENTS + SVC_STACK_ARGUMENTS);
NT_SERVICES(X)
#undef X

/* The program's stub was called: its return address is on top of the stack, the arguments above it. */
static NOINLINE NTSTATUS SvcCallLongService(PKTRAP_FRAME Frame, ULONG64 Number)
{
    ULONG64 Extra[SVC_STACK_ARGUMENTS] = {0};
    NTSTATUS Status = ArchCopyFromUser(Extra, (const ULONG64 *)Frame->Rsp + 1,
                                       SvcServices[Number].StackArguments * sizeof(ULONG64));

    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    SVC_SERVICE *Service = (SVC_SERVICE *)SvcServices[Number].Routine;
    return Service(Frame->Rdi, Frame->Rsi, Frame->Rdx, Frame->R10, Frame->R8, Frame->R9, Extra[0], Extra[1],
                   Extra[2], Extra[3], Extra[4]);
}

static NTSTATUS SvcCallService(PKTRAP_FRAME Frame, ULONG64 Number)
{
    if (SvcServices[Number].StackArguments != 0) {
        return SvcCallLongService(Frame, Number);
    }
    SVC_SHORT_SERVICE *Service = (SVC_SHORT_SERVICE *)SvcServices[Number].Routine;
    return Service(Frame->Rdi, Frame->Rsi, Frame->Rdx, Frame->R10, Frame->R8, Frame->R9);
}

/* The machine stops and says which service did not leave everything as it was at its entry. */
static NORETURN NOINLINE __attribute__((cold)) void SvcBadReturn(ULONG64 Number)
{
    PKTHREAD Thread = ArchCurrentThread();

    if (ArchGetIrql() != PASSIVE_LEVEL) {
        KdBugCheck(IRQL_GT_ZERO_AT_SYSTEM_SERVICE, (ULONG64)SvcServices[Number].Routine, ArchGetIrql(), 0,
                   Number, NULL, "system service %I64u returned at level %u", Number, ArchGetIrql());
    }
    KiCheckOwnedMutexes();
    KdBugCheck(APC_INDEX_MISMATCH, (ULONG64)SvcServices[Number].Routine, 0, Thread->ApcDisable, Number, NULL,
               "system service %I64u returned with APCs disabled (%d, %d)", Number, Thread->KernelApcDisable,
               Thread->SpecialApcDisable);
}

/* The shortest way through the kernel: what is needed after the service is fetched again, so that no register
   is saved for it. */
void SvcDispatch(PKTRAP_FRAME Frame)
{
    ULONG64 Number = Frame->ErrorCode;

    KdTrace(KdTraceSystemCall, Number, 0);
    if (__builtin_expect(Number >= NT_SERVICE_COUNT, 0)) {
        Frame->Rax = (ULONG64)(LONG64)STATUS_INVALID_SYSTEM_SERVICE;
        return;
    }
    ArchCurrentThread()->PreviousMode = UserMode;
    Frame->Rax = (ULONG64)(LONG64)SvcCallService(Frame, Number);

    PKTHREAD Thread = ArchCurrentThread();
    Thread->PreviousMode = KernelMode;
    if (__builtin_expect(ArchGetIrql() != PASSIVE_LEVEL || Thread->ApcDisable != 0, 0)) {
        SvcBadReturn(Frame->ErrorCode);
    }
}

NTSTATUS NtNull(VOID)
{
    return STATUS_SUCCESS;
}
