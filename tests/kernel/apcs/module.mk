# SPDX-License-Identifier: MIT
MODULE := apcs
SOURCES := apcs.c user.c
