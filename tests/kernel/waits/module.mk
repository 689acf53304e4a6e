MODULE := waits
SOURCES := waits.c
