# SPDX-License-Identifier: MIT
MODULE := workers
SOURCES := workers.c
