# SPDX-License-Identifier: MIT
MODULE := objects
SOURCES := handles.c names.c objects.c
