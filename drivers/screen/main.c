/* SPDX-License-Identifier: MIT */
/*
 * Comes and goes; which page is shown: the log's until somebody writes to the console, then the console's;
 * Alt-F1 and Alt-F2 choose. A bug check shows the beginning of its report, for that tells most.
 */
#include "screen.h"

#define SCREEN_PERIOD (-20 * 10000LL) /* 20 ms between two paintings, in units of 100 ns */

DRIVER_INITIALIZE DriverEntry;

static SCREEN_PAGE Page[2];
static volatile ULONG Shown = SCREEN_LOG;
static volatile BOOLEAN ConsoleIsThere; /* somebody has written to it */
static BOOLEAN BugCheck;
static KEVENT Stop;
static PETHREAD Painter;
static IO_CONSOLE_DISPLAY Console;
static BOOLEAN HasKeyboard;

VOID ScreenShow(ULONG Which)
{
    Shown = Which;
    InterlockedExchange(&Page[Which].Changed, 1);
}

VOID ScreenType(PCSTR Text, SIZE_T Length)
{
    if (ConsoleIsThere && Shown == SCREEN_CONSOLE) {
        IoConsolePutBack(Text, Length);
    }
}

BOOLEAN ScreenHasApplicationKeys(VOID)
{
    return Page[SCREEN_CONSOLE].ApplicationKeys;
}

/* ---- What comes ---- */

static VOID WriteConsole(const UCHAR *Text, SIZE_T Length)
{
    ScreenWritePage(&Page[SCREEN_CONSOLE], Text, Length);
    if (!ConsoleIsThere) {
        ConsoleIsThere = TRUE;
        Shown = SCREEN_CONSOLE;
    }
    InterlockedExchange(&Page[SCREEN_CONSOLE].Changed, 1);
}

/* The painter may have been frozen between two cells: nothing is known of what the screen shows. */
static VOID BeginBugCheck(VOID)
{
    BugCheck = TRUE;
    ScreenClearPage(&Page[SCREEN_LOG]);
    Page[SCREEN_LOG].Holds = TRUE;
    Page[SCREEN_LOG].CursorHidden = TRUE;
    Shown = SCREEN_LOG;
    ScreenForget();
}

static VOID WriteLog(PCSTR Text, SIZE_T Length)
{
    if (Text == NULL) {
        if (!BugCheck) { /* else one inside the bug check: what is there stays */
            BeginBugCheck();
        }
        return;
    }
    ScreenWritePage(&Page[SCREEN_LOG], (const UCHAR *)Text, Length);
    if (!BugCheck) {
        InterlockedExchange(&Page[SCREEN_LOG].Changed, 1);
    } else if (Text[Length - 1] == '\n') {
        ScreenPaint(&Page[SCREEN_LOG]);
    }
}

/* ---- The painter ---- */

static VOID Paint(PVOID Context)
{
    LARGE_INTEGER Period = {.QuadPart = SCREEN_PERIOD};
    ULONG Before = MAXULONG;

    while (KeWaitForSingleObject(&Stop, Executive, KernelMode, FALSE, &Period) == STATUS_TIMEOUT) {
        ULONG Now = Shown;
        if ((InterlockedExchange(&Page[Now].Changed, 0) != 0 || Now != Before) && !BugCheck) {
            ScreenPaint(&Page[Now]);
        }
        Before = Now;
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static NTSTATUS StartPainter(VOID)
{
    HANDLE Handle;
    OBJECT_ATTRIBUTES Attributes;

    KeInitializeEvent(&Stop, NotificationEvent, FALSE);
    InitializeObjectAttributes(&Attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    NTSTATUS Status = PsCreateSystemThread(&Handle, THREAD_ALL_ACCESS, &Attributes, NULL, NULL, Paint, NULL);
    if (NT_SUCCESS(Status)) {
        Status = ObReferenceObjectByHandle(Handle, SYNCHRONIZE, *PsThreadType, KernelMode, (PVOID *)&Painter,
                                           NULL);
        ZwClose(Handle);
    }
    return Status;
}

static VOID StopPainter(VOID)
{
    KeSetEvent(&Stop, IO_NO_INCREMENT, FALSE);
    KeWaitForSingleObject(Painter, Executive, KernelMode, FALSE, NULL);
    ObDereferenceObject(Painter);
}

/* ---- Coming and going ---- */

static VOID FreeAll(VOID)
{
    for (ULONG i = 0; i < RTL_NUMBER_OF(Page); i++) {
        if (Page[i].Cells != NULL) {
            ExFreePool(Page[i].Cells);
        }
    }
    ScreenFreeDisplay();
}

static VOID ScreenUnload(PDRIVER_OBJECT DriverObject)
{
    UNREFERENCED_PARAMETER(DriverObject);
    if (HasKeyboard) {
        ScreenStopKeyboard();
    }
    IoSetConsoleDisplay(NULL);
    KdSetDisplay(NULL);
    KeFlushQueuedDpcs(); /* no write to the console is under way, and no key */
    StopPainter();
    FreeAll();
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(RegistryPath);
    ULONG Rows, Columns;
    DriverObject->DriverUnload = ScreenUnload;
    if (!ScreenFindDisplay(&Rows, &Columns)) {
        DbgPrint("screen: there is none that it could draw on\n");
        return STATUS_DEVICE_DOES_NOT_EXIST;
    }
    NTSTATUS Status = STATUS_INSUFFICIENT_RESOURCES;
    if (ScreenMakePage(&Page[SCREEN_CONSOLE], Rows, Columns) &&
        ScreenMakePage(&Page[SCREEN_LOG], Rows, Columns)) {
        Status = StartPainter();
    }
    if (!NT_SUCCESS(Status)) {
        FreeAll();
        return Status;
    }
    Page[SCREEN_LOG].LineFeedReturns = TRUE;
    Console = (IO_CONSOLE_DISPLAY){.Write = WriteConsole, .Columns = (USHORT)Columns, .Rows = (USHORT)Rows};
    KdSetDisplay(WriteLog);
    IoSetConsoleDisplay(&Console);
    HasKeyboard = NT_SUCCESS(ScreenStartKeyboard());
    DbgPrint("screen: %lu columns, %lu rows%s\n", Columns, Rows, HasKeyboard ? "" : "; there is no keyboard");
    return STATUS_SUCCESS;
}
