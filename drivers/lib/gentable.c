/* SPDX-License-Identifier: MIT */
/*
 * Generic tables: sorted sets of elements that the table copies into memory which its owner's routines
 * allocate. Both documented kinds, the AVL tables and the plain ones, are the balanced tree of avl.c; the
 * plain ones can also be read in the order of insertion, by a list through their elements. The owner
 * synchronises.
 *
 *      allocated -> RTL_BALANCED_LINKS | element        (AVL)
 *                   RTLP_PLAIN_HEADER  | element        (plain)
 */
#include "kernel/rtl/rtl.h"


C_ASSERT(sizeof(RTL_BALANCED_LINKS) == sizeof(RTL_AVL_NODE) && sizeof(RTL_AVL_TREE) == sizeof(PVOID));

typedef struct _RTLP_PLAIN_HEADER {
    RTL_AVL_NODE Node;
    LIST_ENTRY Link; /* in the order of insertion */
} RTLP_PLAIN_HEADER, *PRTLP_PLAIN_HEADER;

/* ---- AVL tables ---- */

/* What a search compares with: the table's routine wants the table. */
typedef struct _RTLP_AVL_KEY {
    PRTL_AVL_TABLE Table;
    PVOID Element;
} RTLP_AVL_KEY;

static PVOID RtlpAvlElement(const RTL_AVL_NODE *Node)
{
    return Node != NULL ? (PVOID)(Node + 1) : NULL;
}

static PRTL_AVL_TREE RtlpTree(PRTL_AVL_TABLE Table)
{
    return (PRTL_AVL_TREE)&Table->BalancedRoot;
}

static LONG RtlpOrder(RTL_GENERIC_COMPARE_RESULTS Result)
{
    return Result == GenericLessThan ? -1 : Result == GenericGreaterThan;
}

static LONG RtlpCompareAvl(const VOID *Key, const RTL_AVL_NODE *Node)
{
    const RTLP_AVL_KEY *Sought = Key;
    return RtlpOrder(Sought->Table->CompareRoutine(Sought->Table, Sought->Element, RtlpAvlElement(Node)));
}

/* Makes an empty table in memory of the caller's: CompareRoutine orders elements, AllocateRoutine and
   FreeRoutine provide the memory of each. Here and below: the owner synchronises, the routines are called
   at the caller's IRQL, any IRQL that suits them and the table's memory (in the documentation <
   DISPATCH_LEVEL when that is paged). (WDK page of the name) */
VOID NTAPI RtlInitializeGenericTableAvl(PRTL_AVL_TABLE Table, PRTL_AVL_COMPARE_ROUTINE CompareRoutine,
                                        PRTL_AVL_ALLOCATE_ROUTINE AllocateRoutine, PRTL_AVL_FREE_ROUTINE FreeRoutine,
                                        PVOID TableContext)
{
    *Table = (RTL_AVL_TABLE){.CompareRoutine = CompareRoutine,
                             .AllocateRoutine = AllocateRoutine,
                             .FreeRoutine = FreeRoutine,
                             .TableContext = TableContext};
}

/* The element that compares as equal to Buffer, or NULL. (WDK page of the name) */
PVOID NTAPI RtlLookupElementGenericTableAvl(PRTL_AVL_TABLE Table, PVOID Buffer)
{
    RTLP_AVL_KEY Key = {Table, Buffer};
    return RtlpAvlElement(RtlAvlFind(RtlpTree(Table), &Key, RtlpCompareAvl));
}

/* Adds a copy of the BufferSize bytes at Buffer, unless an element compares as equal. Returns the element
   in the table, new or old, and in NewElement (may be NULL) whether it is new; NULL when AllocateRoutine
   had no memory. (WDK page of the name) */
PVOID NTAPI RtlInsertElementGenericTableAvl(PRTL_AVL_TABLE Table, PVOID Buffer, ULONG BufferSize, PBOOLEAN NewElement)
{
    RTLP_AVL_KEY Key = {Table, Buffer};
    PVOID Element = RtlLookupElementGenericTableAvl(Table, Buffer);
    PRTL_AVL_NODE Node = NULL;

    if (Element == NULL) {
        Node = Table->AllocateRoutine(Table, sizeof(RTL_BALANCED_LINKS) + BufferSize);
    }
    if (Node != NULL) {
        Element = RtlpAvlElement(Node);
        memcpy(Element, Buffer, BufferSize);
        RtlAvlInsert(RtlpTree(Table), &Key, Node, RtlpCompareAvl);
        Table->NumberGenericTableElements++;
    }
    if (NewElement != NULL) {
        *NewElement = Node != NULL;
    }
    return Element;
}

/* Removes and frees the element that compares as equal to Buffer; FALSE when there is none. (WDK page of
   the name) */
BOOLEAN NTAPI RtlDeleteElementGenericTableAvl(PRTL_AVL_TABLE Table, PVOID Buffer)
{
    RTLP_AVL_KEY Key = {Table, Buffer};
    PRTL_AVL_NODE Node = RtlAvlFind(RtlpTree(Table), &Key, RtlpCompareAvl);

    if (Node == NULL) {
        return FALSE;
    }
    if (Table->RestartKey == (PRTL_BALANCED_LINKS)Node) {
        PRTL_AVL_NODE Previous = RtlAvlPrevious(Node); /* the enumeration goes on behind that one */
        Table->RestartKey = (PRTL_BALANCED_LINKS)Previous;
    }
    RtlAvlRemove(RtlpTree(Table), Node);
    Table->NumberGenericTableElements--;
    Table->FreeRoutine(Table, Node);
    return TRUE;
}

static PVOID RtlpNextAvl(PRTL_AVL_TABLE Table, PVOID *Last)
{
    PRTL_AVL_NODE Node = *Last == NULL ? RtlAvlFirst(RtlpTree(Table)) : RtlAvlNext(*Last);

    if (Node != NULL) {
        *Last = Node;
    }
    return RtlpAvlElement(Node);
}

/* The next element in the order of the table, the first with Restart, or NULL behind the last. The position
   is the table's: one enumeration at a time. (WDK page of the name) */
PVOID NTAPI RtlEnumerateGenericTableAvl(PRTL_AVL_TABLE Table, BOOLEAN Restart)
{
    PVOID Last = Restart ? NULL : Table->RestartKey;
    PVOID Element = RtlpNextAvl(Table, &Last);

    Table->RestartKey = Last;
    return Element;
}

/* As RtlEnumerateGenericTableAvl, with the position in *RestartKey, which is NULL at the start. (WDK page
   of the name) */
PVOID NTAPI RtlEnumerateGenericTableWithoutSplayingAvl(PRTL_AVL_TABLE Table, PVOID *RestartKey)
{
    return RtlpNextAvl(Table, RestartKey);
}

/* Element number I in the order of the table, from 0; NULL when there are not so many. Its time grows with
   I. (WDK page of the name) */
PVOID NTAPI RtlGetElementGenericTableAvl(PRTL_AVL_TABLE Table, ULONG I)
{
    PRTL_AVL_NODE Node = I < Table->NumberGenericTableElements ? RtlAvlFirst(RtlpTree(Table)) : NULL;

    for (; Node != NULL && I != 0; I--) {
        Node = RtlAvlNext(Node);
    }
    return RtlpAvlElement(Node);
}

/* How many elements the table has. (WDK page of the name) */
ULONG NTAPI RtlNumberGenericTableElementsAvl(PRTL_AVL_TABLE Table)
{
    return Table->NumberGenericTableElements;
}

/* TRUE when the table has no elements. (WDK page of the name) */
BOOLEAN NTAPI RtlIsGenericTableEmptyAvl(PRTL_AVL_TABLE Table)
{
    return Table->NumberGenericTableElements == 0;
}

/* ---- Plain tables ---- */

typedef struct _RTLP_PLAIN_KEY {
    PRTL_GENERIC_TABLE Table;
    PVOID Element;
} RTLP_PLAIN_KEY;

static PVOID RtlpPlainElement(const RTL_AVL_NODE *Node)
{
    return Node != NULL ? (PVOID)(CONTAINING_RECORD(Node, RTLP_PLAIN_HEADER, Node) + 1) : NULL;
}

static PRTL_AVL_TREE RtlpPlainTree(PRTL_GENERIC_TABLE Table)
{
    return (PRTL_AVL_TREE)&Table->TableRoot;
}

static LONG RtlpComparePlain(const VOID *Key, const RTL_AVL_NODE *Node)
{
    const RTLP_PLAIN_KEY *Sought = Key;
    return RtlpOrder(Sought->Table->CompareRoutine(Sought->Table, Sought->Element, RtlpPlainElement(Node)));
}

/* As RtlInitializeGenericTableAvl, for tables that remember the order of insertion, too. Differs: the tree
   is balanced rather than splayed, so that looking up changes nothing. (WDK page of the name) */
VOID NTAPI RtlInitializeGenericTable(PRTL_GENERIC_TABLE Table, PRTL_GENERIC_COMPARE_ROUTINE CompareRoutine,
                                     PRTL_GENERIC_ALLOCATE_ROUTINE AllocateRoutine,
                                     PRTL_GENERIC_FREE_ROUTINE FreeRoutine, PVOID TableContext)
{
    *Table = (RTL_GENERIC_TABLE){.CompareRoutine = CompareRoutine,
                                 .AllocateRoutine = AllocateRoutine,
                                 .FreeRoutine = FreeRoutine,
                                 .TableContext = TableContext};
    InitializeListHead(&Table->InsertOrderList);
}

/* As RtlLookupElementGenericTableAvl. (WDK page of the name) */
PVOID NTAPI RtlLookupElementGenericTable(PRTL_GENERIC_TABLE Table, PVOID Buffer)
{
    RTLP_PLAIN_KEY Key = {Table, Buffer};
    return RtlpPlainElement(RtlAvlFind(RtlpPlainTree(Table), &Key, RtlpComparePlain));
}

/* As RtlInsertElementGenericTableAvl. (WDK page of the name) */
PVOID NTAPI RtlInsertElementGenericTable(PRTL_GENERIC_TABLE Table, PVOID Buffer, ULONG BufferSize, PBOOLEAN NewElement)
{
    RTLP_PLAIN_KEY Key = {Table, Buffer};
    PVOID Element = RtlLookupElementGenericTable(Table, Buffer);
    PRTLP_PLAIN_HEADER New = NULL;

    if (Element == NULL) {
        New = Table->AllocateRoutine(Table, sizeof(RTLP_PLAIN_HEADER) + BufferSize);
    }
    if (New != NULL) {
        Element = New + 1;
        memcpy(Element, Buffer, BufferSize);
        RtlAvlInsert(RtlpPlainTree(Table), &Key, &New->Node, RtlpComparePlain);
        InsertTailList(&Table->InsertOrderList, &New->Link);
        Table->NumberGenericTableElements++;
    }
    if (NewElement != NULL) {
        *NewElement = New != NULL;
    }
    return Element;
}

/* As RtlDeleteElementGenericTableAvl. (WDK page of the name) */
BOOLEAN NTAPI RtlDeleteElementGenericTable(PRTL_GENERIC_TABLE Table, PVOID Buffer)
{
    RTLP_PLAIN_KEY Key = {Table, Buffer};
    PRTL_AVL_NODE Node = RtlAvlFind(RtlpPlainTree(Table), &Key, RtlpComparePlain);

    if (Node == NULL) {
        return FALSE;
    }
    if (Table->OrderedPointer == Node) {
        Table->OrderedPointer = RtlAvlPrevious(Node);
    }
    PRTLP_PLAIN_HEADER Header = CONTAINING_RECORD(Node, RTLP_PLAIN_HEADER, Node);
    RtlAvlRemove(RtlpPlainTree(Table), Node);
    RemoveEntryList(&Header->Link);
    Table->NumberGenericTableElements--;
    Table->FreeRoutine(Table, Header);
    return TRUE;
}

/* As RtlEnumerateGenericTableWithoutSplayingAvl. (WDK page of the name) */
PVOID NTAPI RtlEnumerateGenericTableWithoutSplaying(PRTL_GENERIC_TABLE Table, PVOID *RestartKey)
{
    PRTL_AVL_NODE Node = *RestartKey == NULL ? RtlAvlFirst(RtlpPlainTree(Table)) : RtlAvlNext(*RestartKey);

    if (Node != NULL) {
        *RestartKey = Node;
    }
    return RtlpPlainElement(Node);
}

/* As RtlEnumerateGenericTableAvl. (WDK page of the name) */
PVOID NTAPI RtlEnumerateGenericTable(PRTL_GENERIC_TABLE Table, BOOLEAN Restart)
{
    if (Restart) {
        Table->OrderedPointer = NULL;
    }
    return RtlEnumerateGenericTableWithoutSplaying(Table, &Table->OrderedPointer);
}

/* Element number I in the order of insertion, from 0; NULL when there are not so many. Its time grows with
   I. (WDK page of the name) */
PVOID NTAPI RtlGetElementGenericTable(PRTL_GENERIC_TABLE Table, ULONG I)
{
    PLIST_ENTRY Link = Table->InsertOrderList.Flink;

    if (I >= Table->NumberGenericTableElements) {
        return NULL;
    }
    for (; I != 0; I--) {
        Link = Link->Flink;
    }
    return CONTAINING_RECORD(Link, RTLP_PLAIN_HEADER, Link) + 1;
}

/* As RtlNumberGenericTableElementsAvl. (WDK page of the name) */
ULONG NTAPI RtlNumberGenericTableElements(PRTL_GENERIC_TABLE Table)
{
    return Table->NumberGenericTableElements;
}

/* As RtlIsGenericTableEmptyAvl. (WDK page of the name) */
BOOLEAN NTAPI RtlIsGenericTableEmpty(PRTL_GENERIC_TABLE Table)
{
    return Table->NumberGenericTableElements == 0;
}
