/* SPDX-License-Identifier: MIT */
/*
 * A program that talks to the test driver (tests/kernel/devices): opening by its link, rights, data, hostile
 * buffers, requests that are held and cancelled in every way, and a driver that is to be unloaded while its
 * files are open.
 *
 *      devices              the tests
 *      devices hold         opens, leaves two requests pending, and waits: another process ends it
 */
#include "../../kernel/devices/control.h"
#include "../test.h"

static NTSTATUS OpenAs(PHANDLE File, PCWSTR Path, ACCESS_MASK Access, ULONG Options)
{
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Io;
    RtlInitUnicodeString(&Name, Path);
    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    return NtCreateFile(File, Access, &Attributes, &Io, NULL, 0, 0, FILE_OPEN, Options, NULL, 0);
}

static NTSTATUS Open(PHANDLE File)
{
    return OpenAs(File, DEVICES_LINK, GENERIC_READ | GENERIC_WRITE, FILE_SYNCHRONOUS_IO_NONALERT);
}

static NTSTATUS Ask(HANDLE File, ULONG Code, PVOID Input, ULONG InputLength, PVOID Output, ULONG OutputLength, PIO_STATUS_BLOCK Io)
{
    return NtDeviceIoControlFile(File, NULL, NULL, NULL, Io, Code, Input, InputLength, Output, OutputLength);
}

static DEVICES_COUNTS Counts(VOID)
{
    DEVICES_COUNTS Answer = {0};
    IO_STATUS_BLOCK Io;
    HANDLE File;
    if (NT_SUCCESS(Open(&File))) {
        Ask(File, IOCTL_COUNTS, NULL, 0, &Answer, sizeof(Answer), &Io);
        NtClose(File);
    }
    return Answer;
}

/* Waits until the driver holds so many requests. */
static VOID AwaitHeld(LONG Count)
{
    while (Counts().Held != Count) {
        Sleep(1);
    }
}

static ULONG_PTR Release(VOID)
{
    IO_STATUS_BLOCK Io = {0};
    HANDLE File;
    if (NT_SUCCESS(Open(&File))) {
        Ask(File, IOCTL_RELEASE, NULL, 0, NULL, 0, &Io);
        NtClose(File);
    }
    return Io.Information;
}

/* ---- Data and rights ---- */

static VOID DataAndRights(VOID)
{
    char Text[8] = "hello", Back[8] = "";
    IO_STATUS_BLOCK Io;
    HANDLE File, Weak, Event;
    ULONG Id = 0;
    CHECK_SUCCESS(Open(&File));
    CHECK_SUCCESS(NtWriteFile(File, NULL, NULL, NULL, &Io, Text, 6, NULL, NULL));
    CHECK_EQUAL(Io.Information, 6);
    CHECK_SUCCESS(NtReadFile(File, NULL, NULL, NULL, &Io, Back, 8, NULL, NULL));
    CHECK(Io.Information == 6 && strcmp(Back, "hello") == 0);
    CHECK_SUCCESS(NtCreateEvent(&Event, EVENT_ALL_ACCESS, NULL, NotificationEvent, FALSE));
    Back[0] = 0;
    CHECK_SUCCESS(NtDeviceIoControlFile(File, Event, NULL, NULL, &Io, IOCTL_ECHO, Text, 6, Back, 6));
    CHECK(Back[0] == 'h');
    CHECK_SUCCESS(NtWaitForSingleObject(Event, FALSE, NULL));
    CHECK_SUCCESS(Ask(File, IOCTL_WHO, NULL, 0, &Id, sizeof(Id), &Io));
    CHECK_EQUAL(Id, (ULONG_PTR)NtCurrentTeb()->ClientId.UniqueProcess);
    CHECK_SUCCESS(Ask(File, IOCTL_GUARDED, NULL, 0, NULL, 0, &Io));

    CHECK_SUCCESS(OpenAs(&Weak, DEVICES_LINK, GENERIC_READ, FILE_SYNCHRONOUS_IO_NONALERT));
    CHECK_STATUS(NtWriteFile(Weak, NULL, NULL, NULL, &Io, Text, 6, NULL, NULL), STATUS_ACCESS_DENIED);
    CHECK_STATUS(Ask(Weak, IOCTL_GUARDED, NULL, 0, NULL, 0, &Io), STATUS_ACCESS_DENIED);
    CHECK_SUCCESS(Ask(Weak, IOCTL_ECHO, Text, 6, Back, 6, &Io));
    NtClose(Weak);
    NtClose(Event);
    NtClose(File);
}

static VOID Names(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(DEVICES_LINK), Relative = RTL_CONSTANT_STRING(L"init");
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Io;
    FILE_STANDARD_INFORMATION Standard;
    HANDLE File, Folder;
    CHECK_STATUS(OpenAs(&File, L"\\Device\\Nothing", GENERIC_READ, 0), STATUS_OBJECT_NAME_NOT_FOUND);
    CHECK_STATUS(OpenAs(&File, L"\\Device\\Devices\\nothing", GENERIC_READ, 0), STATUS_OBJECT_NAME_NOT_FOUND);
    CHECK_STATUS(OpenAs(&File, L"\\Device", GENERIC_READ, 0), STATUS_OBJECT_TYPE_MISMATCH);
    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    CHECK_STATUS(NtOpenEvent(&File, EVENT_ALL_ACCESS, &Attributes), STATUS_OBJECT_TYPE_MISMATCH);
    CHECK_STATUS(NtCreateFile(&File, GENERIC_READ, &Attributes, &Io, NULL, 0, 0, FILE_OPEN, 0, &Io, 8), STATUS_NOT_IMPLEMENTED);
    /* relative to an open file: what its driver makes of it */
    CHECK_SUCCESS(OpenAs(&Folder, L"\\Boot\\native", GENERIC_READ, FILE_SYNCHRONOUS_IO_NONALERT | FILE_DIRECTORY_FILE));
    InitializeObjectAttributes(&Attributes, &Relative, 0, Folder, NULL);
    CHECK_SUCCESS(NtOpenFile(&File, GENERIC_READ, &Attributes, &Io, 0, FILE_NON_DIRECTORY_FILE));
    CHECK_SUCCESS(NtQueryInformationFile(File, &Io, &Standard, sizeof(Standard), FileStandardInformation));
    CHECK(!Standard.Directory && Standard.EndOfFile.QuadPart != 0);
    NtClose(File);
    CHECK_STATUS(NtOpenFile(&File, GENERIC_READ, &Attributes, &Io, 0, FILE_DIRECTORY_FILE), STATUS_NOT_A_DIRECTORY);
    NtClose(Folder);
}

/* ---- Hostile buffers ---- */

static VOID BadBuffers(VOID)
{
    static const ULONG_PTR Addresses[] = {0, 1, 0x7ffffffff000, 0x800000000000, 0xffff800000000000, 0xffffffffffffffff};
    ULONG Value = 1, Answer;
    IO_STATUS_BLOCK Io;
    HANDLE File;
    CHECK_SUCCESS(Open(&File));
    for (ULONG i = 0; i < RTL_NUMBER_OF(Addresses); i++) {
        PVOID Bad = (PVOID)Addresses[i];
        CHECK_STATUS(Ask(File, IOCTL_ECHO, Bad, 4, &Answer, 4, &Io), STATUS_ACCESS_VIOLATION);
        CHECK_STATUS(Ask(File, IOCTL_ECHO, &Value, 4, Bad, 4, &Io), STATUS_ACCESS_VIOLATION);
        CHECK_STATUS(Ask(File, IOCTL_ECHO, &Value, 4, &Answer, 4, Bad), STATUS_ACCESS_VIOLATION);
        CHECK_STATUS(Ask(File, IOCTL_RAW, Bad, 4, &Answer, 4, &Io), Addresses[i] % 4 != 0 ? STATUS_DATATYPE_MISALIGNMENT : STATUS_ACCESS_VIOLATION);
        CHECK_STATUS(NtReadFile(File, NULL, NULL, NULL, &Io, Bad, 8, NULL, NULL), STATUS_ACCESS_VIOLATION);
        CHECK_STATUS(NtWriteFile(File, NULL, NULL, NULL, &Io, Bad, 8, NULL, NULL), STATUS_ACCESS_VIOLATION);
        CHECK_STATUS(NtWriteFile(File, NULL, NULL, NULL, &Io, &Value, 4, i != 0 ? Bad : (PVOID)1, NULL), STATUS_ACCESS_VIOLATION);
    }
    CHECK_STATUS(Ask(File, IOCTL_ECHO, &Value, 0xffffffff, &Answer, 0xffffffff, &Io), STATUS_INSUFFICIENT_RESOURCES);
    CHECK_STATUS(Ask(File, IOCTL_ECHO, &Value, 4, (PVOID)BadBuffers, 4, &Io), STATUS_ACCESS_VIOLATION); /* its own text */
    CHECK_SUCCESS(Ask(File, IOCTL_RAW, &Value, 4, &Answer, 4, &Io));
    CHECK_EQUAL(Answer, 2);
    LARGE_INTEGER Negative = {.QuadPart = -3};
    CHECK_STATUS(NtReadFile(File, NULL, NULL, NULL, &Io, &Value, 4, &Negative, NULL), STATUS_INVALID_PARAMETER);
    NtClose(File);
}

/* Another thread writes to the input, and takes the output's page away and gives it back, while requests are
   made. */
static volatile ULONG Stop;
static PVOID Page;

static VOID Meddle(PVOID Argument)
{
    ULONG Old;
    while (!Stop) {
        PVOID Base = Page;
        SIZE_T Size = 4096;
        ++*(volatile ULONG *)Argument;
        NtProtectVirtualMemory(NtCurrentProcess(), &Base, &Size, PAGE_READONLY, &Old);
        NtProtectVirtualMemory(NtCurrentProcess(), &Base, &Size, PAGE_READWRITE, &Old);
    }
}

static VOID ChangingBuffers(VOID)
{
    SIZE_T Size = 4096;
    static volatile ULONG Input[4];
    IO_STATUS_BLOCK Io;
    HANDLE File, Thread;
    CHECK_SUCCESS(NtAllocateVirtualMemory(NtCurrentProcess(), &Page, 0, &Size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    CHECK_SUCCESS(Open(&File));
    Stop = 0;
    CHECK_SUCCESS(CreateThread(Meddle, (PVOID)Input, &Thread));
    for (ULONG i = 0; i < 1000; i++) {
        NTSTATUS Status = Ask(File, i % 2 == 0 ? IOCTL_ECHO : IOCTL_RAW, (PVOID)Input, 16, Page, 16, &Io);
        CHECK(Status == STATUS_SUCCESS || Status == STATUS_ACCESS_VIOLATION);
    }
    Stop = 1;
    CHECK_SUCCESS(NtWaitForSingleObject(Thread, FALSE, NULL));
    CHECK_SUCCESS(Ask(File, IOCTL_ECHO, (PVOID)Input, 16, Page, 16, &Io));
    CHECK(Io.Information == 16 && memcmp((PVOID)Input, Page, 16) == 0);
    NtClose(Thread);
    NtClose(File);
}

/* ---- Requests that are held ---- */

static NTSTATUS HoldStatus;
static HANDLE HoldFile;

static VOID HoldInThread(PVOID Argument)
{
    IO_STATUS_BLOCK Io;
    HoldStatus = Ask(HoldFile, IOCTL_HOLD, NULL, 0, NULL, 0, &Io);
}

static VOID WaitsForRelease(VOID)
{
    HANDLE Thread;
    CHECK_SUCCESS(Open(&HoldFile));
    CHECK_SUCCESS(CreateThread(HoldInThread, NULL, &Thread));
    AwaitHeld(1);
    CHECK_EQUAL(Release(), 1);
    CHECK_SUCCESS(NtWaitForSingleObject(Thread, FALSE, NULL));
    CHECK_SUCCESS(HoldStatus);
    NtClose(Thread);
    NtClose(HoldFile);
}

/* A thread that is ended takes its request back, also while it waits for its turn on a synchronous file. */
static VOID EndedThreads(VOID)
{
    LONG Cancelled = Counts().Cancelled;
    HANDLE First, Second;
    CHECK_SUCCESS(Open(&HoldFile));
    CHECK_SUCCESS(CreateThread(HoldInThread, NULL, &First));
    AwaitHeld(1);
    CHECK_SUCCESS(CreateThread(HoldInThread, NULL, &Second)); /* the file is busy */
    Sleep(5);
    CHECK_SUCCESS(NtTerminateThread(Second, 7));
    CHECK_SUCCESS(NtWaitForSingleObject(Second, FALSE, NULL));
    CHECK_EQUAL(Counts().Held, 1);
    CHECK_SUCCESS(NtTerminateThread(First, 7));
    CHECK_SUCCESS(NtWaitForSingleObject(First, FALSE, NULL));
    CHECK_EQUAL(Counts().Held, 0);
    CHECK_EQUAL(Counts().Cancelled, Cancelled + 1);
    NtClose(First);
    NtClose(Second);
    NtClose(HoldFile);
}

/* An alert ends the wait on a file with FILE_SYNCHRONOUS_IO_ALERT, and on no other. */
static VOID Alerts(VOID)
{
    HANDLE Thread;
    CHECK_SUCCESS(OpenAs(&HoldFile, DEVICES_LINK, GENERIC_READ, FILE_SYNCHRONOUS_IO_ALERT));
    CHECK_SUCCESS(CreateThread(HoldInThread, NULL, &Thread));
    AwaitHeld(1);
    CHECK_SUCCESS(NtAlertThread(Thread));
    CHECK_SUCCESS(NtWaitForSingleObject(Thread, FALSE, NULL));
    CHECK_STATUS(HoldStatus, STATUS_CANCELLED);
    NtClose(Thread);
    NtClose(HoldFile);
}

/* ---- Asynchronous files ---- */

static VOID Asynchronous(VOID)
{
    IO_STATUS_BLOCK Io = {.Status = STATUS_PENDING}, Other;
    ULONG Input = 77, Output = 0;
    HANDLE File, Event;
    CHECK_SUCCESS(NtCreateEvent(&Event, EVENT_ALL_ACCESS, NULL, NotificationEvent, TRUE));
    CHECK_SUCCESS(OpenAs(&File, DEVICES_LINK, GENERIC_READ | GENERIC_WRITE, 0));
    LARGE_INTEGER Zero = {.QuadPart = 0};
    CHECK_STATUS(NtReadFile(File, NULL, NULL, NULL, &Io, &Output, 4, NULL, NULL), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(NtReadFile(File, NULL, NULL, NULL, NULL, &Output, 4, &Zero, NULL), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(NtDeviceIoControlFile(File, Event, NULL, NULL, NULL, IOCTL_HOLD, &Input, 4, &Output, 4), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(NtDeviceIoControlFile(File, Event, NULL, NULL, &Io, IOCTL_HOLD, &Input, 4, &Output, 4), STATUS_PENDING);
    CHECK_STATUS(NtWaitForSingleObject(Event, FALSE, &Zero), STATUS_TIMEOUT);
    CHECK_EQUAL(Release(), 1);
    CHECK_SUCCESS(NtWaitForSingleObject(Event, FALSE, NULL));
    CHECK(Io.Status == STATUS_SUCCESS && Io.Information == 4 && Output == 77);

    CHECK_STATUS(NtDeviceIoControlFile(File, Event, NULL, NULL, &Io, IOCTL_HOLD, &Input, 4, &Output, 4), STATUS_PENDING);
    CHECK_SUCCESS(NtCancelIoFile(File, &Other));
    CHECK_SUCCESS(NtWaitForSingleObject(Event, FALSE, NULL));
    CHECK_STATUS(Io.Status, STATUS_CANCELLED);
    /* one that is answered at once */
    CHECK_SUCCESS(NtDeviceIoControlFile(File, Event, NULL, NULL, &Io, IOCTL_ECHO, &Input, 4, &Output, 4));
    CHECK_SUCCESS(NtWaitForSingleObject(Event, FALSE, &Zero));
    CHECK(Io.Status == STATUS_SUCCESS && Io.Information == 4);
    NtClose(File);
    NtClose(Event);
}

/* A file is signalled with the answer to a request that has no event. */
static VOID WaitsForFiles(VOID)
{
    LARGE_INTEGER Zero = {.QuadPart = 0};
    IO_STATUS_BLOCK Io = {.Status = STATUS_PENDING};
    HANDLE File, Weak, Both[2];
    CHECK_SUCCESS(OpenAs(&File, DEVICES_LINK, GENERIC_READ | GENERIC_WRITE, 0));
    CHECK_SUCCESS(OpenAs(&Weak, DEVICES_LINK, FILE_READ_DATA, 0));
    CHECK_STATUS(NtWaitForSingleObject(Weak, FALSE, &Zero), STATUS_ACCESS_DENIED); /* without SYNCHRONIZE */
    CHECK_STATUS(NtWaitForSingleObject(File, FALSE, &Zero), STATUS_TIMEOUT);
    CHECK_STATUS(Ask(File, IOCTL_HOLD, NULL, 0, NULL, 0, &Io), STATUS_PENDING);
    CHECK_STATUS(NtWaitForSingleObject(File, FALSE, &Zero), STATUS_TIMEOUT);
    CHECK_EQUAL(Release(), 1);
    CHECK_SUCCESS(NtWaitForSingleObject(File, FALSE, NULL));
    CHECK_SUCCESS(Io.Status);
    /* together with an event, and the event of a request leaves the file alone */
    CHECK_SUCCESS(NtCreateEvent(&Both[0], EVENT_ALL_ACCESS, NULL, SynchronizationEvent, FALSE));
    Both[1] = File;
    CHECK_STATUS(Ask(File, IOCTL_HOLD, NULL, 0, NULL, 0, &Io), STATUS_PENDING);
    CHECK_STATUS(NtWaitForMultipleObjects(2, Both, WaitAny, FALSE, &Zero), STATUS_TIMEOUT);
    CHECK_EQUAL(Release(), 1);
    CHECK_STATUS(NtWaitForMultipleObjects(2, Both, WaitAny, FALSE, NULL), STATUS_WAIT_0 + 1);
    CHECK_STATUS(Ask(File, IOCTL_HOLD, NULL, 0, NULL, 0, &Io), STATUS_PENDING);
    IO_STATUS_BLOCK Other;
    CHECK_SUCCESS(NtDeviceIoControlFile(File, Both[0], NULL, NULL, &Other, IOCTL_ECHO, NULL, 0, NULL, 0));
    CHECK_SUCCESS(NtWaitForSingleObject(Both[0], FALSE, NULL));
    CHECK_STATUS(NtWaitForSingleObject(File, FALSE, &Zero), STATUS_TIMEOUT);
    CHECK_EQUAL(Release(), 1);
    CHECK_SUCCESS(NtSignalAndWaitForSingleObject(Both[0], File, FALSE, NULL));
    NtClose(Both[0]);
    NtClose(Weak);
    NtClose(File);
}

/* ---- NtCancelIoFileEx ---- */

static VOID CancelsOthers(VOID)
{
    IO_STATUS_BLOCK Io[2], Other;
    LONG Cancelled = Counts().Cancelled;
    HANDLE Thread, File;
    CHECK_SUCCESS(OpenAs(&File, DEVICES_LINK, GENERIC_READ, 0));
    CHECK_STATUS(NtCancelIoFileEx(File, NULL, &Other), STATUS_NOT_FOUND);
    CHECK_STATUS(Ask(File, IOCTL_HOLD, NULL, 0, NULL, 0, &Io[0]), STATUS_PENDING);
    CHECK_STATUS(Ask(File, IOCTL_HOLD, NULL, 0, NULL, 0, &Io[1]), STATUS_PENDING);
    CHECK_STATUS(NtCancelIoFileEx(File, &Other, &Other), STATUS_NOT_FOUND);
    CHECK_SUCCESS(NtCancelIoFileEx(File, &Io[1], &Other)); /* one of the two */
    CHECK_EQUAL(Counts().Held, 1);
    CHECK_STATUS(Io[1].Status, STATUS_CANCELLED);
    CHECK_SUCCESS(NtCancelIoFileEx(File, NULL, &Other));
    CHECK_EQUAL(Counts().Held, 0);
    CHECK_STATUS(NtCancelIoFileEx(File, NULL, (PVOID)1), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(NtCancelIoFileEx(NtCurrentProcess(), NULL, &Other), STATUS_OBJECT_TYPE_MISMATCH);
    NtClose(File);

    /* what another thread waits for, on a synchronous file; NtCancelIoFile means the caller's alone */
    CHECK_SUCCESS(Open(&HoldFile));
    CHECK_SUCCESS(CreateThread(HoldInThread, NULL, &Thread));
    AwaitHeld(1);
    CHECK_SUCCESS(NtCancelIoFile(HoldFile, &Other));
    CHECK_EQUAL(Counts().Held, 1);
    CHECK_SUCCESS(NtCancelIoFileEx(HoldFile, NULL, &Other));
    CHECK_SUCCESS(NtWaitForSingleObject(Thread, FALSE, NULL));
    CHECK_STATUS(HoldStatus, STATUS_CANCELLED);
    NtClose(Thread);
    NtClose(HoldFile);
    CHECK_EQUAL(Counts().Cancelled, Cancelled + 3);
}

static HANDLE RaceFile;
static volatile ULONG RaceStop;

/* Cancels whatever there is, again and again. */
static VOID KeepCancelling(PVOID Argument)
{
    IO_STATUS_BLOCK Io;
    while (!RaceStop) {
        NtCancelIoFileEx(RaceFile, NULL, &Io);
    }
}

/* Each request is answered once, cancelled or not, while others cancel it, release it, and the asker takes
   its answer. */
static VOID CancelRace(VOID)
{
    ULONG Answered = 0, Gone = 0;
    HANDLE Thread;
    CHECK_SUCCESS(OpenAs(&RaceFile, DEVICES_LINK, GENERIC_READ, 0));
    RaceStop = 0;
    CHECK_SUCCESS(CreateThread(KeepCancelling, NULL, &Thread));
    for (ULONG i = 0; i < 500; i++) {
        IO_STATUS_BLOCK Io = {.Status = STATUS_PENDING};
        NTSTATUS Status = Ask(RaceFile, IOCTL_HOLD, NULL, 0, NULL, 0, &Io);
        CHECK(Status == STATUS_PENDING || Status == STATUS_CANCELLED);
        if (i % 2 == 0) {
            Release();
        }
        CHECK_SUCCESS(NtWaitForSingleObject(RaceFile, FALSE, NULL));
        Answered += Io.Status == STATUS_SUCCESS;
        Gone += Io.Status == STATUS_CANCELLED;
    }
    RaceStop = 1;
    CHECK_SUCCESS(NtWaitForSingleObject(Thread, FALSE, NULL));
    CHECK_EQUAL(Answered + Gone, 500);
    CHECK_EQUAL(Counts().Held, 0);
    NtClose(Thread);
    NtClose(RaceFile);
}

/* ---- Direct I/O ---- */

static PUCHAR Allocate(SIZE_T Size)
{
    PVOID Base = NULL;
    NTSTATUS Status = NtAllocateVirtualMemory(NtCurrentProcess(), &Base, 0, &Size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    return NT_SUCCESS(Status) ? Base : NULL;
}

static VOID Free(PVOID Base)
{
    SIZE_T Size = 0;
    NtFreeVirtualMemory(NtCurrentProcess(), &Base, &Size, MEM_RELEASE);
}

static VOID Direct(VOID)
{
    PUCHAR Pages = Allocate(0x4000);
    IO_STATUS_BLOCK Io;
    HANDLE File, Device;
    PVOID Base = Pages;
    SIZE_T Size = 0x4000;
    ULONG Old;
    CHECK(Pages != NULL);
    CHECK_SUCCESS(Open(&File));
    CHECK_SUCCESS(OpenAs(&Device, DIRECT_NAME, GENERIC_READ | GENERIC_WRITE, FILE_SYNCHRONOUS_IO_NONALERT));
    CHECK_SUCCESS(Ask(File, IOCTL_DIRECT, "xyz", 3, Pages + 100, 0x3000, &Io));
    CHECK_EQUAL(Io.Information, 0x3000);
    CHECK(Pages[99] == 0 && Pages[100] == 'x' && Pages[0x1000] == "xyz"[(0x1000 - 100) % 3] && Pages[0x3063] == "xyz"[0x2fff % 3] && Pages[0x3064] == 0);
    memset(Pages, 3, 0x4000);
    CHECK_SUCCESS(Ask(File, IOCTL_SUM, NULL, 0, Pages + 1, 0x3800, &Io));
    CHECK_EQUAL(Io.Information, 3 * 0x3800);
    CHECK_SUCCESS(NtWriteFile(Device, NULL, NULL, NULL, &Io, Pages + 5, 0x2000, NULL, NULL));
    CHECK_EQUAL(Io.Information, 3 * 0x2000);
    CHECK_SUCCESS(NtReadFile(Device, NULL, NULL, NULL, &Io, Pages + 5, 0x2000, NULL, NULL));
    CHECK(Pages[4] == 3 && Pages[5] == DIRECT_FILL && Pages[0x2004] == DIRECT_FILL && Pages[0x2005] == 3);
    CHECK_SUCCESS(NtReadFile(Device, NULL, NULL, NULL, &Io, NULL, 0, NULL, NULL));
    /* what may be read, and not written */
    CHECK_SUCCESS(NtProtectVirtualMemory(NtCurrentProcess(), &Base, &Size, PAGE_READONLY, &Old));
    CHECK_STATUS(Ask(File, IOCTL_DIRECT, "xyz", 3, Pages, 0x3000, &Io), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(NtReadFile(Device, NULL, NULL, NULL, &Io, Pages, 8, NULL, NULL), STATUS_ACCESS_VIOLATION);
    CHECK_SUCCESS(Ask(File, IOCTL_SUM, NULL, 0, Pages + 0x3000, 1, &Io));
    CHECK_SUCCESS(NtWriteFile(Device, NULL, NULL, NULL, &Io, Pages, 8, NULL, NULL));
    CHECK_STATUS(Ask(File, IOCTL_SUM, NULL, 0, Pages, 0x4001, &Io), STATUS_ACCESS_VIOLATION); /* beyond its end */
    for (ULONG i = 0; i < 2; i++) {
        PVOID Bad = (PVOID)(i == 0 ? 0x10ULL : 0xffff800000000000ULL);
        CHECK_STATUS(Ask(File, IOCTL_DIRECT, "xyz", 3, Bad, 4, &Io), STATUS_ACCESS_VIOLATION);
        CHECK_STATUS(Ask(File, IOCTL_DIRECT, Bad, 3, &Old, 4, &Io), STATUS_ACCESS_VIOLATION);
    }
    CHECK_STATUS(Ask(File, IOCTL_DIRECT, "xyz", 3, Pages, 0xf0000000, &Io), STATUS_INSUFFICIENT_RESOURCES);
    Free(Pages);
    NtClose(Device);
    NtClose(File);
}

/* A buffer far down a stack that has not been touched there: it grows, as under the program's own touch. */
static VOID DirectOnStack(VOID)
{
    volatile UCHAR Large[0x6000];
    IO_STATUS_BLOCK Io;
    HANDLE File;
    CHECK_SUCCESS(Open(&File));
    CHECK_SUCCESS(Ask(File, IOCTL_DIRECT, "s", 1, (PVOID)Large, sizeof(Large), &Io));
    CHECK(Large[0] == 's' && Large[sizeof(Large) - 1] == 's');
    NtClose(File);
}

/* The pages of a request that is under way stay what they are: unmapped, and mapped anew, the process sees
   others. */
static VOID DirectUnmapped(VOID)
{
    IO_STATUS_BLOCK Io = {.Status = STATUS_PENDING};
    HANDLE File;
    PUCHAR Pages = Allocate(0x3000);
    PVOID Again = Pages;
    SIZE_T Size = 0x3000;
    CHECK(Pages != NULL);
    Pages[0] = Pages[0x2fff] = 1;
    CHECK_SUCCESS(OpenAs(&File, DEVICES_LINK, GENERIC_READ, 0));
    CHECK_STATUS(Ask(File, IOCTL_HOLD_DIRECT, NULL, 0, Pages, 0x3000, &Io), STATUS_PENDING);
    Free(Pages);
    CHECK_SUCCESS(NtAllocateVirtualMemory(NtCurrentProcess(), &Again, 0, &Size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    CHECK(Again == Pages && Pages[0] == 0 && Pages[0x2fff] == 0);
    CHECK_EQUAL(Release(), 1);
    CHECK_SUCCESS(NtWaitForSingleObject(File, FALSE, NULL));
    CHECK(Io.Status == STATUS_SUCCESS && Io.Information == 0x3000 && Pages[0] == 0 && Pages[0x2fff] == 0);
    Free(Pages);
    NtClose(File);
}

static volatile ULONG_PTR CalledWith[2];

static VOID NoteAnswer(PVOID ApcContext, PIO_STATUS_BLOCK IoStatusBlock, ULONG Reserved)
{
    CalledWith[0] = (ULONG_PTR)ApcContext;
    CalledWith[1] = (ULONG_PTR)IoStatusBlock;
}

static VOID ApcRoutines(VOID)
{
    LARGE_INTEGER Long = {.QuadPart = -600000000};
    IO_STATUS_BLOCK Io;
    ULONG Input = 5, Output = 0;
    HANDLE File;
    CHECK_SUCCESS(OpenAs(&File, DEVICES_LINK, GENERIC_READ, 0));
    CHECK_STATUS(NtDeviceIoControlFile(File, NULL, NoteAnswer, (PVOID)99, &Io, IOCTL_HOLD, &Input, 4, &Output, 4), STATUS_PENDING);
    CHECK_EQUAL(Release(), 1);
    CHECK_STATUS(NtDelayExecution(TRUE, &Long), STATUS_USER_APC);
    CHECK(CalledWith[0] == 99 && CalledWith[1] == (ULONG_PTR)&Io && Io.Status == STATUS_SUCCESS && Output == 5);
    NtClose(File);
}

/* A thread that returns with requests pending: they are cancelled, and its end waits for them. */
static VOID LeavePending(PVOID Argument)
{
    static IO_STATUS_BLOCK Io[3];
    for (ULONG i = 0; i < RTL_NUMBER_OF(Io); i++) {
        NtDeviceIoControlFile(HoldFile, NULL, NULL, NULL, &Io[i], IOCTL_HOLD, NULL, 0, NULL, 0);
    }
}

static VOID ThreadLeavesRequests(VOID)
{
    LONG Cancelled = Counts().Cancelled;
    HANDLE Thread;
    CHECK_SUCCESS(OpenAs(&HoldFile, DEVICES_LINK, GENERIC_READ, 0));
    CHECK_SUCCESS(CreateThread(LeavePending, NULL, &Thread));
    CHECK_SUCCESS(NtWaitForSingleObject(Thread, FALSE, NULL));
    CHECK_EQUAL(Counts().Held, 0);
    CHECK_EQUAL(Counts().Cancelled, Cancelled + 3);
    NtClose(Thread);
    NtClose(HoldFile);
}

/* A process that is ended with a request that is waited for, and others that are not: files and requests go
   with it. */
static VOID ProcessLeavesRequests(VOID)
{
    DEVICES_COUNTS Before = Counts();
    char *Arguments[] = {"devices", "hold"};
    HANDLE Process;
    CHECK_SUCCESS(StartNative("devices", 2, Arguments, 0, &Process, NULL));
    AwaitHeld(5);
    CHECK_SUCCESS(NtTerminateProcess(Process, 3));
    CHECK_SUCCESS(NtWaitForSingleObject(Process, FALSE, NULL));
    DEVICES_COUNTS After = Counts();
    CHECK_EQUAL(After.Held, 0);
    CHECK_EQUAL(After.Cancelled, Before.Cancelled + 5);
    CHECK_EQUAL(After.Creates - After.Closes, Before.Creates - Before.Closes);
    CHECK_EQUAL(After.Cleanups - After.Closes, Before.Cleanups - Before.Closes);
    NtClose(Process);
}

static int HoldAndWait(VOID)
{
    OpenAs(&HoldFile, DEVICES_LINK, GENERIC_READ, 0);
    LeavePending(NULL);
    static IO_STATUS_BLOCK Direct;
    Ask(HoldFile, IOCTL_HOLD_DIRECT, NULL, 0, Allocate(0x3000), 0x3000, &Direct);
    Open(&HoldFile);
    HoldInThread(NULL);
    return 1;
}

/* ---- Unloading ---- */

static VOID UnloadWithFiles(VOID)
{
    ULONG Value = 3, Answer = 0;
    IO_STATUS_BLOCK Io;
    HANDLE File, Other;
    CHECK_SUCCESS(Open(&File));
    CHECK_SUCCESS(UnloadModule("devices"));
    CHECK_STATUS(Open(&Other), STATUS_NO_SUCH_DEVICE);
    CHECK_STATUS(UnloadModule("devices"), STATUS_DEVICE_BUSY);
    CHECK_SUCCESS(Ask(File, IOCTL_ECHO, &Value, 4, &Answer, 4, &Io));
    CHECK_EQUAL(Answer, 3);
    NtClose(File);
    while (Open(&Other) == STATUS_NO_SUCH_DEVICE) { /* until its Unload has run */
        Sleep(1);
    }
    CHECK_STATUS(Open(&Other), STATUS_OBJECT_NAME_NOT_FOUND);
}

static const TEST Tests[] = {
    {"devices.data-and-rights", DataAndRights},
    {"devices.paths", Names},
    {"devices.bad-buffers", BadBuffers},
    {"devices.changing-buffers", ChangingBuffers},
    {"devices.waits-for-release", WaitsForRelease},
    {"devices.ended-threads", EndedThreads},
    {"devices.alerts", Alerts},
    {"devices.asynchronous", Asynchronous},
    {"devices.waits-for-files", WaitsForFiles},
    {"devices.cancels-others", CancelsOthers},
    {"devices.cancel-race", CancelRace},
    {"devices.direct", Direct},
    {"devices.direct-on-the-stack", DirectOnStack},
    {"devices.direct-unmapped", DirectUnmapped},
    {"devices.apc-routines", ApcRoutines},
    {"devices.thread-leaves-requests", ThreadLeavesRequests},
    {"devices.process-leaves-requests", ProcessLeavesRequests},
    {"devices.unload-with-files", UnloadWithFiles},
};

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "hold") == 0) {
        return HoldAndWait();
    }
    return RunTests(Tests, RTL_NUMBER_OF(Tests));
}
