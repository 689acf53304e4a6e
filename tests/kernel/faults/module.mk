# SPDX-License-Identifier: MIT
MODULE := faults
SOURCES := faults.c
