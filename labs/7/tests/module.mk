# SPDX-License-Identifier: MIT
MODULE  := hears
SOURCES := hears.c refusal.c
CFLAGS  += -I . -I tests/kernel -I labs
