/* SPDX-License-Identifier: MIT */
/*
 * A driver as people write it from the driver kit's pages: nothing of Primer's tree but <ntddk.h>. Each of
 * its files uses the synchronisation routines of some pages in the way that these describe, and checks what
 * they promise.
 */
#pragma once

#include <ntddk.h>

#define SYNC_POOL_TAG 'cnyS'

/* What a device object's extension would hold. */
typedef struct _DEVICE_EXTENSION {
    ULONG Processors;
    KSPIN_LOCK Lock;
    LONG Total; /* (Lock) */
    KEVENT Started;
    KEVENT Stop;
    IO_REMOVE_LOCK RemoveLock;
    ULONG Failures;
} DEVICE_EXTENSION, *PDEVICE_EXTENSION;

typedef VOID SYNC_TEST(_Inout_ PDEVICE_EXTENSION Extension);

#define CHECK(Expression)                                                                                    \
    do {                                                                                                     \
        if (!(Expression)) {                                                                                 \
            Extension->Failures++;                                                                           \
            DbgPrint("%s:%u: %s\n", __FILE__, __LINE__, #Expression);                                        \
        }                                                                                                    \
    } while (0)

#define RELATIVE_MS(Milliseconds) (-(LONGLONG)(Milliseconds)*10000)

NTSTATUS SyncStartThread(_In_ PKSTART_ROUTINE Routine, _In_opt_ PVOID Context, _Outptr_ PKTHREAD *Thread);
VOID SyncJoinThread(_In_ PKTHREAD Thread);
VOID SyncSleep(_In_ ULONG Milliseconds);
/* Waits until Expression, which others make true, holds; FALSE after ten seconds. */
#define SyncUntil(Expression)                                                                                \
    ({                                                                                                       \
        ULONG Turns_ = 0;                                                                                    \
        while (!(Expression) && Turns_++ < 1000) {                                                           \
            SyncSleep(10);                                                                                   \
        }                                                                                                    \
        (Expression);                                                                                        \
    })

SYNC_TEST SyncTestEvents, SyncTestSemaphores, SyncTestMutexes, SyncTestMultiple, SyncTestTimers,
    SyncTestQueues;
SYNC_TEST SyncTestSpinLocks, SyncTestReaderWriter, SyncTestFastMutexes, SyncTestPushLocks, SyncTestResources;
SYNC_TEST SyncTestRundown, SyncTestRemoveLock, SyncTestInterrupt;
SYNC_TEST SyncTestDpcs, SyncTestThreadedDpc, SyncTestApcs, SyncTestWorkItems, SyncTestCallbacks;
SYNC_TEST SyncTestLists, SyncTestSLists, SyncTestLookasides, SyncTestDeviceQueue, SyncTestInterlocked;
SYNC_TEST SyncTestProcessors, SyncTestThreads, SyncTestTimes, SyncTestExceptions, SyncTestIrql;
