# SPDX-License-Identifier: MIT
MODULE := objects
SOURCES := names.c objects.c
