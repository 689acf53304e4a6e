# SPDX-License-Identifier: MIT
MODULE := queries
SOURCES := queries.c
