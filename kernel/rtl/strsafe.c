/* SPDX-License-Identifier: MIT */
/* The safe-string routines of <ntstrsafe.h>, over the formatter. */
#include <ntstrsafe.h>

#include "kernel/rtl/export.h"
#include "kernel/rtl/rtl.h"

static bool RtlpIsSafeSize(SIZE_T Size)
{
    return Size != 0 && Size <= NTSTRSAFE_MAX_CCH;
}

NTSTATUS RtlStringCchVPrintfA(PSTR Destination, SIZE_T Size, PCSTR Format, va_list Arguments)
{
    if (!RtlpIsSafeSize(Size)) {
        return STATUS_INVALID_PARAMETER;
    }
    bool Cut = RtlPrintV(Destination, Size, Format, Arguments) >= Size;
    return Cut ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}
EXPORT(RtlStringCchVPrintfA);

NTSTATUS RtlStringCchPrintfA(PSTR Destination, SIZE_T Size, PCSTR Format, ...)
{
    va_list Arguments;

    va_start(Arguments, Format);
    NTSTATUS Status = RtlStringCchVPrintfA(Destination, Size, Format, Arguments);
    va_end(Arguments);
    return Status;
}
EXPORT(RtlStringCchPrintfA);

NTSTATUS RtlStringCchCopyNA(PSTR Destination, SIZE_T Size, PCSTR Source, SIZE_T Count)
{
    if (!RtlpIsSafeSize(Size)) {
        return STATUS_INVALID_PARAMETER;
    }
    SIZE_T Length = strnlen(Source, Count < Size ? Count : Size);
    bool Cut = Length == Size;
    Length -= Cut;
    memmove(Destination, Source, Length);
    Destination[Length] = '\0';
    return Cut ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}
EXPORT(RtlStringCchCopyNA);
