# SPDX-License-Identifier: MIT
MODULE := interrupts
SOURCES := interrupts.c
