# SPDX-License-Identifier: MIT
MODULE  := refuse
SOURCES := refuse.c
CFLAGS  += -I .
