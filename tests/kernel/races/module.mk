# SPDX-License-Identifier: MIT
MODULE := races
SOURCES := races.c others.c
