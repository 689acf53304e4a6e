/* SPDX-License-Identifier: MIT */
/* Virtual memory as a program uses it: allocate, commit, protect, guard, query, free; and that a fault ends
   its own program only. */
#include "../test.h"

#define PAGES(Count) ((SIZE_T)(Count)*PAGE_SIZE)
#define SELF         NtCurrentProcess()

static NTSTATUS Allocate(PVOID *Base, SIZE_T Size, ULONG Type, ULONG Protection)
{
    return NtAllocateVirtualMemory(SELF, Base, 0, &Size, Type, Protection);
}

static NTSTATUS Release(PVOID Base)
{
    SIZE_T Size = 0;
    return NtFreeVirtualMemory(SELF, &Base, &Size, MEM_RELEASE);
}

static NTSTATUS Protect(PVOID Base, SIZE_T Size, ULONG Protection, PULONG Old)
{
    return NtProtectVirtualMemory(SELF, &Base, &Size, Protection, Old);
}

static NTSTATUS Query(PVOID Address, MEMORY_BASIC_INFORMATION *Information)
{
    return NtQueryVirtualMemory(SELF, Address, 0, Information, sizeof(*Information), NULL);
}

/* Lets the kernel write a byte there: a way to ask without dying. */
static NTSTATUS KernelWrites(PVOID Address)
{
    UCHAR Byte = 1;
    SIZE_T Done;
    return NtReadVirtualMemory(SELF, &Byte, Address, 1, &Done);
}

/* ---- Allocation ---- */

static VOID FreshMemoryIsZero(VOID)
{
    PUCHAR Base = NULL;
    CHECK_SUCCESS(Allocate((PVOID *)&Base, PAGES(256), MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    CHECK(((ULONG64)Base & (PAGE_SIZE - 1)) == 0);
    for (SIZE_T i = 0; i < PAGES(256); i += 512) {
        CHECK(Base[i] == 0);
        Base[i] = 0xA5;
    }
    CHECK_SUCCESS(Release(Base));

    Base = NULL; /* most likely the same frames again */
    CHECK_SUCCESS(Allocate((PVOID *)&Base, PAGES(256), MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    for (SIZE_T i = 0; i < PAGES(256); i += 512) {
        CHECK(Base[i] == 0);
    }
    CHECK_SUCCESS(Release(Base));
}

/* Reserved addresses belong to the program but hold nothing; parts are committed later. */
static VOID ReserveThenCommit(VOID)
{
    PUCHAR Base = NULL;
    MEMORY_BASIC_INFORMATION Information;
    CHECK_SUCCESS(Allocate((PVOID *)&Base, PAGES(64), MEM_RESERVE, PAGE_READWRITE));
    CHECK_STATUS(KernelWrites(Base), STATUS_ACCESS_VIOLATION);

    PVOID Part = Base + PAGES(16);
    CHECK_SUCCESS(Allocate(&Part, PAGES(4), MEM_COMMIT, PAGE_READWRITE));
    CHECK(Part == Base + PAGES(16));
    memset(Part, 7, PAGES(4));
    CHECK_SUCCESS(Query(Part, &Information));
    CHECK_EQUAL(Information.State, MEM_COMMIT);
    CHECK_EQUAL(Information.RegionSize, PAGES(4));
    CHECK(Information.AllocationBase == Base);
    CHECK_SUCCESS(Query(Base, &Information));
    CHECK_EQUAL(Information.State, MEM_RESERVE);

    CHECK_STATUS(KernelWrites(Base + PAGES(20)), STATUS_ACCESS_VIOLATION);
    CHECK_SUCCESS(Release(Base));
    CHECK_SUCCESS(Query(Base, &Information));
    CHECK_EQUAL(Information.State, MEM_FREE);
}

static VOID Decommit(VOID)
{
    PUCHAR Base = NULL;
    CHECK_SUCCESS(Allocate((PVOID *)&Base, PAGES(8), MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    memset(Base, 9, PAGES(8));
    PVOID Middle = Base + PAGES(2);
    SIZE_T Size = PAGES(3);
    CHECK_SUCCESS(NtFreeVirtualMemory(SELF, &Middle, &Size, MEM_DECOMMIT));
    CHECK_STATUS(KernelWrites(Base + PAGES(3)), STATUS_ACCESS_VIOLATION);
    CHECK(Base[PAGES(2) - 1] == 9 && Base[PAGES(5)] == 9);
    Middle = Base + PAGES(2);
    CHECK_SUCCESS(Allocate(&Middle, PAGES(3), MEM_COMMIT, PAGE_READWRITE));
    CHECK(Base[PAGES(2)] == 0 && Base[PAGES(5) - 1] == 0);
    CHECK_SUCCESS(Release(Base));
}

static VOID ConflictingAddresses(VOID)
{
    PVOID Base = NULL;
    CHECK_SUCCESS(Allocate(&Base, PAGES(4), MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    PVOID Again = Base;
    CHECK_STATUS(Allocate(&Again, PAGES(4), MEM_RESERVE, PAGE_READWRITE), STATUS_CONFLICTING_ADDRESSES);
    CHECK_SUCCESS(Release(Base));
    Again = Base;
    CHECK_SUCCESS(Allocate(&Again, PAGES(4), MEM_RESERVE, PAGE_READWRITE));
    CHECK(Again == Base);
    CHECK_SUCCESS(Release(Base));
}

static VOID BadParameters(VOID)
{
    PVOID Base = NULL, Kernel = (PVOID)(ADDRESS_KERNEL & ~0xFFFFULL), Low = (PVOID)PAGE_SIZE;
    SIZE_T Size = 0;
    CHECK(!NT_SUCCESS(Allocate(&Base, 0, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE)));
    CHECK(!NT_SUCCESS(Allocate(&Base, PAGES(1), 0, PAGE_READWRITE)));
    CHECK_STATUS(Allocate(&Base, PAGES(1), MEM_RESERVE | MEM_COMMIT, 0), STATUS_INVALID_PAGE_PROTECTION);
    CHECK_STATUS(Allocate(&Base, PAGES(1), MEM_RESERVE | MEM_COMMIT, 0xFF), STATUS_INVALID_PAGE_PROTECTION);
    CHECK(!NT_SUCCESS(Allocate(&Base, MAXSIZE_T - 5, MEM_RESERVE, PAGE_READWRITE)));
    CHECK(!NT_SUCCESS(Allocate(&Base, 1ULL << 47, MEM_RESERVE, PAGE_READWRITE)));
    CHECK(!NT_SUCCESS(Allocate(&Kernel, PAGES(1), MEM_RESERVE, PAGE_READWRITE)));
    CHECK(!NT_SUCCESS(Allocate(&Low, PAGES(1), MEM_RESERVE, PAGE_READWRITE)));
    CHECK(!NT_SUCCESS(NtFreeVirtualMemory(SELF, &Kernel, &Size, MEM_RELEASE)));
    CHECK(!NT_SUCCESS(Release((PVOID)0x123450000000)));
}

/* ---- Protection ---- */

static VOID ReadOnlyPages(VOID)
{
    PUCHAR Base = NULL;
    ULONG Old = 0;
    CHECK_SUCCESS(Allocate((PVOID *)&Base, PAGES(3), MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    memset(Base, 3, PAGES(3));
    CHECK_SUCCESS(Protect(Base + PAGES(1), PAGES(1), PAGE_READONLY, &Old));
    CHECK_EQUAL(Old, PAGE_READWRITE);
    CHECK(Base[PAGES(1)] == 3);
    CHECK_STATUS(KernelWrites(Base + PAGES(1)), STATUS_ACCESS_VIOLATION);
    CHECK_SUCCESS(KernelWrites(Base + PAGES(1) - 1));
    CHECK_SUCCESS(KernelWrites(Base + PAGES(2)));

    MEMORY_BASIC_INFORMATION Information;
    CHECK_SUCCESS(Query(Base + PAGES(1), &Information));
    CHECK_EQUAL(Information.Protect, PAGE_READONLY);
    CHECK_EQUAL(Information.RegionSize, PAGES(1));
    CHECK(Information.AllocationBase == Base);

    CHECK_SUCCESS(Protect(Base + PAGES(1), PAGES(1), PAGE_READWRITE, &Old));
    CHECK_EQUAL(Old, PAGE_READONLY);
    CHECK_SUCCESS(KernelWrites(Base + PAGES(1)));
    CHECK_SUCCESS(Release(Base));
}

static VOID MadeCodeRuns(VOID)
{
    static const UCHAR Code[] = {0xB8, 42, 0, 0, 0, 0xC3}; /* mov eax, 42; ret */
    PVOID Base = NULL;
    ULONG Old;
    CHECK_SUCCESS(Allocate(&Base, PAGES(1), MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    memcpy(Base, Code, sizeof(Code));
    CHECK_SUCCESS(Protect(Base, PAGES(1), PAGE_EXECUTE_READ, &Old));
    CHECK_EQUAL(((int (*)(VOID))Base)(), 42);
    CHECK_STATUS(KernelWrites(Base), STATUS_ACCESS_VIOLATION);
    CHECK_SUCCESS(Release(Base));
}

static VOID ProtectWhatIsNotThere(VOID)
{
    PVOID Base = NULL;
    ULONG Old;
    CHECK_SUCCESS(Allocate(&Base, PAGES(1), MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    CHECK_STATUS(Protect(Base, PAGES(1), 0, &Old), STATUS_INVALID_PAGE_PROTECTION);
    CHECK_SUCCESS(Release(Base));
    CHECK(!NT_SUCCESS(Protect(Base, PAGES(1), PAGE_READONLY, &Old)));
    CHECK(!NT_SUCCESS(Protect((PVOID)ADDRESS_KERNEL, PAGES(1), PAGE_READWRITE, &Old)));
}

/* The first touch of a guard page is told, and disarms it: here the kernel touches it for us. */
static VOID GuardPageFiresOnce(VOID)
{
    PUCHAR Base = NULL;
    CHECK_SUCCESS(Allocate((PVOID *)&Base, PAGES(2), MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE | PAGE_GUARD));
    NTSTATUS Status = KernelWrites(Base);
    CHECK(Status == STATUS_GUARD_PAGE_VIOLATION || Status == STATUS_ACCESS_VIOLATION);
    CHECK_SUCCESS(KernelWrites(Base));
    CHECK(Base[0] == 1);
    CHECK(!NT_SUCCESS(KernelWrites(Base + PAGES(1)))); /* the other page's guard is still there */
    CHECK(Base[PAGES(1)] == 0);
    CHECK_SUCCESS(Release(Base));
}

/* ---- Other processes ---- */

/* A suspended child's memory is read and written from here. */
static VOID MemoryOfAnotherProcess(VOID)
{
    HANDLE Process;
    char *Arguments[] = {"child", "exit", "5", NULL};
    PROCESS_BASIC_INFORMATION Information;
    PEB Peb;
    UCHAR Magic[4];
    SIZE_T Done, Size = PAGES(1);
    PVOID Base = NULL;
    CHECK_SUCCESS(StartNative("child", 3, Arguments, THREAD_CREATE_FLAGS_CREATE_SUSPENDED, &Process, NULL));
    CHECK_SUCCESS(
        NtQueryInformationProcess(Process, ProcessBasicInformation, &Information, sizeof(Information), NULL));
    CHECK_SUCCESS(NtReadVirtualMemory(Process, Information.PebBaseAddress, &Peb, sizeof(Peb), &Done));
    CHECK_EQUAL(Done, sizeof(Peb));
    CHECK_SUCCESS(NtReadVirtualMemory(Process, Peb.ImageBaseAddress, Magic, sizeof(Magic), &Done));
    CHECK(memcmp(Magic,
                 "\x7f"
                 "ELF",
                 4) == 0);

    CHECK_SUCCESS(
        NtAllocateVirtualMemory(Process, &Base, 0, &Size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    ULONG64 Word = 0x1122334455667788, Back = 0;
    CHECK_SUCCESS(NtWriteVirtualMemory(Process, Base, &Word, sizeof(Word), &Done));
    CHECK_SUCCESS(NtReadVirtualMemory(Process, Base, &Back, sizeof(Back), &Done));
    CHECK_EQUAL(Back, Word);
    CHECK_SUCCESS(NtTerminateProcess(Process, 9));
    CHECK_SUCCESS(WaitFor(Process, 10000));
    CHECK(!NT_SUCCESS(NtReadVirtualMemory(Process, Base, &Back, sizeof(Back), &Done)));
    CHECK_SUCCESS(NtClose(Process));
}

/* ---- Faults ---- */

typedef struct _EXPECTATION {
    PCSTR Kind;
    NTSTATUS Status, Or; /* either */
} EXPECTATION;

/* A general protection fault has no address; NT calls most of them access violations. */
static const EXPECTATION Expectations[] = {
    {"read", STATUS_ACCESS_VIOLATION, STATUS_ACCESS_VIOLATION},
    {"write-code", STATUS_ACCESS_VIOLATION, STATUS_ACCESS_VIOLATION},
    {"read-kernel", STATUS_ACCESS_VIOLATION, STATUS_ACCESS_VIOLATION},
    {"read-not-canonical", STATUS_ACCESS_VIOLATION, STATUS_ACCESS_VIOLATION},
    {"execute-data", STATUS_ACCESS_VIOLATION, STATUS_ACCESS_VIOLATION},
    {"jump-kernel", STATUS_ACCESS_VIOLATION, STATUS_ACCESS_VIOLATION},
    {"jump-not-canonical", STATUS_ACCESS_VIOLATION, STATUS_ACCESS_VIOLATION},
    {"guard", STATUS_GUARD_PAGE_VIOLATION, STATUS_GUARD_PAGE_VIOLATION},
    {"no-access", STATUS_ACCESS_VIOLATION, STATUS_ACCESS_VIOLATION},
    {"divide", STATUS_INTEGER_DIVIDE_BY_ZERO, STATUS_INTEGER_DIVIDE_BY_ZERO},
    {"illegal", STATUS_ILLEGAL_INSTRUCTION, STATUS_ILLEGAL_INSTRUCTION},
    {"privileged", STATUS_PRIVILEGED_INSTRUCTION, STATUS_PRIVILEGED_INSTRUCTION},
    {"privileged-last", STATUS_PRIVILEGED_INSTRUCTION, STATUS_PRIVILEGED_INSTRUCTION},
    {"port", STATUS_PRIVILEGED_INSTRUCTION, STATUS_PRIVILEGED_INSTRUCTION},
    {"breakpoint", STATUS_BREAKPOINT, STATUS_BREAKPOINT},
    {"step", STATUS_SINGLE_STEP, STATUS_SINGLE_STEP},
    {"step-call", STATUS_SINGLE_STEP, STATUS_SINGLE_STEP},
    {"interrupt", STATUS_ACCESS_VIOLATION, STATUS_PRIVILEGED_INSTRUCTION},
    {"segment", STATUS_ACCESS_VIOLATION, STATUS_PRIVILEGED_INSTRUCTION},
    {"stack", STATUS_STACK_OVERFLOW, STATUS_ACCESS_VIOLATION},
};

static VOID FaultsEndTheirProgramOnly(VOID)
{
    for (ULONG i = 0; i < RTL_NUMBER_OF(Expectations); i++) {
        const EXPECTATION *Expected = &Expectations[i];
        HANDLE Process;
        CHECK_SUCCESS(StartChild(&Process, "fault", Expected->Kind, NULL));
        if (WaitFor(Process, 20000) != STATUS_SUCCESS) {
            FAIL("fault %s: does not end", Expected->Kind);
        }
        NTSTATUS Status = WaitForProcess(Process);
        CHECK_SUCCESS(NtClose(Process));
        if (Status != Expected->Status && Status != Expected->Or) {
            FAIL("fault %s: ended with 0x%08X, expected 0x%08X", Expected->Kind, Status, Expected->Status);
        }
    }
}

/* See the role's code: a processor that kept an old translation would let the child write on. */
static VOID ProtectionReachesAllProcessors(VOID)
{
    HANDLE Process;
    for (ULONG i = 0; i < 4; i++) {
        CHECK_SUCCESS(StartChild(&Process, "shootdown", NULL, NULL));
        CHECK_STATUS(WaitForProcess(Process), STATUS_ACCESS_VIOLATION);
        CHECK_SUCCESS(NtClose(Process));
    }
}

/* ---- Copy on write ---- */

#define COPIED_PAGES 32

/* Pages of the program's file, shared with it until they are written to. */
static volatile ULONG Copied[COPIED_PAGES][PAGE_SIZE / sizeof(ULONG)] __attribute__((aligned(PAGE_SIZE))) = {
    [0 ... COPIED_PAGES - 1] = {1}};
static volatile ULONG Asked, Answered, Stale;

static VOID AwaitValue(volatile ULONG *Variable, ULONG Value)
{
    while (*Variable != Value) {
        YieldProcessor();
    }
}

/* Reads each page before and after the other thread writes to it, and does nothing in between that would make
   its processor forget the translation. */
static VOID ReadPages(PVOID Argument)
{
    for (ULONG i = 0; i < COPIED_PAGES; i++) {
        AwaitValue(&Asked, 2 * i + 1);
        Stale += Copied[i][0] != 1;
        Answered = 2 * i + 1;
        AwaitValue(&Asked, 2 * i + 2);
        Stale += Copied[i][0] != 2;
        Answered = 2 * i + 2;
    }
}

/* A processor that kept the translation to the old frame would go on reading what was there before the
   write. */
static VOID CopySeenByOthers(VOID)
{
    HANDLE Thread;
    CHECK_SUCCESS(CreateThread(ReadPages, NULL, &Thread));
    for (ULONG i = 0; i < COPIED_PAGES; i++) {
        Asked = 2 * i + 1;
        AwaitValue(&Answered, 2 * i + 1);
        Copied[i][0] = 2;
        Asked = 2 * i + 2;
        AwaitValue(&Answered, 2 * i + 2);
    }
    CHECK_STATUS(WaitFor(Thread, 20000), STATUS_SUCCESS);
    CHECK_SUCCESS(NtClose(Thread));
    CHECK_EQUAL(Stale, 0);
}

static const TEST Tests[] = {
    {"vm.fresh-memory-is-zero", FreshMemoryIsZero},
    {"vm.reserve-then-commit", ReserveThenCommit},
    {"vm.decommit", Decommit},
    {"vm.conflicting-addresses", ConflictingAddresses},
    {"vm.bad-parameters", BadParameters},
    {"vm.read-only-pages", ReadOnlyPages},
    {"vm.made-code-runs", MadeCodeRuns},
    {"vm.protect-what-is-not-there", ProtectWhatIsNotThere},
    {"vm.guard-page-fires-once", GuardPageFiresOnce},
    {"vm.memory-of-another-process", MemoryOfAnotherProcess},
    {"vm.faults-end-their-program-only", FaultsEndTheirProgramOnly},
    {"vm.protection-reaches-all-processors", ProtectionReachesAllProcessors},
    {"vm.copy-seen-by-others", CopySeenByOthers},
};

int main(int argc, char **argv)
{
    return RunTests(Tests, RTL_NUMBER_OF(Tests));
}
