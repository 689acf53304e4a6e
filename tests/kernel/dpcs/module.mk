# SPDX-License-Identifier: MIT
MODULE := dpcs
SOURCES := dpcs.c
