/* SPDX-License-Identifier: MIT */
/*
 * The schedule controller itself: two threads write down in which order they come past points of their own,
 * below DISPATCH_LEVEL, so that one processor is enough. Then a script that cannot be met.
 */
#include "../ktest.h"
#include <primertest.h>

#define ROUNDS 4

enum { PointPing = PrimerPointOwn, PointPong };

static struct {
    volatile LONG Next;
    CHAR Who[2 * ROUNDS];
} Order;

static VOID Note(CHAR Who)
{
    LONG At = InterlockedIncrement(&Order.Next) - 1;
    if (At < 2 * ROUNDS) {
        Order.Who[At] = Who;
    }
}

/* One point held, then a note; the next point of the other lets it go on only after that. */
static VOID Ping(PVOID Context)
{
    for (ULONG i = 0; i < ROUNDS; i++) {
        PrimerReachPoint(PointPing, &Order);
        Note('i');
        PrimerReachPoint(PointPing, &Order);
    }
}

static VOID Pong(PVOID Context)
{
    for (ULONG i = 0; i < ROUNDS; i++) {
        PrimerReachPoint(PointPong, &Order);
        Note('o');
        PrimerReachPoint(PointPong, &Order);
    }
}

/* Runs both with a script that lets First go first in each round; what they wrote must be that. */
static PCSTR RunInOrder(UCHAR First, UCHAR Second, CHAR FirstNote, CHAR SecondNote)
{
    PRIMER_STEP Steps[4 * ROUNDS];
    for (ULONG i = 0; i < ROUNDS; i++) {
        Steps[4 * i] = Steps[4 * i + 1] = (PRIMER_STEP){First, 0};
        Steps[4 * i + 2] = Steps[4 * i + 3] = (PRIMER_STEP){Second, 0};
    }
    Order.Next = 0;
    PrimerSetActor(0, &Order);
    PrimerStartScript(Steps, 4 * ROUNDS, 20000);
    PETHREAD A = KtestStart(Ping, NULL), B = KtestStart(Pong, NULL);
    KTEST_CHECK(A != NULL && B != NULL);
    KtestJoin(A);
    KtestJoin(B);
    KTEST_CHECK(PrimerEndScript() == 4 * ROUNDS);
    for (ULONG i = 0; i < ROUNDS; i++) {
        KTEST_CHECK(Order.Who[2 * i] == FirstNote && Order.Who[2 * i + 1] == SecondNote);
    }
    return NULL;
}

static PCSTR PingFirst(VOID)
{
    return RunInOrder(PointPing, PointPong, 'i', 'o');
}

static PCSTR PongFirst(VOID)
{
    return RunInOrder(PointPong, PointPing, 'o', 'i');
}

/* The first step never comes: the thread is let go, and the script tells that it was stuck at the second. */
static PCSTR NotMet(VOID)
{
    static const PRIMER_STEP Steps[] = {{PointPong, 0}, {PointPing, 0}};
    PrimerSetActor(0, &Order);
    PrimerStartScript(Steps, 2, 50);
    PrimerReachPoint(PointPing, &Order);
    KTEST_CHECK(PrimerEndScript() == 0);
    return NULL;
}

/* What the script does not name is not held: another actor, another point, a point passed once more. */
static PCSTR Unnamed(VOID)
{
    static const PRIMER_STEP Steps[] = {{PointPing, 0}, {PointPong, 1}};
    PrimerSetActor(0, &Order);
    PrimerSetActor(1, (PVOID)&Order.Next + 1);
    PrimerStartScript(Steps, 2, 20000);
    PrimerReachPoint(PointPong, &Order);
    PrimerReachPoint(PointPing + 7, &Order);
    PrimerReachPoint(PointPing, &Order);
    PrimerReachPoint(PointPing, &Order);
    KTEST_CHECK(PrimerEndScript() == 1);
    return NULL;
}

/* Tests that find out themselves whether priorities are respected switch the kernel's own look off. */
static PCSTR PrioritiesUnchecked(VOID)
{
    BOOLEAN AtFirst = PrimerCheckPriorities(FALSE), Off = PrimerCheckPriorities(TRUE), On = PrimerCheckPriorities(TRUE);
    KTEST_CHECK(AtFirst && !Off && On);
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    KtestRun("script.ping-first", PingFirst);
    KtestRun("script.pong-first", PongFirst);
    KtestRun("script.not-met", NotMet);
    KtestRun("script.unnamed-points", Unnamed);
    KtestRun("script.priorities-unchecked", PrioritiesUnchecked);
    return STATUS_SUCCESS;
}
