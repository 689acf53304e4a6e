MODULE := locks
SOURCES := locks.c
