/* SPDX-License-Identifier: MIT */
/*
 * Cells on the screen: the VGA's text buffer, or a frame buffer and our own font. What has been painted is
 * remembered, so that the screen itself, which is slow, is never read and only written where it changes.
 */
#include "screen.h"

#define TAG         'rcSP'
#define CURSOR      0x10000u /* of a painted cell: it shows the cursor */
#define UNKNOWN     0xffffffffu
#define CRTC_INDEX  ((PUCHAR)0x3d4)
#define CRTC_DATA   ((PUCHAR)0x3d5)
#define CRTC_START  0x0a /* of the cursor; 20h switches it off */
#define CRTC_CURSOR 0x0e /* its place, upper byte; the lower is the next register */
#define CRTC_OFF    0x20
#define FONT_BOX    127

static HAL_BOOT_DISPLAY Display;
static ULONG Rows, Columns;
static ULONG *Painted; /* Rows * Columns: the cell, and CURSOR */

/* ---- Finding it ---- */

static VOID SetRegister(UCHAR Index, UCHAR Value)
{
    WRITE_PORT_UCHAR(CRTC_INDEX, Index);
    WRITE_PORT_UCHAR(CRTC_DATA, Value);
}

static BOOLEAN Keeps(UCHAR Value)
{
    SetRegister(CRTC_CURSOR + 1, Value);
    return READ_PORT_UCHAR(CRTC_DATA) == Value;
}

/* Is there an adapter whose text mode this is? Memory where its buffer would be says nothing: in a virtual
   machine there is some always. */
static BOOLEAN IsTextThere(VOID)
{
    return Keeps(0x5a) && Keeps(0xa5);
}

BOOLEAN ScreenFindDisplay(PULONG RowCount, PULONG ColumnCount)
{
    if (!HalGetBootDisplay(&Display) || (Display.Text ? !IsTextThere() : Display.BitsPerPixel < 15)) {
        return FALSE;
    }
    Columns = Display.Width / (Display.Text ? 1 : FONT_WIDTH);
    Rows = Display.Height / (Display.Text ? 1 : FONT_HEIGHT);
    Columns = Columns < SCREEN_COLUMNS ? Columns : SCREEN_COLUMNS;
    Rows = Rows < SCREEN_LINES ? Rows : SCREEN_LINES;
    Painted = ExAllocatePoolWithTag(NonPagedPoolNx, (SIZE_T)Rows * Columns * sizeof(*Painted), TAG);
    if (Painted == NULL || Rows == 0 || Columns == 0) {
        ScreenFreeDisplay();
        return FALSE;
    }
    ScreenForget();
    *RowCount = Rows;
    *ColumnCount = Columns;
    return TRUE;
}

VOID ScreenFreeDisplay(VOID)
{
    if (Painted != NULL) {
        ExFreePoolWithTag(Painted, TAG);
        Painted = NULL;
    }
}

VOID ScreenForget(VOID)
{
    for (ULONG i = 0; i < Rows * Columns; i++) {
        Painted[i] = UNKNOWN;
    }
}

/* ---- A frame buffer ---- */

static ULONG Share(HAL_DISPLAY_COLOUR Colour, ULONG Level)
{
    return Colour.Bits < 8 ? Level >> (8 - Colour.Bits) << Colour.Shift
                           : Level << (Colour.Bits - 8) << Colour.Shift;
}

/* The sixteen colours in the VGA's order: bit 0 blue, 1 green, 2 red, 3 bright. */
static ULONG Pixel(ULONG Colour)
{
    ULONG On = Colour & 8 ? 255 : 170, Off = Colour & 8 ? 85 : 0;
    return Share(Display.Red, Colour & 4 ? On : Off) | Share(Display.Green, Colour & 2 ? On : Off) |
           Share(Display.Blue, Colour & 1 ? On : Off);
}

static VOID StorePixel(UCHAR *At, ULONG Bytes, ULONG Value)
{
    if (Bytes == 4) {
        *(volatile ULONG *)At = Value;
        return;
    }
    for (ULONG i = 0; i < Bytes; i++) {
        ((volatile UCHAR *)At)[i] = (UCHAR)(Value >> 8 * i);
    }
}

static UCHAR GlyphRow(ULONG Code, ULONG Row)
{
    const UCHAR *Glyph = ScreenFont[(Code >= FONT_FIRST && Code < 128 ? Code : FONT_BOX) - FONT_FIRST];
    return Row >= FONT_TOP && Row - FONT_TOP < FONT_ROWS ? Glyph[Row - FONT_TOP] : 0;
}

static VOID DrawCell(ULONG Row, ULONG Column, ULONG Cell)
{
    ULONG Bytes = (Display.BitsPerPixel + 7u) / 8;
    ULONG Foreground = Pixel(Cell >> 8 & 15), Background = Pixel(Cell >> 12 & 15);
    UCHAR *Line =
        (UCHAR *)Display.Base + (SIZE_T)Row * FONT_HEIGHT * Display.Pitch + Column * FONT_WIDTH * Bytes;

    for (ULONG y = 0; y < FONT_HEIGHT; y++, Line += Display.Pitch) {
        UCHAR Bits = GlyphRow(Cell & 255, y);
        if ((Cell & CURSOR) && y >= FONT_HEIGHT - 2) {
            Bits = 255;
        }
        for (ULONG x = 0; x < FONT_WIDTH; x++) {
            StorePixel(Line + x * Bytes, Bytes, Bits >> (FONT_WIDTH - 1 - x) & 1 ? Foreground : Background);
        }
    }
}

/* ---- Text mode ---- */

static VOID MoveTextCursor(const SCREEN_PAGE *Page)
{
    ULONG At = Page->Cursor.Row * (Display.Pitch / sizeof(USHORT)) + Page->Cursor.Column;
    SetRegister(CRTC_START, Page->CursorHidden ? CRTC_OFF : FONT_HEIGHT - 3);
    SetRegister(CRTC_CURSOR, (UCHAR)(At >> 8));
    SetRegister(CRTC_CURSOR + 1, (UCHAR)At);
}

/* ---- Both ---- */

static VOID PaintCell(ULONG Row, ULONG Column, ULONG Cell)
{
    if (Display.Text) {
        *(volatile USHORT *)((UCHAR *)Display.Base + Row * Display.Pitch + Column * sizeof(USHORT)) =
            (USHORT)Cell;
    } else {
        DrawCell(Row, Column, Cell);
    }
}

VOID ScreenPaint(const SCREEN_PAGE *Page)
{
    for (ULONG i = 0; i < Rows * Columns; i++) {
        ULONG Row = i / Columns, Column = i % Columns;
        ULONG Cell = *(const volatile SCREEN_CELL *)&Page->Cells[i];
        if (!Display.Text && !Page->CursorHidden && Row == Page->Cursor.Row &&
            Column == Page->Cursor.Column) {
            Cell |= CURSOR;
        }
        if (Painted[i] != Cell) {
            Painted[i] = Cell;
            PaintCell(Row, Column, Cell);
        }
    }
    if (Display.Text) {
        MoveTextCursor(Page);
    }
}
