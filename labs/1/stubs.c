/* SPDX-License-Identifier: MIT */
/* What the starter of lab 1 has in place of the functions that are to be written. With all of them the kernel
   boots. */

/* hole raise: raises the level; above DISPATCH_LEVEL the machine must know it, and nobody raises downwards */
VOID KeRaiseIrql(KIRQL NewIrql, PKIRQL OldIrql)
{
    *OldIrql = ArchGetIrql();
    LAB_TODO("1.raise");
    /* To be written. What stands here keeps the level to itself, so that a device interrupts code of any level but the
       highest, and lowers it without a word when it is told to. */
    ArchSetIrql(NewIrql);
    if (NewIrql == HIGH_LEVEL) {
        KiSetHardwareLevel(NewIrql);
    }
}

/* hole lower: lowers the level to what it was, and lets what waited for that run before it returns */
VOID KeLowerIrql(KIRQL NewIrql)
{
    KIRQL Old = ArchGetIrql();
    LAB_TODO("1.lower");
    /* To be written. What stands here forgets those who wait: their turn comes with some later interrupt. */
    ArchSetIrql(NewIrql);
    if (Old > DISPATCH_LEVEL) {
        ArchSetPriorityMask(NewIrql);
    }
    if (Old == HIGH_LEVEL) {
        ArchEnableInterrupts();
    }
}

/* hole spin: has found the lock taken; returns when it has taken it */
void KiSpinForSpinLock(ARCH_IN_REGISTERS, PKSPIN_LOCK SpinLock)
{
    LAB_TODO("1.spin");
    /* To be written. What stands here does not wait. */
}

/* hole queue: acquires an in-stack queued lock: those who wait stand in a queue, each looking at its own entry */
static inline void KiQueueAcquire(PKSPIN_LOCK SpinLock, PKSPIN_LOCK_QUEUE Entry)
{
    KSPIN_LOCK Free = 0;
    LAB_TODO("1.queue");
    KiNoteAcquire(SpinLock, KlcQueued, FALSE);
    /* To be written. What stands here lets those who wait race for the lock. */
    Entry->Next = NULL;
    Entry->Lock = (PKSPIN_LOCK)((ULONG_PTR)SpinLock | QUEUE_OWNER);
    while (!__atomic_compare_exchange_n(SpinLock, &Free, (KSPIN_LOCK)Entry, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        Free = 0;
        ArchPause();
    }
    KiNoteAcquired(SpinLock, KlcQueued);
}

/* hole writer: acquires a reader-writer lock for writing: claims it, so that no reader enters any more, and waits for those inside */
static void ExpAcquireExclusive(PEX_SPIN_LOCK SpinLock)
{
    LONG Free = 0;
    LAB_TODO("1.writer");
    KiNoteAcquire((const void *)SpinLock, KlcReadWrite, FALSE);
    /* To be written. What stands here waits for a moment without readers, which may never come. */
    while (!__atomic_compare_exchange_n(SpinLock, &Free, RW_WRITER, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        Free = 0;
        ArchPause();
    }
    KiNoteAcquired((const void *)SpinLock, KlcReadWrite);
}

/* hole reader: makes the caller one more reader, unless a writer holds or claims the lock */
static inline bool ExpAddReader(PEX_SPIN_LOCK SpinLock)
{
    LONG Free = 0;
    LAB_TODO("1.reader");
    /* To be written. What stands here lets one reader in at a time. */
    return __atomic_compare_exchange_n(SpinLock, &Free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}
