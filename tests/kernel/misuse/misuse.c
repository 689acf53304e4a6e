/* SPDX-License-Identifier: MIT */
/*
 * A blocking lock or an executive helper is used wrongly, in the way that the kernel option misuse.kind=NAME
 * chooses: this must end in a certain bug check. misuse.kind=NAME-ok does the same rightly and must pass;
 * misuse.kind=ok does so for all of them, one after the other. The codes stand in tests/cases_passive.py.
 */
#include "../ktest.h"

static FAST_MUTEX Mutex;
static EX_PUSH_LOCK PushLock;
static ERESOURCE Resource;

static VOID Prepare(VOID)
{
    ExInitializeResourceLite(&Resource);
    ExInitializeFastMutex(&Mutex);
    ExInitializePushLock(&PushLock);
}

/* Runs a routine in another thread, to its end. */
static VOID Elsewhere(PKSTART_ROUTINE Routine)
{
    PETHREAD Thread = KtestStart(Routine, NULL);
    if (Thread != NULL) {
        KtestJoin(Thread);
    }
}

static VOID FastSelf(BOOLEAN Right)
{
    ExAcquireFastMutex(&Mutex);
    if (Right) {
        ExReleaseFastMutex(&Mutex);
    }
    ExAcquireFastMutex(&Mutex);
    ExReleaseFastMutex(&Mutex);
}

static VOID ReleaseFast(PVOID Context)
{
    KIRQL Irql;
    KeRaiseIrql(APC_LEVEL, &Irql);
    ExReleaseFastMutexUnsafe(&Mutex);
    KeLowerIrql(Irql);
}

static VOID FastForeign(BOOLEAN Right)
{
    ExAcquireFastMutex(&Mutex);
    if (!Right) {
        Elsewhere(ReleaseFast);
    }
    ExReleaseFastMutex(&Mutex);
}

static VOID FastFree(BOOLEAN Right)
{
    KIRQL Irql;
    KeRaiseIrql(APC_LEVEL, &Irql);
    if (Right) {
        ExAcquireFastMutexUnsafe(&Mutex);
    }
    ExReleaseFastMutexUnsafe(&Mutex);
    KeLowerIrql(Irql);
}

static VOID FastHigh(BOOLEAN Right)
{
    KIRQL Irql;
    KeRaiseIrql(Right ? APC_LEVEL : DISPATCH_LEVEL, &Irql);
    ExAcquireFastMutex(&Mutex);
    ExReleaseFastMutex(&Mutex);
    KeLowerIrql(Irql);
}

/* A system thread starts in a critical region: it leaves it. */
static VOID UnsafeThread(PVOID Context)
{
    if (Context == NULL) {
        KeLeaveCriticalRegion();
    }
    ExAcquireFastMutexUnsafe(&Mutex);
    ExReleaseFastMutexUnsafe(&Mutex);
    if (Context == NULL) {
        KeEnterCriticalRegion();
    }
}

static VOID UnsafeRegion(BOOLEAN Right)
{
    PETHREAD Thread = KtestStart(UnsafeThread, Right ? &Mutex : NULL);
    if (Thread != NULL) {
        KtestJoin(Thread);
    }
}

static VOID PushSelf(BOOLEAN Right)
{
    static EX_PUSH_LOCK Other;
    KeEnterCriticalRegion();
    ExAcquirePushLockExclusive(&PushLock);
    ExAcquirePushLockExclusive(Right ? &Other : &PushLock);
    ExReleasePushLockExclusive(Right ? &Other : &PushLock);
    ExReleasePushLockExclusive(&PushLock);
    KeLeaveCriticalRegion();
}

static VOID PushShared(BOOLEAN Right)
{
    static EX_PUSH_LOCK Other;
    KeEnterCriticalRegion();
    ExAcquirePushLockShared(&PushLock);
    ExAcquirePushLockShared(Right ? &Other : &PushLock);
    ExReleasePushLockShared(Right ? &Other : &PushLock);
    ExReleasePushLockShared(&PushLock);
    KeLeaveCriticalRegion();
}

static VOID ReleasePush(PVOID Context)
{
    ExReleasePushLockExclusive(&PushLock);
}

static VOID PushForeign(BOOLEAN Right)
{
    KeEnterCriticalRegion();
    ExAcquirePushLockExclusive(&PushLock);
    if (!Right) {
        Elsewhere(ReleasePush);
    }
    ExReleasePushLockExclusive(&PushLock);
    KeLeaveCriticalRegion();
}

static VOID PushMode(BOOLEAN Right)
{
    KeEnterCriticalRegion();
    ExAcquirePushLockShared(&PushLock);
    if (Right) {
        ExReleasePushLockShared(&PushLock);
    } else {
        ExReleasePushLockExclusive(&PushLock);
    }
    KeLeaveCriticalRegion();
}

static VOID PushThread(PVOID Context)
{
    if (Context == NULL) {
        KeLeaveCriticalRegion();
    }
    ExAcquirePushLockShared(&PushLock);
    ExReleasePushLockShared(&PushLock);
    if (Context == NULL) {
        KeEnterCriticalRegion();
    }
}

static VOID PushRegion(BOOLEAN Right)
{
    PETHREAD Thread = KtestStart(PushThread, Right ? &PushLock : NULL);
    if (Thread != NULL) {
        KtestJoin(Thread);
    }
}

static VOID EndHolding(PVOID Context)
{
    ExAcquirePushLockExclusive(&PushLock);
    if (Context != NULL) {
        ExReleasePushLockExclusive(&PushLock);
    }
}

static VOID PushEnd(BOOLEAN Right)
{
    PETHREAD Thread = KtestStart(EndHolding, Right ? &PushLock : NULL);
    if (Thread != NULL) {
        KtestJoin(Thread);
    }
}

static VOID ResourceFree(BOOLEAN Right)
{
    if (Right) {
        ExAcquireResourceSharedLite(&Resource, TRUE);
    }
    ExReleaseResourceLite(&Resource);
}

static VOID ReleaseResource(PVOID Context)
{
    ExReleaseResourceLite(&Resource);
}

static VOID ResourceForeign(BOOLEAN Right)
{
    ExAcquireResourceExclusiveLite(&Resource, TRUE);
    if (!Right) {
        Elsewhere(ReleaseResource);
    }
    ExReleaseResourceLite(&Resource);
}

static VOID ResourceTarget(BOOLEAN Right)
{
    ExAcquireResourceSharedLite(&Resource, TRUE);
    ExReleaseResourceForThreadLite(&Resource, Right ? ExGetCurrentResourceThread() : (ERESOURCE_THREAD)&Resource);
}

static VOID ResourceConvert(BOOLEAN Right)
{
    if (Right) {
        ExAcquireResourceExclusiveLite(&Resource, TRUE);
    } else {
        ExAcquireResourceSharedLite(&Resource, TRUE);
    }
    ExConvertExclusiveToSharedLite(&Resource);
    ExReleaseResourceLite(&Resource);
}

static VOID ResourceUpgrade(BOOLEAN Right)
{
    ExAcquireResourceSharedLite(&Resource, TRUE);
    if (!ExAcquireResourceExclusiveLite(&Resource, !Right)) {
        ExReleaseResourceLite(&Resource);
    }
}

static VOID ResourceThread(PVOID Context)
{
    if (Context == NULL) {
        KeLeaveCriticalRegion();
    }
    ExAcquireResourceSharedLite(&Resource, TRUE);
    ExReleaseResourceLite(&Resource);
    if (Context == NULL) {
        KeEnterCriticalRegion();
    }
}

static VOID ResourceRegion(BOOLEAN Right)
{
    PETHREAD Thread = KtestStart(ResourceThread, Right ? &Resource : NULL);
    if (Thread != NULL) {
        KtestJoin(Thread);
    }
}

static VOID ResourceDelete(BOOLEAN Right)
{
    ExAcquireResourceSharedLite(&Resource, TRUE);
    if (Right) {
        ExReleaseResourceLite(&Resource);
    }
    ExDeleteResourceLite(&Resource);
}

static VOID RemoveTag(BOOLEAN Right)
{
    static IO_REMOVE_LOCK RemoveLock;
    IoInitializeRemoveLock(&RemoveLock, 'siMR', 0, 0);
    IoAcquireRemoveLock(&RemoveLock, &Mutex);
    IoReleaseRemoveLock(&RemoveLock, Right ? (PVOID)&Mutex : (PVOID)&PushLock);
}

static VOID RundownTwice(BOOLEAN Right)
{
    EX_RUNDOWN_REF Ref;
    ExInitializeRundownProtection(&Ref);
    ExAcquireRundownProtection(&Ref);
    ExReleaseRundownProtection(&Ref);
    if (!Right) {
        ExReleaseRundownProtection(&Ref);
    }
}

static VOID RundownLate(BOOLEAN Right)
{
    EX_RUNDOWN_REF Ref;
    ExInitializeRundownProtection(&Ref);
    ExWaitForRundownProtectionRelease(&Ref);
    if (!Right) {
        ExReleaseRundownProtection(&Ref);
    }
}

static VOID PagedHigh(BOOLEAN Right)
{
    static PAGED_LOOKASIDE_LIST List;
    KIRQL Irql;
    ExInitializePagedLookasideList(&List, NULL, NULL, 0, 32, 'siML', 0);
    KeRaiseIrql(Right ? APC_LEVEL : DISPATCH_LEVEL, &Irql);
    ExFreeToPagedLookasideList(&List, ExAllocateFromPagedLookasideList(&List));
    KeLowerIrql(Irql);
    ExDeletePagedLookasideList(&List);
}

static const struct {
    PCSTR Name;
    VOID (*Routine)(BOOLEAN Right);
} Misuses[] = {
    {"fast-self", FastSelf}, {"fast-foreign", FastForeign}, {"fast-free", FastFree}, {"fast-high", FastHigh},
    {"unsafe-region", UnsafeRegion}, {"push-self", PushSelf}, {"push-shared", PushShared},
    {"push-foreign", PushForeign}, {"push-mode", PushMode}, {"push-region", PushRegion}, {"push-end", PushEnd},
    {"resource-free", ResourceFree}, {"resource-foreign", ResourceForeign}, {"resource-target", ResourceTarget},
    {"resource-convert", ResourceConvert}, {"resource-upgrade", ResourceUpgrade}, {"resource-region", ResourceRegion},
    {"resource-delete", ResourceDelete}, {"remove-tag", RemoveTag}, {"rundown-twice", RundownTwice},
    {"rundown-late", RundownLate}, {"paged-high", PagedHigh},
};

/* All that is right, in one boot. */
static VOID RunRight(VOID)
{
    for (ULONG i = 0; i < ARRAYSIZE(Misuses); i++) {
        Prepare();
        Misuses[i].Routine(TRUE);
        DbgPrint("@pass misuse.%s-ok\n", Misuses[i].Name);
    }
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    char Kind[64];
    if (!ExQueryKernelOption("misuse.kind", Kind, sizeof(Kind))) {
        DbgPrint("@fail misuse: no misuse.kind option\n");
        return STATUS_SUCCESS;
    }
    if (strcmp(Kind, "ok") == 0) {
        RunRight();
        return STATUS_SUCCESS;
    }
    Prepare();
    for (ULONG i = 0; i < ARRAYSIZE(Misuses); i++) {
        size_t Length = strlen(Misuses[i].Name);
        if (strncmp(Kind, Misuses[i].Name, Length) == 0 && (Kind[Length] == 0 || strcmp(Kind + Length, "-ok") == 0)) {
            Misuses[i].Routine(Kind[Length] != 0);
            DbgPrint("@%s misuse.%s\n", Kind[Length] != 0 ? "pass" : "fail", Kind);
            return STATUS_SUCCESS;
        }
    }
    DbgPrint("@fail misuse.%s: unknown\n", Kind);
    return STATUS_SUCCESS;
}
