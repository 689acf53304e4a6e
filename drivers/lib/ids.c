/* SPDX-License-Identifier: MIT */
/* Ids, by what the kernel tells of threads and processes. */
#include <ntddk.h>

/* The id of the process that the thread belongs to, whatever it is attached to. Any IRQL; does not block. (WDK page of the
   name) */
HANDLE PsGetThreadProcessId(PETHREAD Thread)
{
    return PsGetProcessId(PsGetThreadProcess(Thread));
}
