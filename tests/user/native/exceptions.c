/* SPDX-License-Identifier: MIT */
/*
 * Exceptions of the program's own: what its handler is told, that it can go on, skip or redirect; and that
 * the process ends with the exception's status when nobody handles it. The child program's role "fault" is
 * for what ends a process.
 */
#include "native.h"

/* ---- A handler that notes what it was told, and goes on at Resume ---- */

static EXCEPTION_RECORD Seen;
static CONTEXT SeenContext;
static volatile ULONG SeenCount;
static ULONG64 Resume; /* where to go on; 0: at the instruction itself */

static LONG NoteException(PEXCEPTION_POINTERS Pointers)
{
    Seen = *Pointers->ExceptionRecord;
    SeenContext = *Pointers->ContextRecord;
    SeenCount++;
    if (Resume != 0) {
        Pointers->ContextRecord->Rip = Resume;
    }
    return EXCEPTION_CONTINUE_EXECUTION;
}

/* Runs Code, which faults at its label `fault` and goes on behind it: all registers must be as they were. */
#define FAULT_AT(Code, ...)                                                                                  \
    ({                                                                                                       \
        ULONG64 Place_;                                                                                      \
        SeenCount = 0;                                                                                       \
        __asm__ volatile("leaq 2f(%%rip), %0\n\tmovq %0, %1\n\tleaq 1f(%%rip), %0\n\t"                       \
                         "1: " Code "\n\t2:"                                                                 \
                         : "=&r"(Place_), "=m"(Resume)                                                       \
                         : __VA_ARGS__                                                                       \
                         : "rax", "rcx", "rdx", "rdi", "memory", "cc");                                      \
        Resume = 0;                                                                                          \
        Place_;                                                                                              \
    })

#define CHECK_SEEN(Code, Place)                                                                              \
    do {                                                                                                     \
        CHECK_EQUAL(SeenCount, 1);                                                                           \
        CHECK_STATUS(Seen.ExceptionCode, Code);                                                              \
        CHECK_EQUAL((ULONG64)Seen.ExceptionAddress, Place);                                                  \
    } while (0)

static VOID KindsAreTold(VOID)
{
    PVOID Handler = RtlAddVectoredExceptionHandler(TRUE, NoteException);
    CHECK(Handler != NULL);
    ULONG64 Place = FAULT_AT("int3", "i"(0));
    CHECK_SEEN(STATUS_BREAKPOINT, Place);
    Place = FAULT_AT("xorl %%edx, %%edx\n\txorl %%ecx, %%ecx\n\tleaq 3f(%%rip), %0\n\t3: divl %%ecx", "i"(0));
    CHECK_SEEN(STATUS_INTEGER_DIVIDE_BY_ZERO, Place);
    Place = FAULT_AT("ud2", "i"(0));
    CHECK_SEEN(STATUS_ILLEGAL_INSTRUCTION, Place);
    Place = FAULT_AT("cli", "i"(0));
    CHECK_SEEN(STATUS_PRIVILEGED_INSTRUCTION, Place);
    Place = FAULT_AT("movq %%cr3, %%rax", "i"(0));
    CHECK_SEEN(STATUS_PRIVILEGED_INSTRUCTION, Place);
    CHECK_EQUAL(RtlRemoveVectoredExceptionHandler(Handler), 1);
    CHECK_EQUAL(RtlRemoveVectoredExceptionHandler(Handler), 0);
}

/* Read, write, execute; and the address. */
static VOID AccessViolationsTellTheAddress(VOID)
{
    static UCHAR NoCode[16];
    ULONG64 Bad[] = {0x10, ADDRESS_LAST_PAGE, ADDRESS_KERNEL};
    PVOID Handler = RtlAddVectoredExceptionHandler(TRUE, NoteException);
    for (ULONG i = 0; i < RTL_NUMBER_OF(Bad); i++) {
        ULONG64 Place = FAULT_AT("movb (%2), %%al", "r"(Bad[i]));
        CHECK_SEEN(STATUS_ACCESS_VIOLATION, Place);
        CHECK_EQUAL(Seen.NumberParameters, 2);
        CHECK_EQUAL(Seen.ExceptionInformation[0], EXCEPTION_READ_FAULT);
        CHECK_EQUAL(Seen.ExceptionInformation[1], Bad[i]);
        FAULT_AT("movb %%al, (%2)", "r"(Bad[i]));
        CHECK_EQUAL(Seen.ExceptionInformation[0], EXCEPTION_WRITE_FAULT);
        CHECK_EQUAL(Seen.ExceptionInformation[1], Bad[i]);
    }
    FAULT_AT("jmp *%2", "r"(NoCode));
    CHECK_SEEN(STATUS_ACCESS_VIOLATION, (ULONG64)NoCode);
    CHECK_EQUAL(Seen.ExceptionInformation[0], EXCEPTION_EXECUTE_FAULT);
    CHECK_EQUAL(Seen.ExceptionInformation[1], (ULONG64)NoCode);
    RtlRemoveVectoredExceptionHandler(Handler);
}

/* The trap flag of a CONTEXT gives one step, and is not in the next one. */
static ULONG Steps;
static LONG StepTwice(PEXCEPTION_POINTERS Pointers)
{
    CONTEXT *Context = Pointers->ContextRecord;
    NTSTATUS Code = Pointers->ExceptionRecord->ExceptionCode;
    Steps += Code == STATUS_SINGLE_STEP && !(Context->EFlags & 0x100);
    if (Code == STATUS_BREAKPOINT) {
        Context->Rip += 1;
    }
    Context->EFlags |= Steps < 2 ? 0x100 : 0;
    return EXCEPTION_CONTINUE_EXECUTION;
}

static VOID SingleSteps(VOID)
{
    PVOID Handler = RtlAddVectoredExceptionHandler(TRUE, StepTwice);
    Steps = 0;
    __asm__ volatile("int3\n\tnop\n\tnop\n\tnop\n\tnop" : : : "memory");
    CHECK_EQUAL(Steps, 2);
    RtlRemoveVectoredExceptionHandler(Handler);
}

/* Nothing of the interrupted code is lost, its red zone and vector registers included; what the handler
   changes is. */
static LONG ChangeRegisters(PEXCEPTION_POINTERS Pointers)
{
    __asm__ volatile("pcmpeqd %%xmm0, %%xmm0\n\tpcmpeqd %%xmm15, %%xmm15" : : : "xmm0", "xmm15");
    Pointers->ContextRecord->Rip += 2; /* over UD2 */
    Pointers->ContextRecord->R14 = 14;
    return EXCEPTION_CONTINUE_EXECUTION;
}

static VOID RegistersComeBack(VOID)
{
    static ULONG64 After[7];
    PVOID Handler = RtlAddVectoredExceptionHandler(TRUE, ChangeRegisters);
    __asm__ volatile("movq $0x1111, %%rbx\n\tmovq $0x2222, %%r14\n\tmovq $0x3333, %%r11\n\tmovq $0x4444, %%rcx\n\t"
                     "movq %%r11, %%xmm0\n\tmovq %%rcx, %%xmm15\n\tmovq %%rbx, -128(%%rsp)\n\t"
                     "movq $0x5555, %%rax\n\tstc\n\tud2\n\t"
                     "movq %%rax, 48+%0\n\tsbbq %%rax, %%rax\n\tmovq %%rax, %0\n\tmovq %%rbx, 8+%0\n\tmovq %%r14, 16+%0\n\t"
                     "movq %%xmm0, %%rax\n\tmovq %%rax, 24+%0\n\tmovq %%xmm15, %%rax\n\tmovq %%rax, 32+%0\n\t"
                     "movq -128(%%rsp), %%rax\n\tmovq %%rax, 40+%0"
                     : "+m"(After)
                     :
                     : "rax", "rbx", "rcx", "r11", "r14", "xmm0", "xmm15", "memory", "cc");
    RtlRemoveVectoredExceptionHandler(Handler);
    CHECK_EQUAL(After[0], -1); /* the carry */
    CHECK_EQUAL(After[1], 0x1111);
    CHECK_EQUAL(After[2], 14);
    CHECK_EQUAL(After[3], 0x3333);
    CHECK_EQUAL(After[4], 0x4444);
    CHECK_EQUAL(After[5], 0x1111);
    CHECK_EQUAL(After[6], 0x5555);
}

/* ---- Order of handlers, exceptions within them, and raised ones ---- */

static char Order[8];
static LONG AskedFirst(PEXCEPTION_POINTERS Pointers)
{
    strcpy(Order + strlen(Order), "a");
    return EXCEPTION_CONTINUE_SEARCH;
}

static LONG AskedLast(PEXCEPTION_POINTERS Pointers)
{
    strcpy(Order + strlen(Order), "b");
    return EXCEPTION_CONTINUE_EXECUTION;
}

static VOID HandlersAreAskedInOrder(VOID)
{
    EXCEPTION_RECORD Record = {.ExceptionCode = 0x12345, .NumberParameters = 1, .ExceptionInformation = {77}};
    PVOID Last = RtlAddVectoredExceptionHandler(FALSE, AskedLast);
    PVOID First = RtlAddVectoredExceptionHandler(TRUE, AskedFirst);
    memset(Order, 0, sizeof(Order));
    RtlRaiseException(&Record);
    CHECK(strcmp(Order, "ab") == 0);
    CHECK(Record.ExceptionAddress != NULL);
    RtlRemoveVectoredExceptionHandler(First);
    RtlRaiseException(&Record);
    CHECK(strcmp(Order, "abb") == 0);
    RtlRemoveVectoredExceptionHandler(Last);
    PVOID Note = RtlAddVectoredExceptionHandler(FALSE, NoteException);
    SeenCount = 0;
    RtlRaiseException(&Record);
    CHECK_SEEN(0x12345, (ULONG64)Record.ExceptionAddress);
    CHECK_EQUAL(Seen.ExceptionInformation[0], 77);
    RtlRemoveVectoredExceptionHandler(Note);
}

static ULONG Depth;
static LONG FaultInHandler(PEXCEPTION_POINTERS Pointers)
{
    Pointers->ContextRecord->Rip += 2;
    if (++Depth < 4) {
        __asm__ volatile("ud2");
    }
    return EXCEPTION_CONTINUE_EXECUTION;
}

static VOID ExceptionsNest(VOID)
{
    PVOID Handler = RtlAddVectoredExceptionHandler(TRUE, FaultInHandler);
    Depth = 0;
    __asm__ volatile("ud2");
    CHECK_EQUAL(Depth, 4);
    RtlRemoveVectoredExceptionHandler(Handler);
}

static VOID RaiseRefusesNonsense(VOID)
{
    EXCEPTION_RECORD Record = {.ExceptionCode = 1, .NumberParameters = 16};
    CONTEXT Context = {0};
    CHECK_STATUS(NtRaiseException(&Record, &Context, TRUE), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(NtRaiseException(NULL, &Context, TRUE), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(NtRaiseException(&Record, (PCONTEXT)ADDRESS_KERNEL, TRUE), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(NtContinue((PCONTEXT)ADDRESS_LAST_PAGE, FALSE), STATUS_ACCESS_VIOLATION);
}

/* ---- Stacks ---- */

#define STACK_RESERVE 0x40000

typedef struct _STACK_FACTS {
    ULONG_PTR Base, FirstLimit, LastLimit;
    volatile ULONG Overflows;
    ULONG64 Resume[2]; /* RSP and RIP to go on with */
    BOOLEAN Grown, Ended;
} STACK_FACTS;

static STACK_FACTS Facts;

/* Ends the recursion: the thread goes on at the place that it noted. */
static LONG LeaveOverflow(PEXCEPTION_POINTERS Pointers)
{
    UCHAR Room[0x1800]; /* the last pages are for the handler */
    memset(Room, 1, sizeof(Room));
    __asm__ volatile("" : : "m"(Room));
    if (Pointers->ExceptionRecord->ExceptionCode != STATUS_STACK_OVERFLOW) {
        return EXCEPTION_CONTINUE_SEARCH;
    }
    Facts.Overflows++;
    Pointers->ContextRecord->Rsp = Facts.Resume[0];
    Pointers->ContextRecord->Rip = Facts.Resume[1];
    return EXCEPTION_CONTINUE_EXECUTION;
}

/* Pushes until the stack is used up. */
__attribute__((naked)) static VOID UseUpStack(ULONG64 *Resume)
{
    __asm__("movq %rsp, 0(%rdi)\n\t"
            "leaq 2f(%rip), %rax\n\t"
            "movq %rax, 8(%rdi)\n\t"
            "1: pushq %rax\n\t"
            "jmp 1b\n\t"
            "2: ret");
}

static VOID OverflowingThread(PVOID Argument)
{
    PTEB Teb = NtCurrentTeb();
    Facts.Base = (ULONG_PTR)Teb->NtTib.StackBase;
    Facts.FirstLimit = (ULONG_PTR)Teb->NtTib.StackLimit;
    UseUpStack(Facts.Resume);
    Facts.LastLimit = (ULONG_PTR)Teb->NtTib.StackLimit;
    Facts.Ended = TRUE;
}

static VOID StacksGrowToTheirEnd(VOID)
{
    HANDLE Thread;
    PVOID Handler = RtlAddVectoredExceptionHandler(TRUE, LeaveOverflow);
    memset(&Facts, 0, sizeof(Facts));
    CHECK_SUCCESS(CreateThread(OverflowingThread, NULL, &Thread));
    CHECK_SUCCESS(WaitFor(Thread, PATIENCE));
    CHECK_SUCCESS(NtClose(Thread));
    RtlRemoveVectoredExceptionHandler(Handler);
    CHECK(Facts.Ended);
    CHECK_EQUAL(Facts.Overflows, 1);
    CHECK(Facts.FirstLimit > Facts.LastLimit);
    CHECK_EQUAL(Facts.Base - Facts.LastLimit, STACK_RESERVE); /* all of it is committed now */
}

/* The kernel's own writes make a stack grow, too: here into a buffer that nobody has touched. */
static NTSTATUS BelowStatus;
static VOID ReadBelowThread(PVOID Argument)
{
    ULONG_PTR Limit = (ULONG_PTR)NtCurrentTeb()->NtTib.StackLimit;
    BelowStatus = NtQuerySystemTime((PLARGE_INTEGER)(Limit - 64));
    if (NT_SUCCESS(BelowStatus) && (ULONG_PTR)NtCurrentTeb()->NtTib.StackLimit == Limit - 0x1000) {
        BelowStatus = NtQuerySystemTime((PLARGE_INTEGER)(Limit - 0x3000)); /* beyond the guard page */
    }
}

static VOID KernelWritesGrowStacks(VOID)
{
    HANDLE Thread;
    BelowStatus = STATUS_PENDING;
    CHECK_SUCCESS(CreateThread(ReadBelowThread, NULL, &Thread));
    CHECK_SUCCESS(WaitFor(Thread, PATIENCE));
    CHECK_SUCCESS(NtClose(Thread));
    CHECK_STATUS(BelowStatus, STATUS_ACCESS_VIOLATION);
}

/* A thread that waits until its stack has been looked at, then uses more of it than is committed. */
typedef struct _STACK_OWNER {
    HANDLE Ready, Go;
    PTEB Teb;
    ULONG_PTR FirstLimit, LastLimit;
} STACK_OWNER;

static VOID StackOwnerThread(PVOID Argument)
{
    STACK_OWNER *Owner = Argument;
    Owner->Teb = NtCurrentTeb();
    Owner->FirstLimit = (ULONG_PTR)Owner->Teb->NtTib.StackLimit;
    NtSetEvent(Owner->Ready, NULL);
    NtWaitForSingleObject(Owner->Go, FALSE, NULL);
    for (volatile UCHAR *Next = (PUCHAR)Owner->FirstLimit - 1; Next > (PUCHAR)Owner->FirstLimit - 0x8000; Next -= 0x1000) {
        *Next = 1;
    }
    Owner->LastLimit = (ULONG_PTR)Owner->Teb->NtTib.StackLimit;
}

static VOID CheckStackPart(ULONG_PTR Address, ULONG State, ULONG Protect)
{
    MEMORY_BASIC_INFORMATION Part;
    CHECK_SUCCESS(NtQueryVirtualMemory(NtCurrentProcess(), (PVOID)Address, 0, &Part, sizeof(Part), NULL));
    CHECK_EQUAL(Part.State, State);
    CHECK_EQUAL(Part.Protect, Protect);
}

static NTSTATUS ProtectPage(ULONG_PTR Address, ULONG Protection)
{
    PVOID Base = (PVOID)Address;
    SIZE_T Size = 0x1000;
    ULONG Old;
    return NtProtectVirtualMemory(NtCurrentProcess(), &Base, &Size, Protection, &Old);
}

/* A stack's three parts, as a program sees them; what has no pages yet cannot be protected; whoever else
   touches the guard page hears of it, and its owner grows all the same. */
static VOID StacksHaveThreeParts(VOID)
{
    STACK_OWNER Owner;
    HANDLE Thread;
    CHECK_SUCCESS(NtCreateEvent(&Owner.Ready, EVENT_ALL_ACCESS, NULL, SynchronizationEvent, FALSE));
    CHECK_SUCCESS(NtCreateEvent(&Owner.Go, EVENT_ALL_ACCESS, NULL, SynchronizationEvent, FALSE));
    CHECK_SUCCESS(CreateThread(StackOwnerThread, &Owner, &Thread));
    CHECK_SUCCESS(WaitFor(Owner.Ready, PATIENCE));
    ULONG_PTR Limit = Owner.FirstLimit, Base = (ULONG_PTR)Owner.Teb->NtTib.StackBase;
    CHECK_EQUAL(Limit % 0x1000, 0);
    CHECK_EQUAL(Base % 0x1000, 0);
    CHECK((ULONG_PTR)Owner.Teb < Base && (ULONG_PTR)(Owner.Teb + 1) > Limit);
    CheckStackPart(Base - 1, MEM_COMMIT, PAGE_READWRITE);
    CheckStackPart(Limit, MEM_COMMIT, PAGE_READWRITE);
    CheckStackPart(Limit - 0x1000, MEM_COMMIT, PAGE_READWRITE | PAGE_GUARD);
    CheckStackPart(Limit - 0x2000, MEM_RESERVE, 0);
    CheckStackPart(Base - STACK_RESERVE - 0x1000, MEM_RESERVE, 0);
    CHECK_STATUS(ProtectPage(Limit - 0x2000, PAGE_READWRITE), STATUS_NOT_COMMITTED);
    CHECK_STATUS(ProtectPage(Limit - 0x1000, PAGE_READWRITE), STATUS_CONFLICTING_ADDRESSES);
    CHECK_SUCCESS(ProtectPage(Limit + 0x1000, PAGE_READONLY));
    CheckStackPart(Limit + 0x1000, MEM_COMMIT, PAGE_READONLY);
    CHECK_SUCCESS(ProtectPage(Limit + 0x1000, PAGE_READWRITE));

    PVOID Handler = RtlAddVectoredExceptionHandler(TRUE, NoteException);
    SeenCount = 0;
    (void)*(volatile UCHAR *)(Limit - 1);
    RtlRemoveVectoredExceptionHandler(Handler);
    CHECK_EQUAL(SeenCount, 1);
    CHECK_STATUS(Seen.ExceptionCode, STATUS_GUARD_PAGE_VIOLATION);
    CheckStackPart(Limit - 0x1000, MEM_COMMIT, PAGE_READWRITE);
    CheckStackPart(Limit - 0x2000, MEM_COMMIT, PAGE_READWRITE | PAGE_GUARD);

    CHECK_SUCCESS(NtSetEvent(Owner.Go, NULL));
    CHECK_SUCCESS(WaitFor(Thread, PATIENCE));
    CHECK_EQUAL(Owner.LastLimit, Limit - 0x8000);
    CHECK_SUCCESS(NtClose(Thread));
    CHECK_SUCCESS(NtClose(Owner.Ready));
    CHECK_SUCCESS(NtClose(Owner.Go));
}

/* ---- Ends ---- */

static const struct {
    PCSTR Kind;
    NTSTATUS Status;
} Ends[] = {
    {"handler", STATUS_ILLEGAL_INSTRUCTION},            /* asked, and not interested */
    {"raise", (NTSTATUS)0xE1234567},                    /* a code of the program's own */
    {"final", STATUS_NONCONTINUABLE_EXCEPTION},         /* a handler wants to go on, and may not */
    {"second-chance", (NTSTATUS)0xE7654321},            /* no handler is asked */
    {"no-stack", STATUS_ILLEGAL_INSTRUCTION},           /* no room for the registers */
    {"kernel-stack", STATUS_ILLEGAL_INSTRUCTION},       /* RSP in the kernel's memory */
    {"endless", STATUS_ILLEGAL_INSTRUCTION},            /* the handler faults in turn until there is no room */
};

static VOID EndsHaveTheStatus(VOID)
{
    for (ULONG i = 0; i < RTL_NUMBER_OF(Ends); i++) {
        HANDLE Process;
        CHECK_SUCCESS(StartChild(&Process, "except", Ends[i].Kind, NULL));
        NTSTATUS Status = WaitForProcess(Process);
        NtClose(Process);
        if (Status != Ends[i].Status) {
            FAIL("%s: 0x%08X", Ends[i].Kind, Status);
        }
    }
}

static const TEST Tests[] = {
    {"exceptions.kinds-are-told", KindsAreTold},
    {"exceptions.access-violations-tell-the-address", AccessViolationsTellTheAddress},
    {"exceptions.single-step", SingleSteps},
    {"exceptions.registers-come-back", RegistersComeBack},
    {"exceptions.handlers-in-order", HandlersAreAskedInOrder},
    {"exceptions.nested", ExceptionsNest},
    {"exceptions.raise-refuses-nonsense", RaiseRefusesNonsense},
    {"exceptions.stack-grows-to-its-end", StacksGrowToTheirEnd},
    {"exceptions.kernel-writes-grow-stacks", KernelWritesGrowStacks},
    {"exceptions.stacks-have-three-parts", StacksHaveThreeParts},
    {"exceptions.ends", EndsHaveTheStatus},
};

int RunExceptionTests(VOID)
{
    return RunTests(Tests, RTL_NUMBER_OF(Tests));
}
