/* SPDX-License-Identifier: MIT */
/*
 * Balanced trees. The heights of a node's two sides differ by one at most; insertion and removal walk up from
 * where the tree changed and rotate where the difference became two. Sides are numbers (0, 1), so that mirror
 * images share code.
 */
#include "kernel/rtl/avl.h"

/* The side of Parent on which Node hangs. */
static LONG RtlpSideOf(const RTL_AVL_NODE *Parent, const RTL_AVL_NODE *Node)
{
    return Parent->Child[1] == Node;
}

/* What Node's parent (or the tree) points to becomes With, which may be NULL. */
static VOID RtlpReplaceChild(PRTL_AVL_TREE Tree, PRTL_AVL_NODE Parent, const RTL_AVL_NODE *Node,
                             PRTL_AVL_NODE With)
{
    if (Parent == NULL) {
        Tree->Root = With;
    } else {
        Parent->Child[RtlpSideOf(Parent, Node)] = With;
    }
    if (With != NULL) {
        With->Parent = Parent;
    }
}

/*
 * The child on the other side of Side moves up over Node, which moves down to Side. Returns what is on top
 * now. (Side 0:)
 *
 *       Node                Up
 *      /    \              /  \
 *     a      Up    =>   Node   c
 *           /  \        /  \
 *          b    c      a    b
 */
static PRTL_AVL_NODE RtlpRotate(PRTL_AVL_TREE Tree, PRTL_AVL_NODE Node, LONG Side, RTL_AVL_UPDATE *Update)
{
    PRTL_AVL_NODE Up = Node->Child[!Side];
    PRTL_AVL_NODE Middle = Up->Child[Side];

    RtlpReplaceChild(Tree, Node->Parent, Node, Up);
    Node->Child[!Side] = Middle;
    if (Middle != NULL) {
        Middle->Parent = Node;
    }
    Up->Child[Side] = Node;
    Node->Parent = Up;
    if (Update != NULL) {
        Update(Node);
        Update(Up);
    }
    return Up;
}

VOID RtlAvlUpdate(PRTL_AVL_NODE Node, RTL_AVL_UPDATE *Update)
{
    while (Node != NULL && Update(Node)) {
        Node = Node->Parent;
    }
}

/* Restores the balance of Node, whose Side has become higher by two. Returns the top of the subtree. */
static PRTL_AVL_NODE RtlpRebalance(PRTL_AVL_TREE Tree, PRTL_AVL_NODE Node, LONG Side, RTL_AVL_UPDATE *Update)
{
    LONG Heavy = Side ? 1 : -1;
    PRTL_AVL_NODE Child = Node->Child[Side];

    if (Child->Balance == -Heavy) {
        /* The inner grandchild is the high one: it comes up by two rotations. */
        PRTL_AVL_NODE Inner = Child->Child[!Side];
        RtlpRotate(Tree, Child, Side, Update);
        RtlpRotate(Tree, Node, !Side, Update);
        Node->Balance = Inner->Balance == Heavy ? -Heavy : 0;
        Child->Balance = Inner->Balance == -Heavy ? Heavy : 0;
        Inner->Balance = 0;
        return Inner;
    }
    RtlpRotate(Tree, Node, !Side, Update);
    Node->Balance = Child->Balance == 0 ? Heavy : 0;
    Child->Balance = Child->Balance == 0 ? -Heavy : 0;
    return Child;
}

/* The subtree on Side of Node has grown by one level; carries this upwards until a node absorbs it. */
static VOID RtlpGrown(PRTL_AVL_TREE Tree, PRTL_AVL_NODE Node, LONG Side, RTL_AVL_UPDATE *Update)
{
    for (;;) {
        LONG Heavy = Side ? 1 : -1;
        if (Node->Balance == Heavy) {
            RtlpRebalance(Tree, Node, Side, Update);
            return;
        }
        Node->Balance += Heavy;
        if (Node->Balance == 0 || Node->Parent == NULL) {
            return;
        }
        Side = RtlpSideOf(Node->Parent, Node);
        Node = Node->Parent;
    }
}

/* The subtree on Side of Node has lost one level; carries this upwards until the height of a subtree is as
   before. */
static VOID RtlpShrunk(PRTL_AVL_TREE Tree, PRTL_AVL_NODE Node, LONG Side, RTL_AVL_UPDATE *Update)
{
    while (Node != NULL) {
        LONG Heavy = Side ? 1 : -1;
        if (Node->Balance == -Heavy) {
            Node = RtlpRebalance(Tree, Node, !Side, Update);
        } else {
            Node->Balance -= Heavy;
        }
        if (Node->Balance != 0) {
            return;
        }
        PRTL_AVL_NODE Parent = Node->Parent;
        if (Parent != NULL) {
            Side = RtlpSideOf(Parent, Node);
        }
        Node = Parent;
    }
}

PRTL_AVL_NODE RtlAvlInsertSummed(PRTL_AVL_TREE Tree, const VOID *Key, PRTL_AVL_NODE Node, RTL_AVL_COMPARE *Compare,
                                 RTL_AVL_UPDATE *Update)
{
    PRTL_AVL_NODE Parent = NULL;
    LONG Side = 0;

    for (PRTL_AVL_NODE Here = Tree->Root; Here != NULL; Here = Here->Child[Side]) {
        LONG Order = Compare(Key, Here);
        if (Order == 0) {
            return Here;
        }
        Parent = Here;
        Side = Order > 0;
    }

    *Node = (RTL_AVL_NODE){.Parent = Parent};
    if (Parent == NULL) {
        Tree->Root = Node;
    } else {
        Parent->Child[Side] = Node;
    }
    if (Update != NULL) {
        RtlAvlUpdate(Node, Update);
    }
    if (Parent != NULL) {
        RtlpGrown(Tree, Parent, Side, Update);
    }
    return NULL;
}

PRTL_AVL_NODE RtlAvlInsert(PRTL_AVL_TREE Tree, const VOID *Key, PRTL_AVL_NODE Node, RTL_AVL_COMPARE *Compare)
{
    return RtlAvlInsertSummed(Tree, Key, Node, Compare, NULL);
}

/* Puts Node's successor, which has no child before it, in Node's place. The side that lost a level, and its
   parent, go to *Side and the return value. */
static PRTL_AVL_NODE RtlpReplaceBySuccessor(PRTL_AVL_TREE Tree, PRTL_AVL_NODE Node, LONG *Side)
{
    PRTL_AVL_NODE Successor = RtlAvlNext(Node);
    PRTL_AVL_NODE Parent = Successor->Parent;

    if (Parent == Node) {
        Parent = Successor;
        *Side = 1;
    } else {
        RtlpReplaceChild(Tree, Parent, Successor, Successor->Child[1]);
        Successor->Child[1] = Node->Child[1];
        Successor->Child[1]->Parent = Successor;
        *Side = 0;
    }
    Successor->Child[0] = Node->Child[0];
    Successor->Child[0]->Parent = Successor;
    Successor->Balance = Node->Balance;
    RtlpReplaceChild(Tree, Node->Parent, Node, Successor);
    return Parent;
}

VOID RtlAvlRemoveSummed(PRTL_AVL_TREE Tree, PRTL_AVL_NODE Node, RTL_AVL_UPDATE *Update)
{
    PRTL_AVL_NODE Parent = Node->Parent;
    LONG Side = 0;

    if (Node->Child[0] != NULL && Node->Child[1] != NULL) {
        Parent = RtlpReplaceBySuccessor(Tree, Node, &Side);
    } else {
        if (Parent != NULL) {
            Side = RtlpSideOf(Parent, Node);
        }
        RtlpReplaceChild(Tree, Parent, Node, Node->Child[Node->Child[0] == NULL]);
    }
    if (Update != NULL) {
        RtlAvlUpdate(Parent, Update);
    }
    RtlpShrunk(Tree, Parent, Side, Update);
    *Node = (RTL_AVL_NODE){0};
}

VOID RtlAvlRemove(PRTL_AVL_TREE Tree, PRTL_AVL_NODE Node)
{
    RtlAvlRemoveSummed(Tree, Node, NULL);
}

PRTL_AVL_NODE RtlAvlFind(const RTL_AVL_TREE *Tree, const VOID *Key, RTL_AVL_COMPARE *Compare)
{
    PRTL_AVL_NODE Node = Tree->Root;

    while (Node != NULL) {
        LONG Order = Compare(Key, Node);
        if (Order == 0) {
            break;
        }
        Node = Node->Child[Order > 0];
    }
    return Node;
}

/* The node nearest to *Key that is not beyond it, coming from Side: 0 from before (floor), 1 from after
   (ceiling). */
static PRTL_AVL_NODE RtlpFindNear(const RTL_AVL_TREE *Tree, const VOID *Key, RTL_AVL_COMPARE *Compare,
                                  LONG Side)
{
    PRTL_AVL_NODE Best = NULL;
    PRTL_AVL_NODE Node = Tree->Root;

    while (Node != NULL) {
        LONG Order = Compare(Key, Node);
        if (Order == 0) {
            return Node;
        }
        if ((Order > 0) == (Side == 0)) {
            Best = Node;
        }
        Node = Node->Child[Order > 0];
    }
    return Best;
}

PRTL_AVL_NODE RtlAvlFindFloor(const RTL_AVL_TREE *Tree, const VOID *Key, RTL_AVL_COMPARE *Compare)
{
    return RtlpFindNear(Tree, Key, Compare, 0);
}

PRTL_AVL_NODE RtlAvlFindCeiling(const RTL_AVL_TREE *Tree, const VOID *Key, RTL_AVL_COMPARE *Compare)
{
    return RtlpFindNear(Tree, Key, Compare, 1);
}

/* Follows one side to its end; NULL stays NULL. */
static PRTL_AVL_NODE RtlpOutermost(PRTL_AVL_NODE Node, LONG Side)
{
    while (Node != NULL && Node->Child[Side] != NULL) {
        Node = Node->Child[Side];
    }
    return Node;
}

/* The neighbour on Side: the near end of the subtree there, else the first ancestor that lies on that
   side. */
static PRTL_AVL_NODE RtlpNeighbour(const RTL_AVL_NODE *Node, LONG Side)
{
    if (Node->Child[Side] != NULL) {
        return RtlpOutermost(Node->Child[Side], !Side);
    }
    PRTL_AVL_NODE Parent = Node->Parent;
    while (Parent != NULL && Parent->Child[Side] == Node) {
        Node = Parent;
        Parent = Node->Parent;
    }
    return Parent;
}

PRTL_AVL_NODE RtlAvlFirst(const RTL_AVL_TREE *Tree)
{
    return RtlpOutermost(Tree->Root, 0);
}

PRTL_AVL_NODE RtlAvlNext(const RTL_AVL_NODE *Node)
{
    return RtlpNeighbour(Node, 1);
}

PRTL_AVL_NODE RtlAvlPrevious(const RTL_AVL_NODE *Node)
{
    return RtlpNeighbour(Node, 0);
}
