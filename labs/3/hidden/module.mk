MODULE  := workload
SOURCES := workload.c
CFLAGS  += -I tests/kernel
