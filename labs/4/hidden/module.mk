MODULE  := abandon
SOURCES := abandon.c
CFLAGS  += -I tests/kernel
