/* SPDX-License-Identifier: MIT */
/* Threads that end when their routine returns. */
#include "libnt.h"

#include "kernel/rtl/rtl.h"

typedef struct _THREAD_BLOCK {
    PUSER_THREAD_START Start;
    PVOID Argument;
} THREAD_BLOCK, *PTHREAD_BLOCK;

/* The first C code of a thread; frees what its creator allocated for it. */
__attribute__((used)) static NORETURN VOID RunThread(PTHREAD_BLOCK Given)
{
    THREAD_BLOCK Block = *Given;
    HeapFree(Given);
    Block.Start(Block.Argument);
    NtTerminateThread(NtCurrentThread(), STATUS_SUCCESS);
    __builtin_trap();
}

/* Where the kernel enters it, RDI = THREAD_BLOCK. Like _start, it makes the outermost frame. */
__attribute__((naked)) static VOID ThreadEntry(PVOID Argument)
{
    __asm__("xorl %ebp, %ebp\n\t"
            "andq $-16, %rsp\n\t"
            "call RunThread");
}

NTSTATUS CreateThread(PUSER_THREAD_START Start, PVOID Argument, PHANDLE Thread)
{
    HANDLE Handle;
    PTHREAD_BLOCK Block = HeapAllocate(sizeof(THREAD_BLOCK));
    if (Block == NULL) {
        return STATUS_NO_MEMORY;
    }
    Block->Start = Start;
    Block->Argument = Argument;

    NTSTATUS Status = NtCreateThreadEx(&Handle, THREAD_ALL_ACCESS, NULL, NtCurrentProcess(),
                                       (PVOID)ThreadEntry, Block, 0, 0, 0, 0, NULL);
    if (!NT_SUCCESS(Status)) {
        HeapFree(Block);
        return Status;
    }
    if (Thread != NULL) {
        *Thread = Handle;
    } else {
        NtClose(Handle);
    }
    return STATUS_SUCCESS;
}

VOID Sleep(ULONG Milliseconds)
{
    LARGE_INTEGER Interval = {.QuadPart =
                                  -10000LL * Milliseconds}; /* negative: from now, in units of 100 ns */
    NtDelayExecution(FALSE, &Interval);
}
