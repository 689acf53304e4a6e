/* SPDX-License-Identifier: MIT */
/*
 * Bug checks that are to be read on the screen all the same: in a display of the console, at its first word,
 * when the terminal's lock is held, and the input's, too, if that word is an echo; or, with
 * screenbug.after=1, in a DPC some time later, whatever other processors are doing.
 */
#include <display.h>

#define CRASH   0xe2          /* MANUALLY_INITIATED_CRASH */
#define A_WHILE (-20000000LL) /* 2 s, in units of 100 ns */

DRIVER_INITIALIZE DriverEntry;

static KTIMER Timer;
static KDPC Dpc;

static VOID StopMachine(const UCHAR *Text, SIZE_T Length)
{
    UNREFERENCED_PARAMETER(Text);
    KeBugCheckEx(CRASH, 0x5c4ee, Length != 0, 0, 0);
}

static VOID StopLater(PKDPC TheDpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KeBugCheckEx(CRASH, 0x1a7e4, 0, 0, 0);
}

static const IO_CONSOLE_DISPLAY Display = {.Write = StopMachine, .Columns = 80, .Rows = 25};

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(DriverObject);
    UNREFERENCED_PARAMETER(RegistryPath);
    char Later[2];
    if (ExQueryKernelOption("screenbug.after", Later, sizeof(Later))) {
        KeInitializeTimer(&Timer);
        KeInitializeDpc(&Dpc, StopLater, NULL);
        KeSetTimer(&Timer, (LARGE_INTEGER){.QuadPart = A_WHILE}, &Dpc);
    } else {
        IoSetConsoleDisplay(&Display);
    }
    return STATUS_SUCCESS;
}
