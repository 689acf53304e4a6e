/* SPDX-License-Identifier: MIT */
/*
 * System threads as a driver sees them: how they start, what they are called, what is left of them. The last
 * test makes ten thousand and wants every byte back.
 */
#include "../ktest.h"
#include <primertest.h>

/* ---- A thread that stays until it is told to end ---- */

typedef struct _STAYING {
    KEVENT Started, Release;
    NTSTATUS Status; /* to end with */
    KIRQL Irql;      /* what it found at its start */
    BOOLEAN ApcsDisabled;
    KPRIORITY Priority;
    PETHREAD Self;
    HANDLE Id, ProcessId;
    PVOID Teb;
} STAYING;

static VOID Stay(PVOID Context)
{
    STAYING *Staying = Context;
    Staying->Irql = KeGetCurrentIrql();
    Staying->ApcsDisabled = KeAreApcsDisabled();
    Staying->Priority = KeQueryPriorityThread(KeGetCurrentThread());
    Staying->Self = PsGetCurrentThread();
    Staying->Id = PsGetCurrentThreadId();
    Staying->ProcessId = PsGetCurrentProcessId();
    Staying->Teb = PsGetCurrentThreadTeb();
    KeSetEvent(&Staying->Started, IO_NO_INCREMENT, FALSE);
    KeWaitForSingleObject(&Staying->Release, Executive, KernelMode, FALSE, NULL);
    PsTerminateSystemThread(Staying->Status);
}

static NTSTATUS StartStaying(STAYING *Staying, PHANDLE Handle, PCLIENT_ID Cid, POBJECT_ATTRIBUTES Attributes)
{
    KeInitializeEvent(&Staying->Started, NotificationEvent, FALSE);
    KeInitializeEvent(&Staying->Release, NotificationEvent, FALSE);
    NTSTATUS Status = PsCreateSystemThread(Handle, THREAD_ALL_ACCESS, Attributes, NULL, Cid, Stay, Staying);
    if (NT_SUCCESS(Status)) {
        KeWaitForSingleObject(&Staying->Started, Executive, KernelMode, FALSE, NULL);
    }
    return Status;
}

static PETHREAD ThreadOf(HANDLE Handle)
{
    PETHREAD Thread = NULL;
    ObReferenceObjectByHandle(Handle, SYNCHRONIZE, *PsThreadType, KernelMode, (PVOID *)&Thread, NULL);
    return Thread;
}

/* ---- Start ---- */

/* At PASSIVE_LEVEL, in a critical region, with priority 8, in the System process, without TEB. */
static PCSTR Start(VOID)
{
    STAYING Staying = {.Status = STATUS_SUCCESS};
    CLIENT_ID Cid;
    HANDLE Handle;
    KTEST_CHECK(StartStaying(&Staying, &Handle, &Cid, NULL) == STATUS_SUCCESS);
    PETHREAD Thread = ThreadOf(Handle);
    KeSetEvent(&Staying.Release, IO_NO_INCREMENT, FALSE);
    ZwWaitForSingleObject(Handle, FALSE, NULL);

    KTEST_CHECK(Staying.Irql == PASSIVE_LEVEL);
    KTEST_CHECK(Staying.ApcsDisabled);
    KTEST_CHECK(Staying.Priority == 8);
    KTEST_CHECK(Staying.Self == Thread);
    KTEST_CHECK(Staying.Id == Cid.UniqueThread && PsGetThreadId(Thread) == Cid.UniqueThread);
    KTEST_CHECK(Staying.ProcessId == Cid.UniqueProcess && Cid.UniqueProcess == ULongToHandle(4));
    KTEST_CHECK(PsGetThreadProcessId(Thread) == ULongToHandle(4));
    KTEST_CHECK(PsGetThreadProcess(Thread) == PsInitialSystemProcess);
    KTEST_CHECK(PsIsSystemThread(Thread));
    KTEST_CHECK(Staying.Teb == NULL);
    KTEST_CHECK((LONG_PTR)Handle < 0); /* a kernel handle */
    ObDereferenceObject(Thread);
    KTEST_CHECK(ZwClose(Handle) == STATUS_SUCCESS);
    return NULL;
}

/* What a thread's handle cannot have is refused, and what it always has may be asked for. */
static PCSTR Attributes(VOID)
{
    static const ULONG Bad[] = {OBJ_PERMANENT, OBJ_EXCLUSIVE, OBJ_OPENIF, 0x80000000};
    OBJECT_ATTRIBUTES Attributes;
    STAYING Staying = {.Status = STATUS_SUCCESS};
    HANDLE Handle;

    for (ULONG i = 0; i < ARRAYSIZE(Bad); i++) {
        InitializeObjectAttributes(&Attributes, NULL, Bad[i], NULL, NULL);
        KTEST_CHECK(StartStaying(&Staying, &Handle, NULL, &Attributes) == STATUS_INVALID_PARAMETER);
    }
    InitializeObjectAttributes(&Attributes, NULL, 0, NULL, NULL);
    Attributes.Length--;
    KTEST_CHECK(StartStaying(&Staying, &Handle, NULL, &Attributes) == STATUS_INVALID_PARAMETER);

    InitializeObjectAttributes(&Attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    KTEST_CHECK(StartStaying(&Staying, &Handle, NULL, &Attributes) == STATUS_SUCCESS);
    KeSetEvent(&Staying.Release, IO_NO_INCREMENT, FALSE);
    ZwWaitForSingleObject(Handle, FALSE, NULL);
    ZwClose(Handle);
    KTEST_CHECK(PsCreateSystemThread(&Handle, 0, NULL, (HANDLE)0x7ffffff0, NULL, Stay, &Staying) ==
                STATUS_INVALID_HANDLE);
    return NULL;
}

/* ---- End ---- */

/* Pending while it lives; then what it ended with. */
static PCSTR ExitStatus(VOID)
{
    STAYING Staying = {.Status = (NTSTATUS)0xc0123456};
    HANDLE Handle;
    KTEST_CHECK(StartStaying(&Staying, &Handle, NULL, NULL) == STATUS_SUCCESS);
    PETHREAD Thread = ThreadOf(Handle);
    ZwClose(Handle);
    KTEST_CHECK(PsGetThreadExitStatus(Thread) == STATUS_PENDING);
    KTEST_CHECK(!PsIsThreadTerminating(Thread));
    LARGE_INTEGER Now = {.QuadPart = 0};
    KTEST_CHECK(KeWaitForSingleObject(Thread, Executive, KernelMode, FALSE, &Now) == STATUS_TIMEOUT);

    KeSetEvent(&Staying.Release, IO_NO_INCREMENT, FALSE);
    KTEST_CHECK(KeWaitForSingleObject(Thread, Executive, KernelMode, FALSE, NULL) == STATUS_SUCCESS);
    KTEST_CHECK(PsGetThreadExitStatus(Thread) == (NTSTATUS)0xc0123456);
    KTEST_CHECK(PsIsThreadTerminating(Thread));
    KTEST_CHECK(KeWaitForSingleObject(Thread, Executive, KernelMode, FALSE, &Now) ==
                STATUS_SUCCESS); /* stays signalled */
    ObDereferenceObject(Thread);
    return NULL;
}

static VOID JustReturn(PVOID Context)
{
    UNREFERENCED_PARAMETER(Context);
}

/* A plain return counts as STATUS_SUCCESS. */
static PCSTR PlainReturn(VOID)
{
    PETHREAD Thread = KtestStart(JustReturn, NULL);
    KTEST_CHECK(Thread != NULL);
    KeWaitForSingleObject(Thread, Executive, KernelMode, FALSE, NULL);
    NTSTATUS Status = PsGetThreadExitStatus(Thread);
    ObDereferenceObject(Thread);
    KTEST_CHECK(Status == STATUS_SUCCESS);
    return NULL;
}

/* Only the current thread, and only a system thread, ends that way. */
static PCSTR TerminateUserThread(VOID)
{
    if (!PsIsSystemThread(PsGetCurrentThread())) { /* whoever loads this module */
        KTEST_CHECK(PsTerminateSystemThread(STATUS_SUCCESS) == STATUS_INVALID_PARAMETER);
    }
    return NULL;
}

/* ---- Ids ---- */

static PCSTR CheckLookups(PCLIENT_ID Cid, PETHREAD Thread)
{
    PETHREAD Found;
    PEPROCESS Process;
    CLIENT_ID Wrong = {Cid->UniqueThread, Cid->UniqueThread};

    KTEST_CHECK(PsLookupThreadByThreadId(Cid->UniqueThread, &Found) == STATUS_SUCCESS && Found == Thread);
    ObDereferenceObject(Found);
    KTEST_CHECK(PsLookupProcessThreadByCid(Cid, &Process, &Found) == STATUS_SUCCESS && Found == Thread &&
                Process == PsInitialSystemProcess);
    ObDereferenceObject(Found);
    ObDereferenceObject(Process);
    KTEST_CHECK(PsLookupProcessThreadByCid(&Wrong, NULL, &Found) == STATUS_INVALID_CID);
    KTEST_CHECK(PsLookupThreadByThreadId(Cid->UniqueProcess, &Found) ==
                STATUS_INVALID_PARAMETER); /* a process's */
    KTEST_CHECK(PsLookupProcessByProcessId(Cid->UniqueThread, &Process) ==
                STATUS_INVALID_CID); /* a thread's */
    return NULL;
}

/* A thread is found while anybody has a reference, also after its end; then no more. */
static PCSTR Lookup(VOID)
{
    STAYING Staying = {.Status = STATUS_SUCCESS};
    CLIENT_ID Cid;
    HANDLE Handle;
    PETHREAD Found;

    KTEST_CHECK(StartStaying(&Staying, &Handle, &Cid, NULL) == STATUS_SUCCESS);
    PETHREAD Thread = ThreadOf(Handle);
    ZwClose(Handle);
    PCSTR Why = CheckLookups(&Cid, Thread);
    KeSetEvent(&Staying.Release, IO_NO_INCREMENT, FALSE);
    KeWaitForSingleObject(Thread, Executive, KernelMode, FALSE, NULL);
    PsDrainReaper();
    if (Why == NULL) {
        Why = CheckLookups(&Cid, Thread);
    }
    ObDereferenceObject(Thread);
    KTEST_CHECK(PsLookupThreadByThreadId(Cid.UniqueThread, &Found) == STATUS_INVALID_PARAMETER);
    return Why;
}

static PCSTR Processes(VOID)
{
    PEPROCESS Process;
    KTEST_CHECK(PsLookupProcessByProcessId(ULongToHandle(4), &Process) == STATUS_SUCCESS);
    ObDereferenceObject(Process);
    KTEST_CHECK(Process == PsInitialSystemProcess && PsGetProcessId(Process) == ULongToHandle(4));
    KTEST_CHECK(PsIsSystemProcess(Process));
    KTEST_CHECK(PsGetProcessExitStatus(Process) == STATUS_PENDING);
    KTEST_CHECK(PsGetProcessCreateTimeQuadPart(Process) > 0);
    KTEST_CHECK(PsLookupProcessByProcessId(NULL, &Process) == STATUS_INVALID_CID);
    KTEST_CHECK(PsLookupProcessByProcessId((HANDLE)~0ULL, &Process) == STATUS_INVALID_CID);
    KTEST_CHECK(PsLookupProcessByProcessId(ULongToHandle(5), &Process) == STATUS_INVALID_CID);
    return NULL;
}

/* Multiples of 4, no two alike among those that live. */
static PCSTR Ids(VOID)
{
    static STAYING Staying[32];
    CLIENT_ID Cid[ARRAYSIZE(Staying)];
    HANDLE Handle[ARRAYSIZE(Staying)];
    PCSTR Why = NULL;

    for (ULONG i = 0; i < ARRAYSIZE(Staying); i++) {
        KTEST_CHECK(StartStaying(&Staying[i], &Handle[i], &Cid[i], NULL) == STATUS_SUCCESS);
        for (ULONG Other = 0; Other < i; Other++) {
            Why = Cid[Other].UniqueThread == Cid[i].UniqueThread ? "two threads with one id" : Why;
        }
        Why = HandleToULong(Cid[i].UniqueThread) % 4 != 0 ? "an id that is no multiple of 4" : Why;
    }
    for (ULONG i = 0; i < ARRAYSIZE(Staying); i++) {
        KeSetEvent(&Staying[i].Release, IO_NO_INCREMENT, FALSE);
        ZwWaitForSingleObject(Handle[i], FALSE, NULL);
        ZwClose(Handle[i]);
    }
    return Why;
}

/* ---- What is left ---- */

static VOID Settle(PPRIMER_MEMORY Memory)
{
    PsDrainReaper();
    PrimerQueryMemory(Memory);
}

static volatile LONG Failures, EachMakes;

static VOID MakeAndEnd(PVOID Context)
{
    UNREFERENCED_PARAMETER(Context);
    for (LONG i = 0; i < EachMakes; i++) {
        PETHREAD Thread = KtestStart(JustReturn, NULL);
        if (Thread == NULL) {
            InterlockedIncrement(&Failures);
            return;
        }
        KtestJoin(Thread);
    }
}

static VOID Doze(PVOID Context)
{
    UNREFERENCED_PARAMETER(Context);
    KtestSleep(100);
}

/* Four threads on as many processors make and end 2,500 threads each: pool, pages, stacks and objects are
   where they were. */
static PCSTR TenThousand(VOID)
{
    PRIMER_MEMORY Before, After;

    /* What is made once and kept, is made now: tables of ids, and page tables of the stacks' range, which
       reach as far as there were ever stacks at a time. */
    KTEST_CHECK(KtestCrowd(KTEST_MAX_THREADS, Doze));
    EachMakes = 250;
    KTEST_CHECK(KtestCrowd(4, MakeAndEnd));
    Settle(&Before);
    EachMakes = 2500;
    KTEST_CHECK(KtestCrowd(4, MakeAndEnd));
    Settle(&After);
    KTEST_CHECK(Failures == 0);
    DbgPrint("threads: free pages %I64u -> %I64u, page tables %I64u -> %I64u, pool %I64u -> %I64u bytes\n",
             Before.FreePages, After.FreePages, Before.PageTablePages, After.PageTablePages, Before.PoolBytes,
             After.PoolBytes);
    KTEST_CHECK(After.Threads == Before.Threads);
    KTEST_CHECK(After.KernelStacks == Before.KernelStacks);
    KTEST_CHECK(After.PoolBlocks == Before.PoolBlocks && After.PoolBytes == Before.PoolBytes);
    KTEST_CHECK(After.FreePages == Before.FreePages);
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(DriverObject);
    UNREFERENCED_PARAMETER(RegistryPath);
    KtestRun("threads.start", Start);
    KtestRun("threads.attributes", Attributes);
    KtestRun("threads.exit-status", ExitStatus);
    KtestRun("threads.plain-return", PlainReturn);
    KtestRun("threads.terminate-user-thread", TerminateUserThread);
    KtestRun("threads.lookup", Lookup);
    KtestRun("threads.processes", Processes);
    KtestRun("threads.ids", Ids);
    KtestRun("threads.ten-thousand", TenThousand);
    return STATUS_SUCCESS;
}
