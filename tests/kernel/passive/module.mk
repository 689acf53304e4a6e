# SPDX-License-Identifier: MIT
MODULE := passive
SOURCES := passive.c
