# SPDX-License-Identifier: MIT
MODULE  := tidings
SOURCES := tidings.c
CFLAGS  += -I tests/kernel -I labs/7/tests
