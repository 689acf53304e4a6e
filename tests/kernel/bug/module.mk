# SPDX-License-Identifier: MIT
MODULE := bug
SOURCES := bug.c
