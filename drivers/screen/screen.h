/* SPDX-License-Identifier: MIT */
/*
 * The console and the log on the machine's own screen, and its keyboard.
 *
 *   console's text --> terminal.c --> page of cells --\
 *                                                      painter's thread --> display.c --> screen
 *   log's text     --> terminal.c --> page of cells --/
 *   keyboard's interrupt --> keyboard.c --DPC--> the console's input
 *
 * Nobody waits for anybody here, for the log comes with any lock held. Each page has one writer at a time:
 * the kernel sees to that (display.h). The painter reads the pages without a lock: who has written sets
 * Changed behind what it wrote, and the painter clears it before it reads, so that a cell that it saw too
 * early is painted anew. A bug check paints itself, when the painter stands still.
 */
#ifndef PRIMER_SCREEN_H
#define PRIMER_SCREEN_H

#include <display.h>

/* A character and its colours, as the VGA's text mode has them: the code, 4 bits of foreground, 4 of
   background. */
typedef USHORT SCREEN_CELL;
#define SCREEN_PLAIN 0x07 /* grey on black */

#define SCREEN_LINES   256 /* the largest screen */
#define SCREEN_COLUMNS 512
#define SCREEN_NUMBERS 16 /* of a control sequence */

typedef struct _SCREEN_CURSOR {
    ULONG Row, Column;
    BOOLEAN Wraps; /* the last column has been written to: the next character begins a new line */
    UCHAR Colours; /* without bold and reverse */
    BOOLEAN Bold, Reverse, Underlined;
    BOOLEAN Graphics; /* of the VT100's line-drawing set */
} SCREEN_CURSOR;

typedef struct _SCREEN_PAGE SCREEN_PAGE, *PSCREEN_PAGE;
struct _SCREEN_PAGE {
    SCREEN_CELL *Cells; /* Rows * Columns */
    ULONG Rows, Columns;
    volatile LONG Changed;
    SCREEN_CURSOR Cursor, Saved;
    ULONG Top, Bottom; /* the scrolling region, both inclusive */
    BOOLEAN Origin;    /* rows count from Top */
    BOOLEAN NoWrap, Insert, CursorHidden;
    volatile BOOLEAN ApplicationKeys; /* what the arrow keys send */
    BOOLEAN LineFeedReturns;          /* the log's */
    BOOLEAN Holds;                    /* does not scroll: what comes behind the last row is lost */
    VOID (*State)(PSCREEN_PAGE Page, UCHAR Byte); /* of the parser */
    UCHAR Private;                                /* the '?' of a control sequence, or 0 */
    ULONG Count, Number[SCREEN_NUMBERS];
    ULONG Following; /* bytes of a UTF-8 character that are still to come */
};

/* terminal.c */
BOOLEAN ScreenMakePage(PSCREEN_PAGE Page, ULONG Rows, ULONG Columns);
VOID ScreenClearPage(PSCREEN_PAGE Page);
VOID ScreenWritePage(PSCREEN_PAGE Page, const UCHAR *Text, SIZE_T Length);

/* display.c */
BOOLEAN ScreenFindDisplay(PULONG Rows, PULONG Columns);
VOID ScreenFreeDisplay(VOID);
/* Paints what differs from what it has painted last. One caller at a time. */
VOID ScreenPaint(const SCREEN_PAGE *Page);
/* All is to be painted anew. */
VOID ScreenForget(VOID);

/* font.c: 8 pixels a row, from the cell's third row of 16 on */
#define FONT_WIDTH  8
#define FONT_HEIGHT 16
#define FONT_FIRST  ' '
#define FONT_TOP    2
#define FONT_ROWS   13
extern const UCHAR ScreenFont[128 - FONT_FIRST][FONT_ROWS];

/* keyboard.c. STATUS_DEVICE_DOES_NOT_EXIST: there is no controller. */
NTSTATUS ScreenStartKeyboard(VOID);
VOID ScreenStopKeyboard(VOID);

/* main.c */
#define SCREEN_CONSOLE 0
#define SCREEN_LOG     1
VOID ScreenShow(ULONG Page);
/* Bytes for the console, if it is one. DISPATCH_LEVEL. */
VOID ScreenType(PCSTR Text, SIZE_T Length);
BOOLEAN ScreenHasApplicationKeys(VOID);

#endif
