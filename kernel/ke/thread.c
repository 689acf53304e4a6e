/* SPDX-License-Identifier: MIT */
/*
 * A thread as the scheduler knows it: its making, its first steps, critical regions, suspension.
 * What an end means to others is ps's.
 */
#include "kernel/ke/ki.h"

/* The ideal processors of new threads take turns. */
static ULONG KiNextIdealProcessor(KAFFINITY Affinity)
{
    static volatile ULONG Turn; /* without a lock: two that are made at once may get the same */
    Affinity &= KeActiveProcessors;
    if (Affinity == 0) { /* the first threads of all */
        return 0;
    }
    ULONG Next = KiNextProcessor(Affinity, Turn);
    Turn = (Next + 1) % MAXIMUM_PROCESSORS;
    return Next;
}

void KeInheritFromProcess(PKTHREAD Thread)
{
    Thread->Priority = Thread->BasePriority = Thread->Process->BasePriority;
    Thread->UserAffinity = Thread->Affinity = Thread->Process->Affinity;
    Thread->ApcState.AddressSpace = Thread->Process->AddressSpace;
}

void KeInitializeThread(PKTHREAD Thread, PKPROCESS Process, PVOID StackTop, KSTART_ROUTINE *StartRoutine,
                        PVOID StartContext, BOOLEAN SystemThread)
{
    Thread->Header.Type = ThreadObject;
    Thread->Header.Size = sizeof(KTHREAD) / 4 > 255 ? 255 : sizeof(KTHREAD) / 4;
    InitializeListHead(&Thread->Header.WaitListHead);
    Thread->SystemCall = KeHandlers.SystemService;
    Thread->SystemThread = SystemThread;
    Thread->TickMode = SystemThread ? KernelMode : UserMode; /* until its first tick */
    Thread->Process = Process;
    Thread->ApcState.Process = Process;
    Thread->OriginalApcState = &Thread->ApcState;
    KeInitializeLock(&Thread->Lock, KlcThread);
#if DBG
    KdInitializeLockList(&Thread->LockList, Thread->LockEntries, KHELD_BLOCKING_LOCKS, Thread, 0);
#endif
    Thread->ApcQueueable = TRUE;
    InitializeListHead(&Thread->ApcState.ApcListHead[KernelMode]);
    InitializeListHead(&Thread->ApcState.ApcListHead[UserMode]);
    InitializeListHead(&Thread->IrpList);
    InitializeListHead(&Thread->MutantListHead);
    Thread->State = Initialized;
    KeInheritFromProcess(Thread);
    Thread->IdealProcessor = KiNextIdealProcessor(Process->Affinity);
    Thread->Processor = Thread->IdealProcessor;
    Thread->StartRoutine = StartRoutine;
    Thread->StartContext = StartContext;
    KeHandlers.InitializeThreadWaits(Thread);
    Thread->Arch.StackTop = StackTop;
    if (StackTop != NULL) {
        ArchInitializeThread(Thread);
    }
}

void KeInitializeProcess(PKPROCESS Process, PKADDRESS_SPACE AddressSpace)
{
    Process->Header.Type = ProcessObject;
    Process->Header.Size = sizeof(KPROCESS) / 4;
    InitializeListHead(&Process->Header.WaitListHead);
    Process->AddressSpace = AddressSpace;
    Process->BasePriority = 8;
    Process->QuantumReset = 2 * KI_UNITS_PER_TICK;
    Process->Affinity = ~(KAFFINITY)0;
}

/* The first thing that a thread does, on its own stack, at DISPATCH_LEVEL. */
NORETURN void KiThreadStartup(void)
{
    PKTHREAD Thread = ArchCurrentThread();
    KiStartRunning(Thread);
    KiLower(PASSIVE_LEVEL);
    Thread->StartRoutine(Thread->StartContext);
    KdBugCheck(KERNEL_SECURITY_CHECK_FAILURE, (ULONG64)Thread->StartRoutine, 0, 0, 0, NULL,
               "the start routine of thread %p returned to the scheduler", Thread);
}

/* The thread that runs on this processor: in a DPC or an interrupt the one that was interrupted. Not
   referenced. Any IRQL; does not block. (WDK page of the name) */
PKTHREAD KeGetCurrentThread(VOID)
{
    return ArchCurrentThread();
}
EXPORT(KeGetCurrentThread);

/* The stretch that the thread runs at the moment is in it, wherever it runs: the numbers belong together
   while the processor's ReadyLock is held. If the thread has left that processor meanwhile, its own number
   has grown by then. What has come since the last tick counts for the mode that this one found. */
ULONG64 KeThreadCycles(PKTHREAD Thread, PULONG64 UserCycles)
{
    KIRQL Irql = KiRaiseToDispatch();
    PKPRCB Prcb = KiProcessorBlock[Thread->Processor];
    KeAcquireLockAtDpc(&Prcb->ReadyLock);
    ULONG64 Cycles = Thread->CycleTime;
    ULONG64 Now = ArchReadCycles();
    if (Prcb->RunningThread == Thread && Now > Prcb->SwitchCycles) { /* two processors' counters may differ a little */
        Cycles += Now - Prcb->SwitchCycles;
    }
    *UserCycles += Thread->UserCycles + (Thread->TickMode == UserMode ? Cycles - Thread->TickCycles : 0);
    KeReleaseLockFromDpc(&Prcb->ReadyLock);
    KiLower(Irql);
    return Cycles;
}

/* ---- Critical and guarded regions: counters of the thread itself ---- */

/* The last step out of a region: APCs that it has kept away run now, or when the level drops. Whoever queues
   one sets UserWork first, then interrupts this processor, if the thread runs: so the look here comes late
   enough. */
static inline void KiLeftRegion(PKTHREAD Thread)
{
    if (__builtin_expect((Thread->UserWork & KUSER_WORK_KERNEL_APC) != 0, 0)) {
        KIRQL Irql = ArchGetIrql();
        KiNoteKernelApcs(Thread);
        if (ArchPendingSoft() >> Irql) {
            KiSoftInterrupt(Irql);
        }
    }
}

/* Normal kernel APCs, user APCs and the thread's end wait until the region is left; regions nest. Any IRQL.
   (WDK page of the name) */
VOID KeEnterCriticalRegion(VOID)
{
    ArchCurrentThread()->KernelApcDisable--;
}
EXPORT(KeEnterCriticalRegion);

/* Leaves the innermost critical region, on the thread that entered it. When that was the outermost one,
   normal kernel APCs that have waited run before the return if the level allows it. <= DISPATCH_LEVEL; does
   not block, but the APCs may. (WDK page of the name) */
VOID KeLeaveCriticalRegion(VOID)
{
    PKTHREAD Thread = ArchCurrentThread();
    Thread->KernelApcDisable++;
    KiLeftRegion(Thread);
}
EXPORT(KeLeaveCriticalRegion);

/* The same, and special kernel APCs wait, too. <= APC_LEVEL. (WDK page of the name) */
VOID KeEnterGuardedRegion(VOID)
{
    ArchCurrentThread()->SpecialApcDisable--;
}
EXPORT(KeEnterGuardedRegion);

/* Leaves the innermost guarded region, on the thread that entered it. When that was the outermost one,
   kernel APCs that have waited run before the return if the level allows it. <= APC_LEVEL; does not block,
   but the APCs may. (WDK page of the name) */
VOID KeLeaveGuardedRegion(VOID)
{
    PKTHREAD Thread = ArchCurrentThread();
    Thread->SpecialApcDisable++;
    KiLeftRegion(Thread);
}
EXPORT(KeLeaveGuardedRegion);

/* Either counter; the level does not count. (WDK page of the name) */
BOOLEAN KeAreApcsDisabled(VOID)
{
    return ArchCurrentThread()->ApcDisable != 0;
}
EXPORT(KeAreApcsDisabled);

/* TRUE when not even special kernel APCs can run on this thread now: in a guarded region, or at APC_LEVEL
   and above. Any IRQL; does not block. (WDK page of the name) */
BOOLEAN KeAreAllApcsDisabled(VOID)
{
    return ArchCurrentThread()->SpecialApcDisable != 0 || ArchGetIrql() >= APC_LEVEL;
}
EXPORT(KeAreAllApcsDisabled);

void KiCheckOwnedMutexes(void)
{
    PKTHREAD Thread = ArchCurrentThread();
    for (PLIST_ENTRY Entry = Thread->MutantListHead.Flink; Entry != &Thread->MutantListHead; Entry = Entry->Flink) {
        PKMUTANT Mutant = CONTAINING_RECORD(Entry, KMUTANT, MutantListEntry);
        if (Mutant->ApcDisable != 0) {
            KdBugCheck(SYSTEM_EXIT_OWNED_MUTEX, (ULONG64)Mutant, (ULONG64)Thread, 0, 0, NULL,
                       "thread %p returns to user mode and owns mutex %p", Thread, Mutant);
        }
    }
}
