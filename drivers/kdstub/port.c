/* SPDX-License-Identifier: MIT */
/*
 * The serial port COM4, which is the stub's alone (docs/channels.md), and packets on it: $DATA#SUM, each
 * acknowledged by '+' until GDB does without. What comes outside a packet and is no acknowledgement is a key.
 */
#include "stub.h"

#define PORT 0x2e8

#define UART_DATA          0
#define UART_INTERRUPTS    1
#define UART_FIFO          2
#define UART_LINE_CONTROL  3
#define UART_MODEM_CONTROL 4
#define UART_LINE_STATUS   5
#define UART_SCRATCH       7

#define FIFO_ENABLE     0x07 /* on, both sides cleared; an interrupt with the first byte */
#define LINE_8N1        0x03
#define LINE_DIVISOR    0x80
#define MODEM_ON        0x0b /* DTR, RTS, and OUT2, which lets interrupts through */
#define STATUS_RECEIVED 0x01
#define STATUS_EMPTY    0x20
#define FIFO_DEPTH      16
#define DIVISOR_115200  1

#define CONTROL_C 3

static char In[STUB_PACKET + 4], Out[STUB_PACKET + 64]; /* (o) */
static SIZE_T OutLength;                                /* (o) */
static int Pushed = -1;                                 /* (o) a byte that is to be read again */
static bool Acknowledge = true;                         /* (o) */
bool StubAttached, StubInterrupted;

/* ---- Bytes ---- */

static UCHAR Read(USHORT Register)
{
    return X86In(PORT + Register);
}

static VOID Write(USHORT Register, UCHAR Value)
{
    X86Out(PORT + Register, Value);
}

/* The scratch register keeps what it is given; an empty place on the bus does not. */
static bool IsThere(VOID)
{
    Write(UART_SCRATCH, 0x5a);
    bool First = Read(UART_SCRATCH) == 0x5a;
    Write(UART_SCRATCH, 0xa5);
    return First && Read(UART_SCRATCH) == 0xa5;
}

bool StubInitializePort(VOID)
{
    if (!IsThere()) {
        return false;
    }
    Write(UART_INTERRUPTS, 0);
    Write(UART_LINE_CONTROL, LINE_DIVISOR);
    Write(UART_DATA, DIVISOR_115200);
    Write(UART_INTERRUPTS, 0); /* the divisor's upper half */
    Write(UART_LINE_CONTROL, LINE_8N1);
    Write(UART_FIFO, FIFO_ENABLE);
    Write(UART_MODEM_CONTROL, MODEM_ON);
    return true;
}

VOID StubListen(bool On)
{
    Write(UART_INTERRUPTS, On);
}

bool StubHasInput(VOID)
{
    return Pushed >= 0 || (Read(UART_LINE_STATUS) & STATUS_RECEIVED) != 0;
}

UCHAR StubGetByte(VOID)
{
    int Byte = Pushed;
    Pushed = -1;
    if (Byte >= 0) {
        return (UCHAR)Byte;
    }
    while (!(Read(UART_LINE_STATUS) & STATUS_RECEIVED)) {
        X86Pause();
    }
    return Read(UART_DATA);
}

VOID StubUngetByte(UCHAR Byte)
{
    Pushed = Byte;
}

/* Waits as long as it takes: nothing may be lost. */
VOID StubPutText(PCSTR Text, SIZE_T Length)
{
    while (Length != 0) {
        while (!(Read(UART_LINE_STATUS) & STATUS_EMPTY)) {
            X86Pause();
        }
        for (ULONG i = 0; i < FIFO_DEPTH && Length != 0; i++, Length--) {
            Write(UART_DATA, (UCHAR)*Text++);
        }
    }
}

/* ---- Packets ---- */

static int Digit(char C)
{
    return C >= '0' && C <= '9' ? C - '0' : C >= 'a' && C <= 'f' ? C - 'a' + 10 : C >= 'A' && C <= 'F' ? C - 'A' + 10 : -1;
}

/* Behind its '$'. FALSE: it is too long or came wrong, and GDB will send it again. */
static bool ReadPacket(SIZE_T *Length)
{
    UCHAR Sum = 0, C;
    *Length = 0;
    while ((C = StubGetByte()) != '#') {
        if (C == '$') { /* it begins anew: what was before it was cut off */
            *Length = Sum = 0;
            continue;
        }
        if (*Length == STUB_PACKET) {
            return false;
        }
        In[(*Length)++] = (char)C;
        Sum += C;
    }
    int High = Digit((char)StubGetByte());
    int Low = Digit((char)StubGetByte());
    In[*Length] = 0;
    return High >= 0 && Low >= 0 && Sum == (UCHAR)(High * 16 + Low);
}

/* A GDB that has just come expects acknowledgements, whatever the last one did. */
static bool IsGreeting(VOID)
{
    return memcmp(In, "qSupported", 10) == 0;
}

SIZE_T StubReceive(PSTR *Packet)
{
    SIZE_T Length;
    for (;;) {
        UCHAR C = StubGetByte();
        if (C != '$') {
            if (C == CONTROL_C) {
                StubInterrupted = true;
            } else if (C != '+' && C != '-') {
                StubKey(C);
            }
            continue;
        }
        bool Right = ReadPacket(&Length);
        if (Right && IsGreeting()) {
            Acknowledge = StubAttached = true;
            StubInterrupted = false;
        }
        if (Acknowledge) {
            StubPutText(Right ? "+" : "-", 1);
        }
        if (Right) {
            *Packet = In;
            return Length;
        }
    }
}

VOID StubEndAcknowledgements(VOID)
{
    Acknowledge = false;
}

/* ---- Answers ---- */

static const char Hex[] = "0123456789abcdef";

VOID StubBegin(PCSTR Text)
{
    OutLength = strlen(Text);
    memcpy(Out, Text, OutLength);
}

SIZE_T StubRoom(VOID)
{
    return STUB_PACKET - OutLength;
}

VOID StubSetFirst(char C)
{
    Out[0] = C;
}

VOID StubAppend(PCSTR Format, ...)
{
    va_list Arguments;
    va_start(Arguments, Format);
    RtlStringCbVPrintfA(Out + OutLength, StubRoom() + 1, Format, Arguments);
    va_end(Arguments);
    OutLength += strlen(Out + OutLength);
}

VOID StubAppendBytes(const VOID *Data, SIZE_T Size)
{
    for (const UCHAR *At = Data; Size != 0 && StubRoom() >= 2; At++, Size--) {
        Out[OutLength++] = Hex[*At >> 4];
        Out[OutLength++] = Hex[*At & 15];
    }
}

/* '#', '$', '*' and '}' have a meaning of their own. */
VOID StubAppendBinary(const VOID *Data, SIZE_T Size)
{
    for (const char *At = Data; Size != 0 && StubRoom() >= 2; At++, Size--) {
        if (*At == '#' || *At == '$' || *At == '*' || *At == '}') {
            Out[OutLength++] = '}';
            Out[OutLength++] = *At ^ 0x20;
        } else {
            Out[OutLength++] = *At;
        }
    }
}

static VOID PutPacket(VOID)
{
    UCHAR Sum = 0;
    for (SIZE_T i = 0; i < OutLength; i++) {
        Sum += (UCHAR)Out[i];
    }
    char End[3] = {'#', Hex[Sum >> 4], Hex[Sum & 15]};
    StubPutText("$", 1);
    StubPutText(Out, OutLength);
    StubPutText(End, sizeof(End));
}

/* A packet that comes instead of the acknowledgement is from a GDB that has come anew: it knows nothing of
   ours. */
VOID StubSend(VOID)
{
    UCHAR C = '-';
    while (C == '-') {
        PutPacket();
        do {
            C = Acknowledge ? StubGetByte() : '+';
            StubInterrupted |= C == CONTROL_C;
        } while (C != '+' && C != '-' && C != '$');
    }
    if (C == '$') {
        StubUngetByte(C);
    }
}

/* ---- Numbers ---- */

ULONG64 StubNumber(PCSTR *Text)
{
    ULONG64 Value = 0;
    for (int D; (D = Digit(**Text)) >= 0; (*Text)++) {
        Value = Value << 4 | (ULONG64)D;
    }
    return Value;
}

bool StubBytes(PCSTR Text, VOID *Data, SIZE_T Size)
{
    for (UCHAR *At = Data; Size != 0; At++, Size--, Text += 2) {
        if (Digit(Text[0]) < 0 || Digit(Text[1]) < 0) {
            return false;
        }
        *At = (UCHAR)(Digit(Text[0]) << 4 | Digit(Text[1]));
    }
    return true;
}
