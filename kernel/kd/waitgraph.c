/* SPDX-License-Identifier: MIT */
/*
 * Who waits for whom: from a thread or processor to the lock that it waits for, and from there to all who
 * hold it. A circle is a deadlock. Debug builds only.
 *
 * A bug check or a hang report looks while everything stands still. On the way, KdLookForDeadlock looks every
 * few seconds at lists that change under its eyes; it believes a circle that it finds twice with the same
 * acquisitions in it, for these have all lasted from the first look to the second.
 */
#include "kernel/kd/kdp.h"
#include "kernel/rtl/rtl.h"

#if DBG

#define KDP_DEPTH  16 /* the longest circle that is found */
#define KDP_STARTS 64 /* how many waiters one look under the lock starts from */

ULONG KdDeadlockSeconds = 4;

/* A circle: each member waits for a lock that the next one holds, the last for one of the first. */
typedef struct _KDP_CIRCLE {
    ULONG Count;
    BOOLEAN Reference; /* one edge is a counted reference, whose holder may not be who gives it up */
    ULONG64 Signature; /* of the members and their acquisitions */
    const KD_LOCK_LIST *Member[KDP_DEPTH];
    const KD_LOCK *Waits[KDP_DEPTH];
    const KD_LOCK *Holds[KDP_DEPTH]; /* the lock that the member before it waits for */
} KDP_CIRCLE;

/* What the list's owner waits for: the youngest, for what is below it was interrupted. NULL: nothing. */
static const KD_LOCK *KdpWaitOf(const KD_LOCK_LIST *List)
{
    for (ULONG i = List->Count; i > 0; i--) {
        const KD_LOCK *Entry = &List->Entry[i - 1];
        if (Entry->Lock != NULL && (Entry->Flags & KD_LOCK_WAITING)) {
            return Entry;
        }
    }
    return NULL;
}

const KD_LOCK *KdpHeldEntry(const KD_LOCK_LIST *List, const void *Lock)
{
    for (ULONG i = 0; i < List->Count; i++) {
        const KD_LOCK *Entry = &List->Entry[i];
        if (Entry->Lock == Lock && !(Entry->Flags & KD_LOCK_WAITING)) {
            return KdpIsBelieved(Entry) ? Entry : NULL;
        }
    }
    return NULL;
}

static void KdpPush(KDP_CIRCLE *Path, const KD_LOCK_LIST *List, const KD_LOCK *Waits, const KD_LOCK *Holds)
{
    Path->Member[Path->Count] = List;
    Path->Waits[Path->Count] = Waits;
    Path->Holds[Path->Count] = Holds;
    Path->Count++;
}

/* Goes on from the last of the path to all who hold what it waits for; true when that leads back to the
   first. The path is then the circle, and Holds[0] what the last one waits for. */
static bool KdpFollow(KDP_CIRCLE *Path)
{
    const void *Lock = (const void *)Path->Waits[Path->Count - 1]->Lock;
    for (PLIST_ENTRY Link = KdpLists.Flink; Link != &KdpLists; Link = Link->Flink) {
        const KD_LOCK_LIST *List = CONTAINING_RECORD(Link, KD_LOCK_LIST, Links);
        const KD_LOCK *Holds = KdpHeldEntry(List, Lock);
        if (Holds == NULL) {
            continue;
        }
        if (List == Path->Member[0]) {
            Path->Holds[0] = Holds;
            return true;
        }
        const KD_LOCK *Waits = KdpWaitOf(List);
        if (Waits == NULL || Path->Count == KDP_DEPTH) {
            continue;
        }
        KdpPush(Path, List, Waits, Holds);
        if (KdpFollow(Path)) {
            return true;
        }
        Path->Count--;
    }
    return false;
}

static void KdpSign(KDP_CIRCLE *Circle)
{
    Circle->Signature = Circle->Count;
    for (ULONG i = 0; i < Circle->Count; i++) {
        ULONG64 Part = (ULONG64)Circle->Member[i] ^ ((ULONG64)Circle->Waits[i]->Sequence << 32) ^ Circle->Holds[i]->Sequence;
        Circle->Signature += Part * 0x9e3779b97f4a7c15ULL; /* a sum: wherever the circle is entered */
        Circle->Reference |= (Circle->Holds[i]->Class->Flags & KD_CLASS_COUNTED) != 0;
    }
}

/* The first circle that is found, from Starts waiters on; 0: from all. */
static bool KdpFindCircle(KDP_CIRCLE *Circle, ULONG Starts)
{
    for (PLIST_ENTRY Link = KdpLists.Flink; Link != &KdpLists; Link = Link->Flink) {
        const KD_LOCK_LIST *List = CONTAINING_RECORD(Link, KD_LOCK_LIST, Links);
        const KD_LOCK *Waits = List->Count >= 2 ? KdpWaitOf(List) : NULL; /* who holds nothing is in no circle */
        if (Waits == NULL) {
            continue;
        }
        Circle->Count = 0;
        KdpPush(Circle, List, Waits, NULL);
        if (KdpFollow(Circle)) {
            KdpSign(Circle);
            return true;
        }
        if (Starts != 0 && --Starts == 0) {
            break;
        }
    }
    return false;
}

/* ---- In words ---- */

void KdpPrintCircle(void)
{
    static KDP_CIRCLE Circle; /* the reporter is alone */
    char Name[KD_NAME_SIZE];

    if (!KdpFindCircle(&Circle, 0)) {
        return;
    }
    DbgPrint("deadlock: a circle of %u that wait for each other:\n", Circle.Count);
    for (ULONG i = 0; i < Circle.Count; i++) {
        const KD_LOCK *Waits = Circle.Waits[i];
        DbgPrint("  ");
        KdpPrintOwner(Circle.Member[i]);
        DbgPrint(" waits for %s %s, from ", Waits->Class->Name,
                 KdName((const void *)Waits->Lock, Name, sizeof(Name)));
        KdpPrintPlaces(Waits->Place, KD_LOCK_FRAMES);
        DbgPrint("\n    which ");
        KdpPrintOwner(Circle.Member[(i + 1) % Circle.Count]);
        DbgPrint(" holds, from ");
        KdpPrintPlaces(Circle.Holds[(i + 1) % Circle.Count]->Place, KD_LOCK_FRAMES);
        DbgPrint("\n");
    }
}

/* ---- On the way ---- */

static NORETURN void KdpReportDeadlock(const KDP_CIRCLE *Circle, const void *Lock, PKTHREAD Thread)
{
    char Name[KD_NAME_SIZE];

    KdBugCheck(LOCK_DEADLOCK, (ULONG64)Lock, (ULONG64)Thread, Circle->Count, 0, NULL,
               "%u %s wait for each other, one of them for %s", Circle->Count,
               Thread != NULL ? "threads" : "processors", KdName(Lock, Name, sizeof(Name)));
}

KD_SPIN_STATE KdSpinState(const KD_LOCK_LIST *List)
{
    KDP_CIRCLE Circle = {0};
    const KD_LOCK *Waits = KdpWaitOf(List);
    KD_SPIN_STATE State = KdSpinFree;

    if (Waits == NULL) {
        return KdSpinNot;
    }
    bool Enabled = KdpAcquireRaw(&KdpListLock);
    KdpPush(&Circle, List, Waits, NULL);
    if (KdpFollow(&Circle)) {
        State = KdSpinCircle;
    } else {
        for (PLIST_ENTRY Link = KdpLists.Flink; Link != &KdpLists && State == KdSpinFree; Link = Link->Flink) {
            State = KdpHeldEntry(CONTAINING_RECORD(Link, KD_LOCK_LIST, Links), (const void *)Waits->Lock) != NULL
                        ? KdSpinHeld
                        : KdSpinFree;
        }
    }
    KdpReleaseRaw(&KdpListLock, Enabled);
    return State;
}

/* References may be given up by somebody else: said, once for each circle in turn, but no bug check. */
static void KdpMentionDeadlock(ULONG64 Signature, const void *Lock, PKTHREAD Thread)
{
    static ULONG64 Mentioned;
    char Name[KD_NAME_SIZE];

    if (Mentioned != Signature) {
        Mentioned = Signature;
        DbgPrint("kd: run-down may not end: thread %p waits for %s in a circle\n", Thread,
                 KdName(Lock, Name, sizeof(Name)));
    }
}

void KdLookForDeadlock(void)
{
    static ULONG64 Last, Suspect; /* (Looking) when it looked, and what it found then */
    static volatile UCHAR Looking;
    KDP_CIRCLE Circle = {0};
    ULONG64 Now = ArchReadCycles();

    if (KdDeadlockSeconds == 0 || Now - Last < KdDeadlockSeconds * ArchCyclesPerSecond() ||
        __atomic_exchange_n(&Looking, 1, __ATOMIC_ACQUIRE) != 0) {
        return;
    }
    bool Enabled = KdpAcquireRaw(&KdpListLock);
    bool Found = KdpFindCircle(&Circle, KDP_STARTS);
    const void *Lock = Found ? (const void *)Circle.Waits[0]->Lock : NULL;
    PKTHREAD Thread = Found ? Circle.Member[0]->Owner : NULL;
    KdpReleaseRaw(&KdpListLock, Enabled);
    bool Again = Found && Circle.Signature == Suspect;
    Suspect = Found ? Circle.Signature : 0;
    Last = Now;
    __atomic_store_n(&Looking, 0, __ATOMIC_RELEASE);
    if (Again && Circle.Reference) {
        KdpMentionDeadlock(Circle.Signature, Lock, Thread);
    } else if (Again) {
        KdpReportDeadlock(&Circle, Lock, Thread);
    }
}

#endif
