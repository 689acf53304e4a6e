/* SPDX-License-Identifier: MIT */
/*
 * Address spaces, sections, threads and handles when memory runs out: each allocation of an operation fails
 * in turn, alone, then with all that follow. The operation either says so or does without, its clean-up needs
 * no memory, and what it leaves behind is nothing. Then four threads change, clone and use one address space
 * and one section at a time: whatever the order, a page holds zero or what was written to it.
 */
#include "../ktest.h"
#include <primertest.h>
#include <subsystem.h>

#define DATA_ADDRESS    0x200000
#define SECTION_ADDRESS 0x40000000
#define FAR_ADDRESS     0x500000000000 /* needs page tables of its own */

#define READ_WRITE (PS_MEMORY_READ | PS_MEMORY_WRITE)

static PS_SUBSYSTEM_ROUTINES Kernel = {.Version = PS_SUBSYSTEM_VERSION, .Size = sizeof(Kernel)};
static PPS_PROVIDER Provider;

/* ---- A provider whose only program makes one system call ---- */

static volatile NTSTATUS Inner, Outer; /* how the blocks ended */
static volatile ULONG64 Words;

/* A block inside another ends by an exception: what the outer one has probed can be touched still. */
static VOID SystemCall(PKTRAP_FRAME Frame)
{
    _SEH2_TRY
        {
            ProbeForRead((PVOID)DATA_ADDRESS, sizeof(ULONG64), 8);
            Words = *(volatile ULONG64 *)DATA_ADDRESS;
            _SEH2_TRY
                {
                    ProbeForRead((PVOID)SECTION_ADDRESS, sizeof(ULONG64), 8);
                    Words = *(volatile ULONG64 *)SECTION_ADDRESS; /* nothing is there */
                }
                _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER)
                {
                    Inner = _SEH2_GetExceptionCode();
                }
                _SEH2_END;
                Words += *(volatile ULONG64 *)DATA_ADDRESS;
        }
        _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER)
        {
            Outer = _SEH2_GetExceptionCode();
        }
        _SEH2_END;
        Kernel.TerminateProcess(PsGetCurrentProcess(), 0);
}

static BOOLEAN Exception(PEXCEPTION_RECORD Record, PKTRAP_FRAME Frame)
{
    return FALSE;
}

static VOID ReturnToUser(PKTRAP_FRAME Frame)
{
}

static VOID ThreadExit(PETHREAD Thread, PVOID Context)
{
}

static VOID ProcessExit(PEPROCESS Process, PVOID Context)
{
}

static const PS_SUBSYSTEM_PROVIDER Table = {
    .Version = PS_SUBSYSTEM_VERSION,
    .Size = sizeof(PS_SUBSYSTEM_PROVIDER),
    .Name = "memory",
    .DispatchSystemCall = SystemCall,
    .DispatchException = Exception,
    .ReturnToUser = ReturnToUser,
    .ThreadExit = ThreadExit,
    .ProcessExit = ProcessExit,
};

static NTSTATUS MakeProcess(ULONG Kind, PEPROCESS Parent, PEPROCESS *Process)
{
    PS_SUBSYSTEM_PROCESS_ATTRIBUTES Attributes = {.Kind = Kind, .Parent = Parent};
    return Kernel.CreateProcess(Provider, &Attributes, Process);
}

static VOID EndProcess(PEPROCESS Process)
{
    Kernel.TerminateProcess(Process, 0);
    ObDereferenceObject(Process);
}

static NTSTATUS Map(PEPROCESS Process, ULONG_PTR Address, ULONG Pages, ULONG Flags,
                    PMM_SECTION_HANDLE Section)
{
    return Kernel.MapRegion(Process, &Address, Pages * PAGE_SIZE, PS_MAP_FIXED | Flags, READ_WRITE, Section,
                            0, 0, NULL);
}

static NTSTATUS Write(PEPROCESS Process, ULONG_PTR Address, ULONG64 Value)
{
    return Kernel.WriteMemory(Process, Address, &Value, sizeof(Value), FALSE);
}

/* ---- Operations that may fail, each at every allocation that it makes ---- */

static PEPROCESS Subject; /* what operations on an existing process use */
static ULONG Failures;    /* of allocations, in this round */

static VOID EndOfFailures(VOID)
{
    Failures += PrimerFailAllocations(0, 0);
}

static NTSTATUS CreateEmpty(VOID)
{
    PEPROCESS Process;
    NTSTATUS Status = MakeProcess(PS_PROCESS_EMPTY, NULL, &Process);
    if (NT_SUCCESS(Status)) {
        EndProcess(Process);
    }
    return Status;
}

static NTSTATUS Clone(VOID)
{
    PEPROCESS Process;
    NTSTATUS Status = MakeProcess(PS_PROCESS_CLONE, Subject, &Process);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = Write(Process, DATA_ADDRESS, 2);
    EndProcess(Process);
    return Status;
}

static NTSTATUS CreateUserThread(VOID)
{
    PEPROCESS Process;
    PETHREAD Thread;
    KTRAP_FRAME Frame = {.Rip = DATA_ADDRESS};
    PS_SUBSYSTEM_THREAD_ATTRIBUTES Attributes = {.Registers = &Frame};
    NTSTATUS Status = MakeProcess(PS_PROCESS_EMPTY, NULL, &Process);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = Kernel.CreateThread(Process, &Attributes, &Thread);
    Kernel.TerminateProcess(Process, 0);
    KeWaitForSingleObject(Process, Executive, KernelMode, FALSE, NULL);
    if (NT_SUCCESS(Status)) {
        KeWaitForSingleObject(Thread, Executive, KernelMode, FALSE, NULL);
        ObDereferenceObject(Thread);
    }
    ObDereferenceObject(Process);
    return Status;
}

static VOID JustReturn(PVOID Context)
{
}

static NTSTATUS CreateSystemThread(VOID)
{
    HANDLE Handle;
    NTSTATUS Status = PsCreateSystemThread(&Handle, THREAD_ALL_ACCESS, NULL, NULL, NULL, JustReturn, NULL);
    if (NT_SUCCESS(Status)) {
        ZwWaitForSingleObject(Handle, FALSE, NULL);
        ZwClose(Handle);
    }
    return Status;
}

static NTSTATUS MapAndTouch(VOID)
{
    NTSTATUS Status = Map(Subject, FAR_ADDRESS, 4, 0, NULL);
    if (NT_SUCCESS(Status)) {
        Status = Write(Subject, FAR_ADDRESS + PAGE_SIZE, 1);
        Kernel.UnmapRegion(Subject, FAR_ADDRESS, 4 * PAGE_SIZE);
    }
    return Status;
}

/* Middle pages change, so that one region becomes three and one again; all of it, or nothing, is changed. */
static NTSTATUS ProtectMiddle(VOID)
{
    NTSTATUS Status = Kernel.ProtectRegion(Subject, DATA_ADDRESS + PAGE_SIZE, PAGE_SIZE, PS_MEMORY_READ);
    PS_REGION_INFORMATION Region;
    if (!NT_SUCCESS(Kernel.QueryRegion(Subject, DATA_ADDRESS + PAGE_SIZE, &Region)) ||
        (Region.Protection == PS_MEMORY_READ) != NT_SUCCESS(Status) ||
        (Region.End - Region.Start == PAGE_SIZE) != NT_SUCCESS(Status)) {
        return STATUS_UNSUCCESSFUL;
    }
    EndOfFailures();
    Kernel.ProtectRegion(Subject, DATA_ADDRESS, 8 * PAGE_SIZE, READ_WRITE);
    return Status;
}

static NTSTATUS UnmapMiddle(VOID)
{
    NTSTATUS Status = Kernel.UnmapRegion(Subject, DATA_ADDRESS + PAGE_SIZE, PAGE_SIZE);
    if (NT_SUCCESS(Status)) {
        Status = Map(Subject, DATA_ADDRESS + PAGE_SIZE, 1, 0, NULL);
    }
    EndOfFailures();
    Map(Subject, DATA_ADDRESS + PAGE_SIZE, 1, 0, NULL); /* it may be missing now */
    return Status;
}

static NTSTATUS GuardPage(VOID)
{
    NTSTATUS Status =
        Kernel.ProtectRegion(Subject, DATA_ADDRESS, 8 * PAGE_SIZE, READ_WRITE | PS_MEMORY_GUARD);
    if (NT_SUCCESS(Status)) {
        Status = Write(Subject, DATA_ADDRESS + 3 * PAGE_SIZE, 1);
        Status = Status == STATUS_GUARD_PAGE_VIOLATION ? STATUS_SUCCESS : Status;
    }
    EndOfFailures();
    Kernel.ProtectRegion(Subject, DATA_ADDRESS, 8 * PAGE_SIZE, READ_WRITE);
    return Status;
}

static NTSTATUS UseSection(PMM_SECTION_HANDLE Section)
{
    ULONG64 Word = 7;
    SIZE_T Done;
    NTSTATUS Status = Kernel.WriteSection(Section, 5000 * PAGE_SIZE, &Word, sizeof(Word), &Done);
    if (NT_SUCCESS(Status)) {
        Status = Map(Subject, SECTION_ADDRESS, 8, PS_MAP_SHARED, Section);
    }
    if (NT_SUCCESS(Status)) {
        Status = Write(Subject, SECTION_ADDRESS + 3 * PAGE_SIZE, 1);
        Kernel.ResizeSection(Section, 2 * PAGE_SIZE);
        Kernel.UnmapRegion(Subject, SECTION_ADDRESS, 8 * PAGE_SIZE);
    }
    return Status;
}

static NTSTATUS Sections(VOID)
{
    PMM_SECTION_HANDLE Section;
    NTSTATUS Status = Kernel.CreateSection(10000 * PAGE_SIZE, &Section);
    if (NT_SUCCESS(Status)) {
        Status = UseSection(Section);
        Kernel.DereferenceSection(Section);
    }
    return Status;
}

static NTSTATUS LargeBlock(VOID)
{
    PVOID Block = ExAllocatePool2(POOL_FLAG_NON_PAGED, 5 * PAGE_SIZE + 1, 'tseT');
    if (Block == NULL) {
        return STATUS_NO_MEMORY;
    }
    ExFreePoolWithTag(Block, 'tseT');
    return STATUS_SUCCESS;
}

/* ---- Each allocation fails ---- */

#define MOST_ALLOCATIONS 500

static VOID Settle(PPRIMER_MEMORY Memory)
{
    PsDrainReaper();
    PrimerQueryMemory(Memory);
}

/* Count allocations fail from each one on, until the operation makes no more. */
static PCSTR FailFromEach(NTSTATUS (*Operation)(VOID), ULONG Count)
{
    ULONG After = 0;
    do {
        Failures = 0;
        PrimerFailAllocations(After++, Count);
        NTSTATUS Status = Operation();
        EndOfFailures();
        KTEST_CHECK(NT_SUCCESS(Status) || Status == STATUS_NO_MEMORY ||
                    Status == STATUS_INSUFFICIENT_RESOURCES);
        KTEST_CHECK(NT_SUCCESS(Status) || Failures != 0);
        KTEST_CHECK(After < MOST_ALLOCATIONS);
    } while (Failures != 0);
    KTEST_CHECK(After > 1);
    return NULL;
}

static PCSTR FailEach(NTSTATUS (*Operation)(VOID))
{
    PRIMER_MEMORY Before, After;
    for (ULONG Round = 0; Round < 2; Round++) { /* what is made once and kept, is made in the first */
        Settle(&Before);
        PCSTR Why = FailFromEach(Operation, 1);
        Why = Why != NULL ? Why : FailFromEach(Operation, 2);
        Why = Why != NULL ? Why : FailFromEach(Operation, MAXULONG);
        if (Why != NULL) {
            return Why;
        }
        Settle(&After);
    }
    DbgPrint("memory: free pages %I64u -> %I64u, pool %I64u -> %I64u\n", Before.FreePages, After.FreePages,
             Before.PoolBytes, After.PoolBytes);
    KTEST_CHECK(After.Processes == Before.Processes && After.Threads == Before.Threads);
    KTEST_CHECK(After.KernelStacks == Before.KernelStacks);
    KTEST_CHECK(After.PoolBlocks == Before.PoolBlocks && After.PoolBytes == Before.PoolBytes);
    KTEST_CHECK(After.FreePages == Before.FreePages);
    return NULL;
}

/* A table of handles that cannot grow says so, and grows when there is memory again. */
static PCSTR HandleTable(VOID)
{
    static HANDLE Handle[1000];
    ULONG Count = 0, Failed = 0;
    PrimerFailAllocations(0, 1);
    while (Count < RTL_NUMBER_OF(Handle) && Failed < 2) {
        NTSTATUS Status =
            ObOpenObjectByPointer(PsInitialSystemProcess, OBJ_KERNEL_HANDLE, NULL, PROCESS_ALL_ACCESS,
                                  *PsProcessType, KernelMode, &Handle[Count]);
        Failed += Status == STATUS_INSUFFICIENT_RESOURCES;
        Count += NT_SUCCESS(Status);
    }
    PrimerFailAllocations(0, 0);
    KTEST_CHECK(Count == RTL_NUMBER_OF(Handle) && Failed == 1);
    while (Count != 0) {
        KTEST_CHECK(ZwClose(Handle[--Count]) == STATUS_SUCCESS);
    }
    return NULL;
}

static const struct {
    PCSTR Name;
    NTSTATUS (*Operation)(VOID);
} Operations[] = {
    {"memory.fails-create-process", CreateEmpty},
    {"memory.fails-clone", Clone},
    {"memory.fails-create-user-thread", CreateUserThread},
    {"memory.fails-create-system-thread", CreateSystemThread},
    {"memory.fails-map-and-touch", MapAndTouch},
    {"memory.fails-protect", ProtectMiddle},
    {"memory.fails-unmap", UnmapMiddle},
    {"memory.fails-guard-page", GuardPage},
    {"memory.fails-sections", Sections},
    {"memory.fails-large-block", LargeBlock},
};

static NTSTATUS MakeSubject(VOID)
{
    NTSTATUS Status = MakeProcess(PS_PROCESS_EMPTY, NULL, &Subject);
    if (NT_SUCCESS(Status)) {
        Status = Map(Subject, DATA_ADDRESS, 8, 0, NULL);
    }
    for (ULONG i = 0; i < 8 && NT_SUCCESS(Status); i++) {
        Status = Write(Subject, DATA_ADDRESS + i * PAGE_SIZE, 1);
    }
    return Status;
}

static VOID FailAll(VOID)
{
    for (ULONG i = 0; i < RTL_NUMBER_OF(Operations); i++) {
        PCSTR Why = FailEach(Operations[i].Operation);
        if (Why == NULL) {
            DbgPrint("@pass %s\n", Operations[i].Name);
        } else {
            DbgPrint("@fail %s: %s\n", Operations[i].Name, Why);
        }
    }
}

/* ---- The ends of the address space ---- */

#define USER_LOWEST  0x10000ULL
#define USER_HIGHEST 0x00007ffffffff000ULL

static PCSTR BadRanges(VOID)
{
    static const struct {
        ULONG_PTR Base;
        SIZE_T Size;
    } Bad[] = {
        {0, USER_HIGHEST},
        {USER_HIGHEST, PAGE_SIZE},
        {USER_HIGHEST - PAGE_SIZE, 2 * PAGE_SIZE},
        {USER_LOWEST, MAXSIZE_T},
        {USER_LOWEST, 0},
        {MAXSIZE_T - PAGE_SIZE + 1, PAGE_SIZE},
        {USER_LOWEST, USER_HIGHEST},
        {USER_LOWEST + 1, PAGE_SIZE},
        {MAXSIZE_T - PAGE_SIZE + 1, MAXSIZE_T},
    };
    for (ULONG i = 0; i < RTL_NUMBER_OF(Bad); i++) {
        ULONG_PTR Base = Bad[i].Base;
        KTEST_CHECK(Kernel.MapRegion(Subject, &Base, Bad[i].Size, PS_MAP_FIXED, READ_WRITE, NULL, 0, 0,
                                     NULL) == STATUS_INVALID_PARAMETER);
    }
    KTEST_CHECK(Kernel.UnmapRegion(Subject, USER_LOWEST, MAXSIZE_T) == STATUS_INVALID_PARAMETER);
    KTEST_CHECK(Kernel.UnmapRegion(Subject, USER_HIGHEST, 1) == STATUS_INVALID_PARAMETER);
    KTEST_CHECK(Kernel.ProtectRegion(Subject, MAXSIZE_T - 1, 2, 0) == STATUS_INVALID_PARAMETER);
    KTEST_CHECK(Kernel.DiscardRegion(Subject, 1, USER_HIGHEST) == STATUS_INVALID_PARAMETER);
    return NULL;
}

/* All there is as one region, of which single pages at its ends and in the middle change. */
static PCSTR WholeRange(VOID)
{
    static const ULONG_PTR Pages[] = {USER_LOWEST, 0x400000000000, USER_HIGHEST - PAGE_SIZE};
    ULONG_PTR Base = USER_LOWEST;
    PS_REGION_INFORMATION Region;
    KTEST_CHECK(Kernel.MapRegion(Subject, &Base, USER_HIGHEST - USER_LOWEST, PS_MAP_FIXED, PS_MEMORY_READ,
                                 NULL, 0, 0, NULL) == STATUS_SUCCESS);
    for (ULONG i = 0; i < RTL_NUMBER_OF(Pages); i++) {
        KTEST_CHECK(Kernel.ProtectRegion(Subject, Pages[i] + PAGE_SIZE - 1, 1, READ_WRITE) == STATUS_SUCCESS);
        KTEST_CHECK(NT_SUCCESS(Kernel.QueryRegion(Subject, Pages[i], &Region)) && Region.Start == Pages[i] &&
                    Region.End == Pages[i] + PAGE_SIZE);
        KTEST_CHECK(Write(Subject, Pages[i] + PAGE_SIZE - sizeof(ULONG64), 1) == STATUS_SUCCESS);
    }
    KTEST_CHECK(Write(Subject, USER_HIGHEST - 4, 1) == STATUS_ACCESS_VIOLATION);
    KTEST_CHECK(Kernel.QueryRegion(Subject, USER_HIGHEST, &Region) == STATUS_INVALID_PARAMETER);
    KTEST_CHECK(Kernel.MapRegion(Subject, &Base, PAGE_SIZE, 0, READ_WRITE, NULL, 0, 0, NULL) ==
                STATUS_NO_MEMORY);
    KTEST_CHECK(Kernel.DiscardRegion(Subject, USER_LOWEST, USER_HIGHEST - USER_LOWEST) == STATUS_SUCCESS);
    KTEST_CHECK(Kernel.UnmapRegion(Subject, 0, USER_HIGHEST) == STATUS_SUCCESS);
    KTEST_CHECK(NT_SUCCESS(Kernel.QueryRegion(Subject, Pages[1], &Region)) && !Region.Mapped &&
                Region.Start == 0 && Region.End == USER_HIGHEST);
    return NULL;
}

/* The lowest and the highest place, also below a limit. */
static PCSTR Places(VOID)
{
    ULONG_PTR Base = 0;
    KTEST_CHECK(Kernel.MapRegion(Subject, &Base, 1, PS_MAP_TOPDOWN, 0, NULL, 0, 0, NULL) == STATUS_SUCCESS &&
                Base == USER_HIGHEST - PAGE_SIZE);
    KTEST_CHECK(Kernel.MapRegion(Subject, &Base, 1, PS_MAP_TOPDOWN, 0, NULL, 0, 0x80000000 + 1, NULL) ==
                    STATUS_SUCCESS &&
                Base == 0x80000000 - PAGE_SIZE);
    Base = 0;
    KTEST_CHECK(Kernel.MapRegion(Subject, &Base, 1, 0, 0, NULL, 0, 0, NULL) == STATUS_SUCCESS &&
                Base == USER_LOWEST);
    Base = USER_HIGHEST - PAGE_SIZE;
    KTEST_CHECK(Kernel.MapRegion(Subject, &Base, 1, 0, 0, NULL, 0, 0, NULL) == STATUS_NO_MEMORY);
    KTEST_CHECK(Kernel.UnmapRegion(Subject, 0, USER_HIGHEST) == STATUS_SUCCESS);
    return NULL;
}

static PCSTR Limits(VOID)
{
    KTEST_CHECK(NT_SUCCESS(MakeProcess(PS_PROCESS_EMPTY, NULL, &Subject)));
    PCSTR Why = BadRanges();
    Why = Why != NULL ? Why : WholeRange();
    Why = Why != NULL ? Why : Places();
    EndProcess(Subject);
    return Why;
}

/* ---- Structured exceptions over user memory ---- */

static const ULONG64 Code = 0xfeeb050f; /* syscall; jmp $ */

static NTSTATUS RunCode(PEPROCESS Process)
{
    PETHREAD Thread;
    KTRAP_FRAME Frame = {.Rip = DATA_ADDRESS};
    PS_SUBSYSTEM_THREAD_ATTRIBUTES Attributes = {.Registers = &Frame};
    NTSTATUS Status = Map(Process, DATA_ADDRESS, 1, 0, NULL);
    if (NT_SUCCESS(Status)) {
        Status = Write(Process, DATA_ADDRESS, Code);
    }
    if (NT_SUCCESS(Status)) {
        Status = Kernel.ProtectRegion(Process, DATA_ADDRESS, PAGE_SIZE, PS_MEMORY_READ | PS_MEMORY_EXECUTE);
    }
    if (NT_SUCCESS(Status)) {
        Status = Kernel.CreateThread(Process, &Attributes, &Thread);
    }
    if (NT_SUCCESS(Status)) {
        Kernel.ResumeThread(Thread, NULL);
        KeWaitForSingleObject(Thread, Executive, KernelMode, FALSE, NULL);
        ObDereferenceObject(Thread);
    }
    return Status;
}

static PCSTR NestedProbes(VOID)
{
    PEPROCESS Process;
    KTEST_CHECK(NT_SUCCESS(MakeProcess(PS_PROCESS_EMPTY, NULL, &Process)));
    NTSTATUS Status = RunCode(Process);
    EndProcess(Process);
    KTEST_CHECK(NT_SUCCESS(Status));
    KTEST_CHECK(Inner == STATUS_ACCESS_VIOLATION);
    KTEST_CHECK(Outer == STATUS_SUCCESS && Words == 2 * Code);
    return NULL;
}

/* ---- Four threads in one space ---- */

#define THREADS 4
#define ROUNDS  600
#define PAGES   64 /* private ones, then as many of a section */
#define STAMP   0x5057000000000000ULL

static PMM_SECTION_HANDLE Shared;
static volatile LONG Damage;

static ULONG Next(PULONG Seed)
{
    *Seed = *Seed * 1664525 + 1013904223;
    return *Seed >> 8;
}

static ULONG_PTR AddressOf(ULONG Page)
{
    return Page < PAGES ? DATA_ADDRESS + Page * PAGE_SIZE : SECTION_ADDRESS + (Page - PAGES) * PAGE_SIZE;
}

/* What is in a page is 0, or the page's own number. A page may be out of reach just now. */
static VOID CheckPage(PEPROCESS Process, ULONG Page)
{
    ULONG64 Word;
    NTSTATUS Status = Kernel.ReadMemory(Process, AddressOf(Page), &Word, sizeof(Word));
    if (NT_SUCCESS(Status) ? Word != 0 && Word != STAMP + Page
                           : Status != STATUS_ACCESS_VIOLATION && Status != STATUS_IN_PAGE_ERROR) {
        InterlockedIncrement(&Damage);
    }
}

/* A clone keeps what it had while its parent goes on. */
static VOID CloneAndCheck(PULONG Seed)
{
    PEPROCESS Process;
    if (!NT_SUCCESS(MakeProcess(PS_PROCESS_CLONE, Subject, &Process))) {
        InterlockedIncrement(&Damage);
        return;
    }
    for (ULONG i = 0; i < 16; i++) {
        ULONG Page = Next(Seed) % (2 * PAGES);
        CheckPage(Process, Page);
        Write(Process, AddressOf(Page), Page < PAGES ? STAMP + Page : 0);
        CheckPage(Process, Page);
    }
    EndProcess(Process);
}

static VOID ChangeRange(PULONG Seed)
{
    ULONG First = Next(Seed) % PAGES, Count = 1 + Next(Seed) % (PAGES - First);
    switch (Next(Seed) % 4) {
    case 0:
        Kernel.UnmapRegion(Subject, AddressOf(First), Count * PAGE_SIZE);
        break;
    case 1:
        Map(Subject, AddressOf(First), Count, 0, NULL);
        break;
    case 2:
        Kernel.DiscardRegion(Subject, AddressOf(First), Count * PAGE_SIZE);
        break;
    default:
        Kernel.ProtectRegion(Subject, AddressOf(First), Count * PAGE_SIZE,
                             Next(Seed) % 2 != 0 ? PS_MEMORY_READ : READ_WRITE);
        break;
    }
}

static VOID ChangeSection(PULONG Seed)
{
    ULONG64 Page = Next(Seed) % PAGES, Word = STAMP + PAGES + Page;
    SIZE_T Done;
    switch (Next(Seed) % 3) {
    case 0:
        Kernel.ResizeSection(Shared, (1 + Next(Seed) % PAGES) * PAGE_SIZE);
        break;
    case 1:
        Kernel.WriteSection(Shared, Page * PAGE_SIZE, &Word, sizeof(Word), &Done);
        break;
    default:
        Map(Subject, SECTION_ADDRESS, PAGES, Next(Seed) % 2 != 0 ? PS_MAP_SHARED : 0, Shared);
        break;
    }
}

static VOID Hammer(PVOID Context)
{
    ULONG Seed = (ULONG)(ULONG_PTR)Context * 12345 + 1;
    for (ULONG Round = 0; Round < ROUNDS; Round++) {
        ULONG Page = Next(&Seed) % (2 * PAGES);
        switch (Next(&Seed) % 16) {
        case 0:
            CloneAndCheck(&Seed);
            break;
        case 1:
        case 2:
            ChangeRange(&Seed);
            break;
        case 3:
        case 4:
            ChangeSection(&Seed);
            break;
        case 5:
        case 6:
        case 7:
        case 8:
            CheckPage(Subject, Page);
            break;
        default:
            Write(Subject, AddressOf(Page), STAMP + Page);
            break;
        }
    }
}

static PCSTR UseOneSpace(VOID)
{
    Damage = 0;
    KTEST_CHECK(NT_SUCCESS(MakeProcess(PS_PROCESS_EMPTY, NULL, &Subject)));
    KTEST_CHECK(NT_SUCCESS(Kernel.CreateSection(PAGES * PAGE_SIZE, &Shared)));
    KTEST_CHECK(NT_SUCCESS(Map(Subject, DATA_ADDRESS, PAGES, 0, NULL)));
    KTEST_CHECK(NT_SUCCESS(Map(Subject, SECTION_ADDRESS, PAGES, PS_MAP_SHARED, Shared)));
    KTEST_CHECK(KtestCrowd(THREADS, Hammer));
    Kernel.DereferenceSection(Shared);
    EndProcess(Subject);
    KTEST_CHECK(Damage == 0);
    return NULL;
}

static PCSTR OneSpace(VOID)
{
    PRIMER_MEMORY Before, After;
    PCSTR Why = UseOneSpace();
    KTEST_CHECK(Why == NULL);
    Settle(&Before);
    Why = UseOneSpace();
    Settle(&After);
    KTEST_CHECK(After.PoolBlocks == Before.PoolBlocks && After.PoolBytes == Before.PoolBytes);
    KTEST_CHECK(After.FreePages == Before.FreePages);
    return Why;
}

/* ---- Sections that a file system keeps its files in ---- */

static const IO_ARCHIVE_FILE *LargeFile(VOID)
{
    const IO_ARCHIVE_FILE *File = Kernel.FirstFile("root/bin/");
    while (File != NULL && File->Size < 10 * PAGE_SIZE) {
        File = Kernel.NextFile(File, "root/bin/");
    }
    return File;
}

/* A page that is written leaves the bytes below alone, and is the only one that costs a frame; a private
   mapping sees the bytes in place, a shared one sees what is written. */
static PCSTR WritePages(PMM_SECTION_HANDLE Section, const IO_ARCHIVE_FILE *File)
{
    ULONG64 Word = 0, Data = 0, Hole = 0, Original = *(const ULONG64 *)(File->Data + 3 * PAGE_SIZE);
    PVOID Page, Same;
    SIZE_T Done;

    KTEST_CHECK(Kernel.QuerySection(Section, 0, NULL, NULL) == 0);
    KTEST_CHECK(NT_SUCCESS(Kernel.PinSectionPage(Section, 3 * PAGE_SIZE, PS_PIN_WRITE, &Page)) && Page == NULL);
    KTEST_CHECK(NT_SUCCESS(Kernel.PinSectionPage(Section, 3 * PAGE_SIZE, 0, &Page)) && Page != NULL);
    KTEST_CHECK(RtlEqualMemory(Page, File->Data + 3 * PAGE_SIZE, PAGE_SIZE));
    Kernel.UnpinSectionPage(Page);
    KTEST_CHECK(NT_SUCCESS(Map(Subject, DATA_ADDRESS, 8, 0, Section)));
    KTEST_CHECK(NT_SUCCESS(Map(Subject, SECTION_ADDRESS, 8, PS_MAP_SHARED, Section)));
    KTEST_CHECK(NT_SUCCESS(Kernel.ReadMemory(Subject, DATA_ADDRESS + 3 * PAGE_SIZE, &Word, sizeof(Word))) && Word == Original);
    KTEST_CHECK(Kernel.QuerySection(Section, 0, NULL, NULL) == 0);
    KTEST_CHECK(NT_SUCCESS(Kernel.ReadMemory(Subject, SECTION_ADDRESS + 3 * PAGE_SIZE, &Word, sizeof(Word))) && Word == Original);
    KTEST_CHECK(Kernel.QuerySection(Section, 0, NULL, NULL) == 1);
    Word = ~Original;
    KTEST_CHECK(NT_SUCCESS(Kernel.WriteSection(Section, 3 * PAGE_SIZE, &Word, sizeof(Word), &Done)) && Done == sizeof(Word));
    KTEST_CHECK(NT_SUCCESS(Kernel.ReadMemory(Subject, SECTION_ADDRESS + 3 * PAGE_SIZE, &Word, sizeof(Word))) && Word == ~Original);
    KTEST_CHECK(*(const ULONG64 *)(File->Data + 3 * PAGE_SIZE) == Original);
    KTEST_CHECK(NT_SUCCESS(Kernel.PinSectionPage(Section, 3 * PAGE_SIZE, PS_PIN_WRITE, &Page)) && Page != NULL);
    KTEST_CHECK(*(ULONG64 *)Page == ~Original);

    /* What is pinned stays when the section shrinks; what was cut off comes back as zeros. */
    KTEST_CHECK(NT_SUCCESS(Kernel.ResizeSection(Section, 2 * PAGE_SIZE + 8)));
    KTEST_CHECK(*(ULONG64 *)Page == ~Original);
    KTEST_CHECK(Kernel.PinSectionPage(Section, 3 * PAGE_SIZE, 0, &Same) == STATUS_IN_PAGE_ERROR);
    KTEST_CHECK(Kernel.ReadMemory(Subject, SECTION_ADDRESS + 3 * PAGE_SIZE, &Word, sizeof(Word)) == STATUS_IN_PAGE_ERROR);
    KTEST_CHECK(NT_SUCCESS(Kernel.ResizeSection(Section, 100 * PAGE_SIZE)));
    KTEST_CHECK(NT_SUCCESS(Kernel.ReadSection(Section, 2 * PAGE_SIZE + 8, &Word, sizeof(Word), &Done)) && Word == 0);
    KTEST_CHECK(NT_SUCCESS(Kernel.ReadMemory(Subject, SECTION_ADDRESS + 3 * PAGE_SIZE, &Word, sizeof(Word))) && Word == 0);
    Kernel.UnpinSectionPage(Page);

    KTEST_CHECK(NT_SUCCESS(Kernel.WriteSection(Section, 50 * PAGE_SIZE, &Word, sizeof(Word), &Done)));
    Kernel.QuerySection(Section, 10 * PAGE_SIZE, &Data, &Hole);
    KTEST_CHECK(Data == 50 * PAGE_SIZE && Hole == 10 * PAGE_SIZE);
    Kernel.QuerySection(Section, 50 * PAGE_SIZE + 5, &Data, &Hole);
    KTEST_CHECK(Data == 50 * PAGE_SIZE && Hole == 51 * PAGE_SIZE);
    KTEST_CHECK(Kernel.PinSectionPage(Section, 100 * PAGE_SIZE, PS_PIN_WRITE | PS_PIN_MAKE, &Page) == STATUS_IN_PAGE_ERROR);
    return NULL;
}

static volatile LONG GoneCount;

static VOID Gone(PVOID Context)
{
    InterlockedAdd(&GoneCount, *(PLONG)Context);
}

/* The owner of a retired section is told when the last mapping has gone, and not before. */
static PCSTR UseFileSection(VOID)
{
    static LONG One = 1;
    PMM_SECTION_HANDLE Section, Other;
    PVOID Page;
    const IO_ARCHIVE_FILE *File = LargeFile();

    KTEST_CHECK(File != NULL && NT_SUCCESS(MakeProcess(PS_PROCESS_EMPTY, NULL, &Subject)));
    KTEST_CHECK(NT_SUCCESS(Kernel.CreateFileSection(File->Data, File->Size, &Section)));
    KTEST_CHECK(NT_SUCCESS(Kernel.CreateDataSection(File->Data, File->Size, &Other)));
    KTEST_CHECK(Kernel.PinSectionPage(Other, 0, PS_PIN_WRITE, &Page) == STATUS_ACCESS_DENIED);
    KTEST_CHECK(Kernel.ResizeSection(Other, PAGE_SIZE) == STATUS_INVALID_PARAMETER);
    Kernel.DereferenceSection(Other);
    PCSTR Why = WritePages(Section, File);
    LONG Before = GoneCount;
    Kernel.RetireSection(Section, Gone, &One);
    KTEST_CHECK(GoneCount == Before);
    Kernel.UnmapRegion(Subject, DATA_ADDRESS, 8 * PAGE_SIZE);
    KTEST_CHECK(GoneCount == Before);
    EndProcess(Subject);
    KTEST_CHECK(GoneCount == Before + 1);
    return Why;
}

static PCSTR FileSections(VOID)
{
    PRIMER_MEMORY Before, After;
    PCSTR Why = UseFileSection();
    KTEST_CHECK(Why == NULL);
    Settle(&Before);
    Why = UseFileSection();
    Settle(&After);
    KTEST_CHECK(After.PoolBlocks == Before.PoolBlocks && After.PoolBytes == Before.PoolBytes);
    KTEST_CHECK(After.FreePages == Before.FreePages);
    return Why;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    NTSTATUS Status = PsRegisterSubsystemProvider(&Table, &Kernel, &Provider);
    if (NT_SUCCESS(Status)) {
        Status = MakeSubject();
    }
    if (!NT_SUCCESS(Status)) {
        DbgPrint("@fail memory.start: %08x\n", Status);
        return Status;
    }
    FailAll();
    EndProcess(Subject);
    KtestRun("memory.fails-handle-table", HandleTable);
    KtestRun("memory.limits", Limits);
    KtestRun("memory.nested-probes", NestedProbes);
    KtestRun("memory.one-space", OneSpace);
    KtestRun("memory.file-sections", FileSections);
    PsUnregisterSubsystemProvider(Provider, TRUE);
    return STATUS_SUCCESS;
}
