# SPDX-License-Identifier: MIT
MODULE := balance
SOURCES := balance.c
