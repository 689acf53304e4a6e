/* SPDX-License-Identifier: MIT */
/*
 * What debug builds know about locks: who holds which, who waits for which, in which order they are taken.
 *
 * Each processor has a list of the spin locks that it holds or spins for, each thread one of its blocking
 * locks. A processor's list is its own and is used like a stack: an interrupt handler leaves it as it has
 * found it, so that no interrupt needs to be masked. A thread's list has a lock, because a resource may be
 * released, or granted, by another thread.
 */
#ifndef PRIMER_KD_LOCKS_H
#define PRIMER_KD_LOCKS_H

#include <ntddk.h>

#if DBG

#define KD_LOCK_FRAMES 4 /* how much is kept of the stack of an acquisition */

/* KD_LOCK_CLASS.Flags */
#define KD_CLASS_ORDERED   1 /* no rank of its own: the order graph learns the order */
#define KD_CLASS_ADDRESS   2 /* several at once, in the order of their addresses */
#define KD_CLASS_RECURSIVE 4 /* the owner may acquire it again */
#define KD_CLASS_COUNTED   8 /* a reference rather than a lock: any number, and another thread may give it up */

typedef struct _KD_LOCK_CLASS {
    const char *Name;
    UCHAR Rank;  /* may be acquired while classes of lower rank are held */
    UCHAR Flags;
    volatile LONG64 Acquired, Waited; /* (a) acquisitions; those that found the lock taken, or had to sleep */
    struct _KD_LOCK_CLASS *Next;      /* (KdpListLock) of those that were acquired once, the newest first */
} KD_LOCK_CLASS;

/* KD_LOCK.Flags, and what the routines below are told. */
#define KD_LOCK_SHARED  1
#define KD_LOCK_WAITING 2 /* not held yet */
#define KD_LOCK_TRY     4 /* does not wait: makes no deadlock, so is not checked for its order */
#define KD_LOCK_TAKEN   8 /* somebody has it at the moment: the acquisition is counted as one that had to wait */

typedef struct _KD_LOCK {
    const void *volatile Lock; /* NULL: the entry is free; written last */
    KD_LOCK_CLASS *Class;
    UCHAR Flags;
    USHORT Depth;  /* acquired so often beyond the first time */
    ULONG Sequence; /* tells this acquisition from others of the same list */
    ULONG64 Place[KD_LOCK_FRAMES]; /* return addresses, the acquirer's first */
} KD_LOCK;

typedef struct _KD_LOCK_LIST {
    LIST_ENTRY Links;        /* (KdpListLock) of all lists that were ever used */
    volatile UCHAR Locked;   /* threads' lists; taken with interrupts off, below all other locks */
    PKTHREAD Owner;          /* the thread; NULL: a processor's list */
    ULONG Processor;
    volatile ULONG Count;    /* entries in use, and free ones between them */
    ULONG Size;
    ULONG Lost;              /* acquisitions that found no free entry */
    ULONG Sequence;
    BOOLEAN Listed;
    KD_LOCK *Entry;
} KD_LOCK_LIST;

void KdInitializeLockList(KD_LOCK_LIST *List, KD_LOCK *Entries, ULONG Size, PKTHREAD Owner, ULONG Processor);
/* The owner is about to go. */
void KdForgetLockList(KD_LOCK_LIST *List);

/*
 * The steps of a lock's life. A processor's list: called by that processor, at DISPATCH_LEVEL or with
 * interrupts off. A thread's: by any thread, but only the thread itself may want or give up.
 *
 * Wanted: checks the order and notes that the lock is waited for (with KD_LOCK_TRY nothing of that); false
 * when the owner of the list holds the lock already and would wait for itself. Frame: the frame address of
 * the routine that calls, whose callers are kept as the place. Taken: it is held now (KD_LOCK_TRY: and was
 * not wanted before). GivenUp: the wait ended without it.
 */
bool KdLockWanted(KD_LOCK_LIST *List, const void *Lock, KD_LOCK_CLASS *Class, ULONG Flags, const void *Frame);
/* The owner of the list falls asleep: over the lock that it wants, if there is one. */
void KdLockSleeps(KD_LOCK_LIST *List);
/* The class after this one (NULL: the first), of those that were acquired once; NULL: no more. */
KD_LOCK_CLASS *KdNextLockClass(KD_LOCK_CLASS *Class);
void KdLockTaken(KD_LOCK_LIST *List, const void *Lock, KD_LOCK_CLASS *Class, ULONG Flags, const void *Frame);
void KdLockGivenUp(KD_LOCK_LIST *List, const void *Lock);
/* False when it is not held, or (spin locks) not in that mode: the list is as it was. */
bool KdLockReleased(KD_LOCK_LIST *List, const void *Lock, KD_LOCK_CLASS *Class, ULONG Flags);
/* Held in the other mode from now on. */
void KdLockConverted(KD_LOCK_LIST *List, const void *Lock, ULONG Flags);
/* Nobody can say which thread holds these references. */
void KdLockTravels(const void *Lock);
bool KdLockIsHeld(KD_LOCK_LIST *List, const void *Lock);
/* How many locks the list's owner holds; counted references are none. */
ULONG KdLocksHeld(const KD_LOCK_LIST *List);

/*
 * The order graph (lockorder.c). A lock of an ordered class is known by the place of its initialisation: all
 * locks that are initialised there stand for one another. Locks that are initialised nowhere (static ones)
 * are known by their address, and so are two of one place against each other.
 */
extern bool KdLockOrderOff;
/* Lock, at this address, is new; Place: the address of the code that initialises it. */
void KdLockInitialized(const void *Lock, ULONG64 Place);
/* Whatever lay in [Start, Start + Size), locks or code that initialises them, is no more. */
void KdForgetLocks(const void *Start, SIZE_T Size);

/* Does the processor spin? For a lock that another one holds, for one in a circle, for one that nobody
   has. */
typedef enum _KD_SPIN_STATE { KdSpinNot, KdSpinHeld, KdSpinCircle, KdSpinFree } KD_SPIN_STATE;
KD_SPIN_STATE KdSpinState(const KD_LOCK_LIST *List);

/* Every so many seconds (0: never) a look for threads that wait for each other in a circle: bug check
   LOCK_DEADLOCK when a circle stands unchanged at two looks. Called often, by any processor, at
   DISPATCH_LEVEL. (waitgraph.c) */
extern ULONG KdDeadlockSeconds;
void KdLookForDeadlock(void);

#else
#define KdForgetLocks(Start, Size) ((void)0)
#define KdLockTravels(Lock)        ((void)0)
#define KdLookForDeadlock()        ((void)0)
#endif

#endif
