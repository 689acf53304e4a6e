# SPDX-License-Identifier: MIT
MODULE  := crowd
SOURCES := crowd.c
