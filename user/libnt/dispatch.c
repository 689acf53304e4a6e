/* SPDX-License-Identifier: MIT */
/*
 * Where the kernel enters a program that it has interrupted: with an APC's routine, or with an exception. The
 * note in start.c tells the kernel of these two places. The registers of the interrupted code lie in the
 * CONTEXT, above on the stack; NtContinue goes back to them.
 */
#include "libnt.h"

#include "kernel/rtl/rtl.h"

/* ---- APCs ---- */

/* One APC; NtContinue has the kernel deliver the next before anything else. */
__attribute__((used, force_align_arg_pointer)) NORETURN VOID KiUserApcDispatcher(PPS_APC_ROUTINE Routine, PVOID Argument1,
                                                                                 PVOID Argument2, PVOID Argument3,
                                                                                 PCONTEXT Context)
{
    Routine(Argument1, Argument2, Argument3);
    NtContinue(Context, TRUE);
    __builtin_trap(); /* the CONTEXT is no memory any more */
}

/* ---- Exceptions ---- */

/* The handlers, in the order in which they are asked. A node that is taken out stays allocated: a thread may
   be walking over it. */
typedef struct _VECTORED_HANDLER {
    struct _VECTORED_HANDLER *volatile Next;
    PVECTORED_EXCEPTION_HANDLER volatile Handler; /* NULL: taken out */
} VECTORED_HANDLER, *PVECTORED_HANDLER;

static PVECTORED_HANDLER volatile FirstHandler;
static volatile LONG HandlerLock; /* of those who add */

static VOID LinkHandler(PVECTORED_HANDLER New, BOOLEAN First)
{
    PVECTORED_HANDLER volatile *Link = &FirstHandler;
    while (!First && *Link != NULL) {
        Link = &(*Link)->Next;
    }
    New->Next = *Link;
    __atomic_store_n(Link, New, __ATOMIC_RELEASE);
}

PVOID RtlAddVectoredExceptionHandler(ULONG First, PVECTORED_EXCEPTION_HANDLER Handler)
{
    PVECTORED_HANDLER New = HeapAllocate(sizeof(*New));
    if (New == NULL) {
        return NULL;
    }
    New->Handler = Handler;
    while (InterlockedExchange(&HandlerLock, 1) != 0) {
        NtYieldExecution();
    }
    LinkHandler(New, First != 0);
    WriteRelease(&HandlerLock, 0);
    return New;
}

ULONG RtlRemoveVectoredExceptionHandler(PVOID Handle)
{
    PVECTORED_HANDLER Handler = Handle;
    return Handler != NULL && InterlockedExchangePointer((PVOID volatile *)&Handler->Handler, NULL) != NULL;
}

/* TRUE: a handler wants the thread to go on with Context. */
static BOOLEAN AskHandlers(PEXCEPTION_RECORD Record, PCONTEXT Context)
{
    EXCEPTION_POINTERS Pointers = {Record, Context};
    for (PVECTORED_HANDLER Next = __atomic_load_n(&FirstHandler, __ATOMIC_ACQUIRE); Next != NULL; Next = Next->Next) {
        PVECTORED_EXCEPTION_HANDLER Handler = Next->Handler;
        if (Handler != NULL && Handler(&Pointers) == EXCEPTION_CONTINUE_EXECUTION) {
            return TRUE;
        }
    }
    return FALSE;
}

/* Nobody handles it: the second chance, which ends the process. */
__attribute__((used, force_align_arg_pointer)) NORETURN VOID KiUserExceptionDispatcher(PEXCEPTION_RECORD Record,
                                                                                       PCONTEXT Context)
{
    if (AskHandlers(Record, Context)) {
        if (!(Record->ExceptionFlags & EXCEPTION_NONCONTINUABLE)) {
            NtContinue(Context, FALSE);
        }
        Record->ExceptionCode = STATUS_NONCONTINUABLE_EXCEPTION;
    }
    NtRaiseException(Record, Context, FALSE);
    NtTerminateProcess(NtCurrentProcess(), Record->ExceptionCode);
    __builtin_trap();
}

/* The caller's registers as they are on its return, then the exception. */
__attribute__((naked)) VOID RtlRaiseException(PEXCEPTION_RECORD Record)
{
    __asm__("movq (%%rsp), %%rax\n\t" /* the return address: where the exception is said to be, if nowhere else */
            "leaq 8(%%rsp), %%rdx\n\t"
            "pushq %%rbp\n\t"
            "movq %%rsp, %%rbp\n\t"
            "subq %0, %%rsp\n\t"
            "andq $-16, %%rsp\n\t"
            "movl %1, %c2(%%rsp)\n\t"
            "movq %%rax, %c3(%%rsp)\n\t"
            "movq %%rdx, %c4(%%rsp)\n\t"
            "movq %%rbx, %c5(%%rsp)\n\t"
            "movq 0(%%rbp), %%rdx\n\t"
            "movq %%rdx, %c6(%%rsp)\n\t"
            "movq %%r12, %c7(%%rsp)\n\t"
            "movq %%r13, %c8(%%rsp)\n\t"
            "movq %%r14, %c9(%%rsp)\n\t"
            "movq %%r15, %c10(%%rsp)\n\t"
            "movl $0x202, %c11(%%rsp)\n\t"
            "movq %%rax, %c12(%%rdi)\n\t"
            "movq %%rsp, %%rsi\n\t"
            "movl $1, %%edx\n\t"
            "call NtRaiseException\n\t"
            "ud2"
            :
            : "i"(sizeof(CONTEXT)), "i"(CONTEXT_CONTROL | CONTEXT_INTEGER), "i"(FIELD_OFFSET(CONTEXT, ContextFlags)),
              "i"(FIELD_OFFSET(CONTEXT, Rip)), "i"(FIELD_OFFSET(CONTEXT, Rsp)), "i"(FIELD_OFFSET(CONTEXT, Rbx)),
              "i"(FIELD_OFFSET(CONTEXT, Rbp)), "i"(FIELD_OFFSET(CONTEXT, R12)), "i"(FIELD_OFFSET(CONTEXT, R13)),
              "i"(FIELD_OFFSET(CONTEXT, R14)), "i"(FIELD_OFFSET(CONTEXT, R15)), "i"(FIELD_OFFSET(CONTEXT, EFlags)),
              "i"(FIELD_OFFSET(EXCEPTION_RECORD, ExceptionAddress)));
}

VOID RtlRaiseStatus(NTSTATUS Status)
{
    EXCEPTION_RECORD Record = {.ExceptionCode = Status, .ExceptionFlags = EXCEPTION_NONCONTINUABLE};
    RtlRaiseException(&Record);
    __builtin_trap();
}
