/* SPDX-License-Identifier: MIT */
/*
 * The line editor. It sets the console to hand over each key as it is typed, draws the line itself, and sets
 * the console back before it returns, so that programs find it as they expect it. Text is UTF-8; a character
 * is taken to be one column wide.
 */
#include "sh.h"

#define TERMINAL_COLUMNS 80
#define HISTORY_LINES    32

enum {
    KEY_CONTROL = 0x1F, /* letter & KEY_CONTROL: that letter with Ctrl */
    KEY_ESCAPE = 0x1B,
    KEY_BACKSPACE = 0x7F,
    KEY_LEFT = 0x100,
    KEY_RIGHT,
    KEY_UP,
    KEY_DOWN,
    KEY_HOME,
    KEY_END,
    KEY_DELETE,
    KEY_UNKNOWN,
    KEY_END_OF_INPUT
};
#define CONTROL(Letter) ((Letter)&KEY_CONTROL)

typedef struct _EDITOR {
    PCSTR Prompt;
    char *Line;
    SIZE_T Length, Cursor;
    ULONG HistoryBack;     /* 0: the line being typed, 1: the newest line of the history ... */
    char Typed[LINE_SIZE]; /* what was typed when the history was entered */
} EDITOR, *PEDITOR;

/* A ring: line i stands at i % HISTORY_LINES. */
static char History[HISTORY_LINES][LINE_SIZE];
static ULONG HistoryCount;

/* ---- Keys ---- */

static int ReadByte(VOID)
{
    UCHAR Byte;
    return ReadInput(&Byte, 1) == 1 ? Byte : KEY_END_OF_INPUT;
}

/* "ESC [ 3 ~" and the like, behind the bracket. */
static int ReadNumberedKey(int Digit)
{
    int Byte = Digit;
    while ((Byte >= '0' && Byte <= '9') || Byte == ';') {
        Byte = ReadByte();
    }
    if (Byte != '~') {
        return Byte == KEY_END_OF_INPUT ? Byte : KEY_UNKNOWN;
    }
    switch (Digit) {
    case '1':
    case '7':
        return KEY_HOME;
    case '3':
        return KEY_DELETE;
    case '4':
    case '8':
        return KEY_END;
    default:
        return KEY_UNKNOWN;
    }
}

static int ReadEscape(VOID)
{
    int Byte = ReadByte();
    if (Byte != '[' && Byte != 'O') {
        return Byte == KEY_END_OF_INPUT ? Byte : KEY_UNKNOWN;
    }
    Byte = ReadByte();
    switch (Byte) {
    case 'A':
        return KEY_UP;
    case 'B':
        return KEY_DOWN;
    case 'C':
        return KEY_RIGHT;
    case 'D':
        return KEY_LEFT;
    case 'H':
        return KEY_HOME;
    case 'F':
        return KEY_END;
    default:
        return ReadNumberedKey(Byte);
    }
}

static int ReadKey(VOID)
{
    int Byte = ReadByte();
    return Byte == KEY_ESCAPE ? ReadEscape() : Byte;
}

/* ---- Drawing ---- */

static BOOLEAN StartsCharacter(char Byte)
{
    return ((UCHAR)Byte & 0xC0) != 0x80;
}

static ULONG Columns(const char *Text, SIZE_T Length)
{
    ULONG Count = 0;
    for (SIZE_T i = 0; i < Length; i++) {
        Count += StartsCharacter(Text[i]);
    }
    return Count;
}

/* Where the character behind (or before) a place starts. */
static SIZE_T NextCharacter(PEDITOR Editor, SIZE_T At)
{
    do {
        At++;
    } while (At < Editor->Length && !StartsCharacter(Editor->Line[At]));
    return At;
}

static SIZE_T PreviousCharacter(PEDITOR Editor, SIZE_T At)
{
    do {
        At--;
    } while (At > 0 && !StartsCharacter(Editor->Line[At]));
    return At;
}

/* How much of the line there is room for. The last column stays free: a terminal may go on to the next line
   there. */
static ULONG RoomForLine(PEDITOR Editor)
{
    return TERMINAL_COLUMNS - 1 - Columns(Editor->Prompt, strlen(Editor->Prompt));
}

/* Draws the prompt and as much of the line as fits, the cursor's place included: a long line slides sideways.
   */
static VOID Draw(PEDITOR Editor)
{
    ULONG Room = RoomForLine(Editor);
    SIZE_T Start = 0;
    while (Columns(Editor->Line + Start, Editor->Cursor - Start) > Room) {
        Start = NextCharacter(Editor, Start);
    }
    SIZE_T End = Start;
    while (End < Editor->Length &&
           Columns(Editor->Line + Start, NextCharacter(Editor, End) - Start) <= Room) {
        End = NextCharacter(Editor, End);
    }

    Print("\r%s%.*s\x1b[K", Editor->Prompt, (int)(End - Start), Editor->Line + Start);
    ULONG Back = Columns(Editor->Line + Editor->Cursor, End - Editor->Cursor);
    if (Back != 0) {
        Print("\x1b[%uD", Back);
    }
}

/* ---- Changing the line ---- */

static VOID Insert(PEDITOR Editor, char Byte)
{
    if (Editor->Length == LINE_SIZE - 1) {
        return;
    }
    char *At = Editor->Line + Editor->Cursor;
    memmove(At + 1, At, Editor->Length - Editor->Cursor);
    *At = Byte;
    Editor->Length++;
    Editor->Cursor++;
}

static VOID Delete(PEDITOR Editor, SIZE_T From, SIZE_T To)
{
    memmove(Editor->Line + From, Editor->Line + To, Editor->Length - To);
    Editor->Length -= To - From;
    Editor->Cursor = From;
}

static VOID DeleteWordBefore(PEDITOR Editor)
{
    SIZE_T From = Editor->Cursor;
    while (From > 0 && Editor->Line[From - 1] == ' ') {
        From--;
    }
    while (From > 0 && Editor->Line[From - 1] != ' ') {
        From--;
    }
    Delete(Editor, From, Editor->Cursor);
}

static VOID ReplaceLine(PEDITOR Editor, PCSTR With)
{
    Editor->Length = Editor->Cursor = strlen(With);
    memcpy(Editor->Line, With, Editor->Length);
}

/* ---- History ---- */

static VOID Remember(PCSTR Line)
{
    PCSTR Newest = History[(HistoryCount - 1) % HISTORY_LINES];
    if (Line[0] != '\0' && (HistoryCount == 0 || strcmp(Line, Newest) != 0)) {
        strcpy(History[HistoryCount++ % HISTORY_LINES], Line);
    }
}

/* Back 0 is the line that was being typed before the history was looked at. */
static VOID ShowHistory(PEDITOR Editor, ULONG Back)
{
    ULONG Kept = HistoryCount < HISTORY_LINES ? HistoryCount : HISTORY_LINES;
    if (Back > Kept) {
        return;
    }
    if (Editor->HistoryBack == 0) {
        memcpy(Editor->Typed, Editor->Line, Editor->Length);
        Editor->Typed[Editor->Length] = '\0';
    }
    Editor->HistoryBack = Back;
    ReplaceLine(Editor, Back == 0 ? Editor->Typed : History[(HistoryCount - Back) % HISTORY_LINES]);
}

/* ---- ^R: a search backwards through the history ---- */

/* How far back the newest line is that contains Text, from From on; 0: there is none. */
static ULONG FindInHistory(PCSTR Text, ULONG From)
{
    ULONG Kept = HistoryCount < HISTORY_LINES ? HistoryCount : HISTORY_LINES;
    for (ULONG Back = From; Back <= Kept; Back++) {
        if (strstr(History[(HistoryCount - Back) % HISTORY_LINES], Text) != NULL) {
            return Back;
        }
    }
    return 0;
}

/* What is typed is looked for, ^R again finds an older line. Returns the key that ended the search, which the
   line as it was found is for; ^C and ^G bring back the line that was there. */
static int Search(PEDITOR Editor)
{
    char Text[64] = "";
    SIZE_T Length = 0;
    ULONG Back = 0;
    int Key;
    for (;;) {
        Print("\r(search '%s') %.*s\x1b[K", Text, TERMINAL_COLUMNS / 2, Back != 0 ? History[(HistoryCount - Back) % HISTORY_LINES] : "");
        Key = ReadKey();
        if (Key == CONTROL('R')) {
            ULONG Older = FindInHistory(Text, Back + 1);
            Back = Older != 0 ? Older : Back;
            continue;
        }
        if (Key >= ' ' && Key < KEY_BACKSPACE && Length < sizeof(Text) - 1) {
            Text[Length++] = (char)Key;
        } else if ((Key == KEY_BACKSPACE || Key == '\b') && Length > 0) {
            Length--;
        } else {
            break;
        }
        Text[Length] = '\0';
        Back = FindInHistory(Text, 1);
    }
    if (Key == CONTROL('C') || Key == CONTROL('G')) {
        return KEY_UNKNOWN;
    }
    if (Back != 0) {
        ShowHistory(Editor, Back);
    }
    return Key;
}

/* ---- Tab: names are completed ---- */

typedef struct _COMPLETION {
    PCSTR Prefix;
    SIZE_T Length;      /* of Prefix */
    ULONG Count;        /* names that begin with it */
    BOOLEAN Show;       /* print them */
    char Common[128];   /* what they all begin with */
} COMPLETION, *PCOMPLETION;

static VOID ConsiderName(PVOID Context, PCSTR File)
{
    PCOMPLETION Completion = Context;
    char Name[sizeof(Completion->Common)];
    FormatText(Name, sizeof(Name), "%s", File);
    SIZE_T End = strlen(Name);
    if (End > 4 && strcmp(Name + End - 4, ".sys") == 0) {
        Name[End - 4] = '\0'; /* a module is called by its name alone */
    }
    if (Name[0] == '.' || strncmp(Name, Completion->Prefix, Completion->Length) != 0) {
        return;
    }
    if (Completion->Show) {
        Print("  %s", Name);
    }
    SIZE_T Length = 0;
    if (Completion->Count++ == 0) {
        FormatText(Completion->Common, sizeof(Completion->Common), "%s", Name);
        return;
    }
    while (Name[Length] != '\0' && Name[Length] == Completion->Common[Length]) {
        Length++;
    }
    Completion->Common[Length] = '\0';
}

/* A command is a name of the shell's or a native program's, an argument of load and unload a module's. */
static VOID ConsiderNames(PCOMPLETION Completion, PCSTR Command, SIZE_T CommandLength)
{
    if (CommandLength == 0) {
        VisitBuiltins(ConsiderName, Completion);
        ListFolder("\\Boot\\native", ConsiderName, Completion);
    } else if ((CommandLength == 4 && strncmp(Command, "load", 4) == 0) || (CommandLength == 6 && strncmp(Command, "unload", 6) == 0)) {
        ListFolder("\\Boot\\modules", ConsiderName, Completion);
    }
}

/* The word before the cursor gets what all names have in common that begin with it; when there is nothing to
   add, they are shown. */
static VOID Complete(PEDITOR Editor)
{
    char Prefix[128];
    SIZE_T Word = Editor->Cursor, Start, End;
    while (Word > 0 && strchr(" ;&", Editor->Line[Word - 1]) == NULL) {
        Word--;
    }
    for (Start = Word; Start > 0 && strchr(";&", Editor->Line[Start - 1]) == NULL; Start--) {}
    while (Start < Word && Editor->Line[Start] == ' ') {
        Start++;
    }
    for (End = Start; End < Word && Editor->Line[End] != ' '; End++) {}
    COMPLETION Completion = {.Prefix = Prefix, .Length = Editor->Cursor - Word};
    if (Completion.Length >= sizeof(Prefix)) {
        return;
    }
    memcpy(Prefix, Editor->Line + Word, Completion.Length);
    Prefix[Completion.Length] = '\0';
    ConsiderNames(&Completion, Editor->Line + Start, End - Start);
    SIZE_T Added = strlen(Completion.Common) - (Completion.Count != 0 ? Completion.Length : 0);
    for (SIZE_T i = 0; i < Added; i++) {
        Insert(Editor, Completion.Common[Completion.Length + i]);
    }
    if (Completion.Count == 1) {
        Insert(Editor, ' ');
    } else if (Completion.Count > 1 && Added == 0) {
        Completion.Show = TRUE;
        Print("\n");
        ConsiderNames(&Completion, Editor->Line + Start, End - Start);
        Print("\n");
    }
}

/* ---- One key ---- */

static VOID MoveCursor(PEDITOR Editor, int Key)
{
    if ((Key == KEY_LEFT || Key == CONTROL('B')) && Editor->Cursor > 0) {
        Editor->Cursor = PreviousCharacter(Editor, Editor->Cursor);
    } else if ((Key == KEY_RIGHT || Key == CONTROL('F')) && Editor->Cursor < Editor->Length) {
        Editor->Cursor = NextCharacter(Editor, Editor->Cursor);
    } else if (Key == KEY_HOME || Key == CONTROL('A')) {
        Editor->Cursor = 0;
    } else if (Key == KEY_END || Key == CONTROL('E')) {
        Editor->Cursor = Editor->Length;
    }
}

static VOID DeleteSomething(PEDITOR Editor, int Key)
{
    if ((Key == KEY_BACKSPACE || Key == '\b') && Editor->Cursor > 0) {
        Delete(Editor, PreviousCharacter(Editor, Editor->Cursor), Editor->Cursor);
    } else if ((Key == KEY_DELETE || Key == CONTROL('D')) && Editor->Cursor < Editor->Length) {
        Delete(Editor, Editor->Cursor, NextCharacter(Editor, Editor->Cursor));
    } else if (Key == CONTROL('U')) {
        Delete(Editor, 0, Editor->Cursor);
    } else if (Key == CONTROL('K')) {
        Editor->Length = Editor->Cursor;
    } else if (Key == CONTROL('W')) {
        DeleteWordBefore(Editor);
    }
}

static VOID HandleKey(PEDITOR Editor, int Key)
{
    if (Key == KEY_UP || Key == CONTROL('P')) {
        ShowHistory(Editor, Editor->HistoryBack + 1);
    } else if ((Key == KEY_DOWN || Key == CONTROL('N')) && Editor->HistoryBack > 0) {
        ShowHistory(Editor, Editor->HistoryBack - 1);
    } else if (Key == '\t') {
        Complete(Editor);
    } else if (Key == CONTROL('L')) {
        Print("\x1b[H\x1b[2J");
    } else if (Key >= ' ' && Key < KEY_LEFT && Key != KEY_BACKSPACE) {
        Insert(Editor, (char)Key);
    } else {
        MoveCursor(Editor, Key);
        DeleteSomething(Editor, Key);
    }
}

/* ---- The line ---- */

/* The common case, a character at the end of a line that fits, needs no more drawing than itself. */
static BOOLEAN Append(PEDITOR Editor, int Key)
{
    if (Key < ' ' || Key >= KEY_BACKSPACE || Editor->Cursor != Editor->Length ||
        Columns(Editor->Line, Editor->Length) >= RoomForLine(Editor)) {
        return FALSE;
    }
    Insert(Editor, (char)Key);
    Print("%c", Key);
    return TRUE;
}

static BOOLEAN EditUntilEnter(PEDITOR Editor)
{
    Draw(Editor);
    for (;;) {
        int Key = ReadKey();
        if (Key == CONTROL('R')) {
            Key = Search(Editor);
            Draw(Editor);
        }
        if (Key == '\n' || Key == '\r') {
            return TRUE;
        }
        if (Key == KEY_END_OF_INPUT || (Key == CONTROL('D') && Editor->Length == 0)) {
            return FALSE;
        }
        if (Key == CONTROL('C')) {
            Editor->Length = Editor->Cursor = 0;
            return TRUE;
        }
        if (!Append(Editor, Key)) {
            HandleKey(Editor, Key);
            Draw(Editor);
        }
    }
}

BOOLEAN EditLine(PCSTR Prompt, char Line[LINE_SIZE])
{
    static EDITOR Editor; /* too big for comfort on the stack */
    ULONG ProgramsMode;
    Editor.Prompt = Prompt;
    Editor.Line = Line;
    Editor.Length = Editor.Cursor = Editor.HistoryBack = 0;

    NTSTATUS Status = NtSetConsoleMode(IO_CONSOLE_CRNL, &ProgramsMode);
    BOOLEAN More = EditUntilEnter(&Editor);
    Line[Editor.Length] = '\0';
    if (NT_SUCCESS(Status)) {
        NtSetConsoleMode(ProgramsMode, NULL);
    }
    Print("\n");
    Remember(Line);
    return More;
}
