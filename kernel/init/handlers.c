/* SPDX-License-Identifier: MIT */
/*
 * Every way in which the kernel calls upwards: who stands below declares a table and says what it needs of
 * those above; here each entry gets its routine. The tables are constants in read-only memory.
 * InitCheckHandlers finds one that a new entry was forgotten in.
 */
#include "kernel/ex/ex.h"
#include "kernel/init/init.h"
#include "kernel/kd/kd.h"
#include "kernel/ke/ke.h"
#include "kernel/ldr/ldr.h"
#include "kernel/mm/mm.h"
#include "kernel/rtl/export.h"
#include "kernel/services/services.h"
#include "ps/ps.h"
#include "sync/wait.h"

const ARCH_HANDLERS ArchHandlers = {
    .SystemStartup = InitSystemStartup,
    .ProcessorStartup = KiProcessorStartup,
    .ThreadStartup = KiThreadStartup,
    .ClockInterrupt = KiClockInterrupt,
    .IpiInterrupt = KiIpiInterrupt,
    .InterruptExit = KiInterruptExit,
    .ReturnToUser = KiReturnToUserWork,
    .SystemCallViolation = KiProviderViolation,
    .PageFault = SvcPageFault,
    .Exception = KiDispatchException,
    .DebugTrap = KdHandleDebugTrap,
    .Nmi = KdHandleNmi,
    .FatalTrap = KdHandleFatalTrap,
};

const KE_HANDLERS KeHandlers = {
    .InitializeTimerQueue = KiInitializeTimerQueue,
    .ExpireTimers = KiExpireTimers,
    .InitializeThreadWaits = KiInitializeThreadWaits,
    .SuspendCurrentThread = PsSuspendCurrentThread,
    .UserWork = PspUserWork,
    .UserException = SvcUserException,
    .TakesUserApcs = PspTakesUserApcs,
    .UserApc = SvcUserApc,
    .ProviderName = PspProviderName,
    .SystemService = SvcDispatch,
    .BadServiceReturn = SvcBadReturn,
};

const KD_HOOKS KdHooks = {
    .ProcessorBlock = KiProcessorBlock,
    .NumberProcessors = &KeNumberProcessors,
    .ActiveProcessors = &KeActiveProcessors,
    .IsStackGuard = MmIsStackGuard,
    .DescribePool = MmDescribePool,
    .QueryThreadIds = PspQueryThreadIds,
};

/* What a debugger module may ask while it has stopped the machine; kdhooks.h has the contracts. (no WDK
   page) */
const KD_SERVICES KdServices = {
    .ConnectInterrupt = ArchConnectInterrupt,
    .DisconnectInterrupt = ArchDisconnectInterrupt,
    .SendNmi = ArchSendNmi,
    .SkipTime = SvcDebugSkipTime,
    .QueryProcessor = SvcDebugProcessor,
    .QueryThread = SvcDebugThread,
    .NextThread = SvcDebugNextThread,
    .Name = KdName,
    .ReportLocks = KdReportLocks,
};
EXPORT(KdServices);

const EX_HANDLERS ExHandlers = {
    .CreateSystemThread = InitCreateSystemThread,
    .ReferenceModule = LdrReferenceModule,
};

/* A table is as good as an array of pointers. */
static void InitCheckTable(const char *Name, const void *const *Entry, SIZE_T Size)
{
    for (ULONG i = 0; i < Size / sizeof(*Entry); i++) {
        if (Entry[i] == NULL) {
            KdBugCheck(PHASE0_INITIALIZATION_FAILED, (ULONG64)Entry, i, 0, 0, NULL, "%s has no entry %u", Name, i);
        }
    }
}

void InitCheckHandlers(void)
{
    InitCheckTable("ArchHandlers", (const void *const *)&ArchHandlers, sizeof(ArchHandlers));
    InitCheckTable("KeHandlers", (const void *const *)&KeHandlers, sizeof(KeHandlers));
    InitCheckTable("KdHooks", (const void *const *)&KdHooks, sizeof(KdHooks));
    InitCheckTable("KdServices", (const void *const *)&KdServices, sizeof(KdServices));
    InitCheckTable("ExHandlers", (const void *const *)&ExHandlers, sizeof(ExHandlers));
}
