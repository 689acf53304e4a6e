/* SPDX-License-Identifier: MIT */
/* What the test driver `devices` understands: for its own checks, and for the program user/devices. */
#pragma once

#include <ntfile.h>

#define DEVICES_NAME L"\\Device\\Devices"
#define DEVICES_LINK L"\\??\\Devices"
#define ALONE_NAME   L"\\Device\\Alone" /* exclusive, without a name for programs */

#define DEVICES_CODE(Function, Method, Access) CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800 + (Function), Method, Access)
#define IOCTL_ECHO     DEVICES_CODE(0, METHOD_BUFFERED, FILE_ANY_ACCESS)   /* output: the input */
#define IOCTL_HOLD     DEVICES_CODE(1, METHOD_BUFFERED, FILE_ANY_ACCESS)   /* held until it is released, or cancelled */
#define IOCTL_RELEASE  DEVICES_CODE(2, METHOD_BUFFERED, FILE_ANY_ACCESS)   /* completes all that are held; Information: how many */
#define IOCTL_COUNTS   DEVICES_CODE(3, METHOD_BUFFERED, FILE_ANY_ACCESS)   /* output: DEVICES_COUNTS */
#define IOCTL_WARN     DEVICES_CODE(4, METHOD_BUFFERED, FILE_ANY_ACCESS)   /* STATUS_BUFFER_OVERFLOW with 4 bytes of input */
#define IOCTL_FAIL     DEVICES_CODE(5, METHOD_BUFFERED, FILE_ANY_ACCESS)   /* an error: no output is copied */
#define IOCTL_RAW      DEVICES_CODE(6, METHOD_NEITHER, FILE_ANY_ACCESS)    /* output: the ULONG at the input, plus 1 */
#define IOCTL_DIRECT   DEVICES_CODE(7, METHOD_OUT_DIRECT, FILE_ANY_ACCESS) /* output: bytes of the input, over and over */
#define IOCTL_GUARDED  DEVICES_CODE(8, METHOD_BUFFERED, FILE_WRITE_ACCESS) /* needs the right to write */
#define IOCTL_TOO_MUCH DEVICES_CODE(9, METHOD_BUFFERED, FILE_ANY_ACCESS)   /* says that it has given more than fits */
#define IOCTL_SUM      DEVICES_CODE(11, METHOD_IN_DIRECT, FILE_ANY_ACCESS) /* Information: the sum of the bytes of the output buffer */
#define IOCTL_HOLD_DIRECT DEVICES_CODE(12, METHOD_OUT_DIRECT, FILE_ANY_ACCESS) /* held; filled with DIRECT_FILL when it is released */
#define DIRECT_FILL    0x77
#define DIRECT_NAME    L"\\Device\\Direct" /* DO_DIRECT_IO: reads are filled with DIRECT_FILL, writes give their sum */
#define IOCTL_WHO      DEVICES_CODE(10, METHOD_BUFFERED, FILE_ANY_ACCESS)  /* output: the id of the process that asks */

typedef struct _DEVICES_COUNTS {
    LONG Creates, Cleanups, Closes;
    LONG Held, Cancelled;
} DEVICES_COUNTS;
