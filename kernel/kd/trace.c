/* SPDX-License-Identifier: MIT */
/*
 * The trace: a ring of records a processor, written by that processor alone with interrupts off, so without a
 * lock. It is read by whoever does not disturb it: the bug check, when all processors stand still, a
 * debugger, and tools/run, which shares the machine's memory. They read Next, then records, then Next again:
 * those that have been overwritten meanwhile are lost.
 */
#include "kernel/kd/kdp.h"
#include "kernel/rtl/export.h"

#define KDP_SAMPLE_FRAMES 16
#define KDP_NAME_SIZE     (2 * sizeof(ULONG64) * sizeof(WCHAR)) /* of a name's end, which two words hold */

ULONG KdTraceClasses;

typedef struct _KDP_TRACE_RING {
    ULONG64 Next; /* counts all records ever written */
    ULONG64 Mask;
    KD_TRACE_RECORD *Record; /* NULL: no such processor */
} __attribute__((aligned(64))) KDP_TRACE_RING;

KDP_TRACE_RING KdpTrace[MAXIMUM_PROCESSORS]; /* (p) written by the processor that it belongs to */

bool KdAddTraceRing(ULONG Processor, KD_TRACE_RECORD *Ring, ULONG64 Records)
{
    KdpTrace[Processor].Mask = Records - 1;
    KdpTrace[Processor].Record = Ring;
    return Ring != NULL;
}

void KdTraceRecord(ARCH_IN_REGISTERS, ULONG64 Head, ULONG64 A, ULONG64 B)
{
    bool Enabled = ArchDisableInterrupts();
    KDP_TRACE_RING *Ring = &KdpTrace[ArchCurrentPrcb()->Number];
    KD_TRACE_RECORD *Record = &Ring->Record[Ring->Next & Ring->Mask];

    Record->Cycles = ArchReadCycles();
    *(ULONG64 *)&Record->Event = Head;
    Record->A = A;
    Record->B = B;
    __atomic_store_n(&Ring->Next, Ring->Next + 1, __ATOMIC_RELEASE);
    ArchRestoreInterrupts(Enabled);
}

void KdSpinForBit(ARCH_IN_REGISTERS, volatile ULONG *Word)
{
    ULONG64 Start = ArchReadCycles();
    while (*Word != 0 || (__atomic_fetch_or(Word, 1, __ATOMIC_ACQUIRE) & 1) != 0) {
        ArchPause();
    }
    KdTrace(Contention, 0, Word, ArchReadCycles() - Start);
}

/* The way through a system call while calls are traced: from the entry code, and back to it. */
void KdTraceSystemCall(PKTRAP_FRAME Frame)
{
    KdTrace(CallBegin, Frame->ErrorCode, ArchCurrentThread()->SystemCall, Frame->Rdi);
    ArchCurrentThread()->SystemCall(Frame);
    KdTrace(CallEnd, 0, Frame->Rax, 0);
}

VOID KdMarkTrace(ULONG Number, ULONG64 A, ULONG64 B)
{
    KdTrace(Mark, Number, A, B);
}
EXPORT(KdMarkTrace);

ULONG KdSetTraceClasses(ULONG Classes)
{
    return KdpTrace[0].Record == NULL ? 0 : __atomic_exchange_n(&KdTraceClasses, Classes, __ATOMIC_SEQ_CST);
}
EXPORT(KdSetTraceClasses);

void KdNoteImageName(ULONG Process, PCUNICODE_STRING Name)
{
    if (KdTraces(ProcessName)) {
        ULONG64 Text[2] = {0};
        ULONG Length, Skip = Name->Length > KDP_NAME_SIZE ? Name->Length - KDP_NAME_SIZE : 0;
        RtlUnicodeToUTF8N((PCHAR)Text, sizeof(Text), &Length, Name->Buffer + Skip / sizeof(WCHAR), Name->Length - Skip);
        KdWriteTrace(ProcessName, Process, Text[0], Text[1]);
    }
}

void KdTakeSample(PKTRAP_FRAME Frame)
{
    ULONG64 Address[KDP_SAMPLE_FRAMES + 1] = {0};
    ULONG Count = KTRAP_FROM_USER(Frame) ? 0 : ArchBackTrace(Frame->Rip, Frame->Rbp, Address, KDP_SAMPLE_FRAMES);
    KdTrace(Sample, KTRAP_FROM_USER(Frame) << 8, Frame->Rip, ArchCurrentThread());
    for (ULONG i = 1; i < Count; i += 2) { /* the first is the instruction itself */
        KdTrace(Frames, 0, Address[i], Address[i + 1]);
    }
}

/* ---- For the bug check ---- */

static void KdpPrintRecord(const KD_TRACE_RECORD *Record, ULONG64 Now)
{
    static const char *const Name[KdTraceEventCount] = {
#define X(Name, Class) #Name,
        KD_TRACE_EVENTS(X)
#undef X
    };
    DbgPrint("  -%-12I64u %-14s %x %I64x %I64x ", Now - Record->Cycles,
             Record->Event < KdTraceEventCount ? Name[Record->Event] : "?", Record->Number, Record->A, Record->B);
    KdpPrintSymbol(Record->A, false);
    DbgPrint("\n");
}

void KdpPrintTrace(ULONG Count)
{
    ULONG64 Now = ArchReadCycles();
    for (ULONG i = 0; i < MAXIMUM_PROCESSORS && KdpTrace[i].Record != NULL; i++) {
        ULONG64 Next = KdpTrace[i].Next, Mask = KdpTrace[i].Mask;
        DbgPrint("trace of processor %u, newest first (cycles ago, event, number, A, B):\n", i);
        for (ULONG64 Back = 1; Back <= Count && Back <= Next && Back <= Mask + 1; Back++) {
            KdpPrintRecord(&KdpTrace[i].Record[(Next - Back) & Mask], Now);
        }
    }
}
