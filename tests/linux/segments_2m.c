// SPDX-License-Identifier: MIT
// build: glibc pie
// flags: -Wl,-z,max-page-size=0x200000
/* Segments aligned to 2 MiB: where a position-independent program goes has to follow. */
#include "segments.h"
