# SPDX-License-Identifier: MIT
MODULE := schedapi
SOURCES := schedapi.c
