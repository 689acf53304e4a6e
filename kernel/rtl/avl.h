/* SPDX-License-Identifier: MIT */
/*
 * A balanced (AVL) tree of nodes that their owners embed: it allocates nothing and never fails, every
 * operation takes O(log n) and the height of 1.44 log2(n) bounds it. The caller synchronises, and keeps a
 * node in place while it is linked. Any IRQL.
 */
#pragma once

#include <ntdef.h>

typedef struct _RTL_AVL_NODE {
    struct _RTL_AVL_NODE *Child[2]; /* [0] before, [1] after this node */
    struct _RTL_AVL_NODE *Parent;   /* NULL in the root */
    LONG Balance;                   /* height of Child[1] less height of Child[0]: -1, 0 or 1 */
} RTL_AVL_NODE, *PRTL_AVL_NODE;

/* All zero is an empty tree. */
typedef struct _RTL_AVL_TREE {
    PRTL_AVL_NODE Root;
} RTL_AVL_TREE, *PRTL_AVL_TREE;

/* Negative, zero or positive as Key comes before, is, or comes after the key of Node. */
typedef LONG RTL_AVL_COMPARE(const VOID *Key, const RTL_AVL_NODE *Node);

/* Remakes what a node knows of itself and all below it from its own part and its two children's; TRUE when
   that has changed. */
typedef BOOLEAN RTL_AVL_UPDATE(PRTL_AVL_NODE Node);

/* Links Node, whose key is *Key. Returns NULL; or, nothing changed, the node that has an equal key
   already. */
PRTL_AVL_NODE RtlAvlInsert(PRTL_AVL_TREE Tree, const VOID *Key, PRTL_AVL_NODE Node, RTL_AVL_COMPARE *Compare);

/* Takes off a node that is in the tree. */
VOID RtlAvlRemove(PRTL_AVL_TREE Tree, PRTL_AVL_NODE Node);

/* The same two for a tree whose nodes sum up what is below them; and what is to be called when a node's own
   part has changed. */
PRTL_AVL_NODE RtlAvlInsertSummed(PRTL_AVL_TREE Tree, const VOID *Key, PRTL_AVL_NODE Node, RTL_AVL_COMPARE *Compare,
                                 RTL_AVL_UPDATE *Update);
VOID RtlAvlRemoveSummed(PRTL_AVL_TREE Tree, PRTL_AVL_NODE Node, RTL_AVL_UPDATE *Update);
VOID RtlAvlUpdate(PRTL_AVL_NODE Node, RTL_AVL_UPDATE *Update);

/* The node whose key is *Key; NULL when there is none. */
PRTL_AVL_NODE RtlAvlFind(const RTL_AVL_TREE *Tree, const VOID *Key, RTL_AVL_COMPARE *Compare);

/* The last node not after *Key, the first node not before *Key; NULL when there is none. */
PRTL_AVL_NODE RtlAvlFindFloor(const RTL_AVL_TREE *Tree, const VOID *Key, RTL_AVL_COMPARE *Compare);
PRTL_AVL_NODE RtlAvlFindCeiling(const RTL_AVL_TREE *Tree, const VOID *Key, RTL_AVL_COMPARE *Compare);

/* The first node of the tree, and a node's neighbours; NULL where there is none. To empty a tree, remove
   First until NULL. */
PRTL_AVL_NODE RtlAvlFirst(const RTL_AVL_TREE *Tree);
PRTL_AVL_NODE RtlAvlNext(const RTL_AVL_NODE *Node);
PRTL_AVL_NODE RtlAvlPrevious(const RTL_AVL_NODE *Node);
