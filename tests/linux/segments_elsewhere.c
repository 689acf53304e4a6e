// SPDX-License-Identifier: MIT
// build: musl
// flags: -Wl,-Ttext-segment=0x60000000
/* Linked to another address. */
#include "segments.h"
