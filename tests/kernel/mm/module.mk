# SPDX-License-Identifier: MIT
MODULE := mm
SOURCES := mm.c
