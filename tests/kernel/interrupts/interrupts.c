/* SPDX-License-Identifier: MIT */
/*
 * Interrupt objects on real devices: two serial ports (16550A), on lines 3 and 5, in loop-back mode, where
 * what is sent comes back as received. Enabling the transmitter's interrupt while the transmitter is empty
 * causes one at once, and each byte that is sent causes one when it comes back: so the test decides when the
 * device asks. The case gives QEMU the ports.
 */
#include "../ktest.h"

#define DATA         0
#define INTERRUPTS   1 /* 1: received, 2: transmitter empty */
#define IDENTITY     2 /* read: bit 0 clear: an interrupt is pending */
#define FIFO         2
#define LINE_CONTROL 3
#define MODEM        4
#define LINE_STATUS  5

#define ON_RECEIVE 1
#define ON_EMPTY   2
#define LOOP_BACK  0x1b /* DTR, RTS, OUT2 and the loop */

typedef struct _PORT {
    ULONG Base, Line;
    ULONG Vector;
    KIRQL Irql;
    KAFFINITY Processors;
    PKINTERRUPT Interrupt;
    volatile LONG Calls;    /* of the service routine */
    volatile LONG Mine;     /* those that found the device asking */
    volatile LONG Received;
    volatile LONG Inside;   /* 1 while the service routine runs */
    volatile LONG Broken;
    volatile KIRQL Level;   /* in the last call */
    volatile ULONG Processor;
} PORT, *PPORT;

static PORT First = {.Base = 0x2e8, .Line = 3}, Other = {.Base = 0x3e8, .Line = 5};
static volatile LONG Holding, HeldTwice;

static UCHAR Read(PPORT Port, ULONG Register)
{
    return READ_PORT_UCHAR((PUCHAR)(ULONG_PTR)(Port->Base + Register));
}

static VOID Write(PPORT Port, ULONG Register, UCHAR Value)
{
    WRITE_PORT_UCHAR((PUCHAR)(ULONG_PTR)(Port->Base + Register), Value);
}

static BOOLEAN Prepare(PPORT Port)
{
    Write(Port, INTERRUPTS, 0);
    Write(Port, LINE_CONTROL, 0x80);
    Write(Port, DATA, 1); /* 115200 */
    Write(Port, INTERRUPTS, 0);
    Write(Port, LINE_CONTROL, 3);
    Write(Port, FIFO, 6); /* off and empty */
    Write(Port, MODEM, LOOP_BACK);
    while (Read(Port, LINE_STATUS) & 1) {
        Read(Port, DATA);
    }
    Port->Vector = HalGetInterruptVector(Isa, 0, Port->Line, Port->Line, &Port->Irql, &Port->Processors);
    return (Read(Port, MODEM) & 0x1f) == LOOP_BACK && Port->Vector != 0;
}

/* Counted with a driver's spin lock inside the interrupt's. */
static ULONG Served;
static KSPIN_LOCK ServedLock;

/* Takes what the device has to say: reading the identity clears "transmitter empty", reading the data
   "received". */
static BOOLEAN Service(PKINTERRUPT Interrupt, PVOID Context)
{
    PPORT Port = Context;
    BOOLEAN Mine = FALSE;
    Port->Broken |= InterlockedIncrement(&Port->Inside) != 1 || Interrupt != Port->Interrupt;
    Port->Level = KeGetCurrentIrql();
    Port->Processor = KeGetCurrentProcessorNumber();
    HeldTwice |= Holding;
    while ((Read(Port, IDENTITY) & 1) == 0) {
        Mine = TRUE;
        if (Read(Port, LINE_STATUS) & 1) {
            Read(Port, DATA);
            InterlockedIncrement(&Port->Received);
        }
    }
    ExInterlockedAddUlong(&Served, 1, &ServedLock);
    InterlockedAdd(&Port->Mine, Mine);
    InterlockedDecrement(&Port->Inside);
    InterlockedIncrement(&Port->Calls);
    return Mine;
}

static NTSTATUS Connect(PPORT Port, KAFFINITY Processors, BOOLEAN Share)
{
    Port->Calls = Port->Mine = Port->Received = Port->Broken = 0;
    return IoConnectInterrupt(&Port->Interrupt, Service, Port, NULL, Port->Vector, Port->Irql, Port->Irql, Latched, Share,
                              Processors, FALSE);
}

/* The device asks: once when its transmitter's interrupt is switched on. */
static VOID Ask(PPORT Port)
{
    Write(Port, INTERRUPTS, 0);
    Write(Port, INTERRUPTS, ON_EMPTY);
}

static BOOLEAN Await(volatile LONG *Counter, LONG Value)
{
    ULONGLONG Start = KeQueryInterruptTime();
    while (*Counter < Value) {
        if (KeQueryInterruptTime() - Start > 100000000) { /* 10 s */
            return FALSE;
        }
        YieldProcessor();
    }
    return TRUE;
}

static VOID Disconnect(PPORT Port)
{
    Write(Port, INTERRUPTS, 0);
    IoDisconnectInterrupt(Port->Interrupt);
}

/* ---- Vectors and parameters ---- */

static PCSTR TestVectors(VOID)
{
    KIRQL Irql;
    KAFFINITY Processors;
    ULONG Vectors[16];
    for (ULONG Line = 0; Line < 16; Line++) {
        Vectors[Line] = HalGetInterruptVector(Isa, 0, Line, Line, &Irql, &Processors);
        KTEST_CHECK(Vectors[Line] != 0 && Irql > DISPATCH_LEVEL && Irql <= SYNCH_LEVEL);
        KTEST_CHECK(Processors == KeQueryActiveProcessors());
        for (ULONG Before = 0; Before < Line; Before++) {
            KTEST_CHECK(Vectors[Before] != Vectors[Line]);
        }
    }
    KTEST_CHECK(HalGetInterruptVector(Isa, 0, 16, 16, &Irql, &Processors) == 0 && Processors == 0);
    KTEST_CHECK(HalGetInterruptVector(Eisa, 0, 3, 3, &Irql, &Processors) == 0);
    KTEST_CHECK(HalGetInterruptVector(Isa, 1, 3, 3, &Irql, &Processors) == 0);
    return NULL;
}

static NTSTATUS Try(ULONG Vector, KIRQL Irql, KIRQL SynchronizeIrql, KAFFINITY Processors)
{
    PKINTERRUPT Interrupt = (PKINTERRUPT)1;
    NTSTATUS Status = IoConnectInterrupt(&Interrupt, Service, &First, NULL, Vector, Irql, SynchronizeIrql, Latched, FALSE,
                                         Processors, FALSE);
    if (NT_SUCCESS(Status)) {
        IoDisconnectInterrupt(Interrupt);
    }
    return Interrupt == NULL ? Status : STATUS_UNSUCCESSFUL;
}

static PCSTR TestParameters(VOID)
{
    PPORT P = &First;
    KTEST_CHECK(Try(P->Vector + 1, P->Irql, P->Irql, P->Processors) == STATUS_INVALID_PARAMETER);
    KTEST_CHECK(Try(0, P->Irql, P->Irql, P->Processors) == STATUS_INVALID_PARAMETER);
    KTEST_CHECK(Try(P->Vector, P->Irql - 1, P->Irql, P->Processors) == STATUS_INVALID_PARAMETER);
    KTEST_CHECK(Try(P->Vector, P->Irql, P->Irql - 1, P->Processors) == STATUS_INVALID_PARAMETER);
    KTEST_CHECK(Try(P->Vector, P->Irql, PASSIVE_LEVEL, P->Processors) == STATUS_INVALID_PARAMETER);
    KTEST_CHECK(Try(P->Vector, P->Irql, CLOCK_LEVEL, P->Processors) == STATUS_INVALID_PARAMETER);
    KTEST_CHECK(Try(P->Vector, P->Irql, P->Irql, 0) == STATUS_INVALID_PARAMETER);
    KTEST_CHECK(Try(P->Vector, P->Irql, P->Irql, ~KeQueryActiveProcessors()) == STATUS_INVALID_PARAMETER);
    return NULL;
}

/* ---- One line ---- */

/* Each request of the device is one call, at its level, on a processor that was allowed; none after the
   disconnection. */
static PCSTR TestCalls(VOID)
{
    ULONG Processors = KeQueryActiveProcessorCount(NULL);
    for (ULONG Processor = 0; Processor < Processors; Processor++) {
        KTEST_CHECK(Connect(&First, (KAFFINITY)1 << Processor, FALSE) == STATUS_SUCCESS);
        for (LONG i = 1; i <= 20; i++) {
            Ask(&First);
            if (!Await(&First.Mine, i)) {
                Disconnect(&First);
                return "no interrupt came";
            }
        }
        BOOLEAN Right = First.Level == First.Irql && First.Processor == Processor && !First.Broken;
        Disconnect(&First);
        LONG Calls = First.Calls;
        Ask(&First);
        KtestSleep(5);
        Write(&First, INTERRUPTS, 0);
        Read(&First, IDENTITY);
        KTEST_CHECK(Right && First.Calls == Calls);
    }
    return NULL;
}

static PCSTR TestReceived(VOID)
{
    KTEST_CHECK(Connect(&First, First.Processors, FALSE) == STATUS_SUCCESS);
    Write(&First, INTERRUPTS, ON_RECEIVE);
    for (LONG i = 1; i <= 20; i++) {
        Write(&First, DATA, (UCHAR)i);
        if (!Await(&First.Received, i)) {
            Disconnect(&First);
            return "what was sent did not come back";
        }
    }
    Disconnect(&First);
    KTEST_CHECK(Served >= 20);
    KTEST_CHECK(!First.Broken);
    return NULL;
}

static PCSTR TestEx(VOID)
{
    IO_CONNECT_INTERRUPT_PARAMETERS Connection = {.Version = CONNECT_LINE_BASED};
    IO_DISCONNECT_INTERRUPT_PARAMETERS Disconnection = {.Version = CONNECT_FULLY_SPECIFIED};
    KTEST_CHECK(IoConnectInterruptEx(&Connection) == STATUS_NOT_SUPPORTED && Connection.Version == CONNECT_FULLY_SPECIFIED);
    First.Calls = First.Mine = 0;
    Connection.FullySpecified.InterruptObject = &First.Interrupt;
    Connection.FullySpecified.ServiceRoutine = Service;
    Connection.FullySpecified.ServiceContext = &First;
    Connection.FullySpecified.Vector = First.Vector;
    Connection.FullySpecified.Irql = First.Irql;
    Connection.FullySpecified.SynchronizeIrql = First.Irql;
    Connection.FullySpecified.InterruptMode = Latched;
    Connection.FullySpecified.ProcessorEnableMask = First.Processors;
    KTEST_CHECK(IoConnectInterruptEx(&Connection) == STATUS_SUCCESS);
    Ask(&First);
    BOOLEAN Came = Await(&First.Mine, 1);
    Write(&First, INTERRUPTS, 0);
    Disconnection.ConnectionContext.InterruptObject = First.Interrupt;
    IoDisconnectInterruptEx(&Disconnection);
    KTEST_CHECK(Came);
    Connection.Version = CONNECT_FULLY_SPECIFIED_GROUP;
    Connection.FullySpecified.Group = 1;
    KTEST_CHECK(IoConnectInterruptEx(&Connection) == STATUS_INVALID_PARAMETER);
    return NULL;
}

/* ---- Two objects of one line ---- */

static volatile LONG NeighbourCalls;

static BOOLEAN Neighbour(PKINTERRUPT Interrupt, PVOID Context)
{
    InterlockedIncrement(&NeighbourCalls);
    return FALSE; /* it has no device that could have asked */
}

static PCSTR TestShared(VOID)
{
    PKINTERRUPT Interrupt;
    NeighbourCalls = 0;
    KTEST_CHECK(Connect(&First, First.Processors, FALSE) == STATUS_SUCCESS);
    NTSTATUS Refused = IoConnectInterrupt(&Interrupt, Neighbour, NULL, NULL, First.Vector, First.Irql, First.Irql, Latched,
                                          TRUE, First.Processors, FALSE);
    Disconnect(&First);
    KTEST_CHECK(Refused == STATUS_INVALID_PARAMETER && Interrupt == NULL);

    for (ULONG Order = 0; Order < 2; Order++) {
        if (Order == 0) {
            KTEST_CHECK(Connect(&First, First.Processors, TRUE) == STATUS_SUCCESS);
        }
        NeighbourCalls = 0;
        KTEST_CHECK(IoConnectInterrupt(&Interrupt, Neighbour, NULL, NULL, First.Vector, First.Irql, First.Irql, Latched,
                                       TRUE, First.Processors, FALSE) == STATUS_SUCCESS);
        if (Order == 1) {
            KTEST_CHECK(Connect(&First, First.Processors, TRUE) == STATUS_SUCCESS);
        }
        Ask(&First);
        BOOLEAN Came = Await(&First.Mine, 1) && Await(&NeighbourCalls, 2) && Await(&First.Calls, 2);
        IoDisconnectInterrupt(Interrupt);
        LONG Calls = NeighbourCalls;
        Ask(&First);
        Came &= Await(&First.Mine, 2); /* the one that stays is served, the other one is not called any more */
        Disconnect(&First);
        KTEST_CHECK(Came && NeighbourCalls == Calls && !First.Broken);
    }
    return NULL;
}

/* ---- The interrupt spin lock ---- */

static BOOLEAN AskInside(PVOID Context)
{
    PPORT Port = Context;
    LONG Calls = Port->Calls;
    Holding = 1;
    Ask(Port);
    KeStallExecutionProcessor(2000); /* long enough for another processor to take the interrupt */
    BOOLEAN Right = KeGetCurrentIrql() == Port->Irql && Port->Calls == Calls;
    Holding = 0;
    return Right;
}

/* While a routine synchronised with the service routine runs, that does not, on this processor or another;
   afterwards the interrupt is served. */
static PCSTR TestSynchronize(VOID)
{
    for (LONG i = 0; i < (LONG)KeQueryActiveProcessorCount(NULL); i++) {
        HeldTwice = 0;
        KTEST_CHECK(Connect(&First, (KAFFINITY)1 << i, FALSE) == STATUS_SUCCESS);
        BOOLEAN Right = KeSynchronizeExecution(First.Interrupt, AskInside, &First);
        BOOLEAN Came = Await(&First.Mine, 1);
        KIRQL Irql = KeAcquireInterruptSpinLock(First.Interrupt);
        Right &= AskInside(&First) && Irql == PASSIVE_LEVEL;
        KeReleaseInterruptSpinLock(First.Interrupt, Irql);
        Came &= Await(&First.Mine, 2) && KeGetCurrentIrql() == PASSIVE_LEVEL;
        Disconnect(&First);
        KTEST_CHECK(Right && Came && !HeldTwice && !First.Broken);
    }
    return NULL;
}

static BOOLEAN ReturnFalse(PVOID Context)
{
    *(KIRQL *)Context = KeGetCurrentIrql();
    return FALSE;
}

/* KeSynchronizeExecution hands on what the routine returns, and may be called at the interrupt's level; a
   higher SynchronizeIrql is the level in the service routine, too. */
static PCSTR TestSynchronizeIrql(VOID)
{
    KIRQL Inside = 0, Irql;
    KTEST_CHECK(NT_SUCCESS(IoConnectInterrupt(&First.Interrupt, Service, &First, NULL, First.Vector, First.Irql, SYNCH_LEVEL,
                                              Latched, FALSE, First.Processors, FALSE)));
    First.Mine = First.Broken = 0;
    KeRaiseIrql(First.Irql, &Irql);
    BOOLEAN Result = KeSynchronizeExecution(First.Interrupt, ReturnFalse, &Inside);
    KIRQL After = KeGetCurrentIrql();
    KeLowerIrql(Irql);
    Ask(&First);
    BOOLEAN Came = Await(&First.Mine, 1);
    Disconnect(&First);
    KTEST_CHECK(!Result && Inside == SYNCH_LEVEL && After == First.Irql);
    KTEST_CHECK(Came && First.Level == SYNCH_LEVEL && !First.Broken);
    return NULL;
}

/* Two devices, one lock: neither service routine runs beside the other, nor beside who holds the lock. */
static KSPIN_LOCK Common;
static volatile LONG BothInside, BothBroken, Together;

static BOOLEAN CommonService(PKINTERRUPT Interrupt, PVOID Context)
{
    BothBroken |= InterlockedIncrement(&BothInside) != 1;
    Together++;
    BOOLEAN Mine = Service(Interrupt, Context);
    InterlockedDecrement(&BothInside);
    return Mine;
}

static BOOLEAN CountTogether(PVOID Context)
{
    BothBroken |= InterlockedIncrement(&BothInside) != 1;
    Together++;
    InterlockedDecrement(&BothInside);
    return TRUE;
}

static volatile LONG Stop;

static VOID SynchronizeThread(PVOID Context)
{
    PPORT Port = (ULONG_PTR)Context % 2 ? &First : &Other;
    for (ULONG i = 0; i < 500; i++) {
        KeSynchronizeExecution(Port->Interrupt, CountTogether, NULL);
    }
}

static PCSTR TestOneLock(VOID)
{
    PPORT Ports[] = {&First, &Other};
    KIRQL Highest = First.Irql > Other.Irql ? First.Irql : Other.Irql;
    ULONG Processors = KeQueryActiveProcessorCount(NULL);
    PETHREAD Threads[4];
    KeInitializeSpinLock(&Common);
    BothBroken = Together = 0;
    for (ULONG i = 0; i < 2; i++) {
        Ports[i]->Calls = Ports[i]->Mine = Ports[i]->Broken = 0;
        KTEST_CHECK(NT_SUCCESS(IoConnectInterrupt(&Ports[i]->Interrupt, CommonService, Ports[i], &Common, Ports[i]->Vector,
                                                  Ports[i]->Irql, Highest, Latched, FALSE,
                                                  (KAFFINITY)1 << i % Processors, FALSE)));
    }
    for (ULONG i = 0; i < 4; i++) {
        Threads[i] = KtestStart(SynchronizeThread, (PVOID)(ULONG_PTR)i);
        KTEST_CHECK(Threads[i] != NULL);
    }
    BOOLEAN Came = TRUE;
    for (LONG i = 1; i <= 100 && Came; i++) {
        Ask(&First);
        Ask(&Other);
        Came = Await(&First.Mine, i) && Await(&Other.Mine, i);
    }
    for (ULONG i = 0; i < 4; i++) {
        KtestJoin(Threads[i]);
    }
    LONG Calls = First.Calls + Other.Calls;
    Disconnect(&First);
    Disconnect(&Other);
    KTEST_CHECK(Came && !BothBroken && !First.Broken && !Other.Broken);
    KTEST_CHECK(Together == Calls + 4 * 500 && Common == 0);
    return NULL;
}

/* A DPC that the service routine queues, as drivers do, and objects that come and go while the device
   asks. */
static KDPC Dpc;
static volatile LONG DpcRuns;

static VOID NoteDpc(PKDPC D, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    InterlockedIncrement(&DpcRuns);
}

static BOOLEAN QueueingService(PKINTERRUPT Interrupt, PVOID Context)
{
    BOOLEAN Mine = Service(Interrupt, Context);
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    return Mine;
}

static PCSTR TestDpc(VOID)
{
    KeInitializeDpc(&Dpc, NoteDpc, NULL);
    DpcRuns = 0;
    First.Calls = First.Mine = First.Broken = 0;
    KTEST_CHECK(NT_SUCCESS(IoConnectInterrupt(&First.Interrupt, QueueingService, &First, NULL, First.Vector, First.Irql,
                                              First.Irql, Latched, FALSE, First.Processors, FALSE)));
    BOOLEAN Came = TRUE;
    for (LONG i = 1; i <= 20 && Came; i++) {
        Ask(&First);
        Came = Await(&DpcRuns, i);
    }
    Disconnect(&First);
    KeFlushQueuedDpcs();
    KTEST_CHECK(Came && First.Mine == 20);
    return NULL;
}

static VOID AskThread(PVOID Context)
{
    while (!Stop) {
        Ask(&First);
    }
}

static PCSTR TestComeAndGo(VOID)
{
    Stop = 0;
    PETHREAD Thread = KtestStart(AskThread, NULL);
    KTEST_CHECK(Thread != NULL);
    BOOLEAN Right = TRUE;
    LONG Mine = 0;
    for (ULONG i = 0; i < 200 && Right; i++) {
        Right = Connect(&First, (KAFFINITY)1 << i % KeQueryActiveProcessorCount(NULL), FALSE) == STATUS_SUCCESS;
        if (Right) {
            KtestSleep(1);
            IoDisconnectInterrupt(First.Interrupt);
            LONG Calls = First.Calls;
            KeStallExecutionProcessor(50);
            Right = !First.Broken && First.Calls == Calls && First.Inside == 0;
            Mine += First.Mine;
        }
    }
    Stop = 1;
    KtestJoin(Thread);
    Write(&First, INTERRUPTS, 0);
    DbgPrint("interrupts: %d in 200 connections\n", Mine);
    KTEST_CHECK(Right && Mine > 0);
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    DbgPrint("interrupts: %u processors\n", KeQueryActiveProcessorCount(NULL));
    KtestRun("interrupts.vectors", TestVectors);
    if (!Prepare(&First) || !Prepare(&Other)) {
        DbgPrint("@fail interrupts: the serial ports are missing\n");
        return STATUS_SUCCESS;
    }
    KtestRun("interrupts.parameters", TestParameters);
    KtestRun("interrupts.calls-level-and-processor", TestCalls);
    KtestRun("interrupts.received", TestReceived);
    KtestRun("interrupts.ex", TestEx);
    KtestRun("interrupts.shared-line-calls-all", TestShared);
    KtestRun("interrupts.synchronize-execution", TestSynchronize);
    KtestRun("interrupts.synchronize-irql", TestSynchronizeIrql);
    KtestRun("interrupts.one-lock-for-two", TestOneLock);
    KtestRun("interrupts.dpc", TestDpc);
    KtestRun("interrupts.come-and-go", TestComeAndGo);
    return STATUS_SUCCESS;
}
