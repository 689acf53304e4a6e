/* SPDX-License-Identifier: MIT */
/* From a line to commands and their words. */
#include "sh.h"

typedef struct _PARSER {
    PCSTR Next;
    char *Out, *End; /* where the next character of a word goes; the last place, for its NUL */
} PARSER, *PPARSER;

static VOID Put(PPARSER Parser, char Character)
{
    if (Parser->Out < Parser->End) {
        *Parser->Out++ = Character;
    }
}

static VOID PutNumber(PPARSER Parser, ULONG Number)
{
    char Digits[12];
    FormatText(Digits, sizeof(Digits), "%u", Number);
    for (PCSTR Next = Digits; *Next != '\0'; Next++) {
        Put(Parser, *Next);
    }
}

/* At a backslash, a "$?" or any other character outside '...'. */
static VOID TakeCharacter(PPARSER Parser)
{
    if (Parser->Next[0] == '$' && Parser->Next[1] == '?') {
        PutNumber(Parser, LastStatus);
        Parser->Next += 2;
        return;
    }
    if (Parser->Next[0] == '\\' && Parser->Next[1] != '\0') {
        Parser->Next++;
    }
    Put(Parser, *Parser->Next++);
}

/* From the opening quote to behind the closing one. */
static PCSTR TakeQuoted(PPARSER Parser)
{
    char Quote = *Parser->Next++;
    while (*Parser->Next != Quote) {
        if (*Parser->Next == '\0') {
            return "a quote is not closed";
        }
        if (Quote == '"') {
            TakeCharacter(Parser);
        } else {
            Put(Parser, *Parser->Next++);
        }
    }
    Parser->Next++;
    return NULL;
}

static BOOLEAN EndsWord(char Character)
{
    return Character == '\0' || strchr(" \t;&", Character) != NULL;
}

static PCSTR TakeWord(PPARSER Parser)
{
    while (!EndsWord(*Parser->Next)) {
        if (strchr("|<>", *Parser->Next) != NULL) {
            return "pipes and redirection are not there yet (quote the character to use it in a word)";
        }
        if (*Parser->Next == '\'' || *Parser->Next == '"') {
            PCSTR Wrong = TakeQuoted(Parser);
            if (Wrong != NULL) {
                return Wrong;
            }
        } else {
            TakeCharacter(Parser);
        }
    }
    if (Parser->Out >= Parser->End) {
        return "the line is too long";
    }
    *Parser->Out++ = '\0';
    return NULL;
}

static VOID SkipBlanks(PPARSER Parser)
{
    while (*Parser->Next == ' ' || *Parser->Next == '\t') {
        Parser->Next++;
    }
    if (*Parser->Next == '#') {
        Parser->Next += strlen(Parser->Next);
    }
}

PCSTR ParseCommand(PCSTR *Line, PCOMMAND Command)
{
    PARSER Parser = {*Line, Command->Text, Command->Text + sizeof(Command->Text) - 1};
    Command->Count = 0;
    for (SkipBlanks(&Parser); !EndsWord(*Parser.Next); SkipBlanks(&Parser)) {
        if (Command->Count == WORDS_MOST) {
            return "too many words";
        }
        Command->Words[Command->Count++] = Parser.Out;
        PCSTR Wrong = TakeWord(&Parser);
        if (Wrong != NULL) {
            return Wrong;
        }
    }
    Command->Words[Command->Count] = NULL;
    Command->Background = *Parser.Next == '&';
    *Line = Parser.Next + (*Parser.Next != '\0');
    return NULL;
}
