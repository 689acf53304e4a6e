# SPDX-License-Identifier: MIT
MODULE := queues
SOURCES := queues.c
