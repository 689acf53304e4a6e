/* SPDX-License-Identifier: MIT */
/*
 * The log: lines of text for the debug console, from any processor at any IRQL, interrupt handlers included.
 * Text of one call is never mixed with another's. A call may leave its line open for the next one; when
 * somebody else writes in between, a line break is put in first, so that a line holds one thread's words
 * only.
 *
 * A line that starts with '@' is a message to tools/run and the tests, which trust it. It is one only when
 * the format of a DbgPrint starts so, or the initial process wrote it; a line that gets its '@' from an
 * argument or from a program starts with a space instead. Control characters are written as ^X. A message
 * never goes on with a line that was left open, not even by the same thread.
 *
 * One lock, a byte of kd's own, taken with interrupts off: kd may not use ke's locks, whose checks write to
 * the log. It is ranked last: nothing that is called under it takes another one. The bug check writes without
 * it: its holder may be frozen.
 */
#include "kernel/kd/kdp.h"
#include "kernel/rtl/export.h"
#include "kernel/rtl/rtl.h"
#include <display.h>

#define KDP_RING_SIZE 16384 /* a power of two */
#define KDP_MAX_TEXT  512   /* bytes of one DbgPrint, as documented */

static volatile UCHAR KdpLogLock; /* 1: held */
static PKTHREAD KdpOpenLine; /* (KdpLogLock) who left a line without its end; NULL: nobody. Compared only */
static BOOLEAN KdpLogClosed; /* (KdpLogLock) the last line has been written */
static BOOLEAN KdpAtLineStart = TRUE; /* (KdpLogLock) */
static volatile BOOLEAN KdpTakenOver;
void (*KdpSink)(const char *Text, SIZE_T Length);

/* The last lines, for a debugger: Next counts all bytes ever written. (KdpLogLock) */
struct {
    ULONG64 Next;
    char Text[KDP_RING_SIZE];
} KdpLogRing;

static KD_DISPLAY *volatile KdpDisplay; /* (KdpLogLock) */

static void KdpEmitByte(char Byte)
{
    ArchLogWrite(&Byte, 1);
    if (KdpDisplay != NULL) {
        KdpDisplay(&Byte, 1);
    }
    KdpLogRing.Text[KdpLogRing.Next++ % KDP_RING_SIZE] = Byte;
    KdpAtLineStart = Byte == '\n';
}

/* Line breaks and tabs are text, other control characters might do something to who reads the log. */
static bool KdpIsControl(const char *Text, SIZE_T Left)
{
    UCHAR Byte = (UCHAR)*Text;
    return Byte == 0x7f ||
           (Byte < ' ' && Byte != '\n' && Byte != '\t' && !(Byte == '\r' && Left > 1 && Text[1] == '\n'));
}

static void KdpEmit(const char *Text, SIZE_T Length, bool Message)
{
    for (SIZE_T i = 0; i < Length; i++) {
        if (KdpIsControl(Text + i, Length - i)) {
            KdpEmitByte('^');
            KdpEmitByte(Text[i] ^ 0x40);
            continue;
        }
        if (Text[i] == '@' && KdpAtLineStart && !(Message && i == 0)) {
            KdpEmitByte(' ');
        }
        KdpEmitByte(Text[i]);
    }
}

static void KdpWriteLocked(const char *Text, SIZE_T Length, bool Message)
{
    PKTHREAD Writer = ArchCurrentThread();

    if (KdpLogClosed || Length == 0) {
        return;
    }
    bool Begins = Message && Text[0] == '@'; /* a message, which has a line of its own */
    if (KdpOpenLine != NULL && (KdpOpenLine != Writer || Begins)) {
        KdpEmit("\n", 1, false);
    }
    KdpEmit(Text, Length, Message);
    KdpOpenLine = KdpAtLineStart ? NULL : Writer;
}

/* Interrupts are off. */
static void KdpAcquireLog(void)
{
    while (__atomic_exchange_n(&KdpLogLock, 1, __ATOMIC_ACQUIRE) != 0) {
        while (KdpLogLock != 0) {
            ArchPause();
        }
    }
}

static void KdpReleaseLog(void)
{
    __atomic_store_n(&KdpLogLock, 0, __ATOMIC_RELEASE);
}

/* Once the bug check has taken over the log, a processor that is not its owner, and has not been frozen yet,
   has nothing to say any more. */
static void KdpWrite(const char *Text, SIZE_T Length, bool Message, bool Last)
{
    bool Enabled = ArchDisableInterrupts();

    if (KdpSink != NULL) {
        KdpSink(Text, Length);
    } else if (!KdpTakenOver) {
        KdpAcquireLog();
        KdpWriteLocked(Text, Length, Message);
        KdpLogClosed |= Last;
        KdpReleaseLog();
    } else if (ArchCurrentPrcb()->Number == KdpOwner) {
        KdpEmit(Text, Length, Message);
    }
    ArchRestoreInterrupts(Enabled);
}

void KdWrite(const char *Text, SIZE_T Length, BOOLEAN Message)
{
    KdpWrite(Text, Length, Message, false);
}

void KdWriteLastMessage(const char *Text)
{
    KdpWrite(Text, strlen(Text), true, true);
}

/* The log's text goes to a screen, too; display.h has the contract. (no WDK page) */
VOID KdSetDisplay(KD_DISPLAY *Display)
{
    bool Enabled = ArchDisableInterrupts();

    KdpAcquireLog();
    KdpDisplay = Display;
    for (ULONG64 At = KdpLogRing.Next > KDP_RING_SIZE ? KdpLogRing.Next - KDP_RING_SIZE : 0;
         Display != NULL && At < KdpLogRing.Next; At++) {
        Display(&KdpLogRing.Text[At % KDP_RING_SIZE], 1);
    }
    KdpReleaseLog();
    ArchRestoreInterrupts(Enabled);
}
EXPORT(KdSetDisplay);

void KdpTakeOverLog(void)
{
    KdpTakenOver = TRUE;
    if (KdpDisplay != NULL) {
        KdpDisplay(NULL, 0);
    }
    /* The frozen holder of the lock may have stopped inside a line. */
    if (KdpOpenLine != NULL || KdpLogLock != 0) {
        KdpEmit("\n", 1, false);
    }
}

/* ---- Formatted ---- */

static ULONG KdpPrintV(const char *Format, va_list Arguments)
{
    char Text[KDP_MAX_TEXT + 1];
    SIZE_T Length = RtlPrintV(Text, sizeof(Text), Format, Arguments);

    if (Length > KDP_MAX_TEXT) {
        Length = KDP_MAX_TEXT;
        Text[Length - 1] = '\n';
    }
    KdWrite(Text, Length, Format != NULL && Format[0] == '@');
    return STATUS_SUCCESS;
}

/*
 * Prints to the log, in debug and release builds alike; what is longer than 512 bytes is cut, and ends its
 * line there. The caller ends lines itself. Any IRQL (Unicode conversions too: the tables are resident).
 * Returns STATUS_SUCCESS. (WDK page of the name)
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

/* As DbgPrint. Differs: neither component nor level is filtered; everything is printed. (WDK page of the
   name) */
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
