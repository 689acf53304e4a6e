# SPDX-License-Identifier: MIT
MODULE  := lives
SOURCES := lives.c
CFLAGS  += -I tests/kernel
