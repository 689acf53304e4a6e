/* SPDX-License-Identifier: MIT */
#pragma once
#include "../ktest.h"
#include "control.h"

typedef struct _EXTENSION {
    KSPIN_LOCK Lock;
    LIST_ENTRY Held;       /* (Lock) IRPs of IOCTL_HOLD */
    DEVICES_COUNTS Counts; /* interlocked */
    UCHAR Stored[64];      /* what was written last */
    ULONG StoredLength;
} EXTENSION, *PEXTENSION;

extern PDEVICE_OBJECT TestDevice, AloneDevice, DirectDevice;
NTSTATUS MakeDevices(PDRIVER_OBJECT Driver);
VOID DeleteDevices(VOID);
VOID RunDeviceTests(PDRIVER_OBJECT Driver);
VOID RunMdlTests(VOID);
VOID RunQueueTests(VOID);
ULONG ReleaseHeld(PEXTENSION Extension);
