# SPDX-License-Identifier: MIT
MODULE := natives
SOURCES := natives.c
