// sources:
/* SPDX-License-Identifier: MIT */
/* The inline routines of <ntdef.h>: lists keep their links, interlocked operations answer as documented,
   macros compute. */
#include "tests/host/host.h"

typedef struct _ITEM {
    ULONG Number;
    LIST_ENTRY Links;
    SINGLE_LIST_ENTRY Next;
} ITEM;

/* The numbers of a list, in order, as text; walked both ways, so that a wrong Blink shows too. */
static const char *Walk(PLIST_ENTRY Head)
{
    static char Text[64];
    SIZE_T Length = 0, Back = 0;

    for (PLIST_ENTRY Entry = Head->Flink; Entry != Head && Length < 60; Entry = Entry->Flink) {
        Text[Length++] = (char)('0' + CONTAINING_RECORD(Entry, ITEM, Links)->Number);
    }
    Text[Length] = '\0';
    for (PLIST_ENTRY Entry = Head->Blink; Entry != Head && Back < 60; Entry = Entry->Blink) {
        CHECK(Text[Length - ++Back] == (char)('0' + CONTAINING_RECORD(Entry, ITEM, Links)->Number));
    }
    CHECK(Back == Length);
    return Text;
}

static void ListsKeepOrder(void)
{
    LIST_ENTRY Head, Other;
    ITEM Items[6];

    InitializeListHead(&Head);
    CHECK(IsListEmpty(&Head));
    CHECK(RemoveHeadList(&Head) == &Head);
    for (ULONG Index = 0; Index < 6; Index++) {
        Items[Index].Number = Index;
    }
    InsertTailList(&Head, &Items[1].Links);
    InsertTailList(&Head, &Items[2].Links);
    InsertHeadList(&Head, &Items[0].Links);
    CHECK_TEXT("012", Walk(&Head));
    CHECK(!IsListEmpty(&Head));
    CHECK(RemoveEntryList(&Items[1].Links) == FALSE);
    CHECK_TEXT("02", Walk(&Head));
    CHECK(RemoveTailList(&Head) == &Items[2].Links);
    CHECK(RemoveEntryList(&Items[0].Links) == TRUE);
    CHECK(IsListEmpty(&Head));

    InsertTailList(&Head, &Items[0].Links);
    InitializeListHead(&Other);
    InsertTailList(&Other, &Items[3].Links);
    InsertTailList(&Other, &Items[4].Links);
    RemoveEntryList(&Other);
    AppendTailList(&Head, &Items[3].Links);
    CHECK_TEXT("034", Walk(&Head));
    CHECK(RemoveHeadList(&Head) == &Items[0].Links);
}

static void SingleListsAreStacks(void)
{
    SINGLE_LIST_ENTRY Head = {NULL};
    ITEM First, Second;

    CHECK(PopEntryList(&Head) == NULL);
    PushEntryList(&Head, &First.Next);
    PushEntryList(&Head, &Second.Next);
    CHECK(PopEntryList(&Head) == &Second.Next);
    CHECK(PopEntryList(&Head) == &First.Next);
    CHECK(PopEntryList(&Head) == NULL);
}

static void InterlockedAnswersAsDocumented(void)
{
    LONG volatile Word = 10;
    LONG64 volatile Wide = 1;
    PVOID volatile Pointer = NULL;
    SHORT volatile Short = 5;
    CHAR volatile Byte = 1;
    ULONG One, Two;

    CHECK(InterlockedIncrement(&Word) == 11 && InterlockedDecrement(&Word) == 10);
    CHECK(InterlockedExchange(&Word, 7) == 10 && Word == 7);
    CHECK(InterlockedExchangeAdd(&Word, 3) == 7 && Word == 10);
    CHECK(InterlockedAdd(&Word, 3) == 13);
    CHECK(InterlockedCompareExchange(&Word, 1, 5) == 13 && Word == 13);
    CHECK(InterlockedCompareExchange(&Word, 6, 13) == 13 && Word == 6);
    CHECK(InterlockedAnd(&Word, 3) == 6 && Word == 2);
    CHECK(InterlockedOr(&Word, 5) == 2 && Word == 7);
    CHECK(InterlockedXor(&Word, 2) == 7 && Word == 5);
    CHECK(InterlockedCompareExchangeAcquire(&Word, 8, 5) == 5 &&
          InterlockedCompareExchangeRelease(&Word, 9, 8) == 8);
    CHECK(InterlockedCompareExchangeNoFence(&Word, 1, 2) == 9 && InterlockedIncrementNoFence(&Word) == 10);

    CHECK(InterlockedExchangeAdd64(&Wide, 1LL << 40) == 1 && Wide == (1LL << 40) + 1);
    CHECK(InterlockedCompareExchange64(&Wide, -1, (1LL << 40) + 1) == (1LL << 40) + 1 && Wide == -1);
    CHECK(InterlockedIncrement64(&Wide) == 0);
    CHECK(InterlockedExchangePointer(&Pointer, &One) == NULL && Pointer == &One);
    CHECK(InterlockedCompareExchangePointer(&Pointer, NULL, &One) == &One && Pointer == NULL);
    CHECK(InterlockedIncrement16(&Short) == 6 && InterlockedExchange8(&Byte, 3) == 1);
    CHECK(ReadAcquire(&Word) == 10 && ReadPointerAcquire(&Pointer) == NULL);
    WriteRelease(&Word, 4);
    WritePointerRelease(&Pointer, &Two);
    CHECK(ReadNoFence(&Word) == 4 && ReadPointerNoFence(&Pointer) == &Two);
}

static void BitTestsReachNeighbours(void)
{
    LONG volatile Words[2] = {0, 0};
    LONG64 volatile Wide[2] = {0, 0};

    CHECK(InterlockedBitTestAndSet(&Words[0], 31) == 0 && InterlockedBitTestAndSet(&Words[0], 31) == 1);
    CHECK(Words[0] == MINLONG);
    CHECK(InterlockedBitTestAndSet(&Words[0], 33) == 0 && Words[1] == 2);
    CHECK(InterlockedBitTestAndReset(&Words[1], -1) == 1 && Words[0] == 0);
    CHECK(InterlockedBitTestAndSet64(&Wide[0], 127) == 0 && Wide[1] == MINLONGLONG);
    CHECK(InterlockedBitTestAndReset64(&Wide[0], 127) == 1 && Wide[1] == 0);
}

static void PageMacrosRound(void)
{
    CHECK(ROUND_TO_PAGES(0) == 0 && ROUND_TO_PAGES(1) == 0x1000 && ROUND_TO_PAGES(0x1000) == 0x1000);
    CHECK(BYTES_TO_PAGES(0x1001) == 2 && BYTE_OFFSET((PVOID)0x12345) == 0x345 &&
          PAGE_ALIGN(0x12345) == (PVOID)0x12000);
    CHECK(ADDRESS_AND_SIZE_TO_SPAN_PAGES((PVOID)0xFFF, 2) == 2 &&
          ADDRESS_AND_SIZE_TO_SPAN_PAGES((PVOID)0x1000, 0) == 0);
    CHECK(ALIGN_DOWN_BY(0x17, 8) == 0x10 && ALIGN_UP_BY(0x11, 8) == 0x18);
    CHECK(ARRAYSIZE("abc") == 4 && FIELD_OFFSET(CLIENT_ID, UniqueThread) == 8);
}

static void StatusSeverities(void)
{
    CHECK(NT_SUCCESS(STATUS_TIMEOUT) && NT_SUCCESS(STATUS_USER_APC) && NT_SUCCESS(STATUS_ABANDONED_WAIT_0));
    CHECK(NT_SUCCESS(STATUS_OBJECT_NAME_EXISTS) && NT_INFORMATION(STATUS_OBJECT_NAME_EXISTS));
    CHECK(NT_WARNING(STATUS_BUFFER_OVERFLOW) && !NT_SUCCESS(STATUS_BUFFER_OVERFLOW));
    CHECK(NT_ERROR(STATUS_INVALID_CID) && !NT_SUCCESS(STATUS_INVALID_CID));
}

static void Descriptors(void)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"ab");
    OBJECT_ATTRIBUTES Attributes;

    CHECK(Name.Length == 4 && Name.MaximumLength == 6 && Name.Buffer[1] == 'b');
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    CHECK(Attributes.Length == 48 && Attributes.ObjectName == &Name && Attributes.Attributes == 0x240);
}

int main(void)
{
    RUN(ListsKeepOrder);
    RUN(SingleListsAreStacks);
    RUN(InterlockedAnswersAsDocumented);
    RUN(BitTestsReachNeighbours);
    RUN(PageMacrosRound);
    RUN(StatusSeverities);
    RUN(Descriptors);
    return HostEnd();
}
