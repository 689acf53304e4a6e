/* SPDX-License-Identifier: MIT */
/*
 * Memory routines. The documented names are macros in <ntrtl.h>, which is the quicker way; here they are
 * functions, for who takes an address of one.
 */
#include <ntrtl.h>

SIZE_T NTAPI RtlCompareMemory(const VOID *Source1, const VOID *Source2, SIZE_T Length)
{
    const UCHAR *First = Source1, *Second = Source2;
    SIZE_T Same = 0;

    while (Same < Length && First[Same] == Second[Same]) {
        Same++;
    }
    return Same;
}

#ifndef PRIMER_HOST
#undef RtlCopyMemory
#undef RtlMoveMemory
#undef RtlFillMemory
#undef RtlZeroMemory
#undef RtlEqualMemory

/* Copies bytes that do not overlap. (WDK page of the name) */
VOID RtlCopyMemory(VOID *Destination, const VOID *Source, SIZE_T Length)
{
    memcpy(Destination, Source, Length);
}

/* Copies bytes that may overlap. (WDK page of the name) */
VOID RtlMoveMemory(VOID *Destination, const VOID *Source, SIZE_T Length)
{
    memmove(Destination, Source, Length);
}

/* Sets all bytes to Fill. (WDK page of the name) */
VOID RtlFillMemory(VOID *Destination, SIZE_T Length, int Fill)
{
    memset(Destination, Fill, Length);
}

/* Sets all bytes to 0. (WDK page of the name) */
VOID RtlZeroMemory(VOID *Destination, SIZE_T Length)
{
    memset(Destination, 0, Length);
}

/* TRUE when all bytes are equal. (WDK page of the name) */
LOGICAL RtlEqualMemory(const VOID *Left, const VOID *Right, SIZE_T Length)
{
    return memcmp(Left, Right, Length) == 0;
}
#endif
