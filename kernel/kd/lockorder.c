/* SPDX-License-Identifier: MIT */
/*
 * The order graph: in which order drivers' spin locks, and all blocking locks, are taken. Whoever acquires B
 * while holding A draws the edge A -> B. An edge that closes a circle is a deadlock that has not happened
 * yet: bug check DRIVER_VERIFIER_DETECTED_VIOLATION, with the stacks of all edges of the circle. Debug builds
 * only.
 *
 * A node stands for all locks that are initialised at one place of the code, so that what one pair of locks
 * has taught holds for the next pair. A lock without a known place has a node of its own, by its address; and
 * when two locks of one place are held together, they are judged by their addresses, too.
 *
 * Everything lies in tables of fixed size: nothing is allocated. Acquisitions read them without a lock;
 * KdpOrderLock is taken to add a node or an edge, which is rare, and to forget. When a table is full, the log
 * says so once, and new locks are not judged.
 */
#include "kernel/kd/kdp.h"
#include "kernel/rtl/rtl.h"

#if DBG

/* The documented first parameter of DRIVER_VERIFIER_DETECTED_VIOLATION for a violation of the lock hierarchy;
   then follow the lock that is wanted, the lock that is held, and where that was acquired. */
#define KDP_VIOLATION_ORDER 0x1001

bool KdLockOrderOff;

static volatile UCHAR KdpOrderLock;

/* The same for all locks of a page, so that those in freed memory are found. */
static ULONG KdpPageHash(ULONG64 Address, ULONG Size)
{
    return (ULONG)((Address >> PAGE_SHIFT) * 0x9e3779b97f4a7c15ULL >> 40) % Size;
}

static void KdpSayFull(const char *What)
{
    static volatile UCHAR Said;
    if (__atomic_exchange_n(&Said, 1, __ATOMIC_RELAXED) == 0) {
        DbgPrint("kd: the lock order is not complete: no room for more %s\n", What);
    }
}

/* ---- Where locks were initialised ---- */

#define KDP_PLACE_SETS 256
#define KDP_PLACE_WAYS 16

/* (KdpOrderLock); read without it: an entry's Place is written before its Lock. */
static struct {
    ULONG Used, Next; /* Next: the entry that gives way when all are used; its lock is known by its address then */
    struct {
        const void *volatile Lock;
        ULONG64 Place;
    } Entry[KDP_PLACE_WAYS];
} KdpPlaces[KDP_PLACE_SETS];

/* 0: nobody knows. */
static ULONG64 KdpPlaceOf(const void *Lock)
{
    ULONG Set = KdpPageHash((ULONG64)Lock, KDP_PLACE_SETS);
    for (ULONG i = 0; i < KdpPlaces[Set].Used; i++) {
        if (KdpPlaces[Set].Entry[i].Lock == Lock) {
            return KdpPlaces[Set].Entry[i].Place;
        }
    }
    return 0;
}

/* The entry of the lock, else a free one, else the one whose turn it is. */
static ULONG KdpChoosePlace(ULONG Set, const void *Lock)
{
    ULONG Free = KDP_PLACE_WAYS;
    for (ULONG i = 0; i < KdpPlaces[Set].Used; i++) {
        if (KdpPlaces[Set].Entry[i].Lock == Lock) {
            return i;
        }
        if (KdpPlaces[Set].Entry[i].Lock == NULL) {
            Free = i;
        }
    }
    if (Free == KDP_PLACE_WAYS && KdpPlaces[Set].Used < KDP_PLACE_WAYS) {
        Free = KdpPlaces[Set].Used++;
    }
    return Free != KDP_PLACE_WAYS ? Free : KdpPlaces[Set].Next++ % KDP_PLACE_WAYS;
}

/* ---- Nodes and edges ---- */

#define KDP_NODES      512
#define KDP_NO_NODE    KDP_NODES
#define KDP_FORGOTTEN  1 /* a key that no lock has: searches go on behind it */
#define KDP_IS_ADDRESS (1ULL << 62) /* a key is a lock's address; or a place, whose address has lost this bit */
#define KDP_PROBES     16
#define KDP_EDGES      1024
#define KDP_EDGE_FRAMES 10

/* (KdpOrderLock); read without it */
static volatile ULONG64 KdpNode[KDP_NODES];          /* hashed by key; 0: free */
static ULONG64 KdpEdge[KDP_NODES][KDP_NODES / 64];   /* a bit for each edge */
static volatile USHORT KdpAddressNodes[KDP_PLACE_SETS]; /* nodes that are locks' addresses, by the page's hash */

/* (KdpOrderLock) How an edge came about. */
typedef struct _KDP_EDGE_RECORD {
    USHORT From, To;
    BOOLEAN Used;
    PKTHREAD Thread; /* compared and printed only */
    const void *FromLock, *ToLock;
    KD_LOCK_CLASS *FromClass, *ToClass;
    ULONG64 FromPlace[KD_LOCK_FRAMES];
    ULONG64 ToPlace[KDP_EDGE_FRAMES];
} KDP_EDGE_RECORD;
static KDP_EDGE_RECORD KdpRecord[KDP_EDGES];

static ULONG KdpNodeHash(ULONG64 Key)
{
    return (ULONG)(Key * 0x9e3779b97f4a7c15ULL >> 32) % KDP_NODES;
}

static ULONG KdpFindNode(ULONG64 Key)
{
    ULONG Node = KdpNodeHash(Key);
    for (ULONG i = 0; i < KDP_PROBES; i++, Node = (Node + 1) % KDP_NODES) {
        if (KdpNode[Node] == Key) {
            return Node;
        }
        if (KdpNode[Node] == 0) {
            break;
        }
    }
    return KDP_NO_NODE;
}

/* KdpOrderLock held. */
static ULONG KdpAddNode(ULONG64 Key)
{
    ULONG Node = KdpFindNode(Key);
    if (Node != KDP_NO_NODE) {
        return Node;
    }
    Node = KdpNodeHash(Key);
    for (ULONG i = 0; i < KDP_PROBES; i++, Node = (Node + 1) % KDP_NODES) {
        if (KdpNode[Node] <= KDP_FORGOTTEN) {
            KdpNode[Node] = Key;
            if (Key & KDP_IS_ADDRESS) {
                KdpAddressNodes[KdpPageHash(Key, KDP_PLACE_SETS)]++;
            }
            return Node;
        }
    }
    return KDP_NO_NODE;
}

static bool KdpHasEdge(ULONG From, ULONG To)
{
    return (KdpEdge[From][To / 64] >> To % 64 & 1) != 0;
}

/* KdpOrderLock held. */
static void KdpForgetNode(ULONG Node)
{
    if (KdpNode[Node] & KDP_IS_ADDRESS) {
        KdpAddressNodes[KdpPageHash(KdpNode[Node], KDP_PLACE_SETS)]--;
    }
    for (ULONG i = 0; i < KDP_NODES; i++) {
        KdpEdge[i][Node / 64] &= ~(1ULL << Node % 64);
    }
    memset(KdpEdge[Node], 0, sizeof(KdpEdge[Node]));
    for (ULONG i = 0; i < KDP_EDGES; i++) {
        if (KdpRecord[i].From == Node || KdpRecord[i].To == Node) {
            KdpRecord[i].Used = FALSE;
        }
    }
    KdpNode[Node] = KDP_FORGOTTEN;
}

/* ---- Memory comes and goes ---- */

/* KdpOrderLock held. The lock and the code at these addresses. */
static void KdpForgetNodes(ULONG64 Start, SIZE_T Size)
{
    for (ULONG i = 0; i < KDP_NODES; i++) {
        if (KdpNode[i] > KDP_FORGOTTEN && (KdpNode[i] | KDP_IS_ADDRESS) - Start < Size) {
            KdpForgetNode(i);
        }
    }
}

static void KdpForgetPlaces(ULONG Set, ULONG64 Start, SIZE_T Size)
{
    for (ULONG i = 0; i < KdpPlaces[Set].Used; i++) {
        if ((ULONG64)KdpPlaces[Set].Entry[i].Lock - Start < Size || KdpPlaces[Set].Entry[i].Place - Start < Size) {
            KdpPlaces[Set].Entry[i].Lock = NULL;
        }
    }
}

/* Part of a page: this is called for every block of memory that is freed. */
static void KdpForgetInPage(ULONG64 Start, SIZE_T Size)
{
    ULONG Set = KdpPageHash(Start, KDP_PLACE_SETS);
    if (KdpPlaces[Set].Used == 0 && KdpAddressNodes[Set] == 0) {
        return;
    }
    bool Enabled = KdpAcquireRaw(&KdpOrderLock);
    KdpForgetPlaces(Set, Start, Size);
    if (KdpAddressNodes[Set] != 0) {
        KdpForgetNodes(Start, Size);
    }
    KdpReleaseRaw(&KdpOrderLock, Enabled);
}

void KdForgetLocks(const void *Start, SIZE_T Size)
{
    ULONG64 Address = (ULONG64)Start;
    if ((Address & (PAGE_SIZE - 1)) + Size <= PAGE_SIZE) {
        KdpForgetInPage(Address, Size);
        return;
    }
    bool Enabled = KdpAcquireRaw(&KdpOrderLock);
    for (ULONG i = 0; i < KDP_PLACE_SETS; i++) {
        KdpForgetPlaces(i, Address, Size);
    }
    KdpForgetNodes(Address, Size);
    KdpReleaseRaw(&KdpOrderLock, Enabled);
}

/* What lay at the address before is gone, and with it what was learnt about it alone. */
void KdLockInitialized(const void *Lock, ULONG64 Place)
{
    ULONG Set = KdpPageHash((ULONG64)Lock, KDP_PLACE_SETS);
    if (KdLockOrderOff || (KdpAddressNodes[Set] == 0 && KdpPlaceOf(Lock) == Place)) {
        return;
    }
    bool Enabled = KdpAcquireRaw(&KdpOrderLock);
    ULONG Node = KdpFindNode((ULONG64)Lock);
    if (Node != KDP_NO_NODE) {
        KdpForgetNode(Node);
    }
    ULONG i = KdpChoosePlace(Set, Lock);
    KdpPlaces[Set].Entry[i].Lock = NULL;
    __atomic_store_n(&KdpPlaces[Set].Entry[i].Place, Place, __ATOMIC_RELEASE);
    __atomic_store_n(&KdpPlaces[Set].Entry[i].Lock, Lock, __ATOMIC_RELEASE);
    KdpReleaseRaw(&KdpOrderLock, Enabled);
}

/* ---- New edges ---- */

/* The circle that was found: Cycle.Node[0] is held, Node[1] wanted; from there on earlier edges lead back to
   Node[0]. Written once, by the processor that then reports it. */
static struct {
    ULONG Count;
    USHORT Node[KDP_NODES + 1];
} KdpCycle;

/* KdpOrderLock held. Is there a way along the edges from From to To? Before[] then leads back from To. */
static bool KdpReaches(ULONG From, ULONG To, USHORT *Before)
{
    static USHORT Queue[KDP_NODES];
    ULONG Head = 0, Tail = 0;

    memset(Before, 0xff, KDP_NODES * sizeof(*Before));
    Before[From] = (USHORT)From;
    Queue[Tail++] = (USHORT)From;
    while (Head < Tail) {
        ULONG Node = Queue[Head++];
        if (Node == To) {
            return true;
        }
        for (ULONG Word = 0; Word < KDP_NODES / 64; Word++) {
            for (ULONG64 Left = KdpEdge[Node][Word]; Left != 0; Left &= Left - 1) {
                ULONG Next = Word * 64 + RtlLowestBit(Left);
                if (Before[Next] == 0xffff) {
                    Before[Next] = (USHORT)Node;
                    Queue[Tail++] = (USHORT)Next;
                }
            }
        }
    }
    return false;
}

/* From -> To is the new edge; Before leads from From back to To. */
static void KdpNoteCycle(ULONG From, ULONG To, const USHORT *Before)
{
    ULONG Count = 0;
    for (ULONG Node = From; Node != To; Node = Before[Node]) {
        Count++;
    }
    KdpCycle.Count = Count + 1;
    for (ULONG Node = From, i = Count + 1; i > 0; Node = Before[Node]) {
        KdpCycle.Node[i--] = (USHORT)Node; /* ends with To at 1 */
    }
    KdpCycle.Node[0] = (USHORT)From;
}

static void KdpRecordEdge(ULONG From, ULONG To, const KD_LOCK *Held, const void *Lock,
                          KD_LOCK_CLASS *Class, const void *Frame)
{
    for (ULONG i = 0; i < KDP_EDGES; i++) {
        KDP_EDGE_RECORD *Record = &KdpRecord[i];
        if (Record->Used) {
            continue;
        }
        *Record = (KDP_EDGE_RECORD){.From = (USHORT)From, .To = (USHORT)To, .Used = TRUE,
                                    .FromLock = (const void *)Held->Lock, .ToLock = Lock, .Thread = ArchCurrentThread(),
                                    .FromClass = Held->Class, .ToClass = Class};
        memcpy(Record->FromPlace, Held->Place, sizeof(Record->FromPlace));
        KdpCapturePlace(Record->ToPlace, KDP_EDGE_FRAMES, Frame);
        return;
    }
    KdpSayFull("stacks");
}

static NORETURN void KdpReportOrder(const KD_LOCK *Held, const void *Lock, KD_LOCK_CLASS *Class)
{
    char Name[KD_NAME_SIZE], HeldName[KD_NAME_SIZE];

    KdBugCheck(DRIVER_VERIFIER_DETECTED_VIOLATION, KDP_VIOLATION_ORDER, (ULONG64)Lock, (ULONG64)Held->Lock,
               Held->Place[0], NULL,
               "%s %s acquired while holding %s %s: before, they were acquired in the reverse order", Class->Name,
               KdName(Lock, Name, sizeof(Name)), Held->Class->Name,
               KdName((const void *)Held->Lock, HeldName, sizeof(HeldName)));
}

static void KdpAddEdge(KD_LOCK *Held, ULONG64 HeldKey, const void *Lock, ULONG64 Key,
                       KD_LOCK_CLASS *Class, const void *Frame)
{
    static USHORT Before[KDP_NODES]; /* KdpOrderLock */
    bool Enabled = KdpAcquireRaw(&KdpOrderLock);
    ULONG From = KdpAddNode(HeldKey);
    ULONG To = KdpAddNode(Key);
    bool Full = From == KDP_NO_NODE || To == KDP_NO_NODE;
    bool Circle = false;

    if (!Full && !KdpHasEdge(From, To)) {
        Circle = KdpReaches(To, From, Before);
        if (Circle) {
            KdpNoteCycle(From, To, Before);
        } else {
            KdpRecordEdge(From, To, Held, Lock, Class, Frame);
            KdpEdge[From][To / 64] |= 1ULL << To % 64;
        }
    }
    KdpReleaseRaw(&KdpOrderLock, Enabled);
    if (Circle) {
        KdpReportOrder(Held, Lock, Class);
    } else if (Full) {
        KdpSayFull("locks");
    }
}

static ULONG64 KdpKeyOf(const void *Lock)
{
    ULONG64 Place = KdpPlaceOf(Lock);
    return Place != 0 ? Place & ~KDP_IS_ADDRESS : (ULONG64)Lock;
}

void KdpCheckOrder(KD_LOCK *Held, const void *Lock, KD_LOCK_CLASS *Class, const void *Frame)
{
    if (KdLockOrderOff) {
        return;
    }
    ULONG64 HeldKey = KdpKeyOf((const void *)Held->Lock);
    ULONG64 Key = KdpKeyOf(Lock);
    if (HeldKey == Key) { /* two of a kind */
        HeldKey = (ULONG64)Held->Lock;
        Key = (ULONG64)Lock;
    }
    ULONG From = KdpFindNode(HeldKey);
    ULONG To = KdpFindNode(Key);
    if (From == KDP_NO_NODE || To == KDP_NO_NODE || !KdpHasEdge(From, To)) {
        KdpAddEdge(Held, HeldKey, Lock, Key, Class, Frame);
    }
}

/* ---- The report ---- */

static void KdpPrintEdge(ULONG From, ULONG To)
{
    char Name[KD_NAME_SIZE];

    for (ULONG i = 0; i < KDP_EDGES; i++) {
        const KDP_EDGE_RECORD *Record = &KdpRecord[i];
        if (!Record->Used || Record->From != From || Record->To != To) {
            continue;
        }
        DbgPrint("  before, ");
        KdpPrintThread(Record->Thread);
        DbgPrint(" held %s %s, from ", Record->FromClass->Name, KdName(Record->FromLock, Name, sizeof(Name)));
        KdpPrintPlaces(Record->FromPlace, KD_LOCK_FRAMES);
        DbgPrint("\n    and acquired %s %s, from ", Record->ToClass->Name,
                 KdName(Record->ToLock, Name, sizeof(Name)));
        KdpPrintPlaces(Record->ToPlace, KDP_EDGE_FRAMES);
        DbgPrint("\n");
        return;
    }
    DbgPrint("  before, a lock of the same place was acquired (its stack was not kept)\n");
}

void KdpPrintOrderCycle(void)
{
    if (KdpCycle.Count == 0) {
        return;
    }
    DbgPrint("the circle of %u locks:\n", KdpCycle.Count);
    for (ULONG i = 1; i < KdpCycle.Count; i++) {
        KdpPrintEdge(KdpCycle.Node[i], KdpCycle.Node[i + 1]);
    }
}

#endif
