MODULE  := drawn
SOURCES := drawn.c
CFLAGS  += -I tests/kernel
