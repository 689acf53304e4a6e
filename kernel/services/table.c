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
#include "kernel/rtl/export.h"
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
    {(void *)Nt##Name, (Arguments) > SVC_REGISTER_ARGUMENTS ? (Arguments)-SVC_REGISTER_ARGUMENTS : 0},
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

NORETURN void SvcBadReturn(PKTRAP_FRAME Frame)
{
    ULONG64 Number = Frame->ErrorCode;
    KIRQL Irql = ArchGetIrql();
    PKTHREAD Thread = ArchCurrentThread();

    KdBugCheck(Irql != PASSIVE_LEVEL ? IRQL_GT_ZERO_AT_SYSTEM_SERVICE : APC_INDEX_MISMATCH,
               (ULONG64)SvcServices[Number].Routine, Irql, Thread->ApcDisable, Number, Frame,
               "system service %I64u returned at level %u with APCs disabled (%d, %d)", Number, Irql,
               Thread->KernelApcDisable, Thread->SpecialApcDisable);
}

/* The shortest way through the kernel: the thread is fetched again after the service, so that no register is
   saved for it. Whether the service left level and APCs as they were, the entry code tests (SvcBadReturn). */
void SvcDispatch(PKTRAP_FRAME Frame)
{
    ULONG64 Number = Frame->ErrorCode;

    if (__builtin_expect(Number >= NT_SERVICE_COUNT, 0)) {
        Frame->Rax = (ULONG64)(LONG64)STATUS_INVALID_SYSTEM_SERVICE;
        return;
    }
    ArchCurrentThread()->PreviousMode = UserMode;
    Frame->Rax = (ULONG64)(LONG64)SvcCallService(Frame, Number);
    ArchCurrentThread()->PreviousMode = KernelMode;
}

/* ---- The Zw forms ---- */

/* Routines that hand their arguments on, whatever these are: each takes one register or one slot of the
   stack. */
#define SVC_P0  VOID
#define SVC_P1  ULONG64 A
#define SVC_P2  SVC_P1, ULONG64 B
#define SVC_P3  SVC_P2, ULONG64 C
#define SVC_P4  SVC_P3, ULONG64 D
#define SVC_P5  SVC_P4, ULONG64 E
#define SVC_P6  SVC_P5, ULONG64 F
#define SVC_P7  SVC_P6, ULONG64 G
#define SVC_P8  SVC_P7, ULONG64 H
#define SVC_P9  SVC_P8, ULONG64 I
#define SVC_P10 SVC_P9, ULONG64 J
#define SVC_P11 SVC_P10, ULONG64 K
#define SVC_A0
#define SVC_A1  A
#define SVC_A2  SVC_A1, B
#define SVC_A3  SVC_A2, C
#define SVC_A4  SVC_A3, D
#define SVC_A5  SVC_A4, E
#define SVC_A6  SVC_A5, F
#define SVC_A7  SVC_A6, G
#define SVC_A8  SVC_A7, H
#define SVC_A9  SVC_A8, I
#define SVC_A10 SVC_A9, J
#define SVC_A11 SVC_A10, K

/* ZwName calls NtName with previous mode KernelMode, and puts the mode that was back. In C the routine has
   another name, so that it needs no types. */
#define X(Name, Arguments)                                                                                   \
    NTSTATUS SvcZw##Name(SVC_P##Arguments) __asm__("Zw" #Name);                                              \
    NTSTATUS SvcZw##Name(SVC_P##Arguments)                                                                   \
    {                                                                                                        \
        NTSTATUS (*Service)(SVC_P##Arguments) = (void *)Nt##Name;                                            \
        KPROCESSOR_MODE Mode = ExSetPreviousMode(KernelMode);                                                \
        NTSTATUS Status = Service(SVC_A##Arguments);                                                         \
        ExSetPreviousMode(Mode);                                                                             \
        return Status;                                                                                       \
    }                                                                                                        \
    EXPORT(Nt##Name);                                                                                        \
    EXPORT(Zw##Name);
/* cppcheck-suppress nullPointer ; cppcheck takes a function that it has not seen for a null pointer */
NT_SERVICES(X)
#undef X

/* Does nothing; programs measure what a call costs. Any IRQL for a caller in the kernel. (no WDK page) */
NTSTATUS NtNull(VOID)
{
    return STATUS_SUCCESS;
}
