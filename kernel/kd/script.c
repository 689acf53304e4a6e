/* SPDX-License-Identifier: MIT */
/*
 * The schedule controller: drives threads through an interleaving that a test has written down. A script is a
 * list of steps, each a named point of the kernel's code and an actor; whoever comes to a point that the
 * script names waits there until all earlier steps have been taken. A thread that is held spins with
 * interrupts on, at the level that it had, and so serves inter-processor calls; one that is held too long
 * ends the script, which then was not met, and lets everybody go. Its own progress counts, not the time
 * during which the host lets it stand still.
 *
 * No lock: a script is made while none runs. Next is advanced by whoever takes the step of that number, and a
 * step is taken once, by compare-and-swap on Taken.
 */
#include "kernel/kd/script.h"
#include "arch/arch.h"
#include "kernel/kd/kd.h"
#include "kernel/rtl/export.h"

#if DBG

#define KDP_SCRIPT_STEPS  32
#define KDP_SCRIPT_ACTORS 16
#define KDP_LOOK_DIVISOR  1000 /* between two looks no more than this part of a second counts */

volatile BOOLEAN KdScriptActive;

static PRIMER_STEP KdpStep[KDP_SCRIPT_STEPS];         /* constant while a script runs */
static const void *KdpActor[KDP_SCRIPT_ACTORS];       /* constant while a script runs */
static volatile UCHAR KdpTaken[KDP_SCRIPT_STEPS];     /* (a) a thread has come for this step */
static ULONG KdpStepCount;
static volatile ULONG KdpNext;                        /* (a) the step that is due */
static volatile ULONG KdpScripts;                     /* how many were started: whoever is held by an earlier one goes on */
static ULONG64 KdpPatience;                           /* cycles */

VOID PrimerSetActor(ULONG Number, PVOID Subject)
{
    KI_ASSERT(Number < KDP_SCRIPT_ACTORS && !KdScriptActive, "actor %u", Number);
    KdpActor[Number] = Subject;
}
EXPORT(PrimerSetActor);

VOID PrimerStartScript(const PRIMER_STEP *Steps, ULONG Count, ULONG Milliseconds)
{
    KI_ASSERT(Count <= KDP_SCRIPT_STEPS && !KdScriptActive, "%u steps", Count);
    for (ULONG i = 0; i < Count; i++) {
        KdpStep[i] = Steps[i];
        KdpTaken[i] = FALSE;
    }
    KdpStepCount = Count;
    KdpNext = 0;
    KdpPatience = ArchCyclesPerSecond() / 1000 * Milliseconds;
    KdpScripts++;
    __atomic_store_n(&KdScriptActive, TRUE, __ATOMIC_SEQ_CST);
}
EXPORT(PrimerStartScript);

/* Takes the script off; threads that are held go on. */
ULONG PrimerEndScript(VOID)
{
    __atomic_store_n(&KdScriptActive, FALSE, __ATOMIC_SEQ_CST);
    return KdpNext;
}
EXPORT(PrimerEndScript);

/* The step that this is, claimed for the caller; KdpStepCount when the script does not name it. Of equal
   steps the earliest that nobody has come for. */
static ULONG KdpClaimStep(ULONG Point, const void *Subject)
{
    for (ULONG i = KdpNext; i < KdpStepCount; i++) {
        UCHAR Free = FALSE;
        if (KdpStep[i].Point == Point && KdpActor[KdpStep[i].Actor] == Subject &&
            __atomic_compare_exchange_n(&KdpTaken[i], &Free, TRUE, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
            return i;
        }
    }
    return KdpStepCount;
}

static bool KdpIsDue(ULONG Step)
{
    ULONG After = KdpStep[Step].After;
    return __atomic_load_n(&KdpNext, __ATOMIC_ACQUIRE) == Step &&
           (After == 0 || __atomic_load_n(&KdpTaken[After], __ATOMIC_ACQUIRE));
}

void KdReachPoint(ULONG Point, const void *Subject)
{
    ULONG Script = KdpScripts;
    ULONG Step = KdpClaimStep(Point, Subject);
    if (Step == KdpStepCount) {
        return;
    }
    ULONG64 Held = 0, Longest = ArchCyclesPerSecond() / KDP_LOOK_DIVISOR, Last = ArchReadCycles();
    while (!KdpIsDue(Step)) {
        if (!KdScriptActive || KdpScripts != Script) {
            return;
        }
        ULONG64 Now = ArchReadCycles();
        Held += Now - Last < Longest ? Now - Last : Longest;
        Last = Now;
        if (Held > KdpPatience || !ArchInterruptsEnabled()) {
            __atomic_store_n(&KdScriptActive, FALSE, __ATOMIC_SEQ_CST);
            return;
        }
        ArchPause();
    }
    __atomic_store_n(&KdpNext, Step + 1, __ATOMIC_RELEASE);
}

VOID PrimerReachPoint(ULONG Point, PVOID Subject)
{
    KdPoint(Point, Subject);
}
EXPORT(PrimerReachPoint);

#endif
