/* SPDX-License-Identifier: MIT */
/*
 * The trace: what happened on each processor, in records of 32 bytes with the time. docs/tracing.md tells how
 * one is taken and read; tools/trace reads the two tables below out of this file.
 *
 * Each record belongs to a class, and is written while the class is on: option trace=BITS at the start,
 * KdSetTraceClasses later. A class that is off costs one test of a bit.
 */
#ifndef PRIMER_KDTRACE_H
#define PRIMER_KDTRACE_H

#include <ntdef.h>

/* The classes, a bit each. */
#define KD_TRACE_CLASSES(X)                                                                                              \
    X(SWITCH, "switch")       /* a processor goes from one thread to another */                                        \
    X(READY, "ready")         /* a thread may run from now on; its processor is another one from now on */              \
    X(WAIT, "wait")                                                                                                    \
    X(PRIORITY, "priority")                                                                                            \
    X(IPI, "ipi")                                                                                                      \
    X(INTERRUPT, "interrupt")                                                                                          \
    X(DPC, "dpc")                                                                                                      \
    X(CALL, "call")           /* system calls, of native and subsystem programs */                                     \
    X(FAULT, "fault")         /* page faults, and exceptions */                                                        \
    X(PROCESS, "process")     /* processes and threads come and go */                                                  \
    X(CALLBACK, "callback")   /* notify routines are called */                                                         \
    X(LOCK, "lock")           /* somebody has spun for a lock */                                                       \
    X(MARK, "mark")           /* what a driver writes */                                                               \
    X(PROFILE, "profile")     /* samples of what runs: with the option trace.hz=N, by the processor's timer */

/* The records, each of a class. n: the record's 32-bit number; A, B: its two words. The current thread is
   that of the last switch on the processor. */
#define KD_TRACE_EVENTS(X)                                                                                               \
    X(Switch, SWITCH)          /* n: why (KD_TRACE_WHY), old's priority << 8, new's << 16 (255: idle); A: old; B: new */ \
    X(Ready, READY)            /* n: processor, former state << 8, priority << 16; A: thread */                        \
    X(WaitBegin, WAIT)         /* n: reason; A: object, the first of several (0: only time); B: due (-1: never) */     \
    X(WaitEnd, WAIT)           /* n: how (waitword.h); A: which of several */                                         \
    X(Priority, PRIORITY)      /* n: new, old << 8; A: thread */                                                       \
    X(Migrate, READY)          /* n: to; A: thread; B: from */                                                         \
    X(IpiSend, IPI)            /* n: to; A: KIPI_* */                                                                  \
    X(IpiReceive, IPI)         /* A: KIPI_* */                                                                         \
    X(InterruptBegin, INTERRUPT) /* n: vector; A: interrupted instruction */                                           \
    X(InterruptEnd, INTERRUPT) /* n: vector */                                                                         \
    X(DpcBegin, DPC)           /* n: 1 threaded; A: routine; B: DPC */                                                 \
    X(DpcEnd, DPC)             /* A: routine */                                                                        \
    X(CallBegin, CALL)         /* n: number; A: who serves it; B: first argument */                                    \
    X(CallEnd, CALL)           /* A: result. None when the call does not return */                                     \
    X(FaultBegin, FAULT)       /* n: access; A: address; B: instruction */                                             \
    X(FaultEnd, FAULT)         /* n: status */                                                                         \
    X(Exception, FAULT)        /* n: status; A: instruction */                                                         \
    X(ProcessCreate, PROCESS)  /* n: id; A: its object; B: the subsystem, 8 characters */                                \
    X(ProcessName, PROCESS)    /* n: id; A, B: the last 16 characters of the image's name */                           \
    X(ProcessExit, PROCESS)    /* n: id; A: status */                                                                  \
    X(ThreadCreate, PROCESS)   /* n: id; A: thread; B: process's id */                                                 \
    X(ThreadStart, PROCESS)    /* n: id; A: thread; B: first instruction */                                            \
    X(ThreadExit, PROCESS)     /* n: id; A: status */                                                                  \
    X(CallbackBegin, CALLBACK) /* A: routine */                                                                        \
    X(CallbackEnd, CALLBACK)   /* A: routine */                                                                        \
    X(Contention, LOCK)        /* A: lock, just acquired; B: cycles spun */                                            \
    X(Mark, MARK)              /* n, A, B: the driver's; n KD_TRACE_NAME: a name. A: address; B: 8 characters */       \
    X(Sample, PROFILE)         /* n: 0, user mode << 8; A: instruction; B: thread */                                   \
    X(Frames, PROFILE)         /* follows a sample. A, B: the next two return addresses outwards, 0: none */

#define X(Name, Text) KdTraceClass##Name,
enum {
    KD_TRACE_CLASSES(X)
    KdTraceClassCount
};
#undef X

#define X(Name, Class) KdTrace##Name,
typedef enum _KD_TRACE_EVENT {
    KD_TRACE_EVENTS(X)
    KdTraceEventCount
} KD_TRACE_EVENT;
#undef X

/* The bits of each event: KD_TRACE_BIT_Switch ... */
#define X(Name, Class) KdTraceBit##Name = 1 << KdTraceClass##Class,
enum {
    KD_TRACE_EVENTS(X)
};
#undef X

/* Why a processor leaves a thread. */
typedef enum _KD_TRACE_WHY {
    KdTraceWaits,
    KdTracePreempted,
    KdTraceYields,
    KdTraceQuantumEnd,
    KdTraceExits,
    KdTraceIdle /* it was the idle thread */
} KD_TRACE_WHY;

typedef struct _KD_TRACE_RECORD {
    ULONG64 Cycles; /* the time-stamp counter */
    ULONG Event;    /* KD_TRACE_EVENT */
    ULONG Number;
    ULONG64 A, B;
} KD_TRACE_RECORD;

/* ---- For drivers ---- */

/* Writes a record of the driver's own into the trace, if the class "mark" is on. Any IRQL; does not block.
   (no WDK page) */
VOID KdMarkTrace(_In_ ULONG Number, _In_ ULONG64 A, _In_ ULONG64 B);
/* Sets which classes are on (a bit each, 1 << KdTraceClassSWITCH ...); returns which were. Any IRQL. (no WDK
   page) */
ULONG KdSetTraceClasses(_In_ ULONG Classes);

/* Gives an object or thread a name in the trace, of up to 8 characters, by a mark. */
#define KD_TRACE_NAME 0xffffffff
static inline VOID KdNameForTrace(_In_ PVOID Address, _In_ PCSTR Name)
{
    ULONG64 Text = 0;
    for (ULONG i = 0; i < sizeof(Text) && Name[i] != 0; i++) {
        Text |= (ULONG64)(UCHAR)Name[i] << i * 8;
    }
    KdMarkTrace(KD_TRACE_NAME, (ULONG64)Address, Text);
}

#endif
