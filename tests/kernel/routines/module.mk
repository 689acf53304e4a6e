# SPDX-License-Identifier: MIT
MODULE := routines
SOURCES := routines.c
