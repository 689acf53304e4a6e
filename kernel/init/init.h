/* SPDX-License-Identifier: MIT */
/* What only start-up calls and no component's own header offers. */
#ifndef PRIMER_INIT_H
#define PRIMER_INIT_H

#include <ntddk.h>

void ExpInitializePushLocks(void);  /* sync */
void KeStartClock(void);            /* ke: this processor's timer; DISPATCH */
/* Starts native/init from the boot archives. *Process: referenced. PASSIVE. */
NTSTATUS InitCreateInitialProcess(const char *CommandLine, PEPROCESS *Process);

#endif
