# SPDX-License-Identifier: MIT
MODULE := exhelpers
SOURCES := exhelpers.c
