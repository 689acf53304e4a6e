/* SPDX-License-Identifier: MIT */
/* What driver.c answers about the machine on which it runs. */
#ifndef PRIMER_LAB0_DRIVER_H
#define PRIMER_LAB0_DRIVER_H

#include <ntddk.h>

/* The number that the kernel's command line has as Name=NUMBER; 0: it has none. PASSIVE_LEVEL. */
ULONG OptionNumber(PCSTR Name);
/* Runs on each processor once. Seen[n] is incremented there for processor n; returns how many there are. PASSIVE_LEVEL. */
ULONG VisitProcessors(PULONG Seen);

#endif
