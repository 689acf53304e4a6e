/* SPDX-License-Identifier: MIT */
/*
 * Time, and the one-shot timer of each processor. Its next interrupt is the earliest of: the quantum end
 * (while a rival is ready), the next timer due, the starvation scan (while anything is ready), and a watch of
 * a few seconds. The interrupt itself only notes that it happened; the work is done on the way below
 * DISPATCH_LEVEL.
 *
 * The watch finds processors that hang: one that takes interrupts but stays at DISPATCH_LEVEL finds its own
 * clock work undone; one that takes no interrupts is seen by its neighbour, whose timer finds the other's
 * overdue.
 */
#include "kernel/ke/ki.h"

ULONG64 KiCyclesPerQuantumUnit;
ULONG64 KiCyclesPerSecond;
ULONG KiRandomSeed;

/* So many ticks a second, which is in step with nothing that programs do again and again. */
#define KI_TICKS_PER_SECOND 103

static ULONG64 KiWatchCycles;        /* the longest time without an interrupt; while profiling, between two samples */
ULONG64 KiStartCycles;               /* interrupt time 0; a debugger moves it on */
static ULONG64 KiTimePerCycle;       /* 100 ns units a cycle, 32.32 fixed point scaled by 2^KI_SCALE */
static ULONG64 KiCyclesPerTime;      /* cycles a 100 ns unit, 32.32 fixed point */
static ULONG64 KiSystemTimeBias;     /* system time - interrupt time */
#define KI_SCALE 40

void KeInitializeTime(ULONG64 SamplesPerSecond)
{
    KiCyclesPerSecond = ArchCyclesPerSecond();
    KiWatchCycles = SamplesPerSecond != 0 ? KiCyclesPerSecond / SamplesPerSecond : KI_WATCH_SECONDS * KiCyclesPerSecond;
    KiCyclesPerQuantumUnit = KiCyclesPerSecond / 1000 * KI_TICK_MS / KI_UNITS_PER_TICK;
    KiStartCycles = ArchReadCycles();
    KiTimePerCycle = (10000000ULL << KI_SCALE) / KiCyclesPerSecond; /* 2^63.3 at most */
    KiCyclesPerTime = (KiCyclesPerSecond << 24) / 10000000 << 8;    /* 2^24 keeps 64 bits up to 1 THz */
    KiSystemTimeBias = ArchReadWallClock();
}

static ULONG64 KiCyclesToTime(ULONG64 Cycles)
{
    return (ULONG64)(((unsigned __int128)(Cycles - KiStartCycles) * KiTimePerCycle) >> KI_SCALE);
}

/* The first cycle at which the interrupt time has been reached, or a little later. */
ULONG64 KiTimeToCycles(ULONG64 InterruptTime)
{
    unsigned __int128 Cycles = ((unsigned __int128)InterruptTime * KiCyclesPerTime) >> 32;
    return Cycles > INT64_MAX ? UINT64_MAX : KiStartCycles + (ULONG64)Cycles + (ULONG64)(Cycles >> 30) + 1;
}

ULONG KeQueryTimeBase(PULONG64 StartCycles, PULONG64 TimePerCycle, PULONG64 SystemTimeBias)
{
    *StartCycles = KiStartCycles;
    *TimePerCycle = KiTimePerCycle;
    *SystemTimeBias = KiSystemTimeBias;
    return KI_SCALE;
}

/* Time since start-up, 100 ns. Any IRQL. (WDK page of the name) */
ULONGLONG KeQueryInterruptTime(VOID)
{
    return KiCyclesToTime(ArchReadCycles());
}
EXPORT(KeQueryInterruptTime);

/* The same with the performance counter of the same moment. Any IRQL. (WDK page of the name) */
ULONGLONG KeQueryInterruptTimePrecise(PULONG64 QpcTimeStamp)
{
    ULONG64 Cycles = ArchReadCycles();
    *QpcTimeStamp = Cycles - KiStartCycles;
    return KiCyclesToTime(Cycles);
}
EXPORT(KeQueryInterruptTimePrecise);

/* 100 ns since 1601-01-01 UTC. Any IRQL. (WDK page of the name) */
VOID KeQuerySystemTime(PLARGE_INTEGER CurrentTime)
{
    CurrentTime->QuadPart = (LONGLONG)(KeQueryInterruptTime() + KiSystemTimeBias);
}
EXPORT(KeQuerySystemTime);

ULONG64 KiDueTime(LONGLONG Time)
{
    if (Time >= 0) {
        return (ULONG64)Time > KiSystemTimeBias ? (ULONG64)Time - KiSystemTimeBias : 0;
    }
    return KeQueryInterruptTime() - (ULONG64)Time; /* at most 2^63 from now */
}

/* The time-stamp counter since start-up, and how often it counts in a second. Any IRQL. (WDK page of the
   name) */
LARGE_INTEGER KeQueryPerformanceCounter(PLARGE_INTEGER PerformanceFrequency)
{
    if (PerformanceFrequency != NULL) {
        PerformanceFrequency->QuadPart = (LONGLONG)KiCyclesPerSecond;
    }
    return (LARGE_INTEGER){.QuadPart = (LONGLONG)(ArchReadCycles() - KiStartCycles)};
}
EXPORT(KeQueryPerformanceCounter);

/* Does nothing for at least so many microseconds. Any IRQL. (WDK page of the name) */
VOID KeStallExecutionProcessor(ULONG MicroSeconds)
{
    ArchStall(MicroSeconds);
}
EXPORT(KeStallExecutionProcessor);

/* If the time is over: the quantum ends when a rival has waited for that, which the timer shows. Without one
   nobody has looked, and the thread is in a later quantum by now. DISPATCH, on the processor itself. */
void KiCheckQuantum(PKPRCB Prcb, ULONG64 Now)
{
    if (Now < Prcb->QuantumDue || (Prcb->ReadySummary >> Prcb->RunningBase) == 0) {
        return;
    }
    if (Prcb->QuantumWatched) {
        KiQuantumEnd(Prcb);
    } else {
        KiRenewQuantum(Prcb, Now);
    }
}

/* Arms the timer for the next event of this processor; an earlier setting stays (it comes early and arms
   again). DISPATCH, on the processor itself. */
void KiArmTimer(PKPRCB Prcb)
{
    ULONG64 Now = ArchReadCycles(), Next = Now + KiWatchCycles;
    if (Prcb->RunningThread != Prcb->IdleThread) { /* what runs, or is about to */
        if (Prcb->TickDue == 0) {
            Prcb->TickDue = Now - Now % (KiCyclesPerSecond / KI_TICKS_PER_SECOND) + KiCyclesPerSecond / KI_TICKS_PER_SECOND;
        }
        Next = Prcb->TickDue < Next ? Prcb->TickDue : Next;
    }
    if (Prcb->Timers.NextDue != UINT64_MAX) {
        ULONG64 Timer = KiTimeToCycles(Prcb->Timers.NextDue);
        Next = Timer < Next ? Timer : Next;
    }
    if (Prcb->LazyDue < Next) {
        Next = Prcb->LazyDue;
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    ULONG Ready = Prcb->ReadySummary;
    if (Ready != 0 && Prcb->ScanDue < Next) {
        Next = Prcb->ScanDue;
    }
    if ((Ready >> Prcb->RunningBase) != 0) {
        Next = Prcb->QuantumDue < Next ? Prcb->QuantumDue : Next;
    }
    if (Next < Prcb->ArmedFor) {
        Prcb->ArmedFor = Next;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        ArchArmTimer(Next);
    }
}

/*
 * A tick has come. How a thread's time is divided into user and kernel time: what it runs from one of its
 * ticks to the next, in cycles, counts for the mode in which the first of the two found it. No way into the
 * kernel or out of it has to look at the clock for that, the sum is exact, and neither part ever falls.
 * DISPATCH.
 */
static void KiTakeTick(PKPRCB Prcb, ULONG64 Now)
{
    PKTHREAD Thread = Prcb->CurrentThread;
    KeAcquireLockAtDpc(&Prcb->ReadyLock);
    ULONG64 Cycles = Thread->CycleTime + (Now - Prcb->SwitchCycles);
    if (Thread->TickMode == UserMode) {
        Thread->UserCycles += Cycles - Thread->TickCycles;
    }
    Thread->TickCycles = Cycles;
    Thread->TickMode = Prcb->TickMode;
    Prcb->TickTaken = FALSE;
    KeReleaseLockFromDpc(&Prcb->ReadyLock);
}

/* What a clock interrupt, or another processor's request to look again, has announced. DISPATCH, interrupts
   on. */
void KiClockWork(PKPRCB Prcb)
{
    ULONG64 Now = ArchReadCycles();
    Prcb->QuantumWatched |= Prcb->ArmedFor <= Prcb->QuantumDue; /* the interrupt may be on its way */
    Prcb->ArmedFor = UINT64_MAX; /* decide anew */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    Prcb->ClockPending = FALSE;
    if (Prcb->TickTaken) {
        KiTakeTick(Prcb, Now);
    }
    ULONG64 Time = KiCyclesToTime(Now);
    if (Time >= Prcb->Timers.FirstDue) {
        KeHandlers.ExpireTimers(Prcb, Time);
    }
    if (Now >= Prcb->ScanDue) {
        KiStarvationScan(Prcb, Now);
    }
    KiCheckQuantum(Prcb, Now);
    Prcb->QuantumWatched = FALSE;
    if (Now >= Prcb->LazyDue) {
        KiKickLazyDpcs(Prcb);
    }
    KdLookForDeadlock();
    KiArmTimer(Prcb);
}

/* The neighbour's timer has been overdue for long. NMIs, one a second, tell whether it runs at all: one that
   the host does not run for a while is no suspect, only what has answered several and still takes no
   interrupt. */
static void KiProbeNeighbour(PKPRCB Prcb, PKPRCB Other, ULONG64 Now)
{
    if (Now - Prcb->WatchedProbe < KiCyclesPerSecond) {
        return;
    }
    if (Now - Prcb->WatchedSince > KI_HANG_SECONDS * KiCyclesPerSecond &&
        Other->NmiAnswers - Prcb->WatchedAnswers >= KI_HANG_ANSWERS) {
        KdReportHang(Other->Number, "takes no interrupts", NULL);
    }
    Prcb->WatchedProbe = Now;
    ArchSendNmi(KiProcessorBit(Other->Number));
}

/* CLOCK_LEVEL. */
static void KiWatchNeighbour(PKPRCB Prcb, ULONG64 Now)
{
    PKPRCB Other = KiProcessorBlock[(Prcb->Number + 1) % KeNumberProcessors];
    ULONG64 Armed = Other == Prcb ? UINT64_MAX : Other->ArmedFor;
    if (Armed == UINT64_MAX || Now < Armed || Now - Armed < KiCyclesPerSecond) {
        Prcb->WatchedArmed = 0;
    } else if (Prcb->WatchedArmed != Armed) {
        Prcb->WatchedArmed = Armed;
        Prcb->WatchedSince = Now;
        Prcb->WatchedProbe = Now;
        Prcb->WatchedAnswers = Other->NmiAnswers;
    } else {
        KiProbeNeighbour(Prcb, Other, Now);
    }
}

/* This processor has not been below DISPATCH_LEVEL for long, and has taken several clock interrupts
   meanwhile, so that it was not the host that held it up. Who spins for a lock is not to blame, and its time
   begins anew, unless nobody will ever release the lock: its holder has a watch of its own. NULL: no hang. */
static const char *KiHangReason(PKPRCB Prcb)
{
#if DBG
    switch (KdSpinState(&Prcb->LockList)) {
    case KdSpinHeld:
        Prcb->ClockOverdue = Prcb->FreeLooks = 0;
        return NULL;
    case KdSpinCircle:
        return "spins for a lock in a circle of processors that wait for each other";
    case KdSpinFree: /* at this moment: it may be on its way from one to the next */
        return ++Prcb->FreeLooks == KI_HANG_FREE_LOOKS ? "spins for a lock that nobody holds" : NULL;
    case KdSpinNot:
        return KiLocksHeld() != 0 ? "has held a spin lock for too long" : "has not been below DISPATCH_LEVEL";
    }
#endif
    return "has not been below DISPATCH_LEVEL";
}

/* There is clock work from now on, if there was none. */
void KiAnnounceClockWork(PKPRCB Prcb, ULONG64 Now)
{
    if (!Prcb->ClockPending) {
        Prcb->ClockPending = TRUE;
        Prcb->ClockSince = Now;
        Prcb->ClockOverdue = 0;
    }
    ArchSetPendingSoft(KSOFT_DISPATCH);
}

void KiClockInterrupt(KPROCESSOR_MODE Interrupted)
{
    PKPRCB Prcb = KeGetCurrentPrcb();
    ULONG64 Now = ArchReadCycles();
    Prcb->ClockInterrupts++;
    if (Prcb->TickDue != 0 && Now >= Prcb->TickDue) {
        Prcb->TickDue = 0;
        Prcb->TickTaken = TRUE;
        Prcb->TickMode = Interrupted;
    }
    ULONG64 Next = KiCyclesPerSecond; /* until the work is done: the watch over ourselves */
    if (Prcb->DpcActive) {
        Next = KiWatchDpcs(Prcb);
    } else if (Prcb->ClockPending &&
               ++Prcb->ClockOverdue >= KI_HANG_SECONDS - 2 && /* a pause of the machine counts as one */
               Now - Prcb->ClockSince > KI_HANG_SECONDS * KiCyclesPerSecond) {
        const char *Reason = KiHangReason(Prcb);
        if (Reason != NULL) {
            KdReportHang(Prcb->Number, Reason, NULL);
        }
    }
    Prcb->QuantumWatched |= Prcb->ArmedFor <= Prcb->QuantumDue;
    Prcb->ArmedFor = Now + Next;
    ArchArmTimer(Prcb->ArmedFor);
    KiAnnounceClockWork(Prcb, Now);
    KiWatchNeighbour(Prcb, Now);
}

/* The boot processor begins to take clock interrupts; the others arm theirs as they join. DISPATCH. */
void KeStartClock(void)
{
    PKPRCB Prcb = KeGetCurrentPrcb();
    Prcb->SwitchCycles = ArchReadCycles();
    KiArmTimer(Prcb);
}
