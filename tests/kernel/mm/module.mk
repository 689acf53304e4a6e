MODULE := mm
SOURCES := mm.c
