/* SPDX-License-Identifier: MIT */
/*
 * kdstub: a stub for GDB's remote protocol in the kernel itself, and keys that show what a stuck machine
 * does.
 *
 *   main.c      comes and goes; what the kernel calls
 *   stop.c      stops and resumes the processors: who owns the machine, single steps
 *   session.c   while it is stopped: GDB's packets
 *   threads.c   kernel threads as GDB's threads, their registers
 *   report.c    processors, threads, waits and locks in words: monitor commands and keys
 *   breaks.c    break points and watch points
 *   memory.c    memory by the page tables, through the direct map
 *   port.c      the serial port, and packets on it
 *
 * All but main.c's coming and going runs on the one processor that owns the stopped machine, with interrupts
 * off, in the handler of an NMI or of a debug trap. So there is no lock, and what follows is static and
 * guarded by the ownership (o), unless it says otherwise.
 */
#ifndef KDSTUB_STUB_H
#define KDSTUB_STUB_H

#include "x86.h"
#include <kdhooks.h>
#include <ntstrsafe.h>

#define STUB_PROCESSORS 64
#define STUB_NOBODY     0xffffffffu
#define STUB_TEXT       256

/* ---- stop.c ---- */

/* Why the machine has stopped. */
typedef enum _STUB_REASON {
    StubReasonInput,    /* GDB has something to say, or a key was pressed */
    StubReasonSignal,   /* ^C, DbgBreakPoint, a bug check, the end of a step */
    StubReasonSoftware, /* a software break point */
    StubReasonHardware,
    StubReasonWatch,
} STUB_REASON;

#define SIGNAL_INT  2
#define SIGNAL_TRAP 5
#define SIGNAL_ABRT 6

typedef struct _STUB_EVENT {
    STUB_REASON Reason;
    UCHAR Signal;
    ULONG64 Address; /* of a watch point, or of the break point */
    PCSTR Kind;      /* of a watch point: "watch", "rwatch", "awatch" */
} STUB_EVENT;

/* What the session wants next. */
typedef struct _STUB_RESUME {
    PKTHREAD Step;       /* this thread makes one step, NULL: none does */
    bool Alone;          /* nobody else runs meanwhile */
    ULONG64 Start, End;  /* steps on while it is in there */
} STUB_RESUME;

/* The frame at which a processor stands; NULL: it has not answered. */
PKTRAP_FRAME StubFrame(ULONG Processor);
/* The machine ends when it resumes. */
extern bool StubIsDying;

/* ---- session.c ---- */

/* What came while the machine ran: keys are answered. TRUE: ^C or a packet is next, the machine is to
   stop. */
bool StubInputStops(VOID);
/* Until the machine is to run; called by the owner. */
VOID StubSession(ULONG Self, const STUB_EVENT *Event, STUB_RESUME *Resume);

/* ---- threads.c ---- */

#define STUB_REGISTERS 42

PKTHREAD StubCurrentThread(ULONG Processor);
/* GDB's number of a thread: its id; odd for an idle thread: 4n + 1 of processor n. 0 for none. */
ULONG StubThreadId(PKTHREAD Thread);
PKTHREAD StubFindThread(ULONG Id);
/* The thread after this one; NULL: the first. */
PKTHREAD StubNextThread(PKTHREAD Thread);
/* On which processor it runs; STUB_NOBODY: on none. */
ULONG StubRunsOn(PKTHREAD Thread);
/* Of a thread that does not run: its saved context, if it can be read. */
PKSWITCH_FRAME StubSaved(PKTHREAD Thread);
/* A register's bytes, or NULL where the thread has none to show. *Size: of the register. */
UCHAR *StubRegister(PKTHREAD Thread, ULONG Number, ULONG *Size);
/* Where it stands, and its frame pointer. FALSE: nobody knows. */
bool StubPlace(PKTHREAD Thread, ULONG64 *Rip, ULONG64 *Rbp);
VOID StubProcessName(const KD_THREAD *Thread, PSTR Buffer, SIZE_T Size);
/* "Waiting for WrQueue, priority 8, kernel" */
VOID StubDescribe(PKTHREAD Thread, PSTR Buffer, SIZE_T Size);
/* "System/worker" */
VOID StubThreadName(PKTHREAD Thread, PSTR Buffer, SIZE_T Size);
PCSTR StubWaitReason(UCHAR Reason);

/* ---- report.c ---- */

/* Carries out a monitor command, whose output goes to Write. FALSE: there is no such command. */
bool StubMonitor(PCSTR Command, VOID (*Write)(PCSTR Text, SIZE_T Length));
/* A key, its answer on the port itself. */
VOID StubKey(UCHAR Key);

/* ---- breaks.c ---- */

typedef enum _STUB_BREAK {
    StubSoftware, /* in the order of GDB's packets Z0 to Z4 */
    StubExecute,
    StubWrite,
    StubRead,
    StubAccess,
} STUB_BREAK;

bool StubInsertBreak(STUB_BREAK Kind, ULONG64 Address, ULONG64 Size);
bool StubRemoveBreak(STUB_BREAK Kind, ULONG64 Address, ULONG64 Size);
VOID StubForgetBreaks(VOID);
/* Into the code, and out of it. The second may come from any processor, for one address alone (0: all). */
VOID StubPlantBreaks(VOID);
VOID StubPullBreaks(ULONG64 Address);
bool StubIsBreak(ULONG64 Address);
/* Debug registers of this processor: as they are to be while the machine runs, and off. */
VOID StubLoadDebugRegisters(VOID);
VOID StubClearDebugRegisters(VOID);
/* What a debug exception's DR6 says of our points. FALSE: nothing. */
bool StubFindHit(ULONG64 Dr6, STUB_EVENT *Event);
/* FALSE: GDB has taken away the point that the event came from. */
bool StubIsStillThere(const STUB_EVENT *Event);
bool StubBreaksExecution(ULONG64 Address);

/* ---- memory.c ---- */

bool StubInitializeMemory(VOID);
/* Of the address space of these page tables: how much of it could be read. Write: all or nothing but for what
   precedes a page that cannot be written. */
SIZE_T StubReadMemory(ULONG64 Root, ULONG64 Address, VOID *Buffer, SIZE_T Size);
bool StubWriteMemory(ULONG64 Root, ULONG64 Address, const VOID *Data, SIZE_T Size);
/* Of the kernel's half. */
bool StubReadKernel(ULONG64 Address, VOID *Buffer, SIZE_T Size);
/* The kernel may touch [Address, Address + Size) by itself. */
bool StubIsReadable(const VOID *Address, SIZE_T Size);

/* ---- port.c ---- */

bool StubInitializePort(VOID);
/* Does a received byte interrupt? */
VOID StubListen(bool On);
bool StubHasInput(VOID);
UCHAR StubGetByte(VOID);
/* It is read once more. */
VOID StubUngetByte(UCHAR Byte);
VOID StubPutText(PCSTR Text, SIZE_T Length);

#define STUB_PACKET 0x4000

extern bool StubAttached;    /* GDB is there, as far as is known */
extern bool StubInterrupted; /* ^C has come while the machine stood: it does not go on before that is reported */
/* The next packet, without frame, NUL behind it; its length. Keys are answered meanwhile. */
SIZE_T StubReceive(PSTR *Packet);
/* The answer is put together piece by piece. */
VOID StubBegin(PCSTR Text);
VOID StubSetFirst(char C);
VOID StubAppend(PCSTR Format, ...);
VOID StubAppendBytes(const VOID *Data, SIZE_T Size);  /* in hex */
VOID StubAppendBinary(const VOID *Data, SIZE_T Size); /* with escapes */
SIZE_T StubRoom(VOID);
VOID StubSend(VOID);
/* No packet is acknowledged any more. */
VOID StubEndAcknowledgements(VOID);

/* Reads a number in hex, and moves *Text behind it. */
ULONG64 StubNumber(PCSTR *Text);
/* Size bytes in hex. FALSE: too few digits. */
bool StubBytes(PCSTR Text, VOID *Data, SIZE_T Size);

#endif
