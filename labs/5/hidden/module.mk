# SPDX-License-Identifier: MIT
MODULE  := placing
SOURCES := placing.c
CFLAGS  += -I tests/kernel -I labs/5/tests
