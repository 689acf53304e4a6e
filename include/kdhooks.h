/* SPDX-License-Identifier: MIT */
/*
 * What a debugger module and the kernel say to each other: the kernel's calls into the module (KD_DEBUGGER),
 * and what the module may ask while it has stopped the machine (KdServices). drivers/kdstub is one;
 * docs/kdstub.md tells how it works.
 *
 * While all processors but one stand still, any lock may be held by one of them. So nothing here waits, takes
 * a lock, allocates, faults or writes to the log, but for what says PASSIVE_LEVEL.
 */
#ifndef PRIMER_KDHOOKS_H
#define PRIMER_KDHOOKS_H

#include <ktrap.h>
#include <ntddk.h>

/* ---- From the kernel to the debugger ---- */

#define KD_DEBUGGER_VERSION 1

/* All are called with interrupts off, on any stack. Processor: the number of the one that calls. */
typedef struct _KD_DEBUGGER {
    ULONG Version;
    /* A break point or debug exception, in either mode, before anything else has seen it; DR6 is as the
       processor left it. TRUE: it was the debugger's, the frame (perhaps changed) goes on. FALSE: it takes
       its usual way. */
    BOOLEAN (*Trap)(ULONG Processor, PKTRAP_FRAME Frame);
    /* An NMI, which blocks others until it returns. FALSE: not the debugger's. */
    BOOLEAN (*Nmi)(ULONG Processor, PKTRAP_FRAME Frame);
    /* A bug check, after its report: the other processors stand still for good. Frame: of the fault, or NULL.
       The machine ends when it returns. */
    VOID (*BugCheck)(ULONG Processor, ULONG Code, PKTRAP_FRAME Frame);
} KD_DEBUGGER, *PKD_DEBUGGER;

/* Installs the debugger, whose table must stay; NULL takes it away: no processor is in it any more when each
   has taken an interrupt after that (KeIpiGenericCall), for the hooks run with interrupts off.
   STATUS_ALREADY_REGISTERED: there is one; STATUS_INVALID_PARAMETER: of another version. Any IRQL. */
NTSTATUS KdSetDebugger(_In_opt_ const KD_DEBUGGER *Debugger);

/* ---- From the debugger to the kernel ---- */

/* Where physical memory is mapped: RAM, and nothing else. */
#define KD_DIRECT_MAP 0xffff800000000000UL

typedef struct _KD_PROCESSOR {
    PVOID Prcb;              /* its control block, to which GS points */
    PKTHREAD Thread;         /* runs there */
    PKTHREAD IdleThread;
    PKTRAP_FRAME Frozen;     /* a bug check has frozen it here; NULL: it has not */
    ULONG64 Interrupts, Dpcs; /* how many there were: does it live? */
    ULONG ReadySummary;      /* a bit for each priority at which a thread waits for it */
    UCHAR Irql;
    BOOLEAN InDpc;
} KD_PROCESSOR, *PKD_PROCESSOR;

typedef struct _KD_THREAD {
    CLIENT_ID Id;         /* of an idle thread: 0, 0 */
    PKTHREAD Thread;
    UCHAR State;          /* Initialized, Ready, Running, Standby, Terminated, Waiting: from 0 on */
    SCHAR Priority;       /* -1: an idle thread */
    UCHAR WaitReason;     /* KWAIT_REASON, of one that waits */
    BOOLEAN Stopped;      /* its context is saved */
    ULONG Processor;      /* runs, is queued or ran last there */
    ULONG WaitCount;      /* of one that waits: how many objects it may wait for, and the blocks that tell which ... */
    PKWAIT_BLOCK WaitBlocks; /* ... their BlockState is not 0; the driver's own memory */
    PKSWITCH_FRAME Saved; /* the saved context, valid if Stopped */
    ULONG64 PageTables;   /* physical address of the top level, its own process's */
    UNICODE_STRING Image; /* the process's program; its memory may be changing */
    UNICODE_STRING Name;  /* likewise */
    PCSTR Subsystem;
} KD_THREAD, *PKD_THREAD;

typedef struct _KD_SERVICES {
    /* Has an ISA interrupt line cause an NMI on the processor (Irql HIGH_LEVEL; Routine and Context NULL), or
       nothing any more. STATUS_INSUFFICIENT_RESOURCES: no interrupt controller has the line.
       PASSIVE_LEVEL. */
    NTSTATUS (*ConnectInterrupt)(ULONG IsaLine, KIRQL Irql, ULONG Processor, VOID (*Routine)(PVOID), PVOID Context);
    VOID (*DisconnectInterrupt)(ULONG IsaLine);
    /* Sends an NMI to each processor of the mask. */
    VOID (*SendNmi)(KAFFINITY Processors);
    /* So many cycles of the time-stamp counter have not been: no clock, deadline, watch or quantum counts
       them. All processors but the caller's stand still. */
    VOID (*SkipTime)(ULONG64 Cycles);
    /* FALSE: there is no such processor. */
    BOOLEAN (*QueryProcessor)(ULONG Processor, PKD_PROCESSOR Information);
    /* Of a thread that one of these routines has given. */
    VOID (*QueryThread)(PKTHREAD Thread, PKD_THREAD Information);
    /* The thread with the smallest id above *Id, which is stored there; NULL: no more. Idle threads have no
       id. */
    PKTHREAD (*NextThread)(PULONG Id);
    /* "bug!Lock", "KeSetEvent+0x12", "pool 'Test'+0x10", or the address: in Buffer, which is returned. */
    PCSTR (*Name)(PCVOID Address, PSTR Buffer, SIZE_T Size);
    /* Who holds and who waits for which lock, and a circle of those that wait for each other (debug builds):
       in words, which go to Write in pieces. */
    VOID (*ReportLocks)(VOID (*Write)(PCSTR Text, SIZE_T Length));
} KD_SERVICES;

extern const KD_SERVICES KdServices;

#endif
