# SPDX-License-Identifier: MIT
MODULE := left
SOURCES := left.c
