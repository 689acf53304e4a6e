/* SPDX-License-Identifier: MIT */
/*
 * The system-call boundary. Whatever a program puts into registers, on its stack and behind its pointers, the
 * kernel answers with a status and goes on. `syscalls SEED` repeats the random part.
 */
#include "../test.h"
#include "../usage.h"
#include "../child/child.h"

static ULONG64 Seed;

/* ---- Numbers ---- */

/* A number beyond the table, near or far, negative or with high bits, is refused. */
static VOID UnknownNumbers(VOID)
{
    static const ULONG64 Numbers[] = {NT_SERVICE_COUNT, NT_SERVICE_COUNT + 1, 0xFFF,      0x1000,
                                      0x7FFFFFFF,       0x80000000,           0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF};
    const ULONG64 Arguments[RAW_ARGUMENTS] = {0};
    for (ULONG i = 0; i < RTL_NUMBER_OF(Numbers); i++) {
        CHECK_STATUS(RawCall(Numbers[i], Arguments, 0, 0), STATUS_INVALID_SYSTEM_SERVICE);
    }
}

/* ---- Pointers ---- */

static ULONG HandleCount(VOID)
{
    ULONG Count = 0;
    NtQueryInformationProcess(NtCurrentProcess(), ProcessHandleCount, &Count, sizeof(Count), NULL);
    return Count;
}

/* A result that cannot be delivered is an access violation, and what was made for it goes again. */
static VOID BadOutputPointers(VOID)
{
    ULONG Handles = HandleCount();
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Boot\\native\\child");
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Io;
    HANDLE File;
    InitializeObjectAttributes(&Attributes, &Name, 0, NULL, NULL);
    for (ULONG i = 0; i < RTL_NUMBER_OF(BadAddresses); i++) {
        PVOID Bad = (PVOID)BadAddresses[i];
        CHECK_STATUS(NtQuerySystemTime(Bad), STATUS_ACCESS_VIOLATION);
        CHECK_STATUS(NtCreateEvent(Bad, EVENT_ALL_ACCESS, NULL, NotificationEvent, FALSE),
                     STATUS_ACCESS_VIOLATION);
        CHECK_STATUS(NtOpenFile(Bad, GENERIC_READ, &Attributes, &Io, 0, 0), STATUS_ACCESS_VIOLATION);
        CHECK_STATUS(NtOpenFile(&File, GENERIC_READ, &Attributes, Bad, 0, 0), STATUS_ACCESS_VIOLATION);
        CHECK_STATUS(
            NtQuerySystemInformation(SystemBasicInformation, Bad, sizeof(SYSTEM_BASIC_INFORMATION), NULL),
            STATUS_ACCESS_VIOLATION);
        CHECK_STATUS(NtQueryInformationProcess(NtCurrentProcess(), ProcessBasicInformation, Bad,
                                               sizeof(PROCESS_BASIC_INFORMATION), NULL),
                     STATUS_ACCESS_VIOLATION);
    }
    CHECK_EQUAL(HandleCount(), Handles);
}

static VOID BadInputPointers(VOID)
{
    HANDLE Event;
    for (ULONG i = 0; i < RTL_NUMBER_OF(BadAddresses); i++) {
        PVOID Bad = (PVOID)BadAddresses[i];
        UNICODE_STRING String = {8, 8, Bad};
        CHECK_STATUS(NtDisplayString(&String), STATUS_ACCESS_VIOLATION);
        CHECK_STATUS(NtDelayExecution(FALSE, Bad), STATUS_ACCESS_VIOLATION);
        CHECK_STATUS(NtLoadDriver(&String), STATUS_ACCESS_VIOLATION);
        if (Bad != NULL) { /* there, NULL means "none" */
            CHECK_STATUS(NtDisplayString(Bad), STATUS_ACCESS_VIOLATION);
            CHECK_STATUS(NtCreateEvent(&Event, EVENT_ALL_ACCESS, Bad, NotificationEvent, FALSE),
                         STATUS_ACCESS_VIOLATION);
        }
    }
}

/* Text that the kernel reads from a wild place must not be what it reads from its own memory: a range that
   starts in user space and ends beyond it, or whose length makes the address wrap around. */
static VOID WrappingRanges(VOID)
{
    SIZE_T Done;
    UCHAR Byte = 0;
    CHECK_STATUS(NtReadVirtualMemory(NtCurrentProcess(), &Byte, (PVOID)ADDRESS_KERNEL, 1, &Done),
                 STATUS_ACCESS_VIOLATION);
    CHECK(!NT_SUCCESS(NtReadVirtualMemory(NtCurrentProcess(), (PVOID)ADDRESS_KERNEL, &Byte, 1, &Done)) &&
          Byte == 0);
    CHECK(!NT_SUCCESS(NtWriteVirtualMemory(NtCurrentProcess(), (PVOID)ADDRESS_KERNEL, &Byte, 1, &Done)));
    CHECK(!NT_SUCCESS(NtReadVirtualMemory(NtCurrentProcess(), &Byte, &Byte, MAXSIZE_T, &Done)));
    CHECK(!NT_SUCCESS(NtWriteVirtualMemory(NtCurrentProcess(), &Byte, &Byte, MAXSIZE_T - 0xFFF, &Done)));
}

/* ---- The stack ---- */

/* Arguments beyond the sixth are read from the user's stack: where there is none, the call fails. */
static VOID BadStackPointers(VOID)
{
    const ULONG64 Arguments[RAW_ARGUMENTS] = {0};
    for (ULONG i = 0; i < RTL_NUMBER_OF(BadAddresses); i++) {
        if (BadAddresses[i] != 0) {
            CHECK_STATUS(RawCall(NumberNtWriteFile, Arguments, BadAddresses[i], 0), STATUS_ACCESS_VIOLATION);
            CHECK_STATUS(RawCall(NumberNtNull, Arguments, BadAddresses[i], 0), STATUS_SUCCESS);
        }
    }
}

/* ---- Registers ---- */

/* Direction, alignment check and nested task set by the program: the kernel must not run with them. */
static VOID HostileFlags(VOID)
{
    static const ULONG64 Flags[] = {0x400, 0x40000, 0x4000, 0x44400};
    SYSTEM_BASIC_INFORMATION Basic;
    const ULONG64 Arguments[RAW_ARGUMENTS] = {SystemBasicInformation, (ULONG64)&Basic, sizeof(Basic)};
    for (ULONG i = 0; i < RTL_NUMBER_OF(Flags); i++) {
        memset(&Basic, 0, sizeof(Basic));
        CHECK_STATUS(RawCall(NumberNtQuerySystemInformation, Arguments, 0, Flags[i]), STATUS_SUCCESS);
        CHECK_EQUAL(Basic.PageSize, PAGE_SIZE);
    }
}

/* Registers other than RAX, RCX and R11 come back as they went in: none carries a value of the kernel's out.
   */
static VOID RegistersComeBack(VOID)
{
    ULONG64 Values[8];
    register ULONG64 R10 __asm__("r10") = 110;
    register ULONG64 R8 __asm__("r8") = 108;
    register ULONG64 R9 __asm__("r9") = 109;
    register ULONG64 R12 __asm__("r12") = 112;
    register ULONG64 R15 __asm__("r15") = 115;
    ULONG64 Rax = NumberNtYieldExecution, Rdi = 101, Rsi = 102, Rdx = 103;
    __asm__ volatile("syscall"
                     : "+a"(Rax), "+D"(Rdi), "+S"(Rsi), "+d"(Rdx), "+r"(R10), "+r"(R8), "+r"(R9), "+r"(R12),
                       "+r"(R15)
                     :
                     : "rcx", "r11", "memory");
    Values[0] = Rdi, Values[1] = Rsi, Values[2] = Rdx, Values[3] = R10, Values[4] = R8, Values[5] = R9;
    Values[6] = R12, Values[7] = R15;
    static const ULONG64 Expected[8] = {101, 102, 103, 110, 108, 109, 112, 115};
    for (ULONG i = 0; i < 8; i++) {
        CHECK_EQUAL(Values[i], Expected[i]);
    }
}

/* ---- Handles ---- */

#define PROTECT_CLOSE 1 /* attribute of a handle */

static VOID BadHandles(VOID)
{
    static const ULONG64 Handles[] = {
        0, 0x7FFC, 0x7FFFFFFC, 0xFFFFFFFF80000004, 0xFFFFFFFF80000008, 0xFFFFFFFFFFFFFFF8};
    for (ULONG i = 0; i < RTL_NUMBER_OF(Handles); i++) {
        HANDLE Bad = (HANDLE)Handles[i];
        CHECK_STATUS(NtClose(Bad), STATUS_INVALID_HANDLE);
        CHECK_STATUS(NtSetEvent(Bad, NULL), STATUS_INVALID_HANDLE);
        CHECK_STATUS(NtWaitForSingleObject(Bad, FALSE, NULL), STATUS_INVALID_HANDLE);
        CHECK_STATUS(NtTerminateProcess(Bad == NULL ? (HANDLE)0x7FFC : Bad, 0), STATUS_INVALID_HANDLE);
    }
}

static VOID HandlesOfOtherTypes(VOID)
{
    HANDLE Event;
    CHECK_SUCCESS(NtCreateEvent(&Event, EVENT_ALL_ACCESS, NULL, NotificationEvent, FALSE));
    CHECK_STATUS(NtSetEvent(NtCurrentProcess(), NULL), STATUS_OBJECT_TYPE_MISMATCH);
    CHECK_STATUS(NtTerminateProcess(Event, 0), STATUS_OBJECT_TYPE_MISMATCH);
    CHECK_STATUS(NtSuspendThread(Event, NULL), STATUS_OBJECT_TYPE_MISMATCH);
    CHECK_SUCCESS(NtClose(Event));
    CHECK_STATUS(NtClose(Event), STATUS_INVALID_HANDLE);
}

/* A handle that is protected from being closed stays; a second one that cannot be delivered goes again all
   the same. */
static VOID ProtectedHandles(VOID)
{
    HANDLE Event, Protected;
    OBJECT_ATTRIBUTES Attributes;
    CHECK_SUCCESS(NtCreateEvent(&Event, EVENT_ALL_ACCESS, NULL, NotificationEvent, FALSE));
    CHECK_SUCCESS(NtDuplicateObject(NtCurrentProcess(), Event, NtCurrentProcess(), &Protected, 0, PROTECT_CLOSE,
                                    DUPLICATE_SAME_ACCESS));
    CHECK_STATUS(NtClose(Protected), STATUS_HANDLE_NOT_CLOSABLE);
    CHECK_SUCCESS(NtSetEvent(Protected, NULL));

    ULONG Handles = HandleCount();
    CHECK_STATUS(NtDuplicateObject(NtCurrentProcess(), Protected, NtCurrentProcess(), (PVOID)ADDRESS_KERNEL, 0, 0,
                                   DUPLICATE_SAME_ACCESS | DUPLICATE_SAME_ATTRIBUTES),
                 STATUS_ACCESS_VIOLATION);
    InitializeObjectAttributes(&Attributes, NULL, PROTECT_CLOSE, NULL, NULL);
    CHECK_STATUS(NtCreateEvent(&Event, EVENT_ALL_ACCESS, &Attributes, NotificationEvent, FALSE),
                 STATUS_INVALID_PARAMETER); /* no attribute of an object */
    CHECK_EQUAL(HandleCount(), Handles);
}

/* Rights that a handle was opened without are not there. */
static VOID MissingRights(VOID)
{
    HANDLE Event;
    CHECK_SUCCESS(NtCreateEvent(&Event, SYNCHRONIZE, NULL, NotificationEvent, TRUE));
    CHECK_STATUS(NtSetEvent(Event, NULL), STATUS_ACCESS_DENIED);
    CHECK_SUCCESS(NtWaitForSingleObject(Event, FALSE, NULL));
    CHECK_SUCCESS(NtClose(Event));
}

/* ---- Files ---- */

#define OPENS(Text, Access) Opens((UNICODE_STRING)RTL_CONSTANT_STRING(Text), Access)

static NTSTATUS Opens(UNICODE_STRING Name, ACCESS_MASK Access)
{
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Io;
    HANDLE File;
    InitializeObjectAttributes(&Attributes, &Name, 0, NULL, NULL);
    NTSTATUS Status = NtOpenFile(&File, Access, &Attributes, &Io, 0, 0);
    if (NT_SUCCESS(Status)) {
        NtClose(File);
    }
    return Status;
}

/* Names are matched exactly, to their last character. */
static VOID FileNames(VOID)
{
    CHECK_SUCCESS(OPENS(L"\\Boot", GENERIC_READ));
    CHECK_SUCCESS(OPENS(L"\\Boot\\", GENERIC_READ));
    CHECK_SUCCESS(OPENS(L"\\Boot\\native\\", GENERIC_READ));
    CHECK_SUCCESS(OPENS(L"\\Boot\\native\\init", GENERIC_READ));
    CHECK_SUCCESS(OPENS(L"\\Console\\Error", GENERIC_WRITE));
    CHECK_STATUS(OPENS(L"\\Console\\Error", GENERIC_READ), STATUS_ACCESS_DENIED);
    CHECK_STATUS(OPENS(L"\\Console\\Input", GENERIC_ALL), STATUS_ACCESS_DENIED);
    CHECK_STATUS(OPENS(L"\\Console", GENERIC_READ), STATUS_OBJECT_NAME_NOT_FOUND);
    CHECK_STATUS(OPENS(L"\\Boot\\native\\init", GENERIC_WRITE), STATUS_MEDIA_WRITE_PROTECTED);
    CHECK_STATUS(OPENS(L"\\Boot\\native\\\\init", GENERIC_READ), STATUS_OBJECT_NAME_NOT_FOUND);
    CHECK_STATUS(OPENS(L"\\Boot\\native\\ini", GENERIC_WRITE), STATUS_OBJECT_NAME_NOT_FOUND);
    CHECK_STATUS(OPENS(L"\\Bootnative", GENERIC_READ), STATUS_OBJECT_NAME_NOT_FOUND);
    CHECK_STATUS(OPENS(L"\\Boot\\native\\init\0x", GENERIC_READ), STATUS_OBJECT_NAME_INVALID);
    CHECK_STATUS(OPENS(L"\\\0x", GENERIC_READ), STATUS_OBJECT_NAME_NOT_FOUND);
    CHECK_STATUS(OPENS(L"\\Boot\\\xD800", GENERIC_READ), STATUS_OBJECT_NAME_INVALID);
    CHECK_STATUS(OPENS(L"Boot\\native", GENERIC_READ), STATUS_OBJECT_PATH_SYNTAX_BAD);
    CHECK_STATUS(OPENS(L"\\", GENERIC_READ), STATUS_OBJECT_TYPE_MISMATCH);
}

static ULONG FolderNames, FolderFound, FolderDeep;

static VOID NoteName(PVOID Wanted, PCSTR Name)
{
    FolderNames++;
    FolderFound += strcmp(Name, Wanted) == 0;
    FolderDeep += strchr(Name, '/') != NULL || strchr(Name, '\\') != NULL;
}

/* A folder has its own children, each once, and nothing of its neighbours. */
static VOID Folders(VOID)
{
    static const struct {
        PCSTR Path, Child;
    } Cases[] = {{"\\Boot", "native"}, {"\\Boot\\native", "child"}, {"\\Boot\\native", "init"}};
    for (ULONG i = 0; i < RTL_NUMBER_OF(Cases); i++) {
        FolderNames = FolderFound = FolderDeep = 0;
        CHECK_SUCCESS(ListFolder(Cases[i].Path, NoteName, (PVOID)Cases[i].Child));
        CHECK_EQUAL(FolderFound, 1);
        CHECK_EQUAL(FolderDeep, 0);
        CHECK(FolderNames > 1);
    }
}

/* ---- Everything at once ---- */

#define WILD_CHILDREN 4
#define WILD_CALLS    "1500"

static PWILD_REPORT Report;

/* Where the children count their calls, and tell what no service may tell. */
static NTSTATUS MakeReport(VOID)
{
    static WCHAR Text[] = WILD_REPORT;
    LARGE_INTEGER Maximum = {.QuadPart = sizeof(WILD_REPORT_DATA)};
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Attributes;
    HANDLE Section;
    SIZE_T Size = 0;
    RtlInitUnicodeString(&Name, Text);
    InitializeObjectAttributes(&Attributes, &Name, 0, NULL, NULL);
    NTSTATUS Status =
        NtCreateSection(&Section, SECTION_ALL_ACCESS, &Attributes, &Maximum, PAGE_READWRITE, SEC_COMMIT, NULL);
    return NT_SUCCESS(Status) ? NtMapViewOfSection(Section, NtCurrentProcess(), (PVOID *)&Report, 0, 0, NULL, &Size,
                                                   ViewUnmap, 0, PAGE_READWRITE)
                              : Status; /* the handle stays open: the name goes with it */
}

static NTSTATUS RunWildChild(ULONG64 ChildSeed)
{
    HANDLE Process;
    char Text[24];
    FormatText(Text, sizeof(Text), "%I64u", ChildSeed);
    NTSTATUS Status = StartChild(&Process, "wild", Text, WILD_CALLS);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (WaitFor(Process, 20000) == STATUS_TIMEOUT) {
        NtTerminateProcess(Process, STATUS_TIMEOUT);
        Status = WaitFor(Process, 20000);
    }
    Log("syscalls: wild child with seed %I64u ended with 0x%08X", ChildSeed, WaitForProcess(Process));
    NtClose(Process);
    Print("\n"); /* the child may have left a line open */
    return Status;
}

/* What a program has touched of its file stays in memory: the wild children may start these, too. */
static NTSTATUS TouchOtherPrograms(VOID)
{
    char *Arguments[] = {"true", NULL};
    HANDLE Native, Other;
    NTSTATUS Status = StartNative("nop", 1, Arguments, 0, &Native, NULL);
    if (NT_SUCCESS(Status)) {
        Status = WaitFor(Native, 20000);
        NtClose(Native);
    }
    /* The provider may not be there, nor its program. */
    if (NT_SUCCESS(StartSubsystem(DEFAULT_SUBSYSTEM, "true", 1, Arguments, &Other))) {
        Status = WaitFor(Other, 20000);
        NtClose(Other);
    }
    return Status;
}

/* Page tables for the pool's largest blocks stay once they are there, and a wild child may ask for such a
   block: the largest that can be had, for a request with a buffered answer that no driver gives. */
static NTSTATUS LetPoolTablesGrow(VOID)
{
    NTSTATUS Status = STATUS_INSUFFICIENT_RESOURCES;
    IO_STATUS_BLOCK Io;
    HANDLE File;
    static char Answer[1];
    if (!NT_SUCCESS(OpenPath("\\Boot\\native\\child", GENERIC_READ, &File))) {
        return STATUS_UNSUCCESSFUL;
    }
    for (ULONG Length = 0xffff0000; Status == STATUS_INSUFFICIENT_RESOURCES; Length -= Length / 64) {
        Status = NtDeviceIoControlFile(File, NULL, NULL, NULL, &Io, CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS),
                                       NULL, 0, Answer, Length);
    }
    NtClose(File);
    return Status == STATUS_INVALID_DEVICE_REQUEST ? STATUS_SUCCESS : Status;
}

static ULONG64 WildWanted; /* calls; 0: a few children */

/* Children with eight wild threads each, one after the other. How they end does not matter; that the machine
   is still there does, that it has all of its memory back, and that nobody was told a kernel address. A wild
   child may have hundreds of threads. */
static VOID WildValues(VOID)
{
    CHECK_SUCCESS(MakeReport());
    CHECK_SUCCESS(LetTablesGrow(MOST_AT_ONCE));
    CHECK_SUCCESS(LetPoolTablesGrow());
    CHECK_SUCCESS(TouchOtherPrograms());
    CHECK_SUCCESS(RunWildChild(Seed));
    SYSTEM_MEMORY_USAGE After, Before = Usage();
    for (ULONG i = 1; i < WILD_CHILDREN || (ULONG64)Report->Calls < WildWanted; i++) {
        CHECK_SUCCESS(RunWildChild(Seed + i));
    }
    Log("syscalls: %I64d wild calls", Report->Calls);
    CHECK(Report->Calls > 0);
    if (Report->KernelAddress != 0) {
        FAIL("service %I64d told %I64x", Report->Service, Report->KernelAddress);
    }
    After = Usage();
    ReportUsage("syscalls: wild children", &Before, &After);
    CHECK(IsBack(&Before, &After));
}

static const TEST Tests[] = {
    {"syscalls.unknown-numbers", UnknownNumbers},
    {"syscalls.bad-output-pointers", BadOutputPointers},
    {"syscalls.bad-input-pointers", BadInputPointers},
    {"syscalls.wrapping-ranges", WrappingRanges},
    {"syscalls.bad-stack-pointers", BadStackPointers},
    {"syscalls.hostile-flags", HostileFlags},
    {"syscalls.registers-come-back", RegistersComeBack},
    {"syscalls.bad-handles", BadHandles},
    {"syscalls.handles-of-other-types", HandlesOfOtherTypes},
    {"syscalls.protected-handles", ProtectedHandles},
    {"syscalls.missing-rights", MissingRights},
    {"syscalls.file-names", FileNames},
    {"syscalls.folders", Folders},
    {"syscalls.wild-values", WildValues},
};

int main(int argc, char **argv)
{
    ULONG ConsoleMode;
    NTSTATUS Saved = NtSetConsoleMode(IO_CONSOLE_LINE, &ConsoleMode);
    Seed = argc > 1 ? ParseNumber(argv[1]) : __builtin_ia32_rdtsc() % 1000000;
    WildWanted = argc > 2 ? ParseNumber(argv[2]) : 0;
    Log("syscalls: seed %I64u (repeat: syscalls %I64u)", Seed, Seed);
    int Status = RunTests(Tests, RTL_NUMBER_OF(Tests));
    if (NT_SUCCESS(Saved)) {
        NtSetConsoleMode(ConsoleMode, NULL); /* the wild children may have changed it */
    }
    return Status;
}
