# SPDX-License-Identifier: MIT
MODULE := sched
SOURCES := sched.c
