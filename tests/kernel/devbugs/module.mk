# SPDX-License-Identifier: MIT
MODULE := devbugs
SOURCES := devbugs.c
