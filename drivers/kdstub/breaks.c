/* SPDX-License-Identifier: MIT */
/*
 * Break points: INT3 in the kernel's code, and the four debug registers of each processor. INT3 stands in the
 * code only while the machine runs, so that the stub may call the kernel's routines, and GDB reads what is
 * really there.
 */
#include "stub.h"

#define SOFTWARE_BREAKS 128
#define DEBUG_REGISTERS 4
#define INT3            0xcc

#define DR7_EXECUTE 0 /* of each register, from bit 16 on: two bits of what, two of how long (SDM vol. 3, 18.2.4) */
#define DR7_WRITE   1
#define DR7_ACCESS  3
#define DR7_ALWAYS  0x400UL

typedef struct _SOFTWARE {
    ULONG64 Address; /* 0: free */
    UCHAR Code;      /* what INT3 stands for */
    bool Planted;
} SOFTWARE;

typedef struct _HARDWARE {
    STUB_BREAK Kind; /* StubSoftware: free */
    ULONG Size;      /* of this register ... */
    ULONG64 Address;
    ULONG64 First, Whole; /* ... which is a part of what GDB has asked for */
} HARDWARE;

static SOFTWARE Software[SOFTWARE_BREAKS];     /* (o) */
static HARDWARE Hardware[DEBUG_REGISTERS];     /* (o) */
static volatile ULONG64 Dr7;                   /* (o) written; read by processors that are let go */
static ULONG64 DebugAddress[DEBUG_REGISTERS];  /* likewise */

/* ---- In the code ---- */

/* What the processors run on their way into the stub: INT3 there would call it again. */
static bool IsOurWay(ULONG64 Address)
{
    static const PCSTR Names[] = {"kdstub!", "Archp", "KdHandle", "KdpDebugger", "KdpEnter", "KdpFreeze"};
    char Name[STUB_TEXT];
    KdServices.Name((PCVOID)Address, Name, sizeof(Name));
    for (ULONG i = 0; i < RTL_NUMBER_OF(Names); i++) {
        if (strncmp(Name, Names[i], strlen(Names[i])) == 0) {
            return true;
        }
    }
    return false;
}

static SOFTWARE *Find(ULONG64 Address)
{
    for (SOFTWARE *Break = Software; Break < Software + SOFTWARE_BREAKS; Break++) {
        if (Break->Address == Address) {
            return Break;
        }
    }
    return NULL;
}

bool StubIsBreak(ULONG64 Address)
{
    return Address != 0 && Find(Address) != NULL;
}

/* Kernel code only: a program's pages are shared with others that run the same file. */
static bool InsertSoftware(ULONG64 Address)
{
    UCHAR Code;
    if (StubIsBreak(Address)) {
        return true;
    }
    SOFTWARE *Free = Find(0);
    if (Free == NULL || !StubReadKernel(Address, &Code, 1) || IsOurWay(Address)) {
        return false;
    }
    *Free = (SOFTWARE){Address, Code, false};
    return true;
}

static bool RemoveSoftware(ULONG64 Address)
{
    SOFTWARE *Break = Find(Address);
    if (Break != NULL) {
        Break->Address = 0;
    }
    return true;
}

static VOID WriteCode(ULONG64 Address, UCHAR Code)
{
    StubWriteMemory(X86PageTables(), Address, &Code, 1);
}

/* The code is what it is now: GDB may have written to it, and a module may have come or gone meanwhile. */
VOID StubPlantBreaks(VOID)
{
    for (SOFTWARE *Break = Software; Break < Software + SOFTWARE_BREAKS; Break++) {
        if (Break->Address != 0 && StubReadKernel(Break->Address, &Break->Code, 1)) {
            WriteCode(Break->Address, INT3);
            Break->Planted = true;
        }
    }
}

VOID StubPullBreaks(ULONG64 Address)
{
    for (SOFTWARE *Break = Software; Break < Software + SOFTWARE_BREAKS; Break++) {
        UCHAR Code;
        if (Break->Planted && (Address == 0 || Address == Break->Address)) {
            Break->Planted = false;
            if (StubReadKernel(Break->Address, &Code, 1) && Code == INT3) {
                WriteCode(Break->Address, Break->Code);
            }
        }
    }
}

/* ---- Debug registers ---- */

static VOID MakeDr7(VOID)
{
    ULONG64 Value = DR7_ALWAYS;
    for (ULONG i = 0; i < DEBUG_REGISTERS; i++) {
        const HARDWARE *Point = &Hardware[i];
        if (Point->Kind == StubSoftware) {
            continue;
        }
        ULONG What = Point->Kind == StubExecute ? DR7_EXECUTE : Point->Kind == StubWrite ? DR7_WRITE : DR7_ACCESS;
        ULONG Length = Point->Size == 8 ? 2 : Point->Size - 1;
        DebugAddress[i] = Point->Address;
        Value |= 2UL << 2 * i | (ULONG64)(What | Length << 2) << (16 + 4 * i);
    }
    Dr7 = Value;
}

/* The largest piece that a register can watch: aligned to its size. */
static ULONG PieceOf(ULONG64 Address, ULONG64 Size)
{
    ULONG Piece = 8;
    while (Piece > Size || (Address & (Piece - 1)) != 0) {
        Piece /= 2;
    }
    return Piece;
}

static VOID RemoveHardware(STUB_BREAK Kind, ULONG64 Address, ULONG64 Size)
{
    for (HARDWARE *Point = Hardware; Point < Hardware + DEBUG_REGISTERS; Point++) {
        if (Point->Kind == Kind && Point->First == Address && Point->Whole == Size) {
            Point->Kind = StubSoftware;
        }
    }
    MakeDr7();
}

static bool InsertHardware(STUB_BREAK Kind, ULONG64 Address, ULONG64 Size)
{
    RemoveHardware(Kind, Address, Size);
    ULONG64 At = Address, Left = Size;
    for (HARDWARE *Point = Hardware; Point < Hardware + DEBUG_REGISTERS && Left != 0; Point++) {
        if (Point->Kind == StubSoftware) {
            *Point = (HARDWARE){Kind, PieceOf(At, Left), At, Address, Size};
            At += Point->Size;
            Left -= Point->Size;
        }
    }
    if (Left != 0) {
        RemoveHardware(Kind, Address, Size); /* too few registers are free */
        return false;
    }
    MakeDr7();
    return true;
}

VOID StubLoadDebugRegisters(VOID)
{
    X86WriteAddresses(DebugAddress);
    X86WriteDr7(Dr7 | DR7_ALWAYS);
}

VOID StubClearDebugRegisters(VOID)
{
    X86WriteDr7(DR7_ALWAYS);
}

bool StubFindHit(ULONG64 Dr6, STUB_EVENT *Event)
{
    static const PCSTR Kinds[] = {[StubWrite] = "watch", [StubRead] = "rwatch", [StubAccess] = "awatch"};
    for (ULONG i = 0; i < DEBUG_REGISTERS; i++) {
        const HARDWARE *Point = &Hardware[i];
        if ((DR6_HITS(Dr6) >> i & 1) != 0 && Point->Kind != StubSoftware) {
            bool Code = Point->Kind == StubExecute;
            *Event = (STUB_EVENT){Code ? StubReasonHardware : StubReasonWatch, SIGNAL_TRAP, Point->First,
                                  Code ? NULL : Kinds[Point->Kind]};
            return true;
        }
    }
    return false;
}

bool StubIsStillThere(const STUB_EVENT *Event)
{
    if (Event->Reason == StubReasonSoftware) {
        return StubIsBreak(Event->Address);
    }
    bool IsPoint = Event->Reason == StubReasonHardware || Event->Reason == StubReasonWatch;
    for (ULONG i = 0; IsPoint && i < DEBUG_REGISTERS; i++) {
        bool SameKind = (Hardware[i].Kind == StubExecute) == (Event->Reason == StubReasonHardware);
        if (Hardware[i].Kind != StubSoftware && Hardware[i].First == Event->Address && SameKind) {
            return true;
        }
    }
    return !IsPoint;
}

bool StubBreaksExecution(ULONG64 Address)
{
    for (ULONG i = 0; i < DEBUG_REGISTERS; i++) {
        if (Hardware[i].Kind == StubExecute && Hardware[i].Address == Address) {
            return true;
        }
    }
    return false;
}

/* ---- Both ---- */

bool StubInsertBreak(STUB_BREAK Kind, ULONG64 Address, ULONG64 Size)
{
    return Kind == StubSoftware ? InsertSoftware(Address)
                                : InsertHardware(Kind, Address, Kind == StubExecute ? 1 : Size);
}

bool StubRemoveBreak(STUB_BREAK Kind, ULONG64 Address, ULONG64 Size)
{
    if (Kind == StubSoftware) {
        return RemoveSoftware(Address);
    }
    RemoveHardware(Kind, Address, Kind == StubExecute ? 1 : Size);
    return true;
}

VOID StubForgetBreaks(VOID)
{
    for (ULONG i = 0; i < SOFTWARE_BREAKS; i++) {
        Software[i].Address = 0;
    }
    for (ULONG i = 0; i < DEBUG_REGISTERS; i++) {
        Hardware[i].Kind = StubSoftware;
    }
    MakeDr7();
}
