# SPDX-License-Identifier: MIT
MODULE  := watch
SOURCES := watch.c
