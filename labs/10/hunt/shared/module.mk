# SPDX-License-Identifier: MIT
MODULE  := shared
SOURCES := shared.c
CFLAGS  += -I tests/kernel
