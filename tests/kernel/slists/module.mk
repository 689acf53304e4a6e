# SPDX-License-Identifier: MIT
MODULE := slists
SOURCES := slists.c
