# SPDX-License-Identifier: MIT
MODULE := linux
SOURCES := $(notdir $(wildcard $(DIR)/*.c))
# For kernel/ldr/elfimage.c, which is compiled into the module (see elfimage.c here).
CFLAGS += -I .
