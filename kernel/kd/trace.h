/* SPDX-License-Identifier: MIT */
/*
 * The trace for the components that write it: KdTrace(Switch, number, A, B). include/kdtrace.h lists the
 * records.
 */
#ifndef PRIMER_TRACE_H
#define PRIMER_TRACE_H

#include "arch/arch.h"
#include <kdtrace.h>

/* Which classes are on. Written seldom, and not volatile: the test of a bit, which is all that a class costs
   that is off, is one instruction so. */
extern ULONG KdTraceClasses;

/* Any IRQL and context but NMI. Called so that the usual way past a trace point has no register to save for
   it. Head: event, number in the upper half. */
void ARCH_KEEPS_REGISTERS KdTraceRecord(ARCH_IN_REGISTERS, ULONG64 Head, ULONG64 A, ULONG64 B);

#define KdTraces(Event) __builtin_expect((KdTraceClasses & KdTraceBit##Event) != 0, 0)
/* The same where the class is known to be on. */
#define KdWriteTrace(Event, Number, A, B)                                                                              \
    ArchCallKeeping(KdTraceRecord, (ULONG64)(ULONG)(Number) << 32 | KdTrace##Event, A, B)
#define KdTrace(Event, Number, A, B)                                                                                   \
    do {                                                                                                               \
        if (KdTraces(Event)) {                                                                                         \
            KdWriteTrace(Event, Number, A, B);                                                                         \
        }                                                                                                              \
    } while (0)

/* The rest of an acquisition that has found bit 0 set: spins until it has set it itself. */
void ARCH_KEEPS_REGISTERS KdSpinForBit(ARCH_IN_REGISTERS, volatile ULONG *Word);

/* The ring of a processor that has not started yet, or of the first one. Records: a power of two. False: Ring
   is NULL. */
bool KdAddTraceRing(ULONG Processor, KD_TRACE_RECORD *Ring, ULONG64 Records);
/* The end of the name of a process's image. PASSIVE_LEVEL. */
void KdNoteImageName(ULONG Process, PCUNICODE_STRING Name);
/* For a profile: what the interrupted code was doing, and who called it. */
void KdTakeSample(PKTRAP_FRAME Frame);

#endif
