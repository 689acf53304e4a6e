# SPDX-License-Identifier: MIT
MODULE  := timerdpc
SOURCES := timerdpc.c
