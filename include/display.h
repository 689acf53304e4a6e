/* SPDX-License-Identifier: MIT */
/*
 * What the kernel and a module that shows its console on a screen say to each other (drivers/screen is one):
 * the screen as firmware and boot loader have left it, the log's text and the console's text as they come,
 * and keys that are typed.
 */
#ifndef PRIMER_DISPLAY_H
#define PRIMER_DISPLAY_H

#include <ntddk.h>

/* ---- The screen ---- */

typedef struct _HAL_DISPLAY_COLOUR {
    UCHAR Shift, Bits; /* of the colour's share of a pixel */
} HAL_DISPLAY_COLOUR;

typedef struct _HAL_BOOT_DISPLAY {
    PVOID Base;          /* where it is mapped, uncached, for ever */
    ULONG Pitch;         /* bytes from a row to the next */
    ULONG Width, Height; /* pixels; of a text mode, characters */
    UCHAR BitsPerPixel;
    BOOLEAN Text; /* two bytes a character: its code and its colours, as the VGA has them */
    HAL_DISPLAY_COLOUR Red, Green, Blue;
} HAL_BOOT_DISPLAY, *PHAL_BOOT_DISPLAY;

/* FALSE: the loader has left a mode that nobody can draw in, or memory is out. A text mode that it has not
   spoken of is what a PC starts in: whether there is an adapter its memory must show. PASSIVE_LEVEL; one
   caller at a time. */
BOOLEAN HalGetBootDisplay(_Out_ PHAL_BOOT_DISPLAY Display);

/* ---- The log ---- */

/* Some more text of the log. It is called with interrupts off, at any IRQL, with any lock held, by one
   processor at a time, and takes no lock. Text NULL: a bug check begins, in the middle of whatever this
   module was doing; all other processors stand still, or soon will, and what comes from now on is its
   report. */
typedef VOID KD_DISPLAY(_In_opt_ PCSTR Text, _In_ SIZE_T Length);

/* The log goes to Display, too, which is given at once what the kernel still has of it. NULL: no more, and
   no call is under way on return. Any IRQL. */
VOID KdSetDisplay(_In_opt_ KD_DISPLAY *Display);

/* ---- The console ---- */

/* Columns and Rows: the terminal's size is no larger. Write: what has been sent to the terminal, control
   sequences and echo included; at DISPATCH_LEVEL, one call at a time; it takes no lock that is held
   elsewhere at a lower level. */
typedef struct _IO_CONSOLE_DISPLAY {
    VOID (*Write)(const UCHAR *Text, SIZE_T Length);
    USHORT Columns, Rows;
} IO_CONSOLE_DISPLAY;

/* The console, as far as it is a terminal, is shown there, too; its table must stay. NULL: no more; a call
   may be under way until KeFlushQueuedDpcs returns, which a module's unloading waits for anyway. Any
   IRQL. */
VOID IoSetConsoleDisplay(_In_opt_ const IO_CONSOLE_DISPLAY *Display);

/* The bytes are as if typed at the console now; what finds no room is lost. Once there was a Write.
   <= DISPATCH_LEVEL. */
VOID IoConsolePutBack(const VOID *Buffer, SIZE_T Size);

#endif
