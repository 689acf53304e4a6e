# SPDX-License-Identifier: MIT
MODULE := processors
SOURCES := processors.c
