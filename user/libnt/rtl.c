/* SPDX-License-Identifier: MIT */
/*
 * The kernel's run-time library, for programs: memory and string routines, UTF-8, formatted print. The
 * sources are the kernel's own, which depend on nothing; only the list of what modules may link against is
 * left out.
 */
#include "kernel/rtl/export.h"
#undef EXPORT
#define EXPORT(Symbol) _Static_assert(1, "programs export nothing")

#include "kernel/rtl/memory.c"

#include "kernel/rtl/cstring.c"

#include "drivers/lib/cstring.c"

#include "kernel/rtl/utf.c"

#include "kernel/rtl/string.c"

#include "kernel/rtl/format.c"
