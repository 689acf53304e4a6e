# SPDX-License-Identifier: MIT
MODULE := spinbugs
SOURCES := spinbugs.c
