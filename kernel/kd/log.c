/* SPDX-License-Identifier: MIT */
/*
 * The log: lines of text for the debug console, from any processor at any IRQL, interrupt handlers included.
 * Text of one call is never mixed with another's. A call may leave its line open for the next one; when
 * somebody else writes in between, a line break is put in first, so that a line holds one thread's words
 * only.
 *
 * One lock, KlcLog, ranked last and taken with interrupts off. The bug check writes without it: its holder
 * may be frozen.
 */
#include "kernel/kd/kdp.h"
#include "kernel/ldr/export.h"
#include "kernel/rtl/rtl.h"

#define KDP_RING_SIZE 16384 /* a power of two */
#define KDP_MAX_TEXT  512   /* bytes of one DbgPrint, as documented */

/* Initialised here, so that the log works from the kernel's first instruction on. */
static KLOCK KdpLogLock = KLOCK_INITIALIZER(KlcLog);
static PKTHREAD KdpOpenLine; /* (KdpLogLock) who left a line without its end; NULL: nobody. Compared only */
static BOOLEAN KdpLogClosed; /* (KdpLogLock) the last line has been written */
static volatile BOOLEAN KdpTakenOver;

/* The last lines, for a debugger: Next counts all bytes ever written. (KdpLogLock) */
struct {
    ULONG64 Next;
    char Text[KDP_RING_SIZE];
} KdpLogRing;

static void KdpEmit(const char *Text, SIZE_T Length)
{
    ArchLogWrite(Text, Length);
    for (SIZE_T i = 0; i < Length; i++) {
        KdpLogRing.Text[KdpLogRing.Next++ % KDP_RING_SIZE] = Text[i];
    }
}

static void KdpWriteLocked(const char *Text, SIZE_T Length)
{
    PKTHREAD Writer = ArchCurrentThread();

    if (KdpLogClosed || Length == 0) {
        return;
    }
    if (KdpOpenLine != NULL && KdpOpenLine != Writer) {
        KdpEmit("\n", 1);
    }
    KdpEmit(Text, Length);
    KdpOpenLine = Text[Length - 1] == '\n' ? NULL : Writer;
}

/* A processor that is not the bug check's owner, and has not been frozen yet, has nothing to say any more. */
static void KdpWriteTakenOver(const char *Text, SIZE_T Length)
{
    if (ArchCurrentPrcb()->Number == KdpOwner) {
        KdpEmit(Text, Length);
    }
}

void KdWrite(const char *Text, SIZE_T Length)
{
    bool Enabled = ArchDisableInterrupts();

    if (KdpTakenOver) {
        KdpWriteTakenOver(Text, Length);
    } else {
        KeAcquireLockAtDpc(&KdpLogLock);
        KdpWriteLocked(Text, Length);
        KeReleaseLockFromDpc(&KdpLogLock);
    }
    ArchRestoreInterrupts(Enabled);
}

void KdWriteLastLine(const char *Text, SIZE_T Length)
{
    bool Enabled = ArchDisableInterrupts();

    KeAcquireLockAtDpc(&KdpLogLock);
    KdpWriteLocked(Text, Length);
    KdpLogClosed = TRUE;
    KeReleaseLockFromDpc(&KdpLogLock);
    ArchRestoreInterrupts(Enabled);
}

void KdpTakeOverLog(void)
{
    KdpTakenOver = TRUE;
    /* The frozen holder of the lock may have stopped inside a line. */
    if (KdpOpenLine != NULL || KdpLogLock.Held != 0) {
        KdpEmit("\n", 1);
    }
}

/* ---- Formatted ---- */

typedef struct _KDP_TEXT {
    SIZE_T Length;
    BOOLEAN Cut;
    char Last; /* of the whole text, what was cut included */
    char Text[KDP_MAX_TEXT];
} KDP_TEXT;

static VOID KdpCollect(PVOID Context, const char *Text, SIZE_T Length)
{
    KDP_TEXT *All = Context;
    SIZE_T Room = KDP_MAX_TEXT - All->Length;
    SIZE_T Taken = Length < Room ? Length : Room;

    if (Length == 0) {
        return;
    }
    memcpy(All->Text + All->Length, Text, Taken);
    All->Length += Taken;
    All->Cut |= Taken < Length;
    All->Last = Text[Length - 1];
}

static ULONG KdpPrintV(const char *Format, va_list Arguments)
{
    KDP_TEXT All;

    All.Length = 0;
    All.Cut = FALSE;
    All.Last = 0;
    RtlFormatV(KdpCollect, &All, Format, Arguments);
    if (All.Cut && All.Last == '\n') {
        All.Text[KDP_MAX_TEXT - 1] = '\n';
    }
    KdWrite(All.Text, All.Length);
    return STATUS_SUCCESS;
}

void KdpPrint(const char *Format, ...)
{
    va_list Arguments;

    va_start(Arguments, Format);
    KdpPrintV(Format, Arguments);
    va_end(Arguments);
}

/*
 * Prints to the log, in debug and release builds alike; what is longer than 512 bytes is cut, its line break
 * kept. The caller ends lines itself. Any IRQL (Unicode conversions too: the tables are resident). Returns
 * STATUS_SUCCESS. ddi:dbgprint
 */
ULONG DbgPrint(PCSTR Format, ...)
{
    va_list Arguments;

    va_start(Arguments, Format);
    ULONG Status = KdpPrintV(Format, Arguments);
    va_end(Arguments);
    return Status;
}
EXPORT(DbgPrint);

/* The same; component and level are not filtered: everything is printed. ddi:dbgprintex */
ULONG DbgPrintEx(ULONG ComponentId, ULONG Level, PCSTR Format, ...)
{
    va_list Arguments;

    va_start(Arguments, Format);
    ULONG Status = KdpPrintV(Format, Arguments);
    va_end(Arguments);
    return Status;
}
EXPORT(DbgPrintEx);

void KdInitialize(void)
{
    DbgPrint("kd: %u symbols\n", KdpInitializeSymbols());
}
