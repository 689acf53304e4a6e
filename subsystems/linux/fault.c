/* SPDX-License-Identifier: MIT */
/* A program's own faults: which signal, with which code and address, says what the processor found. */
#include "linux.h"

/* An access that the memory does not allow: is there nothing, or something else? */
static int segv_code(u64 address)
{
    PS_REGION_INFORMATION region;
    bool mapped =
        NT_SUCCESS(kernel.QueryRegion(current_process()->object, address, &region)) && region.Mapped;
    return mapped ? SEGV_ACCERR : SEGV_MAPERR;
}

/*
 * The page at ffffffffff600000, where old C libraries call three functions. Nothing is mapped there: who
 * executes one of its entries gets the answer, and is back at the caller.
 */
#define VSYSCALL_PAGE 0xffffffffff600000UL

static bool vsyscall(const EXCEPTION_RECORD *record, KTRAP_FRAME *frame)
{
    u64 caller;
    u32 number = KeGetCurrentProcessorNumber();

    if (record->NumberParameters < 2 || record->ExceptionInformation[0] != EXCEPTION_EXECUTE_FAULT ||
        page_down(frame->Rip) != VSYSCALL_PAGE || copy_from_user(&caller, (void *)frame->Rsp, sizeof(caller)) < 0) {
        return false;
    }
    switch (frame->Rip - VSYSCALL_PAGE) {
    case 0:
        frame->Rax = sys_gettimeofday((void *)frame->Rdi, (void *)frame->Rsi);
        break;
    case 0x400:
        frame->Rax = sys_time((void *)frame->Rdi);
        break;
    case 0x800:
        frame->Rax = frame->Rdi != 0 ? copy_to_user((void *)frame->Rdi, &number, sizeof(number)) : 0;
        if (frame->Rax == 0 && frame->Rsi != 0) {
            frame->Rax = clear_user((void *)frame->Rsi, sizeof(number)); /* the node */
        }
        break;
    default:
        return false;
    }
    if ((long)frame->Rax == -EFAULT) {
        return false;
    }
    frame->Rip = caller;
    frame->Rsp += sizeof(caller);
    return true;
}

static void memory_fault(const EXCEPTION_RECORD *record, KTRAP_FRAME *frame)
{
    u64 address = record->NumberParameters >= 2 ? record->ExceptionInformation[1] : ~0UL;

    if (record->ExceptionCode == STATUS_IN_PAGE_ERROR) {
        force_signal(SIGBUS, BUS_ADRERR, address, frame);
    } else if (frame->Vector == X86_TRAP_NP || frame->Vector == X86_TRAP_SS) {
        force_signal(SIGBUS, SI_KERNEL, 0, frame);
    } else if (frame->Vector != X86_TRAP_PF) {
        force_signal(SIGSEGV, SI_KERNEL, 0, frame); /* a protection fault: the processor tells no address */
    } else {
        force_signal(SIGSEGV, segv_code(address), address, frame);
    }
}

/* Exceptions that mean one signal each. code 0: SI_KERNEL without an address. */
static const struct fault {
    NTSTATUS exception;
    int sig, code;
} faults[] = {
    {STATUS_ILLEGAL_INSTRUCTION, SIGILL, ILL_ILLOPN},
    {STATUS_PRIVILEGED_INSTRUCTION, SIGSEGV, 0},
    {STATUS_INTEGER_DIVIDE_BY_ZERO, SIGFPE, FPE_INTDIV},
    {STATUS_INTEGER_OVERFLOW, SIGSEGV, 0}, /* INTO's vector; 64-bit code has no such instruction */
    {STATUS_FLOAT_DIVIDE_BY_ZERO, SIGFPE, FPE_FLTDIV},
    {STATUS_FLOAT_OVERFLOW, SIGFPE, FPE_FLTOVF},
    {STATUS_FLOAT_UNDERFLOW, SIGFPE, FPE_FLTUND},
    {STATUS_FLOAT_DENORMAL_OPERAND, SIGFPE, FPE_FLTUND},
    {STATUS_FLOAT_INEXACT_RESULT, SIGFPE, FPE_FLTRES},
    {STATUS_FLOAT_INVALID_OPERATION, SIGFPE, FPE_FLTINV},
    {STATUS_FLOAT_STACK_CHECK, SIGFPE, FPE_FLTINV},
    {STATUS_BREAKPOINT, SIGTRAP, 0},
    {STATUS_SINGLE_STEP, SIGTRAP, TRAP_TRACE},
    {STATUS_DATATYPE_MISALIGNMENT, SIGBUS, BUS_ADRALN},
    {STATUS_ARRAY_BOUNDS_EXCEEDED, SIGSEGV, 0},
};

BOOLEAN linux_exception(PEXCEPTION_RECORD record, KTRAP_FRAME *frame)
{
    switch (record->ExceptionCode) {
    case STATUS_ACCESS_VIOLATION:
    case STATUS_GUARD_PAGE_VIOLATION:
    case STATUS_STACK_OVERFLOW:
    case STATUS_IN_PAGE_ERROR:
        if (!vsyscall(record, frame)) {
            memory_fault(record, frame);
        }
        return TRUE;
    case STATUS_NO_MEMORY: /* a page that was promised cannot be had */
        DbgPrint("linux: no memory for a page of process %d\n", current_process()->pid);
        force_signal(SIGKILL, SI_KERNEL, record->ExceptionInformation[1], frame);
        return TRUE;
    }
    for (size_t i = 0; i < ARRAYSIZE(faults); i++) {
        if (faults[i].exception == record->ExceptionCode) {
            force_signal(faults[i].sig, faults[i].code != 0 ? faults[i].code : SI_KERNEL,
                         faults[i].code != 0 ? frame->Rip : 0, frame);
            return TRUE;
        }
    }
    return FALSE;
}

