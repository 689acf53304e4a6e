/* SPDX-License-Identifier: MIT */
/*
 * The console: serial ports as standard input, output and error.
 *
 *   stdio=tty    port 0 is a terminal, both ways; the line discipline is here. With tty.chunks=1 it receives chunks as a
 *                pipe does, and length 0 means: the window's size follows, two bytes of columns, two of rows
 *   stdio=tty-out, tty-err, tty-out-err
 *                the same, but standard output goes to port 2, standard error to port 1, as it is
 *   stdio=pipe   port 0 sends standard output as it is, and receives chunks [length 1..255][bytes], length 0:
 *                end of input; port 1 sends standard error as it is
 *   stdio=output the same, but input is at its end from the start: no interrupt comes in at a time that nobody can
 *                repeat
 *
 *   receiver --interrupt--> raw ring --DPC or reader--> line discipline, or chunks --> input ring --> reader
 *
 * The raw ring has one producer, the interrupt handler, which runs on one processor only, and one consumer,
 * whoever holds the input lock; so it needs no lock that the handler would have to take. When it is full the
 * receive interrupt is switched off, until something has been taken out.
 *
 * Locks, outermost first: IopSignalLock (push lock: who is told of ^C), IOP_PORT.Writers (push lock: a write
 * is not mixed with another), IopInput.Lock (KlcConsole), IOP_PORT.Lock (KlcSerial: the transmitter, a few
 * bytes at a time, for echo comes in between).
 */
#include "kernel/io/iop.h"

#define IOP_RAW_SIZE     4096 /* powers of two */
#define IOP_INPUT_SIZE   4096
#define IOP_FIFO         16   /* bytes that an empty transmitter takes at once */
#define IOP_BURST        16   /* FIFOs' worth sent under one acquisition of the port's lock */
#define IOP_SPINS        2000 /* looks at a busy transmitter before the writer sleeps */
#define IOP_ECHO_SPINS   20000
#define IOP_MARKER       "\x01PRIMER-STDIO\x02"

/* Entries of the input ring that are no bytes. */
#define IOP_END_OF_INPUT 0x100 /* a read that starts here gets nothing: ^D on an empty line */
#define IOP_END_OF_READ  0x101 /* a read ends here: ^D behind text */

#define IOP_CONTROL(Letter) ((Letter)&0x1f)
#define IOP_BACKSPACE       0x08
#define IOP_DELETE          0x7f

typedef struct _IOP_PORT {
    EX_PUSH_LOCK Writers;
    KLOCK Lock; /* the transmitter */
} IOP_PORT, *PIOP_PORT;

static IOP_PORT IopPort[3];
static const IO_CONSOLE_DISPLAY *volatile IopDisplay; /* the terminal is shown there, too; or NULL. One load a use */

typedef struct _IOP_MODE {
    PCSTR Name;
    BOOLEAN Pipe[3]; /* which streams are no terminal */
} IOP_MODE;

static const IOP_MODE IopModes[] = {{"tty", {FALSE, FALSE, FALSE}},
                                    {"tty-out", {FALSE, TRUE, FALSE}},
                                    {"tty-err", {FALSE, FALSE, TRUE}},
                                    {"tty-out-err", {FALSE, TRUE, TRUE}},
                                    {"pipe", {TRUE, TRUE, TRUE}},
                                    {"output", {TRUE, TRUE, TRUE}}};
static const IOP_MODE *IopMode = &IopModes[0]; /* (c) stdio=NAME */

/*
 * (i) Lock   (h) the interrupt handler   (a) atomic operations   (c) constant
 *
 * Positions count for ever and are taken modulo the ring's size: Read <= Committed <= Written <= Read + size.
 */
static struct {
    KLOCK Lock;
    ULONG Mode;   /* (i) IO_CONSOLE_*; a terminal's */
    KEVENT Ready; /* notification; (i) signalled while a read would not wait */
    KDPC Dpc;
    PKDPC Notify; /* (i) queued when there is input, or a new size of the window; or NULL */
    volatile ULONG RawIn;         /* (h) written; read by the consumer */
    volatile ULONG RawOut;        /* (i) written; read by the handler */
    volatile ULONG Throttled;     /* (a) the receive interrupt is off; who makes it 0 switches it on */
    ULONG Read;                   /* (i) */
    ULONG Committed;              /* (i) readers get what is before it: whole lines */
    ULONG Written;                /* (i) */
    BOOLEAN Chunks;               /* (c) input comes in chunks: a pipe's, and a terminal's with tty.chunks=1 */
    BOOLEAN Resized;              /* (i) Notify has still to be told */
    ULONG ChunkLeft;              /* (i) bytes of the current chunk that are still to come */
    ULONG SizeLeft;               /* (i) the same of the window's size */
    UCHAR Size[4];                /* (i) */
    USHORT Window[2];             /* (i) columns, rows */
    BOOLEAN PipeEnded;            /* (i) pipe: the end of input has come */
    BOOLEAN EchoStuck;            /* (i) the terminal took the last echo not at all, or in part */
    BOOLEAN QueueSignals;         /* (i) IopSignalItem is to be queued when the lock has been released */
    USHORT Input[IOP_INPUT_SIZE]; /* (i) */
    UCHAR Raw[IOP_RAW_SIZE];
} IopInput;

static EX_PUSH_LOCK IopSignalLock;
/* (IopSignalLock); whether it is NULL is read without: a late answer is harmless */
static PIO_CONSOLE_SIGNAL IopSignalRoutine;
static PVOID IopSignalContext;        /* (IopSignalLock) */
static volatile ULONG IopSignals;     /* (a) a bit for each control character that is to be told */
static WORK_QUEUE_ITEM IopSignalItem; /* queued by who makes IopSignals other than 0 */

/* ---- Output ---- */

/* Sends while the transmitter takes it; how many bytes that was. <= DISPATCH. */
static SIZE_T IopSendSome(ULONG Port, const UCHAR *Data, SIZE_T Size)
{
    SIZE_T Sent = 0;
    KIRQL Irql = KeAcquireLock(&IopPort[Port].Lock);

    for (ULONG i = 0; i < IOP_BURST && Sent < Size && ArchSerialIsEmpty(Port); i++) {
        SIZE_T Count = Size - Sent < IOP_FIFO ? Size - Sent : IOP_FIFO;
        ArchSerialWrite(Port, Data + Sent, Count);
        Sent += Count;
    }
    const IO_CONSOLE_DISPLAY *Display = IopDisplay;
    if (Display != NULL && Port == 0 && !IopMode->Pipe[0]) {
        Display->Write(Data, Sent);
    }
    KeReleaseLock(&IopPort[Port].Lock, Irql);
    return Sent;
}

static void IopSleep(void)
{
    LARGE_INTEGER Millisecond = {.QuadPart = -10000};
    KeDelayExecutionThread(KernelMode, FALSE, &Millisecond);
}

/* All of it. Who reads at the other end may be slow for as long as he likes. <= APC. */
static void IopSend(ULONG Port, const UCHAR *Data, SIZE_T Size)
{
    ULONG Spins = 0;

    while (Size != 0) {
        SIZE_T Sent = IopSendSome(Port, Data, Size);
        Data += Sent;
        Size -= Sent;
        Spins = Sent != 0 ? 0 : Spins + 1;
        if (Spins == IOP_SPINS) {
            IopSleep();
            Spins = 0;
        }
    }
}

/* Terminals want CR before NL. */
static void IopSendText(ULONG Port, const UCHAR *Data, SIZE_T Size)
{
    UCHAR Expanded[256];
    SIZE_T Count = 0;

    for (SIZE_T i = 0; i < Size; i++) {
        if (Count > sizeof(Expanded) - 2) {
            IopSend(Port, Expanded, Count);
            Count = 0;
        }
        if (Data[i] == '\n') {
            Expanded[Count++] = '\r';
        }
        Expanded[Count++] = Data[i];
    }
    IopSend(Port, Expanded, Count);
}

static ULONG IopPortOfStream(ULONG Stream)
{
    if (!IopMode->Pipe[Stream]) {
        return 0;
    }
    return Stream == 2 ? 1 : IopMode->Pipe[0] ? 0 : 2;
}

NTSTATUS IoConsoleWrite(ULONG Stream, const VOID *Buffer, SIZE_T Size)
{
    if (Stream > 2 || (Stream == 0 && IopMode->Pipe[0])) {
        return STATUS_INVALID_PARAMETER;
    }
    ULONG Port = IopPortOfStream(Stream);
    KeLockExclusive(&IopPort[Port].Writers);
    if (!IopMode->Pipe[Stream] && (IopInput.Mode & IO_CONSOLE_CRNL)) {
        IopSendText(Port, Buffer, Size);
    } else {
        IopSend(Port, Buffer, Size);
    }
    KeUnlockExclusive(&IopPort[Port].Writers);
    return STATUS_SUCCESS;
}

/* At most ten seconds a port: a machine that is to be switched off waits for ever neither for its reader nor
   for a write that does so. */
void IoConsoleFlush(void)
{
    for (ULONG Port = 0; Port < RTL_NUMBER_OF(IopPort); Port++) {
        for (ULONG i = 0; i < 10000 && !ArchSerialIsEmpty(Port); i++) {
            IopSleep();
        }
    }
}

/* ---- Echo: with the input lock held, so it cannot wait for long; what the terminal does not take in time is
   lost, and it is waited for no more until it takes something ---- */

static void IopEcho(const char *Text, SIZE_T Size)
{
    ULONG Spins = IopInput.EchoStuck ? IOP_ECHO_SPINS - 1 : 0;

    if (!(IopInput.Mode & IO_CONSOLE_ECHO)) {
        return;
    }
    while (Size != 0 && Spins < IOP_ECHO_SPINS) {
        SIZE_T Sent = IopSendSome(0, (const UCHAR *)Text, Size);
        Text += Sent;
        Size -= Sent;
        Spins = Sent != 0 ? 0 : Spins + 1;
    }
    IopInput.EchoStuck = Size != 0;
}

static bool IopShownAsTwo(USHORT Byte)
{
    return (Byte < ' ' && Byte != '\t' && Byte != '\n') || Byte == IOP_DELETE;
}

static void IopEchoByte(UCHAR Byte)
{
    char Shown[2] = {(char)Byte, 0};
    SIZE_T Size = 1;

    if (Byte == '\n' && (IopInput.Mode & IO_CONSOLE_CRNL)) {
        Shown[0] = '\r';
        Shown[Size++] = '\n';
    } else if (IopShownAsTwo(Byte)) {
        Shown[0] = '^';
        Shown[Size++] = (char)(Byte ^ 0x40);
    }
    IopEcho(Shown, Size);
}

/* ---- The line discipline: under the input lock ---- */

static ULONG IopRoom(void)
{
    return IOP_INPUT_SIZE - (IopInput.Written - IopInput.Read);
}

static void IopAppend(USHORT Entry)
{
    IopInput.Input[IopInput.Written++ % IOP_INPUT_SIZE] = Entry;
}

static void IopAppendAndCommit(USHORT Entry)
{
    IopAppend(Entry);
    IopInput.Committed = IopInput.Written;
}

static USHORT IopLastTyped(void)
{
    return IopInput.Input[(IopInput.Written - 1) % IOP_INPUT_SIZE];
}

/* Takes back the last character of the line that is being typed: all bytes of one that UTF-8 writes with
   several. */
static void IopEraseCharacter(void)
{
    USHORT Byte;

    if (IopInput.Written == IopInput.Committed) {
        return;
    }
    do {
        Byte = IopLastTyped();
        IopInput.Written--;
    } while ((Byte & 0xc0) == 0x80 && IopInput.Written != IopInput.Committed);
    IopEcho("\b \b", 3);
    if (IopShownAsTwo(Byte)) {
        IopEcho("\b \b", 3);
    }
}

/* To the beginning of the line, or only the last word and the spaces behind it. */
static void IopErase(bool WholeLine)
{
    bool InWord = false;

    while (IopInput.Written != IopInput.Committed && (WholeLine || !InWord || IopLastTyped() != ' ')) {
        InWord |= IopLastTyped() != ' ';
        IopEraseCharacter();
    }
}

/* ^C, ^\, ^Z go to the owner of the terminal, when there is one, and what was typed before is forgotten. */
static bool IopIsSignal(UCHAR Byte)
{
    return (IopInput.Mode & IO_CONSOLE_SIGNALS) && IopSignalRoutine != NULL &&
           (Byte == IOP_CONTROL('C') || Byte == IOP_CONTROL('\\') || Byte == IOP_CONTROL('Z'));
}

static void IopSignal(UCHAR Byte)
{
    IopInput.Read = IopInput.Committed = IopInput.Written;
    IopEchoByte(Byte);
    if (InterlockedOr((volatile LONG *)&IopSignals, 1 << Byte) == 0) {
        IopInput.QueueSignals = TRUE;
    }
}

/* A key in line mode. FALSE: no room now, but readers will make some. */
static bool IopTypeInLine(UCHAR Byte)
{
    switch (Byte) {
    case IOP_DELETE:
    case IOP_BACKSPACE:
        IopEraseCharacter();
        return true;
    case IOP_CONTROL('U'):
        IopErase(true);
        return true;
    case IOP_CONTROL('W'):
        IopErase(false);
        return true;
    }
    /* Two entries are kept for the line's end. */
    if (IopRoom() < 3 && IopInput.Read != IopInput.Committed) {
        return false;
    }
    if (Byte == IOP_CONTROL('D')) {
        IopAppendAndCommit(IopInput.Written == IopInput.Committed ? IOP_END_OF_INPUT : IOP_END_OF_READ);
    } else if (Byte == '\n') {
        IopAppendAndCommit(Byte);
        IopEchoByte(Byte);
    } else if (IopRoom() < 3) {
        IopEcho("\a", 1);
    } else {
        IopAppend(Byte);
        IopEchoByte(Byte);
    }
    return true;
}

static bool IopTypeRaw(UCHAR Byte)
{
    if (IopRoom() == 0) {
        return false;
    }
    IopAppendAndCommit(Byte);
    return true;
}

static bool IopType(UCHAR Byte)
{
    if (!(IopInput.Mode & IO_CONSOLE_RAW)) {
        if (Byte == '\r' && (IopInput.Mode & IO_CONSOLE_CRNL)) {
            Byte = '\n';
        }
        if (IopIsSignal(Byte)) {
            IopSignal(Byte);
            return true;
        }
        if (IopInput.Mode & IO_CONSOLE_LINE) {
            return IopTypeInLine(Byte);
        }
    }
    bool Taken = IopTypeRaw(Byte);
    if (Taken) {
        IopEchoByte(Byte);
    }
    return Taken;
}

/* The next byte of a chunk: its length, or one of its bytes. Length 0: the end of a pipe's input; from a
   terminal, two bytes each of columns and rows follow. */
static bool IopTakeChunkByte(UCHAR Byte)
{
    if (IopInput.SizeLeft != 0) {
        IopInput.Size[sizeof(IopInput.Size) - IopInput.SizeLeft--] = Byte;
        if (IopInput.SizeLeft == 0) {
            memcpy(IopInput.Window, IopInput.Size, sizeof(IopInput.Size));
            IopInput.Resized = TRUE;
        }
        return true;
    }
    if (IopInput.ChunkLeft == 0) {
        IopInput.ChunkLeft = Byte;
        IopInput.PipeEnded |= Byte == 0 && IopMode->Pipe[0];
        IopInput.SizeLeft = Byte == 0 && !IopMode->Pipe[0] ? sizeof(IopInput.Size) : 0;
        return true;
    }
    bool Taken = IopMode->Pipe[0] ? IopTypeRaw(Byte) : IopType(Byte);
    IopInput.ChunkLeft -= Taken;
    return Taken;
}

/* ---- From the raw ring to the input ring: under the input lock ---- */

/* The handler sets Throttled and then looks at RawOut once more; here it is the other way round: one of the
   two sees the other's store. */
static void IopUnthrottle(void)
{
    MemoryBarrier();
    if (IopInput.Throttled && IopInput.RawIn - IopInput.RawOut < IOP_RAW_SIZE &&
        InterlockedExchange((volatile LONG *)&IopInput.Throttled, 0) != 0) {
        ArchSerialEnableReceiveInterrupt(0, true);
    }
}

static bool IopReadable(void)
{
    return IopInput.Read != IopInput.Committed || IopInput.PipeEnded;
}

static void IopProcessRaw(void)
{
    while (IopInput.RawOut != ReadULongAcquire(&IopInput.RawIn)) {
        UCHAR Byte = IopInput.Raw[IopInput.RawOut % IOP_RAW_SIZE];
        if (!(IopInput.Chunks ? IopTakeChunkByte(Byte) : IopType(Byte))) {
            break;
        }
        WriteULongRelease(&IopInput.RawOut, IopInput.RawOut + 1);
    }
    IopUnthrottle();
    bool Readable = IopReadable();
    if (Readable) {
        KeSetEvent(&IopInput.Ready, IO_NO_INCREMENT, FALSE);
    } else {
        KeClearEvent(&IopInput.Ready);
    }
    if ((Readable || IopInput.Resized) && IopInput.Notify != NULL) {
        IopInput.Resized = FALSE;
        KeInsertQueueDpc(IopInput.Notify, NULL, NULL);
    }
}

/* Releases the input lock; what the raw bytes asked for and may not be done under it is done now. */
static void IopReleaseInput(KIRQL Irql)
{
    BOOLEAN QueueSignals = IopInput.QueueSignals;

    IopInput.QueueSignals = FALSE;
    KeReleaseLock(&IopInput.Lock, Irql);
    if (QueueSignals) {
        ExQueueWorkItem(&IopSignalItem, CriticalWorkQueue);
    }
}

static VOID IopInputDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KIRQL Irql = KeAcquireLock(&IopInput.Lock);
    IopProcessRaw();
    IopReleaseInput(Irql);
}

/* The ring is full. */
static void IopThrottle(void)
{
    ArchSerialEnableReceiveInterrupt(0, false);
    InterlockedExchange((volatile LONG *)&IopInput.Throttled, 1);
    if (IopInput.RawIn - IopInput.RawOut < IOP_RAW_SIZE &&
        InterlockedExchange((volatile LONG *)&IopInput.Throttled, 0) != 0) {
        ArchSerialEnableReceiveInterrupt(0, true);
    }
}

/* Takes all that has come: the line is edge-triggered, and asks again only after it has fallen. */
static BOOLEAN IopReceiveInterrupt(PKINTERRUPT Interrupt, PVOID Context)
{
    ULONG Before = IopInput.RawIn;

    for (;;) {
        ULONG At = IopInput.RawIn % IOP_RAW_SIZE;
        ULONG Free = IOP_RAW_SIZE - (IopInput.RawIn - ReadULongAcquire(&IopInput.RawOut));
        if (Free == 0) {
            IopThrottle();
            break;
        }
        ULONG Count =
            (ULONG)ArchSerialRead(0, IopInput.Raw + At, Free < IOP_RAW_SIZE - At ? Free : IOP_RAW_SIZE - At);
        if (Count == 0) {
            break;
        }
        WriteULongRelease(&IopInput.RawIn, IopInput.RawIn + Count);
    }
    KeInsertQueueDpc(&IopInput.Dpc, NULL, NULL);
    return IopInput.RawIn != Before;
}

/* Port 2 has the same line. */
static NTSTATUS IopConnectConsole(void)
{
    PKINTERRUPT Interrupt;
    KIRQL Irql;
    KAFFINITY Processors;
    ULONG Vector = HalGetInterruptVector(Isa, 0, ArchSerialIsaLine(0), ArchSerialIsaLine(0), &Irql, &Processors);

    return IoConnectInterrupt(&Interrupt, IopReceiveInterrupt, NULL, NULL, Vector, Irql, Irql, Latched, TRUE, Processors,
                              FALSE);
}

/* ---- Input ---- */

/* Takes what a read of Size bytes gets; *End: the end of input, when there are no bytes. Under the input
   lock. */
static SIZE_T IopTake(UCHAR *Buffer, SIZE_T Size, BOOLEAN *End)
{
    SIZE_T Count = 0;

    *End = FALSE;
    while (Count < Size && IopInput.Read != IopInput.Committed) {
        USHORT Entry = IopInput.Input[IopInput.Read % IOP_INPUT_SIZE];
        if (Entry == IOP_END_OF_INPUT && Count != 0) {
            return Count;
        }
        IopInput.Read++;
        if (Entry == IOP_END_OF_INPUT) {
            *End = TRUE;
            return 0;
        }
        if (Entry != IOP_END_OF_READ) {
            Buffer[Count++] = (UCHAR)Entry;
        }
        if (Count != 0 &&
            (Entry == IOP_END_OF_READ || (Entry == '\n' && (IopInput.Mode & IO_CONSOLE_LINE)))) {
            return Count;
        }
    }
    if (Count != 0 && IopInput.Read != IopInput.Committed &&
        IopInput.Input[IopInput.Read % IOP_INPUT_SIZE] == IOP_END_OF_READ) {
        IopInput.Read++; /* the text before ^D fitted exactly */
    }
    *End = Count == 0 && IopInput.PipeEnded;
    return Count;
}

NTSTATUS IoConsoleTake(PVOID Buffer, SIZE_T Size, SIZE_T *Done)
{
    BOOLEAN End;
    KIRQL Irql = KeAcquireLock(&IopInput.Lock);
    *Done = IopTake(Buffer, Size, &End);
    IopProcessRaw(); /* there is room again */
    IopReleaseInput(Irql);
    return *Done != 0 || End ? STATUS_SUCCESS : STATUS_PENDING;
}

NTSTATUS IoConsoleRead(PVOID Buffer, SIZE_T Size, SIZE_T *Done)
{
    NTSTATUS Status = STATUS_SUCCESS;

    while (Status == STATUS_SUCCESS && IoConsoleTake(Buffer, Size, Done) == STATUS_PENDING) {
        Status = KeWaitForSingleObject(&IopInput.Ready, UserRequest, UserMode, TRUE, NULL);
    }
    return Status;
}

ULONG IoConsoleInputReady(void)
{
    KIRQL Irql = KeAcquireLock(&IopInput.Lock);
    ULONG Count = IopInput.Committed - IopInput.Read;
    if (Count == 0 && IopInput.PipeEnded) {
        Count = MAXULONG;
    }
    KeReleaseLock(&IopInput.Lock, Irql);
    return Count;
}

void IoConsoleSetInputDpc(PKDPC Dpc)
{
    KIRQL Irql = KeAcquireLock(&IopInput.Lock);
    IopInput.Notify = Dpc;
    KeReleaseLock(&IopInput.Lock, Irql);
}

/* ---- Modes ---- */

BOOLEAN IoConsoleIsTerminal(ULONG Stream)
{
    return !IopMode->Pipe[Stream];
}

ULONG IoConsoleGetMode(void)
{
    return IopInput.Mode; /* one load: no lock */
}

/* A line that is being typed when line mode ends becomes readable. */
void IoConsoleSetMode(ULONG Mode)
{
    KIRQL Irql = KeAcquireLock(&IopInput.Lock);

    if (!(Mode & IO_CONSOLE_LINE)) {
        IopInput.Committed = IopInput.Written;
    }
    IopInput.Mode = Mode;
    IopProcessRaw();
    IopReleaseInput(Irql);
}

void IoConsoleSize(PUSHORT Columns, PUSHORT Rows)
{
    const IO_CONSOLE_DISPLAY *Display = IopDisplay;
    KIRQL Irql = KeAcquireLock(&IopInput.Lock);
    *Columns = IopInput.Window[0];
    *Rows = IopInput.Window[1];
    KeReleaseLock(&IopInput.Lock, Irql);
    if (Display != NULL) {
        *Columns = (USHORT)IopLesser(*Columns, Display->Columns);
        *Rows = (USHORT)IopLesser(*Rows, Display->Rows);
    }
}

/* The terminal is shown on a screen, too; display.h has the contract. (no WDK page) */
VOID IoSetConsoleDisplay(const IO_CONSOLE_DISPLAY *Display)
{
    IopDisplay = Display;
}
EXPORT(IoSetConsoleDisplay);

/* As if it were typed now; what finds no room is lost. (no WDK page) */
VOID IoConsolePutBack(const VOID *Buffer, SIZE_T Size)
{
    KIRQL Irql = KeAcquireLock(&IopInput.Lock);
    for (SIZE_T i = 0; i < Size; i++) {
        IopType(((const UCHAR *)Buffer)[i]);
    }
    IopProcessRaw();
    IopReleaseInput(Irql);
}
EXPORT(IoConsolePutBack);

/* The lock is what makes calls come one at a time, and their end be waited for. */
static VOID IopSignalWorker(PVOID Parameter)
{
    KeLockExclusive(&IopSignalLock);
    ULONG Signals = (ULONG)InterlockedExchange((volatile LONG *)&IopSignals, 0);
    for (; Signals != 0 && IopSignalRoutine != NULL; Signals &= Signals - 1) {
        IopSignalRoutine(IopSignalContext, (UCHAR)RtlLowestBit(Signals));
    }
    KeUnlockExclusive(&IopSignalLock);
}

/* Routine, with Context, is called at PASSIVE_LEVEL on a worker thread for each signal key of the console;
   NULL: none is any more, and the one before does not run when this returns. PASSIVE_LEVEL; waits for a
   call that is under way. For subsystem providers. */
VOID IoSetConsoleSignalRoutine(PIO_CONSOLE_SIGNAL Routine, PVOID Context)
{
    KeLockExclusive(&IopSignalLock);
    IopSignalRoutine = Routine;
    IopSignalContext = Context;
    KeUnlockExclusive(&IopSignalLock);
}
EXPORT(IoSetConsoleSignalRoutine);

/* ---- Start-up ---- */

static void IopInitializeState(void)
{
    for (ULONG i = 0; i < RTL_NUMBER_OF(IopPort); i++) {
        ExInitializePushLock(&IopPort[i].Writers);
        KeInitializeLock(&IopPort[i].Lock, KlcSerial);
    }
    ExInitializePushLock(&IopSignalLock);
    ExInitializeWorkItem(&IopSignalItem, IopSignalWorker, NULL);
    KeInitializeLock(&IopInput.Lock, KlcConsole);
    KeInitializeEvent(&IopInput.Ready, NotificationEvent, FALSE);
    KeInitializeDpc(&IopInput.Dpc, IopInputDpc, NULL);
    IopInput.Mode = IO_CONSOLE_ECHO | IO_CONSOLE_LINE | IO_CONSOLE_SIGNALS | IO_CONSOLE_CRNL;
    IopInput.Window[0] = (USHORT)ExOptionNumber("tty.columns", IopDisplay != NULL ? IopDisplay->Columns : 80);
    IopInput.Window[1] = (USHORT)ExOptionNumber("tty.rows", IopDisplay != NULL ? IopDisplay->Rows : 24);
}

/* The host throws away what firmware and boot loader wrote, up to the marker, and sends nothing before it. */
static void IopOpenPort(ULONG Port)
{
    if (ArchSerialInitialize(Port)) {
        IopSend(Port, (const UCHAR *)IOP_MARKER, sizeof(IOP_MARKER) - 1);
    } else {
        DbgPrint("io: serial port %u is missing\n", Port);
    }
}

static void IopChooseMode(void)
{
    char Name[16] = "";

    if (!ExQueryKernelOption("stdio", Name, sizeof(Name))) {
        return;
    }
    for (ULONG i = 0; i < RTL_NUMBER_OF(IopModes); i++) {
        if (strcmp(Name, IopModes[i].Name) == 0) {
            IopMode = &IopModes[i];
            return;
        }
    }
    DbgPrint("io: option stdio=%s: none of tty, tty-out, tty-err, tty-out-err, pipe, output; taken as tty\n", Name);
}

void IoInitializeConsole(void)
{
    IopInitializeState();
    IopChooseMode();
    IopInput.Chunks = IopMode->Pipe[0] || ExOptionNumber("tty.chunks", 0) != 0;
    if (!NT_SUCCESS(IopConnectConsole())) {
        DbgPrint("io: no interrupt for the console: it has no input\n");
    }
    IopOpenPort(0);
    if (IopPortOfStream(2) != 0) {
        IopOpenPort(IopPortOfStream(2));
    }
    if (IopPortOfStream(1) != 0) {
        IopOpenPort(IopPortOfStream(1));
    }
    if (strcmp(IopMode->Name, "output") == 0) {
        IopInput.PipeEnded = TRUE;
        KeSetEvent(&IopInput.Ready, IO_NO_INCREMENT, FALSE);
    } else {
        ArchSerialEnableReceiveInterrupt(0, true);
    }
    DbgPrint("@stdio\n");
}
