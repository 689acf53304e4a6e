/* SPDX-License-Identifier: MIT */
/*
 * A driver outside the tree that registers every kind of notify callback, notes each call while programs run,
 * and says when it is unloaded whether order and content were as the driver kit's pages have them. Loaded,
 * then `hello` (native), `nop` (native, which a callback forbids) and `busybox true` (of a subsystem) are
 * run, the driver `timerdpc` is loaded, and this one is unloaded.
 *
 * Each call is a letter: P, E, X a process for the plain, Ex and Ex2 routine; T, N, S a thread for the plain,
 * NonSystem and Subsystems routine; I an image. A small letter is an end. What happened to one process then
 * is a word.
 */
#include <ntifs.h>

#define EVENTS 1024

typedef struct _EVENT {
    HANDLE ProcessId;
    CHAR Kind;
} EVENT;
static EVENT Event[EVENTS];
static volatile LONG Events;

/* What was wrong in any call, by name; NULL: nothing. The first stays. */
static PCSTR volatile WrongContext, WrongCreateInfo, WrongImage, WrongMode, WrongQuestion;

static VOID Expect(PCSTR volatile *Wrong, BOOLEAN Right, PCSTR What)
{
    if (!Right && *Wrong == NULL) {
        *Wrong = What;
    }
}

static VOID Note(CHAR Kind, HANDLE ProcessId)
{
    LONG Number = InterlockedIncrement(&Events) - 1;
    Expect(&WrongContext, KeGetCurrentIrql() == PASSIVE_LEVEL, "a call above PASSIVE_LEVEL");
    Expect(&WrongContext, KeAreApcsDisabled(), "a call outside a critical region");
    if (Number < EVENTS) {
        Event[Number].ProcessId = ProcessId;
        Event[Number].Kind = Kind;
    }
}

static BOOLEAN EndsWith(PCUNICODE_STRING Name, PCWSTR End)
{
    UNICODE_STRING Tail;
    RtlInitUnicodeString(&Tail, End);
    if (Name == NULL || Name->Length < Tail.Length) {
        return FALSE;
    }
    return RtlCompareMemory((PUCHAR)Name->Buffer + Name->Length - Tail.Length, Tail.Buffer, Tail.Length) == Tail.Length;
}

/* ---- Processes ---- */

static HANDLE Hello, Nop, Busybox;

static VOID Process(HANDLE ParentId, HANDLE ProcessId, BOOLEAN Create)
{
    UNREFERENCED_PARAMETER(ParentId);
    Note(Create ? 'P' : 'p', ProcessId);
    /* The one that was forbidden never ran: its creator ends it. */
    Expect(&WrongContext, (ProcessId == PsGetCurrentProcessId()) == (!Create && ProcessId != Nop),
           "a creation on the new process, or an end on another one");
}

/* The creator is a program: its mode stays the previous one for Nt routines, which refuse the kernel's
   addresses; Zw routines are calls of the kernel. */
static VOID CheckModes(VOID)
{
    PROCESS_BASIC_INFORMATION Basic;
    Expect(&WrongMode, ExGetPreviousMode() == UserMode, "the previous mode of a program's call is not UserMode");
    Expect(&WrongMode,
           NtQueryInformationProcess(NtCurrentProcess(), ProcessBasicInformation, &Basic, sizeof(Basic), NULL) ==
               STATUS_ACCESS_VIOLATION,
           "NtQueryInformationProcess wrote to the kernel for a program");
    Expect(&WrongMode,
           ZwQueryInformationProcess(ZwCurrentProcess(), ProcessBasicInformation, &Basic, sizeof(Basic), NULL) ==
                   STATUS_SUCCESS &&
               Basic.UniqueProcessId == (ULONG_PTR)PsGetCurrentProcessId(),
           "ZwQueryInformationProcess");
    Expect(&WrongMode, ExGetPreviousMode() == UserMode, "a Zw call did not put the previous mode back");
}

/* The question that the documentation of subsystem processes names first, and others about the new
   process. */
static VOID AskAbout(PEPROCESS NewProcess, PPS_CREATE_NOTIFY_INFO CreateInfo)
{
    HANDLE Handle;
    SUBSYSTEM_INFORMATION_TYPE Type = MaxSubsystemInformationType;
    PROCESS_BASIC_INFORMATION Basic;
    PUNICODE_STRING Name;
    KAPC_STATE State;

    if (!NT_SUCCESS(ObOpenObjectByPointer(NewProcess, OBJ_KERNEL_HANDLE, NULL, PROCESS_ALL_ACCESS, *PsProcessType, KernelMode,
                                          &Handle))) {
        Expect(&WrongQuestion, FALSE, "no handle");
        return;
    }
    Expect(&WrongQuestion,
           ZwQueryInformationProcess(Handle, ProcessSubsystemInformation, &Type, sizeof(Type), NULL) == STATUS_SUCCESS &&
               Type == (CreateInfo->IsSubsystemProcess ? SubsystemInformationTypeWSL : SubsystemInformationTypeWin32),
           "the subsystem's type");
    Expect(&WrongQuestion,
           ZwQueryInformationProcess(Handle, ProcessBasicInformation, &Basic, sizeof(Basic), NULL) == STATUS_SUCCESS &&
               Basic.UniqueProcessId == (ULONG_PTR)PsGetProcessId(NewProcess) && Basic.ExitStatus == STATUS_PENDING &&
               Basic.InheritedFromUniqueProcessId == (ULONG_PTR)PsGetProcessInheritedFromUniqueProcessId(NewProcess) &&
               (Basic.PebBaseAddress == NULL) == CreateInfo->IsSubsystemProcess,
           "the basic information");
    ZwClose(Handle);
    if (NT_SUCCESS(SeLocateProcessImageName(NewProcess, &Name))) {
        Expect(&WrongQuestion, RtlEqualUnicodeString(Name, CreateInfo->ImageFileName, FALSE), "the image's name");
        ExFreePool(Name);
    }
    if (!CreateInfo->IsSubsystemProcess) {
        volatile PVOID Parameters = NULL;
        KeStackAttachProcess(NewProcess, &State);
        _SEH2_TRY {
            ProbeForRead(Basic.PebBaseAddress, sizeof(PEB), 8);
            Parameters = Basic.PebBaseAddress->ProcessParameters;
        } _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
            Parameters = NULL;
        } _SEH2_END;
        KeUnstackDetachProcess(&State);
        Expect(&WrongQuestion, Parameters != NULL, "the PEB, while attached");
    }
}

static VOID ProcessEx(PEPROCESS NewProcess, HANDLE ProcessId, PPS_CREATE_NOTIFY_INFO CreateInfo)
{
    UNREFERENCED_PARAMETER(NewProcess);
    Note(CreateInfo != NULL ? 'E' : 'e', ProcessId);
    if (CreateInfo == NULL) {
        return;
    }
    Expect(&WrongCreateInfo, !CreateInfo->IsSubsystemProcess, "a subsystem's process for an Ex routine");
    CheckModes();
    if (EndsWith(CreateInfo->ImageFileName, L"nop")) {
        CreateInfo->CreationStatus = STATUS_ACCESS_DENIED;
    }
}

static VOID ProcessEx2(PEPROCESS NewProcess, HANDLE ProcessId, PPS_CREATE_NOTIFY_INFO CreateInfo)
{
    Note(CreateInfo != NULL ? 'X' : 'x', ProcessId);
    if (CreateInfo == NULL) {
        Expect(&WrongContext, ProcessId == PsGetCurrentProcessId() || ProcessId == Nop, "an end on another process");
        Expect(&WrongCreateInfo, PsGetProcessExitStatus(NewProcess) != STATUS_PENDING, "an end without a status");
        return;
    }
    Hello = EndsWith(CreateInfo->ImageFileName, L"hello") ? ProcessId : Hello;
    Nop = EndsWith(CreateInfo->ImageFileName, L"nop") ? ProcessId : Nop;
    Busybox = EndsWith(CreateInfo->ImageFileName, L"busybox") ? ProcessId : Busybox;
    Expect(&WrongCreateInfo, CreateInfo->Size == sizeof(*CreateInfo), "Size");
    Expect(&WrongCreateInfo, PsGetProcessId(NewProcess) == ProcessId, "process and id");
    Expect(&WrongCreateInfo, CreateInfo->ParentProcessId == PsGetProcessInheritedFromUniqueProcessId(NewProcess), "the parent");
    Expect(&WrongCreateInfo, CreateInfo->CreatingThreadId.UniqueThread == PsGetCurrentThreadId() &&
                                 CreateInfo->CreatingThreadId.UniqueProcess == PsGetCurrentProcessId(), "the creator");
    Expect(&WrongCreateInfo, CreateInfo->ImageFileName != NULL && CreateInfo->CommandLine != NULL, "names");
    Expect(&WrongCreateInfo, CreateInfo->IsSubsystemProcess || CreateInfo->FileObject != NULL, "a program without a file");
    Expect(&WrongCreateInfo, (ProcessId == Nop) == (CreateInfo->CreationStatus == STATUS_ACCESS_DENIED),
           "a routine sees what one before has left in CreationStatus");
    AskAbout(NewProcess, CreateInfo);
}

/* ---- Threads and images ---- */

static VOID Thread(HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create)
{
    Note(Create ? 'T' : 't', ProcessId);
    Expect(&WrongContext, (ThreadId == PsGetCurrentThreadId()) == !Create, "plain: a creation on the new thread, or an end elsewhere");
}

static VOID ThreadNonSystem(HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create)
{
    Note(Create ? 'N' : 'n', ProcessId);
    Expect(&WrongContext, ThreadId == PsGetCurrentThreadId(), "NonSystem: not on the thread itself");
}

static VOID ThreadSubsystems(HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create)
{
    Note(Create ? 'S' : 's', ProcessId);
    Expect(&WrongContext, (ThreadId == PsGetCurrentThreadId()) == !Create, "Subsystems: as plain");
}

static ULONG ModuleImages;

static VOID Image(PUNICODE_STRING FullImageName, HANDLE ProcessId, PIMAGE_INFO ImageInfo)
{
    if (ProcessId == NULL) {
        ModuleImages += EndsWith(FullImageName, L"\\timerdpc.sys");
        Expect(&WrongImage, ImageInfo->SystemModeImage && (LONG_PTR)ImageInfo->ImageBase < 0, "a driver's image");
    } else {
        Note('I', ProcessId);
        Expect(&WrongImage, ProcessId == PsGetCurrentProcessId(), "a program's image on another process");
        Expect(&WrongImage, !ImageInfo->SystemModeImage && (LONG_PTR)ImageInfo->ImageBase > 0, "a program's image");
    }
    Expect(&WrongImage, FullImageName != NULL && ImageInfo->ImageSize != 0 &&
                            ImageInfo->ImageAddressingMode == IMAGE_ADDRESSING_MODE_32BIT, "name, size or mode");
}

/* ---- The verdict ---- */

static VOID Tell(PCSTR Name, PCSTR Wrong)
{
    if (Wrong == NULL) {
        DbgPrint("@pass notify.%s\n", Name);
    } else {
        DbgPrint("@fail notify.%s: %s\n", Name, Wrong);
    }
}

/* What happened to the process, as a word. */
static VOID TellWord(PCSTR Name, HANDLE ProcessId, PCSTR Expected)
{
    CHAR Word[64];
    ULONG Length = 0;
    for (LONG i = 0; i < Events && i < EVENTS; i++) {
        if (Event[i].ProcessId == ProcessId && Length < sizeof(Word) - 1) {
            Word[Length++] = Event[i].Kind;
        }
    }
    Word[Length] = 0;
    if (strcmp(Word, Expected) == 0) {
        DbgPrint("@pass notify.%s\n", Name);
    } else {
        DbgPrint("@fail notify.%s: %s, expected %s\n", Name, Word, Expected);
    }
}

static NTSTATUS Change(BOOLEAN Remove)
{
    NTSTATUS Status[7] = {
        PsSetCreateProcessNotifyRoutine(Process, Remove),
        PsSetCreateProcessNotifyRoutineEx(ProcessEx, Remove),
        PsSetCreateProcessNotifyRoutineEx2(PsCreateProcessNotifySubsystems, (PVOID)ProcessEx2, Remove),
        Remove ? PsRemoveCreateThreadNotifyRoutine(Thread) : PsSetCreateThreadNotifyRoutine(Thread),
        Remove ? PsRemoveCreateThreadNotifyRoutine((PCREATE_THREAD_NOTIFY_ROUTINE)ThreadNonSystem)
               : PsSetCreateThreadNotifyRoutineEx(PsCreateThreadNotifyNonSystem, (PVOID)ThreadNonSystem),
        Remove ? PsRemoveCreateThreadNotifyRoutine(ThreadSubsystems)
               : PsSetCreateThreadNotifyRoutineEx(PsCreateThreadNotifySubsystems, (PVOID)ThreadSubsystems),
        Remove ? PsRemoveLoadImageNotifyRoutine(Image) : PsSetLoadImageNotifyRoutine(Image),
    };
    for (ULONG i = 0; i < RTL_NUMBER_OF(Status); i++) {
        if (!NT_SUCCESS(Status[i])) {
            return Status[i];
        }
    }
    return STATUS_SUCCESS;
}

DRIVER_UNLOAD Unload;

VOID Unload(PDRIVER_OBJECT DriverObject)
{
    UNREFERENCED_PARAMETER(DriverObject);
    Tell("removal", NT_SUCCESS(Change(TRUE)) ? NULL : "a routine could not be removed");
    Tell("room", Events <= EVENTS ? NULL : "more calls than room");
    TellWord("native-program", Hello, "PEXTSNItnspex");
    TellWord("forbidden-program", Nop, "PEXpex");
    TellWord("subsystem-program", Busybox, "XSsx");
    Tell("module-image", ModuleImages == 1 ? NULL : "the driver's image was not told of once");
    Tell("context", WrongContext);
    Tell("create-info", WrongCreateInfo);
    Tell("image-info", WrongImage);
    Tell("modes", WrongMode);
    Tell("questions", WrongQuestion);
}

DRIVER_INITIALIZE DriverEntry;

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(RegistryPath);
    DriverObject->DriverUnload = Unload;
    NTSTATUS Status = Change(FALSE);
    if (!NT_SUCCESS(Status)) {
        Change(TRUE);
    }
    return Status;
}
