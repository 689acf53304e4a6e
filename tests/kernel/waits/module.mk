# SPDX-License-Identifier: MIT
MODULE := waits
SOURCES := waits.c objects.c
