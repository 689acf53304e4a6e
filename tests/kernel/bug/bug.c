/* SPDX-License-Identifier: MIT */
/*
 * One broken invariant, chosen by the kernel option bug.kind=NAME, must end in a certain bug check;
 * bug.kind=NAME-ok is its twin, which does the same the right way and must not, and bug.kind=ok runs all the
 * twins. See tests/cases_bugs.py.
 */
#include "../ktest.h"
#include <primertest.h>

static KSPIN_LOCK Lock;
static KEVENT Event;
static volatile LONG Release;

static VOID SelfDeadlock(BOOLEAN Right)
{
    KIRQL Irql, Inner;
    static KSPIN_LOCK Second;
    KeAcquireSpinLock(&Lock, &Irql);
    KeAcquireSpinLock(Right ? &Second : &Lock, &Inner);
    KeReleaseSpinLock(Right ? &Second : &Lock, Inner);
    KeReleaseSpinLock(&Lock, Irql);
}

static VOID ReleaseFree(BOOLEAN Right)
{
    KIRQL Irql;
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    if (Right) {
        KeAcquireSpinLockAtDpcLevel(&Lock);
    }
    KeReleaseSpinLockFromDpcLevel(&Lock);
    KeLowerIrql(Irql);
}

static VOID WrongLevel(BOOLEAN Right)
{
    KIRQL Irql = Right ? KeRaiseIrqlToDpcLevel() : PASSIVE_LEVEL;
    KeAcquireSpinLockAtDpcLevel(&Lock);
    KeReleaseSpinLockFromDpcLevel(&Lock);
    KeLowerIrql(Irql);
}

static VOID LockAbove(BOOLEAN Right)
{
    KIRQL Irql, Inner;
    KeRaiseIrql(Right ? DISPATCH_LEVEL : CMCI_LEVEL, &Irql);
    KeAcquireSpinLock(&Lock, &Inner);
    KeReleaseSpinLock(&Lock, Inner);
    KeLowerIrql(Irql);
}

static VOID SignalAbove(BOOLEAN Right)
{
    KEVENT Event;
    KIRQL Irql;
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    KeRaiseIrql(Right ? DISPATCH_LEVEL : CMCI_LEVEL, &Irql);
    KeSetEvent(&Event, 0, FALSE);
    KeLowerIrql(Irql);
}

static VOID RaiseDown(BOOLEAN Right)
{
    KIRQL Irql, Inner;
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    KeRaiseIrql(Right ? DISPATCH_LEVEL : APC_LEVEL, &Inner);
    KeLowerIrql(Irql);
}

static VOID LowerUp(BOOLEAN Right)
{
    KeLowerIrql(Right ? PASSIVE_LEVEL : DISPATCH_LEVEL);
    if (!Right) {
        KeLowerIrql(PASSIVE_LEVEL);
    }
}

static VOID WaitAtDispatch(BOOLEAN Right)
{
    KIRQL Irql;
    LARGE_INTEGER Zero = {.QuadPart = 0}, Limit = KtestMs(1);
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, Right ? &Zero : &Limit);
    KeLowerIrql(Irql);
}

static VOID WaitInDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    LARGE_INTEGER Zero = {.QuadPart = 0}, Limit = KtestMs(1);
    KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, Context != NULL ? &Zero : &Limit);
}

static VOID DpcWaits(BOOLEAN Right)
{
    KDPC Dpc;
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    KeInitializeDpc(&Dpc, WaitInDpc, Right ? &Event : NULL);
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    KeFlushQueuedDpcs();
}

static KMUTEX Mutex;

static VOID EndOwning(PVOID Context)
{
    KeWaitForSingleObject(&Mutex, Executive, KernelMode, FALSE, NULL);
    if (Context != NULL) {
        KeReleaseMutex(&Mutex, FALSE);
    }
}

static VOID ThreadEnds(BOOLEAN Right)
{
    KeInitializeMutex(&Mutex, 0);
    KtestJoin(KtestStart(EndOwning, Right ? &Mutex : NULL));
}

static VOID ReleaseUnowned(BOOLEAN Right)
{
    KeInitializeMutex(&Mutex, 0);
    if (Right) {
        KeWaitForSingleObject(&Mutex, Executive, KernelMode, FALSE, NULL);
    }
    KeReleaseMutex(&Mutex, FALSE);
}

static VOID WaitTrueLower(BOOLEAN Right)
{
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    KeSetEvent(&Event, 0, TRUE);
    if (!Right) {
        KeLowerIrql(PASSIVE_LEVEL);
    }
    KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL);
}

/* The creation of a thread, which locks and allocates, instead of a wait. */
static VOID WaitTrueBlock(BOOLEAN Right)
{
    KSEMAPHORE Semaphore;
    KeInitializeSemaphore(&Semaphore, 0, 1);
    KeReleaseSemaphore(&Semaphore, 0, 1, TRUE);
    if (!Right) {
        KtestStart(EndOwning, &Mutex);
    }
    KeWaitForSingleObject(&Semaphore, Executive, KernelMode, FALSE, NULL);
}

static VOID TooMany(BOOLEAN Right)
{
    static KEVENT Events[4];
    static KWAIT_BLOCK Blocks[4];
    PVOID Objects[4];
    for (ULONG i = 0; i < 4; i++) {
        KeInitializeEvent(&Events[i], NotificationEvent, TRUE);
        Objects[i] = &Events[i];
    }
    KeWaitForMultipleObjects(4, Objects, WaitAny, Executive, KernelMode, FALSE, NULL, Right ? Blocks : NULL);
}

static VOID TouchNothing(BOOLEAN Right)
{
    volatile ULONG *Address = Right ? (volatile ULONG *)&Lock : (volatile ULONG *)(ULONG_PTR)0xffffa0ffff000000ULL;
    DbgPrint("read %u\n", *Address);
}

static VOID TouchAtDispatch(BOOLEAN Right)
{
    KIRQL Irql;
    volatile ULONG *Address = Right ? (volatile ULONG *)&Lock : (volatile ULONG *)(ULONG_PTR)0x20000;
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    DbgPrint("read %u\n", *Address);
    KeLowerIrql(Irql);
}

static ULONG Recurse(ULONG Depth)
{
    volatile UCHAR Frame[512];
    Frame[0] = (UCHAR)Depth;
    return Depth == 0 ? Frame[0] : Recurse(Depth - 1) + Frame[0];
}

static VOID StackOverflow(BOOLEAN Right)
{
    DbgPrint("sum %u\n", Recurse(Right ? 5 : 1000));
}

static VOID DivideByZero(BOOLEAN Right)
{
    volatile int Zero = Right ? 1 : 0;
    DbgPrint("quotient %d\n", 100 / Zero);
}

static VOID LevelLeak(PVOID Context)
{
    KIRQL Irql;
    if (Context == NULL) {
        KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    }
    KeSetEvent(&Event, 0, FALSE);
}

static VOID WorkLevel(BOOLEAN Right)
{
    static WORK_QUEUE_ITEM Item;
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    ExInitializeWorkItem(&Item, LevelLeak, Right ? &Event : NULL);
    ExQueueWorkItem(&Item, DelayedWorkQueue);
    KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL);
    KtestSleep(100);
}

static VOID Spin(PVOID Context)
{
    KIRQL Irql;
    KeRaiseIrql(Context != NULL ? PASSIVE_LEVEL : DISPATCH_LEVEL, &Irql);
    while (!Release) {
    }
    KeLowerIrql(Irql);
}

static VOID SpinDeaf(PVOID Context)
{
    KIRQL Irql;
    KeRaiseIrql(Context != NULL ? PASSIVE_LEVEL : HIGH_LEVEL, &Irql);
    while (!Release) {
    }
    KeLowerIrql(Irql);
}

/* A processor that stays at DISPATCH_LEVEL, or takes no interrupts at all, is reported; a thread that spins
   is not. */
static VOID Hang(BOOLEAN Right, PKSTART_ROUTINE Routine)
{
    PETHREAD Thread = KtestStart(Routine, Right ? (PVOID)1 : NULL);
    KtestSleep(Right ? 14000 : 60000);
    Release = 1;
    KtestJoin(Thread);
}

static VOID HangDispatch(BOOLEAN Right)
{
    Hang(Right, Spin);
}

static VOID HangDeaf(BOOLEAN Right)
{
    Hang(Right, SpinDeaf);
}

static VOID NoProcessor(BOOLEAN Right)
{
    KAFFINITY Active = KeQueryActiveProcessors();
    KeSetAffinityThread(KeGetCurrentThread(), Right ? Active : ~Active);
}

static VOID DoubleFree(BOOLEAN Right)
{
    PVOID Block = ExAllocatePoolWithTag(NonPagedPoolNx, 100, 'tsTB');
    ExFreePoolWithTag(Block, 'tsTB');
    if (!Right) {
        ExFreePoolWithTag(Block, 'tsTB');
    }
}

static VOID WrongTag(BOOLEAN Right)
{
    PVOID Block = ExAllocatePoolWithTag(NonPagedPoolNx, 100, 'tsTB');
    ExFreePoolWithTag(Block, Right ? 'tsTB' : 'xxxx');
}

static VOID Overrun(BOOLEAN Right)
{
    PUCHAR Block = ExAllocatePoolWithTag(NonPagedPoolNx, 100, 'tsTB');
    ((volatile UCHAR *)Block)[Right ? 99 : 100] = 1;
    ExFreePoolWithTag(Block, 'tsTB');
}

static VOID Caller(BOOLEAN Right)
{
    if (!Right) {
        KeBugCheckEx(0xE2, 1, 2, 3, 4);
    }
}

/* The short form is the long one with parameters of 0. */
static VOID PlainCaller(BOOLEAN Right)
{
    if (!Right) {
        KeBugCheck(0xE2);
    }
}

static VOID AttachAtDispatch(BOOLEAN Right)
{
    KAPC_STATE State;
    KIRQL Irql;
    KeRaiseIrql(Right ? APC_LEVEL : DISPATCH_LEVEL, &Irql);
    KeStackAttachProcess(PsInitialSystemProcess, &State);
    KeUnstackDetachProcess(&State);
    KeLowerIrql(Irql);
}

static VOID DetachTwice(BOOLEAN Right)
{
    KAPC_STATE State;
    KeStackAttachProcess(PsInitialSystemProcess, &State);
    KeUnstackDetachProcess(&State);
    if (!Right) {
        KeUnstackDetachProcess(&State);
    }
}

typedef struct _NODE {
    struct _NODE *Next;
    ULONG Value;
} NODE;

static __attribute__((noinline)) ULONG ReadNode(const NODE *Node)
{
    return *(const volatile ULONG *)&Node->Value;
}

static VOID NullPointer(BOOLEAN Right)
{
    NODE Node = {0};
    ReadNode(Right ? &Node : Node.Next);
}

/* The second of two blocks is looked for through the first, which has gone: its memory holds a pattern (debug
   builds). */
static VOID UseAfterFree(BOOLEAN Right)
{
    NODE *First = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(NODE), 'tsTB');
    NODE Second = {0};
    First->Next = &Second;
    if (!Right) {
        ExFreePoolWithTag(First, 'tsTB');
    }
    ReadNode(*(NODE *volatile *)&First->Next);
    if (Right) {
        ExFreePoolWithTag(First, 'tsTB');
    }
}

/* An address of user mode: read without a probe, or called. */
#define USER_ADDRESS 0x400000

static VOID TouchUser(BOOLEAN Right)
{
    NODE Node = {0};
    ReadNode(Right ? &Node : (NODE *)USER_ADDRESS);
}

static VOID DoNothing(VOID)
{
}

static VOID CallUser(BOOLEAN Right)
{
    VOID (*volatile Routine)(VOID) = Right ? DoNothing : (VOID (*)(VOID))USER_ADDRESS;
    Routine();
}

static VOID ForgetsRelease(PVOID Context)
{
    KIRQL Irql;
    KeAcquireSpinLock(&Lock, &Irql);
    if (Context != NULL) {
        KeReleaseSpinLock(&Lock, Irql);
    }
}

static VOID MissedRelease(BOOLEAN Right)
{
    KtestJoin(KtestStart(ForgetsRelease, Right ? &Lock : NULL));
}

/* The signal comes before the wait; a pulse is not remembered. */
static VOID LostWakeUp(BOOLEAN Right)
{
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    if (Right) {
        KeSetEvent(&Event, 0, FALSE);
    } else {
        KePulseEvent(&Event, 0, FALSE);
    }
    KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL);
}

/* No exception can be delivered through a table without entries, double faults neither. */
static VOID TripleFault(BOOLEAN Right)
{
    static const struct {
        USHORT Limit;
        ULONG64 Base;
    } __attribute__((packed)) Nothing;
    if (!Right) {
        __asm__ volatile("lidt %0\n\tud2" : : "m"(Nothing));
    }
}

/* Two routines hear of a bug check, the later one first; one that was taken back does not. */
static KBUGCHECK_CALLBACK_RECORD Records[3];

static VOID OnBugCheck(PVOID Buffer, ULONG Length)
{
    DbgPrint("callback %s of %u bytes at level %u\n", (PCSTR)Buffer, Length, KeGetCurrentIrql());
}

static VOID Callbacks(BOOLEAN Right)
{
    static char Text[3][8] = {"first", "second", "third"};
    for (ULONG i = 0; i < ARRAYSIZE(Records); i++) {
        KeInitializeCallbackRecord(&Records[i]);
        NT_VERIFY(KeRegisterBugCheckCallback(&Records[i], OnBugCheck, Text[i], sizeof(Text[i]), (PUCHAR)"bug"));
    }
    NT_VERIFY(!KeRegisterBugCheckCallback(&Records[1], OnBugCheck, NULL, 0, NULL));
    NT_VERIFY(KeDeregisterBugCheckCallback(&Records[1]) && !KeDeregisterBugCheckCallback(&Records[1]));
    if (!Right) {
        KeBugCheckEx(0xE2, 1, 2, 3, 4);
    }
    NT_VERIFY(KeDeregisterBugCheckCallback(&Records[0]) && KeDeregisterBugCheckCallback(&Records[2]));
}

#if DBG
static VOID LockOrder(BOOLEAN Right)
{
    PrimerTestLockOrder(Right);
}

static VOID BlockHolding(BOOLEAN Right)
{
    PrimerTestBlockHolding(Right);
}
#endif

static const struct {
    PCSTR Name;
    VOID (*Routine)(BOOLEAN Right);
} Bugs[] = {
    {"self-deadlock", SelfDeadlock}, {"release-free", ReleaseFree}, {"wrong-level", WrongLevel},
    {"lock-above-dispatch", LockAbove}, {"signal-above-dispatch", SignalAbove}, {"raise-down", RaiseDown}, {"lower-up", LowerUp},
    {"wait-at-dispatch", WaitAtDispatch}, {"wait-in-dpc", DpcWaits}, {"end-owning", ThreadEnds}, {"release-unowned", ReleaseUnowned},
    {"wait-true-lower", WaitTrueLower}, {"wait-true-block", WaitTrueBlock}, {"too-many-objects", TooMany},
    {"touch-nothing", TouchNothing}, {"touch-at-dispatch", TouchAtDispatch}, {"stack-overflow", StackOverflow},
    {"divide", DivideByZero}, {"work-level", WorkLevel}, {"hang-dispatch", HangDispatch}, {"hang-deaf", HangDeaf},
    {"no-processor", NoProcessor}, {"double-free", DoubleFree}, {"wrong-tag", WrongTag}, {"overrun", Overrun}, {"call", Caller},
    {"call-plain", PlainCaller}, {"attach-at-dispatch", AttachAtDispatch}, {"detach-twice", DetachTwice},
    {"null", NullPointer}, {"touch-user", TouchUser}, {"call-user", CallUser}, {"missed-release", MissedRelease},
    {"lost-wake-up", LostWakeUp}, {"triple-fault", TripleFault}, {"use-after-free", UseAfterFree}, {"callbacks", Callbacks},
#if DBG
    {"lock-order", LockOrder}, {"block-holding", BlockHolding},
#endif
};

/* All that is right, in one boot. Of the twin of a hang, which spins for seconds, there is a boot of its
   own. */
static VOID RunRight(VOID)
{
    for (ULONG i = 0; i < ARRAYSIZE(Bugs); i++) {
        if (strncmp(Bugs[i].Name, "hang-", 5) == 0) {
            continue;
        }
        Bugs[i].Routine(TRUE);
        DbgPrint("@pass bug.%s-ok\n", Bugs[i].Name);
    }
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    char Kind[64];
    if (!ExQueryKernelOption("bug.kind", Kind, sizeof(Kind))) {
        DbgPrint("@fail bug: no bug.kind option\n");
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
            DbgPrint("@%s bug.%s\n", Kind[Length] != 0 ? "pass" : "fail", Kind);
            return STATUS_SUCCESS;
        }
    }
    DbgPrint("@fail bug.%s: unknown\n", Kind);
    return STATUS_SUCCESS;
}
