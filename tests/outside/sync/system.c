/* SPDX-License-Identifier: MIT */
/* Levels, processors, threads' scheduling, times, exceptions. */
#include "sync.h"

VOID SyncTestIrql(PDEVICE_EXTENSION Extension)
{
    KIRQL OldIrql, Inner;

    CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
    KeRaiseIrql(APC_LEVEL, &OldIrql);
    CHECK(OldIrql == PASSIVE_LEVEL && KeGetCurrentIrql() == APC_LEVEL);
    Inner = KeRaiseIrqlToDpcLevel();
    CHECK(Inner == APC_LEVEL && KeGetCurrentIrql() == DISPATCH_LEVEL);
    Inner = KeRaiseIrqlToSynchLevel();
    CHECK(Inner == DISPATCH_LEVEL && KeGetCurrentIrql() >= DISPATCH_LEVEL);
    KeLowerIrql(OldIrql);

    KeEnterCriticalRegion();
    CHECK(KeAreApcsDisabled() && !KeAreAllApcsDisabled());
    KeLeaveCriticalRegion();
    KeEnterGuardedRegion();
    CHECK(KeAreApcsDisabled() && KeAreAllApcsDisabled());
    KeLeaveGuardedRegion();
}

static KIPI_BROADCAST_WORKER NoteProcessor;
static volatile LONG64 Visited;

static ULONG_PTR NoteProcessor(_In_ ULONG_PTR Argument)
{
    InterlockedOr64(&Visited, 1LL << KeGetCurrentProcessorNumber());
    return Argument + KeGetCurrentIrql();
}

VOID SyncTestProcessors(PDEVICE_EXTENSION Extension)
{
    KAFFINITY Active = 0, Previous;
    PROCESSOR_NUMBER Number;
    GROUP_AFFINITY Group, PreviousGroup;
    ULONG Index;
    KFLOATING_SAVE FloatSave;
    XSTATE_SAVE XStateSave;
    NTSTATUS Status;

    PAGED_CODE();

    CHECK(KeQueryActiveProcessorCount(&Active) == Extension->Processors);
    CHECK(Active == KeQueryActiveProcessors() && Active == KeQueryGroupAffinity(0));
    CHECK(KeQueryMaximumProcessorCount() >= Extension->Processors);
    CHECK(KeQueryMaximumProcessorCountEx(ALL_PROCESSOR_GROUPS) >= Extension->Processors);
    CHECK(KeQueryActiveGroupCount() == 1 && KeQueryMaximumGroupCount() >= 1);
    CHECK(KeNumberProcessors == (CCHAR)Extension->Processors);

    for (Index = 0; Index < Extension->Processors; Index++) {
        Previous = KeSetSystemAffinityThreadEx((KAFFINITY)1 << Index);
        CHECK(KeGetCurrentProcessorNumberEx(&Number) == Index && KeGetCurrentProcessorIndex() == Index);
        CHECK(KeGetProcessorIndexFromNumber(&Number) == Index);
        KeRevertToUserAffinityThreadEx(Previous);
    }
    KeSetSystemAffinityThread(1);
    CHECK(KeGetCurrentProcessorNumber() == 0);
    KeRevertToUserAffinityThread();
    RtlZeroMemory(&Group, sizeof(Group));
    Group.Mask = (KAFFINITY)1 << (Extension->Processors - 1);
    KeSetSystemGroupAffinityThread(&Group, &PreviousGroup);
    CHECK(KeGetCurrentProcessorNumber() == Extension->Processors - 1);
    KeRevertToUserGroupAffinityThread(&PreviousGroup);
    CHECK(KeGetProcessorNumberFromIndex(Extension->Processors, &Number) == STATUS_INVALID_PARAMETER);

    CHECK(KeIpiGenericCall(NoteProcessor, 100) == 100 + IPI_LEVEL);
    CHECK((KAFFINITY)Visited == Active);

    Status = KeSaveFloatingPointState(&FloatSave);
    CHECK(NT_SUCCESS(Status));
    if (NT_SUCCESS(Status)) {
        KeRestoreFloatingPointState(&FloatSave);
    }
    Status = KeSaveExtendedProcessorState(XSTATE_MASK_LEGACY, &XStateSave);
    CHECK(NT_SUCCESS(Status));
    if (NT_SUCCESS(Status)) {
        KeRestoreExtendedProcessorState(&XStateSave);
    }
}

static VOID NoteIds(_In_ PVOID StartContext)
{
    *(HANDLE *)StartContext = PsGetCurrentThreadId();
    PsTerminateSystemThread(STATUS_TIMEOUT);
}

VOID SyncTestThreads(PDEVICE_EXTENSION Extension)
{
    PKTHREAD Current = KeGetCurrentThread(), Thread = NULL;
    KPRIORITY Priority = KeQueryPriorityThread(Current);
    KAFFINITY Active = KeQueryActiveProcessors();
    HANDLE ThreadId = NULL;
    UCHAR Ideal;
    LONG Increment;

    PAGED_CODE();

    CHECK((PKTHREAD)PsGetCurrentThread() == Current);
    CHECK(KeSetPriorityThread(Current, LOW_REALTIME_PRIORITY) == Priority);
    CHECK(KeQueryPriorityThread(Current) == LOW_REALTIME_PRIORITY);
    CHECK(KeSetPriorityThread(Current, Priority) == LOW_REALTIME_PRIORITY);
    Increment = KeSetBasePriorityThread(Current, 1);
    CHECK(KeSetBasePriorityThread(Current, Increment) == 1);
    CHECK(KeSetAffinityThread(Current, (KAFFINITY)1) == Active);
    CHECK(KeGetCurrentProcessorNumber() == 0);
    CHECK(KeSetAffinityThread(Current, Active) == 1);
    Ideal = KeSetIdealProcessorThread(Current, 0);
    CHECK(KeSetIdealProcessorThread(Current, Ideal) == 0);

    CHECK(NT_SUCCESS(SyncStartThread(NoteIds, &ThreadId, &Thread)));
    CHECK(PsIsSystemThread((PETHREAD)Thread));
    KeWaitForSingleObject(Thread, Executive, KernelMode, FALSE, NULL);
    CHECK(PsGetThreadId((PETHREAD)Thread) == ThreadId);
    CHECK(PsGetThreadExitStatus((PETHREAD)Thread) == STATUS_TIMEOUT);
    ObDereferenceObject(Thread);
}

VOID SyncTestTimes(PDEVICE_EXTENSION Extension)
{
    LARGE_INTEGER Frequency, Start, End, SystemTime, LocalTime, Back, Ticks, LaterTicks;
    ULONGLONG Interrupt, Unbiased;
    ULONG64 Qpc;
    TIME_FIELDS TimeFields;

    PAGED_CODE();

    Interrupt = KeQueryInterruptTime();
    Unbiased = KeQueryUnbiasedInterruptTime();
    KeQueryTickCount(&Ticks);
    Start = KeQueryPerformanceCounter(&Frequency);
    SyncSleep(40);
    End = KeQueryPerformanceCounter(NULL);
    KeQueryTickCount(&LaterTicks);
    CHECK(Frequency.QuadPart > 0 && (End.QuadPart - Start.QuadPart) * 1000 / Frequency.QuadPart >= 39);
    CHECK(KeQueryInterruptTime() - Interrupt >= 390000);
    CHECK(KeQueryUnbiasedInterruptTime() - Unbiased >= 390000);
    CHECK((LaterTicks.QuadPart - Ticks.QuadPart) * KeQueryTimeIncrement() >= 200000);
    Interrupt = KeQueryInterruptTime();
    CHECK(KeQueryInterruptTimePrecise(&Qpc) >= Interrupt && Qpc >= (ULONG64)End.QuadPart);
    CHECK(KeQueryUnbiasedInterruptTimePrecise(&Qpc) >= Unbiased);

    Start = KeQueryPerformanceCounter(NULL);
    KeStallExecutionProcessor(50);
    End = KeQueryPerformanceCounter(NULL);
    CHECK((End.QuadPart - Start.QuadPart) * 1000000 / Frequency.QuadPart >= 49);

    KeQuerySystemTime(&SystemTime);
    KeQuerySystemTimePrecise(&Back);
    CHECK(Back.QuadPart >= SystemTime.QuadPart);
    ExSystemTimeToLocalTime(&SystemTime, &LocalTime);
    ExLocalTimeToSystemTime(&LocalTime, &Back);
    CHECK(Back.QuadPart == SystemTime.QuadPart);
    RtlTimeToTimeFields(&SystemTime, &TimeFields);
    CHECK(TimeFields.Year >= 1970 && TimeFields.Month >= 1 && TimeFields.Month <= 12);
    CHECK(RtlTimeFieldsToTime(&TimeFields, &Back) && SystemTime.QuadPart - Back.QuadPart < 10000);
}

VOID SyncTestExceptions(PDEVICE_EXTENSION Extension)
{
    volatile NTSTATUS Code = STATUS_SUCCESS;
    volatile BOOLEAN Cleaned = FALSE;

    PAGED_CODE();

    _SEH2_TRY
        {
            _SEH2_TRY
                {
                    ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
                }
                _SEH2_FINALLY
                {
                    Cleaned = _SEH2_AbnormalTermination();
                }
                _SEH2_END;
        }
        _SEH2_EXCEPT(_SEH2_GetExceptionCode() == STATUS_INSUFFICIENT_RESOURCES ? EXCEPTION_EXECUTE_HANDLER
                                                                               : EXCEPTION_CONTINUE_SEARCH)
        {
            Code = _SEH2_GetExceptionCode();
        }
        _SEH2_END;
        CHECK(Code == STATUS_INSUFFICIENT_RESOURCES && Cleaned);

        _SEH2_TRY
            {
                ProbeForRead((PVOID)(ULONG_PTR)0x10001, sizeof(ULONG), sizeof(ULONG));
            }
            _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER)
            {
                Code = _SEH2_GetExceptionCode();
            }
            _SEH2_END;
            CHECK(Code == STATUS_DATATYPE_MISALIGNMENT);

            _SEH2_TRY
                {
                    ProbeForWrite((PVOID)Extension, sizeof(ULONG), 1); /* a kernel address */
                }
                _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER)
                {
                    Code = _SEH2_GetExceptionCode();
                }
                _SEH2_END;
                CHECK(Code == STATUS_ACCESS_VIOLATION);
}
