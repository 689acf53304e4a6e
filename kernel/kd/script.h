/* SPDX-License-Identifier: MIT */
/*
 * The schedule controller, for the components whose paths have points: see include/primertest.h.
 */
#ifndef PRIMER_SCRIPT_H
#define PRIMER_SCRIPT_H

#include <primertest.h>

#if DBG
extern volatile BOOLEAN KdScriptActive;
void KdReachPoint(ULONG Point, const void *Subject);

/* The code comes past a named point, on behalf of the subject: the thread that the step is about, which is
   not always the one that takes it. No lock that is taken above DISPATCH_LEVEL is held, and interrupts are
   on. Without a script, and in release builds, this costs a test, or nothing. */
static inline void KdPoint(ULONG Point, const void *Subject)
{
    if (__builtin_expect(KdScriptActive, FALSE)) {
        KdReachPoint(Point, Subject);
    }
}
#else
#define KdPoint(Point, Subject) ((void)0)
#endif

#endif
