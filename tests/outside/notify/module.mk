# SPDX-License-Identifier: MIT
MODULE := notify
SOURCES := notify.c
