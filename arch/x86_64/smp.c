/* SPDX-License-Identifier: MIT */
/*
 * Starting the other processors (SDM vol. 3, 9.4.4), one after the other, through the page of
 * boot/trampoline.asm.
 *
 * A processor that answers too late must not run into a kernel that has given it up: starter and started
 * settle it by one compare-and-swap of StartState, and the loser of the two halts or goes on without.
 */
#include "arch/x86_64/archp.h"

extern const uint8_t ArchpTrampoline[], ArchpTrampolineEnd[];
extern uint8_t ArchpBootRoot[];
NORETURN void ArchpProcessorMain(PKPRCB Prcb);

enum {
    START_WAITING,
    START_ARRIVED,
    START_ABANDONED
};
/* 0: nothing came, or it is in real mode. */
enum {
    PROGRESS_PROTECTED_MODE = 1, /* entry.asm */
    PROGRESS_C,
    PROGRESS_KERNEL
};

#define INIT_TO_STARTUP    10000 /* microseconds, by the manual's example */
#define STARTUP_TO_STARTUP 200
#define ANSWER_LIMIT       1000000
#define POLL               20

uint32_t ArchpApicIdOf[MAXIMUM_PROCESSORS];
volatile ULONG ArchTrampolineProgress;
uint64_t ArchpStartRoot; /* for the processor that starts: the kernel's page tables */
PKPRCB ArchpStartPrcb;
static ULONG ProcessorCount = 1;
static volatile ULONG StartState;

/* ---- Who is there ---- */

/* This one is number 0, the others follow as the MADT lists them. */
void ArchpInitializeProcessorList(void)
{
    ULONG Limit = ArchpTrampolinePage != 0 ? MAXIMUM_PROCESSORS : 1;
    ArchpApicIdOf[0] = ArchpLocalApicId();
    for (ULONG i = 0; i < ArchpAcpi.ProcessorCount && ProcessorCount < Limit; i++) {
        if (ArchpAcpi.ApicId[i] != ArchpApicIdOf[0]) {
            ArchpApicIdOf[ProcessorCount++] = ArchpAcpi.ApicId[i];
        }
    }
}

ULONG ArchProcessorCount(void)
{
    return ProcessorCount;
}

/* ---- The starting side ---- */

/* True for the one of the two that comes first. */
static bool Settle(ULONG Outcome)
{
    ULONG Expected = START_WAITING;
    return __atomic_compare_exchange_n(&StartState, &Expected, Outcome, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

static void PrepareStart(PKPRCB Prcb)
{
    memcpy(ArchPhysicalToVirtual(ArchpTrampolinePage), ArchpTrampoline,
           (size_t)(ArchpTrampolineEnd - ArchpTrampoline));
    ArchTrampolineProgress = 0;
    ArchpStartRoot = ArchKernelPageTables()->Root;
    ArchpStartPrcb = Prcb;
    __atomic_store_n(&StartState, START_WAITING, __ATOMIC_SEQ_CST);
}

/* Waits until the started processor has come as far as Progress. */
static bool WaitForProgress(ULONG Progress, ULONG Microseconds)
{
    for (ULONG Waited = 0; ArchTrampolineProgress < Progress; Waited += POLL) {
        if (Waited >= Microseconds) {
            return false;
        }
        ArchStall(POLL);
    }
    return true;
}

bool ArchStartProcessor(PKPRCB Prcb)
{
    uint32_t ApicId = ArchpApicIdOf[Prcb->Number];
    if (!ArchpAllocateInterruptStacks(Prcb)) {
        return false;
    }
    PrepareStart(Prcb);
    ArchpSendInit(ApicId);
    ArchStall(INIT_TO_STARTUP);
    ArchpSendStartup(ApicId, ArchpTrampolinePage);
    if (!WaitForProgress(PROGRESS_PROTECTED_MODE, STARTUP_TO_STARTUP)) {
        ArchpSendStartup(ApicId, ArchpTrampolinePage);
    }
    bool Answered = WaitForProgress(PROGRESS_KERNEL, ANSWER_LIMIT) || !Settle(START_ABANDONED);
    if (!Answered) {
        ArchpSendInit(ApicId); /* wherever it is: it halts until a startup interrupt, which never comes */
    }
    return Answered;
}

/* The boot tables are cleared: no mapping is left in which the kernel's text can be written. The trampoline's
   page stays reserved. */
void ArchProcessorsAreUp(void)
{
    memset(ArchpBootRoot, 0, PAGE_SIZE);
}

/* ---- The started side ---- */

/* On the idle thread's stack, and with nothing else yet: the handler calls ArchInitializeProcessor
   first. */
void ArchpProcessorMain(PKPRCB Prcb)
{
    ArchTrampolineProgress = PROGRESS_C;
    if (!Settle(START_ARRIVED)) {
        ArchHalt();
    }
    ArchTrampolineProgress = PROGRESS_KERNEL;
    ArchHandlers.ProcessorStartup(Prcb);
}
