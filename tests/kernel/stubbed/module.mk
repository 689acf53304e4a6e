# SPDX-License-Identifier: MIT
MODULE  := stubbed
SOURCES := stubbed.c
