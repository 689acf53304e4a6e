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

/* Prints "KeSetEvent+0x12", "watch!WatchProcess+0x7", or nothing when nobody knows the address. (symbols.c) */
void KdpPrintSymbol(ULONG64 Address, bool IsReturn);
/* From here on the kernel's own are known; how many. */
ULONG KdpInitializeSymbols(void);

/* The newest Count trace records of all processors, newest first. (trace.c) */
void KdpPrintTrace(ULONG Count);

#endif
