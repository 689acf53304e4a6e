// SPDX-License-Identifier: MIT
// build: glibc musl pie
// flags: -Wl,-z,noseparate-code
/* Headers, text and constants in one segment. */
#include "segments.h"
