/* SPDX-License-Identifier: MIT */
/*
 * Timers for programs, with an APC for the thread that set them. A timer that has queued its APC holds a
 * reference to itself until that has been delivered or run down.
 *
 * Lock: Lock guards Thread, FirstDue and what is to be queued; the timer's DPC takes it, too.
 */
#include "kernel/services/services.h"
#include "ps/ps.h"
#include <ntapi.h>

static POBJECT_TYPE SvcTimerType;

typedef struct _SVC_TIMER {
    KTIMER Timer; /* first: it is what is waited for */
    KDPC Dpc;
    KAPC Apc;
    KSPIN_LOCK Lock;
    PETHREAD Thread;  /* (Lock) gets the APC, referenced; NULL: none */
    ULONG64 FirstDue; /* (Lock) interrupt time: a DPC that comes earlier is of the setting before */
} SVC_TIMER, *PSVC_TIMER;

static VOID SvcTimerRundown(PKAPC Apc)
{
    ObDereferenceObject(CONTAINING_RECORD(Apc, SVC_TIMER, Apc));
}

static VOID SvcTimerApc(PKAPC Apc, PKNORMAL_ROUTINE *NormalRoutine, PVOID *NormalContext, PVOID *Argument1,
                        PVOID *Argument2)
{
    SvcTimerRundown(Apc);
}

/* Due: the APC gets the time, unless the last one has not been delivered yet. */
static VOID SvcTimerDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    PSVC_TIMER Timer = Context;
    LARGE_INTEGER Now;
    KeQuerySystemTime(&Now);
    KeAcquireSpinLockAtDpcLevel(&Timer->Lock);
    if (Timer->Thread != NULL && KeQueryInterruptTime() >= Timer->FirstDue &&
        ObReferenceObjectSafe(Timer)) { /* not while it is being deleted */
        if (!KeInsertQueueApc(&Timer->Apc, (PVOID)(ULONG_PTR)Now.LowPart, (PVOID)(LONG_PTR)Now.HighPart,
                              IO_NO_INCREMENT)) {
            ObDereferenceObject(Timer);
        }
    }
    KeReleaseSpinLockFromDpcLevel(&Timer->Lock);
}

static void SvcInitializeTimer(PVOID Object, const VOID *Context)
{
    PSVC_TIMER Timer = Object;
    KeInitializeTimerEx(&Timer->Timer, *(const TIMER_TYPE *)Context);
    KeInitializeDpc(&Timer->Dpc, SvcTimerDpc, Timer);
    KeInitializeSpinLock(&Timer->Lock);
}

/* It is set no more, and its APC is not queued any more. Returns the thread that got the APC, whose reference
   the caller drops. (Lock) */
static PETHREAD SvcDisarm(PSVC_TIMER Timer, PBOOLEAN Unqueued)
{
    PETHREAD Thread = Timer->Thread;
    KeCancelTimer(&Timer->Timer);
    KeRemoveQueueDpc(&Timer->Dpc);
    *Unqueued = Thread != NULL && KeRemoveQueueApc(&Timer->Apc);
    Timer->Thread = NULL;
    return Thread;
}

static void SvcDropApc(PSVC_TIMER Timer, PETHREAD Thread, BOOLEAN Unqueued)
{
    if (Unqueued) {
        ObDereferenceObject(Timer);
    }
    if (Thread != NULL) {
        ObDereferenceObject(Thread);
    }
}

static void SvcDeleteTimer(PVOID Object)
{
    PSVC_TIMER Timer = Object;
    KeCancelTimer(&Timer->Timer);
    KeRemoveQueueDpcEx(&Timer->Dpc, TRUE); /* and one that runs has ended: it may have taken a last reference, and dropped it */
    if (Timer->Thread != NULL) {
        ObDereferenceObject(Timer->Thread);
    }
}

/* A handle to a new timer, or with OBJ_OPENIF to the one that has the name. STATUS_INVALID_PARAMETER: another
   type than the two; the statuses of ObInsertObject. PASSIVE. (no WDK page) */
NTSTATUS NtCreateTimer(PHANDLE TimerHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                       TIMER_TYPE TimerType)
{
    if (TimerType != NotificationTimer && TimerType != SynchronizationTimer) {
        return STATUS_INVALID_PARAMETER;
    }
    return SvcCreateNamed(SvcTimerType, ObjectAttributes, DesiredAccess, TimerHandle, SvcInitializeTimer, &TimerType);
}

/* A handle to the timer of a name. The statuses of ObOpenObjectByName. PASSIVE. (no WDK page) */
NTSTATUS NtOpenTimer(PHANDLE TimerHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes)
{
    return SvcOpenByName(TimerHandle, DesiredAccess, ObjectAttributes, SvcTimerType);
}

static NTSTATUS SvcReturnState(PBOOLEAN Destination, BOOLEAN State)
{
    return Destination != NULL ? ExCopyOut(Destination, &State, sizeof(State), ExGetPreviousMode()) : STATUS_SUCCESS;
}

/* What a timer is to be set to. */
typedef struct _SVC_SETTING {
    LARGE_INTEGER Due;
    LONG Period;
    PTIMER_APC_ROUTINE Routine; /* NULL: no APC */
    PVOID Context;
} SVC_SETTING;

static BOOLEAN SvcArm(PSVC_TIMER Timer, const SVC_SETTING *Setting)
{
    PETHREAD Thread = PsGetCurrentThread();
    BOOLEAN Unqueued;
    KIRQL Irql;

    KeAcquireSpinLock(&Timer->Lock, &Irql);
    BOOLEAN Signalled = KeReadStateTimer(&Timer->Timer);
    PETHREAD Before = SvcDisarm(Timer, &Unqueued);
    if (Setting->Routine != NULL) {
        ObReferenceObject(Thread);
        Timer->Thread = Thread;
        KeInitializeApc(&Timer->Apc, &Thread->Tcb, OriginalApcEnvironment, SvcTimerApc, SvcTimerRundown,
                        (PKNORMAL_ROUTINE)(PVOID)Setting->Routine, UserMode, Setting->Context);
    }
    Timer->FirstDue = KiDueTime(Setting->Due.QuadPart);
    KeSetTimerEx(&Timer->Timer, Setting->Due, Setting->Period, &Timer->Dpc);
    KeReleaseSpinLock(&Timer->Lock, Irql);
    SvcDropApc(Timer, Before, Unqueued);
    return Signalled;
}

/* Sets the timer, which is not signalled any more: due at *DueTime (100 ns; negative: from now), and every
   Period ms after that if it is not 0. TimerApcRoutine, if not NULL, is called by the calling thread, when it
   is alertable, with TimerContext and the system time in two halves; an APC that the setting before has
   queued is taken back. *PreviousState: whether it was signalled. ResumeTimer is ignored: nothing sleeps
   here. STATUS_INVALID_PARAMETER_6: a negative period; STATUS_ACCESS_VIOLATION; handle errors
   (TIMER_MODIFY_STATE). PASSIVE. (no WDK page) */
NTSTATUS NtSetTimer(HANDLE TimerHandle, PLARGE_INTEGER DueTime, PTIMER_APC_ROUTINE TimerApcRoutine, PVOID TimerContext,
                    BOOLEAN ResumeTimer, LONG Period, PBOOLEAN PreviousState)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    SVC_SETTING Setting = {.Period = Period, .Routine = TimerApcRoutine, .Context = TimerContext};
    PSVC_TIMER Timer;

    if (Period < 0) {
        return STATUS_INVALID_PARAMETER_6;
    }
    NTSTATUS Status = ExCopyIn(&Setting.Due, DueTime, sizeof(Setting.Due), Mode);
    if (NT_SUCCESS(Status)) {
        Status = ObReferenceObjectByHandle(TimerHandle, TIMER_MODIFY_STATE, SvcTimerType, Mode, (PVOID *)&Timer, NULL);
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    BOOLEAN Signalled = SvcArm(Timer, &Setting);
    ObDereferenceObject(Timer);
    return SvcReturnState(PreviousState, Signalled);
}

/* The timer is set no more, and an APC that it has queued is taken back. *CurrentState: whether it is
   signalled, which stays as it is. Handle errors (TIMER_MODIFY_STATE). PASSIVE. (no WDK page) */
NTSTATUS NtCancelTimer(HANDLE TimerHandle, PBOOLEAN CurrentState)
{
    PSVC_TIMER Timer;
    BOOLEAN Unqueued;
    KIRQL Irql;
    NTSTATUS Status = ObReferenceObjectByHandle(TimerHandle, TIMER_MODIFY_STATE, SvcTimerType, ExGetPreviousMode(),
                                                (PVOID *)&Timer, NULL);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    KeAcquireSpinLock(&Timer->Lock, &Irql);
    PETHREAD Thread = SvcDisarm(Timer, &Unqueued);
    BOOLEAN Signalled = KeReadStateTimer(&Timer->Timer);
    KeReleaseSpinLock(&Timer->Lock, Irql);
    SvcDropApc(Timer, Thread, Unqueued);
    ObDereferenceObject(Timer);
    return SvcReturnState(CurrentState, Signalled);
}

static void SvcFillTimer(PVOID Data, PVOID Object)
{
    TIMER_BASIC_INFORMATION *Basic = Data;
    PSVC_TIMER Timer = Object;
    Basic->TimerState = KeReadStateTimer(&Timer->Timer);
    if (Timer->Timer.Header.Inserted) {
        Basic->RemainingTime.QuadPart = (LONGLONG)(Timer->Timer.DueTime.QuadPart - KeQueryInterruptTime());
    }
}

/* Class 0: TIMER_BASIC_INFORMATION. Errors as NtQueryMutant (TIMER_QUERY_STATE). PASSIVE. (no WDK page) */
NTSTATUS NtQueryTimer(HANDLE TimerHandle, ULONG Class, PVOID Information, ULONG Length, PULONG ReturnLength)
{
    SVC_STATE_QUERY Query = {Class, Information, Length, ReturnLength};
    return SvcQueryState(TimerHandle, TIMER_QUERY_STATE, SvcTimerType, &Query, SvcFillTimer,
                         sizeof(TIMER_BASIC_INFORMATION));
}

void SvcInitializeTimers(void)
{
    static const OB_TYPE_ROUTINES Timer = {
        .Name = "Timer",
        .PoolTag = 'miTS',
        .BodySize = sizeof(SVC_TIMER),
        .Access = {TIMER_QUERY_STATE | STANDARD_RIGHTS_READ, TIMER_MODIFY_STATE | STANDARD_RIGHTS_WRITE,
                   SYNCHRONIZE | STANDARD_RIGHTS_EXECUTE, TIMER_ALL_ACCESS},
        .Waitable = TRUE,
        .Delete = SvcDeleteTimer,
    };
    SvcCreateType(&Timer, &SvcTimerType);
}
