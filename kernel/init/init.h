/* SPDX-License-Identifier: MIT */
/* What only start-up calls and no component's own header offers. */
#ifndef PRIMER_INIT_H
#define PRIMER_INIT_H

#include <ntddk.h>

void KiInitializeTimers(void);      /* sync */
void ExpInitializePushLocks(void);  /* sync */
void KeStartClock(void);            /* ke: this processor's timer; DISPATCH */
/* The first process, from the boot archives, with the console as its standard handles. *Process: referenced. (ps) */
NTSTATUS PsCreateInitialProcess(const char *ArchivePath, PEPROCESS *Process);

#endif
