MODULE := sched
SOURCES := sched.c
