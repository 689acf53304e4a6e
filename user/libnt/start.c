/* SPDX-License-Identifier: MIT */
/*
 * Where a native program starts and ends. See libnt.h for the state in which the kernel enters it. Nothing
 * here writes to global variables: a program that does next to nothing then touches no page of its own data.
 */
#include "libnt.h"

/* The note by which the kernel tells a native image from a subsystem's (an ELF note: sizes, type, name,
   description): the version of the interface, and where the kernel enters the program with an APC and with an
   exception, each as a distance from its own place. */
__asm__(".pushsection .note.Primer, \"a\", @note\n\t"
        ".balign 4\n\t"
        ".long 7, 12, 1\n\t"
        ".asciz \"Primer\"\n\t"
        ".balign 4\n\t"
        ".long 1\n\t"
        ".long KiUserApcDispatcher - .\n\t"
        ".long KiUserExceptionDispatcher - .\n\t"
        ".popsection");

PTEB NtCurrentTeb(VOID)
{
    PTEB Teb;
    __asm__("movq %%gs:%c1, %0" : "=r"(Teb) : "i"(FIELD_OFFSET(TEB, NtTib.Self)));
    return Teb;
}

PPEB NtCurrentPeb(VOID)
{
    return NtCurrentTeb()->ProcessEnvironmentBlock;
}

NORETURN VOID Exit(NTSTATUS Status)
{
    NtTerminateProcess(NtCurrentProcess(), Status);
    __builtin_trap();
}

/* Called by _start. Stands apart from it because a naked function may hold nothing but assembly. */
__attribute__((used)) static NORETURN VOID StartProcess(PPEB Peb)
{
    PRTL_USER_PROCESS_PARAMETERS Parameters = Peb->ProcessParameters;
    ULONG Count = Parameters->ArgumentCount;
    char *Few[64], *Next = Parameters->Arguments;
    char **Arguments = Count < RTL_NUMBER_OF(Few) ? Few : HeapAllocate((Count + 1) * sizeof(char *));

    if (Arguments == NULL) {
        Exit(STATUS_NO_MEMORY);
    }

    for (ULONG i = 0; i < Count; i++) {
        Arguments[i] = Next;
        Next += strlen(Next) + 1;
    }
    Arguments[Count] = NULL;
    Exit(main((int)Count, Arguments));
}

/* The outermost frame: RBP is 0, so that a debugger's walk ends here. */
__attribute__((naked, used)) VOID _start(VOID)
{
    __asm__("xorl %ebp, %ebp\n\t"
            "andq $-16, %rsp\n\t"
            "call StartProcess");
}
