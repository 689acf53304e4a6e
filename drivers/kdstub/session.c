/* SPDX-License-Identifier: MIT */
/*
 * GDB's packets, as its manual describes them in "The Remote Protocol". All threads stop and go together
 * ("all-stop"); of what vCont asks for, one thread's step and whether the others run meanwhile count: a
 * kernel in which one thread alone goes on would soon wait for a lock of another's.
 */
#include "stub.h"

#define CONTROL_C     3
#define RESET_PORT    0xcf9
#define KEYBOARD_PORT 0x64

static STUB_EVENT Last;           /* (o) why the machine stopped */
static ULONG LastProcessor;       /* (o) and where */
static PKTHREAD LastThread;       /* (o) */
static PKTHREAD General;          /* (o) whose registers and memory GDB means */
static PKTHREAD Listed;           /* (o) the last thread that qsThreadInfo has named */
static bool HasListed;            /* (o) */

/* ---- Answers ---- */

static VOID Answer(PCSTR Text)
{
    StubBegin(Text);
    StubSend();
}

static VOID AnswerIf(bool Done)
{
    Answer(Done ? "OK" : "E01");
}

static bool Begins(PCSTR Text, PCSTR With)
{
    return strncmp(Text, With, strlen(With)) == 0;
}

static VOID AppendRegister(PKTHREAD Thread, ULONG Number)
{
    ULONG Size;
    const UCHAR *Value = StubRegister(Thread, Number, &Size);
    if (Value != NULL) {
        StubAppendBytes(Value, Size);
        return;
    }
    for (ULONG i = 0; i < Size; i++) {
        StubAppend("xx");
    }
}

static VOID ReportStop(VOID)
{
    static const UCHAR Expedited[] = {6, 7, 16}; /* rbp, rsp, rip */
    StubBegin("");
    StubAppend("T%02xthread:%x;core:%x;", Last.Signal, StubThreadId(LastThread), LastProcessor);
    if (Last.Reason == StubReasonWatch) {
        StubAppend("%s:%I64x;", Last.Kind, Last.Address);
    } else if (Last.Reason == StubReasonSoftware) {
        StubAppend("swbreak:;");
    } else if (Last.Reason == StubReasonHardware) {
        StubAppend("hwbreak:;");
    }
    for (ULONG i = 0; i < RTL_NUMBER_OF(Expedited) && StubFrame(LastProcessor) != NULL; i++) {
        StubAppend("%02x:", Expedited[i]);
        AppendRegister(LastThread, Expedited[i]);
        StubAppend(";");
    }
    StubSend();
}

/* ---- Registers ---- */

static VOID ReadRegisters(VOID)
{
    StubBegin("");
    for (ULONG i = 0; i < STUB_REGISTERS; i++) {
        AppendRegister(General, i);
    }
    StubSend();
}

/* "xx" stands for a register that the thread does not have. */
static bool WriteRegister(ULONG Number, PCSTR Digits)
{
    ULONG Size;
    UCHAR *Value = StubRegister(General, Number, &Size), New[10];
    if (*Digits == 'x') {
        return true;
    }
    if (Value == NULL || !StubBytes(Digits, New, Size)) {
        return false;
    }
    memcpy(Value, New, Size);
    return true;
}

static VOID WriteRegisters(PCSTR Digits)
{
    ULONG Size;
    for (ULONG i = 0; i < STUB_REGISTERS; i++, Digits += 2 * Size) {
        StubRegister(General, i, &Size);
        WriteRegister(i, Digits);
    }
    Answer("OK");
}

static VOID OneRegister(PCSTR Text, bool Write)
{
    ULONG64 Number = StubNumber(&Text);
    if (Number >= STUB_REGISTERS) {
        Answer("E01");
    } else if (Write) {
        AnswerIf(*Text == '=' && WriteRegister((ULONG)Number, Text + 1));
    } else {
        StubBegin("");
        AppendRegister(General, (ULONG)Number);
        StubSend();
    }
}

/* ---- Memory ---- */

static UCHAR Buffer[STUB_PACKET / 2]; /* (o) */

static ULONG64 PageTables(VOID)
{
    KD_THREAD Information;
    KdServices.QueryThread(General, &Information);
    return Information.PageTables;
}

/* "ADDRESS,SIZE" */
static PCSTR Range(PCSTR Text, ULONG64 *Address, ULONG64 *Size)
{
    *Address = StubNumber(&Text);
    Text += *Text == ',';
    *Size = StubNumber(&Text);
    return Text;
}

static VOID ReadMemory(PCSTR Text)
{
    ULONG64 Address, Size;
    Range(Text, &Address, &Size);
    SIZE_T Done = StubReadMemory(PageTables(), Address, Buffer, Size < sizeof(Buffer) ? Size : sizeof(Buffer));
    if (Done == 0 && Size != 0) {
        Answer("E14"); /* EFAULT */
        return;
    }
    StubBegin("");
    StubAppendBytes(Buffer, Done);
    StubSend();
}

static VOID WriteMemory(PCSTR Text)
{
    ULONG64 Address, Size;
    Text = Range(Text, &Address, &Size);
    AnswerIf(*Text == ':' && Size <= sizeof(Buffer) && StubBytes(Text + 1, Buffer, Size) &&
             StubWriteMemory(PageTables(), Address, Buffer, Size));
}

/* '}' stands before a byte that is changed. */
static VOID WriteBinary(PCSTR Text, PCSTR End)
{
    ULONG64 Address, Size;
    SIZE_T Count = 0;
    Text = Range(Text, &Address, &Size);
    for (Text++; Text < End && Count < sizeof(Buffer); Text++) {
        bool Escaped = *Text == '}';
        Text += Escaped;
        Buffer[Count++] = (UCHAR)(*Text ^ (Escaped ? 0x20 : 0));
    }
    AnswerIf(Count == Size && StubWriteMemory(PageTables(), Address, Buffer, Size));
}

/* "KIND,ADDRESS,SIZE" */
static VOID ChangeBreak(PCSTR Text, bool Insert)
{
    ULONG64 Address, Size, Kind = StubNumber(&Text);
    if (Kind > StubAccess) {
        Answer("");
        return;
    }
    Range(Text + 1, &Address, &Size);
    AnswerIf(Insert ? StubInsertBreak((STUB_BREAK)Kind, Address, Size) : StubRemoveBreak((STUB_BREAK)Kind, Address, Size));
}

/* ---- Documents that GDB reads piece by piece ---- */

static SIZE_T Skip, Left; /* (o) of the document: what GDB has already, and what it wants now */

static VOID Put(PCSTR Text)
{
    SIZE_T Length = strlen(Text), Before = Length < Skip ? Length : Skip;
    Skip -= Before;
    Length -= Before;
    if (Length > Left) {
        Length = Left;
    }
    StubAppendBinary(Text + Before, Length);
    Left -= Length;
}

static VOID PutFeatures(VOID)
{
    static const PCSTR Core[] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8",  "r9",  "r10",
                                 "r11", "r12", "r13", "r14", "r15", "rip", "eflags", "cs", "ss", "ds",  "es",
                                 "fs",  "gs",  "st0", "st1", "st2", "st3", "st4", "st5", "st6", "st7", "fctrl",
                                 "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop"};
    char Line[STUB_TEXT];
    Put("<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target><architecture>i386:x86-64"
        "</architecture><feature name=\"org.gnu.gdb.i386.core\">");
    for (ULONG i = 0; i < RTL_NUMBER_OF(Core); i++) {
        bool Float = i >= 24 && i < 32, Pointer = i == 6 || i == 7;
        RtlStringCbPrintfA(Line, sizeof(Line), "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\"/>", Core[i],
                           Float ? 80 : i < 17 ? 64 : 32,
                           Float     ? "i387_ext"
                           : i == 16 ? "code_ptr"
                           : Pointer ? "data_ptr"
                           : i < 17  ? "int64"
                                     : "int32");
        Put(Line);
    }
    Put("</feature><feature name=\"org.gnu.gdb.i386.segments\"><reg name=\"fs_base\" bitsize=\"64\" type=\"int\"/>"
        "<reg name=\"gs_base\" bitsize=\"64\" type=\"int\"/></feature></target>");
}

static VOID PutThreads(VOID)
{
    char Line[STUB_TEXT], Name[96], State[96];
    Put("<?xml version=\"1.0\"?><threads>");
    for (PKTHREAD Thread = StubNextThread(NULL); Thread != NULL && Left != 0; Thread = StubNextThread(Thread)) {
        ULONG Processor = StubRunsOn(Thread);
        StubThreadName(Thread, Name, sizeof(Name));
        StubDescribe(Thread, State, sizeof(State));
        RtlStringCbPrintfA(Line, sizeof(Line), "<thread id=\"%x\" name=\"%s\"", StubThreadId(Thread), Name);
        Put(Line);
        if (Processor != STUB_NOBODY) {
            RtlStringCbPrintfA(Line, sizeof(Line), " core=\"%u\"", Processor);
            Put(Line);
        }
        RtlStringCbPrintfA(Line, sizeof(Line), ">%s</thread>", State);
        Put(Line);
    }
    Put("</threads>");
}

/* "OFFSET,LENGTH". The first letter tells whether more is to come, which is set last. */
static VOID Transfer(PCSTR Text, VOID (*Write)(VOID))
{
    ULONG64 Offset, Length;
    Range(Text, &Offset, &Length);
    StubBegin("m");
    Skip = Offset;
    Left = Length < STUB_PACKET / 2 - 8 ? Length : STUB_PACKET / 2 - 8;
    Write();
    if (Left != 0) {
        StubSetFirst('l');
    }
    StubSend();
}

/* ---- Queries ---- */

static VOID ListThreads(bool First)
{
    PCSTR Separator = "m";
    StubBegin("");
    if (First) {
        Listed = NULL;
    }
    PKTHREAD Thread = First || HasListed ? StubNextThread(Listed) : NULL;
    HasListed = Thread != NULL;
    for (ULONG i = 0; Thread != NULL && i < 256; i++) {
        StubAppend("%s%x", Separator, StubThreadId(Thread));
        Separator = ",";
        Listed = Thread;
        Thread = StubNextThread(Thread);
    }
    StubAppend(HasListed ? "" : "l");
    StubSend();
}

static VOID ThreadInformation(PCSTR Id)
{
    char Name[96], State[96], Text[STUB_TEXT];
    PKTHREAD Thread = StubFindThread((ULONG)StubNumber(&Id));
    if (Thread == NULL) {
        Answer("E01");
        return;
    }
    StubThreadName(Thread, Name, sizeof(Name));
    StubDescribe(Thread, State, sizeof(State));
    RtlStringCbPrintfA(Text, sizeof(Text), "%s: %s", Name, State);
    StubBegin("");
    StubAppendBytes(Text, strlen(Text));
    StubSend();
}

/* A part of what a monitor command prints. */
static VOID PutConsole(PCSTR Text, SIZE_T Length)
{
    StubBegin("O");
    StubAppendBytes(Text, Length);
    StubSend();
}

static VOID Restart(VOID)
{
    X86Out(RESET_PORT, 6);
    X86Out(KEYBOARD_PORT, 0xfe);
}

static VOID Monitor(PCSTR Digits)
{
    static char Command[STUB_TEXT];
    SIZE_T Length = strlen(Digits) / 2;
    if (Length >= sizeof(Command) || !StubBytes(Digits, Command, Length)) {
        Answer("E01");
        return;
    }
    Command[Length] = 0;
    if (strcmp(Command, "reboot") == 0) {
        Answer("OK");
        Restart();
    } else if (!StubMonitor(Command, PutConsole)) {
        static const char Unknown[] = "no such command: try monitor help\n";
        PutConsole(Unknown, sizeof(Unknown) - 1);
    }
    Answer("OK");
}

#define FEATURES "qXfer:features:read:target.xml:"
#define THREADS  "qXfer:threads:read::"

static VOID Query(PCSTR Text)
{
    if (Begins(Text, "qSupported")) {
        StubBegin("");
        StubAppend("PacketSize=%x;qXfer:features:read+;qXfer:threads:read+;swbreak+;hwbreak+;vContSupported+;"
                   "QStartNoAckMode+",
                   STUB_PACKET);
        StubSend();
    } else if (Begins(Text, FEATURES)) {
        Transfer(Text + strlen(FEATURES), PutFeatures);
    } else if (Begins(Text, THREADS)) {
        Transfer(Text + strlen(THREADS), PutThreads);
    } else if (Begins(Text, "qfThreadInfo") || Begins(Text, "qsThreadInfo")) {
        ListThreads(Text[1] == 'f');
    } else if (Begins(Text, "qThreadExtraInfo,")) {
        ThreadInformation(Text + strlen("qThreadExtraInfo,"));
    } else if (Begins(Text, "qRcmd,")) {
        Monitor(Text + strlen("qRcmd,"));
    } else if (strcmp(Text, "qC") == 0) {
        StubBegin("QC");
        StubAppend("%x", StubThreadId(General));
        StubSend();
    } else if (Begins(Text, "qAttached")) {
        Answer("1"); /* GDB detaches when it goes */
    } else {
        Answer("");
    }
}

/* ---- Threads ---- */

/* "-1" and "0" are any. */
static PKTHREAD ThreadOf(PCSTR *Text, bool *Any)
{
    *Any = **Text == '-' || **Text == '0';
    *Text += **Text == '-';
    ULONG64 Id = StubNumber(Text);
    return *Any ? LastThread : StubFindThread((ULONG)Id);
}

/* "gID": whose registers are meant. "cID": of which only old ways to go on take notice. */
static VOID SelectThread(PCSTR Text)
{
    bool Any;
    PCSTR Id = Text + 1;
    PKTHREAD Thread = ThreadOf(&Id, &Any);
    if (Thread != NULL && *Text == 'g') {
        General = Thread;
    }
    AnswerIf(Thread != NULL);
}

/* ---- Going on ---- */

/* One of vCont's actions, "ACTION[:THREAD]". The first that a thread fits counts. */
static PCSTR ParseAction(PCSTR Text, STUB_RESUME *Resume)
{
    char Kind = *Text++;
    bool Any = true;
    PKTHREAD Thread = LastThread;
    STUB_RESUME Step = {.Alone = Resume->Alone};
    if (Kind == 'r') {
        Text = Range(Text, &Step.Start, &Step.End);
    } else if (Kind == 'C' || Kind == 'S') {
        StubNumber(&Text); /* signals are for programs */
    }
    if (*Text == ':') {
        Text++;
        Thread = ThreadOf(&Text, &Any);
    }
    if (Kind == 'c' || Kind == 'C') {
        Resume->Alone = false;
    } else if (Resume->Step == NULL && Thread != NULL) {
        Step.Step = Thread;
        *Resume = Step;
    }
    return Text;
}

/* FALSE: it was a question, which has been answered. */
static bool ParseResume(PCSTR Text, STUB_RESUME *Resume)
{
    if (*Text == '?') {
        Answer("vCont;c;C;s;S;r");
        return false;
    }
    *Resume = (STUB_RESUME){.Alone = true};
    while (*Text == ';') {
        Text = ParseAction(Text + 1, Resume);
    }
    return true;
}

/* TRUE: the machine goes on. */
static bool Serve(PCSTR Text, SIZE_T Length, STUB_RESUME *Resume)
{
    switch (*Text) {
    case '?':
        ReportStop();
        break;
    case 'g':
        ReadRegisters();
        break;
    case 'G':
        WriteRegisters(Text + 1);
        break;
    case 'p':
    case 'P':
        OneRegister(Text + 1, *Text == 'P');
        break;
    case 'm':
        ReadMemory(Text + 1);
        break;
    case 'M':
        WriteMemory(Text + 1);
        break;
    case 'X':
        WriteBinary(Text + 1, Text + Length);
        break;
    case 'Z':
    case 'z':
        ChangeBreak(Text + 1, *Text == 'Z');
        break;
    case 'H':
        SelectThread(Text + 1);
        break;
    case 'T':
        Text++;
        AnswerIf(StubFindThread((ULONG)StubNumber(&Text)) != NULL);
        break;
    case 'q':
        Query(Text);
        break;
    case 'c':
        return true;
    case 's':
        *Resume = (STUB_RESUME){.Step = LastThread, .Alone = true};
        return true;
    case 'k':
        Restart();
        return true;
    case 'D':
        StubForgetBreaks();
        Answer("OK");
        StubAttached = false;
        return true;
    default:
        if (Begins(Text, "vCont")) {
            return ParseResume(Text + strlen("vCont"), Resume);
        }
        if (Begins(Text, "vKill")) {
            Answer("OK");
            Restart();
            return true;
        }
        bool NoAck = strcmp(Text, "QStartNoAckMode") == 0;
        Answer(NoAck ? "OK" : "");
        if (NoAck) {
            StubEndAcknowledgements();
        }
    }
    return false;
}

bool StubInputStops(VOID)
{
    while (StubHasInput()) {
        UCHAR Byte = StubGetByte();
        if (Byte == CONTROL_C || Byte == '$') {
            StubUngetByte(Byte);
            return true;
        }
        if (Byte != '+' && Byte != '-') {
            StubKey(Byte);
        }
    }
    return false;
}

/* Until GDB lets the machine go on. */
static VOID ServeAll(STUB_RESUME *Resume)
{
    PSTR Packet;
    SIZE_T Length;
    do {
        Length = StubReceive(&Packet);
    } while (!Serve(Packet, Length, Resume));
}

VOID StubSession(ULONG Self, const STUB_EVENT *Event, STUB_RESUME *Resume)
{
    *Resume = (STUB_RESUME){0};
    Last = *Event;
    LastProcessor = Self;
    General = LastThread = StubCurrentThread(Self);
    /* A packet that has stopped the machine is a question; ^C wants to be told. */
    bool Report = Event->Reason != StubReasonInput || StubGetByte() == CONTROL_C;
    if (!Report) {
        StubUngetByte('$');
    }
    if (Report && StubAttached) {
        ReportStop();
    }
    ServeAll(Resume);
    /* ^C overtakes the end of a step, which GDB makes without a word to go on from a break point. */
    while (StubInterrupted && StubAttached) {
        StubInterrupted = false;
        *Resume = (STUB_RESUME){0};
        Last = (STUB_EVENT){StubReasonSignal, SIGNAL_INT, 0, NULL};
        ReportStop();
        ServeAll(Resume);
    }
}
