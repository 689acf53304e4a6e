/* SPDX-License-Identifier: MIT */
/* The files of the module races. */
#ifndef RACES_H
#define RACES_H

#include "../ktest.h"
#include <primertest.h>

KTEST ResumedWithRegistersHeld;
PCSTR StartMeetsNext(PDRIVER_OBJECT DriverObject);

#endif
