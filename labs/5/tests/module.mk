# SPDX-License-Identifier: MIT
MODULE  := spread
SOURCES := spread.c
CFLAGS  += -I tests/kernel
