/* SPDX-License-Identifier: MIT */
/*
 * NtCreateUserProcess and NtCreateThreadEx: native processes and threads for native callers.
 *
 * Everything of the caller's is copied first, once, and only the copies are looked at. What can fail then
 * comes before the thread is launched: from the launch on the process is known to callbacks, and ends by
 * ending.
 */
#include "ps/image.h"

#define PSP_MAXIMUM_PARAMETERS 0x40000 /* bytes of a PEB block */
#define PSP_MAXIMUM_ATTRIBUTES 8
#define PSP_MAXIMUM_IMAGE_NAME 1024

/* ---- Attribute lists ---- */

typedef struct _PSP_ATTRIBUTES {
    UNICODE_STRING ImageName; /* captured, PSP_TAG_NAME; without a buffer when there was none */
    PEPROCESS Parent;         /* referenced, or NULL */
    PCLIENT_ID ClientId;      /* the caller's variable, or NULL */
    PVOID *Teb;               /* likewise */
} PSP_ATTRIBUTES;

static NTSTATUS PspCaptureImageName(PUNICODE_STRING Name, const PS_ATTRIBUTE *Attribute, KPROCESSOR_MODE Mode)
{
    if (Attribute->Size == 0 || Attribute->Size > PSP_MAXIMUM_IMAGE_NAME || (Attribute->Size & 1) ||
        Name->Buffer != NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    Name->Buffer = ExAllocatePoolWithTag(NonPagedPoolNx, Attribute->Size, PSP_TAG_NAME);
    if (Name->Buffer == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Name->Length = Name->MaximumLength = (USHORT)Attribute->Size;
    return ExCopyIn(Name->Buffer, Attribute->ValuePtr, Attribute->Size, Mode);
}

static NTSTATUS PspCaptureAttribute(PSP_ATTRIBUTES *Captured, const PS_ATTRIBUTE *Attribute,
                                    KPROCESSOR_MODE Mode)
{
    switch (Attribute->Attribute) {
    case PS_ATTRIBUTE_CLIENT_ID:
        Captured->ClientId = Attribute->ValuePtr;
        return Attribute->Size == sizeof(CLIENT_ID) ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
    case PS_ATTRIBUTE_TEB_ADDRESS:
        Captured->Teb = Attribute->ValuePtr;
        return Attribute->Size == sizeof(PVOID) ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
    case PS_ATTRIBUTE_PARENT_PROCESS:
        return Captured->Parent == NULL
                   ? PsReferenceProcessHandle(Attribute->ValuePtr, PROCESS_CREATE_PROCESS, &Captured->Parent)
                   : STATUS_INVALID_PARAMETER;
    case PS_ATTRIBUTE_IMAGE_NAME:
        return PspCaptureImageName(&Captured->ImageName, Attribute, Mode);
    default:
        return STATUS_INVALID_PARAMETER;
    }
}

/* The caller frees ImageName and dereferences Parent, also on failure. */
static NTSTATUS PspCaptureAttributeList(PSP_ATTRIBUTES *Captured, PPS_ATTRIBUTE_LIST List,
                                        KPROCESSOR_MODE Mode)
{
    PS_ATTRIBUTE Attribute[PSP_MAXIMUM_ATTRIBUTES];
    SIZE_T Total;

    RtlZeroMemory(Captured, sizeof(*Captured));
    if (List == NULL) {
        return STATUS_SUCCESS;
    }
    NTSTATUS Status = ExCopyIn(&Total, &List->TotalLength, sizeof(Total), Mode);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    SIZE_T Size = Total - UFIELD_OFFSET(PS_ATTRIBUTE_LIST, Attributes);
    if (Total < UFIELD_OFFSET(PS_ATTRIBUTE_LIST, Attributes) || Size > sizeof(Attribute) ||
        Size % sizeof(PS_ATTRIBUTE) != 0) {
        return STATUS_INVALID_PARAMETER;
    }
    Status = ExCopyIn(Attribute, List->Attributes, Size, Mode);
    for (ULONG i = 0; NT_SUCCESS(Status) && i < Size / sizeof(PS_ATTRIBUTE); i++) {
        Status = PspCaptureAttribute(Captured, &Attribute[i], Mode);
    }
    return Status;
}

static NTSTATUS PspReturnAttributes(const PSP_ATTRIBUTES *Attributes, PETHREAD Thread, KPROCESSOR_MODE Mode)
{
    NTSTATUS Status = STATUS_SUCCESS;
    if (Attributes->ClientId != NULL) {
        Status = ExCopyOut(Attributes->ClientId, &Thread->Cid, sizeof(CLIENT_ID), Mode);
    }
    if (NT_SUCCESS(Status) && Attributes->Teb != NULL) {
        Status = ExCopyOut(Attributes->Teb, &Thread->Teb, sizeof(PVOID), Mode);
    }
    return Status;
}

/* ---- Process parameters ---- */

NTSTATUS PsCaptureStrings(char **Next, char **Copy, const char *Source, SIZE_T Size, ULONG Count,
                           KPROCESSOR_MODE Mode)
{
    ULONG Ended = 0;
    if (Size == 0) {
        *Copy = NULL;
        return Count == 0 ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
    }
    *Copy = *Next;
    *Next += Size;
    NTSTATUS Status = ExCopyIn(*Copy, Source, Size, Mode);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    for (SIZE_T i = 0; i < Size; i++) {
        Ended += (*Copy)[i] == '\0';
    }
    return (*Copy)[Size - 1] == '\0' && Ended >= Count ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

/* A counted string to *Next, which advances; a NUL follows in the zeroed block. */
static NTSTATUS PspMoveInString(char **Next, PUNICODE_STRING String, KPROCESSOR_MODE Mode)
{
    PWCHAR Source = String->Buffer;
    String->Buffer = (PWCHAR)*Next;
    String->MaximumLength = String->Length;
    *Next += String->Length + sizeof(WCHAR);
    return String->Length != 0 ? ExCopyIn(String->Buffer, Source, String->Length, Mode) : STATUS_SUCCESS;
}

/* What the parameters point to follows them in the block. */
static NTSTATUS PspMoveInParameters(PSP_PEB_BLOCK *Block, KPROCESSOR_MODE Mode)
{
    PRTL_USER_PROCESS_PARAMETERS Parameters = &Block->Parameters;
    char *Next = (char *)(Block + 1);
    NTSTATUS Status = PspMoveInString(&Next, &Parameters->ImagePathName, Mode);
    if (NT_SUCCESS(Status)) {
        Status = PspMoveInString(&Next, &Parameters->CommandLine, Mode);
    }
    if (NT_SUCCESS(Status)) {
        Status = PsCaptureStrings(&Next, &Parameters->Arguments, Parameters->Arguments,
                                   Parameters->ArgumentsSize, Parameters->ArgumentCount, Mode);
    }
    if (NT_SUCCESS(Status)) {
        Status = PsCaptureStrings(&Next, &Parameters->Environment, Parameters->Environment,
                                   Parameters->EnvironmentSize, 0, Mode);
    }
    return Status;
}

static NTSTATUS PspCheckParameters(const RTL_USER_PROCESS_PARAMETERS *Parameters, SIZE_T *BlockSize)
{
    if (Parameters->Size != sizeof(*Parameters) || (Parameters->ImagePathName.Length & 1) ||
        (Parameters->CommandLine.Length & 1)) {
        return STATUS_INVALID_PARAMETER;
    }
    *BlockSize = sizeof(PSP_PEB_BLOCK) + Parameters->ImagePathName.Length + Parameters->CommandLine.Length +
                 2 * sizeof(WCHAR) + (SIZE_T)Parameters->ArgumentsSize + Parameters->EnvironmentSize;
    return *BlockSize <= PSP_MAXIMUM_PARAMETERS ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

/* A PEB block whose pointers point into itself. Source NULL: parameters with nothing in them. */
static NTSTATUS PspCaptureParameters(PSP_PEB_BLOCK **Result, SIZE_T *Size,
                                     PRTL_USER_PROCESS_PARAMETERS Source, KPROCESSOR_MODE Mode)
{
    RTL_USER_PROCESS_PARAMETERS Parameters = {.Size = sizeof(Parameters)};
    NTSTATUS Status =
        Source != NULL ? ExCopyIn(&Parameters, Source, sizeof(Parameters), Mode) : STATUS_SUCCESS;
    if (NT_SUCCESS(Status)) {
        Status = PspCheckParameters(&Parameters, Size);
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    PSP_PEB_BLOCK *Block = ExAllocatePoolWithTag(NonPagedPoolNx, *Size, PSP_TAG);
    if (Block == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlZeroMemory(Block, *Size);
    Block->Parameters = Parameters;
    Status = PspMoveInParameters(Block, Mode);
    if (!NT_SUCCESS(Status)) {
        ExFreePoolWithTag(Block, PSP_TAG);
        return Status;
    }
    *Result = Block;
    return STATUS_SUCCESS;
}

/* ---- Processes ---- */

/* A creation on its way, of a process with its first thread or of a thread alone: what is not there yet is
   NULL. */
typedef struct _PSP_CREATION {
    KPROCESSOR_MODE Mode;
    BOOLEAN NewProcess, InheritHandles, Suspended;
    ULONG ProcessFlags, ThreadFlags; /* OBJ_* of the handles */
    ACCESS_MASK ProcessAccess, ThreadAccess;
    PSP_ATTRIBUTES Attributes;
    PSP_PEB_BLOCK *Block;
    SIZE_T BlockSize;
    PSP_IMAGE *Image;
    PEPROCESS Process;
    PETHREAD Thread;
    HANDLE ProcessHandle, ThreadHandle;
} PSP_CREATION;

/* The process with image and PEB; nobody else knows it before the last step, which gives it its id. */
static NTSTATUS PspMakeNativeProcess(PSP_CREATION *Creation)
{
    PSP_PROCESS_ATTRIBUTES Attributes = {
        .Kind = PS_PROCESS_EMPTY,
        .Parent = Creation->Attributes.Parent != NULL ? Creation->Attributes.Parent : PspHomeProcess(),
        .FileObject = Creation->Image->FileObject,
        .ImageFileName = &Creation->Image->FileName,
        .CommandLine = &Creation->Block->Parameters.CommandLine,
    };
    NTSTATUS Status = PspCreateProcess(&Attributes, NULL, Creation->InheritHandles, &Creation->Process);
    if (NT_SUCCESS(Status)) {
        Status = PspMapImage(Creation->Process, Creation->Image);
    }
    if (NT_SUCCESS(Status)) {
        Status = PspCreatePeb(Creation->Process, Creation->Block, Creation->BlockSize);
    }
    return NT_SUCCESS(Status) ? PspInsertProcess(Creation->Process) : Status;
}

static NTSTATUS PspMakeHandles(PSP_CREATION *Creation)
{
    PHANDLE_TABLE Table = ObCurrentHandleTable();
    NTSTATUS Status = ObInsertHandle(Table, Creation->Thread, Creation->ThreadAccess, Creation->ThreadFlags,
                                     &Creation->ThreadHandle);
    if (NT_SUCCESS(Status) && Creation->NewProcess) {
        Status = ObInsertHandle(Table, Creation->Process, Creation->ProcessAccess, Creation->ProcessFlags,
                                &Creation->ProcessHandle);
    }
    return Status;
}

/* The last step. The answers are in the caller's variables before the thread can run. */
static NTSTATUS PspLaunchNative(PSP_CREATION *Creation, PHANDLE ProcessHandle, PHANDLE ThreadHandle)
{
    NTSTATUS Status = PspMakeHandles(Creation);
    if (NT_SUCCESS(Status)) {
        Status = ExCopyOut(ThreadHandle, &Creation->ThreadHandle, sizeof(HANDLE), Creation->Mode);
    }
    if (NT_SUCCESS(Status) && Creation->NewProcess) {
        Status = ExCopyOut(ProcessHandle, &Creation->ProcessHandle, sizeof(HANDLE), Creation->Mode);
    }
    if (NT_SUCCESS(Status)) {
        Status = PspReturnAttributes(&Creation->Attributes, Creation->Thread, Creation->Mode);
    }
    return NT_SUCCESS(Status) ? PspLaunchThread(Creation->Thread, Creation->Suspended) : Status;
}

/* It has failed, anywhere on its way: a new process that has its id ends, unless a veto has ended it
   already. */
static void PspUndoCreation(PSP_CREATION *Creation, NTSTATUS Status)
{
    if (Creation->NewProcess && Creation->Process != NULL && Creation->Process->Inserted) {
        PspTerminateProcess(Creation->Process, Status);
    }
    if (Creation->ProcessHandle != NULL) {
        ObCloseHandle(ObCurrentHandleTable(), Creation->ProcessHandle, KernelMode);
    }
    if (Creation->ThreadHandle != NULL) {
        ObCloseHandle(ObCurrentHandleTable(), Creation->ThreadHandle, KernelMode);
    }
    if (Creation->Thread != NULL) {
        PspDiscardNativeThread(Creation->Thread, Status);
    }
}

/* The end of it, either way: what only the creator needs goes. */
static NTSTATUS PspCloseCreation(PSP_CREATION *Creation, NTSTATUS Status)
{
    if (!NT_SUCCESS(Status)) {
        PspUndoCreation(Creation, Status);
    }
    if (Creation->Thread != NULL) {
        ObDereferenceObject(Creation->Thread);
    }
    if (Creation->Process != NULL) {
        ObDereferenceObject(Creation->Process);
    }
    if (Creation->Image != NULL) {
        PspCloseImage(Creation->Image);
    }
    if (Creation->Block != NULL) {
        ExFreePoolWithTag(Creation->Block, PSP_TAG);
    }
    if (Creation->Attributes.Parent != NULL) {
        ObDereferenceObject(Creation->Attributes.Parent);
    }
    if (Creation->Attributes.ImageName.Buffer != NULL) {
        ExFreePoolWithTag(Creation->Attributes.ImageName.Buffer, PSP_TAG_NAME);
    }
    return Status;
}

static NTSTATUS PspCreateUserProcess(PSP_CREATION *Creation, PHANDLE ProcessHandle, PHANDLE ThreadHandle,
                                     PRTL_USER_PROCESS_PARAMETERS ProcessParameters)
{
    NTSTATUS Status =
        PspCaptureParameters(&Creation->Block, &Creation->BlockSize, ProcessParameters, Creation->Mode);
    if (NT_SUCCESS(Status)) {
        PUNICODE_STRING Given = &Creation->Attributes.ImageName;
        Status = PspOpenImage(Given->Buffer != NULL ? Given : &Creation->Block->Parameters.ImagePathName,
                              &Creation->Image);
    }
    if (NT_SUCCESS(Status)) {
        Status = PspMakeNativeProcess(Creation);
    }
    if (NT_SUCCESS(Status)) {
        Status = PspCreateNativeThread(Creation->Process, Creation->Image->Elf.Entry + Creation->Image->Bias,
                                       (ULONG_PTR)Creation->Process->Peb, 0, 0, &Creation->Thread);
    }
    return NT_SUCCESS(Status) ? PspLaunchNative(Creation, ProcessHandle, ThreadHandle) : Status;
}

static NTSTATUS PspCheckCreateInfo(PPS_CREATE_INFO CreateInfo, KPROCESSOR_MODE Mode)
{
    PS_CREATE_INFO Copy;
    if (CreateInfo == NULL) {
        return STATUS_SUCCESS;
    }
    NTSTATUS Status = ExCopyIn(&Copy, CreateInfo, sizeof(Copy), Mode);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    return Copy.Size == sizeof(Copy) ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

/*
 * A native process and its first thread in one call. The image: PS_ATTRIBUTE_IMAGE_NAME, else ImagePathName
 * of the parameters ("\Boot\native\hello", or "hello"). Flags: PROCESS_CREATE_FLAGS_INHERIT_HANDLES;
 * THREAD_CREATE_FLAGS_CREATE_SUSPENDED. Attributes: IMAGE_NAME, CLIENT_ID, TEB_ADDRESS; PARENT_PROCESS, a
 * handle with PROCESS_CREATE_PROCESS to the one whose child it becomes and whose handles it inherits.
 * Parameters of up to 256 KiB, copied. STATUS_OBJECT_NAME_NOT_FOUND, STATUS_FILE_IS_A_DIRECTORY,
 * STATUS_INVALID_IMAGE_FORMAT (no native program) and other faults of the image; STATUS_INVALID_PARAMETER,
 * STATUS_ACCESS_VIOLATION; a process callback's veto, after which the process has come and gone. PASSIVE. (no
 * WDK page)
 */
NTSTATUS NtCreateUserProcess(PHANDLE ProcessHandle, PHANDLE ThreadHandle, ACCESS_MASK ProcessAccess,
                             ACCESS_MASK ThreadAccess, POBJECT_ATTRIBUTES ProcessAttributes,
                             POBJECT_ATTRIBUTES ThreadAttributes, ULONG ProcessFlags, ULONG ThreadFlags,
                             PRTL_USER_PROCESS_PARAMETERS ProcessParameters, PPS_CREATE_INFO CreateInfo,
                             PPS_ATTRIBUTE_LIST AttributeList)
{
    PSP_CREATION Creation = {
        .Mode = ExGetPreviousMode(),
        .NewProcess = TRUE,
        .InheritHandles = (ProcessFlags & PROCESS_CREATE_FLAGS_INHERIT_HANDLES) != 0,
        .Suspended = (ThreadFlags & THREAD_CREATE_FLAGS_CREATE_SUSPENDED) != 0,
        .ProcessAccess = ProcessAccess,
        .ThreadAccess = ThreadAccess,
    };
    if ((ProcessFlags & ~PROCESS_CREATE_FLAGS_INHERIT_HANDLES) ||
        (ThreadFlags & ~THREAD_CREATE_FLAGS_CREATE_SUSPENDED)) {
        return STATUS_INVALID_PARAMETER;
    }
    NTSTATUS Status = PspCheckCreateInfo(CreateInfo, Creation.Mode);
    if (NT_SUCCESS(Status)) {
        Status = ExCaptureHandleAttributes(ProcessAttributes, Creation.Mode, &Creation.ProcessFlags);
    }
    if (NT_SUCCESS(Status)) {
        Status = ExCaptureHandleAttributes(ThreadAttributes, Creation.Mode, &Creation.ThreadFlags);
    }
    if (NT_SUCCESS(Status)) {
        Status = PspCaptureAttributeList(&Creation.Attributes, AttributeList, Creation.Mode);
    }
    if (NT_SUCCESS(Status)) {
        Status = PspCreateUserProcess(&Creation, ProcessHandle, ThreadHandle, ProcessParameters);
    }
    return PspCloseCreation(&Creation, Status);
}

/* ---- Threads ---- */

/*
 * A thread of a native process that starts at StartRoutine(Argument). Its stack has StackSize bytes at first
 * (0: 64 KiB) and grows to MaximumStackSize (0: 256 KiB), or to StackSize if that is more; at most 64 MiB.
 * ZeroBits must be 0. CreateFlags: THREAD_CREATE_FLAGS_CREATE_SUSPENDED. Attributes: CLIENT_ID, TEB_ADDRESS.
 * STATUS_INVALID_PARAMETER (also for a process that is not native), STATUS_PROCESS_IS_TERMINATING,
 * STATUS_ACCESS_DENIED, STATUS_INVALID_HANDLE, STATUS_NO_MEMORY. PASSIVE. (no WDK page)
 */
NTSTATUS NtCreateThreadEx(PHANDLE ThreadHandle, ACCESS_MASK DesiredAccess,
                          POBJECT_ATTRIBUTES ObjectAttributes, HANDLE ProcessHandle, PVOID StartRoutine,
                          PVOID Argument, ULONG CreateFlags, SIZE_T ZeroBits, SIZE_T StackSize,
                          SIZE_T MaximumStackSize, PPS_ATTRIBUTE_LIST AttributeList)
{
    PSP_CREATION Creation = {
        .Mode = ExGetPreviousMode(),
        .Suspended = (CreateFlags & THREAD_CREATE_FLAGS_CREATE_SUSPENDED) != 0,
        .ThreadAccess = DesiredAccess,
    };
    if ((CreateFlags & ~THREAD_CREATE_FLAGS_CREATE_SUSPENDED) || ZeroBits != 0) {
        return STATUS_INVALID_PARAMETER;
    }
    NTSTATUS Status = ExCaptureHandleAttributes(ObjectAttributes, Creation.Mode, &Creation.ThreadFlags);
    if (NT_SUCCESS(Status)) {
        Status = PspCaptureAttributeList(&Creation.Attributes, AttributeList, Creation.Mode);
    }
    if (NT_SUCCESS(Status)) {
        Status = PsReferenceProcessHandle(ProcessHandle, PROCESS_CREATE_THREAD, &Creation.Process);
    }
    if (NT_SUCCESS(Status)) {
        Status = PspCreateNativeThread(Creation.Process, (ULONG_PTR)StartRoutine, (ULONG_PTR)Argument,
                                       StackSize, MaximumStackSize, &Creation.Thread);
    }
    if (NT_SUCCESS(Status)) {
        Status = PspLaunchNative(&Creation, NULL, ThreadHandle);
    }
    return PspCloseCreation(&Creation, Status);
}
