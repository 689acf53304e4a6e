/* SPDX-License-Identifier: MIT */
/*
 * What each processor needs of its own: descriptor tables, control registers, MSRs, interrupt stacks.
 */
#include "arch/x86_64/archp.h"

C_ASSERT(offsetof(KPRCB, Irql) == ARCH_PRCB_IRQL);
/* The way back from a system call reads two of them at once (syscall.asm). */
C_ASSERT(offsetof(KPRCB, PendingSoft) == offsetof(KPRCB, Irql) + sizeof(UCHAR));
C_ASSERT(offsetof(KTHREAD, ApcDisable) == offsetof(KTHREAD, UserWork) + sizeof(ULONG));
C_ASSERT(offsetof(KPRCB, PendingSoft) == ARCH_PRCB_SOFT);
C_ASSERT(offsetof(KPRCB, Arch) == ARCH_PRCB_OFFSET);
C_ASSERT(offsetof(KPRCB, Arch.Tss.Rsp0) % 8 == 0);
C_ASSERT(offsetof(KTHREAD, Arch) == ARCH_THREAD_OFFSET);
C_ASSERT(sizeof(ARCH_TSS) == 104);
C_ASSERT(sizeof(KTRAP_FRAME) == 176 && sizeof(KTRAP_FRAME) % 16 == 0);

/* ---- Features (SDM vol. 2, CPUID) ---- */

ARCH_FEATURES ArchpFeatures;

static bool Bit(uint32_t Value, unsigned Number)
{
    return (Value >> Number & 1) != 0;
}

void ArchpDetectFeatures(void)
{
    ARCH_CPUID One = ArchpCpuid(1, 0), Extended = ArchpCpuid(0x80000001, 0), Seven = {0};
    uint32_t PhysicalBits = 36;
    if (ArchpCpuid(0, 0).Eax >= 7) {
        Seven = ArchpCpuid(7, 0);
    }
    if (ArchpCpuid(0x80000000, 0).Eax >= 0x80000008) {
        PhysicalBits = ArchpCpuid(0x80000008, 0).Eax & 0xff;
    }
    ArchpFeatures = (ARCH_FEATURES){
        .MachineCheck = Bit(One.Edx, 7),
        .LocalApic = Bit(One.Edx, 9),
        .Xsave = Bit(One.Ecx, 26),
        .Smep = Bit(Seven.Ebx, 7),
        .Smap = Bit(Seven.Ebx, 20),
        .Umip = Bit(Seven.Ecx, 2),
        .NoExecute = Bit(Extended.Edx, 20),
        .GigabytePages = Bit(Extended.Edx, 26),
        .PhysicalBits = PhysicalBits,
    };
    if (ArchpFeatures.Xsave) {
        ArchpFeatures.Xcr0 = ArchpCpuid(0xd, 0).Eax & (Bit(One.Ecx, 28) ? 7 : 3); /* x87, SSE, and AVX */
    }
}

/* ---- Places in the text where SMAP's instructions go ---- */

extern struct {
    int32_t Place; /* relative to this field */
    uint32_t LastByte;
} __smappatch_start[], __smappatch_end[];

/* Runs on the boot tables, where text may be written. */
void ArchpPatchUserAccess(void)
{
    if (!ArchpFeatures.Smap) {
        return;
    }
    for (typeof(&__smappatch_start[0]) Patch = __smappatch_start; Patch < __smappatch_end; Patch++) {
        uint8_t *Instruction = (uint8_t *)&Patch->Place + Patch->Place;
        Instruction[1] = 0x01;
        Instruction[2] = (uint8_t)Patch->LastByte;
    }
}

/* ---- Descriptor tables ---- */

typedef struct _IDT_ENTRY {
    uint16_t Offset0;
    uint16_t Selector;
    uint8_t Ist;
    uint8_t Type;
    uint16_t Offset1;
    uint32_t Offset2;
    uint32_t Reserved;
} IDT_ENTRY;

typedef struct __attribute__((packed)) _TABLE_POINTER {
    uint16_t Limit;
    const void *Base;
} TABLE_POINTER;

#define GATE_INTERRUPT 0x8e
#define GATE_USER      0xee /* INT from user mode allowed: INT3 and INTO */

static IDT_ENTRY Idt[256] __attribute__((aligned(4096)));

static const uint8_t IstOf[256] = {
    [VECTOR_DOUBLE_FAULT] = IST_DOUBLE_FAULT,
    [VECTOR_NMI] = IST_NMI,
    [VECTOR_MACHINE_CHECK] = IST_MACHINE_CHECK,
    [VECTOR_DEBUG] = IST_DEBUG,
};

void ArchpBuildIdt(void)
{
    for (ULONG Vector = 0; Vector < 256; Vector++) {
        uintptr_t Stub = (uintptr_t)ArchpTrapStub[Vector];
        bool User = Vector == VECTOR_BREAKPOINT || Vector == VECTOR_OVERFLOW;
        Idt[Vector] = (IDT_ENTRY){
            .Offset0 = (uint16_t)Stub,
            .Selector = SELECTOR_KERNEL_CODE,
            .Ist = IstOf[Vector],
            .Type = User ? GATE_USER : GATE_INTERRUPT,
            .Offset1 = (uint16_t)(Stub >> 16),
            .Offset2 = (uint32_t)(Stub >> 32),
        };
    }
}

/* Flat segments differ in little in long mode: code or data, privilege level (APM vol. 2, 4.8). */
static void BuildGdt(ARCH_PROCESSOR *Processor)
{
    uintptr_t Tss = (uintptr_t)&Processor->Tss;
    uint64_t *Gdt = Processor->Gdt;
    memset(Gdt, 0, sizeof(Processor->Gdt));
    Gdt[SELECTOR_KERNEL_CODE / 8] = 0x00209b0000000000;
    Gdt[SELECTOR_KERNEL_DATA / 8] = 0x0000930000000000;
    Gdt[SELECTOR_USER_DATA / 8] = 0x0000f30000000000;
    Gdt[SELECTOR_USER_CODE / 8] = 0x0020fb0000000000;
    Gdt[SELECTOR_TSS / 8] = 0x0000890000000000 | (sizeof(ARCH_TSS) - 1);
    Gdt[SELECTOR_TSS / 8] |= (Tss & 0xffffff) << 16 | (Tss >> 24 & 0xff) << 56;
    Gdt[SELECTOR_TSS / 8 + 1] = Tss >> 32;
}

static void LoadDescriptorTables(ARCH_PROCESSOR *Processor)
{
    TABLE_POINTER Gdt = {sizeof(Processor->Gdt) - 1, Processor->Gdt};
    TABLE_POINTER Interrupts = {sizeof(Idt) - 1, Idt};
    Processor->Tss.IoMapBase = sizeof(ARCH_TSS); /* no map: user mode has no ports */
    BuildGdt(Processor);
    __asm__ volatile("lgdt %0\n\t"
                     "lidt %1\n\t"
                     "ltr %w2\n\t"
                     "movl %3, %%ss\n\t"
                     "movl %4, %%ds\n\t"
                     "movl %4, %%es\n\t"
                     "movl %4, %%fs\n\t"
                     "movl %4, %%gs\n\t"
                     "pushq %5\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:"
                     :
                     : "m"(Gdt), "m"(Interrupts), "r"(SELECTOR_TSS), "r"(SELECTOR_KERNEL_DATA), "r"(0),
                       "i"(SELECTOR_KERNEL_CODE)
                     : "rax", "memory");
}

/* ---- Control registers and MSRs ---- */

static void SetControlRegisters(void)
{
    uint64_t Cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG;
    uint64_t Cr4 = CR4_DE | CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    Cr4 |= ArchpFeatures.MachineCheck ? CR4_MCE : 0;
    Cr4 |= ArchpFeatures.Umip ? CR4_UMIP : 0;
    Cr4 |= ArchpFeatures.Smep ? CR4_SMEP : 0;
    Cr4 |= ArchpFeatures.Smap ? CR4_SMAP : 0;
    Cr4 |= ArchpFeatures.Xsave ? CR4_OSXSAVE : 0;
    __asm__ volatile("movq %0, %%cr0" : : "r"(Cr0) : "memory");
    ArchpWriteCr4(Cr4);
    ArchpWriteMsr(MSR_EFER, ArchpReadMsr(MSR_EFER) | EFER_SCE | (ArchpFeatures.NoExecute ? EFER_NXE : 0));
}

/* STAR: SYSCALL loads CS and SS from the lower selector and the one after it, SYSRET adds 16 and 8 to the
   upper one. */
static void SetSystemCallEntry(void)
{
    uint64_t Selectors = (SELECTOR_SYSRET_BASE | 3) << 16 | SELECTOR_KERNEL_CODE;
    ArchpWriteMsr(MSR_STAR, Selectors << 32);
    ArchpWriteMsr(MSR_LSTAR, (uint64_t)ArchpSystemCallEntry);
    ArchpWriteMsr(MSR_CSTAR, 0); /* from compatibility mode, which nobody can enter */
    ArchpWriteMsr(MSR_SFMASK, RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_NT | RFLAGS_AC);
}

C_ASSERT(SELECTOR_SYSRET_BASE + 16 == (SELECTOR_USER_CODE & ~3));
C_ASSERT(SELECTOR_SYSRET_BASE + 8 == (SELECTOR_USER_DATA & ~3));
C_ASSERT(SELECTOR_KERNEL_CODE + 8 == SELECTOR_KERNEL_DATA);

/* ---- Interrupt stacks ---- */

static void *AllocateGuardedStack(void)
{
    uintptr_t Base = ArchpReserveWindow(IST_STACK_PAGES + 1) + PAGE_SIZE; /* the page below stays unmapped */
    for (ULONG i = 0; i < IST_STACK_PAGES; i++) {
        uint64_t Page = ArchpAllocateTablePage();
        if (Page == 0 || ArchMapPage(ArchKernelPageTables(), Base + (uintptr_t)i * PAGE_SIZE, Page,
                                     ARCH_PAGE_READ | ARCH_PAGE_WRITE | ARCH_PAGE_GLOBAL) != STATUS_SUCCESS) {
            return NULL;
        }
    }
    return (void *)(Base + (uintptr_t)IST_STACK_PAGES * PAGE_SIZE);
}

bool ArchpAllocateInterruptStacks(PKPRCB Prcb)
{
    for (ULONG i = 0; i < IST_COUNT; i++) {
        Prcb->Arch.Tss.Ist[i] = (uint64_t)AllocateGuardedStack();
        if (Prcb->Arch.Tss.Ist[i] == 0) {
            return false;
        }
    }
    return true;
}

/* ---- The whole ---- */

void ArchInitializeProcessor(PKPRCB Prcb)
{
    SetControlRegisters();
    LoadDescriptorTables(&Prcb->Arch);
    Prcb->Self = Prcb;
    Prcb->Irql = HIGH_LEVEL;
    ArchpWriteMsr(MSR_GS_BASE, (uint64_t)Prcb);
    ArchpWriteMsr(MSR_KERNEL_GS_BASE, 0);
    ArchpWriteMsr(MSR_FS_BASE, 0);
    SetSystemCallEntry();
    ArchpInitializeFpu();
    ArchSetPriorityMask(PASSIVE_LEVEL);
    if (ArchpLocalApic != NULL) { /* the boot processor's waits for ArchInitializeMachine */
        ArchpInitializeLocalApic();
    }
}
