/* SPDX-License-Identifier: MIT */
/*
 * Exceptions and interrupts, once traps.asm has made a frame of them: what each means to the kernel above.
 */
#include "arch/x86_64/archp.h"

void ArchpHandleTrap(PKTRAP_FRAME Frame);
void ArchpHandleInterrupt(PKTRAP_FRAME Frame);
void ArchpHandleParanoid(PKTRAP_FRAME Frame);
void ArchpReturnToUser(PKTRAP_FRAME Frame);

/* ---- Exception table ---- */

extern struct {
    int32_t Fault, Continue; /* relative to the field */
    uint32_t Anywhere;       /* not only user addresses, and at any level */
} __extable_start[], __extable_end[];

/* The few dozen entries all belong to usercopy.asm and slist.asm: a linear search is quick beside the fault
   itself. */
static bool FixUp(PKTRAP_FRAME Frame, bool Anywhere)
{
    for (typeof(&__extable_start[0]) Entry = __extable_start; Entry < __extable_end; Entry++) {
        if (Entry->Anywhere == Anywhere && (uint64_t)&Entry->Fault + (int64_t)Entry->Fault == Frame->Rip) {
            Frame->Rip = (uint64_t)&Entry->Continue + (int64_t)Entry->Continue;
            return true;
        }
    }
    return false;
}

/* ---- Exceptions ---- */

/* A breakpoint is a trap: Rip stands behind the one-byte instruction. */
static void DispatchCode(PKTRAP_FRAME Frame, NTSTATUS Code)
{
    ULONG64 Address = Frame->Rip - (Code == STATUS_BREAKPOINT);
    EXCEPTION_RECORD Record = {.ExceptionCode = Code, .ExceptionAddress = (PVOID)Address};
    ArchHandlers.Exception(&Record, Frame);
}

static void DispatchMemoryFault(PKTRAP_FRAME Frame, NTSTATUS Code, ULONG_PTR Kind, uintptr_t Address)
{
    EXCEPTION_RECORD Record = {
        .ExceptionCode = Code,
        .ExceptionAddress = (PVOID)Frame->Rip,
        .NumberParameters = 2,
        .ExceptionInformation = {Kind, Address},
    };
    if (Code != STATUS_ACCESS_VIOLATION && Code != STATUS_GUARD_PAGE_VIOLATION && Code != STATUS_STACK_OVERFLOW) {
        Record.NumberParameters = 3; /* STATUS_IN_PAGE_ERROR and the like: the third tells why */
        Record.ExceptionInformation[2] = (ULONG)Code;
    }
    ArchHandlers.Exception(&Record, Frame);
}

/*
 * An access to a user page that no page-table entry could make right. For the kernel: a touch outside a
 * copy routine or an open window, or execution. For a program: an access with the kernel's rights.
 * Processors make none for a program, but QEMU makes those of far calls and returns so (docs/hazards), and
 * SMAP refuses them however often they are tried. Where SMAP and SMEP are missing the processor does not
 * tell.
 */
static bool IsForbidden(const KTRAP_FRAME *Frame, uintptr_t Address)
{
    if (Address >= ARCH_USER_END) {
        return false;
    }
    if (KTRAP_FROM_USER(Frame)) {
        uint64_t Rights = Frame->ErrorCode & (PAGE_FAULT_PRESENT | PAGE_FAULT_USER);
        return ArchpFeatures.Smap && Rights == PAGE_FAULT_PRESENT;
    }
    return (Frame->ErrorCode & PAGE_FAULT_FETCH) != 0 || (ArchpFeatures.Smap && !(Frame->Rflags & RFLAGS_AC));
}

/* Whose access it was is told by the frame. The user bit of the error code tells with whose rights it was
   made, which is not the same for a program's far call or return under QEMU (docs/hazards). */
static ULONG AccessOf(const KTRAP_FRAME *Frame)
{
    ULONG Access = KTRAP_FROM_USER(Frame) ? ARCH_PAGE_USER : 0;
    if (Frame->ErrorCode & PAGE_FAULT_FETCH) {
        return Access | ARCH_PAGE_EXECUTE;
    }
    return Access | (Frame->ErrorCode & PAGE_FAULT_WRITE ? ARCH_PAGE_WRITE : ARCH_PAGE_READ);
}

/* What a program's handlers may see of the error code: that the access was the program's, and of a kernel
   address nothing that tells whether a page is there. */
static void HideKernelPages(PKTRAP_FRAME Frame, uintptr_t Address)
{
    if (KTRAP_FROM_USER(Frame)) {
        Frame->ErrorCode |= PAGE_FAULT_USER | (Address >= ARCH_USER_END ? PAGE_FAULT_PRESENT : 0);
    }
}

static ULONG_PTR FaultKindOf(ULONG Access)
{
    return Access & ARCH_PAGE_EXECUTE ? EXCEPTION_EXECUTE_FAULT
           : Access & ARCH_PAGE_WRITE ? EXCEPTION_WRITE_FAULT
                                      : EXCEPTION_READ_FAULT;
}

static void HandlePageFault(PKTRAP_FRAME Frame, uintptr_t Address)
{
    ULONG Access = AccessOf(Frame);
    NTSTATUS Status = STATUS_ACCESS_VIOLATION;
    if (Frame->ErrorCode & PAGE_FAULT_RESERVED) {
        ArchHandlers.FatalTrap(Frame); /* a page-table entry of ours is malformed */
    }
    if (!KTRAP_FROM_USER(Frame) && FixUp(Frame, true)) {
        return;
    }
    /* A fault at DISPATCH_LEVEL, forbidden or not, is a bug check of its own. */
    if (ArchGetIrql() >= DISPATCH_LEVEL || !IsForbidden(Frame, Address)) {
        Status = ArchHandlers.PageFault(Frame, Address, Access);
    }
    if (Status == STATUS_SUCCESS) {
        return;
    }
    if (!KTRAP_FROM_USER(Frame) && Address < ARCH_USER_END && FixUp(Frame, false)) {
        return;
    }
    HideKernelPages(Frame, Address);
    DispatchMemoryFault(Frame, Status, FaultKindOf(Access), Address);
}

static NTSTATUS FloatingPointCode(uint32_t Pending)
{
    static const NTSTATUS Codes[] = {
        STATUS_FLOAT_INVALID_OPERATION, STATUS_FLOAT_DENORMAL_OPERAND, STATUS_FLOAT_DIVIDE_BY_ZERO,
        STATUS_FLOAT_OVERFLOW,          STATUS_FLOAT_UNDERFLOW,        STATUS_FLOAT_INEXACT_RESULT,
    };
    for (ULONG i = 0; i < RTL_NUMBER_OF(Codes); i++) {
        if (Pending & 1u << i) {
            return Codes[i];
        }
    }
    return STATUS_FLOAT_INVALID_OPERATION;
}

/* Exceptions that are pending and not masked (SDM vol. 1, 8.1.3 and 8.1.5). */
static NTSTATUS X87Code(void)
{
    uint16_t StatusWord, ControlWord;
    __asm__ volatile("fnstsw %0\n\tfnstcw %1" : "=m"(StatusWord), "=m"(ControlWord));
    if ((StatusWord & 0x41) == 0x41) { /* invalid operation, with the stack-fault bit */
        return STATUS_FLOAT_STACK_CHECK;
    }
    return FloatingPointCode(StatusWord & ~ControlWord & 0x3f);
}

/* MXCSR: flags in bits 0-5, masks in 7-12 (SDM vol. 1, 10.2.3). */
static NTSTATUS SimdCode(void)
{
    uint32_t Mxcsr;
    __asm__ volatile("stmxcsr %0" : "=m"(Mxcsr));
    return FloatingPointCode(Mxcsr & ~(Mxcsr >> 7) & 0x3f);
}

#define CODE_BYTES 6
#define CODE_NOP   0x90

/* Operand size, REP and REX. */
static bool IsPrefix(uint8_t Byte)
{
    return Byte == 0x66 || Byte == 0xf2 || Byte == 0xf3 || (Byte & 0xf0) == 0x40;
}

/* Is the instruction one that only the kernel may execute? For the code of #GP in user mode; prefixes are not
   looked through but for REX, operand size and REP. */
static bool IsPrivileged(const uint8_t Code[CODE_BYTES])
{
    while (IsPrefix(*Code)) {
        Code++;
    }
    switch (Code[0]) {
    case 0xf4: /* HLT */
    case 0xfa: /* CLI */
    case 0xfb: /* STI */
        return true;
    case 0x0f:
        break;
    default: /* INS, OUTS, IN, OUT */
        return (Code[0] & 0xfc) == 0x6c || (Code[0] & 0xf4) == 0xe4;
    }
    switch (Code[1]) {
    case 0x00: /* LLDT, LTR */
    case 0x01: /* LGDT, LIDT, INVLPG ... */
    case 0x06: /* CLTS */
    case 0x08: /* INVD */
    case 0x09: /* WBINVD */
    case 0x30: /* WRMSR */
    case 0x32: /* RDMSR */
    case 0x33: /* RDPMC */
        return true;
    default: /* MOV to and from control and debug registers */
        return (Code[1] & 0xfc) == 0x20;
    }
}

/* Reads to the end of the page at most: what stands behind it need not be mapped. The last two bytes are no
   prefix and end every look. */
static bool IsPrivilegedAt(uintptr_t Rip)
{
    uint8_t Code[CODE_BYTES];
    SIZE_T Length = PAGE_SIZE - (Rip & (PAGE_SIZE - 1));
    memset(Code, CODE_NOP, sizeof(Code));
    Length = Length < CODE_BYTES - 2 ? Length : CODE_BYTES - 2;
    return ArchCopyFromUser(Code, (const void *)Rip, Length) == STATUS_SUCCESS && IsPrivileged(Code);
}

/* #TS, #NP, #SS and #GP tell no address: the documented record says "read of -1". */
static void HandleProtectionFault(PKTRAP_FRAME Frame)
{
    if (!KTRAP_FROM_USER(Frame) && FixUp(Frame, false)) {
        return; /* XRSTOR refuses what a program wrote */
    }
    if (KTRAP_FROM_USER(Frame) && IsPrivilegedAt(Frame->Rip)) {
        DispatchCode(Frame, STATUS_PRIVILEGED_INSTRUCTION);
    } else {
        DispatchMemoryFault(Frame, STATUS_ACCESS_VIOLATION, EXCEPTION_READ_FAULT, UINTPTR_MAX);
    }
}

/* DR6's bits stay set until software clears them (SDM vol. 3, 18.2.3). */
static void HandleDebug(PKTRAP_FRAME Frame)
{
    if (!ArchHandlers.DebugTrap(Frame)) {
        __asm__ volatile("movq %0, %%dr6" : : "r"(0xffff0ff0UL));
        DispatchCode(Frame, STATUS_SINGLE_STEP);
    }
}

static void HandleException(PKTRAP_FRAME Frame, uintptr_t FaultAddress)
{
    static const NTSTATUS Codes[] = {
        [VECTOR_DIVIDE] = STATUS_INTEGER_DIVIDE_BY_ZERO, [VECTOR_BREAKPOINT] = STATUS_BREAKPOINT,
        [VECTOR_OVERFLOW] = STATUS_INTEGER_OVERFLOW,     [VECTOR_BOUND] = STATUS_ARRAY_BOUNDS_EXCEEDED,
        [VECTOR_INVALID_OPCODE] = STATUS_ILLEGAL_INSTRUCTION,
        [VECTOR_ALIGNMENT] = STATUS_DATATYPE_MISALIGNMENT,
    };
    switch (Frame->Vector) {
    case VECTOR_PAGE_FAULT:
        HandlePageFault(Frame, FaultAddress);
        break;
    case VECTOR_DEBUG:
        HandleDebug(Frame);
        break;
    case VECTOR_TSS:
    case VECTOR_NO_SEGMENT:
    case VECTOR_STACK:
    case VECTOR_PROTECTION:
        HandleProtectionFault(Frame);
        break;
    case VECTOR_X87:
        DispatchCode(Frame, X87Code());
        break;
    case VECTOR_SIMD:
        DispatchCode(Frame, SimdCode());
        break;
    default:
        if (Frame->Vector >= RTL_NUMBER_OF(Codes) || Codes[Frame->Vector] == 0) {
            ArchHandlers.FatalTrap(Frame);
        }
        if (Frame->Vector != VECTOR_BREAKPOINT || !ArchHandlers.DebugTrap(Frame)) {
            DispatchCode(Frame, Codes[Frame->Vector]);
        }
    }
}

/* Interrupts are off on entry and on return. */
void ArchpHandleTrap(PKTRAP_FRAME Frame)
{
    uintptr_t FaultAddress = ArchFaultAddress(); /* before another fault can overwrite it */
    if (Frame->Rflags & RFLAGS_IF) {
        ArchEnableInterrupts();
    }
    HandleException(Frame, FaultAddress);
    ArchDisableInterrupts();
    if (KTRAP_FROM_USER(Frame)) {
        ArchpReturnToUser(Frame);
    }
}

/* ---- The last tests before user mode ---- */

/* IRET faults in kernel mode, with the user's GS, when RIP is not canonical. AMD's processors report a jump
   to such an address only at its target, so that a frame can hold one: it is the program's fault, and is told
   so here. */
static void RefuseReturn(PKTRAP_FRAME Frame)
{
    Frame->Vector = VECTOR_PROTECTION;
    Frame->ErrorCode = 0;
    ArchEnableInterrupts();
    DispatchMemoryFault(Frame, STATUS_ACCESS_VIOLATION, EXCEPTION_EXECUTE_FAULT, Frame->Rip);
    ArchDisableInterrupts();
}

/* Interrupts are off. What is set after this look sends an interrupt, which arrives in user mode. */
void ArchpReturnToUser(PKTRAP_FRAME Frame)
{
    for (;;) {
        if (ArchCurrentThread()->UserWork != 0 || ArchPendingSoft() != 0) {
            ArchHandlers.ReturnToUser(Frame);
        }
        if (Frame->Rip < ARCH_USER_END) {
            return;
        }
        RefuseReturn(Frame);
    }
}

/* ---- Exceptions with a stack of their own ---- */

void ArchpHandleParanoid(PKTRAP_FRAME Frame)
{
    switch (Frame->Vector) {
    case VECTOR_NMI:
        ArchHandlers.Nmi(Frame);
        break;
    case VECTOR_DEBUG: /* from kernel mode; from user mode it takes the ordinary way */
        HandleDebug(Frame);
        break;
    default:
        ArchHandlers.FatalTrap(Frame);
    }
}

/* ---- Interrupts ---- */

ARCH_HANDLER ArchpHandler[256];

/* Clock and IPI run with interrupts off: both are short. Devices let higher classes in; the local APIC holds
   back their own and lower ones until the end of interrupt. */
static void RunHandler(ULONG Vector, PKTRAP_FRAME Frame)
{
    if (Vector == VECTOR_CLOCK) {
        ArchHandlers.ClockInterrupt(KTRAP_FROM_USER(Frame) ? UserMode : KernelMode);
    } else if (Vector == VECTOR_IPI) {
        ArchHandlers.IpiInterrupt();
    } else if (ArchpHandler[Vector].Routine != NULL) {
        ArchEnableInterrupts();
        ArchpHandler[Vector].Routine(ArchpHandler[Vector].Context);
        ArchDisableInterrupts();
    }
}

/* A spurious interrupt is not in service: it gets no end of interrupt (SDM vol. 3, 11.9). */
static bool IsSpurious(ULONG Vector)
{
    return Vector == VECTOR_SPURIOUS || Vector < VECTOR_DEVICE_FIRST;
}

void ArchpHandleInterrupt(PKTRAP_FRAME Frame)
{
    PKPRCB Prcb = ArchCurrentPrcb();
    ULONG Vector = (ULONG)Frame->Vector;
    KIRQL OldIrql = ArchGetIrql();
    KIRQL OldMask = Prcb->Arch.PriorityMask;
    Prcb->Interrupts++;
    if (!IsSpurious(Vector)) {
        uint64_t Start = ArchReadCycles(), Before = Prcb->InterruptCycles;
        ArchSetIrql((KIRQL)(Vector >> 4));
        KdTrace(InterruptBegin, Vector, Frame->Rip, 0);
        if (Vector == VECTOR_CLOCK && KdTraces(Sample)) {
            KdTakeSample(Frame);
        }
        RunHandler(Vector, Frame);
        ArchDisableInterrupts();
        KdTrace(InterruptEnd, Vector, 0, 0);
        ArchpEndOfInterrupt();
        if (Prcb->Arch.PriorityMask != OldMask) { /* the handler raised and lowered the level */
            ArchSetPriorityMask(OldMask);
        }
        ArchSetIrql(OldIrql);
        Prcb->InterruptCycles = Before + (ArchReadCycles() - Start); /* one that came in between is part of it */
    }
    if (KTRAP_FROM_USER(Frame)) {
        ArchpReturnToUser(Frame);
    } else if (ArchPendingSoft() >> OldIrql) {
        ArchHandlers.InterruptExit(OldIrql);
    }
}
