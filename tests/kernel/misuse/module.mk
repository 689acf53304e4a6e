# SPDX-License-Identifier: MIT
MODULE := misuse
SOURCES := misuse.c
