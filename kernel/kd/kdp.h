/* SPDX-License-Identifier: MIT */
/* Private to kd: how its files reach each other. */
#ifndef PRIMER_KDP_H
#define PRIMER_KDP_H

#include "kernel/kd/kd.h"
#include "kernel/ke/ke.h" /* the layout of KPRCB only: all else comes by KdHooks */

/* The processor that runs the bug check; KDP_NOBODY before there is one. Claimed by compare-and-swap, never
   given back. */
#define KDP_NOBODY 0xffffffffu
extern volatile ULONG KdpOwner;

/* From here on the log takes no lock (its holder may be frozen) and only the bug check's owner writes.
   (log.c) */
void KdpTakeOverLog(void);

/* Prints "KeSetEvent+0x12", "watch!WatchProcess+0x7", or nothing when nobody knows the address.
   (symbols.c) */
void KdpPrintSymbol(ULONG64 Address, bool IsReturn);
/* The same into a buffer; false, and nothing written, when nobody knows the address. (symbols.c) */
bool KdpFormatSymbol(ULONG64 Address, bool IsReturn, char *Buffer, SIZE_T Size);
/* While it is not NULL, what this processor, which alone runs, would write to the log goes there. (log.c) */
extern void (*KdpSink)(const char *Text, SIZE_T Length);
/* A debugger's, if there is one. (debugger.c) */
bool KdpDebuggerTakesNmi(PKTRAP_FRAME Frame);
void KdpEnterDebugger(ULONG Code, PKTRAP_FRAME Frame);

/* A lock (0: free) of kd's own: unlike others it is not checked itself. Interrupts are off while it is
   held. */
static inline bool KdpAcquireRaw(volatile UCHAR *Lock)
{
    bool Enabled = ArchDisableInterrupts();
    while (__atomic_exchange_n(Lock, 1, __ATOMIC_ACQUIRE) != 0) {
        ArchPause();
    }
    return Enabled;
}

static inline void KdpReleaseRaw(volatile UCHAR *Lock, bool Enabled)
{
    __atomic_store_n(Lock, 0, __ATOMIC_RELEASE);
    ArchRestoreInterrupts(Enabled);
}

/* Drivers' routines, after the report. (callbacks.c) */
void KdpCallCallbacks(void);

/* "thread 0x... (4.8)" (bugcheck.c) */
void KdpPrintThread(PKTHREAD Thread);
/* From here on the kernel's own are known; how many. */
ULONG KdpInitializeSymbols(void);

/* The newest Count trace records of each processor, newest first. (trace.c) */
void KdpPrintTrace(ULONG Count);

#if DBG
/* "KeFoo+0x12 < DriverEntry+0x34": return addresses up to the first 0. (heldlocks.c) */
void KdpPrintPlaces(const ULONG64 *Place, ULONG Count);

#define KDP_STACK_SIZE 0x4000 /* no frame is further from its caller's */

/* Return addresses by frame pointers, as long as these stay on one stack; zeros behind the last. */
static inline void KdpCapturePlace(ULONG64 *Place, ULONG Count, const void *Frame)
{
    const ULONG64 *Link = Frame;
    for (ULONG i = 0; i < Count; i++) {
        Place[i] = Link[1];
        const ULONG64 *Next = (const ULONG64 *)Link[0];
        if ((ULONG64)Next - (ULONG64)Link > KDP_STACK_SIZE || ((ULONG64)Next & 7) != 0 || Next == Link) {
            while (++i < Count) {
                Place[i] = 0;
            }
            return;
        }
        Link = Next;
    }
}

/* Lock is wanted while Held is held, both of ordered classes: an edge of the order graph. (lockorder.c) */
void KdpCheckOrder(KD_LOCK *Held, const void *Lock, KD_LOCK_CLASS *Class, const void *Frame);
/* All lists of locks that were ever used. (heldlocks.c) */
extern volatile UCHAR KdpListLock;
extern LIST_ENTRY KdpLists; /* (KdpListLock) */
/* Is the owner of the list surely who holds this? */
bool KdpIsBelieved(const KD_LOCK *Entry);
/* "processor 1", or the thread */
void KdpPrintOwner(const KD_LOCK_LIST *List);
/* The list's entry of a lock that its owner holds, or NULL. (waitgraph.c) */
const KD_LOCK *KdpHeldEntry(const KD_LOCK_LIST *List, const void *Lock);
/* A circle of threads or processors that wait for each other, if there is one. (waitgraph.c) */
void KdpPrintCircle(void);
/* The last edges and their stacks that KdpCheckOrder has found to close a circle; nothing when it has not.
   (lockorder.c) */
void KdpPrintOrderCycle(void);
/* Every lock that is held or waited for. For a machine that stands still. (heldlocks.c) */
void KdpPrintHeldLocks(void);
#else
#define KdpPrintHeldLocks()  ((void)0)
#define KdpPrintOrderCycle() ((void)0)
#define KdpPrintCircle()     ((void)0)
#endif

#endif
