# SPDX-License-Identifier: MIT
MODULE  := procmon
SOURCES := procmon.c
