/* SPDX-License-Identifier: MIT */
/*
 * From a system call to its function. The table holds bare function pointers, so that the way there is a
 * bounds check and an indirect call; a number that is not there leads to no_call, which says so once per
 * number.
 *
 * All functions are called with six 64-bit arguments; each takes as many and as wide ones as it declares,
 * which the calling convention of this machine allows: a narrower argument is the low part of its register.
 */
#include "linux.h"

#define CALL(number, name, arguments, parameters) [number] = (syscall_t)(void *)sys_##name,
#define NONE(number, name)
static const syscall_t calls[NR_CALLS] = {
#include "calls.h"
};
#undef CALL
#undef NONE

static LONG
    told[(NR_CALLS + 31) / 32]; /* a bit for each number that the log has named; one bit for all beyond */

static NOINLINE long no_call(const KTRAP_FRAME *frame)
{
    u32 number = (u32)frame->ErrorCode;
    bool known = number < NR_CALLS && call_descriptions[number].name != NULL;
    u32 bit = number < NR_CALLS ? number : NR_CALLS - 1;

    if (!InterlockedBitTestAndSet(told, (LONG)bit)) {
        DbgPrint("linux: system call %u (%s) is not implemented\n", number,
                 known ? call_descriptions[number].name : "no such call");
    }
    return -ENOSYS;
}

/* The number has 32 bits, whatever else RAX holds. */
static inline long call(const KTRAP_FRAME *frame)
{
    u32 number = (u32)frame->ErrorCode;

    if (number >= NR_CALLS || calls[number] == NULL) {
        return no_call(frame);
    }
    return calls[number](frame->Rdi, frame->Rsi, frame->Rdx, frame->R10, frame->R8, frame->R9);
}

static NOINLINE void traced_call(KTRAP_FRAME *frame)
{
    struct traced_call traced;

    trace_enter(&traced, frame, (u32)frame->ErrorCode);
    frame->Rax = call(frame);
    trace_leave(&traced, frame->Rax);
}

void linux_system_call(KTRAP_FRAME *frame)
{
    if (tracing && current_process()->trace != TRACE_NONE) {
        traced_call(frame);
    } else {
        frame->Rax = call(frame);
    }
}
