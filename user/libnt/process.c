/* SPDX-License-Identifier: MIT */
/* Starting other programs, native ones and those of subsystems, and loading kernel modules. */
#include "libnt.h"

#include "kernel/rtl/rtl.h"

/* What programs of subsystems find in their environment. */
static const char Environment[] = "PATH=/bin:/usr/bin:/sbin:/usr/sbin:/native\0HOME=/root\0TERM=vt100";
#define ENVIRONMENT_COUNT 3

/* ---- Strings ---- */

/* All arguments, one behind the other, each with its NUL; on the heap. */
static char *PackArguments(ULONG Count, char *const *Arguments, PULONG Size)
{
    SIZE_T Total = 0;
    for (ULONG i = 0; i < Count; i++) {
        Total += strlen(Arguments[i]) + 1;
    }
    char *Packed = HeapAllocate(Total + 1);
    if (Packed == NULL) {
        return NULL;
    }
    char *Next = Packed;
    for (ULONG i = 0; i < Count; i++) {
        SIZE_T Length = strlen(Arguments[i]) + 1;
        memcpy(Next, Arguments[i], Length);
        Next += Length;
    }
    *Size = (ULONG)Total;
    return Packed;
}

/* A UTF-16 copy on the heap, cut at what a counted string can hold. */
static NTSTATUS MakeUnicode(PCSTR Text, PUNICODE_STRING String)
{
    SIZE_T Length = strlen(Text);
    ULONG Room = Length < UNICODE_STRING_MAX_CHARS ? (ULONG)Length * sizeof(WCHAR) : UNICODE_STRING_MAX_BYTES;
    ULONG Bytes = 0;
    String->Buffer = HeapAllocate(Room + sizeof(WCHAR));
    if (String->Buffer == NULL) {
        return STATUS_NO_MEMORY;
    }
    RtlUTF8ToUnicodeN(String->Buffer, Room, &Bytes, Text, (ULONG)Length);
    String->Length = String->MaximumLength = (USHORT)Bytes;
    return STATUS_SUCCESS;
}

static BOOLEAN NeedsQuotes(PCSTR Argument)
{
    return *Argument == '\0' || strchr(Argument, ' ') != NULL || strchr(Argument, '\t') != NULL;
}

/* For people and notify callbacks to read; programs get the packed arguments. */
static NTSTATUS MakeCommandLine(ULONG Count, char *const *Arguments, ULONG PackedSize,
                                PUNICODE_STRING CommandLine)
{
    SIZE_T Room = PackedSize + 3 * (SIZE_T)Count + 1;
    SIZE_T Length = 0;
    char *Line = HeapAllocate(Room);
    if (Line == NULL) {
        return STATUS_NO_MEMORY;
    }
    Line[0] = '\0';
    for (ULONG i = 0; i < Count; i++) {
        PCSTR Quote = NeedsQuotes(Arguments[i]) ? "\"" : "";
        Length += FormatText(Line + Length, Room - Length, "%s%s%s%s", i == 0 ? "" : " ", Quote, Arguments[i],
                             Quote);
    }
    NTSTATUS Status = MakeUnicode(Line, CommandLine);
    HeapFree(Line);
    return Status;
}

/* "hello" or "hello/x" below \Boot\native; a name that starts with a backslash is complete. */
static NTSTATUS MakeImagePath(PCSTR Name, PUNICODE_STRING Path)
{
    char Text[300];
    SIZE_T Length = FormatText(Text, sizeof(Text), "%s%s", Name[0] == '\\' ? "" : "\\Boot\\native\\", Name);
    if (Length >= sizeof(Text)) {
        return STATUS_NAME_TOO_LONG;
    }
    for (char *Next = Text; *Next != '\0'; Next++) {
        *Next = *Next == '/' ? '\\' : *Next;
    }
    return MakeUnicode(Text, Path);
}

/* ---- Native programs ---- */

static VOID FreeParameters(PRTL_USER_PROCESS_PARAMETERS Parameters)
{
    HeapFree(Parameters->Arguments);
    HeapFree(Parameters->ImagePathName.Buffer);
    HeapFree(Parameters->CommandLine.Buffer);
}

/* What was made before a failure is freed by FreeParameters too: the rest is NULL. */
static NTSTATUS MakeParameters(PCSTR Name, ULONG Count, char *const *Arguments,
                               PRTL_USER_PROCESS_PARAMETERS Parameters)
{
    PRTL_USER_PROCESS_PARAMETERS Own = NtCurrentPeb()->ProcessParameters;
    memset(Parameters, 0, sizeof(*Parameters));
    Parameters->Size = sizeof(*Parameters);
    Parameters->StandardInput = StandardHandle(INPUT_STREAM);
    Parameters->StandardOutput = StandardHandle(OUTPUT_STREAM);
    Parameters->StandardError = StandardHandle(ERROR_STREAM);
    Parameters->ArgumentCount = Count;
    Parameters->Arguments = PackArguments(Count, Arguments, &Parameters->ArgumentsSize);
    Parameters->EnvironmentSize = Own->EnvironmentSize;
    Parameters->Environment = Own->Environment;
    if (Parameters->Arguments == NULL) {
        return STATUS_NO_MEMORY;
    }
    NTSTATUS Status = MakeImagePath(Name, &Parameters->ImagePathName);
    if (NT_SUCCESS(Status)) {
        Status = MakeCommandLine(Count, Arguments, Parameters->ArgumentsSize, &Parameters->CommandLine);
    }
    return Status;
}

static NTSTATUS CreateNative(PRTL_USER_PROCESS_PARAMETERS Parameters, ULONG ThreadFlags, PHANDLE Process,
                             PHANDLE Thread)
{
    PS_CREATE_INFO CreateInfo = {.Size = sizeof(CreateInfo)};
    PS_ATTRIBUTE_LIST List = {
        .TotalLength = sizeof(List),
        .Attributes = {{.Attribute = PS_ATTRIBUTE_IMAGE_NAME,
                        .Size = Parameters->ImagePathName.Length,
                        .ValuePtr = Parameters->ImagePathName.Buffer}},
    };
    return NtCreateUserProcess(Process, Thread, PROCESS_ALL_ACCESS, THREAD_ALL_ACCESS, NULL, NULL,
                               PROCESS_CREATE_FLAGS_INHERIT_HANDLES, ThreadFlags, Parameters, &CreateInfo,
                               &List);
}

NTSTATUS StartNative(PCSTR Name, ULONG Count, char *const *Arguments, ULONG ThreadFlags, PHANDLE Process,
                     PHANDLE Thread)
{
    RTL_USER_PROCESS_PARAMETERS Parameters;
    HANDLE FirstThread;
    NTSTATUS Status = MakeParameters(Name, Count, Arguments, &Parameters);
    if (NT_SUCCESS(Status)) {
        Status = CreateNative(&Parameters, ThreadFlags, Process, &FirstThread);
    }
    FreeParameters(&Parameters);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (Thread != NULL) {
        *Thread = FirstThread;
    } else {
        NtClose(FirstThread);
    }
    return Status;
}

/* ---- Programs of subsystems ---- */

NTSTATUS StartSubsystem(PCSTR Provider, PCSTR Path, ULONG Count, char *const *Arguments, PHANDLE Process)
{
    SUBSYSTEM_PROGRAM Program = {
        .Size = sizeof(Program),
        .Provider = Provider,
        .Path = Path,
        .ArgumentCount = Count,
        .EnvironmentCount = ENVIRONMENT_COUNT,
        .EnvironmentSize = sizeof(Environment),
        .Environment = Environment,
        .WorkingDirectory = "/",
    };
    char *Packed = PackArguments(Count, Arguments, &Program.ArgumentsSize);
    if (Packed == NULL) {
        return STATUS_NO_MEMORY;
    }
    Program.Arguments = Packed;
    NTSTATUS Status = NtCreateSubsystemProcess(Process, PROCESS_ALL_ACCESS, NULL, &Program);
    HeapFree(Packed);
    return Status;
}

BOOLEAN HasProvider(PCSTR Provider)
{
    char Names[512];
    ULONG Length = 0;
    NTSTATUS Status = NtQuerySystemInformation(SystemProviderInformation, Names, sizeof(Names) - 1, &Length);
    if (!NT_SUCCESS(Status)) {
        return FALSE;
    }
    Length = Length < sizeof(Names) ? Length : sizeof(Names) - 1;
    Names[Length] = '\0';
    for (ULONG At = 0; At < Length; At += (ULONG)strlen(Names + At) + 1) {
        if (strcmp(Names + At, Provider) == 0) {
            return TRUE;
        }
    }
    return FALSE;
}

/* ---- The end of a process ---- */

NTSTATUS WaitForProcess(HANDLE Process)
{
    PROCESS_BASIC_INFORMATION Information;
    NTSTATUS Status;
    do {
        Status = NtWaitForSingleObject(Process, FALSE, NULL);
    } while (Status == STATUS_ALERTED || Status == STATUS_USER_APC);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = NtQueryInformationProcess(Process, ProcessBasicInformation, &Information, sizeof(Information), NULL);
    return NT_SUCCESS(Status) ? Information.ExitStatus : Status;
}

/* ---- Kernel modules ---- */

static NTSTATUS CallWithName(NTSTATUS (*Service)(PUNICODE_STRING Name), PCSTR Name)
{
    UNICODE_STRING String;
    NTSTATUS Status = MakeUnicode(Name, &String);
    if (NT_SUCCESS(Status)) {
        Status = Service(&String);
        HeapFree(String.Buffer);
    }
    return Status;
}

NTSTATUS LoadModule(PCSTR Name)
{
    return CallWithName(NtLoadDriver, Name);
}

NTSTATUS UnloadModule(PCSTR Name)
{
    return CallWithName(NtUnloadDriver, Name);
}

NTSTATUS QueryProcesses(SYSTEM_PROCESS_INFORMATION **First, PULONG Size)
{
    for (ULONG Room = 0x4000;;) {
        ULONG Needed = 0;
        *First = HeapAllocate(Room);
        if (*First == NULL) {
            return STATUS_NO_MEMORY;
        }
        NTSTATUS Status = NtQuerySystemInformation(SystemProcessInformation, *First, Room, &Needed);
        if (NT_SUCCESS(Status)) {
            *Size = Needed;
            return Status;
        }
        HeapFree(*First);
        if (Status != STATUS_INFO_LENGTH_MISMATCH) {
            return Status;
        }
        Room = (Needed > Room ? Needed : Room) + 0x1000;
    }
}
