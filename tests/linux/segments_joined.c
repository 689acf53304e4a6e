// SPDX-License-Identifier: MIT
// build: musl
// flags: -Wl,-z,noseparate-code -Wl,-z,norelro -Wl,-z,max-page-size=4096 -Wl,-z,common-page-size=4096
/* Data follows text in the file without a gap: a page of the file is mapped twice. */
#include "segments.h"
