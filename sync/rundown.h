/* SPDX-License-Identifier: MIT */
/* Run-down protection spread over several words, for kernel/ex/rundown.c. The words lie Stride bytes apart. */
#ifndef PRIMER_RUNDOWN_H
#define PRIMER_RUNDOWN_H

#include <ntddk.h>

/* As ExReleaseRundownProtectionEx, for users who may have come in at another word. */
void ExpReleaseRundownSlot(PEX_RUNDOWN_REF RunRef, ULONG Count);
/* As ExWaitForRundownProtectionRelease. */
void ExpWaitForRundownSlots(PEX_RUNDOWN_REF First, ULONG Slots, SIZE_T Stride);

#endif
