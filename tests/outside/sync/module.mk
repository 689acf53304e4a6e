# SPDX-License-Identifier: MIT
MODULE := sync
SOURCES := sync.c waits.c locks.c deferred.c lists.c system.c
