/* SPDX-License-Identifier: MIT */
/*
 * Services about the machine as a whole: a line for the log, the end. No lock.
 */
#include "kernel/services/services.h"
#include "kernel/io/io.h"
#include "kernel/kd/kd.h"
#include "kernel/rtl/rtl.h"
#include <ntapi.h>

#define SVC_MAX_DISPLAY 2048 /* bytes of UTF-16 */
#define SVC_DISPLAY_TAG 'psiD'

PKPROCESS SvcInitialProcess;

/* Writes the text as UTF-8, and ends its line. */
static NTSTATUS SvcDisplay(PCUNICODE_STRING String)
{
    ULONG Room = String->Length / sizeof(WCHAR) * 3 + 1; /* a unit becomes three bytes at most */
    ULONG Length = 0;
    PCHAR Text = ExAllocatePoolWithTag(NonPagedPoolNx, Room, SVC_DISPLAY_TAG);

    if (Text == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlUnicodeToUTF8N(Text, Room - 1, &Length, String->Buffer, String->Length);
    if (Length == 0 || Text[Length - 1] != '\n') {
        Text[Length++] = '\n';
    }
    KdWrite(Text, Length, ArchCurrentThread()->Process == SvcInitialProcess);
    ExFreePoolWithTag(Text, SVC_DISPLAY_TAG);
    return STATUS_SUCCESS;
}

/* Text for the log, at most 1024 characters (STATUS_NAME_TOO_LONG). Only the initial process can write
   messages for tools/run ("@exit 0"). PASSIVE. (no WDK page) */
NTSTATUS NtDisplayString(PUNICODE_STRING String)
{
    UNICODE_STRING Captured;
    NTSTATUS Status = ExCaptureUnicodeString(&Captured, String, SVC_MAX_DISPLAY, ExGetPreviousMode());

    if (NT_SUCCESS(Status) && Captured.Length != 0) {
        Status = SvcDisplay(&Captured);
    }
    ExFreeUnicodeString(&Captured);
    return Status;
}

/* Switches the machine off; everything written to the console has left it. STATUS_INVALID_PARAMETER for an
   unknown action, STATUS_NOT_IMPLEMENTED for a restart. PASSIVE. (no WDK page) */
NTSTATUS NtShutdownSystem(SHUTDOWN_ACTION Action)
{
    if (Action == ShutdownReboot) {
        return STATUS_NOT_IMPLEMENTED;
    }
    if (Action != ShutdownNoReboot && Action != ShutdownPowerOff) {
        return STATUS_INVALID_PARAMETER;
    }
    IoConsoleFlush();
    KdWriteLastMessage("@poweroff\n");
    ArchPowerOff();
}
