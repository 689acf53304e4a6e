/* SPDX-License-Identifier: MIT */
/* Run-down protection for the rest of the kernel: what is no documented routine. */
#ifndef PRIMER_RUNDOWN_H
#define PRIMER_RUNDOWN_H

#include <ntddk.h>

/* For kernel/ex/rundown.c: protection spread over several words, which lie Stride bytes apart. */

/* As ExReleaseRundownProtectionEx, for users who may have come in at another word. */
void ExpReleaseRundownSlot(PEX_RUNDOWN_REF RunRef, ULONG Count);
/* As ExWaitForRundownProtectionRelease. */
void ExpWaitForRundownSlots(PEX_RUNDOWN_REF First, ULONG Slots, SIZE_T Stride);

#endif
