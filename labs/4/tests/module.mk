MODULE  := signals
SOURCES := signals.c
CFLAGS  += -I tests/kernel
