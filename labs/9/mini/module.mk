# SPDX-License-Identifier: MIT
MODULE  := mini
SOURCES := mini.c
CFLAGS  += -I .
