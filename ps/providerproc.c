/* SPDX-License-Identifier: MIT */
/*
 * What the kernel does for a provider: PS_SUBSYSTEM_ROUTINES. Processes and threads of the provider's making,
 * their registers, the regions of their address spaces, the current process's memory. The contracts stand in
 * <subsystem.h>.
 *
 * A routine that takes a process works on the caller's own without any reference; on another it holds the
 * address space for its duration, and answers STATUS_PROCESS_IS_TERMINATING when that has gone.
 */
#include "kernel/kd/script.h"
#include "kernel/rtl/random.h"
#include "ps/psp.h"

/* ---- Whose context? ---- */

/* The provider on whose behalf the current thread runs; NULL: none, or one of its system threads. Not
   referenced, for comparisons. */
static PPS_PROVIDER PspActingProvider(void)
{
    PSP_PROVIDER_CALL *Call = PspCurrentThread()->ProviderCalls;
    return Call != NULL ? Call->Provider : PspHomeProcess()->Provider;
}

/* A provider's own system threads are known by their code. Caller: an address in it. */
static BOOLEAN PspIsProvidersCode(PEPROCESS Process, ULONG_PTR Caller)
{
    if (!PsAcquireProcessAccess(Process)) {
        return FALSE;
    }
    PPS_PROVIDER Provider = Process->Provider;
    BOOLEAN Its = Provider != NULL && Caller - Provider->CodeStart < Provider->CodeSize;
    PsReleaseProcessAccess(Process);
    return Its;
}

static BOOLEAN PspIsCallersProcess(PEPROCESS Process, PVOID Caller)
{
    PPS_PROVIDER Acting = PspActingProvider();
    return Acting != NULL ? Process->Provider == Acting : PspIsProvidersCode(Process, (ULONG_PTR)Caller);
}

static PVOID PspGetProcessContext(PEPROCESS Process)
{
    return PspIsCallersProcess(Process, __builtin_return_address(0)) ? Process->ProviderContext : NULL;
}

static PVOID PspGetThreadContext(PETHREAD Thread)
{
    return PspIsCallersProcess(PsThreadProcess(Thread), __builtin_return_address(0)) ? Thread->ProviderContext
                                                                                     : NULL;
}

static PVOID PspCurrentProcessContext(VOID)
{
    return PspHomeProcess()->ProviderContext;
}

static PVOID PspCurrentThreadContext(VOID)
{
    return PspCurrentThread()->ProviderContext;
}

/* ---- Processes and threads ---- */

static NTSTATUS PspSubsystemCreateProcess(PPS_PROVIDER Provider, const PSP_PROCESS_ATTRIBUTES *Attributes,
                                          PEPROCESS *Created)
{
    PEPROCESS Process;
    PSP_PROCESS_ATTRIBUTES Copy = *Attributes;
    if (Copy.Parent == NULL) {
        Copy.Parent = PspHomeProcess();
    }
    if (Copy.Kind > PS_PROCESS_SHARE ||
        (Copy.Kind != PS_PROCESS_EMPTY && Copy.Parent->Provider != Provider)) {
        return STATUS_INVALID_PARAMETER;
    }
    if (!PspReferenceProvider(Provider)) {
        return STATUS_DELETE_PENDING;
    }
    NTSTATUS Status = PspCreateProcess(&Copy, Provider, FALSE, &Process);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = PspInsertProcess(Process);
    if (!NT_SUCCESS(Status)) {
        ObDereferenceObject(Process);
        return Status;
    }
    *Created = Process;
    return STATUS_SUCCESS;
}

static NTSTATUS PspFillSubsystemThread(PETHREAD Thread, const PS_SUBSYSTEM_THREAD_ATTRIBUTES *Attributes)
{
    PKTHREAD Tcb = &Thread->Tcb;
    PKTRAP_FRAME Frame = ArchUserFrame(Tcb);
    *Frame = *Attributes->Registers;
    ArchSanitizeUserFrame(Frame);
    Thread->StartAddress = (PVOID)ArchFrameAddress(Frame);
    if (Attributes->CopyFpuState) {
        ArchCloneFpuState(Tcb);
    }
    PspBindThread(Thread);
    Thread->ProviderContext = Attributes->Context;
    Thread->ContextOwned = TRUE;
    NTSTATUS Status = ArchSetUserBase(Tcb, PS_BASE_FS, Attributes->UserFsBase);
    return NT_SUCCESS(Status) ? ArchSetUserBase(Tcb, PS_BASE_GS, Attributes->UserGsBase) : Status;
}

/* On failure the thread context stays the provider's; a veto ends the process, and ProcessExit has been
   called on return. */
static NTSTATUS PspSubsystemCreateThread(PEPROCESS Process, const PS_SUBSYSTEM_THREAD_ATTRIBUTES *Attributes,
                                         PETHREAD *Created)
{
    PETHREAD Thread;
    if (!PsAcquireProcessAccess(Process)) {
        return STATUS_PROCESS_IS_TERMINATING;
    }
    NTSTATUS Status =
        Process->Provider != NULL ? PspCreateThread(Process, FALSE, &Thread) : STATUS_INVALID_PARAMETER;
    if (!NT_SUCCESS(Status)) {
        PsReleaseProcessAccess(Process);
        return Status;
    }
    Status = PspFillSubsystemThread(Thread, Attributes);
    PsReleaseProcessAccess(Process); /* the process's end waits for it, and the launch may run that end */
    if (NT_SUCCESS(Status)) {
        Status = PspLaunchThread(Thread, TRUE);
    }
    if (!NT_SUCCESS(Status)) {
        PspEndUnborn(Thread, Status);
        ObDereferenceObject(Thread);
        return Status;
    }
    *Created = Thread;
    return STATUS_SUCCESS;
}

static VOID PspRequestReturnToUser(PETHREAD Thread, BOOLEAN Interrupt)
{
    __atomic_or_fetch(&Thread->Tcb.UserWork, KUSER_WORK_PROVIDER, __ATOMIC_SEQ_CST);
    if (Interrupt) {
        KeInterruptThread(&Thread->Tcb);
    }
}

/* The process is left with one thread, the current one, which changes over by way of the System process's
   space. Another one may have joined meanwhile, a system thread of a driver's: it is counted, or it finds the
   new space. */
static NTSTATUS PspReplaceAddressSpace(VOID (*Leave)(VOID))
{
    PEPROCESS Process = PspHomeProcess();
    PMM_ADDRESS_SPACE Unused;
    KAPC_STATE Before;

    if (Process->Provider == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    NTSTATUS Status = MmCreateAddressSpace(&Unused);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = PspEndOtherThreads(STATUS_SUCCESS);
    if (!NT_SUCCESS(Status)) {
        MmDereferenceAddressSpace(Unused);
        return Status;
    }
    Leave();
    KeAttachSpace(&PsInitialSystemProcess->Pcb, &KiKernelSpace, &Before);
    KeLockExclusive(&Process->Lock);
    bool Alone = Process->ActiveThreads == 1;
    if (Alone) {
        PMM_ADDRESS_SPACE Old = PspSpace(Process);
        Process->Pcb.AddressSpace = &Unused->Kernel;
        Unused = Old;
    }
    KeUnlockExclusive(&Process->Lock);
    KeDetachSpace(&Before);
    MmDereferenceAddressSpace(Unused);
    return Alone ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

static NTSTATUS PspSetImageName(PEPROCESS Process, PCUNICODE_STRING ImageFileName)
{
    UNICODE_STRING Copy, Old;
    NTSTATUS Status = PspCopyString(&Copy, ImageFileName);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    KeLockExclusive(&PsImageLock);
    Old = Process->ImageFileName;
    Process->ImageFileName = Copy;
    KdNoteImageName(HandleToULong(Process->UniqueProcessId), &Process->ImageFileName);
    KeUnlockExclusive(&PsImageLock);
    ExFreeUnicodeString(&Old);
    return STATUS_SUCCESS;
}

static ULONG64 PspGetThreadTimes(PETHREAD Thread, PULONG64 UserCycles)
{
    *UserCycles = 0;
    return KeThreadCycles(&Thread->Tcb, UserCycles);
}

static ULONG64 PspGetProcessTimes(PEPROCESS Process, PULONG64 UserCycles)
{
    *UserCycles = 0;
    return PsProcessCycles(Process, UserCycles);
}

/* ---- Registers ---- */

/* Its user registers hold still: it is the current thread, has not started, or waits to be resumed on its way
   to user mode, its last switch behind it (the FPU's are saved there). */
static bool PspRegistersAreStill(PETHREAD Thread)
{
    return Thread == PspCurrentThread() || Thread->StartState != PS_THREAD_STARTED ||
           (Thread->Tcb.State == Waiting && Thread->Tcb.WaitReason == Suspended && Thread->Tcb.SwapBusy == 0);
}

/* Somebody may resume, start or end the thread at any moment: it waits for the lock before it goes on towards
   user mode (PspTakeRegistersBack), and its stack stays, because it cannot leave its process (l). */
NTSTATUS PsHoldRegisters(PETHREAD Thread)
{
    KeLockShared(&PsThreadProcess(Thread)->Lock);
    if (Thread->Tcb.SystemThread || Thread->StackTop == NULL) {
        KeUnlockShared(&PsThreadProcess(Thread)->Lock);
        return STATUS_INVALID_PARAMETER;
    }
    if (!PspRegistersAreStill(Thread)) {
        KeUnlockShared(&PsThreadProcess(Thread)->Lock);
        return STATUS_INVALID_DEVICE_STATE;
    }
    KdPoint(PrimerPointRegistersHeld, Thread);
    return STATUS_SUCCESS;
}

void PsReleaseRegisters(PETHREAD Thread)
{
    KeUnlockShared(&PsThreadProcess(Thread)->Lock);
}

static NTSTATUS PspGetRegisters(PETHREAD Thread, PKTRAP_FRAME Frame)
{
    NTSTATUS Status = PsHoldRegisters(Thread);
    if (NT_SUCCESS(Status)) {
        *Frame = *ArchUserFrame(&Thread->Tcb);
        PsReleaseRegisters(Thread);
    }
    return Status;
}

/* What is not safe never stands in the thread's frame: somebody may resume the thread meanwhile. */
__attribute__((noinline)) static NTSTATUS PspCopyRegisters(PETHREAD Thread, const KTRAP_FRAME *Frame)
{
    KTRAP_FRAME Safe = *Frame;
    ArchSanitizeUserFrame(&Safe);
    NTSTATUS Status = PsHoldRegisters(Thread);
    if (NT_SUCCESS(Status)) {
        *ArchUserFrame(&Thread->Tcb) = Safe;
        PsReleaseRegisters(Thread);
    }
    return Status;
}

static NTSTATUS PspSetRegisters(PETHREAD Thread, const KTRAP_FRAME *Frame)
{
    PKTRAP_FRAME Own = ArchUserFrame(ArchCurrentThread());
    if (Frame != Own) {
        return PspCopyRegisters(Thread, Frame);
    }
    ArchSanitizeUserFrame(Own);
    return STATUS_SUCCESS;
}

static PKTRAP_FRAME PspCurrentRegisters(VOID)
{
    return ArchUserFrame(ArchCurrentThread());
}

C_ASSERT(PS_BASE_FS == ARCH_BASE_FS && PS_BASE_GS == ARCH_BASE_GS);

static NTSTATUS PspSetDescriptorBase(ULONG Which, ULONG64 Base)
{
    return ArchSetUserBase(ArchCurrentThread(), Which, Base);
}

static ULONG64 PspGetDescriptorBase(ULONG Which)
{
    return ArchGetUserBase(ArchCurrentThread(), Which);
}

/* ---- Regions ---- */

C_ASSERT(PS_MEMORY_READ == MM_READ && PS_MEMORY_WRITE == MM_WRITE && PS_MEMORY_EXECUTE == MM_EXECUTE &&
         PS_MEMORY_GUARD == MM_GUARD);
C_ASSERT(PS_MAP_FIXED == MM_MAP_FIXED && PS_MAP_NOREPLACE == MM_MAP_NOREPLACE &&
         PS_MAP_SHARED == MM_MAP_SHARED && PS_REGION_NOINHERIT == MM_REGION_NOINHERIT && PS_REGION_WIPE == MM_REGION_WIPE &&
         PS_MAP_TOPDOWN == MM_MAP_TOPDOWN && PS_MAP_GROWDOWN == MM_MAP_GROWDOWN);

/* What Call, which uses Space, says of the process's address space. */
#define PSP_IN_SPACE(Process, Call)                                                                          \
    ({                                                                                                       \
        PMM_ADDRESS_SPACE Space;                                                                             \
        NTSTATUS Status = PsAcquireSpace(Process, &Space);                                                   \
        if (NT_SUCCESS(Status)) {                                                                            \
            Status = (Call);                                                                                 \
            PsReleaseSpace(Process, Space);                                                                  \
        }                                                                                                    \
        Status;                                                                                              \
    })

static NTSTATUS PspMapRegion(PEPROCESS Process, ULONG_PTR *Base, SIZE_T Size, ULONG MapFlags,
                             ULONG Protection, PMM_SECTION_HANDLE Section, ULONG64 Offset, ULONG_PTR Limit,
                             PVOID Tag)
{
    return PSP_IN_SPACE(Process, MmMapRegion(Space, Base, Size, MapFlags, Protection, Section, Offset, Limit, Tag));
}

static NTSTATUS PspUnmapRegion(PEPROCESS Process, ULONG_PTR Base, SIZE_T Size)
{
    return PSP_IN_SPACE(Process, MmUnmapRegion(Space, Base, Size));
}

static NTSTATUS PspProtectRegion(PEPROCESS Process, ULONG_PTR Base, SIZE_T Size, ULONG Protection)
{
    return PSP_IN_SPACE(Process, MmProtectRegion(Space, Base, Size, Protection));
}

static NTSTATUS PspSetRegionAttributes(PEPROCESS Process, ULONG_PTR Base, SIZE_T Size, ULONG Mask, ULONG Value)
{
    return PSP_IN_SPACE(Process, MmSetRegionAttributes(Space, Base, Size, Mask, Value));
}

static NTSTATUS PspDiscardRegion(PEPROCESS Process, ULONG_PTR Base, SIZE_T Size)
{
    return PSP_IN_SPACE(Process, MmDiscardRegion(Space, Base, Size));
}

static NTSTATUS PspMoveRegion(PEPROCESS Process, ULONG_PTR Old, SIZE_T OldSize, ULONG_PTR *Base, SIZE_T NewSize, ULONG MapFlags,
                              BOOLEAN Keep, ULONG_PTR Limit)
{
    return PSP_IN_SPACE(Process, MmMoveRegion(Space, Old, OldSize, Base, NewSize, MapFlags, Keep, Limit));
}

static NTSTATUS PspPopulateRegion(PEPROCESS Process, ULONG_PTR Base, SIZE_T Size, ULONG Access)
{
    return PSP_IN_SPACE(Process, MmPopulateRegion(Space, Base, Size, Access));
}

static NTSTATUS PspQueryPages(PEPROCESS Process, ULONG_PTR Base, SIZE_T Pages, PUCHAR Present)
{
    return PSP_IN_SPACE(Process, MmQueryPages(Space, Base, Pages, Present));
}

static NTSTATUS PspSetGrowLimit(PEPROCESS Process, SIZE_T Bytes)
{
    return PSP_IN_SPACE(Process, (Space->GrowLimit = Bytes, STATUS_SUCCESS));
}

static NTSTATUS PspReadMemory(PEPROCESS Process, ULONG_PTR Address, PVOID Buffer, SIZE_T Size)
{
    return PSP_IN_SPACE(Process, MmReadAddressSpace(Space, Address, Buffer, Size));
}

static NTSTATUS PspWriteMemory(PEPROCESS Process, ULONG_PTR Address, const VOID *Buffer, SIZE_T Size,
                               BOOLEAN Force)
{
    return PSP_IN_SPACE(Process, MmWriteAddressSpace(Space, Address, Buffer, Size, Force));
}

static NTSTATUS PspQueryRegion(PEPROCESS Process, ULONG_PTR Address, PS_REGION_INFORMATION *Information)
{
    C_ASSERT(FIELD_OFFSET(MM_REGION_INFORMATION, Tag) == FIELD_OFFSET(PS_REGION_INFORMATION, Tag));
    MM_REGION_INFORMATION Region;
    NTSTATUS Status = PSP_IN_SPACE(Process, MmQueryRegion(Space, Address, &Region));
    memcpy(Information, &Region, NT_SUCCESS(Status) ? sizeof(*Information) : 0);
    return Status;
}

static VOID PspQueryMemory(PEPROCESS Process, PS_MEMORY_STATISTICS *Statistics)
{
    MM_STATISTICS Machine;
    PMM_ADDRESS_SPACE Space;

    MmQueryFrames(&Machine);
    *Statistics = (PS_MEMORY_STATISTICS){
        .TotalBytes = Machine.TotalPages * PAGE_SIZE,
        .FreeBytes = Machine.FreePages * PAGE_SIZE,
    };
    if (Process != NULL && NT_SUCCESS(PsAcquireSpace(Process, &Space))) {
        Statistics->RegionBytes = Space->Regions.Pages * PAGE_SIZE; /* one word each: as old as any answer */
        Statistics->ResidentBytes = Space->ResidentPages * PAGE_SIZE;
        PsReleaseSpace(Process, Space);
    }
}

/* Gone is still there when the last reference goes, which a space may hold that somebody has attached to,
   whatever its provider does meanwhile. */
static VOID PspRetireSection(PMM_SECTION_HANDLE Section, VOID (*Gone)(PVOID Context), PVOID Context)
{
    PEX_MODULE Module = ExHandlers.ReferenceModule((PVOID)Gone);
    MmRetireSection(Section, Gone, Context, Module != NULL ? &Module->Rundown : NULL);
}

static NTSTATUS PspQueryWaitKey(ULONG_PTR Address, BOOLEAN Shared, PS_WAIT_KEY *Key)
{
    MM_WAIT_KEY Found;
    NTSTATUS Status = PSP_IN_SPACE(PspHomeProcess(), MmQueryWaitKey(Space, Address, Shared, &Found));
    if (NT_SUCCESS(Status)) {
        *Key = (PS_WAIT_KEY){Found.Object, Found.Offset};
    }
    return Status;
}

/* ---- Sundries ---- */

/* Unpredictable enough for address layouts and hash seeds; no secret should rest on it. */
static VOID PspRandomBytes(PVOID Buffer, SIZE_T Size)
{
    static volatile ULONG64 Calls;
    RTL_RANDOM Random;
    RtlSeedRandom(&Random, ArchReadCycles() ^ __atomic_add_fetch(&Calls, 1, __ATOMIC_RELAXED) << 48);
    for (SIZE_T Done = 0; Done < Size; Done += sizeof(ULONG64)) {
        ULONG64 Word = RtlNextRandom(&Random) ^ ArchReadCycles();
        memcpy((PUCHAR)Buffer + Done, &Word, Size - Done < sizeof(Word) ? Size - Done : sizeof(Word));
    }
}

static VOID PspQueryTimeBase(PS_TIME_BASE *Base)
{
    Base->Scale = KeQueryTimeBase(&Base->StartCycles, &Base->TimePerCycle, &Base->SystemTimeBias);
}

const PS_SUBSYSTEM_ROUTINES PspSubsystemRoutines = {
    .Version = PS_SUBSYSTEM_VERSION,
    .Size = sizeof(PS_SUBSYSTEM_ROUTINES),

    .CreateProcess = PspSubsystemCreateProcess,
    .CreateThread = PspSubsystemCreateThread,
    .SuspendThread = PsSuspendThread,
    .ResumeThread = PsResumeThread,
    .TerminateThread = PsTerminateThread,
    .TerminateProcess = PspTerminateProcess,
    .GetProcessContext = PspGetProcessContext,
    .GetThreadContext = PspGetThreadContext,
    .CurrentProcessContext = PspCurrentProcessContext,
    .CurrentThreadContext = PspCurrentThreadContext,
    .GetRegisters = PspGetRegisters,
    .SetRegisters = PspSetRegisters,
    .CurrentRegisters = PspCurrentRegisters,
    .SetFpuState = ArchSetFpuState,
    .SaveFpuStateToUser = ArchSaveFpuStateToUser,
    .LoadFpuStateFromUser = ArchLoadFpuStateFromUser,
    .SetDescriptorBase = PspSetDescriptorBase,
    .GetDescriptorBase = PspGetDescriptorBase,
    .RequestReturnToUser = PspRequestReturnToUser,
    .ReplaceAddressSpace = PspReplaceAddressSpace,
    .SetImageName = PspSetImageName,
    .GetProcessTimes = PspGetProcessTimes,
    .GetThreadTimes = PspGetThreadTimes,

    .MapRegion = PspMapRegion,
    .UnmapRegion = PspUnmapRegion,
    .ProtectRegion = PspProtectRegion,
    .SetRegionAttributes = PspSetRegionAttributes,
    .DiscardRegion = PspDiscardRegion,
    .QueryRegion = PspQueryRegion,
    .ReadMemory = PspReadMemory,
    .WriteMemory = PspWriteMemory,
    .QueryMemory = PspQueryMemory,

    .CreateSection = MmCreateSection,
    .CreateDataSection = MmCreateDataSection,
    .ReferenceSection = MmReferenceSection,
    .DereferenceSection = MmDereferenceSection,
    .ResizeSection = MmResizeSection,
    .ReadSection = MmReadSection,
    .WriteSection = MmWriteSection,

    .CopyFromUser = ArchCopyFromUser,
    .CopyToUser = ArchCopyToUser,
    .ZeroUser = ArchZeroUser,
    .CopyStringFromUser = ArchCopyStringFromUser,
    .ReadUser32 = ArchReadUser32,
    .CompareExchangeUser32 = ArchCompareExchangeUser32,
    .ExchangeUser32 = ArchExchangeUser32,
    .ExchangeAddUser32 = ArchExchangeAddUser32,
    .QueryWaitKey = PspQueryWaitKey,

    .FirstFile = IoFirstArchiveFile,
    .NextFile = IoNextArchiveFile,
    .OpenFileObject = IoOpenArchiveFile,

    .ConsoleRead = IoConsoleTake,
    .ConsoleWrite = IoConsoleWrite,
    .ConsoleIsTerminal = IoConsoleIsTerminal,
    .ConsoleGetMode = IoConsoleGetMode,
    .ConsoleSetMode = IoConsoleSetMode,
    .ConsoleSize = IoConsoleSize,
    .ConsoleInputReady = IoConsoleInputReady,
    .RandomBytes = PspRandomBytes,

    .MoveRegion = PspMoveRegion,
    .PopulateRegion = PspPopulateRegion,
    .QueryPages = PspQueryPages,
    .SetGrowLimit = PspSetGrowLimit,
    .QueryTimeBase = PspQueryTimeBase,
    .ConsoleSetInputDpc = IoConsoleSetInputDpc,
    .CreateFileSection = MmCreateFileSection,
    .RetireSection = PspRetireSection,
    .PinSectionPage = MmPinSectionPage,
    .UnpinSectionPage = MmUnpinSectionPage,
    .QuerySection = MmQuerySection,
    .ConsolePutBack = IoConsolePutBack,
    .YieldExecution = KeYieldExecution,
    .QueryFpuState = ArchQueryFpuState,
};
