# SPDX-License-Identifier: MIT
MODULE := spinlocks
SOURCES := spinlocks.c
