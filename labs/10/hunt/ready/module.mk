# SPDX-License-Identifier: MIT
MODULE  := ready
SOURCES := ready.c
CFLAGS  += -I tests/kernel
