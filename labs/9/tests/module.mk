# SPDX-License-Identifier: MIT
MODULE  := provider
SOURCES := provider.c
CFLAGS  += -I tests/kernel
