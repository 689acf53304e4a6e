# SPDX-License-Identifier: MIT
MODULE := stress
SOURCES := stress.c wakeups.c
