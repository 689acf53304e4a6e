MODULE := threads
SOURCES := threads.c
