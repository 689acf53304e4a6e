# SPDX-License-Identifier: MIT
MODULE  := fates
SOURCES := fates.c
CFLAGS  += -I tests/kernel -I labs/6/tests
