/* SPDX-License-Identifier: MIT */
/*
 * What kernel test modules share: result lines, threads in numbers. A test is a function that returns NULL,
 * or why it failed.
 */
#ifndef PRIMER_KTEST_H
#define PRIMER_KTEST_H

#include <ntddk.h>

#define KTEST_MAX_THREADS 64

typedef PCSTR KTEST(VOID);

#define KTEST_CHECK(Condition)                                                                                         \
    do {                                                                                                               \
        if (!(Condition)) {                                                                                            \
            return #Condition;                                                                                         \
        }                                                                                                              \
    } while (0)

/* Behind each result stands the number that the kernel option lab.nonce gives, if it does: a lab's grader
   knows its lines by it. */
static inline PCSTR KtestNonce(VOID)
{
    static CHAR Text[20] = " #";
    return Text[2] != 0 || ExQueryKernelOption("lab.nonce", Text + 2, sizeof(Text) - 2) ? Text : "";
}

/* The kernel option lab.check=NAME: of a module's checks this one, alone. */
static inline BOOLEAN KtestWanted(PCSTR Name, BOOLEAN Otherwise)
{
    CHAR Only[64];
    return ExQueryKernelOption("lab.check", Only, sizeof(Only)) ? strcmp(Only, Name) == 0 : Otherwise;
}

static inline VOID KtestRun(PCSTR Name, KTEST *Test)
{
    if (!KtestWanted(Name, TRUE)) {
        return;
    }
    PCSTR Why = Test();
    if (Why == NULL) {
        DbgPrint("@pass %s%s\n", Name, KtestNonce());
    } else {
        DbgPrint("@fail %s: %s%s\n", Name, Why, KtestNonce());
    }
}

/* A check that must end the machine, in the bug check that its lab names: it runs alone or not at all. */
static inline VOID KtestMustBugCheck(PCSTR Name, KTEST *Test)
{
    if (KtestWanted(Name, FALSE)) {
        DbgPrint("@intent %s%s\n", Name, KtestNonce());
        Test();
        DbgPrint("@fail %s: the machine went on%s\n", Name, KtestNonce());
    }
}

static inline LARGE_INTEGER KtestMs(LONGLONG Milliseconds)
{
    LARGE_INTEGER Time;
    Time.QuadPart = -Milliseconds * 10000;
    return Time;
}

static inline VOID KtestSleep(LONGLONG Milliseconds)
{
    LARGE_INTEGER Time = KtestMs(Milliseconds);
    KeDelayExecutionThread(KernelMode, FALSE, &Time);
}

/* A referenced thread object; bug-checks through ASSERT-like NULL when none can be made (callers check). */
static inline PETHREAD KtestStart(PKSTART_ROUTINE Routine, PVOID Context)
{
    HANDLE Handle;
    PETHREAD Thread = NULL;
    if (NT_SUCCESS(PsCreateSystemThread(&Handle, THREAD_ALL_ACCESS, NULL, NULL, NULL, Routine, Context))) {
        ObReferenceObjectByHandle(Handle, SYNCHRONIZE, *PsThreadType, KernelMode, (PVOID *)&Thread, NULL);
        ZwClose(Handle);
    }
    return Thread;
}

static inline VOID KtestJoin(PETHREAD Thread)
{
    KeWaitForSingleObject(Thread, Executive, KernelMode, FALSE, NULL);
    ObDereferenceObject(Thread);
}

/* Count threads at once, each with its number as the context; returns when all have ended. FALSE: could not
   make them all. */
static inline BOOLEAN KtestCrowd(ULONG Count, PKSTART_ROUTINE Routine)
{
    PETHREAD Threads[KTEST_MAX_THREADS];
    ULONG Made = 0;
    while (Made < Count && (Threads[Made] = KtestStart(Routine, (PVOID)(ULONG_PTR)Made)) != NULL) {
        Made++;
    }
    for (ULONG i = 0; i < Made; i++) {
        KtestJoin(Threads[i]);
    }
    return Made == Count;
}

#endif
