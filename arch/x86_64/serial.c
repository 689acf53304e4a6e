/* SPDX-License-Identifier: MIT */
/*
 * Serial ports: 16550A (National Semiconductor's PC16550D data sheet).
 */
#include "arch/x86_64/archp.h"

#define UART_DATA          0
#define UART_INTERRUPTS    1
#define UART_FIFO          2
#define UART_LINE_CONTROL  3
#define UART_MODEM_CONTROL 4
#define UART_LINE_STATUS   5
#define UART_SCRATCH       7

#define FIFO_ENABLE     0xc7 /* on, both sides cleared; interrupt at 14 bytes, or when fewer have waited for a while */
#define LINE_8N1        0x03
#define LINE_DIVISOR    0x80
#define MODEM_ON        0x03 /* DTR, RTS */
#define MODEM_INTERRUPT 0x08 /* OUT2: lets interrupts through on a PC, where COM3 shares COM1's line */
#define STATUS_RECEIVED 0x01
#define STATUS_EMPTY    0x20
#define STATUS_IDLE     0x60 /* the FIFO and the shift register are empty */
#define FIFO_DEPTH      16
#define DIVISOR_115200  1

static const struct {
    uint16_t Base;
    uint8_t IsaLine;
} Ports[] = {{0x3f8, 4}, {0x2f8, 3}, {0x3e8, 4}};

static bool Present[RTL_NUMBER_OF(Ports)];

static bool IsPresent(ULONG Port)
{
    return Port < RTL_NUMBER_OF(Ports) && Present[Port];
}

static uint8_t Read(ULONG Port, uint16_t Register)
{
    return ArchpIn8(Ports[Port].Base + Register);
}

static void Write(ULONG Port, uint16_t Register, uint8_t Value)
{
    ArchpOut8(Ports[Port].Base + Register, Value);
}

/* The scratch register keeps what it is given; an empty place on the bus does not. */
static bool IsThere(ULONG Port)
{
    Write(Port, UART_SCRATCH, 0x5a);
    bool First = Read(Port, UART_SCRATCH) == 0x5a;
    Write(Port, UART_SCRATCH, 0xa5);
    return First && Read(Port, UART_SCRATCH) == 0xa5;
}

bool ArchSerialInitialize(ULONG Port)
{
    if (Port >= RTL_NUMBER_OF(Ports) || !IsThere(Port)) {
        return false;
    }
    Write(Port, UART_INTERRUPTS, 0);
    Write(Port, UART_LINE_CONTROL, LINE_DIVISOR);
    Write(Port, UART_DATA, DIVISOR_115200);
    Write(Port, UART_INTERRUPTS, 0); /* the divisor's upper half */
    Write(Port, UART_LINE_CONTROL, LINE_8N1);
    Write(Port, UART_FIFO, FIFO_ENABLE);
    Write(Port, UART_MODEM_CONTROL, MODEM_ON | (Port == 0 ? MODEM_INTERRUPT : 0));
    Present[Port] = true;
    return true;
}

/* Waits as long as it takes: what reads the other end may be slow, and nothing may be lost. */
void ArchSerialWrite(ULONG Port, const void *Data, SIZE_T Length)
{
    const uint8_t *At = Data;
    while (IsPresent(Port) && Length != 0) {
        while (!(Read(Port, UART_LINE_STATUS) & STATUS_EMPTY)) {
            ArchPause();
        }
        SIZE_T Chunk = Length < FIFO_DEPTH ? Length : FIFO_DEPTH;
        ArchpOutString(Ports[Port].Base + UART_DATA, At, Chunk);
        At += Chunk;
        Length -= Chunk;
    }
}

bool ArchSerialIsEmpty(ULONG Port)
{
    return !IsPresent(Port) || (Read(Port, UART_LINE_STATUS) & STATUS_IDLE) == STATUS_IDLE;
}

SIZE_T ArchSerialRead(ULONG Port, void *Data, SIZE_T Size)
{
    SIZE_T Count = 0;
    while (IsPresent(Port) && Count < Size && (Read(Port, UART_LINE_STATUS) & STATUS_RECEIVED)) {
        ((uint8_t *)Data)[Count++] = Read(Port, UART_DATA);
    }
    return Count;
}

void ArchSerialEnableReceiveInterrupt(ULONG Port, bool Enable)
{
    if (IsPresent(Port)) {
        Write(Port, UART_INTERRUPTS, Enable);
    }
}

ULONG ArchSerialIsaLine(ULONG Port)
{
    return Ports[Port].IsaLine;
}
