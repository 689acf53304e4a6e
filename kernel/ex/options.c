/* SPDX-License-Identifier: MIT */
/*
 * Kernel options: the words of the command line, "name" or "name=value". The line is copied once at start-up,
 * while one processor runs, and never changes; so no lock.
 */
#include "kernel/ex/ex.h"
#include "arch/boot.h"
#include "kernel/rtl/export.h"
#include "kernel/rtl/rtl.h"

static char ExpCommandLine[RTL_FIELD_SIZE(BOOT_INFORMATION, CommandLine) + 1];

/* What the kernel itself asks for. Names with a dot belong to the component or module before the dot. */
static const char *const ExpKnownOptions[] = {"stdio", "init", "trace"};

/* A word of the command line. */
typedef struct _EXP_WORD {
    const char *Start;
    SIZE_T NameLength;
    SIZE_T Length;
} EXP_WORD;

/* The word at or behind At; FALSE at the end. */
static bool ExpNextWord(const char *At, EXP_WORD *Word)
{
    while (*At == ' ') {
        At++;
    }
    Word->Start = At;
    Word->Length = Word->NameLength = 0;
    for (; *At != 0 && *At != ' '; At++) {
        if (*At == '=' && Word->NameLength == 0) {
            Word->NameLength = Word->Length;
        }
        Word->Length++;
    }
    Word->NameLength = Word->NameLength == 0 ? Word->Length : Word->NameLength;
    return Word->Length != 0;
}

static bool ExpIsNamed(const EXP_WORD *Word, const char *Name)
{
    return strlen(Name) == Word->NameLength && strncmp(Name, Word->Start, Word->NameLength) == 0;
}

/* Copies the value of the option, cut to Size - 1 bytes; an option without "=" has an empty one. FALSE when
   it is not there. Any IRQL. */
BOOLEAN ExQueryKernelOption(PCSTR Name, PSTR Buffer, SIZE_T Size)
{
    EXP_WORD Word, Found = {0};

    /* The last word of that name: an option may be appended to overrule an earlier one. */
    for (const char *At = ExpCommandLine; ExpNextWord(At, &Word); At = Word.Start + Word.Length) {
        if (ExpIsNamed(&Word, Name)) {
            Found = Word;
        }
    }
    if (Found.Start == NULL || Size == 0) {
        return FALSE;
    }
    SIZE_T Skip = Found.NameLength < Found.Length ? Found.NameLength + 1 : Found.Length;
    SIZE_T Length = Found.Length - Skip < Size - 1 ? Found.Length - Skip : Size - 1;
    memcpy(Buffer, Found.Start + Skip, Length);
    Buffer[Length] = 0;
    return TRUE;
}
EXPORT(ExQueryKernelOption);

static int ExpDigit(char Character)
{
    if (Character >= '0' && Character <= '9') {
        return Character - '0';
    }
    Character |= 0x20;
    return Character >= 'a' && Character <= 'f' ? Character - 'a' + 10 : 16;
}

/* Decimal, or hexadecimal behind 0x; at most 64 bits. */
static bool ExpParseNumber(const char *Text, ULONG64 *Number)
{
    int Base = Text[0] == '0' && (Text[1] | 0x20) == 'x' ? 16 : 10;

    Text += Base == 16 ? 2 : 0;
    *Number = 0;
    if (*Text == 0) {
        return false;
    }
    for (; *Text != 0; Text++) {
        int Digit = ExpDigit(*Text);
        if (Digit >= Base || __builtin_mul_overflow(*Number, (ULONG64)Base, Number) ||
            __builtin_add_overflow(*Number, (ULONG64)Digit, Number)) {
            return false;
        }
    }
    return true;
}

ULONG64 ExOptionNumber(PCSTR Name, ULONG64 Default)
{
    char Text[32];
    ULONG64 Number;

    return ExQueryKernelOption(Name, Text, sizeof(Text)) && ExpParseNumber(Text, &Number) ? Number : Default;
}

static bool ExpIsKnown(const EXP_WORD *Word)
{
    for (ULONG i = 0; i < RTL_NUMBER_OF(ExpKnownOptions); i++) {
        if (ExpIsNamed(Word, ExpKnownOptions[i])) {
            return true;
        }
    }
    return memchr(Word->Start, '.', Word->NameLength) != NULL;
}

void ExReportUnknownOptions(void)
{
    EXP_WORD Word;

    for (const char *At = ExpCommandLine; ExpNextWord(At, &Word); At = Word.Start + Word.Length) {
        if (!ExpIsKnown(&Word)) {
            DbgPrint("unknown option '%.*s' ignored\n", (int)Word.Length, Word.Start);
        }
    }
}

void ExInitializeOptions(PBOOT_INFORMATION Boot)
{
    memcpy(ExpCommandLine, Boot->CommandLine, sizeof(ExpCommandLine) - 1);
    if (Boot->CommandLineTruncated) {
        DbgPrint("the command line is too long: its end is ignored\n");
    }
}
