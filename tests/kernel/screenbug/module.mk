# SPDX-License-Identifier: MIT
MODULE  := screenbug
SOURCES := screenbug.c
