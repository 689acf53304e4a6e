/* SPDX-License-Identifier: MIT */
/*
 * The x86-64 part of arch.h: the machine's share of a processor, a thread and an address space, and the
 * routines that are a few instructions long. Include arch/arch.h, not this file.
 *
 * "SDM" in the comments of this folder is Intel's Software Developer's Manual, "APM" AMD's Programmer's
 * Manual.
 */
#ifndef PRIMER_MACHINE_H
#define PRIMER_MACHINE_H

/* ---- The address space ---- */

#define ARCH_USER_END    0x00007ffffffff000UL /* the last user page is never mapped (docs/hazards) */
#define ARCH_DIRECT_MAP  0xffff800000000000UL
#define ARCH_DIRECT_SIZE 0x0000200000000000UL
#define ARCH_POOL_BASE   0xffffa00000000000UL
#define ARCH_FRAME_BASE  0xffffc00000000000UL
#define ARCH_DEVICE_BASE 0xffffe00000000000UL /* the machine's own: device registers, interrupt stacks */
#define ARCH_KERNEL_BASE 0xffffffff80000000UL

/* ---- Structures ---- */

/* The task-state segment of long mode (SDM vol. 3, 8.7). */
typedef struct __attribute__((packed, aligned(4))) _ARCH_TSS {
    uint32_t Reserved0;
    uint64_t Rsp0, Rsp1, Rsp2;
    uint64_t Reserved1;
    uint64_t Ist[7];
    uint64_t Reserved2;
    uint16_t Reserved3;
    uint16_t IoMapBase;
} ARCH_TSS;

#define ARCH_GDT_ENTRIES 10

typedef struct _ARCH_PROCESSOR {
    uint64_t UserRsp; /* scratch of the SYSCALL entry, which has no register and no stack */
    uint8_t PriorityMask; /* what was last written to CR8 */
    ARCH_TSS Tss;         /* at 4 modulo 8, so that Rsp0 is aligned */
    uint64_t Gdt[ARCH_GDT_ENTRIES];
} ARCH_PROCESSOR;

typedef struct _ARCH_THREAD {
    uint64_t KernelRsp; /* while it does not run: a KSWITCH_FRAME */
    void *StackTop;     /* highest address + 1 of the kernel stack */
    void *FpuState;     /* 64-byte aligned; NULL: a thread that never leaves the kernel */
    uint64_t UserFsBase;
    uint64_t UserGsBase;
} ARCH_THREAD;

typedef struct _ARCH_PAGE_TABLES {
    uint64_t Root; /* physical address of the PML4 */
} ARCH_PAGE_TABLES;

/* Where inline code and assembly find their way in structures that are not yet defined here; cpu.c asserts
   each. */
#define ARCH_PRCB_IRQL     16
#define ARCH_PRCB_SOFT     17
#define ARCH_PRCB_OFFSET   24 /* of KPRCB.Arch */
#define ARCH_THREAD_OFFSET 24 /* of KTHREAD.Arch */

/* ---- The current processor ---- */

static inline PKPRCB ArchCurrentPrcb(void)
{
    PKPRCB Prcb;
    __asm__ volatile("mov %%gs:0, %0" : "=r"(Prcb));
    return Prcb;
}

static inline PKTHREAD ArchCurrentThread(void)
{
    PKTHREAD Thread;
    __asm__ volatile("mov %%gs:8, %0" : "=r"(Thread));
    return Thread;
}

static inline KIRQL ArchGetIrql(void)
{
    KIRQL Irql;
    __asm__ volatile("movb %%gs:%c1, %0" : "=q"(Irql) : "i"(ARCH_PRCB_IRQL) : "memory");
    return Irql;
}

/* The memory clobbers keep what a level protects between the raise and the lowering. */
static inline void ArchSetIrql(KIRQL Irql)
{
    __asm__ volatile("movb %0, %%gs:%c1" : : "qi"(Irql), "i"(ARCH_PRCB_IRQL) : "memory");
}

static inline uint8_t ArchPendingSoft(void)
{
    uint8_t Pending;
    __asm__ volatile("movb %%gs:%c1, %0" : "=q"(Pending) : "i"(ARCH_PRCB_SOFT) : "memory");
    return Pending;
}

/* One instruction each: only this processor writes the byte, so that no interrupt comes between. */
static inline void ArchSetPendingSoft(uint8_t Bits)
{
    __asm__ volatile("orb %0, %%gs:%c1" : : "qi"(Bits), "i"(ARCH_PRCB_SOFT) : "memory", "cc");
}

static inline void ArchClearPendingSoft(uint8_t Bits)
{
    __asm__ volatile("andb %0, %%gs:%c1" : : "qi"((uint8_t)~Bits), "i"(ARCH_PRCB_SOFT) : "memory", "cc");
}

static inline bool ArchInterruptsEnabled(void)
{
    uint64_t Flags;
    __asm__ volatile("pushfq; popq %0" : "=r"(Flags));
    return (Flags & 0x200) != 0;
}

static inline bool ArchDisableInterrupts(void)
{
    bool Enabled = ArchInterruptsEnabled();
    __asm__ volatile("cli" : : : "memory");
    return Enabled;
}

static inline void ArchEnableInterrupts(void)
{
    __asm__ volatile("sti" : : : "memory");
}

static inline void ArchRestoreInterrupts(bool Enabled)
{
    if (Enabled) {
        ArchEnableInterrupts();
    }
}

/* What an explicit raise above DISPATCH_LEVEL does to the hardware: interrupts of Irql's class and below wait
   (SDM vol. 3, 11.8.6). 0 to DISPATCH_LEVEL: nothing waits. Interrupt entries restore the value that they
   found. */
static inline void ArchSetPriorityMask(KIRQL Irql)
{
    uint64_t Class = Irql > 2 ? Irql : 0;
    __asm__ volatile("movb %b0, %%gs:%c1\n\tmovq %0, %%cr8"
                     :
                     : "q"(Class), "i"(ARCH_PRCB_OFFSET + offsetof(ARCH_PROCESSOR, PriorityMask))
                     : "memory");
}

/*
 * Seldom calls from hot code: the function keeps all registers and takes its arguments from the stack, behind
 * six that it has no use for, so that the usual way past the call has nothing to save and nothing to put in
 * its place.
 *
 *     void ARCH_KEEPS_REGISTERS KdTraceRecord(ARCH_IN_REGISTERS, ULONG64 Head, ULONG64 A, ULONG64 B);
 */
#define ARCH_KEEPS_REGISTERS __attribute__((cold, no_caller_saved_registers))
#define ARCH_IN_REGISTERS    uint64_t Rdi, uint64_t Rsi, uint64_t Rdx, uint64_t Rcx, uint64_t R8, uint64_t R9
#define ArchCallKeeping(Function, A, B, C)                                                                             \
    __asm__ volatile("pushq %3\n\tpushq %2\n\tpushq %1\n\tcall %P0\n\taddq $24, %%rsp" : : "i"(Function),             \
                     "re"((uint64_t)(A)), "re"((uint64_t)(B)), "re"((uint64_t)(C)) : ARCH_NOT_KEPT "memory", "cc")
#ifdef __clang__ /* whose functions of that attribute keep all but the registers of arguments */
#define ARCH_NOT_KEPT "rdi", "rsi", "rdx", "rcx", "r8", "r9",
#else
#define ARCH_NOT_KEPT
#endif

static inline void ArchPause(void)
{
    __asm__ volatile("pause" : : : "memory");
}

/* No register but the frame pointer outlives the switch: so the caller keeps what it needs on its stack, and
   nothing is kept twice. */
static inline void ArchSwapContext(PKTHREAD Old, PKTHREAD New)
{
    __asm__ volatile("call ArchpSwapContext"
                     : "+D"(Old), "+S"(New)
                     :
                     : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
}

/* The exception of a break point; a debugger finds Status in RDI. */
static inline void ArchBreakPoint(uint64_t Status)
{
    __asm__ volatile("int3" : : "D"(Status) : "memory");
}

/* STI takes effect after the next instruction: no interrupt falls between it and HLT (SDM vol. 2, STI). */
static inline void ArchWaitForInterrupt(void)
{
    __asm__ volatile("sti; hlt" : : : "memory");
}

static inline uint64_t ArchReadCycles(void)
{
    uint64_t Low, High; /* the instruction clears their upper halves */
    __asm__ volatile("rdtsc" : "=a"(Low), "=d"(High));
    return High << 32 | Low;
}

/* Loads the tables on this processor: all its translations that are not global are dropped. */
static inline void ArchLoadPageTables(const ARCH_PAGE_TABLES *Tables)
{
    __asm__ volatile("movq %0, %%cr3" : : "r"(Tables->Root) : "memory");
}

/* The address of the last page fault; for bug checks. */
static inline uint64_t ArchFaultAddress(void)
{
    uint64_t Address;
    __asm__ volatile("movq %%cr2, %0" : "=r"(Address));
    return Address;
}

/* ---- Addresses ---- */

static inline void *ArchPhysicalToVirtual(uint64_t Physical)
{
    return (void *)(Physical + ARCH_DIRECT_MAP);
}

static inline uint64_t ArchVirtualToPhysical(const void *Virtual)
{
    uintptr_t Address = (uintptr_t)Virtual;
    return Address >= ARCH_KERNEL_BASE ? Address - ARCH_KERNEL_BASE : Address - ARCH_DIRECT_MAP;
}

static inline uint64_t ArchFrameAddress(const KTRAP_FRAME *Frame)
{
    return Frame->Rip;
}

static inline PKTRAP_FRAME ArchUserFrame(PKTHREAD Thread)
{
    const ARCH_THREAD *Arch = (const ARCH_THREAD *)((const char *)Thread + ARCH_THREAD_OFFSET);
    return (PKTRAP_FRAME)Arch->StackTop - 1;
}

#endif
