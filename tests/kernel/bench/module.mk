# SPDX-License-Identifier: MIT
MODULE := bench
SOURCES := bench.c
