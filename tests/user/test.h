/* SPDX-License-Identifier: MIT */
/*
 * What the native test programs share. A program is a list of tests; each ends with "@pass NAME" or "@fail
 * NAME: why" on standard output. A CHECK that fails ends its test (it returns), so what a test holds then
 * stays open: no matter, the program goes on to its end.
 */
#ifndef PRIMER_TEST_H
#define PRIMER_TEST_H

#include "libnt.h"

typedef struct _TEST {
    PCSTR Name;
    VOID (*Run)(VOID);
} TEST;

static PCSTR TestName;
static PCSTR TestMark = ""; /* behind each result: a lab's grader knows its lines by it */
static BOOLEAN TestFailed, TestSkipped;
static ULONG TestFailures;

#define FAIL(Format, ...)                                                                                    \
    do {                                                                                                     \
        Print("@fail %s: line %u: " Format "%s\n", TestName, __LINE__, ##__VA_ARGS__, TestMark);             \
        TestFailed = TRUE;                                                                                   \
        return;                                                                                              \
    } while (0)

#define SKIP(Format, ...)                                                                                    \
    do {                                                                                                     \
        Print("@skip %s: " Format "\n", TestName, ##__VA_ARGS__);                                            \
        TestSkipped = TRUE;                                                                                  \
        return;                                                                                              \
    } while (0)

#define CHECK(Condition)                                                                                     \
    do {                                                                                                     \
        if (!(Condition)) {                                                                                  \
            FAIL("%s", #Condition);                                                                          \
        }                                                                                                    \
    } while (0)

#define CHECK_EQUAL(Value, Expected)                                                                         \
    do {                                                                                                     \
        LONG64 Value_ = (LONG64)(Value), Expected_ = (LONG64)(Expected);                                     \
        if (Value_ != Expected_) {                                                                           \
            FAIL("%s is %I64d, expected %I64d", #Value, Value_, Expected_);                                  \
        }                                                                                                    \
    } while (0)

#define CHECK_STATUS(Call, Expected)                                                                         \
    do {                                                                                                     \
        NTSTATUS Status_ = (Call);                                                                           \
        if (Status_ != (NTSTATUS)(Expected)) {                                                               \
            FAIL("%s: 0x%08X, expected %s", #Call, Status_, #Expected);                                      \
        }                                                                                                    \
    } while (0)

#define CHECK_SUCCESS(Call) CHECK_STATUS(Call, STATUS_SUCCESS)

/* The program's exit status. */
__attribute__((unused)) static int RunTests(const TEST *Tests, ULONG Count)
{
    for (ULONG i = 0; i < Count; i++) {
        TestName = Tests[i].Name;
        TestFailed = TestSkipped = FALSE;
        Tests[i].Run();
        if (TestFailed) {
            TestFailures++;
        } else if (!TestSkipped) {
            Print("@pass %s%s\n", TestName, TestMark);
        }
    }
    return TestFailures == 0 ? 0 : 1;
}

/* A time-out from now. */
__attribute__((unused)) static LARGE_INTEGER Milliseconds(ULONG Count)
{
    return (LARGE_INTEGER){.QuadPart = -10000LL * Count};
}

__attribute__((unused)) static NTSTATUS WaitFor(HANDLE Handle, ULONG Count)
{
    LARGE_INTEGER Timeout = Milliseconds(Count);
    return NtWaitForSingleObject(Handle, FALSE, &Timeout);
}

/* Starts the program "child" (see tests/user/child) in one of its roles, with up to two arguments; NULL ends
   them. */
__attribute__((unused)) static NTSTATUS StartChild(PHANDLE Process, PCSTR Role, PCSTR First, PCSTR Second)
{
    char *Arguments[] = {"child", (char *)Role, (char *)First, (char *)Second, NULL};
    ULONG Count = First == NULL ? 2 : Second == NULL ? 3 : 4;
    return StartNative("child", Count, Arguments, 0, Process, NULL);
}

/* ---- Addresses that no program may use ---- */

#define ADDRESS_KERNEL        0xFFFFFFFF80100000ULL
#define ADDRESS_DIRECT_MAP    0xFFFF800000100000ULL
#define ADDRESS_NOT_CANONICAL 0x0000800000000000ULL
#define ADDRESS_LAST_PAGE     0x00007FFFFFFFF000ULL
#define ADDRESS_LOWEST        0x10ULL
#define ADDRESS_TOP           0xFFFFFFFFFFFFFFF8ULL

static const ULONG64 BadAddresses[] __attribute__((unused)) = {
    0,           ADDRESS_LOWEST, ADDRESS_LAST_PAGE, ADDRESS_NOT_CANONICAL, ADDRESS_DIRECT_MAP, ADDRESS_KERNEL,
    ADDRESS_TOP,
};

/* ---- Random numbers: the same for the same seed (splitmix64) ---- */

__attribute__((unused)) static ULONG64 NextRandom(PULONG64 State)
{
    ULONG64 Value = *State += 0x9E3779B97F4A7C15ULL;
    Value = (Value ^ (Value >> 30)) * 0xBF58476D1CE4E5B9ULL;
    Value = (Value ^ (Value >> 27)) * 0x94D049BB133111EBULL;
    return Value ^ (Value >> 31);
}

/* A decimal number, as programs get them for arguments; 0 for anything else. */
__attribute__((unused)) static ULONG64 ParseNumber(PCSTR Text)
{
    ULONG64 Number = 0;
    for (; isdigit(*Text); Text++) {
        Number = Number * 10 + (ULONG64)(*Text - '0');
    }
    return Number;
}

/* ---- System calls with any number, arguments and stack ---- */

#define RAW_ARGUMENTS 12

/*
 * RAX = Number, the first six arguments in registers, the others on the stack above a place for a return
 * address. Stack, if not 0, is what RSP holds at the SYSCALL instruction. Flags are or-ed into RFLAGS for the
 * call.
 */
__attribute__((naked, unused)) static NTSTATUS RawCall(ULONG64 Number, const ULONG64 Arguments[RAW_ARGUMENTS],
                                                       ULONG64 Stack, ULONG64 Flags)
{
    __asm__("pushq %rbp\n\t"
            "movq %rsp, %rbp\n\t"
            "pushq %rbx\n\t"
            "pushq %r12\n\t"
            "movq %rdi, %rax\n\t"
            "movq %rsi, %rbx\n\t"
            "movq %rcx, %r12\n\t"
            "pushq 88(%rbx)\n\t"
            "pushq 80(%rbx)\n\t"
            "pushq 72(%rbx)\n\t"
            "pushq 64(%rbx)\n\t"
            "pushq 56(%rbx)\n\t"
            "pushq 48(%rbx)\n\t"
            "pushq $0\n\t"
            "pushfq\n\t"
            "orq %r12, (%rsp)\n\t"
            "movq %rdx, %r12\n\t"
            "movq 0(%rbx), %rdi\n\t"
            "movq 8(%rbx), %rsi\n\t"
            "movq 16(%rbx), %rdx\n\t"
            "movq 24(%rbx), %r10\n\t"
            "movq 32(%rbx), %r8\n\t"
            "movq 40(%rbx), %r9\n\t"
            "popfq\n\t"
            "testq %r12, %r12\n\t" /* AC, DF, NT and TF are not among the flags that this changes */
            "cmovneq %r12, %rsp\n\t"
            "syscall\n\t"
            "cld\n\t"
            "leaq -16(%rbp), %rsp\n\t"
            "pushq $0x202\n\t"
            "popfq\n\t"
            "popq %r12\n\t"
            "popq %rbx\n\t"
            "popq %rbp\n\t"
            "ret");
}

#endif
