# SPDX-License-Identifier: MIT
MODULE  := waits
SOURCES := waits.c
CFLAGS  += -I tests/kernel
