/* SPDX-License-Identifier: MIT */
/*
 * The end when something is wrong. The first processor that gets here owns the bug check: it freezes the
 * others by NMI, waits for them for a bounded time, reports, and leaves through the debug-exit port. Each
 * processor records its own back-trace as it freezes, into memory of its own, so that the report reads no
 * stack that may still change.
 *
 * No lock is taken and nothing is allocated. A bug check inside the bug check ends the machine at once.
 */
#include "kernel/kd/kdp.h"
#include "kernel/rtl/export.h"
#include "kernel/rtl/rtl.h"

#define KDP_EXIT_BUGCHECK 0x31
#define KDP_EXIT_HANG     0x32
#define KDP_FRAMES        24
#define KDP_TRACE_SHOWN   32
#define KDP_MACHINE_CHECK 18 /* the vector that means broken hardware */

volatile ULONG KdpOwner = KDP_NOBODY;

/* (p) written by the processor that it belongs to, before it says Frozen */
static struct {
    ULONG Count;
    ULONG64 Address[KDP_FRAMES];
} KdpBackTrace[MAXIMUM_PROCESSORS];

/* ---- Names ---- */

static const char *KdpCodeName(ULONG Code)
{
#define KDP_CASE(Name, Value)                                                                                \
    case Value:                                                                                              \
        return #Name;
    switch (Code) {
        KD_BUGCHECK_CODES(KDP_CASE)
    default:
        return "UNKNOWN";
    }
#undef KDP_CASE
}

/* ---- Freezing ---- */

static void KdpRecordBackTrace(ULONG Processor, PKTRAP_FRAME Frame)
{
    ULONG64 *Address = KdpBackTrace[Processor].Address;
    ULONG Count = 0;

    if (Frame == NULL) {
        Count = ArchCaptureBackTrace(Address, KDP_FRAMES);
    } else if (!KTRAP_FROM_USER(Frame)) {
        Count = ArchBackTrace(Frame->Rip, Frame->Rbp, Address, KDP_FRAMES);
    }
    KdpBackTrace[Processor].Count = Count;
}

/* In the NMI handler of a processor that is to stand still, or on one that came second to the bug check. */
static NORETURN void KdpFreeze(PKTRAP_FRAME Frame)
{
    PKPRCB Prcb = ArchCurrentPrcb();

    if (!Prcb->Frozen) {
        KdpRecordBackTrace(Prcb->Number, Frame);
        Prcb->FrozenFrame = Frame;
        __atomic_store_n(&Prcb->Frozen, 1, __ATOMIC_RELEASE);
    }
    ArchHalt();
}

/* An only processor has no neighbour: the host asks (tools/run), again and again, when it has found
   interrupts off wherever it looked. An NMI alone says nothing, it may be anybody's. */
static bool KdpIsDeaf(const KPRCB *Prcb, PKTRAP_FRAME Frame)
{
    static ULONG64 Before = ~0ULL; /* how many interrupts there had been when an NMI last found them off */
    if (*KdHooks.NumberProcessors != 1 || KTRAP_TAKES_INTERRUPTS(Frame)) {
        return false;
    }
    bool Deaf = Before == Prcb->Interrupts;
    Before = Prcb->Interrupts;
    return Deaf;
}

/* With no bug check in progress a neighbour asks whether this processor runs: go on. */
void KdHandleNmi(PKTRAP_FRAME Frame)
{
    if (KdpDebuggerTakesNmi(Frame)) {
        return;
    }
    if (KdpIsDeaf(ArchCurrentPrcb(), Frame)) {
        KdReportHang(0, "takes no interrupts", Frame);
    }
    if (KdpOwner != KDP_NOBODY && KdpOwner != ArchCurrentPrcb()->Number) {
        KdpFreeze(Frame);
    }
    ArchCurrentPrcb()->NmiAnswers++;
}

static bool KdpAllFrozen(KAFFINITY Others)
{
    for (; Others != 0; Others &= Others - 1) {
        if (!__atomic_load_n(&KdHooks.ProcessorBlock[RtlLowestBit(Others)]->Frozen, __ATOMIC_ACQUIRE)) {
            return false;
        }
    }
    return true;
}

/* At most half a second: a processor that does not answer is reported as such. */
static void KdpFreezeOthers(ULONG Self)
{
    KAFFINITY Others = *KdHooks.ActiveProcessors & ~((KAFFINITY)1 << Self);
    ULONG64 Start = ArchReadCycles();
    ULONG64 Limit = ArchCyclesPerSecond() / 2;

    if (Others == 0) {
        return;
    }
    ArchSendNmi(Others);
    while (!KdpAllFrozen(Others) && ArchReadCycles() - Start < Limit) {
        ArchPause();
    }
}

/* What the first line of the report says; the owner's. */
static struct {
    ULONG Code;
    const char *Hang; /* not NULL: a hang of processor P[0], and what about it */
    ULONG64 P[4];
    BOOLEAN Printed;
} KdpReport;

static void KdpPrintFirstLine(void)
{
    if (KdpReport.Printed) {
        return;
    }
    KdpReport.Printed = TRUE;
    if (KdpReport.Hang != NULL) {
        DbgPrint("@hang processor %I64u: %s\n", KdpReport.P[0], KdpReport.Hang);
    } else {
        DbgPrint("@bugcheck %x %s %I64x %I64x %I64x %I64x\n", KdpReport.Code, KdpCodeName(KdpReport.Code),
                 KdpReport.P[0], KdpReport.P[1], KdpReport.P[2], KdpReport.P[3]);
    }
}

/* The report itself went wrong. What is said of it is said once: printing may be what goes wrong. */
static NORETURN void KdpGiveUp(ULONG Code)
{
    static BOOLEAN Said;

    if (!Said) {
        Said = TRUE;
        KdpTakeOverLog();
        KdpPrintFirstLine();
        DbgPrint("\nbug check %x (%s) inside the bug check: giving up\n", Code, KdpCodeName(Code));
    }
    ArchDebugExit(KDP_EXIT_BUGCHECK);
}

/* Becomes the owner, or does not return. */
static void KdpClaim(ULONG Code, PKTRAP_FRAME Frame)
{
    ULONG Self = ArchCurrentPrcb()->Number;
    ULONG Expected = KDP_NOBODY;

    if (__atomic_compare_exchange_n(&KdpOwner, &Expected, Self, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        return;
    }
    if (Expected == Self) {
        KdpGiveUp(Code);
    }
    KdpFreeze(Frame);
}

/* ---- The report ---- */

static void KdpPrintRegisters(const KTRAP_FRAME *Frame)
{
    DbgPrint("registers at vector %I64x, error code %I64x, fault address %p:\n", Frame->Vector,
             Frame->ErrorCode, (PVOID)ArchFaultAddress());
    DbgPrint("  rip %p cs %I64x rflags %I64x rsp %p ss %I64x\n", (PVOID)Frame->Rip, Frame->Cs, Frame->Rflags,
             (PVOID)Frame->Rsp, Frame->Ss);
    DbgPrint("  rax %p rbx %p rcx %p rdx %p\n", (PVOID)Frame->Rax, (PVOID)Frame->Rbx, (PVOID)Frame->Rcx,
             (PVOID)Frame->Rdx);
    DbgPrint("  rsi %p rdi %p rbp %p r8  %p\n", (PVOID)Frame->Rsi, (PVOID)Frame->Rdi, (PVOID)Frame->Rbp,
             (PVOID)Frame->R8);
    DbgPrint("  r9  %p r10 %p r11 %p r12 %p\n", (PVOID)Frame->R9, (PVOID)Frame->R10, (PVOID)Frame->R11,
             (PVOID)Frame->R12);
    DbgPrint("  r13 %p r14 %p r15 %p\n", (PVOID)Frame->R13, (PVOID)Frame->R14, (PVOID)Frame->R15);
}

static void KdpPrintBackTrace(ULONG Processor)
{
    for (ULONG i = 0; i < KdpBackTrace[Processor].Count; i++) {
        DbgPrint("    #%-2u %p ", i, (PVOID)KdpBackTrace[Processor].Address[i]);
        KdpPrintSymbol(KdpBackTrace[Processor].Address[i], i != 0);
        DbgPrint("\n");
    }
}

void KdpPrintThread(PKTHREAD Thread)
{
    CLIENT_ID Ids;

    if (Thread == NULL) {
        DbgPrint("no thread");
    } else if (!KdHooks.QueryThreadIds(Thread, &Ids)) {
        DbgPrint("thread %p", Thread);
    } else {
        DbgPrint("thread %p (%I64u.%I64u)", Thread, (ULONG64)Ids.UniqueProcess, (ULONG64)Ids.UniqueThread);
    }
}

static void KdpPrintProcessor(PKPRCB Prcb)
{
    DbgPrint("processor %u: IRQL %u, %s", Prcb->Number, Prcb->Irql, Prcb->DpcActive ? "in a DPC, " : "");
    KdpPrintThread(Prcb->CurrentThread);
    if (Prcb->Number != KdpOwner && !Prcb->Frozen) {
        DbgPrint(", does not answer\n");
        return;
    }
    if (Prcb->FrozenFrame != NULL && KTRAP_FROM_USER(Prcb->FrozenFrame)) {
        DbgPrint(", in user mode at %p\n", (PVOID)Prcb->FrozenFrame->Rip);
        return;
    }
    DbgPrint("%s\n", Prcb->Number == KdpOwner ? ", reporting" : "");
    KdpPrintBackTrace(Prcb->Number);
}

static void KdpPrintAll(PKTRAP_FRAME Frame)
{
    if (Frame != NULL) {
        KdpPrintRegisters(Frame);
    }
    KdpPrintProcessor(KdHooks.ProcessorBlock[KdpOwner]);
    for (ULONG i = 0; i < *KdHooks.NumberProcessors; i++) {
        if (i != KdpOwner && KdHooks.ProcessorBlock[i] != NULL) {
            KdpPrintProcessor(KdHooks.ProcessorBlock[i]);
        }
    }
    KdpPrintOrderCycle();
    KdpPrintCircle();
    KdpPrintHeldLocks();
    KdpPrintTrace(KDP_TRACE_SHOWN);
}

/* This processor is the owner, the others stand still, the log is ours, its first line is written. */
static void KdpBegin(ULONG Code, const ULONG64 P[4], const char *Hang, PKTRAP_FRAME Frame)
{
    ArchDisableInterrupts();
    KdpClaim(Code, Frame);
    KdpReport.Code = Code;
    KdpReport.Hang = Hang;
    memcpy(KdpReport.P, P, sizeof(KdpReport.P));

    ULONG Self = ArchCurrentPrcb()->Number;
    KdHooks.ProcessorBlock[Self] = ArchCurrentPrcb(); /* not there yet in the first moments */
    KdpRecordBackTrace(Self, Frame);
    KdpFreezeOthers(Self);
    KdpTakeOverLog();
    KdpPrintFirstLine();
}

void KdBugCheck(ULONG Code, ULONG64 P1, ULONG64 P2, ULONG64 P3, ULONG64 P4, PKTRAP_FRAME Frame,
                const char *Format, ...)
{
    static char Message[256]; /* the owner only */
    va_list Arguments;

    va_start(Arguments, Format);
    KdpBegin(Code, (ULONG64[4]){P1, P2, P3, P4}, NULL, Frame);
    if (Format != NULL) {
        RtlPrintV(Message, sizeof(Message), Format, Arguments);
        DbgPrint("%s\n", Message);
    }
    KdpPrintAll(Frame);
    KdpCallCallbacks();
    KdpEnterDebugger(Code, Frame);
    ArchDebugExit(KDP_EXIT_BUGCHECK);
}

void KdReportHang(ULONG Processor, const char *What, PKTRAP_FRAME Frame)
{
    KdpBegin(CLOCK_WATCHDOG_TIMEOUT, (ULONG64[4]){Processor}, What, Frame);
    KdpPrintAll(Frame);
    KdpCallCallbacks();
    KdpEnterDebugger(CLOCK_WATCHDOG_TIMEOUT, Frame);
    ArchDebugExit(KDP_EXIT_HANG);
}

/* ---- Ways in ---- */

/* Stops the machine with a code and four parameters, after a report to the log. Any IRQL; does not return.
   (WDK page of the name) */
VOID KeBugCheckEx(ULONG BugCheckCode, ULONG_PTR BugCheckParameter1, ULONG_PTR BugCheckParameter2,
                  ULONG_PTR BugCheckParameter3, ULONG_PTR BugCheckParameter4)
{
    KdBugCheck(BugCheckCode, BugCheckParameter1, BugCheckParameter2, BugCheckParameter3, BugCheckParameter4,
               NULL, NULL);
}
EXPORT(KeBugCheckEx);

/* KeBugCheckEx with parameters of 0. Any IRQL; does not return. (WDK page of the name) */
VOID KeBugCheck(ULONG BugCheckCode)
{
    KdBugCheck(BugCheckCode, 0, 0, 0, 0, NULL, NULL);
}
EXPORT(KeBugCheck);

/* What ASSERT and its family do when Expression is FALSE: bug check ASSERTION_FAILED with the expression
   and its place. Does not return. Any IRQL. For the macros of ntddk.h alone. */
VOID RtlpAssertFailed(PCSTR Expression, PCSTR File, ULONG Line)
{
    KdBugCheck(ASSERTION_FAILED, (ULONG64)Expression, (ULONG64)File, Line, 0, NULL,
               "%s:%u: assertion failed: %s", File, Line, Expression);
}
EXPORT(RtlpAssertFailed);

void KdHandleFatalTrap(PKTRAP_FRAME Frame)
{
    ULONG Code = Frame->Vector == KDP_MACHINE_CHECK ? MACHINE_CHECK_EXCEPTION : UNEXPECTED_KERNEL_MODE_TRAP;
    /* A push on a full stack faults with the stack pointer still above the guard page. */
    bool Overflow = !KTRAP_FROM_USER(Frame) && KdHooks.IsStackGuard(Frame->Rsp - sizeof(ULONG64));

    KdBugCheck(Code, Frame->Vector, Frame->ErrorCode, Frame->Rip, Frame->Rsp, Frame, "%s",
               Overflow
                   ? "the kernel stack is full: see the back-trace for a recursion or a large local variable"
                   : "a trap that only a broken kernel or machine raises");
}
