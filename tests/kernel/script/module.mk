# SPDX-License-Identifier: MIT
MODULE := script
SOURCES := script.c
