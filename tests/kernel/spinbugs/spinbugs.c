/* SPDX-License-Identifier: MIT */
/*
 * One wrong use of a spin lock, an interrupt object or an S-list, chosen by the kernel option
 * spinbugs.kind=NAME, must end in a certain bug check; spinbugs.kind=NAME-ok is its twin, which does the same
 * the right way, and spinbugs.kind=ok runs all the twins. See tests/cases_spin.py.
 */
#include "../ktest.h"
#include <primertest.h>

static KSPIN_LOCK Lock, Other;
static EX_SPIN_LOCK RwLock, OtherRw;

static VOID PlainTwice(BOOLEAN Right)
{
    KIRQL Irql = KeAcquireSpinLockForDpc(&Lock);
    KeAcquireSpinLockAtDpcLevel(Right ? &Other : &Lock);
    KeReleaseSpinLockFromDpcLevel(Right ? &Other : &Lock);
    KeReleaseSpinLockForDpc(&Lock, Irql);
}

static VOID TryHeld(BOOLEAN Right)
{
    KIRQL Irql;
    KeAcquireSpinLock(&Lock, &Irql);
    if (KeTryToAcquireSpinLockAtDpcLevel(Right ? &Other : &Lock)) {
        KeReleaseSpinLockFromDpcLevel(&Other);
    }
    KeReleaseSpinLock(&Lock, Irql);
}

static VOID QueuedTwice(BOOLEAN Right)
{
    KLOCK_QUEUE_HANDLE First, Second;
    KeAcquireInStackQueuedSpinLock(&Lock, &First);
    KeAcquireInStackQueuedSpinLockAtDpcLevel(Right ? &Other : &Lock, &Second);
    KeReleaseInStackQueuedSpinLockFromDpcLevel(&Second);
    KeReleaseInStackQueuedSpinLock(&First);
}

static VOID SharedTwice(BOOLEAN Right)
{
    KIRQL Irql = ExAcquireSpinLockShared(&RwLock);
    ExAcquireSpinLockSharedAtDpcLevel(Right ? &OtherRw : &RwLock);
    ExReleaseSpinLockSharedFromDpcLevel(Right ? &OtherRw : &RwLock);
    ExReleaseSpinLockShared(&RwLock, Irql);
}

static VOID ExclusiveInShared(BOOLEAN Right)
{
    KIRQL Irql = ExAcquireSpinLockShared(&RwLock);
    ExAcquireSpinLockExclusiveAtDpcLevel(Right ? &OtherRw : &RwLock);
    ExReleaseSpinLockExclusiveFromDpcLevel(Right ? &OtherRw : &RwLock);
    ExReleaseSpinLockShared(&RwLock, Irql);
}

static VOID QueuedReleaseTwice(BOOLEAN Right)
{
    KLOCK_QUEUE_HANDLE Handle;
    KIRQL Irql = KeRaiseIrqlToDpcLevel();
    KeAcquireInStackQueuedSpinLockAtDpcLevel(&Lock, &Handle);
    KeReleaseInStackQueuedSpinLockFromDpcLevel(&Handle);
    if (!Right) {
        KeReleaseInStackQueuedSpinLockFromDpcLevel(&Handle);
    }
    KeLowerIrql(Irql);
}

static VOID ExclusiveReleaseFree(BOOLEAN Right)
{
    KIRQL Irql = KeRaiseIrqlToDpcLevel();
    if (Right) {
        ExAcquireSpinLockExclusiveAtDpcLevel(&RwLock);
    }
    ExReleaseSpinLockExclusiveFromDpcLevel(&RwLock);
    KeLowerIrql(Irql);
}

static VOID SharedReleaseFree(BOOLEAN Right)
{
    KIRQL Irql = KeRaiseIrqlToDpcLevel();
    if (Right) {
        ExAcquireSpinLockSharedAtDpcLevel(&RwLock);
    }
    ExReleaseSpinLockSharedFromDpcLevel(&RwLock);
    KeLowerIrql(Irql);
}

static VOID SharedReleasedExclusive(BOOLEAN Right)
{
    KIRQL Irql = ExAcquireSpinLockShared(&RwLock);
    if (!Right || ExTryConvertSharedSpinLockExclusive(&RwLock)) {
        ExReleaseSpinLockExclusive(&RwLock, Irql);
    }
}

static VOID ExclusiveReleasedShared(BOOLEAN Right)
{
    KIRQL Irql = Right ? ExAcquireSpinLockShared(&RwLock) : ExAcquireSpinLockExclusive(&RwLock);
    ExReleaseSpinLockShared(&RwLock, Irql);
}

static VOID QueuedAbove(BOOLEAN Right)
{
    KLOCK_QUEUE_HANDLE Handle;
    KIRQL Irql;
    KeRaiseIrql(Right ? DISPATCH_LEVEL : CMCI_LEVEL, &Irql);
    KeAcquireInStackQueuedSpinLock(&Lock, &Handle);
    KeReleaseInStackQueuedSpinLock(&Handle);
    KeLowerIrql(Irql);
}

static VOID RwAbove(BOOLEAN Right)
{
    KIRQL Irql;
    KeRaiseIrql(Right ? DISPATCH_LEVEL : CMCI_LEVEL, &Irql);
    ExReleaseSpinLockShared(&RwLock, ExAcquireSpinLockShared(&RwLock));
    KeLowerIrql(Irql);
}

static VOID RwBelow(BOOLEAN Right)
{
    KIRQL Irql = Right ? KeRaiseIrqlToDpcLevel() : PASSIVE_LEVEL;
    ExAcquireSpinLockExclusiveAtDpcLevel(&RwLock);
    ExReleaseSpinLockExclusiveFromDpcLevel(&RwLock);
    KeLowerIrql(Irql);
}

/* A raise, an acquisition "at DPC level", and then a release that takes the level for granted. */
static VOID ReleaseBelow(BOOLEAN Right)
{
    KIRQL Irql;
    KeRaiseIrql(APC_LEVEL, &Irql);
    if (Right) {
        KIRQL Inner = KeAcquireSpinLockRaiseToDpc(&Lock);
        KeReleaseSpinLock(&Lock, Inner);
    } else {
        KeReleaseSpinLockFromDpcLevel(&Lock);
    }
    KeLowerIrql(Irql);
}

/* What raises to DISPATCH_LEVEL inside must not be called above it: that would lower the level. */
static VOID EventAbove(BOOLEAN Right)
{
    KEVENT Event;
    KIRQL Irql;
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    KeRaiseIrql(Right ? DISPATCH_LEVEL : CMCI_LEVEL, &Irql);
    KeSetEvent(&Event, IO_NO_INCREMENT, FALSE);
    KeLowerIrql(Irql);
}

static VOID RaiseDpcAbove(BOOLEAN Right)
{
    KIRQL Irql;
    KeRaiseIrql(Right ? DISPATCH_LEVEL : CMCI_LEVEL, &Irql);
    KeRaiseIrqlToDpcLevel();
    KeLowerIrql(Irql);
}

static BOOLEAN NotOurs(PKINTERRUPT Interrupt, PVOID Context)
{
    return FALSE;
}

/* Line 3 belongs to nobody here: no interrupt comes. */
static PKINTERRUPT Connect(VOID)
{
    PKINTERRUPT Interrupt;
    KIRQL Irql;
    KAFFINITY Processors;
    ULONG Vector = HalGetInterruptVector(Isa, 0, 3, 3, &Irql, &Processors);
    return NT_SUCCESS(IoConnectInterrupt(&Interrupt, NotOurs, NULL, NULL, Vector, Irql, Irql, Latched, FALSE, Processors,
                                         FALSE))
               ? Interrupt
               : NULL;
}

static VOID InterruptLockAbove(BOOLEAN Right)
{
    PKINTERRUPT Interrupt = Connect();
    KIRQL Irql;
    KeRaiseIrql(Right ? DISPATCH_LEVEL : SYNCH_LEVEL, &Irql);
    KeReleaseInterruptSpinLock(Interrupt, KeAcquireInterruptSpinLock(Interrupt));
    KeLowerIrql(Irql);
    IoDisconnectInterrupt(Interrupt);
}

static VOID InterruptLockTwice(BOOLEAN Right)
{
    PKINTERRUPT Interrupt = Connect();
    KIRQL Irql = KeAcquireInterruptSpinLock(Interrupt);
    if (!Right) {
        KeAcquireInterruptSpinLock(Interrupt);
    }
    KeReleaseInterruptSpinLock(Interrupt, Irql);
    IoDisconnectInterrupt(Interrupt);
}

/* An entry that is unmapped while it is on the list: no pop can make that good, and none may try for ever. */
static VOID SListBroken(BOOLEAN Right)
{
    static SLIST_HEADER Head;
    PSLIST_ENTRY Entry = PrimerMapPages(1);
    InitializeSListHead(&Head);
    InterlockedPushEntrySList(&Head, Entry);
    if (Right) {
        InterlockedPopEntrySList(&Head);
    }
    PrimerUnmapPages(Entry, 1);
    InterlockedPopEntrySList(&Head);
}

static const struct {
    PCSTR Name;
    VOID (*Routine)(BOOLEAN Right);
} Bugs[] = {
    {"plain-twice", PlainTwice}, {"try-held", TryHeld}, {"queued-twice", QueuedTwice}, {"shared-twice", SharedTwice},
    {"exclusive-in-shared", ExclusiveInShared}, {"queued-release-twice", QueuedReleaseTwice},
    {"exclusive-release-free", ExclusiveReleaseFree}, {"shared-release-free", SharedReleaseFree},
    {"shared-released-exclusive", SharedReleasedExclusive}, {"exclusive-released-shared", ExclusiveReleasedShared},
    {"queued-above-dispatch", QueuedAbove}, {"rw-above-dispatch", RwAbove}, {"rw-at-dpc-below", RwBelow},
    {"release-below", ReleaseBelow}, {"event-above-dispatch", EventAbove}, {"raise-dpc-above", RaiseDpcAbove},
    {"interrupt-lock-above", InterruptLockAbove}, {"interrupt-lock-twice", InterruptLockTwice},
    {"slist-broken", SListBroken},
};

/* All that is right, in one boot. */
static VOID RunRight(VOID)
{
    for (ULONG i = 0; i < ARRAYSIZE(Bugs); i++) {
        Bugs[i].Routine(TRUE);
        DbgPrint("@pass spinbugs.%s-ok\n", Bugs[i].Name);
    }
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    char Kind[64];
    if (!ExQueryKernelOption("spinbugs.kind", Kind, sizeof(Kind))) {
        DbgPrint("@fail spinbugs: no spinbugs.kind option\n");
        return STATUS_SUCCESS;
    }
    if (strcmp(Kind, "ok") == 0) {
        RunRight();
        return STATUS_SUCCESS;
    }
    for (ULONG i = 0; i < ARRAYSIZE(Bugs); i++) {
        size_t Length = strlen(Bugs[i].Name);
        if (strncmp(Kind, Bugs[i].Name, Length) == 0 && (Kind[Length] == 0 || strcmp(Kind + Length, "-ok") == 0)) {
            Bugs[i].Routine(Kind[Length] != 0);
            DbgPrint("@%s spinbugs.%s\n", Kind[Length] != 0 ? "pass" : "fail", Kind);
            return STATUS_SUCCESS;
        }
    }
    DbgPrint("@fail spinbugs.%s: unknown\n", Kind);
    return STATUS_SUCCESS;
}
