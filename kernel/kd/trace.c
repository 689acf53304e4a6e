/* SPDX-License-Identifier: MIT */
/*
 * The trace: a ring of fixed-size records a processor, written by that processor alone with interrupts off,
 * so without a lock. Read in a bug check, when all processors stand still, and by the debugger. Debug builds
 * only.
 */
#include "kernel/kd/kdp.h"

#if DBG

#define KDP_TRACE_RECORDS 64 /* a processor */

typedef struct _KDP_TRACE_RECORD {
    ULONG64 Cycles;
    ULONG64 Event; /* KD_TRACE_EVENT */
    ULONG64 A, B;
} KDP_TRACE_RECORD;

/* (p) written by the processor that it belongs to */
struct {
    ULONG64 Next; /* counts all records ever written */
    KDP_TRACE_RECORD Record[KDP_TRACE_RECORDS];
} KdpTrace[MAXIMUM_PROCESSORS];

static const char *const KdpTraceName[KdTraceEventCount] = {
    [KdTraceSwitch] = "switch",   [KdTraceReady] = "ready",   [KdTraceFault] = "fault",
    [KdTraceSystemCall] = "call", [KdTraceIpi] = "ipi",       [KdTraceException] = "exception",
    [KdTraceProcess] = "process", [KdTraceThread] = "thread",
};

void KdTrace(KD_TRACE_EVENT Event, ULONG64 A, ULONG64 B)
{
    bool Enabled = ArchDisableInterrupts();
    ULONG Processor = ArchCurrentPrcb()->Number;
    KDP_TRACE_RECORD *Record = &KdpTrace[Processor].Record[KdpTrace[Processor].Next++ % KDP_TRACE_RECORDS];

    *Record = (KDP_TRACE_RECORD){ArchReadCycles(), Event, A, B};
    ArchRestoreInterrupts(Enabled);
}

/* The newest record that has not been printed yet: Left[p] of processor p's are left. NULL: none anywhere. */
static KDP_TRACE_RECORD *KdpNewestTrace(ULONG64 *Left, ULONG *Processor)
{
    KDP_TRACE_RECORD *Newest = NULL;

    for (ULONG i = 0; i < MAXIMUM_PROCESSORS; i++) {
        if (Left[i] == 0 || Left[i] + KDP_TRACE_RECORDS <= KdpTrace[i].Next) {
            continue; /* never written, or overwritten since */
        }
        KDP_TRACE_RECORD *Record = &KdpTrace[i].Record[(Left[i] - 1) % KDP_TRACE_RECORDS];
        if (Newest == NULL || Record->Cycles > Newest->Cycles) {
            Newest = Record;
            *Processor = i;
        }
    }
    return Newest;
}

void KdpPrintTrace(ULONG Count)
{
    static ULONG64 Left[MAXIMUM_PROCESSORS]; /* the bug check's owner is the only caller */
    ULONG64 Now = ArchReadCycles();
    ULONG Processor = 0;

    for (ULONG i = 0; i < MAXIMUM_PROCESSORS; i++) {
        Left[i] = KdpTrace[i].Next;
    }
    DbgPrint("trace, newest first (cycles ago, processor, event):\n");
    while (Count-- != 0) {
        KDP_TRACE_RECORD *Record = KdpNewestTrace(Left, &Processor);
        if (Record == NULL) {
            break;
        }
        const char *Name = Record->Event < KdTraceEventCount ? KdpTraceName[Record->Event] : NULL;
        DbgPrint("  -%-12I64u %2u %-9s %I64x %I64x\n", Now - Record->Cycles, Processor,
                 Name != NULL ? Name : "?", Record->A, Record->B);
        Left[Processor]--;
    }
}

#else

void KdpPrintTrace(ULONG Count)
{
}

#endif
