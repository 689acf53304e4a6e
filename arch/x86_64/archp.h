/* SPDX-License-Identifier: MIT */
/*
 * Private to arch/x86_64: registers' bits, selectors, port and MSR access, what the files of this folder
 * share.
 */
#ifndef PRIMER_ARCHP_H
#define PRIMER_ARCHP_H

#include "arch/arch.h"
#include "arch/boot.h"
#include "kernel/ke/ke.h"
#include <ntddk.h>

/* ---- Selectors: SYSCALL and SYSRET fix their order (SDM vol. 3, 5.8.8) ---- */

#define SELECTOR_KERNEL_CODE 0x10
#define SELECTOR_KERNEL_DATA 0x18
#define SELECTOR_SYSRET_BASE 0x20 /* 32-bit user code would stand here: empty, nobody enters that mode */
#define SELECTOR_USER_DATA   0x2b
#define SELECTOR_USER_CODE   0x33
#define SELECTOR_TSS         0x40

/* ---- Vectors: a vector's class (its upper four bits) is the IRQL of its handler ---- */

#define VECTOR_DIVIDE         0
#define VECTOR_DEBUG          1
#define VECTOR_NMI            2
#define VECTOR_BREAKPOINT     3
#define VECTOR_OVERFLOW       4
#define VECTOR_BOUND          5
#define VECTOR_INVALID_OPCODE 6
#define VECTOR_DOUBLE_FAULT   8
#define VECTOR_TSS            10
#define VECTOR_NO_SEGMENT     11
#define VECTOR_STACK          12
#define VECTOR_PROTECTION     13
#define VECTOR_PAGE_FAULT     14
#define VECTOR_X87            16
#define VECTOR_ALIGNMENT      17
#define VECTOR_MACHINE_CHECK  18
#define VECTOR_SIMD           19
#define VECTOR_PIC_BASE       0x20 /* legacy controllers, masked: only spurious interrupts come */
#define VECTOR_DEVICE_FIRST   0x30
#define VECTOR_CLOCK          0xd0
#define VECTOR_IPI            0xe0
#define VECTOR_SPURIOUS       0xff

/* Interrupt-stack table slots of the TSS. */
#define IST_DOUBLE_FAULT  1
#define IST_NMI           2
#define IST_MACHINE_CHECK 3
#define IST_DEBUG         4
#define IST_COUNT         4
#define IST_STACK_PAGES   2

/* ---- Register bits (SDM vol. 3, 2.3 and 2.5) ---- */

#define RFLAGS_ONE  0x2u
#define RFLAGS_TF   0x100u
#define RFLAGS_IF   0x200u
#define RFLAGS_DF   0x400u
#define RFLAGS_NT   0x4000u
#define RFLAGS_RF   0x10000u
#define RFLAGS_AC   0x40000u
#define RFLAGS_USER 0x240dd5u /* CF PF AF ZF SF TF DF OF AC ID: what a program may choose */

#define CR0_PE 0x1u
#define CR0_MP 0x2u
#define CR0_ET 0x10u
#define CR0_NE 0x20u
#define CR0_WP 0x10000u
#define CR0_AM 0x40000u
#define CR0_PG 0x80000000u

#define CR4_DE         0x8u
#define CR4_PAE        0x20u
#define CR4_MCE        0x40u
#define CR4_PGE        0x80u
#define CR4_OSFXSR     0x200u
#define CR4_OSXMMEXCPT 0x400u
#define CR4_UMIP       0x800u
#define CR4_OSXSAVE    0x40000u
#define CR4_SMEP       0x100000u
#define CR4_SMAP       0x200000u

#define EFER_SCE 0x1u
#define EFER_NXE 0x800u

#define MSR_APIC_BASE      0x1b
#define MSR_EFER           0xc0000080
#define MSR_STAR           0xc0000081
#define MSR_LSTAR          0xc0000082
#define MSR_CSTAR          0xc0000083
#define MSR_SFMASK         0xc0000084
#define MSR_FS_BASE        0xc0000100
#define MSR_GS_BASE        0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102

#define PAGE_FAULT_PRESENT  0x1u
#define PAGE_FAULT_WRITE    0x2u
#define PAGE_FAULT_USER     0x4u
#define PAGE_FAULT_RESERVED 0x8u
#define PAGE_FAULT_FETCH    0x10u

/* ---- Instructions ---- */

static inline void ArchpOut8(uint16_t Port, uint8_t Value)
{
    __asm__ volatile("outb %0, %1" : : "a"(Value), "Nd"(Port));
}

static inline uint8_t ArchpIn8(uint16_t Port)
{
    uint8_t Value;
    __asm__ volatile("inb %1, %0" : "=a"(Value) : "Nd"(Port));
    return Value;
}

static inline void ArchpOut16(uint16_t Port, uint16_t Value)
{
    __asm__ volatile("outw %0, %1" : : "a"(Value), "Nd"(Port));
}

static inline uint16_t ArchpIn16(uint16_t Port)
{
    uint16_t Value;
    __asm__ volatile("inw %1, %0" : "=a"(Value) : "Nd"(Port));
    return Value;
}

static inline uint32_t ArchpIn32(uint16_t Port)
{
    uint32_t Value;
    __asm__ volatile("inl %1, %0" : "=a"(Value) : "Nd"(Port));
    return Value;
}

static inline void ArchpOutString(uint16_t Port, const void *Data, size_t Length)
{
    __asm__ volatile("rep outsb" : "+S"(Data), "+c"(Length) : "d"(Port) : "memory");
}

static inline uint64_t ArchpReadMsr(uint32_t Msr)
{
    uint32_t Low, High;
    __asm__ volatile("rdmsr" : "=a"(Low), "=d"(High) : "c"(Msr));
    return (uint64_t)High << 32 | Low;
}

static inline void ArchpWriteMsr(uint32_t Msr, uint64_t Value)
{
    __asm__ volatile("wrmsr" : : "c"(Msr), "a"((uint32_t)Value), "d"((uint32_t)(Value >> 32)) : "memory");
}

static inline uint64_t ArchpReadCr3(void)
{
    uint64_t Value;
    __asm__ volatile("movq %%cr3, %0" : "=r"(Value));
    return Value;
}

static inline void ArchpWriteCr3(uint64_t Value)
{
    __asm__ volatile("movq %0, %%cr3" : : "r"(Value) : "memory");
}

static inline uint64_t ArchpReadCr4(void)
{
    uint64_t Value;
    __asm__ volatile("movq %%cr4, %0" : "=r"(Value));
    return Value;
}

static inline void ArchpWriteCr4(uint64_t Value)
{
    __asm__ volatile("movq %0, %%cr4" : : "r"(Value) : "memory");
}

/* Value * Multiplier / Divisor with 128 bits between. The quotient must fit: Divisor is above the product's
   upper half. */
static inline uint64_t ArchpScale(uint64_t Value, uint64_t Multiplier, uint64_t Divisor)
{
    uint64_t High;
    __asm__("mulq %2\n\tdivq %3" : "+a"(Value), "=&d"(High) : "rm"(Multiplier), "rm"(Divisor) : "cc");
    return Value;
}

typedef struct _ARCH_CPUID {
    uint32_t Eax, Ebx, Ecx, Edx;
} ARCH_CPUID;

static inline ARCH_CPUID ArchpCpuid(uint32_t Leaf, uint32_t Subleaf)
{
    ARCH_CPUID R;
    __asm__ volatile("cpuid" : "=a"(R.Eax), "=b"(R.Ebx), "=c"(R.Ecx), "=d"(R.Edx) : "a"(Leaf), "c"(Subleaf));
    return R;
}

/* ---- Shared by the files of this folder ---- */

/* What the boot processor has; the others are taken to be like it. (cpu.c) */
typedef struct _ARCH_FEATURES {
    bool LocalApic, NoExecute, GigabytePages, Smep, Smap, Umip, MachineCheck, Xsave;
    ULONG PhysicalBits;
    uint64_t Xcr0;
} ARCH_FEATURES;

extern ARCH_FEATURES ArchpFeatures;
void ArchpDetectFeatures(void);

/* Interrupt stacks of processor Prcb, with guard pages. False without memory. (cpu.c) */
bool ArchpAllocateInterruptStacks(PKPRCB Prcb);
void ArchpBuildIdt(void);

/* boot.c */
#define BOOT_KIND_MULTIBOOT2 1
#define BOOT_KIND_PVH        2
#define BOOT_KIND_PROCESSOR  3 /* no loader: another processor starts */
extern uint64_t ArchpBootCycles; /* time-stamp counter at the first instruction (boot/entry.asm) */
NORETURN void ArchpBootFail(const char *Why);
void ArchpBootNote(const char *Text);

/* bootinfo.c, memorymap.c */
void ArchpReadBootInformation(PBOOT_INFORMATION Boot, ULONG Kind, uint64_t Info);
extern uint64_t ArchpTrampolinePage; /* physical, 0: none below 640 KiB */
enum {
    MAP_NOTHING = -1
}; /* a type for ArchpSetRange: no range stays there */
void ArchpSetRange(PBOOT_INFORMATION Boot, uint64_t Base, uint64_t End, int Type);

/* paging.c */
void ArchpBuildKernelTables(PBOOT_INFORMATION Boot);
void ArchpEndEarlyAllocation(PBOOT_INFORMATION Boot);
/* Kernel addresses of the machine's own window (half a terabyte), for ever. */
uintptr_t ArchpReserveWindow(SIZE_T Pages);
/* Maps [Physical, Physical + Size) into the window; NULL without memory, or where no memory can be. */
void *ArchpMapPhysical(uint64_t Physical, SIZE_T Size, ULONG Flags);
/* Maps device registers: uncached. */
void *ArchpMapDevice(uint64_t Physical, SIZE_T Size);
uint64_t ArchpAllocateTablePage(void);

/* fpu.c */
void ArchpInitializeFpu(void);
/* x87 and SSE of a thread: the current one, or one that has its state saved. The image is made safe. */
void ArchpReadLegacyFpu(PKTHREAD Thread, PXMM_SAVE_AREA32 Area);
void ArchpWriteLegacyFpu(PKTHREAD Thread, const XMM_SAVE_AREA32 *Area);
extern uint32_t ArchpMxcsrReserved; /* bits of MXCSR that this processor has not (fpu.c) */
NTSTATUS ArchpXsaveToUser(void *Image, const void *Software, SIZE_T Size); /* usercopy.asm; Image a multiple of 64 */
NTSTATUS ArchpXrstorFromUser(const void *Image, const void *Software, SIZE_T Size);

/* traps.asm, syscall.asm, usercopy.asm */
extern const void *const ArchpTrapStub[256];
void ArchpSystemCallEntry(void);
void ArchpPatchUserAccess(void);

/* traps.c */
typedef struct _ARCH_HANDLER {
    void (*Routine)(void *Context);
    void *Context;
} ARCH_HANDLER;
extern ARCH_HANDLER ArchpHandler[256];

/* apic.c */
extern volatile uint32_t *ArchpLocalApic; /* NULL before ArchInitializeMachine */
void ArchpMapLocalApic(void);
void ArchpInitializeLocalApic(void);
uint32_t ArchpLocalApicId(void);
void ArchpEndOfInterrupt(void);
/* The timer's free-running count, for its calibration: started at its maximum, masked. */
void ArchpStartApicCount(void);
uint32_t ArchpReadApicCount(void);
void ArchpSetApicRate(uint64_t PerSecond);
void ArchpSendInit(uint32_t ApicId);
void ArchpSendStartup(uint32_t ApicId, uint64_t Page);

/* ioapic.c */
void ArchpInitializeIoApics(void);
void ArchpMaskLegacyControllers(void);

/* acpi.c: what the tables say */
#define ARCH_MAX_IO_APICS 8

typedef struct _ARCH_IO_APIC {
    uint64_t Physical;
    uint32_t First, Count;        /* global interrupts; Count 0 until, or if not, mapped (ioapic.c) */
    volatile uint32_t *Registers;
} ARCH_IO_APIC;

typedef struct _ARCH_ISA_LINE {
    uint32_t GlobalInterrupt;
    bool ActiveLow, LevelTriggered;
} ARCH_ISA_LINE;

typedef struct _ARCH_ACPI {
    ULONG ProcessorCount;
    uint32_t ApicId[MAXIMUM_PROCESSORS];
    ULONG IoApicCount;
    ARCH_IO_APIC IoApic[ARCH_MAX_IO_APICS];
    ARCH_ISA_LINE IsaLine[16];
    uint64_t Hpet;    /* physical address, 0: none */
    uint16_t PmTimer; /* port, 0: none */
    bool PmTimer32;   /* 32 bits wide, not 24 */
    uint16_t Pm1aControl, Pm1bControl;
    uint16_t SmiCommand;
    uint8_t AcpiEnable;
    bool SleepFound;
    uint8_t SleepTypeA, SleepTypeB;
    uint8_t CenturyRegister; /* in CMOS, 0: none */
} ARCH_ACPI;

extern ARCH_ACPI ArchpAcpi;
void ArchpReadAcpi(uint64_t Rsdp);

/* time.c */
void ArchpCalibrate(void);
void ArchpReadRealTimeClock(void);

/* smp.c */
void ArchpInitializeProcessorList(void);
extern uint32_t ArchpApicIdOf[MAXIMUM_PROCESSORS]; /* by processor number */

#endif
