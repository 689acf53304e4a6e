// sources: drivers/lib/gentable.c kernel/rtl/avl.c
/* SPDX-License-Identifier: MIT */
/* Generic tables of both kinds against a plain array of what is in them. */
#include "tests/host/host.h"
#include "kernel/rtl/rtl.h"

#define KEYS 64

typedef struct _ITEM {
    ULONG Key, Value;
} ITEM;

static LONG Allocations;
static bool Refuse;

static PVOID Allocate(ULONG Bytes)
{
    if (Refuse) {
        return NULL;
    }
    Allocations++;
    return malloc(Bytes);
}

static RTL_GENERIC_COMPARE_RESULTS Compare(const ITEM *First, const ITEM *Second)
{
    return First->Key < Second->Key ? GenericLessThan : First->Key > Second->Key ? GenericGreaterThan : GenericEqual;
}

/* The same behaviours for both kinds, Suffix being Avl or nothing. */
#define BEHAVIOURS(Kind, Table_, PTable_, Suffix)                                                                      \
    static RTL_GENERIC_COMPARE_RESULTS Kind##Compare(PTable_ Table, PVOID First, PVOID Second)                         \
    {                                                                                                                  \
        return Compare(First, Second);                                                                                 \
    }                                                                                                                  \
    static PVOID Kind##Allocate(PTable_ Table, ULONG Bytes)                                                            \
    {                                                                                                                  \
        CHECK(Table->TableContext == &Allocations);                                                                    \
        return Allocate(Bytes);                                                                                        \
    }                                                                                                                  \
    static VOID Kind##Free(PTable_ Table, PVOID Memory)                                                                \
    {                                                                                                                  \
        Allocations--;                                                                                                 \
        free(Memory);                                                                                                  \
    }                                                                                                                  \
    static ITEM *Kind##Insert(PTable_ Table, ULONG Key, ULONG Value, PBOOLEAN New)                                     \
    {                                                                                                                  \
        ITEM Item = {Key, Value};                                                                                      \
        return RtlInsertElementGenericTable##Suffix(Table, &Item, sizeof(Item), New);                                  \
    }                                                                                                                  \
    static bool Kind##Delete(PTable_ Table, ULONG Key)                                                                 \
    {                                                                                                                  \
        ITEM Item = {Key, 0};                                                                                          \
        return RtlDeleteElementGenericTable##Suffix(Table, &Item);                                                     \
    }                                                                                                                  \
    static void Kind##AgainstAnArray(void)                                                                             \
    {                                                                                                                  \
        Table_ Table;                                                                                                  \
        RTL_RANDOM Random = HostRandom();                                                                              \
        ULONG Model[KEYS] = {0}, Count = 0; /* 0: not there, else the value */                                         \
        RtlInitializeGenericTable##Suffix(&Table, Kind##Compare, Kind##Allocate, Kind##Free, &Allocations);            \
        Allocations = 0;                                                                                               \
        for (ULONG Round = 1; Round <= 20000; Round++) {                                                               \
            ULONG Key = RtlRandomBelow(&Random, KEYS);                                                                 \
            BOOLEAN New = 77;                                                                                          \
            if (RtlRandomBelow(&Random, 2) != 0) {                                                                     \
                ITEM *Item = Kind##Insert(&Table, Key, Round, &New);                                                   \
                CHECK(Item != NULL && New == (Model[Key] == 0));                                                       \
                Count += Model[Key] == 0;                                                                              \
                Model[Key] = Model[Key] != 0 ? Model[Key] : Round;                                                     \
                CHECK(Item != NULL && Item->Key == Key && Item->Value == Model[Key]);                                  \
            } else {                                                                                                   \
                CHECK(Kind##Delete(&Table, Key) == (Model[Key] != 0));                                                 \
                Count -= Model[Key] != 0;                                                                              \
                Model[Key] = 0;                                                                                        \
            }                                                                                                          \
            CHECK_EQUAL(Count, RtlNumberGenericTableElements##Suffix(&Table));                                         \
            CHECK(RtlIsGenericTableEmpty##Suffix(&Table) == (Count == 0) && Allocations == (LONG)Count);               \
        }                                                                                                              \
        ULONG Seen = 0;                                                                                                \
        PVOID Place = NULL;                                                                                            \
        ITEM *Item = RtlEnumerateGenericTable##Suffix(&Table, TRUE);                                                   \
        for (ULONG Key = 0; Key < KEYS; Key++) {                                                                       \
            ITEM Sought = {Key, 0};                                                                                    \
            ITEM *Found = RtlLookupElementGenericTable##Suffix(&Table, &Sought);                                       \
            CHECK((Found != NULL) == (Model[Key] != 0));                                                               \
            if (Model[Key] != 0) {                                                                                     \
                CHECK(Found == Item && Found->Value == Model[Key]);                                                    \
                CHECK(RtlEnumerateGenericTableWithoutSplaying##Suffix(&Table, &Place) == Item);                        \
                Seen++;                                                                                                \
                Item = RtlEnumerateGenericTable##Suffix(&Table, FALSE);                                                \
            }                                                                                                          \
        }                                                                                                              \
        CHECK(Item == NULL && Seen == Count && RtlEnumerateGenericTableWithoutSplaying##Suffix(&Table, &Place) == NULL); \
        for (ULONG Key = 0; Key < KEYS; Key++) {                                                                       \
            Kind##Delete(&Table, Key);                                                                                 \
        }                                                                                                              \
        CHECK(Allocations == 0 && RtlIsGenericTableEmpty##Suffix(&Table));                                             \
    }                                                                                                                  \
    static void Kind##DeletesDuringEnumeration(void)                                                                   \
    {                                                                                                                  \
        Table_ Table;                                                                                                  \
        ULONG Expected = 0;                                                                                            \
        RtlInitializeGenericTable##Suffix(&Table, Kind##Compare, Kind##Allocate, Kind##Free, &Allocations);            \
        for (ULONG Key = 0; Key < 10; Key++) {                                                                         \
            Kind##Insert(&Table, Key, 1, NULL);                                                                        \
        }                                                                                                              \
        for (ITEM *Item = RtlEnumerateGenericTable##Suffix(&Table, TRUE); Item != NULL;                                \
             Item = RtlEnumerateGenericTable##Suffix(&Table, FALSE)) {                                                 \
            CHECK_EQUAL(Expected, Item->Key);                                                                          \
            Expected++;                                                                                                \
            Kind##Delete(&Table, Item->Key);                                                                           \
        }                                                                                                              \
        CHECK_EQUAL(10, Expected);                                                                                     \
    }                                                                                                                  \
    static void Kind##WithoutMemory(void)                                                                              \
    {                                                                                                                  \
        Table_ Table;                                                                                                  \
        BOOLEAN New = TRUE;                                                                                            \
        RtlInitializeGenericTable##Suffix(&Table, Kind##Compare, Kind##Allocate, Kind##Free, &Allocations);            \
        Refuse = true;                                                                                                 \
        CHECK(Kind##Insert(&Table, 1, 1, &New) == NULL && !New);                                                       \
        Refuse = false;                                                                                                \
        CHECK(RtlIsGenericTableEmpty##Suffix(&Table) && Kind##Insert(&Table, 1, 1, &New) != NULL && New);              \
        CHECK(Kind##Delete(&Table, 1));                                                                                \
    }                                                                                                                  \
    static void Kind##GetsByNumber(void)                                                                               \
    {                                                                                                                  \
        static const ULONG Order[] = {5, 3, 9, 1};                                                                     \
        static const ULONG Sorted[] = {1, 3, 5, 9};                                                                    \
        const ULONG *Expected = strcmp(#Kind, "Avl") == 0 ? Sorted : Order;                                            \
        Table_ Table;                                                                                                  \
        RtlInitializeGenericTable##Suffix(&Table, Kind##Compare, Kind##Allocate, Kind##Free, &Allocations);            \
        for (ULONG i = 0; i < 4; i++) {                                                                                \
            Kind##Insert(&Table, Order[i], 1, NULL);                                                                   \
        }                                                                                                              \
        for (ULONG i = 0; i < 4; i++) {                                                                                \
            ITEM *Item = RtlGetElementGenericTable##Suffix(&Table, i);                                                 \
            CHECK(Item != NULL && Item->Key == Expected[i]);                                                           \
        }                                                                                                              \
        CHECK(RtlGetElementGenericTable##Suffix(&Table, 4) == NULL);                                                   \
        for (ULONG i = 0; i < 4; i++) {                                                                                \
            Kind##Delete(&Table, Order[i]);                                                                            \
        }                                                                                                              \
    }

BEHAVIOURS(Avl, RTL_AVL_TABLE, PRTL_AVL_TABLE, Avl)
BEHAVIOURS(Plain, RTL_GENERIC_TABLE, PRTL_GENERIC_TABLE, )

int main(void)
{
    RUN(AvlAgainstAnArray);
    RUN(AvlDeletesDuringEnumeration);
    RUN(AvlWithoutMemory);
    RUN(AvlGetsByNumber);
    RUN(PlainAgainstAnArray);
    RUN(PlainDeletesDuringEnumeration);
    RUN(PlainWithoutMemory);
    RUN(PlainGetsByNumber);
    return HostEnd();
}
