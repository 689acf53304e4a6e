# SPDX-License-Identifier: MIT
MODULE  := hello
SOURCES := hello.c
