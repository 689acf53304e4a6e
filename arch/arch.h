/* SPDX-License-Identifier: MIT */
/*
 * What the machine-independent kernel may ask of the machine, and (last section) what the machine calls in
 * return. machine.h holds the machine's own structures (ARCH_PROCESSOR, ARCH_THREAD, ARCH_PAGE_TABLES) and
 * the inline routines.
 */
#ifndef PRIMER_ARCH_H
#define PRIMER_ARCH_H

#include <ktrap.h>
#include <ntdef.h>
#include <ntstatus.h>

typedef struct _KTHREAD KTHREAD, *PKTHREAD;
typedef struct _KPRCB KPRCB, *PKPRCB;
typedef struct _BOOT_INFORMATION BOOT_INFORMATION, *PBOOT_INFORMATION;

#include "arch/x86_64/machine.h"

#define MAXIMUM_PROCESSORS 64

/* ---- The current processor (inline, machine.h). Each is one instruction through GS. ---- */

/*
 *  PKPRCB   ArchCurrentPrcb(void)          meaningful at DISPATCH_LEVEL or above, or with interrupts off
 *  PKTHREAD ArchCurrentThread(void)        right at any level: a thread that moves takes the answer along
 *  KIRQL    ArchGetIrql(void)              the software IRQL
 *  void     ArchSetIrql(KIRQL)             a store; the caller looks at ArchPendingSoft() afterwards
 *  uint8_t  ArchPendingSoft(void)          KPRCB.PendingSoft: bit 0 an APC-level, bit 1 a DISPATCH-level request is pending
 *  void     ArchSetPendingSoft(bits), ArchClearPendingSoft(bits)
 *  void     ArchSetPriorityMask(KIRQL)     above DISPATCH_LEVEL: interrupts of that class and below wait; else none waits
 *  bool     ArchDisableInterrupts(void)    CLI; returns whether they were on
 *  void     ArchEnableInterrupts(void)
 *  void     ArchRestoreInterrupts(bool)
 *  bool     ArchInterruptsEnabled(void)
 *  void     ArchPause(void)
 *  ArchCallKeeping(Function, A, B, C)      calls a function that is declared with ARCH_KEEPS_REGISTERS
 *  void     ArchBreakPoint(uint64_t)       the exception STATUS_BREAKPOINT, with a number for a debugger
 *  void     ArchWaitForInterrupt(void)     STI and HLT back to back: called with interrupts off, returns with them on
 *  uint64_t ArchReadCycles(void)           the time-stamp counter
 *  uint64_t ArchFaultAddress(void)         the address of this processor's last page fault, for bug checks
 *  void    *ArchPhysicalToVirtual(uint64_t)  through the direct map (RAM only)
 *  uint64_t ArchVirtualToPhysical(const void *) of an address in the direct map or the kernel image
 */

/* ---- Life of processors ---- */

/* Finds machine facts from ACPI (processors, I/O APICs, HPET, power), maps the devices, calibrates time, and
   readies the boot processor's local APIC. Memory and pool work when it is called. IRQL: PASSIVE, interrupts
   still off. */
void ArchInitializeMachine(PBOOT_INFORMATION Boot);
/* How many processors the machine has (enabled in the MADT), at most MAXIMUM_PROCESSORS. */
ULONG ArchProcessorCount(void);
/* Starts processor Number (1..): its PRCB, idle thread and stacks have been made. It enters the kernel by
   calling ArchHandlers.ProcessorStartup(Prcb) on its idle thread's stack at HIGH_LEVEL, interrupts off.
   Returns false when it did not answer within a second; the trampoline's progress code is in
   ArchTrampolineProgress. */
bool ArchStartProcessor(PKPRCB Prcb);
extern volatile ULONG ArchTrampolineProgress;
/* Called by each processor on itself, before anything else of it runs: descriptor tables, control registers,
   MSRs, GS base = Prcb, FPU, local APIC, syscall entry. */
void ArchInitializeProcessor(PKPRCB Prcb);
/* The boot processor's control block: it is current before anything above the machine runs. */
extern KPRCB ArchBootPrcb;
/* The identity map is dropped: no other processor will be started. */
void ArchProcessorsAreUp(void);

/* ---- Inter-processor interrupts and the timer ---- */

/* IPI (ArchHandlers.IpiInterrupt runs there at IPI_LEVEL) to a processor. Any IRQL. */
void ArchSendIpi(ULONG Processor);
/* NMI to the processors of the mask: freezes them for a bug check (they arrive in ArchHandlers.Nmi). */
void ArchSendNmi(ULONG64 Processors);
/* The one-shot timer of this processor interrupts (ArchHandlers.ClockInterrupt at CLOCK_LEVEL) at or, where
   the hardware's counter is too short, before the time given in cycles; the handler re-arms. UINT64_MAX: no
   interrupt. Interrupts off or >= DISPATCH. */
void ArchArmTimer(uint64_t Cycles);
uint64_t ArchCyclesPerSecond(void);
/* Seconds since 1601-01-01 UTC in units of 100 ns, from the real-time clock, read once at start-up. */
uint64_t ArchReadWallClock(void);
/* Busy-waits; any IRQL. */
void ArchStall(ULONG Microseconds);

/* ---- Device interrupts ---- */

/* Routes an ISA interrupt line (0..15, by the MADT's overrides) to a processor, unmasked: Routine(Context)
   runs there at Irql (3..12) with interrupts on (higher classes only). They must stay usable for ever: one
   interrupt can be on its way when the line is masked. Callers take turns. HIGH_LEVEL: it causes an NMI
   instead. STATUS_INVALID_PARAMETER; STATUS_INSUFFICIENT_RESOURCES when no I/O APIC has the line. */
NTSTATUS ArchConnectInterrupt(ULONG IsaLine, KIRQL Irql, ULONG Processor, void (*Routine)(void *), void *Context);
/* Masks the line. */
void ArchDisconnectInterrupt(ULONG IsaLine);

/* ---- S-lists: any IRQL. What each does stands with InterlockedPopEntrySList and its like ---- */

union _SLIST_HEADER;
struct _SLIST_ENTRY *ArchPushSList(union _SLIST_HEADER *Header, struct _SLIST_ENTRY *First, struct _SLIST_ENTRY *Last,
                                   ULONG Count);
struct _SLIST_ENTRY *ArchPopSList(union _SLIST_HEADER *Header);
struct _SLIST_ENTRY *ArchFlushSList(union _SLIST_HEADER *Header);
extern volatile ULONG ArchSListRestarts; /* pops that found their entry's memory gone */

/* ---- Threads ---- */

/* Prepares a kernel stack so that the first ArchSwapContext to the thread calls ArchHandlers.ThreadStartup on
   it at DISPATCH_LEVEL with interrupts on. StackTop is the highest address + 1; the top sizeof(KTRAP_FRAME)
   bytes are left for the user frame (ArchUserFrame(Thread)). */
void ArchInitializeThread(PKTHREAD Thread);
/*
 * Leaves Old, continues New. DISPATCH_LEVEL, interrupts on (they are off inside). Order, with interrupts off:
 * Old's registers and FPU state saved -> Old->SwapBusy = 0 (release: from here any processor may run Old) ->
 * wait while New->SwapBusy (it is being saved elsewhere; on the DPC stack, taking interrupts) ->
 * New->SwapBusy = 1 -> New's stack, TSS.RSP0, FS/GS bases, FPU. No processor can wait in a circle: each
 * clears its own flag before it waits.
 *
 *  void     ArchSwapContext(PKTHREAD Old, PKTHREAD New)    (inline, machine.h)
 */
/* Calls Routine(Context) on another stack (DPCs); returns on the caller's. >= DISPATCH. */
void ArchCallOnStack(void *StackTop, void (*Routine)(void *), void *Context);
/* Leaves the kernel through the user frame at the top of the current thread's stack (with the usual last
   tests). Whatever else is on the stack is dropped. IRQL PASSIVE. */
NORETURN void ArchEnterUserMode(void);
/* PKTRAP_FRAME ArchUserFrame(PKTHREAD Thread): the frame of the current entry from user mode, at the top of
   the thread's kernel stack (inline, machine.h). */
/* Fills a user frame for a first entry, into a function of one argument: segments, flags, everything else
   0. */
void ArchInitializeUserFrame(PKTRAP_FRAME Frame, ULONG64 Start, ULONG64 Stack, ULONG64 Argument);
/* ULONG64 ArchFrameAddress(const KTRAP_FRAME *Frame): the instruction that the frame returns to (inline,
   machine.h). */
/* Makes a frame that a program or handler supplied safe: user segments, harmless RFLAGS, canonical RIP and
   RSP. */
void ArchSanitizeUserFrame(PKTRAP_FRAME Frame);
/* A thread's user registers as a CONTEXT, the parts that ContextFlags names, and back, made safe. The current
   thread, or one whose registers hold still. The upper halves of the AVX registers are no part of it: they
   stay. <= APC. */
void ArchGetContext(PKTHREAD Thread, PCONTEXT Context);
void ArchSetContext(PKTHREAD Thread, const CONTEXT *Context);
/* Saves the current thread's user registers as a CONTEXT on the user stack, below the red zone of the code
   that was interrupted, and has user mode go on at Start, as if called: with Record, with the addresses of a
   copy of it and of the CONTEXT; without, with the arguments and, as the fifth, the address of the CONTEXT.
   STATUS_ACCESS_VIOLATION: no room, the frame is unchanged. PASSIVE. */
NTSTATUS ArchCallUser(PKTRAP_FRAME Frame, ULONG64 Start, const ULONG64 Argument[4], const EXCEPTION_RECORD *Record);
/* A thread's segment bases in user mode: of the current one, or one that has not yet run.
   STATUS_INVALID_PARAMETER for an address that is not a canonical user address, or another Which. */
#define ARCH_BASE_FS  0
#define ARCH_BASE_GS  1
#define ARCH_BASE_TEB ARCH_BASE_GS /* where native programs find their TEB */
NTSTATUS ArchSetUserBase(PKTHREAD Thread, ULONG Which, ULONG64 Base);
ULONG64 ArchGetUserBase(PKTHREAD Thread, ULONG Which);
/* FPU state of a user thread: the size of the block that a thread is given for it, and the initial state
   therein; copy of the current thread's, if it has one, for a clone (Destination has not run yet). */
SIZE_T ArchFpuBlockSize(void);
void ArchInitializeFpuState(PKTHREAD Thread, void *Block);
void ArchCloneFpuState(PKTHREAD Destination);
/* Of the current thread; see <subsystem.h>. */
NTSTATUS ArchSetFpuState(const void *Legacy);
void ArchQueryFpuState(SIZE_T *Size, uint64_t *Components);
NTSTATUS ArchSaveFpuStateToUser(void *Image, const void *Software);
NTSTATUS ArchLoadFpuStateFromUser(const void *Image, const void *Software);

/* Kernel code is about to use the FPU in the current thread: its registers are kept in Block
   (ArchFpuBlockSize bytes) and take their initial state. A thread that has no FPU state keeps the kernel's
   there meanwhile: true is returned, and handed to the end. <= DISPATCH. */
bool ArchBeginFpuUse(void *Block);
void ArchEndFpuUse(void *Block, bool Attached);

/* ---- Saved contexts: structured exceptions in kernel code (setjmp's shape) ---- */

/* Saves callee-saved registers, stack pointer and return address; returns 0. ArchRestoreContext makes it
   return Value. */
__attribute__((returns_twice)) int ArchSaveContext(ULONG64 Context[8]);
NORETURN void ArchRestoreContext(const ULONG64 Context[8], int Value);

/* ---- Page tables ---- */

#define ARCH_PAGE_READ    1
#define ARCH_PAGE_WRITE   2
#define ARCH_PAGE_EXECUTE 4
#define ARCH_PAGE_USER    8
#define ARCH_PAGE_GLOBAL  16
#define ARCH_PAGE_NOCACHE 32
#define ARCH_PAGE_SOFT    64  /* one bit for the owner of the mapping: mm marks copy-on-write with it */
#define ARCH_PAGE_DIRTY   128 /* answers only */

/* Where page-table pages come from, and go: zeroed both ways; a physical address or 0. Set once by mm. */
void ArchSetPageTableSource(uint64_t (*Allocate)(void), void (*Free)(uint64_t Physical));
/* An empty user half and the shared kernel half. STATUS_NO_MEMORY. */
NTSTATUS ArchCreatePageTables(ARCH_PAGE_TABLES *Tables);
/* The kernel's own tables (the System process). */
ARCH_PAGE_TABLES *ArchKernelPageTables(void);
/* Sets one 4 KiB entry; replaces what is there. STATUS_NO_MEMORY when a table is missing and none is to be
   had. The caller flushes. User addresses: under the address space's lock. Kernel addresses: the caller owns
   the range (mm makes kernel tables with ArchPreparePages under a lock of its own). Flags without
   ARCH_PAGE_READ: a kept entry, which the processor takes for absent, but which ArchUnmapPage, ArchQueryPage
   and ArchForEachPage see like any other, frame and flags whole (a region that was made inaccessible keeps
   its contents so). */
NTSTATUS ArchMapPage(ARCH_PAGE_TABLES *Tables, uintptr_t Virtual, uint64_t Physical, ULONG Flags);
/* The entry that ArchMapPage sets; NULL when a table is missing and none is to be had. ArchSetEntry sets
   it. */
typedef uint64_t ARCH_PAGE_ENTRY;
ARCH_PAGE_ENTRY *ArchMakeEntry(ARCH_PAGE_TABLES *Tables, uintptr_t Virtual);
void ArchSetEntry(ARCH_PAGE_ENTRY *Entry, uint64_t Physical, ULONG Flags);
void ArchClearEntry(ARCH_PAGE_ENTRY *Entry);
/* Makes sure that the tables down to the last level exist for [Virtual, Virtual+Size). STATUS_NO_MEMORY. */
NTSTATUS ArchPreparePages(ARCH_PAGE_TABLES *Tables, uintptr_t Virtual, SIZE_T Size);
/* Clears the entry; false when there was none. */
bool ArchUnmapPage(ARCH_PAGE_TABLES *Tables, uintptr_t Virtual, uint64_t *Physical, ULONG *Flags);
bool ArchQueryPage(ARCH_PAGE_TABLES *Tables, uintptr_t Virtual, uint64_t *Physical, ULONG *Flags);
/* Calls Visit for each entry in [Start, End), absent tables skipped. Visit may change its entry, as it
   changes others' by address. */
typedef void ARCH_VISIT_PAGE(void *Context, uintptr_t Virtual, ARCH_PAGE_ENTRY *Entry, uint64_t Physical, ULONG Flags);
void ArchForEachPage(ARCH_PAGE_TABLES *Tables, uintptr_t Start, uintptr_t End, ARCH_VISIT_PAGE *Visit, void *Context);
/* The same for the whole user half: Visit clears each entry, and all page-table pages are freed. No processor
   has them loaded. */
void ArchDeletePageTables(ARCH_PAGE_TABLES *Tables, ARCH_VISIT_PAGE *Visit, void *Context);
/* Drops translations of this processor: Pages pages from Virtual (all non-global ones when Pages > 32; global
   ones too for kernel addresses). */
void ArchFlushLocalTb(uintptr_t Virtual, SIZE_T Pages);

/* ---- User memory (IRQL < DISPATCH; never holding a lock that a page fault takes) ---- */

/* STATUS_SUCCESS or STATUS_ACCESS_VIOLATION; a range that is not wholly a user range is refused. Zero bytes:
   success. */
NTSTATUS ArchCopyFromUser(void *Destination, const void *UserSource, SIZE_T Size);
NTSTATUS ArchCopyToUser(void *UserDestination, const void *Source, SIZE_T Size);
NTSTATUS ArchZeroUser(void *UserDestination, SIZE_T Size);
/* Copies up to and including a NUL, at most Size bytes; *Length without the NUL. STATUS_BUFFER_OVERFLOW: no
   NUL within Size. */
NTSTATUS ArchCopyStringFromUser(char *Destination, const char *UserSource, SIZE_T Size, SIZE_T *Length);
NTSTATUS ArchReadUser32(const volatile ULONG *UserAddress, ULONG *Value);
/* *Previous receives the old value; the exchange happened when it equals Expected.
   STATUS_DATATYPE_MISALIGNMENT unaligned. */
NTSTATUS ArchCompareExchangeUser32(volatile ULONG *UserAddress, ULONG Expected, ULONG New, ULONG *Previous);
NTSTATUS ArchExchangeUser32(volatile ULONG *UserAddress, ULONG New, ULONG *Previous);
NTSTATUS ArchExchangeAddUser32(volatile ULONG *UserAddress, ULONG Addend, ULONG *Previous);
/* The SMAP window of a structured-exception block (ProbeForRead/Write): the state is kept with the thread. */
bool ArchOpenUserAccess(void);
void ArchCloseUserAccess(bool WasOpen);

/* ---- Devices of the log, the console and the end ---- */

void ArchLogWrite(const char *Text, SIZE_T Length); /* debug console port; any IRQL, any context, takes no lock */
NORETURN void ArchPowerOff(void);
NORETURN void ArchDebugExit(UCHAR Code); /* debug-exit port; halts when there is none */
NORETURN void ArchHalt(void);

/* Serial ports: Port 0 = COM1, 1 = COM2, 2 = COM3. Initialised for 115200 8N1, FIFO on. Write polls the
   transmitter; false when the port is absent. */
bool ArchSerialInitialize(ULONG Port);
void ArchSerialWrite(ULONG Port, const void *Data, SIZE_T Length);
/* All has left: a write of up to 16 bytes would not wait. Callers of Write take turns. */
bool ArchSerialIsEmpty(ULONG Port);
/* Takes received bytes, at most Size; never waits. */
SIZE_T ArchSerialRead(ULONG Port, void *Data, SIZE_T Size);
void ArchSerialEnableReceiveInterrupt(ULONG Port, bool Enable);
ULONG ArchSerialIsaLine(ULONG Port);

/* ---- Back-traces ---- */

/* Follows frame pointers from (Rbp, Rip): stores at most Count return addresses, never faults. */
ULONG ArchBackTrace(ULONG64 Rip, ULONG64 Rbp, ULONG64 *Addresses, ULONG Count);
ULONG ArchCaptureBackTrace(ULONG64 *Addresses, ULONG Count);

/* ---- What the machine calls ---- */

/*
 * The machine stands at the bottom and calls nobody above it by name. Where custody passes upwards it goes
 * through this table, a constant that kernel/init/handlers.c fills: it lies in read-only memory, and an entry
 * that is missing is a bug check at start-up. One way up is not in it because it is the hottest: SYSCALL
 * calls KTHREAD.SystemCall, a pointer that each thread has of its own (the kernel's services or its
 * provider's dispatcher), so that a system call costs one indirect call and no look at any table.
 */
typedef struct _ARCH_HANDLERS {
    /* First C line of the machine-independent kernel: boot processor, its PRCB current, HIGH_LEVEL,
       interrupts off, final page tables loaded, Boot complete. */
    NORETURN void (*SystemStartup)(PBOOT_INFORMATION Boot);
    /* The same of another processor, on its idle thread's stack. */
    NORETURN void (*ProcessorStartup)(PKPRCB Prcb);
    /* The first thing that a thread does, on its own stack, at DISPATCH_LEVEL with interrupts on. */
    NORETURN void (*ThreadStartup)(void);
    /* Interrupts, at the level given by the handler's class; IRQL has been set, in-service class masks lower
       ones. These two run with interrupts off. */
    void (*ClockInterrupt)(KPROCESSOR_MODE Interrupted); /* the mode that the processor was in */
    void (*IpiInterrupt)(void);
    /* An interrupt is about to return to code below DISPATCH_LEVEL with PendingSoft set for that level:
       interrupts are off on entry and exit, on inside. */
    void (*InterruptExit)(KIRQL ReturnIrql);
    /* About to return to user mode, interrupts off, and Thread->UserWork or PendingSoft is not 0: returns
       with interrupts off when nothing is left to do. Frame is the user frame and may have been changed. */
    void (*ReturnToUser)(PKTRAP_FRAME Frame);
    /* A system call came back above PASSIVE_LEVEL or with APCs disabled. Interrupts off. */
    NORETURN void (*SystemCallViolation)(PKTRAP_FRAME Frame);
    /* A page fault that interrupts allowed (IF was on) or not. Access: ARCH_PAGE_READ/WRITE/EXECUTE that was
       tried, ARCH_PAGE_USER when by user mode. STATUS_SUCCESS: retry the instruction. Otherwise the machine
       looks for a fix-up (kernel mode), then calls Exception with the status (STATUS_ACCESS_VIOLATION,
       STATUS_IN_PAGE_ERROR, STATUS_NO_MEMORY, STATUS_GUARD_PAGE_VIOLATION). */
    NTSTATUS (*PageFault)(PKTRAP_FRAME Frame, uintptr_t Address, ULONG Access);
    /* Any other exception, or a fault that was not resolved. Interrupts on if they were on at the fault.
       Returns when handled (frame perhaps changed); from kernel mode without a handler it does not return. */
    void (*Exception)(PEXCEPTION_RECORD Record, PKTRAP_FRAME Frame);
    /* #BP or #DB in either mode: is it a debugger's? TRUE: the frame goes on. Interrupts as for Exception. */
    BOOLEAN (*DebugTrap)(PKTRAP_FRAME Frame);
    /* NMI on the IST stack: another processor froze us, or a stray one. Takes no lock, faults nowhere. */
    void (*Nmi)(PKTRAP_FRAME Frame);
    /* #DF, #MC and what can only be a broken kernel. */
    NORETURN void (*FatalTrap)(PKTRAP_FRAME Frame);
} ARCH_HANDLERS;

extern const ARCH_HANDLERS ArchHandlers;

#endif
