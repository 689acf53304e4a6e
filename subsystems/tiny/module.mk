# SPDX-License-Identifier: MIT
MODULE := tiny
SOURCES := tiny.c
