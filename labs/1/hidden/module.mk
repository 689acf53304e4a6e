MODULE  := sequence
SOURCES := sequence.c
CFLAGS  += -I tests/kernel
