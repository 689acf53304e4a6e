// sources: kernel/rtl/avl.c
/* SPDX-License-Identifier: MIT */
/*
 * Balanced trees: after each of many random insertions and removals the tree is ordered and balanced, its
 * parent links are right, and every search agrees with a table. Also the bits and the random numbers beside
 * it in rtl.
 */
#include "tests/host/host.h"
#include "kernel/rtl/rtl.h"

#define KEYS 300

typedef struct _ITEM {
    LONG Key;
    bool Linked;
    RTL_AVL_NODE Node;
} ITEM;

static ITEM Items[KEYS];
static RTL_AVL_TREE Tree;

static ITEM *ItemOf(const RTL_AVL_NODE *Node)
{
    return Node != NULL ? CONTAINING_RECORD(Node, ITEM, Node) : NULL;
}

static LONG Compare(const VOID *Key, const RTL_AVL_NODE *Node)
{
    return *(const LONG *)Key - ItemOf(Node)->Key;
}

static void Empty(void)
{
    memset(Items, 0, sizeof(Items));
    memset(&Tree, 0, sizeof(Tree));
    for (LONG Key = 0; Key < KEYS; Key++) {
        Items[Key].Key = Key;
    }
}

/* The height of a subtree, whose order, balance and parent links are checked. */
static LONG Height(const RTL_AVL_NODE *Node, const RTL_AVL_NODE *Parent, LONG Low, LONG High)
{
    if (Node == NULL) {
        return 0;
    }
    LONG Key = ItemOf(Node)->Key;
    CHECK(Key > Low && Key < High);
    CHECK(Node->Parent == Parent);
    LONG Left = Height(Node->Child[0], Node, Low, Key), Right = Height(Node->Child[1], Node, Key, High);
    CHECK_EQUAL(Right - Left, Node->Balance);
    CHECK(Node->Balance >= -1 && Node->Balance <= 1);
    return 1 + (Left > Right ? Left : Right);
}

static void CheckTree(void)
{
    ITEM *Expected = NULL, *Before = NULL;
    PRTL_AVL_NODE Node = RtlAvlFirst(&Tree);

    Height(Tree.Root, NULL, -1, KEYS);
    for (LONG Key = 0; Key < KEYS; Key++) {
        if (!Items[Key].Linked) {
            continue;
        }
        Expected = &Items[Key];
        CHECK(ItemOf(Node) == Expected);
        if (Node == NULL) {
            return;
        }
        CHECK(ItemOf(RtlAvlPrevious(Node)) == Before);
        Before = Expected;
        Node = RtlAvlNext(Node);
    }
    CHECK(Node == NULL);
    CHECK(Before == Expected);
}

static void CheckSearches(void)
{
    ITEM *Floor = NULL, *Ceiling = NULL;

    for (LONG Key = 0; Key < KEYS; Key++) {
        Floor = Items[Key].Linked ? &Items[Key] : Floor;
        CHECK(ItemOf(RtlAvlFind(&Tree, &Key, Compare)) == (Items[Key].Linked ? &Items[Key] : NULL));
        CHECK(ItemOf(RtlAvlFindFloor(&Tree, &Key, Compare)) == Floor);
    }
    for (LONG Key = KEYS - 1; Key >= 0; Key--) {
        Ceiling = Items[Key].Linked ? &Items[Key] : Ceiling;
        CHECK(ItemOf(RtlAvlFindCeiling(&Tree, &Key, Compare)) == Ceiling);
    }
}

static void Toggle(LONG Key)
{
    ITEM *Item = &Items[Key];
    if (Item->Linked) {
        RtlAvlRemove(&Tree, &Item->Node);
    } else {
        CHECK(RtlAvlInsert(&Tree, &Key, &Item->Node, Compare) == NULL);
    }
    Item->Linked = !Item->Linked;
}

static void RandomTreesStayBalanced(void)
{
    RTL_RANDOM Random = HostRandom();

    Empty();
    for (ULONG Round = 0; Round < 20000; Round++) {
        Toggle((LONG)RtlRandomBelow(&Random, Round % 4000 < 2000 ? KEYS : 20));
        CheckTree();
        if (Round % 50 == 0) {
            CheckSearches();
        }
    }
}

static void SortedInputStaysShallow(void)
{
    Empty();
    for (LONG Key = 0; Key < KEYS; Key++) {
        Toggle(Key);
    }
    CheckTree();
    CHECK(Height(Tree.Root, NULL, -1, KEYS) <= 11); /* 1.44 log2(301) */
    for (LONG Key = KEYS - 1; Key >= 0; Key--) {
        Toggle(Key);
        CheckTree();
    }
    CHECK(Tree.Root == NULL);
    for (LONG Key = KEYS - 1; Key >= 0; Key--) {
        Toggle(Key);
    }
    CheckTree();
    while (RtlAvlFirst(&Tree) != NULL) {
        Toggle(ItemOf(RtlAvlFirst(&Tree))->Key);
    }
    CheckTree();
}

static void EqualKeysAreRefused(void)
{
    ITEM Twin = {.Key = 5, .Node = {.Balance = 77}};

    Empty();
    Toggle(5);
    CHECK(RtlAvlInsert(&Tree, &Twin.Key, &Twin.Node, Compare) == &Items[5].Node);
    CHECK(Twin.Node.Balance == 77 && Tree.Root == &Items[5].Node);
}

static void EmptyTreesAnswerNull(void)
{
    LONG Key = 1;

    Empty();
    CHECK(RtlAvlFirst(&Tree) == NULL &&
          RtlAvlFind(&Tree, &Key, Compare) == NULL);
    CHECK(RtlAvlFindFloor(&Tree, &Key, Compare) == NULL && RtlAvlFindCeiling(&Tree, &Key, Compare) == NULL);
}

static void BitsAreCounted(void)
{
    for (LONG Bit = 0; Bit < 64; Bit++) {
        ULONG64 One = 1UL << Bit;
        CHECK(RtlHighestBit(One) == Bit && RtlHighestBit(One | 1) == Bit && RtlLowestBit(One) == Bit);
        CHECK(RtlLowestBit(One | 1UL << 63) == Bit && RtlCountBits(One) == 1 &&
              RtlCountBits(One - 1) == (ULONG)Bit);
    }
    CHECK(RtlCountBits(~0UL) == 64 && RtlCountBits(0) == 0);
}

static void RandomNumbersRepeatAndSpread(void)
{
    RTL_RANDOM One, Two;
    ULONG Counts[10] = {0};

    RtlSeedRandom(&One, 0);
    RtlSeedRandom(&Two, 0);
    for (ULONG Round = 0; Round < 100000; Round++) {
        ULONG Value = RtlRandomBelow(&One, 10);
        CHECK(Value == RtlRandomBelow(&Two, 10) && Value < 10);
        Counts[Value]++;
    }
    for (ULONG Value = 0; Value < 10; Value++) {
        CHECK(Counts[Value] > 9500 && Counts[Value] < 10500);
    }
}

int main(void)
{
    RUN(EmptyTreesAnswerNull);
    RUN(EqualKeysAreRefused);
    RUN(SortedInputStaysShallow);
    RUN(RandomTreesStayBalanced);
    RUN(BitsAreCounted);
    RUN(RandomNumbersRepeatAndSpread);
    return HostEnd();
}
