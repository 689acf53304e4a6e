MODULE := notify
SOURCES := notify.c
