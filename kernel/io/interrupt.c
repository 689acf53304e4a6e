/* SPDX-License-Identifier: MIT */
/*
 * Interrupt objects: drivers' service routines on the lines of the ISA bus. A line has one vector and one
 * level, and interrupts one processor; the objects that share it are all called.
 *
 *   line --vector--> IopServeLine --the object's spin lock, at its level--> the driver's service routine
 *
 * The list of a line's objects is changed under IopLineLock (a push lock), while interrupts walk it without a
 * lock: an object is linked when it is complete; when it has been unlinked, its memory stays until no walk is
 * under way.
 */
#include "kernel/io/iop.h"
#include "sync/spinlock.h"

#define IOP_LINES          16
#define IOP_HIGHEST_DEVICE SYNCH_LEVEL

/* (c) constant   (x) IopLineLock; walks read it   (a) atomic operations */
struct _KINTERRUPT {
    struct _KINTERRUPT *Next;     /* (x) */
    PKSERVICE_ROUTINE ServiceRoutine; /* (c) */
    PVOID ServiceContext;         /* (c) */
    PKSPIN_LOCK Lock;             /* (c) SpinLock below, or the driver's own */
    KSPIN_LOCK SpinLock;          /* (a) */
    ULONG Line;                   /* (c) */
    KIRQL SynchronizeIrql;        /* (c) */
    BOOLEAN Shared;               /* (c) */
    KINTERRUPT_MODE Mode;         /* (c) */
};

typedef struct _IOP_LINE {
    PKINTERRUPT First;            /* (x) */
    volatile LONG Walks;          /* (a) interrupts under way; at most one in fact, for a line has one processor */
} IOP_LINE, *PIOP_LINE;

static IOP_LINE IopLine[IOP_LINES];
static EX_PUSH_LOCK IopLineLock;

/* ---- Vectors ---- */

/* The PC's order of old: the lower the line's number, the more urgent. */
static KIRQL IopLevelOfLine(ULONG Line)
{
    return (KIRQL)(IOP_HIGHEST_DEVICE - Line / 2);
}

static ULONG IopVectorOfLine(ULONG Line)
{
    return IopLevelOfLine(Line) * 16u + Line;
}

/* The vector, level and possible processors of a line (BusInterruptLevel, 0 to 15) of the ISA bus, for
   IoConnectInterrupt; 0: there is no such line. PASSIVE_LEVEL. (WDK page of the name) */
ULONG HalGetInterruptVector(INTERFACE_TYPE InterfaceType, ULONG BusNumber, ULONG BusInterruptLevel,
                            ULONG BusInterruptVector, PKIRQL Irql, PKAFFINITY Affinity)
{
    *Irql = 0;
    *Affinity = 0;
    if (InterfaceType != Isa || BusNumber != 0 || BusInterruptLevel >= IOP_LINES) {
        return 0;
    }
    *Irql = IopLevelOfLine(BusInterruptLevel);
    *Affinity = KeActiveProcessors;
    return IopVectorOfLine(BusInterruptLevel);
}
EXPORT(HalGetInterruptVector);

/* ---- Synchronisation with the service routine ---- */

/* Keeps the service routine from running, on every processor: raises to the interrupt's SynchronizeIrql and
   acquires its spin lock. Returns the level before. <= SynchronizeIrql. (WDK page of the name) */
KIRQL KeAcquireInterruptSpinLock(PKINTERRUPT Interrupt)
{
    KIRQL Old;
    KeRaiseIrql(Interrupt->SynchronizeIrql, &Old);
    KiSpinAcquire(Interrupt->Lock, KlcInterrupt);
    return Old;
}
EXPORT(KeAcquireInterruptSpinLock);

/* Releases and lowers the level to what KeAcquireInterruptSpinLock has returned. (WDK page of the name) */
VOID KeReleaseInterruptSpinLock(PKINTERRUPT Interrupt, KIRQL OldIrql)
{
    KI_ASSERT(KeGetCurrentIrql() == Interrupt->SynchronizeIrql, "interrupt spin lock released at level %d",
              KeGetCurrentIrql());
    KiSpinRelease(Interrupt->Lock, KlcInterrupt);
    KeLowerIrql(OldIrql);
}
EXPORT(KeReleaseInterruptSpinLock);

/* Calls the routine as the service routine would be called: at SynchronizeIrql, holding the spin lock.
   Returns what it returns. <= SynchronizeIrql. (WDK page of the name) */
BOOLEAN KeSynchronizeExecution(PKINTERRUPT Interrupt, PKSYNCHRONIZE_ROUTINE SynchronizeRoutine,
                               PVOID SynchronizeContext)
{
    KIRQL Old = KeAcquireInterruptSpinLock(Interrupt);
    BOOLEAN Result = SynchronizeRoutine(SynchronizeContext);
    KeReleaseInterruptSpinLock(Interrupt, Old);
    return Result;
}
EXPORT(KeSynchronizeExecution);

/* ---- Service ---- */

static BOOLEAN IopCallServiceRoutine(PVOID Context)
{
    PKINTERRUPT Interrupt = Context;
    return Interrupt->ServiceRoutine(Interrupt, Interrupt->ServiceContext);
}

/* Every object of the line; was it anybody's interrupt? */
static BOOLEAN IopWalkLine(PIOP_LINE Line)
{
    BOOLEAN Claimed = FALSE;

    for (PKINTERRUPT Interrupt = __atomic_load_n(&Line->First, __ATOMIC_ACQUIRE); Interrupt != NULL;
         Interrupt = __atomic_load_n(&Interrupt->Next, __ATOMIC_ACQUIRE)) {
        Claimed |= KeSynchronizeExecution(Interrupt, IopCallServiceRoutine, Interrupt);
    }
    return Claimed;
}

static BOOLEAN IopIsSharedLatch(PIOP_LINE Line)
{
    PKINTERRUPT First = __atomic_load_n(&Line->First, __ATOMIC_ACQUIRE);
    return First != NULL && First->Mode == Latched && __atomic_load_n(&First->Next, __ATOMIC_RELAXED) != NULL;
}

/* A latched line that is shared asks again only after it has fallen, which it does not while any of its
   devices asks: the walk is repeated until nobody has found anything to do. */
static void IopServeLine(void *Context)
{
    PIOP_LINE Line = Context;

    InterlockedIncrement(&Line->Walks);
    while (IopWalkLine(Line) && IopIsSharedLatch(Line)) {
    }
    InterlockedDecrement(&Line->Walks);
}

/* ---- Connection: under IopLineLock ---- */

static BOOLEAN IopMayJoin(PIOP_LINE Line, const KINTERRUPT *Interrupt)
{
    return Line->First == NULL ||
           (Interrupt->Shared && Line->First->Shared && Line->First->Mode == Interrupt->Mode);
}

static NTSTATUS IopLink(PKINTERRUPT Interrupt, ULONG Processor)
{
    PIOP_LINE Line = &IopLine[Interrupt->Line];
    BOOLEAN First = Line->First == NULL;

    if (!IopMayJoin(Line, Interrupt)) {
        return STATUS_INVALID_PARAMETER;
    }
    Interrupt->Next = Line->First;
    __atomic_store_n(&Line->First, Interrupt, __ATOMIC_RELEASE);
    if (!First) {
        return STATUS_SUCCESS;
    }
    NTSTATUS Status = ArchConnectInterrupt(Interrupt->Line, IopLevelOfLine(Interrupt->Line), Processor, IopServeLine,
                                           Line);
    if (!NT_SUCCESS(Status)) {
        Line->First = NULL;
    }
    return Status;
}

/* Returns when the object's service routine does not run and will not again. */
static void IopUnlink(PKINTERRUPT Interrupt)
{
    PIOP_LINE Line = &IopLine[Interrupt->Line];
    PKINTERRUPT *Link = &Line->First;

    while (*Link != Interrupt) {
        Link = &(*Link)->Next;
    }
    __atomic_store_n(Link, Interrupt->Next, __ATOMIC_SEQ_CST);
    if (Line->First == NULL) {
        ArchDisconnectInterrupt(Interrupt->Line);
    }
    while (__atomic_load_n(&Line->Walks, __ATOMIC_SEQ_CST) != 0) {
        ArchPause();
    }
}

/*
 * Connects a service routine to an interrupt. *InterruptObject is set before the first call. SpinLock: the
 * driver's own lock for several interrupts, else NULL. Vector and Irql: as HalGetInterruptVector tells.
 * SynchronizeIrql: not below Irql; the highest Irql of the objects that have the same SpinLock. ShareVector:
 * others may connect to the line, if all say so and agree in InterruptMode. ProcessorEnableMask: the lowest
 * processor of it that is active gets the interrupts; of a line that is connected already it stays the same.
 * FloatingSave is documented to be FALSE.
 *
 * STATUS_INVALID_PARAMETER for what is not so, or a line that is not shared; STATUS_INSUFFICIENT_RESOURCES.
 * PASSIVE_LEVEL. (WDK page of the name)
 */
NTSTATUS IoConnectInterrupt(PKINTERRUPT *InterruptObject, PKSERVICE_ROUTINE ServiceRoutine, PVOID ServiceContext,
                            PKSPIN_LOCK SpinLock, ULONG Vector, KIRQL Irql, KIRQL SynchronizeIrql,
                            KINTERRUPT_MODE InterruptMode, BOOLEAN ShareVector, KAFFINITY ProcessorEnableMask,
                            BOOLEAN FloatingSave)
{
    ULONG Line = Vector % IOP_LINES;
    KAFFINITY Processors = ProcessorEnableMask & KeActiveProcessors;

    *InterruptObject = NULL;
    if (Vector != IopVectorOfLine(Line) || Irql != IopLevelOfLine(Line) || SynchronizeIrql < Irql ||
        SynchronizeIrql > IOP_HIGHEST_DEVICE || Processors == 0 || ServiceRoutine == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    PKINTERRUPT Interrupt = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Interrupt), IOP_TAG);
    if (Interrupt == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    *Interrupt = (KINTERRUPT){.ServiceRoutine = ServiceRoutine,
                              .ServiceContext = ServiceContext,
                              .Lock = SpinLock != NULL ? SpinLock : &Interrupt->SpinLock,
                              .Line = Line,
                              .SynchronizeIrql = SynchronizeIrql,
                              .Shared = ShareVector,
                              .Mode = InterruptMode};
    *InterruptObject = Interrupt;
    KeLockExclusive(&IopLineLock);
    NTSTATUS Status = IopLink(Interrupt, RtlLowestBit(Processors));
    KeUnlockExclusive(&IopLineLock);
    if (!NT_SUCCESS(Status)) {
        *InterruptObject = NULL;
        ExFreePoolWithTag(Interrupt, IOP_TAG);
    }
    return Status;
}
EXPORT(IoConnectInterrupt);

/* The service routine is not called any more, and no call is under way on return. PASSIVE_LEVEL. (WDK page of
   the name) */
VOID IoDisconnectInterrupt(PKINTERRUPT InterruptObject)
{
    KeLockExclusive(&IopLineLock);
    IopUnlink(InterruptObject);
    KeUnlockExclusive(&IopLineLock);
    ExFreePoolWithTag(InterruptObject, IOP_TAG);
}
EXPORT(IoDisconnectInterrupt);

bool IoFindLeftover(const EX_MODULE *Module, PEX_LEFTOVER Left)
{
    PKINTERRUPT Found = NULL;

    KeLockShared(&IopLineLock);
    for (ULONG i = 0; i < IOP_LINES && Found == NULL; i++) {
        for (Found = IopLine[i].First; Found != NULL && !ExIsInModule(Module, (PVOID)Found->ServiceRoutine);) {
            Found = Found->Next;
        }
    }
    if (Found != NULL) {
        RtlPrint(Left->What, sizeof(Left->What), "interrupt line %u", Found->Line);
        Left->Routine = (PVOID)Found->ServiceRoutine;
    }
    KeUnlockShared(&IopLineLock);
    return Found != NULL;
}
