# SPDX-License-Identifier: MIT
MODULE := lockcount
SOURCES := lockcount.c
