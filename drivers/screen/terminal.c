/* SPDX-License-Identifier: MIT */
/*
 * A page as a terminal: the control sequences of the VT100 (its user guide, chapter 3; ECMA-48) that line
 * editing, editors and the like use, and the colours of ECMA-48. Never blocks, takes no lock.
 *
 * What UTF-8 writes with several bytes is one cell, shown as a box; a text mode shows its code 254.
 */
#include "screen.h"

#define TAG       'rcSP'
#define BOX       254
#define TAB_WIDTH 8

typedef VOID PARSER(PSCREEN_PAGE Page, UCHAR Byte);

static PARSER InText;

/* ---- Cells ---- */

static SCREEN_CELL Coloured(const SCREEN_CURSOR *Cursor, UCHAR Code)
{
    UCHAR Foreground = Cursor->Colours & 15, Background = Cursor->Colours >> 4;
    if (Cursor->Underlined && Foreground == 7) {
        Foreground = 3; /* cyan, for lack of lines */
    }
    Foreground |= Cursor->Bold ? 8 : 0;
    return (SCREEN_CELL)((Cursor->Reverse ? (Foreground & 7) << 4 | Background : Background << 4 | Foreground)
                             << 8 |
                         Code);
}

static SCREEN_CELL Blank(PSCREEN_PAGE Page)
{
    return (SCREEN_CELL)((Page->Cursor.Colours & 0xf0) << 8 | SCREEN_PLAIN << 8 | ' ');
}

/* Cells [From, To) counted from the page's first. */
static VOID Erase(PSCREEN_PAGE Page, ULONG From, ULONG To)
{
    for (SCREEN_CELL Cell = Blank(Page); From < To; From++) {
        Page->Cells[From] = Cell;
    }
}

static SCREEN_CELL *RowOf(PSCREEN_PAGE Page, ULONG Row)
{
    return Page->Cells + Row * Page->Columns;
}

/* Rows [Top, Bottom] move up by Count, or down. */
static VOID ScrollUp(PSCREEN_PAGE Page, ULONG Top, ULONG Bottom, ULONG Count)
{
    Count = min(Count, Bottom + 1 - Top);
    ULONG Kept = Bottom + 1 - Top - Count;
    RtlMoveMemory(RowOf(Page, Top), RowOf(Page, Top + Count),
                  (SIZE_T)Kept * Page->Columns * sizeof(SCREEN_CELL));
    Erase(Page, (Top + Kept) * Page->Columns, (Bottom + 1) * Page->Columns);
}

static VOID ScrollDown(PSCREEN_PAGE Page, ULONG Top, ULONG Bottom, ULONG Count)
{
    Count = min(Count, Bottom + 1 - Top);
    ULONG Kept = Bottom + 1 - Top - Count;
    RtlMoveMemory(RowOf(Page, Top + Count), RowOf(Page, Top),
                  (SIZE_T)Kept * Page->Columns * sizeof(SCREEN_CELL));
    Erase(Page, Top * Page->Columns, (Top + Count) * Page->Columns);
}

/* ---- The cursor ---- */

static VOID MoveTo(PSCREEN_PAGE Page, LONG Row, LONG Column)
{
    Page->Cursor.Row = (ULONG)max(0, min(Row, (LONG)Page->Rows - 1));
    Page->Cursor.Column = (ULONG)max(0, min(Column, (LONG)Page->Columns - 1));
    Page->Cursor.Wraps = FALSE;
}

/* Up and down end at the edge of the region, when they begin in it. */
static VOID MoveRows(PSCREEN_PAGE Page, LONG Count)
{
    LONG Row = (LONG)Page->Cursor.Row, To = Row + Count;
    if (Row >= (LONG)Page->Top && Row <= (LONG)Page->Bottom) {
        To = max((LONG)Page->Top, min(To, (LONG)Page->Bottom));
    }
    MoveTo(Page, To, (LONG)Page->Cursor.Column);
}

static VOID LineFeed(PSCREEN_PAGE Page)
{
    if (Page->Cursor.Row != Page->Bottom) {
        MoveTo(Page, (LONG)Page->Cursor.Row + 1, (LONG)Page->Cursor.Column);
    } else if (Page->Holds) {
        Page->Cursor.Row = Page->Rows; /* beyond the page, for good */
    } else {
        ScrollUp(Page, Page->Top, Page->Bottom, 1);
        Page->Cursor.Wraps = FALSE;
    }
}

static VOID ReverseLineFeed(PSCREEN_PAGE Page)
{
    if (Page->Cursor.Row == Page->Top) {
        ScrollDown(Page, Page->Top, Page->Bottom, 1);
        Page->Cursor.Wraps = FALSE;
    } else {
        MoveTo(Page, (LONG)Page->Cursor.Row - 1, (LONG)Page->Cursor.Column);
    }
}

static VOID InsertCells(PSCREEN_PAGE Page, ULONG Count)
{
    SCREEN_CELL *Row = RowOf(Page, Page->Cursor.Row);
    ULONG At = Page->Cursor.Column, Room = Page->Columns - At;
    Count = min(Count, Room);
    RtlMoveMemory(Row + At + Count, Row + At, (Room - Count) * sizeof(SCREEN_CELL));
    Erase(Page, Page->Cursor.Row * Page->Columns + At, Page->Cursor.Row * Page->Columns + At + Count);
}

static VOID DeleteCells(PSCREEN_PAGE Page, ULONG Count)
{
    SCREEN_CELL *Row = RowOf(Page, Page->Cursor.Row);
    ULONG At = Page->Cursor.Column, Room = Page->Columns - At;
    Count = min(Count, Room);
    RtlMoveMemory(Row + At, Row + At + Count, (Room - Count) * sizeof(SCREEN_CELL));
    Erase(Page, (Page->Cursor.Row + 1) * Page->Columns - Count, (Page->Cursor.Row + 1) * Page->Columns);
}

/* The VT100's line-drawing characters, as well as ASCII can. */
static UCHAR DrawnAs(UCHAR Byte)
{
    static const char Shapes[] = "+#????o+??+++++~---_++++|<>";
    return Byte == '`' ? '+' : Byte >= 'a' && Byte <= 'z' ? (UCHAR)Shapes[Byte - 'a' + 1] : Byte;
}

static VOID PutCharacter(PSCREEN_PAGE Page, UCHAR Code)
{
    if (Page->Cursor.Wraps) {
        Page->Cursor.Column = 0;
        LineFeed(Page);
    }
    if (Page->Cursor.Row >= Page->Rows) {
        return;
    }
    if (Page->Insert) {
        InsertCells(Page, 1);
    }
    if (Page->Cursor.Graphics) {
        Code = DrawnAs(Code);
    }
    RowOf(Page, Page->Cursor.Row)[Page->Cursor.Column] = Coloured(&Page->Cursor, Code);
    if (Page->Cursor.Column + 1 < Page->Columns) {
        Page->Cursor.Column++;
    } else {
        Page->Cursor.Wraps = !Page->NoWrap;
    }
}

/* ---- Control sequences: ESC [ numbers letter ---- */

static ULONG NumberOr(PSCREEN_PAGE Page, ULONG Index, ULONG Default)
{
    return Index < Page->Count && Page->Number[Index] != 0 ? Page->Number[Index] : Default;
}

/* 0: from the cursor on, 1: up to it, 2: all. Start and End: of the line, or of the page. */
static VOID ErasePart(PSCREEN_PAGE Page, ULONG Start, ULONG End)
{
    ULONG At = Page->Cursor.Row * Page->Columns + Page->Cursor.Column, Which = NumberOr(Page, 0, 0);
    Erase(Page, Which == 0 ? At : Start, Which == 1 ? At + 1 : End);
    Page->Cursor.Wraps = FALSE;
}

/* ECMA-48's colours are red, green and blue from bit 0 on, the VGA's the other way round. */
static UCHAR VgaColour(ULONG Number)
{
    return (UCHAR)((Number & 1) << 2 | (Number & 2) | (Number & 4) >> 2);
}

static VOID SetAttribute(PSCREEN_PAGE Page, ULONG Number)
{
    SCREEN_CURSOR *Cursor = &Page->Cursor;
    if (Number == 0) {
        Cursor->Colours = SCREEN_PLAIN;
        Cursor->Bold = Cursor->Reverse = Cursor->Underlined = FALSE;
    } else if (Number == 1 || Number == 22) {
        Cursor->Bold = Number == 1;
    } else if (Number == 4 || Number == 24) {
        Cursor->Underlined = Number == 4;
    } else if (Number == 7 || Number == 27) {
        Cursor->Reverse = Number == 7;
    } else if (Number >= 30 && Number <= 39) {
        Cursor->Colours = (Cursor->Colours & 0xf0) | (Number < 38 ? VgaColour(Number - 30) : 7);
    } else if (Number >= 40 && Number <= 49) {
        Cursor->Colours = (UCHAR)((Cursor->Colours & 0x0f) | (Number < 48 ? VgaColour(Number - 40) << 4 : 0));
    } else if (Number >= 90 && Number <= 97) {
        Cursor->Colours = (UCHAR)((Cursor->Colours & 0xf0) | VgaColour(Number - 90) | 8);
    } else if (Number >= 100 && Number <= 107) {
        Cursor->Colours = (UCHAR)((Cursor->Colours & 0x0f) | VgaColour(Number - 100) << 4);
    }
}

static VOID SetAttributes(PSCREEN_PAGE Page)
{
    for (ULONG i = 0; i < Page->Count; i++) {
        SetAttribute(Page, Page->Number[i]);
    }
}

static VOID SetPrivateMode(PSCREEN_PAGE Page, ULONG Mode, BOOLEAN On)
{
    switch (Mode) {
    case 1:
        Page->ApplicationKeys = On;
        break;
    case 6:
        Page->Origin = On;
        MoveTo(Page, On ? (LONG)Page->Top : 0, 0);
        break;
    case 7:
        Page->NoWrap = !On;
        break;
    case 25:
        Page->CursorHidden = !On;
        break;
    }
}

static VOID SetModes(PSCREEN_PAGE Page, BOOLEAN On)
{
    for (ULONG i = 0; i < Page->Count; i++) {
        if (Page->Private == '?') {
            SetPrivateMode(Page, Page->Number[i], On);
        } else if (Page->Number[i] == 4) {
            Page->Insert = On;
        }
    }
}

static VOID SetRegion(PSCREEN_PAGE Page)
{
    ULONG Top = NumberOr(Page, 0, 1) - 1, Bottom = min(NumberOr(Page, 1, Page->Rows), Page->Rows) - 1;
    if (Top < Bottom) {
        Page->Top = Top;
        Page->Bottom = Bottom;
        MoveTo(Page, Page->Origin ? (LONG)Top : 0, 0);
    }
}

static VOID Address(PSCREEN_PAGE Page)
{
    LONG Row = (LONG)NumberOr(Page, 0, 1) - 1;
    if (Page->Origin) {
        Row = min(Row + (LONG)Page->Top, (LONG)Page->Bottom);
    }
    MoveTo(Page, Row, (LONG)NumberOr(Page, 1, 1) - 1);
}

static BOOLEAN InRegion(PSCREEN_PAGE Page)
{
    return Page->Cursor.Row >= Page->Top && Page->Cursor.Row <= Page->Bottom;
}

static VOID Execute(PSCREEN_PAGE Page, UCHAR Letter)
{
    LONG Row = (LONG)Page->Cursor.Row, Column = (LONG)Page->Cursor.Column, Count = (LONG)NumberOr(Page, 0, 1);
    ULONG Line = Page->Cursor.Row * Page->Columns;

    switch (Letter) {
    case '@':
        InsertCells(Page, (ULONG)Count);
        break;
    case 'A':
        MoveRows(Page, -Count);
        break;
    case 'B':
    case 'e':
        MoveRows(Page, Count);
        break;
    case 'C':
    case 'a':
        MoveTo(Page, Row, Column + Count);
        break;
    case 'D':
        MoveTo(Page, Row, Column - Count);
        break;
    case 'E':
        MoveRows(Page, Count);
        Page->Cursor.Column = 0;
        break;
    case 'F':
        MoveRows(Page, -Count);
        Page->Cursor.Column = 0;
        break;
    case 'G':
    case '`':
        MoveTo(Page, Row, Count - 1);
        break;
    case 'H':
    case 'f':
        Address(Page);
        break;
    case 'J':
        ErasePart(Page, 0, Page->Rows * Page->Columns);
        break;
    case 'K':
        ErasePart(Page, Line, Line + Page->Columns);
        break;
    case 'L':
        if (InRegion(Page)) {
            ScrollDown(Page, (ULONG)Row, Page->Bottom, (ULONG)Count);
        }
        break;
    case 'M':
        if (InRegion(Page)) {
            ScrollUp(Page, (ULONG)Row, Page->Bottom, (ULONG)Count);
        }
        break;
    case 'P':
        DeleteCells(Page, (ULONG)Count);
        break;
    case 'S':
        ScrollUp(Page, Page->Top, Page->Bottom, (ULONG)Count);
        break;
    case 'T':
        ScrollDown(Page, Page->Top, Page->Bottom, (ULONG)Count);
        break;
    case 'X':
        Erase(Page, Line + (ULONG)Column, Line + min((ULONG)(Column + Count), Page->Columns));
        break;
    case 'd':
        MoveTo(Page, Count - 1, Column);
        break;
    case 'h':
        SetModes(Page, TRUE);
        break;
    case 'l':
        SetModes(Page, FALSE);
        break;
    case 'm':
        SetAttributes(Page);
        break;
    case 'r':
        SetRegion(Page);
        break;
    case 's':
        Page->Saved = Page->Cursor;
        break;
    case 'u':
        Page->Cursor = Page->Saved;
        break;
    }
}

/* A number grows to 9999 at most, so that sums of it stay in range. */
static VOID InSequence(PSCREEN_PAGE Page, UCHAR Byte)
{
    ULONG *Number = &Page->Number[Page->Count - 1];
    if (Byte >= '0' && Byte <= '9') {
        *Number = min(*Number * 10 + (Byte - '0'), 9999);
    } else if (Byte == ';') {
        if (Page->Count < SCREEN_NUMBERS) {
            Page->Number[Page->Count++] = 0;
        }
    } else if (Byte >= '<' && Byte <= '?') {
        Page->Private = Byte;
    } else if (Byte >= '@') {
        Page->State = InText;
        Execute(Page, Byte);
    }
}

/* ---- Everything else ---- */

/* The byte behind ESC ( or another such one, which says no more than which characters are meant. */
static VOID InDesignation(PSCREEN_PAGE Page, UCHAR Byte)
{
    Page->State = InText;
    Page->Cursor.Graphics = Byte == '0';
}

static VOID InIgnored(PSCREEN_PAGE Page, UCHAR Byte)
{
    UNREFERENCED_PARAMETER(Byte);
    Page->State = InText;
}

/* A title or the like, which ends with BEL or ESC \; or the console's heading, which ends with STX. */
static VOID InString(PSCREEN_PAGE Page, UCHAR Byte)
{
    if (Byte == '\a' || Byte == 2) {
        Page->State = InText;
    } else if (Byte == 27) {
        Page->State = InIgnored;
    }
}

static VOID InEscape(PSCREEN_PAGE Page, UCHAR Byte)
{
    Page->State = InText;
    switch (Byte) {
    case '[':
        Page->State = InSequence;
        Page->Private = 0;
        Page->Count = 1;
        Page->Number[0] = 0;
        break;
    case ']':
    case 'P':
    case 'X':
    case '^':
    case '_':
        Page->State = InString;
        break;
    case '(':
        Page->State = InDesignation;
        break;
    case ')':
    case '*':
    case '+':
    case '#':
    case '%':
    case ' ':
        Page->State = InIgnored;
        break;
    case '7':
        Page->Saved = Page->Cursor;
        break;
    case '8':
        Page->Cursor = Page->Saved;
        break;
    case 'D':
        LineFeed(Page);
        break;
    case 'E':
        LineFeed(Page);
        Page->Cursor.Column = 0;
        break;
    case 'M':
        ReverseLineFeed(Page);
        break;
    case 'c':
        ScreenClearPage(Page);
        break;
    }
}

static VOID Control(PSCREEN_PAGE Page, UCHAR Byte)
{
    LONG Row = (LONG)Page->Cursor.Row, Column = (LONG)Page->Cursor.Column;

    switch (Byte) {
    case 1:
        Page->State = InString;
        break;
    case '\b':
        MoveTo(Page, Row, Column - 1);
        break;
    case '\t':
        MoveTo(Page, Row, (Column / TAB_WIDTH + 1) * TAB_WIDTH);
        break;
    case '\r':
        MoveTo(Page, Row, 0);
        break;
    case 14:
        Page->Cursor.Graphics = TRUE;
        break;
    case 15:
        Page->Cursor.Graphics = FALSE;
        break;
    case 27:
        Page->State = InEscape;
        break;
    case '\n':
    case '\v':
    case '\f':
        if (Page->LineFeedReturns) {
            Page->Cursor.Column = 0;
            Page->Cursor.Wraps = FALSE;
        }
        LineFeed(Page);
        break;
    }
}

static VOID InText(PSCREEN_PAGE Page, UCHAR Byte)
{
    if (Byte >= 0xc0) {
        Page->Following = Byte < 0xe0 ? 1 : Byte < 0xf0 ? 2 : 3;
        PutCharacter(Page, BOX);
    } else if (Byte >= 0x80) {
        if (Page->Following != 0) {
            Page->Following--;
        } else {
            PutCharacter(Page, BOX);
        }
    } else if (Byte >= ' ' && Byte != 127) {
        PutCharacter(Page, Byte);
    }
}

VOID ScreenWritePage(PSCREEN_PAGE Page, const UCHAR *Text, SIZE_T Length)
{
    for (; Length != 0 && Page->Cursor.Row < Page->Rows; Text++, Length--) {
        if (*Text < ' ' && (Page->State != InString || *Text == 24)) {
            if (Page->State != InSequence && Page->State != InEscape) {
                Page->State = InText;
            }
            Control(Page, *Text);
        } else {
            Page->State(Page, *Text);
        }
    }
}

VOID ScreenClearPage(PSCREEN_PAGE Page)
{
    Page->Cursor = Page->Saved = (SCREEN_CURSOR){.Colours = SCREEN_PLAIN};
    Page->Top = 0;
    Page->Bottom = Page->Rows - 1;
    Page->Origin = Page->NoWrap = Page->Insert = Page->CursorHidden = Page->ApplicationKeys = FALSE;
    Page->Following = 0;
    Page->State = InText;
    Erase(Page, 0, Page->Rows * Page->Columns);
}

BOOLEAN ScreenMakePage(PSCREEN_PAGE Page, ULONG Rows, ULONG Columns)
{
    Page->Rows = Rows;
    Page->Columns = Columns;
    Page->Cells = ExAllocatePoolWithTag(NonPagedPoolNx, (SIZE_T)Rows * Columns * sizeof(SCREEN_CELL), TAG);
    if (Page->Cells != NULL) {
        ScreenClearPage(Page);
    }
    return Page->Cells != NULL;
}
