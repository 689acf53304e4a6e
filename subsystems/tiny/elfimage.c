/* SPDX-License-Identifier: MIT */
/* The kernel's parser of program images, compiled into this module: it is pure code, and no exported
   routine. */
#include "kernel/ldr/elfimage.c"
