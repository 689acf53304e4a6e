MODULE := bench
SOURCES := bench.c
