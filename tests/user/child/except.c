/* SPDX-License-Identifier: MIT */
/* Exceptions that the process does not survive. */
#include "child.h"

static LONG NotInterested(PEXCEPTION_POINTERS Pointers)
{
    return EXCEPTION_CONTINUE_SEARCH;
}

static LONG GoesOn(PEXCEPTION_POINTERS Pointers)
{
    return EXCEPTION_CONTINUE_EXECUTION;
}

static LONG FaultsItself(PEXCEPTION_POINTERS Pointers)
{
    __asm__ volatile("ud2");
    return EXCEPTION_CONTINUE_EXECUTION;
}

static VOID RaiseWithHandler(PVECTORED_EXCEPTION_HANDLER Handler, NTSTATUS Code, ULONG Flags)
{
    EXCEPTION_RECORD Record = {.ExceptionCode = Code, .ExceptionFlags = Flags};
    RtlAddVectoredExceptionHandler(FALSE, Handler);
    RtlRaiseException(&Record);
}

static VOID SecondChance(VOID)
{
    EXCEPTION_RECORD Record = {.ExceptionCode = (NTSTATUS)0xE7654321};
    CONTEXT Context = {.ContextFlags = 0};
    RtlAddVectoredExceptionHandler(FALSE, GoesOn);
    NtRaiseException(&Record, &Context, FALSE);
}

int MakeException(PCSTR Kind)
{
    if (strcmp(Kind, "handler") == 0) {
        RtlAddVectoredExceptionHandler(FALSE, NotInterested);
        __asm__ volatile("ud2");
    } else if (strcmp(Kind, "raise") == 0) {
        RaiseWithHandler(NotInterested, (NTSTATUS)0xE1234567, 0);
    } else if (strcmp(Kind, "final") == 0) {
        RaiseWithHandler(GoesOn, (NTSTATUS)0xE1234567, EXCEPTION_NONCONTINUABLE);
    } else if (strcmp(Kind, "second-chance") == 0) {
        SecondChance();
    } else if (strcmp(Kind, "no-stack") == 0) {
        RtlAddVectoredExceptionHandler(FALSE, GoesOn);
        __asm__ volatile("xorl %esp, %esp\n\tud2");
    } else if (strcmp(Kind, "kernel-stack") == 0) {
        RtlAddVectoredExceptionHandler(FALSE, GoesOn);
        __asm__ volatile("movq %0, %%rsp\n\tud2" ::"r"(ADDRESS_DIRECT_MAP + 0x10000));
    } else if (strcmp(Kind, "endless") == 0) {
        RtlAddVectoredExceptionHandler(FALSE, FaultsItself);
        __asm__ volatile("ud2");
    }
    return 1; /* it went on */
}
