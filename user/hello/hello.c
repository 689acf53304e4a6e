/* SPDX-License-Identifier: MIT */
/* The smallest native program that says something. */
#include "libnt.h"

int main(int argc, char **argv)
{
    CLIENT_ID Id = NtCurrentTeb()->ClientId;
    Print("hello from process %I64u, thread %I64u\n", (ULONG64)Id.UniqueProcess, (ULONG64)Id.UniqueThread);
    return 0;
}
