# SPDX-License-Identifier: MIT
MODULE := seeded
SOURCES := seeded.c
