/* SPDX-License-Identifier: MIT */
/*
 * The keyboard at the 8042 controller (IBM PS/2 Technical Reference, "Keyboard and Auxiliary Device
 * Controller"), which speaks scan code set 1; US layout. What a key sends is what a VT100 and its followers
 * send.
 *
 * The ring has one producer, the service routine, which runs on one processor only, and one consumer, the
 * DPC, which that routine queues and which so runs on the same processor, one call at a time: it needs no
 * lock. When it is full, keys are lost. Everything else here belongs to the DPC.
 */
#include "screen.h"

#define DATA    ((PUCHAR)0x60)
#define STATUS  ((PUCHAR)0x64) /* read */
#define COMMAND ((PUCHAR)0x64) /* written */
#define LINE    1

#define STATUS_OUTPUT 0x01 /* a byte is there to be read */
#define STATUS_INPUT  0x02 /* the controller has not taken the last byte yet */
#define STATUS_MOUSE  0x20 /* the byte is of the second port */
#define STATUS_NOBODY 0xff

#define READ_MODE      0x20
#define WRITE_MODE     0x60
#define DISABLE_MOUSE  0xa7
#define DISABLE_KEYS   0xad
#define ENABLE_KEYS    0xae
#define MODE_INTERRUPT 0x01
#define MODE_SECOND    0x02 /* the second port's interrupt */
#define MODE_CLOCK_OFF 0x10
#define MODE_TRANSLATE 0x40 /* to set 1 */
#define START_SCANNING 0xf4

#define TRIES      1000 /* of 10 us */
#define RING_SIZE  256
#define RELEASED   0x80
#define EXTENDED   0xe0
#define PAUSE      0xe1
#define PAUSE_TAIL 2

static PKINTERRUPT Interrupt;
static KDPC Dpc;
static UCHAR Ring[RING_SIZE];
static volatile ULONG RingIn, RingOut;

/* ---- The controller ---- */

static BOOLEAN WaitStatus(UCHAR Mask, UCHAR Wanted)
{
    for (ULONG i = 0; i < TRIES; i++) {
        if ((READ_PORT_UCHAR(STATUS) & Mask) == Wanted) {
            return TRUE;
        }
        KeStallExecutionProcessor(10);
    }
    return FALSE;
}

static BOOLEAN Send(PUCHAR Port, UCHAR Value)
{
    if (!WaitStatus(STATUS_INPUT, 0)) {
        return FALSE;
    }
    WRITE_PORT_UCHAR(Port, Value);
    return TRUE;
}

static VOID Drain(VOID)
{
    for (ULONG i = 0; i < TRIES && (READ_PORT_UCHAR(STATUS) & STATUS_OUTPUT); i++) {
        READ_PORT_UCHAR(DATA);
    }
}

/* Its interrupt comes; the mouse stays silent, for nobody reads it. */
static BOOLEAN StartController(VOID)
{
    if (READ_PORT_UCHAR(STATUS) == STATUS_NOBODY || !Send(COMMAND, DISABLE_KEYS) ||
        !Send(COMMAND, DISABLE_MOUSE)) {
        return FALSE;
    }
    Drain();
    if (!Send(COMMAND, READ_MODE) || !WaitStatus(STATUS_OUTPUT, STATUS_OUTPUT)) {
        return FALSE;
    }
    UCHAR Mode = READ_PORT_UCHAR(DATA);
    Mode |= MODE_INTERRUPT | MODE_TRANSLATE;
    Mode &= (UCHAR) ~(MODE_SECOND | MODE_CLOCK_OFF);
    return Send(COMMAND, WRITE_MODE) && Send(DATA, Mode) && Send(COMMAND, ENABLE_KEYS) &&
           Send(DATA, START_SCANNING);
}

/* ---- What keys send ---- */

static const char Plain[] = "\0\0331234567890-=\177\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char Shifted[] = "\0\033!@#$%^&*()_+\177\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";
/* From KEYPAD on; without num lock, and behind EXTENDED, the sequence of the same place. */
static const char Keypad[] = "789-456+1230.";
static const PCSTR Moves[] = {"\033[H", "\033[A", "\033[5~", "-",       "\033[D",  "",       "\033[C",
                              "+",      "\033[F", "\033[B",  "\033[6~", "\033[2~", "\033[3~"};
static const PCSTR Function[] = {"\033OP",   "\033OQ",   "\033OR",   "\033OS",   "\033[15~",
                                 "\033[17~", "\033[18~", "\033[19~", "\033[20~", "\033[21~"};

#define KEY_BACKSPACE 0x0e
#define KEY_TAB       0x0f
#define KEY_ENTER     0x1c
#define KEY_CONTROL   0x1d
#define KEY_LEFT      0x2a
#define KEY_SLASH     0x35
#define KEY_RIGHT     0x36
#define KEY_ALT       0x38
#define KEY_CAPS      0x3a
#define KEY_F1        0x3b
#define KEY_NUM       0x45
#define KEYPAD        0x47
#define KEY_F11       0x57
#define KEY_F12       0x58

static struct {
    UCHAR Skip;                /* bytes of a sequence that means nothing */
    BOOLEAN Extended;          /* the last byte was EXTENDED */
    UCHAR Shift, Control, Alt; /* bit 0: the left one is down, bit 1: the right one */
    BOOLEAN Caps, Num;
} Keys = {.Num = TRUE};

static VOID Type(PCSTR Text, SIZE_T Length)
{
    if (Keys.Alt) {
        ScreenType("\033", 1);
    }
    ScreenType(Text, Length);
}

static char WithControl(char C)
{
    if (C == ' ' || C == '2') {
        return 0;
    }
    return C == '/' ? 31 : C == '\177' ? '\b' : C >= '@' ? C & 31 : C;
}

static BOOLEAN IsLetter(char C)
{
    return (C | 32) >= 'a' && (C | 32) <= 'z';
}

static VOID TypeCharacter(UCHAR Key)
{
    char C = (Keys.Shift != 0) != (Keys.Caps && IsLetter(Plain[Key])) ? Shifted[Key] : Plain[Key];
    if (Key == KEY_TAB && Keys.Shift) {
        Type("\033[Z", 3);
    } else if (C != 0) {
        C = Keys.Control ? WithControl(C) : C;
        Type(&C, 1);
    }
}

/* In the mode of application keys, arrows, Home and End send ESC O instead of ESC [. */
static VOID TypeMove(PCSTR Text)
{
    char Copy[8];
    SIZE_T Length = strlen(Text);
    RtlCopyMemory(Copy, Text, Length);
    if (Length == 3 && ScreenHasApplicationKeys()) {
        Copy[1] = 'O';
    }
    if (Length != 0) {
        Type(Copy, Length);
    }
}

static VOID PressFunction(ULONG Number)
{
    if (Keys.Alt && Number <= SCREEN_LOG) {
        ScreenShow(Number);
    } else if (Number < RTL_NUMBER_OF(Function)) {
        Type(Function[Number], strlen(Function[Number]));
    }
}

static VOID Press(UCHAR Key, BOOLEAN Extended)
{
    if (Key >= KEYPAD && Key < KEYPAD + RTL_NUMBER_OF(Moves)) {
        if (Extended || !Keys.Num) {
            TypeMove(Moves[Key - KEYPAD]);
        } else {
            Type(&Keypad[Key - KEYPAD], 1);
        }
    } else if (Key >= KEY_F1 && Key < KEY_F1 + RTL_NUMBER_OF(Function)) {
        PressFunction(Key - KEY_F1);
    } else if (Key == KEY_F11 || Key == KEY_F12) {
        Type(Key == KEY_F11 ? "\033[23~" : "\033[24~", 5);
    } else if (Key == KEY_CAPS) {
        Keys.Caps = !Keys.Caps;
    } else if (Key == KEY_NUM) {
        Keys.Num = !Keys.Num;
    } else if (Key < sizeof(Plain) - 1 && (!Extended || Key == KEY_ENTER || Key == KEY_SLASH)) {
        TypeCharacter(Key);
    }
}

/* Which of the keys that are held down this is; NULL: none. Behind EXTENDED the two codes of the shift keys
   are no keys. */
static PUCHAR Held(UCHAR Key, BOOLEAN Extended, PUCHAR Bit)
{
    *Bit = Extended || Key == KEY_RIGHT ? 2 : 1;
    if (Key == KEY_LEFT || Key == KEY_RIGHT) {
        return Extended ? NULL : &Keys.Shift;
    }
    return Key == KEY_CONTROL ? &Keys.Control : Key == KEY_ALT ? &Keys.Alt : NULL;
}

static VOID Take(UCHAR Byte)
{
    BOOLEAN Extended = Keys.Extended;
    UCHAR Bit, Key = Byte & (UCHAR)~RELEASED;

    if (Keys.Skip != 0 || Byte == PAUSE) {
        Keys.Skip = Byte == PAUSE ? PAUSE_TAIL : Keys.Skip - 1;
        return;
    }
    Keys.Extended = Byte == EXTENDED;
    if (Byte == EXTENDED) {
        return;
    }
    PUCHAR Modifier = Held(Key, Extended, &Bit);
    if (Modifier != NULL) {
        *Modifier = Byte & RELEASED ? *Modifier & (UCHAR)~Bit : *Modifier | Bit;
    } else if (!(Byte & RELEASED)) {
        Press(Key, Extended);
    }
}

/* ---- Its interrupt ---- */

static VOID TakeAll(PKDPC TheDpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    while (RingOut != ReadULongAcquire(&RingIn)) {
        UCHAR Byte = Ring[RingOut % RING_SIZE];
        WriteULongRelease(&RingOut, RingOut + 1);
        Take(Byte);
    }
}

static BOOLEAN Serve(PKINTERRUPT TheInterrupt, PVOID Context)
{
    BOOLEAN Any = FALSE;
    UCHAR Status;

    while (((Status = READ_PORT_UCHAR(STATUS)) & STATUS_OUTPUT) && Status != STATUS_NOBODY) {
        UCHAR Byte = READ_PORT_UCHAR(DATA);
        Any = TRUE;
        if (!(Status & STATUS_MOUSE) && RingIn - ReadULongAcquire(&RingOut) < RING_SIZE) {
            Ring[RingIn % RING_SIZE] = Byte;
            WriteULongRelease(&RingIn, RingIn + 1);
        }
    }
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    return Any;
}

/* The interrupt is connected first: its line is edge-triggered, and a byte that came before would keep the
   edge from us; so they are taken away afterwards. */
NTSTATUS ScreenStartKeyboard(VOID)
{
    KIRQL Irql;
    KAFFINITY Processors;
    ULONG Vector = HalGetInterruptVector(Isa, 0, LINE, LINE, &Irql, &Processors);

    KeInitializeDpc(&Dpc, TakeAll, NULL);
    NTSTATUS Status = IoConnectInterrupt(&Interrupt, Serve, NULL, NULL, Vector, Irql, Irql, Latched, FALSE,
                                         Processors, FALSE);
    if (NT_SUCCESS(Status)) {
        KIRQL Old = KeAcquireInterruptSpinLock(Interrupt);
        BOOLEAN There = StartController();
        Drain();
        KeReleaseInterruptSpinLock(Interrupt, Old);
        if (!There) {
            IoDisconnectInterrupt(Interrupt);
            Status = STATUS_DEVICE_DOES_NOT_EXIST;
        }
    }
    return Status;
}

VOID ScreenStopKeyboard(VOID)
{
    Send(COMMAND, DISABLE_KEYS);
    IoDisconnectInterrupt(Interrupt);
}
