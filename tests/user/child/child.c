/* SPDX-License-Identifier: MIT */
/*
 * The program that the tests start. Its first argument says what it is to be:
 *
 *   exit N            ends with N
 *   sleep MS N        ends with N after a while
 *   ticks             says so, and sleeps and wakes for ever
 *   spin N            N threads that run for ever, this one included
 *   threads N         makes and ends N threads, then ends with 0
 *   arguments ...     ends with a check sum of the arguments behind it
 *   fault KIND        commits the fault of that name
 *   far KIND PLACE    far calls and returns with the stack pointer at a place (far.c)
 *   shootdown         loses the right to write to a page while another processor writes to it
 *   feign             writes to the log what only the first program and the kernel may say
 *   hog               takes all memory, and what becomes free
 *   wild SEED COUNT   four threads call every system service with wild values (wild.c)
 */
#include "child.h"

/* ---- Time ---- */

static VOID SpinForEver(PVOID Argument)
{
    for (;;) {
        __asm__ volatile("" ::: "memory");
    }
}

static int Spin(ULONG64 Threads)
{
    for (ULONG64 i = 1; i < Threads; i++) {
        CreateThread(SpinForEver, NULL, NULL);
    }
    SpinForEver(NULL);
    return 1;
}

static VOID EndAtOnce(PVOID Argument)
{
}

static int MakeThreads(ULONG64 Count)
{
    for (ULONG64 i = 0; i < Count; i++) {
        HANDLE Thread;
        if (!NT_SUCCESS(CreateThread(EndAtOnce, NULL, &Thread))) {
            return 1;
        }
        NtWaitForSingleObject(Thread, FALSE, NULL);
        NtClose(Thread);
    }
    return 0;
}

/* ---- Arguments ---- */

int ChildArgumentSum(int Count, char **Arguments)
{
    ULONG Sum = 0;
    for (int i = 0; i < Count; i++) {
        for (const char *Next = Arguments[i]; *Next != '\0'; Next++) {
            Sum = Sum * 31 + (UCHAR)*Next;
        }
        Sum = Sum * 31 + 1;
    }
    return (int)(Sum & 0x7F);
}

/* ---- Faults ---- */

/* Recursion that the compiler cannot turn into a loop, nor see that it never ends. */
__attribute__((noinline)) static int Overflow(volatile char *Above)
{
    volatile char Here[512];
    Here[0] = Above[0];
    return Here[0] != 0 ? 0 : Overflow(Here) + Here[0];
}

static PVOID Allocate(ULONG Protection)
{
    PVOID Base = NULL;
    SIZE_T Size = PAGE_SIZE;
    NtAllocateVirtualMemory(NtCurrentProcess(), &Base, 0, &Size, MEM_RESERVE | MEM_COMMIT, Protection);
    return Base;
}

static VOID Read(ULONG64 Address)
{
    __asm__("" : "+r"(Address)); /* the compiler does not see which address it is */
    (void)*(volatile char *)Address;
}

static VOID Jump(ULONG64 Address)
{
    ((VOID(*)(VOID))Address)();
}

static VOID FaultRead(VOID)
{
    Read(8);
}

static VOID FaultWriteCode(VOID)
{
    *(volatile char *)(ULONG64)&FaultRead = 0;
}

static VOID FaultReadKernel(VOID)
{
    Read(ADDRESS_KERNEL);
}

static VOID FaultReadNotCanonical(VOID)
{
    Read(ADDRESS_NOT_CANONICAL);
}

static VOID FaultExecuteData(VOID)
{
    PUCHAR Page = Allocate(PAGE_READWRITE);
    Page[0] = 0xC3; /* RET */
    Jump((ULONG64)Page);
}

static VOID FaultJumpKernel(VOID)
{
    Jump(ADDRESS_KERNEL);
}

static VOID FaultJumpNotCanonical(VOID)
{
    Jump(ADDRESS_NOT_CANONICAL);
}

static VOID FaultGuard(VOID)
{
    Read((ULONG64)Allocate(PAGE_READWRITE | PAGE_GUARD));
}

static VOID FaultNoAccess(VOID)
{
    Read((ULONG64)Allocate(PAGE_NOACCESS));
}

static VOID FaultDivide(VOID)
{
    __asm__ volatile("xorl %%ecx, %%ecx\n\tdivl %%ecx" ::: "eax", "ecx", "edx");
}

static VOID FaultIllegal(VOID)
{
    __asm__ volatile("ud2");
}

static VOID FaultPrivileged(VOID)
{
    __asm__ volatile("hlt");
}

/* The instruction's only byte is the last one that is mapped. */
static VOID FaultPrivilegedLast(VOID)
{
    PUCHAR Page = Allocate(PAGE_EXECUTE_READWRITE);
    Page[4095] = 0xF4; /* HLT */
    Jump((ULONG64)Page + 4095);
}

static VOID FaultPort(VOID)
{
    __asm__ volatile("outb %%al, $0xf4" ::"a"(0x31));
}

static VOID FaultBreakpoint(VOID)
{
    __asm__ volatile("int3");
}

static VOID FaultStep(VOID)
{
    __asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tnop" ::: "cc");
}

/* The step flag is on when the system call is made. */
static VOID FaultStepCall(VOID)
{
    __asm__ volatile(
        "pushfq\n\torq $0x100, (%%rsp)\n\tmovl %0, %%eax\n\tpopfq\n\tsyscall\n\tnop" ::"i"(NumberNtNull)
        : "rax", "rcx", "r11", "cc", "memory");
}

/* A vector that is the kernel's own: from user mode a general protection fault. */
static VOID FaultInterrupt(VOID)
{
    __asm__ volatile("int $0x20");
}

static VOID FaultSegment(VOID)
{
    __asm__ volatile("movl $0x10, %%eax\n\tmovl %%eax, %%ds" ::: "eax");
}

static VOID FaultStack(VOID)
{
    volatile char Zero = 0;
    Overflow(&Zero);
}

typedef struct _FAULT {
    PCSTR Kind;
    VOID (*Commit)(VOID);
} FAULT;

static const FAULT Faults[] = {
    {"read", FaultRead},
    {"write-code", FaultWriteCode},
    {"read-kernel", FaultReadKernel},
    {"read-not-canonical", FaultReadNotCanonical},
    {"execute-data", FaultExecuteData},
    {"jump-kernel", FaultJumpKernel},
    {"jump-not-canonical", FaultJumpNotCanonical},
    {"guard", FaultGuard},
    {"no-access", FaultNoAccess},
    {"divide", FaultDivide},
    {"illegal", FaultIllegal},
    {"privileged", FaultPrivileged},
    {"privileged-last", FaultPrivilegedLast},
    {"port", FaultPort},
    {"breakpoint", FaultBreakpoint},
    {"step", FaultStep},
    {"step-call", FaultStepCall},
    {"interrupt", FaultInterrupt},
    {"segment", FaultSegment},
    {"stack", FaultStack},
};

static int Fault(PCSTR Kind)
{
    for (ULONG i = 0; i < RTL_NUMBER_OF(Faults); i++) {
        if (strcmp(Faults[i].Kind, Kind) == 0) {
            Faults[i].Commit();
            return 1; /* nothing happened */
        }
    }
    return 2;
}

/* ---- TLB shoot-down: the writer's processor must not go on with the translation that it has ---- */

static VOID WriteForEver(PVOID Argument)
{
    for (volatile ULONG *Word = Argument;; (*Word)++) {}
}

static int LoseThePage(VOID)
{
    PVOID Page = Allocate(PAGE_READWRITE);
    SIZE_T Size = PAGE_SIZE;
    ULONG Old;
    CreateThread(WriteForEver, Page, NULL);
    while (*(volatile ULONG *)Page < 1000) {
        NtYieldExecution();
    }
    NtProtectVirtualMemory(NtCurrentProcess(), &Page, &Size, PAGE_READONLY, &Old);
    ULONG Before = *(volatile ULONG *)Page;
    Sleep(1000); /* the writer's access violation ends us here */
    return *(volatile ULONG *)Page == Before ? 2 : 1;
}

/* ---- All of the memory ---- */

/* By a service, which says when there is none: a touch would end the program. */
static int TakeAllMemory(VOID)
{
    static const char Byte = 1;
    SIZE_T Size = 0x40000000, Taken = 0, Done;
    PVOID Base = NULL;
    BOOLEAN Told = FALSE;
    if (!NT_SUCCESS(NtAllocateVirtualMemory(NtCurrentProcess(), &Base, 0, &Size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE))) {
        return 1;
    }
    Print("hog: begins\n"); /* what that needs is there from now on */
    for (;;) {
        while (Taken < Size && NT_SUCCESS(NtWriteVirtualMemory(NtCurrentProcess(), (PUCHAR)Base + Taken, (PVOID)&Byte, 1, &Done))) {
            Taken += PAGE_SIZE;
        }
        if (!Told) {
            Told = TRUE;
            Print("hog: full\n");
        }
        Sleep(10);
    }
}

/* ---- Roles ---- */

int main(int argc, char **argv)
{
    PCSTR Role = argc > 1 ? argv[1] : "";
    ULONG64 First = argc > 2 ? ParseNumber(argv[2]) : 0;
    ULONG64 Second = argc > 3 ? ParseNumber(argv[3]) : 0;

    if (strcmp(Role, "exit") == 0) {
        return (int)First;
    }
    if (strcmp(Role, "sleep") == 0) {
        Sleep((ULONG)First);
        return (int)Second;
    }
    if (strcmp(Role, "ticks") == 0) {
        Print("ticking\n");
        for (;;) {
            Sleep(5);
        }
    }
    if (strcmp(Role, "spin") == 0) {
        return Spin(First);
    }
    if (strcmp(Role, "threads") == 0) {
        return MakeThreads(First);
    }
    if (strcmp(Role, "arguments") == 0) {
        return ChildArgumentSum(argc - 2, argv + 2);
    }
    if (strcmp(Role, "fault") == 0 && argc > 2) {
        return Fault(argv[2]);
    }
    if (strcmp(Role, "except") == 0 && argc > 2) {
        return MakeException(argv[2]);
    }
    if (strcmp(Role, "far") == 0 && argc > 3) {
        return GoFar(First, Second);
    }
    if (strcmp(Role, "shootdown") == 0) {
        return LoseThePage();
    }
    if (strcmp(Role, "feign") == 0) {
        Log("@exit 7");
        Log("first\n@exit 8\r\n@poweroff\n\t@\x1b[2J\x7f");
        return 0;
    }
    if (strcmp(Role, "hog") == 0) {
        return TakeAllMemory();
    }
    if (strcmp(Role, "wild") == 0) {
        return BeWild(First, (ULONG)Second);
    }
    return 200;
}
