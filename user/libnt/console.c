/* SPDX-License-Identifier: MIT */
/* Output and input on the standard handles, and lines for the kernel's log. */
#include "libnt.h"

#include "kernel/rtl/rtl.h"

/* ---- Handles ---- */

static HANDLE OpenConsole(ULONG Stream)
{
    static const char *const Names[] = {"\\Console\\Input", "\\Console\\Output", "\\Console\\Error"};
    HANDLE File;
    ACCESS_MASK Access = Stream == INPUT_STREAM ? GENERIC_READ : GENERIC_WRITE;
    return NT_SUCCESS(OpenPath(Names[Stream], Access, &File)) ? File : NULL;
}

/* Two threads may both open the console here: one of the handles is lost then, which is no harm. */
HANDLE StandardHandle(ULONG Stream)
{
    HANDLE *Slot = &NtCurrentPeb()->ProcessParameters->StandardInput + Stream;
    if (*Slot == NULL) {
        *Slot = OpenConsole(Stream);
    }
    return *Slot;
}

C_ASSERT(FIELD_OFFSET(RTL_USER_PROCESS_PARAMETERS, StandardError) ==
         FIELD_OFFSET(RTL_USER_PROCESS_PARAMETERS, StandardInput) + ERROR_STREAM * sizeof(HANDLE));

BOOLEAN IsTerminal(ULONG Stream)
{
    IO_STATUS_BLOCK Io;
    ULONG Terminal = 0;
    NTSTATUS Status = NtQueryInformationFile(StandardHandle(Stream), &Io, &Terminal, sizeof(Terminal),
                                             FileConsoleInformation);
    return NT_SUCCESS(Status) && Terminal != 0;
}

/* ---- Output ---- */

NTSTATUS WriteAll(HANDLE File, const VOID *Data, SIZE_T Size)
{
    const UCHAR *Next = Data;
    while (Size != 0) {
        IO_STATUS_BLOCK Io = {0};
        ULONG Chunk = Size < 0x10000 ? (ULONG)Size : 0x10000;
        NTSTATUS Status = NtWriteFile(File, NULL, NULL, NULL, &Io, (PVOID)Next, Chunk, NULL, NULL);
        if (!NT_SUCCESS(Status)) {
            return Status;
        }
        if (Io.Information == 0) {
            return STATUS_UNSUCCESSFUL;
        }
        Next += Io.Information;
        Size -= Io.Information;
    }
    return STATUS_SUCCESS;
}

/* Collects the formatter's pieces, so that a short text is one system call and comes out in one piece. */
typedef struct _OUTPUT_BUFFER {
    HANDLE File;
    SIZE_T Length;
    char Text[256];
} OUTPUT_BUFFER, *POUTPUT_BUFFER;

static VOID FlushOutput(POUTPUT_BUFFER Output)
{
    WriteAll(Output->File, Output->Text, Output->Length);
    Output->Length = 0;
}

static VOID CollectOutput(PVOID Context, const char *Text, SIZE_T Length)
{
    POUTPUT_BUFFER Output = Context;
    if (Length > sizeof(Output->Text) - Output->Length) {
        FlushOutput(Output);
    }
    if (Length > sizeof(Output->Text)) {
        WriteAll(Output->File, Text, Length);
        return;
    }
    memcpy(Output->Text + Output->Length, Text, Length);
    Output->Length += Length;
}

static VOID PrintV(HANDLE File, PCSTR Format, va_list Arguments)
{
    OUTPUT_BUFFER Output;
    Output.File = File;
    Output.Length = 0;
    RtlFormatV(CollectOutput, &Output, Format, FALSE, Arguments);
    FlushOutput(&Output);
}

VOID Print(PCSTR Format, ...)
{
    va_list Arguments;
    va_start(Arguments, Format);
    PrintV(StandardHandle(OUTPUT_STREAM), Format, Arguments);
    va_end(Arguments);
}

VOID PrintError(PCSTR Format, ...)
{
    va_list Arguments;
    va_start(Arguments, Format);
    PrintV(StandardHandle(ERROR_STREAM), Format, Arguments);
    va_end(Arguments);
}

SIZE_T FormatText(char *Buffer, SIZE_T Size, PCSTR Format, ...)
{
    va_list Arguments;
    va_start(Arguments, Format);
    SIZE_T Length = RtlPrintV(Buffer, Size, Format, Arguments);
    va_end(Arguments);
    return Length;
}

/* ---- The log ---- */

VOID Log(PCSTR Format, ...)
{
    char Text[500];
    WCHAR Line[RTL_NUMBER_OF(Text) + 1];
    ULONG Bytes = 0;
    va_list Arguments;

    va_start(Arguments, Format);
    SIZE_T Length = RtlPrintV(Text, sizeof(Text), Format, Arguments);
    va_end(Arguments);
    Length = Length < sizeof(Text) ? Length : sizeof(Text) - 1;

    RtlUTF8ToUnicodeN(Line, sizeof(Line) - sizeof(WCHAR), &Bytes, Text, (ULONG)Length);
    Line[Bytes / sizeof(WCHAR)] = L'\n';
    UNICODE_STRING String = {(USHORT)(Bytes + sizeof(WCHAR)), sizeof(Line), Line};
    NtDisplayString(&String);
}

/* ---- Input ---- */

SSIZE_T ReadInput(PVOID Buffer, ULONG Size)
{
    IO_STATUS_BLOCK Io = {0};
    NTSTATUS Status =
        NtReadFile(StandardHandle(INPUT_STREAM), NULL, NULL, NULL, &Io, Buffer, Size, NULL, NULL);
    if (Status == STATUS_END_OF_FILE) {
        return 0;
    }
    return NT_SUCCESS(Status) ? (SSIZE_T)Io.Information : -1;
}
