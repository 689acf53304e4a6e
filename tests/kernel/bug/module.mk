MODULE := bug
SOURCES := bug.c
