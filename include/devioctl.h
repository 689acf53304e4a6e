/* SPDX-License-Identifier: MIT */
/* Control codes and types of devices: for drivers and for the programs that open their devices. */
#ifndef PRIMER_DEVIOCTL_H
#define PRIMER_DEVIOCTL_H

#include <ntdef.h>

typedef ULONG DEVICE_TYPE;

#define FILE_DEVICE_BEEP          0x00000001
#define FILE_DEVICE_DISK          0x00000007
#define FILE_DEVICE_FILE_SYSTEM   0x00000009
#define FILE_DEVICE_KEYBOARD      0x0000000b
#define FILE_DEVICE_NULL          0x00000015
#define FILE_DEVICE_SERIAL_PORT   0x0000001b
#define FILE_DEVICE_UNKNOWN       0x00000022
#define FILE_DEVICE_VIRTUAL_DISK  0x00000024
#define FILE_DEVICE_CONSOLE       0x00000050

/* A control code: the device's type, the rights that the handle needs, the function, and how the buffers
   travel. */
#define CTL_CODE(DeviceType, Function, Method, Access) \
    (((ULONG)(DeviceType) << 16) | ((Access) << 14) | ((Function) << 2) | (Method))
#define DEVICE_TYPE_FROM_CTL_CODE(Code) (((ULONG)((Code) & 0xffff0000)) >> 16)
#define METHOD_FROM_CTL_CODE(Code)      ((ULONG)((Code) & 3))

#define METHOD_BUFFERED   0
#define METHOD_IN_DIRECT  1
#define METHOD_OUT_DIRECT 2
#define METHOD_NEITHER    3

#define FILE_ANY_ACCESS     0
#define FILE_SPECIAL_ACCESS FILE_ANY_ACCESS
#define FILE_READ_ACCESS    0x0001
#define FILE_WRITE_ACCESS   0x0002

#endif
