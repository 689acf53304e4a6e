# SPDX-License-Identifier: MIT
MODULE := lockbugs
SOURCES := lockbugs.c
