/* SPDX-License-Identifier: MIT */
/* The tool of a driver that is made outside the tree (tests/outside/device): messages from one thread to
   another through it. */
#include "../test.h"
#include "../../outside/device/mailbox.h"

static NTSTATUS Open(PHANDLE File, ULONG Options)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\??\\Mailbox");
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Io;
    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    return NtOpenFile(File, GENERIC_READ | GENERIC_WRITE, &Attributes, &Io, 0, Options);
}

static NTSTATUS Put(HANDLE File, PCSTR Text)
{
    IO_STATUS_BLOCK Io;
    return NtDeviceIoControlFile(File, NULL, NULL, NULL, &Io, IOCTL_MAILBOX_PUT, (PVOID)Text, (ULONG)strlen(Text) + 1, NULL, 0);
}

static char Taken[MAILBOX_MESSAGE];
static NTSTATUS TakeStatus;

static VOID Take(PVOID Argument)
{
    IO_STATUS_BLOCK Io;
    HANDLE File;
    TakeStatus = Open(&File, FILE_SYNCHRONOUS_IO_NONALERT);
    if (NT_SUCCESS(TakeStatus)) {
        TakeStatus = NtDeviceIoControlFile(File, NULL, NULL, NULL, &Io, IOCTL_MAILBOX_TAKE, NULL, 0, Taken, sizeof(Taken));
        NtClose(File);
    }
}

static VOID Messages(VOID)
{
    HANDLE File, Thread;
    CHECK_SUCCESS(Open(&File, FILE_SYNCHRONOUS_IO_NONALERT));
    CHECK_STATUS(Put(File, "nobody waits"), STATUS_DEVICE_NOT_READY);
    CHECK_SUCCESS(CreateThread(Take, NULL, &Thread));
    while (Put(File, "for you") == STATUS_DEVICE_NOT_READY) {
        Sleep(1);
    }
    CHECK_SUCCESS(NtWaitForSingleObject(Thread, FALSE, NULL));
    CHECK_SUCCESS(TakeStatus);
    CHECK(strcmp(Taken, "for you") == 0);
    NtClose(Thread);
    NtClose(File);
}

/* The last handle is closed while a request is pending: its driver takes it back. */
static VOID ClosedWhilePending(VOID)
{
    IO_STATUS_BLOCK Io;
    HANDLE File, Event;
    CHECK_SUCCESS(NtCreateEvent(&Event, EVENT_ALL_ACCESS, NULL, NotificationEvent, FALSE));
    CHECK_SUCCESS(Open(&File, 0));
    CHECK_STATUS(NtDeviceIoControlFile(File, Event, NULL, NULL, &Io, IOCTL_MAILBOX_TAKE, NULL, 0, Taken, sizeof(Taken)), STATUS_PENDING);
    CHECK_SUCCESS(NtClose(File));
    CHECK_SUCCESS(NtWaitForSingleObject(Event, FALSE, NULL));
    CHECK_STATUS(Io.Status, STATUS_CANCELLED);
    NtClose(Event);
    CHECK_SUCCESS(UnloadModule("mailbox"));
}

static const TEST Tests[] = {{"mailbox.messages", Messages}, {"mailbox.closed-while-pending", ClosedWhilePending}};

int main(int argc, char **argv)
{
    return RunTests(Tests, RTL_NUMBER_OF(Tests));
}
