/* SPDX-License-Identifier: MIT */
/*
 * Three processes that are made, held by threads, opened, closed, ended and looked up at random, as the option
 * lab.seed has it: what each step answered is told, and the grader's model (../model.py) knows what it must
 * be.
 */
#include "child.h"

#define SLOTS   3
#define STEPS   40
#define HANDLES 3

typedef struct _SLOT {
    CHILD Child;            /* Handle: the first of Handles; Process NULL: none */
    HANDLE Handle[HANDLES]; /* the first Count are open */
    ULONG Count;
    PETHREAD Thread; /* the user thread, referenced while it is known */
    HOLDER Holder;   /* Holder.Thread NULL: none */
} SLOT;

static SLOT Slot[SLOTS];
static char Told[STEPS * 4 + 1];
static ULONG Length, Random;

static ULONG Pick(ULONG Limit)
{
    Random = (Random * 1103515245 + 12345) & 0x7fffffff;
    return (Random >> 16) % Limit;
}

static VOID Tell(char What, ULONG Number)
{
    Told[Length++] = What;
    Told[Length++] = (char)('0' + Number);
    Told[Length++] = ' ';
}

/* On one processor all that is under way is through when this returns. */
static VOID Settle(VOID)
{
    KtestSleep(20);
    PsDrainReaper();
}

static ULONG HandlesOf(const SLOT *This)
{
    PUBLIC_OBJECT_BASIC_INFORMATION Basic;
    return NT_SUCCESS(ZwQueryObject(This->Handle[0], ObjectBasicInformation, &Basic, sizeof(Basic), NULL)) && Basic.HandleCount < 10
               ? Basic.HandleCount
               : 0;
}

static BOOLEAN OpenOne(SLOT *This)
{
    return NT_SUCCESS(ObOpenObjectByPointer(This->Child.Process, OBJ_KERNEL_HANDLE, NULL, PROCESS_ALL_ACCESS, *PsProcessType,
                                            KernelMode, &This->Handle[This->Count++]));
}

static VOID Make(SLOT *This)
{
    BOOLEAN Made = StartChild(&This->Child, TRUE);
    if (Made) {
        This->Handle[0] = This->Child.Handle;
        This->Count = 1;
        This->Thread = FirstThread(&This->Child);
    } else {
        This->Child.Process = NULL;
    }
    Tell('c', Made && This->Thread != NULL);
}

static VOID Open(SLOT *This)
{
    if (This->Count < HANDLES) {
        OpenOne(This);
    }
    Tell('h', HandlesOf(This));
}

static VOID Close(SLOT *This)
{
    if (This->Count > 1) {
        ZwClose(This->Handle[--This->Count]);
    }
    Tell('k', HandlesOf(This));
}

/* A thread more; or, if there is one, it leaves. */
static VOID HoldOrLeave(SLOT *This, ULONG Value)
{
    if (This->Holder.Thread == NULL) {
        NTSTATUS Status = StartHolder(&This->Holder, This->Handle[0], (NTSTATUS)Value);
        Tell('j', NT_SUCCESS(Status) ? 0 : Status == STATUS_PROCESS_IS_TERMINATING ? 1 : 2);
    } else {
        LetGo(&This->Holder);
        This->Holder.Thread = NULL;
        Settle();
        Tell('l', PsGetProcessExitStatus(This->Child.Process) != STATUS_PENDING);
    }
}

static VOID Terminate(SLOT *This, ULONG Value)
{
    NTSTATUS Status = ZwTerminateProcess(This->Handle[0], (NTSTATUS)Value);
    Settle();
    Tell('t', NT_SUCCESS(Status) ? 0 : Status == STATUS_PROCESS_IS_TERMINATING ? 1 : 2);
}

static VOID TerminateThread(SLOT *This, ULONG Value)
{
    HANDLE Handle;
    NTSTATUS Status = ObOpenObjectByPointer(This->Thread, OBJ_KERNEL_HANDLE, NULL, THREAD_ALL_ACCESS, *PsThreadType, KernelMode, &Handle);
    if (NT_SUCCESS(Status)) {
        Status = ZwTerminateThread(Handle, (NTSTATUS)Value);
        ZwClose(Handle);
    }
    Settle();
    Tell('x', NT_SUCCESS(Status) ? 0 : Status == STATUS_THREAD_IS_TERMINATING ? 1 : 2);
}

static VOID Look(SLOT *This)
{
    NTSTATUS Status = PsGetProcessExitStatus(This->Child.Process);
    BOOLEAN Signalled = IsSignalled(This->Child.Process, 0);
    Tell(Signalled ? 's' : 'p', Status == STATUS_PENDING ? 0 : (ULONG)Status % 10);
}

/* Everybody forgets it, but its own threads; is it found by its id? Then it is known again. */
static VOID Forget(SLOT *This)
{
    HANDLE Id = PsGetProcessId(This->Child.Process);
    while (This->Count > 0) {
        ZwClose(This->Handle[--This->Count]);
    }
    ObDereferenceObject(This->Thread);
    ObDereferenceObject(This->Child.Process);
    This->Child.Process = NULL;
    Settle();
    if (!NT_SUCCESS(PsLookupProcessByProcessId(Id, &This->Child.Process))) {
        This->Child.Process = NULL;
        Tell('g', 0);
        return;
    }
    This->Thread = FirstThread(&This->Child);
    OpenOne(This);
    Tell('g', HandlesOf(This));
}

static VOID Step(SLOT *This, ULONG What, ULONG Value)
{
    switch (What) {
    case 0:
        Open(This);
        break;
    case 1:
        Close(This);
        break;
    case 2:
    case 3:
        HoldOrLeave(This, Value);
        break;
    case 4:
        Terminate(This, Value);
        break;
    case 5:
        TerminateThread(This, Value);
        break;
    case 6:
        Look(This);
        break;
    default:
        if (This->Holder.Thread != NULL || This->Thread == NULL) { /* it would be looked for in vain */
            Look(This);
        } else {
            Forget(This);
        }
    }
}

static VOID EndAll(VOID)
{
    for (SLOT *This = Slot; This < Slot + SLOTS; This++) {
        if (This->Child.Process == NULL) {
            continue;
        }
        ZwTerminateProcess(This->Handle[0], 0);
        if (This->Holder.Thread != NULL) {
            LetGo(&This->Holder);
        }
        while (This->Count > 0) {
            ZwClose(This->Handle[--This->Count]);
        }
        ObDereferenceObject(This->Thread);
        ObDereferenceObject(This->Child.Process);
    }
    Settle();
}

static PCSTR TestFates(VOID)
{
    CHAR Text[16] = "1";
    ExQueryKernelOption("lab.seed", Text, sizeof(Text));
    for (PCSTR At = Text; *At != 0; At++) {
        Random = Random * 10 + (ULONG)(*At - '0');
    }
    for (ULONG i = 0; i < STEPS; i++) {
        SLOT *This = &Slot[Pick(SLOTS)];
        ULONG What = Pick(8), Value = 1 + Pick(9);
        if (This->Child.Process == NULL) {
            Make(This);
            KTEST_CHECK(This->Child.Process != NULL);
            KTEST_CHECK(This->Thread != NULL);
        } else {
            Step(This, What, Value);
        }
    }
    EndAll();
    Told[Length - 1] = 0;
    DbgPrint("@value fates.sequence %s%s\n", Told, KtestNonce());
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    KtestRun("fates.sequence", TestFates);
    return STATUS_SUCCESS;
}
