// SPDX-License-Identifier: MIT
// build: glibc pie musl
// flags: -Wl,-z,max-page-size=0x10000
/* Segments aligned to 64 KiB. */
#include "segments.h"
