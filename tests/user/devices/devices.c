/* SPDX-License-Identifier: MIT */
/*
 * A program that talks to the test driver (tests/kernel/devices): opening by its link, rights, data, hostile buffers, requests
 * that are held and cancelled in every way, and a driver that is to be unloaded while its files are open.
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
    CHECK_STATUS(Ask(File, IOCTL_DIRECT, Text, 6, Back, 6, &Io), STATUS_NOT_IMPLEMENTED);

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

/* Another thread writes to the input, and takes the output's page away and gives it back, while requests are made. */
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
    CHECK_STATUS(NtReadFile(File, NULL, NULL, NULL, &Io, &Output, 4, NULL, NULL), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(NtDeviceIoControlFile(File, Event, NULL, NULL, &Io, IOCTL_HOLD, &Input, 4, &Output, 4), STATUS_PENDING);
    LARGE_INTEGER Zero = {.QuadPart = 0};
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

/* A process that is ended with a request that is waited for, and others that are not: files and requests go with it. */
static VOID ProcessLeavesRequests(VOID)
{
    DEVICES_COUNTS Before = Counts();
    char *Arguments[] = {"devices", "hold"};
    HANDLE Process;
    CHECK_SUCCESS(StartNative("devices", 2, Arguments, 0, &Process, NULL));
    AwaitHeld(4);
    CHECK_SUCCESS(NtTerminateProcess(Process, 3));
    CHECK_SUCCESS(NtWaitForSingleObject(Process, FALSE, NULL));
    DEVICES_COUNTS After = Counts();
    CHECK_EQUAL(After.Held, 0);
    CHECK_EQUAL(After.Cancelled, Before.Cancelled + 4);
    CHECK_EQUAL(After.Creates - After.Closes, Before.Creates - Before.Closes);
    CHECK_EQUAL(After.Cleanups - After.Closes, Before.Cleanups - Before.Closes);
    NtClose(Process);
}

static int HoldAndWait(VOID)
{
    OpenAs(&HoldFile, DEVICES_LINK, GENERIC_READ, 0);
    LeavePending(NULL);
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
