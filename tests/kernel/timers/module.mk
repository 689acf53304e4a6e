# SPDX-License-Identifier: MIT
MODULE := timers
SOURCES := timers.c
