/* SPDX-License-Identifier: MIT */
/*
 * Kernel threads as GDB's threads. One that runs on a processor has the registers of the frame at which that
 * processor stands; of another, the registers that a switch saves can be seen and changed, the rest was never
 * needed again.
 */
#include "stub.h"

#define IDLE_ID(Processor)  ((Processor) * 4 + 1)
#define ID_IS_IDLE(Id)      (((Id) & 3) == 1)
#define IDLE_PROCESSOR(Id)  ((Id) / 4)
#define THREAD_WAITING      5

/* ---- Which there are ---- */

PKTHREAD StubCurrentThread(ULONG Processor)
{
    KD_PROCESSOR Information;
    return KdServices.QueryProcessor(Processor, &Information) ? Information.Thread : NULL;
}

static PKTHREAD IdleThread(ULONG Processor)
{
    KD_PROCESSOR Information;
    return KdServices.QueryProcessor(Processor, &Information) ? Information.IdleThread : NULL;
}

/* The processor whose idle thread this is; STUB_NOBODY: no idle thread. */
static ULONG IdleProcessor(PKTHREAD Thread)
{
    for (ULONG i = 0; i < STUB_PROCESSORS; i++) {
        if (IdleThread(i) == Thread) {
            return i;
        }
    }
    return STUB_NOBODY;
}

ULONG StubThreadId(PKTHREAD Thread)
{
    KD_THREAD Information;
    if (Thread == NULL) {
        return 0;
    }
    KdServices.QueryThread(Thread, &Information);
    ULONG Id = HandleToULong(Information.Id.UniqueThread);
    return Id != 0 ? Id : IDLE_ID(IdleProcessor(Thread));
}

PKTHREAD StubFindThread(ULONG Id)
{
    if (ID_IS_IDLE(Id)) {
        return IdleThread(IDLE_PROCESSOR(Id));
    }
    ULONG Before = Id - 4;
    PKTHREAD Thread = (Id & 3) == 0 && Id != 0 ? KdServices.NextThread(&Before) : NULL;
    return Before == Id ? Thread : NULL;
}

/* Idle threads come first, by their processors. */
PKTHREAD StubNextThread(PKTHREAD Thread)
{
    ULONG Id = Thread != NULL ? StubThreadId(Thread) : 0;
    PKTHREAD Idle = Thread == NULL ? IdleThread(0) : ID_IS_IDLE(Id) ? IdleThread(IDLE_PROCESSOR(Id) + 1) : NULL;
    if (ID_IS_IDLE(Id)) {
        Id = 0;
    }
    return Idle != NULL ? Idle : KdServices.NextThread(&Id);
}

ULONG StubRunsOn(PKTHREAD Thread)
{
    for (ULONG i = 0; i < STUB_PROCESSORS; i++) {
        if (Thread != NULL && StubCurrentThread(i) == Thread) {
            return i;
        }
    }
    return STUB_NOBODY;
}

PKSWITCH_FRAME StubSaved(PKTHREAD Thread)
{
    KD_THREAD Information;
    KdServices.QueryThread(Thread, &Information);
    return Information.Stopped && StubIsReadable(Information.Saved, sizeof(*Information.Saved)) ? Information.Saved : NULL;
}

/* ---- Registers ---- */

/* In GDB's order; where each lies in the two kinds of frame. */
#define NOWHERE    0xffff
#define TRAP(M)    FIELD_OFFSET(KTRAP_FRAME, M)
#define SAVED(M)   FIELD_OFFSET(KSWITCH_FRAME, M)

static const struct {
    UCHAR Size;
    USHORT Trap, Saved;
} Registers[STUB_REGISTERS] = {
    {8, TRAP(Rax), NOWHERE},    {8, TRAP(Rbx), NOWHERE}, {8, TRAP(Rcx), NOWHERE},    {8, TRAP(Rdx), NOWHERE},
    {8, TRAP(Rsi), NOWHERE},    {8, TRAP(Rdi), NOWHERE},    {8, TRAP(Rbp), SAVED(Rbp)}, {8, TRAP(Rsp), NOWHERE},
    {8, TRAP(R8), NOWHERE},     {8, TRAP(R9), NOWHERE},     {8, TRAP(R10), NOWHERE},    {8, TRAP(R11), NOWHERE},
    {8, TRAP(R12), NOWHERE},    {8, TRAP(R13), NOWHERE},    {8, TRAP(R14), NOWHERE},    {8, TRAP(R15), NOWHERE},
    {8, TRAP(Rip), SAVED(Rip)}, {4, TRAP(Rflags), SAVED(Rflags)},
    {4, TRAP(Cs), NOWHERE},     {4, TRAP(Ss), NOWHERE},     {4, NOWHERE, NOWHERE},      {4, NOWHERE, NOWHERE},
    {4, NOWHERE, NOWHERE},      {4, NOWHERE, NOWHERE},
    {10, NOWHERE, NOWHERE},     {10, NOWHERE, NOWHERE},     {10, NOWHERE, NOWHERE},     {10, NOWHERE, NOWHERE},
    {10, NOWHERE, NOWHERE},     {10, NOWHERE, NOWHERE},     {10, NOWHERE, NOWHERE},     {10, NOWHERE, NOWHERE},
    {4, NOWHERE, NOWHERE},      {4, NOWHERE, NOWHERE},      {4, NOWHERE, NOWHERE},      {4, NOWHERE, NOWHERE},
    {4, NOWHERE, NOWHERE},      {4, NOWHERE, NOWHERE},      {4, NOWHERE, NOWHERE},      {4, NOWHERE, NOWHERE},
    {8, NOWHERE, NOWHERE},      {8, NOWHERE, NOWHERE},
};

#define REGISTER_RSP 7
#define REGISTER_GS_BASE 41

/* Not in a frame: the stack pointer of a thread that does not run is the end of its frame, and the kernel's
   GS base the processor's control block. */
static UCHAR *Computed(PKTHREAD Thread, ULONG Number, PKSWITCH_FRAME Saved)
{
    static ULONG64 Value;
    KD_PROCESSOR Information;
    if (Number == REGISTER_RSP && Saved != NULL) {
        Value = (ULONG64)(Saved + 1);
        return (UCHAR *)&Value;
    }
    ULONG Processor = StubRunsOn(Thread);
    PKTRAP_FRAME Frame = Processor != STUB_NOBODY ? StubFrame(Processor) : NULL;
    if (Number == REGISTER_GS_BASE && Frame != NULL && !KTRAP_FROM_USER(Frame)) {
        KdServices.QueryProcessor(Processor, &Information);
        Value = (ULONG64)Information.Prcb;
        return (UCHAR *)&Value;
    }
    return NULL;
}

UCHAR *StubRegister(PKTHREAD Thread, ULONG Number, ULONG *Size)
{
    ULONG Processor = StubRunsOn(Thread);
    PKTRAP_FRAME Frame = Processor != STUB_NOBODY ? StubFrame(Processor) : NULL;
    PKSWITCH_FRAME Saved = Processor == STUB_NOBODY ? StubSaved(Thread) : NULL;
    *Size = Registers[Number].Size;
    if (Frame != NULL && Registers[Number].Trap != NOWHERE) {
        return (UCHAR *)Frame + Registers[Number].Trap;
    }
    if (Saved != NULL && Registers[Number].Saved != NOWHERE) {
        return (UCHAR *)Saved + Registers[Number].Saved;
    }
    return Computed(Thread, Number, Saved);
}

bool StubPlace(PKTHREAD Thread, ULONG64 *Rip, ULONG64 *Rbp)
{
    ULONG Size;
    const UCHAR *AtRip = StubRegister(Thread, 16, &Size), *AtRbp = StubRegister(Thread, 6, &Size);
    if (AtRip == NULL || AtRbp == NULL) {
        return false;
    }
    memcpy(Rip, AtRip, sizeof(*Rip));
    memcpy(Rbp, AtRbp, sizeof(*Rbp));
    return true;
}

/* ---- In words ---- */

PCSTR StubWaitReason(UCHAR Reason)
{
    static const PCSTR Names[MaximumWaitReason] = {
        "Executive", "FreePage", "PageIn", "PoolAllocation", "DelayExecution", "Suspended", "UserRequest", "WrExecutive",
        "WrFreePage", "WrPageIn", "WrPoolAllocation", "WrDelayExecution", "WrSuspended", "WrUserRequest", "WrSpare0",
        "WrQueue", "WrLpcReceive", "WrLpcReply", "WrVirtualMemory", "WrPageOut", "WrRendezvous", "WrKeyedEvent",
        "WrTerminated", "WrProcessInSwap", "WrCpuRateControl", "WrCalloutStack", "WrKernel", "WrResource",
        [WrPushLock] = "WrPushLock", [WrMutex] = "WrMutex", [WrFastMutex] = "WrFastMutex",
        [WrGuardedMutex] = "WrGuardedMutex", [WrRundown] = "WrRundown", [WrAlertByThreadId] = "WrAlertByThreadId",
    };
    return Reason < MaximumWaitReason && Names[Reason] != NULL ? Names[Reason] : "something";
}

/* Of UTF-16 text what is ASCII; its memory may be anything. */
static VOID Narrow(const UNICODE_STRING *Text, PSTR Buffer, SIZE_T Size)
{
    SIZE_T Count = 0;
    WCHAR C;
    for (SIZE_T i = 0; i < Text->Length / sizeof(WCHAR) && Count + 1 < Size; i++) {
        if (!StubReadKernel((ULONG64)(Text->Buffer + i), &C, sizeof(C))) {
            break;
        }
        bool Plain = C >= ' ' && C < 127 && C != '<' && C != '>' && C != '&' && C != '"';
        Buffer[Count++] = Plain ? (char)C : '?';
    }
    Buffer[Count] = 0;
}

/* The last part of the program's path, or what the process calls itself. */
VOID StubProcessName(const KD_THREAD *Thread, PSTR Buffer, SIZE_T Size)
{
    char Path[STUB_TEXT];
    PCSTR Last = Path;
    Narrow(&Thread->Image, Path, sizeof(Path));
    for (PCSTR At = Path; *At != 0; At++) {
        if (*At == '/' || *At == '\\') {
            Last = At + 1;
        }
    }
    RtlStringCbCopyA(Buffer, Size, *Last != 0 ? Last : Thread->Subsystem);
}

VOID StubThreadName(PKTHREAD Thread, PSTR Buffer, SIZE_T Size)
{
    KD_THREAD Information;
    char Process[64], Name[64];
    ULONG Idle = IdleProcessor(Thread);
    if (Idle != STUB_NOBODY) {
        RtlStringCbPrintfA(Buffer, Size, "idle %u", Idle);
        return;
    }
    KdServices.QueryThread(Thread, &Information);
    StubProcessName(&Information, Process, sizeof(Process));
    Narrow(&Information.Name, Name, sizeof(Name));
    RtlStringCbPrintfA(Buffer, Size, *Name != 0 ? "%s/%s" : "%s", Process, Name);
}

VOID StubDescribe(PKTHREAD Thread, PSTR Buffer, SIZE_T Size)
{
    static const PCSTR States[] = {"Initialized", "Ready", "Running", "Standby", "Terminated", "Waiting"};
    KD_THREAD Information;
    ULONG Processor = StubRunsOn(Thread);
    KdServices.QueryThread(Thread, &Information);
    PCSTR State = Information.State < RTL_NUMBER_OF(States) ? States[Information.State] : "?";
    if (Processor != STUB_NOBODY) {
        RtlStringCbPrintfA(Buffer, Size, "Running on processor %u, priority %d%s", Processor, Information.Priority,
                           StubFrame(Processor) == NULL ? ", which does not answer" : "");
    } else if (Information.State == THREAD_WAITING) {
        RtlStringCbPrintfA(Buffer, Size, "Waiting for %s, priority %d", StubWaitReason(Information.WaitReason),
                           Information.Priority);
    } else {
        RtlStringCbPrintfA(Buffer, Size, "%s, priority %d", State, Information.Priority);
    }
}
