# SPDX-License-Identifier: MIT
MODULE := leaver
SOURCES := leaver.c
