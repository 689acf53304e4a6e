/* SPDX-License-Identifier: MIT */
/*
 * Between processors: requests, calls, and the shoot-down of translations. Whoever waits for others holds no
 * lock that an interrupt handler takes and keeps interrupts on, so that it serves incoming calls meanwhile.
 *
 * A call stands in the caller's own KPRCB.Call; the caller sets its bit in each target's CallRequests; each
 * target runs it and clears its own bit in Call.Pending. The caller stays on its processor (DISPATCH_LEVEL)
 * until none is left.
 */
#include "kernel/ke/ki.h"

/* Sets a request bit; the first one sends the interrupt. The caller cannot move (DISPATCH_LEVEL, or
   interrupts off): a request to oneself would never be sent, and block all later ones. */
void KiRequestIpi(PKPRCB Prcb, ULONG Request)
{
    KI_ASSERT(Prcb != KeGetCurrentPrcb(), "processor %d interrupts itself", Prcb->Number);
    /* Others rely on the first one's interrupt: nothing comes between the bit and it, above all no
       rendezvous, which would wait for the very processor that has not been interrupted. */
    bool Interrupts = ArchDisableInterrupts();
    if (__atomic_fetch_or(&Prcb->IpiRequests, Request, __ATOMIC_SEQ_CST) == 0) {
        KdTrace(IpiSend, Prcb->Number, Request, 0);
        ArchSendIpi(Prcb->Number);
    }
    ArchRestoreInterrupts(Interrupts);
}

static void KiServeCalls(PKPRCB Prcb)
{
    KAFFINITY Callers = __atomic_exchange_n(&Prcb->CallRequests, 0, __ATOMIC_SEQ_CST);
    for (; Callers != 0; Callers &= Callers - 1) {
        KCALL *Call = &KiProcessorBlock[RtlLowestBit(Callers)]->Call;
        Call->Routine(Call->Context);
        __atomic_fetch_and(&Call->Pending, ~KiProcessorBit(Prcb->Number), __ATOMIC_SEQ_CST); /* the last touch */
    }
}

void KiIpiInterrupt(void)
{
    PKPRCB Prcb = KeGetCurrentPrcb();
    ULONG Requests = __atomic_exchange_n(&Prcb->IpiRequests, 0, __ATOMIC_SEQ_CST);
    Prcb->Ipis++;
    KdTrace(IpiReceive, 0, Requests, 0);
    if (Requests & KIPI_CALL) {
        KiServeCalls(Prcb);
    }
    if (Requests & KIPI_RESCHEDULE) {
        Prcb->Reschedule = TRUE;
    }
    if (Requests & KIPI_CLOCK) {
        KiAnnounceClockWork(Prcb, ArchReadCycles());
    }
    if (Requests & (KIPI_RESCHEDULE | KIPI_DPC)) {
        ArchSetPendingSoft(KSOFT_DISPATCH);
    }
    if (Requests & KIPI_APC) {
        ArchSetPendingSoft(KSOFT_APC);
    }
}

/* Asks others to run Routine(Context) at IPI_LEVEL. >= DISPATCH_LEVEL, interrupts on; KiAwaitCall before
   anything else. */
static void KiPostCall(KAFFINITY Others, void (*Routine)(void *), void *Context)
{
    PKPRCB Prcb = KeGetCurrentPrcb();
    KI_ASSERT(ArchInterruptsEnabled(), "interrupts are off, others are %llx", Others);
    KI_ASSERT(Prcb->Call.Pending == 0, "a call inside a call, which %llx have not finished", Prcb->Call.Pending);
    Prcb->Call.Routine = Routine;
    Prcb->Call.Context = Context;
    __atomic_store_n(&Prcb->Call.Pending, Others, __ATOMIC_SEQ_CST);
    for (; Others != 0; Others &= Others - 1) {
        PKPRCB Target = KiProcessorBlock[RtlLowestBit(Others)];
        __atomic_fetch_or(&Target->CallRequests, KiProcessorBit(Prcb->Number), __ATOMIC_SEQ_CST);
        KiRequestIpi(Target, KIPI_CALL);
    }
}

/* Returns when all have finished. */
static void KiAwaitCall(void)
{
    PKPRCB Prcb = KeGetCurrentPrcb();
    while (__atomic_load_n(&Prcb->Call.Pending, __ATOMIC_ACQUIRE) != 0) {
        ArchPause();
    }
}

/* ---- Rendezvous ---- */

/* One rendezvous at a time, first come first served: a rendezvous takes long where processors share cores,
   and whoever calls again and again must not keep the others at DISPATCH_LEVEL for seconds. Who waits for its
   turn serves the others' calls. */
static volatile ULONG KiNextTicket, KiNowServing; /* (a) */

static void KiAwaitTurn(void)
{
    ULONG Ticket = __atomic_fetch_add(&KiNextTicket, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(&KiNowServing, __ATOMIC_ACQUIRE) != Ticket) {
        ArchPause();
    }
}

typedef struct _KI_BROADCAST {
    PKIPI_BROADCAST_WORKER Worker;
    ULONG_PTR Argument;
    volatile LONG Missing; /* processors that have not yet come */
} KI_BROADCAST;

static ULONG_PTR KiMeet(KI_BROADCAST *Broadcast)
{
    InterlockedDecrement(&Broadcast->Missing);
    while (Broadcast->Missing != 0) {
        ArchPause();
    }
    return Broadcast->Worker(Broadcast->Argument);
}

static void KiBroadcastTarget(void *Context)
{
    KiMeet(Context);
}

/* Runs the function on all processors at IPI_LEVEL, after all have arrived; returns what it returned here. <
   IPI_LEVEL, interrupts on; not in an interrupt handler, which may have interrupted a call of this processor.
   (WDK page of the name) */
ULONG_PTR KeIpiGenericCall(PKIPI_BROADCAST_WORKER BroadcastFunction, ULONG_PTR Context)
{
    KIRQL Irql = ArchGetIrql(), Inside;
    KI_ASSERT(Irql < IPI_LEVEL, "KeIpiGenericCall at level %d", Irql);
    if (Irql < DISPATCH_LEVEL) {
        ArchSetIrql(DISPATCH_LEVEL);
    }
    KiAwaitTurn();
    KAFFINITY Others = KeActiveProcessors & ~KiProcessorBit(KeGetCurrentPrcb()->Number);
    KI_BROADCAST Broadcast = {BroadcastFunction, Context, (LONG)RtlCountBits(Others) + 1};
    KiPostCall(Others, KiBroadcastTarget, &Broadcast);
    while (Broadcast.Missing != 1) { /* with interrupts on: others' calls are served until everybody has come */
        ArchPause();
    }
    KeRaiseIrql(IPI_LEVEL, &Inside);
    ULONG_PTR Result = KiMeet(&Broadcast);
    KeLowerIrql(Inside);
    KiAwaitCall();
    __atomic_fetch_add(&KiNowServing, 1, __ATOMIC_RELEASE);
    KiLower(Irql);
    return Result;
}
EXPORT(KeIpiGenericCall);

/* ---- Address spaces and translations ---- */

/* DISPATCH, or interrupts off. The bit is set before the tables are loaded: an initiator of a shoot-down
   changes the entry, fences, then reads the mask, and so either sees the bit or has changed the entry before
   it can be cached. */
void KeLoadAddressSpace(PKADDRESS_SPACE Space)
{
    PKPRCB Prcb = KeGetCurrentPrcb();
    PKADDRESS_SPACE Old = Prcb->AddressSpace;
    if (Old == Space) {
        return;
    }
    if (Space != &KiKernelSpace) {
        __atomic_fetch_or(&Space->ActiveProcessors, Prcb->SetMember, __ATOMIC_SEQ_CST);
    }
    Prcb->AddressSpace = Space;
    ArchLoadPageTables(&Space->Tables);
    if (Old != &KiKernelSpace) {
        __atomic_fetch_and(&Old->ActiveProcessors, ~Prcb->SetMember, __ATOMIC_SEQ_CST);
    }
}

typedef struct _KI_FLUSH_RANGE {
    uintptr_t Virtual;
    SIZE_T Pages;
} KI_FLUSH_RANGE;

static void KiFlushRange(void *Context)
{
    const KI_FLUSH_RANGE *Range = Context;
    ArchFlushLocalTb(Range->Virtual, Range->Pages);
    KeGetCurrentPrcb()->TbFlushes++;
}

/* The entries have been changed: whoever loads the space from here on finds them so. */
static void KiFlushOn(const volatile KAFFINITY *Mask, uintptr_t Virtual, SIZE_T Pages)
{
    KI_FLUSH_RANGE Range = {Virtual, Pages};
    KIRQL Irql = KiRaiseToDispatch();
    KAFFINITY Self = KiProcessorBit(KeGetCurrentPrcb()->Number);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    KAFFINITY Processors = *Mask;
    if (Processors & Self) {
        KiFlushRange(&Range);
    }
    if (Processors & ~Self) {
        KiPostCall(Processors & ~Self, KiFlushRange, &Range);
        KiAwaitCall();
    }
    KiLower(Irql);
}

void KeFlushTb(PKADDRESS_SPACE Space, uintptr_t Virtual, SIZE_T Pages)
{
    KiFlushOn(&Space->ActiveProcessors, Virtual, Pages);
}

void KeFlushKernelTb(uintptr_t Virtual, SIZE_T Pages)
{
    KiFlushOn(&KeActiveProcessors, Virtual, Pages);
}
