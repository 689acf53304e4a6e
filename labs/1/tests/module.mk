MODULE  := levels
SOURCES := levels.c
CFLAGS  += -I tests/kernel
