# SPDX-License-Identifier: MIT
MODULE := resources
SOURCES := resources.c
