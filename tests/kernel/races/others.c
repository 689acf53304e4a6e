/* SPDX-License-Identifier: MIT */
/*
 * Races that have nothing to do with waits: a thread that is resumed while somebody sets its registers; the
 * start of a device's next request on one processor against that of a new one on another.
 */
#include "races.h"
#include <nativeprocess.h>
#include <ntifs.h>

enum { PointBegun = PrimerPointOwn, PointLooked };
enum { ActorHeld, ActorTest };

static UCHAR Test; /* its address is the actor */

/* ---- Registers ---- */

static HANDLE NewThreadId;

static VOID NoteThread(HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create)
{
    NewThreadId = Create ? ThreadId : NewThreadId;
}

static struct {
    HANDLE Process, Thread;
    PEPROCESS Object;
    CONTEXT Context;
    NTSTATUS Status;
} Start;

static VOID SetRegisters(PVOID Context)
{
    Start.Status = ZwSetContextThread(Start.Thread, &Start.Context);
}

/* A process with one thread that has not started; its handle, and its registers with another place to begin
   at. */
static NTSTATUS MakeSuspended(PETHREAD *Thread)
{
    static const UNICODE_STRING Image = RTL_CONSTANT_STRING(L"hello");
    static char Arguments[] = "hello";
    PS_NATIVE_PROGRAM Program = {.ImagePath = &Image, .ArgumentCount = 1, .ArgumentsSize = sizeof(Arguments),
                                 .Arguments = Arguments, .Suspended = TRUE};
    PsSetCreateThreadNotifyRoutine(NoteThread);
    NTSTATUS Status = PsCreateNativeProcess(&Program, &Start.Process, &Start.Object);
    PsRemoveCreateThreadNotifyRoutine(NoteThread);
    if (NT_SUCCESS(Status)) {
        Status = PsLookupThreadByThreadId(NewThreadId, Thread);
    }
    if (NT_SUCCESS(Status)) {
        Status = ObOpenObjectByPointer(*Thread, OBJ_KERNEL_HANDLE, NULL, THREAD_ALL_ACCESS, *PsThreadType, KernelMode, &Start.Thread);
    }
    Start.Context.ContextFlags = CONTEXT_CONTROL;
    if (NT_SUCCESS(Status)) {
        Status = ZwGetContextThread(Start.Thread, &Start.Context);
    }
    Start.Context.Rip = 0x10; /* nothing is there */
    return Status;
}

/* The thread is resumed while the other one has its registers: it does not begin before they are set, and
   begins with these. */
PCSTR ResumedWithRegistersHeld(VOID)
{
    static const PRIMER_STEP Steps[] = {{PointBegun, ActorTest, 1}, {PrimerPointRegistersHeld, ActorHeld, 2}, {PointLooked, ActorTest, 0}};
    LARGE_INTEGER While = KtestMs(200);
    PETHREAD Thread;
    KTEST_CHECK(NT_SUCCESS(MakeSuspended(&Thread)));
    PrimerSetActor(ActorHeld, Thread);
    PrimerSetActor(ActorTest, &Test);
    PrimerStartScript(Steps, ARRAYSIZE(Steps), 10000);
    PETHREAD Setter = KtestStart(SetRegisters, NULL);
    PrimerReachPoint(PointBegun, &Test);
    NTSTATUS Resumed = ZwResumeProcess(Start.Process);
    NTSTATUS Early = KeWaitForSingleObject(Start.Object, Executive, KernelMode, FALSE, &While);
    PrimerReachPoint(PointLooked, &Test);
    KtestJoin(Setter);
    BOOLEAN Met = PrimerEndScript() == ARRAYSIZE(Steps);
    KeWaitForSingleObject(Start.Object, Executive, KernelMode, FALSE, NULL);
    NTSTATUS Ended = PsGetProcessExitStatus(Start.Object);
    ObDereferenceObject(Thread);
    ObDereferenceObject(Start.Object);
    ZwClose(Start.Thread);
    ZwClose(Start.Process);
    KTEST_CHECK(Met && Resumed == STATUS_SUCCESS && Start.Status == STATUS_SUCCESS);
    KTEST_CHECK(Early == STATUS_TIMEOUT && Ended == STATUS_ACCESS_VIOLATION);
    return NULL;
}

/* ---- StartIo ---- */

static PDEVICE_OBJECT Device;
static volatile PIRP Started;

VOID NoteStart(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    Started = Irp;
}

static VOID GoOn(PVOID Context)
{
    KIRQL Irql;
    KeSetAffinityThread(KeGetCurrentThread(), 2);
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    IoStartNextPacket(Device, FALSE);
    KeLowerIrql(Irql);
}

/* One processor has found no further request, and is about to say so; another starts a new one: it stays the
   current one. */
static PCSTR RunStartAgainstNext(PIRP First, PIRP Second)
{
    static const PRIMER_STEP Steps[] = {{PointBegun, ActorTest, 1}, {PrimerPointPacketsOut, ActorHeld, 2}, {PointLooked, ActorTest, 0}};
    KAFFINITY Old = KeSetSystemAffinityThreadEx(1);
    IoStartPacket(Device, First, NULL, NULL);
    KTEST_CHECK(Started == First && Device->CurrentIrp == First);
    PrimerSetActor(ActorHeld, Device);
    PrimerSetActor(ActorTest, &Test);
    PrimerStartScript(Steps, ARRAYSIZE(Steps), 10000);
    PETHREAD Other = KtestStart(GoOn, NULL);
    PrimerReachPoint(PointBegun, &Test);
    IoStartPacket(Device, Second, NULL, NULL);
    PIRP AtOnce = Started;
    PrimerReachPoint(PointLooked, &Test);
    KtestJoin(Other);
    BOOLEAN Met = PrimerEndScript() == ARRAYSIZE(Steps);
    KeRevertToUserAffinityThreadEx(Old);
    KTEST_CHECK(Met && AtOnce == Second && Device->CurrentIrp == Second);
    GoOn(NULL);
    KTEST_CHECK(Device->CurrentIrp == NULL);
    return NULL;
}

PCSTR StartMeetsNext(PDRIVER_OBJECT DriverObject)
{
    DriverObject->DriverStartIo = NoteStart;
    KTEST_CHECK(NT_SUCCESS(IoCreateDevice(DriverObject, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device)));
    PIRP First = IoAllocateIrp(1, FALSE), Second = IoAllocateIrp(1, FALSE);
    PCSTR Why = First != NULL && Second != NULL ? RunStartAgainstNext(First, Second) : "no IRPs";
    IoFreeIrp(First);
    IoFreeIrp(Second);
    IoDeleteDevice(Device);
    return Why;
}
