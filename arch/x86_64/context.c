/* SPDX-License-Identifier: MIT */
/*
 * A thread's registers as programs see them: the documented CONTEXT, made of the user frame and the FPU's
 * state, and turned back into them. What a CONTEXT of a program's can do to the kernel ends here: segments,
 * flags, addresses and the FPU's reserved bits are made harmless.
 */
#include "arch/x86_64/archp.h"

static bool Wants(const CONTEXT *Context, ULONG Part)
{
    return (Context->ContextFlags & Part) == Part;
}

#define EACH_INTEGER_REGISTER(X) X(Rax) X(Rcx) X(Rdx) X(Rbx) X(Rbp) X(Rsi) X(Rdi) X(R8) X(R9) X(R10) X(R11) X(R12) X(R13) X(R14) X(R15)

void ArchGetContext(PKTHREAD Thread, PCONTEXT Context)
{
    const KTRAP_FRAME *Frame = ArchUserFrame(Thread);
    if (Wants(Context, CONTEXT_CONTROL)) {
        Context->Rip = Frame->Rip;
        Context->Rsp = Frame->Rsp;
        Context->EFlags = (ULONG)Frame->Rflags;
        Context->SegCs = SELECTOR_USER_CODE;
        Context->SegSs = SELECTOR_USER_DATA;
    }
    if (Wants(Context, CONTEXT_INTEGER)) {
#define X(Register) Context->Register = Frame->Register;
        EACH_INTEGER_REGISTER(X)
#undef X
    }
    if (Wants(Context, CONTEXT_SEGMENTS)) {
        Context->SegDs = Context->SegEs = SELECTOR_USER_DATA; /* no program can tell by them */
        Context->SegFs = Context->SegGs = SELECTOR_USER_DATA;
    }
    if (Wants(Context, CONTEXT_FLOATING_POINT)) {
        ArchpReadLegacyFpu(Thread, &Context->FltSave);
        Context->MxCsr = Context->FltSave.MxCsr;
    }
}

void ArchSetContext(PKTHREAD Thread, const CONTEXT *Context)
{
    KTRAP_FRAME Frame = *ArchUserFrame(Thread);
    if (Wants(Context, CONTEXT_CONTROL)) {
        Frame.Rip = Context->Rip;
        Frame.Rsp = Context->Rsp;
        Frame.Rflags = Context->EFlags;
    }
    if (Wants(Context, CONTEXT_INTEGER)) {
#define X(Register) Frame.Register = Context->Register;
        EACH_INTEGER_REGISTER(X)
#undef X
    }
    ArchSanitizeUserFrame(&Frame); /* what is not safe never stands in the thread's frame */
    *ArchUserFrame(Thread) = Frame;
    if (Wants(Context, CONTEXT_FLOATING_POINT)) {
        ArchpWriteLegacyFpu(Thread, &Context->FltSave);
    }
}

#define RED_ZONE 128 /* below RSP, in use by a function that calls no other (System V ABI, 3.2.2) */

/* What lies on the user stack above the dispatcher's return address, which is 0. */
typedef struct _USER_CALL {
    ULONG64 Aligned, Return; /* the stack is aligned as after a call */
    CONTEXT Context;
    EXCEPTION_RECORD Record;
    ULONG64 Unused; /* no byte of it is padding, which could show what was on the kernel's stack */
} USER_CALL;
C_ASSERT(sizeof(USER_CALL) == 16 + sizeof(CONTEXT) + sizeof(EXCEPTION_RECORD) + 8);

NTSTATUS ArchCallUser(PKTRAP_FRAME Frame, ULONG64 Start, const ULONG64 Argument[4], const EXCEPTION_RECORD *Record)
{
    USER_CALL Call = {.Context.ContextFlags = CONTEXT_FULL};
    USER_CALL *Saved = (USER_CALL *)((Frame->Rsp - RED_ZONE - sizeof(Call)) & ~15ULL);
    Call.Context.ContextFlags |= CONTEXT_SEGMENTS;
    ArchGetContext(ArchCurrentThread(), &Call.Context);
    if (Record != NULL) {
        Call.Record = *Record;
        if (Record->ExceptionCode == STATUS_SINGLE_STEP) {
            Call.Context.EFlags &= ~RFLAGS_TF; /* who wants the next step sets it again */
        }
    }
    NTSTATUS Status = ArchCopyToUser(Saved, &Call, sizeof(Call));
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    ArchInitializeUserFrame(Frame, Start, (ULONG64)&Saved->Return, Argument[0]);
    Frame->Rsi = Argument[1];
    Frame->Rdx = Argument[2];
    Frame->Rcx = Argument[3];
    Frame->R8 = (ULONG64)&Saved->Context;
    if (Record != NULL) {
        Frame->Rdi = (ULONG64)&Saved->Record;
        Frame->Rsi = (ULONG64)&Saved->Context;
    }
    return STATUS_SUCCESS;
}
