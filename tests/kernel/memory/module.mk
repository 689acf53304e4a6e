# SPDX-License-Identifier: MIT
MODULE := memory
SOURCES := memory.c
