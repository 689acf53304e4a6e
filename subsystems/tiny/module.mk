# SPDX-License-Identifier: MIT
MODULE := tiny
SOURCES := tiny.c elfimage.c
# For kernel/ldr/elfimage.c, which is compiled into the module (see elfimage.c here).
CFLAGS += -I .
