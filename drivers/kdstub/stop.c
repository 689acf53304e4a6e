/* SPDX-License-Identifier: MIT */
/*
 * How the machine is stopped and let go.
 *
 * Owner is the processor that has stopped the machine: claimed by compare-and-swap by whoever comes into the
 * stub, given back last of all. The owner sends NMIs to the others, and when all stand still takes the break
 * points out of the code.
 *
 *   StubRuns      -> StubFrozen     the processor itself: in the handler of an NMI while somebody owns the machine, or when it has
 *                                   come to a break point of its own and found that it is not the first
 *   StubFrozen    -> StubReleased   the owner: this one may go
 *   StubReleased  -> StubRuns       the processor itself, when it has loaded the debug registers and serialised
 *   StubFrozen    -> StubRuns       the same, because nobody owns the machine (any more)
 *
 * A processor in the stub has its Frame there; NMIs that come then return at once (Missed: one is sent again
 * when it leaves, for it may have been a bug check's or a key's). Who comes second to a break point keeps
 * what it has found, and becomes the owner after the first one, if the point is still there.
 *
 * One step, others frozen: the owner stays the owner while it runs one instruction, with TF set and
 * interrupts masked, so that no interrupt handler waits for processors that stand still. An instruction that
 * may fault on user memory (the SMAP window is open, or it is user mode's) runs with all others instead. A
 * step with others running is TF in the thread's own frame: the trap comes when that thread has executed, on
 * whichever processor.
 */
#include "stub.h"

enum {
    StubRuns,
    StubFrozen,
    StubReleased
};

static struct {
    PKTRAP_FRAME volatile Frame; /* written by the processor itself */
    volatile ULONG State;
    volatile ULONG Missed;       /* written by the processor itself */
} Processors[STUB_PROCESSORS];

static volatile ULONG Owner = STUB_NOBODY;
static ULONG64 StopStart; /* (o) when the machine stopped: cycles */
bool StubIsDying;

/* A step that is under way. (o) written; compared by whoever gets a debug exception */
static struct {
    PKTHREAD volatile Thread; /* NULL: none */
    bool Masked;              /* its IF was set */
    bool Saved;               /* it has still to come out of the scheduler, to where GDB has seen it stand ... */
    ULONG64 Rip, Rsp;         /* ... here. Else: of the instruction that is stepped over */
    ULONG64 Start, End;       /* steps on while it is in there */
    UCHAR Code;               /* its opcode, prefixes left out */
} Step;

/* Threads of which a step was called off while TF stood in a frame somewhere on their stack. (o) written */
#define STALE_STEPS 8
static PKTHREAD volatile Stale[STALE_STEPS];

PKTRAP_FRAME StubFrame(ULONG Processor)
{
    KD_PROCESSOR Information;
    PKTRAP_FRAME Frame = Processors[Processor].Frame;
    if (Frame == NULL && KdServices.QueryProcessor(Processor, &Information)) {
        Frame = Information.Frozen;
    }
    return Frame;
}

/* ---- Standing still ---- */

static bool IsFrozenForGood(ULONG Processor)
{
    KD_PROCESSOR Information;
    return KdServices.QueryProcessor(Processor, &Information) && Information.Frozen != NULL;
}

static VOID StandStill(ULONG Self)
{
    StubClearDebugRegisters();
    Processors[Self].State = StubFrozen;
    while (__atomic_load_n(&Processors[Self].State, __ATOMIC_ACQUIRE) == StubFrozen &&
           __atomic_load_n(&Owner, __ATOMIC_ACQUIRE) != STUB_NOBODY) {
        X86Pause();
    }
    StubLoadDebugRegisters();
    X86Serialize();
    Processors[Self].State = StubRuns;
}

static KAFFINITY NotFrozen(KAFFINITY Others)
{
    KAFFINITY Left = 0;
    for (ULONG i = 0; i < STUB_PROCESSORS; i++) {
        if ((Others >> i & 1) != 0 && Processors[i].State != StubFrozen && !IsFrozenForGood(i)) {
            Left |= 1UL << i;
        }
    }
    return Left;
}

/* One that the host does not run at the moment answers late; one that never answers would never be seen at
   all. */
#define ANSWER_CYCLES (20UL << 30)

static VOID FreezeOthers(ULONG Self)
{
    KAFFINITY Left = NotFrozen(KeQueryActiveProcessors() & ~(1UL << Self));
    ULONG64 Start = X86Cycles();
    if (Left != 0) {
        KdServices.SendNmi(Left);
    }
    while (Left != 0 && X86Cycles() - Start < ANSWER_CYCLES) {
        X86Pause();
        Left = NotFrozen(Left);
    }
}

static bool TryClaim(ULONG Self)
{
    ULONG Expected = STUB_NOBODY;
    return __atomic_compare_exchange_n(&Owner, &Expected, Self, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* The machine is this processor's; all others stand still. */
static VOID Stop(ULONG Self)
{
    StubClearDebugRegisters();
    StopStart = X86Cycles();
    FreezeOthers(Self);
    StubPullBreaks(0); /* code is changed only while nobody executes it: QEMU may else keep what it has made of the old */
}

/* Returns when they have left: else one that the host runs late would always be stopped again before it has
   done anything. */
static VOID ReleaseOthers(ULONG Self)
{
    for (ULONG i = 0; i < STUB_PROCESSORS; i++) {
        if (i != Self && Processors[i].State == StubFrozen) {
            __atomic_store_n(&Processors[i].State, StubReleased, __ATOMIC_RELEASE);
        }
    }
    for (ULONG i = 0; i < STUB_PROCESSORS; i++) {
        while (i != Self && __atomic_load_n(&Processors[i].State, __ATOMIC_ACQUIRE) == StubReleased) {
            X86Pause();
        }
    }
}

/* ---- Steps ---- */

static bool IsPrefix(UCHAR Byte)
{
    return Byte == 0x66 || Byte == 0xf2 || Byte == 0xf3 || (Byte & 0xf0) == 0x40;
}

#define CODE_PUSHF 0x9c
#define CODE_POPF  0x9d
#define CODE_IRET  0xcf
#define CODE_HLT   0xf4
#define CODE_CLI   0xfa
#define CODE_STI   0xfb
#define CODE_INT3  0xcc

static UCHAR OpcodeAt(ULONG64 Address)
{
    UCHAR Code = 0;
    for (ULONG i = 0; i < 4; i++) {
        if (!StubReadKernel(Address + i, &Code, 1) || !IsPrefix(Code)) {
            break;
        }
    }
    return Code;
}

/* These say themselves what IF is to be. */
static bool SetsInterruptFlag(UCHAR Code)
{
    return Code == CODE_POPF || Code == CODE_IRET || Code == CODE_CLI || Code == CODE_STI;
}

/* PUSHF has pushed flags that are not the thread's own. */
static VOID MendImage(PKTRAP_FRAME Frame)
{
    ULONG64 Image;
    if (Step.Code == CODE_PUSHF && Frame->Rip != Step.Rip && StubReadKernel(Frame->Rsp, &Image, sizeof(Image))) {
        Image &= ~(ULONG64)RFLAGS_TF;
        Image |= Step.Masked ? RFLAGS_IF : 0;
        StubWriteMemory(X86PageTables(), Frame->Rsp, &Image, sizeof(Image));
    }
}

/* A step has ended, or is called off, and the thread stands at Frame: TF and the mask go. */
static VOID FinishStep(PKTRAP_FRAME Frame)
{
    Frame->Rflags &= ~(ULONG64)RFLAGS_TF;
    if (Step.Masked && !SetsInterruptFlag(Step.Code)) {
        Frame->Rflags |= RFLAGS_IF;
    }
    MendImage(Frame);
    Step.Masked = false;
}

static VOID RememberStale(PKTHREAD Thread)
{
    for (ULONG i = 0; i < STALE_STEPS; i++) {
        if (Stale[i] == NULL || Stale[i] == Thread) {
            Stale[i] = Thread;
            return;
        }
    }
}

/* Was a step of the thread called off? Once. */
static bool ForgetStale(PKTHREAD Thread)
{
    for (ULONG i = 0; i < STALE_STEPS; i++) {
        if (Stale[i] == Thread) {
            Stale[i] = NULL;
            return true;
        }
    }
    return false;
}

/* The machine has stopped: whatever step was under way is over. */
static VOID EndStep(VOID)
{
    PKTHREAD Thread = Step.Thread;
    if (Thread == NULL) {
        return;
    }
    Step.Thread = NULL;
    ULONG Processor = StubRunsOn(Thread);
    PKTRAP_FRAME Frame = Processor != STUB_NOBODY ? StubFrame(Processor) : NULL;
    PKSWITCH_FRAME Saved = Processor == STUB_NOBODY ? StubSaved(Thread) : NULL;
    if (Frame != NULL && (Frame->Rflags & RFLAGS_TF)) {
        FinishStep(Frame);
    } else if (Saved != NULL && (Saved->Rflags & RFLAGS_TF)) {
        Saved->Rflags &= ~(ULONG64)RFLAGS_TF;
    } else if (Frame == NULL || Frame->Vector != VECTOR_DEBUG) {
        RememberStale(Thread);
    }
}

/* A processor that HLT stops goes on with the next interrupt at the latest: it may do so now. */
static bool StepOverHalt(PKTRAP_FRAME Frame)
{
    if (KTRAP_FROM_USER(Frame) || OpcodeAt(Frame->Rip) != CODE_HLT) {
        return false;
    }
    Frame->Rip++;
    return true;
}

static VOID PrepareStep(PKTRAP_FRAME Frame, const STUB_RESUME *Resume, bool Alone)
{
    Step.Code = OpcodeAt(Frame->Rip);
    Step.Rip = Frame->Rip;
    Step.Saved = false;
    Step.Masked = Alone && (Frame->Rflags & RFLAGS_IF) != 0;
    Step.Start = Resume->Start;
    Step.End = Resume->End;
    Step.Thread = Resume->Step;
    Frame->Rflags |= RFLAGS_TF;
    if (Step.Masked) {
        Frame->Rflags &= ~(ULONG64)RFLAGS_IF;
    }
}

/* A thread that does not run: TF comes into force when the switch to it loads its flags. */
static VOID PrepareSavedStep(PKSWITCH_FRAME Saved, const STUB_RESUME *Resume)
{
    Step.Code = 0;
    Step.Rip = Saved->Rip;
    Step.Rsp = (ULONG64)(Saved + 1);
    Step.Saved = true;
    Step.Masked = false;
    Step.Start = Resume->Start;
    Step.End = Resume->End;
    Step.Thread = Resume->Step;
    Saved->Rflags |= RFLAGS_TF;
}

/* The step's trap has come: does it go on with another one? */
static bool GoesOn(PKTRAP_FRAME Frame)
{
    if (Step.Saved) {
        Step.Saved = Frame->Rsp < Step.Rsp;
        return true; /* still in the scheduler; or where it was seen to stand, before its first instruction */
    }
    if (Frame->Rip - Step.Start < Step.End - Step.Start && Step.Start != Step.End) {
        MendImage(Frame);
        Step.Rip = Frame->Rip;
        Step.Code = KTRAP_FROM_USER(Frame) ? 0 : OpcodeAt(Frame->Rip);
        return Step.Code != CODE_HLT;
    }
    return false;
}

/* ---- Going on ---- */

static VOID LeaveProcessor(ULONG Self)
{
    PKTRAP_FRAME Frame = Processors[Self].Frame;
    if (StubBreaksExecution(Frame->Rip)) {
        Frame->Rflags |= RFLAGS_RF;
    }
    StubLoadDebugRegisters();
    X86Serialize();
    Processors[Self].Frame = NULL;
}

/* NMIs that found the processor in the stub come again: behind this handler, or at once. */
static VOID RepeatMissed(ULONG Self)
{
    bool Missed = Processors[Self].Missed;
    Processors[Self].Missed = false;
    if (Missed && KeQueryActiveProcessors() != 1) { /* an only one has no neighbour, and its port asks again */
        KdServices.SendNmi(1UL << Self);
    }
}

/*
 * The port's NMI comes once for all that has been received, and whoever gets it while somebody owns the
 * machine takes it for a freeze. So the port is asked when nobody does any more: switched off and on, it
 * raises its line anew if a byte is there. Another owner may have come meanwhile; then it will do the same.
 */
static VOID GiveBack(ULONG Self)
{
    KdServices.SkipTime(X86Cycles() - StopStart);
    StubPlantBreaks();
    ReleaseOthers(Self);
    LeaveProcessor(Self);
    __atomic_store_n(&Owner, STUB_NOBODY, __ATOMIC_SEQ_CST);
    StubListen(false);
    StubListen(true);
    RepeatMissed(Self);
}

/* Only the processor at Target runs, for one instruction, and is the owner meanwhile and afterwards. */
static VOID RunAlone(ULONG Self, ULONG Target)
{
    if (Target == Self) {
        LeaveProcessor(Self);
        return;
    }
    Processors[Self].State = StubFrozen;
    __atomic_store_n(&Owner, Target, __ATOMIC_SEQ_CST);
    __atomic_store_n(&Processors[Target].State, StubReleased, __ATOMIC_SEQ_CST);
    StandStill(Self);
    Processors[Self].Frame = NULL;
    RepeatMissed(Self);
}

/* In a frame of which nothing but a fault in the kernel itself can keep the step from ending. */
static bool MayStepAlone(PKTRAP_FRAME Frame)
{
    return !KTRAP_FROM_USER(Frame) && !(Frame->Rflags & RFLAGS_AC);
}

/* FALSE: the step is over already. */
static bool Resume(ULONG Self, const STUB_RESUME *How)
{
    ULONG Processor = How->Step != NULL ? StubRunsOn(How->Step) : STUB_NOBODY;
    PKTRAP_FRAME Frame = Processor != STUB_NOBODY ? Processors[Processor].Frame : NULL;
    PKSWITCH_FRAME Saved = How->Step != NULL && Processor == STUB_NOBODY ? StubSaved(How->Step) : NULL;
    bool Alone = How->Alone && Frame != NULL && MayStepAlone(Frame);
    if (StubIsDying) {
        Processors[Self].Frame = NULL;
        return true; /* to the end of the bug check */
    }
    if (Frame != NULL && StepOverHalt(Frame)) {
        return false;
    }
    if (Frame != NULL) {
        PrepareStep(Frame, How, Alone);
    } else if (Saved != NULL) {
        PrepareSavedStep(Saved, How);
    }
    if (Alone) {
        RunAlone(Self, Processor);
    } else {
        GiveBack(Self);
    }
    return true;
}

static VOID Serve(ULONG Self, const STUB_EVENT *Event)
{
    static STUB_RESUME How; /* (o) */
    STUB_EVENT Now = *Event;
    StubListen(false);
    if (Event->Reason == StubReasonInput && !StubInputStops()) {
        GiveBack(Self);
        return;
    }
    EndStep();
    do {
        StubSession(Self, &Now, &How);
        Now = (STUB_EVENT){StubReasonSignal, SIGNAL_TRAP, 0, NULL};
    } while (!Resume(Self, &How));
}

/* ---- What the kernel calls ---- */

/* A break point or debug exception within the stub itself, or on its way: it is none of GDB's business. */
static BOOLEAN TakeNestedTrap(PKTRAP_FRAME Frame)
{
    if (Frame->Vector == VECTOR_BREAKPOINT) {
        if (StubIsBreak(Frame->Rip - 1)) {
            StubPullBreaks(--Frame->Rip);
        }
    } else {
        X86WriteDr6(DR6_CLEAR);
        StubClearDebugRegisters();
        Frame->Rflags &= ~(ULONG64)RFLAGS_TF;
    }
    return TRUE;
}

typedef enum _OURS {
    NotOurs,
    OursSilently,
    OursToStop,
} OURS;

/* INT3. One that is not in the code any more was taken out by another processor since: the instruction is
   there again. */
static OURS JudgeBreak(PKTRAP_FRAME Frame, STUB_EVENT *Event)
{
    UCHAR Code = 0;
    if (KTRAP_FROM_USER(Frame)) {
        return NotOurs;
    }
    bool There = StubReadKernel(Frame->Rip - 1, &Code, 1) && Code == CODE_INT3;
    *Event = (STUB_EVENT){StubReasonSignal, StubIsDying ? SIGNAL_ABRT : SIGNAL_TRAP, 0, NULL};
    if (StubIsBreak(Frame->Rip - 1)) {
        Frame->Rip--;
        *Event = (STUB_EVENT){StubReasonSoftware, SIGNAL_TRAP, Frame->Rip, NULL};
    } else if (!There) {
        Frame->Rip--;
        return OursSilently;
    }
    return OursToStop;
}

static OURS JudgeDebug(ULONG Self, PKTRAP_FRAME Frame, STUB_EVENT *Event)
{
    ULONG64 Dr6 = X86ReadDr6();
    PKTHREAD Thread = StubCurrentThread(Self);
    bool ByStep = (Dr6 & DR6_STEP) != 0 || KTRAP_FROM_USER(Frame); /* whose DR6 another thread may have overwritten */
    bool Stepped = ByStep && Step.Thread == Thread;
    bool WasStepped = ByStep && ForgetStale(Thread);
    bool Hit = StubFindHit(Dr6, Event);
    if (!Hit && !Stepped && !WasStepped && DR6_HITS(Dr6) == 0 && KTRAP_FROM_USER(Frame)) {
        return NotOurs; /* the program steps by itself */
    }
    X86WriteDr6(DR6_CLEAR);
    if (Hit) {
        return OursToStop;
    }
    if (!Stepped) { /* of a point or a step that is no more */
        Frame->Rflags &= ~(ULONG64)(DR6_HITS(Dr6) != 0 ? 0 : RFLAGS_TF);
        return OursSilently;
    }
    if (GoesOn(Frame)) {
        return OursSilently;
    }
    *Event = (STUB_EVENT){StubReasonSignal, SIGNAL_TRAP, 0, NULL};
    return OursToStop;
}

/* Whoever is not the first waits until the others have been served. */
static VOID Claim(ULONG Self)
{
    if (Owner == Self) { /* the end of a step that ran alone */
        StubClearDebugRegisters();
        return;
    }
    while (!TryClaim(Self)) {
        StandStill(Self);
    }
    Stop(Self);
}

BOOLEAN StubTrap(ULONG Self, PKTRAP_FRAME Frame)
{
    STUB_EVENT Event;
    if (Processors[Self].Frame != NULL) {
        return TakeNestedTrap(Frame);
    }
    Processors[Self].Frame = Frame;
    OURS Ours = Frame->Vector == VECTOR_BREAKPOINT ? JudgeBreak(Frame, &Event) : JudgeDebug(Self, Frame, &Event);
    if (Ours != OursToStop) {
        Processors[Self].Frame = NULL;
        RepeatMissed(Self);
        return Ours == OursSilently;
    }
    Claim(Self);
    if (!StubIsStillThere(&Event)) {
        GiveBack(Self); /* GDB has taken it away while this processor waited; a step that is under way stays so */
    } else {
        Serve(Self, &Event);
    }
    return TRUE;
}

/* ^C, the beginning of a packet, or a key. */
static BOOLEAN TakeInput(ULONG Self, PKTRAP_FRAME Frame)
{
    STUB_EVENT Event = {StubReasonInput, SIGNAL_INT, 0, NULL};
    Processors[Self].Frame = Frame;
    Claim(Self);
    Serve(Self, &Event);
    return TRUE;
}

/* The port's interrupt is routed to the first processor: the others leave its bytes alone. */
BOOLEAN StubNmi(ULONG Self, PKTRAP_FRAME Frame)
{
    ULONG Now = Owner;
    if (Processors[Self].Frame != NULL || Now == Self) {
        Processors[Self].Missed = true;
        return TRUE;
    }
    if (Now != STUB_NOBODY) {
        Processors[Self].Frame = Frame;
        StandStill(Self);
        Processors[Self].Frame = NULL;
        RepeatMissed(Self);
        return TRUE;
    }
    return Self == 0 && StubHasInput() ? TakeInput(Self, Frame) : FALSE;
}

VOID StubBugCheck(ULONG Self, ULONG Code, PKTRAP_FRAME Frame)
{
    STUB_EVENT Event = {StubReasonSignal, SIGNAL_ABRT, Code, NULL};
    if (Processors[Self].Frame != NULL) {
        return; /* the stub itself has failed */
    }
    StubIsDying = true;
    if (Frame == NULL) {
        DbgBreakPoint();
        return;
    }
    Processors[Self].Frame = Frame;
    Claim(Self);
    Serve(Self, &Event);
}
