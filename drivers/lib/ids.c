/* SPDX-License-Identifier: MIT */
/* Ids, by what the kernel tells of threads and processes. */
#include <ntddk.h>

/* The id of the process that the thread belongs to, whatever it is attached to. Any IRQL; does not block.
   (WDK page of the name) */
HANDLE PsGetThreadProcessId(PETHREAD Thread)
{
    return PsGetProcessId(PsGetThreadProcess(Thread));
}

/* The id of the process that the current thread belongs to, whatever it is attached to. Any IRQL; does not
   block. (WDK page of the name) */
HANDLE PsGetCurrentProcessId(VOID)
{
    return PsGetThreadProcessId(PsGetCurrentThread());
}

/* The number of the process's session: 0, there is one. Any IRQL; does not block. (no WDK page) */
ULONG PsGetProcessSessionId(PEPROCESS Process)
{
    return 0;
}

/* The process of the thread that has made the request; not referenced. NULL: no thread's. <= DISPATCH_LEVEL.
   (WDK page of the name) */
PEPROCESS IoGetRequestorProcess(PIRP Irp)
{
    PETHREAD Thread = Irp->Tail.Overlay.Thread;

    return Thread != NULL ? PsGetThreadProcess(Thread) : NULL;
}

/* Its id; 0: no thread's. <= DISPATCH_LEVEL. (WDK page of the name) */
ULONG IoGetRequestorProcessId(PIRP Irp)
{
    PEPROCESS Process = IoGetRequestorProcess(Irp);

    return Process != NULL ? HandleToULong(PsGetProcessId(Process)) : 0;
}
