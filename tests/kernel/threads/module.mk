# SPDX-License-Identifier: MIT
MODULE := threads
SOURCES := threads.c
