MODULE  := steps
SOURCES := steps.c
CFLAGS  += -I tests/kernel
