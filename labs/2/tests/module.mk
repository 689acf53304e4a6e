MODULE  := lives
SOURCES := lives.c
CFLAGS  += -I tests/kernel -I labs
