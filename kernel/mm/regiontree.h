/* SPDX-License-Identifier: MIT */
/*
 * The regions of one address space, or the ranges of a window of kernel addresses, as an ordered tree of
 * disjoint, page-aligned ranges: pure bookkeeping, which knows of no page tables, so that it runs on the host
 * as well (tests/host/mm_region.c). The owner of the tree holds its lock.
 */
#ifndef PRIMER_MM_REGIONTREE_H
#define PRIMER_MM_REGIONTREE_H

#include "kernel/rtl/avl.h"
#include <ntddk.h>

struct _MM_SECTION;
struct _MM_ADDRESS_SPACE;

/* Everything from Section on is what neighbours must have in common to be merged. */
typedef struct _MI_REGION {
    RTL_AVL_NODE Node;
    ULONG_PTR Start, End;
    ULONG_PTR Lowest, Highest; /* of this region and those below it in the tree: where they start and end, */
    SIZE_T LargestHole;        /* and the largest hole between two of them */
    struct _MM_ADDRESS_SPACE *Space;
    LIST_ENTRY SectionLink; /* in the section's list of those who map it; (section's lock) */
    struct _MM_SECTION *Section; /* counted; NULL: demand-zero memory */
    ULONG64 SectionEpoch;        /* the last shrinking of the section that this region has seen; (space's and section's lock) */
    ULONG64 Offset;              /* in the section, of Start */
    PVOID Tag;
    ULONG_PTR Edge; /* MM_MAP_STACK: where what is committed begins; else 0 */
    UCHAR Protection; /* MM_READ ... */
    UCHAR Attributes; /* MM_REGION_* */
    BOOLEAN Shared, GrowDown;
} MI_REGION, *PMI_REGION;

/* More regions than this a space cannot have. */
#define MI_REGION_LIMIT 65530

/* All zero is an empty tree. */
typedef struct _MI_REGION_TREE {
    RTL_AVL_TREE Tree;
    PMI_REGION Hint; /* the last one found, or NULL */
    ULONG64 Pages;   /* that the regions span */
    ULONG Count;
} MI_REGION_TREE, *PMI_REGION_TREE;

/* section.c (host tests have their own): a region that exists holds a reference to its section. */
void MiAttachSection(PMI_REGION Region);
void MiDetachSection(PMI_REGION Region);

extern volatile LONG64 MiRegionCount; /* (a) of all trees */

/* A copy of Template that is in no tree yet; NULL when memory is out. */
PMI_REGION MiAllocateRegion(const MI_REGION *Template);
void MiFreeRegion(PMI_REGION Region);

/* The region that contains Address; NULL. MiFindRegion remembers the answer: under an exclusive lock only. */
PMI_REGION MiRegionAt(const MI_REGION_TREE *Regions, ULONG_PTR Address);
PMI_REGION MiFindRegion(PMI_REGION_TREE Regions, ULONG_PTR Address);
/* The first region that ends above Address, the last that starts below or at it; NULL. */
PMI_REGION MiFindRegionAbove(const MI_REGION_TREE *Regions, ULONG_PTR Address);
PMI_REGION MiFindRegionBelow(const MI_REGION_TREE *Regions, ULONG_PTR Address);
PMI_REGION MiNextRegion(const MI_REGION *Region);
PMI_REGION MiPreviousRegion(const MI_REGION *Region);
BOOLEAN MiRangeIsFree(const MI_REGION_TREE *Regions, ULONG_PTR Start, ULONG_PTR End);
/* A hole of Size bytes in [Low, High): the highest or the lowest place. */
BOOLEAN MiFindHole(const MI_REGION_TREE *Regions, SIZE_T Size, ULONG_PTR Low, ULONG_PTR High, BOOLEAN TopDown,
                   ULONG_PTR *Base);

/* Takes the region, whose range is free, into the tree; an equal neighbour may have swallowed it on
   return. */
void MiInsertRegion(PMI_REGION_TREE Regions, PMI_REGION Region);
/* Takes it off and frees it. */
void MiRemoveRegion(PMI_REGION_TREE Regions, PMI_REGION Region);
/* Makes Address a boundary where it lies inside a region. STATUS_NO_MEMORY (or the limit is reached),
   STATUS_CONFLICTING_ADDRESSES (in what a stack has not committed): nothing has changed. */
NTSTATUS MiSplitRegion(PMI_REGION_TREE Regions, ULONG_PTR Address);
/* No region overlaps [Start, End) any more. Errors as above. */
NTSTATUS MiCarveRange(PMI_REGION_TREE Regions, ULONG_PTR Start, ULONG_PTR End);
/* Merges equal neighbours whose common boundary lies in [Start, End]. */
void MiMergeRange(PMI_REGION_TREE Regions, ULONG_PTR Start, ULONG_PTR End);
/* To, an empty tree of Space's, becomes like From. FALSE: out of memory; what is there is good for MiFreeTree
   alone. */
BOOLEAN MiCopyTree(const MI_REGION_TREE *From, PMI_REGION_TREE To, struct _MM_ADDRESS_SPACE *Space);
/* Frees all regions; the tree is not to be used any more. */
void MiFreeTree(PMI_REGION_TREE Regions);
/* Region starts lower now; the range below it is free. */
void MiExtendRegionDown(PMI_REGION_TREE Regions, PMI_REGION Region, ULONG_PTR Start);

#endif
