/* SPDX-License-Identifier: MIT */
/*
 * Starting the other processors (SDM vol. 3, 9.4.4), one after the other, through the page of
 * boot/trampoline.asm.
 *
 * A processor that answers too late must not run into a kernel that has given it up: starter and started
 * settle it by one compare-and-swap of StartState, and the loser of the two halts or goes on without.
 */
#include "arch/x86_64/smp.h"
#include "arch/x86_64/archp.h"

extern const uint8_t ArchpTrampoline[];
extern const uint32_t ArchpTrampolineSize, ArchpTrampolineParameters, ArchpTrampolineFixups[3];
extern uint8_t ArchpBootRoot[];
void ArchpProcessorEntry(void);
NORETURN void ArchpProcessorMain(PKPRCB Prcb);

enum {
    START_WAITING,
    START_ARRIVED,
    START_ABANDONED
};
enum {
    PROGRESS_C = 4,
    PROGRESS_KERNEL = 5
};

#define INIT_TO_STARTUP    10000 /* microseconds, by the manual's example */
#define STARTUP_TO_STARTUP 200
#define ANSWER_LIMIT       1000000
#define POLL               20

uint32_t ArchpApicIdOf[MAXIMUM_PROCESSORS];
volatile ULONG ArchTrampolineProgress;
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

static ARCH_TRAMPOLINE *Parameters(void)
{
    return (ARCH_TRAMPOLINE *)((uint8_t *)ArchPhysicalToVirtual(ArchpTrampolinePage) +
                               ArchpTrampolineParameters);
}

static void PrepareTrampoline(PKPRCB Prcb)
{
    uint8_t *Page = ArchPhysicalToVirtual(ArchpTrampolinePage);
    memcpy(Page, ArchpTrampoline, ArchpTrampolineSize);
    for (ULONG i = 0; i < RTL_NUMBER_OF(ArchpTrampolineFixups); i++) {
        *(uint32_t *)(Page + ArchpTrampolineFixups[i]) += (uint32_t)ArchpTrampolinePage;
    }
    *Parameters() = (ARCH_TRAMPOLINE){
        .BootRoot = (uint32_t)ArchVirtualToPhysical(ArchpBootRoot),
        .Efer = EFER_LME | (ArchpFeatures.NoExecute ? EFER_NXE : 0),
        .Root = ArchKernelPageTables()->Root,
        .Stack = (uint64_t)Prcb->IdleStackTop,
        .Prcb = (uint64_t)Prcb,
        .Entry = (uint64_t)ArchpProcessorEntry,
    };
}

/* Waits until the started processor has come as far as Progress. */
static bool WaitForProgress(ULONG Progress, ULONG Microseconds)
{
    for (ULONG Waited = 0; Parameters()->Progress < Progress; Waited += POLL) {
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
    PrepareTrampoline(Prcb);
    __atomic_store_n(&StartState, START_WAITING, __ATOMIC_SEQ_CST);

    ArchpSendInit(ApicId);
    ArchStall(INIT_TO_STARTUP);
    ArchpSendStartup(ApicId, ArchpTrampolinePage);
    if (!WaitForProgress(1, STARTUP_TO_STARTUP)) {
        ArchpSendStartup(ApicId, ArchpTrampolinePage);
    }
    bool Answered = WaitForProgress(PROGRESS_KERNEL, ANSWER_LIMIT) || !Settle(START_ABANDONED);
    ArchTrampolineProgress = Parameters()->Progress;
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

/* On the idle thread's stack, and with nothing else yet: KiProcessorStartup calls ArchInitializeProcessor
   first. */
void ArchpProcessorMain(PKPRCB Prcb)
{
    Parameters()->Progress = PROGRESS_C;
    if (!Settle(START_ARRIVED)) {
        ArchHalt();
    }
    Parameters()->Progress = PROGRESS_KERNEL;
    KiProcessorStartup(Prcb);
}
