# SPDX-License-Identifier: MIT
MODULE := trace
SOURCES := trace.c
