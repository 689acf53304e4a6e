/* SPDX-License-Identifier: MIT */
/*
 * A driver makes native processes and is their standard input and output: the files Input and Output of its
 * device. Every request pends until the test's thread serves it, as a provider does that has to ask elsewhere
 * first; a request of a process that is ended is cancelled. The program is the shell, which reads commands
 * byte by byte.
 */
#include "../ktest.h"
#include <nativeprocess.h>
#include <primertest.h>

#define DEVICE L"\\Device\\Natives"
#define WAIT   20000 /* ms; what takes longer hangs */

static PDEVICE_OBJECT Device;
static KSPIN_LOCK Lock;
static LIST_ENTRY Pending = {&Pending, &Pending}; /* (Lock) */
static KEVENT Arrived;                            /* set when a request has joined them */
static volatile LONG Opened, Closed, Cancelled;

/* ---- The device ---- */

static NTSTATUS Complete(PIRP Irp, NTSTATUS Status, ULONG_PTR Information)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static NTSTATUS Create(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    /* No program opens these by their names. */
    NTSTATUS Status = Irp->RequestorMode == KernelMode ? STATUS_SUCCESS : STATUS_ACCESS_DENIED;
    Opened += NT_SUCCESS(Status);
    return Complete(Irp, Status, FILE_OPENED);
}

static NTSTATUS Close(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    InterlockedIncrement(&Closed);
    return Complete(Irp, STATUS_SUCCESS, 0);
}

static VOID Cancel(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    KIRQL Irql;
    IoReleaseCancelSpinLock(Irp->CancelIrql);
    KeAcquireSpinLock(&Lock, &Irql);
    RemoveEntryList(&Irp->Tail.Overlay.ListEntry);
    KeReleaseSpinLock(&Lock, Irql);
    InterlockedIncrement(&Cancelled);
    Complete(Irp, STATUS_CANCELLED, 0);
}

static NTSTATUS Transfer(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    KIRQL Irql;
    KeAcquireSpinLock(&Lock, &Irql);
    IoSetCancelRoutine(Irp, Cancel);
    if (Irp->Cancel && IoSetCancelRoutine(Irp, NULL) != NULL) {
        KeReleaseSpinLock(&Lock, Irql);
        return Complete(Irp, STATUS_CANCELLED, 0);
    }
    IoMarkIrpPending(Irp);
    InsertTailList(&Pending, &Irp->Tail.Overlay.ListEntry);
    KeReleaseSpinLock(&Lock, Irql);
    KeSetEvent(&Arrived, IO_NO_INCREMENT, FALSE);
    return STATUS_PENDING;
}

static PIRP NextRequest(VOID)
{
    PIRP Found = NULL;
    KIRQL Irql;
    KeAcquireSpinLock(&Lock, &Irql);
    for (PLIST_ENTRY Entry = Pending.Flink; Entry != &Pending && Found == NULL; Entry = Entry->Flink) {
        PIRP Irp = CONTAINING_RECORD(Entry, IRP, Tail.Overlay.ListEntry);
        Found = IoSetCancelRoutine(Irp, NULL) != NULL ? Irp : NULL; /* else its cancel routine waits for the lock */
    }
    if (Found != NULL) {
        RemoveEntryList(&Found->Tail.Overlay.ListEntry);
    }
    KeReleaseSpinLock(&Lock, Irql);
    return Found;
}

/* ---- One process and what it says ---- */

static struct {
    HANDLE Handle;
    PEPROCESS Process;
    PCSTR Input;            /* what it has still to read */
    CHAR Output[256];       /* what it has written, to both streams */
    ULONG Length, Reads;
} Child;

static NTSTATUS OpenFile(PCWSTR Path, ACCESS_MASK Access, PHANDLE File)
{
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Block;
    RtlInitUnicodeString(&Name, Path);
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE, NULL, NULL);
    return ZwOpenFile(File, Access | SYNCHRONIZE, &Attributes, &Block, 0, FILE_SYNCHRONOUS_IO_NONALERT);
}

/* The shell. Line: its argument, or NULL for commands from the input. */
static NTSTATUS Start(PCSTR Line, PCSTR Input, BOOLEAN Suspended)
{
    UNICODE_STRING Image = RTL_CONSTANT_STRING(L"sh");
    CHAR Arguments[80] = "sh\0-c";
    PS_NATIVE_PROGRAM Program = {.ImagePath = &Image, .ArgumentCount = 1, .ArgumentsSize = 3, .Arguments = Arguments,
                                 .Suspended = Suspended};
    if (Line != NULL) {
        strcpy(Arguments + 6, Line);
        Program.ArgumentCount = 3;
        Program.ArgumentsSize = 7 + (ULONG)strlen(Line);
    }
    RtlZeroMemory(&Child, sizeof(Child));
    Child.Input = Input;
    NTSTATUS Status = OpenFile(DEVICE L"\\Input", GENERIC_READ, &Program.Standard[0]);
    if (NT_SUCCESS(Status)) {
        Status = OpenFile(DEVICE L"\\Output", GENERIC_WRITE, &Program.Standard[1]);
        if (NT_SUCCESS(Status)) {
            Program.Standard[2] = Program.Standard[1];
            Status = PsCreateNativeProcess(&Program, &Child.Handle, &Child.Process);
            ZwClose(Program.Standard[1]);
        }
        ZwClose(Program.Standard[0]);
    }
    return Status;
}

static VOID Serve(PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    ULONG Size = Stack->Parameters.Read.Length; /* a write's length is the same field */
    PCHAR Buffer = Irp->AssociatedIrp.SystemBuffer;
    if (Stack->MajorFunction == IRP_MJ_WRITE) {
        Size = Size < sizeof(Child.Output) - 1 - Child.Length ? Size : sizeof(Child.Output) - 1 - Child.Length;
        RtlCopyMemory(Child.Output + Child.Length, Buffer, Size);
        Child.Length += Size;
        Complete(Irp, STATUS_SUCCESS, Size);
    } else if (*Child.Input == '\0') {
        Child.Reads++;
        Complete(Irp, STATUS_END_OF_FILE, 0);
    } else {
        Child.Reads++;
        Size = Size < strlen(Child.Input) ? Size : (ULONG)strlen(Child.Input);
        RtlCopyMemory(Buffer, Child.Input, Size);
        Child.Input += Size;
        Complete(Irp, STATUS_SUCCESS, Size);
    }
}

/* Until it ends (STATUS_WAIT_1), or no request comes for so long (STATUS_TIMEOUT). */
static NTSTATUS ServeFor(LONGLONG Milliseconds)
{
    PVOID Objects[] = {&Arrived, Child.Process};
    LARGE_INTEGER Time = KtestMs(Milliseconds);
    NTSTATUS Status;
    do {
        for (PIRP Irp; (Irp = NextRequest()) != NULL;) {
            Serve(Irp);
        }
        Status = KeWaitForMultipleObjects(2, Objects, WaitAny, Executive, KernelMode, FALSE, &Time, NULL);
    } while (Status == STATUS_WAIT_0);
    return Status;
}

static VOID Release(VOID)
{
    ZwClose(Child.Handle);
    ObDereferenceObject(Child.Process);
}

/* Serves it to its end; NULL when all was as expected. */
static PCSTR ServeToTheEnd(PCSTR Output, NTSTATUS ExitStatus)
{
    NTSTATUS Status = ServeFor(WAIT);
    NTSTATUS Exit = PsGetProcessExitStatus(Child.Process);
    Release();
    if (strcmp(Child.Output, Output) != 0 || Exit != ExitStatus) {
        DbgPrint("natives: status %08x, wrote '%s'\n", Exit, Child.Output);
        return "another output or status";
    }
    return Status == STATUS_WAIT_1 ? NULL : "it does not end";
}

/* ---- The tests ---- */

static PCSTR InputAndOutput(VOID)
{
    KTEST_CHECK(Start(NULL, "echo one  two\necho 'three  four'\nexit 3\n", FALSE) == STATUS_SUCCESS);
    return ServeToTheEnd("one two\nthree  four\n", 3);
}

static PCSTR EndOfInput(VOID)
{
    KTEST_CHECK(Start(NULL, "echo -n last", FALSE) == STATUS_SUCCESS);
    return ServeToTheEnd("last", 0);
}

static PCSTR Errors(VOID)
{
    KTEST_CHECK(Start("nobody-knows-this", "", FALSE) == STATUS_SUCCESS);
    return ServeToTheEnd("sh: nobody-knows-this: not found\n", 127);
}

/* Its own children get the handles, too. */
static PCSTR Grandchild(VOID)
{
    KTEST_CHECK(Start("sh -c \"echo deep\"; echo done", "", FALSE) == STATUS_SUCCESS);
    return ServeToTheEnd("deep\ndone\n", 0);
}

static PCSTR MadeSuspended(VOID)
{
    KTEST_CHECK(Start("echo runs", "", TRUE) == STATUS_SUCCESS);
    NTSTATUS Early = ServeFor(50);
    NTSTATUS Resumed = ZwResumeProcess(Child.Handle);
    PCSTR Why = ServeToTheEnd("runs\n", 0);
    KTEST_CHECK(Early == STATUS_TIMEOUT && Resumed == STATUS_SUCCESS);
    return Why;
}

/* Suspended while it waits for input: what then comes is not asked for until it is resumed. */
static PCSTR SuspendedLater(VOID)
{
    KTEST_CHECK(Start(NULL, "", FALSE) == STATUS_SUCCESS);
    while (IsListEmpty(&Pending)) { /* its first read; nobody takes it off meanwhile */
        KtestSleep(1);
    }
    NTSTATUS Suspended = ZwSuspendProcess(Child.Handle);
    Child.Input = "exit 5\n";
    NTSTATUS Early = ServeFor(100);
    ULONG Reads = Child.Reads;
    NTSTATUS Resumed = ZwResumeProcess(Child.Handle);
    PCSTR Why = ServeToTheEnd("", 5);
    KTEST_CHECK(Suspended == STATUS_SUCCESS && Resumed == STATUS_SUCCESS && Early == STATUS_TIMEOUT && Reads == 1);
    return Why;
}

/* Ended while its read pends: the request is taken back. */
static PCSTR Terminated(VOID)
{
    LONG Before = Cancelled;
    KTEST_CHECK(Start(NULL, "", FALSE) == STATUS_SUCCESS);
    while (IsListEmpty(&Pending)) {
        KtestSleep(1);
    }
    NTSTATUS Status = ZwTerminateProcess(Child.Handle, 0x1234);
    KeWaitForSingleObject(Child.Process, Executive, KernelMode, FALSE, NULL);
    PCSTR Why = ServeToTheEnd("", 0x1234);
    KTEST_CHECK(Status == STATUS_SUCCESS && Cancelled == Before + 1 && IsListEmpty(&Pending));
    return Why;
}

static PCSTR Parent(VOID)
{
    UNICODE_STRING Image = RTL_CONSTANT_STRING(L"\\Boot\\native\\nop");
    PS_NATIVE_PROGRAM Program = {.ImagePath = &Image};
    HANDLE Handle;
    PEPROCESS Process;
    KTEST_CHECK(Start("", "", TRUE) == STATUS_SUCCESS);
    HANDLE Id = PsGetProcessId(Child.Process), Own = PsGetProcessInheritedFromUniqueProcessId(Child.Process);
    Program.ParentProcess = Child.Handle;
    NTSTATUS Status = PsCreateNativeProcess(&Program, &Handle, &Process);
    ZwTerminateProcess(Child.Handle, 0);
    ServeFor(WAIT);
    Release();
    KTEST_CHECK(Status == STATUS_SUCCESS);
    HANDLE ParentId = PsGetProcessInheritedFromUniqueProcessId(Process);
    KeWaitForSingleObject(Process, Executive, KernelMode, FALSE, NULL);
    ObDereferenceObject(Process);
    ZwClose(Handle);
    KTEST_CHECK(ParentId == Id && Own == PsGetCurrentProcessId());
    return NULL;
}

static PCSTR Refusals(VOID)
{
    UNICODE_STRING Missing = RTL_CONSTANT_STRING(L"no-such-program"), Image = RTL_CONSTANT_STRING(L"nop");
    PS_NATIVE_PROGRAM Program = {.ImagePath = &Missing};
    HANDLE Handle;
    PEPROCESS Process;
    KTEST_CHECK(PsCreateNativeProcess(&Program, &Handle, &Process) == STATUS_OBJECT_NAME_NOT_FOUND);
    Program.ImagePath = &Image;
    Program.Standard[1] = (HANDLE)0x7FFC;
    KTEST_CHECK(PsCreateNativeProcess(&Program, &Handle, &Process) == STATUS_INVALID_HANDLE);
    Program.Standard[1] = NULL;
    Program.ParentProcess = (HANDLE)0x7FFC;
    KTEST_CHECK(PsCreateNativeProcess(&Program, &Handle, &Process) == STATUS_INVALID_HANDLE);
    return NULL;
}

/* What is made once and kept has been made by the tests before. */
static PCSTR LeavesNothing(VOID)
{
    PRIMER_MEMORY Before = {0}, After;
    for (ULONG i = 0; i < 15; i++) {
        if (i == 5) {
            PsDrainReaper();
            PrimerQueryMemory(&Before);
        }
        PCSTR Why = InputAndOutput();
        Why = Why != NULL ? Why : Terminated();
        Why = Why != NULL ? Why : Refusals();
        if (Why != NULL) {
            return Why;
        }
    }
    PsDrainReaper();
    PrimerQueryMemory(&After);
    KTEST_CHECK(After.Processes == Before.Processes && After.Threads == Before.Threads);
    KTEST_CHECK(After.KernelStacks == Before.KernelStacks && After.PageTablePages == Before.PageTablePages);
    KTEST_CHECK(After.PoolBlocks == Before.PoolBlocks && After.PoolBytes == Before.PoolBytes);
    KTEST_CHECK(Opened == Closed);
    return NULL;
}

static VOID Unload(PDRIVER_OBJECT DriverObject)
{
    IoDeleteDevice(Device);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(DEVICE);
    DriverObject->DriverUnload = Unload;
    DriverObject->MajorFunction[IRP_MJ_CREATE] = Create;
    DriverObject->MajorFunction[IRP_MJ_CLOSE] = Close;
    DriverObject->MajorFunction[IRP_MJ_READ] = Transfer;
    DriverObject->MajorFunction[IRP_MJ_WRITE] = Transfer;
    KeInitializeSpinLock(&Lock);
    KeInitializeEvent(&Arrived, SynchronizationEvent, FALSE);
    NTSTATUS Status = IoCreateDevice(DriverObject, 0, &Name, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Device->Flags |= DO_BUFFERED_IO;
    Device->Flags &= ~DO_DEVICE_INITIALIZING; /* its own DriverEntry opens it */
    KtestRun("natives.input-and-output", InputAndOutput);
    KtestRun("natives.end-of-input", EndOfInput);
    KtestRun("natives.errors", Errors);
    KtestRun("natives.grandchild", Grandchild);
    KtestRun("natives.made-suspended", MadeSuspended);
    KtestRun("natives.suspended-later", SuspendedLater);
    KtestRun("natives.terminated", Terminated);
    KtestRun("natives.parent", Parent);
    KtestRun("natives.refusals", Refusals);
    KtestRun("natives.leaves-nothing", LeavesNothing);
    return STATUS_SUCCESS;
}
