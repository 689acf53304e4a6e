MODULE  := machine
SOURCES := machine.c driver.c
CFLAGS  += -I . -I tests/kernel -I labs/0/tests
