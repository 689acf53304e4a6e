MODULE  := busywake
SOURCES := busywake.c
