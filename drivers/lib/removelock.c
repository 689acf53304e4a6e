/* SPDX-License-Identifier: MIT */
/*
 * Remove locks: a driver counts the operations that use a device, and waits for the last of them before it
 * removes the device. IoCount starts at 1, for the device itself; whoever removes it gives that up together
 * with its own acquisition. Nobody raises it from 0 again: it becomes 0 once, so that RemoveEvent is set
 * once, by the last user, and no user touches the lock any more when the remover goes on and frees its
 * memory.
 *
 * Debug builds keep each acquisition with its tag in a list (Dbg.Spin guards it), so that a release of what
 * was not acquired with that tag is noticed at once. Where memory for the list is out, acquisitions are only
 * counted.
 */
#include <ntddk.h>

#define DRIVER_VERIFIER_DETECTED_VIOLATION 0xC4
#define NOT_HELD 0x1007 /* released without having been acquired; both: docs/bugchecks.md */

/* Makes a lock in resident memory of the caller's. AllocateTag is for the list's memory. MaxLockedMinutes (0:
   any time) and HighWatermark (0: any number) are what debug builds report as too long and too many.
   PASSIVE_LEVEL. (WDK page IoInitializeRemoveLock) */
VOID IoInitializeRemoveLockEx(PIO_REMOVE_LOCK Lock, ULONG AllocateTag, ULONG MaxLockedMinutes, ULONG HighWatermark,
                              ULONG RemlockSize)
{
    ASSERT(RemlockSize == sizeof(*Lock));
    RtlZeroMemory(Lock, sizeof(*Lock));
    Lock->Common.IoCount = 1;
    KeInitializeEvent(&Lock->Common.RemoveEvent, SynchronizationEvent, FALSE);
    Lock->Dbg.AllocateTag = (LONG)AllocateTag;
    Lock->Dbg.MaxLockedTicks = (LONGLONG)MaxLockedMinutes * 60 * 10000000;
    Lock->Dbg.HighWatermark = HighWatermark;
    KeInitializeSpinLock(&Lock->Dbg.Spin);
}

#if DBG

struct _IO_REMOVE_LOCK_TRACKING_BLOCK {
    PIO_REMOVE_LOCK_TRACKING_BLOCK Next;
    PVOID Tag;
    PCSTR File;
    ULONG Line;
    ULONGLONG Since; /* interrupt time, 100 ns */
};

static VOID IopTrackAcquire(PIO_REMOVE_LOCK Lock, PVOID Tag, PCSTR File, ULONG Line)
{
    KIRQL Irql;
    PIO_REMOVE_LOCK_TRACKING_BLOCK Block =
        ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Block), (ULONG)Lock->Dbg.AllocateTag);

    if (Block == NULL) {
        InterlockedIncrement(&Lock->Dbg.LowMemoryCount);
        return;
    }
    *Block = (IO_REMOVE_LOCK_TRACKING_BLOCK){.Tag = Tag, .File = File, .Line = Line, .Since = KeQueryInterruptTime()};
    KeAcquireSpinLock(&Lock->Dbg.Spin, &Irql);
    Block->Next = Lock->Dbg.Blocks;
    Lock->Dbg.Blocks = Block;
    KeReleaseSpinLock(&Lock->Dbg.Spin, Irql);
    if (Lock->Dbg.HighWatermark != 0 && (ULONG)Lock->Common.IoCount - 1 > Lock->Dbg.HighWatermark) {
        DbgPrint("remove lock %p: %d acquisitions at once (%s:%u)\n", Lock, Lock->Common.IoCount - 1, File, Line);
    }
}

/* The youngest acquisition with this tag, off the list; NULL when there is none. */
static PIO_REMOVE_LOCK_TRACKING_BLOCK IopUntrack(PIO_REMOVE_LOCK Lock, PVOID Tag)
{
    KIRQL Irql;

    KeAcquireSpinLock(&Lock->Dbg.Spin, &Irql);
    PIO_REMOVE_LOCK_TRACKING_BLOCK *Link = &Lock->Dbg.Blocks;
    while (*Link != NULL && (*Link)->Tag != Tag) {
        Link = &(*Link)->Next;
    }
    PIO_REMOVE_LOCK_TRACKING_BLOCK Block = *Link;
    if (Block != NULL) {
        *Link = Block->Next;
    }
    KeReleaseSpinLock(&Lock->Dbg.Spin, Irql);
    return Block;
}

static VOID IopTrackRelease(PIO_REMOVE_LOCK Lock, PVOID Tag, const void *Place)
{
    PIO_REMOVE_LOCK_TRACKING_BLOCK Block = IopUntrack(Lock, Tag);

    if (Block == NULL) {
        if (InterlockedDecrement(&Lock->Dbg.LowMemoryCount) < 0) {
            DbgPrint("remove lock %p released with tag %p, with which nobody has acquired it\n", Lock, Tag);
            KeBugCheckEx(DRIVER_VERIFIER_DETECTED_VIOLATION, NOT_HELD, (ULONG_PTR)Lock, (ULONG_PTR)Tag, (ULONG_PTR)Place);
        }
        return;
    }
    LONGLONG Held = (LONGLONG)(KeQueryInterruptTime() - Block->Since);
    if (Lock->Dbg.MaxLockedTicks != 0 && Held > Lock->Dbg.MaxLockedTicks) {
        DbgPrint("remove lock %p: held for %I64d s, acquired at %s:%u\n", Lock, Held / 10000000, Block->File,
                 Block->Line);
    }
    ExFreePoolWithTag(Block, (ULONG)Lock->Dbg.AllocateTag);
}

#else
#define IopTrackAcquire(Lock, Tag, File, Line) ((void)0)
#define IopTrackRelease(Lock, Tag, Place)      ((void)0)
#endif

/* Adds one to the count; false when it is 0, which means that the removal is complete. */
static bool IopCountUser(PIO_REMOVE_LOCK Lock)
{
    LONG Count = __atomic_load_n(&Lock->Common.IoCount, __ATOMIC_RELAXED);

    while (Count != 0) {
        if (__atomic_compare_exchange_n(&Lock->Common.IoCount, &Count, Count + 1, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_RELAXED)) {
            return true;
        }
    }
    return false;
}

/* A user leaves: the last one wakes the remover, and does not touch the lock afterwards. */
static void IopDropUser(PIO_REMOVE_LOCK Lock)
{
    if (InterlockedDecrement(&Lock->Common.IoCount) == 0) {
        ASSERT(Lock->Common.Removed); /* or it is released more often than acquired */
        KeSetEvent(&Lock->Common.RemoveEvent, IO_NO_INCREMENT, FALSE);
    }
}

/* Adds a user. STATUS_SUCCESS, or STATUS_DELETE_PENDING when the removal has begun. <= DISPATCH_LEVEL.
   (WDK page IoAcquireRemoveLock) */
NTSTATUS IoAcquireRemoveLockEx(PIO_REMOVE_LOCK RemoveLock, PVOID Tag, PCSTR File, ULONG Line, ULONG RemlockSize)
{
    if (!IopCountUser(RemoveLock)) {
        return STATUS_DELETE_PENDING;
    }
    /* Counted first, then looked: whoever removes the device marks it first, then counts. */
    if (*(volatile BOOLEAN *)&RemoveLock->Common.Removed) {
        IopDropUser(RemoveLock);
        return STATUS_DELETE_PENDING;
    }
    IopTrackAcquire(RemoveLock, Tag, File, Line);
    return STATUS_SUCCESS;
}

/* A user leaves, with the tag of its acquisition. <= DISPATCH_LEVEL. (WDK page IoReleaseRemoveLock) */
VOID IoReleaseRemoveLockEx(PIO_REMOVE_LOCK RemoveLock, PVOID Tag, ULONG RemlockSize)
{
    IopTrackRelease(RemoveLock, Tag, _ReturnAddress());
    IopDropUser(RemoveLock);
}

/* The caller, which is a user itself, refuses new ones for ever and leaves; returns when all the others have
   left, too. The lock cannot be used again. PASSIVE_LEVEL; may block. (WDK page
   IoReleaseRemoveLockAndWait) */
VOID IoReleaseRemoveLockAndWaitEx(PIO_REMOVE_LOCK RemoveLock, PVOID Tag, ULONG RemlockSize)
{
    PAGED_CODE();
    IopTrackRelease(RemoveLock, Tag, _ReturnAddress());
    __atomic_store_n(&RemoveLock->Common.Removed, TRUE, __ATOMIC_SEQ_CST);
    if (InterlockedExchangeAdd(&RemoveLock->Common.IoCount, -2) != 2) {
        KeWaitForSingleObject(&RemoveLock->Common.RemoveEvent, Executive, KernelMode, FALSE, NULL);
    }
}
