# SPDX-License-Identifier: MIT
MODULE  := probe
SOURCES := probe.c
CFLAGS  += -I tests/kernel
