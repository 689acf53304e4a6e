# SPDX-License-Identifier: MIT
MODULE := locks
SOURCES := locks.c
