/* SPDX-License-Identifier: MIT */
/*
 * x87, SSE and AVX registers of user threads. The kernel is compiled without them, so that the registers
 * always hold the current user thread's and are saved only when threads are swapped (switch.asm).
 *
 * The image is XSAVE's standard format (SDM vol. 1, 13.4): 512 bytes as FXSAVE writes them, a header of 64,
 * then AVX; or FXSAVE's alone on a processor without XSAVE.
 */
#include "arch/x86_64/archp.h"

#define FXSAVE_SIZE        512
#define FXSAVE_MXCSR       24
#define FXSAVE_MXCSR_MASK  28
#define DEFAULT_CONTROL    0x37f
#define DEFAULT_MXCSR      0x1f80
#define DEFAULT_MXCSR_MASK 0xffbfu /* when FXSAVE reports 0 (SDM vol. 1, 11.6.6) */

typedef struct _XSAVE_HEADER {
    uint64_t StateVector;
    uint64_t CompactedVector;
    uint64_t Reserved[6];
} XSAVE_HEADER;

static SIZE_T StateSize = FXSAVE_SIZE;
uint32_t ArchpMxcsrReserved = ~DEFAULT_MXCSR_MASK;
static uint8_t Probe[FXSAVE_SIZE] __attribute__((aligned(64)));

static void Save(void *State)
{
    if (ArchpFeatures.Xsave) {
        __asm__ volatile("xsave64 (%0)" : : "r"(State), "a"(-1), "d"(-1) : "memory");
    } else {
        __asm__ volatile("fxsave64 (%0)" : : "r"(State) : "memory");
    }
}

static void Restore(const void *State)
{
    if (ArchpFeatures.Xsave) {
        __asm__ volatile("xrstor64 (%0)" : : "r"(State), "a"(-1), "d"(-1) : "memory");
    } else {
        __asm__ volatile("fxrstor64 (%0)" : : "r"(State) : "memory");
    }
}

/* On each processor, one after the other; what they find is the same. CR4 has been set. XCR0 is chosen, not
   copied from CPUID: a state that the kernel does not know must not be switched on. */
void ArchpInitializeFpu(void)
{
    if (ArchpFeatures.Xsave) {
        __asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)ArchpFeatures.Xcr0), "d"(0));
        StateSize = ArchpCpuid(0xd, 0).Ebx;
    }
    __asm__ volatile("fninit");
    __asm__ volatile("fxsave64 (%0)" : : "r"(Probe) : "memory");
    uint32_t Mask = *(uint32_t *)(Probe + FXSAVE_MXCSR_MASK);
    ArchpMxcsrReserved = ~(Mask != 0 ? Mask : DEFAULT_MXCSR_MASK);
}

static XSAVE_HEADER *HeaderOf(void *State)
{
    return (XSAVE_HEADER *)((uint8_t *)State + FXSAVE_SIZE);
}

#define STATE_ALIGNMENT 64 /* what XSAVE wants; pool promises less */

SIZE_T ArchFpuBlockSize(void)
{
    return StateSize + STATE_ALIGNMENT - 1;
}

static void InitializeState(void *State)
{
    memset(State, 0, StateSize);
    *(uint16_t *)State = DEFAULT_CONTROL;
    *(uint32_t *)((uint8_t *)State + FXSAVE_MXCSR) = DEFAULT_MXCSR;
}

static void *StateIn(void *Block)
{
    return (void *)ALIGN_UP_BY(Block, STATE_ALIGNMENT);
}

void ArchInitializeFpuState(PKTHREAD Thread, void *Block)
{
    Thread->Arch.FpuState = StateIn(Block);
    InitializeState(Thread->Arch.FpuState);
}

/* As after power-on, for FXRSTOR and, with no component in its header, for XRSTOR. */
static const uint8_t Initial[FXSAVE_SIZE + sizeof(XSAVE_HEADER)] __attribute__((aligned(64))) = {
    [0] = DEFAULT_CONTROL & 0xff,
    [1] = DEFAULT_CONTROL >> 8,
    [FXSAVE_MXCSR] = DEFAULT_MXCSR & 0xff,
    [FXSAVE_MXCSR + 1] = DEFAULT_MXCSR >> 8,
};

/* Interrupts off: or a swap between the two steps would leave another thread's registers in ours. */
bool ArchBeginFpuUse(void *Block)
{
    PKTHREAD Thread = ArchCurrentThread();
    void *State = StateIn(Block);
    bool Attach = Thread->Arch.FpuState == NULL;
    InitializeState(State); /* XSAVE leaves the header's reserved part alone */
    bool Enabled = ArchDisableInterrupts();
    if (Attach) {
        Thread->Arch.FpuState = State;
    } else {
        Save(State);
    }
    Restore(Initial);
    ArchRestoreInterrupts(Enabled);
    return Attach;
}

void ArchEndFpuUse(void *Block, bool Attached)
{
    if (Attached) {
        ArchCurrentThread()->Arch.FpuState = NULL;
    } else {
        Restore(StateIn(Block));
    }
}

void ArchCloneFpuState(PKTHREAD Destination)
{
    if (ArchCurrentThread()->Arch.FpuState == NULL) {
        return;
    }
    InitializeState(Destination->Arch.FpuState); /* XSAVE leaves the header's reserved part alone */
    Save(Destination->Arch.FpuState);
}

/* Registers are loaded, no memory of the thread's is touched: a switch at any time is harmless. */
NTSTATUS ArchSetFpuState(const void *Legacy)
{
    uint8_t Image[FXSAVE_SIZE + sizeof(XSAVE_HEADER)] __attribute__((aligned(64)));
    memcpy(Image, Initial, sizeof(Image));
    if (Legacy != NULL) {
        memcpy(Image, Legacy, FXSAVE_SIZE);
        HeaderOf(Image)->StateVector = 3; /* x87 and SSE */
    }
    if (*(uint32_t *)(Image + FXSAVE_MXCSR) & ArchpMxcsrReserved) {
        return STATUS_INVALID_PARAMETER;
    }
    Restore(Image);
    return STATUS_SUCCESS;
}

__attribute__((noinline)) static NTSTATUS SaveLegacyToUser(void *Image)
{
    uint8_t Legacy[FXSAVE_SIZE] __attribute__((aligned(16)));
    Save(Legacy);
    return ArchCopyToUser(Image, Legacy, FXSAVE_SIZE);
}

void ArchQueryFpuState(SIZE_T *Size, uint64_t *Components)
{
    *Size = StateSize;
    *Components = ArchpFeatures.Xcr0;
}

NTSTATUS ArchSaveFpuStateToUser(void *Image, const void *Software)
{
    return ArchpFeatures.Xsave ? ArchpXsaveToUser(Image, Software, StateSize) : SaveLegacyToUser(Image);
}

NTSTATUS ArchLoadFpuStateFromUser(const void *Image, const void *Software)
{
    return ArchpFeatures.Xsave ? ArchpXrstorFromUser(Image, Software, StateSize) : STATUS_ACCESS_VIOLATION;
}

/* The part of the state that every processor has, as FXSAVE writes it: it is the first part of XSAVE's image,
   too. FXRSTOR leaves the other parts of the current thread's state alone. */
void ArchpReadLegacyFpu(PKTHREAD Thread, PXMM_SAVE_AREA32 Area)
{
    if (Thread == ArchCurrentThread()) {
        __asm__ volatile("fxsave64 (%0)" : : "r"(Area) : "memory");
    } else {
        memcpy(Area, Thread->Arch.FpuState, sizeof(*Area));
    }
}

void ArchpWriteLegacyFpu(PKTHREAD Thread, const XMM_SAVE_AREA32 *Area)
{
    XMM_SAVE_AREA32 Safe = *Area;
    Safe.MxCsr &= ~ArchpMxcsrReserved;
    if (Thread == ArchCurrentThread()) {
        __asm__ volatile("fxrstor64 (%0)" : : "r"(&Safe) : "memory");
        return;
    }
    memcpy(Thread->Arch.FpuState, &Safe, sizeof(Safe));
    if (ArchpFeatures.Xsave) {
        HeaderOf(Thread->Arch.FpuState)->StateVector |= 3; /* x87 and SSE are not in their initial state */
    }
}
